"""A pool that is annotated in part: what is asked first, then, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.config import count_of, load_config
from harness.data import IntArray
from harness.errors import ConfigError
from harness.plugin_manager import Plugins
from harness.protocols import SelectorRequest
from harness.record import layout
from harness.record.finished import FinishedRun
from harness.results import StageResult, Watcher
from harness.run.single import run_single
from harness.specs import parse_spec
from tests.factories import text_pool

PLUGINS = Plugins(third_party=False)
LIMIT = 60
LEARNING = {
    "annotator.spec": "oracle",
    "student.spec": "tfidf",
    "limit": LIMIT,
    "rounds": 4,
    "selector.initial": "random:0.2",
    "selector.budget": 6,
    "selector.asks": 1,
    "selector.trust": "none",
}


def a_run(out: Path, **options: Any) -> tuple[FinishedRun, list[StageResult]]:
    """A small run with active learning, and its stages."""
    given = {name.replace("__", "."): value for name, value in options.items()}
    config = load_config(options={**LEARNING, **given})
    result, path = run_single(config, PLUGINS, None, out, lambda name: nullcontext(Watcher()))
    return FinishedRun.open(path), list(result.stages)


def times(run: FinishedRun) -> IntArray:
    """How often each example was asked for, from the records."""
    asked = np.zeros(LIMIT, dtype=np.int64)
    for file in (layout.INITIAL, *(layout.selection(round_) for round_ in range(3))):
        asked[run.folder.read(file, _requested)] += 1
    return asked


def _requested(path: Path) -> IntArray:
    from harness.record import codecs

    return codecs.SELECTION.read(path)[0].requested


@pytest.mark.parametrize("query", ["entropy", "core-set", "badge", "cal", "random:1.0"])
def test_each_round_asks_for_so_many_new_examples(query: str, tmp_path: Path) -> None:
    run, stages = a_run(tmp_path, selector__query=query)
    said = [stage for stage in stages if stage.actor == "annotator"]
    assert [stage.annotated for stage in said] == [12, 6, 6, 6]
    assert [stage.unlabelled for stage in said] == [48, 42, 36, 30]
    assert [stage.abstained for stage in said] == [48, 42, 36, 30]
    asked = times(run)
    assert asked.max() == 1 and asked.sum() == 30
    # The oracle is right wherever it was asked, and nothing else counts as right.
    assert [stage.transductive.score for stage in said] == [12 / 60, 18 / 60, 24 / 60, 30 / 60]
    assert all(stage.transductive.answered == 1 for stage in said)


def test_without_a_query_nothing_is_asked_after_the_first_round(tmp_path: Path) -> None:
    _, stages = a_run(tmp_path, selector__query="none")
    assert [stage.unlabelled for stage in stages] == [48] * 8
    students = [stage for stage in stages if stage.actor == "student"]
    assert len({stage.transductive.score for stage in students}) == 1  # the placebo


def test_an_example_is_asked_so_often_and_not_more(tmp_path: Path) -> None:
    def asked(**options: Any) -> list[int]:
        _, stages = a_run(tmp_path, selector__initial="random:1.0", selector__budget=1.0, **options)
        return [stage.annotated for stage in stages if stage.actor == "annotator"]

    assert asked(selector__query="all", selector__asks=2) == [60, 60, 0, 0]
    assert asked(selector__query="all", selector__asks=1) == [60, 0, 0, 0]
    assert asked(selector__query="all", selector__asks=9) == [60, 60, 60, 60]


@pytest.mark.parametrize("name", ["random", "diverse"])
def test_the_first_examples_are_drawn_by_the_seed(name: str) -> None:
    pool = text_pool([f"example {number} is about {number % 7}" for number in range(40)])

    def rows(spec: str, seed: int) -> IntArray:
        part = PLUGINS.part("selector", f"initial/{name}")
        chosen = part.factory(SelectorRequest(parse_spec(spec), 1))
        found: IntArray = chosen(pool, np.random.default_rng(seed))
        return found

    first = rows(f"{name}:0.25", 0)
    assert len(set(first.tolist())) == 10
    np.testing.assert_array_equal(first, rows(f"{name}:10", 0))
    assert set(first.tolist()) != set(rows(f"{name}:0.25", 1).tolist())
    assert len(rows(f"{name}:100", 0)) == 40


def test_diverse_examples_are_not_of_one_kind() -> None:
    texts = ["the match ended two to one"] * 30 + ["how do I bake bread?", "the server is down"]
    part = PLUGINS.part("selector", "initial/diverse")
    chosen = part.factory(SelectorRequest(parse_spec("diverse:3"), 1))
    rows = chosen(text_pool(texts), np.random.default_rng(0))
    assert {30, 31} <= set(rows.tolist())


@pytest.mark.parametrize(
    ("amount", "n", "count"),
    [(5, 60, 5), (0.1, 60, 6), (0.001, 60, 1), (1.0, 60, 60), (99, 60, 60)],
)
def test_a_number_or_a_share(amount: float, n: int, count: int) -> None:
    assert count_of(amount, n) == count


@pytest.mark.parametrize(
    "values",
    [{"selector.budget": 0}, {"selector.budget": 1.5}, {"selector.asks": 0}],
)
def test_a_budget_of_nothing_is_refused(values: Mapping[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        load_config(options=values)
