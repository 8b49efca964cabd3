"""Tasks: one declarative TOML file each, the shipped demo data, and their loader."""
