"""The pages of the site: Markdown files of the repository under their own paths, and references.

A link that works in the repository works on the site, and nothing is copied: a strict build names
each one that leads nowhere.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT), str(ROOT / "plugins"), str(ROOT / "tasks")]

import references  # noqa: E402

QUICK = ("Label my own texts", "Run a benchmark", "Add a part", "Reproduce the paper")
"""Sections of README.md that are the quick start."""
ROOMS = ("harness/", "plugins/", "tasks/", "tests/")
FOLDERS = {"Tutorials": ("docs/tutorials/",), "Rooms": ROOMS, "Results": ("results/",)}
"""Titles of the navigation with the folders whose pages stand there."""


def on_config(config: Any) -> Any:
    """Put the pages of tutorials, rooms and results into the navigation."""
    for entry in config["nav"]:
        if isinstance(entry, dict) and (folders := FOLDERS.get(next(iter(entry)))):
            (title,) = entry
            entry[title] = [path for path in _written() if path.startswith(folders)]
    return config


def on_files(files: Files, config: Any) -> Files:
    """All pages and pictures, each under its path in the repository."""
    theme = [file for file in files if not file.src_uri.endswith((".md", ".svg", ".py"))]
    written = [
        File.generated(config, path, abs_src_path=str(ROOT / path))
        for path in (*_written(), *_paths("docs/**/*.svg"))
    ]
    made = [File.generated(config, path, content=make()) for path, make in MADE.items()]
    return Files([*theme, *written, *made])


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Name the Markdown of the page."""
    return f'{markdown}\n\n<small><a href="{_plain(page)}">This page as Markdown</a></small>\n'


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Write the Markdown of a page next to it."""
    folder = Path(config["site_dir"], page.file.dest_uri).parent
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _plain(page)).write_text(page.file.content_string, encoding="utf-8")
    return output


def _plain(page: Any) -> str:
    return Path(page.file.src_uri).name


def _written() -> list[str]:
    """The Markdown files of the repository that are pages."""
    rooms = [path for room in ROOMS for path in _paths(f"{room}**/README.md")]
    return ["README.md", "CHANGELOG.md", *rooms, *_paths("docs/**/*.md"), *_paths("results/*.md")]


def _paths(pattern: str) -> list[str]:
    return sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern))


def _quick_start() -> str:
    sections = re.split(r"^(?=## )", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.M)
    return "# Quick start\n\n" + "".join(one for one in sections if one[3:].startswith(QUICK))


MADE = {
    "quick-start.md": _quick_start,
    "docs/reference/hooks.md": references.hooks,
    "docs/reference/configuration.md": references.configuration,
    "docs/reference/commands.md": references.commands,
}
