"""``harness init``: a file and some answers become a task that ``harness run`` takes at once."""

from __future__ import annotations

import io
import json
import tomllib
from pathlib import Path

import pytest

from tests.commands import call, message
from tests.support_messages import CATEGORIES, write_messages

pytestmark = pytest.mark.usefixtures("alone")
LABELS = ("--labels", ",".join(CATEGORIES), "--column", "text=message")


class Terminal(io.StringIO):
    """Lines that a person types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def file() -> Path:
    write_messages(Path("messages.csv"), 60, known=30)
    return Path("messages.csv")


def test_what_is_written_runs_at_once_and_nothing_is_overwritten(file: Path) -> None:
    options = (*LABELS, "--describe", "praise=thanks", "--student", "tfidf", "--yes", "-o", "mine")
    outcome = call("init", file, *options, "--column", "label=category")
    assert outcome.code == 0, outcome
    assert "58 texts of 60 rows; the first:" in outcome.stdout
    assert "messages.csv:2 [" in outcome.stdout
    assert "- praise: thanks" in outcome.stdout  # the prompt
    declared = tomllib.loads(Path("mine/task.toml").read_text(encoding="utf-8"))
    assert [label["name"] for label in declared["labels"]] == list(CATEGORIES)
    (command,) = [line for line in outcome.stdout.splitlines() if line.startswith("go on: ")]
    done = call(*command.split()[3:], "--json", "--rounds", "1")
    assert done.code == 0, done
    stages = json.loads(done.stdout)["stages"]
    assert stages[-1]["n"] == 58
    assert stages[-1]["transductive"]["n"] == 29
    before = Path("mine/task.toml").read_bytes()
    said = message(call("init", file, "--labels", "a,b", "--yes", "-o", "mine"), 2)
    assert "mine/task.toml: there already; --force overwrites" in said
    assert Path("mine/task.toml").read_bytes() == before
    changed = call("init", file, "--labels", "a,b", "--column", "text=id", "--yes", "--force")
    assert changed.code == 0, changed
    assert Path("task.toml").exists()


def test_it_asks_for_what_is_missing_and_tries_some_rows(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = ["messages.csv", "body", "message", "one", " , ".join(CATEGORIES), "y", "of money"]
    answers += ["", "", "", "", "rulez", "embedding", "tfidf", "y"]
    monkeypatch.setattr("sys.stdin", Terminal("".join(f"{line}\n" for line in answers)))
    outcome = call("init")
    assert outcome.code == 0, outcome
    for asked in ("there is no column 'body'", "name at least two labels", "did you mean 'rules'"):
        assert asked in outcome.stderr
    assert "billing: of money" in outcome.stdout
    assert "R4" in outcome.stdout  # the stages of the try
    (result,) = Path("results/runs/messages").glob("*/result.json")
    assert json.loads(result.read_text(encoding="utf-8"))["stages"][-1]["n"] == 50
    config = tomllib.loads(Path("config.toml").read_text(encoding="utf-8"))
    assert (config["annotator"]["spec"], config["student"]["spec"]) == ("embedding", "tfidf")


def test_input_that_ends_at_a_question_writes_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("messages.csv\n"))
    assert "stopped at a question" in call("init").stderr.splitlines()[-1]
    assert not Path("task.toml").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "no terminal to ask on"),
        (("--yes",), "--yes: name FILE"),
        (("messages.csv", "--yes"), "--yes: say --labels A,B,C"),
        (("messages.csv", *LABELS, "--annotator", "rulez", "--yes"), "did you mean 'rules'"),
        (("messages.csv", "--labels", "a,b", "--column", "text=body", "--yes"), "no column 'body'"),
    ],
)
def test_what_cannot_be_asked_is_refused(file: Path, options: tuple[str, ...], said: str) -> None:
    outcome = call("init", *options)
    assert outcome.code == 2
    assert said in outcome.stderr.splitlines()[-1]
    assert not Path("task.toml").exists()
