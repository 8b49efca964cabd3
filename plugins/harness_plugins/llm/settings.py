"""From a run's configuration and a preset to endpoint, model, parameters and limits."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import ConfigError
from harness.specs import parse_spec
from harness_plugins.llm.calls import canonical
from harness_plugins.llm.keys import check_key_sources
from harness_plugins.llm.secrets import check_no_secret
from harness_plugins.llm.send.remedies import LIMITS

if TYPE_CHECKING:
    from harness.protocols import AnnotatorRequest
    from harness_plugins.llm.presets import Preset
    from harness_plugins.llm.service import Service

ANSWER_TOKENS = {"sequence": 64, "token": 512}
"""Most tokens of an answer: a label with a sentence around it; a list of mentions."""
REASONING_TOKENS = 4096
"""Added for models that think before they answer: their thoughts count as reply tokens."""
VOTING_TEMPERATURE = 0.7
"""Where several samples are asked for and no temperature is set (Wang et al., 2023, section 3.1):
at 0 all votes would be the same."""

_THINKING = ("reasoning", "thinking")
"""Parameters that ask a model to think, beside ``reasoning_effort``: OpenRouter's, Anthropic's."""

_RESERVED = {
    **dict.fromkeys(("messages", "stream", "n", "response_format"), "it is set by the annotator"),
    **dict.fromkeys(("model", "logprobs", "base_url"), "it has a key of its own, annotator.{}"),
    "timeout": "use annotator.timeout",
}


class LlmKeys(BaseModel):
    """The configuration keys of annotators that ask a language model."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    not_identifying: ClassVar[frozenset[str]] = frozenset(
        {
            *("concurrency", "requests_per_minute", "tokens_per_minute", "timeout", "retries"),
            *("transport", "batch", "key_env", "key_file"),
            *("price_input", "price_output"),
        }
    )

    model: str | None = None
    """Model name; unset: the spec's."""
    base_url: str | None = None
    """Address of a server that speaks as the service does; unset: the service's own."""
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
    """Further request parameters, sent as they are; also ``temperature`` and ``max_tokens`` or
    ``max_completion_tokens``, in place of what would be sent."""
    concurrency: int = Field(default=32, ge=1, strict=True)
    """Requests in flight at most; a service may set limits of its own where you set none."""
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
    batch: bool = False
    """Use the service's batch API, where it has one (openai): half the price, up to a day."""
    key_env: str | None = None
    """Environment variable with the key or keys (comma between them); unset: the service's."""
    key_file: str | None = None
    """File with one key a line."""
    price_input: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """$ per million prompt tokens; unset: the service's, by its price list."""
    price_output: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """$ per million completion tokens; unset: the service's, by its price list."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast, and how patiently, requests are sent.

    Attributes:
        concurrency: requests in flight at most, over all keys.
        requests_per_minute, tokens_per_minute: limits of each key; None: none.
        timeout: seconds until a request is given up.
        retries: how often it is sent again.
    """

    concurrency: int = 32
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    timeout: float = 60.0
    retries: int = 8


_PACE = {one.name for one in fields(Pace)}


@dataclass(frozen=True, slots=True)
class LlmSettings:
    """All that an LLM annotator, its engine and its backend are told.

    Attributes:
        service: who is asked.
        model: as the server knows it.
        endpoint: the ``endpoint`` of every call: the server's address, or the service's name.
        base_url: the address that was set, or None.
        sampling: request parameters as they are sent, without the limit of tokens.
        max_tokens: limit of an answer's tokens (what writes demonstrations asks for more).
        samples, structured, logprobs, repeats: as in ``LlmKeys``.
        optional: features that are left out where the server does not know them, because
            nobody asked for them: ``temperature``, ``response_format``.
        price: the user's own $ per million (prompt, reply) tokens; None: the price table's.
    """

    service: Service
    model: str
    endpoint: str
    base_url: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    max_tokens: int = 64
    samples: int = 1
    structured: bool | None = None
    logprobs: bool = False
    repeats: Literal["all", "first"] = "all"
    optional: frozenset[str] = frozenset()
    pace: Pace = Pace()
    batch: bool = False
    transport: Literal["auto", "client", "thin"] = "auto"
    key_env: str | None = None
    key_file: str | None = None
    price: tuple[float, float] | None = None

    def parameters(self, *, max_tokens: int | None = None, temperature: float | None = None) -> str:
        """The ``parameters`` of a call: canonical JSON.

        Args:
            max_tokens: instead of an answer's (a model that thinks is given more).
            temperature: instead of the default 0, where the user set none and it is sent.
        """
        values = dict(self.sampling)
        if temperature is not None and "temperature" in self.optional and "temperature" in values:
            values["temperature"] = temperature
        limit = self.max_tokens if max_tokens is None else max_tokens + self.thinking
        if not values.keys() & LIMITS.keys():  # else it is sent as the user has set it
            values[self.service.limit_name(self)] = limit
        return canonical(values)

    @property
    def thinking(self) -> int:
        """Tokens that the model may spend before its answer."""
        effort = self.sampling.get("reasoning_effort")
        if effort == "none":
            return 0
        asked = effort or any(self.sampling.get(name) for name in _THINKING)
        return REASONING_TOKENS if asked or self.service.reasons(self.model) else 0

    @property
    def versioned_model(self) -> str:
        """The model's name; a local model's with a hash of its files.

        Raises:
            CommandError, ServiceError: if a local model is not there.
        """
        return self.service.identity(self.model)

    @property
    def fingerprint(self) -> str:
        """A hash of all that can change an answer."""
        asked = [
            self.endpoint,
            self.versioned_model,
            self.parameters(),
            self.samples,
            self.structured,
        ]
        return hashlib.sha256(canonical({"asked": asked}).encode()).hexdigest()[:16]

    def describe(self) -> dict[str, object]:
        """For the run's provenance; no key is in it."""
        return {
            "service": self.service.name,
            "endpoint": self.endpoint,
            "model": self.versioned_model,
            "parameters": self.parameters(),
            "samples": self.samples,
        }


def settings_of(
    request: AnnotatorRequest, services: Mapping[str, Service], preset: Preset | None = None
) -> LlmSettings:
    """What a request asks for: the run's own settings first, then the preset's, then defaults.

    Args:
        request: whose spec names a service and a model, where there is no preset.
        services: those that are registered, by name.
        preset: says the service and the model, and what holds where the run sets nothing.

    Raises:
        ConfigError: if no model is named, a key contradicts another, or a parameter carries a
            secret.
        CommandError: if a key stands where the name of its variable or file belongs.
    """
    config = _with_preset(request.config, preset)
    spec = parse_spec(preset.spec) if preset else request.spec
    service = _service(spec.name, services, preset)
    model = config.model or spec.argument
    if not model:
        raise ConfigError(f"annotator {spec.name!r}: name a model, {spec.name}:MODEL")
    base_url = _address(config.base_url)
    check_key_sources(config.key_env, config.key_file)
    _check_parameters(config.parameters)
    _check_combination(config, service, base_url)
    sampling, optional = _sampling(config, service.reasons(model))
    bare = LlmSettings(
        service=service,
        model=model,
        endpoint=base_url or service.endpoint or service.name,
        base_url=base_url,
        sampling=sampling,
        samples=config.samples,
        structured=config.structured,
        logprobs=config.logprobs,
        repeats=config.repeats,
        optional=optional,
        pace=replace(service.pace, **config.model_dump(include=_PACE, exclude_unset=True)),
        batch=config.batch,
        transport=config.transport,
        key_env=config.key_env,
        key_file=config.key_file,
        price=_price(config),
    )
    needed = ANSWER_TOKENS[request.task.kind] + bare.thinking
    return replace(bare, max_tokens=config.max_tokens or needed)


def reasons(model: str) -> bool:
    """Whether the vendor's model thinks before it answers, and so refuses a temperature.

    By name (o1 …, gpt-5 and later), not by a table that changes with an installed package:
    what is sent must be the same tomorrow.
    """
    name = model.rsplit("/", 1)[-1]
    return bool(re.match(r"(o\d|gpt-([5-9]|\d\d))(?!.*chat)", name))


def _with_preset(keys: BaseModel | None, preset: Preset | None) -> LlmKeys:
    config = keys if isinstance(keys, LlmKeys) else LlmKeys()
    if preset is None:
        return config
    values = {**preset.values, **config.model_dump(exclude_unset=True)}
    if "parameters" in preset.values:
        values["parameters"] = {**preset.values["parameters"], **config.parameters}
    return LlmKeys.model_validate(values)


def _service(name: str, services: Mapping[str, Service], preset: Preset | None) -> Service:
    if name in services:
        return services[name]
    where = f"preset {preset.name!r}" if preset else f"annotator {name!r}"
    known = ", ".join(f"{one}:" for one in sorted(services))
    raise ConfigError(f"{where}: {name!r} asks no model; use one of {known}")


def _address(base_url: str | None) -> str | None:
    if base_url is None:
        return None
    try:
        parts = urlsplit(base_url)
        possible = bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", base_url)
    except ValueError:  # brackets that do not match, a port that is none
        possible = False
    if not possible or parts.scheme not in ("http", "https"):  # not with it: it may hold a password
        raise ConfigError("annotator.base_url: write http://HOST:PORT/v1 or https://HOST/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(
            "annotator.base_url: no user, password, query or fragment belongs in it; "
            "keys come from annotator.key_env or annotator.key_file"
        )
    return base_url.rstrip("/")


def _check_parameters(parameters: Mapping[str, Any]) -> None:
    for name in parameters:
        if why := _RESERVED.get(name.lower(), "").format(name.lower()):
            raise ConfigError(f"annotator.parameters: {name!r} cannot be set here; {why}")
    check_no_secret(parameters)


def _check_combination(config: LlmKeys, service: Service, base_url: str | None) -> None:
    if (config.price_input is None) != (config.price_output is None):
        raise ConfigError("annotator: set price_input and price_output, or neither")
    if config.batch and service.batch is None:
        raise ConfigError(f"annotator.batch: {service.name!r} has no batch API; unset it")
    if config.logprobs and not service.logprobs:
        raise ConfigError(f"annotator.logprobs: {service.name!r} tells none; unset it")
    if service.local and base_url:
        raise ConfigError("annotator.base_url: a local model has no server; use openai:MODEL")


def _sampling(config: LlmKeys, reasons: bool) -> tuple[dict[str, Any], frozenset[str]]:
    values: dict[str, Any] = dict(config.parameters)
    optional = {"response_format"} if config.structured is None else set()
    if "temperature" in values:
        pass  # it is sent as the user has set it
    elif isinstance(config.temperature, float | int):
        values["temperature"] = config.temperature
    elif config.temperature is None and not reasons:
        values["temperature"] = VOTING_TEMPERATURE if config.samples > 1 else 0.0
        optional.add("temperature")
    if config.logprobs:
        values["logprobs"] = True
    return values, frozenset(optional)


def _price(config: LlmKeys) -> tuple[float, float] | None:
    if config.price_input is None or config.price_output is None:
        return None
    return config.price_input, config.price_output
