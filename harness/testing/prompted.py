"""Answers in the form that a prompt of the program asks for, made from the text alone."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

WORDS = (
    *("river", "stone", "window", "lamp", "garden", "market", "letter", "cloud", "bridge"),
    *("engine", "paper", "silver", "music", "winter", "doctor", "island", "kitchen", "forest"),
    *("ticket", "mirror", "harbour", "valley", "basket", "painter", "rocket", "sugar"),
)
NAMES = ("Nadia", "Torvald", "Okafor", "Lindqvist", "Marchetti", "Delacroix", "Yamada", "Osei")


def prompted(request: Mapping[str, Any]) -> str | None:
    """The answer, or None where the prompt is not one of the program's."""
    messages = request.get("messages") or [{}]
    system, last = str(messages[0].get("content", "")), str(messages[-1].get("content", ""))
    if order := re.search(r"Write (\d+) new (texts|sentences)", last):
        return _written(int(order[1]), last)
    if "JSON list" in system:
        return _listed(system, last)
    if named := re.search(r"Answer with [^:\n]*nothing else: (.+?)\.(?:\s|$)", system):
        labels = re.split(r", | or ", named[1])
        return labels[crc32(last.encode()) % len(labels)]
    return None


def _listed(system: str, last: str) -> str:
    """Capitalised words as mentions, all of one type: the same for the same sentence."""
    text = last.removeprefix("Text:\n```\n").partition("\n```")[0]
    types = _types(system)
    found = [
        {"text": word, "type": types[crc32(word.encode()) % len(types)]}
        for word in re.findall(r"(?:(?<= )|^)[A-Z][\w]+(?= |$)", text)[:3]
    ]
    return f'{{"mentions": {json.dumps(found)}}}' if '"mentions"' in system else json.dumps(found)


def _types(system: str) -> Sequence[str]:
    if one := re.search(r'"type": "(\w+)"', system):
        return [one[1]]
    named = re.search(r"each type one of (.+?)(?:,| or \[\]|\.)(?: or \[\]|\s|$)", system)
    return re.split(r", | and ", named[1]) if named else ["PER", "ORG", "LOC"]


def _written(count: int, order: str) -> str:
    """Texts of random words, the same for the same order; with mentions where they are asked."""
    rng = random.Random(crc32(order.encode()))
    texts = [" ".join(rng.sample(WORDS, 7)) for _ in range(count)]
    if '"mentions"' not in order:
        return json.dumps(texts)
    kind = re.search(r"mention of the type (\w+) each", order)
    names = [rng.choice(NAMES) if kind else "" for _ in texts]
    return f"[{', '.join(_example(*pair, kind) for pair in zip(texts, names, strict=True))}]"


def _example(text: str, name: str, kind: re.Match[str] | None) -> str:
    marked = [{"text": name, "type": kind[1]}] if kind else []
    whole = f"{text} {name} ." if kind else text
    return f'{{"text": {json.dumps(whole)}, "mentions": {json.dumps(marked)}}}'
