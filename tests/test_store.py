"""Large splits are memory-mapped, and nothing but memory differs from small ones."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data import Column, Gold, Pool
from harness.errors import DataError
from harness.plugin_manager import Plugins
from harness.record.codecs import read_annotations, write_annotations
from harness.record.layout import data_cache
from harness.run.assembly import load_task
from harness.run.splits import load_splits
from harness_tasks import store as store_module
from harness_tasks.store import Rows
from tests.factories import annotator, sequence_card
from tests.task_files import read_rows, sentence, texts, write_rows

CLASSES = ("up", "down")
TAGS = ("O", "B-PER", "I-PER")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; splits of more than 99 rows go there."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store_module, "IN_MEMORY", 100)
    monkeypatch.setattr(store_module, "BATCH", 64)
    return tmp_path / "cache"


def text_file(folder: Path, n: int = 300) -> Path:
    """Rows sorted by class, every tenth text once more, letters of all kinds."""
    pairs = [
        (f"Zeile {i if i % 10 else 0} – naïve 価格 \U0001f600", CLASSES[i >= n // 2])
        for i in range(n)
    ]
    write_rows(folder / "train.jsonl", texts(*pairs))
    return folder / "train.jsonl"


def token_file(folder: Path, n: int = 300) -> Path:
    rows = [
        sentence(("Ada", "B-PER"), ("L", "I-PER"), *((f"w{k}", "O") for k in range(i % 7)))
        for i in range(n)
    ]
    write_rows(folder / "train.jsonl", rows)
    return folder / "train.jsonl"


def both(file: Path, kind: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Rows, Rows]:
    """The same file from the cache and in memory."""
    classes = CLASSES if kind == "sequence" else TAGS
    mapped = read_rows(file, "train", kind, classes)
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "IN_MEMORY", 10_000)
        patch.setenv("HARNESS_CACHE", str(file.parent / "no cache"))
        plain = read_rows(file, "train", kind, classes)
    assert isinstance(mapped.pool.examples, Column)
    assert isinstance(plain.pool.examples, tuple)
    return mapped, plain


@pytest.mark.parametrize("kind", ["sequence", "token"])
def test_the_same_as_in_memory(kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = text_file(tmp_path) if kind == "sequence" else token_file(tmp_path)
    mapped, plain = both(file, kind, monkeypatch)
    rows = np.random.default_rng(0).permutation(300)
    for chosen in (np.arange(300), rows, rows[:7], np.asarray([5, 5, 299])):
        one, other = mapped.pool.take(chosen), plain.pool.take(chosen)
        assert list(one.ids) == list(other.ids)
        assert [one.ids[i] for i in range(len(one))] == list(other.ids)
        assert list(one.examples) == list(other.examples)
        assert [one.examples[i] for i in range(len(one))] == list(other.examples)
        assert list(one.texts) == list(other.texts)
        assert one.texts[2] == other.texts[2]
        assert list(one.texts[1:3]) == list(other.texts[1:3])
        assert np.array_equal(one.offsets, other.offsets)
        taken, expected = mapped.gold.take(chosen), plain.gold.take(chosen)
        assert np.array_equal(taken.labels, expected.labels)
        assert np.array_equal(taken.offsets, expected.offsets)
        again = one.take(np.asarray([2, 0]))
        assert list(again.ids) == [other.ids[2], other.ids[0]]
    if kind == "token":
        assert list(mapped.pool.tokens) == list(plain.pool.tokens)
    assert len(set(mapped.pool.ids)) == 300
    assert mapped.gold.labels.dtype == np.int32


def test_ids_and_orders_are_those_of_earlier_versions() -> None:
    # Recorded: other ids or orders would make other runs. New rows of the demos change them, too.
    recorded = {
        ("demo", 100, 3): "58afeb3abc4e895c",
        ("demo", None, 0): "5803e46dc6b9a28d",
        ("demo-ner", None, 0): "91c38c5894300d77",
    }
    for (name, limit, seed), digest in recorded.items():
        task = load_task(name, Plugins(third_party=False), None)
        drawn = load_splits(task, inductive=True, limit=limit, seed=seed)
        assert drawn.test is not None
        ids = "\n".join([*drawn.train.pool.ids, *drawn.test.pool.ids])
        assert hashlib.sha256(ids.encode()).hexdigest()[:16] == digest


def test_small_data_leaves_no_file(tmp_path: Path, cache: Path) -> None:
    rows = read_rows(text_file(tmp_path, 99), "train", "sequence", CLASSES)
    assert isinstance(rows.pool.ids, tuple)
    assert not cache.exists()


def entries(cache: Path) -> list[Path]:
    return sorted(path for path in cache.iterdir() if not path.name.startswith("."))


def test_the_cache_is_found_again_and_follows_the_content(tmp_path: Path, cache: Path) -> None:
    file = text_file(tmp_path)
    read_rows(file, "train", "sequence", CLASSES)
    (entry,) = entries(cache)
    before = (entry / "examples.arrow").stat().st_mtime_ns
    assert len(read_rows(file, "train", "sequence", CLASSES).pool) == 300
    assert (entry / "examples.arrow").stat().st_mtime_ns == before
    swapped = read_rows(file, "train", "sequence", CLASSES[::-1])  # other classes, other numbers
    assert swapped.gold.labels[0] == 1
    text_file(tmp_path, 301)
    assert len(read_rows(file, "train", "sequence", CLASSES).pool) == 301
    assert len(entries(cache)) == 3


@pytest.mark.parametrize("name", [*store_module.FILES, "manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_a_damaged_cache_is_named_and_made_again(
    name: str, damage: str, tmp_path: Path, cache: Path
) -> None:
    file = text_file(tmp_path)
    expected = list(read_rows(file, "train", "sequence", CLASSES).pool.texts)
    (entry,) = entries(cache)
    damaged = entry / name
    content = damaged.read_bytes()
    damaged.unlink()
    if damage == "cut":
        damaged.write_bytes(content[: len(content) // 2])
    elif damage == "changed":
        damaged.write_bytes(b"[" + content[1:-1] + b"]")
    notes: list[str] = []
    rows = read_rows(file, "train", "sequence", CLASSES, notes=notes)
    assert list(rows.pool.texts) == expected
    assert [note.startswith(f"{entry}: damaged (") for note in notes] == [True]
    read_rows(file, "train", "sequence", CLASSES, notes=notes)
    assert len(notes) == 1


def test_notes_on_reading_are_kept_with_the_cache(tmp_path: Path) -> None:
    file = token_file(tmp_path)
    text = file.read_text(encoding="utf-8").replace('"B-PER", "I-PER"', '"I-PER", "I-PER"')
    file.write_text(text, encoding="utf-8")
    copy = tmp_path / "a copy/again.jsonl"
    copy.parent.mkdir()
    shutil.copy(file, copy)
    first: list[str] = []
    second: list[str] = []
    read_rows(file, "train", "token", TAGS, notes=first)
    read_rows(copy, "train", "token", TAGS, notes=second)
    assert len(first) == 1
    assert "IOB1" in first[0]
    # The cache is found by content: the folder it was made from may not be this one.
    assert second == [first[0].replace(str(file), file.name)]
    assert str(tmp_path) not in second[0]


def test_a_cache_of_another_version_is_made_again(tmp_path: Path, cache: Path) -> None:
    file = text_file(tmp_path)
    read_rows(file, "train", "sequence", CLASSES)
    (entry,) = entries(cache)
    manifest = json.loads((entry / "manifest.json").read_text(encoding="utf-8"))
    (entry / "manifest.json").write_text(json.dumps(manifest | {"schema": 1}), encoding="utf-8")
    notes: list[str] = []
    assert len(read_rows(file, "train", "sequence", CLASSES, notes=notes).pool) == 300
    assert "another version" in notes[0]


def test_a_wrong_row_far_down_leaves_nothing_behind(tmp_path: Path, cache: Path) -> None:
    file = text_file(tmp_path)
    with file.open("a", encoding="utf-8") as handle:
        handle.write('{"text": "a", "label": "sideways"}\n')
    with pytest.raises(DataError, match=r"train\.jsonl:301: the task has no label 'sideways'"):
        read_rows(file, "train", "sequence", CLASSES)
    assert entries(cache) == []
    assert not list(cache.glob(".*.tmp"))


def test_what_a_killed_process_left_is_no_obstacle(tmp_path: Path, cache: Path) -> None:
    file = text_file(tmp_path)
    read_rows(file, "train", "sequence", CLASSES)
    (entry,) = entries(cache)
    entry.rename(entry.with_name(f".{entry.name}.tmp"))
    assert len(read_rows(file, "train", "sequence", CLASSES).pool) == 300
    assert entries(cache) == [entry]
    assert not list(cache.glob(".*.tmp"))


def test_a_cache_that_cannot_be_written_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file/below"))
    with pytest.raises(DataError, match="set HARNESS_CACHE to a folder with room"):
        read_rows(text_file(tmp_path), "train", "sequence", CLASSES)


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert data_cache() == tmp_path / "cache"
    monkeypatch.delenv("HARNESS_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_cache() == tmp_path / ".cache/freeal-harness/tasks"


def test_what_a_part_is_handed_maps_nothing_of_the_gold_labels(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from harness_tasks import store; store.IN_MEMORY = 100\n"
        "from tests.task_files import read_rows\n"
        "pool = read_rows(Path(sys.argv[1]), 'train', 'sequence', ('up', 'down')).pool\n"
        "import gc; gc.collect(); print(Path('/proc/self/maps').read_text())"
    )
    if not Path("/proc/self/maps").exists():
        pytest.skip("this system does not say what a process maps")
    command = [sys.executable, "-c", script, str(text_file(tmp_path))]
    maps = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
    assert "examples.arrow" in maps
    assert "gold.npy" not in maps


def test_a_part_works_on_a_mapped_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mapped, plain = both(text_file(tmp_path), "sequence", monkeypatch)
    card = sequence_card("up", "down")

    def noisy(rows: Rows) -> Any:
        return annotator("noisy:0.3", card).annotate(
            rows.pool, None, lambda done, total: None, rows.gold
        )

    said, expected = noisy(mapped), noisy(plain)
    assert np.array_equal(said.labels, expected.labels)
    write_annotations(tmp_path / "a.parquet", said, mapped.pool, CLASSES, 1.5)
    read, seconds = read_annotations(tmp_path / "a.parquet", plain.pool, CLASSES)
    assert np.array_equal(read.labels, said.labels)
    assert seconds == 1.5


def test_gold_and_pool_are_values_of_the_core(tmp_path: Path) -> None:
    rows = read_rows(text_file(tmp_path), "train", "sequence", CLASSES)
    assert (type(rows.pool), type(rows.gold)) == (Pool, Gold)
    manifest = json.loads((entries(data_cache())[0] / "manifest.json").read_text())
    assert manifest["rows"] == 300
    with pytest.raises(ValueError, match="read-only"):
        rows.gold.labels[0] = 1
