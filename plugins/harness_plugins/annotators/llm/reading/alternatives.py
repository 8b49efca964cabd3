"""Labels that a reply names as alternatives ("positive or neutral"), in its order."""

from __future__ import annotations

import re

from harness_plugins.annotators.llm.reading.marking import MARK, Marker, label_of
from harness_plugins.annotators.llm.reading.stances import CLAUSE, NEGATES, SENTENCE, settled

_OR = (
    r"(?:\s{1,3}|,\s{0,3})(?:or|oder|ou|eller|или|veya|lub|tai)\s{1,3}"
    r"(?:(?:even|else|perhaps|maybe|possibly)\s)?|\s{0,3}(?:或|または|か)\s{0,3}"
)
_SIGN = r"\s{0,3}[/|;,]\s{0,3}"
_RUN = re.compile(rf"{MARK}(?:(?:{_OR}|{_SIGN}){MARK})+", re.IGNORECASE)
_HEDGES = re.compile(
    r"\b(?:may|might|could|can|perhaps|maybe|possibly|potentially|whether|almost|nearly)\b", re.I
)
_ONE = "\ue000"
"""Stands for a run of alternatives while the rest of its sentence is read."""


def alternatives(text: str, marker: Marker) -> tuple[int, ...]:
    """Different labels that a reply leaves open, in the order in which it names them.

    A run of at least two labels with "or" or a slash between them, or separated by commas as the
    whole of a line; denied nowhere, while any other label of the reply is denied. Else ``()``.
    """
    marked = settled(marker.marked(text), marker.plain)
    runs = [one[0] for one in _RUN.finditer(marked) if _open(one, marked, marker)]
    named = [tuple(dict.fromkeys(map(label_of, re.findall(MARK, one)))) for one in runs]
    if not named or len(named[0]) < 2 or any(set(one) != set(named[0]) for one in named):
        return ()
    for run in runs:
        marked = marked.replace(run, _ONE)
    for sentence in SENTENCE.findall(marked):
        for clause in CLAUSE.split(sentence):
            denied = NEGATES.search(_HEDGES.sub("", clause)) is not None
            others = set(map(label_of, re.findall(MARK, clause))) - set(named[0])
            if (denied and _ONE in clause) or (others and not denied):
                return ()
    return named[0]


def _open(run: re.Match[str], text: str, marker: Marker) -> bool:
    """Whether a run of labels leaves open which of them it is."""
    between = [one for one in re.split(MARK, run[0]) if one]
    if any(re.fullmatch(_OR, one, re.IGNORECASE) for one in between):
        return True
    if all(set(one) & set("/|") for one in between):  # "4/5" is a score
        return not {label_of(one) for one in re.findall(MARK, run[0])} & marker.plain
    before = text[text.rfind("\n", 0, run.start()) + 1 : run.start()].rpartition(":")[2]
    return not re.search(r"\w", before + text[run.end() :].partition("\n")[0])
