"""What a user installs with the program may be used and passed on as the program itself."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).parents[1] / "pyproject.toml"

COPYLEFT = re.compile(
    r"\b[AL]?GPL|general public licen[cs]e|SSPL|server side public|BUSL|proprietary|commons clause",
    re.IGNORECASE,
)
"""Licences that bind what is built on them. MPL (certifi, tqdm) binds its own files only."""


def licence(found: Distribution) -> str:
    """All that a distribution says of its licence, on one line."""
    about = found.metadata
    said = [about.get("License-Expression") or "", about.get("License") or ""]
    said += [one for one in about.get_all("Classifier") or [] if one.startswith("License ::")]
    return "; ".join(line for text in said for line in text.splitlines()[:1] if line)


def installed_by_users() -> dict[str, Distribution]:
    """Every distribution that the project's own dependencies bring here, by name."""
    declared = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    waiting = [Requirement(text) for text in declared]
    found: dict[str, Distribution] = {}
    seen: set[str] = set()
    while waiting:
        wanted = waiting.pop()
        if str(wanted) in seen:
            continue
        seen.add(str(wanted))
        try:
            one = distribution(wanted.name)
        except PackageNotFoundError as error:
            raise AssertionError(f"{wanted} is declared and not installed") from error
        found[one.metadata["Name"]] = one
        for text in one.requires or []:
            inner = Requirement(text)
            extras = ["", *wanted.extras]
            if inner.marker is None or any(inner.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(inner)
    return found


def test_no_dependency_is_copyleft_or_proprietary() -> None:
    licences = {name: licence(one) for name, one in installed_by_users().items()}
    assert {"torch", "transformers", "litellm", "openai"} <= set(licences)
    assert {name: text for name, text in licences.items() if COPYLEFT.search(text)} == {}


def test_every_dependency_names_a_licence() -> None:
    files = re.compile(r"licen[cs]e|copying", re.IGNORECASE)
    nameless = [
        name
        for name, one in installed_by_users().items()
        if not licence(one) and not any(files.search(str(file)) for file in one.files or [])
    ]
    assert nameless == []
