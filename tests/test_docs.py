"""The site: its references name all that there is; a strict build finds every link's target."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from pydantic import BaseModel

from harness import hookspecs
from harness.cli.app import build_app
from harness.config import Config
from harness.plugin_manager import Plugins

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def references() -> ModuleType:
    spec = importlib.util.spec_from_file_location("references", ROOT / "docs" / "references.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_hook_is_documented_with_its_signature(references: ModuleType) -> None:
    page = references.hooks()
    for hook in hookspecs.HOOKS:
        (code,) = re.findall(rf"^def {hook}\(([^`]*)\) -> None: \.\.\.$", page, re.MULTILINE)
        names = re.findall(r"(\w+): ", code)
        assert names == list(getattr(hookspecs, hook).__code__.co_varnames)
    assert "- `summary`: one line" in page


def core_keys(model: type[BaseModel], before: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        value = field.get_default(call_default_factory=True)
        if isinstance(value, BaseModel):
            yield from core_keys(type(value), f"{before}{name}.")
        else:
            yield before + name


def test_every_key_is_documented(references: ModuleType) -> None:
    page = references.configuration()
    keys = [*core_keys(Config), *Plugins(third_party=False).keys()]
    assert len(keys) > 60 and len(set(keys)) == len(keys)
    for key in keys:
        (said,) = re.findall(rf"^- \*\*`{re.escape(key)}`\*\*.*?: (.*)$", page, re.MULTILINE)
        assert said.endswith((".", '"')), key
    assert "**`rounds`** (`2`): Rounds of" in page
    assert "(`default: 4, paper: 50, plain: 2-3`): Passes over the pool" in page


def named(command: Any, before: str) -> Iterator[tuple[str, Any]]:
    yield before, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from named(inner, f"{before} {name}")


def test_every_command_is_documented_with_its_options(references: ModuleType) -> None:
    page = references.commands()
    sections = dict(re.findall(r"^## (.*?)\n\n```text\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    found = dict(named(typer.main.get_command(build_app()), "harness"))
    assert set(sections) == set(found) >= {"harness run", "harness cache prune"}
    for name, command in found.items():
        for parameter in command.params:
            assert not parameter.opts[0].startswith("--") or parameter.opts[0] in sections[name]


SHARED = {"plugins/harness_plugins": "plugins", "tasks/harness_tasks": "tasks"}
"""Packages whose page stands one folder up, where a reader of the repository looks."""
FEW = 2
"""Modules of a folder that needs no page of its own."""
FOLDERS = [
    folder
    for package in ("harness", *SHARED)
    for folder in sorted({file.parent for file in (ROOT / package).rglob("*.py")})
]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda one: one.relative_to(ROOT).as_posix())
def test_a_room_has_a_page_that_names_each_of_its_modules(folder: Path) -> None:
    modules = {file.stem for file in folder.glob("*.py")} - {"__init__", "__main__"}
    name = folder.relative_to(ROOT).as_posix()
    page = ROOT / SHARED.get(name, name) / "README.md"
    if page.exists() or len(modules) > FEW:
        text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
        quoted = " ".join(re.findall(r"`([^`]+)`", text))
        assert modules - set(re.findall(r"\w+", quoted)) == set()


@pytest.mark.slow
def test_the_site_is_built_and_each_page_is_also_markdown(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="pip install 'freeal-harness[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = sorted(path.parent for path in tmp_path.rglob("index.html"))
    assert len(pages) > 35
    assert [page for page in pages if not list(page.glob("*.md"))] == []
    quick = (tmp_path / "quick-start" / "quick-start.md").read_text(encoding="utf-8")
    assert quick.count("\n## ") == 4 and "$ harness label" in quick
    assert (tmp_path / "docs" / "loop.svg").is_file()
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert not re.findall(
        r'(?:src|href)="https?://(?!arxiv|squidfunk)[^"]*\.(?:js|css|woff2?)"', html
    )
