"""From a configuration to parts: look up names, fill in defaults, call factories."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from harness import abilities
from harness.config import SECTIONS, Config, SelectorConfig, config_hash, with_keys
from harness.data import TaskCard
from harness.errors import HarnessError, InapplicableError
from harness.plugin_manager import Part, Plugins, made
from harness.protocols import (
    ROLES,
    Account,
    AnnotatorRequest,
    AnyAnnotator,
    Augmenter,
    AugmenterRequest,
    Parts,
    SelectorPreset,
    SelectorRequest,
    Student,
    StudentRequest,
    Task,
    TaskRequest,
)
from harness.record import layout
from harness.record.provenance import code_of, origins_of
from harness.specs import Spec, parse_spec


def assemble(config: Config, plugins: Plugins, data: Path | None) -> tuple[Config, Parts]:
    """The resolved configuration, and the parts that it names.

    Raises:
        CommandError: for an unknown name, a wrong key or option, or a part that does not
            serve the task's kind.
    """
    config = checked(config, plugins)
    return assemble_for(config, load_task(config.task, plugins, data), plugins)


def assemble_for(config: Config, task: Task, plugins: Plugins) -> tuple[Config, Parts]:
    """``assemble`` with a task that is loaded already, and a configuration that is checked."""
    config = _resolve(config, task, plugins)
    annotator = _annotator(config, task, plugins)
    student = student_of(config, task.card, plugins)
    augmenter = _augmenter(config, task, student, plugins)
    identities = {"task": task.fingerprint}
    for role, part in (("annotator", annotator), ("student", student), ("augmenter", augmenter)):
        if (content := abilities.fingerprint(part)) is not None:
            identities[role] = content
    selectors = {role: _selector(role, config, plugins) for role in ROLES}
    _check_dropout(config, student, selectors["query"])
    return config, Parts(
        task=task,
        annotator=annotator,
        student=student,
        **selectors,
        identities=identities,
        code=code_of(config.model_dump(), plugins),
        augmenter=augmenter,
        initial=None if config.selector.initial is None else _selector("initial", config, plugins),
        origins=origins_of(config.model_dump(), plugins),
    )


def obstacles(config: Config, plugins: Plugins, data: Path | None, first: Exception) -> str:
    """Everything that keeps a run from beginning, in one line, ``first`` what was met first.

    Data, each part and its key, so that nobody mends one only to meet the next.
    """
    found = {str(first): None}

    def tried(make: Callable[[], Any]) -> Any:
        try:
            return make()
        except HarnessError as error:
            found[str(error)] = None
            return None

    for kind in (*SECTIONS, "selector"):
        if (text := getattr(config, kind).spec) is not None:
            tried(partial(_find, kind, text, plugins))
    there = None if data is None or not data.is_dir() else data
    task = tried(lambda: load_task(config.task, plugins, data)) if there == data else None
    if task is None:
        task = tried(lambda: load_task(config.task, plugins, there, declaration_only=True))
    if task is not None:
        named = tried(lambda: checked(config, plugins))
        whole = named and tried(lambda: _resolve(named, task, plugins))
        resolved = whole or named or config
        annotator = whole and tried(lambda: _annotator(whole, task, plugins))
        tried(lambda: _opened_once(annotator))
        student = tried(lambda: student_of(resolved, task.card, plugins))
        if student is not None:
            tried(lambda: _augmenter(resolved, task, student, plugins))
    if len(found) == 1:
        return str(first)
    listed = "; ".join(f"({number}) {one}" for number, one in enumerate(found, start=1))
    return f"{len(found)} obstacles: {listed}"


def _find(kind: str, text: str, plugins: Plugins) -> tuple[Part, Spec]:
    """The part that a section's spec names; of selectors, the preset."""
    if kind != "selector":
        return plugins.find(kind, text)
    spec = parse_spec(text)
    return plugins.part(kind, f"preset/{spec.name}"), spec


def _opened_once(annotator: object) -> None:
    """Open an annotator that asks a service and close it: a missing key shows."""
    if annotator is not None and abilities.asks_service(annotator):
        with tempfile.TemporaryDirectory() as folder:
            account = Account("", Path(folder) / layout.REPLIES, None, lambda line: None)
            with abilities.opened(annotator, account):
                pass


def student_of(config: Config, card: TaskCard, plugins: Plugins) -> Student:
    """The student that the configuration names."""
    config = checked(config, plugins)
    part, spec = _serving("student", config.student.spec, card, plugins)
    keys = None if part.config is None else config.student.keys(part.config)
    augmented = config.student.augmenter is not None
    request = StudentRequest(spec, card, keys, augmented, others(card, plugins))
    student: Student = made(part, request)
    return student


def others(card: TaskCard, plugins: Plugins) -> Callable[[str], Student]:
    """Makes registered students of a task by their spec, with their default keys."""

    def other(text: str) -> Student:
        part, spec = _serving("student", text, card, plugins)
        keys = None if part.config is None else part.config()
        student: Student = made(part, StudentRequest(spec, card, keys, other=other))
        return student

    return other


def checked(config: Config, plugins: Plugins) -> Config:
    """The configuration with the default parts named, and each key checked by its part.

    Raises:
        CommandError: for an unknown part; ``ConfigError`` for an unknown key or a wrong value.
    """
    if config.task is None:
        config = config.model_copy(update={"task": plugins.default("task")})
    if config.student.spec is None:
        config = _set(config, "student", spec=plugins.default("student"))
    if config.selector.spec is None:
        config = _set(config, "selector", spec=plugins.default("selector", "preset/"))
    for role in SECTIONS:
        spec = getattr(config, role).spec
        if spec is not None:
            part, _ = plugins.find(role, spec)
            config = with_keys(config, role, part.name, part.config, plugins.keys())
    return config


def annotator_of(config: Config, task: Task, plugins: Plugins) -> tuple[Config, AnyAnnotator]:
    """The resolved configuration, and its annotator, for ``harness show prompt``.

    Where the user names none and the task's own sends no messages, it is the default annotator.
    """
    config = checked(config, plugins)
    given = config.annotator.spec
    for spec in (given or task.default_annotator, given or plugins.default("annotator")):
        if spec is not None:
            resolved = _resolve(_set(config, "annotator", spec=spec), task, plugins)
            annotator = _annotator(resolved, task, plugins)
            if abilities.messages(annotator) is not None:
                break
    return resolved, annotator


def run_id(config: Config, parts: Parts) -> str:
    """A readable name with a hash of the configuration and of the data it reads."""
    named = (config.annotator.spec, config.student.spec, config.selector.spec)
    names = [
        *(parse_spec(spec or "").name for spec in named),
        f"r{config.rounds}",
        f"s{config.seed}",
        config_hash(config, *parts.identities.values()),
    ]
    return "-".join(name.replace("/", "_") for name in names)


def load_task(
    text: str | None, plugins: Plugins, data: Path | None, *, declaration_only: bool = False
) -> Task:
    """A task by its name or its file; None: the default one.

    ``declaration_only``: the data may be missing.
    """
    part, spec = plugins.find("task", plugins.default("task") if text is None else text)
    task: Task = made(part, TaskRequest(spec, data, declaration_only))
    return task


def resolve_selector(config: SelectorConfig, plugins: Plugins, shots: int) -> SelectorConfig:
    """The selector configuration with each role filled in from its preset."""
    part, spec = _find("selector", config.spec or "", plugins)
    preset: SelectorPreset = made(part, SelectorRequest(spec, shots))
    roles = {role: getattr(config, role) or getattr(preset, role) for role in ROLES}
    return config.model_copy(update=roles)


def _resolve(config: Config, task: Task, plugins: Plugins) -> Config:
    spec = task.default_annotator if config.annotator.spec is None else config.annotator.spec
    if spec is None:
        raise InapplicableError(
            "annotator.spec",
            f"task {task.card.name!r} has no default annotator; pass --annotator SPEC "
            "(harness list annotators prints them)",
        )
    config = _set(config, "annotator", spec=spec)
    shots = config.demonstrations.shots or task.card.prompt.shots
    config = _set(config, "demonstrations", shots=shots)
    selector = resolve_selector(config.selector, plugins, shots)
    return checked(config.model_copy(update={"selector": selector}), plugins)


def _set(config: Config, table: str, **values: object) -> Config:
    section = getattr(config, table).model_copy(update=values)
    return config.model_copy(update={table: section})


def _annotator(config: Config, task: Task, plugins: Plugins) -> AnyAnnotator:
    part, spec = _serving("annotator", config.annotator.spec, task.card, plugins)
    keys = None if part.config is None else config.annotator.keys(part.config)
    request = AnnotatorRequest(spec, task.card, keys, config.seed, config.demonstrations)
    annotator: AnyAnnotator = made(part, request)
    return annotator


def _augmenter(config: Config, task: Task, student: Student, plugins: Plugins) -> Augmenter | None:
    """The augmenter that the configuration names; refused if the student does not use it."""
    if config.student.augmenter is None:
        return None
    if not abilities.uses_variants(student):
        raise InapplicableError(
            "student.augmenter",
            f"student.augmenter has no effect: student {config.student.spec!r} does not train on "
            "variants; leave the key out or choose another --student",
        )
    part, spec = _serving("augmenter", config.student.augmenter, task.card, plugins)
    augmenter: Augmenter = made(part, AugmenterRequest(spec, task.card))
    return augmenter


def _check_dropout(config: Config, student: Student, query: object) -> None:
    if abilities.dropout_passes(query) and not abilities.has_dropout(student):
        raise InapplicableError(
            "selector.query",
            f"selector.query = {config.selector.query!r} needs a student with dropout, and student "
            f"{config.student.spec!r} has none; choose another --student or selector.query",
        )


def _selector(role: str, config: Config, plugins: Plugins) -> Any:
    shots = config.demonstrations.shots
    assert shots is not None
    spec = parse_spec(getattr(config.selector, role) or "")
    return made(plugins.part("selector", f"{role}/{spec.name}"), SelectorRequest(spec, shots))


def _serving(kind: str, text: str | None, card: TaskCard, plugins: Plugins) -> tuple[Part, Spec]:
    """The part that a spec names; refused if it does not serve the task's kind."""
    part, spec = plugins.find(kind, text or "")
    if card.kind not in part.serves:
        parts = plugins.parts(kind).values()
        others = ", ".join(sorted(one.name for one in parts if card.kind in one.serves))
        raise InapplicableError(
            f"{kind}.spec",
            f"{kind} {part.name!r} does not serve {card.kind} tasks; these do: {others}",
        )
    return part, spec
