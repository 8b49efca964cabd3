"""Commands about runs that are there: list, tables, comparisons, exports."""
