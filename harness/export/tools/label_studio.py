"""Label Studio: tasks with predictions to import there, and its two JSON exports.

https://labelstud.io/guide/tasks, /guide/predictions and /guide/export.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from harness.data import Kind
from harness.errors import DataError
from harness.export.tools.suggestions import Answer, Span, Suggestion

ID = "example_id"
"""Its own name for our id: ``id`` is that of a task there."""
CONTROL = "label"


def tasks(found: Sequence[Suggestion], model: str) -> list[dict[str, Any]]:
    """Tasks in the order given; ``model`` names who predicted."""
    return [_task(one, model) for one in found]


def interface(kind: Kind, labels: Sequence[str]) -> str:
    """The labelling interface for these tasks, as XML to paste into the project's settings."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Text", name="text", value="$text")
    if kind == "sequence":
        box = ElementTree.SubElement(view, "Choices", name=CONTROL, toName="text", choice="single")
        names = [ElementTree.SubElement(box, "Choice", value=name) for name in labels]
    else:
        box = ElementTree.SubElement(view, "Labels", name=CONTROL, toName="text")
        names = [ElementTree.SubElement(box, "Label", value=name) for name in labels]
    assert names
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def answers(values: Sequence[Mapping[str, Any]], name: str) -> Iterator[Answer]:
    """What people said, of an export as JSON or JSON-MIN; tasks without an answer are left out.

    Of several answers to a task the last one counts; one that was skipped does not.

    Raises:
        DataError: if a task has no id of an example, or is in no form that is known.
    """
    for number, task in enumerate(values, start=1):
        place = f"{name}: task {task.get('id', number)}"
        data = task.get("data", task)
        if ID not in data:
            raise DataError(f"{place} has no {ID!r}: it was not exported by harness export")
        label = _minimal(task) if "data" not in task else _full(task, place)
        if label is not None:
            yield Answer(str(data[ID]), label, place)


def _task(one: Suggestion, model: str) -> dict[str, Any]:
    made: dict[str, Any] = {"data": {"text": one.text, ID: one.id}}
    if one.label is not None:
        sure = {} if one.confidence is None else {"score": round(one.confidence, 4)}
        made["predictions"] = [{"model_version": model, **sure, "result": _regions(one)}]
    return made


def _regions(one: Suggestion) -> list[dict[str, Any]]:
    common = {"from_name": CONTROL, "to_name": "text"}
    if isinstance(one.label, str):
        value = {"choices": [one.label]}
        return [{"id": "1", **common, "type": "choices", "value": value}]
    return [
        {
            "id": str(number),
            **common,
            "type": "labels",
            "value": {
                "start": span.start,
                "end": span.end,
                "text": one.text[span.start : span.end],
                "labels": [span.type],
            },
        }
        for number, span in enumerate(one.label or (), start=1)
    ]


def _full(task: Mapping[str, Any], place: str) -> str | list[Span] | None:
    """Of JSON: the last annotation that was not skipped."""
    given = [one for one in task.get("annotations", ()) if not one.get("was_cancelled")]
    if not given:
        return None
    last = max(given, key=lambda one: str(one.get("updated_at") or one.get("created_at") or ""))
    regions = [one for one in last["result"] if one.get("from_name") == CONTROL]
    choices = [one["value"]["choices"] for one in regions if one["type"] == "choices"]
    if choices:
        return str(choices[0][0])
    wrong = {one["type"] for one in regions} - {"labels"}
    if wrong:
        raise DataError(
            f"{place}: its annotation is of type {wrong.pop()!r}, not choices or labels"
        )
    return [_span(one["value"]) for one in regions]


def _minimal(task: Mapping[str, Any]) -> str | list[Span] | None:
    """Of JSON-MIN: the value of the control; a task without an annotation has no annotator."""
    said = task.get(CONTROL)
    if isinstance(said, Mapping):
        return str(said["choices"][0])
    if said is None:
        return [] if "annotation_id" in task else None
    return said if isinstance(said, str) else [_span(one) for one in said]


def _span(value: Mapping[str, Any]) -> Span:
    return Span(int(value["start"]), int(value["end"]), str(value["labels"][0]))
