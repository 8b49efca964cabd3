"""What each part must be able to do. A plugin needs no base class, only these methods.

What a part may offer in addition is in ``abilities``.

The wall between gold labels and the parts is in the signatures: an ``Annotator``, a
``Student`` and the selectors receive pools, annotations and arrays. Only a
``SupervisedAnnotator`` (``needs_gold = True``) receives a ``Gold``, and every run
with one is marked supervised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import numpy as np

from harness.data import (
    Annotations,
    BoolArray,
    Demonstrations,
    FloatArray,
    Gold,
    IntArray,
    Kind,
    Pool,
    StudentView,
    TaskCard,
)
from harness.errors import CommandError
from harness.specs import Spec

if TYPE_CHECKING:
    from pydantic import BaseModel

    from harness.config import DemonstrationsConfig


class Progress(Protocol):
    """Called by a part as its work goes on."""

    def __call__(self, done: int, total: int) -> None:
        """``done`` of ``total`` units of work (examples, or training steps) are finished."""


def no_progress(done: int, total: int) -> None:
    """Report nothing."""


# --- tasks ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """The argument of a task factory.

    ``data`` is the folder of ``--data`` or ``HARNESS_DATA``. With ``declaration_only`` nobody will
    load the data, and it may be missing.
    """

    spec: Spec
    data: Path | None = None
    declaration_only: bool = False


class Task(Protocol):
    """A data set with its labels, its prompt and, apart, its gold labels."""

    @property
    def card(self) -> TaskCard:
        """What parts may know of the task."""

    @property
    def default_annotator(self) -> str | None:
        """The annotator spec used where a run names none."""

    @property
    def fingerprint(self) -> str:
        """A hash of the declaration and of the data: part of a run's identity."""

    def load(self, split: str) -> Pool | None:
        """The examples of ``train``, ``validation`` or ``test``; None where there is none.

        Raises:
            DataError: naming file and line of the first wrong row, and where others are.
        """

    def gold(self, split: str) -> Gold | None:
        """The gold labels of the same split, in the same order."""


# --- annotators ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AnnotatorRequest:
    """The argument of an annotator factory.

    ``config`` is an instance of the model that was registered with the factory, with the
    ``annotator`` keys of the run; None where none was. ``demonstrations`` says how many to show
    and, for those that write their own, how many to write; None: the task's own number of
    shots, the default number written.
    """

    spec: Spec
    task: TaskCard
    config: BaseModel | None
    seed: int
    demonstrations: DemonstrationsConfig | None = None


class Annotator(Protocol):
    """Labels a pool from its texts and some demonstrations alone."""

    @property
    def needs_gold(self) -> Literal[False]:
        """False: the loop never hands it gold labels."""

    def annotate(
        self, pool: Pool, demonstrations: Demonstrations | None, progress: Progress
    ) -> Annotations:
        """Label every example of the pool, or abstain from it with a reason.

        Raises:
            NotRecordedError: where a recording holds no answer for any example.
        """


class SupervisedAnnotator(Protocol):
    """An annotator that reads gold labels (a simulation, or an upper bound)."""

    @property
    def needs_gold(self) -> Literal[True]:
        """True: the loop hands it gold labels and marks the run supervised."""

    def annotate(
        self, pool: Pool, demonstrations: Demonstrations | None, progress: Progress, gold: Gold
    ) -> Annotations:
        """Label every example of the pool; its gold labels may help."""


AnyAnnotator: TypeAlias = Annotator | SupervisedAnnotator


@dataclass(frozen=True, slots=True)
class Account:
    """Who pays for answers, and how much may be spent.

    Attributes:
        run_id: the run that pays. An answer that it bought before an interruption counts
            as its own; one that another run bought is free for it.
        replies: the SQLite file of all replies ever received, shared by all runs.
        budget_usd: most that the run may pay, including what it has paid already.
        note: prints one line for the user.
        record: the record of the run folder that counts the replies bought now; "" for none.
            No reply is counted in two records, not even by two processes.
        together: the other runs that the budget is for, too: those of a sweep.
    """

    run_id: str
    replies: Path
    budget_usd: float | None
    note: Callable[[str], None]
    record: Callable[[], str] = lambda: ""
    together: Sequence[str] = ()

    @property
    def payers(self) -> tuple[str, ...]:
        """The runs whose payments count against the budget."""
        return (self.run_id, *(one for one in self.together if one != self.run_id))


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """Demonstrations that an annotator wrote, what the run paid for them, and what they cost.

    ``answers_usd`` is what the replies cost, whichever run paid for them; None: ``cost_usd``.
    """

    demonstrations: Demonstrations
    requests: int
    tokens: int
    cost_usd: float
    answers_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a step would send, at most, before anything is sent.

    ``cost_usd`` is None where the price is not known, ``seconds`` where no limit of rate or
    concurrency bounds them. ``remark`` is what the user should know of the cost.
    """

    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    seconds: float | None
    remark: str = ""


# --- students ------------------------------------------------------------------------


def no_other(spec: str) -> Student:
    """Raise a ``CommandError``: the request was made without the plugins."""
    raise CommandError(f"student {spec!r}: no other students are at hand here")


@dataclass(frozen=True, slots=True)
class StudentRequest:
    """The argument of a student factory.

    ``config`` is an instance of the model that was registered with the factory, with the
    ``student`` keys of the run; None where none was. ``augmented``: the run has an augmenter.
    ``other(spec)`` makes another registered student, with its default keys, for a student that
    trains others; name it in the student's own spec (``mine:minilm``), so that it belongs to the
    run's identity.
    """

    spec: Spec
    task: TaskCard
    config: BaseModel | None
    augmented: bool = False
    other: Callable[[str], Student] = no_other


class FittedStudent(Protocol):
    """A trained model."""

    def view(self, pool: Pool, progress: Progress) -> StudentView:
        """Probabilities, predictions and embeddings of a pool."""

    def save(self, folder: Path) -> None:
        """Write the model to an empty folder: safetensors and JSON, never pickle."""


class ExportedModel(Protocol):
    """A model that was exported, read back without its run."""

    @property
    def kind(self) -> Kind:
        """Of the task that it learnt."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names in index order, as of ``TaskCard.classes``."""

    def view(self, pool: Pool, progress: Progress) -> StudentView:
        """Probabilities and predictions of a pool."""


class Student(Protocol):
    """Learns a task from annotations that may be wrong."""

    def fit(
        self, pool: Pool, annotations: Annotations, seed: int, progress: Progress, aids: Aids
    ) -> FittedStudent:
        """Train from scratch; the same arguments give the same model, also after a kill.

        An example from which the annotator abstained has no label to learn. Only a student
        with ``uses_variants`` gets variants.
        """

    def load(self, folder: Path) -> FittedStudent:
        """Read back what ``save`` wrote."""


@dataclass(frozen=True, slots=True, eq=False)
class Aids:
    """What a student may use in addition to a pool and its annotations.

    Attributes:
        variants: one label-preserving variant of each example, in the pool's order and
            with its ids and (token tasks) its offsets; None without an augmenter.
        checkpoints: an existing folder of this round from which a killed training goes on,
            safetensors and JSON. It may hold what an earlier process left, perhaps half
            written; the student uses that only where it fits the arguments. The loop removes
            the folder once the student's view is recorded. None: keep nothing.
        note: prints one line for the user.
    """

    variants: Pool | None = None
    checkpoints: Path | None = None
    note: Callable[[str], None] = lambda line: None


# --- selectors -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What selectors read, one row an example of the pool.

    Attributes:
        groups: int32 ``[n]``, the class of the annotation (token tasks: the index of
            the most frequent entity type plus one, 0 for none); -1 abstained.
        groups_count: number of groups that can occur.
        agrees: bool ``[n]``, student and annotator agree on every unit.
        losses: float32 ``[n]``, mean cross-entropy over the example's units; NaN abstained.
        annotator_confidence: float32 ``[n]``, NaN where unknown.
        student_confidence: float32 ``[n]``, mean largest probability over the units.
        embeddings: float32 ``[n, width]``, the student's.
        log_probabilities: float32 ``[units, classes]``, the student's.
        labels: int32 ``[units]``, the annotation; ``ABSTAINED`` where there is none.
        offsets: int64 ``[n + 1]``, which units belong to which example.
        asked: int64 ``[n]``, how often the annotator was asked about the example so far.
        askable: bool ``[n]``, whether it may be asked once more (``selector.asks``).
        pool: the texts or tokens; None where nobody has them at hand.
        passes: float32 ``[units, classes]`` of each pass of the student with dropout, natural
            logarithm; none unless the query selector wants them (``abilities.dropout_passes``).
    """

    groups: IntArray
    groups_count: int
    agrees: BoolArray
    losses: FloatArray
    annotator_confidence: FloatArray
    student_confidence: FloatArray
    embeddings: FloatArray
    log_probabilities: FloatArray
    labels: IntArray
    offsets: IntArray
    asked: IntArray
    askable: BoolArray
    pool: Pool | None = None
    passes: Sequence[FloatArray] = ()

    def __len__(self) -> int:
        return len(self.groups)


@dataclass(frozen=True, slots=True)
class SelectorRequest:
    """The argument of a selector factory: its spec, and the shots per example."""

    spec: Spec
    shots: int


ROLES = ("trust", "demonstrations", "query")
"""Of selectors, in the order in which they are called."""


class InitialSelector(Protocol):
    """Decides what is annotated in the first round, when there is no student yet."""

    def __call__(self, pool: Pool, rng: np.random.Generator) -> IntArray:
        """Different rows of the pool, int64."""


class TrustSelector(Protocol):
    """Decides which labels to trust."""

    def __call__(self, evidence: Evidence, rng: np.random.Generator) -> IntArray:
        """Rows whose label is trusted, ascending, int64."""


class SupervisedTrustSelector(Protocol):
    """One that knows which of the student's labels are right: an upper bound."""

    @property
    def needs_gold(self) -> Literal[True]:
        """True: the run is marked supervised."""

    def __call__(self, evidence: Evidence, rng: np.random.Generator, right: BoolArray) -> IntArray:
        """The same, with ``right``, bool ``[n]``: the student's label is the gold label on every
        unit; False where that is unknown."""


AnyTrustSelector: TypeAlias = TrustSelector | SupervisedTrustSelector


class DemonstrationSelector(Protocol):
    """Decides which trusted examples to show, and which of them to which example."""

    def choose(self, evidence: Evidence, trusted: IntArray, rng: np.random.Generator) -> IntArray:
        """Rows among ``trusted`` that form the demonstration pool, ascending, int64."""

    def assign(
        self,
        embeddings: FloatArray,
        groups: IntArray,
        targets: FloatArray,
        own: IntArray,
        rng: np.random.Generator,
    ) -> IntArray:
        """Demonstrations for each target, in the order in which they are shown.

        The loop calls it for at most 65,536 targets at a time, so the demonstrations of one
        target must not depend on the others.

        Args:
            embeddings: float32 ``[d, width]`` of the demonstrations.
            groups: int32 ``[d]``, their classes.
            targets: float32 ``[m, width]`` of the examples to annotate.
            own: int64 ``[m]``, the row of the demonstration that is the target itself, or
                -1; an example must never be its own demonstration.
            rng: seeded by the run, the round and the split.

        Returns:
            int32 ``[m, shots]``, rows of the demonstrations; -1 pads at the end.
        """


class QuerySelector(Protocol):
    """Decides what to annotate next."""

    def __call__(self, evidence: Evidence, trusted: IntArray, rng: np.random.Generator) -> IntArray:
        """Rows to annotate next, most urgent first, int64.

        The loop leaves out those that may not be asked about again, and then the least urgent
        ones beyond the budget.
        """


@dataclass(frozen=True, slots=True)
class SelectorPreset:
    """A named choice of one selector for each role, as specs."""

    trust: str
    demonstrations: str
    query: str


# --- augmenters ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AugmenterRequest:
    """The argument of an augmenter factory."""

    spec: Spec
    task: TaskCard


class Augmenter(Protocol):
    """Turns each example into a variant that keeps its label."""

    def augment(
        self, pool: Pool, annotations: Annotations | None, seed: int, progress: Progress
    ) -> Variants:
        """One variant an example, in the same order, with the same ids, none empty.

        An example without a variant stays as it is. Token tasks: each variant has as many
        tokens as its example, so that a token and its variant have one label. The same
        arguments give the same variants.

        Args:
            pool: whose examples are varied.
            annotations: those of the round, for an augmenter with ``reads_labels``, which the
                loop calls each round; None for others, which it calls once a run.
            seed: of what it draws.
            progress: counts examples.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Variants:
    """Variants of a pool, and what they cost, as of ``Written``."""

    pool: Pool
    requests: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    answers_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one run, assembled; by role hashes of what they read, and of their source.

    ``origins``: by role the part as messages name it, ``annotator 'mine:3'``, and its plugin.
    """

    task: Task
    annotator: AnyAnnotator
    student: Student
    trust: AnyTrustSelector
    demonstrations: DemonstrationSelector
    query: QuerySelector
    identities: Mapping[str, str] = field(default_factory=dict)
    augmenter: Augmenter | None = None
    code: Mapping[str, str] = field(default_factory=dict)
    initial: InitialSelector | None = None
    origins: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def origin(self, role: str) -> tuple[str, str]:
        """How messages name the part of a role, and its plugin, "" where that is not known."""
        return self.origins.get(role, (role, ""))
