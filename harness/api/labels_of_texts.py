"""``label``: labels for the texts of a file, without any label to begin with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
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
    from harness.label.request import Prepared


@dataclass(frozen=True)
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
    from harness.label.review import read_review
    from harness.run.single import run_single

    places = {key: given[key] and Path(given[key]) for key in ("output", "review", "model")}
    outputs = Outputs(**places, check=check)
    outputs.refuse_existing(Path(file))
    # No folder of data is read, not even that of HARNESS_DATA.
    asked = wanted(given, config=None, settings=settings, data=".", out=out, plugins=plugins)
    prepared = _prepared(Path(file), given, asked)
    outputs.refuse_model(prepared)
    own, texts = prepared.parts.task, prepared.texts
    person, notes = read_review(outputs.review, texts, own.card), texts.notes()
    if confirm is not None:
        confirm(prepared)
    watching = partial(watched, progress, notes=notes)
    known = asked.plugins
    made = run_single(prepared.config, known, None, asked.out, watching, fresh=fresh)
    run = Run(*made, tuple(notes))
    found = labelled(run.records, own, texts, person.gold, person.checked)
    outputs.write(found, run.records, known)
    return LabelledTexts(found, run, run.notes)


def _prepared(file: Path, given: Mapping[str, Any], asked: Wanted) -> Prepared:
    """The run that the arguments of ``label`` ask for."""
    from harness.label.request import prepare

    if sum(bool(given[one]) for one in ("labels", "types", "task")) != 1:
        raise CommandError("label: give labels, types or task, one of the three")
    named, columns = given["types"] or given["labels"], given["columns"] or {}
    if isinstance(named, str):
        raise CommandError(f"label: {named!r} is one text; give a list of names, or a mapping")
    if wrong := set(columns) - {"text", "label"}:
        raise CommandError(f"label: columns: {wrong.pop()!r}: the keys are text and label")
    kept = {"student.save": True} if given["model"] else {}
    return prepare(
        file,
        dict(named) if isinstance(named, Mapping) else dict.fromkeys(named, ""),
        "token" if given["types"] else "sequence",
        asked.plugins,
        task=given["task"],
        columns=columns,
        options={**asked.values, **kept},
        settings=asked.settings,
        strict=given["strict"],
        out=asked.out,
    )
