"""The tutorials of docs/, followed as they are written: their files, then their commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.commands import Outcome, call

FOLDER = Path(__file__).parent.parent / "docs" / "tutorials"
STEP = re.compile(
    r"<!-- example: (?P<file>\S+) -->\n```\w+\n(?P<text>.*?)```"
    r"|<!-- insert into (?P<into>\S+) after: (?P<after>.*?) -->\n```\w+\n(?P<more>.*?)```"
    r"|<!-- more of (?P<part>\S+) -->\n```\w+\n(?P<rest>.*?)```"
    r"|^\$ harness (?P<command>.*?)$",
    re.DOTALL | re.MULTILINE,
)


LITTLE = {"selector": ("--limit 120", "--limit 40")}
"""Fewer texts where no score is looked at."""


def text_of(tutorial: str) -> str:
    """What a page says."""
    return (FOLDER / f"{tutorial}.md").read_text(encoding="utf-8")


@pytest.fixture
def followed(
    alone: None, sweeps_here: None, request: pytest.FixtureRequest
) -> dict[str, list[Outcome]]:
    """What the commands of a tutorial came to, by the command's name."""
    outcomes: dict[str, list[Outcome]] = {}
    for step in STEP.finditer(text_of(request.param)):
        if step["file"]:
            Path(step["file"]).write_text(step["text"], encoding="utf-8")
        elif step["part"]:
            with Path(step["part"]).open("a", encoding="utf-8") as file:
                file.write(step["rest"])
        elif step["into"]:
            written = Path(step["into"]).read_text(encoding="utf-8")
            assert written.count(f"{step['after']}\n") == 1
            changed = written.replace(f"{step['after']}\n", f"{step['after']}\n{step['more']}")
            Path(step["into"]).write_text(changed, encoding="utf-8")
        else:
            done = call(*shlex.split(step["command"].replace(*LITTLE.get(request.param, ("", "")))))
            assert done.code == 0, (step["command"], done)
            outcomes.setdefault(step["command"].split()[0], []).append(done)
    return outcomes


def scores(outcome: Outcome) -> dict[str, float]:
    """The score on the pool of each stage that a run printed."""
    rows = re.findall(r"^(R\d) +\w+ +([\d.]+)", outcome.stdout, re.MULTILINE)
    return {stage: float(score) for stage, score in rows}


@pytest.mark.parametrize("followed", ["annotator"], indirect=True)
def test_a_new_annotator(followed: dict[str, list[Outcome]]) -> None:
    assert all(" 0 broken" in done.stdout for done in followed["plugins"])
    first, fewer, taught = map(scores, followed["run"])
    assert fewer["R1"] < first["R1"] < taught["R1"]  # demonstrations teach it
    rows = re.findall(r"^overlap\W+(\d) ", followed["table"][0].stdout, re.MULTILINE)
    assert rows == ["1", "2"]


@pytest.mark.parametrize("followed", ["selector"], indirect=True)
def test_a_new_selector(followed: dict[str, list[Outcome]]) -> None:
    assert " 0 broken" in followed["plugins"][0].stdout
    table = followed["table"][0].stdout
    assert re.search(r"^surest:0\.8\W+untrusted ", table, re.MULTILINE)
    assert re.search(r"^surest\W+short-first ", table, re.MULTILINE)
    (swept,) = followed["sweep"]
    assert re.search(r"^\W*small loss", swept.stdout, re.MULTILINE)
    assert re.search(r"^\W*surest", swept.stdout, re.MULTILINE)


@pytest.mark.parametrize("followed", ["candidates"], indirect=True)
def test_a_published_method(followed: dict[str, list[Outcome]]) -> None:
    shipped = Path(__file__).parent / "third_party" / "candist.py"
    pieces, whole = (path.read_text("utf-8").split() for path in (Path("candist.py"), shipped))
    assert pieces == whole
    assert followed["plugins"][0].stdout.startswith("4 contracts kept, 0 broken, 0 not checked")
    row = re.compile(r"^R2 +test +240 +([\d.]+) +([\d.]+) ", re.MULTILINE)
    found, printed = row.search(followed["compare"][0].stdout), row.search(text_of("candidates"))
    assert found and printed
    alone, refined = map(float, found.groups())
    assert [alone, refined] == pytest.approx([*map(float, printed.groups())], abs=3)
    assert refined > alone + 3
