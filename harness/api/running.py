"""``run``: the whole loop on one task; ``load_task``: a task with its pools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.finished_runs import Run
from harness.api.wanted import data_folder, plugins_with, wanted
from harness.api.watching import Progress, watched
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from harness.plugin_manager import Plugins
    from harness.protocols import AnyAnnotator, SelectorPreset, Student, Task


def run(
    task: str | Task | None = None,
    annotator: str | AnyAnnotator | None = None,
    student: str | Student | None = None,
    selector: str | SelectorPreset | None = None,
    *,
    rounds: int | None = None,
    seed: int | None = None,
    setting: str | None = None,
    limit: int | None = None,
    budget_usd: float | None = None,
    config: Path | str | None = None,
    settings: Mapping[str, Any] | Sequence[str] = (),
    data: Path | str | None = None,
    out: Path | str = RUNS,
    plugins: Plugins | Sequence[object] = (),
    fresh: bool = False,
    progress: Progress = False,
) -> Run:
    """Annotate, train, select, and again; as ``harness run``, which calls this.

    The same call goes on with a run that was stopped, and finds one that is finished.

    Args:
        task, annotator, student, selector: specs, or objects of the classes in
            ``harness.protocols``; None: the defaults. An object belongs to the run's identity
            by its source and its state, or by its attribute ``fingerprint``.
        rounds, seed, setting, limit, budget_usd: keys of the configuration.
        config: a TOML file of such keys.
        settings: other keys, ``{"student.epochs": 3}`` or ``["student.epochs=3"]``; the values of
            ``student.augmenter`` and ``selector.ROLE`` may be objects, too.
        data: folder of data.
        out: where runs are kept.
        plugins: modules, files, or objects with hooks.
        fresh: begin anew, forgetting what is recorded.
        progress: True shows a line a stage, in a notebook in one place. Otherwise nothing is
            printed; notes are in the result.

    Raises:
        HarnessError: one line on what is wrong; what was recorded stays.
    """
    given = dict(locals())
    from harness.run.single import run_single

    asked = wanted(given, config=config, settings=settings, data=data, out=out, plugins=plugins)
    notes = [str(problem) for problem in asked.plugins.problems]
    result, path = run_single(
        asked.config(),
        asked.plugins,
        asked.data,
        asked.out,
        lambda name: watched(progress, name, notes),
        fresh=fresh,
    )
    return Run(result, path, tuple(notes))


def load_task(
    task: str | None = None,
    *,
    data: Path | str | None = None,
    plugins: Sequence[object] = (),
    declaration_only: bool = False,
) -> Task:
    """A task by its spec: ``card``, ``load(split)`` and, apart, ``gold(split)``.

    ``declaration_only``: its data may be missing.

    Raises:
        HarnessError: if there is no such task, or its data is wrong.
    """
    from harness.run.assembly import load_task

    folder = data_folder(data)
    return load_task(task, plugins_with(plugins), folder, declaration_only=declaration_only)
