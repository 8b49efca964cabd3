"""A step of a run: done and recorded once, and read back from then on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np

from harness import abilities
from harness.config import Config, identifying
from harness.data import TaskCard
from harness.identity import digest
from harness.protocols import Parts
from harness.record.codecs import Codec
from harness.record.folder import RunFolder
from harness.record.step_store import StepStore, link
from harness.results import Watcher
from harness.run.splits import Splits

T = TypeVar("T")
Kind: TypeAlias = Literal["initial", "written", "annotations", "variants", "view", "selection"]

DOING: Mapping[Kind, tuple[str, str]] = {
    "initial": ("annotator", "choosing the first examples"),
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
    be done again; ``done`` and ``shared`` are the seconds of the steps that this process did, and
    of those that another run had done for it.
    """

    record: str = ""
    renewed: bool = False
    done: float = 0.0
    shared: float = 0.0


@dataclass(frozen=True, slots=True)
class Sharing:
    """What a run has in common with the other runs of a sweep.

    ``store`` has the records of their steps (None: it shares none), ``together`` are the ids of
    the runs that share its budget, ``ledger`` notes what was done and what was shared.
    """

    store: StepStore | None = None
    together: tuple[str, ...] = ()
    ledger: Ledger = field(default_factory=Ledger)


@dataclass(frozen=True, eq=False)
class Run:
    """A run: parts, resolved configuration, data, folder, and the records that it shares."""

    parts: Parts
    config: Config
    splits: Splits
    folder: RunFolder
    watcher: Watcher
    ledger: Ledger = field(default_factory=Ledger)
    store: StepStore | None = None

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

    With a store, a step that another run has done is linked from there, and of two runs that come
    to the same step the second waits for the first. What was paid for is not shared: each run
    reads the replies itself, so that its costs are its own.
    """
    name = run.folder.step(step.file)
    if run.folder.has(step.file) and name not in (None, step.name):
        _note_renewed(run, step)
        run.folder.discard(step.file)
    if run.store is None:
        if not run.folder.has(step.file):
            _record(run, step, make, codec)
        return run.folder.read(step.file, codec.read)
    with run.store.held(step.name, asks=_asks_service(run, step)):
        linked = not run.folder.has(step.file) and _linked(run, run.store, step)
        if not run.folder.has(step.file):
            _record(run, step, make, codec)
        value, seconds = run.folder.read(step.file, codec.read)
        if not np.any(getattr(value, "requests", 0)):
            run.store.keep(step.name, run.folder.path / step.file)
    run.ledger.shared += seconds if linked else 0.0
    return value, seconds


def _linked(run: Run, store: StepStore, step: Step) -> bool:
    """Whether the step's record was in the store: it is now in the run's folder."""
    if (found := store.find(step.name)) is None:
        return False
    run.folder.write(step.file, lambda path: link(found, path), step=step.name)
    return True


def _asks_service(run: Run, step: Step) -> bool:
    asked = {"written": run.parts.annotator, "annotations": run.parts.annotator}
    actor = run.parts.augmenter if step.kind == "variants" else asked.get(step.kind)
    return abilities.asks_service(actor)


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
    run.ledger.done += seconds
    run.folder.write(step.file, lambda path: codec.write(path, made, seconds), step=step.name)


def _note_renewed(run: Run, step: Step) -> None:
    if not run.ledger.renewed:
        run.watcher.noted(
            f"{step.stage}: {step.file} was made from other inputs or by other code; it is made "
            "again, and so is what depends on it"
        )
    run.ledger.renewed = True
