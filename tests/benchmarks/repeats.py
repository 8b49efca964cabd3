"""What a mention that a reply lists once should mark where its words occur several times.

::

    python -m tests.benchmarks.repeats DATA_FOLDER...

From the gold tags of ``train.jsonl``: how many of the other occurrences of a mention's words,
outside of other mentions, are mentions of the same type; and the entity F1 of a reply that
lists each mention's words and type once, by ``repeats``.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

from harness.iob2 import Span, spans_of
from harness_plugins.annotators.llm.reading.alignment import Mention, Repeats, align

Sentence = tuple[list[str], list[Span]]


def sentences(folder: Path) -> Iterator[Sentence]:
    """Tokens and gold mentions."""
    rows = [json.loads(line) for line in (folder / "train.jsonl").open(encoding="utf-8")]
    types = sorted({tag[2:] for row in rows for tag in row["tags"]} - {""})
    classes = ["O", *(f"{prefix}-{name}" for name in types for prefix in "BI")]
    for row in rows:
        yield row["tokens"], spans_of([classes.index(tag) for tag in row["tags"]])


def occurrences(tokens: Sequence[str], words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where words stand."""
    for begin in range(len(tokens) - len(words) + 1):
        if list(tokens[begin : begin + len(words)]) == list(words):
            yield begin, begin + len(words)


def others(tokens: list[str], gold: list[Span]) -> tuple[int, int]:
    """Further free occurrences of mentions' words; those that are mentions of the same type."""
    further = same = 0
    for words, kind in {(tuple(tokens[one.begin : one.end]), one.type) for one in gold}:
        places = [
            (begin, end)
            for begin, end in occurrences(tokens, words)
            if Span(begin, end, kind) in gold
            or not any(one.begin < end and begin < one.end for one in gold)
        ]
        further += len(places) - 1
        same += sum(Span(*place, kind) in gold for place in places) - 1
    return further, same


def f1(rows: Sequence[Sentence], repeats: Repeats) -> float:
    """Of replies that list each mention once."""
    counts: Counter[str] = Counter()
    for tokens, gold in rows:
        listed = dict.fromkeys(Mention(" ".join(tokens[b:e]), kind) for b, e, kind in gold)
        given = align(tokens, list(listed), repeats).spans
        counts.update(right=len(set(given) & set(gold)), given=len(given), gold=len(gold))
    return 2 * counts["right"] / (counts["given"] + counts["gold"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="+")
    for folder in parser.parse_args().folder:
        rows = list(sentences(folder))
        further, same = (
            sum(column) for column in zip(*(others(*row) for row in rows), strict=True)
        )
        scores = ", ".join(f"F1 {100 * f1(rows, one):.2f} by {one}" for one in get_args(Repeats))
        print(f"{folder.name}: of {further:,} others {same:,} ({same / further:.1%}); {scores}")


if __name__ == "__main__":
    main()
