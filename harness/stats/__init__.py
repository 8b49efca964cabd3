"""What a difference between scores is worth: intervals, paired tests, many comparisons."""
