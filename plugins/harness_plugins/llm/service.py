"""A service turns messages into replies; a plugin registers it as a value.

This module has all that one needs to write a service; what others define is imported when it is
first asked for here. After registration by the hook ``harness_register_services``,
``--annotator NAME:MODEL`` asks it, with the cache, limits, retries, prices and budget that all
services share.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.protocols import Account
    from harness_plugins.llm.calls import Call as Call
    from harness_plugins.llm.calls import Message as Message
    from harness_plugins.llm.calls import Reply as Reply
    from harness_plugins.llm.cost.prices import Price as Price
    from harness_plugins.llm.cost.prices import listed_price as listed_price
    from harness_plugins.llm.failures import ClosedError as ClosedError
    from harness_plugins.llm.failures import RejectedError as RejectedError
    from harness_plugins.llm.failures import SendingError as SendingError
    from harness_plugins.llm.failures import TransientError as TransientError
    from harness_plugins.llm.failures import UnsupportedError as UnsupportedError
    from harness_plugins.llm.keys import keys_for as keys_for
    from harness_plugins.llm.secrets import Redactor as Redactor
    from harness_plugins.llm.secrets import Secret as Secret
    from harness_plugins.llm.send.refusals import Server as Server
    from harness_plugins.llm.send.refusals import failure_of as failure_of
    from harness_plugins.llm.sender import Backend as Backend
    from harness_plugins.llm.sender import Sender as Sender
    from harness_plugins.llm.settings import LlmSettings as LlmSettings

_EXPORTS = {
    "calls": ("Call", "Message", "Reply"),
    "cost.prices": ("Price", "listed_price"),
    "failures": (
        *("ClosedError", "RejectedError", "SendingError", "TransientError", "UnsupportedError"),
    ),
    "keys": ("keys_for",),
    "secrets": ("Redactor", "Secret"),
    "send.refusals": ("Server", "failure_of"),
    "sender": ("Backend", "Sender"),
    "settings": ("LlmSettings",),
}
"""Modules of ``harness_plugins.llm`` with what they export here."""


def __getattr__(name: str) -> Any:
    for module, names in _EXPORTS.items():
        if name in names:
            return getattr(importlib.import_module(f"harness_plugins.llm.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclass(frozen=True, slots=True)
class Pace:
    """Limits and patience of sending, as in ``LlmKeys``; rates per key, concurrency over all."""

    concurrency: int = 32
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    timeout: float = 60.0
    retries: int = 8


def reasons(model: str) -> bool:
    """Whether the vendor's model thinks before it answers, and so refuses a temperature.

    Its name decides, not a table of a package: requests must be the same tomorrow.
    """
    name = model.rsplit("/", 1)[-1]
    return bool(re.match(r"(o\d|gpt-([5-9]|\d\d))(?!.*chat)", name))


def _vendor_price(settings: LlmSettings) -> Price | None:
    from harness_plugins.llm.cost.prices import vendor_price

    return vendor_price(settings, settings.model)


@dataclass(frozen=True, slots=True)
class Service:
    """What answers calls: how to reach it, what it can do, what it costs.

    Attributes:
        name: specs write it before the model's name; no call's key contains it.
        summary: one line for ``harness list services``.
        backend: makes what sends one request, when the first is to be sent.
        sender: replaces ``backend`` for services without a network.
        batch: the sender for ``annotator.batch``; None: there is no batch API.
        endpoint: its address unless ``annotator.base_url`` is set; "": its name.
        key_env: the environment variable with its key; "": it needs none.
        price: of a model unless the user sets one; None: unknown. Default: by the vendor's
            price list, and nothing for a server of the user's own.
        pace: limits unless the user sets them.
        limit_name: the request parameter that limits a reply's tokens.
        reasons: whether a model, by its name, thinks before it answers: it gets no temperature
            and more tokens.
        structured: whether its answers are known to follow a JSON schema.
        logprobs: whether it gives the log-probabilities of a reply.
        choices: whether it gives the likelihood of given answers (``Call.choices``).
        local: whether the model runs here, without an address or limits of a server.
        identity: a model's name with its version, if the name alone does not tell it.
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
        """The sender that the settings ask for; ``CommandError`` if no key or server is set."""
        special = self.batch if settings.keys.batch else self.sender
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

    It handles connections, keys and refusals (by status and words).

    Args:
        path: after the address, such as ``/chat``.
        request: the body for a call.
        reply: the reply from a response's body; after ``KeyError``, ``IndexError``,
            ``TypeError`` or ``ValueError`` (unexpected keys) the call is sent again.
        authorize: the headers for a key.

    Raises:
        CommandError: if a key is needed and there is none.
    """
    from harness_plugins.llm.backends.http_transport import HttpBackend
    from harness_plugins.llm.keys import keys_for
    from harness_plugins.llm.secrets import Redactor
    from harness_plugins.llm.send.refusals import Server

    keys = keys_for(settings)
    where = settings.base_url or settings.service.name
    server = Server(where, settings.model, len(keys), Redactor(keys))
    url = f"{settings.endpoint}{path}"
    return HttpBackend(url, [authorize(key.reveal()) for key in keys], server, request, reply)
