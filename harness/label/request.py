"""From a file and labels to a run that has not begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from harness.run.assembly import assemble, load_task, run_id
from harness.run.planning import PlannedStep, plan
from harness.run.splits import Splits, splits_of


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

    def steps(self, *, fresh: bool = False) -> list[PlannedStep]:
        """What would be sent to a language model; nothing where the run is finished.

        ``fresh``: it begins anew.
        """
        folder = layout.run_folder(self.out, self.parts.task.card.name, self.name)
        if not fresh and (folder / layout.RESULT).exists():
            return []
        return plan(self.parts, self.config, self.splits)


def prepare(
    file: Path,
    labels: Mapping[str, str],
    kind: Kind,
    plugins: Plugins,
    *,
    task: str | None,
    columns: Mapping[str, str],
    options: Mapping[str, Any],
    settings: Sequence[str],
    strict: bool,
    out: Path,
) -> Prepared:
    """Read the file, make a task of it, and put the run together; nothing is sent.

    Args:
        file: the user's.
        labels: names of labels, or of entity types, with their descriptions ("": the name);
            empty where ``task`` names them.
        kind: of the task.
        plugins: whose parts are named.
        task: spec of a task whose labels, descriptions and prompt are used.
        columns: the columns of the text and, where some rows have one, of the label.
        options: keys of the configuration, dotted; None where not given.
        settings: more of them, as ``--set`` has them.
        strict: refuse rows that cannot be taken as they are (``Texts.problems``).
        out: where runs are kept.

    Raises:
        HarnessError: for whatever is wrong with the file, the labels or an option.
    """
    declared = _declared(declaration_of(kind, labels) if labels else None, task, plugins)
    names = [label["name"] for label in declared["labels"]]
    texts = read_texts(file, columns, names, declared["kind"])
    if strict:
        refuse_problems(texts)
    made = write_task(texts, declared, out)
    options = {**options, "task": str(made), "setting": "transductive"}
    config = load_config(None, settings, options, plugins.keys())
    config, parts = assemble(config, plugins, None)
    texts = replace(texts, cut=_cut(texts, parts))
    if strict:
        refuse_problems(texts)
    return Prepared(texts, config, parts, splits_of(config, parts.task), out)


def _cut(texts: Texts, parts: Parts) -> dict[int, str]:
    """The rows that the student does not read to their end."""
    pool = parts.task.load("train")
    assert pool is not None
    positions = list(texts.texts)
    return {positions[row]: said for row, said in abilities.cut(parts.student, pool).items()}


def _declared(labels: dict[str, Any] | None, named: str | None, plugins: Plugins) -> dict[str, Any]:
    """The declaration: the labels' own, or the named task's; with an annotator by default."""
    # That of the default task asks nobody, so that a first try needs no key.
    usual = load_task(None, plugins, None, declaration_only=True).default_annotator
    if labels is None:
        labels = dict(abilities.declared(load_task(named, plugins, None, declaration_only=True)))
        if not labels:
            raise CommandError(f"--task {named}: it has no declaration; name labels instead")
    return {**({"annotator": usual} if usual else {}), **labels}
