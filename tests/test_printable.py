"""What others wrote acts on nothing: no terminal, no markup, no spreadsheet; keys stay unsaid."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from harness.data import Label
from harness.export.model_card import model_card
from harness.files.escaping import code_span, latex_row, markdown_row
from harness.files.printable import one_line, printable
from harness.results import load_result
from harness.testing.service import ChatServer, running
from tests.commands import PROGRAM, call, message, succeeded
from tests.factories import sequence_card
from tests.task_files import TASK, texts, write_rows

pytestmark = pytest.mark.usefixtures("alone")

TITLE = "\x1b]0;owned\x07"
ACTS = {
    "title": TITLE,
    "colour": "\x1b[31m",
    "C1": "\x9b31m",
    "next line": "\x85",
    "bell": "\x07",
    "backspace": "\x08\x08",
    "return": "\rover",
    "form feed": "\x0c",
    "delete": "\x7f",
    "bidi": "\u202eabc\u2066",
    "half a pair": "\ud83d",
    "line separator": "\u2028",
}
KEPT = "a [red]b[/red] :smile: 正面 สวัสดี 👩\u200d🚀 e\u0301"
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def safe(text: str) -> str:
    assert not UNSAFE.search(text), ascii(UNSAFE.findall(text))
    return text


@pytest.mark.parametrize("acts", ACTS.values(), ids=ACTS)
def test_what_acts_is_shown_and_stays_the_same_json(acts: str) -> None:
    text = f"{KEPT}\n\t{acts}"
    assert safe(printable(text)).startswith(f"{KEPT}\n\t")
    assert printable(KEPT) == KEPT
    assert json.loads(printable(json.dumps(text, ensure_ascii=False))) == text


@pytest.fixture
def hostile() -> Path:
    """A task whose title, description, labels and texts hold all that acts on a terminal."""
    acts = "".join(one for one in ACTS.values() if one != "\ud83d")  # which no file holds
    declared = TASK.replace('"Mine"', json.dumps(f"Mine {acts} [red]x[/red]"))
    declared = declared.replace('"Something rises."', json.dumps(f"Rises {acts} [bold]y"))
    declared = declared.replace("\x7f", "\\u007f")
    rows = texts(
        *((f"{n} {acts} [link=http://x]z[/link]", ("up", "down")[n % 2]) for n in range(9))
    )
    for split in ("train", "test"):
        write_rows(Path(f"data/my-task/{split}.jsonl"), rows)
    file = Path("my-task.toml")
    file.write_text(declared, encoding="utf-8")
    return file


def commands_on(task: Path) -> dict[str, tuple[object, ...]]:
    of_run = ("--task", task, "--data", "data", "--annotator", "oracle", "--student", "tfidf")
    asked = ("--annotator", "gpt35", "--set", "annotator.base_url=http://127.0.0.1:9/v1")
    return {
        "prompt": ("show", "prompt", task, "--data", "data", *asked),
        "prompt as JSON": ("show", "prompt", task, "--data", "data", "--json", *asked),
        "task": ("show", "task", task, "--data", "data"),
        "audit": ("audit", task, "--data", "data"),
        "audit as JSON": ("audit", task, "--data", "data", "--json"),
        "plan": ("plan", *of_run[:4], *asked),
        "run": ("run", *of_run, "--rounds", "1", "--out", "runs"),
        "runs": ("runs", "--out", "runs"),
        "table": ("table", "--out", "runs"),
    }


def test_no_command_passes_control_characters_on(hostile: Path) -> None:
    for name, arguments in commands_on(hostile).items():
        outcome = call(*arguments)
        assert outcome.code == 0, (name, outcome)
        safe(outcome.stdout + outcome.stderr)
        if "JSON" in name:
            json.loads(outcome.stdout)
        if name == "task":
            assert "[red]x[/red]" in outcome.stdout and "\\u001b]0;owned" in outcome.stdout
        if name == "prompt":
            assert "[link=http://x]" in outcome.stdout and "\\u009b" in outcome.stdout


def test_a_terminal_gets_only_our_own_colours(hostile: Path) -> None:
    commands = commands_on(hostile)
    for name in ("task", "audit", "run"):
        shown = on_terminal(*commands[name])
        ours = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "")
        safe(ours)
        assert "\x1b]" not in shown and "\x07" not in shown
        if name == "task":
            assert "[red]x[/red]" in ours


def on_terminal(*arguments: object) -> str:
    """What the program sends to a terminal, stderr included."""
    ours, theirs = os.openpty()
    words = [str(PROGRAM), *map(str, arguments)]
    environment = {**os.environ, "TERM": "xterm-256color"}
    process = subprocess.Popen(words, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that nobody writes any more
        while piece := os.read(ours, 65536):
            shown += piece
    os.close(ours)
    assert process.wait() == 0, shown
    return shown.decode()


def test_a_refusal_is_printed_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "a-key")
    said = f"bad key {TITLE}{ACTS['C1']}\u202e\r\x08 go away\nharness: all is well"

    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"error": {"message": said}}, status=401)

    server = ChatServer(routes=[web.post("/other/chat/completions", refuse)])
    with running(server) as served:
        address = f"annotator.base_url={served.url.removesuffix('/v1')}/other"
        outcome = call(
            *("run", "--annotator", "gpt35", "--student", "tfidf", "--limit", "5"),
            *("--set", address, "--set", "annotator.key_env=MINE"),
        )
    line = safe(message(outcome, 1))
    assert "bad key" in line and "go away harness: all is well" in line


@pytest.fixture
def key() -> str:
    return f"sk-{secrets.token_hex(16)}"


MISPLACED = (
    *(("--annotator", "{}"), ("--student", "{}"), ("--selector", "{}"), ("--task", "{}")),
    *(("--set", "{}"), ("--set", "{}=3"), ("--set", "task={}"), ("--set", "rounds={}")),
    *(("--{}",), ("{}",), ("--rounds", "{}"), ("--data", "{}"), ("--config", "{}")),
    *(("--plugin", "{}"), ("--annotator", "replay:{}"), ("--set", "student.augmenter={}")),
    ("--annotator", "gpt35", "--set", "annotator.key_env={}"),
    ("--annotator", "gpt35", "--set", "annotator.key_file={}"),
    ("--annotator", "gpt35", "--set", "annotator.timeout={}"),
)


@pytest.mark.parametrize("arguments", MISPLACED, ids=" ".join)
@pytest.mark.parametrize("begins", ["sk-proj-", ""])
def test_a_key_in_the_wrong_place_is_not_repeated(begins: str, arguments: tuple[str, ...]) -> None:
    body = f"1a2{secrets.token_hex(15)}"
    outcome = call("run", "--out", "runs", *(one.format(begins + body) for one in arguments))
    assert body not in message(outcome, 2)
    assert not Path("runs").exists()


ADDRESSES = (
    "http://me:{}@[host",
    "http://me:{}@host:port",
    "//me:{}@host/v1",
    "https://me:{}@host/",
)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("password", ["hunter22", "pa55/w0r:d99@x98", "two55 word5"])
def test_a_password_in_an_address_is_not_repeated(address: str, password: str) -> None:
    given = address.format(password)
    base = ("--annotator", "gpt35", "--set", f"annotator.base_url={given}")
    for arguments in (base, ("--set", f"rounds={given}"), ("--set", given), ("--data", given)):
        said = message(call("run", *arguments), 2)
        assert not any(piece in said for piece in re.split("[/:@ ]", password))


@pytest.mark.parametrize("address", ADDRESSES[:2])
@pytest.mark.parametrize("transport", ["thin", "client"])
def test_a_password_of_a_proxy_is_not_repeated(
    address: str, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", address.format("hunter22/x"))
    monkeypatch.setenv("MINE", "a-key")
    outcome = call(
        *("run", "--annotator", "gpt35", "--student", "tfidf", "--limit", "2"),
        *("--set", "annotator.base_url=http://192.0.2.1/v1", "--set", "annotator.retries=0"),
        *("--set", f"annotator.transport={transport}", "--set", "annotator.key_env=MINE"),
    )
    assert "hunter22" not in message(outcome, outcome.code)


SPARED = (
    "/root/hub/snapshots/" + "0a1b2c3d" * 5 + "/model.json: no such file",
    "results/runs/" + "0a1b2c3d" * 4 + ": damaged",
    "hf download a/b --revision " + "0a1b2c3d" * 5,
    "http://127.0.0.1:8000/v1: refused",
    "unknown annotator 'claude-3-5-sonnet-20241022'",
    "AutoModelForSequenceClassification takes no 'multilingual-e5-large-instruct'",
)


@pytest.mark.parametrize("line", SPARED)
def test_paths_revisions_and_names_are_no_keys(line: str) -> None:
    assert one_line(line) == line


# --- files ---------------------------------------------------------------------------

CELL = "a|b <img src=x onerror=y> `c` *d* _e_ 50% [f](g)\n&amp; \\ {h} $i$ #j ~k^\x1b"


def test_cells_of_markdown_and_latex() -> None:
    row = markdown_row([CELL])
    assert len(re.findall(r"(?<!\\)\|", row)) == 2
    assert "<" not in row and "&amp;amp;" in row and not re.search(r"(?<!\\)[`*_\[]", row)
    cells = latex_row([CELL, "x"])
    assert len(re.findall(r"(?<!\\)&", cells)) == 1 and cells.endswith(r"\\")
    bare = re.sub(r"\\(textbackslash|textasci\w+|textless|textgreater|textbar)\{\}", "", cells)
    assert not re.search(r"(?<!\\)[%_#$~^<>|{}]", bare)
    assert code_span("a``b") == "``` a``b ```" and code_span("minilm") == "`minilm`"


def finished() -> Iterator[Path]:
    yield from Path("runs").rglob("result.json")


def test_tables_and_exports_of_a_run_with_such_names() -> None:
    path = Path("a|b_`c`.jsonl")
    rows = texts(("=cmd|' /C calc'!A0", "up"), ("-1 is cold", "down"), ("plain", "up"))
    write_rows(Path("data/my-task/train.jsonl"), rows)
    write_rows(Path("data/my-task/test.jsonl"), rows[::-1])
    Path("t.toml").write_text(TASK, encoding="utf-8")
    write_rows(path, [{"text": row["text"], "llm_label": row["label"]} for row in rows])
    succeeded(
        call(
            *("run", "--task", "t.toml", "--data", "data", "--annotator", f"replay:{path}"),
            *("--student", "tfidf", "--rounds", "1", "--out", "runs"),
        )
    )
    printed = succeeded(call("table", "--out", "runs", "--format", "markdown"))
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    header, _, row = (len(re.findall(r"(?<!\\)\|", line)) for line in lines)
    assert header == row and r"a\|b\_\`c\`.jsonl" in printed
    assert r"a\textbar{}b\_`c`.jsonl" in succeeded(
        call("table", "--out", "runs", "--format", "latex")
    )
    (file,) = finished()
    run_id = file.parent.name
    for name, more in (("plain.csv", ()), ("safe.csv", ("--spreadsheet",))):
        data = ("--data", "data", "--out", "runs")
        succeeded(call("export", run_id, "--to", name, *data, *more))
    plain, shielded = (
        list(csv.DictReader(Path(file).read_text(encoding="utf-8").splitlines()))
        for file in ("plain.csv", "safe.csv")
    )
    assert sorted(row["text"] for row in plain) == sorted(str(row["text"]) for row in rows)
    for before, after in zip(plain, shielded, strict=True):
        text = before["text"]
        assert after["text"] == (text if text == "plain" else f"'{text}")
        assert {**after, "text": text} == before
    card = sequence_card()
    said = model_card(load_result(file), card, "harness run --annotator 'a```b'")
    assert "`` replay:a|b_`c`.jsonl ``" in said and said.count("\n````\n") == 2


def test_a_spreadsheet_is_a_csv_file() -> None:
    assert "--spreadsheet" in message(call("table", "--spreadsheet"), 2)
    said = message(call("export", "x", "--to", "a.jsonl", "--spreadsheet"), 2)
    assert "FILE.csv" in said


def test_the_description_of_a_label_cannot_leave_its_cell() -> None:
    label = Label("up|", "rises | <img>")
    assert markdown_row((label.name, label.description)) == r"| up\| | rises \| &lt;img> |"
