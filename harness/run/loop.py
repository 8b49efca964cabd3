"""The loop: annotator, student and selector teach each other, round after round.

Stages as in FreeAL (Xiao et al., EMNLP 2023): R0 or R1 annotator, R2 student, R3
annotator again with the student's feedback, R4 student, and so on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness import abilities
from harness.config import Config, to_toml
from harness.errors import DataError
from harness.plugin_manager import Plugins
from harness.protocols import Account, Parts
from harness.record import layout
from harness.record.folder import RunFolder
from harness.record.outcomes import write_outcomes
from harness.record.provenance import outdated, provenance, reads_gold
from harness.results import SCHEMA, RunResult, StageResult, Watcher, load_result
from harness.run.annotating import annotate, start_of
from harness.run.kept_student import keep_student
from harness.run.scoring import Scored, Scorer
from harness.run.selecting import select
from harness.run.splits import Splits
from harness.run.steps import Run, Sharing
from harness.run.training import train


def run(
    parts: Parts,
    config: Config,
    splits: Splits,
    folder: RunFolder,
    *,
    run_id: str,
    replies: Path,
    plugins: Plugins,
    watcher: Watcher,
    sharing: Sharing | None = None,
) -> RunResult:
    """Do a run, or what is left of it, and write its result.

    Args:
        parts: assembled from the configuration.
        config: resolved; with the data it decides every number.
        splits: the data, drawn by the seed.
        folder: locked by this process; recorded steps in it are not done again.
        run_id: the folder's name.
        replies: the file of all replies of language models, shared by all runs.
        plugins: their observers are called.
        watcher: receives the progress.
        sharing: what the run has in common with the others of a sweep.
    """
    sharing = sharing or Sharing()
    whole = Run(parts, config, splits, folder, watcher, sharing.ledger, sharing.store)
    if folder.has(layout.RESULT):
        result = _found(whole, plugins)
    else:
        budget, record = config.budget_usd, lambda: whole.ledger.record
        account = Account(run_id, replies, budget, watcher.noted, record, sharing.together)
        try:
            result = _done(whole, account, plugins)
        except BaseException as error:
            plugins.notify("harness_run_failed", error=error, folder=folder.path)
            raise
    plugins.notify("harness_run_finished", result=result, folder=folder.path)
    return result


def _found(run: Run, plugins: Plugins) -> RunResult:
    """The result of a run that is finished."""
    result = run.folder.read(layout.RESULT, load_result)
    changed = ", ".join(outdated(result, plugins))
    run.watcher.noted(
        f"this run is finished, but was made by other code of {changed}; --fresh makes it anew"
        if changed
        else "this run is finished and was not run again; --fresh makes it anew"
    )
    for stage in result.stages:
        run.watcher.finished(stage)
    keep_student(run)
    return result


def _done(run: Run, account: Account, plugins: Plugins) -> RunResult:
    _refuse_without_gold(run)
    with _opened(run.parts, account):
        for note in run.splits.notes:
            run.watcher.noted(note)
        _begin(run, account.run_id)
        plugins.notify("harness_run_started", config=run.config, folder=run.folder.path)
        scorer = Scorer(run.task, run.splits, without_leaked=run.config.without_leaked)
        stages = _rounds(run, scorer, plugins)
        result = _result(run, account.run_id, stages, scorer.leaked)
    keep_student(run)
    run.folder.write_text(layout.RESULT, result.to_json() + "\n")
    return result


def _rounds(run: Run, scorer: Scorer, plugins: Plugins) -> list[StageResult]:
    done: list[StageResult] = []
    start, feedback = start_of(run), None
    for round_ in range(run.config.rounds):
        annotated = annotate(run, round_, start, feedback)
        _report(run, done, scorer.annotator_stage(annotated))
        trained = train(run, round_, annotated.train)
        feedback = select(run, round_, annotated.train, annotated.times, trained)
        _report(run, done, scorer.student_stage(round_, annotated.train, trained, feedback))
        plugins.notify("harness_round_finished", round=round_, stages=done[-2:])
    return done


@contextmanager
def _opened(parts: Parts, account: Account) -> Iterator[None]:
    """Open the annotator and the augmenter for the run, if they ask a service."""
    with ExitStack() as stack:
        for part in (parts.annotator, parts.augmenter):
            stack.enter_context(abilities.opened(part, account))
        yield


def _begin(run: Run, run_id: str) -> None:
    """Write the configuration and the manifest, or check those of an earlier process."""
    folder, current = run.folder, provenance(run.parts)
    if not folder.has(layout.CONFIG):
        folder.write_text(layout.CONFIG, to_toml(run.config))
    folder.read(layout.CONFIG, lambda path: path)  # a damaged one stops the run
    if not folder.has(layout.MANIFEST):
        manifest = {
            "schema": SCHEMA,
            "run_id": run_id,
            "begun": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "supervised": bool(reads_gold(run.parts)),
            "provenance": current,
        }
        folder.write_text(layout.MANIFEST, json.dumps(manifest, indent=1) + "\n")
        return
    earlier = folder.read_json(layout.MANIFEST)["provenance"]
    for key in ("harness", "git", "python", "packages"):
        if earlier.get(key) != current[key]:
            run.watcher.noted(
                f"this run was begun with another {key} ({_short(earlier.get(key))}, now "
                f"{_short(current[key])}); --fresh makes it anew"
            )


def _refuse_without_gold(run: Run) -> None:
    """Refuse parts that read gold labels where examples have none."""
    if abilities.needs_gold(run.parts.trust) and not run.splits.train.gold.known.any():
        raise DataError(
            f"selector.trust = {run.config.selector.trust!r} reads gold labels, but train has "
            "none; label some, or choose another selector of trust"
        )
    if not run.parts.annotator.needs_gold:
        return
    for name, split in {"train": run.splits.train, **run.splits.scored}.items():
        if missing := int((~split.gold.known).sum()):
            raise DataError(
                f"annotator {run.config.annotator.spec!r} reads gold labels, but {missing} of "
                f"{len(split.gold)} rows of {name} have none; label them, or choose another "
                "annotator"
            )


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else "..."


def _report(run: Run, done: list[StageResult], scored: Scored) -> None:
    """Record a stage; its file is rewritten whole, so no line is ever half-written."""
    stage = scored.stage
    done.append(stage)
    if scored.outcomes:
        name = layout.outcomes(stage.stage)
        run.folder.write(name, lambda path: write_outcomes(path, scored.outcomes))
    lines = [json.dumps({"schema": SCHEMA, **one.model_dump(mode="json")}) for one in done]
    run.folder.write_text(layout.STAGES, "\n".join(lines) + "\n")
    for note in scored.notes:
        run.watcher.noted(note)
    run.watcher.finished(stage)


def _result(run: Run, run_id: str, stages: Sequence[StageResult], leaked: int | None) -> RunResult:
    card = run.task
    return RunResult(
        run_id=run_id,
        task=card.name,
        kind=card.kind,
        metric=card.metric,
        supervised=bool(reads_gold(run.parts)),
        config=run.config.model_dump(mode="json"),
        provenance=provenance(run.parts) | {"data": run.splits.described()},
        seconds=sum(stage.seconds for stage in stages),
        cost_usd=sum(stage.cost_usd for stage in stages),
        answers_usd=sum(stage.answers_usd or 0.0 for stage in stages),
        stages=stages,
        leaked=leaked,
        labels=[label.name for label in card.labels],
    )
