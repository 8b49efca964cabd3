"""``harness runs``: states, reasons, sizes, and what of runs can be removed."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Literal

import pytest

from harness.metrics import Score
from harness.record import layout
from harness.record.folder import RunFolder
from harness.results import RunResult, StageResult
from tests.commands import call, message, succeeded
from tests.factories import plugin_file
from tests.test_prompts import APPROVED

pytestmark = pytest.mark.usefixtures("alone")
Actor = Literal["annotator", "student"]
SMALL = ("run", "--task", "demo", "--limit", 60, "--rounds", 1, "--student", "tfidf", "--json")
FAILS = """
class Fails:
    def fit(self, *given):
        raise ValueError("no [red]memory[/] left\\n(asked for 3 GB)")

    def load(self, folder):
        return self

@hookimpl
def harness_register_students(register):
    register("fails", lambda request: Fails(), summary="fails")
"""


def stage(name: str, actor: Actor, round_: int, pool: float, test: float | None) -> StageResult:
    scores = [
        None if one is None else Score(score=one, answered=1, random_label=one, per_label={})
        for one in (pool, test)
    ]
    return StageResult(
        stage=name, round=round_, actor=actor, n=60, abstained=0, annotated=60,
        transductive=scores[0], inductive=scores[1],
    )  # fmt: skip


STAGES = (stage("R1", "annotator", 0, 0.8375, None), stage("R2", "student", 0, 1.0, 0.916))


def recorded(out: Path, name: str, stages: tuple[StageResult, ...], *, done: bool = False) -> Path:
    """A run's folder as it is left, without data."""
    path = layout.run_folder(out, "messages", name)
    with RunFolder.held(path) as folder:
        folder.write_text(layout.CONFIG, "rounds = 1\n")
        folder.write_text(f"{layout.ROUNDS}/00/annotations.parquet", "x" * 12_345)
        lines = [json.dumps({"schema": 1, **one.model_dump(mode="json")}) for one in stages]
        if lines:
            folder.write_text(layout.STAGES, "\n".join(lines) + "\n")
        if done:
            folder.write_text(layout.RESULT, finished(name).to_json())
    return path


def finished(name: str) -> RunResult:
    config = {"task": "demo", "annotator": {}, "student": {}, "selector": {}}
    return RunResult(
        run_id=name, task="messages", kind="sequence", metric="accuracy", supervised=False,
        config=config, provenance={}, seconds=1.0, cost_usd=0.0, stages=STAGES,
    )  # fmt: skip


@pytest.fixture
def out(tmp_path: Path) -> Path:
    out = tmp_path / "kept"
    recorded(out, "embedding-minilm-freeal-r1-s0-11111111", STAGES, done=True)
    recorded(out, "embedding-minilm-freeal-r1-s1-22222222", STAGES[:1])
    checkpoint = out / "messages/embedding-minilm-freeal-r1-s1-22222222" / layout.checkpoints(0)
    checkpoint.mkdir()
    (checkpoint / "state.safetensors").write_bytes(b"\0" * 2_500_000)
    running = recorded(out, "embedding-minilm-freeal-r1-s2-33333333", ())
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": "now"}
    (running / layout.HOLDER).write_text(json.dumps(holder))
    failed = recorded(out, "embedding-minilm-freeal-r1-s3-44444444", STAGES[:1])
    reason = "demo.jsonl:3: no [bold]label[/] 'fault'; write one of help, other"
    (failed / layout.FAILURE).write_text(json.dumps({"state": "failed", "reason": reason}))
    return out


@pytest.mark.parametrize("columns", [60, 80, 120, None])
def test_approved(out: Path, monkeypatch: pytest.MonkeyPatch, columns: int | None) -> None:
    # After a change that is meant: HARNESS_APPROVE=1 pytest tests/test_runs.py, and read it.
    monkeypatch.chdir(out.parent)
    monkeypatch.delenv("COLUMNS")
    if columns is not None:
        monkeypatch.setenv("COLUMNS", str(columns))
    drawn = succeeded(call("runs", "--out", "kept"))
    text = "\n".join(line.rstrip() for line in drawn.splitlines()) + "\n"
    file = APPROVED / f"runs-{columns or 'piped'}.txt"
    if os.environ.get("HARNESS_APPROVE"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_json_says_the_same(out: Path) -> None:
    listed = json.loads(succeeded(call("runs", "--json", "--out", out)))["runs"]
    assert [one["state"] for one in listed] == ["finished", "stopped", "running", "failed"]
    assert [one["other_code"] for one in listed] == [True, False, False, False]
    assert listed[0]["stages"][1] == {
        "stage": "R2", "actor": "student", "transductive": 1.0, "inductive": 0.916,
    }  # fmt: skip
    assert 2_512_345 < listed[1]["bytes"] < 2_520_000
    assert "label" in listed[3]["reason"]


def test_a_failed_run_keeps_its_reason(tmp_path: Path) -> None:
    plugin = plugin_file(tmp_path / "fails.py", FAILS)
    command = ("run", *SMALL[1:], "--student", "fails", "--annotator", "oracle", "--plugin", plugin)
    message(call(*command, "--out", tmp_path / "kept"), 1)
    (listed,) = json.loads(succeeded(call("runs", "--json", "--out", tmp_path / "kept")))["runs"]
    assert (listed["state"], [one["stage"] for one in listed["stages"]]) == ("failed", ["R1"])
    assert "no [red]memory[/] left (asked for 3 GB)" in listed["reason"]


def test_prune_asks_first_and_leaves_what_is_not_named(out: Path) -> None:
    message_ = call("runs", "prune", "--out", out)
    assert message_.code == 2
    assert "say --yes" in message_.stderr
    before = {path for path in out.rglob("*") if path.is_file()}
    done = call("runs", "prune", "--yes", "--out", out)
    assert (done.code, done.stdout) == (0, "removed: 2.5 MB\n")
    (gone,) = before - {path for path in out.rglob("*") if path.is_file()}
    assert gone.name == "state.safetensors"


def test_prune_unfinished_leaves_running_and_finished_ones(out: Path) -> None:
    left = call("runs", "prune", "unfinished", "--older-than", 1, "--yes", "--out", out)
    assert left.stdout.startswith("nothing to remove")
    assert call("runs", "prune", "unfinished", "--yes", "--out", out).code == 0
    listed = json.loads(succeeded(call("runs", "--json", "--out", out)))["runs"]
    assert [one["state"] for one in listed] == ["finished", "running"]


def test_prune_says_what_it_can_remove(out: Path) -> None:
    said = message(call("runs", "prune", "checkpoint", "--yes", "--out", out), 2)
    assert "checkpoints" in said
