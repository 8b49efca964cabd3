"""From raw rows to checked ones: columns are found, labels named, tags put into IOB2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from unicodedata import category

from harness.data import Kind
from harness.errors import DataError
from harness.files.jsonl import field, text_field, type_name
from harness_tasks import tag_schemes
from harness_tasks.declaration import HubSource
from harness_tasks.formats import RawTable
from harness_tasks.meaning import (
    Meaning,
    declared_integers,
    hub_integers,
    named_integers,
    renamed,
)

_USUAL = frozenset(
    {"text", "sentence", "review", "label", "labels", "class", "category", "sentiment", "tokens"}
)
"""What others call the columns; in the first row of a file these tell a header."""
UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
"""Unicode's categories of characters that show nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """One checked example: a text with one label, or tokens with one tag each.

    Attributes:
        example: the text, or the tokens.
        labels: class indices, one a unit.
        where: where it stands, for messages.
    """

    example: str | tuple[str, ...]
    labels: tuple[int, ...]
    where: str


@dataclass(frozen=True, slots=True)
class Schema:
    """What rows must be.

    Attributes:
        kind: kind of the task.
        classes: class names in index order.
        hub: how the hub's columns map to ours, where the task has a hub source.
    """

    kind: Kind
    classes: tuple[str, ...]
    hub: HubSource | None = None

    @property
    def own(self) -> tuple[str, str]:
        """Our columns: of the example and of its labels."""
        return ("text", "label") if self.kind == "sequence" else ("tokens", "tags")

    @property
    def hubs(self) -> tuple[str, str] | None:
        """The hub's columns of the same."""
        if self.hub is None:
            return None
        pair = self.hub.text or self.hub.tokens, self.hub.label or self.hub.tags
        return (str(pair[0]), str(pair[1]))

    @property
    def columns(self) -> frozenset[str]:
        """Every column name by which a header is recognised."""
        more = (self.hub.label_text,) if self.hub and self.hub.label_text else ()
        return frozenset({*self.own, *(self.hubs or ()), *more})


Columns: TypeAlias = tuple[str, str]


def checked_rows(
    table: RawTable, schema: Schema, notes: list[str], *, hub: bool = False
) -> Iterator[Row]:
    """The rows of a table, each checked when it is read.

    Args:
        table: raw rows.
        schema: what they must be.
        notes: what the user should know of the conversion is added here.
        hub: the table comes from the hub itself, so that its integers are the declared ones.

    Raises:
        DataError: naming the first wrong row and what was expected.
    """
    first = _first(table)
    columns = _columns(first, schema, prefer_hub=hub)
    meaning = _meaning(table, schema, columns, from_hub=hub or columns != schema.own)
    _refuse_header(table, schema, meaning)
    _note_numbers(first, table, schema, meaning, notes)
    if schema.kind == "sequence":
        yield from _texts(table, schema, columns, meaning)
    else:
        yield from _sentences(table, columns, meaning, notes)


def _first(table: RawTable) -> Mapping[str, Any]:
    """The first row; empty if there is none or it is wrong: reading all rows says so."""
    try:
        return next((row for _, row in table.rows()), {})
    except DataError:
        return {}


def _columns(first: Mapping[str, Any], schema: Schema, *, prefer_hub: bool) -> Columns:
    for pair in (schema.hubs, schema.own) if prefer_hub else (schema.own, schema.hubs):
        if pair is not None and set(pair) <= set(first):
            return pair
    return schema.own


def _meaning(table: RawTable, schema: Schema, columns: Columns, *, from_hub: bool) -> Meaning:
    integers: dict[int, str] | None = None
    found = table.class_names.get(columns[1])
    if found is not None:
        integers = named_integers(found, schema.classes, schema.hub, table.name)
    elif from_hub and schema.hub is not None:
        integers = hub_integers(schema.hub)
    elif table.values == "positional" or (table.values == "text" and _same_order(schema)):
        integers = declared_integers(schema.classes)
    return Meaning(
        classes=schema.classes,
        names=renamed(schema.hub),
        integers=integers,
        text=table.values != "typed",
        what="label" if schema.kind == "sequence" else "tag",
    )


def _same_order(schema: Schema) -> bool:
    """Whether an integer means the same by the hub's order and by the declared labels'."""
    return schema.hub is None or hub_integers(schema.hub) == declared_integers(schema.classes)


def _refuse_header(table: RawTable, schema: Schema, meaning: Meaning) -> None:
    """Name a first row that was not known for a header, and is no example either."""
    if table.opening is None:
        return
    where, cells = table.opening
    known = {name.casefold() for name in schema.columns} | _USUAL
    if not any(cell.strip().casefold() in known for cell in cells):
        return
    if any(meaning.knows(cell, where) for cell in cells):
        return
    needed = " and ".join(schema.own)
    raise DataError(
        f"{where}: the first row looks like a header ({', '.join(cells)}), but the columns needed "
        f"are {needed}; name them so, in small letters"
    )


def _note_numbers(
    first: Mapping[str, Any],
    table: RawTable,
    schema: Schema,
    meaning: Meaning,
    notes: list[str],
) -> None:
    """Add a note on how numbers are read that come without names."""
    if table.values == "typed" or meaning.integers is None or not set(schema.own) <= set(first):
        return
    if schema.hub is not None and schema.hub.label_text in first:
        return
    value = first[schema.own[1]]
    cells = value if isinstance(value, list) else [value]
    if cells and all(str(cell).strip().isdecimal() for cell in cells):
        said = ", ".join(f"{number} {name}" for number, name in meaning.integers.items())
        notes.append(f"{table.name}: numbers are read as the declared {meaning.what}s: {said}")


def _texts(table: RawTable, schema: Schema, columns: Columns, meaning: Meaning) -> Iterator[Row]:
    index = {name: position for position, name in enumerate(schema.classes)}
    named = schema.hub.label_text if schema.hub else None
    for where, row in table.rows():
        text = _text(field(row, columns[0], where), "the text", where)
        if not _visible(text):
            raise DataError(f"{where}: the text is empty; remove the row or fill it")
        value = field(row, columns[1], where)
        if named is not None and named in row:
            value = row[named]
        name = meaning.name(value, where)
        if name not in index:
            raise meaning.refuse(name, where)
        yield Row(text, (index[name],), where)


def _sentences(
    table: RawTable, columns: Columns, meaning: Meaning, notes: list[str]
) -> Iterator[Row]:
    index = {name: position for position, name in enumerate(meaning.classes)}
    fit = tag_schemes.detect(_known_tags(table, columns, meaning))
    scheme = fit.scheme
    changed = 0
    for where, row in table.rows():
        tokens, named = _units(row, columns, meaning, where)
        wrong = tag_schemes.fault(named, scheme)
        for tag in named:
            if tag_schemes.alone(tag, scheme) not in index:
                raise meaning.refuse(tag, where)
        if wrong is not None:
            raise DataError(f"{where}: {wrong} ({fit})")
        tags = tag_schemes.to_iob2(named, scheme)
        changed += sum(before != after for before, after in zip(named, tags, strict=True))
        yield Row(tokens, tuple(index[tag] for tag in tags), where)
    if scheme != "IOB2":
        notes.append(f"{table.name}: its tags are {scheme}; {changed} of them were put into IOB2")


def _known_tags(table: RawTable, columns: Columns, meaning: Meaning) -> Iterator[list[str]]:
    """The tags of all rows up to the first wrong one, which is named when rows are checked."""
    try:
        for where, row in table.rows():
            tags = row.get(columns[1])
            if isinstance(tags, list):
                yield [meaning.name(tag, where) for tag in tags]
    except DataError:
        return


def _units(
    row: Mapping[str, Any], columns: Columns, meaning: Meaning, where: str
) -> tuple[tuple[str, ...], list[str]]:
    tokens, tags = field(row, columns[0], where), field(row, columns[1], where)
    for name, value in zip(columns, (tokens, tags), strict=True):
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
        if not _visible(_text(token, f"token {position}", where)):
            raise DataError(f"{where}: token {position} is empty; remove it and its tag")
    return tuple(tokens), [meaning.name(tag, where) for tag in tags]


def _visible(text: str) -> bool:
    """Whether there is anything to see: more than spaces, zero-width and control characters."""
    return any(category(character) not in UNSEEN for character in text)


def _text(value: object, what: str, where: str) -> str:
    text = text_field(value, what, where)
    if "\0" in text:
        raise DataError(f"{where}: {what} holds a NUL character; remove it")
    return text
