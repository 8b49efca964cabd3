"""Annotators that need no LLM: rules, replay, oracle, noisy, embedding."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data import (
    ABSTAINED,
    Annotations,
    Demonstrations,
    FloatArray,
    Gold,
    IntArray,
    Label,
    Pool,
    TaskCard,
)
from harness.errors import CommandError, DataError, NotRecordedError, TaskError
from harness.protocols import no_progress
from harness.record import layout
from harness.record.codecs import write_annotations
from harness.record.folder import RunFolder
from harness_plugins.annotators.embedding import ridge_scores, vote
from tests.factories import (
    annotator,
    gold_of,
    random_iob2,
    sequence_card,
    text_pool,
    token_card,
    token_pool,
    valid_iob2,
)

MOOD = sequence_card("good", "bad")
NER = token_card("PER", "LOC")


def say(spec: str, task: TaskCard, pool: Pool, shown: Demonstrations | None = None) -> Annotations:
    found = annotator(spec, task).annotate(pool, shown, no_progress)
    assert isinstance(found, Annotations)
    return found


def simulate(spec: str, task: TaskCard, pool: Pool, gold: Gold, seed: int = 0) -> Annotations:
    found = annotator(spec, task, seed).annotate(pool, None, no_progress, gold)
    assert isinstance(found, Annotations)
    return found


def names(task: TaskCard, said: Annotations) -> list[str]:
    """Class names sentence by sentence, joined by spaces; a dash for an abstention."""
    words = np.asarray([*task.classes, "-"])[said.labels]
    return [" ".join(part) for part in np.split(words, said.offsets[1:-1])]


# --- rules ---------------------------------------------------------------------------


def with_rules(task: TaskCard, **rules: Sequence[dict[str, Any]]) -> TaskCard:
    return replace(task, rules=rules)


def test_rules_of_a_sequence_task_vote() -> None:
    task = with_rules(
        MOOD,
        patterns=[{"label": "bad", "pattern": r"never (works|comes)"}],
        lists=[
            {"label": "good", "words": ["fine", "very nice"]},
            {"label": "bad", "words": ["awful"]},
        ],
    )
    texts = ["FINE!", "refined", "very nice, awful", "awful, never works, fine", "nothing", "nice"]
    said = say("rules", task, text_pool(texts))
    assert names(task, said) == ["good", "-", "-", "bad", "-", "-"]
    no_rule, tie = "no rule matches", "rules disagree"
    assert said.reasons == ("", no_rule, tie, "", no_rule, no_rule)
    np.testing.assert_allclose(said.confidence, [1, np.nan, np.nan, 2 / 3, np.nan, np.nan])


def test_rules_of_a_token_task_mark_whole_tokens() -> None:
    task = with_rules(
        NER,
        patterns=[{"label": "PER", "pattern": r"Dr (?P<mention>\p{Lu}\w+)"}],
        lists=[
            {"label": "LOC", "words": ["Porto", "New York"]},
            {"label": "PER", "words": ["Ann"], "before_capitals": True},
        ],
    )
    pool = token_pool(
        ["Dr Ángel left New York .", "Ann Lee O'Neil met York", "Annex Porto's Porto", "Dr Porto"]
    )
    said = say("rules", task, pool)
    assert names(task, said) == [
        "O B-PER O B-LOC I-LOC O",
        "B-PER I-PER I-PER O O",
        "O O B-LOC",
        "O B-PER",  # the first rule keeps what it has claimed
    ]
    assert said.answered.all()


def test_a_pattern_is_widened_to_whole_tokens() -> None:
    task = with_rules(NER, patterns=[{"label": "LOC", "pattern": r"ort"}])
    assert names(task, say("rules", task, token_pool(["by Porto-Novo now"]))) == ["O B-LOC O"]


def test_neighbouring_mentions_stay_apart() -> None:
    task = with_rules(NER, lists=[{"label": "LOC", "words": ["Rome", "Oslo"]}])
    assert names(task, say("rules", task, token_pool(["Rome Oslo Rome"]))) == ["B-LOC B-LOC B-LOC"]


def test_a_token_that_a_rule_has_claimed_stays_claimed() -> None:
    lists = [{"label": "LOC", "words": ["Porto"]}, {"label": "PER", "words": ["Ana Porto Lima"]}]
    pool = token_pool(["Ana Porto Lima", "Ana Lima"])
    assert names(NER, say("rules", with_rules(NER, lists=lists), pool)) == ["O B-LOC O", "O O"]
    swapped = with_rules(NER, lists=lists[::-1])
    assert names(NER, say("rules", swapped, pool)) == ["B-PER I-PER I-PER", "O O"]


def test_rules_learn_mentions_from_demonstrations() -> None:
    task = with_rules(NER, lists=[{"label": "LOC", "words": ["Porto"]}])
    examples = token_pool(["Kim Bao sings", "Kim Bao in Porto", "Porto wins"])
    labels = np.asarray([1, 2, 0, 1, 2, 0, 3, 1, 0], dtype=np.int32)
    shown = Demonstrations(examples, labels, nearest=None, source="trusted")
    pool = token_pool(["Kim Bao went", "Kim went", "Porto"])
    assert names(task, say("rules", task, pool)) == ["O O O", "O O", "B-LOC"]
    # Porto was a place once and a person once: the first of equals.
    assert names(task, say("rules", task, pool, shown)) == ["B-PER I-PER O", "O O", "B-LOC"]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"pattern": []}, r"unknown key 'rules\.pattern'; did you mean 'patterns'"),
        ({"lists": [{"label": "god", "words": ["x"]}]}, r"rules\.lists, entry 1: no label 'god'"),
        ({"lists": [{"label": "good", "word": ["x"]}]}, "entry 1: unknown key 'word'; did you"),
        ({"patterns": [{"label": "good"}]}, "entry 1: 'pattern' must be a text that is not empty"),
        ({"patterns": [{"label": "good", "pattern": "("}]}, "entry 1: not a regular expression"),
    ],
)
def test_a_wrong_rule_is_named(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        annotator("rules", with_rules(MOOD, **rules))


@pytest.mark.parametrize(
    ("section", "entry"),
    [
        ("lists", {}),
        ("lists", {"words": []}),
        ("lists", {"words": "good"}),
        ("patterns", {"pattern": 3}),
    ],
)
def test_a_rule_without_its_words_is_named(section: str, entry: dict[str, Any]) -> None:
    with pytest.raises(TaskError, match="entry 1"):
        annotator("rules", with_rules(MOOD, **{section: [{"label": "good", **entry}]}))


def test_a_space_in_a_pattern_claims_no_token() -> None:
    task = with_rules(NER, patterns=[{"label": "PER", "pattern": r"\sBob"}])
    assert names(task, say("rules", task, token_pool(["hi Bob ."]))) == ["O B-PER O"]


def test_rules_need_a_task_that_has_some() -> None:
    with pytest.raises(CommandError, match=r"task 'small' has no \[rules\]"):
        annotator("rules", MOOD)


# --- replay --------------------------------------------------------------------------


def jsonl(folder: Path, *rows: object) -> str:
    """A recording of one line a row; a string is a line as it is. Its spec."""
    file = folder / "re=corded,b.jsonl"
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"replay:{file}"


def test_replay_repeats_a_file_by_text(tmp_path: Path) -> None:
    spec = jsonl(
        tmp_path,
        {"text": "second", "llm_label": "bad", "label": "good", "reply": "Bad!"},
        "",
        {"text": "first", "llm_label": "good", "label": "bad", "confidence": 0.75},
        {"text": "silent", "llm_label": None, "label": "good"},
    )
    said = say(spec, MOOD, text_pool(["first", "second", "silent", "unknown"]))
    assert names(MOOD, said) == ["good", "bad", "-", "-"]
    assert said.reasons == ("", "", "no answer was recorded", "not recorded")
    assert said.replies == ("", "Bad!", "", "")
    np.testing.assert_array_equal(said.confidence, [0.75, np.nan, np.nan, np.nan])


def test_replay_tells_equal_texts_apart_by_their_order(tmp_path: Path) -> None:
    rows = [{"text": "same", "label": "good"}, {"text": "x", "label": "bad"}]
    spec = jsonl(tmp_path, *rows, {"text": "same", "label": "bad"})
    assert names(MOOD, say(spec, MOOD, text_pool(["same", "x", "same"]))) == ["good", "bad", "bad"]
    shuffled = text_pool(["same", "x", "same"]).take(np.asarray([2, 0]))
    assert names(MOOD, say(spec, MOOD, shuffled)) == ["bad", "good"]
    # On a line that was not recorded the first of that text counts.
    assert names(MOOD, say(spec, MOOD, text_pool(["x", "same"]))) == ["bad", "good"]


def test_replay_serves_token_tasks(tmp_path: Path) -> None:
    rows = [
        {"tokens": ["Ann", "left"], "llm_tags": ["B-PER", "O"]},
        {"tokens": ["Oslo"], "llm_tags": ["B-LOC"]},
        {"tokens": ["no", "idea"], "llm_tags": None},
    ]
    said = say(jsonl(tmp_path, *rows), NER, token_pool(["Oslo", "Ann left", "no idea", "new one"]))
    assert names(NER, said) == ["B-LOC", "B-PER O", "- -", "- -"]


@pytest.mark.parametrize(
    ("task", "row", "message"),
    [
        (MOOD, {"text": "b", "label": "god"}, "the task has no label 'god'; did you mean 'good'"),
        (MOOD, {"text": "b", "label": 1}, "the task has no label 1"),
        (NER, {"tokens": ["b"], "tags": ["B-ORG"]}, "the task has no label 'B-ORG'"),
        (NER, {"tokens": ["b"], "tags": ["O", "O"]}, "does not fit the example's 1 units"),
        (NER, {"tokens": ["b"], "tags": "O"}, "does not fit the example's 1 units"),
        (MOOD, {"text": "b"}, "there is no 'label' in the row"),
        (MOOD, {"label": "good"}, "a recorded row needs 'text' or 'tokens'"),
        *(
            (MOOD, {"text": "b", "label": "good", "answers_usd": price}, "'answers_usd' is")
            for price in (-5, float("inf"), 10**400)
        ),
        (MOOD, ["b", "good"], "not a JSON object but a list; put it in braces"),
        (MOOD, '{"text": "b"', "not a JSON object"),
    ],
)
def test_a_wrong_row_is_named_by_file_and_line(
    tmp_path: Path, task: TaskCard, row: object, message: str
) -> None:
    first = {"text": "a", "label": "good"} if task is MOOD else {"tokens": ["a"], "tags": ["O"]}
    spec = jsonl(tmp_path, first, row)
    pool = text_pool(["a", "b"]) if task is MOOD else token_pool(["a", "b"])
    with pytest.raises(DataError, match=message) as caught:
        say(spec, task, pool)
    assert str(caught.value).startswith(f"{spec.removeprefix('replay:')}:2: ")


@pytest.mark.parametrize(
    "row",
    [
        {"text": None, "label": "good"},
        {"text": "b", "label": "good", "confidence": "high"},
        {"tokens": [1], "tags": ["O"]},
    ],
)
def test_a_value_of_a_wrong_type_is_named_by_file_and_line(tmp_path: Path, row: object) -> None:
    with pytest.raises(DataError, match=r"\.jsonl:1: "):
        say(jsonl(tmp_path, row), MOOD, text_pool(["b"]))


@pytest.mark.parametrize("separator", ["\u2028", "\x85"])
def test_replay_reads_texts_with_unicode_separators(tmp_path: Path, separator: str) -> None:
    text = f"one{separator}two"
    said = say(jsonl(tmp_path, {"text": text, "label": "bad"}), MOOD, text_pool([text]))
    assert names(MOOD, said) == ["bad"]


def test_a_recording_of_something_else_is_refused(tmp_path: Path) -> None:
    spec = jsonl(tmp_path, {"text": "a", "label": "good"})
    with pytest.raises(NotRecordedError, match="holds no answer for any of the 2 train examples"):
        say(spec, MOOD, text_pool(["x", "y"]))


@pytest.mark.parametrize("spec", ["replay", "replay:", "replay:absent.jsonl", "replay:a-run-id"])
def test_a_missing_recording_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match=r"replay needs a recording|no such file"):
        annotator(spec, MOOD)


def record(folder: Path, round_: int, task: TaskCard, pool: Pool, said: Annotations) -> None:
    name = layout.annotations_of(round_, pool.split)
    run = RunFolder(folder)
    run.write(name, lambda path: write_annotations(path, said, pool, task.classes, seconds=1.0))
    run.write_text("manifest.json", '{"schema": 1, "supervised": false}')


def test_replay_repeats_the_rounds_and_splits_of_a_run(tmp_path: Path) -> None:
    train, test = text_pool(["a", "b", "c"]), text_pool(["d"], split="test")
    labels = np.asarray([0, ABSTAINED, 1])
    confidence = np.asarray([0.5, np.nan, 1], dtype=np.float32)
    first = Annotations.of(labels, train.offsets, confidence=confidence, replies=["x", "", "z"])
    record(tmp_path, 0, MOOD, train, first)
    record(tmp_path, 0, MOOD, test, Annotations.of(np.asarray([1]), test.offsets))
    record(tmp_path, 1, MOOD, train, Annotations.of(np.asarray([1, 1, 1]), train.offsets))
    asked = '{"schema": 1, "trusted": [0], "demonstrations": [], "requested": [1]}'
    RunFolder(tmp_path).write_text(layout.selection(0), asked)
    said = say(f"replay:{tmp_path}", MOOD, train)
    assert said.labels.tolist() == labels.tolist()
    assert said.replies == ("x", "", "z")
    np.testing.assert_array_equal(said.confidence, confidence)
    assert said.reasons == ("", "no answer was recorded", "")
    assert say(f"replay:{tmp_path}", MOOD, test).labels.tolist() == [1]
    second = annotator(f"replay:{tmp_path}", MOOD).of_round(1).annotate(train, None, no_progress)
    assert second.labels.tolist() == [0, 1, 1]  # one was asked again, the others keep their answer
    assert say(f"replay:{tmp_path},round=1", MOOD, train).labels.tolist() == [1, 1, 1]
    with pytest.raises(CommandError, match="the run has no annotations of round 2"):
        annotator(f"replay:{tmp_path},round=2", MOOD)


def test_replay_finds_a_run_by_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = token_pool(["Ann left", "silent"])
    labels = np.asarray([1, 0, ABSTAINED])
    run = tmp_path / "results/runs/small-ner/rules-x-r1"
    record(run, 0, NER, pool, Annotations.of(labels, pool.offsets))
    monkeypatch.chdir(tmp_path)
    assert say("replay:rules-x-r1", NER, pool).labels.tolist() == labels.tolist()


def test_the_fingerprint_of_a_recording_is_that_of_its_content(tmp_path: Path) -> None:
    first = annotator(jsonl(tmp_path, {"text": "a", "label": "good"}), MOOD).fingerprint
    again = annotator(jsonl(tmp_path, {"text": "a", "label": "good"}), MOOD).fingerprint
    other = annotator(jsonl(tmp_path, {"text": "a", "label": "bad"}), MOOD).fingerprint
    assert first == again != other


# --- oracle and noisy ----------------------------------------------------------------


def many(n: int, classes: int) -> tuple[Pool, Gold]:
    labels = np.random.default_rng(1).integers(0, classes, n)
    return text_pool([f"text {i}" for i in range(n)]), gold_of(labels)


def test_the_oracle_answers_with_the_gold_labels() -> None:
    pool, gold = many(50, 2)
    said = simulate("oracle", MOOD, pool, gold)
    assert said.labels.tolist() == gold.labels.tolist()
    assert annotator("oracle", MOOD).needs_gold
    with pytest.raises(CommandError, match="oracle takes no argument"):
        annotator("oracle:x", MOOD)


@pytest.mark.parametrize(
    ("spec", "rate"), [("noisy", 0.2), ("noisy:0.4", 0.4), ("noisy:0.05", 0.05)]
)
def test_noise_has_its_nominal_rate_and_spreads_evenly(spec: str, rate: float) -> None:
    task = sequence_card("a", "b", "c")
    pool, gold = many(4000, 3)
    said = simulate(spec, task, pool, gold)
    wrong = said.labels != gold.labels
    deviation = (rate * (1 - rate) / 4000) ** 0.5
    assert abs(wrong.mean() - rate) < 4 * deviation
    shift = (said.labels - gold.labels)[wrong] % 3
    assert abs((shift == 1).mean() - 0.5) < 4 * (0.25 / wrong.sum()) ** 0.5
    assert annotator(spec, task).needs_gold


@pytest.mark.parametrize("kind", ["sequence", "token"])
def test_noise_without_a_rate_is_the_truth(kind: str) -> None:
    if kind == "sequence":
        pool, gold = many(30, 2)
        assert simulate("noisy:0", MOOD, pool, gold).labels.tolist() == gold.labels.tolist()
        assert simulate("noisy:1", MOOD, pool, gold).labels.tolist() == (1 - gold.labels).tolist()
    else:
        pool, gold = sentences(30)
        assert simulate("noisy:0", NER, pool, gold).labels.tolist() == gold.labels.tolist()


def sentences(n: int, types: int = 2) -> tuple[Pool, Gold]:
    rng = np.random.default_rng(2)
    tags = [random_iob2(rng, int(rng.integers(1, 10)), types) for _ in range(n)]
    pool = token_pool([" ".join(f"t{i}" for i in range(len(s))) for s in tags])
    return pool, gold_of([tag for s in tags for tag in s], [len(s) for s in tags])


@pytest.mark.parametrize("kind", ["sequence", "token"])
def test_noise_is_stable_for_an_example_and_another_for_another_seed(kind: str) -> None:
    task = MOOD if kind == "sequence" else NER
    pool, gold = many(200, 2) if kind == "sequence" else sentences(200)
    whole = simulate("noisy:0.5", task, pool, gold)
    rows = np.random.default_rng(3).permutation(200)[:70]
    part = simulate("noisy:0.5", task, pool.take(rows), gold.take(rows))
    assert part.labels.tolist() == whole.take(rows).labels.tolist()
    other = simulate("noisy:0.5", task, pool, gold, seed=1)
    assert other.labels.tolist() != whole.labels.tolist()


@pytest.mark.parametrize("types", [1, 2, 4])
@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
def test_noisy_mentions_are_always_valid_iob2(types: int, rate: float) -> None:
    task = token_card(*"ABCD"[:types])
    pool, gold = sentences(400, types)
    said = simulate(f"noisy:{rate}", task, pool, gold)
    for begin, end in pairwise(said.offsets.tolist()):
        assert valid_iob2(said.labels[begin:end].tolist())
    assert set(said.labels.tolist()) <= set(range(len(task.classes)))
    assert (said.labels != gold.labels).any()


def corrupted_share(tags: list[int], mention: slice, rate: float) -> float:
    """Share of many equal sentences in which a mention is not answered as it is."""
    n = 3000
    pool = token_pool([" ".join("abcdefgh"[: len(tags)])] * n)
    gold = gold_of(tags * n, [len(tags)] * n)
    said = simulate(f"noisy:{rate}", NER, pool, gold).labels.reshape(n, -1)
    same = (said[:, mention] == np.asarray(tags)[mention]).all(axis=1)
    goes_on = said[:, mention.stop] == tags[mention.start] + 1
    return float(1 - (same & ~goes_on).mean())


@pytest.mark.parametrize("rate", [0.2, 0.7])
def test_mentions_inside_a_sentence_are_corrupted_at_the_rate(rate: float) -> None:
    assert corrupted_share([0, 0, 1, 2, 0, 0], slice(2, 4), rate) == pytest.approx(rate, abs=0.035)


def test_mentions_at_the_edge_of_a_sentence_are_corrupted_at_the_rate() -> None:
    assert corrupted_share([1, 2, 0, 0], slice(0, 2), 1.0) == 1.0


@pytest.mark.parametrize(
    "tags",
    [[1], [1, 0], [0, 3], [1, 2], [1, 2, 2], [0, 1, 2], [1, 2, 0], [0, 3, 4, 0], [1, 2, 3, 4]],
    ids=str,
)
@pytest.mark.parametrize("types", [1, 2])
def test_what_is_corrupted_is_always_changed(tags: list[int], types: int) -> None:
    if types == 1:
        tags = [(tag + 1) % 2 + 1 if tag else 0 for tag in tags]
    n = 300
    pool = token_pool([" ".join("abcd"[: len(tags)])] * n)
    task = token_card("PER", "LOC") if types == 2 else token_card("PER")
    said = simulate("noisy:1", task, pool, gold_of(tags * n, [len(tags)] * n)).labels
    assert (said.reshape(n, -1) != np.asarray(tags)).any(axis=1).all()


def test_a_confusion_matrix_decides_who_is_mistaken_for_whom(tmp_path: Path) -> None:
    task = sequence_card("a", "b", "c")
    file = tmp_path / "confusion.json"
    file.write_text(json.dumps({"a": {"b": 0.3}, "c": {"a": 1}}), encoding="utf-8")
    pool, gold = many(3000, 3)
    said = simulate(f"noisy:{file}", task, pool, gold)
    shares = [np.bincount(said.labels[gold.labels == g], minlength=3) for g in range(3)]
    assert shares[0][1] / shares[0].sum() == pytest.approx(0.3, abs=0.06)
    assert shares[0][2] == 0
    assert [int((row > 0).sum()) for row in shares] == [2, 1, 1]
    assert (said.labels[gold.labels == 2] == 0).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a readable confusion matrix"),
        ("[1]", r"write \{gold: \{answered: share\}\}"),
        ('{"x": {"good": 1}}', "the task has no label 'x'"),
        ('{"good": {"x": 1}}', "the task has no label 'x'"),
        ('{"good": {"bad": 2}}', "good -> bad: 2 is not a share from 0 to 1"),
    ],
)
def test_a_wrong_confusion_matrix_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "confusion.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        annotator(f"noisy:{file}", MOOD)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("spec", ["noisy:1.5", "noisy:-0.1", "noisy:lots", "noisy:nan"])
def test_a_wrong_rate_is_refused(spec: str) -> None:
    with pytest.raises(CommandError, match="write a rate from 0 to 1"):
        annotator(spec, MOOD)
    with pytest.raises(CommandError, match="serves sequence tasks only"):
        annotator("noisy:confusion.json", NER)


# --- embedding -----------------------------------------------------------------------


def ridge_by_loop(
    texts: FloatArray, support: FloatArray, labels: IntArray, classes: int
) -> FloatArray:
    """Weighted least squares of each class by itself, the penalty as further rows."""
    width = support.shape[1]
    centre = support.mean(axis=0)
    answers = np.zeros((len(texts), classes))
    for column in range(classes):
        rows, wanted = [], []
        for x, label in zip(support - centre, labels, strict=True):
            weight = len(labels) / classes / sum(labels == label)
            rows.append(np.sqrt(weight) * x)
            wanted.append(np.sqrt(weight) * (float(label == column) - 1 / classes))
        design = np.concatenate([rows, np.eye(width)])
        target = np.concatenate([wanted, np.zeros(width)])
        solution = np.linalg.lstsq(design, target, rcond=None)[0]
        answers[:, column] = [(text - centre) @ solution for text in texts]
    return answers


@pytest.mark.parametrize("seed", range(4))
def test_ridge_scores_agree_with_least_squares(seed: int) -> None:
    rng = np.random.default_rng(seed)
    texts, support = rng.normal(size=(7, 5)), rng.normal(size=(20, 5))
    labels = np.concatenate([[0, 1, 2], rng.integers(0, 2, 17)])
    found = ridge_scores(texts, support, labels, 3)
    np.testing.assert_allclose(found, ridge_by_loop(texts, support, labels, 3), atol=1e-9)


def vote_by_loop(
    texts: FloatArray, shown: FloatArray, labels: IntArray, nearest: IntArray, classes: int
) -> FloatArray:
    answers = np.zeros((len(texts), classes))
    for row, text in enumerate(texts):
        found: dict[int, list[float]] = {}
        for demonstration in nearest[row]:
            if demonstration >= 0:
                cosine = float(text @ shown[demonstration])
                found.setdefault(int(labels[demonstration]), []).append(cosine)
        means = {label: sum(cosines) / len(cosines) for label, cosines in found.items()}
        lowest = min(means.values(), default=0.0)
        values = [means.get(label, lowest) for label in range(classes)]
        answers[row] = [value - sum(values) / classes for value in values]
    return answers


@pytest.mark.parametrize("seed", range(4))
def test_votes_agree_with_a_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    texts, shown = rng.normal(size=(30, 4)), rng.normal(size=(9, 4))
    labels, nearest = rng.integers(0, 3, 9), rng.integers(-1, 9, (30, 5))
    nearest[0], nearest[1] = -1, [3, -1, -1, -1, -1]
    found = vote(texts, shown, labels, nearest, 4)  # the last class has no demonstration
    np.testing.assert_allclose(found, vote_by_loop(texts, shown, labels, nearest, 4), atol=1e-12)
    assert found[0].tolist() == [0, 0, 0, 0]


SPORT = replace(
    MOOD,
    labels=(
        Label("sport", "A text about football, tennis or another sport."),
        Label("food", "A text about cooking, meals and restaurants."),
    ),
)
TEXTS = [
    "The striker scored twice in the second half.",
    "Simmer the onions in butter, then add the rice.",
    "She won the match point with an ace.",
    "The pasta at that restaurant was delicious.",
    "It rained on Tuesday.",
]


def test_embeddings_label_by_meaning_and_abstain_under_the_threshold() -> None:
    pool = text_pool(TEXTS)
    sure = say("embedding", SPORT, pool)
    assert names(SPORT, sure)[:4] == ["sport", "food", "sport", "food"]
    assert sure.answered.all() and set(sure.reasons) == {""}
    margins = -0.1 * np.log(1 / sure.confidence.astype(np.float64) - 1)
    assert margins.argmin() == 4
    threshold = float(np.sort(margins)[:2].mean())  # between the rainy text and the others
    said = say(f"embedding,threshold={threshold}", SPORT, pool)
    assert said.answered.tolist() == [True, True, True, True, False]
    assert said.reasons == ("", "", "", "", "the margin is under the threshold")
    assert said.labels[:4].tolist() == sure.labels[:4].tolist()


def test_demonstrations_teach_the_embedding_annotator_another_meaning() -> None:
    task = sequence_card("alpha", "beta")
    examples = text_pool(
        ["A goal was scored.", "The keeper saved it.", "Fry the eggs.", "Bake it."]
    )
    labels = np.asarray([1, 1, 0, 0], dtype=np.int32)
    nearest = np.asarray([[0, 1, -1], [2, 3, -1], [0, 2, -1], [2, 3, 1], [-1, -1, -1]])
    pool = text_pool(TEXTS)
    for chosen, source in ((None, "generated"), (nearest.astype(np.int32), "trusted")):
        shown = Demonstrations(examples, labels, chosen, source)  # type: ignore[arg-type]
        assert names(task, say("embedding", task, pool, shown))[:2] == ["beta", "alpha"]


def test_a_threshold_that_is_no_number_from_0_on_is_refused() -> None:
    for threshold in ("-1", "nan", "inf"):
        with pytest.raises(CommandError, match="the threshold is a number of at least 0"):
            annotator(f"embedding,threshold={threshold}", SPORT)
    with pytest.raises(CommandError, match="no option 'treshold'; did you mean 'threshold'"):
        annotator("embedding,treshold=1", SPORT)


def test_answers_under_the_key_of_gold_labels_are_taken_to_be_gold(tmp_path: Path) -> None:
    said = annotator(jsonl(tmp_path, {"text": "a", "label": "good"}), MOOD)
    assert said.from_gold
    said = annotator(jsonl(tmp_path, {"text": "a", "llm_label": "good", "label": "bad"}), MOOD)
    assert not said.from_gold


@pytest.mark.slow
def test_a_text_is_embedded_alike_whatever_it_is_embedded_with() -> None:
    from harness.protocols import no_progress
    from harness_plugins.sentences import sentence_encoder

    texts = [" ".join(f"w{i * j % 97}" for j in range(1 + i % 20)) for i in range(60)]
    whole = sentence_encoder().embed(texts, no_progress)
    part = sentence_encoder().embed(texts[::7], no_progress)
    assert whole[::7].tobytes() == part.tobytes()
