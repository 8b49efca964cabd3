"""Labels in replies: a table of real-looking ones, and what must hold for any text."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data import ABSTAINED
from harness_plugins.annotators.llm.labels import LabelReader
from tests.label_replies import REPLIES, LabelReply

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


def test_the_table_is_large_enough() -> None:
    answered = Counter(reply.label is not None for reply in REPLIES)
    assert answered[True] >= 100
    assert answered[False] >= 100
    assert len({(reply.labels, reply.text, reply.finish) for reply in REPLIES}) == len(REPLIES)


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
    label, reason = LabelReader(labels).read(text, finish)
    assert -1 <= label < len(labels)
    assert (label == ABSTAINED) == bool(reason)
    if label != ABSTAINED:
        assert finish not in ("refusal", "content_filter")
        assert bare(labels[label]) in bare(text)
        if not bare(labels[label]):
            assert labels[label] in text


@given(st.lists(st.text(min_size=1, max_size=12), min_size=2, max_size=6, unique_by=bare))
def test_any_label_set_reads_its_own_names(labels: list[str]) -> None:
    read = LabelReader(labels).read
    for index, label in enumerate(labels):
        assert read(label).label in (index, ABSTAINED)
