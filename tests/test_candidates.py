"""Candidates: several plausible labels, from the recording to what students learn of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.data import Annotations, Pool
from harness.errors import PartError
from harness.plugin_manager import Plugins
from harness.protocols import Aids, Student, StudentRequest, no_progress
from harness.run.assembly import others
from harness.run.contracts import check_annotations
from harness.specs import parse_spec
from harness_plugins.students.candidates import spread
from tests.commands import call, message
from tests.exporting import DEMO, SMALL, exported, run
from tests.factories import sequence_card, text_pool
from tests.task_files import write_rows

PLUGIN = Path(__file__).parent / "third_party/candist.py"
THEMES = sequence_card("storm", "food", "money")
WORDS = {
    "storm": ("thunder", "rain", "wind", "hail"),
    "food": ("bread", "soup", "cake", "salad"),
    "money": ("bank", "loan", "coins", "tax"),
}


def themes(count: int) -> tuple[list[str], list[int]]:
    """Texts of two words of a theme, with its index."""
    rng = np.random.default_rng(0)
    names = list(WORDS)
    labels = [row % 3 for row in range(count)]
    texts = [" ".join(["the", *rng.choice(WORDS[names[label]], 2)]) + f" {row}"
             for row, label in enumerate(labels)]  # fmt: skip
    return texts, labels


def open_ones(count: int) -> tuple[list[str], list[int], Annotations]:
    """Half of the labels are given, of the others the right one and another in random order."""
    texts, labels = themes(count)
    rng = np.random.default_rng(1)
    named = [tuple(rng.permutation([one, (one + 1) % 3]).tolist()) for one in labels]
    given = np.arange(count) % 2 == 0
    said = Annotations.of(
        np.where(given, labels, -1),
        np.arange(count + 1),
        candidates=[() if known else both for known, both in zip(given, named, strict=True)],
    )
    return texts, labels, said


def student(spec: str, *plugins: Path) -> Student:
    found = Plugins([str(one) for one in plugins], third_party=False)
    return others(THEMES, found)(spec)


def test_an_open_label_is_a_row_for_each_candidate() -> None:
    said = Annotations.of(
        np.asarray([0, -1, 2, -1]), np.arange(5), candidates=[(), (1, 2), (2, 1), ()]
    )
    rows, wide = spread(said)
    assert rows.tolist() == [0, 1, 1, 2, 3]
    assert wide.labels.tolist() == [0, 1, 2, 2, -1]
    assert wide.confidence[1:3].tolist() == [0.5, 0.5] and np.isnan(wide.confidence[[0, 3]]).all()


def test_students_learn_from_candidates_alone() -> None:
    texts, labels, said = open_ones(60)
    pool = text_pool(texts)
    alone = Annotations.of(np.full(60, -1), pool.offsets, candidates=[
        one or (label, (label + 2) % 3) for one, label in zip(said.candidates, labels, strict=True)
    ])  # fmt: skip
    fitted = student("tfidf").fit(pool, alone, 0, no_progress, Aids())
    found = fitted.view(pool, no_progress).predictions
    assert (found == labels).mean() >= 0.9


def test_an_encoder_reads_each_candidate_and_its_variant(tmp_path: Path) -> None:
    from harness_plugins.students.encoder.student import EncoderStudent
    from harness_plugins.students.settings import Settings
    from harness_plugins.students.sources import Source
    from tests.tiny_encoders import write_bert

    texts, _, said = open_ones(12)
    pool, folder = text_pool(texts), write_bert(tmp_path / "bert")
    settings = Settings(epochs=2, batch_size=4, weighted=True, augmented=1.0)
    student = EncoderStudent(Source(folder, "tiny"), "sequence", THEMES.classes, settings)
    variants = Pool("sequence", "train", pool.ids, [f"{text} again" for text in texts])
    rows, wide = spread(said)
    assert len(rows) == 18
    one = student.fit(pool, said, 0, no_progress, Aids(variants=variants))
    aids = Aids(variants=variants.take(rows))
    other = student.fit(pool.take(rows), wide, 0, no_progress, aids)
    dropped = replace(said, candidates=())
    third = student.fit(pool, dropped, 0, no_progress, Aids(variants=variants))
    seen = [fitted.view(pool, no_progress).log_probabilities for fitted in (one, other, third)]
    assert np.array_equal(seen[0], seen[1]) and not np.array_equal(seen[0], seen[2])


def test_candist_refines_candidates_through_public_hooks() -> None:
    texts, labels, said = open_ones(120)
    pool = text_pool(texts)
    fitted = student("candist:tfidf", PLUGIN).fit(pool, said, 0, no_progress, Aids())
    sure = fitted.view(pool, no_progress).probabilities[np.arange(120), labels][1::2]
    naive = student("tfidf").fit(pool, said, 0, no_progress, Aids())
    before = naive.view(pool, no_progress).probabilities[np.arange(120), labels][1::2]
    assert sure.mean() > before.mean() and (sure > before).mean() > 0.6
    assert len(PLUGIN.read_text(encoding="utf-8").splitlines()) <= 80
    request = StudentRequest(parse_spec("candist:tfidf"), THEMES, None)
    part = Plugins([str(PLUGIN)], third_party=False).part("student", "candist")
    with pytest.raises(Exception, match="no other students are at hand"):
        part.factory(request)


@pytest.mark.usefixtures("alone")
def test_candidates_are_recorded_replayed_and_exported() -> None:
    rows = [json.loads(line) for line in (DEMO / "train.jsonl").read_text("utf-8").splitlines()]
    names = sorted({row["label"] for row in rows})
    said = [
        {"text": row["text"], "llm_label": row["label"] if number % 3 else None,
         "candidates": [row["label"], next(one for one in names if one != row["label"])]}
        for number, row in enumerate(rows)
    ]  # fmt: skip
    write_rows(Path("recorded.jsonl"), said)
    options = (*SMALL, "--rounds", "1", "--setting", "transductive")
    first = run(*options, "--annotator", "replay:recorded.jsonl")
    back = exported(first["run_id"], "back.jsonl", "--replay")
    by_text = {row["text"]: row for row in said}
    assert all(row["candidates"] == by_text[row["text"]]["candidates"] for row in back)
    second = run(*options, "--annotator", "replay:back.jsonl")
    scores = [[stage["transductive"] for stage in one["stages"]] for one in (first, second)]
    assert scores[0] == scores[1]
    dropped = [{**row, "candidates": []} for row in said]
    write_rows(Path("dropped.jsonl"), dropped)
    without = run(*options, "--annotator", "replay:dropped.jsonl")
    assert without["stages"][0]["transductive"] == first["stages"][0]["transductive"]
    assert without["stages"][1]["transductive"] != first["stages"][1]["transductive"]
    said[0]["candidates"] = ["weather"]
    write_rows(Path("wrong.jsonl"), said)
    assert run(*options, "--annotator", "replay:wrong.jsonl")  # one alone says nothing
    said[0]["candidates"] = ["weather", "rain"]
    write_rows(Path("wrong.jsonl"), [said[0]] * 1 + said[1:])
    wrong = call("run", "--limit", "504", *options[:2], "--annotator", "replay:wrong.jsonl")
    assert "wrong.jsonl:1: the task has no label 'weather'" in message(wrong, 1)


@pytest.mark.parametrize("named", [(0, 0), (0, 3), (-1, 1)])
def test_wrong_candidates_name_the_row(named: tuple[int, ...]) -> None:
    pool = text_pool(["a", "b"])
    said = Annotations.of(np.asarray([0, -1]), pool.offsets, candidates=[(), named])
    with pytest.raises(PartError, match=f"candidates for {pool.ids[1]}"):
        check_annotations(said, pool, THEMES)
