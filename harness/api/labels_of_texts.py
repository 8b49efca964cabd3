"""``label``: labels for the texts of a file, without any label to begin with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.finished_runs import Run
from harness.api.frame import Frame, Framed
from harness.api.wanted import Wanted, wanted
from harness.api.watching import Progress, watched
from harness.errors import CommandError
from harness.plugin_manager import Plugins
from harness.record.layout import RUNS

if TYPE_CHECKING:
    from harness.label.labelling import Labelled
    from harness.label.request import Prepared, Request


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
    output: Path | str | None = None,
    review: Path | str | None = None,
    check: int = 0,
    model: Path | str | None = None,
    out: Path | str = RUNS,
    plugins: Plugins | Sequence[object] = (),
    fresh: bool = False,
    confirm: Callable[[Prepared], None] | None = None,
    progress: Progress = False,
) -> LabelledTexts:
    """Label the texts of a file; ``harness label`` calls this.

    Args:
        file: .csv .tsv .jsonl .json .parquet .xlsx, .txt (a text a line).
        labels: their names, or names with what they mean.
        types: entity types, instead.
        task: spec of a task whose labels and prompt are used, instead.
        columns: ``{"text": NAME, "label": NAME}``.
        annotator, student, rounds, seed, budget_usd, settings, out, plugins: as of ``run``.
        strict: refuse a file with rows that cannot be used.
        output: a file to write the rows to, with the columns that are added.
        review: a file for a person to review labels in: written if it is new, else what was
            filled in is taken. It begins with ``check`` rows drawn at random.
        model: a folder for the student's model.
        fresh: begin anew.
        confirm: called before anything is sent; what it raises ends the call. ``steps()`` of its
            argument say what would be sent, at which price. None: nothing asks before a language
            model is paid, so set ``budget_usd``.
        progress: as of ``run``.

    Raises:
        HarnessError: one line on what is wrong.
    """
    given = dict(locals())
    from harness.label.labelling import labelled
    from harness.label.outputs import Outputs
    from harness.label.request import prepare, run_of
    from harness.label.review import read_review

    rows, to_review, folder = (
        None if one is None else Path(one) for one in (output, review, model)
    )
    outputs = Outputs(rows, to_review, folder, check)
    outputs.refuse_existing(Path(file))
    # No folder of data is read, not even that of HARNESS_DATA.
    asked = wanted(given, config=None, settings=settings, data=".", out=out, plugins=plugins)
    prepared = prepare(_request(Path(file), given, asked), asked.plugins)
    outputs.refuse_model(prepared)
    own, texts = prepared.parts.task, prepared.texts
    person, notes = read_review(outputs.review, texts, own.card), texts.notes()
    if confirm is not None:
        confirm(prepared)
    run = run_of(prepared, asked.plugins, lambda name: watched(progress, name, notes), fresh=fresh)
    found = labelled(run, own, texts, person.gold, person.checked)
    outputs.write(found, run, asked.plugins)
    return LabelledTexts(found, Run(run.result, run.folder.path), tuple(notes))


def _request(file: Path, given: Mapping[str, Any], asked: Wanted) -> Request:
    """What to label, and how, by the arguments of ``label``."""
    from harness.label.request import Request

    if sum(bool(given[one]) for one in ("labels", "types", "task")) != 1:
        raise CommandError("label: give labels, types or task, one of the three")
    named = given["types"] or given["labels"]
    kept = {"student.save": True} if given["model"] else {}
    return Request(
        file,
        dict(named) if isinstance(named, Mapping) else dict.fromkeys(named, ""),
        "token" if given["types"] else "sequence",
        given["task"],
        columns=given["columns"] or {},
        options={**asked.values, **kept},
        settings=asked.settings,
        strict=given["strict"],
        out=asked.out,
    )
