"""``harness label``: a file and label names; the same rows come back with labels."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.label.words import spans_in, words
from harness.testing.service import ChatServer, running
from tests.commands import Outcome, call, message
from tests.support_messages import CATEGORIES, write_messages

LABELS = ",".join(CATEGORIES)
pytestmark = pytest.mark.usefixtures("alone")


def done(outcome: Outcome) -> str:
    """What it printed; notes may stand on stderr."""
    assert outcome.code == 0, outcome
    return outcome.stdout


def label(file: Path, *more: object) -> Outcome:
    common = ("--labels", LABELS, "--column", "text=message", "--student", "tfidf")
    return call("label", file, "-o", file.parent / "out.csv", *common, "--rounds", "1", *more)


def read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def accuracy(found: list[dict[str, str]], truth: list[dict[str, str]]) -> float:
    pairs = [(a["label"], b["category"]) for a, b in zip(found, truth, strict=True) if a["label"]]
    return sum(a == b for a, b in pairs) / len(pairs)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with running(ChatServer()) as started:
        yield started


def test_all_rows_and_columns_come_back_in_order(tmp_path: Path) -> None:
    file = tmp_path / "messages.csv"
    truth = write_messages(file)
    outcome = label(file)
    shown = done(outcome)
    found = read(tmp_path / "out.csv")
    for column in ("id", "date", "customer", "message"):
        assert [row[column] for row in found] == [row[column] for row in truth]
    blank = [row for row in found if not row["message"].strip()]
    assert len(blank) == 8
    assert {(row["label"], row["confidence"], row["reason"]) for row in blank} == {
        ("", "", "no text")
    }
    assert accuracy(found, truth) > 0.8
    assert "8 of 300 rows cannot be used" in outcome.stderr
    assert "How many are right is not known" in shown
    (result,) = (tmp_path / "results/runs/messages").glob("*/result.json")
    stages = json.loads(result.read_text())["stages"]
    assert [stage["transductive"] for stage in stages] == [None, None]
    before = (tmp_path / "out.csv").read_bytes()
    again = label(file)
    assert "was not run again" in again.stderr
    assert (tmp_path / "out.csv").read_bytes() == before


def test_what_a_person_reviewed_comes_back_and_measures_the_rest(tmp_path: Path) -> None:
    file, review = tmp_path / "messages.csv", tmp_path / "review.csv"
    truth = write_messages(file, 120)
    options = ("--review", review, "--check", "20")
    done(label(file, *options))
    rows = read(review)
    assert [row["why"] for row in rows[:21]] == ["check"] * 20 + ["doubtful"]
    doubt = [float(row["confidence"]) for row in rows[20:] if row["candidates"].count('"') == 2]
    assert doubt == sorted(doubt)
    for row in rows[:30]:
        row["gold"] = truth[int(row["row"]) - 1]["category"].upper()
    with review.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    outcome = label(file, *options)
    shown = done(outcome)
    assert "of 20 rows with a known label" in shown
    found = read(tmp_path / "out.csv")
    by_person = {n for n, row in enumerate(found) if row["given_by"] == "person"}
    assert by_person == {int(row["row"]) - 1 for row in rows[:30]}
    assert all(found[n]["label"] == truth[n]["category"] for n in by_person)
    assert read(review) == rows  # a person's work is not written over
    rows[0]["gold"] = "shipping"
    review.write_text(
        'row,text,why,gold\n1,"{}",check,shipping\n'.format(truth[0]["message"].replace('"', '""')),
        encoding="utf-8",
    )
    said = message(label(file, *options), 1)
    assert "have a label that is none of billing" in said
    assert "review.csv:2 'shipping'" in said


def test_labels_that_the_file_has_score_the_others(tmp_path: Path) -> None:
    file = tmp_path / "messages.csv"
    write_messages(file, 100, known=30)
    outcome = label(file, "--column", "label=category", "-o", tmp_path / "out.jsonl")
    known = 30 - len([row for row in read(file)[:30] if not row["message"].strip()])
    assert f"of {known} rows with a known label" in done(outcome)
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert list(found[0])[-6:] == [
        *("label", "confidence", "given_by", "trusted", "candidates", "reason")
    ]


def test_a_chat_service_is_asked_after_a_yes(tmp_path: Path, server: ChatServer) -> None:
    file = tmp_path / "messages.csv"
    write_messages(file, 40)
    priced = ("--set", "annotator.price_input=1", "--set", "annotator.price_output=1")
    asked = ("--annotator", "openai:any", "--set", f"annotator.base_url={server.url}", *priced)
    refused = label(file, *asked)
    assert "nothing was sent; say --yes" in message_of(refused)
    assert "requests" in refused.stderr
    assert server.seen.requests == []
    assert not (tmp_path / "out.csv").exists()
    shown = done(label(file, *asked, "--yes"))
    assert "Cost: $0.0" in shown
    paid = len(server.seen.requests)
    assert paid >= 38
    done(label(file, *asked))  # the finished run is found: no plan, nothing sent
    assert len(server.seen.requests) == paid


def message_of(outcome: Outcome) -> str:
    assert outcome.code == 2
    return outcome.stderr.strip().splitlines()[-1]


def test_entities_come_back_as_characters(tmp_path: Path, server: ChatServer) -> None:
    texts = ["Ann met Bob Stone in Oslo.", "", "Nobody came (again)!", "Zoë's friend is 李明."] * 6
    file = tmp_path / "notes.txt"
    file.write_text("\n".join(texts) + "\n", encoding="utf-8")
    out = tmp_path / "out.jsonl"
    options = ("--annotator", "openai:any", "--set", f"annotator.base_url={server.url}", "--yes")
    named = ("--types", "person,place", "--rounds", "1", "--set", "student.epochs=1")
    done(call("label", file, "-o", out, *named, *options))
    found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["text"] for row in found] == texts
    assert found[1]["label"] is None
    for row in found:
        for span in row["label"] or ():
            assert row["text"][span["start"] : span["end"]] == span["text"]
            assert span["type"] in ("person", "place")


def test_words_and_spans_are_of_the_text_itself() -> None:
    text = "Zoë's friend 李明 (ไทย)…"
    tokens, places = words(text)
    assert tokens == ["Zoë's", "friend", "李", "明", "(", "ไ", "ท", "ย", ")", "…"]
    assert [text[start:end] for start, end in places] == tokens
    tags = ["B-person", "O", "B-person", "I-person", *["O"] * 6]
    assert spans_in(text, places, tags) == [
        {"start": 0, "end": 5, "type": "person", "text": "Zoë's"},
        {"start": 13, "end": 15, "type": "person", "text": "李明"},
    ]


@pytest.mark.timeout(600)
def test_the_model_loads_in_a_pipeline(tmp_path: Path) -> None:
    from transformers import pipeline

    file, model = tmp_path / "messages.csv", tmp_path / "model"
    write_messages(file, 40)
    quick = ("--student", "minilm", "--set", "student.epochs=1", "--model", model)
    done(label(file, *quick))
    classify: Any = pipeline("text-classification", model=str(model))
    assert classify("my parcel is late")[0]["label"] in CATEGORIES
    assert "how good it is, is not known" in (model / "README.md").read_text()
    done(label(file, *quick))  # its model is there already


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--labels", "one"), "name at least two labels"),
        (("--labels", "a,b,a"), "two labels have the same name"),
        (("--types", "person"), "name the labels"),
        (("--describe", "paint=of colours"), "--describe paint: no such label"),
        (("--column", "title=x"), "--column title=...: write text=NAME"),
        (("--check", "5"), "--check N: needs --review FILE"),
        (("--column", "text=body"), "no column 'body'; its columns are id, date, customer"),
        (("--column", "label=kind"), "has no such column"),
        (("-o", "messages.csv"), "is the file of texts itself"),
        (("-o", "other.csv"), "other.csv: exists"),
        (("-o", "out.doc"), "its suffix says how to write it"),
    ],
)
def test_a_wrong_command_is_refused_in_one_line(
    tmp_path: Path, more: tuple[str, ...], said: str
) -> None:
    file = tmp_path / "messages.csv"
    write_messages(file, 20)
    (tmp_path / "other.csv").write_text("id,text\n1,x\n", encoding="utf-8")
    assert said in message(label(file, *more), 2)


def test_strict_refuses_rows_that_cannot_be_used(tmp_path: Path) -> None:
    file = tmp_path / "messages.csv"
    write_messages(file, 20)
    assert "1 rows cannot be used: messages.csv:9 (no text)" in message(
        label(Path("messages.csv"), "--strict"), 1
    )
