"""Demonstrations that the model writes: ordered, checked, balanced, and what if it fails."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data import Pool, TaskCard
from harness.iob2 import first_invalid
from harness.protocols import Written, no_progress
from harness.testing.prompted import prompted
from harness_plugins.annotators.llm.annotator import LlmAnnotator
from harness_plugins.annotators.llm.writing import WAVES, Author
from harness_plugins.annotators.llm.written_parsing import token_pattern
from harness_plugins.llm.calls import Call, Reply
from harness_plugins.llm.failures import RejectedError
from tests.factories import sequence_card, text_pool, token_card, token_pool
from tests.models_in_process import Model, account, opener
from tests.test_llm_annotator import settings

TOPICS = sequence_card("sport", "money", "weather")
NAMES = token_card("PER", "ORG")
POOL = text_pool([f"an unlabelled example about thing {i}" for i in range(40)])
SENTENCES = token_pool([f"Ada met visitor {i} at Acme - Works ." for i in range(40)])


def write(
    task: TaskCard,
    pool: Pool,
    answering: Callable[[Call], Any],
    folder: Path,
    wanted: int = 30,
    seed: int = 0,
    run_id: str = "run",
) -> tuple[Written, list[str], list[Call]]:
    model, notes = Model(answering), list[str]()
    asked = LlmAnnotator(task, settings(task), written=wanted, opener=opener(model))
    with asked.open(account(folder, notes, run_id)):
        written = asked.write(pool, seed, no_progress)
    return written, notes, model.calls


def as_asked(call: Call) -> str:
    """What the tests' server writes to an order."""
    messages = [{"role": one.role, "content": one.content} for one in call.messages]
    said = prompted({"messages": messages})
    assert said is not None
    return said


def order(call: Call) -> tuple[int, str]:
    """How many texts a request asks for, and of which label."""
    found = re.search(r"Write (\d+) new \w+.*?(?:label|type) (\w+)", call.messages[-1].content)
    assert found is not None
    return int(found[1]), found[2]


@pytest.mark.parametrize("wanted", [1, 2, 30, 31, 100])
def test_as_many_as_wanted_balanced_by_label(wanted: int, tmp_path: Path) -> None:
    written, notes, calls = write(TOPICS, POOL, as_asked, tmp_path, wanted)
    shown = written.demonstrations
    assert (len(shown), notes) == (wanted, [])
    counts = np.bincount(shown.labels, minlength=3)
    assert counts.max() - counts.min() <= 1
    assert shown.nearest is None
    assert shown.source == shown.examples.split == "generated"
    assert shown.examples.ids[0] == "generated:1"
    assert len(set(shown.examples.texts)) == wanted
    assert written.requests == len(calls)
    assert written.tokens == sum(100 + len(as_asked(call).split()) for call in calls)
    assert written.cost_usd > 0


def test_the_order_names_label_meaning_count_and_prototypes(tmp_path: Path) -> None:
    _, _, calls = write(TOPICS, POOL, as_asked, tmp_path)
    assert [order(call) for call in calls] == [(10, "sport"), (10, "money"), (10, "weather")]
    last = calls[1].messages[-1].content
    assert "It is about money." in last
    prototypes = re.findall(r"^- (.+)$", last, re.MULTILINE)
    assert len(set(prototypes)) == 8
    assert set(prototypes) <= set(POOL.texts)
    others = re.findall(r"^- (.+)$", calls[2].messages[-1].content, re.MULTILINE)
    assert set(prototypes) != set(others)
    assert json.loads(calls[0].parameters)["temperature"] == 1.0
    assert json.loads(calls[0].parameters)["max_completion_tokens"] >= 4096
    assert calls[0].response_format == ""


def test_the_seed_draws_the_prototypes_and_the_cache_answers(tmp_path: Path) -> None:
    first, _, calls = write(TOPICS, POOL, as_asked, tmp_path, run_id="one")
    same, _, again = write(TOPICS, POOL, as_asked, tmp_path, run_id="two")
    other, _, new = write(TOPICS, POOL, as_asked, tmp_path, seed=1, run_id="three")
    assert (len(calls), len(again), len(new)) == (3, 0, 3)
    assert same.demonstrations.examples.texts == first.demonstrations.examples.texts
    assert (same.requests, same.tokens, same.cost_usd) == (0, 0, 0.0)
    assert other.demonstrations.examples.texts != first.demonstrations.examples.texts


SHAPES: dict[str, Callable[[list[str]], str]] = {
    "json": json.dumps,
    "fenced": lambda texts: f"Here you are:\n```json\n{json.dumps(texts)}\n```",
    "object": lambda texts: json.dumps({"examples": texts}),
    "objects": lambda texts: json.dumps([{"text": text, "label": "SPORT"} for text in texts]),
    "numbered": lambda texts: "\n".join(f"{i}. {text}" for i, text in enumerate(texts, 1)),
    "bulleted": lambda texts: "Sure:\n\n" + "\n".join(f'- "{text}"' for text in texts),
    "thought over": lambda texts: f"<think>[1, 2]</think>{json.dumps(texts)}",
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_lists_of_several_shapes_are_read(
    shape: Callable[[list[str]], str], tmp_path: Path
) -> None:
    def answering(call: Call) -> str:
        _, label = order(call)
        return shape(json.loads(as_asked(call))) if label == "sport" else "[]"

    written, notes, _ = write(TOPICS, POOL, answering, tmp_path)
    assert written.demonstrations.labels.tolist() == [0] * 10
    assert notes == [
        "the annotator wrote 10 usable demonstrations of 30; money: 0 of 10, weather: 0 of 10"
    ]


def test_what_cannot_be_used_is_left_out_and_ordered_again(tmp_path: Path) -> None:
    rounds: Counter[str] = Counter()

    def answering(call: Call) -> Any:
        _, label = order(call)
        rounds[label] += 1
        if rounds[label] > 1:
            return as_asked(call)
        shown = re.findall(r"^- (.+)$", call.messages[-1].content, re.MULTILINE)
        bad = ["", "  ", 3, None, shown[0], shown[1].upper() + "!", POOL.texts[7]]
        bad += [
            f"the good {label} text with five more words",
            f"The good {label} text, with five more words!",
        ]
        bad += [{"text": "some words on nothing at all", "label": "politics"}]
        bad += [{"text": f"other words not on {label} but away", "label": "not " + label}]
        return json.dumps(bad)

    written, notes, calls = write(TOPICS, POOL, answering, tmp_path)
    assert (len(written.demonstrations), notes) == (30, [])
    assert [order(call)[0] for call in calls] == [10, 10, 10, 9, 9, 9]
    texts = written.demonstrations.examples.texts
    assert sum(text.startswith("the good") for text in texts) == 3
    assert not set(texts) & set(POOL.texts)
    assert not [text for text in texts if text.startswith(("other words", "some words", "AN "))]


@pytest.mark.parametrize(
    "reply",
    ["I'm sorry, I can't.", "", Reply('["a text', "length"), RejectedError("the server refused")],
    ids=str,
)
def test_without_any_it_goes_on_zero_shot_and_says_so(reply: Any, tmp_path: Path) -> None:
    written, notes, calls = write(TOPICS, POOL, lambda call: reply, tmp_path)
    assert len(written.demonstrations) == 0
    assert len(calls) == 3 * WAVES
    assert len(notes) == 1
    assert "no usable demonstration" in notes[0]
    assert "zero-shot" in notes[0]
    chat = LlmAnnotator(TOPICS, settings(TOPICS)).messages(POOL, written.demonstrations)[0]
    assert [role for role, _ in chat] == ["system", "user"]


def test_requests_are_bounded_and_each_is_new(tmp_path: Path) -> None:
    _, _, calls = write(TOPICS, text_pool(["only one"]), lambda call: '["same"]', tmp_path, 90)
    assert len({call.key for call in calls}) == len(calls)
    assert len(calls) <= 9 * WAVES


def test_long_texts_are_cut_in_the_prompt(tmp_path: Path) -> None:
    pool = text_pool(["word " * 1000 + f"\n\nend {i}" for i in range(3)])
    _, _, calls = write(TOPICS, pool, as_asked, tmp_path)
    assert max(len(call.messages[-1].content) for call in calls) < 3 * 1200 + 1000


def test_sentences_come_with_their_mentions(tmp_path: Path) -> None:
    written, notes, calls = write(NAMES, SENTENCES, as_asked, tmp_path, 20)
    shown = written.demonstrations
    assert (len(shown), notes) == (20, [])
    assert [order(call) for call in calls] == [(8, "PER"), (8, "ORG"), (4, "PER")]
    assert first_invalid(shown.labels, shown.examples.offsets) is None
    by_row = np.split(shown.labels, shown.examples.offsets[1:-1])
    groups = Counter("PER" if 1 in row else "ORG" if 3 in row else "none" for row in by_row)
    assert groups == {"PER": 8, "ORG": 8, "none": 4}
    tokens, row = shown.examples.tokens[0], by_row[0]
    assert tokens[-1] == "."
    assert tokens[int(np.flatnonzero(row)[0])][0].isupper()


def test_sentences_whose_mentions_do_not_fit_are_left_out(tmp_path: Path) -> None:
    good = {"text": "Later on Bo called Acme, twice.", "mentions": [
        {"text": "Bo", "type": "PER"}, {"text": "Acme", "type": "ORG"}]}  # fmt: skip
    bad = [
        {"text": "Nobody was here today", "mentions": [{"text": "Eve", "type": "PER"}]},
        {"text": "In May Cy left", "mentions": [{"text": "May", "type": "DATE"}]},
        {"text": "Dee stayed at home", "mentions": [{"text": "Dee"}]},
        {"text": "Fay stayed at work"},
        {"text": "", "mentions": []},
        "Gus stayed away",
        {"text": "It was quiet in the evening", "mentions": []},
    ]
    written, notes, _ = write(NAMES, SENTENCES, lambda call: json.dumps([good, *bad]), tmp_path, 10)
    shown = written.demonstrations
    assert shown.examples.tokens[0] == ("Later", "on", "Bo", "called", "Acme", ",", "twice", ".")
    assert shown.labels[:8].tolist() == [0, 0, 1, 0, 3, 0, 0, 0]
    assert [" ".join(one) for one in shown.examples.tokens[1:]] == ["It was quiet in the evening"]
    assert "2 usable demonstrations of 10" in notes[0]


@pytest.mark.parametrize(
    ("pool", "sentence", "tokens"),
    [
        (["a well-known man"], "The U.S.-born, well-known O'Neill's dog.",
         ["The", "U.S.", "-", "born", ",", "well-known", "O", "'", "Neill", "'s", "dog", "."]),
        (["a well - known man"], "Selegiline-induced (mild) fall of 1.5 mg/kg",
         ["Selegiline", "-", "induced", "(", "mild", ")", "fall", "of", "1.5", "mg", "/", "kg"]),
        (["x"], "already split , as it is .", ["already", "split", ",", "as", "it", "is", "."]),
    ],
)  # fmt: skip
def test_the_tokens_follow_the_pool(pool: list[str], sentence: str, tokens: list[str]) -> None:
    assert token_pattern([one.split() for one in pool]).findall(sentence) == tokens


def test_an_empty_pool_orders_nothing() -> None:
    author = Author(TOPICS, POOL.take(np.asarray([], dtype=np.int64)), 30, 0)
    assert author.orders() == []
    assert len(author.demonstrations()) == 0
