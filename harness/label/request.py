"""From a file and labels to a finished run: what ``harness label`` does, without printing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness import abilities
from harness.config import Config, load_config
from harness.data import Kind
from harness.errors import CommandError
from harness.label.task_folder import declaration_of, write_task
from harness.label.texts import Texts, read_texts, refuse_problems
from harness.plugin_manager import Plugins
from harness.protocols import Parts
from harness.record import layout
from harness.record.finished import FinishedRun
from harness.results import Watcher
from harness.run.assembly import assemble, load_task, run_id
from harness.run.planning import PlannedStep, plan
from harness.run.single import run_assembled
from harness.run.splits import Splits, splits_of


@dataclass(frozen=True, slots=True)
class Request:
    """What to label, and how.

    Attributes:
        file: the user's.
        labels: names of labels, or of entity types, with their descriptions ("": the name);
            empty where ``task`` names them.
        kind: of the task.
        task: spec of a task whose labels, descriptions and prompt are used.
        columns: the columns of the text and, where some rows have one, of the label.
        options: keys of the configuration, dotted; None where not given.
        settings: more of them, as ``--set`` has them.
        strict: refuse rows that cannot be taken as they are (``Texts.problems``).
        out: where runs are kept.
    """

    file: Path
    labels: Mapping[str, str]
    kind: Kind = "sequence"
    task: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Sequence[str] = ()
    strict: bool = False
    out: Path = layout.RUNS


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A run that has not begun: the texts, its configuration, parts and data."""

    texts: Texts
    config: Config
    parts: Parts
    splits: Splits
    out: Path

    @property
    def name(self) -> str:
        """The run's id."""
        return run_id(self.config, self.parts)

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return layout.run_folder(self.out, self.parts.task.card.name, self.name)

    def steps(self, *, fresh: bool = False) -> list[PlannedStep]:
        """What would be sent to a language model; nothing where the run is finished.

        ``fresh``: it begins anew.
        """
        if not fresh and (self.folder / layout.RESULT).exists():
            return []
        return plan(self.parts, self.config, self.splits)


def prepare(request: Request, plugins: Plugins) -> Prepared:
    """Read the file, make a task of it, and put the run together; nothing is sent.

    Raises:
        HarnessError: for whatever is wrong with the file, the labels or an option.
    """
    declared = _declared(request, plugins)
    names = [label["name"] for label in declared["labels"]]
    texts = read_texts(request.file, request.columns, names, declared["kind"])
    if request.strict:
        refuse_problems(texts)
    task = write_task(texts, declared, request.out)
    options = {**request.options, "task": str(task), "setting": "transductive"}
    config = load_config(None, request.settings, options, plugins.keys())
    config, parts = assemble(config, plugins, None)
    texts = replace(texts, cut=_cut(texts, parts))
    if request.strict:
        refuse_problems(texts)
    return Prepared(texts, config, parts, splits_of(config, parts.task), request.out)


def _cut(texts: Texts, parts: Parts) -> dict[int, str]:
    """The rows that the student does not read to their end."""
    pool = parts.task.load("train")
    assert pool is not None
    positions = list(texts.texts)
    return {positions[row]: said for row, said in abilities.cut(parts.student, pool).items()}


def run_of(
    prepared: Prepared,
    plugins: Plugins,
    watching: Callable[[str], AbstractContextManager[Watcher]],
    *,
    fresh: bool = False,
) -> FinishedRun:
    """Do the run, or what is left of it; ``fresh``: all of it."""
    made = (prepared.parts, prepared.config, prepared.splits)
    _, path = run_assembled(*made, plugins, prepared.out, watching, fresh=fresh)
    return FinishedRun.open(path)


def _declared(request: Request, plugins: Plugins) -> dict[str, Any]:
    """The declaration: the labels' own, or the named task's; with an annotator by default."""
    if request.task is not None:
        task = load_task(request.task, plugins, None, declaration_only=True)
        declared = dict(abilities.declared(task))
        if not declared:
            raise CommandError(f"--task {request.task}: it has no declaration; name labels instead")
    else:
        declared = declaration_of(request.kind, request.labels)
    # That of the default task asks nobody, so that a first try needs no key.
    usual = load_task(None, plugins, None, declaration_only=True).default_annotator
    return {**({"annotator": usual} if usual else {}), **declared}
