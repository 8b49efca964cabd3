"""Texts that others wrote, as parts of Markdown, LaTeX and files that a spreadsheet opens."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.files.printable import printable

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet computes a cell that begins so (OWASP, CSV Injection)."""


def markdown(text: str) -> str:
    """The text on one line, none of it read as markup or HTML."""
    text = re.sub(r"([\\`*_\[\]|~])", r"\\\1", printable(" ".join(text.split())))
    return text.replace("&", "&amp;").replace("<", "&lt;")


def markdown_row(cells: Iterable[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(map(markdown, cells))} |"


def code_span(text: str) -> str:
    """The text as inline code, whatever backticks are in it."""
    text, fence = printable(" ".join(text.split())), fence_of(text, 1)
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def fence_of(text: str, least: int = 3) -> str:
    """Backticks that end a piece of code: more than stand anywhere in it."""
    return "`" * max([least, *(len(run) + 1 for run in re.findall("`+", text))])


_LATEX = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "#$%&_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
    }
)


def latex_row(cells: Iterable[str]) -> str:
    """A row of a LaTeX tabular; no cell is read as a command."""
    texts = (printable(" ".join(cell.split())).translate(_LATEX) for cell in cells)
    return rf"{' & '.join(texts)} \\"


def spreadsheet(cell: str) -> str:
    """A cell that a spreadsheet shows, and does not compute: an apostrophe before a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
