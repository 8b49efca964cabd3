"""Keys: where they come from, and that they are never shown."""

from __future__ import annotations

import copy
import pickle
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import CommandError
from harness_plugins.llm.keys import Redactor, Secret, keys_of
from harness_plugins.llm.openai_backend import openai_keys
from harness_plugins.llm.settings import LlmSettings
from tests.asking import settings_for
from tests.servers.chat import ChatServer, running
from tests.servers.faults import KINDS


@pytest.fixture
def key() -> str:
    return f"sk-proj-{secrets.token_hex(24)}"


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty working directory and no key of the user's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    yield


def revealed(keys: list[Secret]) -> list[str]:
    return [one.reveal() for one in keys]


def test_keys_come_from_the_environment_a_dotenv_or_a_file(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(f'OPENAI_API_KEY="{key}1"\n')
    assert revealed(keys_of(None, ["OPENAI_API_KEY"])) == [f"{key}1"]
    monkeypatch.setenv("OPENAI_API_KEY", f"{key}2, {key}3,{key}2")
    assert revealed(keys_of(None, ["OPENAI_API_KEY"])) == [f"{key}2", f"{key}3"]
    (tmp_path / "keys").write_text(f"# mine\n{key}4\n\n{key}5\n")
    assert revealed(keys_of("keys", ["OPENAI_API_KEY"])) == [f"{key}4", f"{key}5"]
    assert keys_of(None, ["ANOTHER"]) == []


def test_wrong_sources_of_keys_are_one_line(key: str, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "odd").write_text(f"{key} and more\n")
    for file, said in (("missing", "cannot be read"), ("empty", "no key"), ("odd", "characters")):
        with pytest.raises(CommandError, match=said) as raised:
            keys_of(file, [])
        assert key not in str(raised.value)


def test_without_key_and_server_one_line_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    vendor = LlmSettings("openai", "gpt-3.5-turbo", "https://api.openai.com/v1")
    with pytest.raises(CommandError, match=r"OPENAI_API_KEY.*annotator\.base_url.*--annotator"):
        openai_keys(vendor)
    assert openai_keys(settings_for("http://127.0.0.1:1/v1")) == []
    with pytest.raises(CommandError, match="MY_KEY is not set"):
        openai_keys(settings_for("http://127.0.0.1:1/v1", key_env="MY_KEY"))


def test_the_vendors_key_goes_to_no_other_host(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    assert openai_keys(settings_for("https://llm.example.org/v1")) == []
    assert revealed(openai_keys(settings_for("http://localhost:8000/v1"))) == [key]
    named = settings_for("https://llm.example.org/v1", key_env="OPENAI_API_KEY")
    assert revealed(openai_keys(named)) == [key]


def test_a_secret_shows_nothing_of_itself(key: str) -> None:
    secret = Secret(key)
    assert key not in f"{secret} {secret!r} {[secret]} {vars(type(secret))}"
    for leak in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="not written"):
            leak(secret)


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: {key}.",
        "Incorrect API key provided: {head}***************{tail}. See the site",
        "key={head}...{tail}",
        "header Authorization: Bearer {key}",
        '{{"api_key": "{key}"}}',
        "in part: {middle}",
        "over\ntwo lines {key}\nand {key}",
    ],
)
def test_what_a_server_echoes_is_hidden(text: str, key: str) -> None:
    said = text.format(key=key, head=key[:12], tail=key[-6:], middle=key[15:35])
    shown = Redactor([Secret(key)])(said)
    assert not any(key[start : start + 6] in shown for start in range(len(key) - 5))
    assert "[key]" in shown and "\n" not in shown


def test_ordinary_words_are_not_hidden(key: str) -> None:
    said = "The model `gpt-3.5-turbo` does not exist or you do not have access to it."
    assert Redactor([Secret(key)])(said) == said


FAIL_IN_EVERY_WAY = """
import logging, sys, traceback
from pathlib import Path
from tests.asking import ask, calls_for, settings_for
url, folder, kinds = sys.argv[1], Path(sys.argv[2]), sys.argv[3].split(",")
logging.basicConfig(level=logging.DEBUG)
backends = [
    {"transport": "thin"}, {"transport": "client"},
    {"service": "litellm", "model": "openai/gpt-3.5-turbo"},
]
few = ["401", "quota", "no-model", "400", "reset", "truncated"]
for backend in backends:
    for kind in [*(kinds if backend == backends[0] else few), "unreachable"]:
        base = "http://127.0.0.1:9/v1" if kind == "unreachable" else url
        settings = settings_for(base, timeout=0.3, retries=0, **backend)
        print("---", backend, kind, settings)
        try:
            calls = [call for call in calls_for(settings, 2)]
            calls = [type(call)(call.endpoint, call.model, (type(call.messages[0])(
                "user", f"<{kind}> {n}"),), call.parameters) for n, call in enumerate(calls)]
            print(ask(settings, folder / "replies.sqlite", calls))
        except Exception as error:
            print(str(error), repr(error))
            told = traceback.TracebackException.from_exception(error, capture_locals=True)
            print("".join(told.format()))
            traceback.print_exc()
"""


@pytest.mark.slow
def test_a_planted_key_is_in_no_byte_written_or_printed(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with running(ChatServer()) as server:
        server.faults.marked = {f"<{kind}>": kind for kind in KINDS}
        done = subprocess.run(
            [
                *(sys.executable, "-c", FAIL_IN_EVERY_WAY),
                *(server.url, str(tmp_path), ",".join(KINDS)),
            ],
            capture_output=True,
            timeout=200,
        )
        assert set(server.seen.faults) == set(KINDS)
        assert set(server.seen.keys) == {key}
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "replies.sqlite").stat().st_size > 4096
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    every_byte = done.stdout + done.stderr + written
    assert b"rejected the key" in every_byte
    for start in range(8, len(key) - 8):
        assert key[start : start + 9].encode() not in every_byte
