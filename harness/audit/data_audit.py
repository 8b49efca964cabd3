"""Figures of a data set that limit what a score on it means: pure functions of pools and gold.

An audit may read gold labels, since it runs no part. Two texts are the same *exact* text if
they agree up to case and spacing, and *near* duplicates if they also agree up to punctuation
(``harness.audit.duplicates``). In token tasks the label of a sentence is its sequence of tags,
so near-duplicates that are split into tokens differently conflict.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

from harness.audit.duplicates import Keys, exact_key, keys_of, near_key
from harness.data import OUTSIDE, BoolArray, Gold, IntArray, Kind, Pool, TaskCard

SCHEMA = 1
"""Version of the object that ``harness audit --json`` prints. Fields may be added."""
ORDER = ("test", "validation", "train")
"""Splits, from the scored one to the training one."""
_MIX = np.uint64(0x9E3779B97F4A7C15)  # odd and without pattern: the golden ratio of 2^64


@dataclass(frozen=True, slots=True)
class Repeats:
    """Repeated texts of a split.

    Attributes:
        duplicates: rows beyond the first of each text.
        conflicts: texts that carry more than one label within the split.
        ceiling: share of rows that the best classifier with one answer a text gets
            right (the most frequent label of each text); in (0, 1]. In token tasks the
            share of sentences with all tags right. None where no row has gold.
    """

    duplicates: int
    conflicts: int
    ceiling: float | None


@dataclass(frozen=True, slots=True)
class Lengths:
    """Words (sequence task, split at white space) or tokens an example."""

    mean: float
    median: float
    p95: float
    max: int
    total: int


@dataclass(frozen=True, slots=True)
class Mentions:
    """Entities of a token task's split.

    ``without``: sentences without any; ``distinct`` mention strings, as written, and how many of
    these are mentions in train, too (of train: all).
    """

    without: int
    distinct: int
    known: int


@dataclass(frozen=True, slots=True)
class SplitAudit:
    """One split.

    Attributes:
        exact, near: repeated texts, by either key.
        ambiguous: rows whose exact text carries more than one label in all splits together.
        non_ascii: rows with a character beyond ASCII.
        unlabelled: rows without gold; other figures of labels leave them out.
        classes: rows of each label; in token tasks mentions of each type.
        mentions: None in sequence tasks.
    """

    split: str
    rows: int
    exact: Repeats
    near: Repeats
    ambiguous: int
    non_ascii: int
    lengths: Lengths
    classes: Mapping[str, int]
    mentions: Mentions | None
    unlabelled: int = 0


@dataclass(frozen=True, slots=True)
class Shared:
    """Distinct texts that two splits share, and the rows of the first split that have one.

    ``different``: texts with other labels in one split than in the other.
    """

    texts: int
    rows: int
    different: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """Texts of the split ``of`` that occur in the split ``within``."""

    of: str
    within: str
    exact: Shared
    near: Shared


@dataclass(frozen=True, slots=True)
class OtherTask:
    """Rows that a task shares with another one, by the near key.

    Attributes:
        test_in_its_train: rows of our test split in its train split; None without either.
        its_test_in_train: rows of its test split in our train split; None without either.
        rows: rows of all our splits that occur anywhere in it.
    """

    task: str
    test_in_its_train: int | None
    its_test_in_train: int | None
    rows: int


@dataclass(frozen=True, slots=True)
class TaskAudit:
    """Everything, as ``harness audit --json`` prints it."""

    task: str
    title: str
    kind: Kind
    metric: str
    splits: Sequence[SplitAudit]
    overlaps: Sequence[Overlap]
    others: Sequence[OtherTask] = ()

    def to_json(self) -> str:
        """One object, its schema version first."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, ensure_ascii=False)


@dataclass(frozen=True, slots=True, eq=False)
class Audited:
    """A split as an audit reads it.

    Attributes:
        exact, near: uint64 ``[n]``, hashes of the texts' keys.
        labels: uint64 ``[n]``, a number for each example's label or sequence of tags.
        mentions: distinct mention strings (token tasks).
    """

    pool: Pool
    gold: Gold
    exact: Keys
    near: Keys
    labels: Keys
    mentions: frozenset[str]


def read_split(pool: Pool, gold: Gold) -> Audited:
    """Hash the texts and labels of a split, once for all figures."""
    return Audited(
        pool=pool,
        gold=gold,
        exact=keys_of(pool.texts, exact_key),
        near=keys_of(pool.texts, near_key),
        labels=_label_numbers(pool.kind, gold),
        mentions=frozenset(_mentions(pool, gold)) if pool.kind == "token" else frozenset(),
    )


def audit_task(card: TaskCard, splits: Mapping[str, Audited]) -> TaskAudit:
    """Audit the splits of one task, by name; none of them may be empty."""
    known = splits["train"].mentions if "train" in splits else frozenset()
    ambiguous = _ambiguous(list(splits.values()))
    present = [name for name in ORDER if name in splits]
    return TaskAudit(
        task=card.name,
        title=card.title,
        kind=card.kind,
        metric=card.metric,
        splits=[_audit_split(card, splits[name], ambiguous, known) for name in reversed(present)],
        overlaps=[_overlap(splits[a], splits[b]) for a, b in combinations(present, 2)],
    )


def compare_tasks(
    splits: Mapping[str, Audited], other: str, others: Mapping[str, Audited]
) -> OtherTask:
    """The texts that the splits of a task share with those of another one."""

    def within(mine: Audited | None, its: Audited | None) -> int | None:
        return None if mine is None or its is None else int(np.isin(mine.near, its.near).sum())

    anywhere = np.concatenate([split.near for split in others.values()])
    return OtherTask(
        task=other,
        test_in_its_train=within(splits.get("test"), others.get("train")),
        its_test_in_train=within(others.get("test"), splits.get("train")),
        rows=sum(int(np.isin(split.near, anywhere).sum()) for split in splits.values()),
    )


def _audit_split(
    card: TaskCard, split: Audited, ambiguous: Keys, known: frozenset[str]
) -> SplitAudit:
    pool, gold = split.pool, split.gold
    mentions = None
    if card.kind == "token":
        entities = np.add.reduceat(gold.labels > OUTSIDE, gold.offsets[:-1], dtype=np.int64)
        mentions = Mentions(
            without=int((entities[gold.known] == 0).sum()),
            distinct=len(split.mentions),
            known=len(split.mentions & known),
        )
    return SplitAudit(
        split=pool.split,
        rows=len(pool),
        exact=_repeats(split.exact, split.labels, gold.known),
        near=_repeats(split.near, split.labels, gold.known),
        ambiguous=int(np.isin(split.exact, ambiguous).sum()),
        non_ascii=sum(not text.isascii() for text in pool.texts),
        lengths=_lengths(pool),
        classes=_classes(card, gold),
        mentions=mentions,
        unlabelled=int((~gold.known).sum()),
    )


def _repeats(every: Keys, labels: Keys, known: BoolArray) -> Repeats:
    duplicates = len(every) - len(np.unique(every))
    keys, labels = every[known], labels[known]
    if len(keys) == 0:
        return Repeats(duplicates, conflicts=0, ceiling=None)
    _, first, counts = np.unique(_pairs(keys, labels), return_index=True, return_counts=True)
    text = keys[first]  # of each distinct pair of text and label
    order = np.argsort(text, kind="stable")
    _, starts, answers = np.unique(text[order], return_index=True, return_counts=True)
    best = np.maximum.reduceat(counts[order], starts)
    return Repeats(
        duplicates=duplicates,
        conflicts=int((answers > 1).sum()),
        ceiling=float(best.sum() / len(keys)),
    )


def _overlap(first: Audited, second: Audited) -> Overlap:
    def shared(of: Keys, within: Keys) -> Shared:
        texts = np.intersect1d(of, within)
        known, its_known = first.gold.known, second.gold.known
        labelled, its_labelled = of[known], within[its_known]
        pairs, rows = np.unique(_pairs(labelled, first.labels[known]), return_index=True)
        others, other_rows = np.unique(
            _pairs(its_labelled, second.labels[its_known]), return_index=True
        )
        mine, its = labelled[rows], its_labelled[other_rows]
        alone = np.union1d(mine[~np.isin(pairs, others)], its[~np.isin(others, pairs)])
        return Shared(
            texts=len(texts),
            rows=int(np.isin(of, within).sum()),
            different=int(np.isin(texts, alone).sum()),
        )

    return Overlap(
        of=first.pool.split,
        within=second.pool.split,
        exact=shared(first.exact, second.exact),
        near=shared(first.near, second.near),
    )


def _ambiguous(splits: Sequence[Audited]) -> Keys:
    """Exact keys that carry more than one label in all splits together."""
    keys = np.concatenate([split.exact[split.gold.known] for split in splits])
    labels = np.concatenate([split.labels[split.gold.known] for split in splits])
    _, first = np.unique(_pairs(keys, labels), return_index=True)
    texts, answers = np.unique(keys[first], return_counts=True)
    return texts[answers > 1]


def _pairs(keys: Keys, labels: Keys) -> Keys:
    """One number for each text with its label."""
    return keys + labels * _MIX  # wraps around 2^64


def _label_numbers(kind: Kind, gold: Gold) -> Keys:
    if kind == "sequence":
        return gold.labels.astype(np.uint64)
    tags = np.ascontiguousarray(gold.labels, dtype=np.int32)
    spans = pairwise(gold.offsets.tolist())
    digests = (hashlib.blake2b(tags[a:b].tobytes(), digest_size=8).digest() for a, b in spans)
    return np.fromiter((int.from_bytes(digest, "big") for digest in digests), dtype=np.uint64)


def _mentions(pool: Pool, gold: Gold) -> Iterator[str]:
    """Every mention as written, tokens joined by one space."""
    for tokens, (begin, end) in zip(pool.tokens, pairwise(gold.offsets.tolist()), strict=True):
        tags = gold.labels[begin:end]
        begins = (tags > OUTSIDE) & (tags % 2 == 1)  # class 2k + 1 is B- of type k
        for start in np.flatnonzero(begins).tolist():
            inside = tags[start + 1 :] == tags[start] + 1
            length = len(inside) if inside.all() else int(inside.argmin())
            yield " ".join(tokens[start : start + 1 + length])


def _lengths(pool: Pool) -> Lengths:
    counts: npt.NDArray[np.int64]
    if pool.kind == "token":
        counts = np.diff(pool.offsets).astype(np.int64)
    else:
        counts = np.fromiter((len(text.split()) for text in pool.texts), dtype=np.int64)
    return Lengths(
        mean=float(counts.mean()),
        median=float(np.median(counts)),
        p95=float(np.percentile(counts, 95)),
        max=int(counts.max()),
        total=int(counts.sum()),
    )


def _classes(card: TaskCard, gold: Gold) -> dict[str, int]:
    counts: IntArray = np.bincount(gold.labels[gold.labels >= 0], minlength=len(card.classes))
    if card.kind == "token":
        counts = counts[1::2]
    return {label.name: int(count) for label, count in zip(card.labels, counts, strict=True)}
