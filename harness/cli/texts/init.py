"""``harness init``: a task of one's own, from a file and some questions."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from harness.cli.options import load_plugins
from harness.cli.screen.output import console, hanging, note, say
from harness.cli.texts.naming import (
    AnnotatorOption,
    ColumnOption,
    DescribeOption,
    LabelsOption,
    StudentOption,
    Text,
    TypesOption,
    columns_of,
    listed,
    names_of,
    refuse,
)
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.data import Kind
    from harness.label.texts import Texts
    from harness.plugin_manager import Plugins

T = TypeVar("T")
SHOWN = 5
"""Rows that are shown as they are read."""
TRIED = 50
"""Rows of a first try."""


def init(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="Texts: .csv .tsv .jsonl .json .parquet .xlsx, .txt (one a line)."
        ),
    ] = None,
    folder: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where to write (here).")
    ] = Path(),
    labels: LabelsOption = None,
    types: TypesOption = None,
    describe: DescribeOption = None,
    column: ColumnOption = None,
    annotator: AnnotatorOption = None,
    student: StudentOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; take what is usual.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Begin a task of your own: write task.toml, config.toml and train.jsonl from a file of texts.

    What is not given by options is asked. Shows how five rows are read and the prompt that they
    make, and offers to try 50 rows. harness run --task task.toml --config config.toml goes on.
    """
    from harness.label.beginning import CONFIG, begun, refuse_existing, usual_parts, write_all
    from harness.label.task_folder import DECLARATION

    if not yes and not sys.stdin.isatty():
        refuse("no terminal to ask on; name FILE and --labels, and say --yes")
    if not force:
        refuse_existing(folder)
    plugins = load_plugins()
    ask = _Asker(yes=yes)
    file = file or ask.until("File of texts", None, lambda said: Path(said), "name FILE")
    columns = _columns(file, columns_of(column), ask)
    named, kind = _labels(file, columns, labels, types, describe or [], ask)
    texts = _read(file, columns, list(named), kind)
    usual, learner = usual_parts(plugins)
    specs = []
    for role, given, default in (("annotator", annotator, usual), ("student", student, learner)):
        specs.append(ask.part(role, given, default, plugins))
    files = begun(texts, named, kind, specs[0], specs[1], folder)
    _show(files, plugins)
    write_all(folder, files)
    say(f"written: {', '.join(str(folder / name) for name in files)}")
    task, config = folder / DECLARATION, folder / CONFIG
    if ask.confirms(f"Try it on {TRIED} rows now?"):
        _try(task, config)
    say(f"go on: harness run --task {task} --config {config}")


class _Asker:
    """Asks on the terminal; with ``yes`` it takes the default, or refuses where there is none."""

    def __init__(self, *, yes: bool) -> None:
        self._yes = yes

    def until(self, question: str, default: Text, read: Callable[[str], T], option: str) -> T:
        """What ``read`` makes of the answer; asked again while it raises a ``HarnessError``."""
        if self._yes:
            return read(default) if default is not None else refuse(f"--yes: {option}")
        while True:
            try:
                return read(typer.prompt(question, default=default, err=True))
            except HarnessError as error:
                note(str(error))

    def confirms(self, question: str) -> bool:
        """Whether the answer is yes; with ``yes`` nobody is asked, and it is no."""
        return not self._yes and typer.confirm(question, default=True, err=True)

    def part(self, role: str, given: Text, default: Text, plugins: Plugins) -> str:
        """The spec of a part that is registered."""

        def checked(spec: str) -> str:
            plugins.find(role, spec)
            return spec

        if given is not None:
            return checked(given)
        return self.until(f"{role.capitalize()}", default, checked, f"say --{role} SPEC")


def _columns(file: Path, given: Mapping[str, str], ask: _Asker) -> dict[str, str]:
    """The columns of the text and, where the user names one, of known labels."""
    from harness.errors import CommandError
    from harness.files.user_file import columns_of as columns_in
    from harness.files.user_file import read_rows

    found = dict(given)
    there = columns_in(file)
    if "text" not in found and len(there) > 1:
        try:
            default: Text = read_rows(file).text
        except CommandError:
            default = None
        question = f"Column of the texts ({', '.join(there)})"
        found["text"] = ask.until(
            question, default, lambda name: read_rows(file, name).text, "say --column text=NAME"
        )
    return found


def _labels(
    file: Path,
    columns: Mapping[str, str],
    labels: Text,
    types: Text,
    describe: list[str],
    ask: _Asker,
) -> tuple[dict[str, str], Kind]:
    """Names of labels or entity types, with their descriptions, and the kind of task."""
    if types is not None:
        return names_of(labels, types, None, describe), "token"
    if labels is None:
        known = ",".join(_known(file, columns)) or None
        labels = ask.until("Labels, separated by commas", known, _several, "say --labels A,B,C")
    named = names_of(labels, types, None, describe)
    if ask.confirms("Describe the labels? Descriptions help whoever labels."):
        for name in named:
            named[name] = ask.until(
                f"{name} means", named[name] or name, lambda said: said, "--describe"
            )
    return named, "sequence"


def _several(text: str) -> str:
    if len(listed(text)) < 2:
        refuse("name at least two labels, separated by commas")
    return text


def _known(file: Path, columns: Mapping[str, str]) -> list[str]:
    """The labels that the column of known labels has."""
    from harness.files.user_file import read_rows
    from harness.label.beginning import labels_in

    if "label" not in columns:
        return []
    return labels_in(
        [row.get(columns["label"]) for _, row in read_rows(file, columns["text"]).rows()]
    )


def _read(file: Path, columns: Mapping[str, str], labels: list[str], kind: Kind) -> Texts:
    """Read the file, and show its first rows."""
    from harness.label.texts import read_texts

    texts = read_texts(file, columns, labels, kind)
    for line in texts.notes():
        note(line)
    say(f"{len(texts.texts)} texts of {len(texts.rows)} rows; the first:")
    for row, text in list(texts.texts.items())[:SHOWN]:
        known = f" [{texts.gold[row]}]" if row in texts.gold else ""
        hanging(f"{texts.places[row]}{known}: ", " ".join(text.split()))
    return texts


def _show(files: Mapping[str, str], plugins: Plugins) -> None:
    """The prompt that the task makes, from a copy of it that is removed again."""
    from harness.cli.inspect.show import show_prompt
    from harness.config import load_config
    from harness.label.beginning import CONFIG, sends_prompts, write_all
    from harness.label.task_folder import DECLARATION
    from harness.run.assembly import annotator_of, load_task

    with tempfile.TemporaryDirectory() as named:
        write_all(Path(named), files)
        task = Path(named, DECLARATION)
        config = load_config(Path(named, CONFIG), (), {"task": str(task)}, plugins.keys())
        _, made = annotator_of(config, load_task(str(task), plugins, None), plugins)
        if not sends_prompts(made):
            say(f"{config.annotator.spec} sends no prompt; a language model would get this one:")
            config = load_config(None, (), {"task": str(task)}, plugins.keys())
        show_prompt(config, None, 1, as_json=False)


def _try(task: Path, config: Path) -> None:
    """A run on some rows; where it costs anything, its price comes first."""
    from functools import partial

    from harness.cli.options import RunOptions
    from harness.cli.run import watching
    from harness.cli.screen.tables import stages_table
    from harness.cli.texts.consent import agree
    from harness.record.layout import RUNS
    from harness.run.planning import plan
    from harness.run.single import run_single

    options = RunOptions({"task": str(task), "limit": TRIED}, None, RUNS, config, ())
    made, plugins, parts, splits = options.prepare()
    agree(str(made.annotator.spec), plan(parts, made, splits), made.budget_usd, yes=False)
    result, _ = run_single(made, plugins, None, RUNS, partial(watching, quiet=False))
    console().print(stages_table(result))
