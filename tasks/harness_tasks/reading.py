"""Reads data files strictly: the first wrong row is named with its file and line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import Gold, IntArray, Kind, Pool, offsets_of
from harness.errors import DataError, nearest

__all__ = ["Rows", "read_jsonl", "read_rows"]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """One split as read: examples apart from gold."""

    pool: Pool
    gold: Gold


def read_rows(file: Path, split: str, kind: Kind, classes: Sequence[str]) -> Rows:
    """Read a ``.jsonl`` file of ``{"text", "label"}`` or ``{"tokens", "tags"}`` rows.

    Args:
        file: UTF-8, with or without a byte order mark; blank lines are skipped.
        split: the name that the examples' ids carry, ``split:line``.
        kind: kind of the task.
        classes: class names in index order.

    Raises:
        DataError: naming file and line.
    """
    index = {name: position for position, name in enumerate(classes)}
    ids: list[str] = []
    examples: list[Any] = []
    labels: list[int] = []
    for line, row in read_jsonl(file):
        where = f"{file}:{line}"
        if kind == "sequence":
            text, label = _sequence_row(row, index, where)
            examples.append(text)
            labels.append(label)
        else:
            tokens, tags = _token_row(row, index, where)
            examples.append(tokens)
            labels.extend(tags)
        ids.append(f"{split}:{line}")
    pool = Pool(kind=kind, split=split, ids=tuple(ids), examples=examples)
    gold = Gold(split, np.asarray(labels, dtype=np.int32), _offsets(kind, examples))
    return Rows(pool, gold)


def read_jsonl(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects of a JSON Lines file with their line numbers.

    Raises:
        DataError: naming file and line.
    """
    try:
        handle = file.open("rb")
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    with handle:
        for line, raw in enumerate(handle, start=1):
            if line == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            if not raw.strip():
                continue
            yield line, _object(raw, f"{file}:{line}")


def _object(raw: bytes, where: str) -> Mapping[str, Any]:
    try:
        row = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: not UTF-8 (byte {error.start + 1}); convert the file") from None
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where}: not a JSON object ({error.msg} at column {error.colno})"
        ) from None
    if not isinstance(row, dict):
        raise DataError(f"{where}: not a JSON object but {_type(row)}")
    return row


def _sequence_row(row: Mapping[str, Any], index: Mapping[str, int], where: str) -> tuple[str, int]:
    text = _field(row, "text", where)
    if not isinstance(text, str):
        raise DataError(f"{where}: 'text' is {_type(text)}, not a string")
    if not text.strip():
        raise DataError(f"{where}: the text is empty; remove the row or fill it")
    return text, _class(_field(row, "label", where), index, "label", where)


def _token_row(
    row: Mapping[str, Any], index: Mapping[str, int], where: str
) -> tuple[tuple[str, ...], list[int]]:
    tokens, tags = _field(row, "tokens", where), _field(row, "tags", where)
    for name, value in (("tokens", tokens), ("tags", tags)):
        if not isinstance(value, list):
            raise DataError(f"{where}: {name!r} is {_type(value)}, not a list")
    if not tokens:
        raise DataError(f"{where}: the sentence has no tokens; remove the row or fill it")
    if len(tokens) != len(tags):
        raise DataError(f"{where}: {len(tokens)} tokens but {len(tags)} tags")
    for token in tokens:
        if not isinstance(token, str) or not token.strip():
            raise DataError(f"{where}: token {token!r} is empty or not a string")
    classes = [_class(tag, index, "tag", where) for tag in tags]
    _check_iob2(tags, where)
    return tuple(tokens), classes


def _check_iob2(tags: Sequence[str], where: str) -> None:
    previous = "O"
    for position, tag in enumerate(tags, start=1):
        if tag.startswith("I-") and previous[2:] != tag[2:]:
            raise DataError(
                f"{where}: tag {position} is {tag} after {previous}, which IOB2 does not allow; "
                f"a mention begins with B-{tag[2:]}"
            )
        previous = tag


def _class(value: object, index: Mapping[str, int], what: str, where: str) -> int:
    if not isinstance(value, str):
        raise DataError(f"{where}: the {what} is {_type(value)}, not a string")
    if value not in index:
        raise DataError(f"{where}: the task has no {what} {value!r}; {nearest(value, index)}")
    return index[value]


def _field(row: Mapping[str, Any], name: str, where: str) -> Any:
    if name not in row:
        found = ", ".join(row) or "nothing"
        raise DataError(f"{where}: there is no {name!r} in the row (it has: {found})")
    return row[name]


def _type(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean",
             int: "a number", float: "a number", type(None): "null"}  # fmt: skip
    return names.get(type(value), type(value).__name__)


def _offsets(kind: Kind, examples: Sequence[Any]) -> IntArray:
    lengths = [len(example) if kind == "token" else 1 for example in examples]
    return offsets_of(lengths)
