"""Damaged files and run folders: one clear line, never a traceback, and none hides others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.benchmarks import damaged
from tests.commands import call, message


def test_damaged_files_are_read_or_refused_in_one_line() -> None:
    found, longest = damaged.files(320, seed=1)
    assert {how for _, how in found} == {"read", "refused"}, found
    assert {kind for kind, how in found if how == "read"} >= {".csv", ".tsv", ".jsonl", ".conll"}
    assert longest < 5  # on a busy machine; alone a call takes some hundredths of a second


def test_damaged_folders_are_listed_and_opened_or_refused_in_one_line() -> None:
    found, longest = damaged.folders(60, seed=1)
    assert found["listed", "read"] == 60
    assert {how for _, how in found} == {"read", "refused"}, found
    assert longest < 5


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    out = tmp_path_factory.mktemp("runs")
    arguments = ("--student", "tfidf", "--annotator", "oracle", "--task", "demo", "--rounds", 1)
    assert call("run", *arguments, "--limit", 40, "--out", out).code == 0
    (found,) = out.glob("*/*/result.json")
    return found.parent


def copied(sound: Path, out: Path, name: str) -> Path:
    return Path(shutil.copytree(sound, out / "demo" / name))


@pytest.mark.parametrize(
    ("lost", "command"),
    [
        ("rounds/00/annotations.parquet", ("--to", "a.jsonl")),
        ("rounds/00/annotations.test.parquet", ("--to", "a.jsonl", "--replay")),
        ("rounds/00/view.safetensors", ("--to", "a.jsonl")),
        ("rounds/00/selection.json", ("--to", "a.jsonl")),
        ("config.toml", ("--to", "a.jsonl")),
    ],
)
def test_a_lost_file_of_a_finished_run_is_named(
    sound: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lost: str,
    command: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    run = copied(sound, tmp_path, "one")
    (run / lost).unlink()
    said = message(call("export", run, *command, "--out", tmp_path), 1)
    assert lost in said
    assert "unexpected" not in said
    assert not (tmp_path / "a.jsonl").exists()


def test_a_damaged_run_does_not_hide_the_others(sound: Path, tmp_path: Path) -> None:
    copied(sound, tmp_path, "sound")
    (copied(sound, tmp_path, "a") / "result.json").unlink()
    (tmp_path / "demo/a/result.json").mkdir()
    (copied(sound, tmp_path, "b") / "checksums.json").write_text("[" * 9000)
    (copied(sound, tmp_path, "c") / "config.toml").unlink()
    stopped = copied(sound, tmp_path, "d")
    (stopped / "result.json").unlink()
    (stopped / ".holder.json").write_text(json.dumps({"host": None, "pid": "x"}))
    listed = call("runs", "--out", tmp_path)
    assert listed.code == 0, listed
    for name, state in (("sound", "finished"), ("a", "damaged"), ("b", "damaged")):
        assert any(f"demo/{name} " in line and state in line for line in listed.stdout.splitlines())
    table = call("table", "--out", tmp_path, "--format", "csv")
    assert table.code == 0, table
    assert "left out" in table.stderr
