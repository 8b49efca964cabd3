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
from harness_plugins.llm.service import Pace

if TYPE_CHECKING:
    from harness.protocols import AnnotatorRequest
    from harness_plugins.llm.presets import Preset
    from harness_plugins.llm.service import Service

ANSWER_TOKENS = {"sequence": 64, "token": 512}
"""Most tokens of an answer: a label with a sentence around it; a list of mentions."""
REASONING_TOKENS = 4096
"""Added for models that think, since their thoughts count as reply tokens."""
VOTING_TEMPERATURE = 0.7
"""For several samples if no temperature is set (Wang et al., 2023, section 3.1): at 0 all would
be the same."""

_THINKING = ("reasoning", "thinking")
"""Parameters besides ``reasoning_effort`` that make a model think: OpenRouter's, Anthropic's."""

_RESERVED = {
    **dict.fromkeys(("messages", "stream", "n", "response_format"), "the annotator sets it"),
    **dict.fromkeys(("model", "logprobs", "base_url", "timeout"), "use annotator.{}"),
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
    """Address of a server with the same protocol as the service; unset: the service's own."""
    temperature: Annotated[float, Field(ge=0, le=2)] | Literal["default"] | None = None
    """Sampling temperature; "default": not sent; unset: 0, or not sent to models that refuse it."""
    max_tokens: int | None = Field(default=None, ge=1, strict=True)
    """Most tokens of a reply; unset: what the task's answers need."""
    samples: int = Field(default=1, ge=1, le=100, strict=True)
    """Replies per example (self-consistency); the share of the vote is the confidence."""
    structured: bool | None = None
    """Ask for JSON by a schema (token tasks); unset: if the server is known to support it."""
    candidates: int = Field(default=1, ge=1, le=10, strict=True)
    """Labels that a reply may name at most where several are plausible, the likeliest first
    (texts): 2 asks for them; the first counts as the label, all are recorded."""
    logprobs: bool = False
    """Ask for log-probabilities, which give the confidence of a label."""
    repeats: Literal["all", "first"] = "all"
    """Places that a mention marks if the reply lists it once: all of them, or the first."""
    parameters: Mapping[str, Any] = {}
    """Further request parameters, sent unchanged; ``temperature`` and ``max_tokens`` or
    ``max_completion_tokens`` replace the values that would be sent."""
    concurrency: int = Field(default=32, ge=1, strict=True)
    """Most requests in flight; unset: a service may set another limit."""
    requests_per_minute: int | None = Field(default=None, ge=1, strict=True)
    """Limit per key; requests wait."""
    tokens_per_minute: int | None = Field(default=None, ge=1, strict=True)
    """Limit per key; requests wait."""
    timeout: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    """Seconds until a request is given up and sent again."""
    retries: int = Field(default=8, ge=0, strict=True)
    """How often a request is sent again after a failure that may pass."""
    transport: Literal["auto", "client", "thin"] = "auto"
    """Client for OpenAI-compatible servers: the official one, or a thin one that is many times
    faster; auto: the thin one, except for Azure."""
    batch: bool = False
    """Use the service's batch API if it has one (openai): half the price, up to a day."""
    key_env: str | None = None
    """Environment variable with the keys, separated by commas; unset: the service's."""
    key_file: str | None = None
    """File with one key per line."""
    price_input: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """$ per million prompt tokens; unset: from the service's price list."""
    price_output: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """$ per million completion tokens; unset: from the service's price list."""


_PACE = {one.name for one in fields(Pace)}


@dataclass(frozen=True, slots=True)
class LlmSettings:
    """All settings of an LLM annotator, its engine and its backend.

    Attributes:
        model: as the server knows it.
        endpoint: of every call: the server's address, or the service's name.
        base_url: the address that the user set, or None.
        sampling: request parameters without the limit of tokens.
        max_tokens: limit of an answer (writing demonstrations uses a higher one).
        optional: features that nobody asked for, left out for servers that do not know them:
            ``temperature``, ``response_format``.
        keys: the configuration, as the user and the preset set it.
    """

    service: Service
    model: str
    endpoint: str
    base_url: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    max_tokens: int = 64
    optional: frozenset[str] = frozenset()
    pace: Pace = field(default_factory=Pace)
    keys: LlmKeys = field(default_factory=LlmKeys)

    @property
    def price(self) -> tuple[float, float] | None:
        """The user's $ per million (prompt, reply) tokens; None: the price table's."""
        prompt, reply = self.keys.price_input, self.keys.price_output
        return None if prompt is None or reply is None else (prompt, reply)

    def parameters(self, *, max_tokens: int | None = None, temperature: float | None = None) -> str:
        """The ``parameters`` of a call: canonical JSON.

        Args:
            max_tokens: replaces the limit of an answer; a model that thinks gets more.
            temperature: replaces the default, unless the user set it or it is not sent.
        """
        values = dict(self.sampling)
        if temperature is not None and "temperature" in self.optional and "temperature" in values:
            values["temperature"] = temperature
        if not values.keys() & LIMITS.keys():  # else the user has set one
            limit = self.max_tokens if max_tokens is None else max_tokens + self.thinking
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
        """The model's name; for a local model, which must be there, with a hash of its files."""
        return self.service.identity(self.model)

    @property
    def fingerprint(self) -> str:
        """A hash of all that can change an answer."""
        parts = [self.endpoint, self.versioned_model, self.parameters()]
        asked = [*parts, self.keys.samples, self.keys.structured]
        return hashlib.sha256(canonical({"asked": asked}).encode()).hexdigest()[:16]

    def describe(self) -> dict[str, object]:
        """For the run's provenance, without keys."""
        return {
            "service": self.service.name,
            "endpoint": self.endpoint,
            "model": self.versioned_model,
            "parameters": self.parameters(),
            "samples": self.keys.samples,
        }


def settings_of(
    request: AnnotatorRequest, services: Mapping[str, Service], preset: Preset | None = None
) -> LlmSettings:
    """The settings of a request: the run's own first, then the preset's, then defaults.

    Raises:
        ConfigError: if no model is named, keys contradict each other, or a parameter carries a
            secret.
        CommandError: if a key is set in place of the name of its variable or file.
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
        optional=optional,
        keys=config,
        pace=replace(service.pace, **config.model_dump(include=_PACE, exclude_unset=True)),
    )
    needed = ANSWER_TOKENS[request.task.kind] + bare.thinking
    return replace(bare, max_tokens=config.max_tokens or needed)


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
    except ValueError:  # unmatched brackets or an invalid port
        possible = False
    if not possible or parts.scheme not in ("http", "https"):  # never shown: it may hold a password
        raise ConfigError("annotator.base_url: write http://HOST:PORT/v1 or https://HOST/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(
            "annotator.base_url: remove user, password, query and fragment; "
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
        raise ConfigError(f"annotator.logprobs: {service.name!r} gives none; unset it")
    if service.local and base_url:
        raise ConfigError("annotator.base_url: a local model has no server; use openai:MODEL")


def _sampling(config: LlmKeys, reasons: bool) -> tuple[dict[str, Any], frozenset[str]]:
    values: dict[str, Any] = dict(config.parameters)
    optional = {"response_format"} if config.structured is None else set()
    if "temperature" in values:
        pass  # the user's
    elif isinstance(config.temperature, float | int):
        values["temperature"] = config.temperature
    elif config.temperature is None and not reasons:
        values["temperature"] = VOTING_TEMPERATURE if config.samples > 1 else 0.0
        optional.add("temperature")
    if config.logprobs:
        values["logprobs"] = True
    return values, frozenset(optional)
