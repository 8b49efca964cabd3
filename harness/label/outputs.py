"""The files that labelling writes for a user: refused before any work, written after it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import CommandError
from harness.export.model_export import check_empty, check_exports, export_model
from harness.export.rows import check_new, write_rows
from harness.files.user_file import columns_of
from harness.label.labelling import COLUMNS, Labelled
from harness.label.request import Prepared
from harness.label.review import write_review
from harness.plugin_manager import Plugins
from harness.record.finished import FinishedRun


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where to write what; None: nowhere.

    Attributes:
        output: the user's rows with the columns that are added.
        review: new: for a person to fill in; existing: it stays as it is.
        model: folder of the student's model.
        check: how many rows, drawn at random, the review begins with.
    """

    output: Path | None = None
    review: Path | None = None
    model: Path | None = None
    check: int = 0

    def refuse_existing(self, file: Path) -> None:
        """A ``CommandError`` if a file but rows of an earlier call would be written over."""
        if self.check < 0:
            raise CommandError(f"--check {self.check}: write a number of rows, 0 or more")
        if self.check and self.review is None:
            raise CommandError("--check N: needs --review FILE, where those rows are to be checked")
        if self.review is not None and not self.review.exists():
            check_new(self.review, "--review")
        for other, what in ((file, "texts itself"), (self.review, "--review, too")):
            if self.output and other and self.output.resolve() == other.resolve():
                raise CommandError(f"-o {self.output}: is the file of {what}; choose another name")
        if self.output is not None and not (self.output.exists() and _ours(self.output)):
            check_new(self.output, "-o")

    def refuse_model(self, prepared: Prepared) -> None:
        """A ``CommandError`` if the run's student could not be exported to the folder."""
        if self.model is not None:
            check_exports(prepared.parts.student, prepared.config.student.spec or "")
            if not _has_model(self.model, prepared.name):
                check_empty(self.model)

    def write(self, found: Labelled, run: FinishedRun, plugins: Plugins) -> None:
        """Write what is not there yet; rows anew."""
        if self.output is not None:
            write_rows(self.output, found.rows(), found.types())
        if self.review is not None and not self.review.exists():
            write_review(self.review, found, self.check, run.config.seed)
        if self.model is not None and not _has_model(self.model, run.result.run_id):
            export_model(run, plugins, self.model)


def _ours(file: Path) -> bool:
    """Whether a file has the columns of an earlier call."""
    return set(COLUMNS) <= {name.removesuffix("_given") for name in columns_of(file)}


def _has_model(folder: Path, run_id: str) -> bool:
    """Whether the folder holds this run's model already."""
    card = folder / "README.md"
    return card.is_file() and run_id in card.read_text(encoding="utf-8")
