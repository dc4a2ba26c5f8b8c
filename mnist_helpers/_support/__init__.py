"""What the helpers share and no chapter teaches: files, checksums, the terminal, paths, where results come from."""
