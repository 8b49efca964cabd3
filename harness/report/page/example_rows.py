"""The examples of one run, for a table in which a reader searches, filters and turns pages."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.data import IntArray
from harness.report.charts.figure import table
from harness.report.charts.markup import Html, element
from harness.report.page.inside import Inside, Said
from harness.report.page.prompts import MOST

ROWS = 10_000
"""Examples of a larger pool, the first ones in its drawn order."""
TEXT, REPLY = 1200, 400
"""Characters that are kept of a text, and of a reply."""
LARGEST = 9_000_000
"""Characters of all of it, compressed."""
STATIC = 15
"""Rows without JavaScript, and in print: those of which the student is least sure."""
UNSCRIPTED = "Here: the least certain ones; scripts, which are off, show the others."
HEADS = ("loss", "confidence", "trusted")


def examples_section(inside: Inside) -> Html:
    """The table, and the examples as compressed columns."""
    count = min(ROWS, len(inside.pool))
    while len(packed := _packed(inside, count)) > LARGEST:
        count //= 2
    least = np.argsort(inside.last.seen.student_confidence[:count], kind="stable")[:STATIC]
    left = len(inside.pool) - count
    note = (
        f"{count:,} examples of the pool"
        + (f" (of {len(inside.pool):,}, drawn by the run’s seed)" if left else "")
        + f", run {inside.run.result.run_id}. "
        + ("" if inside.has_texts else "Their texts are not at hand: --data DIR of the run. ")
        + (_of_prompts(count) if inside.prompts else "")
    )
    return element(
        "section",
        element("h2", "Examples"),
        element("p", note, element("span", UNSCRIPTED, class_="static")),
        element("div", id="controls", hidden=True),
        _static(inside, least.tolist()),
        element("p", id="pages", aria_live="polite"),
        element("script", Html(packed), type="application/gzip", id="examples"),
        id="example-table",
    )


def _of_prompts(count: int) -> str:
    some = f", of the first {MOST:,} examples," if count > MOST else ""
    return f"Prompts{some} are rendered anew from what the run recorded. "


def _static(inside: Inside, rows: Sequence[int]) -> Html:
    """The table as it is before a script fills it."""
    heads = ["text", "gold", *(one.stage for one in inside.said), *HEADS]
    marks, seen = {"1": "right", "0": "wrong"}, inside.last.seen
    right = [_flags(inside, one) for one in inside.said]
    body = [
        [
            element("td", _text(inside, row), class_="text"),
            inside.spelled(inside.gold.labels, row),
            *(
                element(
                    "td",
                    inside.spelled(one.labels, row) or "abstained",
                    class_=marks.get(flags[row]),
                )
                for one, flags in zip(inside.said, right, strict=True)
            ),
            *(_digits(of[row]) for of in (seen.losses, seen.student_confidence)),
            "yes" if inside.last.trusted[row] else "",
        ]
        for row in rows
    ]
    return table(heads, body, name="Examples", kind="examples")


def _packed(inside: Inside, count: int) -> str:
    seen, first = inside.last.seen, inside.rounds[0].annotations
    texts = [_text(inside, row) for row in range(count)]
    replies = [text[:REPLY] for text in inside.last.annotations.replies[:count]]
    values = {
        "text": texts,
        "prompts": inside.prompts and inside.prompts.packed(texts),
        "gold": _coded(inside, inside.gold.labels, count),
        "stages": [
            {
                "name": one.stage,
                "actor": one.actor,
                "said": _coded(inside, one.labels, count),
                "right": _flags(inside, one)[:count],
            }
            for one in inside.said
        ],
        "loss": _rounded(seen.losses[:count]),
        "sure": _rounded(seen.student_confidence[:count]),
        "trusted": "".join("1" if one else "0" for one in inside.last.trusted[:count]),
        "reply": replies if any(replies) else None,
        "reason": list(first.reasons[:count]) if any(first.reasons[:count]) else None,
    }
    data = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode()


def _coded(inside: Inside, labels: IntArray, count: int) -> dict[str, Any]:
    """Each label once, and for each example which one; -1: none."""
    if inside.card.kind == "sequence":
        return {"names": list(inside.card.classes), "rows": labels[:count].tolist()}
    said = [inside.spelled(labels, row) for row in range(count)]
    names = sorted({one for one in said if one is not None})
    place = {name: k for k, name in enumerate(names)}
    return {"names": names, "rows": [-1 if one is None else place[one] for one in said]}


def _flags(inside: Inside, said: Said) -> str:
    """One character an example: 1 right, 0 wrong, ? not known."""
    right, known = inside.right(said), inside.gold.known
    return "".join(
        "?" if not k else "1" if r else "0"
        for r, k in zip(right.tolist(), known.tolist(), strict=True)
    )


def _text(inside: Inside, row: int) -> str:
    text = inside.text(row)
    return text if len(text) <= TEXT else text[:TEXT] + "…"


def _rounded(values: Any) -> list[float | None]:
    return [None if value != value else round(value, 4) for value in values.tolist()]


def _digits(value: float) -> Html:
    return element("td", "" if value != value else f"{value:.2f}", class_="n")
