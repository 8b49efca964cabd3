"""The tables of ``tests.benchmarks.ladder``: scores, intervals, and the confusions themselves.

    python -m tests.benchmarks.ladder_table FILE.jsonl...

Scores in % on the test set and on the pool, mean ± sample standard deviation (seeds); the
difference of ``default`` and ``plain`` with its 95 % interval over seeds and examples
(``harness.stats``); how much of the gap between ``plain`` and ``supervised`` a method closes.
"""

from __future__ import annotations

import json
import sys
import zlib
from base64 import b64decode
from collections import defaultdict
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from harness.stats.outcomes import Outcomes
from harness.stats.paired import compare
from tests.benchmarks.ladder import lines_of

METHODS = ("plain", "paper", "default", "supervised")
Lines: TypeAlias = dict[int, dict[str, Any]]
"""Of one method: a line a seed."""
Rungs: TypeAlias = dict[tuple[str, str], dict[str, Lines]]


def rungs_of(files: list[Path]) -> Rungs:
    """Lines by task and rung, method, and seed; ``supervised`` with every rung of its task."""
    found: Rungs = defaultdict(lambda: defaultdict(dict))
    lines = [line for file in files for line in lines_of(file)]
    for line in lines:
        if line["rung"] != "none":
            found[line["task"], line["rung"]][line["method"]][line["seed"]] = line
    for line in lines:
        for task, rung in found:
            if (line["task"], line["rung"]) == (task, "none"):
                found[task, rung]["supervised"][line["seed"]] = line
    return dict(sorted(found.items()))


def cell(lines: Lines, of: str) -> str:
    values = [100 * line[of] for line in lines.values()]
    if not values:
        return ""
    spread = f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
    return f"{np.mean(values):.1f}{spread} ({len(values)})"


def closes(row: dict[str, Lines], method: str) -> str:
    means = {
        name: np.mean([line["test"] for line in row[name].values()])
        for name in (method, "plain", "supervised")
        if row.get(name)
    }
    if len(means) < 3 or (gap := means["supervised"] - means["plain"]) < 0.01:
        return ""
    return f"{100 * (means[method] - means['plain']) / gap:.0f} %"


def differs(first: Lines, second: Lines) -> str:
    """The difference of two methods with its interval, on the seeds that both have."""
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        return ""
    found = compare(*(outcomes([lines[seed] for seed in seeds]) for lines in (first, second)))
    low, high = 100 * found.interval.low, 100 * found.interval.high
    return f"{100 * found.difference:+.1f} ({low:+.1f} to {high:+.1f})"


def outcomes(lines: list[dict[str, Any]]) -> Outcomes:
    counts = [np.frombuffer(zlib.decompress(b64decode(one["outcomes"])), np.int8) for one in lines]
    mentions = 3 if lines[0]["task"].startswith(("conll", "bc5cdr")) else 1
    return Outcomes(np.stack(counts).astype(np.int64).reshape(len(lines), -1, mentions))


def table(rungs: Rungs, of: str) -> None:
    """One table: test scores, or those of the pool."""
    named = {method for row in rungs.values() for method in row} - set(METHODS)
    methods = [*METHODS[:-2], *sorted(named), *METHODS[-2:]]
    methods = [one for one in methods if any(one in row for row in rungs.values())]
    more = ["default − plain", "default closes"] if of == "test" else []
    print("| " + " | ".join(["task", "labels", "wrong", *methods, *more]) + " |")
    print("|---" * (3 + len(methods) + len(more)) + "|")
    for (task, rung), row in rungs.items():
        lines = [line for name in row if name != "supervised" for line in row[name].values()]
        wrong = f"{100 * np.mean([line['wrong'] for line in lines]):.0f} %"
        cells = [cell(row.get(method, {}), of) for method in methods]
        if more:
            plain, ours = row.get("plain", {}), row.get("default", {})
            cells += [differs(ours, plain), closes(row, "default")]
        print("| " + " | ".join([task, said_of(rung), wrong, *cells]) + " |")
    print()


def said_of(rung: str) -> str:
    return Path(rung).stem if rung.startswith("replay:") else rung


def matrices(rungs: Rungs) -> None:
    """What share of each class is given which label, where that was simulated."""
    for (task, rung), row in rungs.items():
        matrix = next((one.get("T") for lines in row.values() for one in lines.values()), None)
        if matrix:
            print(f"- {task} {rung}: T = {json.dumps(matrix)}")
    print()


def main() -> None:
    rungs = rungs_of([Path(one) for one in sys.argv[1:]])
    for of in ("test", "pool"):
        print({"test": "On the test set:", "pool": "On the pool:"}[of] + "\n")
        table(rungs, of)
    print("Row: the true class, column: the label.\n")
    matrices(rungs)


if __name__ == "__main__":
    main()
