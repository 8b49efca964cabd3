"""Argilla: records with suggestions, as ``dataset.records.from_json`` reads and ``to_json`` writes.

https://docs.argilla.io/latest/reference/argilla/records/records (Argilla 2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.errors import DataError
from harness.export.tools.suggestions import Answer, Span, Suggestion

QUESTION = "label"


def records(found: Sequence[Suggestion], model: str) -> list[dict[str, Any]]:
    """Records in the order given, with a field ``text`` and a question ``label``."""
    return [_record(one, model) for one in found]


def answers(values: Sequence[Mapping[str, Any]], name: str) -> Iterator[Answer]:
    """What people said; records without a response are left out, of several the last counts.

    Raises:
        DataError: if a record has no id, or a response that is neither a label nor spans.
    """
    for number, record in enumerate(values, start=1):
        place = f"{name}: record {number}"
        given = [one for one in record.get("responses", {}).get(QUESTION, ()) if one is not None]
        if not given:
            continue
        if not record.get("id"):
            raise DataError(f"{place} has no id: it was not exported by harness export")
        yield Answer(str(record["id"]), _label(given[-1]["value"], place), place)


def _record(one: Suggestion, model: str) -> dict[str, Any]:
    suggestions = {}
    if one.label is not None:
        sure: Any = one.confidence
        value: Any = one.label
        if not isinstance(one.label, str):
            value = [{"start": s.start, "end": s.end, "label": s.type} for s in one.label]
            sure = None if one.confidence is None else [one.confidence] * len(value)
        suggestions[QUESTION] = {"value": value, "score": sure, "agent": model}
    return {
        "id": one.id,
        "fields": {"text": one.text},
        "metadata": {"trusted": str(one.trusted).lower()},
        "suggestions": suggestions,
        "responses": {},
        "vectors": {},
    }


def _label(value: Any, place: str) -> str | list[Span]:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, Mapping) for one in value):
        return [Span(int(one["start"]), int(one["end"]), str(one["label"])) for one in value]
    raise DataError(f"{place}: its response is neither a label nor spans")
