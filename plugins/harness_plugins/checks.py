"""What ``harness doctor`` tries out for the built-in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import Register
    from harness.protocols import Progress

MALICIOUS = ("1.82.7", "1.82.8")
"""Releases of litellm that pyproject.toml excludes, too."""


@hookimpl
def harness_register_checks(register: Register) -> None:
    """The packaged encoder, and the release of litellm."""
    register("packaged-encoder", _encoder, summary="embeds a text")
    register("litellm", _litellm, summary="is no malicious release")


def _encoder(progress: Progress) -> str:
    from harness_plugins.encoders import PACKAGED
    from harness_plugins.sentences import sentence_encoder

    vectors = sentence_encoder().embed(["a test"], progress)
    return f"{PACKAGED} embeds in {vectors.shape[1]} dimensions"


def _litellm(progress: Progress) -> str:
    from importlib.metadata import version

    found = version("litellm")
    if found in MALICIOUS:
        raise RuntimeError(f"release {found} is malicious: pip install -U litellm")
    return f"{found} is no malicious release"
