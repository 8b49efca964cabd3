"""A file for a person to review labels in: the doubtful rows first; and what they wrote, back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import TaskCard
from harness.errors import DataError
from harness.export.rows import write_rows
from harness.files.user_file import read_rows
from harness.label.by_hand import Answer, marked
from harness.label.labelling import Labelled
from harness.label.texts import Texts, read_answers, some_of

CHECK = "check"
DOUBTFUL = "doubtful"


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a person wrote.

    Attributes:
        gold: answers by row.
        checked: rows that were drawn at random.
    """

    gold: Mapping[int, Answer] = field(default_factory=dict)
    checked: Sequence[int] = ()


def read_review(path: Path | None, texts: Texts, card: TaskCard) -> Reviewed:
    """The answers that a person wrote into the column ``gold``; of rows left empty, none.

    Raises:
        DataError: if it is no review file, is of another file, or has unknown labels.
    """
    if path is None or not path.exists():
        return Reviewed()
    file = read_rows(path, "text")
    if missing := [name for name in ("row", "gold", "why") if name not in file.columns]:
        raise DataError(f"{path}: no review file, since it has no column {missing[0]!r}")
    cells, checked, places = {}, [], {}
    for place, row in file.rows():
        number = str(row["row"] or "")
        position = int(number) - 1 if number.isdecimal() else -1
        if _words(texts.texts.get(position, "")) != _words(str(row["text"])):
            raise DataError(f"{place}: row {number or '?'} of {texts.file.path} has another text")
        places[position] = place
        if row["why"] == CHECK:
            checked.append(position)
        cells[position] = row["gold"]
    names = [label.name for label in card.labels]
    gold, wrong = read_answers(cells, texts.texts, names, card.kind)
    if wrong:
        said = some_of([f"{places[row]} ({why})" for row, why in wrong.items()])
        raise DataError(f"{len(wrong)} rows have a label that cannot be read: {said}")
    return Reviewed(gold, checked)


def _words(text: str) -> list[str]:
    """What a spreadsheet leaves of a text: line ends may be others."""
    return text.split()


def write_review(path: Path, found: Labelled, check: int, seed: int) -> int:
    """Write all rows with a label: ``check`` drawn by the seed, then the most doubtful first.

    Returns their number.
    """
    return write_rows(path, _rows(found, check, seed))


def _rows(found: Labelled, check: int, seed: int) -> Iterator[dict[str, Any]]:
    usable = list(found.texts.texts)
    drawn = np.random.default_rng([seed, *b"check"]).permutation(len(usable))[:check]
    checked = sorted(usable[place] for place in drawn.tolist())
    rest = [row for row in found.doubtful() if row not in set(checked)]
    for row in [*checked, *rest]:
        one = found.given[row]
        yield {
            "row": str(row + 1),
            "text": found.texts.texts[row],
            "label": _shown(one.label, found.texts.texts[row]),
            "confidence": one.confidence,
            "candidates": list(one.candidates),
            "why": CHECK if row in checked else DOUBTFUL,
            "gold": _shown(found.reviewed.get(row, ""), found.texts.texts[row]),
        }


def _shown(answer: Any, text: str) -> Any:
    """A label as it is; mentions as marks in the text."""
    return answer if answer is None or isinstance(answer, str) else marked(text, answer)
