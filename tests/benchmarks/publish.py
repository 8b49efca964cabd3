"""Keeps of a sweep what its tables read, small enough to be committed.

    python -m tests.benchmarks.publish OUT RECIPE TARGET [--folder ../data=DIR] [--stage R4]

Of each run the result, without its scores by label; with ``--stage`` also which test examples that
stage got right, by their ids, for paired tests. No text of a data set is in any of them, and
folders of this machine get the names that ``--folder`` gives them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.record import layout
from harness.record.folder import RunFolder
from harness.record.outcomes import read_outcomes, write_outcomes

SPLIT = "test"


def main() -> None:
    """Write ``TARGET``, which ``harness table RECIPE --out TARGET`` reads."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("out", type=Path)
    asked.add_argument("recipe")
    asked.add_argument("target", type=Path)
    asked.add_argument("--folder", action="append", default=[], metavar="PATH=NAME")
    asked.add_argument("--stage")
    given = asked.parse_args()
    names = [one.partition("=")[::2] for one in given.folder]
    sweep = layout.sweep_file(given.out, given.recipe)
    text = _renamed(sweep.read_text(encoding="utf-8"), names)
    kept = layout.sweep_file(given.target, given.recipe)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(text, encoding="utf-8")
    for path in {path for row in json.loads(text)["rows"] for path in row["runs"].values()}:
        if (given.out / path / layout.RESULT).exists():
            _keep(RunFolder(given.out / path), given.target / path, names, given.stage)


def _keep(
    run: RunFolder, target: Path, names: Sequence[tuple[str, str]], stage: str | None
) -> None:
    values = run.read_json(layout.RESULT)
    with RunFolder.held(target, fresh=True) as kept:
        name = layout.outcomes(stage) if stage else ""
        if name and run.has(name) and SPLIT in (found := run.read(name, read_outcomes)):
            one = {SPLIT: found[SPLIT]}
            kept.write(name, lambda path: write_outcomes(path, one))
        text = json.dumps(_without_labels(values), ensure_ascii=False)
        kept.write_text(layout.RESULT, _renamed(text, names) + "\n")
    (target / layout.LOCK).unlink(missing_ok=True)


def _without_labels(values: Any) -> Any:
    if isinstance(values, dict):
        return {k: {} if k == "per_label" else _without_labels(v) for k, v in values.items()}
    return [_without_labels(one) for one in values] if isinstance(values, list) else values


def _renamed(text: str, names: Sequence[tuple[str, str]]) -> str:
    for path, name in names:
        text = text.replace(path, name)
    return text


if __name__ == "__main__":
    main()
