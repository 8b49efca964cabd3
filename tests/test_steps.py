"""Steps are named by all that decides them, and layout alone says where they are kept."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harness
import harness_plugins
from harness.config import load_config
from harness.data import Annotations
from harness.identity import digest
from harness.plugin_manager import Plugins
from harness.record import layout
from harness.record.folder import RunFolder
from harness.results import RunResult, Watcher
from harness.run.assembly import assemble
from harness.run.loop import run
from harness.run.splits import splits_of
from tests.factories import text_pool
from tests.tiny_encoders import write_bert

VIEW, SELECTION = layout.view(0), layout.selection(0)
POOL, TEST = layout.annotations_of(0, "train"), layout.annotations_of(0, "test")
VIEW_NEXT, SELECTION_NEXT = layout.view(1), layout.selection(1)
POOL_NEXT, TEST_NEXT = layout.annotations_of(1, "train"), layout.annotations_of(1, "test")
FIRST = {POOL, TEST, VIEW, SELECTION}


class Notes(Watcher):
    """Keeps what the user was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def noted(self, message: str) -> None:
        self.lines.append(message)


def a_run(
    folder: Path, code: Mapping[str, str] | None = None, **options: Any
) -> tuple[RunResult, list[str]]:
    """A small run in a folder, as ``harness run`` does it, and its notes."""
    plugins, notes = Plugins(third_party=False), Notes()
    small = {"annotator.spec": "noisy:0.3", "student.spec": "tfidf", "limit": 60}
    given = {name.replace("__", "."): value for name, value in options.items()}
    config, parts = assemble(load_config(options={**small, **given}), plugins, None)
    with RunFolder.held(folder) as held:
        result = run(
            replace(parts, code=code or {}),
            config,
            splits_of(config, parts.task),
            held,
            run_id="a",
            replies=folder.parent / layout.REPLIES,
            plugins=plugins,
            watcher=notes,
        )
    return result, notes.lines


def names(folder: Path) -> dict[str, str]:
    """The names of a run's steps, by their records."""
    opened = RunFolder(folder)
    files = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return {file: name for file in files if (name := opened.step(file)) is not None}


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of the run that others are compared with."""
    folder = tmp_path_factory.mktemp("usual") / "run"
    a_run(folder)
    return names(folder)


def same(one: Mapping[str, str], other: Mapping[str, str]) -> set[str]:
    """Records of both runs whose steps have one name."""
    return {file for file in one if one[file] == other.get(file)}


def test_every_record_of_a_round_has_a_name_of_its_own(steps: dict[str, str]) -> None:
    second = {file.replace("/00/", "/01/") for file in FIRST}
    assert set(steps) == FIRST | second and len(set(steps.values())) == len(steps)


@pytest.mark.parametrize(
    ("options", "shared"),
    [
        # The test set is shown the same demonstrations, whatever is asked of the pool. This
        # annotator repeats itself when asked again, so the student learns from the same labels.
        ({"selector__query": "none"}, {POOL, TEST, VIEW, TEST_NEXT, VIEW_NEXT}),
        ({"rounds": 1}, FIRST),
        ({"selector__trust": "all"}, {POOL, TEST, VIEW}),
        # One record holds the views of all splits, but the selector reads that of the pool.
        ({"setting": "transductive"}, {POOL, SELECTION, POOL_NEXT, SELECTION_NEXT}),
        ({"annotator__spec": "oracle"}, set()),
        ({"demonstrations__shots": 3}, {VIEW, VIEW_NEXT}),  # it says the same, shown what may be
        ({"seed": 1}, set()),
        ({"limit": 50}, set()),
    ],
)
def test_runs_that_differ_only_in_what_comes_later_share_their_first_steps(
    options: dict[str, Any], shared: set[str], steps: dict[str, str], tmp_path: Path
) -> None:
    a_run(tmp_path / "run", **options)
    assert same(steps, names(tmp_path / "run")) == shared


@pytest.mark.slow
def test_another_student_or_augmenter_shares_what_the_annotator_said(
    steps: dict[str, str], tmp_path: Path
) -> None:
    tiny = f"transformers:{write_bert(tmp_path / 'bert')}"
    usual: dict[str, Any] = {"student__spec": tiny, "student__epochs": 1, "rounds": 1}
    a_run(tmp_path / "plain", **usual)
    a_run(tmp_path / "varied", **usual, student__augmenter="word-edits")
    a_run(tmp_path / "said", **usual, student__augmenter="word-edits", annotator__spec="oracle")
    plain, varied, said = (names(tmp_path / name) for name in ("plain", "varied", "said"))
    assert same(steps, plain) == same(plain, varied) == {POOL, TEST}
    # Variants of the texts alone are the same, whoever labels them.
    assert same(varied, said) == {layout.variants(None)}


def test_a_step_of_other_code_is_done_again_and_only_what_depends_on_it(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first, _ = a_run(folder, rounds=1, code={"student": "before", "annotator": "same"})
    kept = (folder / POOL).stat().st_mtime_ns, (folder / VIEW).stat().st_mtime_ns
    (folder / layout.RESULT).unlink()
    again, notes = a_run(folder, rounds=1, code={"student": "after", "annotator": "same"})
    assert [line for line in notes if VIEW in line and "other code" in line] == notes[:1] == notes
    assert (folder / POOL).stat().st_mtime_ns == kept[0]
    assert (folder / VIEW).stat().st_mtime_ns != kept[1]
    assert [stage.transductive for stage in again.stages] == [
        stage.transductive for stage in first.stages
    ]


def test_records_of_earlier_versions_have_no_names_and_are_used(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first, _ = a_run(folder)
    checksums = json.loads((folder / layout.CHECKSUMS).read_text())
    assert set(checksums.pop("steps")) == set(names(folder))
    (folder / layout.CHECKSUMS).write_text(json.dumps(checksums))
    (folder / layout.RESULT).unlink()
    inodes = {file: (folder / file).stat().st_ino for file in FIRST}
    again, notes = a_run(folder)
    assert notes == [] and again.stages == first.stages
    assert {file: (folder / file).stat().st_ino for file in FIRST} == inodes


def test_a_digest_is_of_content_and_not_of_cost() -> None:
    pool = text_pool(["one", "two"])
    said = Annotations.of(np.asarray([0, 1]), pool.offsets)
    paid = replace(said, requests=np.asarray([1, 1]), cost_usd=np.asarray([0.1, 0.2]))
    other = Annotations.of(np.asarray([0, 0]), pool.offsets)
    assert digest(said) == digest(paid) != digest(other)
    assert digest(pool) == digest(text_pool(["one", "two"])) != digest(text_pool(["one", "2"]))
    different = [digest("a", "b"), digest("ab"), digest(["a", "b"]), digest(["a"], ["b"])]
    arrays = [np.zeros(2), np.zeros((1, 2)), np.zeros(2, dtype=np.float32), np.zeros(0)]
    different += [digest(array) for array in arrays]
    assert len(set(different)) == len(different)


# --- layout ----------------------------------------------------------------------------

PATHS = re.compile(
    r"rounds/|result\.json|stages\.jsonl|checksums\.json|annotations\.|view\.safetensors"
    r"|selection\.json|variants\.parquet|written\.json|results/runs$|replies\.sqlite"
)


def spelled(file: Path) -> Iterator[str]:
    """The texts of a source file, also parts of f-strings; not its docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value


def test_paths_and_stages_are_spelled_in_layout_alone() -> None:
    for package in (harness, harness_plugins):
        assert package.__file__ is not None
        for file in Path(package.__file__).parent.rglob("*.py"):
            found = [text for text in spelled(file) if PATHS.search(text)]
            own = bool(re.search(r"2 \* \w*round_? \+ [12]", file.read_text(encoding="utf-8")))
            if file != Path(layout.__file__):
                assert (found, own) == ([], False), file
            else:
                assert own and found
