"""From runs to the rows of a table: their names, cells, marks and notes."""
