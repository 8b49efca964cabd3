"""A validation set on request: the task's own, or a stratified part of train."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from harness.data import Gold, TaskCard
from harness.errors import DataError
from harness.run.splits import Splits, hold_out, load_splits
from harness_tasks.task import DeclaredTask
from tests.commands import Outcome, call, message, succeeded
from tests.factories import gold_of, sequence_card, token_card
from tests.task_files import texts, write_rows

TASK = """schema = 1
name = "mine"
kind = "sequence"
metric = "accuracy"
labels = [
  {name = "a", description = "First."}, {name = "b", description = "Second."},
]
"""


def rows(n: int, prefix: str) -> list[dict[str, object]]:
    """A quarter of the rows has the second label; sorted by it."""
    return texts(*((f"{prefix} {i}", "b" if i < n // 4 else "a") for i in range(n)))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "mine"
    folder.mkdir(parents=True)
    (tmp_path / "mine.toml").write_text(TASK, encoding="utf-8")
    for split, n in (("train", 200), ("test", 40)):
        write_rows(folder / f"{split}.jsonl", rows(n, split))
    return folder


def splits(data: Path, seed: int = 0, limit: int | None = None, share: float = 0.1) -> Splits:
    task = DeclaredTask(data.parent.parent / "mine.toml", data.parent)
    return load_splits(task, inductive=True, limit=limit, seed=seed, validation=share)


def counted(gold: Gold) -> dict[int, int]:
    return dict(Counter(gold.labels.tolist()))


def test_a_share_of_train_is_held_out_stratified_and_leaves_the_pool(data: Path) -> None:
    found = splits(data)
    assert found.validation is not None
    assert found.validation.pool.split == found.validation.gold.split == "validation"
    assert counted(found.validation.gold) == {1: 5, 0: 15}
    assert counted(found.train.gold) == {1: 45, 0: 135}
    held, left = set(found.validation.pool.texts), set(found.train.pool.texts)
    assert not held & left
    assert held | left == {f"train {i}" for i in range(200)}
    for text, label in zip(found.validation.pool.texts, found.validation.gold.labels, strict=True):
        assert label == (int(text.split()[1]) < 50)
    assert found.notes == (
        "validation: 20 of 200 train examples, stratified, are held out of the pool by seed 0",
    )


def test_the_seed_draws_it_and_the_test_set_stays(data: Path) -> None:
    first, again, other = splits(data), splits(data), splits(data, seed=1)
    assert first.validation is not None
    assert again.validation is not None
    assert other.validation is not None
    assert first.validation.pool.ids == again.validation.pool.ids
    assert set(first.validation.pool.ids) != set(other.validation.pool.ids)
    without = splits(data, share=0)
    assert without.validation is None
    assert without.notes == ()
    assert len(without.train.pool) == 200
    assert without.test is not None
    assert first.test is not None
    assert without.test.pool.ids == first.test.pool.ids


def test_limit_counts_for_each_split(data: Path) -> None:
    found = splits(data, limit=12)
    assert found.validation is not None
    assert len(found.train.pool) == len(found.validation.pool) == 12


def test_the_tasks_own_split_is_used_where_there_is_one(data: Path) -> None:
    write_rows(data / "dev.jsonl", rows(8, "dev"))
    found = splits(data)
    assert found.validation is not None
    assert sorted(found.validation.pool.texts) == [f"dev {i}" for i in range(8)]
    assert len(found.train.pool) == 200
    assert found.notes == ("validation: the task's own split of 8 examples",)


def test_repeated_texts_on_both_sides_are_said(data: Path) -> None:
    again = "".join(json.dumps({"text": "same", "label": label}) + "\n" for label in "ab" * 20)
    (data / "train.jsonl").write_text(again, encoding="utf-8")
    (note,) = splits(data).notes
    assert note.endswith("; 1 of their texts occur in it")


def test_too_few_examples(data: Path) -> None:
    one = "".join(json.dumps({"text": label, "label": label}) + "\n" for label in "ab")
    (data / "train.jsonl").write_text(one, encoding="utf-8")
    with pytest.raises(DataError, match="2 train examples with gold are too few to hold any out"):
        splits(data)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5])
def test_every_stratum_stays_on_both_sides(share: float) -> None:
    labels = [0] * 100 + [1] * 2 + [2]
    held = hold_out(gold_of(labels), share, sequence_card("a", "b", "c"), np.random.default_rng(0))
    of = {label: int(held[np.asarray(labels) == label].sum()) for label in (0, 1, 2)}
    assert of == {0: round(100 * share), 1: 1, 2: 0}


def test_sentences_are_stratified_by_their_most_frequent_type() -> None:
    # Classes O, B-X, I-X, B-Y, I-Y: 40 sentences without a mention, 20 of X, 10 of Y.
    sentences = [[0, 0]] * 40 + [[1, 2, 3, 1]] * 20 + [[3, 0]] * 10
    gold = gold_of([tag for one in sentences for tag in one], [len(one) for one in sentences])
    card: TaskCard = token_card("X", "Y")
    held = hold_out(gold, 0.2, card, np.random.default_rng(0))
    assert [int(part.sum()) for part in np.split(held, [40, 60])] == [8, 4, 2]


def run(data: Path, *more: object) -> Outcome:
    return call(
        *("run", "--task", data.parent.parent / "mine.toml", "--data", data.parent),
        *("--annotator", "noisy:0.3", "--student", "tfidf", "--rounds", 2),
        *("--out", data.parent.parent / "out", *more),
    )


def test_both_actors_are_scored_on_it(data: Path) -> None:
    outcome = run(data, "--set", "validation=0.2", "--json")
    assert outcome.code == 0, outcome
    assert "held out of the pool" in outcome.stderr
    result = json.loads(outcome.stdout)
    assert [stage["stage"] for stage in result["stages"]] == ["R0", "R2", "R3", "R4"]
    for stage in result["stages"]:
        assert stage["n"] == 160
        assert {
            label: one["support"] for label, one in stage["validation"]["per_label"].items()
        } == {
            "a": 30,
            "b": 10,
        }
    assert 0.4 < result["stages"][0]["validation"]["score"] < 0.95  # 30 % of 40 labels are wrong
    data_section = result["provenance"]["data"]
    assert data_section["sizes"] == {"train": 160, "test": 40, "validation": 40}
    assert "validation: 40 of 200" in data_section["notes"][0]
    out = data.parent.parent / "out"
    table = json.loads(
        succeeded(call("table", "--metric", "validation", "--format", "json", "--out", out))
    )
    (row,) = table["rows"]
    assert row["cells"]["R2"]["mean"] == result["stages"][1]["validation"]["score"]


def test_the_stages_table_has_a_column_only_then(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    plain, more = run(data).stdout, run(data, "--set", "validation=0.2").stdout
    assert "valid" not in plain
    assert "valid" in more
    assert max(map(len, more.splitlines())) <= max(80, len(str(data.parent.parent)) + 60)
    header = next(line for line in more.splitlines() if "stage" in line and "actor" in line)
    columns = ["stage", "actor", "pool", "test", "valid", "abstained", "trusted", "shown", "s"]
    assert header.split() == columns


@pytest.mark.parametrize("share", ["-0.1", "0.6", "nan", "half"])
def test_a_share_that_is_none_is_refused(data: Path, share: str) -> None:
    assert "'validation'" in message(run(data, "--set", f"validation={share}"), 2)
