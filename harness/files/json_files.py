"""JSON Lines, and JSON files that hold one array of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from harness.errors import DataError
from harness.files.jsonl import read_json, read_jsonl, type_name
from harness.files.lines import read_lines
from harness.files.raw_table import RawRow, RawTable


def open_lines(file: Path) -> RawTable:
    """A ``.jsonl`` file."""

    def rows() -> Iterator[RawRow]:
        for line, row in read_jsonl(file):
            yield f"{file}:{line}", row

    return RawTable(str(file), rows)


def open_array(file: Path) -> RawTable:
    """A ``.json`` file: an array of objects. It is read whole; rows are counted from 1."""

    def rows() -> Iterator[RawRow]:
        text = "".join(line for _, line in read_lines(file))
        for number, row in enumerate(_array(text, file), start=1):
            where = f"{file}: row {number}"
            if not isinstance(row, dict):
                raise DataError(f"{where}: not an object but {type_name(row)}; put it in braces")
            yield where, row

    return RawTable(str(file), rows)


def _array(text: str, file: Path) -> list[object]:
    try:
        values = read_json(text)
    except json.JSONDecodeError as error:
        hint = "; one object a line is a .jsonl file" if error.msg == "Extra data" else ""
        raise DataError(
            f"{file}:{error.lineno}: not JSON ({error.msg} at column {error.colno}){hint}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: not usable JSON ({str(error)[:120]})") from None
    if not isinstance(values, list):
        raise DataError(f"{file}: holds {type_name(values)}, not an array of rows; use brackets")
    return values
