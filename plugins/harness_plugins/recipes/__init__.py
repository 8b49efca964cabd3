"""Named grids of runs: the tables of the paper, and those that are worth having besides."""
