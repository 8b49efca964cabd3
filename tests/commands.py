"""Calls the program as a user does, in this process or in one of its own."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.cli.app import main

PROGRAM = Path(sys.executable).with_name("harness")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call left behind."""

    code: int
    stdout: str
    stderr: str


def call(*arguments: object) -> Outcome:
    """The program in this process: fast, and everything that it imported stays."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as left,
    ):
        main([str(argument) for argument in arguments])
    code = left.value.code
    assert isinstance(code, int)
    return Outcome(code, out.getvalue(), err.getvalue())


def call_process(*arguments: object, cwd: Path) -> Outcome:
    """The installed program in a process of its own."""
    environment = {key: value for key, value in os.environ.items() if "HARNESS" not in key}
    done = subprocess.run(
        [str(PROGRAM), *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def done(*command: str | Path, cwd: Path, **environment: str) -> str:
    """What a process prints, which must go well."""
    finished = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


FOUND = "harness: note: this run is finished and was not run again; --fresh makes it anew\n"


PROGRESS = re.compile(
    r"^harness: R\d+ (?:annotator|augmenter|student)(?::| done).*\n", re.MULTILINE
)
"""A line of a run's progress."""


def succeeded(outcome: Outcome) -> str:
    """What a call that went well printed; stderr may say progress, and that the run was found."""
    assert outcome.code == 0, outcome
    assert PROGRESS.sub("", outcome.stderr) in ("", FOUND), outcome
    return outcome.stdout


def message(outcome: Outcome, code: int) -> str:
    """The one line that a call which went wrong said on stderr, but for its progress."""
    assert outcome.code == code, outcome
    assert outcome.stdout == ""
    lines = PROGRESS.sub("", outcome.stderr).splitlines()
    assert len(lines) == 1, outcome.stderr
    assert lines[0].startswith("harness: ")
    said = lines[0].removeprefix("harness: ")
    assert said.strip()
    assert "Traceback" not in said
    return said
