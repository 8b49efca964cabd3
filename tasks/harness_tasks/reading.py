"""Reads data files strictly: the first wrong row is named with its file and line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import iob2
from harness.data import Kind
from harness.errors import DataError, nearest
from harness.jsonl import field, read_jsonl, text_field, type_name
from harness_tasks.store import Row, Rows, store

__all__ = ["Rows", "read_rows"]


def read_rows(file: Path, split: str, kind: Kind, classes: Sequence[str]) -> Rows:
    """Read a ``.jsonl`` file of ``{"text", "label"}`` or ``{"tokens", "tags"}`` rows.

    Args:
        file: UTF-8, with or without a byte order mark; blank lines are skipped.
        split: the name that the examples' ids begin with (``identity.example_ids``).
        kind: kind of the task.
        classes: class names in index order.

    Raises:
        DataError: naming file and line.
    """
    return store(_rows(file, kind, classes), split, kind, _fingerprint(file, kind, classes))


def _rows(file: Path, kind: Kind, classes: Sequence[str]) -> Iterator[Row]:
    """The checked rows of a file, one by one."""
    index = {name: position for position, name in enumerate(classes)}
    for line, row in read_jsonl(file):
        where = f"{file}:{line}"
        if kind == "sequence":
            text, label = _sequence_row(row, index, where)
            yield text, (label,)
        else:
            yield _token_row(row, index, where)


def _fingerprint(file: Path, kind: Kind, classes: Sequence[str]) -> str:
    """SHA-256 over all that the rows come from."""
    digest = hashlib.sha256(json.dumps([kind, *classes]).encode())
    try:
        with file.open("rb") as handle:
            digest.update(hashlib.file_digest(handle, "sha256").digest())
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()


def _sequence_row(row: Mapping[str, Any], index: Mapping[str, int], where: str) -> tuple[str, int]:
    text = text_field(field(row, "text", where), "the text", where)
    if not text.strip():
        raise DataError(f"{where}: the text is empty; remove the row or fill it")
    return text, _class(field(row, "label", where), index, "label", where)


def _token_row(
    row: Mapping[str, Any], index: Mapping[str, int], where: str
) -> tuple[tuple[str, ...], list[int]]:
    tokens, tags = field(row, "tokens", where), field(row, "tags", where)
    for name, value in (("tokens", tokens), ("tags", tags)):
        if not isinstance(value, list):
            raise DataError(
                f"{where}: {name!r} is {type_name(value)}, not a list; put it in brackets"
            )
    if not tokens:
        raise DataError(f"{where}: the sentence has no tokens; remove the row or fill it")
    if len(tokens) != len(tags):
        raise DataError(
            f"{where}: {len(tokens)} tokens but {len(tags)} tags; each token needs one tag"
        )
    for position, token in enumerate(tokens, start=1):
        if not text_field(token, f"token {position}", where).strip():
            raise DataError(f"{where}: token {position} is empty; remove it and its tag")
    classes = [_class(tag, index, "tag", where) for tag in tags]
    wrong = iob2.fault(tags)
    if wrong is not None:
        raise DataError(f"{where}: {wrong}")
    return tuple(tokens), classes


def _class(value: object, index: Mapping[str, int], what: str, where: str) -> int:
    if not isinstance(value, str):
        raise DataError(f"{where}: the {what} is {type_name(value)}, not a string")
    if value not in index:
        raise DataError(f"{where}: the task has no {what} {value!r}; {nearest(value, index)}")
    return index[value]
