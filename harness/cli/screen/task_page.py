"""A task on one page."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness import abilities
from harness.specs import parse_spec

if TYPE_CHECKING:
    from rich.console import RenderableType

    from harness.data import TaskCard
    from harness.protocols import Task

SPLITS = ("train", "validation", "test")
UNWORDED = "(the annotator's wording; harness show prompt prints it)"
"""For a part of the prompt that the task leaves open."""
FIRST = 160
"""Characters of a split's first example that are shown."""


def task_page(
    task: Task, missing: str = "", students: Collection[str] = ()
) -> Iterator[RenderableType]:
    """The blocks of the page, from top to bottom.

    ``missing`` says why there is no data, if there is none; ``students`` are the names of those
    that serve the task's kind.
    """
    card = task.card
    declared: Mapping[str, Any] = abilities.declared(task)
    yield Text(f"{card.name}: {card.title}" if card.title else card.name, style="bold")
    yield _pairs(_head(task, declared, students))
    yield from _section("labels", _pairs((label.name, label.description) for label in card.labels))
    own = {key: getattr(card.prompt, key) for key in ("system", "question", "answer")}
    prompt = [(key, text or UNWORDED) for key, text in own.items()]
    yield from _section("prompt", _pairs([*prompt, ("shots", str(card.prompt.shots))]))
    yield from _generated(card)
    if card.rules:
        yield from _section("rules", _rules(card.rules))
    yield from _section("data", _pairs(_data(task, declared, missing)))
    if "hub" in declared:
        yield from _section("hub", _pairs(_hub(declared["hub"])))
        if fetch := declared["hub"].get("fetch"):
            yield Text(f"  {fetch}")
    if declared.get("published"):
        yield from _section("published, in %", _published(declared["published"]))


def _head(
    task: Task, declared: Mapping[str, Any], students: Collection[str]
) -> Iterator[tuple[str, str]]:
    card = task.card
    yield "kind", f"{card.kind}, scored by {card.metric.replace('_', ' ')}"
    yield "classes", ", ".join(card.classes)
    yield "annotator", f"{task.default_annotator or 'none'} unless a run names one"
    if "student" in declared:
        student, serving = str(declared["student"]), ", ".join(sorted(students)) or "none"
        known = parse_spec(student).name in students
        missing = "" if known else f", but not in this version: {serving} serve it"
        yield "student", f"{student} is recommended{missing}"
    for key in ("citation", "url", "licence"):
        if declared.get(key):
            yield key, str(declared[key])


def _generated(card: TaskCard) -> Iterator[RenderableType]:
    if card.generated is None:
        return
    texts: dict[int, list[str]] = {}
    for text, label in zip(card.generated.examples.texts, card.generated.labels, strict=True):
        texts.setdefault(int(label), []).append(text)
    rows = (
        (card.classes[label] if number == 0 else "", f"- {text}")
        for label, of_label in texts.items()
        for number, text in enumerate(of_label)
    )
    yield from _section(f"generated demonstrations: {len(card.generated)}", _pairs(rows))


def _rules(rules: Mapping[str, Any]) -> Table:
    """For each rule its kind and label, then its pattern or words, indented."""
    table = Table.grid()
    table.add_column(overflow="fold")
    for name, entries in rules.items():
        for entry in entries if isinstance(entries, (list, tuple)) else [entries]:
            values = dict(entry) if isinstance(entry, Mapping) else {name: entry}
            label = Text(f" {_plain(values.pop('label', ''))}", style="bold")
            table.add_row(Text(f"  {name}", style="cyan") + label)
            alone = len(values) == 1
            for key, value in values.items():
                text = _plain(value) if alone else f"{key}: {_plain(value)}"
                table.add_row(Padding(Text(text), (0, 0, 0, 4)))
    return table


def _data(task: Task, declared: Mapping[str, Any], missing: str) -> Iterator[tuple[str, str]]:
    if declared.get("files"):
        yield "files", ", ".join(f"{split} = {name}" for split, name in declared["files"].items())
    if columns := {key: _plain(one) for key, one in declared.get("columns", {}).items() if one}:
        yield "columns", ", ".join(f"{key} = {named}" for key, named in columns.items())
    if declared.get("sizes"):
        yield "expected", _sizes(declared["sizes"])
    if missing:
        yield "here", missing
        return
    if not abilities.at_hand(task):
        yield "here", "none; a run asks the hub, or reads --data DIR"
        return
    for split in SPLITS:
        pool = task.load(split)
        if pool is not None:
            first = pool.texts[0] if len(pool) else ""
            shown = first if len(first) <= FIRST else f"{first[:FIRST]} ..."
            yield split, f"{len(pool)} examples; the first: {shown}"
    yield "fingerprint", task.fingerprint


def _hub(hub: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ("repository", "revision", "data_dir"):
        if key in hub:
            yield key, str(hub[key])
    columns = ("text", "label", "label_text", "tokens", "tags")
    yield "columns", ", ".join(f"{key} = {hub[key]}" for key in columns if key in hub)
    names = hub.get("names", hub["label_names"])
    first = hub.get("first_index", 0)
    pairs = enumerate(zip(names, hub["label_names"], strict=True), start=first)
    numbered = (f"{b}={number}" + (f" ({a})" if a != b else "") for number, (a, b) in pairs)
    yield "labels", ", ".join(numbered)
    if "sizes" in hub:
        yield "sizes", _sizes(hub["sizes"])
    if "note" in hub:
        yield "note", str(hub["note"])


def _published(figures: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("method", "stage", "setting", "score", "source"):
        table.add_column(column, justify="right" if column == "score" else "left")
    for figure in figures:
        score = f"{figure['score']:.2f}"
        texts = (figure["method"], figure["stage"], figure["setting"], score, figure["source"])
        table.add_row(*(Text(str(text)) for text in texts))
    return table


def _section(title: str, block: Table) -> Iterator[RenderableType]:
    yield Text(f"\n{title}", style="bold")
    yield block


def _pairs(pairs: Iterable[tuple[str, str]]) -> Table:
    """Two columns, the second wrapped; names come from users and are never read as markup."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in pairs:
        table.add_row(Text(f"  {key}"), Text(value))
    return table


def _sizes(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{split} {sizes[split]}" for split in SPLITS if split in sizes)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()  # as in TOML
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_plain(inner)}" for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(inner) for inner in value)
    return str(value)
