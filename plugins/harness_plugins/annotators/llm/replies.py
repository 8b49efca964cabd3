"""The part of a reply that may hold an answer, or why there is none."""

from __future__ import annotations

import re
from dataclasses import dataclass

EMPTY = "the reply is empty"
FILTERED = "the server filtered the reply"
REFUSED = "the model refused"
CUT = "the reply was cut off before it gave an answer"

_REASONING = "think|thinking|thought|reasoning|analysis|scratchpad|reflection"
_CLOSED = re.compile(rf"<({_REASONING})>.*?</\1>", re.DOTALL | re.IGNORECASE)
_OPENED = re.compile(rf"<(?:{_REASONING})>", re.IGNORECASE)
_CLOSING = re.compile(rf"</(?:{_REASONING})>", re.IGNORECASE)
_FINAL_CHANNEL = "<|channel|>final<|message|>"
_CONTROL = re.compile(r"<\|[^|<>]{1,40}\|>|</?s>|\[/?INST\]")
_RUN_ON = re.compile(r"\n\s*(?:Text|User):")
"""A model without a stop token goes on with a chat of its own, in the form of the prompt."""

_DECLINES = re.compile(
    r"""\bas\ an\ ai\b
    | \b(?:unable|not\ able|impossible|cannot\ be)\ (?:to\ )?(?:\w+ly\ )?
      (?:say|tell|determine|classif|label|categori|answer|assist|help|judge|decide|comply|provide)
    | \bcan(?:not|\ not|['’]t)\ (?:\w+ly\ )?
      (?:say|tell|determine|classif|label|categori|answer|assist|help|judge|decide|comply|provide
        |engage|fulfil|complete)
    | \b(?:won['’]t|will\ not|must\ decline\ to|decline\ to|refuse\ to|have\ to\ decline)\b
    | \b(?:insufficient|not\ enough)\ (?:information|context)\b
    | \bagainst\ (?:my|the|our)\ (?:guidelines|policy|policies)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_APOLOGY = re.compile(r"\b(?:sorry|apologi[sz]e|i can(?:no|['’])t)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Said:
    """What a model said beside its reasoning.

    Attributes:
        text: never empty, no white space around it.
        cut: it reached the limit of tokens, so that the end is missing.
    """

    text: str
    cut: bool


def said(text: str, finish: str) -> Said | str:
    """The part that may hold an answer, or the reason why there is none.

    Reasoning in tags, control tokens and a chat that the model goes on with by itself
    are left out.

    Args:
        text: the raw reply.
        finish: as in ``Reply.finish``.
    """
    if finish == "content_filter":
        return FILTERED
    if finish == "refusal":
        return REFUSED
    cut = finish == "length"
    if "<" in text or "INST]" in text:
        answer = _without_reasoning(text)
        if answer is None:
            return CUT
        text = answer
    text = text.strip()
    run_on = _RUN_ON.search(text)
    if run_on:
        text, cut = text[: run_on.start()].rstrip(), False
    if not text:
        return CUT if cut else EMPTY
    return Said(text, cut)


def is_refusal(text: str) -> bool:
    """The model says that it cannot or will not answer."""
    return _DECLINES.search(text) is not None


def is_apology(text: str) -> bool:
    """It may be a refusal; only where there is no answer, it is one."""
    return _APOLOGY.search(text) is not None or is_refusal(text)


def _without_reasoning(text: str) -> str | None:
    """None where the reasoning never ends."""
    if _FINAL_CHANNEL in text:
        text = text.rpartition(_FINAL_CHANNEL)[2]
    text = _CLOSED.sub("\n", text)
    ends = list(_CLOSING.finditer(text))
    if ends:  # the chat template had opened it
        text = text[ends[-1].end() :]
    if _OPENED.search(text):
        return None
    return _CONTROL.sub(" ", text)
