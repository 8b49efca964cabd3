"""Scores with leaked rows left out: the test rows whose text occurs in the run's pool."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from harness.audit.duplicates import leaked, near_key
from harness.plugin_manager import Plugins
from harness.protocols import TaskRequest
from harness.record.codecs import read_views
from harness.report.rows.entries import entry_of
from harness.report.rows.grouping import make_table
from harness.results import load_result
from harness.run.splits import Splits, load_splits
from harness.specs import Spec
from tests.commands import call, succeeded
from tests.factories import plugin_file
from tests.task_files import TASK, texts, write_rows

BY_ONE_WORD = """
import numpy as np
from harness.data import Annotations

class ByOneWord:
    needs_gold = False

    def annotate(self, pool, demonstrations, progress):
        labels = np.asarray(["falls" in text.casefold() for text in pool.texts], dtype=np.int32)
        return Annotations.of(labels, pool.offsets)

@hookimpl
def harness_register_annotators(register):
    register("by", lambda request: ByOneWord())
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four of ten test rows are in train; the annotator is wrong on three of these and one more."""
    words = ("oil", "gas", "tea", "rice", "corn", "gold", "iron", "wool")
    train = texts(*((f"The price of {word} rises", "up") for word in words))
    train += texts(*((f"The price of {word} falls", "down") for word in words))
    test = texts(
        ("the price of oil rises.", "down"),
        ("The price of gas rises!", "down"),
        ("The price of tea rises", "down"),
        ("The price of rice falls", "down"),
        ("A price rises", "down"),
        *((f"The {word} rises", "up") for word in words[:5]),
    )
    write_rows(tmp_path / "data/prices/train.jsonl", train)
    write_rows(tmp_path / "data/prices/test.jsonl", test)
    (tmp_path / "prices.toml").write_text(TASK.replace("my-task", "prices"), encoding="utf-8")
    plugin_file(tmp_path / "by.py", BY_ONE_WORD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


COMMAND = (
    *("run", "--task", "prices.toml", "--data", "data", "--plugin", "by.py", "--annotator", "by"),
    *("--student", "tfidf", "--rounds", "1", "--out", "runs"),
)
ASKED = ("--set", "without_leaked=true")


def splits(limit: int | None) -> Splits:
    factory = Plugins(third_party=False).part("task", "file").factory
    task = factory(TaskRequest(Spec("file", "prices.toml"), Path("data")))
    return load_splits(task, inductive=True, limit=limit, seed=0)


def result_of(*arguments: str) -> Any:
    return json.loads(succeeded(call(*COMMAND, "--json", *arguments)))


def test_the_annotator_beside_its_plain_score(folder: Path) -> None:
    result = result_of(*ASKED)
    first = result["stages"][0]
    assert result["leaked"] == 4
    assert first["inductive"]["score"] == pytest.approx(6 / 10)
    assert first["inductive_without_leaked"]["score"] == pytest.approx(5 / 6)
    assert first["inductive_without_leaked"]["per_label"]["up"]["support"] == 5


def test_the_student_is_scored_on_the_same_rows(folder: Path) -> None:
    result = result_of(*ASKED)
    drawn = splits(None)
    assert drawn.test is not None
    kept = ~leaked(drawn.train.pool, drawn.test.pool)
    views, _ = read_views(Path("runs/prices", result["run_id"], "rounds/00/view.safetensors"))
    right = views["test"].predictions[kept] == drawn.test.gold.labels[kept]
    said = result["stages"][1]["inductive_without_leaked"]["score"]
    assert said == pytest.approx(right.mean())


def test_only_texts_of_the_pool_that_the_run_drew_are_leaks(folder: Path) -> None:
    drawn = splits(7)
    assert drawn.test is not None
    pool = {near_key(text) for text in drawn.train.pool.texts}
    whole = {near_key(text) for text in splits(None).train.pool.texts}
    keys = [near_key(text) for text in drawn.test.pool.texts]
    assert sum(key in pool for key in keys) < sum(key in whole for key in keys)
    assert result_of(*ASKED, "--limit", "7")["leaked"] == sum(key in pool for key in keys)


def test_nothing_is_added_unless_asked_for(folder: Path) -> None:
    result = result_of()
    assert result["leaked"] is None
    assert all(stage["inductive_without_leaked"] is None for stage in result["stages"])
    alone = result_of(*ASKED, "--setting", "transductive")
    assert alone["leaked"] is None
    assert all(stage["inductive_without_leaked"] is None for stage in alone["stages"])


def test_no_row_left_is_no_score(folder: Path) -> None:
    both = texts(("The price of oil rises", "up"), ("The price of gas falls", "down"))
    write_rows(folder / "data/prices/test.jsonl", both)
    result = result_of(*ASKED)
    assert result["leaked"] == 2
    assert [stage["inductive_without_leaked"] for stage in result["stages"]] == [None, None]


def test_results_from_before_are_read_and_stand_in_one_row(folder: Path) -> None:
    result = result_of()
    del result["leaked"], result["config"]["without_leaked"]
    for stage in result["stages"]:
        del stage["inductive_without_leaked"]
    file = folder / "old.json"
    file.write_text(json.dumps(result), encoding="utf-8")
    old = load_result(file)
    assert old.leaked is None
    new = load_result(Path("runs/prices", result["run_id"], "result.json"))
    assert len(make_table([entry_of(old), entry_of(new)]).rows) == 1


def test_the_tables_show_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    drawn = succeeded(call(*COMMAND, *ASKED))
    assert "* test rows without the 4 whose text occurs in the pool" in drawn
    assert next(line for line in drawn.splitlines() if "R0" in line).split()[3:5] == [
        "60.0",
        "83.3",
    ]
    table = succeeded(
        call(
            *("table", "--out", "runs", "--plugin", "by.py", "--format", "csv"),
            *("--metric", "inductive_without_leaked", "--rows", "task"),
        )
    )
    (row,) = csv.DictReader(table.splitlines())
    assert (row["task"], row["R0"]) == ("prices", str(5 / 6))
