"""Recipes, and the grids of runs that they stand for."""
