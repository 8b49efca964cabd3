"""Commands that compute nothing start at once: heavy packages wait until a part needs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.commands import PROGRAM

HEAVY = ("torch", "transformers", "datasets", "openai", "litellm", "sklearn")

SCRIPT = """
import contextlib, io, json, sys
from harness.cli import main
with contextlib.redirect_stdout(io.StringIO()) as out:
    try:
        main(sys.argv[1:])
    except SystemExit as left:
        code = left.code
print(json.dumps([code, len(out.getvalue()), sorted(sys.modules)]))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("run", "--help"),
        ("list",),
        ("plugins",),
        ("runs",),
        ("show", "config"),
        ("audit", "demo"),
        ("show", "task", "demo"),
        ("show", "student", "minilm"),
        ("show", "annotator", "gpt35"),
        ("show", "prompt", "--task", "demo-ner", "--annotator", "gpt35"),
    ],
    ids=" ".join,
)
def test_no_heavy_package_is_imported(arguments: tuple[str, ...], tmp_path: Path) -> None:
    printed = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        encoding="utf-8",
    ).stdout
    code, length, modules = json.loads(printed)
    assert code == 0
    assert length > 0
    assert "harness.cli.app" in modules
    assert not set(HEAVY) & set(modules)
    assert "numpy" not in modules or arguments[0] not in ("--help", "run", "list", "plugins")


@pytest.mark.parametrize(("given", "kept"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_waiting_threads_sleep_unless_told_otherwise(given: str | None, kept: str) -> None:
    script = (
        "import atexit, os\n"
        "from harness.cli import main\n"
        "atexit.register(lambda: print(os.environ['OMP_WAIT_POLICY']))\n"
        "main(['list'])\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    if given:
        environment["OMP_WAIT_POLICY"] = given
    printed = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        check=True,
        capture_output=True,
        encoding="utf-8",
    ).stdout
    assert printed.splitlines()[-1] == kept


def test_commands_start_nearly_as_fast_as_their_libraries() -> None:
    libraries = [sys.executable, "-c", "import typer, rich"]
    commands = (libraries, [str(PROGRAM), "--help"], [str(PROGRAM), "list"])
    base, help_, list_ = (min(seconds(one) for _ in range(5)) for one in commands)
    assert help_ < 5 * base
    assert list_ < 6 * base  # typer reads its argument by pydantic: one and a half of these


def seconds(command: Sequence[str]) -> float:
    """Processor time of a process: what other programs take away is no part of it."""
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])
