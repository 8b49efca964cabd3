"""The part of a reply that may hold an answer, or why there is none."""

from __future__ import annotations

import re
from dataclasses import dataclass

EMPTY = "the reply is empty"
FILTERED = "the server filtered the reply"
REFUSED = "the model refused"
CUT = "the reply was cut off before it gave an answer"
TOO_LONG = "the reply is longer than 1 MB"
LONGEST = 1_000_000
"""Characters of a reply that is read."""

_THOUGHTS = (
    r"(?:\w{1,20}:)?(?:think|thinking|thoughts?|reasoning|analysis|scratchpad|reflection"
    r"|reasoning_scratchpad|thought_process|chain_of_thought|inner_monologue|cot|rationale"
    r"|explanation)"
)
_REASONING = re.compile(
    rf"""(?P<close> <(?:/{_THOUGHTS}|channel\||unused95)>|◁/think▷|\[/think\]
        |<\|(?:/think|end_?(?:of_)?(?:think|thinking|thought))\|>
        |<\|channel\|>\s{{0,3}}final\b(?:[^<>|]{{0,40}})<\|message\|>)
    | <(?:{_THOUGHTS}|unused94)(?:\s[^<>\n]{{0,80}})?>|◁think▷|\[think\]
        |<\|(?:think|(?:start|begin)_?(?:of_)?(?:think|thinking|thought))\|>
        |<\|channel\|?>\s{{0,3}}(?:analysis|commentary|thought)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_BARE_CHANNEL = re.compile(r"\s*analysis(?=[A-Z])")
"""What is left of channels whose marks the server removed: "analysisThe ...assistantfinal..."."""
_END = re.compile(
    r"<\|(?:im_end|im_start|eot_id|end|return|endoftext|end_of_text)\|>|<end_of_turn>|</s>"
    r"|<｜end▁of▁sentence｜>"
    r"|\n[^\S\n]*(?:Text|User):"
)
"""What follows is a chat that a model without a stop token goes on with, in the prompt's form."""
_MARKED = re.compile(r"[<◁]|\[/?(?:think|inst)|assistantfinal|analysis|text:|user:", re.I)
"""Where none of it is, there is nothing to leave out."""
_CONTROL = re.compile(r"<\|[^|<>]{1,40}\|>|</?s>|\[/?INST\]")

_VERBS = (
    r"(?:say|tell|determine|classif|label|categori|answer|assist|help|judge|decide|comply|provide"
    r"|engage|fulfil|complete)"
)
_DECLINES = re.compile(
    rf"""\bas\ an\ ai\b
    | \b(?:unable|not\ able|impossible|cannot\ be)\ (?:to\ )?(?:\w+ly\ )?{_VERBS}
    | \bcan(?:not|\ not|['’]t)\ (?:\w+ly\ )?{_VERBS}
    | \b(?:won['’]t|will\ not|must\ decline\ to|decline\ to|refuse\ to|have\ to\ decline)\b
    | \b(?:insufficient|not\ enough)\ (?:information|context)\b
    | \bagainst\ (?:my|the|our)\ (?:guidelines|policy|policies)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_APOLOGY = re.compile(r"\b(?:sorry|apologi[sz]e|i can(?:no|['’])t)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Said:
    """What a model said apart from its reasoning.

    Attributes:
        text: never empty, no white space around it.
        cut: it reached the limit of tokens, so that the end is missing.
    """

    text: str
    cut: bool


def said(text: str, finish: str) -> Said | str:
    """The part that may hold an answer, or the reason why there is none.

    Reasoning in tags or channels, control tokens and a chat that the model goes on with
    by itself are left out.

    Args:
        text: the raw reply.
        finish: as in ``Reply.finish``.
    """
    if finish in ("content_filter", "refusal"):
        return FILTERED if finish == "content_filter" else REFUSED
    if len(text) > LONGEST:
        return TOO_LONG
    cut = finish == "length"
    if _MARKED.search(text):
        answer = _without_reasoning(text)
        if answer is None:
            return CUT
        text = answer.strip()
        end = _END.search(text)
        if end and _CONTROL.sub("", text[: end.start()]).strip():
            text, cut = text[: end.start()], False
        text = _CONTROL.sub(" ", text)
    text = text.strip()
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
    """None where the reasoning never ends.

    An end without a beginning, which the chat template had written, ends all before it.
    """
    text = text.rpartition("assistantfinal")[2]
    if _BARE_CHANNEL.match(text):
        return None
    kept: list[str] = []
    position, thinking = 0, False
    for found in _REASONING.finditer(text):
        if found["close"] is None:
            if not thinking:
                kept.append(text[position : found.start()])
            thinking = True
            continue
        if not thinking:
            kept.clear()
        position, thinking = found.end(), False
    return None if thinking else "\n".join([*kept, text[position:]])
