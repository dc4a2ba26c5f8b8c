"""Shared code that no chapter teaches: files, checksums, terminal output, paths and provenance of results."""
