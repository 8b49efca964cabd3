"""A run's student as a folder that ``transformers`` loads, with a model card."""

from __future__ import annotations

from pathlib import Path

from harness import abilities
from harness.errors import CommandError, RunError
from harness.export.model_card import model_card
from harness.export.reproducing import command_of
from harness.plugin_manager import Plugins
from harness.record import layout
from harness.record.finished import FinishedRun
from harness.record.folder import new_folder
from harness.run.assembly import load_task, student_of
from harness.run.contracts import blaming


def check_empty(target: Path, option: str = "--model") -> None:
    """Raise a ``CommandError`` that names the option, for a file or a folder with files."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        what = "holds files already" if target.is_dir() else "is not a folder"
        raise CommandError(f"{option} {target}: {what}; choose a new or an empty folder")


def check_exports(student: object, spec: str) -> None:
    """Raise a ``CommandError`` for a student that is known to make no model to export."""
    if not abilities.exports(student):
        raise _no_model(spec)


def _no_model(spec: str) -> CommandError:
    return CommandError(
        f"student {spec!r} cannot be exported: it is no model of transformers, as minilm and other "
        "encoders are"
    )


def export_model(run: FinishedRun, plugins: Plugins, target: Path) -> None:
    """Write the run's kept student (``student.save``) to a new or empty folder, atomically.

    Needs no data. ``RunError`` if the student was not kept, is damaged, or cannot be written;
    ``CommandError`` if it is no model of ``transformers``.
    """
    path = run.folder.path
    card = load_task(run.config.task, plugins, None, declaration_only=True).card
    labels = [label.name for label in card.labels]
    last = run.result.stages[-1].transductive
    if labels != list(run.result.labels or (last.per_label if last else labels)):
        raise RunError(f"{path}: task {card.name!r} had other labels when this run was made")
    student, spec = student_of(run.config, card, plugins), run.config.student.spec or ""
    if not run.folder.has(layout.STUDENT):
        raise RunError(
            f"{path}: its student was not kept; the same harness run command with --set "
            "student.save=true trains it once more, without any annotation, and keeps it"
        )
    with blaming(f"student {spec!r}"):
        fitted = run.folder.read_folder(layout.STUDENT, student.load)
    export = abilities.exporter(fitted)
    if export is None:
        raise _no_model(spec)
    keeping = run.config.student.model_copy(update={"save": True})
    config = run.config.model_copy(update={"student": keeping})
    text = model_card(run.result, card, command_of(config, card, plugins))

    def write(folder: Path) -> None:
        export(folder)
        (folder / "README.md").write_text(text, encoding="utf-8")

    try:
        new_folder(target, write)
    except OSError as error:
        raise RunError(f"{target}: cannot be written ({error.strerror or error})") from None
