"""The format of a task's TOML file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.data import Demonstrations, Label, Pool, Prompt, TaskCard, class_names
from harness.errors import TaskError, nearest

SCHEMA = 1

SplitName: TypeAlias = Literal["train", "validation", "test"]
Sizes: TypeAlias = Mapping[SplitName, Annotated[int, Field(strict=True, ge=0)]]
"""Rows of each split."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LabelEntry(_Entry):
    """One label or entity type.

    Attributes:
        name: as in the data files (token tasks: without ``B-``/``I-``).
        description: one line, read by LLMs and embedded by the ``embedding`` annotator.
        generated: the demonstrations of stage R1: texts as an LLM writes them from the
            descriptions alone, never taken from the data.
    """

    name: str = Field(min_length=1)
    description: str = Field(min_length=1)
    generated: tuple[str, ...] = ()


class PromptEntry(_Entry):
    """The wording of a prompt, and its number of demonstrations (``shots``)."""

    system: str = ""
    question: str = ""
    answer: str = ""
    shots: int = Field(default=10, ge=1)


class Columns(_Entry):
    """What the columns of the user's own files are called, and how their labels are counted.

    Attributes:
        text: one column, or several, whose texts a line break joins.
        label, tokens, tags: one column each; what is left out has that name itself.
        names: the columns of csv and tsv files without a header, in order.
        first_index: the number of the first label, where files number the labels in the
            order in which they are declared.
    """

    text: str | tuple[str, ...] = ()
    label: str | None = None
    tokens: str | None = None
    tags: str | None = None
    names: tuple[str, ...] = ()
    first_index: int | None = None

    @property
    def named(self) -> bool:
        """Whether any column is given a name."""
        return bool(self.text or self.label or self.tokens or self.tags)


class HubSource(_Entry):
    """A data set on the Hugging Face hub, and how its columns map to ours.

    Attributes:
        repository: ``owner/name``; or a folder with the files of a repository, as ``./`` or
            ``../`` (relative to the TOML file's folder) or ``/``.
        revision: a commit, or a branch, whose commit the loader records.
        data_dir: the data set's folder in the repository.
        text, label, tokens, tags: the hub's columns.
        label_text: a column with the label's name where ``label`` is its number.
        label_names: our class names in the order of the hub's integers from ``first_index`` on.
        names: the hub's names of these, in the same order; empty: the same.
        sizes: rows of each split, where they differ from the task's ``sizes``.
    """

    repository: str
    revision: str = "main"
    data_dir: str | None = None
    text: str | None = None
    label: str | None = None
    label_text: str | None = None
    tokens: str | None = None
    tags: str | None = None
    label_names: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    first_index: int = 0
    sizes: Sizes = Field(default_factory=dict)
    note: str = ""

    @property
    def is_folder(self) -> bool:
        """Whether the repository is a folder on this computer."""
        return self.repository.startswith(("./", "../", "/"))


class Published(_Entry):
    """A figure from the literature, for comparison in tables."""

    method: str
    stage: str
    setting: str
    score: float
    source: str


class Declaration(_Entry):
    """A task as its TOML file declares it."""

    schema_: int = Field(alias="schema", ge=1, le=SCHEMA)
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str = ""
    kind: Literal["sequence", "token"]
    metric: Literal["accuracy", "entity_f1"]
    citation: str = ""
    url: str = ""
    licence: str = ""
    annotator: str | None = None
    student: str | None = None
    sizes: Sizes = Field(default_factory=dict)
    files: Mapping[SplitName, str] = Field(default_factory=dict)
    columns: Columns = Columns()
    hub: HubSource | None = None
    prompt: PromptEntry = PromptEntry()
    labels: Sequence[LabelEntry] = Field(min_length=1)
    rules: Mapping[str, Any] | None = None
    published: Sequence[Published] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Declaration:
        for message in _inconsistencies(self):
            raise ValueError(message)
        return self

    def card(self) -> TaskCard:
        """The task as its parts see it."""
        return TaskCard(
            name=self.name,
            kind=self.kind,
            metric=self.metric,
            labels=tuple(Label(label.name, label.description) for label in self.labels),
            prompt=Prompt(**self.prompt.model_dump()),
            generated=self._generated(),
            rules=self.rules,
            title=self.title,
        )

    def _generated(self) -> Demonstrations | None:
        pairs = [(text, i) for i, label in enumerate(self.labels) for text in label.generated]
        if not pairs or self.kind == "token":
            return None
        import numpy as np

        pool = Pool(
            kind="sequence",
            split="generated",
            ids=tuple(f"generated:{row}" for row in range(1, len(pairs) + 1)),
            examples=[text for text, _ in pairs],
        )
        labels = np.asarray([label for _, label in pairs], dtype=np.int32)
        return Demonstrations(pool, labels, nearest=None, source="generated")


def read_declaration(file: Path) -> Declaration:
    """Read a task's TOML file.

    Raises:
        TaskError: naming the file and the key that is wrong.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise TaskError(f"{file}: no such task file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"{file}: cannot be read: {error}") from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        place = f"{file}:{found.group(1)}" if found else str(file)
        raise TaskError(f"{place}: not valid TOML: {error}") from None
    try:
        return Declaration.model_validate(values)
    except ValidationError as error:
        raise TaskError(f"{file}: {_first_error(error)}") from None


def _first_error(error: ValidationError) -> str:
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ").replace("a valid tuple", "an array")
    path = ["schema" if part == "schema_" else str(part) for part in first["loc"]]
    key = ".".join(part for part in path if part != "[key]")
    if not key:
        return message
    if first["type"] == "extra_forbidden":
        return f"unknown key {key!r}; {nearest(key, _siblings(path))}"
    if key == "schema" and first["type"] == "less_than_equal":
        newer = f"written for a newer harness (schema {first['input']}, this one reads {SCHEMA})"
        return f"{newer}; update harness"
    return f"key {key!r}: {message[:1].lower()}{message[1:]}"


def _inconsistencies(task: Declaration) -> Iterator[str]:
    """Contradictions, each with the path of its key."""
    names = [label.name for label in task.labels]
    for position, name in enumerate(names):
        if name in names[:position]:
            yield f"labels: two have the name {name!r}; give each its own"
    if task.kind == "sequence" and len(names) < 2:
        yield "labels: a sequence task needs at least two labels"
    if (task.kind == "token") != (task.metric == "entity_f1"):
        yield "metric: sequence tasks have metric accuracy, token tasks entity_f1"
    generated = [name for name, label in zip(names, task.labels, strict=True) if label.generated]
    if generated and len(generated) < len(names):
        bare = next(name for name in names if name not in generated)
        yield f"labels: generated texts for some labels but not for all: {bare!r} has none"
    yield from _column_inconsistencies(task)
    if task.hub is not None:
        yield from _hub_inconsistencies(task.hub, task)


def _column_inconsistencies(task: Declaration) -> Iterator[str]:
    for key in ("tokens", "tags") if task.kind == "sequence" else ("text", "label"):
        if getattr(task.columns, key):
            yield f"columns.{key}: a {task.kind} task has no use for it"


def _hub_inconsistencies(hub: HubSource, task: Declaration) -> Iterator[str]:
    sequence = task.kind == "sequence"
    columns = {"text": sequence, "label": sequence, "tokens": not sequence, "tags": not sequence}
    for column, needed in columns.items():
        if (getattr(hub, column) is not None) != needed:
            verb = "needs" if needed else "has no use for"
            yield f"a {task.kind} task {verb} 'hub.{column}'"
    classes = class_names(task.kind, [label.name for label in task.labels])
    if sorted(hub.label_names) != sorted(classes):
        yield f"hub.label_names must name {', '.join(classes)}, each once"
    if hub.names and len(set(hub.names)) != len(hub.label_names):
        yield "hub.names must give one name for each of hub.label_names"


def _siblings(path: Sequence[str]) -> list[str]:
    """The full paths of all keys of the same table."""
    table = ".".join(path[:-1])
    models: dict[str, type[BaseModel]] = {
        "prompt": PromptEntry,
        "columns": Columns,
        "hub": HubSource,
        "labels": LabelEntry,
        "published": Published,
    }
    model = models.get(path[0], Declaration) if table else Declaration
    before = f"{table}." if table else ""
    return [before + (info.alias or name) for name, info in model.model_fields.items()]
