"""Which columns of a table hold the examples and their labels, and which are left out.

In this order: the columns that the task names under ``[columns]``, ``text`` and ``label``
(``tokens`` and ``tags``), and those of its ``[hub]``; of a table from the hub, the hub's first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.data import Kind
from harness.errors import DataError
from harness.files.user_file import TEXT_NAMES
from harness_tasks.declaration import Columns, HubSource
from harness_tasks.formats import Headers, RawTable

_LABELS = frozenset(
    {"label", "labels", "class", "classes", "category", "categories", "sentiment", "target"}
    | {"targets", "gold", "gt", "truth", "annotation", "annotations", "answer", "tag", "tags", "y"}
)
"""Words in the names that others give to columns of labels."""
_WORD = re.compile(r"[^\W\d_]+")


NO_NAMES = Columns()


@dataclass(frozen=True, slots=True)
class Schema:
    """What rows must be: the task's classes in index order, and what its columns are called."""

    kind: Kind
    classes: tuple[str, ...]
    hub: HubSource | None = None
    names: Columns = NO_NAMES

    @property
    def own(self) -> tuple[str, str]:
        """Our columns: of the example and of its labels."""
        return ("text", "label") if self.kind == "sequence" else ("tokens", "tags")

    @property
    def headers(self) -> Headers:
        """The column names by which a header is recognised."""
        known = {*self.own, *self.names.names}
        for roles in _candidates(self):
            known |= {*roles.example, roles.label}
        if self.hub is not None and self.hub.label_text:
            known.add(self.hub.label_text)
        enough = {one for roles in _candidates(self) for one in roles.example}
        return Headers(
            frozenset(known), frozenset(enough), frozenset(self.classes), self.names.names
        )


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns that serve.

    Attributes:
        example: of the text, whose parts a line break joins; or the one of the tokens.
        label: of the label, or of the tags.
        source: who named them: the task (``declared``), nobody (``own``), or ``hub``.
        left_out: the other columns of the table.
        unlabelled: the table has no column of labels, nor one that looks like it.
    """

    example: tuple[str, ...]
    label: str
    source: Literal["declared", "own", "hub"]
    left_out: tuple[str, ...] = ()
    unlabelled: bool = False


def find_roles(found: Sequence[str], schema: Schema, *, prefer_hub: bool = False) -> Roles:
    """Which of a table's columns serve; those that the task asks for first, if none fits."""
    candidates = _candidates(schema)
    if prefer_hub:
        candidates.sort(key=lambda roles: roles.source != "hub")
    for roles in candidates:
        used = {*roles.example, roles.label}
        if used <= set(found):
            left_out = tuple(name for name in found if name not in used)
            return Roles(roles.example, roles.label, roles.source, left_out)
    return candidates[0]


def unlabelled_roles(first: Mapping[str, object], schema: Schema) -> Roles | None:
    """The columns of a table without labels; None if a column of its first row looks like them."""
    candidates = _candidates(schema)
    if schema.names.label or schema.names.tags or {one.label for one in candidates} & set(first):
        return None
    for roles in candidates:
        if set(roles.example) <= set(first):
            rest = tuple(name for name in first if name not in roles.example)
            if any(_like_labels(name, first[name], schema) for name in rest):
                return None
            return Roles(roles.example, roles.label, roles.source, rest, unlabelled=True)
    return None


def _like_labels(column: str, value: object, schema: Schema) -> bool:
    return bool(set(_WORD.findall(column.casefold())) & _LABELS) or value in schema.classes


def missing_column(name: str, found: Iterable[str], where: str) -> DataError:
    """The error for a row without one of the columns."""
    has = listed(found) or "nothing"
    return DataError(
        f"{where}: there is no {name!r} in the row (it has: {has}); rename a column, or name the "
        "columns under [columns] in the task's file"
    )


def listed(names: Iterable[str]) -> str:
    """Some names for a message of one line: the first twelve, cut where they are long."""
    shown = [" ".join(name.split())[:40] for name in names]
    return ", ".join(shown[:12]) + (", ..." if len(shown) > 12 else "")


def role_notes(
    table: RawTable, first: Mapping[str, object], roles: Roles, schema: Schema
) -> Iterator[str]:
    """What to say of how columns were taken, where the task does not name them itself."""
    if roles.source != "own" or schema.names.names:
        return
    if table.values != "positional":
        yield from _note_left_out(table.name, first, roles, schema)
    elif roles.left_out:
        read, rest = listed(first), listed(roles.left_out)
        yield (
            f"{table.name}: has no header; its columns are read as {read}, so {rest} is no part "
            f"of the {roles.example[0]}; if that is wrong, name the columns in a first row, or "
            "under [columns] in the task's file"
        )


def _note_left_out(
    name: str, first: Mapping[str, object], roles: Roles, schema: Schema
) -> Iterator[str]:
    hub = schema.hub
    known = (hub.label_text, hub.text, hub.label, hub.tokens, hub.tags) if hub else ()
    like = {}
    for column in roles.left_out:
        words = set(_WORD.findall(column.casefold()))
        if column in known:
            continue
        if _like_labels(column, first[column], schema):
            like[column] = "labels"
        elif words & TEXT_NAMES:
            like[column] = "texts"
    if like:
        rest = listed(f"{column} ({what}?)" for column, what in like.items())
        read = " and ".join((*roles.example, roles.label))
        yield (
            f"{name}: {read} are read, and left out: {rest}; if others are meant, name them "
            "under [columns] in the task's file"
        )


def looks_like_header(cells: Sequence[str], schema: Schema) -> bool:
    """Whether a first row has a name that is usual for a column."""
    known = {name.casefold() for name in schema.headers.known} | _LABELS | TEXT_NAMES
    return any(cell.strip().casefold() in known for cell in cells)


def _candidates(schema: Schema) -> list[Roles]:
    names, hub = schema.names, schema.hub
    example, label = schema.own
    own = Roles((example,), label, "own")
    found = [own]
    if names.named:
        parts = names.text if schema.kind == "sequence" else names.tokens
        texts = (parts,) if isinstance(parts, str) else parts
        said = names.label if schema.kind == "sequence" else names.tags
        found.insert(0, Roles(texts or own.example, said or label, "declared"))
    if hub is not None:
        pair = (hub.text or hub.tokens, hub.label or hub.tags)
        found.append(Roles((str(pair[0]),), str(pair[1]), "hub"))
    return found
