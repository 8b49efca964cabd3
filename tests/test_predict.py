"""``harness predict``: an exported model labels files of every format, rows in and rows out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.cli.screen import live
from harness.export.rows import write_rows
from harness.files.user_file import read_rows
from harness.label import predicting
from tests.benchmarks.predict import write_model
from tests.commands import Outcome, call, message
from tests.tiny_encoders import WORDS, write_bert

pytestmark = pytest.mark.usefixtures("alone")
SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".xlsx")
ROWS = [
    {"id": row, "text": " ".join(WORDS[row % 7 : row % 7 + 3 + row % 5]), "label": f"old, {row}"}
    for row in range(40)
]
ROWS[5]["text"] = ""
ROWS[11]["text"] = 'a "quote";\nand a line 😀'


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("texts"), "tiny")


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A token model with random weights."""
    from transformers import AutoTokenizer

    from harness_plugins.students.encoder.exporting import export_model
    from harness_plugins.students.encoder.heads import load_classifier

    folder = tmp_path_factory.mktemp("tokens")
    source = write_bert(folder / "encoder")
    classes = ("O", "B-person", "I-person", "B-place", "I-place")
    made = load_classifier(
        source, "token", "cls", classes, attention_dropout=True, frozen_embeddings=False
    )
    (folder / "model").mkdir()
    export_model(made, AutoTokenizer.from_pretrained(source), folder / "model", 16)
    return folder / "model"


def predicted(model: Path, file: Path, out: Path, *more: object) -> list[Mapping[str, Any]]:
    outcome = call("predict", model, file, "-o", out, *more)
    assert outcome.code == 0, outcome
    return [row for _, row in read_rows(out, "text").rows()]


@pytest.fixture
def labels(model: Path, tmp_path: Path) -> list[Any]:
    """What the model says of ``ROWS``."""
    write_rows(tmp_path / "first.jsonl", ROWS)
    rows = predicted(model, tmp_path / "first.jsonl", tmp_path / "said.jsonl")
    return [row["label_given"] for row in rows]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows_and_columns_come_back_in_order_with_the_same_labels(
    model: Path, tmp_path: Path, suffix: str, labels: list[Any]
) -> None:
    if suffix == ".xlsx":
        pytest.importorskip("openpyxl")
    file, out = tmp_path / f"texts{suffix}", tmp_path / f"out{suffix}"
    write_rows(file, ROWS)
    found = predicted(model, file, out)
    assert list(found[0]) == ["id", "text", "label", "label_given", "confidence"]
    for name in ("id", "text", "label"):
        cells = ["" if row[name] is None else str(row[name]) for row in found]
        assert cells == [str(row[name]) for row in ROWS]
    assert [row["label_given"] or None for row in found] == labels
    assert labels[5] is None
    assert not found[5]["confidence"]
    assert all(0.2 <= float(row["confidence"]) <= 1 for n, row in enumerate(found) if n != 5)


def test_a_text_file_and_rows_in_small_pieces(
    model: Path, tmp_path: Path, labels: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [
        (row["text"], label) for row, label in zip(ROWS, labels, strict=True) if row["id"] != 11
    ]
    file = tmp_path / "texts.txt"
    file.write_text("".join(f"{text}\n" for text, _ in kept), encoding="utf-8")
    monkeypatch.setattr(predicting, "CHUNK", 7)
    monkeypatch.setattr(live, "EVERY", 0.0)
    outcome = call("predict", model, file, "-o", tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["label"] for line in lines] == [label for _, label in kept]
    paces = [line for line in outcome.stderr.splitlines() if line.endswith(" left")]
    assert len(paces) == 6
    assert "texts.txt: 39 of 39, " in paces[-1]
    assert paces[-1].endswith("/s, 0 s left")


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_entities_are_spans_of_the_text(finder: Path, tmp_path: Path, suffix: str) -> None:
    texts = ["", "house, river (stone)", "Zoë   said: " + " ".join(WORDS), "bright"] * 3
    write_rows(tmp_path / "texts.jsonl", [{"text": text} for text in texts])
    found = predicted(finder, tmp_path / "texts.jsonl", tmp_path / f"out{suffix}")
    assert [row["text"] for row in found] == texts
    spans = [(row["text"], span) for row in found for span in row["label"] or ()]
    assert spans
    for text, span in spans:
        assert text[span["start"] : span["end"]] == span["text"]
        assert span["type"] in ("person", "place")
    assert found[0]["label"] is None


def test_texts_that_are_longer_than_the_model_reads_are_named(model: Path, tmp_path: Path) -> None:
    rows = [{"text": "house"}, {"text": "river " * 300}]
    write_rows(tmp_path / "texts.jsonl", rows)
    outcome = call("predict", model, tmp_path / "texts.jsonl", "-o", tmp_path / "out.csv")
    assert "1 of 2 rows are longer than the model reads and are labelled by" in outcome.stderr
    assert "texts.jsonl:2 (302 word pieces, of which 128 are read)" in outcome.stderr


def test_what_a_format_cannot_hold_leaves_nothing_half_written(model: Path, tmp_path: Path) -> None:
    rows = [{"text": "house", "n": 1}] * 9000 + [{"text": "river", "n": "many"}]
    write_rows(tmp_path / "texts.jsonl", rows)
    outcome = call("predict", model, tmp_path / "texts.jsonl", "-o", tmp_path / "out.parquet")
    assert "other types of values than before" in last_line(outcome, 1)
    assert not list(tmp_path.glob("*out*"))


WRONG = [
    (("none", "texts.csv"), 2, "none: holds no model"),
    ((".", "texts.csv"), 2, "holds no model; harness export RUN --model DIR"),
    (("MODEL", "none.csv"), 2, "no such file"),
    (("MODEL", "texts.csv", "--column", "text=body"), 2, "no column 'body'"),
    (("MODEL", "texts.csv", "--column", "label=id"), 2, "predict reads no labels"),
    (("MODEL", "texts.csv", "--strict"), 2, "1 of 40 rows cannot be used: texts.csv:7 (no text)"),
    (("MODEL", "texts.csv", "-o", "texts.csv"), 2, "-o texts.csv: exists"),
    (("MODEL", "damaged.csv"), 1, "3 columns where the first row has 2"),
    (("MODEL", "damaged.csv"), 1, "(2 more rows are wrong: damaged.csv:4, damaged.csv:5)"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), WRONG)
def test_a_wrong_command_is_refused_before_any_work(
    model: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    write_rows(Path("texts.csv"), ROWS)
    Path("damaged.csv").write_text("id,text\n1,a\n2,b,c\n3\n4,d,e\n", encoding="utf-8")
    words = [str(model) if word == "MODEL" else word for word in arguments]
    refused: Outcome = call("predict", *words, *([] if "-o" in words else ["-o", "out.csv"]))
    assert said in last_line(refused, code)
    assert not Path("out.csv").exists()


def last_line(outcome: Outcome, code: int) -> str:
    """What was refused; notes may stand before it."""
    notes, _, last = outcome.stderr.rstrip("\n").rpartition("\n")
    assert all(line.startswith("harness: note: ") for line in notes.splitlines())
    return message(Outcome(outcome.code, outcome.stdout, last + "\n"), code)


def test_several_files_keep_their_names_and_are_not_labelled_again(
    model: Path, tmp_path: Path
) -> None:
    files = [tmp_path / name for name in ("a.csv", "b.jsonl")]
    files[0].write_text("text\nwhere is my parcel\n")
    files[1].write_text('{"text": "the bill is wrong"}\n')
    out = tmp_path / "labelled"
    assert call("predict", model, files[0], files[1], "-o", out).code == 0
    made = {path.name: path.read_bytes() for path in out.iterdir()}
    assert sorted(made) == ["a.csv", "b.jsonl"] and b"label" in made["a.csv"]
    (out / "b.jsonl").unlink()
    again = call("predict", model, *files, "-o", out)
    assert "1 of 2 files are in" in again.stderr and "b.jsonl" in again.stdout
    assert {path.name: path.read_bytes() for path in out.iterdir()} == made
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / "a.csv"
    twin.write_text("text\nx\n")
    assert "two files are called 'a.csv'" in message(
        call("predict", model, files[0], twin, "-o", tmp_path / "new"), 2
    )
    several = call("predict", model, *files, "-o", twin)
    assert "a.csv: is a file; several files go into a folder" in message(several, 2)
