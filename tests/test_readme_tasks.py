"""The worked examples of tasks/README.md, taken from the page and run as they stand."""

from __future__ import annotations

import csv
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from tests.commands import call, succeeded
from tests.factories import plugin_file

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


def test_generated_texts_are_not_taken_from_the_data() -> None:
    labels = tomllib.loads(FILES["tickets.toml"])["labels"]
    generated = {text for label in labels for text in label["generated"]}
    assert len(generated) == 4
    for name in ("tickets.csv", "tickets-test.csv"):
        assert generated.isdisjoint(row["text"] for row in csv.DictReader(FILES[name].splitlines()))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[2])
def test_the_example_runs(example: Path, command: str) -> None:
    done = call(*shlex.split(command), "--json")
    notes = done.stderr.splitlines()
    known = ("few labels of RIVER (2)", "with student.epochs=1 no wrong labels are filtered")
    assert done.code == 0 and all(any(one in line for one in known) for line in notes), done
    result = json.loads(done.stdout)
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


def test_a_task_in_another_folder_is_like_any_other(
    example: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example / "elsewhere").mkdir()
    monkeypatch.chdir(example / "elsewhere")
    file = Path("../tickets.toml")  # its [files] are beside it, not here
    assert "8 examples" in succeeded(call("show", "task", file))
    audited = json.loads(succeeded(call("audit", file, "--against", "demo", "--json")))
    assert [(one["split"], one["rows"]) for one in audited["splits"]] == [("train", 8), ("test", 2)]
    assert [other["task"] for other in audited["others"]] == ["demo"]
    arguments = ("--task", file, "--annotator", "gpt-small", "--json")
    planned = json.loads(succeeded(call("plan", *arguments)))
    train = [step["requests"] for step in planned["steps"] if step["what"] == "train"]
    assert train == [8, 8]
    ran = call("run", "--task", file, "--student", "tfidf", "--rounds", 1, "--json")
    assert json.loads(succeeded(ran))["stages"][0]["inductive"]["score"] == 1.0


def test_a_plugin_may_register_a_task_file_of_its_own(example: Path) -> None:
    body = """
from pathlib import Path
from harness_tasks.task import DeclaredTask

FILE = Path(__file__).parent / "tickets.toml"


@hookimpl
def harness_register_tasks(register):
    register("mail", lambda request: DeclaredTask(FILE, request.data), summary="letters")
"""
    plugin = ("--plugin", plugin_file(example / "mail.py", body))
    assert "letters" in succeeded(call("list", "tasks", *plugin))
    assert "8 examples" in succeeded(call("show", "task", "mail", *plugin))
    audited = json.loads(succeeded(call("audit", "mail", *plugin, "--json")))
    assert audited["splits"][0]["rows"] == 8
    arguments = ("--task", "mail", *plugin)
    succeeded(call("plan", *arguments, "--annotator", "gpt-small"))
    ran = call("run", *arguments, "--student", "tfidf", "--rounds", 1, "--json")
    assert json.loads(succeeded(ran))["stages"][0]["inductive"]["score"] == 1.0


PLUGIN = """
import numpy as np
from harness.data import Gold, Label, Pool, TaskCard
from harness.identity import example_ids

TEXTS = ("red apple", "red rose", "blue sea", "blue sky") * 3


class Colours:
    default_annotator = "oracle"
    fingerprint = "1"
    labels = (Label("red", "It is [bold]red."), Label("blue", "It is blue."))
    card = TaskCard("colours", "sequence", "accuracy", labels)

    def load(self, split):
        if split != "validation":
            return Pool("sequence", split, example_ids(split, TEXTS), TEXTS)

    def gold(self, split):
        if split != "validation":
            return Gold(split, np.asarray([0, 0, 1, 1] * 3, dtype=np.int32), np.arange(13))


@hookimpl
def harness_register_tasks(register):
    register("colours", lambda request: Colours())
"""


def test_a_task_of_a_plugin_is_shown_and_run_like_the_others(tmp_path: Path) -> None:
    plugin = plugin_file(tmp_path / "colours.py", PLUGIN)
    printed = succeeded(call("show", "task", "colours", "--plugin", plugin))
    assert "It is [bold]red." in printed
    assert "12 examples; the first: red apple" in printed
    arguments = ("--plugin", plugin, "--student", "tfidf", "--rounds", 1, "--out", tmp_path)
    outcome = call("run", "--task", "colours", *arguments, "--set", "validation=0.25", "--json")
    assert outcome.code == 0, outcome
    result = json.loads(outcome.stdout)
    assert result["provenance"]["data"]["sizes"] == {"train": 8, "test": 12, "validation": 4}
    assert result["stages"][1]["validation"] is not None
