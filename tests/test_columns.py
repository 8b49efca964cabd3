"""Which columns of a file are read, as what, and what is said of it; nothing is guessed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.data import Pool
from harness.errors import DataError, TaskError
from harness_plugins.recordings import open_recording
from harness_tasks.task import DeclaredTask
from tests.commands import call, message
from tests.task_files import read_rows

STARS = ("1", "2", "3", "4")


def write(folder: Path, name: str, content: str | bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / name


def read(file: Path, classes: Sequence[str] = ("down", "up")) -> tuple[list[str], list[str]]:
    """The labels of a file by name, and what is said of it without the file's name."""
    notes: list[str] = []
    rows = read_rows(file, "train", "sequence", classes, notes=notes)
    said = [note.removeprefix(f"{file}: ") for note in notes]
    return [classes[label] for label in rows.gold.labels], said


def refused(file: Path, classes: Sequence[str] = ("down", "up")) -> str:
    with pytest.raises(DataError) as caught:
        read(file, classes)
    assert str(caught.value).startswith(str(file))
    return str(caught.value).removeprefix(str(file))


# --- numbers as labels -----------------------------------------------------------------


@pytest.mark.parametrize("head", ["text,label\n", ""], ids=["header", "no header"])
@pytest.mark.parametrize("cell", ["{}", " {}", "{} ", "\t{}"])
def test_names_that_are_numbers_are_names(tmp_path: Path, head: str, cell: str) -> None:
    rows = [("good", cell.format(name)) for name in STARS]
    lines = [f"{text},{label}" if head else f"{label},{text}" for text, label in rows]
    labels, notes = read(write(tmp_path, "train.csv", head + "\n".join(lines)), STARS)
    assert labels == list(STARS)
    assert not any("numbers are read" in note for note in notes)


@pytest.mark.parametrize(
    ("classes", "cells", "said"),
    [
        (STARS, ("1", "0"), ":3: the task has no label '0'"),
        (STARS, ("1", "01"), ":3: the task has no label '01'"),
        (STARS, ("+1",), ":2: the task has no label '+1'"),
        (STARS, ("1.0",), ":2: the task has no label '1.0'"),
        (("-1", "0", "+1"), ("+1", "1"), ":3: the task has no label '1'"),
        (("down", "up"), ("0", "01"), ":3: the task has no label '01'"),
        (("down", "up"), ("+1",), ":2: the task has no label '+1'; as a number it is one of 0, 1"),
        (("down", "up"), ("1.0",), ":2: the task has no label '1.0'"),
        (("down", "up"), ("up", "1"), ":3: the label is the number '1', but "),
        (("down", "up"), ("0", "up"), ":3: the label is the name 'up', but "),
        (("down", "up"), ("1", "2"), "(0 down, 1 up); if the labels are counted from 1, write"),
        (("down", "up"), ("0", "2"), ":3: no label has the number 2 (0 down, 1 up)"),
    ],
)
def test_what_is_neither_a_name_nor_a_number_is_refused(
    tmp_path: Path, classes: Sequence[str], cells: Sequence[str], said: str
) -> None:
    lines = "".join(f"text {n},{cell}\n" for n, cell in enumerate(cells))
    assert said in refused(write(tmp_path, "train.csv", f"text,label\n{lines}"), classes)
    tabs = f"text\tlabel\n{lines}".replace(",", "\t")
    assert said in refused(write(tmp_path, "train.tsv", tabs), classes)


def test_a_recording_in_csv_is_read_by_the_same_rules(tmp_path: Path) -> None:
    def answers(content: str, classes: Sequence[str]) -> list[object]:
        recording = open_recording(str(write(tmp_path, "said.csv", content)), 0, classes)
        texts = [text for text in "abcd" if text in re.split(r"[\n,]", content)]
        pool = Pool("sequence", "train", texts, texts)
        return [record.answer for record in recording.find(pool) if record is not None]

    assert answers("text,llm_label\na, 1\nb,4\nc,-1\nd,\n", STARS) == ["1", "4", None, None]
    assert answers("-1,a\n0,b\n", ("-1", "0", "1")) == ["-1", "0"]
    assert answers("1,a,x\n-1,b,y\n", ("down", "up")) == ["up", None]
    for content, said in (("1,a\nup,b\n", "the name 'up'"), ("01,a\n", "no label '01'")):
        with pytest.raises(DataError, match=said):
            answers(content, ("down", "up"))


def test_numbers_of_which_the_lowest_is_missing_are_noted(tmp_path: Path) -> None:
    _, (note,) = read(write(tmp_path, "train.csv", "text,label\na,1\nb,2\n"), ("x", "y", "z"))
    assert "0 x, 1 y, 2 z; no row has 0; if the labels are counted from 1" in note


# --- columns ---------------------------------------------------------------------------


def test_three_columns_without_a_header_are_said(tmp_path: Path) -> None:
    labels, (note,) = read(write(tmp_path, "train.csv", "up,Title,A long text\ndown,b,c\n"))
    assert labels == ["up", "down"]
    assert "read as label, text, augmented, so augmented is no part of the text" in note


@pytest.mark.parametrize(
    ("name", "content", "noted"),
    [
        ("train.csv", "id,text,label,gt,title\n1,a,up,up,t\n", "gt (labels?), title (texts?)"),
        ("train.csv", "text,label,other\na,up,down\n", "other (labels?)"),
        ("train.jsonl", '{"text": "a", "label": "up", "y_true": 1}', "y_true (labels?)"),
        ("train.csv", "id,text,label,confidence\n1,a,up,0.5\n", None),
    ],
)
def test_columns_that_are_left_out_are_noted(
    tmp_path: Path, name: str, content: str, noted: str | None
) -> None:
    _, notes = read(write(tmp_path, name, content))
    assert [noted in note for note in notes if noted] == ([True] if noted else [])
    assert noted or not notes


DECLARED = """schema = 1
name = "news"
kind = "sequence"
metric = "accuracy"
files = {{ train = "{file}" }}
columns = {{ {columns} }}
[[labels]]
name = "world"
description = "Politics."
[[labels]]
name = "sport"
description = "Games."
"""


def declared(folder: Path, file: Path, columns: str) -> DeclaredTask:
    content = DECLARED.format(file=file, columns=columns)
    return DeclaredTask(write(folder, "news.toml", content))


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        (
            "a.csv",
            "2,A title,A text\n1,B title,B text\n",
            'names = ["label", "title", "text"], text = ["title", "text"], first_index = 1',
        ),
        (
            "a.csv",
            "title,category,body\nA title,sport,A text\nB title,world,B text\n",
            'label = "category", text = ["title", "body"]',
        ),
        (
            "a.jsonl",
            '{"t": "A title", "b": "A text", "c": 2}\n{"t": "B title", "b": "B text", "c": 1}',
            'label = "c", text = ["t", "b"], first_index = 1',
        ),
    ],
)
def test_a_task_names_its_columns(tmp_path: Path, name: str, content: str, columns: str) -> None:
    task = declared(tmp_path, write(tmp_path, name, content), columns)
    pool, gold = task.load("train"), task.gold("train")
    assert pool is not None
    assert gold is not None
    assert list(pool.texts) == ["A title\nA text", "B title\nB text"]
    assert gold.labels.tolist() == [1, 0]
    assert not any("left out" in note for note in task.notes)
    shown = call("show", "task", tmp_path / "news.toml")
    assert "columns" in shown.stdout


def test_a_declared_column_that_is_missing_is_named_with_those_that_are_there(
    tmp_path: Path,
) -> None:
    file = write(tmp_path, "a.csv", "message,klass,when\na,sport,x\n")
    task = declared(tmp_path, file, 'text = "message", label = "category"')
    with pytest.raises(DataError) as caught:
        task.load("train")
    assert "no 'category' in the row (it has: message, klass, when)" in str(caught.value)
    file.write_text("message,text,klass\na,b,sport\n")
    with pytest.raises(DataError, match=r"no 'category' in the row \(it has: message, text, kl"):
        declared(tmp_path, file, 'text = "message", label = "category"').load("train")
    with pytest.raises(TaskError, match=r"columns.tags: a sequence task has no use"):
        declared(tmp_path, file, 'tags = "x"')


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("train.csv", "text,label,text\na,up,b\n", ":1: 2 columns are named 'text'"),
        ("train.tsv", "label\ttext\tlabel\nup\ta\tdown\n", ":1: 2 columns are named 'label'"),
        (
            "train.jsonl",
            '{"text": "a", "label": "up", "label": "down"}',
            ":1: not a usable JSON object (the key 'label' occurs twice",
        ),
        ("train.json", '[{"text": "a", "text": "b", "label": "up"}]', "the key 'text' occurs tw"),
    ],
)
def test_a_column_given_twice_is_refused(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    assert said in refused(write(tmp_path, name, content))


def test_a_parquet_column_given_twice_is_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([["a"], ["up"], ["down"]], names=["text", "label", "label"])
    pq.write_table(table, tmp_path / "train.parquet")
    assert "2 columns are named 'label'" in refused(tmp_path / "train.parquet")


# --- quotes, separators, sizes ---------------------------------------------------------


def test_a_quote_never_takes_in_rows_of_a_tsv(tmp_path: Path) -> None:
    rows = '"Great film\tup\nfoo\tdown\na nice one"\tup\n'
    for head, line in (("text\tlabel\n", 2), ("", 1)):
        said = refused(write(tmp_path, "train.tsv", head + rows))
        assert said.startswith(f":{line}: a quote opens a field here that would take in 3 rows")
    labels, _ = read(write(tmp_path, "train.tsv", 'text\tlabel\n"two\nlines\twith tab"\tup\n'))
    assert labels == ["up"]


def test_rows_within_a_text_of_a_csv_are_noted(tmp_path: Path) -> None:
    rows = '"Great film,up\nfoo,down\na nice one",up\n"Dear Ann,\nsee, all is well",down\n'
    labels, notes = read(write(tmp_path, "train.csv", f"text,label\n{rows}"))
    assert labels == ["up", "down"]
    (note,) = (note for note in notes if "quote left open" in note)
    assert note.startswith(f"{tmp_path / 'train.csv'}:2") or ":2: the text has 3 lines" in note


@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
@pytest.mark.parametrize("head", ["text{}label\n", ""])
def test_the_line_by_which_excel_says_the_separator(
    tmp_path: Path, separator: str, head: str
) -> None:
    rows = [["a b", "up"], ["c", "down"]] if head else [["up", "a b"], ["down", "c"]]
    lines = f"sep={separator}\r\n{head.format(separator)}"
    lines += "".join(separator.join(row) + "\n" for row in rows)
    assert read(write(tmp_path, "a.csv", b"\xef\xbb\xbf" + lines.encode()))[0] == ["up", "down"]
    wrong = refused(write(tmp_path, "a.csv", lines + "alone\n"))
    assert wrong.startswith(f":{lines.count(chr(10)) + 1}: 1 column where the first row has 2")


@pytest.mark.parametrize("size", [131_073, 1_000_000])
def test_long_fields_are_read(tmp_path: Path, size: int) -> None:
    text = "word " * (size // 5)
    rows = read_rows(
        write(tmp_path, "train.csv", f"text,label\n{text},up\n"), "train", "sequence", ("up", "b")
    )
    assert list(rows.pool.texts) == [text]


ENCODINGS = {
    "gb18030": ("GB18030", "质量很差，不推荐购买。物流太慢了。"),
    "big5": ("BIG5", "這家餐廳的菜很好吃，服務也不錯。"),
    "cp932": ("SHIFT-JIS", "この映画はとても面白かったです。カタカナ"),
    "koi8_r": ("KOI8-R", "Очень хороший фильм, всем советую посмотреть."),
    "cp1251": ("WINDOWS-1251", "Очень хороший фильм, всем советую посмотреть."),
    "cp1252": ("WINDOWS-1252", "Très déçu, à éviter à tout prix, größer"),
    "cp1250": ("WINDOWS-1250", "Žluťoučký kůň úpěl ďábelské ódy."),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_advice_names_the_encoding_and_shows_the_text(tmp_path: Path, encoding: str) -> None:
    name, text = ENCODINGS[encoding]
    content = f'text,label\n"{text}",up\n'.encode(encoding) * 3
    said = refused(write(tmp_path, "train.csv", content))
    assert said.startswith(":2: not UTF-8")
    assert said.endswith(f"iconv -f {name} -t UTF-8")
    assert text[:8] in said


# --- Parquet ---------------------------------------------------------------------------

LARGE = "word " * 120_000


def repeated(value: str, count: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), [value])


@pytest.mark.parametrize(
    "columns",
    [
        {"text": repeated(LARGE, 10_000), "label": repeated("up", 10_000)},
        {"text": [f"{n}{LARGE * 20}" for n in range(30)], "label": ["up"] * 30},
    ],
    ids=["one text ten thousand times", "long texts"],
)
def test_a_file_that_grows_beyond_measure_is_refused(
    tmp_path: Path, columns: dict[str, object]
) -> None:
    file = tmp_path / "train.parquet"
    pq.write_table(pa.table(columns), file, compression="zstd")
    assert file.stat().st_size < 100_000
    assert "bytes grow to" in refused(file)


def test_other_columns_of_a_parquet_file_are_not_read(tmp_path: Path) -> None:
    table = {"text": ["a", "b"] * 500, "label": ["up", "down"] * 500}
    table["blob"] = repeated(LARGE, 1000)
    pq.write_table(pa.table(table), tmp_path / "train.parquet", compression="zstd")
    assert read(tmp_path / "train.parquet")[0] == ["up", "down"] * 500


# --- files of a task -------------------------------------------------------------------


def test_files_outside_the_folder_of_a_task_are_noted(tmp_path: Path) -> None:
    rows = "".join(json.dumps({"text": f"t{n}", "label": "sport"}) + "\n" for n in range(2))
    outside = write(tmp_path / "elsewhere", "a.jsonl", rows)
    inside = write(tmp_path / "own", "a.jsonl", rows)
    (tmp_path / "own/link.jsonl").symlink_to(outside)
    for file, count in (
        (outside, 1),
        (Path("../elsewhere/a.jsonl"), 1),
        (Path("link.jsonl"), 1),
        (inside, 0),
        (Path("a.jsonl"), 0),
    ):
        notes = declared(tmp_path / "own", file, "").notes
        assert sum("outside the task's own folder" in note for note in notes) == count


def test_a_run_says_how_columns_were_read(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", "".join(f"{n % 2},Title {n},Text {n}\n" for n in range(8)))
    declared(tmp_path, file, "")
    arguments = ("--annotator", "oracle", "--student", "tfidf", "--rounds", 1)
    outcome = call(
        "run", "--task", tmp_path / "news.toml", *arguments, "--out", tmp_path / "o",
        "--setting", "transductive",
    )  # fmt: skip
    assert outcome.code == 0, outcome
    assert "augmented is no part of the text" in " ".join(outcome.stderr.split())
    file.write_text("0,a\n1,b\nup,c\n")
    said = message(
        call("run", "--task", tmp_path / "news.toml", *arguments, "--out", tmp_path / "o"), 1
    )
    assert ":3: the task has no label 'up'" in said
