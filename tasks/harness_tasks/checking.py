"""From raw rows to checked ones: columns are found, labels named, tags put into IOB2."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from unicodedata import category

from harness.data import ABSTAINED
from harness.errors import DataError
from harness.files.jsonl import text_field, type_name
from harness.files.label_values import LabelValues
from harness.files.raw_table import Faults
from harness_tasks import tag_schemes
from harness_tasks.formats import RawTable
from harness_tasks.meaning import label_values
from harness_tasks.roles import (
    Roles,
    Schema,
    find_roles,
    listed,
    looks_like_header,
    missing_column,
    role_notes,
    unlabelled_roles,
)

UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
"""Unicode's categories of characters that show nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """One checked example: a text with one label, or tokens with one tag each.

    ``labels`` are all ``ABSTAINED`` where the row has none; ``where`` it stands is for messages.
    """

    example: str | tuple[str, ...]
    labels: tuple[int, ...]
    where: str


def checked_rows(
    table: RawTable, schema: Schema, notes: list[str], *, hub: bool = False
) -> Iterator[Row]:
    """The rows of a table, each checked when it is read.

    Args:
        notes: what the user should know of the conversion is added here.
        hub: the table comes from the hub itself, so that its integers are the declared ones.

    Raises:
        DataError: naming the first wrong row, what was expected, and where others are wrong.
    """
    first = _first(table)
    roles = unlabelled_roles(first, schema) or find_roles(tuple(first), schema, prefer_hub=hub)
    values = label_values(table, schema, roles)
    _refuse_header(table, schema, values)
    notes += role_notes(table, first, roles, schema)
    if schema.kind == "sequence":
        yield from _texts(table, schema, roles, values, notes)
    else:
        yield from _sentences(table, schema, roles, values, notes)
    if roles.source != "hub":
        notes += [f"{table.name}: {note}" for note in values.notes()]


def _first(table: RawTable) -> Mapping[str, Any]:
    """The first row; empty if there is none or it is wrong: reading all rows says so."""
    try:
        return next((row for _, row in table.rows()), {})
    except DataError:
        return {}


def _refuse_header(table: RawTable, schema: Schema, values: LabelValues) -> None:
    """Name a first row that was not known for a header, and is no example either."""
    if table.opening is None:
        return
    where, cells = table.opening
    if not looks_like_header(cells, schema) or any(values.knows(cell) for cell in cells):
        return
    needed = find_roles((), schema)
    named = " and ".join((*needed.example, needed.label))
    missing = ", ".join(repr(one) for one in (*needed.example, needed.label) if one not in cells)
    raise DataError(
        f"{where}: the first row looks like a header ({listed(cells)}), but the columns needed "
        f"are {named}, and {missing} is missing; name it so, in small letters, or say under "
        "[columns] in the task's file what it is called"
    )


def _cell(row: Mapping[str, Any], column: str, where: str) -> Any:
    if column not in row:
        raise missing_column(column, row, where)
    return row[column]


def _texts(
    table: RawTable, schema: Schema, roles: Roles, values: LabelValues, notes: list[str]
) -> Iterator[Row]:
    index = {name: position for position, name in enumerate(schema.classes)}
    named = schema.hub.label_text if schema.hub else None
    faults = Faults()
    for where, row in faults.over(table.rows()):
        try:
            text = _text_of(row, roles, where)
            value = _label(row, roles, where)
            if named is not None and named in row:
                value = row[named]
            name = None if value is None or value == "" else values.name(value, where)
            if name is not None and name not in index:
                raise values.refuse(name, where)
        except DataError as error:
            faults.add(error)
            continue
        if name is not None and table.values != "typed" and "\n" in text:
            notes += _rows_within(text, schema, where)
        yield Row(text, (ABSTAINED if name is None else index[name],), where)
    faults.check()


def _text_of(row: Mapping[str, Any], roles: Roles, where: str) -> str:
    parts = [_text(_cell(row, part, where), "the text", where) for part in roles.example]
    text = "\n".join(part for part in parts if part)
    if not _visible(text):
        raise DataError(f"{where}: the text is empty; remove the row or fill it")
    return text


def _label(row: Mapping[str, Any], roles: Roles, where: str) -> Any:
    """The label, or tags, of a row; None where it has none."""
    value = row.get(roles.label) if roles.unlabelled else _cell(row, roles.label, where)
    return None if isinstance(value, str) and not value.strip() else value


def _rows_within(text: str, schema: Schema, where: str) -> list[str]:
    """Say that a text over several lines may have taken in rows: a quote is left open."""
    for line in text.split("\n"):
        cells = re.split("[,;\t]", line.rstrip("\r"))
        if len(cells) > 1 and {cells[0], cells[-1]} & set(schema.classes):
            count = text.count("\n") + 1
            return [
                f"{where}: the text has {count} lines, of which one looks like a row of its own "
                f"({line[:40]!r}); is a quote left open?"
            ]
    return []


def _sentences(
    table: RawTable, schema: Schema, roles: Roles, values: LabelValues, notes: list[str]
) -> Iterator[Row]:
    index = {name: position for position, name in enumerate(schema.classes)}
    fit = tag_schemes.detect(_known_tags(table, roles, values))
    scheme = fit.scheme
    changed, faults = 0, Faults()
    for where, row in faults.over(table.rows()):
        try:
            tokens, named = _units(row, roles, values, where)
            for tag in named:
                if tag_schemes.alone(tag, scheme) not in index:
                    raise values.refuse(tag, where)
            if (wrong := tag_schemes.fault(named, scheme)) is not None:
                raise DataError(f"{where}: {wrong} ({fit})")
        except DataError as error:
            faults.add(error)
            continue
        if not named:
            yield Row(tokens, (ABSTAINED,) * len(tokens), where)
            continue
        tags = tag_schemes.to_iob2(named, scheme)
        changed += sum(before != after for before, after in zip(named, tags, strict=True))
        yield Row(tokens, tuple(index[tag] for tag in tags), where)
    faults.check()
    if scheme != "IOB2":
        notes.append(f"{table.name}: its tags are {scheme}; {changed} of them were put into IOB2")


def _known_tags(table: RawTable, roles: Roles, values: LabelValues) -> Iterator[list[str]]:
    """The tags of all rows up to the first wrong one, which is named when rows are checked."""
    try:
        for where, row in table.rows():
            tags = row.get(roles.label)
            if isinstance(tags, list):
                yield [values.name(tag, where) for tag in tags]
    except DataError:
        return


def _units(
    row: Mapping[str, Any], roles: Roles, values: LabelValues, where: str
) -> tuple[tuple[str, ...], list[str]]:
    columns = (roles.example[0], roles.label)
    tokens, tags = _cell(row, columns[0], where), _label(row, roles, where) or []
    for name, value in zip(columns, (tokens, tags), strict=True):
        if not isinstance(value, list):
            raise DataError(
                f"{where}: {name!r} is {type_name(value)}, not a list; put it in brackets"
            )
    if not tokens:
        raise DataError(f"{where}: the sentence has no tokens; remove the row or fill it")
    if tags and len(tokens) != len(tags):
        raise DataError(
            f"{where}: {len(tokens)} tokens but {len(tags)} tags; each token needs one tag"
        )
    for position, token in enumerate(tokens, start=1):
        if not _visible(_text(token, f"token {position}", where)):
            raise DataError(f"{where}: token {position} is empty; remove it and its tag")
    return tuple(tokens), [values.name(tag, where) for tag in tags]


def _visible(text: str) -> bool:
    """Whether there is anything to see: more than spaces, zero-width and control characters."""
    return any(category(character) not in UNSEEN for character in text)


def _text(value: object, what: str, where: str) -> str:
    text = text_field(value, what, where)
    if "\0" in text:
        raise DataError(f"{where}: {what} holds a NUL character; remove it")
    return text
