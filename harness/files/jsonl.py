"""JSON Lines, read strictly: errors name file and line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.files.lines import read_lines
from harness.files.raw_table import Faults


def read_jsonl(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects of a file with their line numbers, without blank lines.

    Raises:
        DataError: at the end, naming all lines that hold no object.
    """
    faults = Faults()
    for line, text in read_lines(file):
        if not text.strip():
            continue
        try:
            row = _object(text.rstrip("\r\n"), f"{file}:{line}")
        except DataError as error:
            faults.add(error)
        else:
            yield line, row
    faults.check()


def read_json(text: str) -> Any:
    """A JSON value in which no object has a key twice.

    Raises:
        ValueError: if it is none; ``json.JSONDecodeError`` where the place is known.
        RecursionError: if it is nested too deeply.
    """
    return _DECODER.decode(text)


def field(row: Mapping[str, Any], name: str, where: str) -> Any:
    """One value of a row; a ``DataError`` if there is none."""
    if name not in row:
        found = ", ".join(row) or "nothing"
        raise DataError(f"{where}: there is no {name!r} in the row (it has: {found})")
    return row[name]


def text_field(value: object, what: str, where: str) -> str:
    """A value that must be text without lone surrogates; else a ``DataError``."""
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


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {twice[:40]!r} occurs twice in an object; keep one of them")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_once)


def _object(text: str, where: str) -> Mapping[str, Any]:
    try:
        row = read_json(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where}: not a JSON object ({error.msg} at column {error.colno}); "
            "each line holds one, in braces"
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not a usable JSON object ({str(error)[:120]})") from None
    if not isinstance(row, dict):
        raise DataError(f"{where}: not a JSON object but {type_name(row)}; put it in braces")
    return row
