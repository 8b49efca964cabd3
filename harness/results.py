"""What a run found, as it stands in ``stages.jsonl`` and ``result.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import CorruptRunError, NewerRunError
from harness.metrics import Score

SCHEMA = 1
"""Version of the run folder's files. Fields may be added within a version."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class SelectionResult(_Record):
    """How good a selection is, measured against gold labels that it never saw, where there are any.

    Attributes:
        trusted: number of trusted examples.
        trusted_precision: share of them whose believed label is right; None if none.
        trusted_coverage: share of the pool that is trusted.
        demonstrations: number of demonstrations.
        demonstrations_accuracy: share of them whose label is right; None if none.
        requested: number of examples to annotate next.
    """

    trusted: int
    trusted_precision: float | None
    trusted_coverage: float
    demonstrations: int
    demonstrations_accuracy: float | None
    requested: int


class Spending(_Record):
    """What was paid for one pool, for writing demonstrations, or for variants.

    Attributes:
        requests: replies that this run bought (those of other runs are free).
        tokens: prompt and reply tokens of them.
        cost_usd: by the prices when they were received.
    """

    requests: int = 0
    tokens: int = 0
    cost_usd: float = 0.0


class StageResult(_Record):
    """One actor's result in one round: R0 or R1 annotator, R2 student, R3 annotator, ...

    Attributes:
        n: examples of the pool.
        abstained: how many of them have no label after this stage.
        annotated: examples that the annotator was asked for in this stage (0 for students).
        transductive: score of the pool's labels after this stage, on the examples with gold;
            None if there are none.
        inductive: score on the test set; None in the transductive setting, without gold, or
            where the annotator has nothing to say on it.
        answered: share of the pool with a label after this stage.
        confidence: mean confidence in these labels; None where none is known.
        agreement: share of the answered examples on which annotator and student agree
            (student stages).
        noise: share of the annotator's labels that are wrong as the student estimates it: one
            minus the mean probability that it gives them (student stages).
        validation: score on the validation set, where one was asked for.
        inductive_without_leaked: score on the test rows whose text (``near_key``) does not
            occur in the run's pool; None unless asked for (``without_leaked``), or where
            no such row is left.
        selection: what the selector made of the student's view (student stages).
        requests, tokens, cost_usd: of this stage, everything together.
        spending: the same by what it was spent on: a split's name, ``written``
            (demonstrations) or ``variants`` (by an augmenter, in the student stage that
            had them made); empty where nothing was paid.
        seconds: wall-clock time of the actor's work on the pool.
    """

    stage: str
    round: int
    actor: Literal["annotator", "student"]
    n: int
    abstained: int
    annotated: int
    transductive: Score | None
    inductive: Score | None
    validation: Score | None = None
    inductive_without_leaked: Score | None = None
    answered: float | None = None
    confidence: float | None = None
    agreement: float | None = None
    noise: float | None = None
    selection: SelectionResult | None = None
    requests: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    spending: Mapping[str, Spending] = {}
    seconds: float = 0.0


class RunResult(_Record):
    """A finished run: ``result.json``.

    Attributes:
        labels: names of the task's labels, in their order; empty in runs of earlier versions.
        leaked: test rows that the scores without leaked rows leave out; None unless asked
            for, or without a test set.
    """

    schema_: int = SCHEMA
    run_id: str
    task: str
    kind: Literal["sequence", "token"]
    metric: Literal["accuracy", "entity_f1"]
    supervised: bool
    config: Mapping[str, Any]
    provenance: Mapping[str, Any]
    seconds: float
    cost_usd: float
    stages: Sequence[StageResult] = Field(min_length=1)
    leaked: int | None = None
    labels: Sequence[str] = ()

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=lambda name: name.rstrip("_"),
        populate_by_name=True,
    )

    def to_json(self) -> str:
        """The object that ``harness run --json`` prints and ``result.json`` holds."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), ensure_ascii=False)


def load_result(file: Path) -> RunResult:
    """Read a ``result.json``.

    Raises:
        CorruptRunError: if it is damaged.
        NewerRunError: if a newer version wrote it.
    """
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CorruptRunError(
            f"{file}: not a readable result ({error}); run the same command with --fresh"
        ) from None
    check_schema(values, file)
    try:
        return RunResult.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise CorruptRunError(
            f"{file}: {key}: {first['msg']}; run the same command with --fresh"
        ) from None


def check_schema(values: object, file: Path) -> None:
    """Refuse a file without a schema version, or with a newer one.

    Raises:
        CorruptRunError: no version.
        NewerRunError: a newer version.
    """
    schema = values.get("schema") if isinstance(values, dict) else None
    if not isinstance(schema, int):
        raise CorruptRunError(f"{file}: has no schema version; run the same command with --fresh")
    if schema > SCHEMA:
        raise NewerRunError(
            f"{file}: written by a newer harness (schema {schema}; this one reads {SCHEMA}); "
            "upgrade freeal-harness, or use another --out"
        )
