"""A step of a run: done and recorded once, and read back from then on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias, TypeVar

from harness.config import Config, identifying
from harness.data import TaskCard
from harness.identity import digest
from harness.progress import Watcher
from harness.protocols import Parts
from harness.record.codecs import Codec
from harness.record.folder import RunFolder
from harness.run.splits import Splits

T = TypeVar("T")
Kind: TypeAlias = Literal["written", "annotations", "variants", "view", "selection"]

DOING: Mapping[Kind, tuple[str, str]] = {
    "written": ("annotator", "writing demonstrations"),
    "annotations": ("annotator", "annotating {split}"),
    "variants": ("augmenter", "making variants"),
    "view": ("student", "training"),
    "selection": ("student", "selecting"),
}
"""Who does a step, and what the watcher shows of it."""


@dataclass(slots=True)
class Ledger:
    """What the steps of a run note as they go.

    ``record`` counts what is bought now (``Account.record``); ``renewed``: a recorded step had to
    be done again.
    """

    record: str = ""
    renewed: bool = False


@dataclass(frozen=True, eq=False)
class Run:
    """A run: its parts, its resolved configuration, its data, and its folder."""

    parts: Parts
    config: Config
    splits: Splits
    folder: RunFolder
    watcher: Watcher
    ledger: Ledger = field(default_factory=Ledger)

    @property
    def task(self) -> TaskCard:
        """What parts may know of the task."""
        return self.parts.task.card

    @cached_property
    def pools(self) -> Mapping[str, str]:
        """A hash of the examples of each split, by its name."""
        splits = {"train": self.splits.train, **self.splits.scored}
        return {name: digest(split.pool) for name, split in splits.items()}

    @cached_property
    def keys(self) -> Mapping[str, Any]:
        """The configuration that decides numbers, as plain values."""
        return identifying(self.config)

    def part(self, role: str) -> Mapping[str, str]:
        """Hashes of what a part reads, and of its code."""
        read = {key: one for key, one in self.parts.identities.items() if key.split()[0] == role}
        return {**read, "code": self.parts.code.get(role, "")}

    def step(
        self, kind: Kind, round_: int, stage: str, file: str, *decided: object, split: str = "train"
    ) -> Step:
        """A step named by its kind, its seed, the task and the values that decide it."""
        name = digest(kind, split, round_, self.config.seed, self.task, *decided)
        return Step(kind, round_, split, stage, file, name)


@dataclass(frozen=True, slots=True)
class Step:
    """What a stage is made of: annotations of a split, variants, a student's view, ...

    Attributes:
        stage: of the round, such as R1.
        file: its record in the run's folder.
        name: a hash of all that decides its result: inputs, configuration, parts, seed.
            Steps of the same name have the same result, in whichever run.
    """

    kind: Kind
    round: int
    split: str
    stage: str
    file: str
    name: str


def recorded(run: Run, step: Step, make: Callable[[], T], codec: Codec[T]) -> tuple[T, float]:
    """The result of a step, and the seconds that it took when it was done.

    A new result is read back, too, so that a resumed run goes on with the same values as an
    undisturbed one. A record under another name is of other inputs or other code, and is made
    anew; one without a name, of an earlier version, is used. A damaged one: ``CorruptRunError``.
    """
    name = run.folder.step(step.file)
    if run.folder.has(step.file) and name not in (None, step.name):
        _note_renewed(run, step)
        run.folder.discard(step.file)
    if not run.folder.has(step.file):
        _record(run, step, make, codec)
    return run.folder.read(step.file, codec.read)


def _record(run: Run, step: Step, make: Callable[[], T], codec: Codec[T]) -> None:
    """A separate function, so that the new result is freed before it is read back."""
    actor, activity = DOING[step.kind]
    run.watcher.began(step.stage, actor, activity.format(split=step.split))
    began = time.perf_counter()
    run.ledger.record = step.file
    try:
        made = make()
    finally:
        run.ledger.record = ""
    seconds = time.perf_counter() - began
    run.folder.write(step.file, lambda path: codec.write(path, made, seconds), step=step.name)


def _note_renewed(run: Run, step: Step) -> None:
    if not run.ledger.renewed:
        run.watcher.noted(
            f"{step.stage}: {step.file} was made from other inputs or by other code; it is made "
            "again, and so is what depends on it"
        )
    run.ledger.renewed = True
