"""Data files are read strictly: a wrong row is named by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.data import Kind
from harness.errors import DataError
from tests.task_files import read_rows

CLASSES: dict[Kind, tuple[str, ...]] = {
    "sequence": ("access", "billing", "delivery"),
    "token": ("O", "B-PER", "I-PER", "B-LOC", "I-LOC"),
}
GOOD: dict[Kind, str] = {
    "sequence": '{"text": "Where is my parcel?", "label": "delivery"}',
    "token": '{"tokens": ["Ada", "sat"], "tags": ["B-PER", "O"]}',
}

WRONG_TEXTS = {
    "broken JSON": ('{"text": "a", "label": ', ("not a JSON object", "column 24")),
    "invisible text": ('{"text": " \\u200b", "label": "access"}', ("the text is empty",)),
    "not JSON at all": ("hello", ("not a JSON object", "column 1")),
    "half a line": ('{"text": "a", "lab', ("not a JSON object",)),
    "two objects": (GOOD["sequence"] * 2, ("not a JSON object",)),
    "list": ('["a", "access"]', ("not a JSON object but a list",)),
    "string": ('"a"', ("not a JSON object but a string",)),
    "number": ("5", ("not a JSON object but a number",)),
    "null": ("null", ("not a JSON object but null",)),
    "empty object": ("{}", ("no 'text'", "it has: nothing")),
    "no text": ('{"txt": "a", "label": "access"}', ("no 'text'", "it has: txt, label")),
    "no label": ('{"text": "a", "lable": "access"}', ("no 'label'", "it has: text, lable")),
    "text is a number": (
        '{"text": 5, "label": "access"}',
        ("text", "a number", "a string", "put it in quotes"),
    ),
    "text is null": (
        '{"text": null, "label": "access"}',
        ("text", "null", "a string", "put it in quotes"),
    ),
    "text is a list": (
        '{"text": ["a"], "label": "access"}',
        ("text", "a list", "a string", "put it in quotes"),
    ),
    "label is a number": ('{"text": "a", "label": 1}', ("label", "a number", "a string")),
    "label is a boolean": ('{"text": "a", "label": true}', ("label", "a boolean", "a string")),
    "label is an object": ('{"text": "a", "label": {}}', ("label", "an object", "a string")),
    "unknown label": (
        '{"text": "a", "label": "biling"}',
        ("no label 'biling'", "did you mean 'billing'?"),
    ),
    "label in other letters": (
        '{"text": "a", "label": "Access"}',
        ("no label 'Access'", "did you mean 'access'?"),
    ),
    "label like no other": (
        '{"text": "a", "label": "xyz"}',
        ("no label 'xyz'", "known: access, billing, delivery"),
    ),
    "empty text": ('{"text": "", "label": "access"}', ("text is empty", "remove the row or fill")),
    "whitespace": (
        '{"text": " \\t\\n\\u00a0", "label": "access"}',
        ("text is empty", "remove the row or fill"),
    ),
}
WRONG_SENTENCES = {
    "no tokens key": ('{"text": "a", "tags": ["O"]}', ("no 'tokens'", "it has: text, tags")),
    "no tags key": ('{"tokens": ["a"], "labels": ["O"]}', ("no 'tags'", "it has: tokens, labels")),
    "tokens is a string": ('{"tokens": "a", "tags": ["O"]}', ("'tokens'", "a string", "a list")),
    "tags is a string": ('{"tokens": ["a"], "tags": "O"}', ("'tags'", "a string", "a list")),
    "too few tags": ('{"tokens": ["a", "b", "c"], "tags": ["O", "O"]}', ("3 tokens but 2 tags",)),
    "too many tags": ('{"tokens": ["a"], "tags": ["O", "O"]}', ("1 tokens but 2 tags",)),
    "tags without tokens": ('{"tokens": [], "tags": ["O"]}', ("no tokens", "remove the row")),
    "nothing": ('{"tokens": [], "tags": []}', ("no tokens", "remove the row or fill")),
    "empty token": (
        '{"tokens": ["a", ""], "tags": ["O", "O"]}',
        ("is empty", "remove it and its tag"),
    ),
    "blank token": (
        '{"tokens": [" "], "tags": ["O"]}',
        ("is empty", "remove it and its tag"),
    ),
    "number as token": (
        '{"tokens": ["a", 5], "tags": ["O", "O"]}',
        ("is a number", "not a string", "put it in quotes"),
    ),
    "number as tag": ('{"tokens": ["a"], "tags": [1]}', ("tag", "a number", "not a string")),
    "unknown tag": (
        '{"tokens": ["a"], "tags": ["B-PRE"]}',
        ("no tag 'B-PRE'", "did you mean 'B-PER'"),
    ),
    "type without prefix": ('{"tokens": ["a"], "tags": ["LOC"]}', ("no tag 'LOC'", "'B-LOC'")),
    "I- at the beginning": (
        '{"tokens": ["a"], "tags": ["I-PER"]}',
        ("tag 1 is I-PER after O", "begins with B-PER"),
    ),
    "I- after O": (
        '{"tokens": ["a", "b", "c"], "tags": ["B-PER", "O", "I-PER"]}',
        ("tag 3 is I-PER after O", "begins with B-PER"),
    ),
    "I- after another type": (
        '{"tokens": ["a", "b", "c"], "tags": ["B-PER", "I-LOC", "I-LOC"]}',
        ("tag 2 is I-LOC after B-PER", "begins with B-LOC"),
    ),
}


def refused(tmp_path: Path, kind: Kind, row: bytes) -> str:
    """What is said, after ``file:line:``, about a wrong row in line 4 of a file."""
    file = tmp_path / "train.jsonl"
    good = GOOD[kind].encode()
    file.write_bytes(b"\xef\xbb\xbf" + b"\n".join([good, b"", good, row, good, b"{"]) + b"\n")
    with pytest.raises(DataError) as caught:
        read_rows(file, "train", kind, CLASSES[kind])
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(f"{file}:4: "), text
    return text.removeprefix(f"{file}:4: ")


@pytest.mark.parametrize(("row", "parts"), WRONG_TEXTS.values(), ids=WRONG_TEXTS)
def test_wrong_text_row(tmp_path: Path, row: str, parts: tuple[str, ...]) -> None:
    said = refused(tmp_path, "sequence", row.encode())
    assert all(part in said for part in parts), said


@pytest.mark.parametrize(("row", "parts"), WRONG_SENTENCES.values(), ids=WRONG_SENTENCES)
def test_wrong_sentence_row(tmp_path: Path, row: str, parts: tuple[str, ...]) -> None:
    said = refused(tmp_path, "token", row.encode())
    assert all(part in said for part in parts), said


@pytest.mark.parametrize("kind", ["sequence", "token"])
def test_row_that_is_not_utf8(tmp_path: Path, kind: Kind) -> None:
    row = GOOD[kind].replace("a", "\xe4", 1).encode("latin-1")
    said = refused(tmp_path, kind, row)
    assert f"not UTF-8 (byte {row.index(0xE4) + 1})" in said
    assert "the line is damaged" in said  # the file's byte order mark says UTF-8


@pytest.mark.parametrize("row", [b'{"text": ' + b"1" * 5000 + b"}", b"[" * 100_000])
def test_json_that_the_parser_gives_up_on(tmp_path: Path, row: bytes) -> None:
    assert "JSON" in refused(tmp_path, "sequence", row)


def test_half_a_surrogate_pair_is_no_text(tmp_path: Path) -> None:
    # Valid JSON, but no text: it cannot be hashed, tokenised or written.
    assert "text" in refused(tmp_path, "sequence", b'{"text": "a \\ud800", "label": "access"}')


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "utf-8-sig"])
def test_a_byte_order_mark_says_the_encoding(tmp_path: Path, encoding: str) -> None:
    text = GOOD["sequence"].replace("parcel", "größer 包裹") + "\n" + GOOD["sequence"]
    mark = "\ufeff" if encoding.endswith("be") else ""
    (tmp_path / "train.jsonl").write_bytes((mark + text).encode(encoding))
    rows = read_rows(tmp_path / "train.jsonl", "train", "sequence", CLASSES["sequence"])
    assert list(rows.pool.texts) == ["Where is my größer 包裹?", "Where is my parcel?"]


def test_utf16_without_a_mark_or_cut_short_is_named(tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    file.write_bytes(GOOD["sequence"].encode("utf-16-le"))
    with pytest.raises(DataError, match=r"train\.jsonl:1: a NUL byte \(column 2\).*UTF-16"):
        read_rows(file, "train", "sequence", CLASSES["sequence"])
    file.write_bytes(GOOD["sequence"].encode("utf-16")[:-1])
    with pytest.raises(DataError, match=r"train\.jsonl:1: not UTF-16 here or further down"):
        read_rows(file, "train", "sequence", CLASSES["sequence"])


def test_the_first_wrong_row_is_named(tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text('{"text": "a", "label": "no"}\n{"text": ""}\n')
    with pytest.raises(DataError, match=r"train\.jsonl:1: the task has no label 'no'"):
        read_rows(file, "train", "sequence", CLASSES["sequence"])


def test_lines_are_counted_as_editors_do(tmp_path: Path) -> None:
    # A line separator inside a text is no end of line.
    file = tmp_path / "train.jsonl"
    row = json.dumps({"text": "a\u2028b\x85c", "label": "access"}, ensure_ascii=False)
    file.write_bytes(f"{row}\r\n\r\n{row}\r\noops\r\n".encode())
    with pytest.raises(DataError, match=r"train\.jsonl:4: not a JSON object"):
        read_rows(file, "train", "sequence", CLASSES["sequence"])


@pytest.mark.parametrize("name", ["absent.jsonl", "folder.jsonl"])
def test_file_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(DataError, match=r"cannot be read \(.+\)"):
        read_rows(tmp_path / name, "train", "sequence", CLASSES["sequence"])
