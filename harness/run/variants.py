"""The pool's variants: made once, recorded, and read back by every round and process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from harness.config import Config
from harness.data import Annotations, Pool
from harness.progress import Watcher
from harness.protocols import LabelledAugmenter, PaidAugmenter, PaidVariants, Parts
from harness.record import codecs
from harness.record.folder import RunFolder
from harness.results import Spending
from harness.run.contracts import blaming, check_variants
from harness.run.ledger import Counting

__all__ = ["Made", "Variants"]


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """Variants as a round finds them.

    Attributes:
        pool: the variants; None without an augmenter.
        spending: what was paid for them in this round, under ``variants``; empty if nothing.
        seconds: that making them took in this round.
    """

    pool: Pool | None = None
    spending: Mapping[str, Spending] = field(default_factory=dict)
    seconds: float = 0.0


class Variants:
    """Has the augmenter make variants, if the run has one.

    Args:
        parts: of the run.
        config: of the run.
        pool: whose examples are varied.
        folder: where variants are recorded: ``variants.parquet``, or one file a round
            (``rounds/NN/variants.parquet``) where they depend on the round's labels.
        watcher: sees the progress.
    """

    def __init__(
        self,
        parts: Parts,
        config: Config,
        pool: Pool,
        folder: RunFolder,
        watcher: Watcher,
        counting: Counting,
    ) -> None:
        self._augmenter, self._seed = parts.augmenter, config.seed
        self._part = f"augmenter {config.student.augmenter!r}"
        self._pool, self._folder, self._watcher = pool, folder, watcher
        self._counting = counting

    def of(self, round_: int, annotations: Annotations) -> Made:
        """The variants that the student of a round trains with.

        Raises:
            PartError: if the augmenter fails, or breaks its protocol.
        """
        if self._augmenter is None:
            return Made()
        each_round = isinstance(self._augmenter, LabelledAugmenter)
        name = f"rounds/{round_:02d}/variants.parquet" if each_round else "variants.parquet"
        if not self._folder.has(name):
            self._watcher.began(f"R{2 * round_ + 2}", "augmenter", "making variants")
            began = time.perf_counter()
            with self._counting.by(name):
                made = self._make(round_ if each_round else 0, annotations)
            spent = time.perf_counter() - began
            self._folder.write(name, lambda path: codecs.write_variants(path, made, spent))
        read = self._folder.read(name, lambda path: codecs.read_variants(path, self._pool))
        made, seconds = read
        if round_ and not each_round:
            return Made(made.pool)
        spending = Spending(requests=made.requests, tokens=made.tokens, cost_usd=made.cost_usd)
        paid = made.requests or made.cost_usd
        return Made(made.pool, {"variants": spending} if paid else {}, seconds)

    def _make(self, round_: int, annotations: Annotations) -> PaidVariants:
        augmenter, advanced = self._augmenter, self._watcher.advanced
        seed = int(np.random.default_rng([self._seed, round_, 5]).integers(2**31))
        with blaming(self._part):
            if isinstance(augmenter, LabelledAugmenter):
                pool = augmenter.augment_labelled(self._pool, annotations, seed, advanced)
                made = PaidVariants(pool)
            elif isinstance(augmenter, PaidAugmenter):
                made = augmenter.augment_paid(self._pool, seed, advanced)
            else:
                assert augmenter is not None
                made = PaidVariants(augmenter.augment(self._pool, seed, advanced))
            check_variants(made.pool, self._pool, self._part)
        self._note_unchanged(made.pool)
        return made

    def _note_unchanged(self, variants: Pool) -> None:
        """Variants that are mostly the examples themselves teach little: say so."""
        pairs = zip(variants.texts, self._pool.texts, strict=True)
        same = sum(new == old for new, old in pairs)
        if 2 * same > len(variants):
            self._watcher.noted(
                f"{self._part}: {same} of {len(variants)} variants are the examples themselves"
            )
