"""Which mentions a reply lists: JSON as asked for, and the other forms that say the same."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness_plugins.annotators.llm.alignment import Mention
from harness_plugins.annotators.llm.json_values import json_values
from harness_plugins.annotators.llm.marking import squashed
from harness_plugins.annotators.llm.replies import CUT, REFUSED, is_apology, said

_TEXT_KEYS = ("text", "mention", "entity", "name", "span", "word", "value")
_TYPE_KEYS = ("type", "label", "entitytype", "category", "tag", "class", "entitylabel")
_ASKED_FOR = {"text", "type"}
_SPELLED_OUT = {
    "person": "per",
    "people": "per",
    "organization": "org",
    "organisation": "org",
    "location": "loc",
    "miscellaneous": "misc",
}
"""What the abbreviations of CoNLL-2003 stand for; read where the task has the abbreviation."""
_NONE_SAID = re.compile(
    r"^(?:there (?:are|is) )?(?:no|none)\b[\w \-]{0,60}(?:mention|entit|name|found|sentence|list)?"
    r"[\w \-]{0,40}\.?$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Listed:
    """The mentions of a reply.

    Attributes:
        mentions: in the reply's order, of types that the task has.
        unknown: how many had another type.
    """

    mentions: tuple[Mention, ...]
    unknown: int = 0


class MentionReader:
    """Reads lists of mentions.

    Args:
        types: the entity types, in class order.
    """

    def __init__(self, types: Sequence[str]) -> None:
        self._types = {squashed(name): index for index, name in enumerate(types)}
        for long, short in _SPELLED_OUT.items():
            if short in self._types:
                self._types.setdefault(long, self._types[short])
        self._only = 0 if len(types) == 1 else None

    def read(self, text: str, finish: str = "stop") -> Listed | str:
        """The mentions, or the reason why there is no list that can be read whole."""
        part = said(text, finish)
        if isinstance(part, str):
            return part
        values = [value for value in json_values(part.text) if isinstance(value, dict | list)]
        found = self._lists(values)
        if found:
            if any(other != found[0] for other in found):
                return "the reply holds several lists of mentions"
            return found[0]
        if part.cut:
            return CUT
        if is_apology(part.text):
            return REFUSED
        if "[" not in part.text and "{" not in part.text and _NONE_SAID.match(part.text):
            return Listed(())
        return "the reply holds no list of mentions that can be read whole"

    def listed(self, value: Any) -> Listed | None:
        """The mentions of a JSON value; None if it cannot be read whole."""
        return self._value(value)

    def _lists(self, values: Sequence[Any]) -> list[Listed]:
        if len(values) > 1 and all(isinstance(value, dict) for value in values):
            whole = self._list(values)  # one object a line
            if whole is not None:
                return [whole]
        found = [self._value(value) for value in values]
        return [listed for listed in found if listed is not None]

    def _value(self, value: Any) -> Listed | None:
        if isinstance(value, list):
            return self._list(value)
        return self._object(value) if isinstance(value, dict) else None

    def _list(self, items: Sequence[Any]) -> Listed | None:
        """None if one item cannot be read: half a list is no answer."""
        mentions: list[Mention] = []
        unknown = 0
        for item in items:
            pair = self._item(item)
            if pair is None:
                return None
            text, kind = pair
            if kind is None:
                unknown += 1
            else:
                mentions.append(Mention(text, kind))
        return Listed(tuple(mentions), unknown)

    def _item(self, item: Any) -> tuple[str, int | None] | None:
        """Words and type (None: not one of the task's); None if it is no mention."""
        if isinstance(item, dict) and item.keys() == _ASKED_FOR:
            text, kind = item["text"], item["type"]
        elif isinstance(item, dict):
            values = {squashed(str(key)): value for key, value in item.items()}
            text = next((values[key] for key in _TEXT_KEYS if key in values), None)
            kind = next((values[key] for key in _TYPE_KEYS if key in values), None)
            if kind is None and "entity" in values and text is not values["entity"]:
                kind = values["entity"]
        elif isinstance(item, list | tuple) and len(item) == 2:
            text, kind = item
        elif isinstance(item, str) and self._only is not None:
            text, kind = item, None
        else:
            return None
        if not isinstance(text, str) or not text.strip():
            return None
        if kind is None:
            return None if self._only is None else (text, self._only)
        return (text, self._type(kind)) if isinstance(kind, str) else None

    def _type(self, name: str) -> int | None:
        bare = name.strip()
        return self._types.get(squashed(bare[2:] if bare[:2] in ("B-", "I-") else bare))

    def _object(self, value: Mapping[Any, Any]) -> Listed | None:
        """``{"mentions": [...]}``, one mention, lists by type, or types by mention."""
        one = self._list([value])
        if one is not None:
            return one
        keys = [self._type(str(key)) for key in value]
        if value and None not in keys and all(isinstance(texts, list) for texts in value.values()):
            return self._list([[text, key] for key, texts in value.items() for text in texts])
        lists = [one for one in value.values() if isinstance(one, list)]
        if len(lists) == 1:
            return self._list(lists[0])
        pairs = list(value.items())
        if pairs and all(isinstance(kind, str) and self._type(kind) is not None
                         for _, kind in pairs):  # fmt: skip
            return self._list([list(pair) for pair in pairs])
        return None
