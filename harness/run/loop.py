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

from harness.config import Config, to_toml
from harness.plugin_manager import Plugins
from harness.progress import Watcher
from harness.protocols import Account, FromGold, Parts, Paying
from harness.record.folder import RunFolder
from harness.record.provenance import other_code, outdated, provenance
from harness.results import SCHEMA, RunResult, StageResult, load_result
from harness.run.kept_student import keep_student
from harness.run.ledger import Counting
from harness.run.splits import Splits
from harness.run.stages import Stages

__all__ = ["run"]

RESULT = "result.json"


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
) -> RunResult:
    """Do a run, or what is left of it, and write its result.

    Args:
        parts: assembled from the configuration.
        config: resolved; with the data it decides every number.
        splits: the data, drawn by the seed.
        folder: locked by this process; recorded steps in it are not done again.
        run_id: the folder's name.
        replies: the file of every reply that a language model ever gave, for all runs.
        plugins: whose observers are told.
        watcher: sees the progress.

    Raises:
        HarnessError: naming what is wrong. What was recorded stays.
    """
    if folder.has(RESULT):
        result = folder.read(RESULT, load_result)
        watcher.noted(_found(outdated(result, plugins)))
        for stage in result.stages:
            watcher.finished(stage)
        keep_student(Stages(parts, config, splits, folder, watcher, Counting()))
        plugins.notify("harness_run_finished", result=result, folder=folder.path)
        return result
    try:
        counting = Counting()
        budget, record = config.budget_usd, lambda: counting.record
        with _paying(parts, Account(run_id, replies, budget, watcher.noted, record)):
            for note in splits.notes:
                watcher.noted(note)
            _begin(parts, config, folder, run_id, watcher, plugins)
            plugins.notify("harness_run_started", config=config, folder=folder.path)
            stages = Stages(parts, config, splits, folder, watcher, counting)
            result = _result(stages, run_id, _rounds(stages, plugins))
        keep_student(stages)
        folder.write_text(RESULT, result.to_json() + "\n")
    except BaseException as error:
        plugins.notify("harness_run_failed", error=error, folder=folder.path)
        raise
    plugins.notify("harness_run_finished", result=result, folder=folder.path)
    return result


@contextmanager
def _paying(parts: Parts, account: Account) -> Iterator[None]:
    """The annotator and the augmenter opened for the run, if a service answers for them."""
    with ExitStack() as stack:
        for part in (parts.annotator, parts.augmenter):
            if isinstance(part, Paying):
                stack.enter_context(part.open(account))
        yield


def _rounds(stages: Stages, plugins: Plugins) -> list[StageResult]:
    folder, watcher = stages.folder, stages.watcher
    recorded: list[StageResult] = []
    feedback = None
    for round_ in range(stages.config.rounds):
        annotated, annotator_stage = stages.annotate(round_, feedback)
        _record(folder, recorded, annotator_stage, watcher)
        trained = stages.train(round_, annotated.train)
        feedback, student_stage = stages.select(round_, annotated.train, trained)
        _record(folder, recorded, student_stage, watcher)
        plugins.notify("harness_round_finished", round=round_, stages=recorded[-2:])
    return recorded


def _found(changed: Sequence[str]) -> str:
    """What the user should know of a run that is finished."""
    if not changed:
        return "this run is finished and was not run again; --fresh begins it anew"
    return (
        f"this run is finished, but was made by other code than today's of {', '.join(changed)}; "
        "--fresh makes it anew"
    )


def _begin(
    parts: Parts,
    config: Config,
    folder: RunFolder,
    run_id: str,
    watcher: Watcher,
    plugins: Plugins,
) -> None:
    """Write the configuration and the manifest, or check those of an earlier process."""
    current = provenance(parts)
    if not folder.has("config.toml"):
        folder.write_text("config.toml", to_toml(config))
    folder.read("config.toml", lambda path: path)  # damaged, it must not pass for this run's
    if not folder.has("manifest.json"):
        begun = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        manifest = {
            "schema": SCHEMA,
            "run_id": run_id,
            "begun": begun,
            "supervised": _supervised(parts),
            "provenance": current,
        }
        folder.write_text("manifest.json", json.dumps(manifest, indent=1) + "\n")
        return
    earlier = folder.read_json("manifest.json")["provenance"]
    for key in ("harness", "git", "python", "packages"):
        if earlier.get(key) != current[key]:
            watcher.noted(
                f"this run was begun with another {key} ({_short(earlier.get(key))}, now "
                f"{_short(current[key])}); --fresh begins it anew"
            )
    if changed := other_code(earlier, config.model_dump(), plugins):
        watcher.noted(
            f"this run was begun with other code of {', '.join(changed)}; what is recorded is "
            "kept; --fresh begins it anew"
        )


def _supervised(parts: Parts) -> bool:
    """Whether gold labels have a part in the annotations."""
    annotator = parts.annotator
    return annotator.needs_gold or (isinstance(annotator, FromGold) and annotator.from_gold)


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else "..."


def _record(
    folder: RunFolder, recorded: list[StageResult], stage: StageResult, watcher: Watcher
) -> None:
    """Add a stage to ``stages.jsonl`` (rewritten whole: a torn line cannot occur)."""
    recorded.append(stage)
    lines = [json.dumps({"schema": SCHEMA, **one.model_dump(mode="json")}) for one in recorded]
    folder.write_text("stages.jsonl", "\n".join(lines) + "\n")
    watcher.finished(stage)


def _result(stages: Stages, run_id: str, results: Sequence[StageResult]) -> RunResult:
    card = stages.task
    return RunResult(
        run_id=run_id,
        task=card.name,
        kind=card.kind,
        metric=card.metric,
        supervised=_supervised(stages.parts),
        config=stages.config.model_dump(mode="json"),
        provenance=provenance(stages.parts) | {"data": stages.splits.described()},
        seconds=sum(stage.seconds for stage in results),
        cost_usd=sum(stage.cost_usd for stage in results),
        stages=results,
        leaked=stages.scorer.leaked,
    )
