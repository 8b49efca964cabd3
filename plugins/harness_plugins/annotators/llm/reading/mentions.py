"""Reads the mentions that a reply lists, in the requested JSON or in other usual forms."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness_plugins.annotators.llm.reading.alignment import Mention
from harness_plugins.annotators.llm.reading.json_values import json_values, plain_key
from harness_plugins.annotators.llm.reading.marking import Names
from harness_plugins.annotators.llm.reading.replies import CUT, REFUSED, answer_text, is_apology

_TEXT_KEYS = ("text", "mention", "entity", "name", "span", "word", "value")
_TYPE_KEYS = (
    *("type", "label", "entitytype", "category", "tag", "class", "entitylabel", "entitygroup"),
    *("nertag", "kind", "semantictype"),
)
_PLACE_KEYS = {
    *("start", "end", "begin", "offset", "offsets", "index", "position", "score", "confidence"),
    *("id", "context", "sentence"),
}
"""Keys that do not concern the type: in a task of one type, an object may leave the type out."""
_LIST_KEYS = {
    *("mentions", "entities", "namedentities", "list", "items", "spans", "annotations", "results"),
    *("result", "output", "answer", "answers", "data", "predictions", "response", "names"),
}
_ASKED_FOR = {"text", "type"}
_SPELLED_OUT = {
    "person": "per",
    "people": "per",
    "organization": "org",
    "organisation": "org",
    "location": "loc",
    "miscellaneous": "misc",
}
"""Long forms of CoNLL-2003's abbreviations, for tasks that use the abbreviation."""
_NONE = re.compile(r"(?:there (?:are|is|were) )?(?:no|none|nothing)\b", re.IGNORECASE)
_OF_NONE = frozenset(
    re.findall(
        r"\w+",
        """there are is were was no none nothing any named entity entities mention mentions name
        names found present identified detected mentioned listed in this the given provided
        sentence text passage input list relevant such of or and to here at all""",
    )
)
"""Words of a reply that says that there are no mentions, besides the types of the task."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Mentions in the reply's order, and the number of others, whose type is unknown."""

    mentions: tuple[Mention, ...]
    unknown: int = 0


class MentionReader:
    """Reads lists of mentions of these entity types, in class order."""

    def __init__(self, types: Sequence[str]) -> None:
        self._types, self._names = tuple(types), Names(types)
        folded = [name.casefold() for name in types]
        self._aliases = {
            long: folded.index(short)
            for long, short in _SPELLED_OUT.items()
            if folded.count(short) == 1
        }
        self._only = 0 if len(types) == 1 else None

    def read(self, text: str, finish: str = "stop") -> Listed | str:
        """The mentions, or the reason why there is no complete list."""
        part = answer_text(text, finish)
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
        if self._says_none(part.text):
            return Listed(())
        return "the reply holds no list of mentions that can be read whole"

    def listed(self, value: Any) -> Listed | None:
        """The mentions of a JSON value; None if a part of it cannot be read."""
        if isinstance(value, list):
            return self._list(value)
        return self._object(value) if isinstance(value, dict) else None

    def _lists(self, values: Sequence[Any]) -> list[Listed]:
        if len(values) > 1 and all(isinstance(value, dict) for value in values):
            whole = self._list(values)  # one object a line
            if whole is not None:
                return [whole]
        found = [self.listed(value) for value in values]
        return [listed for listed in found if listed is not None]

    def _list(self, items: Sequence[Any]) -> Listed | None:
        """None if one item cannot be read: an incomplete list is not an answer."""
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
        """Words and type (None: unknown to the task); None if the item is not a mention."""
        kind: Any
        if isinstance(item, dict):
            text, kind = self._fields(item)
        elif isinstance(item, list | tuple) and len(item) == 2:
            text, kind = item
        else:
            text, kind = item, None if self._only is None else self._types[0]
        if not isinstance(text, str) or not isinstance(kind, str) or not text.strip():
            return None
        return text, self._type(kind)

    def _fields(self, item: Mapping[Any, Any]) -> tuple[Any, Any]:
        if item.keys() == _ASKED_FOR:
            return item["text"], item["type"]
        values = {plain_key(key): value for key, value in item.items()}
        words = [key for key in _TEXT_KEYS if key in values]
        kind = next((key for key in _TYPE_KEYS if key in values), "")
        if not kind and len(words) > 1 and "entity" in words:
            kind = "entity"
            words.remove(kind)
        word = words[0] if words else ""
        if not kind and self._only is not None and values.keys() <= {word} | _PLACE_KEYS:
            return values.get(word), self._types[0]
        return values.get(word), values.get(kind)

    def _type(self, name: str) -> int | None:
        """The type of a name as written, in its long form, or after the prefix of a tag."""
        found = self._names.find(name)
        if found is None:
            found = self._aliases.get(name.strip().casefold())
        if found is None and re.match(r"\s*[BIESLU]-", name):
            found = self._type(name.partition("-")[2])
        return found

    def _type_of_key(self, key: str) -> int | None:
        """The type of a key, also in the plural: ``{"diseases": [...]}``."""
        ends = (("", ""), ("s", ""), ("es", ""), ("ies", "y"))
        singular = (key[: len(key) - len(s)] + y for s, y in ends if key.casefold().endswith(s))
        return next((found for one in singular if (found := self._type(one)) is not None), None)

    def _object(self, value: Mapping[Any, Any]) -> Listed | None:
        """From ``{"mentions": [...]}``, one mention, lists by type, or types by mention."""
        one = self._list([value])
        if one is not None:
            return one
        lists = [
            one
            for key, one in value.items()
            if isinstance(one, list) and plain_key(key) in _LIST_KEYS
        ]
        if len(lists) == 1:
            return self._list(lists[0])
        kinds = [self._type(one) if isinstance(one, str) else None for one in value.values()]
        if value and None not in kinds:
            return self._list([list(pair) for pair in value.items()])
        return self._by_type(value)

    def _by_type(self, value: Mapping[Any, Any]) -> Listed | None:
        """From lists of words by type; the words of other types count as unknown."""
        known: list[Mention] = []
        unknown, of_the_task = 0, False
        for key, texts in value.items():
            words = texts if isinstance(texts, list) else [texts]
            if not all(isinstance(word, str) and word.strip() for word in words):
                return None
            kind = self._type_of_key(str(key))
            if kind is None:
                unknown += len(words) if isinstance(texts, list) else 0
            else:
                of_the_task = True
                known += [Mention(word, kind) for word in words]
        if of_the_task or (self._only is not None and unknown):
            return Listed(tuple(known), unknown)
        return None

    def _says_none(self, text: str) -> bool:
        """Whether the reply says that there is none of any type ("No LOC" concerns LOC alone)."""
        if len(text) > 500 or not _NONE.match(text):
            return False
        words = text.casefold()
        named = [name for name in self._types if name.casefold() in words]
        for name in named if len(named) == len(self._types) else ():
            words = re.sub(rf"(?<!\w){re.escape(name.casefold())}(?:e?s)?(?!\w)", " ", words)
        return set(re.findall(r"\w+", words)) <= _OF_NONE
