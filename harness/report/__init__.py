"""Results of several runs in tables."""
