"""Runs as a table sees them: finished or stopped, by configuration key, of a sweep or not."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.config import flat
from harness.errors import CommandError, RunError
from harness.record import layout
from harness.record.folder import RunFolder
from harness.record.listing import ListedRun
from harness.results import RunResult, StageResult

ROLES = ("annotator", "student", "selector")
"""Keys that may be called by their role alone: ``student`` is ``student.spec``."""
UNSET = "None"
"""The value of a key that is left to its default."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One run.

    Attributes:
        keys: its configuration by dotted key, as texts, and ``task``; roles by their name alone.
        metric: of the task; empty where no result says it.
        result: of a finished run.
        label: of the recipe's row; empty without one.
        settings: of that row.
        other_code: whether other code than today's made it.
        folder: None where there is none to read.
    """

    keys: Mapping[str, str]
    stages: Sequence[StageResult]
    metric: str = ""
    state: str = "finished"
    supervised: bool = False
    leaked: int = 0
    other_code: bool = False
    result: RunResult | None = None
    label: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    folder: RunFolder | None = None

    @property
    def task(self) -> str:
        """The task's name."""
        return self.keys["task"]

    @property
    def spec(self) -> str:
        """How the configuration names the task."""
        return self.keys.get("task spec", self.task)

    @property
    def seed(self) -> int:
        """The seed of all that is drawn."""
        return int(self.keys.get("seed", "0"))

    @property
    def finished(self) -> RunResult:
        """The result; a ``RunError`` of a run that has none."""
        if self.result is None:
            raise RunError(f"a run of {self.task} is not finished")
        return self.result


def entry_of(result: RunResult, folder: RunFolder | None = None, **more: Any) -> Entry:
    """A finished run."""
    data = result.provenance.get("identities", {})
    return Entry(
        keys=_keys(result.config, result.task, data),
        stages=result.stages,
        metric=result.metric,
        supervised=result.supervised,
        leaked=result.leaked or 0,
        result=result,
        folder=folder,
        **more,
    )


def read_entry(run: ListedRun, *, other_code: bool = False) -> Entry | None:
    """A run of a folder; None where it has recorded no stage or has no configuration."""
    if run.result is not None:
        return entry_of(run.result, RunFolder(run.path), other_code=other_code)
    if run.problem or not run.stages:
        return None
    folder = RunFolder(run.path)
    config = folder.read(layout.CONFIG, lambda path: tomllib.loads(path.read_text("utf-8")))
    manifest = folder.read_json(layout.MANIFEST) if folder.has(layout.MANIFEST) else {}
    data = manifest.get("provenance", {}).get("identities", {})
    return Entry(
        keys=_keys(config, run.path.parent.name, data),
        stages=run.stages,
        state=run.state,
        supervised=bool(manifest.get("supervised", False)),
        folder=folder,
    )


def known_keys(entries: Sequence[Entry]) -> list[str]:
    """All keys that some run has, by name."""
    return sorted({key for entry in entries for key in entry.keys})


def key_of(name: str, entries: Sequence[Entry], option: str) -> str:
    """A key as the entries have it; a ``CommandError`` that lists all where there is none."""
    short = name.removesuffix(".spec") if name.removesuffix(".spec") in ROLES else name
    known = known_keys(entries)
    if short not in known:
        listed = ", ".join(key for key in known if " " not in key)
        raise CommandError(f"{option}: unknown key {name!r}; these exist: {listed}")
    return short


def where(entries: Sequence[Entry], text: str) -> list[Entry]:
    """The entries that ``student=minilm,seed=0-2`` leaves.

    A value is the key's own, or a spec without what follows its colon; commas and ranges of
    numbers give several.
    """
    wanted: dict[str, list[str]] = {}
    key = ""
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if equals:
            key = key_of(name.strip(), entries, "--where")
        elif not key:
            raise CommandError(f"--where {text}: write KEY=VALUE,KEY=VALUE")
        wanted.setdefault(key, []).extend(_values((value if equals else part).strip()))
    return [
        entry
        for entry in entries
        if all(_matches(entry.keys.get(key, UNSET), of) for key, of in wanted.items())
    ]


def _values(text: str) -> list[str]:
    first, dash, last = text.partition("-")
    if dash and first.isdecimal() and last.isdecimal():
        return [str(one) for one in range(int(first), int(last) + 1)]
    return [text]


def _matches(value: str, wanted: Sequence[str]) -> bool:
    return value in wanted or value.partition(":")[0] in wanted


def _keys(config: Mapping[str, Any], task: str, data: Mapping[str, Any]) -> dict[str, str]:
    found = {
        key.removesuffix(".spec") if key.removesuffix(".spec") in ROLES else key: _text(value)
        for key, value in flat(config)
        if not isinstance(value, Mapping)
    }
    content = {f"{role} content": str(digest)[:8] for role, digest in data.items()}
    spec = {"task spec": found["task"]} if found.get("task", UNSET) != UNSET else {}
    return {**found, **content, **spec, "task": task}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
