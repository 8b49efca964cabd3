"""The configuration of a run: one frozen model, the same keys as TOML, ``--set`` and options."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import ConfigError, nearest

__all__ = [
    "AnnotatorConfig",
    "Config",
    "DemonstrationsConfig",
    "SelectorConfig",
    "StudentConfig",
    "config_hash",
    "load_config",
    "to_toml",
]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class AnnotatorConfig(_Frozen):
    """Who labels the pool. All but ``spec`` concern LLM annotators."""

    spec: str | None = None
    """Annotator spec; unset: the task's own default."""
    model: str | None = None
    """Model name; unset: the spec's."""
    base_url: str | None = None
    """Address of an OpenAI-compatible server; unset: the vendor's."""
    temperature: Annotated[float, Field(ge=0, le=2)] | Literal["default"] | None = None
    """Sampling temperature; "default": not sent; unset: 0, or not sent to models that refuse it."""
    max_tokens: int | None = Field(default=None, ge=1, strict=True)
    """Most tokens of a reply; unset: what the task's answers need."""
    samples: int = Field(default=1, ge=1, le=100, strict=True)
    """Replies per example (self-consistency); the vote's share is the confidence."""
    structured: bool | None = None
    """Ask for JSON by a schema (token tasks); unset: where the server is known to do it."""
    logprobs: bool = False
    """Ask for log-probabilities: the confidence of a label."""
    repeats: Literal["all", "first"] = "all"
    """What a mention that is listed once marks: each place of its words, or the first one."""
    parameters: Mapping[str, Any] = {}
    """Further request parameters, sent as they are."""
    concurrency: int = Field(default=32, ge=1, strict=True)
    """Requests in flight at most."""
    requests_per_minute: int | None = Field(default=None, ge=1, strict=True)
    """Limit of each key; requests wait."""
    tokens_per_minute: int | None = Field(default=None, ge=1, strict=True)
    """Limit of each key; requests wait."""
    timeout: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    """Seconds until a request is given up and sent again."""
    retries: int = Field(default=8, ge=0, strict=True)
    """How often a request is sent again after a failure that may pass."""
    transport: Literal["auto", "client", "thin"] = "auto"
    """How an OpenAI-compatible server is reached: through the official client, or by a thin one
    that is many times faster; auto: the thin one, but for Azure."""
    courier: bool = True
    """Leave the connections to a small process that outlives this one if it is killed, and then
    keeps the replies that were under way."""
    batch: bool = False
    """Use the vendor's batch API: half the price, up to a day (openai)."""
    key_env: str | None = None
    """Environment variable with the key or keys (comma between them); unset: the vendor's."""
    key_file: str | None = None
    """File with one key a line."""
    price_input: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """$ per million prompt tokens; unset: the price table's."""
    price_output: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """$ per million completion tokens; unset: the price table's."""


class DemonstrationsConfig(_Frozen):
    """What the annotator is shown."""

    generated: bool = True
    """Start with generated demonstrations (stage R1); false: zero-shot (stage R0)."""
    shots: int | None = Field(default=None, ge=1, le=1000, strict=True)
    """Demonstrations per example; unset: the task's own number."""
    written: int = Field(default=100, ge=1, le=10_000, strict=True)
    """How many demonstrations an LLM annotator writes for stage R1."""


class StudentConfig(_Frozen):
    """Who learns from the labels. Unset values are the preset's, and the student's own; a run's
    manifest.json has them all (resolved).

    All but the first and the last concern students that train an encoder.
    """

    spec: str = "minilm"
    """Student spec."""
    preset: Literal["default", "paper", "plain"] = "default"
    """Training settings: ours; those of the FreeAL paper and its code; cross-entropy alone."""
    epochs: int | None = Field(default=None, ge=1, strict=True)
    """Passes over the pool."""
    batch_size: int | None = Field(default=None, ge=1, strict=True)
    """Examples per optimiser step."""
    learning_rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Peak learning rate of AdamW."""
    careful_rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """The same where clean is auto and finds many labels wrong, or all of them foreseen; unset:
    the encoder's own, or learning_rate where that is set."""
    max_length: int | None = Field(default=None, ge=8, strict=True)
    """Word pieces of a text, which is cut there; longer sentences are read in windows."""
    head: Literal["cls", "mean"] | None = None
    """Where a text's label is read off: the sentence token, or the mean over word pieces."""
    augmenter: str | None = None
    """Augmenter spec: variants of the texts to train on (augmented = 1 unless the preset or you
    say otherwise); unset: none, dropout makes them."""
    weighted: bool | None = None
    """Weigh each label by the confidence with which it was given, where there is one."""
    clean: Literal["all", "mixture", "auto"] | None = None
    """Which labels are learnt: all, those of small loss by a Gaussian mixture, or (auto) all
    where few labels are wrong by an estimate, else by the mixture (texts only)."""
    clean_threshold: float | None = Field(default=None, ge=0, le=1)
    """Probability of the mixture's lower component above which a label counts as clean."""
    clean_by: Literal["unit", "example"] | None = None
    """What the mixture judges: each text or token, or each whole sentence."""
    clean_groups: Literal["all", "class"] | None = None
    """One mixture over all losses (tokens: one for O, one for mentions), or one a class."""
    agreement: bool | None = None
    """Labels that other occurrences of the same words contradict are not learnt (token tasks)."""
    warmup_epochs: int | None = Field(default=None, ge=0, strict=True)
    """Epochs in which all labels count as clean."""
    ramp_epochs: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Epochs until mixup, variants and consistency have their full weight."""
    mixup: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Weight of mixup of representations; 0: off."""
    mixup_alpha: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Of the Beta distribution that mixup draws its shares from."""
    augmented: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Weight of cross-entropy on the variants of clean examples; 0: off."""
    consistency: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Weight of the consistency between examples and their variants; 0: off."""
    consistency_over: Literal["rest", "all"] | None = None
    """Whether it holds what is not clean together, or everything."""
    consistency_reduction: Literal["sum", "mean"] | None = None
    """Over a batch: the sum (the paper's code) or the mean (its text)."""
    temperature: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Sharpening of the consistency (UDA)."""
    unlabelled: bool | None = None
    """Examples without an answer take part in the consistency (low-budget mode)."""
    transition: bool | None = None
    """Correct for the annotator's confusions between labels, estimated from its labels."""
    ema: float | None = Field(default=None, ge=0, lt=1)
    """Decay of the averaged weights that look at pools; 0: the last weights do."""
    processes: int | None = Field(default=None, ge=1, strict=True)
    """Processes that share each batch, one a GPU, or sharing the CPU's cores; unset: 1; at most
    batch_size."""
    save: bool = False
    """Keep the last round's model in the run folder (student/), for harness export; a run that
    is finished trains it once more."""


class SelectorConfig(_Frozen):
    """How the student's view becomes feedback."""

    spec: str = "freeal"
    """Preset: one selector for each role."""
    trust: str | None = None
    """Selector of trusted labels; unset: the preset's."""
    demonstrations: str | None = None
    """Selector of demonstrations; unset: the preset's."""
    query: str | None = None
    """Selector of what to annotate next; unset: the preset's."""


class Config(_Frozen):
    """A run. Together with the data this decides every number in it."""

    task: str = "demo"
    """Task spec: a name, or the path of a TOML file."""
    rounds: int = Field(default=2, ge=1, strict=True)
    """Rounds of annotate, train, select."""
    seed: int = Field(default=0, ge=0, strict=True)
    """Seed of everything that is drawn."""
    setting: Literal["inductive", "transductive"] = "inductive"
    """Inductive: the test set is labelled and scored, too. Transductive: the pool alone."""
    limit: int | None = Field(default=None, ge=1, strict=True)
    """At most so many examples of each split, drawn by the seed."""
    budget_usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Most that the run may pay; it stops in time and can go on with a higher one."""
    validation: float = Field(default=0.0, ge=0, le=0.5, allow_inf_nan=False)
    """Above 0: also score on validation: the task's own split, or this share held out of train."""
    without_leaked: bool = False
    """Also score on the test set without the texts that occur in the pool."""
    annotator: AnnotatorConfig = AnnotatorConfig()
    demonstrations: DemonstrationsConfig = DemonstrationsConfig()
    student: StudentConfig = StudentConfig()
    selector: SelectorConfig = SelectorConfig()


def load_config(
    file: Path | None = None,
    settings: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> Config:
    """Put a configuration together: defaults, then the file, then ``--set``, then options.

    Args:
        file: a TOML file with keys of ``Config``.
        settings: ``dotted.key=value``; the value is TOML, or else plain text.
        options: dotted keys from command-line options; None values are left out.

    Raises:
        ConfigError: naming the key, and the file if it came from there.
    """
    values: dict[str, Any] = {}
    if file is not None:
        values = _read_toml(file)
        _validate(values, f"{file}: ")
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set {setting}: write KEY=VALUE, for instance --set rounds=3")
        _put(values, key.strip(), _toml_value(text.strip()), f"--set {setting}")
    for key, value in (options or {}).items():
        if value is not None:
            _put(values, key, value, key)
    return _validate(values, "")


MANNERS: Mapping[str, Any] = {
    "budget_usd": True,
    "annotator": {
        *("concurrency", "requests_per_minute", "tokens_per_minute", "timeout", "retries"),
        *("transport", "courier", "batch", "key_env", "key_file", "price_input", "price_output"),
    },
    "student": {"save"},
}
"""Keys that say how answers are fetched and paid for, not what is asked, and what is kept:
a run goes on under another budget, pace or key, and its student can be kept afterwards."""


def config_hash(config: Config, *identities: str) -> str:
    """Eight hexadecimal digits: of what the configuration decides, and of what it reads."""
    text = json.dumps(config.model_dump(mode="json", exclude=MANNERS), sort_keys=True)
    return hashlib.sha256("\n".join([text, *identities]).encode()).hexdigest()[:8]


def to_toml(config: Config) -> str:
    """The configuration as TOML; keys that are unset become comments.

    So do an annotator's keys that nobody set, with their defaults: written as values they
    would overrule a preset's when the file is read back.
    """
    import tomli_w

    lines: list[str] = []
    plain, tables = _split(config)
    _write(lines, config, plain)
    for name in tables:
        lines += ["", f"[{name}]"]
        part = getattr(config, name)
        _write(lines, part, _split(part)[0])
    text = "\n".join(lines) + "\n"
    left_out = {"annotator": set(AnnotatorConfig.model_fields) - config.annotator.model_fields_set}
    assert tomllib.loads(text) == tomllib.loads(
        tomli_w.dumps(config.model_dump(mode="json", exclude_none=True, exclude=left_out))
    )
    return text


def _split(model: BaseModel) -> tuple[list[str], list[str]]:
    names = list(type(model).model_fields)
    tables = [name for name in names if isinstance(getattr(model, name), BaseModel)]
    return [name for name in names if name not in tables], tables


def _write(lines: list[str], model: BaseModel, names: Sequence[str]) -> None:
    for name in names:
        value = getattr(model, name)
        comment = " ".join((type(model).model_fields[name].description or "").split())
        if value is None:
            lines.append(f"# {name} =  # {comment}")
        elif isinstance(model, AnnotatorConfig) and name not in model.model_fields_set:
            lines.append(f"# {_assignment(name, value)}  # {comment}")
        else:
            lines.append(f"{_assignment(name, value)}  # {comment}")


def _assignment(name: str, value: Any) -> str:
    """``name = value`` on one line; a mapping as an inline table."""
    import tomli_w

    if isinstance(value, Mapping):
        inner = ", ".join(_assignment(key, value[key]) for key in value)
        return f"{tomli_w.dumps({name: 0}).partition(' = ')[0]} = {{ {inner} }}"
    return tomli_w.dumps({name: value}).strip()


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such configuration file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file}: not a readable TOML file: {error}") from None


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _put(values: dict[str, Any], key: str, value: Any, source: str) -> None:
    *tables, last = key.split(".")
    for table in tables:
        inner = values.setdefault(table, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{source}: {table!r} is not a table of keys")
        values = inner
    values[last] = value


def _validate(values: Mapping[str, Any], source: str) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = _known_key(first["loc"])
        if first["type"] == "extra_forbidden":
            message = f"unknown key {key!r}; {nearest(key, _all_keys())} (see harness show config)"
        elif first["type"] == "model_type":
            message = f"{key!r} is a table of keys; set one of them, such as {_first_key(key)!r}"
        else:
            said = _said(error, key)
            message = f"key {key!r} = {first['input']!r}: {said}"
        raise ConfigError(f"{source}{message}") from None


def _said(error: ValidationError, key: str) -> str:
    """What is wrong with a key; of a union, what each branch would have taken."""
    said = [one["msg"] for one in error.errors() if _known_key(one["loc"]) == key]
    return ", or ".join(message[:1].lower() + message[1:] for message in dict.fromkeys(said))


def _known_key(location: Sequence[int | str]) -> str:
    """The key that an error is about, without the branch of a union that pydantic adds."""
    parts = [str(part) for part in location]
    known = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
    return next((key for key in known if key in _all_keys()), known[0])


def _first_key(table: str) -> str:
    return next(key for key in _all_keys() if key.startswith(f"{table}."))


def _all_keys() -> list[str]:
    keys = []
    for name, info in Config.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            keys += [f"{name}.{key}" for key in inner.model_fields]
        else:
            keys.append(name)
    return keys
