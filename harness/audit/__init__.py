"""What a data set itself says about scores on it."""
