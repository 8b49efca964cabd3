"""A task of one's own, begun from a file: its declaration, its examples and a configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import abilities
from harness.data import Kind
from harness.errors import CommandError
from harness.label.task_folder import DECLARATION, EXAMPLES, declaration_of, task_files
from harness.label.texts import Texts
from harness.plugin_manager import Plugins
from harness.record.folder import new_text
from harness.run.assembly import load_task

CONFIG = "config.toml"
FILES = (EXAMPLES, CONFIG, DECLARATION)
"""What is written, the declaration last: a folder that has it has all."""
TEMPLATE = """\
# harness run --task {task} --config {config}
# harness show config lists all keys.
setting = "transductive"  # there is no test set: scores, if any, are of the pool
rounds = 2                # of annotate, train, select
seed = 0

[annotator]               # who labels: harness list annotators
spec = {annotator}

[student]                 # who learns from it: harness list students
spec = {student}
"""


def refuse_existing(folder: Path) -> None:
    """Raise a ``CommandError`` if a file would be overwritten."""
    if there := [str(folder / name) for name in FILES if (folder / name).exists()]:
        raise CommandError(
            f"{', '.join(there)}: there already; --force overwrites, -o DIR avoids it"
        )


def usual_parts(plugins: Plugins) -> tuple[str | None, str]:
    """The annotator that needs no key, and the student, that are taken by default."""
    task = load_task(None, plugins, None, declaration_only=True)
    return task.default_annotator, plugins.default("student")


def begun(
    texts: Texts, labels: Mapping[str, str], kind: Kind, annotator: str, student: str, folder: Path
) -> dict[str, str]:
    """The content of ``FILES`` by name, for a folder.

    Args:
        texts: the file that was read.
        labels: names of labels, or of entity types, with their descriptions.
        kind: of the task.
        annotator, student: specs.
        folder: where the files will lie, for the command in the configuration.
    """
    declared: dict[str, Any] = {"annotator": annotator, **declaration_of(kind, labels)}
    config = TEMPLATE.format(
        task=folder / DECLARATION,
        config=folder / CONFIG,
        annotator=json.dumps(annotator, ensure_ascii=False),
        student=json.dumps(student, ensure_ascii=False),
    )
    return {CONFIG: config, **task_files(texts, declared)}


def write_all(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files, the declaration last."""
    for name in FILES:
        new_text(folder / name, files[name])


def labels_in(values: Sequence[Any], most: int = 20) -> list[str]:
    """The different values of a column, if there are few enough to be labels."""
    names = dict.fromkeys(str(value).strip() for value in values if value not in (None, ""))
    return sorted(names) if 2 <= len(names) <= most else []


def sends_prompts(annotator: object) -> bool:
    """Whether an annotator has a prompt to show."""
    return abilities.messages(annotator) is not None
