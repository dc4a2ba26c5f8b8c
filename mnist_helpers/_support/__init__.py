"""Shared code that no chapter teaches: files, checksums, terminal output, paths and provenance of results."""

from mnist_helpers._support import paths as paths  # raises CourseError if the rest of the course is missing
