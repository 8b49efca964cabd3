"""A service of a third party: one file, with the cache, retries, prices and keys of all."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from harness.testing.answers import answer
from harness.testing.service import ChatServer, running
from harness_plugins.llm.service import Service
from tests.commands import call, message, succeeded

PLUGIN = '''
"""The service ``parrot``: one text in, one text out."""

import json

from harness import hookimpl
from harness_plugins.llm.service import Pace, Price, Reply, Service, http_backend


def request(call):
    turns = [f"{message.role}: {message.content}" for message in call.messages]
    wanted = json.loads(call.parameters)
    return {"bird": call.model, "heard": turns, "longest": wanted["max_tokens"]}


def reply(body, call):
    heard, said = body["words"]
    return Reply(body["says"], prompt_tokens=heard, completion_tokens=said)


def backend(settings):
    return http_backend(settings, "/say", request, reply, lambda key: {"X-Parrot": key})


PARROT = Service(
    "parrot",
    "parrot:BIRD, which says one text for another",
    backend=backend,
    endpoint="https://parrot.example.org",
    key_env="PARROT_KEY",
    price=lambda settings: Price.per_million(1000, 2000),
    pace=Pace(concurrency=3),
)


@hookimpl
def harness_register_services(register):
    register(PARROT)
'''


class Parrot:
    """Speaks a dialect of its own; every seventh request fails in a way that passes."""

    def __init__(self, key: str) -> None:
        self._key = key
        self.heard: list[dict[str, Any]] = []
        self.failures = self.now = self.most = 0
        self.routes = [web.post("/parrot/say", self._say)]

    async def _say(self, request: web.Request) -> web.Response:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            return self._answer(request.headers.get("X-Parrot"), await request.json())
        finally:
            self.now -= 1

    def _answer(self, key: str | None, body: dict[str, Any]) -> web.Response:
        if key != self._key:
            return web.json_response({"error": f"no seed for {key}"}, status=401)
        if (len(self.heard) + self.failures) % 7 == 3:
            self.failures += 1
            odd = ({"gone": "mute"}, 200) if self.failures % 2 else ({"error": "asleep"}, 503)
            return web.json_response(odd[0], status=odd[1])
        self.heard.append(body)
        said = [{"content": turn.partition(": ")[2]} for turn in body["heard"]]
        text = answer({"messages": said})
        return web.json_response({"says": text, "words": [10, 1]})


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The parrot's, in the environment; the plugin is in the working directory."""
    made = f"seed-{secrets.token_hex(12)}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARROT_KEY", made)
    (tmp_path / "my_service.py").write_text(PLUGIN)
    return made


def command(*more: Any) -> tuple[Any, ...]:
    return (
        *("run", "--plugin", "my_service.py", "--annotator", "parrot:grey", "--student", "tfidf"),
        *("--rounds", "1", "--limit", "20", "--json", "--set", "demonstrations.generated=false"),
        *more,
    )


def test_one_file_of_a_third_party_adds_a_service(key: str, tmp_path: Path) -> None:
    assert PLUGIN.count("\n") < 60
    parrot = Parrot(key)
    with running(ChatServer(routes=parrot.routes)) as server:
        address = ("--set", f"annotator.base_url={server.url.replace('/v1', '/parrot')}")
        result = json.loads(succeeded(call(*command("--out", "runs", *address))))
        asked = len(parrot.heard)
        again = json.loads(succeeded(call(*command("--out", "runs", "--fresh", *address))))
        assert len(parrot.heard) == asked  # all of it is recorded
    first = result["stages"][0]
    assert (first["requests"], first["abstained"]) == (asked, 0) == (40, 0)
    assert result["cost_usd"] == pytest.approx(asked * (10 * 1000 + 1 * 2000) / 1e6)
    assert again["stages"][0]["transductive"] == first["transductive"]
    assert parrot.failures >= 5
    assert 1 <= parrot.most <= 3
    assert {body["bird"] for body in parrot.heard} == {"grey"}
    assert {body["longest"] for body in parrot.heard} == {64}
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert key.encode() not in written


def test_its_budget_and_its_key_are_held_as_everybodys(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parrot = Parrot(key)
    with running(ChatServer(routes=parrot.routes)) as server:
        address = ("--set", f"annotator.base_url={server.url.replace('/v1', '/parrot')}")
        stopped = call(*command("--out", "runs", "--budget-usd", "0.3", *address))
        assert "higher --budget-usd" in message(stopped, 3)
        monkeypatch.setenv("PARROT_KEY", other := f"{key}x")
        refused = message(call(*command("--out", "others", *address)), 1)
        assert "rejected the key (HTTP 401: no seed for [key])" in refused
        assert other not in refused
    monkeypatch.delenv("PARROT_KEY")
    assert "no key for parrot: set PARROT_KEY" in message(call(*command("--out", "more")), 2)
    for key_, said in (("batch", "'parrot' has no batch API"), ("logprobs", "'parrot' gives none")):
        lacking = call(*command("--out", "more", "--set", f"annotator.{key_}=true"))
        assert said in message(lacking, 2)


def test_a_preset_and_a_paraphrase_ask_it_too(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CONFIG", str(tmp_path / "mine.toml"))
    (tmp_path / "mine.toml").write_text('[presets.polly]\nspec = "parrot:polly"\nsamples = 3\n')
    planned = (
        *("plan", "--plugin", "my_service.py", "--annotator", "polly", "--limit", "10", "--json"),
        *("--student", "minilm", "--set", "student.augmenter=paraphrase:parrot:blue"),
    )
    steps = json.loads(succeeded(call(*planned)))["steps"]
    requests = {step["what"]: step["requests"] for step in steps}
    assert (requests["train"], requests["variants"]) == (30, 10)
    assert all(step["cost_usd"] > 0 for step in steps)


def test_services_are_listed_and_shown(key: str) -> None:
    listed = succeeded(call("list", "services", "--plugin", "my_service.py"))
    assert "  parrot        parrot:BIRD, which says one text for another" in listed
    assert {"openai", "litellm", "transformers"} < set(listed.split())
    shown = succeeded(call("show", "service", "parrot", "--plugin", "my_service.py"))
    for line in ("address = https://parrot.example.org", "key = PARROT_KEY", "concurrency = 3"):
        assert f"  {line}\n" in shown


def test_what_is_no_service_is_named_with_its_plugin(tmp_path: Path) -> None:
    plugin = tmp_path / "wrong.py"
    plugin.write_text(PLUGIN.replace("register(PARROT)", "register(backend)"))
    listed = call("list", "services", "--plugin", plugin)
    assert f"plugin {plugin}: harness_register_services failed" in listed.stderr
    assert "openai" in listed.stdout
    with pytest.raises(TypeError, match="a backend or a sender"):
        Service("mute", "")
