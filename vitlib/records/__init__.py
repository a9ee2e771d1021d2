"""Recorded runs: files, tables."""
