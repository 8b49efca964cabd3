"""The process that keeps the connections: what it says, what it inherits, how it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.errors import BudgetError, CommandError, ConfigError, ServiceError
from harness_plugins.llm.cache import ReplyCache
from harness_plugins.llm.calls import Call, Message, Reply
from harness_plugins.llm.courier_frames import (
    Link,
    packed_call,
    packed_result,
    unpacked_call,
    unpacked_result,
)
from harness_plugins.llm.courier_lock import hold, wait_for_couriers
from harness_plugins.llm.failures import (
    ClosedError,
    RejectedError,
    SendingError,
    TransientError,
    UnsupportedError,
)
from harness_plugins.llm.settings import LlmSettings
from tests.asking import ask, calls_for, engine_for, expected, settings_for, texts_of
from tests.killing import asking, rows_of
from tests.servers.chat import ChatServer, running
from tests.servers.faults import Faults

PRICE = (3000.0, 6000.0)
"""$ per million tokens: an answer costs 0.027, and may cost 0.45 by its limit."""


def couriers() -> list[psutil.Process]:
    """Those of this process."""
    return [
        child
        for child in psutil.Process().children()
        if "harness_plugins.llm.courier" in child.cmdline()
    ]


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@contextlib.contextmanager
def killed_while_asking(path: Path, latency: float, count: int = 5) -> Iterator[ChatServer]:
    """The server whose answers are under way to a process that has just been killed."""
    with running(ChatServer(latency=latency)) as server:
        process = asking(server.url, path, count, price=PRICE)
        until(lambda: len(server.seen.requests) == count)
        process.kill()
        process.communicate()
        yield server


@pytest.mark.parametrize(
    "result",
    [
        Reply("a \ud800 b\0", "length", 3, 4, 2, True, 0.0, -0.25, (-0.1, -2.0)),
        Reply(""),
        TransientError("slow", retry_after=1.5, throttled=True),
        TransientError("gone", unreachable=True),
        UnsupportedError("temperature", "not known"),
        RejectedError("refused"),
        ClosedError("no key", lane=2),
        ClosedError("no model"),
        SendingError("something"),
    ],
    ids=repr,
)
def test_replies_and_failures_are_told_whole(result: Reply | SendingError) -> None:
    told = unpacked_result(packed_result(result))
    assert type(told) is type(result) and str(told) == str(result)
    if isinstance(result, Reply):
        assert told == result
    else:
        assert vars(told) == vars(result)


def test_a_call_is_told_whole() -> None:
    class Text(str):
        """As numpy's."""

    messages = (Message("system", "say \ud800"), Message("user", Text("\u2028")))
    call = Call("e", "m", messages, '{"seed":1}', '{"type":"json_object"}', ("a", "b"), 3)
    told = unpacked_call(packed_call(call))
    assert told == call and told.key == call.key


def test_replies_under_way_to_a_killed_process_are_waited_for(tmp_path: Path) -> None:
    notes: list[str] = []
    path = tmp_path / "r"
    with killed_while_asking(path, latency=1.0) as server:
        # A process without a courier waits as well. What came in counts as the run's: one
        # more request would have been let go under this budget.
        settings = settings_for(server.url, price=PRICE)
        with pytest.raises(BudgetError, match=r"spent \$0\.1350 of the budget of \$0\.5,"):
            ask(settings, path, calls_for(settings, 7), notes=notes, budget=0.5)
        outcomes = ask(settings, path, calls_for(settings, 7), notes=notes, budget=5.0)
        assert texts_of(outcomes) == expected(calls_for(settings, 7))
        assert set(server.seen.answered.values()) == {1} and len(server.seen.requests) == 7
    assert all(outcome.paid for outcome in outcomes)
    with ReplyCache(path) as cache:
        costs = [outcome.reply.cost_usd for outcome in outcomes if outcome.reply]
        assert cache.spent("run-1").cost_usd == pytest.approx(sum(costs))
    assert len(notes) == 1 and "still coming in" in notes[0] and "35 s at most" in notes[0]
    assert names(tmp_path) == ["r"]


def test_ctrl_c_while_waiting_ends_at_once(tmp_path: Path) -> None:
    path = tmp_path / "r"
    with killed_while_asking(path, latency=2.0) as server:
        waiting = asking(server.url, path, 5, begun=False)
        assert waiting.stdout is not None and "still coming in" in waiting.stdout.readline()
        start = time.monotonic()
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=30)
        assert (waiting.returncode, out, err) == (130, "interrupted\n", "")
        assert time.monotonic() - start < 1.0
        settings = settings_for(server.url)
        ask(settings, path, calls_for(settings, 5))  # what was under way came in all the same
        assert len(server.seen.requests) == len(rows_of(path)) == 5


def test_a_reply_that_never_comes_is_not_waited_for_longer_than_its_timeout(
    tmp_path: Path,
) -> None:
    path = tmp_path / "r"
    with running(ChatServer()) as server:
        server.faults.marked = {"text 2": "hang"}
        process = asking(server.url, path, 5, timeout=2.0)
        until(lambda: len(server.seen.answered) == 4)
        process.kill()
        process.communicate()
        server.faults.marked = {}
        start = time.monotonic()
        settings = settings_for(server.url)
        assert texts_of(ask(settings, path, calls_for(settings, 5))) == expected(
            calls_for(settings, 5)
        )
        assert time.monotonic() - start < 6.0
        assert len(server.seen.requests) == 6


def test_a_courier_that_is_killed_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "r"
    with running(ChatServer(latency=0.05)) as server:
        settings = settings_for(server.url, courier=True)
        with (
            engine_for(settings, path) as engine,
            pytest.raises(ServiceError, match=r"ended by signal 9.*goes on") as raised,
        ):
            killer = threading.Timer(1.0, lambda: couriers()[0].kill())
            killer.start()
            engine.ask(calls_for(settings, 2000))
        assert "\n" not in str(raised.value)
        kept = len(rows_of(path))
        assert 0 < kept < 2000 and couriers() == []
        ask(settings, path, calls_for(settings, kept + 20))
    assert names(tmp_path) == ["r"]


def test_a_courier_that_cannot_start_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-proj-0123456789abcdef"
    broken = tmp_path / "broken"
    broken.write_text(f"#!/bin/sh\necho Traceback >&2\necho 'no module: {key}' >&2\nexit 3\n")
    broken.chmod(0o700)
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setattr(sys, "executable", str(broken))
    settings = settings_for("http://127.0.0.1:9/v1", courier=True)
    with pytest.raises(ServiceError, match=r"status 3 \(no module: \[key\]\)"):
        ask(settings, tmp_path / "r", calls_for(settings, 1))
    assert names(tmp_path) == ["broken"]


def test_why_a_backend_cannot_be_made_is_said_as_without_a_courier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    vendor = LlmSettings("openai", "gpt-3.5-turbo", "https://api.openai.com/v1")
    unknown = LlmSettings("litellm", "nobody/m", "litellm")
    for settings, error, said in (
        (vendor, CommandError, r"^no key for OpenAI: set OPENAI_API_KEY"),
        (unknown, ConfigError, "does not know the provider"),
    ):
        with pytest.raises(error, match=said):
            ask(settings, tmp_path / "r", calls_for(settings, 1))
    assert names(tmp_path) == [] and couriers() == []


def test_keys_are_found_where_they_are_without_a_courier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    (tmp_path / ".env").write_text("OPENAI_API_KEY=first-key,second-key\n")
    with running(ChatServer()) as server:
        settings = settings_for(server.url, courier=True)
        ask(settings, tmp_path / "r", calls_for(settings, 20))
        assert set(server.seen.keys) == {"first-key", "second-key"}


def test_a_reply_is_committed_before_the_courier_may_forget_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: dict[int, str] = {}
    safe: list[int] = []
    say = Link.say

    def checked(link: Link, words: Any) -> None:
        _, calls, committed, *_ = words
        keys.update((number, unpacked_call(packed).key) for number, _, packed in calls)
        assert {keys[number] for number in committed} <= rows_of(tmp_path / "r")
        safe.extend(committed)
        say(link, words)

    monkeypatch.setattr(Link, "say", checked)
    with running(ChatServer(latency=0.01, faults=Faults(0.2, ("500", "429")))) as server:
        settings = settings_for(server.url, courier=True)
        ask(settings, tmp_path / "r", calls_for(settings, 100))
    assert len(safe) == len(set(safe)) == 100


def test_two_engines_of_one_run_do_not_wait_for_each_other(tmp_path: Path) -> None:
    notes: list[str] = []
    with running(ChatServer()) as server:
        settings = settings_for(server.url, courier=True)
        with engine_for(settings, tmp_path / "r", notes=notes) as one:
            one.ask(calls_for(settings, 3))
            with engine_for(settings, tmp_path / "r", notes=notes) as other:
                other.ask(calls_for(settings, 6))
                assert len(couriers()) == 2
            one.ask(calls_for(settings, 9))
    assert notes == [] and couriers() == [] and names(tmp_path) == ["r"]


def test_without_a_courier_there_is_no_other_process(tmp_path: Path) -> None:
    with running(ChatServer()) as server:
        settings = settings_for(server.url, courier=False)
        with engine_for(settings, tmp_path / "r") as engine:
            engine.ask(calls_for(settings, 3))
            assert couriers() == []
            assert "courier" not in " ".join(names(tmp_path))


def test_a_lock_that_nobody_holds_is_no_obstacle(tmp_path: Path) -> None:
    notes: list[str] = []
    os.close(hold(tmp_path / "r", "another-process's", 5.0))  # as if it had been killed
    (lock,) = tmp_path.iterdir()
    script = (
        "import sys; from pathlib import Path\n"
        "from harness_plugins.llm.courier_lock import wait_for_couriers\n"
        'wait_for_couriers(Path(sys.argv[1]), "another-process\'s", print)'
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "r")], capture_output=True, check=True
    )
    assert done.stdout == b"" and not lock.exists()
    wait_for_couriers(tmp_path / "r", "nobody's", notes.append)
    assert notes == []


def test_it_starts_soon_and_imports_nothing_heavy() -> None:
    script = (
        "import sys, harness_plugins.llm.courier, harness_plugins.llm.backends.http_transport\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    heavy = {"torch", "transformers", "numpy", "pydantic", "openai", "litellm", "sqlite3"}
    assert not heavy & set(done.stdout.decode().split())
