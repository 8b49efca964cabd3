"""From a run's configuration and a preset to endpoint, model, parameters and limits."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from harness.errors import ConfigError
from harness.specs import parse_spec
from harness_plugins.llm.calls import canonical
from harness_plugins.llm.secrets import check_key_sources, check_no_secret

if TYPE_CHECKING:
    from harness.config import AnnotatorConfig
    from harness.data import Kind
    from harness.protocols import AnnotatorRequest
    from harness_plugins.llm.presets import Preset

__all__ = [
    "OPENAI_URL",
    "LlmSettings",
    "Pace",
    "Service",
    "is_azure",
    "is_local",
    "reasons",
    "settings_of",
]

Service: TypeAlias = Literal["openai", "litellm", "transformers"]

OPENAI_URL = "https://api.openai.com/v1"
"""Where ``openai:MODEL`` is asked without ``annotator.base_url``."""

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
    **dict.fromkeys(
        ("model", "temperature", "max_tokens", "logprobs", "base_url"),
        "it has a key of its own, annotator.{}",
    ),
    "max_completion_tokens": "use annotator.max_tokens",
    "timeout": "use annotator.timeout",
}


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


@dataclass(frozen=True, slots=True)
class LlmSettings:
    """All that an LLM annotator, its engine and its backend are told.

    Attributes:
        service: which backend.
        model: as the server knows it.
        endpoint: the ``endpoint`` of every call: the server's address, or the service's name.
        base_url: the address that was set, or None.
        sampling: request parameters as they are sent, without the limit of tokens.
        max_tokens: limit of an answer's tokens (what writes demonstrations asks for more).
        samples, structured, logprobs, repeats: as in ``AnnotatorConfig``.
        optional: features that are left out where the server does not know them, because
            nobody asked for them: ``temperature``, ``response_format``.
        courier: connections belong to a process of their own, where that is possible.
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
    courier: bool = True
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
        values[self._limit_name] = limit
        return canonical(values)

    @property
    def thinking(self) -> int:
        """Tokens that the model may spend before its answer."""
        effort = self.sampling.get("reasoning_effort")
        if effort == "none":
            return 0
        asked = effort or any(self.sampling.get(name) for name in _THINKING)
        return REASONING_TOKENS if asked or reasons(self.model) else 0

    @property
    def versioned_model(self) -> str:
        """The model's name; a local model's with a hash of its files.

        Raises:
            CommandError, ServiceError: if a local model is not there.
        """
        if self.service != "transformers":
            return self.model
        from harness_plugins.llm.local.files import identity_of

        return identity_of(self.model)

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
            "service": self.service,
            "endpoint": self.endpoint,
            "model": self.versioned_model,
            "parameters": self.parameters(),
            "samples": self.samples,
        }

    @property
    def _limit_name(self) -> str:
        vendor = self.service == "openai" and (
            self.base_url is None or is_azure(self.base_url) or reasons(self.model)
        )
        return "max_completion_tokens" if vendor else "max_tokens"


def settings_of(
    request: AnnotatorRequest, preset: Preset | None = None, kind: Kind | None = None
) -> LlmSettings:
    """What a request asks for: the run's own settings first, then the preset's, then defaults.

    Raises:
        ConfigError: if no model is named, a key contradicts another, or a parameter carries a
            secret.
        CommandError: if a key stands where the name of its variable or file belongs.
    """
    config = _with_preset(request.config, preset)
    spec = parse_spec(preset.spec) if preset else request.spec
    service = _service(spec.name, preset)
    model = config.model or spec.argument
    if not model:
        raise ConfigError(f"annotator {spec.name!r}: name a model, {spec.name}:MODEL")
    base_url = _address(config.base_url)
    check_key_sources(config.key_env, config.key_file)
    _check_parameters(config.parameters)
    _check_combination(config, service, base_url)
    sampling, optional = _sampling(config, model)
    bare = LlmSettings(
        service=service,
        model=model,
        endpoint=base_url or (OPENAI_URL if service == "openai" else service),
        base_url=base_url,
        sampling=sampling,
        samples=config.samples,
        structured=config.structured,
        logprobs=config.logprobs,
        repeats=config.repeats,
        optional=optional,
        pace=Pace(
            config.concurrency,
            config.requests_per_minute,
            config.tokens_per_minute,
            config.timeout,
            config.retries,
        ),
        batch=config.batch,
        transport=config.transport,
        courier=config.courier,
        key_env=config.key_env,
        key_file=config.key_file,
        price=_price(config),
    )
    return _limited(bare, config.max_tokens, ANSWER_TOKENS[kind or request.task.kind])


def reasons(model: str) -> bool:
    """Whether the vendor's model thinks before it answers, and so refuses a temperature.

    By name (o1 …, gpt-5 and later), not by a table that changes with an installed package:
    what is sent must be the same tomorrow.
    """
    name = model.rsplit("/", 1)[-1]
    return bool(re.match(r"(o\d|gpt-([5-9]|\d\d))(?!.*chat)", name))


def is_azure(base_url: str) -> bool:
    """Whether an address is of Azure's OpenAI service."""
    host = urlsplit(base_url).hostname or ""
    return host.endswith((".openai.azure.com", ".cognitiveservices.azure.com"))


def is_local(base_url: str) -> bool:
    """Whether an address is of this machine."""
    return urlsplit(base_url).hostname in ("localhost", "127.0.0.1", "::1")


def _with_preset(config: AnnotatorConfig, preset: Preset | None) -> AnnotatorConfig:
    if preset is None:
        return config
    from harness.config import AnnotatorConfig  # not for a courier, which is to start at once

    values = {**preset.values, **config.model_dump(exclude_unset=True)}
    if "parameters" in preset.values:
        values["parameters"] = {**preset.values["parameters"], **config.parameters}
    return AnnotatorConfig.model_validate(values)


def _service(name: str, preset: Preset | None) -> Service:
    if name in ("openai", "litellm", "transformers"):
        return name  # type: ignore[return-value]
    where = f"preset {preset.name!r}" if preset else f"annotator {name!r}"
    raise ConfigError(f"{where}: {name!r} asks no model; use openai:, litellm: or transformers:")


def _address(base_url: str | None) -> str | None:
    if base_url is None:
        return None
    try:
        parts = urlsplit(base_url)
        possible = bool(parts.hostname) and parts.port != 0
    except ValueError as error:  # brackets that do not match, a port that is none
        raise ConfigError(f"annotator.base_url: {base_url!r} is no address: {error}") from None
    if parts.scheme not in ("http", "https") or not possible or re.search(r"\s", base_url):
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


def _check_combination(config: AnnotatorConfig, service: Service, base_url: str | None) -> None:
    if (config.price_input is None) != (config.price_output is None):
        raise ConfigError("annotator: set price_input and price_output, or neither")
    if config.batch and service != "openai":
        raise ConfigError(f"annotator.batch: {service!r} has no batch API; use openai:MODEL")
    if service == "transformers" and base_url:
        raise ConfigError("annotator.base_url: a local model has no server; use openai:MODEL")


def _sampling(config: AnnotatorConfig, model: str) -> tuple[dict[str, Any], frozenset[str]]:
    values: dict[str, Any] = dict(config.parameters)
    optional = {"response_format"} if config.structured is None else set()
    if isinstance(config.temperature, float | int):
        values["temperature"] = config.temperature
    elif config.temperature is None and not reasons(model):
        values["temperature"] = VOTING_TEMPERATURE if config.samples > 1 else 0.0
        optional.add("temperature")
    if config.logprobs:
        values["logprobs"] = True
    return values, frozenset(optional)


def _limited(settings: LlmSettings, asked: int | None, needed: int) -> LlmSettings:
    from dataclasses import replace

    limit = needed + settings.thinking if asked is None else asked
    return replace(settings, max_tokens=limit)


def _price(config: AnnotatorConfig) -> tuple[float, float] | None:
    if config.price_input is None or config.price_output is None:
        return None
    return config.price_input, config.price_output
