"""A service: whoever turns messages into replies, as a value that a plugin registers.

What it takes to write one is exported here, and nothing heavy is imported. Registered by the
hook ``harness_register_services``, a service is asked by ``--annotator NAME:MODEL``, with the
cache, limits, retries, prices and budget that all services share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from harness_plugins.llm.calls import Call, Message, Reply
from harness_plugins.llm.cost.prices import Price, listed_price, vendor_price
from harness_plugins.llm.failures import (
    ClosedError,
    RejectedError,
    SendingError,
    TransientError,
    UnsupportedError,
)
from harness_plugins.llm.keys import keys_for
from harness_plugins.llm.secrets import Redactor, Secret
from harness_plugins.llm.send.refusals import Server, failure_of
from harness_plugins.llm.sender import Backend, Sender
from harness_plugins.llm.settings import LlmSettings, Pace, reasons

if TYPE_CHECKING:
    from harness.protocols import Account

__all__ = [
    "Backend",
    "Call",
    "ClosedError",
    "LlmSettings",
    "Message",
    "Pace",
    "Price",
    "Redactor",
    "RejectedError",
    "Reply",
    "Secret",
    "Sender",
    "SendingError",
    "Server",
    "Service",
    "TransientError",
    "UnsupportedError",
    "failure_of",
    "http_backend",
    "keys_for",
    "listed_price",
]


def _vendor_price(settings: LlmSettings) -> Price | None:
    return vendor_price(settings, settings.model)


@dataclass(frozen=True, slots=True)
class Service:
    """Whoever answers calls: how it is reached, what it can do, what it costs.

    Attributes:
        name: what specs write before the model's name; it is part of no call's key.
        summary: one line for ``harness list services``.
        backend: makes what sends one request; called when something is first to be sent.
        sender: in place of ``backend``, for what is not asked over a network.
        batch: the same for ``annotator.batch``; None: there is no batch API.
        endpoint: its address, where ``annotator.base_url`` is not set; "": its name.
        key_env: the environment variable that holds its key; "": it needs none.
        price: $ per token of a model where the user sets none; None: not known. Unset: by the
            vendor's price list, and nothing from a server of the user's own.
        pace: limits, where the user sets none.
        limit_name: the request parameter that limits a reply's tokens.
        reasons: whether a model, by its name, thinks before it answers: no temperature is sent
            to it, and it gets more tokens.
        structured: whether its answers are known to keep to a JSON schema.
        logprobs: whether it tells the log-probabilities of a reply.
        choices: whether it tells the likelihood of given answers (``Call.choices``).
        local: the model runs here: no address, no time by the limits of a server.
        identity: a model's name with its version, where the name alone does not say it.
    """

    name: str
    summary: str
    backend: Callable[[LlmSettings], Backend] | None = None
    sender: Callable[[LlmSettings, Account], Sender] | None = None
    batch: Callable[[LlmSettings, Account], Sender] | None = None
    endpoint: str = ""
    key_env: str = ""
    price: Callable[[LlmSettings], Price | None] = _vendor_price
    pace: Pace = field(default_factory=Pace)
    limit_name: Callable[[LlmSettings], str] = lambda settings: "max_tokens"
    reasons: Callable[[str], bool] = reasons
    structured: Callable[[LlmSettings], bool] = lambda settings: False
    logprobs: bool = False
    choices: bool = False
    local: bool = False
    identity: Callable[[str], str] = lambda model: model

    def __post_init__(self) -> None:
        if (self.backend is None) == (self.sender is None):
            raise TypeError(f"service {self.name!r}: give a backend or a sender, one of the two")

    def open_sender(self, settings: LlmSettings, account: Account) -> Sender:
        """What gets replies for calls, as the settings ask for it.

        Raises:
            CommandError: if no key or server is set.
        """
        special = self.batch if settings.batch else self.sender
        if special is not None:
            return special(settings, account)
        from harness_plugins.llm.send.network import NetworkSender

        assert self.backend is not None
        backend = self.backend(settings)
        return NetworkSender(backend, settings.pace, settings.endpoint, account.note)

    def describe(self) -> Mapping[str, object]:
        """For ``harness show service``."""
        pace = {key: value for key, value in asdict(self.pace).items() if value is not None}
        return {
            "use": f"--annotator {self.name}:MODEL",
            "address": "none: the model runs here" if self.local else self.endpoint or "by model",
            "key": self.key_env or ("none" if self.local else "as the backend finds it"),
            "batch API": "yes" if self.batch else "no",
            "log-probabilities": "of choices" if self.choices else "yes" if self.logprobs else "no",
            **({} if self.local else pace),
        }


def http_backend(
    settings: LlmSettings,
    path: str,
    request: Callable[[Call], Mapping[str, Any]],
    reply: Callable[[Any, Call], Reply],
    authorize: Callable[[str], Mapping[str, str]] = lambda key: {"Authorization": f"Bearer {key}"},
) -> Backend:
    """A backend for a service that takes JSON by POST and answers with JSON.

    Connections, keys and what a refusal means (by status and words) are seen to.

    Args:
        settings: which service, which model.
        path: below the address, such as ``/chat``.
        request: the body for a call.
        reply: what a response's body says; a body without the expected keys (``KeyError``,
            ``IndexError``, ``TypeError``, ``ValueError``) is asked for again.
        authorize: the headers that carry a key.

    Raises:
        CommandError: if a key is needed and there is none.
    """
    from harness_plugins.llm.backends.http_transport import HttpBackend

    keys = keys_for(settings)
    where = settings.base_url or settings.service.name
    server = Server(where, settings.model, len(keys), Redactor(keys))
    url = f"{settings.endpoint}{path}"
    return HttpBackend(url, [authorize(key.reveal()) for key in keys], server, request, reply)
