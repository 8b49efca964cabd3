"""Data files in every format: what is read, and how a wrong row is named."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.data import Kind
from harness.errors import DataError
from harness.identity import example_ids
from harness_tasks.store import Rows
from tests.task_files import read_rows

CLASSES = ("down", "up")
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
TEXTS = ['He said "no", twice', "a, b and c", "two\nlines", "größer — 5 €"]
LABELS = [0, 1, 1, 0]


def write(folder: Path, name: str, content: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def read(file: Path, kind: Kind = "sequence") -> Rows:
    return read_rows(file, "train", kind, CLASSES if kind == "sequence" else TAGS)


def refused(file: Path, kind: Kind = "sequence") -> str:
    """What is said about a file, after its name."""
    with pytest.raises(DataError) as caught:
        read(file, kind)
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(str(file))
    return said.removeprefix(str(file))


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


CSV = {
    "header": ("train.csv", "text,label", "{0},{1}", ","),
    "header the other way": ("train.csv", "id,label,text", "x,{1},{0}", ","),
    "no header, names": ("train.csv", None, "{1},{0}", ","),
    "no header, numbers": ("train.csv", None, "{2},{0}", ","),
    "no header, three columns": ("train.csv", None, "{2},{0},another text", ","),
    "header, numbers": ("train.csv", "label,text", "{2},{0}", ","),
    "tabs": ("train.tsv", "text\tlabel", "{0}\t{1}", "\t"),
}


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize(("name", "header", "row", "_"), CSV.values(), ids=CSV)
def test_delimited_files(
    tmp_path: Path, name: str, header: str | None, row: str, _: str, end: str
) -> None:
    lines = [] if header is None else [header]
    for text, label in zip(TEXTS, LABELS, strict=True):
        lines.append(row.format(quoted(text), CLASSES[label], label))
    file = write(tmp_path, name, b"\xef\xbb\xbf" + (end.join(lines) + end + end).encode())
    rows = read(file)
    assert list(rows.pool.texts) == TEXTS
    assert rows.gold.labels.tolist() == LABELS


def test_every_format_gives_the_same_ids_and_labels(tmp_path: Path) -> None:
    named = [{"text": text, "label": CLASSES[n]} for text, n in zip(TEXTS, LABELS, strict=True)]
    table = pa.table({"label": [CLASSES[n] for n in LABELS], "text": TEXTS})
    pq.write_table(table, tmp_path / "train.parquet")
    files = [
        write(tmp_path, "train.jsonl", "\n".join(map(json.dumps, named))),
        write(tmp_path, "train.json", b"\xef\xbb\xbf" + json.dumps(named, indent=1).encode()),
        tmp_path / "train.parquet",
    ]
    for file in files:
        rows = read(file)
        assert rows.pool.ids == example_ids("train", TEXTS)
        assert rows.gold.labels.tolist() == LABELS


@pytest.mark.parametrize("separator", [";", "\t"], ids=["semicolons", "tabs"])
@pytest.mark.parametrize("head", ["label{}text", "id{}text{}label{}when"])
def test_a_header_shows_the_separator_of_a_csv_file(
    tmp_path: Path, separator: str, head: str
) -> None:
    named = {"id": "1", "text": quoted("a, b; c\td"), "label": "up", "when": "3,5"}
    columns = head.split("{}")
    lines = [columns, [named[column] for column in columns]]
    content = "".join(separator.join(cells) + "\r\n" for cells in lines)
    rows = read(write(tmp_path, "train.csv", b"\xef\xbb\xbf" + content.encode()))
    assert list(rows.pool.texts) == ["a, b; c\td"]
    assert rows.gold.labels.tolist() == [CLASSES.index("up")]


def test_semicolons_do_not_hide_a_header_of_commas(tmp_path: Path) -> None:
    rows = read(write(tmp_path, "train.csv", "text,label,text;label\na;b,up,c\n"))
    assert list(rows.pool.texts) == ["a;b"]


WRONG_CSV = {
    "semicolons without a header": (
        "up;a\nup;b\n",
        ":1: 1 column; a file without a header has 2 or 3",
        "columns that semicolons separate need a header",
    ),
    "a row of semicolons": (
        "text;label\na;up\nb;c;up\n",
        ":3: 3 columns where the first row has 2",
        "quotes",
    ),
    "comma without quotes": (
        "up,a\nup,b, c\n",
        ":2: 3 columns where the first row has 2",
        "quotes",
    ),
    "too few": ("up,a,x\nup,b\n", ":2: 2 columns where the first row has 3", "label, text, aug"),
    "one column": ("up\n", ":1: 1 column; a file without a header has 2 or 3", "label, text"),
    "four columns": ("up,a,b,c\n", ":1: 4 columns; a file without a header has 2 or 3", "text"),
    "quote not closed": ('up,a\nup,"b\nup,c\nup,d\n', ":2: a quote opens a field", "not closed"),
    "text after a quote": ('up,"a"b\n', ":1: text follows a closing quote", "double"),
    "unknown label": ("up,a\nupp,b\n", ":2: the task has no label 'upp'", "'up'?"),
    "unknown number": ("1,a\n2,b\n", ":2: no label has the number 2", "0 down, 1 up"),
    "no gold label": ("1,a\n-1,b\n", ":2: no label has the number -1", "no gold label"),
    "two signs": ("1,a\n+-1,b\n", ":2: the task has no label '+-1'", "known: down, up"),
    "two minus signs": ("1,a\n--1,b\n", ":2: the task has no label '--1'", "known"),
    "endless number": (f"1,a\n{'9' * 5000},b\n", ":2: the task has no label '999", "known"),
    "empty text": ('up,a\nup,""\n', ":2: the text is empty", "remove the row or fill it"),
    "after two lines in one": ('up,"a\nb"\nno,c\n', ":3: the task has no label 'no'", "known"),
    "header only by half": ("text,klass\na,up\n", ":2: there is no 'label'", "it has: text, klass"),
    "header in capitals": (
        "Text,Label\na,up\n",
        ":1: the first row looks like a header (Text, Label), but the columns needed are text and",
        "small letters",
    ),
    "header of others": ("sentence,label\na,up\n", ":1: the first row looks like", "needed"),
    "header of four": ("id,x,Text,Label\n1,2,a,up\n", ":1: the first row looks like", "needed"),
    "lone CR": ("text,label\ra,up\r", ":1: a line break of a lone CR", "LF or CRLF"),
    "NUL": ("up,a\nup,b\0c\n", ":2: a NUL byte (column 5)", "damaged"),
    "Windows-1252": (b"up,a\nup,caf\xe9\n", ":2: not UTF-8 (byte 7)", "WINDOWS-1252 ('up,café')"),
}


@pytest.mark.parametrize(("content", "begins", "more"), WRONG_CSV.values(), ids=WRONG_CSV)
def test_wrong_csv(tmp_path: Path, content: str | bytes, begins: str, more: str) -> None:
    said = refused(write(tmp_path, "train.csv", content))
    assert said.startswith(begins), said
    assert more in said


def test_a_first_row_of_an_example_is_no_header(tmp_path: Path) -> None:
    rows = read(write(tmp_path, "train.csv", "up,text\ndown,label\n"))
    assert list(rows.pool.texts) == ["text", "label"]


@pytest.mark.parametrize("head", ["label,text\n", ""], ids=["header", "no header"])
def test_numbers_without_names_are_noted(tmp_path: Path, head: str) -> None:
    notes: list[str] = []
    file = write(tmp_path, "train.csv", f"{head}1,a\n0,b\n")
    list(read_rows(file, "train", "sequence", CLASSES, notes=notes).pool.texts)
    assert notes == [f"{file}: numbers are read as the declared labels: 0 down, 1 up"]


def test_a_number_in_json_is_refused_with_what_to_write(tmp_path: Path) -> None:
    said = refused(write(tmp_path, "train.jsonl", '{"text": "a", "label": 1}\n'))
    assert said.endswith("""not a string; write the label's name in quotes: "down", "up\"""")


def test_wrong_parquet_row_is_named_by_its_number(tmp_path: Path) -> None:
    file = tmp_path / "train.parquet"
    rows = [("a", "up")] * 1500 + [(None, "up")]
    table = pa.table({"text": [text for text, _ in rows], "label": [label for _, label in rows]})
    pq.write_table(table, file)
    assert refused(file).startswith(": row 1501: the text is null, not a string")


def test_numbers_in_parquet_need_names(tmp_path: Path) -> None:
    file = tmp_path / "train.parquet"
    pq.write_table(pa.table({"text": ["a"], "label": [1]}), file)
    assert refused(file).startswith(": row 1: the label is a number, not a string")


def test_broken_parquet(tmp_path: Path) -> None:
    said = refused(write(tmp_path, "train.parquet", b"PAR1 nothing"))
    assert said.startswith(": not a readable Parquet file")


@pytest.mark.parametrize(
    ("content", "begins"),
    [
        ('[{"text": "a", "label": "up"}, 5]', ": row 2: not an object but a number"),
        ('{"text": "a"}', ": holds an object, not an array"),
        ('[\n{"text": "a",}]', ":2: not JSON"),
        (
            '{"text": "a"}\n{"text": "b"}',
            ":2: not JSON (Extra data at column 1); one object a line",
        ),
    ],
)
def test_wrong_json_array(tmp_path: Path, content: str, begins: str) -> None:
    assert refused(write(tmp_path, "train.json", content)).startswith(begins)


# --- tokens ----------------------------------------------------------------------------

CONLL = """-DOCSTART- -X- -X- O

Ada NNP I-NP B-PER
Byron NNP I-NP I-PER
sat VBD I-VP O

-DOCSTART- -X- -X- O


Paris NNP I-NP B-LOC
"""
SENTENCES = [("Ada", "Byron", "sat"), ("Paris",)]
SENTENCE_LABELS = [1, 2, 0, 3]


@pytest.mark.parametrize("name", ["train.conll", "train.txt", "train.iob", "train.bio"])
@pytest.mark.parametrize("tabs", [True, False])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_conll_columns(tmp_path: Path, name: str, tabs: bool, end: str) -> None:
    text = CONLL.replace(" ", "\t") if tabs else CONLL
    rows = read(write(tmp_path, name, b"\xef\xbb\xbf" + text.replace("\n", end).encode()), "token")
    assert list(rows.pool.tokens) == SENTENCES
    assert rows.gold.labels.tolist() == SENTENCE_LABELS


def test_tsv_of_a_token_task_with_and_without_header(tmp_path: Path) -> None:
    columns = write(tmp_path, "train.tsv", "Ada\tB-PER\nByron\tI-PER\nsat\tO\n\nParis\tB-LOC\n")
    assert list(read(columns, "token").pool.tokens) == SENTENCES
    headed = "tokens\ttags\nAda Byron sat\tB-PER I-PER O\nParis\tB-LOC\n"
    assert list(read(write(tmp_path, "test.tsv", headed), "token").pool.tokens) == SENTENCES
    joined = write(tmp_path, "train.csv", headed.replace("\t", ","))
    assert read(joined, "token").gold.labels.tolist() == SENTENCE_LABELS


@pytest.mark.parametrize(
    ("content", "begins"),
    [
        ("Ada B-PER\nsat\n", ":2: 'sat' stands alone; a line has a token and its tag"),
        ("Ada B-PER\nsat X O\n", ":2: 3 columns where the first line has 2"),
        ("a O\n\nAda B-PRE\n", ":3: the task has no tag 'B-PRE'"),
        ("Ada B-PER\nsat I-LOC\n", ":1: tag 2 is I-LOC after B-PER, which IOB2 does not allow"),
        (b"Ada B-PER\nna\xefve O\n", ":2: not UTF-8 (byte 3)"),
        ("\tO\n", ":1: token 1 is empty"),
    ],
)
def test_wrong_conll(tmp_path: Path, content: str | bytes, begins: str) -> None:
    assert refused(write(tmp_path, "train.conll", content), "token").startswith(begins)


def test_conll_is_no_format_of_texts(tmp_path: Path) -> None:
    assert "this is a sequence task" in refused(write(tmp_path, "train.conll", "a O\n"))


# The same mentions, PER PER, LOC, in each scheme.
SCHEMES = {
    "IOB2": "B-PER I-PER B-PER O B-LOC",
    "IOB1": "I-PER I-PER B-PER O I-LOC",
    "IOBES": "B-PER E-PER S-PER O S-LOC",
    "BILOU": "B-PER L-PER U-PER O U-LOC",
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_other_schemes_become_iob2(tmp_path: Path, scheme: str) -> None:
    lines = [f"w{n} {tag}" for n, tag in enumerate(SCHEMES[scheme].split())]
    rows = read(write(tmp_path, "train.conll", "\n".join(lines)), "token")
    assert rows.gold.labels.tolist() == [1, 2, 1, 0, 3]


@pytest.mark.parametrize(
    "tags",
    [
        "B-PER I-PER O E-PER",  # E- that ends nothing
        "S-PER I-PER",
        "B-PER S-PER O",  # B- that goes on to nothing
        "B-PER E-LOC S-PER",
        "S-PER U-PER",  # of two schemes
        "B-PER I-LOC",  # IOB2 by its B-, and wrong in it
        "O I-PER B-LOC",  # neither IOB1 (B- after nothing of its type) nor IOB2
    ],
)
def test_what_fits_no_scheme_is_refused_with_its_row(tmp_path: Path, tags: str) -> None:
    lines = "".join(f"w{n} {tag}\n" for n, tag in enumerate(tags.split()))
    said = refused(write(tmp_path, "train.conll", f"a O\n\n{lines}"), "token")
    assert said.startswith(":3: ")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("B-LOC", ":8: tag 1 is B-LOC after O, which IOB1 does not allow (of the whole file 1 "),
        ("I-PRE", ":8: the task has no tag 'I-PRE'"),
        ("E-PER", ":8: the task has no tag 'E-PER'"),
    ],
)
def test_the_first_row_that_breaks_the_best_scheme_is_named(
    tmp_path: Path, wrong: str, said: str
) -> None:
    text = f"a I-PER\nb B-PER\n\nc I-LOC\nd O\ne I-LOC\n\nf {wrong}\n\ng B-LOC\n"
    told = refused(write(tmp_path, "train.conll", text.replace("g B", "g I")), "token")
    assert told.startswith(said)
    if wrong == "B-LOC":
        assert told.endswith("1 sentence breaks IOB1 and 3 sentences break IOB2)")


def test_an_empty_tag_is_no_tag_of_the_task(tmp_path: Path) -> None:
    file = write(tmp_path, "train.jsonl", '{"tokens": ["a"], "tags": [""]}\n')
    assert refused(file, "token").startswith(":1: the task has no tag ''")
