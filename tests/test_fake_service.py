"""The fake chat service as a program, and what becomes of bodies that are no answers."""

from __future__ import annotations

import json
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.testing.cases import Case, dialect, dialect_names
from harness_plugins.llm.backends.chat_protocol import reply_of
from harness_plugins.llm.backends.responses import MOST_BYTES, body_of
from harness_plugins.llm.calls import Reply
from harness_plugins.llm.failures import SendingError
from harness_plugins.llm.secrets import Redactor
from harness_plugins.llm.send.refusals import Server
from tests.asking import call_of, settings_for
from tests.commands import call, message, succeeded

SERVER = Server("a server", "a-model", 1, Redactor([]))
FREE = ("--set", "annotator.price_input=0", "--set", "annotator.price_output=0")
SERVICE = [sys.executable, "-m", "harness.testing.service"]


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The program, the address and the command that it prints; ended after the block."""
    with subprocess.Popen([*SERVICE, *arguments], stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        try:
            yield service, service.stdout.readline().strip(), service.stdout.readline().strip()
        finally:
            service.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_against_a_dialect_is_the_command_that_it_prints(
    number: signal.Signals, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness_plugins.llm.send.retries.FIRST_SECONDS", 0.02)
    monkeypatch.setattr("harness_plugins.llm.send.retries.LONGEST_RETRY_AFTER", 0.1)
    with serving("--dialect", "llama-cpp", "--share", "0.2") as (service, address, command):
        assert address.startswith("http://127.0.0.1:") and address in command
        program, *words = shlex.split(command)
        assert program == "harness"
        more = ("--student", "tfidf", "--rounds", 1, "--limit", 20, "--json")
        written = ("--set", "demonstrations.generated=false", "--set", "annotator.concurrency=2")
        stage = json.loads(succeeded(call(*words, *more, *written, *FREE)))["stages"][0]
        service.send_signal(number)
        assert service.wait(10) == 0
    assert stage["n"] == 20 and stage["abstained"] < 10


def test_one_case_is_met_by_every_text(alone: Path) -> None:
    with serving("--dialect", "deepseek", "--case", "no-balance") as (service, address, _):
        asked = ("--annotator", "openai:m", "--set", f"annotator.base_url={address}")
        assert "Insufficient Balance" in message(call("run", *asked, *FREE, "--limit", 20), 1)
        service.terminate()
        assert service.wait(10) == 0
    wrong = subprocess.run([*SERVICE, "--dialect", "groq", "--case", "x"], capture_output=True)
    assert wrong.returncode == 2 and b"groq has usage-with-times" in wrong.stderr


def test_a_case_says_what_makes_it_right() -> None:
    plain = {"name": "a", "source": "constructed"}
    for wrong in ({"outcome": "stop"}, {"outcome": "adapt"}, {"outcome": "shrug"}):
        with pytest.raises(ValueError, match="validation error"):
            Case.model_validate({**plain, **wrong})


def mutated(rng: random.Random, raw: bytes) -> bytes:
    """The body with a few bytes changed, or cut, or twice."""
    kind = rng.randrange(4)
    if kind == 0:
        return raw[: rng.randrange(len(raw) + 1)]
    if kind == 1:
        return raw + raw[rng.randrange(len(raw) + 1) :]
    changed = bytearray(raw)
    for _ in range(rng.randint(1, 6)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def test_no_body_makes_more_than_an_answer_or_a_failure() -> None:
    rng = random.Random(7)
    call_made = call_of(settings_for("http://127.0.0.1:9/v1"), "a text")
    cases = [case for name in dialect_names() for case in dialect(name).case if case.body]
    slowest, answers = 0.0, 0
    for _ in range(5000):
        case = rng.choice(cases)
        raw = mutated(rng, case.content("positive", "m", "k")[:4000])
        began = time.perf_counter()
        try:
            reply = reply_of(body_of(SERVER, case.status, raw, dict(case.headers)), call_made)
        except SendingError as failure:
            assert "\n" not in str(failure)
        else:
            assert isinstance(reply, Reply)
            reply.text.encode()
            answers += 1
        slowest = max(slowest, time.perf_counter() - began)
    assert slowest < 1.0 and answers > 50


@pytest.mark.parametrize(
    "raw",
    [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 100_000, b"", b"\xff\xfe", b" " * (MOST_BYTES + 1)],
    ids=["lists", "objects", "digits", "nothing", "utf-16", "blanks"],
)
def test_what_is_no_json_is_a_failure_that_may_pass(raw: bytes) -> None:
    with pytest.raises(SendingError, match=r"not JSON|larger than 1 MB"):
        body_of(SERVER, 200, raw, {})
