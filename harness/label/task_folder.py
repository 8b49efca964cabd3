"""A task made from texts and labels, written where runs are kept: any command can name it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.data import Kind
from harness.label.by_hand import tags_of
from harness.label.texts import Texts
from harness.label.words import words
from harness.record import layout
from harness.record.folder import new_text

EXAMPLES = "train.jsonl"
DECLARATION = "task.toml"
KEPT = ("title", "kind", "metric", "annotator", "prompt", "labels", "rules")
"""What is taken of another task's declaration."""


def declaration_of(kind: Kind, labels: Mapping[str, str]) -> dict[str, Any]:
    """A declaration of label names with their descriptions; a name describes itself."""
    return {
        "kind": kind,
        "metric": "accuracy" if kind == "sequence" else "entity_f1",
        "labels": [{"name": name, "description": said or name} for name, said in labels.items()],
    }


def task_files(texts: Texts, declared: Mapping[str, Any]) -> dict[str, str]:
    """The task's files by name, the declaration last.

    Args:
        texts: whose usable rows are the pool, in order.
        declared: the keys of a declaration; ``KEPT`` are taken of it.
    """
    import tomli_w

    rows = "".join(_example(texts, row, declared["kind"]) for row in texts.texts)
    name = task_name(texts.file.path)
    values = {"schema": 1, "name": name, "files": {"train": EXAMPLES}}
    text = tomli_w.dumps(values | {key: declared[key] for key in KEPT if key in declared})
    return {EXAMPLES: rows, DECLARATION: text}


def write_task(texts: Texts, declared: Mapping[str, Any], out: Path) -> Path:
    """Write the task where runs are kept, ``out``, unless it is there; the declaration's path."""
    files = task_files(texts, declared)
    key = hashlib.sha256((files[DECLARATION] + files[EXAMPLES]).encode()).hexdigest()[:8]
    folder = layout.texts_folder(out, task_name(texts.file.path), key)
    for name, content in files.items():
        if not (folder / name).exists():
            new_text(folder / name, content)
    return folder / DECLARATION


def task_name(path: Path) -> str:
    """A task's name from a file's; ``texts`` where no letter of it may stand in one."""
    return re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "texts"


def _example(texts: Texts, row: int, kind: Kind) -> str:
    text = texts.texts[row]
    example: dict[str, Any] = {"tokens": words(text)[0]} if kind == "token" else {"text": text}
    if texts.gold:
        answer = texts.gold.get(row)
        known = tags_of(text, answer) if isinstance(answer, tuple) else answer
        example["tags" if kind == "token" else "label"] = known
    return json.dumps(example, ensure_ascii=False) + "\n"
