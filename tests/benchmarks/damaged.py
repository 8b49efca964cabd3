"""Damaged data files and run folders: how each is met, and the longest call.

``python -m tests.benchmarks.damaged [--files 2000] [--folders 500] [--seed 0]``
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from tests.damage import CLASSES, damaged_files, damaged_folders


def met(call: Callable[[], Any]) -> tuple[str, float]:
    """``read``, ``refused`` or the name of what escaped, and the seconds that it took."""
    begin = time.perf_counter()
    try:
        call()
        how = "read"
    except HarnessError as error:
        how = "refused" if "\n" not in str(error) else "several lines"
    except Exception as error:
        if os.environ.get("HARNESS_TRACEBACK"):
            raise
        how = f"{type(error).__name__}: {str(error)[:60]}"
    return how, time.perf_counter() - begin


Found = Counter[tuple[str, str]]


def files(count: int, seed: int) -> tuple[Found, float]:
    """How so many damaged files were met, and the seconds of the longest call."""
    from tests.task_files import read_rows

    found: Found = Counter()
    longest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for file, kind in damaged_files(count, seed, Path(folder)):
            how, seconds = met(
                lambda file=file, kind=kind: read_rows(file, "train", kind, CLASSES[kind])
            )
            found[file.suffix, how] += 1
            longest = max(longest, seconds)
    return found, longest


def folders(count: int, seed: int) -> tuple[Found, float]:
    """The same of run folders: the listing of all, and each one opened."""
    from harness.record.listing import list_runs
    from tests.commands import call

    found: Found = Counter()
    longest = 0.0
    with tempfile.TemporaryDirectory() as place:
        out = Path(place)
        call("run", "--student", "tfidf", "--limit", 40, "--rounds", 1, "--out", out / "sound")
        (sound,) = (path.parent for path in (out / "sound").glob("*/*/result.json"))
        made = list(damaged_folders(sound, count, seed, out / "runs"))
        how, _ = met(lambda: found.update({("listed", "read"): len(list_runs(out / "runs"))}))
        found["listing", how] += 1
        for folder in made:
            how, seconds = met(partial(opened, folder))
            found["open", how] += 1
            longest = max(longest, seconds)
    return found, longest


def opened(folder: Path) -> None:
    """Read all of a run that ``export`` and ``replay`` read."""
    from harness.export.labels import label_rows, replay_rows
    from harness.plugin_manager import Plugins
    from harness.record.finished import FinishedRun
    from harness.run.assembly import load_task
    from harness_plugins.recordings import open_recording

    run = FinishedRun.open(folder)
    task = load_task(run.config.task, Plugins(third_party=False), None)
    list(label_rows(run, task, run.stage(None)))
    list(replay_rows(run, task, run.stage(None, "annotator")))
    open_recording(str(folder), 0, task.card.classes)


def report(what: str, found: Found, longest: float) -> None:
    """Print a table."""
    print(f"{what}; the longest call {longest:.2f} s")
    for (kind, how), number in sorted(found.items()):
        print(f"  {kind:9} {how:20} {number}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--folders", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    report("files", *files(options.files, options.seed))
    report("folders", *folders(options.folders, options.seed))
