"""Which response shape of a dialect a request meets."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any

from harness.testing.answers import last_text
from harness.testing.cases import Case, dialect

CHAT_PATH = "chat/completions"


def share_of(share: float) -> Callable[[str], bool]:
    """Whether a text is one of a fixed share (0 to 1) of all texts, chosen by the text alone."""
    return lambda text: zlib.crc32(text.encode()) % 1000 < share * 1000


def played(
    name: str, path: str, body: Mapping[str, Any], served: int, meets: Callable[[str], bool]
) -> Case:
    """The shape of the dialect ``name`` that a request is answered with.

    Args:
        path: a case's name or none, then the protocol's own path.
        served: how often the request's text was asked before.
        meets: which texts meet a case that is not met by all.
    """
    known, text = dialect(name), last_text(body)
    native = not path.split("?")[0].endswith(CHAT_PATH)
    named = [case for case in known.case if path.startswith(f"{case.name}/")]
    fitting = [case for case in known.case if case.native == native and case.outcome != "stop"]
    choice = named or fitting[zlib.crc32(text.encode()) % len(fitting) :][:1]
    for case in choice:
        by_all = bool(named) and case.outcome in ("stop", "adapt")
        if (by_all or meets(text)) and case.applies(body, served):
            return case
    return known.ordinary(native=native)


def chat_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """A request of any protocol with ``messages`` whose contents are texts."""
    turns = body.get("messages") or [
        {"role": turn.get("role"), "content": turn.get("parts")}
        for turn in body.get("contents", ())
    ]
    system = body.get("system") or (body.get("systemInstruction") or {}).get("parts")
    first = [{"role": "system", "content": _text(system)}] if system else []
    messages = [{**turn, "content": _text(turn.get("content"))} for turn in turns]
    return {**body, "messages": [*first, *messages]}


def _text(content: object) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content)
