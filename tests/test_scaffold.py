"""``harness plugins new``: what it writes passes its own tests, and works as an installed wheel."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

import harness
from harness.scaffold.writing import PARTS, write_package
from tests.commands import call, done, message, succeeded

ROOT = Path(harness.__file__).resolve().parent.parent
EVERY_PART = (
    *("--annotator", "--service", "--student", "--augmenter", "--task", "--recipe", "--observer"),
    *("--table-format", "--selector", "trust", "--selector", "demonstrations"),
    *("--selector", "query"),
)
TESTED = ("--annotator", "--service", "--selector", "trust", "--task")


def written(tmp_path: Path, name: str, *parts: str) -> Path:
    """A package that the command wrote."""
    printed = succeeded(call("plugins", "new", name, *parts, "-o", tmp_path))
    assert f"next: pip install -e '{tmp_path / name}[dev]', then harness plugins check" in printed
    return tmp_path / name


@pytest.mark.slow
def test_a_package_passes_its_own_tests_and_checks(tmp_path: Path) -> None:
    package = written(tmp_path, "all-parts", *EVERY_PART)
    path = os.pathsep.join([str(package / "src"), *filter(None, sys.path)])
    # mypy reads the harness, too: from the cache of this clone, where it has one.
    given = {"PYTHONPATH": path, "MYPY_CACHE_DIR": str(ROOT / ".mypy_cache")}
    for tool in ("ruff check .", "ruff format --check .", "mypy", "pytest -q"):
        done(sys.executable, "-m", *tool.split(), cwd=package, **given)


def test_each_part_alone_and_the_longest_name_are_formatted(tmp_path: Path) -> None:
    for number, part in enumerate(PARTS):
        write_package(f"p{number}{'x' * 28}"[:30], [part], tmp_path / str(number))
    for tool in ("ruff check .", "ruff format --check ."):
        done(sys.executable, "-m", *tool.split(), cwd=tmp_path)


def test_a_package_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "harness plugins check mine" in succeeded(call("plugins", "new", "mine", "-o", tmp_path))
    for asked in ("mine", "./mine", str(tmp_path / "mine")):
        place = asked if asked.startswith("/") else "./mine"
        (line, _) = call("plugins", "check", asked).stdout.splitlines()
        assert (
            f"a folder with a package, not a module or file.py; install it: pip install -e "
            f"'{place}[dev]'" in line
        )
    again = call("plugins", "new", "mine", "-o", tmp_path)
    assert "is there already" in message(again, 2)
    for name, options, said in (
        ("My Parts", (), "small letters"),
        ("mine2", ("--selector", "trusts"), "role 'trusts' can be written: did you mean 'trust'?"),
    ):
        assert said in message(call("plugins", "new", name, *options, "-o", tmp_path), 2)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.slow
def test_an_installed_package_appears_runs_and_enters_tables(tmp_path: Path) -> None:
    """Wheels of it and of the harness, in a fresh environment that borrows heavy packages."""
    package = written(tmp_path, "my-parts", *TESTED)
    for source in (ROOT, package):
        done(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=source)
    place = tmp_path / "environment"
    venv.create(place, with_pip=False)
    (site,) = place.glob("lib/python*/site-packages")
    wheels = sorted(tmp_path.glob("*.whl"))
    assert len(wheels) == 2
    install = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index")
    done(*install, "--prefix", place, "--ignore-installed", *wheels, cwd=tmp_path)
    # Wheels first on the path: an editable install of the harness is left behind them.
    (site / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"], encoding="utf-8")

    def program(*arguments: str) -> str:
        command = (place / "bin/python", "-m", "harness", *arguments)
        return done(*command, cwd=tmp_path, PYTHONPATH="", COLUMNS="200")

    script = "import harness; print(harness.__file__)\nfrom harness.cli import main; main(['list'])"
    listed = done(place / "bin/python", "-c", script, cwd=tmp_path, PYTHONPATH="")
    assert str(site) in listed
    assert len(re.findall(r"^  (?:trust/)?my-parts(?:-llm)? ", listed, re.MULTILINE)) == 5
    assert "my-parts (my-parts 0.1.0)" in program("plugins")
    quick = ("--student", "tfidf", "--rounds", "1")
    ran = program("run", "--task", "my-parts", "--annotator", "my-parts", *quick,
                  "--set", "selector.trust=my-parts")  # fmt: skip
    assert "my-parts: my-parts + tfidf" in ran
    program("run", "--task", "my-parts", "--annotator", "oracle", *quick)
    table = program("table", "--format", "markdown")
    assert {"my-parts", "oracle"} <= set(re.findall(r"[\w-]+", table))
    assert "| my-parts |" in table and "| oracle† |" in table
