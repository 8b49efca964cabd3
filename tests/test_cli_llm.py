"""The command line with an annotator that asks a model, over a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.testing.service import ChatServer, running
from harness_plugins.llm.cache import ReplyCache
from tests.commands import call, message, succeeded

PRICED = ("--set", "annotator.price_input=1", "--set", "annotator.price_output=1")


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with running(ChatServer()) as started:
        yield started


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)  # no .env here


def options(server: ChatServer, out: Path, *more: str) -> tuple[Any, ...]:
    return (
        *("run", "--annotator", "gpt35", "--student", "tfidf", "--limit", "40", "--json"),
        *("--out", out, "--set", f"annotator.base_url={server.url}", *more),
    )


def annotator_stages(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [stage for stage in result["stages"] if stage["actor"] == "annotator"]


def test_a_stage_says_what_it_paid_and_for_what(server: ChatServer, tmp_path: Path) -> None:
    outcome = call(*options(server, tmp_path / "runs", *PRICED, "--rounds", "2"))
    result = json.loads(succeeded(outcome))
    first, second = annotator_stages(result)
    assert (first["stage"], second["stage"]) == ("R1", "R3")
    assert set(first["spending"]) == {"train", "test", "written"}
    assert first["spending"]["train"]["requests"] == 40
    assert first["spending"]["test"]["requests"] == 40
    assert first["requests"] == sum(one["requests"] for one in first["spending"].values())
    assert first["cost_usd"] == pytest.approx(first["tokens"] / 1e6)
    assert first["answers_usd"] == pytest.approx(first["cost_usd"])
    assert second["spending"]["train"]["requests"] <= second["annotated"] < 40
    assert result["cost_usd"] == pytest.approx(first["cost_usd"] + second["cost_usd"])
    file = tmp_path / "said.jsonl"
    succeeded(
        call("export", result["run_id"], "--replay", "--to", file, "--out", tmp_path / "runs")
    )
    replay = ("run", "--annotator", f"replay:{file}", "--student", "tfidf", "--limit", "40")
    again = json.loads(
        succeeded(call(*replay, "--rounds", "2", "--json", "--out", tmp_path / "replays"))
    )
    for one, repeated in zip(result["stages"], again["stages"], strict=True):
        assert repeated["transductive"] == one["transductive"] and repeated["cost_usd"] == 0
        assert repeated["answers_usd"] == pytest.approx(one["answers_usd"])  # also of "written"
    assert first["spending"]["written"]["answers_usd"] > 0 and second["answers_usd"] > 0
    of_run = ("--annotator", f"replay:{tmp_path / 'runs/demo' / result['run_id']}")
    same = json.loads(
        succeeded(call(*replay, *of_run, "--rounds", "2", "--json", "--out", tmp_path / "replays"))
    )
    for one, other in zip(again["stages"], same["stages"], strict=True):
        for field in ("transductive", "inductive", "abstained", "spending", "selection"):
            assert other[field] == one[field]


def test_a_repeated_run_asks_nothing_and_needs_no_server(tmp_path: Path) -> None:
    with running(ChatServer()) as server:
        first = json.loads(succeeded(call(*options(server, tmp_path / "runs"))))
        command = options(server, tmp_path / "runs", "--fresh")
    again = json.loads(succeeded(call(*command)))  # the server is gone
    scores = [stage["transductive"] for stage in first["stages"]]
    assert [stage["transductive"] for stage in again["stages"]] == scores


def test_a_retired_preset_says_so_before_anything_is_sent(tmp_path: Path) -> None:
    line = ("plan", "--annotator", "gpt35", "--limit", "20", "--out", tmp_path)
    gone = "model 'gpt-3.5-turbo': its vendor shut it down on 2026-10-23; use another model"
    assert gone in succeeded(call(*line))
    own = succeeded(call(*line, "--set", "annotator.base_url=http://localhost:1/v1"))
    assert gone not in own and "a server of your own" in own
    ran = call("run", *line[1:]).stderr
    assert ran.index(gone) < ran.index("no key for openai")


def test_without_a_key_nothing_is_left(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    said = message(call("run", "--annotator", "gpt-small", "--out", out), 2)
    assert "OPENAI_API_KEY" in said
    assert "annotator.base_url" in said
    assert [path for path in out.rglob("*") if path.is_file()] == []


def test_a_budget_stops_with_its_own_code_and_goes_on_with_a_higher_one(
    server: ChatServer, tmp_path: Path
) -> None:
    command = options(server, tmp_path / "runs", *PRICED, "--rounds", "1")
    said = message(call(*command, "--budget-usd", "0.02"), 3)
    assert "higher --budget-usd" in said
    assert "stopped" in succeeded(call("runs", "--out", tmp_path / "runs"))
    whole = json.loads(succeeded(call(*command, "--budget-usd", "5")))
    other = options(server, tmp_path / "others", *PRICED, "--rounds", "1")
    undisturbed = json.loads(succeeded(call(*other)))
    assert whole["run_id"] == undisturbed["run_id"]
    assert whole["cost_usd"] == pytest.approx(undisturbed["cost_usd"])
    assert whole["cost_usd"] > 0.02


SHOWS_NONE = '''
import numpy as np
from harness import hookimpl


class ShowsNone:
    """So a later stage asks word for word what the first one asked."""

    def choose(self, evidence, trusted, rng):
        return trusted[:0]

    def assign(self, embeddings, groups, targets, own, rng):
        return np.full((len(targets), 0), -1, dtype=np.int32)


@hookimpl
def harness_register_selectors(register):
    register("demonstrations/shows-none", lambda request: ShowsNone())
'''


def test_after_an_interruption_nothing_is_told_as_paid_twice(
    server: ChatServer, tmp_path: Path
) -> None:
    (tmp_path / "shows_none.py").write_text(SHOWS_NONE)
    more = (
        *("--plugin", tmp_path / "shows_none.py", "--set", "selector.demonstrations=shows-none"),
        *("--set", "selector.query=all", "--set", "demonstrations.generated=false"),
        *(*PRICED, "--rounds", "2"),
    )
    undisturbed = json.loads(succeeded(call(*options(server, tmp_path / "others", *more))))
    first, second = annotator_stages(undisturbed)
    assert (first["stage"], first["requests"], second["requests"]) == ("R0", 80, 0)
    part = first["spending"]["train"]["cost_usd"] * 1.5
    command = options(server, tmp_path / "runs", *more)
    message(call(*command, "--budget-usd", part), 3)  # between two records of the stage
    resumed = json.loads(succeeded(call(*command)))
    kept = ("stage", "requests", "tokens", "spending", "transductive")
    assert [[one[key] for key in kept] for one in annotator_stages(resumed)] == [
        [one[key] for key in kept] for one in (first, second)
    ]
    with ReplyCache(tmp_path / "runs" / "replies.sqlite") as cache:
        paid = cache.spent(resumed["run_id"])
    assert (paid.requests, paid.tokens) == (80, first["tokens"])
    assert paid.cost_usd == pytest.approx(resumed["cost_usd"])


def test_a_budget_needs_a_price(server: ChatServer, tmp_path: Path) -> None:
    elsewhere = "annotator.base_url=https://llm.example.org/v1"
    unheard = ("--set", "annotator.model=unheard-of", "--set", elsewhere)
    command = options(server, tmp_path / "runs", *unheard)
    assert "annotator.price_input" in message(call(*command, "--budget-usd", "1"), 2)


def test_a_plan_says_all_steps_and_sends_nothing(tmp_path: Path) -> None:
    with running(ChatServer()) as server:
        arguments = options(server, tmp_path / "runs", *PRICED, "--rounds", "2")[1:]
        plan = json.loads(succeeded(call("plan", *arguments)))
        done = json.loads(succeeded(call("run", *arguments)))
    steps = [(step["stage"], step["what"]) for step in plan["steps"]]
    expected = [("R1", "written"), ("R1", "train"), ("R1", "test"), ("R3", "train"), ("R3", "test")]
    assert steps == expected
    assert [step["requests"] for step in plan["steps"][1:]] == [40] * 4
    paid = sum(stage["requests"] for stage in done["stages"])
    assert 0 < paid <= plan["total"]["requests"]
    assert plan["total"]["cost_usd"] > 0


def test_a_named_configuration_file_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HARNESS_CONFIG", str(tmp_path / "absent.toml"))
    outcome = call("plan", "--annotator", "mine")
    assert outcome.code == 2
    warned, said = outcome.stderr.splitlines()
    assert f"HARNESS_CONFIG names {tmp_path / 'absent.toml'}: no such file" in warned
    assert "unknown annotator 'mine'" in said
    monkeypatch.delenv("HARNESS_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))  # the usual file may be absent
    assert "unknown annotator 'mine'" in message(call("plan", "--annotator", "mine"), 2)


def test_a_preset_is_shown_with_its_settings_and_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[presets.mine]\nspec = "openai:my-model"\nsamples = 3\n')
    monkeypatch.setenv("HARNESS_CONFIG", str(file))
    shown = succeeded(call("show", "annotator", "mine")).splitlines()
    for line in ("spec = openai:my-model", "annotator.samples = 3", f"file = {file}"):
        assert f"  {line}" in shown
    built_in = succeeded(call("show", "annotator", "gpt-small"))
    assert "  spec = openai:gpt-6-luna\n" in built_in
    assert "  annotator.parameters = {'reasoning_effort': 'none'}\n" in built_in


def test_a_plan_counts_the_thoughts_of_a_preset_that_asks_for_them() -> None:
    arguments = ("plan", "--annotator", "gemini-small", "--limit", "10")
    total = json.loads(succeeded(call(*arguments, "--json")))["total"]
    assert total["completion_tokens"] >= 4096 * total["requests"]
    printed = succeeded(call(*arguments)).splitlines()
    assert next(line.split()[-1] for line in printed if "requests" in line) == "asking"
    assert printed[-1].startswith("time with training: not known")


def test_an_annotator_without_a_model_has_nothing_to_plan() -> None:
    said = succeeded(call("plan", "--annotator", "embedding", "--limit", "5"))
    first, time_ = said.splitlines()
    assert first == "annotator embedding asks no language model: nothing is sent, $0"
    assert time_.startswith("time with training: not known; no run like this is finished")
