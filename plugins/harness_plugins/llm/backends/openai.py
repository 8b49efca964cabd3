"""The service ``openai``: the vendor, Azure, and every server that speaks chat completions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import CommandError
from harness_plugins.llm.cost.prices import Price, listed_price
from harness_plugins.llm.keys import is_under, keys_for
from harness_plugins.llm.secrets import Redactor, Secret, setting
from harness_plugins.llm.send.refusals import Server
from harness_plugins.llm.service import Service
from harness_plugins.llm.settings import reasons

if TYPE_CHECKING:
    from harness.protocols import Account
    from harness_plugins.llm.sender import Backend, Sender
    from harness_plugins.llm.settings import LlmSettings

AZURE_HOSTS = ("openai.azure.com", "cognitiveservices.azure.com")
ACCOUNT = (("OpenAI-Organization", "OPENAI_ORG_ID"), ("OpenAI-Project", "OPENAI_PROJECT_ID"))
"""Headers for the vendor alone, and the variables that set them, as in its own client."""
WITHOUT_SCHEMAS = ("gpt-3.5", "gpt-4-", "gpt-4o-2024-05", "o1-mini", "o1-preview", "ft:gpt-3.5")
"""How the names of the vendor's models before gpt-4o-2024-08-06 begin; and ``gpt-4`` itself."""


def is_azure(url: str | None) -> bool:
    """Whether an address is of Azure's OpenAI service."""
    return is_under(url, AZURE_HOSTS)


def openai_keys(settings: LlmSettings) -> list[Secret]:
    """The keys for a server; none for one of the user's that needs none.

    Raises:
        CommandError: if a key is needed and there is none.
    """
    if is_azure(settings.base_url):
        return keys_for(settings, "AZURE_OPENAI_API_KEY", AZURE_HOSTS)
    return keys_for(settings, hosts=("openai.com",))


def server_of(settings: LlmSettings, keys: list[Secret]) -> Server:
    """What refusals of the server are told with."""
    where = settings.base_url or "OpenAI"
    return Server(where, settings.model, len(keys), Redactor(keys))


def _backend(settings: LlmSettings) -> Backend:
    """The thin transport, or the official client.

    ``auto`` takes the thin one: the client's connection pool looks at every connection
    for every request: 8 ms of CPU a request with 100 in flight where the thin
    transport takes 0.2 (``python -m tests.benchmarks.annotate``). Azure is asked through the
    client, which knows its addresses, headers and versions.
    """
    keys = openai_keys(settings)
    server = server_of(settings, keys)
    unsaid = settings.transport == "auto"
    if settings.transport == "client" or (unsaid and is_azure(settings.base_url)):
        from harness_plugins.llm.backends.client import ClientBackend

        return ClientBackend(settings.endpoint, keys, server, settings.pace.timeout)
    from harness_plugins.llm.backends.chat_protocol import reply_of, request_of
    from harness_plugins.llm.backends.http_transport import HttpBackend

    named = () if settings.base_url else ACCOUNT
    plain = {header: value for header, name in named if (value := setting(name))}
    headers = [{**plain, "Authorization": f"Bearer {key.reveal()}"} for key in keys]
    url = f"{settings.endpoint}/chat/completions"
    return HttpBackend(url, headers, server, request_of, reply_of)


def _batch(settings: LlmSettings, account: Account) -> Sender:
    if is_azure(settings.base_url):
        raise CommandError("annotator.batch: Azure's batch API is another; unset it")
    from harness_plugins.llm.batch.vendor_batch import BatchSender

    return BatchSender(settings, account)


def _price(settings: LlmSettings) -> Price | None:
    model = settings.model
    names = [f"azure/{model}"] if is_azure(settings.base_url) else []
    tuned = model.startswith("ft:")  # ft:gpt-4o-mini-2024-07-18:organisation::id
    names += [model, ":".join(model.split(":")[:2]) if tuned else model.removeprefix("openai/")]
    return listed_price(*names, batch=settings.batch)


def _limit_name(settings: LlmSettings) -> str:
    vendor = settings.base_url is None or is_azure(settings.base_url)
    return "max_completion_tokens" if vendor or reasons(settings.model) else "max_tokens"


def _structured(settings: LlmSettings) -> bool:
    """The vendor's own; a compatible server is asked for it by ``annotator.structured=true``."""
    name = settings.model.rpartition("/")[2]
    old = name == "gpt-4" or name.startswith(WITHOUT_SCHEMAS)
    return settings.base_url is None and not old


OPENAI = Service(
    "openai",
    "openai:MODEL, from the vendor or any compatible server (annotator.base_url)",
    backend=_backend,
    batch=_batch,
    endpoint="https://api.openai.com/v1",
    key_env="OPENAI_API_KEY",
    price=_price,
    limit_name=_limit_name,
    structured=_structured,
    logprobs=True,
)
