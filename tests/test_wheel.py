"""What is published: an sdist, the wheel made from it, and every command of it, installed."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.testing.service import ChatServer, running
from tests.commands import done
from tests.support_messages import CATEGORIES, write_messages

ROOT = Path(__file__).parent.parent
ALONE = {"PYTHONPATH": "", "COLUMNS": "100", "OPENAI_API_KEY": "none"}
# Calls in one process, so that torch is imported once: a line of JSON for each, and its outcome.
CALLS = """
import contextlib, io, json, sys
from harness.cli import main
told = sys.stdout
for line in sys.stdin:
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            main(json.loads(line))
    except SystemExit as left:
        print(json.dumps([left.code, said.getvalue()]), file=told, flush=True)
"""
RECIPE = """
summary = "two rows"
[[rows]]
label = "as asked"
[[rows]]
label = "all trusted"
settings = { selector.trust = "all" }
"""
JOBS = """
list recipes                                           | ablations
show config                                            | rounds
plugins                                                | harness_plugins.students
plugins new mine --annotator -o parts                  | plugins check mine
plugins check harness_plugins.recipes.plugin           | 0 broken
audit demo                                             | Relabelled
plan two.toml LITTLE                                   | 2 runs
run --annotator gpt-small LITTLE ASKED                 | R2 +student
run --annotator noisy:0.2 LITTLE                       | R2 +student
sweep two.toml --annotator noisy:0.2 LITTLE            | all trusted
init messages.csv COLUMN --labels a,b --yes -o own     | go on: harness run
label messages.csv COLUMN LABELS -o labelled.csv       | rows are labelled
predict model messages.csv COLUMN -o predicted.csv     | 40 rows in
certify embedding-minilm --gold gold.csv COLUMN        | R2 +student, exported
export RUN --to tasks.json --for label-studio --first 5 | interface: tasks.xml
import back.json --run RUN --to people.jsonl --gold    | people.jsonl
runs                                                   | embedding-minilm.* finished
table --rows annotator                                 | noisy:0.2
compare RUN gpt-small                                  | better +worse
report -o report.html                                  | report.html
cache                                                  | replies
cache export replies.sqlite                            | replies.sqlite
cache prune --yes                                      | removed [0-9]
doctor                                                 | embeds in 384
"""
WORDS = {
    "LITTLE": "--task demo --student tfidf --rounds 1 --limit 60",
    "COLUMN": "--column text=message",
    "LABELS": f"--labels {','.join(CATEGORIES)} --model model --rounds 1 "
    "--set student.preset=plain --set student.epochs=1",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that the sdist makes."""
    place = tmp_path_factory.mktemp("published")
    build = (sys.executable, "-m", "hatchling", "build", "-d", place)
    done(*build, "-t", "sdist", cwd=ROOT)
    (sdist,) = place.glob("freeal_harness-*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(place, filter="data")
    done(*build, "-t", "wheel", cwd=place / sdist.name.removesuffix(".tar.gz"))
    (made,) = place.glob("freeal_harness-*.whl")
    return made


def test_the_wheel_owns_three_packages_and_their_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    owned = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert owned == {"harness", "harness_plugins", "harness_tasks"}
    for name in (
        "harness/py.typed",
        "harness_plugins/students/plugin.py",
        "harness_tasks/subj.toml",
        "harness_tasks/data/demo/train.jsonl",
        "harness_tasks/data/demo-ner/test.jsonl",
    ):
        assert name in names


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a fresh environment with the wheel; what it needs is borrowed from this one."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, with_pip=False)
    pip = (sys.executable, "-m", "pip", "--python", place / "bin/python", "install", "--quiet")
    done(*pip, "--no-deps", "--no-index", wheel, cwd=place)
    (site,) = place.glob("lib/python*/site-packages")
    # Behind the wheel, and so is an editable install that may be there.
    (site / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"], encoding="utf-8")
    return place / "bin/python"


Call = Callable[..., str]


@pytest.fixture
def call(python: Path, tmp_path: Path) -> Iterator[Call]:
    """Calls the installed program, which must go well: what it says on both streams."""
    with subprocess.Popen(
        [python, "-c", CALLS],
        cwd=tmp_path,
        env={**os.environ, **ALONE, "HARNESS_CACHE": str(tmp_path / "cache")},
        encoding="utf-8",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin and process.stdout
        to, back = process.stdin, process.stdout

        def called(*arguments: str) -> str:
            print(json.dumps(arguments), file=to, flush=True)
            code, said = json.loads(back.readline())
            assert code == 0, (arguments, said)
            return str(said)

        yield called


def commands(said: str) -> list[str]:
    """The names of commands in a help text."""
    return re.findall(r"^  ([a-z]+) {2,}\S", said, re.MULTILINE)


def write_files(place: Path) -> None:
    """The files that the jobs name."""
    (place / "two.toml").write_text(RECIPE, encoding="utf-8")
    rows = write_messages(place / "messages.csv", 40)
    known = [(row["message"], row["category"]) for row in rows if row["message"].strip()]
    with (place / "gold.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("message", "gold"), *known])


def people_agree(tasks: Path) -> None:
    """What people send back who find every suggestion right."""
    back = [
        {**task, "id": 1, "annotations": [{"result": task["predictions"][0]["result"]}]}
        for task in json.loads(tasks.read_text(encoding="utf-8"))
    ]
    tasks.with_name("back.json").write_text(json.dumps(back), encoding="utf-8")


@pytest.mark.slow
def test_every_command_helps_and_works_from_the_wheel(
    python: Path, call: Call, tmp_path: Path
) -> None:
    script = "import harness; print(harness.__file__)"
    imported = done(python, "-c", script, cwd=tmp_path, **ALONE)
    assert imported.startswith(str(python.parent.parent))
    listed = commands(done(python.with_name("harness"), "--help", cwd=tmp_path, **ALONE))
    for name in listed:
        inner = commands(call(name, "--help")) if name in ("plugins", "cache") else []
        for command in ([name], *([name, one] for one in inner)):
            assert f"Usage: harness {' '.join(command)}" in call(*command, "--help")
    jobs = [job.split(" | ") for job in JOBS.strip().splitlines()]
    assert {job.split()[0] for job, _ in jobs} == set(listed)
    write_files(tmp_path)
    with running(ChatServer()) as server:
        words = {**WORDS, "ASKED": f"--set annotator.base_url={server.url}"}
        for job, expected in jobs:
            if job.startswith("import"):
                people_agree(tmp_path / "tasks.json")
            said = call(*" ".join(words.get(word, word) for word in job.split()).split())
            assert re.search(expected.strip(), said), (job, said)
            if job.startswith("run "):
                words["RUN"] = said.split()[-1]
