"""Tasks: one declarative TOML file each, the shipped demo data, and their loader."""

from harness_tasks.declaration import Declaration, read_declaration
from harness_tasks.task import DeclaredTask

__all__ = ["Declaration", "DeclaredTask", "read_declaration"]
