"""What the numbers of a table's label column mean, where that is certain.

Data sets number their labels differently: an integer says nothing until somebody says what
it stands for. That is, in this order, the ``label_text`` beside it, the class names that the
file keeps (ClassLabel), the declaration's ``[hub] label_names`` for a table with the hub's
columns, its ``[columns] first_index``, or, in a csv file, the order of the declared labels,
as the reference implementation writes its files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.errors import DataError
from harness.files.label_values import LabelValues
from harness_tasks.declaration import HubSource
from harness_tasks.formats import RawTable
from harness_tasks.roles import Roles, Schema


def label_values(table: RawTable, schema: Schema, roles: Roles) -> LabelValues:
    """The reader of a table's labels; class names of its own must be the declared ones."""
    return LabelValues(
        _renamed(schema.hub) | {name: name for name in schema.classes},
        _numbers(table, schema, roles),
        text=table.values != "typed",
        what="label" if schema.kind == "sequence" else "tag",
    )


def _numbers(table: RawTable, schema: Schema, roles: Roles) -> Mapping[int, str] | None:
    found = table.class_names.get(roles.label)
    if found is not None:
        return _named(found, schema, table.name)
    if roles.source == "hub" and schema.hub is not None:
        return _hub_order(schema.hub)
    first = schema.names.first_index
    if first is not None:
        return dict(enumerate(schema.classes, start=first))
    declared = dict(enumerate(schema.classes))
    same = schema.hub is None or _hub_order(schema.hub) == declared
    certain = table.values == "positional" or (table.values == "text" and same)
    return declared if certain else None


def _renamed(hub: HubSource | None) -> dict[str, str]:
    """Our class name for each name that the hub uses."""
    if hub is None:
        return {}
    return dict(zip(hub.names or hub.label_names, hub.label_names, strict=True))


def _hub_order(hub: HubSource) -> dict[int, str]:
    return dict(enumerate(hub.label_names, start=hub.first_index))


def _named(found: Sequence[str], schema: Schema, source: str) -> dict[int, str]:
    """What integers stand for by the class names that a table itself keeps."""
    classes, hub = schema.classes, schema.hub
    names = {name: name for name in classes} | _renamed(hub)
    ours = [names.get(name) for name in found]
    if None in ours or set(ours) != set(classes):
        expected = hub.names or hub.label_names if hub else classes
        raise DataError(
            f"{source}: its class names are {', '.join(found)}; "
            f"expected {', '.join(expected)} (in any order)"
        )
    return {number: str(name) for number, name in enumerate(ours)}
