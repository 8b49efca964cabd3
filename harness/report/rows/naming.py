"""What the rows of a table are called: by a recipe, by keys, or by what differs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.report.rows.entries import UNSET, Entry, key_of

STAGE = "stage"
NAMING = ("task", "annotator", "student")
"""Keys that name a row by themselves, in the order of their columns, where they differ."""
ROW, SETTINGS = "row", "settings"
PLAIN = "default"
"""Names a row all of whose differing keys are unset."""
IGNORED = frozenset({"seed", "budget_usd", "student.save", "task spec"})
"""Keys that make no other row."""
Names = tuple[str, ...]


def natural(names: Names) -> list[tuple[bool, int, str]]:
    """A key by which ``shots=5`` comes before ``shots=10``."""
    pieces = re.split(r"(\d+)", "\0".join(names))
    return [(one.isdecimal(), int(one) if one.isdecimal() else 0, one) for one in pieces]


def named(
    entries: Sequence[Entry], rows: Sequence[str], column: str
) -> tuple[tuple[str, ...], list[Names]]:
    """The names of the columns that name rows, and each run's."""
    if rows:
        keys = tuple(key_of(key, entries, "--rows") for key in rows)
    elif any(entry.label for entry in entries):
        settings = _settings(entries, (ROW,), column)
        found: list[Names] = [
            (_label(e, column) or _called(e, of),) for e, of in zip(entries, settings, strict=True)
        ]
        return (ROW,), found
    else:
        keys = tuple(key for key in NAMING if key != column and differs(entries, key))
    settings = _settings(entries, keys, column)
    names = [
        (*(entry.keys.get(key, UNSET) for key in keys), of)
        for entry, of in zip(entries, settings, strict=True)
    ]
    if not any(settings) and keys:
        return keys, [name[:-1] for name in names]
    if keys:
        return (*keys, SETTINGS), names
    if any(settings):
        return (SETTINGS,), [(name[-1] or PLAIN,) for name in names]
    return ("annotator", "student"), [
        (entry.keys.get("annotator", UNSET), entry.keys.get("student", UNSET)) for entry in entries
    ]


def _label(entry: Entry, column: str) -> str:
    """The recipe's name of the row, without what the column says."""
    for key, value in entry.settings.items():
        if key.removesuffix(".spec") == column:
            parts = [part for part in entry.label.split(", ") if part != f"{key}={value}"]
            return ", ".join(parts) or "all"
    return entry.label


def _called(entry: Entry, settings: str) -> str:
    """A short name for a run without a recipe's."""
    parts = [entry.keys.get(key, UNSET) for key in NAMING[1:]]
    return f"{' + '.join(parts)} {settings}".strip()


def differs(entries: Sequence[Entry], key: str) -> bool:
    """Whether runs differ in a key."""
    return len({entry.keys.get(key, UNSET) for entry in entries}) > 1


def _settings(entries: Sequence[Entry], keys: Sequence[str], column: str) -> list[str]:
    """For each run the settings in which runs of the same row and column differ."""
    groups: dict[tuple[str, ...], list[Entry]] = {}
    named = (*keys, *(() if column == STAGE else (column,)))
    for entry in entries:
        groups.setdefault(_group(entry, named), []).append(entry)
    differing = {
        group: {
            key: None
            for key in sorted({key for entry in of for key in entry.keys} - {*IGNORED, *named})
            if len({_value(entry, key) for entry in of}) > 1
        }
        for group, of in groups.items()
    }
    every = {key for of in differing.values() for key in of}
    return [
        " ".join(
            f"{_short(key, every)}={entry.keys[key]}"
            for key in differing[_group(entry, named)]
            if _value(entry, key) != UNSET
        )
        for entry in entries
    ]


def _group(entry: Entry, named: Sequence[str]) -> tuple[str, ...]:
    return tuple(entry.label if key == ROW else entry.keys.get(key, UNSET) for key in named)


def _value(entry: Entry, key: str) -> str:
    value = entry.keys.get(key, UNSET)
    # Results of earlier versions lack this key.
    return UNSET if (key, value) == ("without_leaked", "false") else value


def _short(key: str, among: set[str]) -> str:
    last = key.rpartition(".")[2]
    return key if sum(one.rpartition(".")[2] == last for one in among) > 1 else last
