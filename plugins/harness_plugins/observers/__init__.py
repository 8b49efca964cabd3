"""Observers that pass on what a run measures to other programs."""
