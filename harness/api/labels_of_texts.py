"""``label``: labels for the texts of a file, without any label to begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.finished_runs import Run
from harness.api.frame import Frame, Framed
from harness.api.wanted import wanted
from harness.api.watching import Progress, watched
from harness.errors import CommandError
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from harness.label.labelling import Labelled


@dataclass(frozen=True, slots=True)
class LabelledTexts(Framed):
    """Attributes: what each row was given, the run that gave it, its notes."""

    labelled: Labelled
    run: Run
    notes: tuple[str, ...] = ()

    @property
    def frame(self) -> Frame:
        """All rows and columns of the file, and the columns that are added."""
        return Frame.of(list(self.labelled.rows()), str(self.labelled.texts.file.path))


def label(
    file: Path | str,
    labels: Sequence[str] | Mapping[str, str] = (),
    *,
    types: Sequence[str] | Mapping[str, str] = (),
    task: str | None = None,
    columns: Mapping[str, str] | None = None,
    annotator: str | None = None,
    student: str | None = None,
    rounds: int | None = None,
    seed: int | None = None,
    budget_usd: float | None = None,
    settings: Mapping[str, Any] | Sequence[str] = (),
    strict: bool = False,
    out: Path | str = RUNS,
    plugins: Sequence[object] = (),
    fresh: bool = False,
    progress: Progress = False,
) -> LabelledTexts:
    """Label the texts of a file, as ``harness label`` does, but without its files and questions.

    Nothing asks before a language model is paid: set ``budget_usd``.

    Args:
        file: .csv .tsv .jsonl .json .parquet .xlsx, .txt (a text a line).
        labels: their names, or names with what they mean.
        types: entity types, instead.
        task: spec of a task whose labels and prompt are used, instead.
        columns: ``{"text": NAME, "label": NAME}``.
        annotator, student, rounds, seed, budget_usd, settings, out, plugins: as of ``run``.
        strict: refuse a file with rows that cannot be used.
        fresh: begin anew.
        progress: as of ``run``.

    Raises:
        HarnessError: one line on what is wrong.
    """
    from harness.label.labelling import labelled
    from harness.label.request import Request, prepare, run_of

    if sum(map(bool, (labels, types, task))) != 1:
        raise CommandError("label: give labels, types or task, one of the three")
    options = {"rounds": rounds, "seed": seed, "budget_usd": budget_usd}
    parts = {"annotator": annotator, "student": student}
    asked = wanted(
        options | parts, config=None, settings=settings, data=None, out=out, plugins=plugins
    )
    named = types or labels
    means = dict(named) if isinstance(named, Mapping) else dict.fromkeys(named, "")
    request = Request(
        Path(file),
        means,
        "token" if types else "sequence",
        task,
        columns=dict(columns or {}),
        options=asked.values,
        settings=asked.settings,
        strict=strict,
        out=asked.out,
    )
    prepared = prepare(request, asked.plugins)
    notes = list(prepared.texts.notes())
    with watched(progress, prepared.name, notes) as watcher:
        run = run_of(prepared, asked.plugins, watcher, fresh=fresh)
    given = labelled(run, prepared.parts.task, prepared.texts)
    return LabelledTexts(given, Run(run.result, run.folder.path), tuple(notes))
