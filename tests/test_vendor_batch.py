"""The batch API through the real client, against a server that fails on request."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.errors import BudgetError, CommandError, ServiceError
from harness.protocols import Account
from harness.testing.answers import answer
from harness.testing.service import ChatServer, running
from harness_plugins.llm.batch.vendor_batch import BatchSender
from harness_plugins.llm.batch.vendor_files import files_of
from harness_plugins.llm.cache import ReplyCache
from harness_plugins.llm.calls import Call, Message, Outcome, Spent
from harness_plugins.llm.cost.meter import Meter
from harness_plugins.llm.cost.prices import listed_price, price_of
from harness_plugins.llm.engine import Engine
from harness_plugins.llm.services import OPENAI
from harness_plugins.llm.settings import LlmKeys, LlmSettings, Pace
from tests.servers.batches import Batches

MODEL = "gpt-4o-mini"
POLL = (0.01, 0.05)


def calls(url: str, count: int, start: int = 0) -> list[Call]:
    texts = [f"text number {n}" for n in range(start, start + count)]
    return [
        Call(url, MODEL, (Message("user", text),), '{"max_completion_tokens":8}') for text in texts
    ]


def settings(url: str, **changes: object) -> LlmSettings:
    keys = LlmKeys(batch=True, price_input=0.075, price_output=0.3)
    plain = {"pace": Pace(retries=3, timeout=5.0), "keys": keys}
    return LlmSettings(OPENAI, MODEL, url, url, **{**plain, **changes})  # type: ignore[arg-type]


@contextmanager
def served(batches: Batches) -> Iterator[str]:
    with running(ChatServer(routes=batches.routes)) as server:
        yield server.url


class Desk:
    """An engine over the batch API, as a run has it, and what it says."""

    def __init__(self, url: str, folder: Path, budget: float | None = None) -> None:
        self.url, self.notes = url, list[str]()
        self.account = Account("run", folder / "replies.sqlite", budget, self.notes.append)

    def ask(self, asked: Sequence[Call], **limits: int) -> list[Outcome]:
        chosen = settings(self.url)
        with ReplyCache(self.account.replies) as cache:
            spent = cache.spent("run")
            meter = Meter(self.account.budget_usd, price_of(chosen), spent, MODEL)
            sender = BatchSender(chosen, self.account, poll=POLL, **limits)
            try:
                return Engine(sender, cache, meter, run_id="run", note=self.account.note).ask(asked)
            finally:
                sender.close()


def good(asked: Sequence[Call], found: Sequence[Outcome]) -> bool:
    wanted = [answer({"messages": [{"content": call.messages[-1].content}]}) for call in asked]
    return [one.reply.text if one.reply else None for one in found] == wanted


def test_calls_go_up_in_files_and_come_back_in_order(tmp_path: Path) -> None:
    batches = Batches(looks=2)
    with served(batches) as url:
        desk, asked = Desk(url, tmp_path), calls(url, 25)
        found = desk.ask(asked, most_requests=10)
        assert good(asked, found)
        assert (batches.uploads, batches.creations) == (3, 3)
        assert [len(content.splitlines()) for content in list(batches.files.values())[:3]] == [
            *(10, 10, 5)
        ]
        assert set(batches.answered.values()) == {1}
        assert any("of 10 answered" in note for note in desk.notes)
        assert good(asked, desk.ask(asked))
        assert batches.uploads == 3


def test_a_file_holds_no_more_than_the_vendor_takes() -> None:
    assert [len(part) for part in files_of([10] * 7, most_requests=3)] == [3, 3, 1]
    assert list(files_of([60, 60, 30, 90, 10], most_bytes=100)) == [
        *(range(1), range(1, 3), range(3, 5))
    ]
    assert list(files_of([500], most_bytes=100)) == [range(1)]
    assert list(files_of([])) == []


def test_half_the_price_is_counted(tmp_path: Path) -> None:
    with served(Batches()) as url:
        (found,) = Desk(url, tmp_path).ask(calls(url, 1))
        assert found.reply is not None
        whole, half = listed_price(MODEL), listed_price(MODEL, batch=True)
        assert whole is not None and half is not None
        assert half.cost(found.reply) == pytest.approx(whole.cost(found.reply) / 2)
        assert found.reply.cost_usd == pytest.approx(half.cost(found.reply))
        assert found.paid


SCRIPT = """
import sys
from pathlib import Path
from tests.test_vendor_batch import Desk, calls
url, folder = sys.argv[1:]
Desk(url, Path(folder)).ask(calls(url, 12))
"""


@pytest.mark.parametrize("moment", ["polling", "before the id is written down"])
def test_a_kill_between_upload_and_collection_pays_nothing_twice(
    tmp_path: Path, moment: str
) -> None:
    # Several other batches are newer, so that the orphan is on a later page of the list.
    batches = Batches(looks=None, hung_creations=1 if moment != "polling" else 0)
    with served(batches) as url:
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, url, str(tmp_path)], env={**os.environ}
        )
        try:
            until = time.monotonic() + 60
            while not (batches.looked if moment == "polling" else batches.creations):
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.02)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert (batches.uploads, batches.creations) == (1, 1)
        batches.looks = 1
        for other in range(3):
            batches.batches[f"other{other}"] = {
                **batches.batches["batch_2"],
                "id": f"other{other}",
                "metadata": None,
                "status": "completed",
            }
        desk, asked = Desk(url, tmp_path), calls(url, 12)
        assert good(asked, desk.ask(asked))
        assert (batches.uploads, batches.creations) == (1, 1)
        assert set(batches.answered.values()) == {1}
        assert any("12 calls were sent before" in note for note in desk.notes)


def test_texts_that_were_added_are_sent_beside_those_on_their_way(tmp_path: Path) -> None:
    batches = Batches(looks=None)
    with served(batches) as url:
        _interrupted(url, tmp_path, batches, calls(url, 10))
        batches.looks = 1
        asked = calls(url, 15)
        assert good(asked, Desk(url, tmp_path).ask(asked))
        assert batches.uploads == 2
        assert set(batches.answered.values()) == {1}


def test_replies_that_the_cache_lost_are_collected_again_for_nothing(tmp_path: Path) -> None:
    batches = Batches()
    with served(batches) as url:
        asked = calls(url, 5)
        Desk(url, tmp_path).ask(asked)
        for file in tmp_path.glob("replies.sqlite*"):
            file.unlink()
        assert good(asked, Desk(url, tmp_path).ask(asked))
        assert batches.uploads == 1


def test_ctrl_c_leaves_the_batch_at_the_vendor(tmp_path: Path) -> None:
    batches = Batches(looks=None)
    with served(batches) as url:
        notes = _interrupted(url, tmp_path, batches, calls(url, 4))
        assert "goes on at the vendor; the same command collects it" in notes[-1]


def _interrupted(
    url: str,
    folder: Path,
    batches: Batches,
    asked: Sequence[Call],
    budget: float | None = None,
) -> list[str]:
    """Ask until Ctrl-C comes, which it does as soon as a batch was looked at."""
    desk = Desk(url, folder)
    retrieve = batches.looked

    def on_second_look(line: str) -> None:
        desk.notes.append(line)
        if "of" in line and "answered" in line:
            signal.raise_signal(signal.SIGINT)

    desk.account = Account("run", folder / "replies.sqlite", budget, on_second_look)
    with pytest.raises(KeyboardInterrupt):
        desk.ask(asked)
    assert retrieve
    return desk.notes


def test_what_an_expired_batch_did_not_answer_is_sent_again(tmp_path: Path) -> None:
    batches = Batches(endings=["expired"], answered_share=0.5)
    with served(batches) as url:
        desk, asked = Desk(url, tmp_path), calls(url, 10)
        assert good(asked, desk.ask(asked))
        assert batches.uploads == 2
        assert set(batches.answered.values()) == {1}
        assert any("expired: 5 calls are sent again" in note for note in desk.notes)


def test_what_no_batch_answers_is_given_up_in_the_end(tmp_path: Path) -> None:
    batches = Batches(endings=["expired"] * 9, answered_share=0.0)
    with served(batches) as url:
        (found,) = Desk(url, tmp_path).ask(calls(url, 1))
        assert found.reply is None
        assert "no reply from 3 batches" in found.reason
        assert batches.creations == 3


def test_a_cancelled_batch_keeps_what_came_and_says_so(tmp_path: Path) -> None:
    batches = Batches(endings=["cancelled"])
    with served(batches) as url:
        desk, asked = Desk(url, tmp_path), calls(url, 10)
        with pytest.raises(ServiceError, match="cancelled: 5 replies are kept") as caught:
            desk.ask(asked)
        assert "\n" not in str(caught.value)
        assert good(asked, desk.ask(asked))
        assert set(batches.answered.values()) == {1}


def test_rows_of_the_error_file_are_told_apart(tmp_path: Path) -> None:
    batches = Batches(row_faults={"number 3": 400, "number 4": 500, "number 5": 503})
    with served(batches) as url:
        asked = calls(url, 8)
        found = Desk(url, tmp_path).ask(asked)
        assert found[3].reply is None
        assert "the server refused" in found[3].reason
        assert good([*asked[:3], *asked[4:]], [*found[:3], *found[4:]])
        assert batches.creations == 2
        assert set(batches.answered.values()) == {1}


def test_a_batch_that_is_not_taken_says_why(tmp_path: Path) -> None:
    with served(Batches(endings=["invalid"])) as url:
        with pytest.raises(ServiceError, match="does not know model") as caught:
            Desk(url, tmp_path).ask(calls(url, 3))
        assert "\n" not in str(caught.value)
        asked = calls(url, 3)
        assert good(asked, Desk(url, tmp_path).ask(asked))


def test_uploads_wait_out_a_rate_limit_and_a_lost_answer(tmp_path: Path) -> None:
    batches = Batches(throttled_uploads=2, lost_creations=1)
    with served(batches) as url:
        asked = calls(url, 6)
        assert good(asked, Desk(url, tmp_path).ask(asked))
        assert (batches.uploads, batches.creations) == (1, 1)


def test_a_full_queue_is_filled_bit_by_bit(tmp_path: Path) -> None:
    batches = Batches(queue=6)
    with served(batches) as url:
        asked = calls(url, 20)
        assert good(asked, Desk(url, tmp_path).ask(asked))
        assert set(batches.answered.values()) == {1}


def test_a_queue_that_takes_nothing_is_said(tmp_path: Path) -> None:
    with (
        served(Batches(queue=0)) as url,
        pytest.raises(ServiceError, match="queue of batches is full"),
    ):
        Desk(url, tmp_path).ask(calls(url, 4))


def test_the_budget_is_asked_before_anything_is_uploaded(tmp_path: Path) -> None:
    batches = Batches()
    with served(batches) as url:
        with pytest.raises(BudgetError):
            Desk(url, tmp_path, budget=1e-9).ask(calls(url, 10))
        assert batches.uploads == 0
        # A budget for about 14 calls at their most: what fits is sent, and as replies turn
        # out cheaper more of them are, until the money is gone.
        with pytest.raises(BudgetError):
            Desk(url, tmp_path, budget=5e-5).ask(calls(url, 500))
        with ReplyCache(tmp_path / "replies.sqlite") as cache:
            assert 2e-5 < cache.spent("run").cost_usd <= 5e-5
        assert set(batches.answered.values()) == {1}


def test_a_restart_does_not_grant_the_budget_again(tmp_path: Path) -> None:
    # A budget for about 14 calls at their most, all of them under way when the process ends.
    batches, budget = Batches(looks=None), 5e-5
    with served(batches) as url:
        asked = calls(url, 100)
        for _ in range(3):
            _interrupted(url, tmp_path, batches, asked, budget)
        assert batches.creations == 1
        batches.looks = 1
        with pytest.raises(BudgetError):
            Desk(url, tmp_path, budget).ask(asked)
        with ReplyCache(tmp_path / "replies.sqlite") as cache:
            assert 2e-5 < cache.spent("run").cost_usd <= budget
        assert set(batches.answered.values()) == {1}


def test_what_was_bought_is_never_refused(tmp_path: Path) -> None:
    batches = Batches(looks=None)
    with served(batches) as url:
        _interrupted(url, tmp_path, batches, calls(url, 5))
        batches.looks = 1
        asked = calls(url, 5)
        assert good(asked, Desk(url, tmp_path, budget=1e-9).ask(asked))
        assert batches.creations == 1


def test_a_reservation_costs_the_same_however_many_there_are() -> None:
    (call,) = calls("http://127.0.0.1/v1", 1)
    price = price_of(settings(call.endpoint))
    meter = Meter(1e9, price, Spent(0, 0, 0.0), MODEL)

    def seconds(start: int) -> float:
        began = time.process_time()
        for number in range(start, start + 1000):
            meter.reserve(str(number), call)
        return time.process_time() - began

    first, *_, last = [seconds(start) for start in range(0, 20_000, 1000)]
    assert last < 5 * first
    # What is given back may be reserved again, to the last cent.
    assert price is not None
    tight = Meter(_most(call) * 3.5, price, Spent(0, 0, 0.0), MODEL)
    for round_ in range(50):
        for number in range(3):
            tight.reserve(f"{round_} {number}", call)
        with pytest.raises(BudgetError):
            tight.reserve("one too many", call)
        for number in range(3):
            tight.settle(f"{round_} {number}", None)


def _most(call: Call) -> float:
    """What a call is reserved at: the smallest budget that lets it go, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        try:
            Meter(middle, price_of(settings(call.endpoint)), Spent(0, 0, 0.0), MODEL).reserve(
                "", call
            )
        except BudgetError:
            low = middle
        else:
            high = middle
    return high


def test_a_server_without_batches_is_said_in_one_line(tmp_path: Path) -> None:
    with (
        running(ChatServer()) as server,
        pytest.raises(ServiceError, match="no batch API there") as caught,
    ):
        Desk(server.url, tmp_path).ask(calls(server.url, 2))
    assert "\n" not in str(caught.value)


def test_a_batch_of_another_key_is_said(tmp_path: Path) -> None:
    batches = Batches(looks=None)
    with served(batches) as url:
        _interrupted(url, tmp_path, batches, calls(url, 2))
        batches.batches.clear()
        with pytest.raises(ServiceError, match="is not known to this key"):
            Desk(url, tmp_path).ask(calls(url, 2))


def test_azure_is_refused(tmp_path: Path) -> None:
    account = Account("run", tmp_path / "replies.sqlite", None, print)
    with pytest.raises(CommandError, match="Azure"):
        OPENAI.open_sender(settings("https://x.openai.azure.com"), account)
