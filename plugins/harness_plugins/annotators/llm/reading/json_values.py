"""JSON in the replies of language models: bare, in a fence, or in the middle of prose."""

from __future__ import annotations

import ast
import json
import re
import warnings
from typing import Any

_FENCE = re.compile(r"```[ \t]*\w*[ \t]*\r?\n?(.*?)```", re.DOTALL)
_TRIES = 64
"""Opening brackets to try: prose may be full of them."""
_LONGEST = 100_000
"""Characters of a text that is not JSON but may be a Python literal."""
_OPENING = re.compile(r"[\[{]")
_INSIDE = re.compile(r"\s{0,100}[\[{\"']")
"""What follows the opening bracket of a value, but hardly ever that of a remark in prose."""


def json_values(text: str) -> list[Any]:
    """The JSON values of a reply, in order; nothing is repaired.

    If the whole reply is one value, that value; else the values in fenced blocks; else every
    value in the text. Single quotes and trailing commas are read as in Python. An incomplete
    value does not count, nor does an object with the same key twice.
    """
    whole = _one(text)
    if whole is not None:
        return whole
    blocks = [value for block in _FENCE.findall(text) for value in _block(block.strip())]
    return blocks or _block(text)


def plain_key(key: Any) -> str:
    """The letters and digits of a key, casefolded."""
    return re.sub(r"[\W_]", "", str(key).casefold())


def _block(block: str) -> list[Any]:
    return _one(block) or _embedded(block) or _literal(block)


def _one(text: str) -> list[Any] | None:
    if text[:1] not in ('"', "{", "["):
        return None
    try:
        return [_DECODER.decode(text)]
    except (ValueError, RecursionError):
        return None


def _embedded(text: str) -> list[Any]:
    """Every value in a text; none if one of them is broken, since its parts mean something else."""
    values: list[Any] = []
    position = 0
    for _ in range(_TRIES):
        opening = _OPENING.search(text, position)
        if opening is None:
            return values
        try:
            value, position = _DECODER.raw_decode(text, opening.start())
            values.append(value)
        except (ValueError, RecursionError):
            position = opening.end()
            if _INSIDE.match(text, position):
                return []
    return values


def _literal(text: str) -> list[Any]:
    """A Python literal between the first opening and the last closing bracket."""
    opening = _OPENING.search(text)
    end = max(text.rfind("]"), text.rfind("}")) + 1
    if opening is None or not opening.start() < end <= opening.start() + _LONGEST:
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SyntaxWarning: escapes that Python would not write
            tree = ast.parse(text[opening.start() : end], mode="eval")
        if any(_repeats(node) for node in ast.walk(tree) if isinstance(node, ast.Dict)):
            return []
        value = ast.literal_eval(tree)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return []
    return [value] if isinstance(value, dict | list) else []


def _repeats(node: ast.Dict) -> bool:
    keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
    return len(set(keys)) != len(keys)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse two values for one key: to take one of them would be a guess."""
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key is given twice")
    return values


_DECODER = json.JSONDecoder(strict=False, object_pairs_hook=_object)
