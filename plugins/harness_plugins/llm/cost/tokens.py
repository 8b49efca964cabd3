"""Counts tokens before a request is sent, or where a server gives no usage.

The encodings are those that litellm ships, so nothing is fetched. A model of unknown
encoding is counted with OpenAI's newest: an estimate, usually within a tenth or two.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from hashlib import sha1
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

    from harness_plugins.llm.calls import Call

PER_MESSAGE = 4
"""Tokens around each message of a chat (OpenAI cookbook, "How to count tokens with tiktoken")."""
PRIMING = 3
"""Tokens that begin the answer (same source)."""
CHARACTERS_PER_TOKEN = 4
"""English, roughly; for pacing only."""
MARGIN = 1.1
"""On the counted prompt: a server may put more around a chat, or count by other tokens."""
REPLY_TOKENS = 1024
"""Assumed where a call sets no limit."""

KNOWN_TEXTS = 4096
"""Demonstrations stand in one call after another: they are counted once."""

_SOURCE = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"


@lru_cache(maxsize=KNOWN_TEXTS)
def text_tokens(text: str, model: str) -> int:
    """Number of tokens of a text."""
    encoding = _encoding(_encoding_name(model))
    if encoding is None:
        return -(-len(text) // CHARACTERS_PER_TOKEN)
    return len(encoding.encode(text, disallowed_special=()))


def prompt_tokens(call: Call) -> int:
    """Number of tokens of a call's chat, with what separates its messages."""
    contents = sum(text_tokens(message.content, call.model) for message in call.messages)
    schema = text_tokens(call.response_format, call.model) if call.response_format else 0
    return contents + schema + PER_MESSAGE * len(call.messages) + PRIMING


def quick_tokens(call: Call) -> int:
    """Prompt and reply tokens, by length alone: what a request takes from a pace of tokens."""
    characters = sum(len(message.content) for message in call.messages)
    prompt = characters // CHARACTERS_PER_TOKEN + PER_MESSAGE * len(call.messages) + PRIMING
    return prompt + reply_limit(call)


def reply_limit(call: Call) -> int:
    """Most tokens that a reply can have."""
    parameters = json.loads(call.parameters)
    for name in ("max_completion_tokens", "max_tokens", "max_new_tokens"):
        if isinstance(parameters.get(name), int):
            return int(parameters[name])
    return REPLY_TOKENS


def _encoding_name(model: str) -> str:
    name = model.rsplit("/", 1)[-1]
    return "cl100k_base" if re.match(r"(ft:)?gpt-(3\.5|4(?!o|\.))", name) else "o200k_base"


@lru_cache(maxsize=4)
def _encoding(name: str) -> Encoding | None:
    """The encoding, or None where litellm does not ship it (then nothing is fetched either)."""
    import tiktoken

    spec = importlib.util.find_spec("litellm")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "litellm_core_utils" / "tokenizers"
    if not (folder / sha1(_SOURCE.format(name).encode()).hexdigest()).is_file():
        return None
    with _environment("TIKTOKEN_CACHE_DIR", str(folder)):
        return tiktoken.get_encoding(name)


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
