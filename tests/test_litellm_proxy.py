"""The engine against the real litellm proxy: a server that nobody here wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import psutil
import pytest

from harness.errors import ServiceError
from harness.protocols import Account
from harness_plugins.llm.backends.openai import OPENAI
from harness_plugins.llm.calls import Call, Message, Outcome
from harness_plugins.llm.open_engine import open_engine
from harness_plugins.llm.settings import LlmSettings, Pace
from tests.servers.proxy import Proxy, running_proxy

pytestmark = pytest.mark.slow

PARAMETERS = '{"max_tokens":8,"temperature":0.0}'


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with running_proxy(tmp_path_factory.mktemp("proxy")) as started:
        print(f"proxy answered after {started.seconds:.1f} s")
        yield started
    assert not psutil.pid_exists(started.pid)


def ask(
    proxy: Proxy,
    folder: Path,
    count: int,
    model: str = "says-positive",
    transport: Literal["client", "thin"] = "client",
) -> list[Outcome]:
    """Texts to the proxy through an engine as a run opens it."""
    settings = LlmSettings(
        OPENAI,
        model,
        proxy.url,
        proxy.url,
        pace=Pace(concurrency=16, retries=2, timeout=30.0),
        transport=transport,
        key_env="PROXY_KEY",
    )
    account = Account("run", folder / "replies.sqlite", None, lambda line: None)
    asked = [
        Call(proxy.url, model, (Message("user", f"text number {n}"),), PARAMETERS)
        for n in range(count)
    ]
    with open_engine(settings, account) as engine:
        return engine.ask(asked)


@pytest.mark.parametrize(("transport", "count"), [("client", 100), ("thin", 20)])
def test_texts_come_back(
    proxy: Proxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    transport: Literal["client", "thin"],
    count: int,
) -> None:
    monkeypatch.setenv("PROXY_KEY", proxy.key)
    found = ask(proxy, tmp_path, count, transport=transport)
    assert [one.reply.text for one in found if one.reply] == ["positive"] * count
    assert all(one.paid and one.reply and one.reply.tokens > 0 for one in found)
    assert not any(one.reply.estimated for one in found if one.reply)
    again = ask(proxy, tmp_path, count, transport=transport)
    assert [one.reply for one in again] == [one.reply for one in found]
    (other,) = ask(proxy, tmp_path, 1, "says-negative", transport)
    assert other.reply is not None
    assert other.reply.text == "Label: **negative**."


@pytest.mark.parametrize("transport", ["client", "thin"])
def test_a_model_that_the_proxy_does_not_know_stops_the_run(
    proxy: Proxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    transport: Literal["client", "thin"],
) -> None:
    monkeypatch.setenv("PROXY_KEY", proxy.key)
    with pytest.raises(ServiceError, match="does not know model 'nobody'") as caught:
        ask(proxy, tmp_path, 100, "nobody", transport)
    assert "\n" not in str(caught.value)
    assert proxy.key not in str(caught.value)


@pytest.mark.parametrize("transport", ["client", "thin"])
def test_a_wrong_key_stops_the_run(
    proxy: Proxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    transport: Literal["client", "thin"],
) -> None:
    wrong = f"sk-{proxy.key[:2:-1]}"
    monkeypatch.setenv("PROXY_KEY", wrong)
    with pytest.raises(ServiceError, match="rejected the key") as caught:
        ask(proxy, tmp_path, 100, transport=transport)
    assert "\n" not in str(caught.value)
    assert wrong not in str(caught.value)
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert wrong.encode() not in stored
