"""Every provider that litellm knows, by ``litellm.acompletion``."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness.errors import CommandError, ConfigError
from harness_plugins.llm.backends.chat_protocol import reply_of, request_of
from harness_plugins.llm.backends.responses import failure_in
from harness_plugins.llm.calls import Call, Reply
from harness_plugins.llm.failures import (
    ClosedError,
    SendingError,
    TransientError,
    UnsupportedError,
)
from harness_plugins.llm.keys import AZURE_HOSTS, is_local, is_under, keys_of, named_keys
from harness_plugins.llm.secrets import Redactor, Secret, dotenv_setting, shown
from harness_plugins.llm.send.refusals import Server, failure_of, unsupported_feature

if TYPE_CHECKING:
    from harness_plugins.llm.settings import LlmSettings

NO_KEY = "no-key"
"""For servers that need none: without one litellm looks for the provider's itself."""

HOSTS = {
    "openai": ("openai.com",),
    "text-completion-openai": ("openai.com",),
    "anthropic": ("anthropic.com",),
    "gemini": ("googleapis.com",),
    "cohere": ("cohere.com",),
    "cohere_chat": ("cohere.com",),
    "azure": AZURE_HOSTS,
    "azure_ai": AZURE_HOSTS,
    "azure_text": AZURE_HOSTS,
}
"""Of providers whose address litellm does not tell."""
AWS = {
    "AWS_ACCESS_KEY_ID": "aws_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
    "AWS_SESSION_TOKEN": "aws_session_token",
}


class LitellmBackend:
    """A ``Backend`` over litellm: one lane a key, no retries, no telemetry, nothing printed.

    Raises:
        CommandError: if the model's provider needs a key or setting that is missing.
        ConfigError: if litellm does not know the model's provider.
    """

    def __init__(self, settings: LlmSettings) -> None:
        self._litellm = _quiet_litellm()
        self._settings = settings
        self._credentials: Mapping[str, Secret] = {}
        self._keys = self._find_keys()
        self._server = Server(
            where=settings.base_url or settings.model.partition("/")[0],
            model=settings.model,
            keys=max(1, len(self._keys)),  # litellm finds those of some providers itself
            redact=Redactor([*self._keys, *self._credentials.values()]),
        )

    @property
    def lanes(self) -> int:
        """Number of keys, at least one."""
        return max(1, len(self._keys))

    async def send(self, call: Call, lane: int) -> Reply:
        """One request; see ``Backend``."""
        request = request_of(call)
        if self._settings.base_url:
            request["api_base"] = self._settings.base_url
        timeout = self._settings.pace.timeout + 5.0
        try:
            response = await self._litellm.acompletion(
                **request,
                **{name: secret.reveal() for name, secret in self._credentials.items()},
                api_key=self._keys[lane].reveal() if self._keys else None,
                timeout=timeout,
                num_retries=0,
                max_retries=0,
            )
            return reply_of(response.model_dump(), call)
        except SendingError:
            raise
        except Exception as error:  # litellm raises its own, openai's, and others' errors
            raise self._failure(error, lane) from None

    async def close(self) -> None:
        """Close the connections that litellm keeps."""
        await self._litellm.close_litellm_async_clients()

    def _find_keys(self) -> list[Secret]:
        settings = self._settings
        if (named := named_keys(settings)) is not None:
            return named
        try:
            bare, provider, _, _ = self._litellm.get_llm_provider(
                settings.model, api_base=settings.base_url
            )
            # Asked again: with an address, litellm gives that back, not the provider's own.
            _, _, _, known = self._litellm.get_llm_provider(f"{provider}/{bare}")
        except Exception:
            raise ConfigError(
                f"litellm does not know the provider of model {shown(settings.model)}; "
                "write litellm:PROVIDER/MODEL, for instance litellm:anthropic/claude-haiku-5-5"
            ) from None
        return self._provider_keys(str(provider), str(bare), known)

    def _provider_keys(self, provider: str, model: str, known: str | None) -> list[Secret]:
        """The provider's key, which goes to the provider and this machine alone."""
        if not _may_have_the_key(provider, self._settings.base_url, known):
            return [Secret(NO_KEY)]
        missing = self._litellm.validate_environment(f"{provider}/{model}")["missing_keys"]
        wanted = [name for name in missing if name.endswith("_API_KEY")]
        own = [f"{provider.upper()}_API_KEY"]
        if keys := keys_of(None, [*wanted, *own]):
            return keys
        if self._settings.base_url:
            return [Secret(NO_KEY)]
        self._credentials = _from_dotenv(provider)
        lacking = [
            name
            for name in missing
            if not os.environ.get(name) and name.lower() not in self._credentials
        ]
        if lacking:
            raise CommandError(
                f"no key for {self._settings.model}: set {' and '.join(lacking)} (in the "
                f"environment{_or_dotenv(lacking)}), annotator.key_file, or use another "
                "--annotator"
            )
        return []

    def _failure(self, error: Exception, lane: int) -> SendingError:
        """What an error means: by the response that it came of, where there is one."""
        name, said, response = type(error).__name__, str(error), _response(error)
        redacted = self._server.redact(said)[:300]
        if name in ("Timeout", "APITimeoutError") and response is None:
            return TransientError("no reply in time")
        if name == "UnsupportedParamsError":
            feature = unsupported_feature(said) or "a parameter"
            return UnsupportedError(feature, f"the model does not know {feature} ({redacted})")
        if response is not None and (failure := failure_in(self._server, response, lane)):
            return failure
        status = getattr(error, "status_code", None)  # of an error that came with HTTP 200
        if name in ("APIConnectionError", "InternalServerError") or status == 200:
            return _broken(error, redacted)
        if isinstance(status, int):
            return failure_of(self._server, status, {"error": {"message": said}}, {}, lane)
        return ClosedError(f"litellm failed: {name}: {redacted}")


def _response(error: BaseException | None) -> Any:
    """The response at the bottom of an error, with the server's own words; None: there is none.

    What litellm makes of it on the way up loses headers, and takes one status for another.
    """
    while error is not None:
        response = getattr(error, "response", None)
        if type(error).__name__.endswith("HTTPStatusError") and response is not None:
            return response
        error = error.__cause__ or error.__context__
    return None


def _may_have_the_key(provider: str, url: str | None, known: str | None) -> bool:
    """Whether an address is the provider's own, by litellm or ``HOSTS``, or of this machine."""
    own = (urlsplit(known or "").hostname or "", *HOSTS.get(provider, ()))
    return url is None or is_local(url) or is_under(url, own)


def _from_dotenv(provider: str) -> Mapping[str, Secret]:
    """Arguments of ``acompletion`` for credentials that stand in ``.env`` alone.

    litellm reads credentials of AWS from the environment, where those of ``.env`` are not.
    They are taken together or not at all: parts of two accounts' make none.
    """
    if not provider.startswith(("bedrock", "sagemaker")) or any(map(os.environ.get, AWS)):
        return {}
    found = {argument: dotenv_setting(name) for name, argument in AWS.items()}
    return {argument: Secret(value) for argument, value in found.items() if value}


def _or_dotenv(names: Sequence[str]) -> str:
    """Where else these may stand: of ``.env`` litellm gets API keys, and AWS's if all are there."""
    if all(name.endswith("_API_KEY") for name in names):
        return " or in .env"
    if all(name.startswith("AWS_") for name in names):
        return " or all of AWS's in .env"
    return "; .env is not read for all of them"


def _broken(error: BaseException, redacted: str) -> TransientError:
    """The error at the bottom tells whether there was a connection at all."""
    unreachable, cause = False, error.__cause__ or error.__context__
    while cause is not None and not unreachable:
        unreachable = type(cause).__name__ in ("ConnectError", "ClientConnectorError")
        cause = cause.__cause__ or cause.__context__
    return TransientError(f"connection or server broken ({redacted})", unreachable=unreachable)


def _quiet_litellm() -> Any:
    """Litellm without its price map from the net, its ``.env``, telemetry, prints and logs."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")
    import litellm

    litellm.telemetry = False
    litellm.suppress_debug_info = True
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return litellm
