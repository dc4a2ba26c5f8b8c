"""What the helpers share and no chapter teaches: files, checksums, the terminal, paths, where results come from."""

from mnist_helpers._support import paths as paths  # refuses where the course is not around the package
