"""What people expect of a command: version, completion, grouped help, all obstacles at once."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import harness
from harness.cli.grouped import EXAMPLES
from tests.commands import call, message, succeeded
from tests.factories import plugin_file


def test_the_version_and_the_module(tmp_path: Path) -> None:
    said = succeeded(call("--version"))
    assert said == f"harness {harness.__version__}\n"
    command = [sys.executable, "-m", "harness", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == said


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(shell: str) -> None:
    def completed(line: str) -> str:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        asked = {**words, "_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
        environment = {**os.environ, "_HARNESS_COMPLETE": f"complete_{shell}", **asked}
        command = [sys.executable, "-m", "harness"]
        return subprocess.run(command, env=environment, capture_output=True, text=True).stdout

    assert {"plan", "plugins"} <= set(re.findall(r"\w+", completed("harness pl")))
    assert "--annotator" in completed("harness run --anno")

    def words(line: str) -> set[str]:
        return set(re.findall(r"[\w/-]+", completed(line)))

    assert {"oracle", "openai"} <= words("harness label texts.csv --annotator o")
    assert "tfidf" in words("harness run --student tf")
    assert {"freeal", "freeal-paper"} <= words("harness run --selector fr")
    assert "ablations" in words("harness sweep abl")
    assert "trust/agreement" in words("harness show selector trust/a")


def test_help_lists_commands_in_groups_and_those_of_plugins(tmp_path: Path) -> None:
    body = "@hookimpl\ndef harness_register_commands(app):\n    app.command('wave')(lambda: None)\n"
    path = plugin_file(tmp_path / "waving.py", body)
    said = succeeded(call("--help", "--plugin", path))
    groups = re.findall(r"^(\w[\w ]+):$", said, re.MULTILINE)
    assert groups == [
        *("Options", "Benchmark", "Own texts", "Results", "What there is", "Of plugins"),
        "Examples",
    ]
    assert said.index("Of plugins:") < said.index("  wave") < said.index("Examples:")
    for line, _ in EXAMPLES[:4]:
        assert line in said


def test_colours_are_left_out_where_nobody_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.cli.screen.console import PlainConsole

    monkeypatch.setenv("NO_COLOR", "1")
    assert PlainConsole(stderr=False).no_color


def test_all_obstacles_of_a_run_are_named_at_once(
    alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    Path("data").mkdir()
    line = ("run", "--annotator", "gpt-small", "--student", "transformers:absent", "--task", "mr")
    said = message(call(*line, "--data", "data"), 1)
    assert said.startswith("3 obstacles: (1) data/mr: no such folder")
    assert "(2) no key for openai: set OPENAI_API_KEY" in said and "(3) transformers:absent" in said
    said = message(call(*line, "--data", "absent"), 2)
    assert said.startswith("3 obstacles: (1) --data absent: no such folder; (2) no key for openai")
    both = message(call("run", "--annotator", "orcale", "--student", "tfdif"), 2)
    assert both.startswith("2 obstacles: (1) unknown annotator") and "unknown student" in both
    four = ("--annotator", "nope", "--student", "nope2", "--task", "nope3", "--selector", "nope4")
    said = message(call("run", *four), 2)
    assert said.startswith("4 obstacles:") and "unknown selector 'nope4'" in said
    assert "(see harness run --help)" in message(call("run", "--annotatr", "oracle"), 2)
    one = message(call("run", "--annotator", "orcale", "--student", "tfidf"), 2)
    assert one == (
        "unknown annotator 'orcale'; did you mean 'oracle' or 'rules'? "
        "(harness list annotators prints all)"
    )
    assert not Path("results").exists()


def test_a_configuration_file_names_plugins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = (
        "@hookimpl\ndef harness_register_commands(app):\n"
        "    app.command('wave')(lambda: print('hi'))\n"
        "@hookimpl\ndef harness_register_table_formats(register):\n"
        "    register('loud', lambda table: table.title.upper())\n"
    )
    plugin_file(tmp_path / "waving.py", body)
    mine, other = tmp_path / "mine.toml", tmp_path / "run.toml"
    mine.write_text('plugins = ["waving.py"]\n', encoding="utf-8")
    assert "No such command 'wave'" in message(call("wave"), 2)
    monkeypatch.setenv("HARNESS_CONFIG", str(mine))
    assert succeeded(call("wave")) == "hi\n"
    quick = ("--annotator", "oracle", "--student", "tfidf", "--rounds", "1", "--limit", "30")
    out = ("--out", tmp_path / "runs")
    assert call("run", *quick, *out).code == 0
    assert succeeded(call("table", "--format", "loud", *out)).isupper()
    monkeypatch.delenv("HARNESS_CONFIG")
    other.write_text('plugins = ["waving.py"]\nlimit = 30\n', encoding="utf-8")
    assert call("run", *quick, *out, "--config", other).code == 0
    other.write_text('plugins = "waving.py"\n', encoding="utf-8")
    assert "write a list of modules or files" in message(call("run", "--config", other), 2)
    other.write_text('plugins = ["absent.py"]\n', encoding="utf-8")
    said = message(call("run", "--config", other), 2)
    assert f"{other}: plugins: " in said and "absent.py: no such file" in said


def test_a_run_is_shown_result_first(tmp_path: Path) -> None:
    quick = ("--annotator", "oracle", "--student", "tfidf", "--rounds", "1", "--limit", "30")
    assert call("run", *quick, "--out", tmp_path).code == 0
    (run,) = (tmp_path / "demo").iterdir()
    said = succeeded(call("show", "run", run.name, "--out", tmp_path))
    assert said.index("R2") < said.index(str(run)) < said.index("[annotator]")


def test_what_is_kept_is_measured_pruned_and_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "mine"))
    copy, other = tmp_path / "mine/train-0a/examples.arrow", tmp_path / "mine/letters/read.me"
    for file in (copy, other):
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x" * 2_000_000)
    steps = tmp_path / "steps"
    steps.mkdir()
    (steps / "record").write_bytes(b"x" * 1_000_000)
    with closing(sqlite3.connect(tmp_path / "replies.sqlite")) as replies, replies:
        replies.execute("CREATE TABLE replies (text)")
        replies.execute("INSERT INTO replies VALUES ('paid')")
    out = ("--out", tmp_path)
    assert re.search(r"^steps +1\.0 MB +1 files", succeeded(call("cache", *out)), re.MULTILINE)
    data = rf"^data +2\.0 MB +1 files +{tmp_path}/mine$"
    assert re.search(data, succeeded(call("cache", *out)), re.MULTILINE)
    assert succeeded(call("cache", "prune", "--yes", *out)) == "removed 3.0 MB\n"
    assert not steps.exists() and not copy.parent.exists() and other.exists()
    copy = tmp_path / "copy.sqlite"
    succeeded(call("cache", "export", copy, *out))
    with closing(sqlite3.connect(copy)) as copied:
        assert copied.execute("SELECT * FROM replies").fetchall() == [("paid",)]
    assert "is there already" in message(call("cache", "export", copy, *out), 2)
