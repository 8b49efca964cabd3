"""``harness audit``: small data counted by hand, and figures stated beside the real data."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harness_tasks
from harness.audit.data_audit import audit_task, read_split
from harness.audit.duplicates import exact_key, leaked, near_key
from tests import sources
from tests.commands import call, message, succeeded
from tests.factories import gold_of, sequence_card, text_pool
from tests.task_files import TASK, TOKEN_TASK, sentence, texts, write_rows

DATA = Path(__file__).parents[2] / "shared/data"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Data of one task ``prices``, in which everything goes wrong that can."""
    train = texts(
        ("Oil is up", "up"),
        ("oil  is UP", "down"),  # the same text, with another label
        ("Oil is up", "up"),
        ("Gas, they say, fell.", "down"),
        ("Café prices", "up"),
        ("one two three four five six seven eight nine ten", "up"),
    )
    test = texts(
        ("OIL IS UP", "up"),  # in train with both labels
        ("gas they say fell", "up"),  # a near-duplicate with another label
        ("Something new", "down"),
        ("Something new", "down"),
    )
    write_rows(tmp_path / "data/prices/train.jsonl", train)
    write_rows(tmp_path / "data/prices/test.jsonl", test)
    (tmp_path / "prices.toml").write_text(TASK.replace("my-task", "prices"), encoding="utf-8")
    return tmp_path


def audited(folder: Path, *arguments: object, name: str = "prices") -> Any:
    said = succeeded(
        call("audit", folder / f"{name}.toml", "--data", folder / "data", "--json", *arguments)
    )
    assert said.count("\n") == 1
    return json.loads(said)


def test_what_repeats_within_a_split(folder: Path) -> None:
    train, test = audited(folder)["splits"]
    assert (train["split"], train["rows"]) == ("train", 6)
    # Of the three rows about oil, one answer gets two right: 5 of 6.
    assert train["exact"] == {"duplicates": 2, "conflicts": 1, "ceiling": pytest.approx(5 / 6)}
    assert test["exact"] == {"duplicates": 1, "conflicts": 0, "ceiling": 1.0}
    assert (train["ambiguous"], test["ambiguous"]) == (3, 1)
    assert (train["non_ascii"], test["non_ascii"]) == (1, 0)


def test_what_occurs_in_train(folder: Path) -> None:
    (overlap,) = audited(folder)["overlaps"]
    assert (overlap["of"], overlap["within"]) == ("test", "train")
    assert overlap["exact"] == {"texts": 1, "rows": 1, "different": 1}
    assert overlap["near"] == {"texts": 2, "rows": 2, "different": 2}


def test_balance_and_lengths(folder: Path) -> None:
    train, test = audited(folder)["splits"]
    assert train["classes"] == {"up": 4, "down": 2}
    assert test["classes"] == {"up": 2, "down": 2}
    lengths = [3, 3, 3, 4, 2, 10]
    assert train["lengths"] == {
        "mean": pytest.approx(np.mean(lengths)),
        "median": 3.0,
        "p95": pytest.approx(np.percentile(lengths, 95)),
        "max": 10,
        "total": 25,
    }


def test_entities_of_a_token_task(tmp_path: Path) -> None:
    ada = (("Ada", "B-PER"), ("Lovelace", "I-PER"), ("sat", "O"))
    train = [
        sentence(*ada),
        sentence(("Ada", "B-PER"), ("Lovelace", "B-LOC"), ("sat", "O")),  # tagged otherwise
        sentence(("it", "O"), ("rained", "O")),
    ]
    test = [
        sentence(*ada, ("in", "O"), ("Oslo", "B-LOC")),
        sentence(("Lovelace", "B-PER")),
        sentence(("It", "O"), ("rained", "O"), (".", "O")),
    ]
    write_rows(tmp_path / "data/names/train.jsonl", train)
    write_rows(tmp_path / "data/names/test.jsonl", test)
    (tmp_path / "names.toml").write_text(TOKEN_TASK.replace("my-names", "names"), encoding="utf-8")
    found = audited(tmp_path, name="names")
    first, second = found["splits"]
    assert first["classes"] == {"PER": 2, "LOC": 1}
    # Ada Lovelace, Ada, Lovelace; of the test set's three, Oslo is new.
    assert first["mentions"] == {"without": 1, "distinct": 3, "known": 3}
    assert second["mentions"] == {"without": 1, "distinct": 3, "known": 2}
    assert first["exact"] == {"duplicates": 1, "conflicts": 1, "ceiling": pytest.approx(2 / 3)}
    assert found["overlaps"][0]["exact"]["texts"] == 0
    assert found["overlaps"][0]["near"]["texts"] == 1


def test_tasks_beside_it_are_compared_if_they_are_of_its_kind(folder: Path) -> None:
    rows = texts(("gas they say, fell", "positive"), ("new, all of it", "negative"))
    write_rows(folder / "data/mr/train.jsonl", rows)
    write_rows(folder / "data/mr/test.jsonl", texts(("Café: prices!", "positive")))
    write_rows(folder / "data/conll03/train.jsonl", [sentence(("oil", "O"))])
    mr = {"task": "mr", "test_in_its_train": 1, "its_test_in_train": 1, "rows": 3}
    assert audited(folder)["others"] == [mr]
    assert audited(folder, "--against", "demo")["others"] == [
        {"task": "demo", "test_in_its_train": 0, "its_test_in_train": 0, "rows": 0}
    ]


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_broken_task_beside_it_is_said_and_left_out(folder: Path, split: str) -> None:
    for name in ("train", "test"):
        label = "no such label" if name == split else "positive"
        write_rows(folder / f"data/mr/{name}.jsonl", texts(("a", label)))
    outcome = call("audit", folder / "prices.toml", "--data", folder / "data", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.stdout)["others"] == []
    assert "not compared with mr" in outcome.stderr
    assert f"{split}.jsonl:1" in outcome.stderr


def test_a_task_is_not_compared_with_itself(folder: Path) -> None:
    arguments = (folder / "prices.toml", "--data", folder / "data", "--against")
    assert "itself" in message(call("audit", *arguments, folder / "prices.toml"), 2)


def test_mistakes_are_one_line(folder: Path, tmp_path: Path) -> None:
    assert "prices" in message(call("audit", folder / "prices.toml"), 1)
    assert "did you mean" in message(call("audit", "sst3"), 2)
    assert "no such folder" in message(call("audit", "demo", "--data", tmp_path / "no"), 2)


@pytest.mark.parametrize("task", ["demo", "demo-ner"])
def test_it_fits_a_terminal_of_80_columns(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    package = Path(harness_tasks.__file__).parent
    other = (package / f"{task}.toml").read_text(encoding="utf-8")
    other = other.replace(f'name = "{task}"', 'name = "another-task-with-a-long-name"', 1)
    (tmp_path / "other.toml").write_text(
        other.replace('= "data/', f'= "{package}/data/'), encoding="utf-8"
    )
    said = succeeded(call("audit", task, "--against", tmp_path / "other.toml"))
    assert max(len(line) for line in said.splitlines()) <= 80
    assert "…" not in said
    for title in ("Rows, and what repeats", "What to know", "Texts of one split", "shared with"):
        assert title in said


def test_what_it_says_in_words(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    said = succeeded(call("audit", folder / "prices.toml", "--data", folder / "data"))
    assert "train texts with several labels: 1" in said
    assert (
        "test texts that occur in train, near ones included: 2 (in 2 of the rows), with other "
        "labels 2" in said
    )
    assert "without_leaked=true" in said


def test_what_reading_has_to_say_is_said(folder: Path) -> None:
    rows = '{"text": "a", "label": "up"}\n{"text": "b", "label": "up"}\n'
    (folder / "data/prices/train.jsonl").write_text(rows, encoding="utf-8")
    outcome = call("audit", folder / "prices.toml", "--data", folder / "data", "--json")
    assert outcome.stderr.startswith("harness: note: ")
    assert "train.jsonl: no row has" in outcome.stderr
    assert json.loads(outcome.stdout)["splits"][0]["rows"] == 2


@pytest.mark.parametrize(
    ("one", "other", "exact", "near"),
    [
        ("Do  it\tnow", "do it now", True, True),
        ("wo n't do .", "Won't do!", False, True),
        ("STRASSE", "straße", True, True),
        ("a_b", "a b", False, True),
        ("नमस्ते", "नमसत", False, False),  # vowel signs are no punctuation
        ("10,000", "10000", False, True),
        ("...", "?!", False, False),  # of punctuation alone, and not the same
        ("no", "on", False, False),
    ],
)
def test_when_two_texts_are_the_same(one: str, other: str, exact: bool, near: bool) -> None:
    assert (exact_key(one) == exact_key(other)) is exact
    assert (near_key(one) == near_key(other)) is near


def test_leaked_rows() -> None:
    train = text_pool(["A b.", "c"])
    test = text_pool(["d", "a, b", "C", "c c"], "test")
    assert leaked(train, test).tolist() == [False, True, True, False]


def test_figures_against_plain_counting() -> None:
    rng = np.random.default_rng(0)
    words = [f"text {i}" for i in rng.integers(0, 60, 200)]
    labels = rng.integers(0, 3, 200).tolist()
    audit = audit_task(
        sequence_card("a", "b", "c"), {"train": read_split(text_pool(words), gold_of(labels))}
    )
    said: dict[str, list[int]] = {}
    for word, label in zip(words, labels, strict=True):
        said.setdefault(word, []).append(label)
    answers: Sequence[list[int]] = list(said.values())
    best = sum(max(map(own.count, own)) for own in answers)
    found = audit.splits[0].exact
    assert found.duplicates == 200 - len(answers)
    assert found.conflicts == sum(len(set(own)) > 1 for own in answers)
    assert found.ceiling == pytest.approx(best / 200)


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not beside the clone")
@pytest.mark.parametrize("task", sources.TASKS)
def test_figures_agree_with_those_stated_beside_the_real_data(task: str) -> None:
    figures = sources.figures(task, DATA)
    assert len(figures) > 10
    assert [one for one in figures if one.stated != one.found] == []


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not beside the clone")
@pytest.mark.parametrize(
    ("task", "others"),
    [("mr", ("sst2", "subj")), ("sst2", ("mr", "subj")), ("subj", ("mr", "sst2"))],
)
def test_notes_state_what_tasks_about_films_share(task: str, others: Sequence[str]) -> None:
    declaration = Path(harness_tasks.__file__).parent / f"{task}.toml"
    note = tomllib.loads(declaration.read_text(encoding="utf-8"))["hub"]["note"]
    against = [part for other in others for part in ("--against", other)]
    found = json.loads(succeeded(call("audit", task, "--data", DATA, *against, "--json")))
    assert len(found["others"]) == 2
    for other in found["others"]:
        for key in ("test_in_its_train", "its_test_in_train"):
            assert other[key] > 400
            assert f"{other[key]} " in note
