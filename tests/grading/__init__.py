"""Tests of tools/grading, in the order of its files."""
