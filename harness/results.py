"""The results of a run, as in ``stages.jsonl`` and ``result.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import CorruptRunError, NewerRunError
from harness.metrics import Score

SCHEMA = 1
"""Version of the run folder's files. Fields may be added within a version."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class SelectionResult(_Record):
    """How good a selection is, compared with gold labels, if any, that the selector never saw.

    Numbers of examples; of those that are trusted or shown the share with a right label (None if
    there are none); ``trusted_coverage`` is the share of the pool that is trusted.
    """

    trusted: int
    trusted_precision: float | None
    trusted_coverage: float
    demonstrations: int
    demonstrations_accuracy: float | None
    requested: int


class Spending(_Record):
    """What was paid for one pool, for writing demonstrations, or for variants.

    ``requests`` are the replies that this run bought; those of other runs are free. ``cost_usd``
    is by the prices at the time. ``answers_usd`` is what the replies that were used cost, whichever
    run bought them: failed attempts are not in it.
    """

    requests: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    answers_usd: float = 0.0


def paid(costs: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a ``StageResult`` about costs, from values by what they were paid for.

    Each has the fields of ``Spending``, numbers or an array of them; None and what was free are
    left out.
    """
    fields = tuple(Spending.model_fields)
    sums = {
        name: Spending(**{field: _sum(value, field) for field in fields})
        for name, value in costs.items()
        if value is not None
    }
    spending = {name: one for name, one in sums.items() if one != Spending()}
    totals = {field: sum(getattr(one, field) for one in spending.values()) for field in fields}
    return {**totals, "spending": spending}


def _sum(value: Any, field: str) -> Any:
    found = getattr(value, field)
    return np.sum(value.cost_usd if found is None else found).item()


class StageResult(_Record):
    """One actor's result in one round: R0 or R1 annotator, R2 student, R3 annotator, ...

    Attributes:
        n: examples of the pool.
        abstained: how many of them have no label after this stage.
        annotated: examples that the annotator had to label in this stage (0 for students).
        unlabelled: examples that it was never asked about up to this stage; they are among
            ``abstained``, and no score counts them as right.
        transductive: score of the pool's labels after this stage, on the examples with gold;
            None if there are none.
        inductive: score on the test set; None in the transductive setting, without gold, or
            where the annotator has no answers for it.
        answered: share of the pool with a label after this stage.
        confidence: mean confidence in these labels; None where none is known.
        agreement: share of the answered examples on which annotator and student agree
            (student stages).
        where_answered: of student stages, the student's score on the examples that the annotator
            answered, beside the annotator's ``transductive.answered``; None without gold there.
        combined: of student stages of sequence tasks, the pool's score by the labels that annotator
            and student give together (``stats.combined``), those that ``harness label`` writes.
        noise: share of the annotator's labels that are wrong as the student estimates it: one
            minus the mean probability that it gives them (student stages).
        validation: score on the validation set, if ``validation`` is set.
        inductive_without_leaked: score on the test rows whose text (``near_key``) does not
            occur in the run's pool, if ``without_leaked`` is set and there are such rows.
        selection: of student stages.
        requests, tokens, cost_usd, answers_usd: as of ``Spending``, everything together;
            ``answers_usd`` is None in runs of earlier versions.
        spending: the same by what was paid for: a split's name, ``written``
            (demonstrations) or ``variants`` (in the student stage for which the augmenter
            made them); empty where nothing cost anything.
        seconds: wall-clock time of the actor's work on the pool.
    """

    stage: str
    round: int
    actor: Literal["annotator", "student"]
    n: int
    abstained: int
    annotated: int
    unlabelled: int = 0
    transductive: Score | None
    inductive: Score | None
    validation: Score | None = None
    inductive_without_leaked: Score | None = None
    answered: float | None = None
    confidence: float | None = None
    agreement: float | None = None
    where_answered: float | None = None
    combined: float | None = None
    noise: float | None = None
    selection: SelectionResult | None = None
    requests: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    answers_usd: float | None = None
    spending: Mapping[str, Spending] = {}
    seconds: float = 0.0

    @property
    def answered_score(self) -> float | None:
        """The score on the examples of the pool that the annotator answered."""
        if self.where_answered is not None or self.transductive is None:
            return self.where_answered
        return self.transductive.answered


class RunResult(_Record):
    """A finished run: ``result.json``.

    Attributes:
        labels: names of the task's labels, in their order; empty in runs of earlier versions.
        cost_usd, answers_usd: of all stages.
        leaked: test rows that ``inductive_without_leaked`` leaves out; None unless
            ``without_leaked`` is set and there is a test set.
    """

    model_config = ConfigDict(alias_generator=lambda name: name.rstrip("_"), populate_by_name=True)

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
    answers_usd: float | None = None
    stages: Sequence[StageResult] = Field(min_length=1)
    leaked: int | None = None
    labels: Sequence[str] = ()

    def to_json(self) -> str:
        """The object that ``harness run --json`` prints and ``result.json`` holds."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), ensure_ascii=False)


def load_stages(file: Path) -> list[StageResult]:
    """Read a ``stages.jsonl``, whose errors are those of ``json`` and pydantic."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [StageResult.model_validate_json(line) for line in lines]


def load_result(file: Path) -> RunResult:
    """Read a ``result.json``; ``CorruptRunError`` if it is damaged, else as ``check_schema``."""
    try:
        return RunResult.model_validate(read_json(file))
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    except (OSError, ValueError, RecursionError) as error:
        problem = f"not a readable result ({error})"
    raise CorruptRunError(f"{file}: {problem}; run the same command with --fresh")


def read_json(file: Path) -> Any:
    """The values of a JSON file, after ``check_schema``."""
    values = json.loads(file.read_text(encoding="utf-8"))
    check_schema(values, file)
    return values


def check_schema(values: object, file: Path) -> None:
    """``CorruptRunError`` for a file without schema version, ``NewerRunError`` for a newer one."""
    schema = values.get("schema") if isinstance(values, dict) else None
    if not isinstance(schema, int):
        raise CorruptRunError(f"{file}: has no schema version; run the same command with --fresh")
    if schema > SCHEMA:
        raise NewerRunError(
            f"{file}: written by a newer harness (schema {schema}; this one reads {SCHEMA}); "
            "upgrade freeal-harness, or use another --out"
        )


class Watcher:
    """Watches a run. This one ignores everything; others override what they show."""

    def began(self, stage: str, actor: str, activity: str) -> None:
        """A stage begins an activity (``annotating train``, ``training``, ...)."""

    def advanced(self, done: int, total: int) -> None:
        """The activity has done some of its work."""

    def finished(self, stage: StageResult) -> None:
        """A stage has its result (also one that an earlier process recorded)."""

    def noted(self, message: str) -> None:
        """Something the user should know, on one line."""
