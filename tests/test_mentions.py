"""Mentions in replies, and their way back to the tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data import offsets_of
from harness.iob2 import first_invalid, spans_of, tags_of
from harness_plugins.annotators.llm.alignment import Mention, align
from harness_plugins.annotators.llm.mentions import MentionReader
from tests.factories import random_iob2

DATA = Path(__file__).parents[1].parent / "shared" / "data"
TYPES = ("PER", "ORG", "LOC", "MISC")
CLASSES = ("O", *(f"{prefix}-{name}" for name in TYPES for prefix in "BI"))

EU = [("EU", "ORG"), ("German", "MISC")]
LISTED: dict[str, Sequence[tuple[str, str]]] = {
    '[{"text": "EU", "type": "ORG"}, {"text": "German", "type": "MISC"}]': EU,
    '{"mentions": [{"text": "EU", "type": "ORG"}, {"text": "German", "type": "MISC"}]}': EU,
    '{"entities": [{"entity": "EU", "label": "ORG"}, {"name": "German", "category": "misc"}]}': EU,
    '```json\n[{"text": "EU", "type": "ORG"}, {"text": "German", "type": "MISC"}]\n```': EU,
    '```\n[\n {"text": "EU", "type": "ORG"},\n {"text": "German", "type": "MISC"},\n]\n```': EU,
    'The list:\n[{"text": "EU", "type": "ORG"}, {"text": "German", "type": "MISC"}]\nDone.': EU,
    "[{'text': 'EU', 'type': 'ORG'}, {'text': 'German', 'type': 'MISC'}]": EU,
    '[{"text": "EU", "type": "ORG"}, {"text": "German", "type": "MISC"},]': EU,
    '{"text": "EU", "type": "ORG"}\n{"text": "German", "type": "MISC"}': EU,
    '[["EU", "ORG"], ["German", "MISC"]]': EU,
    '{"EU": "ORG", "German": "MISC"}': EU,
    '{"ORG": ["EU"], "MISC": ["German"], "PER": []}': EU,
    '[{"text": "EU", "type": "B-ORG"}, {"text": "German", "type": "Miscellaneous"}]': EU,
    '[{"text": "EU", "type": "Organization"}, {"text": "German", "type": "MISC", "start": 11}]': EU,
    '<think>EU is [an] {organisation}</think>[{"text":"EU","type":"ORG"},'
    '{"text":"German","type":"MISC"}]': EU,
    '[{"text": "EU", "type": "ORG"}]\n\n[{"text": "EU", "type": "ORG"}]': EU[:1],
    '{"text": "EU", "type": "ORG"}': EU[:1],
    'In [1] the list is [{"text": "EU", "type": "ORG"}].': EU[:1],
    "[]": [],
    "```json\n[]\n```": [],
    '{"mentions": []}': [],
    "[] (there are none)": [],
    "There are no named entities in this sentence.": [],
    "No mentions.": [],
    "None": [],
}
UNREADABLE = {
    "": "is empty",
    "EU is an organisation.": "no list of mentions",
    "negative": "no list of mentions",
    '[{"text": "EU", "type": "ORG"}, {"text": "German"': "no list of mentions",
    '[{"text": "EU", "type": "ORG"}, {"text": "German"}]': "no list of mentions",
    '[{"text": "EU", "type": "ORG"},, {"text": "German", "type": "MISC"}]': "no list of mentions",
    '[{"text": "", "type": "ORG"}]': "no list of mentions",
    '[{"text": 5, "type": "ORG"}]': "no list of mentions",
    '[{"text": "EU", "type": ["ORG", "LOC"]}]': "no list of mentions",
    '["EU", "German"]': "no list of mentions",
    "[{'text': 'O'Neill', 'type': 'PER'}]": "no list of mentions",
    '[{"text": "EU", "type": "ORG", "type": "LOC"}]': "no list of mentions",
    '[{"text": "EU", "type": "ORG"}] or [{"text": "EU", "type": "LOC"}]': "several lists",
    '[] [{"text": "EU", "type": "LOC"}]': "several lists",
    "I'm sorry, I can't help with that.": "refused",
    "<think>EU is": "cut off",
    "null": "no list of mentions",
    "{}": "no list of mentions",
}


@pytest.mark.parametrize(("text", "mentions"), LISTED.items(), ids=lambda value: str(value)[:40])
def test_lists(text: str, mentions: Sequence[tuple[str, str]]) -> None:
    listed = MentionReader(TYPES).read(text)
    assert not isinstance(listed, str), listed
    assert [(words, TYPES[kind]) for words, kind in listed.mentions] == list(mentions)
    assert listed.unknown == 0


@pytest.mark.parametrize(("text", "reason"), UNREADABLE.items(), ids=lambda value: str(value)[:40])
def test_what_is_no_whole_list_is_none(text: str, reason: str) -> None:
    said = MentionReader(TYPES).read(text)
    assert isinstance(said, str)
    assert reason in said


def test_a_list_that_was_cut_off_is_not_half_kept() -> None:
    whole = json.dumps([{"text": f"name {i}", "type": "PER"} for i in range(20)])
    reader = MentionReader(TYPES)
    for end in range(1, len(whole)):
        assert isinstance(reader.read(whole[:end], "length"), str), whole[:end]
    assert reader.read(whole[:60], "length") == "the reply was cut off before it gave an answer"


def test_types_that_the_task_has_not_are_counted() -> None:
    listed = MentionReader(TYPES).read('[["EU", "ORG"], ["5 %", "PERCENT"], ["May", "DATE"]]')
    assert not isinstance(listed, str)
    assert (listed.mentions, listed.unknown) == ((Mention("EU", 1),), 2)


@pytest.mark.parametrize(
    "text", ['["aspirin", "lead"]', '[{"text": "aspirin"}, {"mention": "lead"}]',
             '{"chemicals": ["aspirin", "lead"]}', '{"Chemical": ["aspirin", "lead"]}']
)  # fmt: skip
def test_the_only_type_need_not_be_named(text: str) -> None:
    listed = MentionReader(["Chemical"]).read(text)
    assert not isinstance(listed, str), listed
    assert listed.mentions == (Mention("aspirin", 0), Mention("lead", 0))


ALIGNED = [
    ("U . S . troops left", [("U.S.", 2)], [(0, 4, 2)]),
    ("U.S. troops left", [("U. S.", 2)], [(0, 1, 2)]),
    ("Selegiline - induced hypotension", [("Selegiline-induced hypotension", 3)], [(0, 4, 3)]),
    ("Selegiline - induced pain", [("Selegiline", 3), ("pain", 3)], [(0, 1, 3), (3, 4, 3)]),
    ("He met O 'Neill in Rome .", [("O'Neill", 0), ("Rome", 2)], [(2, 4, 0), (5, 6, 2)]),
    ("He met O’Neill", [("O'Neill", 0)], [(2, 3, 0)]),
    ("the  -LRB- WHO -RRB- said", [("(WHO)", 1)], [(1, 4, 1)]),
    ("CHINA wins", [("China", 2)], [(0, 1, 2)]),
    ("us and US", [("US", 2)], [(2, 3, 2)]),
    ("us and US", [("US", 2), ("us", 3)], [(0, 1, 3), (2, 3, 2)]),
    ("John Smith said", [("John Smith.", 0)], [(0, 2, 0)]),
    ("John Smith , Jr . said", [("John Smith Jr", 0)], [(0, 4, 0)]),
    ("Oxford saw Oxford beat Oxford", [("Oxford", 2), ("Oxford", 1), ("Oxford", 1)],
     [(0, 1, 2), (2, 3, 1), (4, 5, 1)]),
    ("China beat Japan , China said", [("Japan", 2), ("China", 1)], [(2, 3, 2), (4, 5, 1)]),
    ("Japan and China", [("China", 2), ("Japan", 2)], [(0, 1, 2), (2, 3, 2)]),
    ("University of Oxford in Oxford", [("University of Oxford", 1), ("Oxford", 2)],
     [(0, 3, 1), (4, 5, 2)]),
    ("University of Oxford in Oxford", [("Oxford", 2), ("University of Oxford", 1)],
     [(0, 3, 1), (4, 5, 2)]),
    ("Smith Smith", [("Smith", 0), ("Smith", 0)], [(0, 1, 0), (1, 2, 0)]),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "mentions", "spans"), ALIGNED)
def test_alignment(
    sentence: str, mentions: list[tuple[str, int]], spans: list[tuple[int, int, int]]
) -> None:
    aligned = align(sentence.split(), [Mention(*one) for one in mentions])
    assert list(map(tuple, aligned.spans)) == spans
    assert (aligned.missing, aligned.overlapping) == ((), 0)


@pytest.mark.parametrize(
    ("sentence", "mentions", "spans", "missing", "overlapping"),
    [
        ("He left Boston", [("London", 2)], [], ("London",), 0),
        ("the Boston-based firm", [("Boston", 2)], [], ("Boston",), 0),
        ("He left", [("...", 2), ("!", 2)], [], ("...", "!"), 0),
        ("in New York City", [("New York City", 1), ("York", 2)], [(1, 4, 1)], (), 1),
        ("in New York City", [("York", 2), ("New York City", 1)], [(1, 4, 1)], (), 1),
        ("Rome burns", [("Rome", 2), ("Rome", 1), ("Rome", 2)], [(0, 1, 2)], (), 2),
        ("New York City Hall", [("New York City", 2), ("City Hall", 2)], [(0, 3, 2)], (), 1),
    ],
)  # fmt: skip
def test_mentions_without_a_place(
    sentence: str,
    mentions: list[tuple[str, int]],
    spans: list[tuple[int, int, int]],
    missing: tuple[str, ...],
    overlapping: int,
) -> None:
    aligned = align(sentence.split(), [Mention(*one) for one in mentions])
    assert list(map(tuple, aligned.spans)) == spans
    assert (aligned.missing, aligned.overlapping) == (missing, overlapping)


WORDS = st.sampled_from([*"aAbB.-'", "U.S.", "ab", "New", "York", "(", "''", "ß", "İ", "１"])


@settings(max_examples=300)
@given(
    st.lists(WORDS, min_size=1, max_size=12),
    st.lists(st.tuples(st.text(max_size=6), st.integers(0, 3)), max_size=6),
    st.data(),
)
def test_any_mentions_give_valid_tags(
    tokens: list[str], mentions: list[tuple[str, int]], data: st.DataObject
) -> None:
    given_ = [Mention(*one) for one in mentions]
    for _ in range(data.draw(st.integers(0, 4))):
        begin = data.draw(st.integers(0, len(tokens) - 1))
        end = data.draw(st.integers(begin + 1, len(tokens)))
        given_.append(Mention(" ".join(tokens[begin:end]), data.draw(st.integers(0, 3))))
    aligned = align(tokens, given_)
    tags = np.asarray(tags_of(aligned.spans, len(tokens)), dtype=np.int32)
    assert first_invalid(tags, offsets_of([len(tokens)])) is None
    assert spans_of(tags.tolist()) == list(aligned.spans)
    assert len(aligned.spans) + len(aligned.missing) + aligned.overlapping == len(given_)


def test_distinct_tokens_round_trip_whatever_the_tags() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        length = int(rng.integers(1, 25))
        tokens = [f"word{position}" for position in rng.permutation(length)]
        tags = random_iob2(rng, length, len(TYPES))
        assert round_trip(tokens, tags) == tuple(tags)


def round_trip(tokens: Sequence[str], tags: Sequence[int], glue: str = " ") -> tuple[int, ...]:
    """Tags to the ideal reply, and back."""
    reply = json.dumps(
        [{"text": glue.join(tokens[b:e]), "type": TYPES[kind]} for b, e, kind in spans_of(tags)]
    )
    listed = MentionReader(TYPES).read(reply)
    assert not isinstance(listed, str)
    aligned = align(tokens, listed.mentions)
    assert (aligned.missing, aligned.overlapping) == ((), 0)
    return tags_of(aligned.spans, len(tokens))


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the data of the tasks")
@pytest.mark.parametrize("glue", [" ", ""], ids=["as shown", "without spaces"])
@pytest.mark.parametrize(
    ("task", "least"),
    [("conll03", 1.0), ("bc5cdr_chemical", 0.999), ("bc5cdr_disease", 0.999)],
)
def test_gold_tags_round_trip(task: str, least: float, glue: str) -> None:
    # What is lost: a word that stands unmarked before it stands marked, with nothing between.
    right = total = 0
    for line in (DATA / task / "test.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        names = {tag[2:] for tag in row["tags"]} - {"", *TYPES}
        tags = [CLASSES.index(tag[:2] + "PER" if tag[2:] in names else tag) for tag in row["tags"]]
        total += 1
        right += round_trip(row["tokens"], tags, glue) == tuple(tags)
    assert right / total >= least
