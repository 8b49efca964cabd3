"""The worked examples of tasks/README.md, taken from the page and run as they stand."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.commands import call, succeeded

README = (Path(__file__).parent.parent / "tasks" / "README.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"<!-- example: (\S+) -->\n```\w*\n(.*?)```", README, re.DOTALL))
COMMANDS = re.findall(r"^harness (run --task \S+\.toml --student .*)$", README, re.MULTILINE)


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with every file of the examples, in which commands run."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    return tmp_path


def test_there_are_two_examples_of_three_files_each() -> None:
    assert sorted(FILES) == [
        *("rivers-test.conll", "rivers.conll", "rivers.toml"),
        *("tickets-test.csv", "tickets.csv", "tickets.toml"),
    ]
    assert len(COMMANDS) == 2
    assert all(
        len(text.splitlines()) < 20 for name, text in FILES.items() if name.endswith(".toml")
    )


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[2])
def test_the_example_runs(example: Path, command: str) -> None:
    result = json.loads(succeeded(call(*shlex.split(command), "--json")))
    assert [stage["stage"][0] for stage in result["stages"]] == ["R", "R"]
    train = {"tickets": 8, "rivers": 3}[result["task"]]
    assert result["provenance"]["data"]["sizes"]["train"] == train
    # Both annotators are right on these few rows: the files were read as they are meant.
    assert result["stages"][0]["transductive"]["score"] == 1.0
    assert result["stages"][0]["inductive"]["score"] == 1.0


def test_the_example_is_shown(example: Path) -> None:
    printed = succeeded(call("show", "task", "tickets.toml"))
    assert "The customer writes about money." in printed
    assert "8 examples" in printed
