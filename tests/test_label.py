"""``harness label``: a file and label names; the same rows come back with labels."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from harness.label.words import spans_in, words
from harness.testing.service import ChatServer, running
from tests.commands import Outcome, call, message
from tests.support_messages import CATEGORIES, write_messages
from tests.test_user_file import CASES, NAMED, SENTENCES, UNICODE, table
from tests.tiny_encoders import write_bert

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


def test_a_full_confidence_is_printed_whole_in_80_columns(tmp_path: Path) -> None:
    import io

    from rich.console import Console

    from harness.cli.screen.labelled import labels_picture
    from harness.label.labelling import Given, Labelled
    from harness.label.texts import Texts

    long = "a text that is much too long for its column " * 3
    places = [f"f.csv: row {1000 + k}" for k in range(5)]
    texts = Texts(cast("Any", None), places, [{}] * 5, dict.fromkeys(range(5), long), {}, {})
    given = [Given("cancellation", 1.0, "both", candidates=("delivery", "fault"))] * 5
    screen = Console(file=io.StringIO(), width=80)
    screen.print(labels_picture(Labelled(texts, given, ["cancellation"], 0.0)))
    lines = cast("io.StringIO", screen.file).getvalue().splitlines()
    rows = [line.split() for line in lines[-5:]]
    assert [row[:2] for row in rows] == [[str(1000 + k), "100"] for k in range(5)]
    assert all(len(line) <= 80 for line in lines)


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
    assert "1 rows have a label that cannot be read" in said
    assert "review.csv:2 ('shipping' is none of billing" in said


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


def message_of(outcome: Outcome, code: int = 2) -> str:
    assert outcome.code == code, outcome
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


NOTES = """schema = 1
name = "notes"
kind = "token"
metric = "entity_f1"
labels = [
    { name = "person", description = "a name of a person" },
    { name = "place", description = "a name of a place" },
]
rules.lists = [
    { label = "person", words = ["Ann", "Bob", "Carla", "Dev"] },
    { label = "place", words = ["Oslo"] },
]
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("encoders") / "bert")


def write(file: Path, rows: list[dict[str, str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_entities_are_known_and_reviewed_as_marks_in_the_text(tmp_path: Path, tiny: Path) -> None:
    names = ("Ann", "Bob", "Carla", "Dev")
    texts = [f"we met {name} in Oslo, number {row}" for row, name in enumerate(names * 5)]
    known = ['[{"start": 7, "end": 10, "type": "PERSON"}]', "", "[Nobody](person)", ""]
    known[1] = "we met [Bob](person) in [Oslo](place), number 1"
    known[3] = texts[3].replace("Dev", "[Dev](animal)")
    file, review, out = (tmp_path / name for name in ("notes.csv", "review.csv", "out.jsonl"))
    cells = known + [""] * 16
    write(file, [{"text": a, "mine": b} for a, b in zip(texts, cells, strict=True)])
    (tmp_path / "notes.toml").write_text(NOTES, encoding="utf-8")
    parts = ("--annotator", "rules", "--student", f"transformers:{tiny}", "--rounds", "1")
    options = ("--task", "notes.toml", *parts, "--set", "student.epochs=1", "--review", review)
    options = ("-o", out, *options, "--check", "6", "--column", "label=mine")
    outcome = call("label", file, *options)
    assert "of 2 rows with a known label" in done(outcome)
    assert "2 of 20 rows have a label that cannot be read" in outcome.stderr
    assert "notes.csv:4 (the text without its marks is not the text of the row)" in outcome.stderr
    assert "notes.csv:5 ('animal' is none of person, place)" in outcome.stderr
    assert "cannot be read" in message_of(call("label", file, *options, "--strict"), 1)
    before = [json.loads(line)["label"] for line in out.read_text("utf-8").splitlines()]
    rows = read(review)
    assert all(re.sub(r"\[(.*?)\]\(\w+\)", r"\1", row["label"]) == row["text"] for row in rows)
    gold: dict[int, set[tuple[int, int, str]]] = {0: {(7, 10, "person")}}
    gold[1] = {(7, 10, "person"), (14, 18, "place")}
    for row in rows[:8]:
        number = int(row["row"]) - 1
        name = names[number % 4]
        place = 7 + len(name) + 4
        marked = row["text"].replace(name, f"[{name}](Person)").replace("Oslo", "[Oslo](place)")
        row["gold"] = marked.replace(" ", "  ")
        if row["why"] == "check":
            gold[number] = {(7, 7 + len(name), "person"), (place, place + 4, "place")}
    write(review, rows)
    shown = done(call("label", file, *options))
    said = {n: {(s["start"], s["end"], s["type"]) for s in before[n]} for n in gold}
    both = sum(len(said[n] & gold[n]) for n in gold)
    f1 = 200 * both / sum(len(said[n]) + len(gold[n]) for n in gold)
    assert f"Estimated F1 of entities: {f1:.1f} % (95 %:" in shown
    assert f"of {len(gold)} rows with a known label" in shown
    found = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    for row in rows[:8]:
        given = found[int(row["row"]) - 1]
        name = names[(int(row["row"]) - 1) % 4]
        spans = [(span["text"], span["type"]) for span in given["label"]]
        assert (given["given_by"], spans) == ("person", [(name, "person"), ("Oslo", "place")])
    again = tmp_path / "again.jsonl"  # what was written is read back as known labels
    columns = ("--column", "text=text", "--column", "label=label")
    outcome = call("label", out, "-o", again, "--task", "notes.toml", *parts, *columns)
    assert "of 20 rows with a known label" in done(outcome)


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
    done(call("predict", model, file, "-o", "predicted.csv", "--column", "text=message"))
    labels = [row["label"] for row in read(Path("predicted.csv"))]
    assert labels == [row["label"] for row in read(tmp_path / "out.csv")]


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
        (("-o", "new.csv", "--review", "./new.csv"), "-o new.csv: is the file of --review, too"),
        (("-o", "other.csv"), "other.csv: exists"),
        (("-o", "out.doc"), "its suffix says how to write it"),
        (("--model", "model"), "student 'tfidf' cannot be exported"),
        (("--model", ".", "--student", "minilm"), "--model .: holds files already"),
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
    said = message_of(label(Path("messages.csv"), "--strict"), 1)
    assert "1 of 20 rows cannot be used and stay without label: messages.csv:9 (no text)" in said


def test_a_good_annotator_is_not_overruled_by_a_weak_student(tmp_path: Path, tiny: Path) -> None:
    file, answers = tmp_path / "messages.csv", tmp_path / "answers.jsonl"
    truth = write_messages(file, 80)
    said = [
        {"text": row["message"], "llm_label": row["category"] if n % 10 else None}
        for n, row in enumerate(truth)
    ]
    answers.write_text("".join(json.dumps(row) + "\n" for row in said))
    weak = ("--student", f"transformers:{tiny}", "--set", "student.preset=plain",
            "--set", "student.head=cls")  # fmt: skip
    outcome = label(file, "--annotator", f"replay:{answers}", *weak, "--set", "student.epochs=1")
    done(outcome)
    assert "R2: the annotator's labels look better than the student's: " in outcome.stderr
    found = [(one, row) for one, row in zip(read(tmp_path / "out.csv"), truth, strict=True)]
    by = {one["given_by"] for one, _ in found if one["label"]}
    assert by == {"both", "annotator", "student"}
    kept = [(one, row) for one, row in found if one["given_by"] == "annotator"]
    assert len(kept) > 20
    assert all(one["label"] == row["category"] for one, row in kept)
    assert all(float(one["confidence"]) <= 0.5 for one, _ in kept)
    answered = [pair for n, pair in enumerate(found) if n % 10 and pair[0]["label"]]
    assert sum(one["label"] == row["category"] for one, row in answered) >= len(answered) - 2


def test_long_texts_are_labelled_by_their_beginning_and_named(tmp_path: Path, tiny: Path) -> None:
    file = Path("texts.jsonl")
    texts = ["house and river", "music " * 200, "stone and bread", "a light of winter"] * 3
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    options = ("--labels", "indoors,outdoors", "--student", f"transformers:{tiny}")
    quick = ("--rounds", "1", "--set", "student.epochs=1")
    outcome = call("label", file, "-o", "out.jsonl", *options, *quick)
    done(outcome)
    assert "3 of 12 rows are longer than the student reads, and are labelled by" in outcome.stderr
    assert "texts.jsonl:2 (202 word pieces, of which 128 are read)" in outcome.stderr
    found = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert all(row["label"] for row in found)
    assert [row["reason"] for row in found[:2]] == ["", "202 word pieces, of which 128 are read"]
    refused = call("label", file, "-o", "other.jsonl", *options, *quick, "--strict")
    assert "3 of 12 rows are longer than the student reads" in message_of(refused, 1)
    assert not Path("other.jsonl").exists()


LABELS_IN = {
    "zh": ("配送", "登录", "账单"),
    "th": ("จัดส่ง", "เข้าสู่ระบบ", "ใบแจ้งหนี้"),
    "ar": ("الشحن", "الدخول", "الفاتورة"),
    "tr": ("kargo", "giriş", "fatura"),
    "de": ("Lieferung", "Anmeldung", "Rechnung über €"),
    "ru": ("доставка", "вход", "счёт"),
    "ja": ("配送", "ログイン", "請求書"),
    "en": ("delivery", "login", "billing"),
}


def test_every_encoding_is_labelled_in_its_language_or_refused(tmp_path: Path) -> None:
    for number, (encoding, form, language) in enumerate(CASES):
        file, out = tmp_path / f"texts-{number}.csv", tmp_path / f"out-{number}.jsonl"
        file.write_bytes(table(form, language).encode(encoding))
        names = LABELS_IN[language]
        comma = "，" if language in ("zh", "ja") else ","
        options = ("--labels", comma.join(names), "--student", "tfidf", "--rounds", "1")
        outcome = call("label", file, "-o", out, *options)
        if encoding not in UNICODE:
            assert f"iconv -f {NAMED[encoding]} -t UTF-8" in message(outcome, 1)
            assert not out.exists()
            continue
        done(outcome)
        found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        assert [row["text"] for row in found] == SENTENCES[language] * 8
        assert [row["id"] for row in found] == [f"n{row}" for row in range(24)]
        assert {row["label"] for row in found} <= set(names)
