"""Checks of an installation, each with what it found and what to do."""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.plugin_manager import Plugins
from harness.record.provenance import versions

__all__ = ["Check", "examine"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, whether all is well, and what was found."""

    name: str
    good: bool
    finding: str


def examine(plugins: Plugins) -> Iterator[Check]:
    """Run every check; one that fails does not stop the others."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("python", _python),
        ("packages", _packages),
        ("device", _device),
        ("packaged encoder", _encoder),
        ("working folder", _folder),
        ("plugins", lambda: _plugins(plugins)),
    ]
    for name, check in checks:
        try:
            yield Check(name, True, check())
        except Exception as error:  # a doctor reports what is wrong, whatever it is
            yield Check(name, False, f"{type(error).__name__}: {' '.join(str(error).split())}")


def _python() -> str:
    return sys.version.split()[0]


def _packages() -> str:
    found = versions()
    missing = [name for name, version in found.items() if version is None]
    if missing:
        raise RuntimeError(f"not installed: pip install {' '.join(missing)}")
    if found["litellm"] in ("1.82.7", "1.82.8"):
        raise RuntimeError("this litellm release was malicious: pip install -U litellm")
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return f"GPU {torch.cuda.get_device_name()}"
    return f"CPU, {torch.get_num_threads()} threads (no GPU found)"


def _encoder() -> str:
    # Imported by name: the core does not depend on the built-in plugins.
    module = importlib.import_module("harness_plugins.encoders")
    vectors = module.sentence_encoder().embed(["a test"], lambda done, total: None)
    return f"{module.PACKAGED} embeds in {vectors.shape[1]} dimensions"


def _folder() -> str:
    with tempfile.TemporaryDirectory(dir=Path.cwd()):
        return "can be written"


def _plugins(plugins: Plugins) -> str:
    plugins.all_parts()
    if plugins.problems:
        raise RuntimeError("; ".join(str(problem) for problem in plugins.problems))
    return f"{len(plugins.infos())} plugins, no problem"
