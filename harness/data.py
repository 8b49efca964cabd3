"""The values that travel through a run: frozen, columnar, free of input and output.

A *unit* is what carries one label: the example itself in a sequence task, one
token in a token task. Per-unit arrays are flat; ``offsets`` (int64, ``[n + 1]``)
says which units belong to which example, so unit ``i`` of example ``e`` is at
``offsets[e] + i``. In a sequence task ``offsets`` is ``arange(n + 1)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

Kind: TypeAlias = Literal["sequence", "token"]
IntArray: TypeAlias = npt.NDArray[np.integer[Any]]
FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

T = TypeVar("T")

ABSTAINED = -1
"""The label of a unit that got no answer."""
OUTSIDE = 0
"""The class index of the tag ``O`` in token tasks."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label (sequence task) or an entity type (token task) and what it means."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What an LLM annotator sends about a task.

    Attributes:
        system: the system message.
        question: follows each text.
        answer: the format of the answer.
        shots: demonstrations per example that the task recommends.
    """

    system: str = ""
    question: str = ""
    answer: str = ""
    shots: int = 10


class Column(Sequence[T], ABC):
    """A sequence that reads its rows on demand, so a pool of them need not fit in memory."""

    @abstractmethod
    def take(self, rows: IntArray) -> Column[T]:
        """The given rows, in the given order, still unread."""

    def lengths(self) -> IntArray:
        """int64 ``[n]``: the length of each item."""
        return np.fromiter((len(item) for item in self), dtype=np.int64, count=len(self))  # type: ignore[arg-type]


class _Joined(Column[str]):
    """Sentences as texts, joined on demand."""

    def __init__(self, sentences: Column[tuple[str, ...]]) -> None:
        self._sentences = sentences

    def __len__(self) -> int:
        return len(self._sentences)

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return _Joined(self._sentences[row])  # type: ignore[arg-type]
        return " ".join(self._sentences[row])

    def __iter__(self) -> Iterator[str]:
        return (" ".join(tokens) for tokens in self._sentences)

    def take(self, rows: IntArray) -> _Joined:
        return _Joined(self._sentences.take(rows))


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Examples of one split, without any gold label.

    Attributes:
        kind: ``sequence`` or ``token``.
        split: ``train``, ``validation``, ``test`` or ``generated``.
        ids: a stable name for each example (``identity.example_ids``).
        examples: texts (sequence task) or tuples of tokens (token task). Like the ids they
            may be a ``Column``, which reads its rows on demand.
    """

    kind: Kind
    split: str
    ids: Sequence[str]
    examples: Sequence[str] | Sequence[tuple[str, ...]]
    offsets: IntArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.examples):
            raise ValueError(f"{len(self.ids)} ids for {len(self.examples)} examples")
        if isinstance(self.examples, list):
            object.__setattr__(self, "examples", tuple(self.examples))
        if self.kind == "token":
            sentences: Any = self.examples
            lengths = (
                sentences.lengths()
                if isinstance(sentences, Column)
                else np.asarray([len(tokens) for tokens in sentences], dtype=np.int64)
            )
            if not lengths.all():
                raise ValueError("a sentence has no tokens")
            offsets = offsets_of(lengths)
        else:
            offsets = np.arange(len(self.ids) + 1, dtype=np.int64)
        offsets.setflags(write=False)
        object.__setattr__(self, "offsets", offsets)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def texts(self) -> Sequence[str]:
        """The examples as text; tokens are joined by one space."""
        examples: Any = self.examples
        if isinstance(examples, Column):
            return examples if self.kind == "sequence" else _Joined(examples)
        if self.kind == "sequence":
            return list(examples)
        return [" ".join(example) for example in examples]

    @property
    def tokens(self) -> Sequence[tuple[str, ...]]:
        """The examples as tokens; a ``TypeError`` for a sequence task, whose texts have none."""
        if self.kind == "sequence":
            raise TypeError("a sequence pool has texts, not tokens")
        examples: Any = self.examples
        if isinstance(examples, Column):
            return examples
        return [tuple(example) for example in examples]

    def take(self, indices: IntArray) -> Pool:
        """The pool of the given rows, in the given order."""
        examples: Any = _taken(self.examples, indices)
        ids = _taken(self.ids, indices)
        return Pool(kind=self.kind, split=self.split, ids=ids, examples=examples)


@dataclass(frozen=True, slots=True, eq=False)
class Gold:
    """The gold labels of a split, for metrics and supervised annotators only.

    Attributes:
        labels: int32 ``[units]``, class indices; all units of an example without gold are
            ``ABSTAINED``.
        offsets: int64 ``[n + 1]``.
    """

    split: str
    labels: IntArray
    offsets: IntArray

    def __post_init__(self) -> None:
        _freeze_arrays(self, "labels", "offsets")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def none_of(cls, pool: Pool) -> Gold:
        """Of a pool that nobody has labelled."""
        units = int(pool.offsets[-1])
        return cls(pool.split, np.full(units, ABSTAINED, dtype=np.int32), pool.offsets)

    @property
    def known(self) -> BoolArray:
        """bool ``[n]``: True where the example has a gold label."""
        return np.asarray(self.labels[self.offsets[:-1]] != ABSTAINED)

    def take(self, indices: IntArray) -> Gold:
        """The gold labels of the given rows, in the given order."""
        labels, offsets = take_units(self.labels, self.offsets, indices)
        return Gold(self.split, labels, offsets)


_NUMBERS = ("confidence", "requests", "tokens", "cost_usd", "answers_usd")
_ROWS = ("reasons", "replies", "candidates")


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """The labels that an annotator gave to the examples of a pool, one row each.

    Attributes:
        labels: int32 ``[units]``, class indices; all units of an example that got
            no answer are ``ABSTAINED``.
        offsets: int64 ``[n + 1]``.
        confidence: float32 ``[n]`` in [0, 1]; NaN where the annotator has none.
        reasons: why it abstained, ``""`` where it answered.
        replies: the raw reply, ``""`` where there is none.
        requests: int64 ``[n]``, requests sent for the example (0 without an LLM).
        tokens: int64 ``[n]``, prompt and completion tokens together.
        cost_usd: float64 ``[n]``, what the run paid for the example.
        candidates: where the annotator named several labels as plausible (sequence tasks), their
            class indices, the likeliest first if it has an order; elsewhere ``()``. Such an
            example has the first as its label where the annotator was asked for an order, else
            it is ``ABSTAINED``. No candidates at all: nowhere any.
        answers_usd: float64 ``[n]``, what the replies for the example cost, whichever run paid for
            them; left out: the same as ``cost_usd``.
    """

    labels: IntArray
    offsets: IntArray
    confidence: FloatArray
    reasons: tuple[str, ...]
    replies: tuple[str, ...]
    requests: IntArray
    tokens: IntArray
    cost_usd: FloatArray
    candidates: tuple[tuple[int, ...], ...] = ()
    answers_usd: FloatArray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if not len(self.answers_usd):
            object.__setattr__(self, "answers_usd", self.cost_usd)
        _freeze_arrays(self, "labels", "offsets", *_NUMBERS)
        if not self.candidates:
            object.__setattr__(self, "candidates", ((),) * len(self))
        if any(len(getattr(self, name)) != len(self) for name in (*_NUMBERS, *_ROWS)):
            raise ValueError(f"columns of annotations differ from their {len(self)} examples")
        if len(self.labels) != int(self.offsets[-1]):
            raise ValueError(f"{len(self.labels)} labels for {int(self.offsets[-1])} units")

    @classmethod
    def of(
        cls,
        labels: IntArray,
        offsets: IntArray,
        *,
        confidence: FloatArray | None = None,
        reasons: Sequence[str] | None = None,
        replies: Sequence[str] | None = None,
        candidates: Sequence[tuple[int, ...]] = (),
    ) -> Annotations:
        """Annotations that cost nothing: the columns left out get their neutral value.

        A ``ValueError`` for a label that is no whole number.
        """
        n = len(offsets) - 1
        return cls(
            labels=_class_indices(labels),
            offsets=np.asarray(offsets, dtype=np.int64),
            confidence=np.asarray(
                np.full(n, np.nan) if confidence is None else confidence, dtype=np.float32
            ),
            reasons=("",) * n if reasons is None else tuple(reasons),
            replies=("",) * n if replies is None else tuple(replies),
            requests=np.zeros(n, dtype=np.int64),
            tokens=np.zeros(n, dtype=np.int64),
            cost_usd=np.zeros(n, dtype=np.float64),
            candidates=tuple(candidates),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def answered(self) -> BoolArray:
        """bool ``[n]``: True where the annotator gave a label."""
        return np.asarray(self.labels[self.offsets[:-1]] != ABSTAINED)

    def take(self, indices: IntArray) -> Annotations:
        """The annotations of the given rows, in the given order."""
        labels, offsets = take_units(self.labels, self.offsets, indices)
        columns: dict[str, Any] = {name: getattr(self, name)[indices] for name in _NUMBERS}
        columns |= {name: _taken(getattr(self, name), indices) for name in _ROWS}
        return Annotations(labels=labels, offsets=offsets, **columns)


@dataclass(frozen=True, slots=True, eq=False)
class Demonstrations:
    """Labelled examples for an annotator, and which of them to show with which example.

    Attributes:
        examples: the demonstrations, ``[d]``.
        labels: int32 ``[units of examples]``, class indices.
        nearest: int32 ``[m, shots]``, for each of the m examples to annotate the rows of
            ``examples`` to show, in this order; -1 pads. None: the annotator chooses.
        source: ``generated`` (written from the label descriptions) or ``trusted``
            (examples of the pool that the selector chose).
    """

    examples: Pool
    labels: IntArray
    nearest: IntArray | None
    source: Literal["generated", "trusted"]

    def __post_init__(self) -> None:
        _freeze_arrays(self, "labels", *(() if self.nearest is None else ("nearest",)))

    def __len__(self) -> int:
        return len(self.examples)


@dataclass(frozen=True, slots=True, eq=False)
class StudentView:
    """How a fitted student sees a pool.

    Attributes:
        log_probabilities: float32 ``[units, classes]``, natural logarithm.
        predictions: int32 ``[units]``; in token tasks a valid IOB2 sequence.
        embeddings: float32 ``[n, width]``, one vector an example.
        offsets: int64 ``[n + 1]``.
        clean: bool ``[units]``, which labels of this pool training counted as clean in the end,
            for people to look at; None where it told none apart, or did not train on this pool.
    """

    log_probabilities: FloatArray
    predictions: IntArray
    embeddings: FloatArray
    offsets: IntArray
    clean: BoolArray | None = None

    def __post_init__(self) -> None:
        own = ("log_probabilities", "predictions", "embeddings", "offsets")
        _freeze_arrays(self, *own, *(() if self.clean is None else ("clean",)))
        if len(self.predictions) != len(self.log_probabilities):
            raise ValueError("predictions and log_probabilities differ in length")
        if len(self.embeddings) != len(self):
            raise ValueError(f"{len(self.embeddings)} embeddings for {len(self)} examples")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def probabilities(self) -> FloatArray:
        """float32 ``[units, classes]``, rows sum to 1."""
        return np.asarray(np.exp(self.log_probabilities))

    def losses(self, annotations: Annotations) -> FloatArray:
        """Cross-entropy of each unit against its annotation, float32 ``[units]``.

        ``-log p(annotated class)``, in nats; NaN where the annotator abstained.
        """
        answered = annotations.labels != ABSTAINED
        rows = np.flatnonzero(answered)
        losses = np.full(len(annotations.labels), np.nan, dtype=np.float32)
        losses[rows] = -self.log_probabilities[rows, annotations.labels[rows]]
        return losses


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """What the selectors decided about a pool, as row indices (int64).

    Attributes:
        trusted: examples with a trusted label.
        demonstrations: trusted examples to show.
        requested: what to annotate next, in order.
    """

    trusted: IntArray
    demonstrations: IntArray
    requested: IntArray

    def __post_init__(self) -> None:
        _freeze_arrays(self, "trusted", "demonstrations", "requested")


@dataclass(frozen=True, slots=True, eq=False)
class TaskCard:
    """What parts may know of a task: everything but its data and its gold labels.

    Attributes:
        labels: in class order (token tasks: the entity types).
        prompt: for LLM annotators.
        generated: demonstrations written from the label descriptions alone, or None.
        rules: patterns and word lists for the ``rules`` annotator, or None.
        title: one line for people.
    """

    name: str
    kind: Kind
    metric: Literal["accuracy", "entity_f1"]
    labels: tuple[Label, ...]
    prompt: Prompt = Prompt()
    generated: Demonstrations | None = None
    rules: Mapping[str, Any] | None = None
    title: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in index order: labels, or ``O, B-X, I-X, ...`` for token tasks."""
        return class_names(self.kind, [label.name for label in self.labels])


def class_names(kind: Kind, labels: Sequence[str]) -> tuple[str, ...]:
    """Class names in index order; a token task's types become IOB2 tags after ``O``."""
    if kind == "sequence":
        return tuple(labels)
    return ("O", *(f"{prefix}-{label}" for label in labels for prefix in "BI"))


def offsets_of(lengths: Sequence[int] | IntArray) -> IntArray:
    """int64 ``[n + 1]``: where the units of each example begin and end."""
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))]).astype(np.int64)


def take_units(values: IntArray, offsets: IntArray, rows: IntArray) -> tuple[IntArray, IntArray]:
    """The flat values of some examples, and their own offsets."""
    rows = np.asarray(rows, dtype=np.int64)
    lengths = np.diff(offsets)[rows]
    taken = offsets_of(lengths)
    positions = np.arange(int(taken[-1]), dtype=np.int64)
    source = positions + np.repeat(offsets[:-1][rows] - taken[:-1], lengths)
    return values[source], taken


def merge(base: Annotations, rows: IntArray, new: Annotations) -> Annotations:
    """``base`` with the given rows replaced by ``new`` (one row of it for each)."""
    labels = base.labels.copy()
    lengths = np.diff(new.offsets)
    positions = np.arange(len(new.labels), dtype=np.int64)
    target = positions + np.repeat(base.offsets[:-1][rows] - new.offsets[:-1], lengths)
    labels[target] = new.labels
    columns: dict[str, Any] = {"labels": labels}
    for name in _NUMBERS:
        column = getattr(base, name).copy()
        column[rows] = getattr(new, name)
        columns[name] = column
    for name in _ROWS:
        values = list(getattr(base, name))
        for row, value in zip(rows, getattr(new, name), strict=True):
            values[int(row)] = value
        columns[name] = tuple(values)
    return replace(base, **columns)


def _taken(values: Sequence[T], rows: IntArray) -> Sequence[T]:
    if isinstance(values, Column):
        return values.take(rows)
    return tuple(values[row] for row in np.asarray(rows).tolist())


def _class_indices(labels: npt.ArrayLike) -> IntArray:
    """int32 of any whole numbers."""
    given = np.asarray(labels)
    with np.errstate(invalid="ignore"):  # NaN becomes another number, and so differs
        indices = given.astype(np.int32, copy=False)
    if (wrong := np.flatnonzero(indices != given)).size:
        raise ValueError(
            f"label {given[wrong[0]]} of unit {wrong[0]}: labels are class indices, whole numbers"
        )
    return indices


def _freeze_arrays(value: object, *names: str) -> None:
    """Make the named arrays read-only; those that are writable elsewhere are copied."""
    for name in names:
        array = np.asarray(getattr(value, name))
        if array.flags.writeable:
            array = array.copy()
            array.setflags(write=False)
        object.__setattr__(value, name, array)
