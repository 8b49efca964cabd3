"""Cuts reasoning and control tokens out of a reply, so that only its answer is left."""

from __future__ import annotations

import re
from dataclasses import dataclass

EMPTY = "the reply is empty"
FILTERED = "the server filtered the reply"
REFUSED = "the model refused"
CUT = "the reply was cut off before it gave an answer"
TOO_LONG = "the reply is longer than 1 MB"
LONGEST = 1_000_000
"""Most characters of a reply that is read."""

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
"""Remains of channels whose marks the server removed: "analysisThe ...assistantfinal..."."""
_END = re.compile(
    r"<\|(?:im_end|im_start|eot_id|end|return|endoftext|end_of_text)\|>|<end_of_turn>|</s>"
    r"|<｜end▁of▁sentence｜>"
    r"|\n[^\S\n]*(?:Text|User):"
)
"""After this, a model without a stop token continues the chat with turns of its own."""
_MARKED = re.compile(r"[<◁]|\[/?(?:think|inst)|assistantfinal|analysis|text:|user:", re.I)
"""A reply without a match needs no cutting."""
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
class AnswerText:
    """The text of a reply without its reasoning, stripped; ``cut``: its end is missing."""

    text: str
    cut: bool


def answer_text(text: str, finish: str) -> AnswerText | str:
    """The part of a raw reply that may hold an answer, or the reason why there is none.

    Reasoning in tags or channels, control tokens and further turns of the chat that the model
    made up are removed. For ``finish`` see ``Reply.finish``.
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
    return AnswerText(text, cut)


def is_refusal(text: str) -> bool:
    """Whether the model says that it cannot or will not answer."""
    return _DECLINES.search(text) is not None


def is_apology(text: str) -> bool:
    """Whether a text may be a refusal; it is one only if it holds no answer."""
    return _APOLOGY.search(text) is not None or is_refusal(text)


def _without_reasoning(text: str) -> str | None:
    """The text without reasoning; None if the reasoning does not end.

    An end mark without a beginning (which the chat template wrote) ends all before it.
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
