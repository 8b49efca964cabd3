"""What a sweep pays: each answer once, and all runs together no more than the budget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.record import layout
from harness.testing.service import ChatServer, running
from harness_plugins.llm.cache import ReplyCache
from tests.commands import Outcome, call

RECIPE = """
summary = "what costs money"
baseline = "usual"
[settings]
rounds = 2
demonstrations.generated = false
setting = "transductive"
[[rows]]
label = "usual"
[[rows]]
label = "placebo"
settings = { selector.query = "none" }
[[rows]]
label = "all again"
settings = { selector.query = "all" }
"""
LIMIT = 30


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(RECIPE)


def sweep(server: ChatServer, *more: str) -> Outcome:
    return call(
        *("sweep", "mine.toml", "--annotator", "gpt35", "--student", "tfidf", "--out", "out"),
        *("--set", f"annotator.base_url={server.url}", "--limit", str(LIMIT), "--json"),
        *("--set", "annotator.price_input=1", "--set", "annotator.price_output=1", *more),
    )


def results(outcome: Outcome) -> list[dict[str, Any]]:
    """Of each finished run."""
    paths = [Path(one["path"]) / layout.RESULT for one in json.loads(outcome.stdout)["runs"]]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def costs(outcome: Outcome) -> list[float]:
    """Of each finished run what it has paid."""
    return [one["cost_usd"] for one in results(outcome)]


def in_table(metric: str) -> list[float]:
    """A metric of the first stage of each run, as ``harness table`` has it."""
    table = call("table", "--out", "out", "--metric", metric, "--format", "json").stdout
    return [row["cells"]["R0"]["mean"] for row in json.loads(table)["rows"]]


def spent(outcome: Outcome) -> Any:
    """What all runs together have paid by the file of replies."""
    with ReplyCache(Path("out") / layout.REPLIES) as cache:
        return cache.spent(*(one["run_id"] for one in json.loads(outcome.stdout)["runs"]))


def test_runs_pay_for_an_answer_once_and_each_tells_its_own_costs() -> None:
    with running(ChatServer()) as server:
        done = sweep(server, "--jobs", "2")
        assert done.code == 0, done.stderr
        paid = spent(done)
        assert len(server.seen.requests) == paid.requests
        assert sum(costs(done)) == pytest.approx(paid.cost_usd)
        first = [one["stages"][0] for one in results(done)]
        assert sorted(one["cost_usd"] > 0 for one in first) == [False, False, True]
        answers = {one["answers_usd"] for one in first}  # whichever run paid for them
        assert answers == {max(one["cost_usd"] for one in first)}
        assert set(in_table("answers_usd")) == answers
        assert sorted(in_table("cost_usd")) == sorted(one["cost_usd"] for one in first)
        again = sweep(server)
        assert len(server.seen.requests) == paid.requests
        assert json.loads(again.stdout)["tables"] == json.loads(done.stdout)["tables"]


def test_a_budget_holds_for_all_runs_together() -> None:
    with running(ChatServer()) as server:
        whole = sweep(server, "--jobs", "2", "--budget-usd", "0.008")
        assert whole.code == 3, whole.stderr
        assert 0 < spent(whole).cost_usd <= 0.008
        states = {one["state"] for one in json.loads(whole.stdout)["runs"]}
        assert "stopped" in states and "failed" not in states
        last = whole.stderr.splitlines()[-1]
        assert "runs are not finished" in last and "higher --budget-usd" in last
        requests = len(server.seen.requests)
        rest = sweep(server, "--jobs", "2", "--budget-usd", "5")
        assert rest.code == 0
        assert len(server.seen.requests) == spent(rest).requests > requests
