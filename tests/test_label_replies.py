"""Labels in replies: a table of real-looking ones, and what must hold for any text."""

from __future__ import annotations

import json
import random
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data import ABSTAINED
from harness.errors import TaskError
from harness_plugins.annotators.llm.reading.labels import LabelReader
from harness_plugins.annotators.llm.reading.mentions import MentionReader
from tests.label_kinds import KINDS
from tests.label_replies import REPLIES, LabelReply

OF_KINDS = [
    pytest.param(labels, text, label, id=f"{kind}: {text[:40]!r}")
    for kind, by_labels in KINDS.items()
    for labels, by_label in by_labels.items()
    for label, texts in by_label.items()
    for text in texts
]
LABEL_SETS = sorted({reply.labels for reply in REPLIES})
LABEL_SET = st.sampled_from(LABEL_SETS)
GLUE = st.sampled_from(
    [*" .,:;!?/|-–'\"`*_#()[]{}<>\n", "not ", "Label: ", "Answer: ", '{"label": "', '"}', "```",
     "<think>", "</think>", "because ", "but ", " or ", "isn't ", "the ", "\\boxed{",
     "Final answer: "]
)  # fmt: skip
FINISH = st.sampled_from(["stop", "length", "refusal", "content_filter", "", "eos"])


def bare(text: str) -> str:
    """Letters and digits in one case."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: repr(reply.text[:40]))
def test_table(reply: LabelReply) -> None:
    reading = LabelReader(reply.labels).read(reply.text, reply.finish)
    said = None if reading.label == ABSTAINED else reply.labels[reading.label]
    assert said == reply.label, reading
    assert reply.reason in reading.reason
    assert bool(reading.reason) == (reply.label is None)
    assert "\n" not in reading.reason


@pytest.mark.parametrize(("labels", "text", "label"), OF_KINDS)
def test_kinds(labels: tuple[str, ...], text: str, label: str | None) -> None:
    reading = LabelReader(labels).read(text)
    assert (None if reading.label == ABSTAINED else labels[reading.label]) == label, reading
    assert bool(reading.reason) == (label is None)


OPEN = {
    **dict.fromkeys(
        ("positive or neutral", "Positive/neutral", "positive, neutral", "**positive** | neutral"),
        ("positive", "neutral"),
    ),
    **dict.fromkeys(
        ("It may be positive or neutral.", '{"label": "positive or neutral"}',
         "Either positive or neutral, but not negative.", "Answer: positive oder neutral"),
        ("positive", "neutral"),
    ),
    '{"labels": ["neutral", "positive"]}': ("neutral", "positive"),
    **dict.fromkeys(
        ("neither positive nor neutral", "not positive or neutral", "positive and neutral",
         "Is it positive or neutral?", "The text mentions positive, neutral things", "unclear",
         "positive or neutral\nnegative or neutral", "positive"),
        (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", OPEN)
def test_labels_that_a_reply_leaves_open(text: str) -> None:
    labels = ("negative", "neutral", "positive")
    reading = LabelReader(labels).read(text)
    assert tuple(labels[one] for one in reading.alternatives) == OPEN[text]
    assert reading.label == ABSTAINED or not reading.alternatives
    assert not LabelReader(("1", "4", "5")).read("4/5").alternatives


def test_labels_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(TaskError, match="two labels of the task are called 'A'"):
        LabelReader(("A", "B", " A "))


def test_ten_thousand_garbled_replies() -> None:
    rng = random.Random(0)
    replies = [(reply.labels, reply.text) for reply in REPLIES]
    replies += [(param.values[0], param.values[1]) for param in OF_KINDS]  # type: ignore[misc]
    readers = {labels: LabelReader(labels) for labels, _ in replies}
    mentions = MentionReader(("PER", "ORG"))
    for _ in range(10_000):
        labels, text = rng.choice(replies)
        for _ in range(rng.randint(1, 4)):
            text = garbled(text, rng.choice(replies)[1], rng)
        began = time.process_time()
        label, reason, _ = readers[labels].read(text, rng.choice(("stop", "length")))
        mentions.read(text)
        assert time.process_time() - began < 1, text[:100]
        assert (label == ABSTAINED) == bool(reason)


def garbled(text: str, other: str, rng: random.Random) -> str:
    """With something cut out, doubled, put in from another reply, or made much longer."""
    one, two = sorted(rng.choices(range(len(text) + 1), k=2))
    piece = text[one:two]
    noise = "".join(
        rng.choices("\ud800\u200b\u00ad\x00\x1b<>[]{}()\"'`*_#|\\/-:?.,\n 否\u0e31", k=4)
    )
    return rng.choice(
        [
            text[:one] + text[two:],
            text[:two] + piece + text[two:],
            text[:one] + other + text[one:],
            text[:one] + noise + text[one:],
            text[:one] + piece * rng.choice((2, 50, 300)) + text[two:],
            text[:one],
            text[one:] + text[:one],
            text.swapcase(),
        ]
    )[:5_000]


@pytest.mark.parametrize(
    "piece",
    ["label is ", "positive ", "positive: no. ", "is positive, ", "not ", "<think>", "</think>",
     "_", "*", "a_", "!", "\n", "[", "{", "```", "'", '"', "<", "answer: ", "1. ", "是",
     "the most ", "~~", "\u00ad", '{"label": "', "[1,", "\nText:", "&amp;", "(", " - ", "?",
     "assistantfinal"],
)  # fmt: skip
def test_a_reply_of_a_megabyte_is_read_within_a_second(piece: str) -> None:
    text = (piece * (1_000_000 // len(piece)))[:999_000]
    labels, mentions = LabelReader(("negative", "positive")), MentionReader(("PER", "ORG"))
    for read in (labels.read, mentions.read):
        began = time.process_time()
        read(text)
        assert time.process_time() - began < 1
    assert "longer than 1 MB" in labels.read(text + piece * 1_000_000).reason


def test_the_answer_at_the_end_of_a_long_reply_is_read() -> None:
    read = LabelReader(("negative", "positive")).read
    thoughts = "The text is long and I wonder about it. " * 2_000
    assert read(f"{thoughts}\nFinal answer: positive").label == 1
    assert read(f"<think>{thoughts} negative</think>positive").label == 1
    assert "too long" in read(f"{thoughts} It is positive.").reason


@pytest.mark.parametrize("labels", LABEL_SETS, ids=str)
def test_every_label_is_read_in_every_plain_form(labels: tuple[str, ...]) -> None:
    read = LabelReader(labels).read
    for index, label in enumerate(labels):
        for form in ("{}", "{}.", "**{}**", '"{}"', "Label: {}", "Answer: {}\n", "### {}", "`{}`"):
            assert read(form.format(label)).label == index, form.format(label)
        assert read(json.dumps({"label": label})).label == index
        assert read(f"```json\n{json.dumps({'label': label})}\n```").label == index


@pytest.mark.parametrize("labels", LABEL_SETS, ids=str)
def test_two_labels_are_never_decided_between(labels: tuple[str, ...]) -> None:
    read = LabelReader(labels).read
    for one in labels:
        for other in labels:
            if bare(one) in bare(other) or bare(other) in bare(one):
                continue  # one name in the other: not two labels for a reader
            for form in ("{} or {}", "{}/{}", "{}, {}", "Label: {}\nLabel: {}", "{}\n{}"):
                text = form.format(one, other)
                assert read(text).label == ABSTAINED, text


@given(LABEL_SET, st.text(max_size=200), FINISH)
def test_any_text_is_read_without_an_error(labels: tuple[str, ...], text: str, finish: str) -> None:
    check(labels, text, finish)


@settings(max_examples=300)
@given(LABEL_SET, st.data())
def test_no_label_is_answered_that_the_reply_does_not_mention(
    labels: tuple[str, ...], data: st.DataObject
) -> None:
    pieces = st.one_of(GLUE, st.sampled_from(labels), st.text(max_size=5))
    check(labels, "".join(data.draw(st.lists(pieces, max_size=12))), data.draw(FINISH))


def check(labels: tuple[str, ...], text: str, finish: str) -> None:
    label, reason, _ = LabelReader(labels).read(text, finish)
    assert -1 <= label < len(labels)
    assert (label == ABSTAINED) == bool(reason)
    if label != ABSTAINED:
        assert finish not in ("refusal", "content_filter")
        assert bare(labels[label]) in bare(text)
        if not bare(labels[label]):
            assert labels[label] in text


def test_signs_of_regular_expressions_are_names() -> None:
    labels = ("[u", "(a", "*b", "?c", "\\d", "a|")
    assert [LabelReader(labels).read(label).label for label in labels] == list(range(len(labels)))


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=12), min_size=2, max_size=6, unique_by=bare))
def test_any_label_set_reads_its_own_names(labels: list[str]) -> None:
    read = LabelReader(labels).read
    for index, label in enumerate(labels):
        assert read(label).label in (index, ABSTAINED)
