"""Measurements behind the figures in results/LOG.md; run them as modules."""
