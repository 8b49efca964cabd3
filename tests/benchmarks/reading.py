"""How replies are read: right, wrong or given up, by kind, and the time of long ones.

::

    python -m tests.benchmarks.reading

Another version's reader is measured with its sources first on ``PYTHONPATH``.
"""

from __future__ import annotations

import time
from collections import Counter

from harness.data import ABSTAINED
from harness_plugins.annotators.llm.reading.alignment import Mention, align
from harness_plugins.annotators.llm.reading.labels import LabelReader
from tests.label_kinds import KINDS
from tests.label_replies import REPLIES, SENTIMENT

Case = tuple[tuple[str, ...], str, str, str | None]


def cases() -> list[tuple[str, Case]]:
    """Every reply of the tables with its kind."""
    found = [("forms", (one.labels, one.text, one.finish, one.label)) for one in REPLIES]
    for kind, by_labels in KINDS.items():
        for labels, by_label in by_labels.items():
            for label, texts in by_label.items():
                found += [(kind, (labels, text, "stop", label)) for text in texts]
    return found


def verdict(case: Case) -> str:
    """What a reader makes of a reply."""
    labels, text, finish, label = case
    number = LabelReader(labels).read(text, finish).label
    read = None if number == ABSTAINED else labels[number]
    return "right" if read == label else "given up" if read is None else "wrong"


def main() -> None:
    counts = Counter((kind, verdict(case)) for kind, case in cases())
    print("| kind | replies | right | wrong label | given up |\n|---|---|---|---|---|")
    for kind in dict.fromkeys(kind for kind, _ in counts):
        row = [counts[kind, one] for one in ("right", "wrong", "given up")]
        print(f"| {kind} | {sum(row)} | {' | '.join(map(str, row))} |")
    began = time.process_time()
    LabelReader(SENTIMENT).read("label is " * 1000)
    print(f"\n'label is ' a thousand times: {time.process_time() - began:.2f} s of processor time")
    tokens = [word for number in range(1000) for word in ("a", f"w{number}")]
    began = time.process_time()
    align(tokens, [Mention("a", 0)] * 1000)
    print(f"a thousand mentions of one word: {time.process_time() - began:.2f} s")


if __name__ == "__main__":
    main()
