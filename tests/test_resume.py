"""Killed anywhere, a run goes on from what is recorded and ends with the same numbers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import main
from harness.record.folder import RunFolder
from tests.commands import call
from tests.tiny_encoders import write_bert

HARNESS = Path(sys.executable).with_name("harness")

PLUGIN = '''
"""Counts the work of the parts, and kills its own process at the n-th rename."""
import os
import signal
from pathlib import Path

from harness import hookimpl
from harness_plugins.annotators.simulated import NoisyAnnotator
from harness_plugins.students.tfidf import TfidfStudent
import numpy as np

LEFT = int(os.environ.get("KILL_AFTER", "1000000"))
BEFORE = os.environ.get("KILL_BEFORE") == "1"
replace = Path.replace


def counted_replace(self, target):
    global LEFT
    LEFT -= 1
    if LEFT == 0 and BEFORE:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(self, target)
    if LEFT == 0:
        os.kill(os.getpid(), signal.SIGKILL)


Path.replace = counted_replace


def log(what):
    with open(os.environ["WORK_LOG"], "a") as file:
        file.write(what + "\\n")


class Annotator(NoisyAnnotator):
    def annotate(self, pool, demonstrations, progress, gold):
        round_ = 0 if demonstrations is None or demonstrations.source == "generated" else 1
        said = super().annotate(pool, demonstrations, progress, gold)
        log(f"annotate {pool.split} {round_}")
        return said


class Student(TfidfStudent):
    def fit(self, pool, annotations, seed, progress, aids):
        fitted = super().fit(pool, annotations, seed, progress, aids)
        log(f"fit {seed}")
        return fitted


@hookimpl
def harness_register_annotators(register):
    confusion = np.full((6, 6), 0.05) + 0.7 * np.eye(6)
    register("counted", lambda request: Annotator(confusion, request.seed))


@hookimpl
def harness_register_students(register):
    register("counted", lambda request: Student(len(request.task.classes)))
'''


PARENT = """
import contextlib, io, json, os, sys
from harness.cli.app import main

first = "run --annotator oracle --student tfidf --rounds 1 --limit 30 --out".split()
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main([*first, sys.argv[1]])  # imports all that the others need
for line in sys.stdin:
    asked = json.loads(line)
    if (child := os.fork()) == 0:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.environ.update(asked["environment"])
        main(asked["arguments"])
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Starts:
    """Starts the program in processes that are forked from one: what it imports is there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "counting.py").write_text(PLUGIN)
        self._parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(folder / "first")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )

    def __call__(self, out: str, **environment: str) -> subprocess.CompletedProcess[str]:
        folder, said = self._folder, (self._folder / "out", self._folder / "err")
        parts = ("--annotator", "counted", "--student", "counted", "--limit", "90", "--rounds", "2")
        where = ("--out", str(folder / out), "--plugin", str(folder / "counting.py"), "--json")
        asked = {
            "arguments": ["run", *parts, *where],
            "environment": {"WORK_LOG": str(folder / f"{out}.log"), **environment},
            **dict(zip(("out", "err"), map(str, said), strict=True)),
        }
        assert self._parent.stdin is not None and self._parent.stdout is not None
        self._parent.stdin.write(json.dumps(asked) + "\n")
        self._parent.stdin.flush()
        code = int(self._parent.stdout.readline())
        return subprocess.CompletedProcess([], code, *(file.read_text() for file in said))

    def close(self) -> None:
        self._parent.communicate()


def numbers(result: dict[str, Any]) -> dict[str, Any]:
    """A result without what depends on the clock."""
    kept = {key: value for key, value in result.items() if key not in ("seconds", "provenance")}
    kept["stages"] = [
        {key: value for key, value in stage.items() if key != "seconds"}
        for stage in result["stages"]
    ]
    return kept


def run_folder(out: Path) -> Path:
    return next(out.glob("demo/*"))


@pytest.mark.slow
@pytest.mark.parametrize("before", ["0", "1"])
def test_killed_again_and_again_it_ends_with_the_same_numbers(tmp_path: Path, before: str) -> None:
    with closing(Starts(tmp_path)) as start:
        check_kills(tmp_path, start, before)


def check_kills(tmp_path: Path, start: Starts, before: str) -> None:
    undisturbed = start("whole")
    assert undisturbed.returncode == 0, undisturbed.stderr
    kills = 0
    # Each process lives for a few more renames than the last file needs, so that
    # together they die before and after files of every kind.
    for lives in [3, 4, 5, 6, 7, 8, 9, 5, 7, 1000]:
        done = start("killed", KILL_AFTER=str(lives), KILL_BEFORE=before)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        kills += 1
    assert kills >= 4
    assert done.returncode == 0
    assert numbers(json.loads(done.stdout)) == numbers(json.loads(undisturbed.stdout))
    whole, killed = run_folder(tmp_path / "whole"), run_folder(tmp_path / "killed")
    for name in ("rounds/00/selection.json", "rounds/01/selection.json", "config.toml"):
        assert (whole / name).read_bytes() == (killed / name).read_bytes()
    work = (tmp_path / "killed.log").read_text().splitlines()
    recorded = (tmp_path / "whole.log").read_text().splitlines()
    # A kill between a step's work and its record may repeat that step, never another.
    assert set(work) == set(recorded)
    assert len(work) <= len(recorded) + kills
    again = start("killed")
    assert json.loads(again.stdout) == json.loads(done.stdout)
    assert (tmp_path / "killed.log").read_text().splitlines() == work


def run_here(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["run", *arguments])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


SMALL = ["--annotator", "oracle", "--student", "tfidf", "--limit", "60", "--rounds", "1"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run."""
    out = tmp_path_factory.mktemp("sound") / "runs"
    assert call("run", *SMALL, "--out", out).code == 0
    return out


@pytest.fixture
def copied(sound: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(sound, tmp_path / "copied"))


def test_a_second_process_says_who_holds_the_run(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*SMALL, "--out", str(copied)]
    with RunFolder.held(run_folder(copied)):
        code, out, err = run_here(capsys, *arguments)
    assert code == 1 and out == ""
    assert f"held by process {os.getpid()} on " in err and err.count("\n") == 1


@pytest.mark.parametrize(
    "name",
    [
        "config.toml",
        "manifest.json",
        "rounds/00/annotations.parquet",
        "rounds/00/annotations.test.parquet",
        "rounds/00/view.safetensors",
        "rounds/00/selection.json",
        "result.json",
        "checksums.json",
    ],
)
@pytest.mark.parametrize("damage", ["flipped", "cut"])
def test_a_damaged_file_is_named_and_never_used(
    copied: Path, capsys: pytest.CaptureFixture[str], name: str, damage: str
) -> None:
    arguments = [*SMALL, "--out", str(copied)]
    folder = run_folder(copied)
    if name != "result.json":
        (folder / "result.json").unlink()
    content = (folder / name).read_bytes()
    half = len(content) // 2
    flipped = content[:half] + bytes([content[half] ^ 0xFF]) + content[half + 1 :]
    (folder / name).write_bytes(flipped if damage == "flipped" else content[:half])
    code, out, err = run_here(capsys, *arguments)
    assert code == 1 and out == ""
    assert str(folder / name) in err and err.count("\n") == 1
    if damage == "cut":
        assert run_here(capsys, *arguments, "--fresh")[0] == 0


def test_a_deleted_file_is_computed_again(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*SMALL, "--out", str(copied), "--json"]
    first = json.loads(run_here(capsys, *arguments)[1])
    (run_folder(copied) / "result.json").unlink()
    (run_folder(copied) / "rounds/00/view.safetensors").unlink()
    assert numbers(json.loads(run_here(capsys, *arguments)[1])) == numbers(first)


@pytest.mark.parametrize("name", ["result.json", "manifest.json"])
def test_a_file_of_a_newer_version_is_named(
    copied: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    arguments = [*SMALL, "--out", str(copied)]
    path = run_folder(copied)
    newer = json.loads((path / name).read_text())
    newer["schema"] = 2
    if name != "result.json":
        (path / "result.json").unlink()
    with RunFolder.held(path) as folder:
        folder.write_text(name, json.dumps(newer))
    code, _, err = run_here(capsys, *arguments)
    assert code == 1
    assert f"{path / name}: written by a newer harness (schema 2" in err


@pytest.mark.slow
def test_the_same_command_gives_the_same_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    student = f"transformers:{write_bert(tmp_path / 'bert')}"
    options = ["--student", student, "--limit", "30", "--set", "student.epochs=1", "--json"]
    for out in ("a", "b"):
        code, text, _ = run_here(capsys, *options, "--out", str(tmp_path / out))
        assert code == 0
        found.append(numbers(json.loads(text)))
    assert found[0] == found[1]
    for name in ("rounds/01/selection.json", "rounds/01/annotations.parquet"):
        a, b = run_folder(tmp_path / "a") / name, run_folder(tmp_path / "b") / name
        if name.endswith(".json"):
            assert a.read_bytes() == b.read_bytes()
    views = [run_folder(tmp_path / out) / "rounds/01/view.safetensors" for out in ("a", "b")]
    assert tensors(views[0]) == tensors(views[1])


def tensors(file: Path) -> dict[str, bytes]:
    from safetensors.numpy import load_file

    return {name: tensor.tobytes() for name, tensor in load_file(file).items()}


@pytest.mark.slow
def test_a_run_of_the_embedding_annotator_resumes_to_the_same_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin = tmp_path / "counting.py"
    plugin.write_text(PLUGIN)
    options = ["--annotator", "embedding", "--student", "tfidf", "--limit", "60", "--json"]
    killed = [*options, "--out", str(tmp_path / "killed")]
    done = subprocess.run(
        [str(HARNESS), "run", *killed, "--plugin", str(plugin)],
        env={**os.environ, "WORK_LOG": str(tmp_path / "log"), "KILL_AFTER": "17"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL
    rounds = run_folder(tmp_path / "killed") / "rounds"
    # Between the first round and the second: R3 embeds other texts than R1 did.
    assert (rounds / "00/selection.json").exists() and not (rounds / "01").exists()
    resumed = run_here(capsys, *killed)
    whole = run_here(capsys, *options, "--out", str(tmp_path / "whole"))
    assert resumed[0] == whole[0] == 0
    assert numbers(json.loads(resumed[1])) == numbers(json.loads(whole[1]))


IN_A_DESTRUCTOR = '''
"""Is interrupted while an object's destructor runs, where Python drops what is raised."""
import os
import signal
import time

from harness import hookimpl


class Noticed:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)


class Slow:
    needs_gold = False

    def annotate(self, pool, demonstrations, progress):
        Noticed()
        for _ in range(300):
            time.sleep(0.1)
        raise AssertionError("nothing interrupted")


@hookimpl
def harness_register_annotators(register):
    register("slow", lambda request: Slow())
'''


def test_an_interruption_in_a_destructor_is_not_lost(tmp_path: Path) -> None:
    plugin = tmp_path / "slow.py"
    plugin.write_text(IN_A_DESTRUCTOR)
    command = [HARNESS, "run", "--plugin", plugin, "--annotator", "slow", "--student", "tfidf"]
    command += ["--out", tmp_path / "runs"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 130 and ended.stdout == ""
    assert ended.stderr.splitlines()[-1].startswith("harness: interrupted; the same command")
    assert "Exception ignored" not in ended.stderr


@pytest.mark.slow
def test_an_interruption_is_said_in_one_line(tmp_path: Path) -> None:
    options = ["--limit", "60", "--set", "student.epochs=99", "--out", str(tmp_path)]
    command = [str(HARNESS), "run", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if list(tmp_path.glob("demo/*/rounds/00/annotations.parquet")):
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()  # one that goes on would fail other tests, too
    assert process.returncode == 130 and out == ""
    *doing, last = err.splitlines()
    assert last.startswith("harness: interrupted; the same command goes on")
    assert doing and all(line.startswith("harness: ") for line in doing)
