"""Who watches a run: lines of a log, and observers of other programs."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.cli.screen.live import StageLines
from harness.results import StageResult
from tests.commands import PROGRAM, call

SMALL = ("--task", "demo", "--student", "tfidf", "--annotator", "oracle", "--limit", "40")
CHATTY = """
import os
from harness import hookimpl

@hookimpl
def harness_run_started(config, folder):
    print("started")
    os.system("echo by another program")

@hookimpl
def harness_round_finished(round, stages):
    print("round", round)

@hookimpl
def harness_run_finished(result, folder):
    print("finished")
"""


def program(folder: Path, *arguments: object, **environment: str) -> tuple[str, str]:
    """Stdout and stderr of a call that goes well, in a process of its own."""
    own = {name: value for name, value in os.environ.items() if "HARNESS" not in name}
    done = subprocess.run(
        [str(PROGRAM), *map(str, arguments)],
        cwd=folder,
        env={**own, **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_lines_say_what_begins_how_far_it_is_and_what_it_scored(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seconds = iter([0.0, 10.0, 31.0, 45.0, 61.5])
    lines = StageLines(lambda: next(seconds))
    lines.began("R1", "annotator", "annotating train")
    for done in (10, 62, 90, 123):
        lines.advanced(done, 8000)
    made = {"stage": "R1", "round": 0, "actor": "annotator", "n": 8000, "abstained": 0,
            "annotated": 8000, "transductive": None, "inductive": None, "seconds": 61.5,
            "answered": 1.0, "confidence": 0.5}  # fmt: skip
    lines.finished(StageResult.model_validate(made))
    lines.finished(StageResult.model_validate({**made, "stage": "R3"}))  # of an earlier process
    assert capsys.readouterr().err.splitlines() == [
        "harness: R1 annotator: annotating train",
        "harness: R1 annotator: annotating train: 62 of 8,000, 2/s, 1 h 6 min left",
        "harness: R1 annotator: annotating train: 123 of 8,000, 2/s, 1 h 5 min left",
        "harness: R1 annotator done in 61.5 s: confidence 50.0 %",
    ]


def test_without_a_terminal_a_run_prints_its_stages_and_json_nothing_but_json(
    tmp_path: Path,
) -> None:
    drawn, said = program(tmp_path, "run", *SMALL, "--rounds", "1")
    begun = [line for line in said.splitlines() if "R1 annotator: annotating train" in line]
    assert len(begun) == 1
    assert "harness: R2 student done in " in said and "pool " in said
    assert "harness:" not in drawn
    (tmp_path / "chatty.py").write_text(CHATTY)
    shown, said = program(tmp_path, "run", *SMALL, "--seed", "1", "--rounds", "1", "--json",
                          "--plugin", "chatty.py")  # fmt: skip
    assert json.loads(shown)["stages"]
    assert "R1 annotator:" not in said
    for word in ("started", "by another program", "round 0", "finished"):
        assert word in said


@pytest.mark.timeout(300)
def test_tensorboard_gets_each_stage_once_also_after_a_kill(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    observed = ("run", *SMALL, "--rounds", "2", "--json",
                "--plugin", "harness_plugins.observers.tensorboard")  # fmt: skip
    result: dict[str, Any] = json.loads(program(tmp_path, *observed)[0])
    folder = tmp_path / "results/runs/demo" / result["run_id"]
    (folder / "result.json").unlink()  # as if it had been killed before the end
    assert json.loads(program(tmp_path, *observed)[0])["stages"] == result["stages"]
    events = EventAccumulator(str(tmp_path / "results/runs/tensorboard/demo" / result["run_id"]))
    events.Reload()
    got = [(one.step, one.value) for one in events.Scalars("student/test")]
    wanted = {s["stage"]: s["inductive"]["score"] for s in result["stages"]}
    assert got == [(2, pytest.approx(wanted["R2"])), (4, pytest.approx(wanted["R4"]))]
    assert call("runs", "--out", tmp_path / "results/runs").stderr == ""


@pytest.mark.timeout(300)
def test_mlflow_gets_the_configuration_and_the_numbers(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    observed = ("run", *SMALL, "--rounds", "1", "--json",
                "--plugin", "harness_plugins.observers.mlflow")  # fmt: skip
    shown, _ = program(tmp_path, *observed, MLFLOW_TRACKING_URI=f"sqlite:///{file}")
    result = json.loads(shown)
    with closing(sqlite3.connect(file)) as kept:
        ((name, status),) = kept.execute("SELECT name, status FROM runs").fetchall()
        parameters = dict(kept.execute("SELECT key, value FROM params").fetchall())
        metrics = dict(kept.execute("SELECT key, value FROM latest_metrics").fetchall())
        ((experiment,),) = kept.execute(
            "SELECT experiments.name FROM experiments JOIN runs USING (experiment_id)"
        ).fetchall()
    assert experiment == "freeal-harness"
    assert (name, status) == (result["run_id"], "FINISHED")
    assert parameters["student.spec"] == "tfidf" and parameters["limit"] == "40"
    assert metrics["student/pool"] == result["stages"][1]["transductive"]["score"]
