"""Contextual calibration (Zhao et al., 2021, "Calibrate Before Use"): without the prompt's bias."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.data import FloatArray
from harness_plugins.llm.calls import Call, canonical

CONTENT_FREE = ("N/A", "[MASK]", "")
"""Texts without content (ibid., section 5)."""


def with_content_free(call: Call, text: str, instead: Sequence[str] = CONTENT_FREE) -> Call:
    """The call with prompts for contextual calibration (Zhao et al., 2021).

    Its choices' probabilities are divided by their mean probability after the same chat with a
    text without content in the question: what the prompt alone suggests.

    Args:
        call: with choices.
        text: the example's text, part of the last message.
        instead: texts that replace it, one prompt each.
    """
    question = call.messages[-1].content
    before, found, after = question.rpartition(text)
    if not found:
        raise ValueError("the call's last message does not contain the text")
    bare = [before + other + after for other in instead]
    parameters = {**json.loads(call.parameters), "content_free": bare}
    return replace(call, parameters=canonical(parameters))


def calibrated(logs: FloatArray, content_free: FloatArray) -> FloatArray:
    """Natural logs ``[choices]`` of p(c) / mean p(c | no content), normalised (ibid., eq. 2).

    Args:
        logs: ``[choices]``, normalised.
        content_free: ``[prompts, choices]``, each row normalised.
    """
    return normalised(logs - np.log(np.exp(content_free).mean(axis=0)))


def normalised(logs: FloatArray) -> FloatArray:
    """Natural logs, shifted so that the values add up to 1."""
    top = logs.max()
    total: FloatArray = logs - (top + np.log(np.exp(logs - top).sum()))
    return total
