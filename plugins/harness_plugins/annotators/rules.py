"""The ``rules`` annotator: patterns and word lists from the task's TOML file.

    [[rules.patterns]]            # a regular expression over the text
    label = "PER"                 # label, or entity type in a token task
    pattern = 'Dr (?P<mention>[A-Z]\\w+)'

    [[rules.lists]]               # words or phrases
    label = "LOC"
    words = ["Porto", "New York"]
    before_capitals = true        # token tasks: the mention goes on over capitalised words

Token tasks: a pattern is matched against the tokens joined by single spaces; its
group ``mention``, or else the whole match, is the mention, extended to whole tokens.
Rules apply in the order of the file; a token belongs to the first that matches it. Given
demonstrations, their mentions are a word list that comes first: so this annotator learns from a
student.

Sequence tasks: each rule that matches is a vote for its label; the most votes win, a
tie or no vote abstains. Words match whole words, case-insensitively.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import regex as re

from harness.data import ABSTAINED, Annotations, Demonstrations, Pool, TaskCard
from harness.errors import CommandError, TaskError, nearest
from harness.iob2 import spans_of
from harness.protocols import AnnotatorRequest, Progress

_KEYS = {"patterns": ("label", "pattern"), "lists": ("label", "words", "before_capitals")}


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled rule and the index of its label."""

    label: int
    pattern: re.Pattern


class RulesAnnotator:
    """Labels by rules."""

    needs_gold: Literal[False] = False

    def __init__(self, rules: Sequence[Rule], task: TaskCard) -> None:
        self._rules, self._task = tuple(rules), task

    @classmethod
    def from_request(cls, request: AnnotatorRequest) -> RulesAnnotator:
        """The annotator of a task's own rules."""
        request.spec.no_argument()
        request.spec.check_options()
        if not request.task.rules:
            raise CommandError(
                f"task {request.task.name!r} has no [rules]; choose another annotator"
            )
        return cls(list(_compiled(request.task.rules, request.task)), request.task)

    def annotate(
        self, pool: Pool, demonstrations: Demonstrations | None, progress: Progress
    ) -> Annotations:
        """Label each example by the rules that match it."""
        if self._task.kind == "sequence":
            return self._annotate_texts(pool, progress)
        rules = (*_mentions_shown(demonstrations), *self._rules)
        labels = np.concatenate([_tagged(tokens, rules) for tokens in pool.tokens])
        progress(len(pool), len(pool))
        return Annotations.of(labels, pool.offsets)

    def _annotate_texts(self, pool: Pool, progress: Progress) -> Annotations:
        labels = np.full(len(pool), ABSTAINED, dtype=np.int32)
        confidence = np.full(len(pool), np.nan, dtype=np.float32)
        reasons = []
        for row, text in enumerate(pool.texts):
            votes = Counter(rule.label for rule in self._rules if rule.pattern.search(text))
            best = votes.most_common(2)
            if not best or (len(best) == 2 and best[0][1] == best[1][1]):
                reasons.append("rules disagree" if best else "no rule matches")
                continue
            reasons.append("")
            labels[row] = best[0][0]
            confidence[row] = best[0][1] / votes.total()
        progress(len(pool), len(pool))
        return Annotations.of(labels, pool.offsets, confidence=confidence, reasons=reasons)


def _mentions_shown(demonstrations: Demonstrations | None) -> Iterator[Rule]:
    """Word lists from the mentions in demonstrations; a phrase of two types goes to the first."""
    if demonstrations is None:
        return
    pool = demonstrations.examples
    counts: dict[str, Counter[int]] = {}
    for row, tokens in enumerate(pool.tokens):
        labels = demonstrations.labels[pool.offsets[row] : pool.offsets[row + 1]]
        for begin, end, kind in spans_of(labels.tolist()):
            counts.setdefault(" ".join(tokens[begin:end]), Counter())[kind] += 1
    for text, votes in sorted(counts.items(), key=lambda item: (-len(item[0]), item[0])):
        yield Rule(votes.most_common(1)[0][0], _phrase([text]))


def _tagged(tokens: Sequence[str], rules: Sequence[Rule]) -> np.ndarray[Any, Any]:
    """int32 ``[len(tokens)]``: IOB2 classes of one sentence."""
    text = " ".join(tokens)
    starts = np.cumsum([0, *(len(token) + 1 for token in tokens)])
    labels = np.zeros(len(tokens), dtype=np.int32)
    taken = np.zeros(len(tokens), dtype=bool)
    for rule in rules:
        for match in rule.pattern.finditer(text):
            group = "mention" if "mention" in rule.pattern.groupindex else 0
            begin, end = match.span(group)
            found = text[begin:end]
            begin, end = end - len(found.lstrip()), begin + len(found.rstrip())
            if begin >= end:
                continue
            first = int(np.searchsorted(starts, begin, side="right")) - 1
            last = int(np.searchsorted(starts, end - 1, side="right"))
            if taken[first:last].any():
                continue
            taken[first:last] = True
            labels[first:last] = 2 + 2 * rule.label
            labels[first] = 1 + 2 * rule.label
    return labels


def _compiled(rules: Mapping[str, Any], task: TaskCard) -> Iterator[Rule]:
    names = [label.name for label in task.labels]
    for section, entries in rules.items():
        if section not in _KEYS:
            raise TaskError(
                f"task {task.name!r}: unknown key 'rules.{section}'; {nearest(section, _KEYS)}"
            )
        if not isinstance(entries, list):
            raise TaskError(f"task {task.name!r}: write [[rules.{section}]] with double brackets")
        for number, entry in enumerate(entries, start=1):
            where = f"task {task.name!r}: rules.{section}, entry {number}"
            for key in entry:
                if key not in _KEYS[section]:
                    raise TaskError(f"{where}: unknown key {key!r}; {nearest(key, _KEYS[section])}")
            if entry.get("label") not in names:
                raise TaskError(
                    f"{where}: no label {entry.get('label')!r} in the task; "
                    f"{nearest(str(entry.get('label')), names)}"
                )
            label = names.index(entry["label"])
            make = _regex if section == "patterns" else _words
            yield Rule(label, make(entry, task, where))


def _regex(entry: Mapping[str, Any], task: TaskCard, where: str) -> re.Pattern:
    pattern = entry.get("pattern")
    if not isinstance(pattern, str) or not pattern:
        raise TaskError(f"{where}: 'pattern' must be a text that is not empty")
    try:
        return re.compile(pattern)
    except re.error as error:
        raise TaskError(f"{where}: not a regular expression: {error}") from None


def _words(entry: Mapping[str, Any], task: TaskCard, where: str) -> re.Pattern:
    words = entry.get("words")
    if not (isinstance(words, list) and words and all(map(_is_word, words))):
        raise TaskError(f"{where}: 'words' must be a list of words, at least one")
    if task.kind == "token":
        return _phrase(words, before_capitals=bool(entry.get("before_capitals", False)))
    return re.compile(rf"(?<!\w)(?:{_longest_first(words)})(?!\w)", re.IGNORECASE)


def _phrase(words: Sequence[str], *, before_capitals: bool = False) -> re.Pattern:
    more = r"(?: \p{Lu}[\w'-]+)*" if before_capitals else ""
    return re.compile(rf"(?<!\S)(?:{_longest_first(words)}){more}(?!\S)")


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _longest_first(words: Sequence[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
