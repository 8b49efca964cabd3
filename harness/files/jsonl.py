"""JSON Lines, read strictly: what is wrong is named with its file and line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.files.lines import decode, read_raw_lines


def read_jsonl(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects of a file with their line numbers.

    UTF-8, with or without a byte order mark; lines end in LF or CRLF; blank lines are
    skipped.

    Raises:
        DataError: naming file and line.
    """
    for line, raw in read_raw_lines(file):
        if raw.strip():
            yield line, _object(raw, f"{file}:{line}")


def field(row: Mapping[str, Any], name: str, where: str) -> Any:
    """One value of a row.

    Raises:
        DataError: if the row has no such key.
    """
    if name not in row:
        found = ", ".join(row) or "nothing"
        raise DataError(f"{where}: there is no {name!r} in the row (it has: {found})")
    return row[name]


def text_field(value: object, what: str, where: str) -> str:
    """A value that must be text which can be written as UTF-8.

    Raises:
        DataError: if it is something else.
    """
    if not isinstance(value, str):
        raise DataError(f"{where}: {what} is {type_name(value)}, not a string; put it in quotes")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"{where}: {what} holds half of a surrogate pair; write the whole character"
        ) from None
    return value


def type_name(value: object) -> str:
    """What a JSON value is, in words."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean",
             int: "a number", float: "a number", type(None): "null"}  # fmt: skip
    return names.get(type(value), type(value).__name__)


def _object(raw: bytes, where: str) -> Mapping[str, Any]:
    text = decode(raw, where).rstrip("\r\n")  # or the column is that of an empty next line
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where}: not a JSON object ({error.msg} at column {error.colno}); "
            "each line holds one, in braces"
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not a usable JSON object ({str(error)[:80]})") from None
    if not isinstance(row, dict):
        raise DataError(f"{where}: not a JSON object but {type_name(row)}; put it in braces")
    return row
