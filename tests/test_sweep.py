"""Sweeps: grids of runs whose common steps are done once, in processes that may die."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from harness.config import flat, load_config
from harness.errors import ConfigError
from harness.plugin_manager import Plugins
from harness.record import layout
from harness.sweep.grid import Fixed, grid_of
from harness.sweep.recipes import find_recipe, read_recipe, seeds_of
from tests.commands import PROGRAM, call, message, succeeded
from tests.killing import group_lives, until

PLUGINS = Plugins(third_party=False)
RECIPES = sorted(PLUGINS.parts("recipe"))
SMALL = ("--task", "demo", "--annotator", "noisy:0.2", "--student", "tfidf", "--limit", "40")
MINE = """
summary = "two ways"
baseline = "usual"
metrics = ["transductive", "inductive"]
[settings]
rounds = 2
student.mixup = 1.0
[[rows]]
label = "usual"
[[rows]]
label = "placebo"
settings = { selector.query = "none" }
[[rows]]
label = "without mixup"
settings = { student.mixup = 0.0 }
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    return path


def swept(recipe: Path, out: Path, *more: str) -> dict[str, Any]:
    """A sweep that went well."""
    done = call("sweep", recipe, *SMALL, "--out", out, "--json", *more)
    assert done.code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def numbers(path: Path) -> Any:
    """A ``result.json`` without times."""
    found = json.loads((path / layout.RESULT).read_text())
    found.pop("seconds")
    for stage in found["stages"]:
        stage.pop("seconds")
    return found


# --- the sweep ---------------------------------------------------------------------------


def test_a_run_of_a_sweep_gives_what_it_gives_alone(recipe: Path, tmp_path: Path) -> None:
    found = swept(recipe, tmp_path / "many", "--seeds", "0-1", "--jobs", "2")
    assert [(one["label"], one["seed"], one["state"]) for one in found["runs"]] == [
        *(("usual", 0, "done"), ("usual", 1, "done")),
        *(("placebo", 0, "done"), ("placebo", 1, "done")),
    ]
    # tfidf takes no such key: the recipe's is left out, and so is the row that is about it.
    assert [note.split(" is left out")[0] for note in found["notes"]] == [
        "the recipe's student.mixup = 1.0",
        "row 'without mixup'",
    ]
    for one in found["runs"]:
        more = ["--set", "selector.query=none"] if one["label"] == "placebo" else []
        alone = ("--rounds", "2", "--seed", one["seed"], "--out", tmp_path / "alone", "--json")
        result = json.loads(succeeded(call("run", *SMALL, *alone, *more)))
        assert result["run_id"] == one["run_id"]
        path = tmp_path / "alone" / "demo" / one["run_id"]
        assert numbers(path) == numbers(Path(one["path"]))


@pytest.mark.usefixtures("sweeps_here")
def test_steps_that_runs_share_are_done_once(recipe: Path, tmp_path: Path) -> None:
    found = swept(recipe, tmp_path)
    usual, placebo = (Path(one["path"]) for one in found["runs"])
    for file in (layout.annotations_of(0, "train"), layout.view(0)):
        assert (usual / file).stat().st_ino == (placebo / file).stat().st_ino
    # What is asked next differs, so the selections do, too.
    file = layout.selection(0)
    assert (usual / file).read_bytes() != (placebo / file).read_bytes()
    assert found["runs"][1]["shared"] > 0
    store = tmp_path / layout.STEPS
    kept = [path for path in store.iterdir() if path.suffix != ".lock"]
    assert len({path.stem for path in kept}) == len(kept) > 8


@pytest.mark.usefixtures("sweeps_here")
def test_a_damaged_record_of_the_store_is_not_used(recipe: Path, tmp_path: Path) -> None:
    first = swept(recipe, tmp_path)
    for path in (tmp_path / layout.STEPS).iterdir():
        if path.suffix != ".lock":
            content = path.read_bytes()
            path.unlink()  # the runs keep theirs
            path.write_bytes(content[:-3] + b"xyz")
    more = tmp_path / "more.toml"
    more.write_text(MINE + '[[rows]]\nlabel = "all"\nsettings = { selector.query = "all" }\n')
    again = swept(more, tmp_path)
    assert [one["state"] for one in again["runs"]] == ["found", "found", "done"]
    assert first["tables"][0]["rows"] == again["tables"][0]["rows"][:2]


@pytest.mark.usefixtures("sweeps_here")
def test_a_sweep_that_takes_the_place_of_another_says_so(recipe: Path, tmp_path: Path) -> None:
    said = "'mine' named the runs of another harness sweep"
    command = ("sweep", recipe, *SMALL, "--out", tmp_path, "--seeds")
    assert [said in call(*command, seeds).stderr for seeds in ("0", "0-1", "1")] == [0, 0, 1]


@pytest.mark.usefixtures("sweeps_here")
def test_one_table_a_metric_with_differences_to_the_baseline(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    found = swept(recipe, tmp_path, "--seeds", "0-2")
    assert [table["metric"] for table in found["tables"]] == ["pool", "test"]
    usual, placebo = found["tables"][0]["rows"]
    assert "difference" not in usual["cells"]["R4"] and usual["marks"] == ["supervised", "limited"]
    last, other = usual["cells"]["R4"], placebo["cells"]["R4"]
    assert last["n"] == other["difference"]["n"] == 3
    assert other["difference"]["mean"] == pytest.approx(other["mean"] - last["mean"])
    assert usual["cells"]["R1"] == placebo["cells"]["R1"]
    shown = call("sweep", recipe, *SMALL, "--out", tmp_path, "--seeds", "0-2")
    assert "usual†‡" in shown.stdout and "Holm" in shown.stdout
    assert shown.stdout.startswith(call("table", "mine", "--out", tmp_path).stdout)
    written = call("sweep", recipe, *SMALL, "--out", tmp_path, "--seeds", "0-2", "--markdown")
    lines = [line for line in written.stdout.splitlines() if line.startswith("|")]
    assert lines[0] == "| row | R1 | R2 | R3 | R4 | Δ | 95 % | p |"
    assert lines[1] == "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    assert lines[2].startswith("| usual†‡ | ") and len(lines) == 8


@pytest.mark.usefixtures("sweeps_here")
def test_a_row_of_fewer_rounds_is_compared_by_its_own_last_stage(tmp_path: Path) -> None:
    recipe = tmp_path / "rounds.toml"
    recipe.write_text(
        'summary = "rounds"\nbaseline = "two"\ncolumns = ["R2", "R4"]\n[settings]\nrounds = 2\n'
        '[[rows]]\nlabel = "two"\n[[rows]]\nlabel = "one"\nsettings = { rounds = 1 }\n'
    )
    found = swept(recipe, tmp_path, "--seeds", "0-1")["tables"][0]
    two, one = (row["cells"] for row in found["rows"])
    assert list(two) == ["R2", "R4"] and one["R4"] is None
    mean = one["R2"]["mean"] - two["R4"]["mean"]
    assert one["R2"]["difference"]["mean"] == pytest.approx(mean)
    assert any(note.startswith("Δ: each row's last stage less") for note in found["notes"])
    written = call("table", "rounds", "--metric", "test", "--format", "csv", "--out", tmp_path)
    header, _, row = csv.reader(written.stdout.splitlines())
    assert float(dict(zip(header, row, strict=True))["R4_delta"]) == pytest.approx(mean)
    drawn = call("table", "rounds", "--metric", "test", "--format", "markdown", "--out", tmp_path)
    line = next(one for one in drawn.stdout.splitlines() if one.startswith("| one"))
    assert line.split(" | ")[2:4] == ["–", f"{100 * mean:+.2f}"]


@pytest.mark.usefixtures("sweeps_here")
def test_a_table_of_80_columns_breaks_no_word(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    label = "without self-generated demonstrations"
    recipe.write_text(MINE.replace('"placebo"', f'"{label}"'))
    shown = call("sweep", recipe, *SMALL, "--out", tmp_path, "--seeds", "0-1").stdout.splitlines()
    table = shown[: next(k for k, one in enumerate(shown) if one.startswith("Δ"))]
    assert all(len(one) <= 80 for one in table)
    words = {word for one in table for word in one.split()}
    assert words >= {"without", "demonstrations†‡"}
    assert words >= {"self-generated"} or words >= {"self-", "generated"}
    assert not any("…" in one for one in table)


def test_a_failing_run_stops_no_other_and_is_named(tmp_path: Path) -> None:
    recipe = tmp_path / "fails.toml"
    recipe.write_text(
        'summary = "one fails"\n[settings]\nrounds = 1\n'
        '[[rows]]\nlabel = "fails"\nsettings = { annotator.spec = "replay:nothing.jsonl" }\n'
        '[[rows]]\nlabel = "works"\n'
    )
    (tmp_path / "nothing.jsonl").write_text('{"text": "unknown", "llm_label": "bug"}\n')
    text = recipe.read_text().replace("nothing.jsonl", str(tmp_path / "nothing.jsonl"))
    recipe.write_text(text)
    done = call("sweep", recipe, *SMALL, "--out", tmp_path / "out", "--json")
    assert done.code == 1
    states = {one["label"]: one for one in json.loads(done.stdout)["runs"]}
    assert states["works"]["state"] == "done" and states["fails"]["state"] == "failed"
    assert "holds no answer" in states["fails"]["error"]
    assert done.stderr.count("is tried once more") == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("harness: 1 of 2 runs are not finished: fails, seed 0: ")


@pytest.mark.usefixtures("sweeps_here")
def test_damaged_runs_are_named_where_no_table_is_left(recipe: Path, tmp_path: Path) -> None:
    for one in swept(recipe, tmp_path)["runs"]:
        (Path(one["path"]) / layout.RESULT).write_text("{broken")
    done = call("sweep", recipe, *SMALL, "--out", tmp_path)
    last = done.stderr.splitlines()[-1]
    assert done.code == 1 and last.startswith(
        "harness: 2 of 2 runs are not finished: usual, seed 0"
    )


@pytest.mark.slow
def test_a_killed_sweep_ends_its_workers_and_repeats_nothing(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [str(PROGRAM), "sweep", str(recipe), *SMALL, "--out", str(out), "--seeds", "0-3"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    until(lambda: len(list(out.glob(f"demo/*/{layout.RESULT}"))) >= 2)
    workers = _children(process.pid)
    assert workers
    process.send_signal(signal.SIGKILL)
    process.wait()
    until(lambda: not any(group_lives(worker) for worker in workers))
    before = {path: path.stat().st_ino for path in out.rglob("*") if _is_record(path)}
    found = swept(recipe, out, "--seeds", "0-3")
    assert {one["state"] for one in found["runs"]} == {"found", "done"}
    assert {path: path.stat().st_ino for path in before} == before


def _children(pid: int) -> list[int]:
    said = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(one) for one in said.stdout.split()]


def _is_record(path: Path) -> bool:
    inside = layout.ROUNDS in path.parts or layout.STEPS in path.parts
    hidden = path.name.startswith(".") or path.suffix == ".lock"
    return path.is_file() and (inside or path.name == layout.RESULT) and not hidden


def test_an_interrupted_sweep_leaves_no_process(recipe: Path, tmp_path: Path) -> None:
    command = [str(PROGRAM), "sweep", str(recipe), *SMALL, "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    workers: list[int] = []
    until(lambda: bool(workers.extend(_children(process.pid)) or workers))
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143
    assert said.splitlines()[-1].startswith("harness: terminated; the same command goes on")
    until(lambda: not any(group_lives(worker) for worker in workers))


# --- recipes -----------------------------------------------------------------------------


def test_the_issue_of_each_table_has_a_recipe() -> None:
    assert [
        *("ablations", "active-learning", "annotators", "few-shot", "low-budget", "noise-ladder"),
        *("paper-stages", "rounds", "shots", "students", "supervised"),
    ] == RECIPES
    listed = succeeded(call("list", "recipes"))
    assert all(f"  {name} " in listed for name in RECIPES)
    shown = succeeded(call("show", "recipe", "ablations"))
    assert "  full method (baseline): -\n" in shown
    assert "  without mixup: student.mixup=0.0\n" in shown


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_has_a_placebo_and_only_keys_that_exist(name: str) -> None:
    _, recipe = find_recipe(name, PLUGINS)
    rows = recipe.expanded()
    assert any(row.settings.get("selector.query") == "none" for row in rows)
    for row in rows:
        load_config(options={**recipe.settings, **row.settings}, part_keys=PLUGINS.keys())
        assert {key for key in row.settings if "student." in key} <= {*PLUGINS.keys(), *CORE}


CORE = {"student.spec", "student.augmenter"}


def test_every_ablation_differs_from_the_full_method_in_what_it_names() -> None:
    _, recipe = find_recipe("ablations", PLUGINS)
    fixed = Fixed(None, (), {"student.spec": "minilm", "task": "demo"}, None, Path("out"))
    grid = grid_of(recipe, [0], fixed, PLUGINS)
    assert len(grid.kinds) == len(recipe.rows) == len(grid.jobs)
    kinds = [(one.row, dict(flat(one.config.model_dump(mode="json")))) for one in grid.kinds]
    full = kinds[0][1]
    for row, config in kinds:
        differing = {key for key in full if "." in key and full[key] != config[key]}
        # Without any use for variants there is no augmenter.
        unused = {"student.augmenter"} if row.label == "without robust training" else set()
        assert differing == set(row.settings) | unused, row.label


def test_runs_of_one_row_differ_in_their_seeds_and_common_runs_are_one(tmp_path: Path) -> None:
    path = tmp_path / "twice.toml"
    path.write_text('summary = "s"\n[[rows]]\nlabel = "a"\n[[rows]]\nlabel = "b"\nlike = "a"\n')
    fixed = Fixed(None, (), {"student.spec": "tfidf"}, None, tmp_path)
    grid = grid_of(read_recipe(path), [3, 5], fixed, PLUGINS)
    assert [(job.label, job.seed) for job in grid.jobs] == [("a", 3), ("a", 5)]
    assert [job.path for job in grid.kinds[1].jobs] == [job.path for job in grid.jobs]


def test_a_grid_crosses_rows_with_values(tmp_path: Path) -> None:
    path = tmp_path / "grid.toml"
    path.write_text('summary = "s"\n[grid]\nrounds = [1, 2]\n"demonstrations.shots" = [5]\n')
    rows = read_recipe(path).expanded()
    assert [row.label for row in rows] == [
        *("rounds=1, demonstrations.shots=5", "rounds=2, demonstrations.shots=5"),
    ]
    assert rows[1].settings == {"rounds": 2, "demonstrations.shots": 5}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("rows = 3", "key 'summary'"),
        ('summary = "s"\nrow = []', "key 'row'"),
        ('summary = "s"\nbaseline = "x"\n[[rows]]\nlabel = "xy"', "baseline 'x': no such row"),
        ('summary = "s"\n[[rows]]\nlabel = "x"\nlike = "y"', "no row 'y' above it"),
        ('summary = "s"\n[[rows]]\nlabel = "x"\n[[rows]]\nlabel = "x"', "two rows have the label"),
        ("summary", "not a readable TOML file"),
        ('summary = "s"\nmetrics = ["tset"]', "unknown metric 'tset'; did you mean 'test'"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said_on_one_line(
    text: str, wrong: str, tmp_path: Path
) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    for command in ("sweep", "plan"):
        said = message(call(command, path), 2)
        assert str(path) in said and wrong in said


@pytest.mark.usefixtures("sweeps_here")
def test_a_plan_tells_the_time_that_like_runs_took(recipe: Path, tmp_path: Path) -> None:
    command = ("plan", recipe, *SMALL, "--out", tmp_path, "--seeds", "0-2")
    printed = succeeded(call(*command))
    assert "time with training: not known; no run like this is finished" in printed
    swept(recipe, tmp_path, "--seeds", "0")
    took = [json.loads(path.read_text())["seconds"] for path in tmp_path.rglob(layout.RESULT)]
    planned = json.loads(succeeded(call(*command, "--json")))["runs"]
    assert planned["estimated"] == 6 and planned["unknown"] == 0
    assert planned["seconds"] == pytest.approx(3 * sum(took))
    three = json.loads(succeeded(call(*command, "--rounds", "3", "--json")))["runs"]
    assert three["seconds"] == pytest.approx(6 * sum(took) / 2 / 2 * 3)
    other = call(*command, "--limit", "30")
    assert "time with training: not known" in succeeded(other)
    assert "time with training: at most about 0:00:" in succeeded(call(*command))


def test_a_query_by_dropout_needs_a_student_that_has_it(recipe: Path, tmp_path: Path) -> None:
    bald = ("--set", "selector.query=bald", "--out", tmp_path)
    assert "student 'tfidf' has none; choose another" in message(call("run", *SMALL, *bald), 2)


@pytest.mark.usefixtures("sweeps_here")
def test_tasks_that_do_not_suit_the_annotator_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "tasks.toml"
    path.write_text('summary = "s"\n[grid]\ntask = ["demo", "demo-ner"]\n[settings]\nrounds = 1\n')
    found = swept(path, tmp_path / "out")
    assert [one["label"] for one in found["runs"]] == ["task=demo"]
    assert found["notes"][0].startswith("row 'task=demo-ner' is left out: student 'tfidf'")


def test_wrong_commands(recipe: Path, tmp_path: Path) -> None:
    assert "did you mean 'ablations'" in message(call("sweep", "ablation"), 2)
    assert "no such recipe file" in message(call("sweep", tmp_path / "none.toml"), 2)
    assert "write 0-4, or 0,2,5" in message(call("sweep", recipe, "--seeds", "a"), 2)
    unknown = tmp_path / "unknown.toml"
    unknown.write_text('summary = "s"\n[[rows]]\nlabel = "x"\nsettings = { student.mixpu = 1 }\n')
    assert "unknown key 'student.mixpu'" in message(call("sweep", unknown, *SMALL), 2)
    assert seeds_of("0-2,7,1") == [0, 1, 2, 7]
    with pytest.raises(ConfigError):
        read_recipe(tmp_path)


def test_shipped_recipes_are_what_their_files_say() -> None:
    for name in RECIPES:
        path = PLUGINS.part("recipe", name).factory(None)
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        assert PLUGINS.part("recipe", name).summary == values["summary"]
