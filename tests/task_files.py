"""Small tasks as users write them: declarations, and rows of data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.data import Kind
from harness_tasks.declaration import HubSource
from harness_tasks.reading import key_of_files, rows_of_files
from harness_tasks.roles import Schema
from harness_tasks.store import Rows, store

TASK = """schema = 1
name = "my-task"
title = "Mine"
kind = "sequence"
metric = "accuracy"

[[labels]]
name = "up"
description = "Something rises."

[[labels]]
name = "down"
description = "Something falls."
"""
TOKEN_TASK = """schema = 1
name = "my-names"
kind = "token"
metric = "entity_f1"

[[labels]]
name = "PER"
description = "A person."

[[labels]]
name = "LOC"
description = "A place."
"""


def read_rows(
    file: Path,
    split: str,
    kind: Kind,
    classes: Sequence[str],
    hub: HubSource | None = None,
    notes: list[str] | None = None,
) -> Rows:
    """Read one file, in any of the formats, as a task does; notes go to ``notes``."""
    schema = Schema(kind, tuple(classes), hub)
    notes = [] if notes is None else notes
    rows = rows_of_files([file], schema, notes)
    return store(rows, split, kind, key_of_files([file], schema), notes)


def write_rows(file: Path, rows: Iterable[object]) -> Path:
    """Rows as JSON Lines, in a folder that is made if need be."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def texts(*pairs: tuple[str, str]) -> list[dict[str, object]]:
    """Rows of a sequence task."""
    return [{"text": text, "label": label} for text, label in pairs]


def sentence(*pairs: tuple[str, str]) -> dict[str, object]:
    """A row of a token task."""
    return {"tokens": [token for token, _ in pairs], "tags": [tag for _, tag in pairs]}
