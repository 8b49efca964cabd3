"""What the test server says: a label chosen from the text alone, as a chat completion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zlib import crc32

from harness.testing.prompted import prompted

LABELS = ("negative", "positive")


def last_text(request: Mapping[str, Any]) -> str:
    """The content of the last message: the question of this request."""
    messages = request.get("messages") or [{}]
    return str(messages[-1].get("content", ""))


def answer(request: Mapping[str, Any], labels: tuple[str, ...] = LABELS) -> str:
    """The same answer to the same question, whatever came before.

    To the program's own prompts in the form that they ask for, else one of the labels.
    """
    said = prompted(request) if labels == LABELS else None
    text = last_text(request)
    return labels[crc32(text.encode()) % len(labels)] if said is None else said


def completion(request: Mapping[str, Any], content: str, *, usage: bool = True) -> dict[str, Any]:
    """A chat completion as a server sends it."""
    body: dict[str, Any] = {
        "id": f"chatcmpl-{crc32(last_text(request).encode()):08x}",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": request.get("model", ""),
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content},
                "logprobs": _logprobs(content) if request.get("logprobs") else None,
                "finish_reason": "stop",
            }
        ],
    }
    if usage:
        prompt = sum(len(str(turn.get("content", "")).split()) for turn in request["messages"])
        reply = len(content.split())
        body["usage"] = {
            "prompt_tokens": prompt,
            "completion_tokens": reply,
            "total_tokens": prompt + reply,
        }
    return body


def _logprobs(content: str) -> dict[str, Any]:
    return {"content": [{"token": word, "logprob": -0.25} for word in content.split()]}
