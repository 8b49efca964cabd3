"""What the commands print when all is well, and how they name a damaged run."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import statistics
import struct
import subprocess
import sys
import termios
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from rich.console import Console

import harness
import harness_tasks
from harness.cli.screen.tables import stages_table
from harness.config import Config
from harness.results import load_result
from tests.commands import FOUND, PROGRAM, call, call_process, message, succeeded
from tests.task_files import write_rows

DEMO = Path(harness_tasks.__file__).parent / "data/demo"
SIDES = ("transductive", "inductive")
SMALL = ("run", "--student", "tfidf", "--rounds", "1", "--limit", "60", "--json")


@dataclass(frozen=True)
class Runs:
    """A folder with one supervised run and two seeds of one that is not.

    Attributes:
        out: the folder.
        oracle: what ``run --json`` printed for the supervised one.
        replays: likewise for the others, by seed.
        recording: what they replay: a fifth of the recorded labels is wrong.
    """

    out: Path
    oracle: str
    replays: tuple[Mapping[str, Any], ...]
    recording: Path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("output")
    out, recording = folder / "runs", folder / "recorded.jsonl"
    rows = [
        json.loads(line)
        for split in ("train", "test")
        for line in (DEMO / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    for row in rows[::5]:
        row["label"] = "fault" if row["label"] != "fault" else "howto"
    # Under "label" it would be taken to be gold, and the runs marked supervised.
    rows = [{"text": row["text"], "llm_label": row["label"]} for row in rows]
    write_rows(recording, rows)
    oracle = call_process(*SMALL, "--annotator", "oracle", "--out", out, cwd=folder)
    replay = (*SMALL, "--annotator", f"replay:{recording}", "--out", out)
    replays = tuple(
        json.loads(succeeded(call(*replay, "--set", f"seed={seed}"))) for seed in (0, 1)
    )
    return Runs(out, succeeded(oracle), replays, recording)


pytestmark = pytest.mark.usefixtures("alone")


def folder_of(out: Path, result: Mapping[str, Any]) -> Path:
    return out / str(result["task"]) / str(result["run_id"])


SUPERVISED = "supervised: the annotator reads gold labels"


def cells(line: str) -> list[str]:
    """The cells of a line of a drawn table, whatever its borders are."""
    return [cell for cell in re.split(r"\s{2,}|\s*[│┃|]\s*", line.strip()) if cell]


def scores(result: Mapping[str, Any], side: str) -> list[float]:
    """Score of R1 and of R2."""
    return [stage[side]["score"] for stage in result["stages"]]


# --- run -------------------------------------------------------------------------------


def test_json_is_one_object_and_nothing_else(runs: Runs) -> None:
    lines = runs.oracle.splitlines()
    assert len(lines) == 1
    result = json.loads(lines[0])
    assert set(result) >= {
        *("schema", "run_id", "task", "kind", "metric", "supervised"),
        *("config", "provenance", "seconds", "cost_usd", "stages"),
    }
    assert (result["schema"], result["task"], result["kind"]) == (1, "demo", "sequence")
    assert (result["metric"], result["supervised"], result["cost_usd"]) == ("accuracy", True, 0.0)
    assert result["provenance"]["harness"] == harness.__version__
    assert result["seconds"] > 0


PRINTS = """
import os
from harness import hookimpl
from harness.data import Annotations
import numpy as np


class Talks:
    needs_gold = False

    def annotate(self, pool, demonstrations, progress):
        print("from Python")
        os.system("echo from a child")
        return Annotations.of(np.arange(len(pool), dtype=np.int32) % 6, pool.offsets)


@hookimpl
def harness_register_annotators(register):
    register("talks", lambda request: Talks(), kinds=["sequence"])
"""


def test_what_a_part_prints_is_kept_apart(tmp_path: Path) -> None:
    (tmp_path / "talks.py").write_text(PRINTS)
    command = [sys.executable, "-m", "harness", "run", "--plugin", tmp_path / "talks.py", "--json"]
    command += ["--annotator", "talks", "--student", "tfidf", "--rounds", "1", "--limit", "60"]
    ran = subprocess.run([*command, "--out", tmp_path], capture_output=True, text=True, timeout=120)
    assert json.loads(ran.stdout)["run_id"].startswith("talks-tfidf")
    assert "from Python" in ran.stderr and "from a child" in ran.stderr


def test_json_has_every_stage_with_its_fields(runs: Runs) -> None:
    annotator, student = json.loads(runs.oracle)["stages"]
    common = {
        *("stage", "round", "actor", "n", "abstained", "transductive", "inductive"),
        *("requests", "tokens", "cost_usd", "seconds"),
    }
    assert set(annotator) >= common
    assert set(student) >= common | {"selection"}
    assert [annotator[key] for key in ("stage", "round", "actor")] == ["R1", 0, "annotator"]
    assert [student[key] for key in ("stage", "round", "actor")] == ["R2", 0, "student"]
    assert annotator["n"] == student["n"] == 60
    assert annotator["abstained"] == annotator["requests"] == annotator["tokens"] == 0


def test_json_scores_are_those_of_an_oracle(runs: Runs) -> None:
    annotator, student = json.loads(runs.oracle)["stages"]
    for side in SIDES:
        score = annotator[side]
        assert score["score"] == score["answered"] == score["random_label"] == 1.0
        assert sum(label["support"] for label in score["per_label"].values()) == 60
    # Sixty texts teach something, and not everything: 1/6 is chance.
    assert 1 / 6 < student["inductive"]["score"] < 1
    assert 0 < student["transductive"]["score"] <= 1
    selection = student["selection"]
    assert 0 < selection["trusted"] < 60
    assert selection["trusted_precision"] == selection["demonstrations_accuracy"] == 1.0
    assert 0 < selection["demonstrations"] <= selection["trusted"]


def test_json_has_the_resolved_configuration(runs: Runs) -> None:
    config = json.loads(runs.oracle)["config"]
    assert (config["task"], config["rounds"], config["seed"], config["limit"]) == ("demo", 1, 0, 60)
    assert config["annotator"]["spec"] == "oracle"
    assert config["student"]["spec"] == "tfidf"
    assert config["selector"]["trust"] == "agreeing-small-loss"
    assert config["demonstrations"]["shots"] == 10


@pytest.mark.parametrize(
    "settings", [(), ("validation=0.2",), ("validation=0.2", "without_leaked=true")]
)
def test_figures_of_a_long_run_are_whole_in_80_columns(
    settings: tuple[str, ...], tmp_path: Path
) -> None:
    arguments = [part for setting in settings for part in ("--set", setting)]
    run = (*SMALL, "--annotator", "oracle", "--out", tmp_path, *arguments)
    outcome = call(*run)
    assert outcome.code == 0, outcome.stderr
    result = load_result(folder_of(tmp_path, json.loads(outcome.stdout)) / "result.json")
    annotator, student = result.stages
    assert student.selection is not None
    figures = {"trusted": 812, "trusted_precision": 1.0, "demonstrations": 50}
    large = student.selection.model_copy(update=figures)
    slow = student.model_copy(update={"selection": large, "seconds": 1234.5, "abstained": 8123})
    screen = Console(width=80, file=io.StringIO(), force_terminal=False)
    screen.print(stages_table(result.model_copy(update={"stages": (annotator, slow)})))
    drawn = screen.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in drawn
    for said in ("812: 100.0", "50: 100.0", "1234.5", "annotator", "student"):
        assert said in drawn


def test_json_is_what_the_run_folder_holds(runs: Runs) -> None:
    result = json.loads(runs.oracle)
    folder = folder_of(runs.out, result)
    assert json.loads((folder / "result.json").read_text(encoding="utf-8")) == result
    lines = (folder / "stages.jsonl").read_text(encoding="utf-8").splitlines()
    stages = [json.loads(line) for line in lines]
    assert [{k: v for k, v in stage.items() if k != "schema"} for stage in stages] == [
        dict(stage) for stage in result["stages"]
    ]


def test_the_same_command_finds_the_finished_run(runs: Runs) -> None:
    before = (folder_of(runs.out, json.loads(runs.oracle)) / "result.json").stat().st_mtime_ns
    outcome = call(*SMALL, "--annotator", "oracle", "--out", runs.out)
    assert outcome.stderr == FOUND
    assert succeeded(outcome) == runs.oracle
    after = (folder_of(runs.out, json.loads(runs.oracle)) / "result.json").stat().st_mtime_ns
    assert after == before


def test_replayed_labels_score_as_they_were_recorded(runs: Runs) -> None:
    gold: dict[str, str] = {}
    said: dict[str, str] = {}
    for split in ("train", "test"):
        for line in (DEMO / f"{split}.jsonl").read_text(encoding="utf-8").splitlines():
            gold[json.loads(line)["text"]] = json.loads(line)["label"]
    for line in runs.recording.read_text(encoding="utf-8").splitlines():
        said[json.loads(line)["text"]] = json.loads(line)["llm_label"]
    expected = statistics.fmean(said[text] == label for text, label in gold.items())
    for result in runs.replays:
        assert not result["supervised"]
        assert scores(result, "transductive")[0] == pytest.approx(expected, abs=0.12)
    assert runs.replays[0]["run_id"] != runs.replays[1]["run_id"]


def test_transductive_run_has_no_test_score(tmp_path: Path) -> None:
    arguments = (*SMALL, "--annotator", "oracle", "--setting", "transductive", "--out", tmp_path)
    result = json.loads(succeeded(call(*arguments)))
    assert [stage["inductive"] for stage in result["stages"]] == [None, None]


def test_without_json_the_stages_are_drawn(runs: Runs) -> None:
    arguments = [argument for argument in SMALL if argument != "--json"]
    drawn = succeeded(call(*arguments, "--annotator", "oracle", "--out", runs.out))
    result = json.loads(runs.oracle)
    assert SUPERVISED in [line.strip() for line in drawn.splitlines()]
    (student,) = [line for line in drawn.splitlines() if "R2" in cells(line)]
    assert f"{100 * scores(result, 'inductive')[1]:.1f}" in cells(student)
    assert drawn.rstrip().endswith(str(folder_of(runs.out, result)))


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_the_supervised_mark_is_on_a_line_of_its_own(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    arguments = [argument for argument in SMALL if argument != "--json"]
    drawn = succeeded(call(*arguments, "--annotator", "oracle", "--out", runs.out))
    assert SUPERVISED in " ".join(drawn.split())
    assert "supervised:" in [line.split()[0] for line in drawn.splitlines() if line.strip()]


def test_a_run_without_gold_is_not_marked(runs: Runs) -> None:
    shown = succeeded(call("show", "run", folder_of(runs.out, runs.replays[0])))
    assert "supervised" not in shown


# --- runs, show run --------------------------------------------------------------------


def test_runs_lists_finished_and_stopped_ones(runs: Runs, tmp_path: Path) -> None:
    out = tmp_path / "copy"
    shutil.copytree(runs.out, out)
    oracle = json.loads(runs.oracle)
    (folder_of(out, oracle) / "result.json").unlink()
    listed = succeeded(call("runs", "--out", out)).splitlines()
    (stopped,) = [line for line in listed if oracle["run_id"] in line]
    assert "stopped" in stopped
    for result in runs.replays:
        (finished,) = [line for line in listed if result["run_id"] in line]
        pool, test = (f"{100 * scores(result, side)[1]:.1f}" for side in SIDES)
        named = [f"demo/{result['run_id']}", "finished", "R2", pool, test]
        assert cells(finished)[:-1] == named  # and its size


def test_runs_of_an_empty_folder(tmp_path: Path) -> None:
    assert f"no runs below {tmp_path}" in succeeded(call("runs", "--out", tmp_path))


def test_show_run_by_id_and_by_folder(runs: Runs) -> None:
    result = json.loads(runs.oracle)
    by_id = succeeded(call("show", "run", result["run_id"], "--out", runs.out))
    assert by_id == succeeded(call("show", "run", folder_of(runs.out, result)))
    assert 'spec = "oracle"' in by_id
    assert SUPERVISED in [line.strip() for line in by_id.splitlines()]
    assert f"{100 * scores(result, 'inductive')[1]:.1f}" in by_id


# --- table -----------------------------------------------------------------------------


def test_table_csv_has_means_and_deviations_of_seeds(runs: Runs) -> None:
    printed = succeeded(call("table", "--format", "csv", "--out", runs.out))
    oracle, replay = csv.DictReader(io.StringIO(printed))
    assert (oracle["annotator"], oracle["marks"]) == ("oracle", "supervised; limited")
    assert (replay["annotator"], replay["marks"]) == (f"replay:{runs.recording}", "limited")
    assert (oracle["R1"], oracle["R1_sd"], oracle["R1_n"]) == ("1.0", "", "1")
    for position, stage in enumerate(("R1", "R2")):
        values = [scores(result, "transductive")[position] for result in runs.replays]
        assert float(replay[stage]) == pytest.approx(statistics.fmean(values))
        assert float(replay[f"{stage}_sd"]) == pytest.approx(statistics.stdev(values))
        assert replay[f"{stage}_n"] == "2"


@pytest.mark.parametrize("metric", ["seconds", "answers_usd", "answered", "trusted_precision"])
def test_every_metric_makes_a_table(runs: Runs, metric: str) -> None:
    arguments = ("table", "--format", "json", "--metric", metric, "--out", runs.out)
    table = json.loads(succeeded(call(*arguments)))
    (oracle,) = [row for row in table["rows"] if row["annotator"] == "oracle"]
    stages = json.loads(runs.oracle)["stages"]
    expected = {
        "seconds": [stage["seconds"] for stage in stages],
        "answers_usd": [0.0, 0.0],
        "answered": [stage["transductive"]["answered"] for stage in stages],
        "trusted_precision": [None, 1.0],
    }[metric]
    found = [oracle["cells"].get(name) for name in ("R1", "R2")]
    assert [cell and cell["mean"] for cell in found] == expected
    assert "runs of earlier versions" not in str(table["notes"])


def test_table_of_one_task(runs: Runs) -> None:
    arguments = ("table", "--format", "csv", "--out", runs.out)
    assert succeeded(call(*arguments, "--task", "demo")) == succeeded(call(*arguments))
    assert "no such run" in message(call(*arguments, "--task", "mr"), 1)


def test_only_seeds_are_put_together(runs: Runs, tmp_path: Path) -> None:
    out = tmp_path / "copy"
    shutil.copytree(runs.out, out)
    for more in ("selector.trust=all", "demonstrations.shots=3"):
        succeeded(call(*SMALL, "--annotator", "oracle", "--out", out, "--set", more))
    printed = succeeded(call("table", "--format", "json", "--out", out))
    rows = [row for row in json.loads(printed)["rows"] if row["annotator"] == "oracle"]
    assert [row["cells"]["R1"]["n"] for row in rows] == [1, 1, 1]
    settings = [set(row["settings"].split()) for row in rows]
    assert all({part.partition("=")[0] for part in one} == {"trust", "shots"} for one in settings)
    for setting, times in (("trust=all", 1), ("shots=3", 1)):
        assert sum(setting in one for one in settings) == times
    (replay,) = [row for row in json.loads(printed)["rows"] if row["annotator"] != "oracle"]
    assert (replay["settings"], replay["cells"]["R1"]["n"]) == ("", 2)


@pytest.mark.parametrize("format_", ["rich", "markdown", "csv", "json"])
def test_settings_are_a_column_only_where_runs_of_a_row_differ(runs: Runs, format_: str) -> None:
    table = ("table", "--format", format_, "--out", runs.out)
    for rows in ((), ("--rows", "task,annotator")):
        assert "settings" not in succeeded(call(*table, *rows))
    # Supervised and other runs are never one row, whatever names it.
    assert "settings" in succeeded(call(*table, "--rows", "task"))


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--rows", "tsk"), ("'tsk'", "selector.demonstrations, ")),
        (("--columns", "student.nix"), ("'student.nix'", "student, ")),
        (("--where", "nix=3"), ("--where", "'nix'", "limit, ")),
        (("--metric", "tst"), ("'tst'", "'test'")),
        (("--baseline", "nix"), ("'nix'", "the rows are: oracle; replay:")),
        (("--columns", "task", "--stage", "R7"), ("R7", "R1")),
        (("--check",), ("--update",)),
    ],
)
def test_unknown_row_key_or_metric(
    runs: Runs, arguments: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    said = message(call("table", *arguments, "--out", runs.out), 2)
    assert all(part in said for part in parts), said


@pytest.mark.parametrize("format_", ["rich", "markdown", "csv", "json"])
def test_table_of_an_empty_folder(tmp_path: Path, format_: str) -> None:
    said = message(call("table", "--format", format_, "--out", tmp_path), 1)
    assert said == f"{tmp_path}: holds no finished run; make one with harness run"


def test_table_format_of_a_plugin(runs: Runs) -> None:
    Path("shout.py").write_text(
        "from harness import hookimpl\n\n\n"
        "@hookimpl\ndef harness_register_table_formats(register):\n"
        "    register('shout', lambda table: table.title.upper(), summary='loud')\n"
    )
    arguments = ("table", "--plugin", "shout.py", "--format", "shout", "--out", runs.out)
    assert succeeded(call(*arguments)) == "DEMO + TFIDF: ACCURACY ON THE POOL, %\n"


def test_brackets_are_no_markup(runs: Runs, tmp_path: Path) -> None:
    recording = tmp_path / "a[/b].d" / "c[bold]d.jsonl"
    recording.parent.mkdir(parents=True)
    shutil.copy(runs.recording, recording)
    out = tmp_path / "out[bold]"
    arguments = [argument for argument in SMALL if argument != "--json"]
    printed = succeeded(call(*arguments, "--annotator", f"replay:{recording}", "--out", out))
    assert str(out) in printed
    assert recording.name in succeeded(call("table", "--out", out))


# --- damaged runs ----------------------------------------------------------------------


def write_with_checksum(folder: Path, name: str, content: bytes) -> None:
    """Write a file as a program would that keeps the list of checksums."""
    (folder / name).write_bytes(content)
    file = folder / "checksums.json"
    listed = json.loads(file.read_text(encoding="utf-8"))
    listed["sha256"][name] = hashlib.sha256(content).hexdigest()
    file.write_text(json.dumps(listed), encoding="utf-8")


@pytest.fixture
def copied(runs: Runs, tmp_path: Path) -> Path:
    """The folder of the supervised run in a copy of its own."""
    shutil.copytree(runs.out, tmp_path / "runs")
    return folder_of(tmp_path / "runs", json.loads(runs.oracle))


def goes_on(copied: Path, runs: Runs, command: str, start: str) -> str:
    """What a command warns of on its one line of stderr; it goes on with the other runs."""
    outcome = call(*COMMANDS[command], "--out", copied.parent.parent)
    assert outcome.code == 0, outcome
    (line,) = outcome.stderr.splitlines()
    left_out = "left out: " if command == "table" else ""
    assert line.startswith(f"harness: warning: {left_out}{start}"), line
    if command == "table":
        (row,) = csv.DictReader(io.StringIO(outcome.stdout))
        assert row["annotator"] == f"replay:{runs.recording}"
        values = [scores(result, "transductive")[1] for result in runs.replays]
        assert float(row["R2"]) == pytest.approx(statistics.fmean(values))
        return line
    states = {found[0]: found[1] for found in map(cells, outcome.stdout.splitlines()) if found[1:]}
    assert states[f"demo/{copied.name}"] == "damaged"
    for result in runs.replays:
        assert states[f"demo/{result['run_id']}"] == "finished"
    return line


COMMANDS = {"runs": ("runs",), "table": ("table", "--format", "csv")}


def only(copied: Path) -> Path:
    """Remove the other runs; where the runs are."""
    for folder in copied.parent.iterdir():
        if folder != copied:
            shutil.rmtree(folder)
    return copied.parent.parent


@pytest.mark.parametrize("command", COMMANDS)
def test_corrupt_result_is_named(copied: Path, runs: Runs, command: str) -> None:
    file = copied / "result.json"
    file.write_text(file.read_text(encoding="utf-8").replace("1.0", "0.9", 1), encoding="utf-8")
    assert "--fresh" in goes_on(copied, runs, command, f"{file}: damaged")


def test_a_table_of_damaged_runs_alone_fails(copied: Path) -> None:
    (copied / "result.json").write_bytes(b"")
    outcome = call("table", "--format", "csv", "--out", only(copied))
    assert (outcome.code, outcome.stdout) == (1, "")
    warning, error = outcome.stderr.splitlines()
    assert warning.startswith(f"harness: warning: left out: {copied / 'result.json'}: damaged")
    assert error.startswith(f"harness: {copied.parent.parent}: holds no finished run")


def test_a_list_of_damaged_runs_alone_does_not(copied: Path) -> None:
    (copied / "result.json").write_bytes(b"")
    outcome = call("runs", "--out", only(copied))
    assert outcome.code == 0
    assert "damaged" in outcome.stdout
    (warning,) = outcome.stderr.splitlines()
    assert warning.startswith(f"harness: warning: {copied / 'result.json'}: damaged")


def test_run_does_not_trust_a_corrupt_result(copied: Path) -> None:
    (copied / "result.json").write_bytes(b"")
    out = copied.parent.parent
    said = message(call(*SMALL, "--annotator", "oracle", "--out", out), 1)
    assert said.startswith(f"{copied / 'result.json'}: damaged")
    assert (copied / "result.json").exists()


@pytest.mark.parametrize("name", ["result.json", "config.toml", "checksums.json"])
def test_show_run_fails_on_damage(copied: Path, name: str) -> None:
    (copied / name).write_bytes(b"{")
    said = message(call("show", "run", copied), 1)
    assert said.startswith(f"{copied / name}: damaged")
    assert "--fresh" in said


@pytest.mark.parametrize("name", ["result.json", "checksums.json"])
def test_a_run_that_fails_on_damage_removes_nothing(copied: Path, name: str) -> None:
    # Of a run that was kept without its rounds, the result is the record.
    shutil.rmtree(copied / "rounds")
    (copied / name).write_bytes(b"{")
    before = {file: file.read_bytes() for file in copied.rglob("*") if file.is_file()}
    said = message(call(*SMALL, "--annotator", "oracle", "--out", copied.parent.parent), 1)
    assert said.startswith(f"{copied / name}: damaged")
    after = {file: file.read_bytes() for file in copied.rglob("*") if file.is_file()}
    assert {file: after.get(file) for file in before} == before


@pytest.mark.parametrize("command", COMMANDS)
def test_newer_result_is_named(copied: Path, runs: Runs, command: str) -> None:
    file = copied / "result.json"
    result = json.loads(file.read_text(encoding="utf-8"))
    newer = {**result, "schema": 2, "stages": "in another form"}
    write_with_checksum(copied, "result.json", json.dumps(newer).encode())
    start = f"{file}: written by a newer harness (schema 2; this one reads 1)"
    assert "upgrade" in goes_on(copied, runs, command, start)


@pytest.mark.parametrize("command", COMMANDS)
def test_newer_run_folder_is_named(copied: Path, runs: Runs, command: str) -> None:
    file = copied / "checksums.json"
    listed = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**listed, "schema": 2}), encoding="utf-8")
    goes_on(copied, runs, command, f"{file}: written by a newer harness")


def test_result_of_the_same_schema_may_have_more_fields(copied: Path) -> None:
    file = copied / "result.json"
    more = {**json.loads(file.read_text(encoding="utf-8")), "mood": "good"}
    write_with_checksum(copied, "result.json", json.dumps(more).encode())
    listed = succeeded(call("runs", "--out", copied.parent.parent))
    assert "finished" in listed
    assert "damaged" not in listed


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"{", "not a readable result"),
        (b"[]", "no schema version"),
        (b'{"schema": "1"}', "no schema version"),
        (b'{"schema": 1}', "run_id: Field required"),
    ],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_wrong_result_is_named(
    copied: Path, runs: Runs, content: bytes, part: str, command: str
) -> None:
    write_with_checksum(copied, "result.json", content)
    assert part in goes_on(copied, runs, command, f"{copied / 'result.json'}: ")


def test_a_finished_run_is_listed_by_its_result(copied: Path) -> None:
    out = copied.parent.parent
    (copied / "stages.jsonl").write_bytes(b"\xff\xfe\n{\n\n")
    listed = [cells(line) for line in succeeded(call("runs", "--out", out)).splitlines()]
    (found,) = [line for line in listed if line and line[0] == f"demo/{copied.name}"]
    assert found[1:3] == ["finished", "R2"]


# --- list, show, plugins, doctor -------------------------------------------------------


def test_list_names_every_kind() -> None:
    printed = succeeded(call("list"))
    for kind, name in (
        ("annotators", "replay"),
        ("students", "tfidf"),
        ("selectors", "trust/small-loss"),
        ("augmenters", "recorded"),
        ("tasks", "demo-ner"),
    ):
        alone = succeeded(call("list", kind))
        assert alone.startswith(f"{kind}:\n  ")
        assert alone in printed
        assert any(line.split()[0] == name for line in alone.splitlines()[1:])


def test_list_fits_a_terminal() -> None:
    printed = on_terminal("list", columns=80)
    assert max(map(len, printed.splitlines())) <= 80
    whole = " ".join(printed.split())
    for line in succeeded(call("list")).splitlines():
        assert " ".join(line.split()) in whole


def on_terminal(*arguments: str, columns: int) -> str:
    """What the program shows on a terminal of so many columns."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    process = subprocess.Popen([PROGRAM, *arguments], stdout=theirs, env=environment)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that nobody writes any more
        while piece := os.read(ours, 65536):
            shown += piece
    os.close(ours)
    assert process.wait() == 0
    return shown.decode().replace("\r", "")


def test_list_says_who_is_simulated_and_who_serves_one_kind() -> None:
    lines = {line.split()[0]: line for line in succeeded(call("list")).splitlines()}
    assert "supervised" in lines["oracle"]
    assert "supervised" in lines["noisy"]
    assert "supervised" not in lines["replay"]
    assert lines["tfidf"].endswith("[sequence tasks]")
    assert "tasks]" not in lines["minilm"]


def test_list_has_the_parts_of_a_plugin() -> None:
    Path("mine.py").write_text(
        "from harness import hookimpl\n\n\n"
        "@hookimpl\ndef harness_register_annotators(register):\n"
        "    register('mine', lambda request: None, summary='my own', kinds=['token'])\n"
    )
    printed = succeeded(call("list", "annotators", "--plugin", "mine.py"))
    (line,) = [line for line in printed.splitlines() if line.split()[0] == "mine"]
    assert line.split(maxsplit=1)[1] == "my own  [token tasks]"
    shown = succeeded(call("show", "annotator", "mine", "--plugin", "mine.py"))
    assert "serves: token tasks\n" in shown
    assert "plugin: mine.py\n" in shown


@pytest.mark.parametrize(
    ("kind", "name", "lines"),
    [
        ("annotator", "oracle", ("annotator oracle", "serves: sequence, token tasks")),
        ("annotator", "embedding", ("serves: sequence tasks",)),
        ("student", "tfidf", ("student tfidf", "serves: sequence tasks")),
        (
            "selector",
            "freeal",
            ("trust = agreeing-small-loss", "demonstrations = k-medoids", "query = untrusted"),
        ),
        ("selector", "preset/freeal", ("selector preset/freeal", "trust = agreeing-small-loss")),
        (
            "selector",
            "random",
            ("selector trust/random", "selector demonstrations/random", "selector query/random"),
        ),
        ("augmenter", "recorded", ("augmenter recorded", "serves: sequence tasks")),
    ],
)
def test_show_part(kind: str, name: str, lines: tuple[str, ...]) -> None:
    printed = {line.strip() for line in succeeded(call("show", kind, name)).splitlines()}
    assert set(lines) <= printed


def test_show_task_with_data() -> None:
    printed = succeeded(call("show", "task", "demo-ner"))
    train = len((DEMO.parent / "demo-ner/train.jsonl").read_text(encoding="utf-8").splitlines())
    lines = [line.strip() for line in printed.splitlines()]
    assert any(line.startswith("kind") and "token, scored by entity f1" in line for line in lines)
    assert any(line.startswith("train ") and f"{train} examples; " in line for line in lines)
    assert sum(line.startswith(("PER ", "ORG ", "LOC ")) for line in lines) == 3


@pytest.mark.parametrize(
    "name", ["mr", "ma", "subj", "trec", "conll03", "bc5cdr-disease", "demo", "demo-ner"]
)
def test_show_task_prints_the_whole_declaration_in_80_columns(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    printed = succeeded(call("show", "task", name))
    lines = [line for line in printed.splitlines() if not line.startswith("  hf download ")]
    assert max(map(len, lines)) <= 80
    hub_lines = len(printed.splitlines()) - len(lines)  # to be copied, so never broken
    shown = "".join(printed.split())
    file = Path(harness_tasks.__file__).parent / f"{name}.toml"
    values = tomllib.loads(file.read_text(encoding="utf-8"))
    texts = [values["title"], values["citation"], values["licence"], *values["prompt"].values()]
    for label in values["labels"]:
        texts += [label["name"], label["description"], *label.get("generated", ())]
    hub = values.get("hub", {})
    texts += [hub[key] for key in ("repository", "revision", "data_dir", "note") if key in hub]
    assert hub_lines == bool(hub)
    if hub:
        texts.append(f"revision {hub.get('revision', 'main')}")
    texts += [f"{split} {size}" for split, size in values["sizes"].items()]
    texts += [f"{split} = {name}" for split, name in values.get("files", {}).items()]
    rules = values.get("rules", {})
    texts += [f"patterns {rule['label']} {rule['pattern']}" for rule in rules.get("patterns", ())]
    for rule in rules.get("lists", ()):
        texts += [f"lists {rule['label']}", ", ".join(rule["words"])]
    missing = [text for text in texts if "".join(str(text).split()) not in shown]
    assert not missing
    assert all(f"{figure['score']:.2f}" in shown for figure in values.get("published", ()))
    if hub:
        assert "hfdownload" in shown  # it was not asked, but this is how to fetch it


def test_show_task_names_only_students_that_there_are() -> None:
    text = (Path(harness_tasks.__file__).parent / "subj.toml").read_text(encoding="utf-8")
    for student, said in (
        ("roberta-giant", "roberta-giant is recommended, but not in this version"),
        ("tfidf", "tfidf is recommended"),
    ):
        changed = re.sub("^student = .*$", f'student = "{student}"', text, flags=re.MULTILINE)
        Path("mine.toml").write_text(changed, encoding="utf-8")
        shown = " ".join(succeeded(call("show", "task", "mine.toml")).split())
        assert f" student {said}" in shown
        assert ("tfidf, transformers serve it" in shown) == ("not in this version" in shown)


def test_show_config_is_toml_with_every_default() -> None:
    printed = succeeded(call("show", "config"))
    # Keys of parts that nobody set are comments: a preset may have others in their place.
    shown = tomllib.loads(printed)
    assert (shown["task"], shown["rounds"], shown["seed"]) == ("demo", 2, 0)
    specs = [shown[part] for part in ("annotator", "student", "selector")]
    assert specs == [{}, {"spec": "minilm"}, {"spec": "freeal"}]
    assert re.search(r"^# mixup = .*# Weight of mixup", printed, re.MULTILINE)
    for name, info in Config.model_fields.items():
        part = info.default
        keys = type(part).model_fields if isinstance(part, BaseModel) else (name,)
        assert all(re.search(rf"^(# )?{key} = .*# ", printed, re.MULTILINE) for key in keys)


def test_show_config_with_file_and_settings() -> None:
    Path("mine.toml").write_text('rounds = 5\n[student]\nspec = "bert"\nepochs = 3\n')
    arguments = ("show", "config", "--config", "mine.toml", "--set", "student.epochs=4")
    shown = tomllib.loads(succeeded(call(*arguments)))
    assert shown["rounds"] == 5
    assert (shown["student"]["spec"], shown["student"]["epochs"]) == ("bert", 4)


def test_plugins_names_modules_and_hooks() -> None:
    printed = succeeded(call("plugins"))
    assert "harness_tasks.plugin  (built in)\n  harness_register_tasks\n" in printed
    for kind in ("annotators", "students", "selectors", "augmenters"):
        module, hook = f"harness_plugins.{kind}.plugin", f"harness_register_{kind}"
        listed = printed.partition(f"{module}  (built in)\n")[2].split("\n\n")[0].splitlines()
        assert f"  {hook}" in listed[:2]
    assert "PROBLEM" not in printed


def test_plugins_names_a_clash() -> None:
    Path("clash.py").write_text(
        "from harness import hookimpl\n\n\n"
        "@hookimpl\ndef harness_register_students(register):\n"
        "    register('tfidf', lambda request: None, summary='another')\n"
    )
    outcome = call("plugins", "--plugin", "clash.py")
    assert outcome.code == 0
    (problem,) = [line for line in outcome.stdout.splitlines() if line.startswith("PROBLEM")]
    assert "clash.py" in problem
    assert "'tfidf' is already registered by harness_plugins.students.plugin" in problem


@pytest.mark.slow
def test_doctor_finds_nothing_wrong(alone: None, tmp_path: Path) -> None:
    checks = {
        line.removeprefix("ok  ").strip().partition(":")[0]: line.partition(": ")[2]
        for line in succeeded(call("doctor")).splitlines()
        if line.startswith("ok  ")
    }
    assert list(checks) == [
        *("python", "packages", "device", "working folder", "plugins"),
        *("packaged-encoder", "litellm"),
    ]
    assert "384 dimensions" in checks["packaged-encoder"]
    assert "numpy " in checks["packages"]
    assert list(tmp_path.iterdir()) == []


def test_doctor_runs_the_checks_of_plugins_and_goes_on(tmp_path: Path) -> None:
    Path(tmp_path / "ill.py").write_text(
        "from harness import hookimpl\n\n\n"
        "def broken(progress):\n    raise OSError('no server; start it')\n\n\n"
        "@hookimpl\ndef harness_register_checks(register):\n"
        "    register('broken', broken)\n    register('fine', lambda progress: 'all well')\n"
    )
    outcome = call("doctor", "--plugin", "ill.py", "--no-plugin", "harness_plugins.checks")
    assert outcome.code == 1
    assert outcome.stdout.splitlines()[-2:] == [
        *("BAD  broken: OSError: no server; start it", "ok   fine: all well")
    ]
