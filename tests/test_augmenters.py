"""The built-in augmenters: what they change, what they leave, and what they refuse."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.abilities import reads_labels
from harness.data import ABSTAINED, Annotations, Pool, TaskCard
from harness.errors import CommandError, ServiceError
from harness.plugin_manager import Plugins
from harness.protocols import AugmenterRequest, no_progress
from harness.specs import parse_spec
from harness_plugins.augmenters.translator import parts_of
from tests.commands import call, succeeded
from tests.factories import sequence_card, text_pool, token_card, token_pool
from tests.tiny_translators import SENTENCES, write_translator

CARD, TOKENS = sequence_card("good", "bad"), token_card("PER", "LOC")
TEXTS = (
    "This film isn't good, and nobody in it seems to know why.",
    "never (ever) watch this !",
    "don't",
    "?!",
    'a film , " simply put , " for everyone ; bring tissues .',
    "Ünïcödé wörds gö törn töo – naturally",
)


def augmenter(spec: str, card: TaskCard = CARD) -> Any:
    """A built-in augmenter, made as a run makes it."""
    parsed = parse_spec(spec)
    part = Plugins(third_party=False).part("augmenter", parsed.name)
    return part.factory(AugmenterRequest(parsed, card))


def varied(spec: str, texts: Any = TEXTS, seed: int = 0) -> list[str]:
    return list(augmenter(spec).augment(text_pool(texts), None, seed, no_progress).pool.texts)


def marks(text: str) -> str:
    return re.sub(r"[\w\s'’-]", "", text)


# --- word edits of texts ---------------------------------------------------------------


@pytest.mark.parametrize("spec", ["word-edits", "word-edits:1", "word-edits:0.5,edits=delete"])
@pytest.mark.parametrize("seed", range(5))
def test_edits_keep_punctuation_negations_and_something_to_read(spec: str, seed: int) -> None:
    for old, new in zip(TEXTS, varied(spec, seed=seed), strict=True):
        assert new.strip() and marks(new) == marks(old)
        kept = re.compile(r"\b(?:isn't|never|nobody|don't|too)\b", re.IGNORECASE)
        if "delete" in spec:
            assert kept.findall(new) == kept.findall(old)
        assert "  " not in new and not new.startswith(" ")


def test_each_edit_does_what_it_says() -> None:
    text = "several critics praised the quiet ending"
    words = text.split()
    (swapped,) = varied("word-edits:0.1,edits=swap", [text])
    assert Counter(swapped.split()) == Counter(words) and swapped != text
    assert sum(a != b for a, b in zip(swapped.split(), words, strict=True)) == 2
    (shorter,) = varied("word-edits:0.5,edits=delete", [text])
    assert len(shorter.split()) == 3 and [w for w in words if w in shorter.split()]
    (misspelt,) = varied("word-edits:0.1,edits=typo", [text])
    ((old, new),) = [(a, b) for a, b in zip(words, misspelt.split(), strict=True) if a != b]
    assert sorted(old) == sorted(new) and (old[0], old[-1]) == (new[0], new[-1])


def test_the_rate_is_the_share_of_words_edited() -> None:
    text = " ".join(f"word{number}" for number in range(100))
    for rate in (0.1, 0.3):
        (new,) = varied(f"word-edits:{rate},edits=delete", [text])
        assert len(new.split()) == 100 - round(100 * rate)


def test_a_variant_hangs_on_its_example_and_the_seed_alone() -> None:
    alone = varied("word-edits", TEXTS[:1])[0]
    assert varied("word-edits", TEXTS[::-1])[-1] == alone
    assert varied("word-edits", TEXTS[:1], seed=1)[0] != alone


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("word-edits:2", "not a share"),
        ("word-edits:0", "not a share"),
        ("word-edits:some", "not a share"),
        ("word-edits,edits=delte", "'delete'"),
        ("word-edits,edit=swap", "'edits'"),
    ],
)
def test_a_wrong_spec_of_edits(spec: str, said: str) -> None:
    with pytest.raises(CommandError, match=re.escape(said)):
        augmenter(spec)


# --- token tasks -----------------------------------------------------------------------

SENTENCES_OF_TOKENS = (
    "Ada Byron visited London while walking slowly",
    "Bob Ross visited Oslo while talking quickly",
    "London painted little today",
    "Eve met Ada Byron twice",
    "Rome burned while hiding",
    "Cy Doe left London",
)
TAGS = (
    (1, 2, 0, 3, 0, 0, 0),
    (1, 2, 0, 3, 0, 0, 0),
    (3, 0, 0, 0),
    (1, 0, 1, 2, 0),
    (ABSTAINED,) * 4,
    (1, 2, 0, 3),
)


def annotated() -> tuple[Pool, Annotations]:
    pool = token_pool(SENTENCES_OF_TOKENS)
    labels = np.asarray([tag for tags in TAGS for tag in tags], dtype=np.int32)
    return pool, Annotations.of(labels, pool.offsets)


def tokens_of(spec: str, seed: int = 0) -> list[tuple[str, ...]]:
    made = augmenter(spec, TOKENS)
    assert reads_labels(made)
    pool, annotations = annotated()
    found = made.augment(pool, annotations, seed, no_progress).pool
    assert (found.ids, found.split) == (pool.ids, pool.split)
    assert np.array_equal(found.offsets, pool.offsets)
    return list(found.tokens)


@pytest.mark.parametrize("seed", range(4))
def test_mentions_give_place_to_others_of_their_type_and_length(seed: int) -> None:
    people = {("Ada", "Byron"), ("Bob", "Ross"), ("Cy", "Doe")}
    found, examples = tokens_of("mentions:1", seed), annotated()[0].tokens
    for new, old, tags in zip(found, examples, TAGS, strict=True):
        for at, tag in enumerate(tags):
            if tag <= 0:
                assert new[at] == old[at]
            elif tag == 3:
                assert new[at] == {"London": "Oslo", "Oslo": "London"}[old[at]]
            elif tags[at : at + 2] == (1, 2):
                pair = new[at : at + 2]
                assert pair in people and pair != old[at : at + 2]
    assert found[3][0] == "Eve"  # the only one of its length


def test_frequent_mentions_are_drawn_more_often() -> None:
    drawn = Counter(tokens_of("mentions:1", seed)[5][:2] for seed in range(300))
    share = drawn[("Ada", "Byron")] / 300
    assert share == pytest.approx(2 / 3, abs=0.09)  # it occurs twice, Bob Ross once
    assert set(drawn) == {("Ada", "Byron"), ("Bob", "Ross")}


def test_the_rate_of_mentions() -> None:
    changed = [tokens_of("mentions:0.3", seed)[0][3] != "London" for seed in range(300)]
    assert np.mean(changed) == pytest.approx(0.3, abs=0.08)


def test_words_outside_give_place_to_words_of_their_ending() -> None:
    found = [tokens_of("word-edits:1", seed) for seed in range(20)]
    for sentences in found:
        for new, old, tags in zip(sentences, annotated()[0].tokens, TAGS, strict=True):
            for a, b, tag in zip(new, old, tags, strict=True):
                assert a == b if tag else a[-3:] == b[-3:]
        assert sentences[4] == ("Rome", "burned", "while", "hiding")  # abstained
    assert {sentences[0][5] for sentences in found} == {"walking", "talking"}  # never "hiding"


def test_mentions_and_words_together() -> None:
    found = [tokens_of("mentions:1,words=1", seed)[0] for seed in range(20)]
    assert {tokens[3] for tokens in found} == {"Oslo"}
    assert {tokens[5] for tokens in found} == {"walking", "talking"}


def test_words_of_mentions_do_not_spread() -> None:
    pool = token_pool(["severe asthma was reported", "plain plasma was drawn"])
    labels = np.asarray([0, 1, 0, 0, 0, 0, 0, 0], dtype=np.int32)
    made = augmenter("word-edits:1", TOKENS)
    annotations = Annotations.of(labels, pool.offsets)
    for seed in range(10):
        found = made.augment(pool, annotations, seed, no_progress).pool
        assert "asthma" not in found.tokens[1]
        assert found.tokens[0][1] == "asthma"


# --- recorded --------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_recorded_variants_need_no_labels(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"said.{suffix}"
    rows = [{"text": "one", "augmented": "uno"}, {"text": "two", "augmented": "due"}]
    if suffix == "jsonl":
        file.write_text("\n".join(json.dumps(row) for row in rows))
    else:
        file.write_text("text,augmented\none,uno\ntwo,due\n")
    assert varied(f"recorded:{file}", ["two", "three", "one"]) == ["due", "three", "uno"]


# --- back-translation ------------------------------------------------------------------


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("models")
    forward = write_translator(folder / "there", {"▁a": "▁it", "N": "</s>"})
    back = write_translator(folder / "back", {"▁it": "▁to", "W": "</s>"})
    return f"forward={forward},back={back}"


@pytest.mark.parametrize("how", ["", ",beams=1", ",temperature=0.01"])
def test_texts_go_there_and_back(models: str, how: str) -> None:
    told: list[tuple[int, int]] = []
    pool = text_pool(SENTENCES)
    part = augmenter(f"back-translation,{models}{how}")
    found = part.augment(pool, None, 0, lambda done, total: told.append((done, total))).pool
    # By hand: "▁a" becomes "▁it" there, and every "▁it" becomes "▁to" on the way back.
    assert list(found.texts) == [
        "The film is to quiet wonder, tond tos ending stays with you.",
        "A dull tond noisy film that forgets tos own story.",
        SENTENCES[2],  # nothing comes back
        SENTENCES[3],  # nothing arrives
        "It took three days, two boats tond one very patient guide.",
    ]
    assert found.ids == pool.ids
    assert told == sorted(told) and told[-1] == (10, 10)


def test_long_texts_are_translated_whole(models: str) -> None:
    text = " ".join(sentence for sentence in SENTENCES[:2] for _ in range(6))
    (found,) = varied(f"back-translation,{models}", [text])
    first, second = varied(f"back-translation,{models}", SENTENCES[:2])
    assert found.count(first) == found.count(second) == 6


def test_parts_of_a_long_text() -> None:
    def count(text: str) -> int:
        return len(text.split())

    assert parts_of("one two. Three!", count, 3) == ["one two. Three!"]
    assert parts_of("one two. Three four! five", count, 3) == ["one two.", "Three four!", "five"]
    assert parts_of("a b c d e f", count, 3) == ["a b c", "d e f"]
    assert parts_of("one", lambda text: 9, 3) == ["one"]


def test_the_models_and_the_decoding_are_part_of_its_identity(models: str, tmp_path: Path) -> None:
    prints = {augmenter(f"back-translation,{models}{how}").fingerprint for how in ("", ",beams=1")}
    other = write_translator(tmp_path / "there", {})
    again = re.sub("forward=[^,]*", f"forward={other}", models)
    prints.add(augmenter(f"back-translation,{again}").fingerprint)
    assert len(prints) == 3
    assert augmenter(f"back-translation,{models}").fingerprint in prints


@pytest.mark.parametrize("pivot", ["", ":de"])
def test_without_the_hub_it_says_what_to_do(pivot: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ServiceError) as caught:
        augmenter(f"back-translation{pivot}")
    said = str(caught.value)
    assert "\n" not in said
    name = "opus-mt-en-de" if pivot else "opus-mt-tc-big-en-fr"
    assert f"hf download Helsinki-NLP/{name}" in said
    assert "recorded:FILE" in said and "word-edits" in said


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("back-translation:en", "other than English"),
        ("back-translation:French!", "other than English"),
        ("back-translation,forward=x", "give both"),
        ("back-translation,beams=0", "beams is 1 or more"),
        ("back-translation,beams=2,temperature=1", "either beams or a temperature"),
        ("back-translation,forward=no/such/x,back=y", "no such folder"),
    ],
)
def test_a_wrong_spec_of_back_translation(spec: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        augmenter(spec)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"no config\.json there"):
        augmenter(f"back-translation,forward={tmp_path},back={tmp_path}")
    (tmp_path / "config.json").write_text("{}")
    made = augmenter(f"back-translation,forward={tmp_path},back={tmp_path}")
    with pytest.raises(CommandError, match="no translation model"):
        made.augment(text_pool(["one"]), None, 0, no_progress)


# --- what the command line says --------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("back-translation", ("serves: sequence tasks", "beams = ")),
        ("mentions", ("serves: token tasks", "made = each round, from that round's labels")),
        ("paraphrase", ("serves: sequence tasks", "costs = ")),
        ("recorded", ("use = --set student.augmenter=recorded:FILE",)),
        ("word-edits", ("serves: sequence, token tasks", "source = Wei & Zou 2019 (EDA)")),
    ],
)
def test_show_says_how_an_augmenter_is_used(name: str, lines: tuple[str, ...]) -> None:
    shown = succeeded(call("show", "augmenter", name))
    assert f"--set student.augmenter={name}" in shown
    for line in lines:
        assert line in shown
    assert f"  {name}  " in succeeded(call("list", "augmenters"))
