"""Gold labels cannot reach a student, a selector or an ordinary annotator."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, get_type_hints

import numpy as np
import pytest

from harness import protocols
from harness.config import load_config
from harness.data import Annotations, Demonstrations, Gold, Pool
from harness.plugin_manager import Plugins
from harness.protocols import Progress
from harness.record.folder import RunFolder
from harness.results import Watcher
from harness.run.assembly import assemble, run_id
from harness.run.loop import run
from harness.run.splits import load_splits
from harness.specs import parse_spec
from harness_plugins.augmenters.word_edits import WordEdits

NOT_FOLLOWED = (ModuleType, type, CodeType, FrameType, str, bytes, int, float)


def reachable(*roots: object) -> Iterator[object]:
    """Everything that can be reached from the arguments through attributes and closures."""
    seen: set[int] = set()
    waiting: list[object] = list(roots)
    while waiting:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, NOT_FOLLOWED):
            continue
        seen.add(id(value))
        yield value
        if isinstance(value, FunctionType):  # its globals are the module, not an argument
            waiting.extend(cell.cell_contents for cell in value.__closure__ or ())
            continue
        waiting.extend(gc.get_referents(value))
        if isinstance(value, np.ndarray) and value.base is not None:
            waiting.append(value.base)


def finds_gold(secret: list[np.ndarray[Any, Any]], *roots: object) -> bool:
    for value in reachable(*roots):
        if isinstance(value, Gold):
            return True
        if isinstance(value, np.ndarray) and any(np.array_equal(value, one) for one in secret):
            return True
    return False


class Spy:
    """Wraps a part and searches all that it is handed, and all that it keeps."""

    def __init__(self, part: Any, secret: list[np.ndarray[Any, Any]], log: list[str]) -> None:
        self._part, self._secret, self._log = part, secret, log

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._part, name)
        return self._watched(name, value) if inspect.ismethod(value) else value

    def __call__(self, *arguments: Any) -> Any:
        return self._watched("__call__", self._part)(*arguments)

    def _watched(self, name: str, method: Any) -> Any:
        def call(*arguments: Any) -> Any:
            function = getattr(self._part, "func", None)  # of a functools.partial
            kind = getattr(function, "__name__", type(self._part).__name__)
            found = finds_gold(self._secret, self._part, *arguments)
            self._log.append(f"{kind}.{name}: {'GOLD' if found else 'clean'}")
            result = method(*arguments)
            return Spy(result, self._secret, self._log) if name in ("fit", "of_round") else result

        return call


def spied_run(tmp_path: Path, annotator: str) -> list[str]:
    plugins = Plugins(third_party=False)
    config = load_config(
        options={"annotator.spec": annotator, "student.spec": "tfidf", "limit": 120}
    )
    config, parts = assemble(config, plugins, None)
    splits = load_splits(parts.task, inductive=True, limit=120, seed=0)
    assert splits.test is not None
    secret = [splits.train.gold.labels, splits.test.gold.labels]
    log: list[str] = []
    roles = ("annotator", "student", "trust", "demonstrations", "query")
    values = {field.name: getattr(parts, field.name) for field in fields(parts)}
    values.update({role: Spy(getattr(parts, role), secret, log) for role in roles})
    values["augmenter"] = Spy(WordEdits(), secret, log)
    with RunFolder.held(tmp_path / "run") as folder:
        run(
            protocols.Parts(**values),
            config,
            splits,
            folder,
            run_id=run_id(config, parts),
            replies=folder.path / "replies.sqlite",
            plugins=plugins,
            watcher=Watcher(),
        )
    return log


def test_no_part_of_an_unsupervised_run_can_reach_gold(tmp_path: Path) -> None:
    recording = tmp_path / "said.jsonl"
    task = (
        Plugins(third_party=False)
        .part("task", "demo")
        .factory(protocols.TaskRequest(parse_spec("demo")))
    )
    # Answers that are wrong throughout, so that they cannot be mistaken for the gold labels.
    classes = task.card.classes
    gold = task.gold("train")
    with recording.open("w") as file:
        for text, label in zip(task.load("train").texts, gold.labels, strict=True):
            row = {"text": text, "llm_label": classes[(label + 1) % len(classes)]}
            file.write(protocols_json(row) + "\n")
    log = spied_run(tmp_path, f"replay:{recording}")
    assert {line.split(":")[0] for line in log} >= {
        "ReplayAnnotator.annotate",
        "TfidfStudent.fit",
        "FittedTfidf.view",
        "WordEdits.augment",
        "agreeing_small_loss.__call__",
        "ClassWise.choose",
        "untrusted.__call__",
    }
    assert [line for line in log if not line.endswith("clean")] == []


def protocols_json(row: dict[str, str]) -> str:
    import json

    return json.dumps(row)


def test_the_search_does_find_gold_where_it_is(tmp_path: Path) -> None:
    # The oracle is handed gold: were the search blind, this would say "clean".
    log = spied_run(tmp_path, "oracle")
    assert "OracleAnnotator.annotate: GOLD" in log


def test_trust_that_knows_what_is_right_makes_a_run_supervised(tmp_path: Path) -> None:
    plugins = Plugins(third_party=False)
    options = {"student.spec": "tfidf", "limit": 60, "rounds": 1, "selector.trust": "oracle"}
    config, parts = assemble(load_config(options=options), plugins, None)
    splits = load_splits(parts.task, inductive=True, limit=60, seed=0)
    with RunFolder.held(tmp_path / "run") as folder:
        result = run(
            parts,
            config,
            splits,
            folder,
            run_id="x",
            replies=folder.path / "replies.sqlite",
            plugins=plugins,
            watcher=Watcher(),
        )
    selection = result.stages[-1].selection
    assert result.supervised and selection is not None
    assert selection.trusted > 0 and selection.trusted_precision == 1.0


class Thief:
    """An ordinary annotator that asks for gold in its signature."""

    needs_gold = False

    def annotate(
        self,
        pool: Pool,
        demonstrations: Demonstrations | None,
        progress: Progress,
        gold: Gold | None = None,
    ) -> Annotations:
        assert gold is None
        return Annotations.of(np.zeros(len(pool), dtype=np.int32), pool.offsets)


def test_an_annotator_that_does_not_declare_it_gets_no_gold(tmp_path: Path) -> None:
    plugin = tmp_path / "thief.py"
    plugin.write_text(
        "from harness import hookimpl\n"
        "from tests.test_gold_wall import Thief\n"
        "@hookimpl\n"
        "def harness_register_annotators(register):\n"
        "    register('thief', lambda request: Thief())\n"
    )
    plugins = Plugins([str(plugin)], third_party=False)
    options = {"annotator.spec": "thief", "student.spec": "tfidf", "limit": 60, "rounds": 1}
    config, parts = assemble(load_config(options=options), plugins, None)
    splits = load_splits(parts.task, inductive=True, limit=60, seed=0)
    with RunFolder.held(tmp_path / "run") as folder:
        result = run(
            parts,
            config,
            splits,
            folder,
            run_id="x",
            replies=folder.path / "replies.sqlite",
            plugins=plugins,
            watcher=Watcher(),
        )
    assert not result.supervised


@pytest.mark.parametrize(
    "protocol",
    [
        protocols.Annotator,
        protocols.Student,
        protocols.FittedStudent,
        protocols.TrustSelector,
        protocols.DemonstrationSelector,
        protocols.QuerySelector,
        protocols.Augmenter,
    ],
)
def test_no_signature_but_the_supervised_one_mentions_gold(protocol: type) -> None:
    for name, method in inspect.getmembers(protocol, inspect.isfunction):
        hints = {} if name.startswith("_") and name != "__call__" else get_type_hints(method)
        assert Gold not in hints.values(), f"{protocol.__name__}.{name}"
    supervised = get_type_hints(protocols.SupervisedAnnotator.annotate)
    assert supervised["gold"] is Gold
