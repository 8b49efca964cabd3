"""From replies to the class of each unit: read one reply, or combine several by vote."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.data import ABSTAINED, Kind
from harness.iob2 import Span, spans_of, tags_of
from harness_plugins.annotators.llm.reading.alignment import Repeats, align
from harness_plugins.annotators.llm.reading.labels import LabelReader
from harness_plugins.annotators.llm.reading.mentions import MentionReader
from harness_plugins.llm.calls import Reply

UNKNOWN = math.nan


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reply says: class index of each unit, or () and the reason of an abstention.

    The confidence is in [0, 1]; NaN if unknown. ``candidates`` are the labels that it leaves open.
    """

    units: tuple[int, ...]
    confidence: float = UNKNOWN
    reason: str = ""
    candidates: tuple[int, ...] = ()


class LabelAnswers:
    """Reads labels: from the text of a reply, or from the likelihood of each label.

    Args:
        most: labels that a reply was asked to name at most, the likeliest first.
    """

    def __init__(self, labels: Sequence[str], most: int = 1) -> None:
        self._read, self._count, self._most = LabelReader(labels).read, len(labels), most

    def read(self, reply: Reply, example: str | Sequence[str]) -> Answer:
        """The most likely label if the reply scores labels, else the label that it names.

        Confidence: the label's share of the likelihood, or the probability of the whole
        reply if the server gives it.
        """
        scores = reply.choice_logprobs
        if scores:
            best = max(range(len(scores)), key=scores.__getitem__)
            return Answer((best,), min(1.0, math.exp(scores[best])))
        label, reason, named = self._read(reply.text, reply.finish)
        if label != ABSTAINED:
            return Answer((label,), _probability(reply))
        if 1 < len(named) <= self._most:
            return Answer(named[:1], candidates=named)
        return self._undecided(reason, named)

    def _undecided(self, reason: str, named: tuple[int, ...]) -> Answer:
        """No label; candidates, unless all labels of the task are, which says nothing."""
        return Answer((), reason=reason, candidates=named if 1 < len(named) < self._count else ())

    def vote(self, answers: Sequence[Answer], length: int) -> Answer:
        """The label with most votes, its share as confidence; a tie leaves open which it is."""
        votes = Counter(answer.units[0] for answer in answers if answer.units)
        if not votes:
            return Answer((), reason=_common_reason(answers))
        most = max(votes.values())
        first, *others = (label for label, count in votes.items() if count == most)
        if others:
            reason = f"the vote of {len(answers)} samples is tied"
            return self._undecided(reason, (first, *others))
        return Answer((first,), most / len(answers))


class MentionAnswers:
    """Reads mentions and aligns them to the tokens."""

    def __init__(self, types: Sequence[str], repeats: Repeats = "all") -> None:
        self._read, self._repeats = MentionReader(types).read, repeats

    def read(self, reply: Reply, example: str | Sequence[str]) -> Answer:
        """The mentions that are in the sentence.

        Mentions that are not in it, overlap others or have an unknown type are dropped, and
        the confidence is the share of those kept; if none is left, the answer is an
        abstention. With log-probabilities, the share is multiplied by the geometric mean of
        the mentions' probabilities, so that more mentions do not mean less confidence.
        """
        listed = self._read(reply.text, reply.finish)
        if isinstance(listed, str):
            return Answer((), reason=listed)
        aligned = align(example, listed.mentions, self._repeats)
        named = len(listed.mentions) + listed.unknown
        if named and not aligned.spans and aligned.missing:
            return Answer((), reason="no mention that the reply lists is in the sentence")
        if named and not aligned.spans:
            return Answer((), reason="no mention that the reply lists has a type of the task")
        lost = listed.unknown + len(aligned.missing) + aligned.overlapping
        share = 1 - lost / named if named else 1.0
        probability = _probability(reply, named)
        confidence = share if math.isnan(probability) else share * probability
        return Answer(tags_of(aligned.spans, len(example)), confidence)

    def vote(self, answers: Sequence[Answer], length: int) -> Answer:
        """The mentions that more than half of the samples give (such never overlap).

        Confidence: mean over all mentions of the share of samples that agree with the
        decision on it; 1 if no sample gives any.
        """
        given = [answer for answer in answers if answer.units]
        if 2 * len(given) <= len(answers):
            return Answer((), reason=_common_reason(answers))
        votes: Counter[Span] = Counter(span for one in given for span in spans_of(one.units))
        shares = {span: count / len(answers) for span, count in votes.items()}
        kept = [span for span, share in shares.items() if share > 0.5]
        agreement = [max(share, 1 - share) for share in shares.values()]
        confidence = sum(agreement) / len(agreement) if agreement else len(given) / len(answers)
        return Answer(tags_of(kept, length), confidence)


def answers_for(
    kind: Kind, labels: Sequence[str], repeats: Repeats = "all", most: int = 1
) -> LabelAnswers | MentionAnswers:
    """The reader of replies to a task with these labels or entity types, in class order."""
    return LabelAnswers(labels, most) if kind == "sequence" else MentionAnswers(labels, repeats)


def _probability(reply: Reply, parts: int = 1) -> float:
    """Of the reply, or the geometric mean of its parts."""
    return UNKNOWN if reply.logprob is None else min(1.0, math.exp(reply.logprob / max(1, parts)))


def _common_reason(answers: Sequence[Answer]) -> str:
    return Counter(answer.reason for answer in answers if not answer.units).most_common(1)[0][0]
