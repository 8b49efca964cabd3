"""``harness certify``: how right labels are, by rows that a person labelled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data import Label, TaskCard
from harness.export.rows import write_rows
from harness.label.certificate import Judged, judge
from harness.stats.intervals import wilson
from harness.stats.outcomes import Outcomes
from tests.benchmarks.certify import coverage
from tests.commands import Outcome, call, message
from tests.exporting import DEMO, SHIPPED, recorded_run, run

pytestmark = pytest.mark.usefixtures("alone")


def shown(outcome: Outcome) -> str:
    assert outcome.code == 0, outcome
    return outcome.stdout


def line(text: str, *starts: str) -> list[str]:
    """The cells of the first line that begins so."""
    rows = [row.replace(",", "").split() for row in text.splitlines()]
    return next(row for row in rows if row[: len(starts)] == [*starts])


@pytest.fixture
def demo() -> tuple[str, list[dict[str, Any]], dict[str, Any]]:
    """A run over recorded answers, gold rows of all its pool, and its result."""
    result = recorded_run()
    gold = [
        {"text": row["text"], "gold": row["label"]}
        for row in map(json.loads, (DEMO / "train.jsonl").read_text("utf-8").splitlines())
    ]
    return result["run_id"], gold, result


def test_it_says_what_the_run_was_scored_and_how_sure_that_is(
    demo: tuple[str, list[dict[str, Any]], dict[str, Any]],
) -> None:
    run_id, gold, result = demo
    write_rows(Path("gold.csv"), gold)
    outcome = call("certify", run_id, "--gold", "gold.csv")
    text = shown(outcome)
    assert "60 rows by hand, of 60 in the pool" in text
    for stage in result["stages"]:
        score = stage["transductive"]["score"]
        interval = wilson(round(60 * score), 60)
        cells = line(text, stage["stage"], stage["actor"])
        assert f"{100 * score:.1f}" in cells
        assert f"{100 * interval.low:.1f}" in cells
        assert f"{100 * interval.high:.1f}" in cells
    assert "student, exported" in text
    per_label = result["stages"][-1]["transductive"]["per_label"]
    last = text[text.index("student, by label") :]
    for name, one in per_label.items():
        cells = line(last, name)
        assert cells[1] == str(one["support"])
        assert cells[2] == (f"{100 * one['recall']:.1f}" if one["support"] else "–")
    assert f"{len(gold) - 60} rows are not in the run's pool" in outcome.stderr


def test_rows_match_by_id_or_text_and_others_are_named(
    demo: tuple[str, list[dict[str, Any]], dict[str, Any]],
) -> None:
    run_id, gold, _ = demo
    shown(call("export", run_id, "--to", "labels.jsonl"))
    exported = [json.loads(one) for one in Path("labels.jsonl").read_text("utf-8").splitlines()]
    named = {row["text"]: row["gold"] for row in gold}
    rows = [{"id": row["id"], "gold": named[row["text"]].upper()} for row in exported[:30]]
    write_rows(Path("ids.csv"), [*rows, {"id": "train:none", "gold": "access"}])
    outcome = call("certify", run_id, "--gold", "ids.csv")
    assert "30 rows by hand, of 60" in shown(outcome)
    assert "1 rows are not in the run's pool, neither by id nor by text" in outcome.stderr
    assert "ids.csv:32" in outcome.stderr
    texts: list[dict[str, Any]] = [
        {
            "id": f"T-{n}",
            "message": f" {row['text']}\r\n",
            "hand": named[row["text"]],
            "why": "check",
        }
        for n, row in enumerate(exported[:30])
    ]
    other = next(name for name in named.values() if name != texts[0]["hand"])
    texts += [texts[0] | {"hand": other}, texts[1] | {"hand": "shipping"}, {**texts[2], "hand": ""}]
    texts += [
        {"id": "x", "message": exported[40]["text"], "hand": "access", "why": "doubtful"},
    ]
    write_rows(Path("texts.csv"), texts)
    outcome = call("certify", run_id, "--gold", "texts.csv", "--column", "label=hand")
    assert "29 rows by hand" in shown(outcome)
    for said in (
        "2 rows repeat a text with another label, and do not count: texts.csv:",
        "1 rows have a label that cannot be read, and do not count: texts.csv:",
        "'shipping' is none of access",
        "1 rows were chosen as doubtful, not at random",
    ):
        assert said in outcome.stderr


@pytest.mark.parametrize("written", ["tags", "spans", "marks"])
def test_entities_are_judged_by_f1(written: str) -> None:
    few = ("--limit", "12", "--rounds", "1", "--set", "student.epochs=1")
    result = run("--task", "demo-ner", "--student", "minilm", *few, "--annotator", "rules")
    gold = [
        json.loads(one)
        for one in (SHIPPED / "data/demo-ner/train.jsonl").read_text("utf-8").splitlines()
    ]
    write_rows(Path("gold.csv"), [as_written(row, written) for row in gold])
    text = shown(call("certify", result["run_id"], "--gold", "gold.csv"))
    assert "12 rows by hand, of 12" in text
    for stage in result["stages"]:
        cells = line(text, stage["stage"], stage["actor"])
        assert f"{100 * stage['transductive']['score']:.1f}" in cells


def as_written(row: Mapping[str, Any], written: str) -> dict[str, Any]:
    """A gold row as one may write it."""
    if written == "tags":
        return {"tokens": row["tokens"], "tags": row["tags"]}
    text, marks, spans = " ".join(row["tokens"]), "", []
    place = 0
    for token, tag in zip(row["tokens"], row["tags"], strict=True):
        if tag.startswith("B-"):
            spans.append({"start": place, "end": place + len(token), "type": tag[2:].lower()})
        elif tag.startswith("I-"):
            spans[-1]["end"] = place + len(token)
        place += len(token) + 1
    place = 0
    for span in spans:
        begin, end = span["start"], span["end"]
        marks += f"{text[place:begin]}[{text[begin:end]}]({span['type']})"
        place = end
    return {"text": text, "gold": spans if written == "spans" else marks + text[place:]}


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """``python -m tests.benchmarks.certify`` does this with 1,000 runs."""
    for metric, held in coverage(runs=120, rows=300, seed=1).items():
        assert 0.91 <= held <= 0.99, metric


def test_as_many_rows_as_it_says_halve_the_interval() -> None:
    right = np.arange(200) < 180
    judged = Judged.of(Outcomes.of_examples(right))
    many = 200 + judged.more_to_halve()
    wide = judged.interval.high - judged.interval.low
    halved = wilson(round(0.9 * many), many)
    assert halved.high - halved.low == pytest.approx(wide / 2, rel=0.01)
    assert 550 < judged.more_to_halve() < 610


def test_an_abstention_is_wrong_and_a_label_that_nobody_gave_has_no_share() -> None:
    card = TaskCard("t", "sequence", "accuracy", tuple(Label(name, name) for name in "abc"))
    said, gold = np.asarray([0, -1, 0, 0]), np.asarray([0, 1, 0, 1])
    judged, by_label = judge(said, gold, np.arange(5), card)
    assert judged.outcomes.score == 0.5
    found, right = by_label["a"].found, by_label["a"].right
    assert found is not None and right is not None
    assert (found.outcomes.score, right.rows) == (1.0, 3)
    assert by_label["b"].right is None
    assert by_label["c"].found is by_label["c"].right is None


@pytest.mark.parametrize(
    ("rows", "code", "said"),
    [
        (
            [{"text": "nobody wrote this", "gold": "access"}],
            1,
            "none of its rows counts: 1 are",
        ),
        (
            [{"text": "a", "id": 1}],
            2,
            "which column holds the labels by hand?",
        ),
        ([{"text": "a", "label": "x", "given_by": "both"}], 2, "holds what the program gave"),
    ],
)
def test_what_is_no_gold_is_refused(rows: list[dict[str, Any]], code: int, said: str) -> None:
    write_rows(Path("gold.csv"), rows)
    assert said in message(call("certify", recorded_run()["run_id"], "--gold", "gold.csv"), code)
