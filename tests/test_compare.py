"""``harness compare``, and what it reads: what each stage got right, example by example."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.record import layout
from harness.record.finished import FinishedRun
from harness.record.outcomes import read_outcomes
from harness.report.comparison import compare_methods
from tests.commands import call, message, succeeded
from tests.test_sweep import SMALL

FEW = ("--task", "demo", "--student", "tfidf", "--rounds", "1", "--limit", "40")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two annotators, two seeds each."""
    folder = tmp_path_factory.mktemp("runs")
    for annotator in ("noisy:0.1", "noisy:0.5"):
        for seed in (0, 1):
            done = call("run", *FEW, "--annotator", annotator, "--seed", seed, "--out", folder)
            assert done.code == 0, done.stderr
    return folder


def hashes(out: Path) -> list[str]:
    """The end of the id of each run, by annotator and seed."""
    found = {}
    for path in layout.run_folders(out):
        result = json.loads((path / layout.RESULT).read_text())
        key = (result["config"]["annotator"]["spec"], result["config"]["seed"])
        found[key] = path.name.rpartition("-")[2]
    return [found[key] for key in sorted(found)]


def compared(*arguments: object) -> Any:
    return json.loads(succeeded(call("compare", *arguments, "--json")))


def test_outcomes_agree_with_the_scores(out: Path) -> None:
    for folder in layout.run_folders(out):
        for stage in json.loads((folder / layout.RESULT).read_text())["stages"]:
            kept = read_outcomes(folder / layout.outcomes(stage["stage"]))
            assert kept["train"].outcomes.score == pytest.approx(stage["transductive"]["score"])
            assert kept["test"].outcomes.score == pytest.approx(stage["inductive"]["score"])
            assert len(set(kept["test"].ids)) == 40


def test_two_runs_differ_by_what_one_has_right(out: Path) -> None:
    good, _, bad, _ = hashes(out)
    found = compared(good, bad, "--out", out)
    assert [one["what"] for one in found["differences"]] == ["annotator.spec", "data: annotator"]
    first = found["stages"][0]
    assert (first["stage"], first["split"], first["paired"]["examples"]) == ("R1", "pool", 40)
    difference = first["second"]["score"] - first["first"]["score"]
    assert first["paired"]["difference"] == pytest.approx(difference)
    assert difference == pytest.approx((len(first["gained"]) - len(first["lost"])) / 40)
    assert first["paired"]["interval"]["low"] <= difference <= first["paired"]["interval"]["high"]
    assert first["paired"]["p"] < 0.05


def test_seeds_are_paired(out: Path) -> None:
    good, good1, bad, bad1 = hashes(out)
    found = compared(f"{good},{good1}", f"{bad1},{bad}", "--out", out)
    assert found["seeds"] == [0, 1]
    alone = [compared(a, b, "--out", out) for a, b in ((good, bad), (good1, bad1))]
    for row, *single in zip(found["stages"], *(one["stages"] for one in alone), strict=True):
        each = [one["paired"]["difference"] for one in single]
        assert row["paired"]["difference"] == pytest.approx(np.mean(each))
        assert row["paired"]["seeds"] == 2


@pytest.mark.usefixtures("sweeps_here")
def test_rows_of_a_sweep(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        'summary = "two"\nbaseline = "a"\nmetrics = ["inductive"]\n[settings]\nrounds = 1\n'
        '[[rows]]\nlabel = "a"\n[[rows]]\nlabel = "b"\nsettings = { selector.query = "none" }\n'
    )
    assert call("sweep", recipe, *SMALL, "--out", tmp_path, "--seeds", "0-1").code == 0
    found = compared("mine:a", "mine:b", "--out", tmp_path)
    assert found["seeds"] == [0, 1] and found["differences"][0]["what"] == "selector.query"
    # The query of the last round asks nobody, so all is the same.
    assert {one["paired"]["p"] for one in found["stages"]} == {1.0}
    unknown = call("compare", "mine:a", "mine:c", "--out", tmp_path)
    damaged = layout.sweep_file(tmp_path, "mine")
    assert message(unknown, 2) == "sweep 'mine' has no row 'c': known: a, b"
    damaged.write_text(damaged.read_text()[:-9])
    page = ("report", "mine", "-o", tmp_path / "page.html")
    for command in (("compare", "mine:a", "mine:b"), ("table", "mine"), page):
        assert "mine.json: damaged (" in message(call(*command, "--out", tmp_path), 1)


def test_changed_examples_are_printed_with_their_texts(out: Path) -> None:
    good, _, bad, _ = hashes(out)
    text = succeeded(call("compare", good, bad, "--out", out, "--examples", "2"))
    assert "annotator.spec: noisy:0.1 | noisy:0.5" in text
    shown = re.findall(r"^  (\S+)  (.+)$", text.partition("right in B only")[2], re.MULTILINE)
    assert 0 < len(shown) <= 4 and all(len(words) > 5 for _, words in shown)


def test_what_cannot_be_compared(out: Path, tmp_path: Path) -> None:
    good, good1, bad, bad1 = hashes(out)
    assert "part of 4 runs' ids" in message(call("compare", "noisy", bad, "--out", out), 2)
    assert "no run 'zzz'" in message(call("compare", "zzz", bad, "--out", out), 2)
    apart = call("compare", f"{good},{good1}", f"{bad},zzz", "--out", out)
    assert "no run 'zzz'" in message(apart, 2)
    (damaged,) = layout.run_folders(out, f"*{bad1}")
    name = damaged / layout.outcomes("R1")
    whole = name.read_bytes()
    name.write_bytes(whole[:-9])
    try:
        assert "damaged" in message(call("compare", good1, bad1, "--out", out), 1)
    finally:
        name.write_bytes(whole)


def test_seeds_that_draw_other_examples_are_aligned_by_their_ids(tmp_path: Path) -> None:
    """``--limit`` draws 40 of the pool by the seed: table, page and compare say the same."""
    for annotator in ("noisy:0.1", "noisy:0.5"):
        for seed in (0, 1, 2):
            succeeded(
                call("run", *FEW, "--annotator", annotator, "--seed", seed, "--out", tmp_path)
            )
    runs = [FinishedRun.open(path) for path in layout.run_folders(tmp_path)]
    pools = [set(read_outcomes(run.folder.path / layout.outcomes("R2"))["train"].ids.to_pylist())
             for run in runs]  # fmt: skip
    assert len(set.union(*pools)) > len(pools[0]) == 40
    good, bad = ([run for run in runs if run.config.annotator.spec == f"noisy:{rate}"]
                 for rate in (0.5, 0.1))  # fmt: skip
    paired = next(one.paired for one in compare_methods(good, bad).stages
                  if (one.stage, one.split) == ("R2", "train"))  # fmt: skip
    assert paired.examples == len(set.union(*pools)) and paired.seeds == 3
    table = ("table", "--out", tmp_path, "--metric", "pool", "--baseline", "noisy:0.5")
    cells = json.loads(succeeded(call(*table, "--format", "json")))["rows"][0]["cells"]["R2"]
    of_table = cells["difference"]
    assert of_table["examples"] == paired.examples
    numbers = ("mean", "low", "high", "p")
    wanted = (paired.difference, paired.interval.low, paired.interval.high, paired.p)
    assert [of_table[key] for key in numbers] == pytest.approx(wanted)
    page = ("report", "--out", tmp_path, "-o", tmp_path / "page.html", "--figures", tmp_path / "f")
    succeeded(call(*page, "--baseline", "noisy:0.5"))
    shown = (tmp_path / "f" / "stages-pool-student.csv").read_text(encoding="utf-8")
    assert shown.count("noisy:0.1,R2,") == 1
    last = (tmp_path / "f" / "differences.csv").read_text(encoding="utf-8").splitlines()[1]
    assert last.split(",")[-2] == "3" and int(last.split(",")[-1]) > 40
