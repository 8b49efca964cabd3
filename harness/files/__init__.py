"""Strict reading of the files that users bring."""
