"""Every response shape of every dialect, through each backend that can meet it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from harness.testing.cases import Case, Outcome, dialect, dialect_names
from harness.testing.service import ChatServer, running
from tests.zoo import KEYS, backends_of, mistake, play

SHAPES = [
    pytest.param(name, case, by, id=f"{name}-{case.name}-{by}")
    for name in dialect_names()
    for case in dialect(name).case
    for by in backends_of(case)
]


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with running(ChatServer(keep_bodies=True)) as started:
        yield started


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Failures are sent again at once; every provider finds a key."""
    monkeypatch.setattr("harness_plugins.llm.send.retries.FIRST_SECONDS", 0.02)
    monkeypatch.chdir(tmp_path)
    for variable in KEYS:
        monkeypatch.setenv(variable, "a-key-of-the-zoo")


@pytest.mark.parametrize(("name", "case", "by"), SHAPES)
def test_what_comes_of_a_shape_is_right(
    name: str, case: Case, by: str, server: ChatServer, tmp_path: Path
) -> None:
    assert mistake(case, play(server, name, dialect(name), case, by, tmp_path)) == ""


def test_the_zoo_is_complete() -> None:
    shapes = [case for name in dialect_names() for case in dialect(name).case]
    assert len(dialect_names()) == 12
    assert len(shapes) >= 120
    assert {case.outcome for case in shapes} == set(get_args(Outcome))
    assert all(
        case.source.startswith("https://") or case.source == "constructed" for case in shapes
    )
    assert sum(case.source != "constructed" for case in shapes) >= 120
