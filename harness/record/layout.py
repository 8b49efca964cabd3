"""Every path of a run, and the names of its stages: spelled here, nowhere else.

    OUT/replies.sqlite                     every reply of a language model, for all runs below
    OUT/steps/                             records that the runs of sweeps share
    OUT/sweeps/<recipe>.json               which runs a sweep is made of
    OUT/<task>/<run-id>/
      config.toml  manifest.json           resolved configuration; versions, data, supervised
      checksums.json                       of every file, and the names of the recorded steps
      variants.parquet                     of an augmenter that does not read labels
      rounds/00/written.json               demonstrations that the annotator wrote
      rounds/00/initial.json               what it labels in the first round, where not all
      rounds/NN/annotations[.SPLIT].parquet  variants.parquet  view.safetensors  selection.json
      rounds/NN/outcomes.RN.parquet        what a stage got right, by example
      student/                             the last round's model, if student.save is set
      stages.jsonl  result.json            one line a stage; all of it, written last

Paths of files are relative to the run's folder.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

RUNS = Path("results/runs")
"""The default of ``--out``."""
REPLIES = "replies.sqlite"
STEPS = "steps"
CACHED_EXAMPLES = "examples.arrow"
"""In the folder of each split of ``data_cache``."""
CONFIG = "config.toml"
MANIFEST = "manifest.json"
CHECKSUMS = "checksums.json"
STAGES = "stages.jsonl"
RESULT = "result.json"
STUDENT = "student"
ROUNDS = "rounds"
WRITTEN = f"{ROUNDS}/00/written.json"
INITIAL = f"{ROUNDS}/00/initial.json"
LOCK = ".lock"
HOLDER = ".holder.json"
"""Names the process that writes the folder now."""
FAILURE = ".failure.json"
"""Why the last process that wrote the folder failed."""


def data_cache() -> Path:
    """Where large splits are kept, each in a folder, mapped from there and written anew if missing.

    ``HARNESS_CACHE``, else ``~/.cache/freeal-harness/tasks``; temporary without a home.
    """
    if named := os.environ.get("HARNESS_CACHE"):
        return Path(named)
    try:
        return Path.home() / ".cache/freeal-harness/tasks"
    except RuntimeError:
        return Path(tempfile.gettempdir()) / "freeal-harness/tasks"


def cached_splits(cache: Path) -> list[Path]:
    """The folders of large splits; whatever else lies in the cache's folder is not ours."""
    return sorted(path.parent for path in cache.glob(f"*/{CACHED_EXAMPLES}"))


def run_folder(out: Path, task: str, run_id: str) -> Path:
    """The folder of a run."""
    return out / task / run_id


def texts_folder(out: Path, task: str, key: str) -> Path:
    """The folder of the task that is made of a user's texts and labels, beside its runs."""
    return out / task / f"texts-{key}"


def sweep_file(out: Path, recipe: str) -> Path:
    """The rows of a sweep and their runs."""
    return out / "sweeps" / f"{recipe}.json"


def run_folders(out: Path, run_id: str = "*") -> list[Path]:
    """The folders of all runs below ``out``, or of those with an id, by name."""
    return sorted(path for path in out.glob(f"*/{run_id}") if path.is_dir() and is_run(path))


def is_run(path: Path) -> bool:
    """Whether any file of a run is left in a folder, even in one that cannot be opened."""
    try:
        return not {CONFIG, RESULT, CHECKSUMS}.isdisjoint(entry.name for entry in path.iterdir())
    except OSError:
        return True


def annotations_of(round_: int, split: str) -> str:
    """The annotations of a split."""
    name = "annotations" if split == "train" else f"annotations.{split}"
    return _of(round_, f"{name}.parquet")


def recorded_annotations(folder: Path) -> list[tuple[int, Path]]:
    """The annotations of all rounds and splits that a run's folder has, with their rounds."""
    files = sorted(folder.glob(f"{ROUNDS}/*/annotations*.parquet"))
    return [(int(file.parent.name), file) for file in files]


def variants(round_: int | None) -> str:
    """The pool's variants: those of a round, or (None) those of all rounds."""
    return "variants.parquet" if round_ is None else _of(round_, "variants.parquet")


def view(round_: int) -> str:
    """The student's view of every split."""
    return _of(round_, "view.safetensors")


def checkpoints(round_: int) -> str:
    """The folder from which a killed training goes on."""
    return _of(round_, ".checkpoint")


def all_checkpoints(folder: Path) -> list[Path]:
    """The folders of this kind that a run's folder has, by round."""
    return sorted(folder.glob(f"{ROUNDS}/*/.checkpoint"))


def selection(round_: int) -> str:
    """What the selector decided."""
    return _of(round_, "selection.json")


def outcomes(stage: str) -> str:
    """What a stage got right, example by example; statistics read it, no part does."""
    round_ = max(0, int(stage.removeprefix("R")) - 1) // 2
    return _of(round_, f"outcomes.{stage}.parquet")


def annotator_stage(round_: int, *, zero_shot: bool = False) -> str:
    """R1, R3, R5, ...; R0 in place of R1 without demonstrations."""
    return "R0" if zero_shot and round_ == 0 else f"R{2 * round_ + 1}"


def student_stage(round_: int) -> str:
    """R2, R4, R6, ..."""
    return f"R{2 * round_ + 2}"


def _of(round_: int, name: str) -> str:
    return f"{ROUNDS}/{round_:02d}/{name}"
