"""The reply cache: keyed by everything that can change an answer, shared, never silently wrong."""

from __future__ import annotations

import dataclasses
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from harness.errors import CorruptRunError, NewerRunError, RunError
from harness.testing.service import ChatServer, running
from harness_plugins.llm.cache import ReplyCache, Stored
from harness_plugins.llm.calls import Call, Message, Reply
from tests.asking import ask, calls_for, engine_for, expected, settings_for, texts_of

CALL = Call(
    endpoint="http://127.0.0.1:1/v1",
    model="some-model",
    messages=(Message("system", "Label it."), Message("user", "a text")),
    parameters='{"max_tokens":64,"temperature":0.0}',
    response_format="",
    choices=(),
    sample=0,
)
MUTATIONS: dict[str, list[object]] = {
    "endpoint": ["http://127.0.0.1:2/v1"],
    "model": ["other-model"],
    "messages": [
        (Message("system", "Label it!"), Message("user", "a text")),
        (Message("system", "Label it."), Message("user", "a text.")),
        (Message("user", "Label it."), Message("user", "a text")),
        (Message("user", "a text"), Message("system", "Label it.")),
        (Message("user", "a text"),),
        (Message("system", "Label it.a"), Message("user", " text")),
        (Message("system", "Label it."), Message("user", "a text"), Message("assistant", "")),
    ],
    "parameters": [
        '{"max_tokens":64,"temperature":0.1}',
        '{"max_tokens":65,"temperature":0.0}',
        '{"max_tokens":64,"seed":1,"temperature":0.0}',
    ],
    "response_format": ['{"type":"json_object"}'],
    "choices": [("a",), ("b",), ("a", "b"), ("ab",)],
    "sample": [1],
}


def test_the_key_depends_on_every_field_of_a_call() -> None:
    assert set(MUTATIONS) == {field.name for field in dataclasses.fields(Call)}
    changed = [
        dataclasses.replace(CALL, **{name: value})
        for name, values in MUTATIONS.items()
        for value in values
    ]
    keys = {call.key for call in [CALL, *changed]}
    assert len(keys) == len(changed) + 1
    assert dataclasses.replace(CALL).key == CALL.key


def kept_in(cache: ReplyCache, call: Call, reply: Reply, run_id: str = "run-1") -> Stored:
    cache.put(call.key, call, reply, run_id)
    return cache.commit()[call.key]


@pytest.mark.parametrize(
    "reply",
    [
        Reply("positive"),
        Reply("", "content_filter", 3, 0, 0, True, 0.0, -0.0),
        Reply("ünï\u2028 \ud800", "length", 10, 5, 2, False, 1e-7, -1.25, (-0.5, -1.5)),
        Reply("x", cost_usd=1, logprob=-3),
    ],
)
def test_a_reply_comes_back_as_it_was(reply: Reply, tmp_path: Path) -> None:
    with ReplyCache(tmp_path / "deep" / "replies.sqlite") as cache:
        stored = kept_in(cache, CALL, reply)
        assert cache.find([CALL.key, "unknown"]) == {CALL.key: stored}
        readable = dataclasses.replace(reply, text=reply.text.replace("\ud800", "?"))
        assert stored == Stored(readable, "run-1")


def test_the_first_reply_holds_and_the_second_payer_is_charged(tmp_path: Path) -> None:
    with (
        ReplyCache(tmp_path / "replies.sqlite") as one,
        ReplyCache(tmp_path / "replies.sqlite") as other,
    ):
        first = kept_in(one, CALL, Reply("positive", prompt_tokens=5, cost_usd=0.25))
        second = kept_in(other, CALL, Reply("negative", prompt_tokens=7, cost_usd=0.5), "run-2")
        assert first == second
        assert (one.spent("run-1").cost_usd, one.spent("run-2").cost_usd) == (0.25, 0.5)
        assert (one.spent("run-2").requests, one.spent("run-2").tokens) == (1, 7)


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    ReplyCache(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(NewerRunError, match=r"replies\.sqlite: written by a newer harness"):
        ReplyCache(path)


def test_an_older_file_is_taken_over_with_its_replies(tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    with ReplyCache(path) as cache:
        kept_in(cache, CALL, Reply("positive", cost_usd=0.25))
    with closing(sqlite3.connect(path)) as connection, connection:  # as layout 1 was
        connection.execute("ALTER TABLE replies DROP COLUMN record")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    other = dataclasses.replace(CALL, sample=1)
    with ReplyCache(path) as cache:
        cache.put(other.key, other, Reply("negative"), "run-2", "rounds/01")
        cache.commit()
    with ReplyCache(path) as cache:
        old = Stored(Reply("positive", cost_usd=0.25), "run-1")
        new = Stored(Reply("negative"), "run-2", "rounds/01")
        assert cache.find([CALL.key, other.key]) == {CALL.key: old, other.key: new}
        assert cache.spent("run-1").cost_usd == 0.25


def test_a_file_that_is_none_of_ours_is_named(tmp_path: Path) -> None:
    text = tmp_path / "text.sqlite"
    text.write_text("not a database, " * 100)
    with pytest.raises(CorruptRunError, match=r"text\.sqlite: damaged"):
        ReplyCache(text)
    foreign = tmp_path / "foreign.sqlite"
    with closing(sqlite3.connect(foreign)) as connection, connection:
        connection.execute("CREATE TABLE replies (key)")
    connection.close()
    with pytest.raises(CorruptRunError, match="not one of LLM replies"):
        ReplyCache(foreign)
    with pytest.raises(RunError, match="cannot be used"):
        ReplyCache(text / "below" / "a-file")


def test_a_changed_reply_is_never_served(tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    with ReplyCache(path) as cache:
        kept_in(cache, CALL, Reply("positive"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE replies SET text = 'negative'")
    connection.close()
    with ReplyCache(path) as cache, pytest.raises(CorruptRunError, match=r"replies\.sqlite: the r"):
        cache.find([CALL.key])


def test_one_more_text_sends_one_more_request(tmp_path: Path) -> None:
    with running(ChatServer()) as server:
        settings = settings_for(server.url)
        ask(settings, tmp_path / "r", calls_for(settings, 20))
        again = ask(settings, tmp_path / "r", calls_for(settings, 21))
        assert len(server.seen.requests) == 21
        assert texts_of(again) == expected(calls_for(settings, 21))


def test_equal_calls_are_sent_once_and_paid_once(tmp_path: Path) -> None:
    with running(ChatServer()) as server:
        settings = settings_for(server.url)
        (call,) = calls_for(settings, 1)
        with engine_for(settings, tmp_path / "r") as engine:
            paid = [outcome.paid for outcome in engine.ask([call, call, call])]
            paid += [outcome.paid for outcome in engine.ask([call])]
        assert paid == [True, False, False, False]
        assert len(server.seen.requests) == 1
        (resumed,) = ask(settings, tmp_path / "r", [call])
        (other,) = ask(settings, tmp_path / "r", [call], run_id="run-2")
        assert (resumed.paid, other.paid) == (True, False)


def test_another_endpoint_is_asked_anew(tmp_path: Path) -> None:
    with running(ChatServer()) as one, running(ChatServer(labels=("yes", "no"))) as other:
        for server in (one, other):
            settings = settings_for(server.url)
            outcomes = ask(settings, tmp_path / "r", calls_for(settings, 5))
            assert {str(text) for text in texts_of(outcomes)} <= set(server.labels)
        assert len(one.seen.requests) == len(other.seen.requests) == 5


ASK_AS_PROCESS = """
import sys
from pathlib import Path
from tests.asking import ask, calls_for, settings_for, texts_of
url, path, run_id, count = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
settings = settings_for(url)
print(texts_of(ask(settings, path, calls_for(settings, count), run_id=run_id)))
"""


def test_two_processes_share_one_file(tmp_path: Path) -> None:
    with running(ChatServer(latency=0.02)) as server:
        processes = [
            subprocess.Popen(
                [
                    *(sys.executable, "-c", ASK_AS_PROCESS),
                    *(server.url, str(tmp_path / "r"), f"run-{number}", "300"),
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for number in range(2)
        ]
        said = [process.communicate(timeout=60) for process in processes]
        settings = settings_for(server.url)
        right = f"{expected(calls_for(settings, 300))}\n"
        assert said == [(right, ""), (right, "")]
        requests = len(server.seen.requests)
        with ReplyCache(tmp_path / "r") as cache:
            assert sum(cache.spent(f"run-{number}").requests for number in range(2)) == requests
        assert texts_of(ask(settings, tmp_path / "r", calls_for(settings, 300)))
        assert len(server.seen.requests) == requests


def test_a_file_that_cannot_be_written_stops_the_sending(tmp_path: Path) -> None:
    path = tmp_path / "r"
    with running(ChatServer(latency=0.02)) as server:
        settings = settings_for(server.url)
        with engine_for(settings, path) as engine:
            engine.ask(calls_for(settings, 5))
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute("ALTER TABLE replies RENAME TO elsewhere")
                connection.execute("CREATE TABLE replies (key TEXT PRIMARY KEY)")
            connection.close()
            with pytest.raises(RunError, match=r"r: cannot be used"):
                engine.ask(calls_for(settings, 500))
        assert len(server.seen.requests) < 100
