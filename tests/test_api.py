"""The Python API: what the commands do, typed, silent, and the same in a notebook."""

from __future__ import annotations

import json
import pkgutil
import re
import subprocess
import sys
import xml.etree.ElementTree
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harness
from harness import compare, label, load_run, load_task, plot, run, runs, sweep, table
from harness.data import Annotations, Pool
from harness.errors import CommandError, HarnessError, RunError
from harness.label.request import Prepared
from harness.protocols import SelectorPreset
from tests.commands import call, succeeded
from tests.factories import plugin_file

QUICK: dict[str, Any] = {"student": "tfidf", "rounds": 1, "limit": 60}


class ByLength:
    """Labels texts by their length."""

    needs_gold = False

    def __init__(self, shift: int = 0) -> None:
        self.shift = shift

    def annotate(self, pool: Pool, demonstrations: object, progress: object) -> Annotations:
        labels = [(len(text) + self.shift) % 6 for text in pool.texts]
        return Annotations.of(np.asarray(labels, dtype=np.int32), pool.offsets)


class Sure:
    """Trusts the first labels."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __call__(self, evidence: Any, rng: object) -> Any:
        return np.flatnonzero(evidence.groups >= 0)[: self.count]


class Planted:
    """Returns a mask in place of rows."""

    def __call__(self, evidence: Any, rng: object) -> Any:
        return evidence.groups >= 0


ORDERS = {
    "functions first": "from harness import run, sweep, label\nimport harness.run.single",
    "rooms first": (
        "import harness.run.single, harness.sweep.grid, harness.label.request\n"
        "from harness import run, sweep, label"
    ),
    "attributes": (
        "import harness.sweep.jobs\nimport harness\nrun, sweep = harness.run, harness.sweep"
    ),
}


def printed_by(script: str) -> set[str]:
    """The words that a Python process of its own prints."""
    command = [sys.executable, "-c", script]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("imports", ORDERS.values(), ids=ORDERS)
def test_functions_and_rooms_of_one_name_are_both_found(imports: str) -> None:
    script = (
        f"import sys\n{imports}\nimport harness.run.loop\n"
        "from harness.run.assembly import assemble\n"
        "assert callable(run) and callable(sweep) and callable(assemble)\n"
        "from harness import run as again\nassert again is run\n"
        "print(*(name for name in sys.modules if '.' not in name))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not {"torch", "transformers", "sklearn", "pandas"} & set(done.stdout.split())


def test_importing_the_package_imports_almost_nothing() -> None:
    script = "import sys, harness\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not {"numpy", "pydantic", "harness.config", "harness.api.running"} & set(
        done.stdout.split()
    )
    assert {"run", "sweep", "table", "compare"} <= set(dir(harness))
    with pytest.raises(AttributeError, match="no attribute 'rnu'"):
        harness.rnu  # noqa: B018


def test_a_run_with_an_object_is_found_again_and_told_from_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {**QUICK, "out": tmp_path}
    first = run("demo", ByLength(), **asked)
    assert first.result.config["annotator"]["spec"].startswith("by-length:")
    assert [stage.stage for stage in first.stages] == ["R1", "R2"]
    again = run("demo", ByLength(), **asked)
    assert (again.run_id, again.result) == (first.run_id, first.result)
    assert any("is finished" in note for note in again.notes)
    other = run("demo", ByLength(1), **asked)
    assert other.run_id != first.run_id
    assert other.stages[0].transductive != first.stages[0].transductive
    chosen = run("demo", ByLength(), settings={"selector.trust": Sure(7)}, **asked)
    assert chosen.stages[1].selection is not None and chosen.stages[1].selection.trusted == 7
    preset = SelectorPreset("all", "random", "none")
    assert run("demo", ByLength(), selector=preset, **asked).result.config["selector"]["trust"] == (
        "all"
    )
    assert capsys.readouterr() == ("", "")
    assert [one.run_id for one in runs(out=tmp_path)] == sorted(
        path.name for path in (tmp_path / "demo").iterdir()
    )
    assert load_run(first.run_id, out=tmp_path).result == first.result
    assert first.records.config.limit == 60


def test_a_run_is_that_of_the_command(tmp_path: Path, alone: None) -> None:
    made = run("demo", "oracle", out="runs", settings={"student.save": False}, **QUICK)
    line = ("run", "--annotator", "oracle", "--student", "tfidf", "--rounds", "1", "--limit", "60")
    printed = json.loads(succeeded(call(*line, "--json", "--out", "runs")))
    assert printed == json.loads(made.result.to_json())


def test_results_are_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = run("demo", "oracle", out=tmp_path, progress=True, **QUICK)
    printed = capsys.readouterr()
    assert printed.out == "" and "R1 annotator: pool 100.0%, test 100.0%\n" in printed.err
    frame = made.to_pandas()
    assert list(frame["stage"]) == ["R1", "R2"] and frame["pool"][0] == 1.0
    assert made.to_arrow().to_pandas().equals(frame)
    assert made._repr_html_().count("<tr>") == 3
    limited, legend = table(out=tmp_path), "‡ limited: a part of the examples"
    assert legend in str(limited).splitlines()[-1] and f"<p>{legend}" in limited._repr_html_()
    for result in (made, limited, runs(out=tmp_path)):
        with pytest.raises(FrozenInstanceError):
            result.text = "another"  # type: ignore[union-attr]
    assert list(table(out=tmp_path).to_pandas()["R1"]) == ["100.00"]
    assert list(table([made, made.run_id], stage="r2", out=tmp_path).frame.columns)[-1] == "R2"
    with pytest.raises(RunError, match="holds no such run"):
        table(where="seed=3", out=tmp_path)
    assert runs(out=tmp_path).to_arrow().num_rows == 1
    with pytest.raises(RunError, match="holds no finished run"):
        table(out=tmp_path / "none")
    with pytest.raises(RunError, match="holds no such run"):
        table(runs(task="nothing", out=tmp_path), out=tmp_path)
    one = table(made, out=tmp_path).to_pandas()
    assert list(one["R1"]) == ["100.00"] and one.equals(table("oracle", out=tmp_path).to_pandas())
    assert table(rows="student", out=tmp_path).frame.columns[0] == "student"


def test_results_are_printed_as_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = run("demo", "oracle", out=tmp_path, **QUICK)
    title, head, first, second = str(made).splitlines()
    assert title == f"demo: {made.run_id}, accuracy"
    assert re.split("  +", head)[:5] == ["stage", "round", "actor", "n", "abstained"]
    assert first.startswith("R1     0      annotator  60 ")
    assert second.startswith("R2     0      student ")
    arms = sweep({"all": {}}, task="demo", annotator="oracle", out=tmp_path, **QUICK, progress=True)
    assert capsys.readouterr().err == "harness: note: 1 of 1 runs were finished before\n"
    assert arms.notes == ("1 of 1 runs were finished before",)
    lines = str(arms).splitlines()
    assert lines[0] == "sweep rows" and re.split("  +", lines[2])[:5] == [
        *("all", "0", "found", "R1", "1")
    ]


def test_a_table_of_plain_text_is_short_and_has_one_line_a_row() -> None:
    from harness.api.frame import Frame

    rows = [{"text": "two\nlines \x1b[2J", "none": None}] + [{"text": "x" * 99, "none": None}] * 70
    lines = Frame.of(rows, "a\nb").text().splitlines()
    assert lines[:3] == ["a b", "text", "two lines \\u001b[2J"]
    assert lines[3] == "x" * 57 + "..." and lines[-1] == "... 21 more rows: to_pandas() has all"


def test_two_runs_are_compared(tmp_path: Path) -> None:
    low, high = (run("demo", spec, out=tmp_path, **QUICK) for spec in ("noisy:0.4", "oracle"))
    frame = compare(low, high).to_pandas().set_index(["stage", "split"])
    first = frame.loc[("R1", "pool")]
    assert first["B"] == 1.0 and first["difference"] == pytest.approx(1 - first["A"])
    assert first["low"] > 0 and first["p"] < 0.001 and first["lost"] == 0
    assert compare(low.run_id, high.run_id, out=tmp_path)._repr_html_().count("<tr>") == 5


def test_what_others_wrote_is_escaped() -> None:
    from harness.api.frame import Frame

    shown = Frame(("<b>",), (("<script>alert(1)</script>",), ("\x1b[2J",)), "<i>").html()
    assert "<script>" not in shown and "<i>" not in shown and "\x1b" not in shown


def test_errors_are_exceptions_of_one_line(tmp_path: Path) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"annotator": "orcale"}, "did you mean 'oracle'"),
        ({"settings": {"student.epoch": 3}}, "unknown key 'student.epoch'"),
        ({"data": tmp_path / "none"}, "no such folder"),
        ({"annotator": ByLength}, r"^ByLength is a class; write ByLength\(\)$"),
        (
            {"annotator": Sure(1)},
            rf"class Sure \({__file__}:\d+\) is no annotator: it has no",
        ),
        ({"annotator": lambda pool: 1}, rf"<lambda> \({__file__}:\d+\) is no annotator: it has no"),
        (
            {"annotator": "oracle", "settings": {"selector.trust": Planted()}},
            r"^trust selector 'planted:\w+' returned bool of shape \(60,\); whole numbers \[k\] "
            rf"are expected \(.*\) \(plugin trust selector planted, given, {__file__}:\d+\)$",
        ),
    ]
    for given, said in wrong:
        with pytest.raises(HarnessError, match=said) as caught:
            run("demo", **{**QUICK, "out": tmp_path / "runs", **given})
        assert "\n" not in str(caught.value)
    with pytest.raises(CommandError, match=r"selector\.trust is an object, which no"):
        sweep({"a": {"selector.trust": Sure(3)}}, task="demo", out=tmp_path, jobs=2)


def test_objects_are_swept_in_this_process(tmp_path: Path) -> None:
    rows = {"three": {"selector.trust": Sure(3)}, "five": {"selector.trust": Sure(5)}}
    asked: dict[str, Any] = {"task": "demo", "annotator": ByLength(), **QUICK, "out": tmp_path}
    swept = sweep(rows, seeds=(0, 1), **asked)
    assert [one.state for one in swept.runs] == ["done"] * 4
    trusted = [one.stages[1].selection for label in rows for one in swept.of(label)]
    assert [one and one.trusted for one in trusted] == [3, 3, 5, 5]
    alone = run(settings={"selector.trust": Sure(3)}, seed=1, **asked)
    assert alone.run_id == swept.of("three")[1].run_id  # the same run, found
    assert [one.state for one in sweep(rows, seeds=(0, 1), **asked).runs] == ["found"] * 4
    again = sweep({3: rows["three"]}, seeds=1, **asked).runs  # type: ignore[dict-item]
    assert [(one.label, one.seed, one.state) for one in again] == [("3", 1, "found")]


def test_a_task_and_labels_of_texts(tmp_path: Path) -> None:
    task = load_task("demo")
    pool = task.load("train")
    assert pool is not None and task.card.name == "demo"
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(list(pool.texts)[:40]), encoding="utf-8")
    plugin = (
        "import numpy as np\nfrom tests.test_api import ByLength\n@hookimpl\n"
        "def harness_register_annotators(register):\n"
        "    register('by-length', lambda request: ByLength(), kinds=['sequence'])\n"
    )
    asked: dict[str, Any] = {"task": "demo", "student": "tfidf", "rounds": 1}
    asked |= {"out": tmp_path / "runs", "plugins": [plugin_file(tmp_path / "mine.py", plugin)]}
    with pytest.raises(HarnessError, match="no \\[rules\\]"):
        label(file, annotator="rules", **asked)
    asked |= {"annotator": "by-length", "output": tmp_path / "out.jsonl", "check": 5}
    asked["review"] = str(tmp_path / "review.jsonl")
    planned = []

    def refuse(prepared: Prepared) -> None:
        planned.append(prepared.steps())
        raise CommandError("not today")

    with pytest.raises(CommandError, match="not today"):
        label(file, confirm=refuse, **asked)
    assert planned == [[]] and not len(runs(out=asked["out"]).listed)
    done = label(file, **asked)
    frame = done.to_pandas()
    assert len(frame) == 40 and set(frame["label"]) <= {one.name for one in task.card.labels}
    written, review = (
        [json.loads(line) for line in (tmp_path / name).read_text("utf-8").splitlines()]
        for name in ("out.jsonl", "review.jsonl")
    )
    assert [row["label"] for row in written] == list(frame["label"])
    assert [row["why"] for row in review][:6] == [*["check"] * 5, "doubtful"]
    for wrong, said in (
        ({"output": str(file)}, "is the file of texts itself"),
        ({"columns": {"texts": "text"}}, "'texts': the keys are text and label"),
        ({"task": None, "labels": "a,b"}, "'a,b' is one text"),
        ({"check": -1}, "--check -1: write a number"),
    ):
        with pytest.raises(CommandError, match=said):
            label(file, **{**asked, **wrong})


def test_the_functions_that_stand_for_commands_are_where_the_documentation_says() -> None:
    text = (Path(harness.__file__).parent / "api/README.md").read_text(encoding="utf-8")
    named = re.findall(r"`(harness(?:\.\w+){2,})", text.partition("| command | function |")[2])
    assert len(named) >= 12
    assert [name for name in named if pkgutil.resolve_name(name) is None] == []


NOTEBOOK = [
    "from harness import compare, load_task, plot, run, sweep, table",
    "load_task('demo')",
    "first = run('demo', 'embedding', 'tfidf', rounds=1, progress=True)\nfirst",
    "arms = sweep({'all labels': {'selector.trust': 'all'}, 'small loss': {}},\n"
    "             task='demo', annotator='noisy:0.2', student='tfidf', limit=60)\narms",
    "compare(arms.of('all labels'), arms.of('small loss'))",
    "plot(arms.name)",
    "table()",
]


@pytest.mark.slow
def test_a_notebook_does_the_demo_a_sweep_a_comparison_and_a_plot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    notebook = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, NOTEBOOK)])
    NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(tmp_path)}}).execute()
    _, task, demo, arms, compared, drawn, tables = (
        [output["data"] for output in cell.outputs if "data" in output] for cell in notebook.cells
    )
    said = "<task demo: sequence, labels access, billing, delivery, fault, howto, cancellation>"
    assert task[0]["text/plain"] == said
    assert "R2 student" in demo[0]["text/html"]  # the progress, in one place
    assert "<caption>demo: " in demo[-1]["text/html"] and "R2" in demo[-1]["text/html"]
    assert arms[-1]["text/html"].count("<tr>") == 9
    assert compared[-1]["text/html"].count("<tr>") == 9
    picture = xml.etree.ElementTree.fromstring(drawn[-1]["image/svg+xml"])
    words = {"".join(one.itertext()) for one in picture.iter()}
    assert {"Student’s accuracy on the test set, %", "all labels", "small loss", "R4"} <= words
    assert tables[-1]["text/html"].count("<tr>") >= 3


def test_a_plot_is_a_figure_of_the_report(tmp_path: Path) -> None:
    made = run("demo", "oracle", out=tmp_path, **QUICK)
    figure = plot(made, out=tmp_path)
    assert figure.name == plot(out=tmp_path).name == "stages-test"
    scores = [stage.inductive.score for stage in made.stages if stage.inductive]
    assert [row[figure.columns.index("score")] for row in figure.rows] == scores
    with pytest.raises(CommandError, match="did you mean 'stages-test'"):
        plot(made, "stage-test", out=tmp_path)
    with pytest.raises(RunError, match="no finished run"):
        plot(out=tmp_path / "none")
