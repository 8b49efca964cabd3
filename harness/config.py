"""The configuration of a run: one model, its keys in TOML, ``--set`` and options."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SerializeAsAny, ValidationError

from harness.errors import ConfigError, InapplicableError, nearest

Keys = TypeVar("Keys", bound=BaseModel)
Role: TypeAlias = Literal["annotator", "student"]
"""Parts with configuration keys of their own: below the table of that name."""


Number: TypeAlias = Annotated[int, Field(ge=1, strict=True)]
Share: TypeAlias = Annotated[float, Field(gt=0, le=1, strict=True)]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class PartConfig(_Frozen):
    """A table of the configuration that names a part; its other keys are the part's own.

    They are as the user wrote them until ``with_keys`` checks them by the model that the part
    registered; then all of them are there, with type and default.
    """

    model_config = ConfigDict(extra="allow")
    not_identifying: ClassVar[frozenset[str]] = frozenset()
    """Keys that make no other run."""

    spec: str | None = None

    def keys(self, model: type[Keys]) -> Keys:
        """The part's own keys; ``model_fields_set`` names those that the user set."""
        given = self.model_dump(exclude_unset=True)
        return model.model_validate({k: v for k, v in given.items() if k in model.model_fields})

    def unset(self, key: str) -> bool:
        """Whether the user left a key of the part at its default."""
        return key != "spec" and key not in self.model_fields_set


class AnnotatorConfig(PartConfig):
    """Who labels the pool, and the annotator's own keys."""

    spec: str | None = None
    """Annotator spec; unset: the task's own default."""


class DemonstrationsConfig(_Frozen):
    """What to show the annotator."""

    generated: bool = True
    """Start with generated demonstrations (stage R1); false: zero-shot (stage R0)."""
    shots: int | None = Field(default=None, ge=1, le=1000, strict=True)
    """Demonstrations per example; unset: the task's own number."""
    written: int = Field(default=100, ge=1, le=10_000, strict=True)
    """How many demonstrations an LLM annotator writes for stage R1."""


class StudentConfig(PartConfig):
    """Who learns from the labels, and the student's own keys."""

    not_identifying: ClassVar[frozenset[str]] = frozenset({"save"})

    spec: str | None = None
    """Student spec; unset: the default student."""
    augmenter: str | None = None
    """Augmenter spec: variants of the texts to train on, for students that use them."""
    save: bool = False
    """Keep the last round's model in the run folder (student/), for harness export; a finished
    run trains it once more."""


class SelectorConfig(_Frozen):
    """How the student's view becomes feedback."""

    spec: str | None = None
    """Preset, one selector for each role; unset: the default one."""
    trust: str | None = None
    """Selector of trusted labels; unset: the preset's."""
    demonstrations: str | None = None
    """Selector of demonstrations; unset: the preset's."""
    query: str | None = None
    """Selector of what to annotate next; unset: the preset's."""
    initial: str | None = None
    """Selector of what the annotator labels in the first round, such as random:0.1; unset: all."""
    budget: Number | Share | None = None
    """Most examples to annotate in each round after the first: a number, or a share of the pool
    (0.1; 1.0 is all of it). The most urgent ones are taken."""
    asks: int | None = Field(default=None, ge=1, strict=True)
    """How often the annotator may be asked about one example (the paper: 2); unset: each round."""


class Config(_Frozen):
    """A run. Together with the data this decides every number in it."""

    task: str | None = None
    """Task spec: a name, or the path of a task file; unset: the default task."""
    rounds: int = Field(default=2, ge=1, strict=True)
    """Rounds of annotate, train, select."""
    seed: int = Field(default=0, ge=0, strict=True)
    """Seed of all random draws."""
    setting: Literal["inductive", "transductive"] = "inductive"
    """Inductive: also label and score the test set. Transductive: the pool alone."""
    limit: int | None = Field(default=None, ge=1, strict=True)
    """Greatest number of examples of each split, drawn by the seed."""
    budget_usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Most that the run may pay; it stops before, and can go on with a higher budget."""
    validation: float = Field(default=0.0, ge=0, le=0.5, allow_inf_nan=False)
    """Above 0: also score on validation: the task's own split, or this share held out of train."""
    without_leaked: bool = False
    """Also score on the test set without the texts that occur in the pool."""
    annotator: SerializeAsAny[AnnotatorConfig] = AnnotatorConfig()
    demonstrations: DemonstrationsConfig = DemonstrationsConfig()
    student: SerializeAsAny[StudentConfig] = StudentConfig()
    selector: SelectorConfig = SelectorConfig()
    _files: Mapping[str, str] = PrivateAttr(default_factory=dict)


def count_of(amount: int | float, n: int) -> int:
    """How many of ``n`` examples a number, or a share (a float), stands for: at least one."""
    return min(n, amount if isinstance(amount, int) else max(1, int(amount * n + 1e-9)))


SECTIONS: Mapping[Role, type[PartConfig]] = {"annotator": AnnotatorConfig, "student": StudentConfig}


def load_config(
    file: Path | None = None,
    settings: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    part_keys: Sequence[str] = (),
    below: Mapping[str, Any] | None = None,
) -> Config:
    """Put a configuration together: defaults, then the file, then ``--set``, then options.

    Args:
        file: TOML.
        settings: ``dotted.key=value``; the value is TOML, or else plain text.
        options: dotted keys from command-line options; None values are left out.
        part_keys: dotted keys that parts take, to suggest in place of an unknown one.
        below: dotted keys that all of these overrule: a recipe's.

    Raises:
        ConfigError: naming the key, and the file if it came from there.
    """
    values = {} if file is None else _read_toml(file)
    files = {} if file is None else dict.fromkeys(dict(flat(values)), f"{file}: ")
    _validate(values, f"{file}: ", part_keys)
    given = set(dict(flat(values)))
    for key, value in (below or {}).items():
        if key not in given:
            _put(values, key, value, key)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set {setting}: write KEY=VALUE, for instance --set rounds=3")
        files.pop(_put(values, key.strip(), _toml_value(text.strip()), f"--set {setting}"), None)
    for key, value in (options or {}).items():
        if value is not None:
            files.pop(_put(values, key, value, key), None)
    config = _validate(values, "", part_keys)
    config._files = files
    return config


def with_keys(
    config: Config, role: Role, name: str, model: type[BaseModel] | None, others: Sequence[str] = ()
) -> Config:
    """The configuration with a part's own keys checked by the model that it registered.

    ``model`` None: the part takes no key; ``others`` are the dotted keys that other parts take,
    for the error message.
    """
    section: PartConfig = getattr(config, role)
    joined = _joined(role, model)
    try:
        held = joined.model_validate(section.model_dump(exclude_unset=True))
    except ValidationError as error:
        known = [f"{role}.{key}" for key in joined.model_fields]
        key, message = _explained(error, [role], known, f"harness show {role} {name}")
        if key in others and key not in known:
            message = (
                f"{key} has no effect: {role} {name!r} takes no such key; leave it out or choose "
                f"another --{role}"
            )
            raise InapplicableError(key, config._files.get(key, "") + message) from None
        raise ConfigError(config._files.get(key, "") + message) from None
    return config.model_copy(update={role: held})


@cache
def _joined(role: Role, model: type[BaseModel] | None) -> type[PartConfig]:
    """The core's keys and then the part's, as one model."""
    core = SECTIONS[role]
    bases = (core,) if model is None else (model, core)

    class Joined(*bases):  # type: ignore[misc]
        model_config = ConfigDict(extra="forbid", frozen=True)
        not_identifying: ClassVar[frozenset[str]] = core.not_identifying | getattr(
            model, "not_identifying", frozenset()
        )

    return Joined


def identifying(config: Config) -> dict[str, Any]:
    """The configuration as JSON values, without keys that make no other run.

    The same run goes on under another budget, rate or API key, and can keep its student later.
    """
    roles = ("annotator", "student")
    excluded = {role: set(getattr(config, role).not_identifying) for role in roles}
    return config.model_dump(mode="json", exclude={"budget_usd": True, **excluded})


def config_hash(config: Config, *identities: str) -> str:
    """Eight hexadecimal digits of the configuration and of the identities of what it reads."""
    text = json.dumps(identifying(config), sort_keys=True)
    return hashlib.sha256("\n".join([text, *identities]).encode()).hexdigest()[:8]


def to_toml(config: Config) -> str:
    """The configuration as TOML; unset keys become comments.

    So do a part's own keys at their defaults: as values they would override a preset's when the
    file is read back.
    """
    tables = [name for name in Config.model_fields if isinstance(getattr(config, name), BaseModel)]
    lines = [_line(config, name) for name in Config.model_fields if name not in tables]
    for name in tables:
        table = getattr(config, name)
        lines += ["", f"[{name}]", *(_line(table, key) for key in type(table).model_fields)]
    return "\n".join(lines) + "\n"


def _line(model: BaseModel, name: str) -> str:
    value = getattr(model, name)
    comment = " ".join((type(model).model_fields[name].description or "").split())
    if value is None:
        return f"# {name} =  # {comment}"
    mark = "# " if isinstance(model, PartConfig) and model.unset(name) else ""
    return f"{mark}{_assignment(name, value)}  # {comment}"


def _assignment(name: str, value: Any) -> str:
    """``name = value`` on one line; a mapping as an inline table."""
    import tomli_w

    if isinstance(value, Mapping):
        inner = ", ".join(_assignment(key, value[key]) for key in value)
        return f"{tomli_w.dumps({name: 0}).partition(' = ')[0]} = {{ {inner} }}"
    return tomli_w.dumps({name: value}).strip()


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such configuration file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file}: not a readable TOML file: {error}") from None
    values.pop("plugins", None)  # read before: they bring the parts that the other keys name
    return values


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys with their values, tables included, each before its keys."""
    for key, value in values.items():
        yield prefix + key, value
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")


def _put(values: dict[str, Any], key: str, value: Any, source: str) -> str:
    *tables, last = key.split(".")
    for table in tables:
        inner = values.setdefault(table, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{source}: {table!r} is not a table of keys")
        values = inner
    values[last] = value
    return key


def _validate(values: Mapping[str, Any], source: str, part_keys: Sequence[str]) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        core = [key for key, value in flat(Config().model_dump()) if not isinstance(value, dict)]
        _, message = _explained(error, [], [*core, *part_keys], "harness show config")
        raise ConfigError(source + message) from None


def _explained(
    error: ValidationError, table: Sequence[str], known: Sequence[str], see: str
) -> tuple[str, str]:
    """The first key that is wrong, and one line on it."""
    first = error.errors()[0]
    key = _known_key([*table, *first["loc"]], known)
    if first["type"] == "extra_forbidden":
        return key, f"unknown key {key!r}; {nearest(key, known)} (see {see})"
    if first["type"] == "model_type":
        one = next(name for name in known if name.startswith(f"{key}."))
        return key, f"{key!r} is a table of keys; set one of them, such as {one!r}"
    # Of a union, what each branch would have taken.
    about = [one for one in error.errors() if _known_key([*table, *one["loc"]], known) == key]
    texts = dict.fromkeys(one["msg"][:1].lower() + one["msg"][1:] for one in about)
    return key, f"key {key!r} = {first['input']!r}: {', or '.join(texts)}"


def _known_key(location: Sequence[int | str], known: Sequence[str]) -> str:
    """The key that an error is about, without the branch of a union that pydantic adds."""
    parts = [str(part) for part in location]
    keys = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
    return next((key for key in keys if key in known), keys[0])
