"""From a configuration to parts: names are looked up, factories called, defaults filled in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.config import Config, Role, SelectorConfig, config_hash, own_keys, with_keys
from harness.data import Kind, TaskCard
from harness.errors import CommandError, ConfigError, HarnessError, PartError
from harness.plugin_manager import Part, Plugins
from harness.protocols import (
    AnnotatorRequest,
    AnyAnnotator,
    AnyAugmenter,
    Assisted,
    AugmenterRequest,
    Fingerprinted,
    Parts,
    Prompting,
    SelectorPreset,
    SelectorRequest,
    Student,
    StudentRequest,
    Task,
    TaskRequest,
)
from harness.specs import Spec, parse_spec

__all__ = [
    "annotator_of",
    "assemble",
    "checked",
    "load_task",
    "resolve_selector",
    "run_id",
    "student_of",
]


ROLES: tuple[Role, ...] = ("annotator", "student")


def assemble(config: Config, plugins: Plugins, data: Path | None) -> tuple[Config, Parts]:
    """The resolved configuration, and the parts that it names.

    Raises:
        CommandError: for an unknown name, a wrong option, or a part that does not
            serve the task's kind.
    """
    config = checked(config, plugins)
    task = load_task(config.task, plugins, data)
    config = _resolve(config, task, plugins)
    annotator = _annotator(config, task, plugins)
    student = student_of(config, task.card, plugins)
    augmenter = _augmenter(config, task, student, plugins)
    identities = {"task": task.fingerprint}
    for role, part in (("annotator", annotator), ("student", student), ("augmenter", augmenter)):
        if isinstance(part, Fingerprinted):
            identities[role] = part.fingerprint
    identities |= _plugin_identities(config, plugins)
    selector = _selector_builder(config, plugins)
    return config, Parts(
        task=task,
        annotator=annotator,
        student=student,
        trust=selector("trust", config.selector.trust),
        demonstrations=selector("demonstrations", config.selector.demonstrations),
        query=selector("query", config.selector.query),
        identities=identities,
        augmenter=augmenter,
    )


def student_of(config: Config, card: TaskCard, plugins: Plugins) -> Student:
    """The student that the configuration names."""
    spec = parse_spec(config.student.spec)
    part = _serving(plugins.part("student", spec.name), card.kind, plugins)
    config = _checked(config, "student", part, plugins)
    keys = None if part.config is None else config.student.keys(part.config)
    augmented = config.student.augmenter is not None
    student: Student = _build(part, StudentRequest(spec, card, keys, augmented))
    return student


def checked(config: Config, plugins: Plugins) -> Config:
    """The configuration with the keys of the annotator and the student that it names.

    Raises:
        ConfigError: for a key that the named part does not take, or a wrong value.
        UnknownNameError: if there is no such part.
    """
    for role in ROLES:
        spec = getattr(config, role).spec
        if spec is not None:
            part = plugins.part(role, parse_spec(spec).name)
            config = _checked(config, role, part, plugins)
    return config


def annotator_of(
    config: Config, task: Task, plugins: Plugins, *, fallback: str
) -> tuple[Config, AnyAnnotator]:
    """The resolved configuration, and its annotator alone: one that asks in words.

    Args:
        config: as the user wrote it.
        task: loaded.
        plugins: where the annotator comes from.
        fallback: the annotator where the user names none and the task's own asks nobody.
    """
    named = config.annotator.spec
    if named is None and task.default_annotator is None:
        config = _asking(config, fallback)
    resolved = _resolve(config, task, plugins)
    annotator = _annotator(resolved, task, plugins)
    if named is None and not isinstance(annotator, Prompting):
        resolved = _asking(resolved, fallback)
        annotator = _annotator(resolved, task, plugins)
    return resolved, annotator


def run_id(config: Config, parts: Parts) -> str:
    """A readable name with a hash of the configuration and of the data it reads."""
    names = [
        parse_spec(config.annotator.spec or "").name,
        parse_spec(config.student.spec).name,
        parse_spec(config.selector.spec).name,
        f"r{config.rounds}",
        f"s{config.seed}",
        config_hash(config, *parts.identities.values()),
    ]
    return "-".join(name.replace("/", "_") for name in names)


def load_task(
    text: str, plugins: Plugins, data: Path | None, *, declaration_only: bool = False
) -> Task:
    """A task by its name, or from a TOML file; only to be shown, its data may be missing."""
    spec = parse_spec(text)
    if text.endswith(".toml") and spec.name != "file":
        spec = Spec("file", text)
    task: Task = _build(plugins.part("task", spec.name), TaskRequest(spec, data, declaration_only))
    return task


def resolve_selector(config: SelectorConfig, plugins: Plugins) -> SelectorConfig:
    """The selector configuration with each role filled in from its preset.

    Raises:
        CommandError: if the preset is unknown.
    """
    parts = plugins.parts("selector")
    presets = {name.removeprefix("preset/"): part for name, part in parts.items()
               if name.startswith("preset/")}  # fmt: skip
    if config.spec not in presets:
        from harness.errors import UnknownNameError

        raise UnknownNameError("selector", config.spec, presets)
    preset: SelectorPreset = presets[config.spec].factory
    return config.model_copy(
        update={
            "trust": config.trust or preset.trust,
            "demonstrations": config.demonstrations or preset.demonstrations,
            "query": config.query or preset.query,
        }
    )


def _resolve(config: Config, task: Task, plugins: Plugins) -> Config:
    spec = task.default_annotator if config.annotator.spec is None else config.annotator.spec
    if spec is None:
        without = set() if task.card.rules else {"rules"}  # they are the task's own
        known = ", ".join(sorted(set(_names(plugins, "annotator", task.card.kind)) - without))
        raise CommandError(
            f"task {task.card.name!r} has no default annotator; pass --annotator, one of {known}"
        )
    annotator = config.annotator.model_copy(update={"spec": spec})
    shots = config.demonstrations.shots or task.card.prompt.shots
    config = config.model_copy(
        update={
            "annotator": annotator,
            "demonstrations": config.demonstrations.model_copy(update={"shots": shots}),
            "selector": resolve_selector(config.selector, plugins),
        }
    )
    return checked(config, plugins)


def _checked(config: Config, role: Role, part: Part, plugins: Plugins) -> Config:
    """The keys of one part held to its model; those of another part are named as such."""
    for key in own_keys(config, role):
        if part.config is None or key not in part.config.model_fields:
            takers = [name for name, other in plugins.parts(role).items()
                      if other.config is not None and key in other.config.model_fields]  # fmt: skip
            if takers:
                raise ConfigError(
                    f"{role}.{key} has no effect: {role} {part.name!r} takes no such key; "
                    f"leave it out or choose another --{role}"
                )
    return with_keys(config, role, part.config, f"harness show {role} {part.name}")


def _asking(config: Config, spec: str) -> Config:
    annotator = config.annotator.model_copy(update={"spec": spec})
    return config.model_copy(update={"annotator": annotator})


def _annotator(config: Config, task: Task, plugins: Plugins) -> AnyAnnotator:
    spec = parse_spec(config.annotator.spec or "")
    part = _serving(plugins.part("annotator", spec.name), task.card.kind, plugins)
    keys = None if part.config is None else config.annotator.keys(part.config)
    annotator: AnyAnnotator = _build(
        part, AnnotatorRequest(spec, task.card, keys, config.seed, config.demonstrations)
    )
    return annotator


def _augmenter(
    config: Config, task: Task, student: Student, plugins: Plugins
) -> AnyAugmenter | None:
    """The augmenter that the configuration names.

    Raises:
        CommandError: if the student could make no use of it.
    """
    if config.student.augmenter is None:
        return None
    if not isinstance(student, Assisted):
        raise CommandError(
            f"student.augmenter has no effect: student {config.student.spec!r} does not train on "
            "variants; leave the key out or choose another --student"
        )
    spec = parse_spec(config.student.augmenter)
    part = _serving(plugins.part("augmenter", spec.name), task.card.kind, plugins)
    augmenter: AnyAugmenter = _build(part, AugmenterRequest(spec, task.card))
    return augmenter


def _plugin_identities(config: Config, plugins: Plugins) -> dict[str, str]:
    """Hashes of the third-party plugins whose parts a run uses, by role."""
    used = {
        "task": config.task,
        "annotator": config.annotator.spec,
        "student": config.student.spec,
        "augmenter": config.student.augmenter,
        "trust": config.selector.trust,
        "demonstrations": config.selector.demonstrations,
        "query": config.selector.query,
    }
    found = {}
    for role, text in used.items():
        if text is None:
            continue
        name = parse_spec(text).name
        kind = role if role in ("task", "annotator", "student", "augmenter") else "selector"
        part = plugins.parts(kind).get(name if kind == role else f"{role}/{name}")
        digest = plugins.fingerprint(part) if part is not None else None
        if digest is not None:
            found[f"{role} plugin"] = digest
    return found


def _selector_builder(config: Config, plugins: Plugins) -> Callable[[str, str | None], Any]:
    shots = config.demonstrations.shots
    assert shots is not None

    def build(role: str, text: str | None) -> Any:
        spec = parse_spec(text or "")
        names = {
            name.removeprefix(f"{role}/"): part
            for name, part in plugins.parts("selector").items()
            if name.startswith(f"{role}/")
        }
        if spec.name not in names:
            from harness.errors import UnknownNameError

            raise UnknownNameError(f"{role} selector", spec.name, names)
        return _build(names[spec.name], SelectorRequest(spec, shots))

    return build


def _names(plugins: Plugins, kind: str, task_kind: Kind) -> list[str]:
    return [name for name, part in plugins.parts(kind).items() if task_kind in part.serves]


def _serving(part: Part, kind: Kind, plugins: Plugins) -> Part:
    if kind not in part.serves:
        others = ", ".join(sorted(_names(plugins, part.kind, kind)))
        raise CommandError(
            f"{part.kind} {part.name!r} does not serve {kind} tasks; these do: {others}"
        )
    return part


def _build(part: Part, request: object) -> Any:
    try:
        return part.factory(request)
    except HarnessError:
        raise
    except ImportError as error:
        raise PartError(
            f"{part.kind} {part.name!r} needs {error.name}: pip install {error.name}"
        ) from error
    except Exception as error:
        said = " ".join(str(error).split())
        raise PartError(
            f"{part.kind} {part.name!r} could not be made: {type(error).__name__}: {said}"
        ) from error
