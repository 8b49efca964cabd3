"""Mentions in replies, and their way back to the tokens."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data import offsets_of
from harness.errors import TaskError
from harness.iob2 import first_invalid, spans_of, tags_of
from harness_plugins.annotators.llm.reading.alignment import Mention, align
from harness_plugins.annotators.llm.reading.answers import answers_for
from harness_plugins.annotators.llm.reading.mentions import Listed, MentionReader
from harness_plugins.llm.calls import Reply
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
    aligned = align(sentence.split(), [Mention(*one) for one in mentions], "first")
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
    aligned = align(sentence.split(), [Mention(*one) for one in mentions], "first")
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
    aligned = align(tokens, given_, "first")
    tags = np.asarray(tags_of(aligned.spans, len(tokens)), dtype=np.int32)
    assert first_invalid(tags, offsets_of([len(tokens)])) is None
    assert spans_of(tags.tolist()) == list(aligned.spans)
    assert len(aligned.spans) + len(aligned.missing) + aligned.overlapping == len(given_)
    everywhere = align(tokens, given_, "all")
    tags = np.asarray(tags_of(everywhere.spans, len(tokens)), dtype=np.int32)
    assert spans_of(tags.tolist()) == list(everywhere.spans)
    assert set(aligned.spans) <= set(everywhere.spans)
    assert (everywhere.missing, everywhere.overlapping) == (aligned.missing, aligned.overlapping)


@pytest.mark.parametrize(
    ("sentence", "mentions", "first", "everywhere"),
    [
        ("China beat Japan , China said", [("China", 2)], [0], [0, 4]),
        ("China beat Japan , China said", [("China", 2), ("Japan", 2)], [0, 2], [0, 2, 4]),
        ("Oxford in Oxford by Oxford", [("Oxford", 2), ("Oxford", 1)], [0, 2], [0, 2]),
        ("University of Oxford in Oxford", [("University of Oxford", 1)], [0], [0]),
        ("Oxford and University of Oxford", [("University of Oxford", 1), ("Oxford", 2)],
         [0, 2], [0, 2]),
        ("a a a", [("a a", 0)], [0], [0]),
        ("us and US and US", [("US", 2)], [2], [2, 4]),
    ],
)  # fmt: skip
def test_words_listed_once(
    sentence: str, mentions: list[tuple[str, int]], first: list[int], everywhere: list[int]
) -> None:
    given_ = [Mention(*one) for one in mentions]
    assert [span.begin for span in align(sentence.split(), given_, "first").spans] == first
    assert [span.begin for span in align(sentence.split(), given_).spans] == everywhere


@pytest.mark.parametrize(
    ("sentence", "mention"),
    [
        ("he told us so", "US"), ("it may rain", "May"), ("who is it", "WHO"), ("it is", "IT"),
        ("he will go", "Will"), ("cells that are CD4 there", "CD4+"), ("cells CD4+ there", "CD4-"),
        ("in C there", "C++"), ("in C++ there", "C"), ("a-b", "b"), ("he is ill", "I'll"),
    ],
)  # fmt: skip
def test_words_that_only_look_alike_are_not_the_mention(sentence: str, mention: str) -> None:
    aligned = align(sentence.split(), [Mention(mention, 0)])
    assert (aligned.spans, aligned.missing) == ((), (mention,))


@pytest.mark.parametrize(
    ("sentence", "mention"),
    [
        ("took aspirin daily", "Aspirin"), ("in CHINA there", "china"), ("the R&D team", "R&amp;D"),
        ("in ＵＳ there", "US"), ("a fe\u00advers rise", "fevers"), ("as CD4+ cells", "cd4+"),
        ("café here", "cafe\u0301"),
    ],
)  # fmt: skip
def test_words_that_are_the_mention_in_another_form(sentence: str, mention: str) -> None:
    assert len(align(sentence.split(), [Mention(mention, 0)]).spans) == 1


@pytest.mark.parametrize(
    ("types", "reply", "read"),
    [
        (("CD4+", "CD4-"), '[["x", "CD4-"], ["y", "CD4+"]]', [("x", "CD4-"), ("y", "CD4+")]),
        (("C", "C++"), '[["x", "C++"], ["y", "C"]]', [("x", "C++"), ("y", "C")]),
        (("gene", "GENE"), '[["x", "GENE"], ["y", "gene"]]', [("x", "GENE"), ("y", "gene")]),
        (("B-cell", "T-cell"), '[["x", "B-cell"], ["y", "t-cell"]]', [("x", "B-cell"),
                                                                      ("y", "T-cell")]),
        (("B-cell", "cell"), '[["x", "B-cell"], ["y", "cell"], ["z", "I-cell"]]',
         [("x", "B-cell"), ("y", "cell"), ("z", "cell")]),
        (("B-cell", "T-cell"), '[["x", "B-B-cell"]]', [("x", "B-cell")]),
        (("p.1", "p1"), '{"p1": ["x"], "p.1": ["y"]}', [("x", "p1"), ("y", "p.1")]),
        (("résumé", "resume"), '[["x", "résumé"]]', [("x", "résumé")]),
        (("DNA/RNA", "DNA"), '[["x", "DNA/RNA"], ["y", "DNA"]]', [("x", "DNA/RNA"), ("y", "DNA")]),
        (("💊", "🦠"), '[["x", "🦠"]]', [("x", "🦠")]),
        (("per", "PER"), '[["x", "person"]]', []),
        (("Chemical",), '{"diseases": ["fever"]}', []),
        (("Chemical",), '{"non_chemical": ["fever"]}', []),
        (("Chemical",), '{"tokens": ["He", "took", "it"]}', []),
        (("Chemical",), '[{"entity_group": "ORG", "word": "IBM"}]', []),
        (("Chemical",), '{"chemicals": ["x"], "diseases": ["fever"]}', [("x", "Chemical")]),
        (("Chemical",), '{"Chemical": "x"}', [("x", "Chemical")]),
        (("Chemical",), '[{"text": "x", "start": 3, "score": 0.5}]', [("x", "Chemical")]),
        (("Chemical",), '[{"text": "x", "type": "not a chemical"}]', []),
        (("Disease",), '{"diseases": ["fever"]}', [("fever", "Disease")]),
        (("body",), '{"bodies": ["x"]}', [("x", "body")]),
        (("PER", "LOC"), '{"people": ["x"], "dates": ["y"]}', [("x", "PER")]),
        (("PER", "LOC"), '{"mentions": [["x", "PER"]], "tokens": ["x", "y"]}', [("x", "PER")]),
    ],
)  # fmt: skip
def test_types(types: tuple[str, ...], reply: str, read: list[tuple[str, str]]) -> None:
    listed = MentionReader(types).read(reply)
    assert not isinstance(listed, str), listed
    assert [(text, types[kind]) for text, kind in listed.mentions] == read
    assert listed.mentions or listed.unknown


@pytest.mark.parametrize(
    ("types", "reply"),
    [
        (TYPES, "No LOC mentions found."), (TYPES, "No person is named."), (("Chemical",),
        "There are no diseases."), (TYPES, '{"DATE": []}'), (("Chemical",), '{"diseases": []}'),
        (("Chemical",), '[{"text": "x", "is_chemical": false}]'), (TYPES, "No PER, LOC or ORG."),
        (("Chemical",), '{"text": "x", "group": "Disorder"}'), (TYPES, "No. EU is one."),
        (TYPES, '{"tokens": ["EU"]}'),
    ],
)  # fmt: skip
def test_what_tells_of_other_types_is_no_answer(types: tuple[str, ...], reply: str) -> None:
    assert isinstance(MentionReader(types).read(reply), str)


@pytest.mark.parametrize(
    ("types", "reply"),
    [
        (("Chemical",), "No chemicals found."), (("Chemical",), "There are no Chemical mentions."),
        (TYPES, "No PER, ORG, LOC or MISC mentions."), (TYPES, "Nothing found."),
        (TYPES, "There were no entities mentioned in the given text."),
    ],
)  # fmt: skip
def test_no_mention_at_all(types: tuple[str, ...], reply: str) -> None:
    assert MentionReader(types).read(reply) == Listed(())


def test_types_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(TaskError, match="rename one"):
        MentionReader(("gene", "gene "))


def test_a_thousand_mentions_are_placed_at_once() -> None:
    tokens = [word for number in range(1000) for word in ("a", f"w{number}")]
    given_ = [Mention(f"w{number}", 0) for number in range(1000)] + [Mention("a", 0)] * 1000
    began = time.process_time()
    aligned = align(tokens, given_)
    assert time.process_time() - began < 1
    assert len(aligned.spans) == 2000


@pytest.mark.parametrize("count", [1, 4])
def test_confidence_is_that_of_a_mention_not_of_all(count: int) -> None:
    tokens = [f"w{number}" for number in range(count)]
    text = json.dumps([{"text": token, "type": "PER"} for token in tokens])
    answers = answers_for("token", TYPES)
    answer = answers.read(Reply(text, logprob=count * math.log(0.9)), tokens)
    assert answer.confidence == pytest.approx(0.9)


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
