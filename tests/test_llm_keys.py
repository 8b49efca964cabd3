"""Keys: where they come from, and that they are never shown."""

from __future__ import annotations

import asyncio
import copy
import pickle
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.config import DemonstrationsConfig
from harness.errors import CommandError, ConfigError
from harness.protocols import AnnotatorRequest
from harness.specs import parse_spec
from harness.testing.faults import KINDS
from harness.testing.service import ChatServer, running
from harness_plugins.llm.backends.litellm import LitellmBackend
from harness_plugins.llm.backends.openai import openai_keys
from harness_plugins.llm.failures import SendingError
from harness_plugins.llm.keys import keys_of
from harness_plugins.llm.secrets import Redactor, Secret
from harness_plugins.llm.services import LITELLM, OPENAI
from harness_plugins.llm.settings import LlmKeys, LlmSettings
from tests.asking import call_of, settings_for, settings_of
from tests.commands import call, message
from tests.factories import sequence_card


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
    vendor = LlmSettings(OPENAI, "gpt-3.5-turbo", "https://api.openai.com/v1")
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


@pytest.mark.parametrize(
    ("model", "variable", "own"),
    [
        ("openai/m", "OPENAI_API_KEY", "https://eu.api.openai.com/v1"),
        ("anthropic/m", "ANTHROPIC_API_KEY", "https://api.anthropic.com"),
        ("mistral/m", "MISTRAL_API_KEY", "https://api.mistral.ai/v1"),
        ("azure/m", "AZURE_API_KEY", "https://mine.openai.azure.com"),
    ],
)
def test_a_providers_key_goes_to_no_other_host(
    key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: str, variable: str, own: str
) -> None:
    def used(url: str, **more: str) -> list[str]:
        settings = settings_for(url, service=LITELLM, model=model, **more)
        return revealed(LitellmBackend(settings)._keys)

    def check() -> None:
        for url in ("https://llm.example.org/v1", f"https://example.org/{own.rpartition('/')[2]}"):
            assert used(url) == ["no-key"]
        assert used(own) == used("http://127.0.0.1:8000/v1") == [key]
        assert used("https://llm.example.org/v1", key_env=variable) == [key]

    (tmp_path / ".env").write_text(f"{variable}={key}\n")
    check()
    monkeypatch.setenv(variable, key)
    check()


def test_credentials_of_aws_in_a_dotenv_reach_litellm(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION_NAME", "eu-west-1")
    model = "bedrock/anthropic.claude-3-haiku-20240307-v1:0"
    settings = LlmSettings(LITELLM, model, "litellm")
    (tmp_path / ".env").write_text(f"{names[0]}=first-{key}\n")
    with pytest.raises(CommandError, match=r"set AWS_SECRET_ACCESS_KEY.*\.env"):
        LitellmBackend(settings)
    (tmp_path / ".env").write_text(f"{names[0]}=first-{key}\n{names[1]}=second-{key}\n")
    backend = LitellmBackend(settings)
    sent: dict[str, Any] = {}

    async def acompletion(**arguments: Any) -> None:
        sent.update(arguments)
        raise ValueError(f"first-{key} is wrong")

    # What AWS is sent is signed, and there is no AWS here: what litellm is given is looked at.
    monkeypatch.setattr(backend._litellm, "acompletion", acompletion)
    with pytest.raises(SendingError) as raised:
        asyncio.run(backend.send(call_of(settings, "text"), 0))
    assert key not in str(raised.value)
    assert (sent["aws_access_key_id"], sent["aws_secret_access_key"]) == (
        *(f"first-{key}", f"second-{key}"),
    )
    # Half of the environment and half of a file are no credentials.
    monkeypatch.setenv(names[0], f"third-{key}")
    with pytest.raises(CommandError, match="set AWS_SECRET_ACCESS_KEY"):
        LitellmBackend(settings)


def test_what_litellm_reads_from_the_environment_alone_is_not_found_in_a_dotenv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("VERTEXAI_PROJECT", "VERTEXAI_LOCATION"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".env").write_text("VERTEXAI_PROJECT=mine\nVERTEXAI_LOCATION=here\n")
    with pytest.raises(CommandError, match=r"VERTEXAI_PROJECT and .*; \.env is not read"):
        LitellmBackend(LlmSettings(LITELLM, "vertex_ai/gemini-pro", "litellm"))


def test_a_secret_shows_nothing_of_itself(key: str) -> None:
    secret = Secret(key)
    assert key not in f"{secret} {secret!r} {[secret]} {vars(type(secret))}"
    for leak in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            leak(secret)


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: {key}.",
        "header Authorization: Bearer {key}",
        '{{"api_key": "{key}"}}',
        "over\ntwo lines {key}\nand {key}",
    ],
)
def test_what_a_server_echoes_is_hidden(text: str, key: str) -> None:
    shown = Redactor([Secret(key)])(text.format(key=key))
    assert key not in shown
    assert "[key]" in shown and "\n" not in shown


def test_ordinary_words_are_not_hidden(key: str) -> None:
    said = "The model `gpt-3.5-turbo` does not exist or you do not have access to it."
    assert Redactor([Secret(key)])(said) == said


def asked(spec: str = "openai:m", **config: Any) -> LlmSettings:
    demonstrations = DemonstrationsConfig()
    card = sequence_card("a", "b")
    return settings_of(
        AnnotatorRequest(parse_spec(spec), card, LlmKeys(**config), 0, demonstrations)
    )


@pytest.mark.parametrize(
    "name",
    [
        *("api_key", "API_KEY", "apikey", "apiKey", "aws_secret_access_key", "aws_access_key_id"),
        *("aws_session_token", "azure_ad_token", "vertex_credentials", "client_secret", "token"),
        *("password", "azure_password", "extra_headers", "default_headers", "headers", "Model"),
        *("extra_body", "api_base", "base_url", "aws_bedrock_runtime_endpoint", "hf_token"),
    ],
)
def test_a_parameter_named_like_a_secret_is_refused(name: str) -> None:
    value = f"v-{secrets.token_hex(4)}"
    for parameters in ({name: value}, {"fallbacks": [{"model": "b", "inner": {name: value}}]}):
        if name == "Model" and "fallbacks" in parameters:
            continue  # only at the top does it have a key of its own
        with pytest.raises(ConfigError, match=name) as raised:
            asked(parameters=parameters)
        assert value not in str(raised.value)


def test_a_value_that_is_a_key_is_refused_under_every_name(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = f"my own {secrets.token_hex(3)}"
    monkeypatch.setenv("SOME_PASSWORD", mine)
    opaque = f"a1b2{secrets.token_hex(16)}"
    for value in (key, f"Bearer {key}", opaque, mine, [{"x": key}], f"hf_{opaque}"):
        with pytest.raises(ConfigError, match="looks like a key") as raised:
            asked(parameters={"user": value})
        for hidden in (key, opaque, mine):
            assert hidden not in str(raised.value)
    with pytest.raises(ConfigError) as raised:
        asked(parameters={key: 1})
    assert key not in str(raised.value)


def test_ordinary_parameters_pass() -> None:
    ordinary = {
        "top_p": 0.5,
        "seed": 7,
        "stop": ["\n", "###", "***"],
        "min_tokens": 2,
        "eos_token": "",
        "stop_token_ids": [1, 2],
        "truncate_prompt_tokens": 9,
        "skip_special_tokens": True,
        "prompt_cache_key": "movies-1",
        "logit_bias": {"50256": -100},
        "tokenizer": "fast",
        "reasoning_effort": "low",
        "user": "annotation-of-the-first-of-all-tasks",
        "aws_region_name": "eu-west-1",
        "vertex_project": "mine",
        "pad_token_id": 3,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "metadata": {},
        "user_id": "6f9619ff-8b86-4011-b42d-00cf4fc964ff",
    }
    told = asked(parameters=ordinary).parameters()
    assert all(name in told for name in ordinary)


def test_a_key_in_place_of_its_variable_or_file_is_not_repeated(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = (f"gsk_{secrets.token_hex(20)}", f"AIzaSy{secrets.token_hex(15)}", f"a={key}")
    for value in (key, *others, f"MY_KEY,{key}"):
        for sources in ({"key_env": value}, {"key_file": value.rpartition("=")[2]}):
            with pytest.raises(CommandError) as raised:
                asked(**sources)
            assert not any(hidden in str(raised.value) for hidden in (key, value))
            for refused in (openai_keys, LitellmBackend):
                made = settings_for("http://127.0.0.1:1/v1", model="openai/m", **sources)
                with pytest.raises(CommandError) as raised:
                    refused(made)
                assert not any(hidden in str(raised.value) for hidden in (key, value))
    with pytest.raises(CommandError) as raised:
        openai_keys(settings_for("http://127.0.0.1:1/v1", key_env="s3cr3tword"))
    assert "s3cr3tword" not in str(raised.value)
    with pytest.raises(CommandError, match="cannot be read"):
        keys_of("a\0b", [])
    (tmp_path / others[0]).write_text(key)  # an odd name, but a file
    assert revealed(openai_keys(asked(key_file=others[0]))) == [key]
    monkeypatch.setenv("SECOND", key)
    assert revealed(openai_keys(asked(key_env="FIRST, SECOND"))) == [key]


@pytest.mark.parametrize(
    "setting", ["key_env={key}", "key_file={key}", "parameters.aws_secret_access_key={key}"]
)
def test_a_misplaced_key_is_neither_printed_nor_written(
    key: str, tmp_path: Path, setting: str
) -> None:
    told = call(
        *("run", "--annotator", "openai:m", "--student", "tfidf", "--limit", "40"),
        *("--out", tmp_path / "runs", "--set", f"annotator.{setting.format(key=key)}"),
    )
    assert f"annotator.{setting.partition('=')[0].partition('.')[0]}" in message(told, 2)
    assert "annotator.base_url" not in told.stderr  # not that of a missing key, which names it
    assert key not in told.stdout + told.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


FAIL_IN_EVERY_WAY = """
import logging, sys, traceback
from pathlib import Path
from harness_plugins.llm.services import LITELLM
from tests.asking import ask, calls_for, settings_for
url, folder, kinds = sys.argv[1], Path(sys.argv[2]), sys.argv[3].split(",")
logging.basicConfig(level=logging.DEBUG)
backends = [
    {"transport": "thin"}, {"transport": "client"},
    {"service": LITELLM, "model": "openai/gpt-3.5-turbo"},
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
