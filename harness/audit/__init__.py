"""What to know of a data set before believing a score."""
