"""Pools without gold labels, and with some: no score is made up, and everything else goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.data import ABSTAINED
from harness.errors import DataError
from harness.export.rows import write_rows
from harness.stats.intervals import wilson
from harness_tasks.task import DeclaredTask
from tests.commands import Outcome, call, message

TASK = """
schema = 1
name = "mine"
kind = "{kind}"
metric = "{metric}"
annotator = "embedding"
{columns}
[files]
train = "{file}"
[[labels]]
name = "sport"
description = "football, games and races"
[[labels]]
name = "food"
description = "cooking, meals and fruit"
"""
SPORT = [f"the {one} won the match number {n}" for n in range(5) for one in ("team", "player")]
FOOD = [f"a recipe of {one} for {n} people" for n in range(5) for one in ("soup", "cake")]
TEXTS = [*SPORT, *FOOD]
GOLD = ["sport"] * 10 + ["food"] * 10


def done(outcome: Outcome) -> str:
    """What it printed; notes may stand on stderr."""
    assert outcome.code == 0, outcome
    return outcome.stdout


def declared(
    folder: Path, name: str, content: str, columns: str = "", kind: str = "sequence"
) -> Path:
    (folder / name).write_text(content, encoding="utf-8")
    metric = "accuracy" if kind == "sequence" else "entity_f1"
    file = folder / "mine.toml"
    text = TASK.format(kind=kind, metric=metric, file=name, columns=columns)
    file.write_text(text, encoding="utf-8")
    return file


def rows(gold: list[str | None]) -> str:
    pairs = zip(TEXTS, gold, strict=True)
    return "".join(json.dumps({"text": text, "label": name}) + "\n" for text, name in pairs)


def options(task: Path, *more: str) -> list[str]:
    common = ["--task", str(task), "--student", "tfidf", "--rounds", "1"]
    return [*common, "--out", str(task.parent / "runs"), *more]


def run_of(task: Path, *more: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done(call("run", *options(task, "--json", *more))))
    return found


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        ("a.csv", "id,text\n" + "".join(f"{n},{text}\n" for n, text in enumerate(TEXTS)), ""),
        ("a.csv", "text,label\n" + "".join(f"{text},\n" for text in TEXTS), ""),
        ("a.csv", "text\n" + "".join(f"{text}\n" for text in TEXTS), ""),
        ("a.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in TEXTS), ""),
        ("a.jsonl", rows([None] * 20), ""),
        ("a.jsonl", rows([""] * 20), ""),
        ("a.csv", "id;message\n" + "".join(f"{n};{text}\n" for n, text in enumerate(TEXTS)),
         '[columns]\ntext = "message"'),
    ],
)  # fmt: skip
def test_a_file_without_labels_is_an_unlabelled_pool(
    tmp_path: Path, name: str, content: str, columns: str
) -> None:
    task = DeclaredTask(declared(tmp_path, name, content, columns))
    pool, gold = task.load("train"), task.gold("train")
    assert pool is not None
    assert gold is not None
    assert list(pool.texts) == TEXTS
    assert gold.labels.tolist() == [ABSTAINED] * 20


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '{"tokens": ["Ann", "runs"]}\n{"tokens": ["no"]}\n'),
        ("a.jsonl", '{"tokens": ["Ann", "runs"], "tags": null}\n{"tokens": ["no"], "tags": []}\n'),
        ("a.csv", "tokens,id\nAnn runs,1\nno,2\n"),
    ],
)
def test_sentences_without_tags_are_an_unlabelled_pool(
    tmp_path: Path, name: str, content: str
) -> None:
    task = DeclaredTask(declared(tmp_path, name, content, kind="token"))
    pool, gold = task.load("train"), task.gold("train")
    assert pool is not None
    assert gold is not None
    assert list(pool.tokens) == [("Ann", "runs"), ("no",)]
    assert (gold.labels.tolist(), gold.known.tolist()) == ([ABSTAINED] * 3, [False, False])


def test_sentences_that_were_exported_as_csv_are_read_back(tmp_path: Path) -> None:
    row = {"id": "x", "tokens": ["Ann", 'said "hi"'], "tags": ["B-sport", "O"], "trusted": True}
    write_rows(tmp_path / "a.csv", [row])
    content = (tmp_path / "a.csv").read_text(encoding="utf-8")
    task = DeclaredTask(declared(tmp_path, "a.csv", content, kind="token"))
    pool, gold = task.load("train"), task.gold("train")
    assert pool is not None
    assert gold is not None
    assert list(pool.tokens) == [("Ann", 'said "hi"')]
    assert gold.labels.tolist() == [1, 0]


def test_a_column_that_looks_like_labels_is_not_passed_over(tmp_path: Path) -> None:
    task = DeclaredTask(declared(tmp_path, "a.csv", "text,category\nrun,sport\n"))
    with pytest.raises(DataError, match=r"no .label. in the row \(it has: text, category"):
        task.load("train")


def test_without_gold_there_is_no_score_anywhere(tmp_path: Path) -> None:
    task = declared(tmp_path, "a.jsonl", rows([None] * 20))
    result = run_of(task)
    for stage in result["stages"]:
        assert (stage["transductive"], stage["inductive"]) == (None, None)
        assert stage["answered"] == 1.0
        assert 0.5 <= stage["confidence"] <= 1
    student = result["stages"][1]
    assert student["agreement"] >= 0.8
    assert 0 < student["noise"] < 0.6
    assert student["selection"]["trusted"] > 0
    assert student["selection"]["trusted_precision"] is None
    assert [note for note in result["provenance"]["data"]["notes"] if "no gold labels" in note]
    drawn = call("run", *options(task)).stdout
    assert "no gold labels, no scores" in drawn
    assert "agree" in drawn
    assert "pool" not in drawn
    out = ("--out", task.parent / "runs")
    shown = done(call("table", *out, "--format", "markdown"))
    assert "none of these runs has a value of pool" in shown and "0.0" not in shown
    assert "nan" not in shown
    assert "–" in done(call("runs", *out))
    audit = json.loads(done(call("audit", task, "--json")))["splits"][0]
    assert (audit["unlabelled"], audit["exact"]["ceiling"]) == (20, None)
    assert set(audit["classes"].values()) == {0}
    done(call("audit", task))
    assert "asks no language model" in done(call("plan", *options(task)))


def test_rows_with_gold_are_scored_with_their_number_and_interval(tmp_path: Path) -> None:
    gold = [name if row % 4 == 0 else None for row, name in enumerate(GOLD)]
    result = run_of(declared(tmp_path, "a.jsonl", rows(gold)))
    score = result["stages"][0]["transductive"]
    right = round(5 * score["score"])
    assert score["n"] == 5
    interval = wilson(right, 5)
    assert score["interval"] == [pytest.approx(interval.low), pytest.approx(interval.high)]
    assert sum(one["support"] for one in score["per_label"].values()) == 5
    drawn = call("run", *options(tmp_path / "mine.toml")).stdout
    assert "5 rows with gold" in drawn


def test_a_pool_of_one_class_and_no_test_split_are_noted_once(tmp_path: Path) -> None:
    outcome = call("run", *options(declared(tmp_path, "a.jsonl", rows(["food"] * 20))))
    done(outcome)
    assert outcome.stderr.count("all gold labels of the pool are 'food'") == 1
    assert outcome.stderr.count("has no test split") == 1


@pytest.mark.parametrize("annotator", ["oracle", "noisy:0.1"])
def test_simulations_refuse_rows_without_gold(tmp_path: Path, annotator: str) -> None:
    gold = [None, *GOLD[1:]]
    outcome = call(
        "run", *options(declared(tmp_path, "a.jsonl", rows(gold)), "--annotator", annotator)
    )
    assert "reads gold labels, but 1 of 20 rows of train have none" in message(outcome, 1)


def test_only_rows_with_gold_are_held_out_for_validation(tmp_path: Path) -> None:
    gold = [name if row % 2 else None for row, name in enumerate(GOLD)]
    task = declared(tmp_path, "a.jsonl", rows(gold))
    last = run_of(task, "--set", "validation=0.4")["stages"][-1]
    assert last["validation"]["n"] is None  # all of it has gold
    assert last["n"] == 16
    bare = declared(tmp_path, "a.jsonl", rows([None] * 20))
    refused = call("run", *options(bare, "--set", "validation=0.4"))
    assert "its 0 train examples with gold are too few" in message(refused, 1)
