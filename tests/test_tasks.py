"""Task files: those that are shipped, those of users, and how a run draws from them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import harness_tasks
from harness.errors import DataError, TaskError
from harness.identity import example_ids
from harness.plugin_manager import Plugins
from harness.protocols import AnnotatorRequest, TaskRequest
from harness.run.splits import Split, load_splits
from harness.specs import Spec, parse_spec
from harness_tasks.declaration import Declaration, read_declaration
from harness_tasks.task import DeclaredTask
from tests.factories import gold_of, sequence_card, text_pool
from tests.task_files import TASK, TOKEN_TASK, write_rows

FOLDER = Path(harness_tasks.__file__).parent
SHIPPED = sorted(FOLDER.glob("*.toml"))
WITH_DATA = ("demo", "demo-ner")

FILES = '[files]\ntrain = "rows/train.jsonl"\ntest = "rows/test.jsonl"\n'


def shipped(name: str) -> DeclaredTask:
    return DeclaredTask(FOLDER / f"{name}.toml")


def normalised(text: str) -> str:
    """Letters and digits alone: two texts that agree in these are the same text."""
    return re.sub(r"\W+", " ", text.casefold()).strip()


def texts_of(task: DeclaredTask, split: str) -> Sequence[str]:
    pool = task.load(split)
    assert pool is not None
    return pool.texts


def repeated(texts: Iterable[str]) -> list[str]:
    return [text for text, count in Counter(texts).items() if count > 1]


def rows_of(n: int, prefix: str = "text") -> list[dict[str, str]]:
    """Rows sorted by class, as some data sets are."""
    return [{"text": f"{prefix} {i}", "label": "up" if i < n // 2 else "down"} for i in range(n)]


def declare(folder: Path, text: str = TASK) -> Path:
    file = folder / "task.toml"
    file.write_text(text, encoding="utf-8")
    return file


def task_with(folder: Path, train: Sequence[object], test: Sequence[object] = ()) -> DeclaredTask:
    """A task with files of its own; without a test split if there are no rows for it."""
    write_rows(folder / "rows/train.jsonl", train)
    files = FILES
    if test:
        write_rows(folder / "rows/test.jsonl", test)
    else:
        files = files.replace('test = "rows/test.jsonl"\n', "")
    return DeclaredTask(declare(folder, TASK.replace("[[labels]]", files + "\n[[labels]]", 1)))


# --- shipped declarations --------------------------------------------------------------


@pytest.fixture(scope="module", params=SHIPPED, ids=lambda file: file.stem)
def declared(request: pytest.FixtureRequest) -> Declaration:
    file: Path = request.param
    declaration = read_declaration(file)
    assert declaration.name == file.stem
    return declaration


def test_published_and_demo_tasks_are_shipped() -> None:
    published = {"mr", "sst2", "subj", "trec", "ma", "conll03", "bc5cdr-chemical", "bc5cdr-disease"}
    assert {file.stem for file in SHIPPED} == published | set(WITH_DATA)


def test_every_shipped_file_is_registered_with_its_title() -> None:
    parts = Plugins(third_party=False).parts("task")
    assert set(parts) == {file.stem for file in SHIPPED} | {"file"}
    assert all(parts[file.stem].summary == read_declaration(file).title for file in SHIPPED)


def test_labels_are_distinct_and_described(declared: Declaration) -> None:
    names = [label.name.casefold() for label in declared.labels]
    assert not repeated(names)
    assert not repeated(label.description for label in declared.labels)
    assert all("\n" not in label.description for label in declared.labels)


def test_metric_and_classes_fit_the_kind(declared: Declaration) -> None:
    card = declared.card()
    names = [label.name for label in declared.labels]
    if declared.kind == "sequence":
        assert (card.metric, list(card.classes)) == ("accuracy", names)
    else:
        tags = ["O", *(f"{prefix}-{name}" for name in names for prefix in "BI")]
        assert (card.metric, list(card.classes)) == ("entity_f1", tags)


def test_what_an_llm_is_told_names_every_label(declared: Declaration) -> None:
    prompt = declared.prompt
    assert prompt.system
    assert prompt.question
    assert prompt.answer
    told = f"{prompt.system} {prompt.question} {prompt.answer}".casefold()
    assert all(label.name.casefold() in told for label in declared.labels)


def test_generated_texts_are_distinct_and_as_many_for_each_label(declared: Declaration) -> None:
    texts = [normalised(text) for label in declared.labels for text in label.generated]
    assert not repeated(texts)
    assert len({len(label.generated) for label in declared.labels}) == 1
    generated = declared.card().generated
    if declared.kind == "token":
        assert generated is None
    else:
        assert generated is not None
        assert len(generated) == len(texts) >= len(declared.labels)
        assert set(generated.labels.tolist()) == set(range(len(declared.labels)))
        counts = np.bincount(generated.labels)
        assert 4 <= counts.min() == counts.max() <= 10


def test_no_generated_text_is_a_shipped_row(declared: Declaration) -> None:
    rows = {
        normalised(text)
        for name in WITH_DATA
        for split in ("train", "test")
        for text in texts_of(shipped(name), split)
    }
    generated = {normalised(text) for label in declared.labels for text in label.generated}
    assert not generated & rows


def test_hub_columns_map_to_the_labels(declared: Declaration) -> None:
    if declared.hub is None:
        assert declared.name in WITH_DATA
        return
    assert not repeated(declared.hub.label_names)
    assert set(declared.hub.label_names) == set(declared.card().classes)
    columns = (declared.hub.text, declared.hub.label, declared.hub.tokens, declared.hub.tags)
    given = tuple(column is not None for column in columns)
    sequence = declared.kind == "sequence"
    assert given == (sequence, sequence, not sequence, not sequence)


def test_a_hub_source_is_pinned(declared: Declaration) -> None:
    if declared.hub is not None:
        assert re.fullmatch("[0-9a-f]{40}", declared.hub.revision)


def test_sizes_cover_what_a_run_needs(declared: Declaration) -> None:
    assert {"train", "test"} <= set(declared.sizes) <= {"train", "validation", "test"}
    assert all(size > 0 for size in declared.sizes.values())


def test_default_annotator_and_rules_work(declared: Declaration) -> None:
    plugins = Plugins(third_party=False)
    if declared.annotator is None:
        # Nobody labels these without an LLM, and a simulated one must be asked for.
        assert declared.kind == "token"
        assert not declared.rules
    else:
        part = plugins.part("annotator", parse_spec(declared.annotator).name)
        assert declared.kind in part.serves
        assert part.name not in ("oracle", "noisy")
    if declared.rules:
        request = AnnotatorRequest(Spec("rules"), declared.card(), None, 0)
        plugins.part("annotator", "rules").factory(request)  # compiles every pattern


# --- shipped data ----------------------------------------------------------------------


@pytest.mark.parametrize("name", WITH_DATA)
def test_sizes_equal_the_files(name: str) -> None:
    task = shipped(name)
    assert set(task.declaration.files) == set(task.declaration.sizes)
    for split, size in task.declaration.sizes.items():
        pool, gold = task.load(split), task.gold(split)
        assert pool is not None
        assert gold is not None
        assert len(pool) == len(gold) == size
        assert len(set(pool.ids)) == size


@pytest.mark.parametrize("name", WITH_DATA)
def test_no_row_occurs_twice_within_or_across_splits(name: str) -> None:
    task = shipped(name)
    texts = [normalised(text) for split in ("train", "test") for text in texts_of(task, split)]
    assert repeated(texts) == []


def test_demo_is_large_enough_and_balanced() -> None:
    task = shipped("demo")
    assert 4 <= len(task.card.classes) <= 6
    for split, least in (("train", 480), ("test", 1200)):
        gold = task.gold(split)
        assert gold is not None
        assert len(gold) >= least
        counts = np.bincount(gold.labels, minlength=len(task.card.classes))
        assert counts.min() >= len(gold) / (2 * len(task.card.classes))


def test_demo_ner_is_large_enough_and_has_every_type() -> None:
    task = shipped("demo-ner")
    assert [label.name for label in task.card.labels] == ["PER", "ORG", "LOC"]
    for split, least in (("train", 300), ("test", 500)):
        gold = task.gold(split)
        assert gold is not None
        assert len(gold) >= least
        for label in ("PER", "ORG", "LOC"):
            begins = gold.labels == task.card.classes.index(f"B-{label}")
            assert begins.sum() >= least / 5
        sentences = zip(gold.offsets[:-1], gold.offsets[1:], strict=True)
        without = sum(not gold.labels[begin:end].any() for begin, end in sentences)
        assert 0 < without < len(gold) / 2


@pytest.mark.parametrize("name", WITH_DATA)
def test_shipped_files_are_plain_json_lines(name: str) -> None:
    for path in shipped(name).declaration.files.values():
        raw = (FOLDER / path).read_bytes()
        assert raw.endswith(b"}\n")
        assert b"\r" not in raw
        keys = {frozenset(json.loads(line)) for line in raw.splitlines()}
        assert len(keys) == 1


# --- wrong declarations ----------------------------------------------------------------


WRONG = {
    "unknown key": (('title = "Mine"', 'titel = "Mine"'), ("'titel'", "'title'")),
    "unknown kind": (('kind = "sequence"', 'kind = "text"'), ("'kind'", "'sequence'", "'token'")),
    "unknown metric": (('"accuracy"', '"f1"'), ("'metric'", "'accuracy'")),
    "metric of the other kind": (('"accuracy"', '"entity_f1"'), ("metric", "accuracy")),
    "name with a space": (('"my-task"', '"my task"'), ("'name'",)),
    "newer schema": (("schema = 1", "schema = 2"), ("a newer harness (schema 2", "update")),
    "no schema": (("schema = 1\n", ""), ("'schema'", "required")),
    "number for text": (('title = "Mine"', "title = 5"), ("'title'", "string")),
    "negative shots": (("\n[[labels]]", "\n[prompt]\nshots = 0\n[[labels]]"), ("'prompt.shots'",)),
    "unknown split": (
        ("\n[[labels]]", '\n[files]\ntrian = "a"\n[[labels]]'),
        ("'files.trian", "'train'"),
    ),
    "no description": (
        ('description = "Something falls."\n', ""),
        ("'labels.1.description'", "required"),
    ),
    "wrong key of a label": (
        ('description = "Something falls."', 'descripton = "Something falls."'),
        ("labels.1.descript",),
    ),
    "same label twice": (
        ('"down"', '"up"'),
        ("labels", "two have the name 'up'", "give each its own"),
    ),
    "one label": (
        ('[[labels]]\nname = "down"\ndescription = "Something falls."\n', ""),
        ("at least two labels",),
    ),
    "generated for one": (
        ('"Something rises."', '"Something rises."\ngenerated = ["It rises."]'),
        ("labels: generated", "not for all", "'down' has none"),
    ),
    "number in a list": (
        ('"Something rises."', '"Something rises."\ngenerated = ["It rises.", 5]'),
        ("key 'labels.0.generated.1'",),
    ),
    "truth for a list": (
        ('"Something rises."', '"Something rises."\ngenerated = true'),
        ("key 'labels.0.generated'", "an array"),
    ),
    "hub without repository": (
        ("\n[[labels]]", "\n[hub]\nrepo = 'x'\n[[labels]]"),
        ("key 'hub.repository'", "required"),
    ),
    "negative size": (("\n[[labels]]", "\n[sizes]\ntest = -1\n[[labels]]"), ("key 'sizes.test'",)),
    "size in quotes": (
        ("\n[[labels]]", "\n[sizes]\ntest = '5'\n[[labels]]"),
        ("key 'sizes.test'",),
    ),
    "truth for a size": (
        ("\n[[labels]]", "\n[sizes]\ntest = true\n[[labels]]"),
        ("key 'sizes.test'",),
    ),
    "split of the hub": (
        ("\n[[labels]]", "\n[hub]\nrepository = 'x'\nsizes = { dev = 1 }\n[[labels]]"),
        ("key 'hub.sizes.dev",),
    ),
    "broken TOML": (('title = "Mine"', 'title = "Mine'), ("TOML", "line 3")),
}


def wrong_declaration(folder: Path, change: tuple[str, str]) -> tuple[Path, str]:
    """The file, and what is said about it after its name."""
    assert change[0] in TASK
    file = declare(folder, TASK.replace(change[0], change[1], 1))
    with pytest.raises(TaskError) as caught:
        read_declaration(file)
    text = str(caught.value)
    assert "\n" not in text
    place, _, said = text.partition(": ")
    assert place.rstrip("0123456789").rstrip(":") == str(file)
    return file, said


@pytest.mark.parametrize(("change", "parts"), WRONG.values(), ids=WRONG)
def test_wrong_declaration_is_named_with_file_and_key(
    tmp_path: Path, change: tuple[str, str], parts: tuple[str, ...]
) -> None:
    _, said = wrong_declaration(tmp_path, change)
    assert all(part in said for part in parts), said


def test_duplicate_label_is_named(tmp_path: Path) -> None:
    _, said = wrong_declaration(tmp_path, ('"down"', '"up"'))
    assert "'up'" in said


def test_misspelt_nested_key_gets_its_neighbour_suggested(tmp_path: Path) -> None:
    change = ("\n[[labels]]", '\n[prompt]\nsytem = "You sort."\n[[labels]]')
    _, said = wrong_declaration(tmp_path, change)
    assert "'prompt.sytem'" in said
    assert "system" in said.partition(";")[2]


def test_missing_declaration_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"absent\.toml: no such task file"):
        read_declaration(tmp_path / "absent.toml")


def test_declaration_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    file = tmp_path / "latin.toml"
    file.write_bytes(TASK.replace("Mine", "Ma\xeen\xe9").encode("latin-1"))
    with pytest.raises(TaskError, match=r"latin\.toml: cannot be read"):
        read_declaration(file)


def test_declaration_with_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "task.toml"
    file.write_bytes(b"\xef\xbb\xbf" + TASK.encode())
    assert read_declaration(file).name == "my-task"


# --- a task of one's own ---------------------------------------------------------------


def test_files_are_found_beside_the_declaration(tmp_path: Path) -> None:
    task = task_with(tmp_path, rows_of(4), rows_of(2, "test"))
    assert list(texts_of(task, "train")) == ["text 0", "text 1", "text 2", "text 3"]
    assert list(texts_of(task, "test")) == ["test 0", "test 1"]
    assert task.load("validation") is None
    assert task.gold("validation") is None


def test_missing_data_file_is_named_with_the_declaration(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    write_rows(tmp_path / "rows/train.jsonl", rows_of(2))
    file = declare(tmp_path, TASK.replace("[[labels]]", FILES + "[[labels]]", 1))
    with pytest.raises(DataError) as caught:
        DeclaredTask(file)
    assert str(tmp_path / "rows/test.jsonl") in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("folder", ["my-task", "my_task"])
def test_data_folder_may_be_written_either_way(tmp_path: Path, folder: str) -> None:
    data = tmp_path / "data"
    for split, n in (("train", 4), ("validation", 2), ("test", 6)):
        write_rows(data / folder / f"{split}.jsonl", rows_of(n, split))
    task = DeclaredTask(declare(tmp_path), data)
    sizes = {split: len(texts_of(task, split)) for split in ("train", "validation", "test")}
    assert sizes == {"train": 4, "validation": 2, "test": 6}


def test_data_folder_goes_before_the_declared_files(tmp_path: Path) -> None:
    task_with(tmp_path, rows_of(4), rows_of(2))
    write_rows(tmp_path / "data/my-task/train.jsonl", rows_of(8, "other"))
    task = DeclaredTask(tmp_path / "task.toml", tmp_path / "data")
    assert texts_of(task, "train")[0] == "other 0"
    assert task.load("test") is None


def test_data_folder_without_train_is_named(tmp_path: Path) -> None:
    write_rows(tmp_path / "data/my-task/test.jsonl", rows_of(2))
    with pytest.raises(DataError, match=r"my-task/train\.jsonl: no such file"):
        DeclaredTask(declare(tmp_path), tmp_path / "data")


def test_data_folder_without_the_task_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(DataError, match=r"data/my-task: no such folder"):
        DeclaredTask(declare(tmp_path), tmp_path / "data")


def test_task_without_any_data_says_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--data DIR .*DIR/my-task/train\.jsonl"):
        DeclaredTask(declare(tmp_path))


def test_task_by_path_is_the_file_task(tmp_path: Path) -> None:
    task_with(tmp_path, rows_of(4), rows_of(2))
    part = Plugins(third_party=False).part("task", "file")
    task = part.factory(TaskRequest(Spec("file", str(tmp_path / "task.toml"))))
    assert task.card.name == "my-task"


def test_fingerprint_follows_declaration_and_data(tmp_path: Path) -> None:
    first = task_with(tmp_path, rows_of(4), rows_of(2))
    fingerprint = first.fingerprint
    assert task_with(tmp_path, rows_of(4), rows_of(2)).fingerprint == fingerprint
    assert task_with(tmp_path, rows_of(4), rows_of(3)).fingerprint != fingerprint
    task_with(tmp_path, rows_of(4), rows_of(2))
    file = tmp_path / "task.toml"
    file.write_text(file.read_text().replace("Something falls.", "Something sinks."))
    assert DeclaredTask(file).fingerprint != fingerprint


def test_byte_order_mark_blank_lines_and_crlf(tmp_path: Path) -> None:
    lines = [
        '{"text": "größer", "label": "up"}',
        "",
        '  {"text": "a\u2028b", "label": "down"}  ',
        "   ",
        '{"label": "up", "more": [1], "text": " spaced "}',
    ]
    file = tmp_path / "data/my-task/train.jsonl"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    task = DeclaredTask(declare(tmp_path), tmp_path / "data")
    pool, gold = task.load("train"), task.gold("train")
    assert pool is not None
    assert gold is not None
    assert list(pool.examples) == ["größer", "a\u2028b", " spaced "]
    assert pool.ids == example_ids("train", list(pool.texts))
    assert gold.labels.tolist() == [0, 1, 0]


def test_token_rows_keep_their_tags(tmp_path: Path) -> None:
    rows = [
        {"tokens": ["Ada", "Byron", "sat"], "tags": ["B-PER", "I-PER", "O"]},
        {"tokens": ["Bob"], "tags": ["B-PER"]},
    ]
    write_rows(tmp_path / "data/my_names/train.jsonl", rows)
    task = DeclaredTask(declare(tmp_path, TOKEN_TASK), tmp_path / "data")
    pool, gold = task.load("train"), task.gold("train")
    assert pool is not None
    assert gold is not None
    assert list(pool.tokens) == [("Ada", "Byron", "sat"), ("Bob",)]
    assert gold.labels.tolist() == [1, 2, 0, 1]
    assert gold.offsets.tolist() == pool.offsets.tolist() == [0, 3, 4]


# --- what a run draws ------------------------------------------------------------------


def drawn(task: DeclaredTask, *, seed: int = 0, limit: int | None = None) -> Split:
    return load_splits(task, inductive=False, limit=limit, seed=seed).train


def test_order_is_a_permutation_drawn_by_the_seed(tmp_path: Path) -> None:
    task = task_with(tmp_path, rows_of(200))
    whole = task.load("train")
    assert whole is not None
    first, again, other = drawn(task), drawn(task), drawn(task, seed=1)
    assert first.pool.ids == again.pool.ids
    assert first.pool.ids != other.pool.ids
    assert sorted(first.pool.ids) == sorted(other.pool.ids) == sorted(whole.ids)
    assert whole.ids not in (first.pool.ids, other.pool.ids)


def test_gold_follows_its_example(tmp_path: Path) -> None:
    split = drawn(task_with(tmp_path, rows_of(200)), limit=150)
    for text, label in zip(split.pool.texts, split.gold.labels, strict=True):
        assert label == (0 if int(text.split()[1]) < 100 else 1)


def test_gold_follows_its_sentence() -> None:
    task = shipped("demo-ner")
    pool, gold = task.load("train"), task.gold("train")
    assert pool is not None
    assert gold is not None
    tags = {
        id_: gold.labels[gold.offsets[row] : gold.offsets[row + 1]].tolist()
        for row, id_ in enumerate(pool.ids)
    }
    split = drawn(task, limit=50, seed=3)
    assert split.pool.offsets.tolist() == split.gold.offsets.tolist()
    for row, id_ in enumerate(split.pool.ids):
        begin, end = split.gold.offsets[row : row + 2]
        assert split.gold.labels[begin:end].tolist() == tags[id_]


def test_limit_draws_a_subset_by_the_seed_and_no_prefix(tmp_path: Path) -> None:
    task = task_with(tmp_path, rows_of(200))
    whole = task.load("train")
    assert whole is not None
    subsets = [set(drawn(task, seed=seed, limit=40).pool.ids) for seed in range(5)]
    assert all(len(subset) == 40 and subset < set(whole.ids) for subset in subsets)
    assert set(whole.ids[:40]) not in subsets
    assert len({frozenset(subset) for subset in subsets}) == 5
    # The file is sorted by class: a prefix of it would hold one class alone.
    for seed in range(5):
        share = drawn(task, seed=seed, limit=40).gold.labels.mean()
        assert 0.2 < share < 0.8


def test_limit_beyond_the_data_takes_everything(tmp_path: Path) -> None:
    task = task_with(tmp_path, rows_of(10))
    assert drawn(task, limit=99).pool.ids == drawn(task).pool.ids


def test_splits_are_drawn_apart_and_both_limited(tmp_path: Path) -> None:
    task = task_with(tmp_path, rows_of(100), rows_of(100))
    splits = load_splits(task, inductive=True, limit=30, seed=0)
    assert splits.test is not None
    assert len(splits.train.pool) == len(splits.test.pool) == 30
    assert list(splits.train.pool.texts) != list(splits.test.pool.texts)


def test_transductive_leaves_the_test_split_alone(tmp_path: Path) -> None:
    task = task_with(tmp_path, rows_of(4))
    assert load_splits(task, inductive=False, limit=None, seed=0).test is None
    without = load_splits(task, inductive=True, limit=None, seed=0)
    assert without.test is None
    assert [note for note in without.notes if "no test split" in note]


def test_empty_split_is_refused(tmp_path: Path) -> None:
    task = task_with(tmp_path, rows_of(4), rows_of(2))
    (tmp_path / "rows/test.jsonl").write_text("\n\n")
    with pytest.raises(DataError, match=r"rows/test\.jsonl: holds no rows; fill it, or remove it"):
        load_splits(task, inductive=True, limit=None, seed=0)


def test_an_empty_split_of_any_task_is_refused() -> None:
    task: Any = SimpleNamespace(
        card=sequence_card("a", "b"),
        load=lambda split: text_pool([], split),
        gold=lambda _: gold_of([]),
    )
    with pytest.raises(DataError, match="its train split is empty"):
        load_splits(task, inductive=True, limit=None, seed=0)


@pytest.mark.parametrize(
    ("kind", "rows", "said"),
    [
        ("sequence", '{"text": "a", "label": "up"}\n', ["no row has 'down', 'flat'"]),
        ("token", '{"tokens": ["Ada", "sat"], "tags": ["B-up", "O"]}\n', ["'B-down', 'B-flat'"]),
        ("token", '{"tokens": ["sat"], "tags": ["B-up"]}\n', ["no row has 'O', 'B-down'"]),
    ],
)
def test_classes_without_any_row_are_noted(
    tmp_path: Path, kind: str, rows: str, said: list[str]
) -> None:
    metric = "accuracy" if kind == "sequence" else "entity_f1"
    head = f'schema = 1\nname = "t"\nkind = "{kind}"\nmetric = "{metric}"\n'
    labels = [f'[[labels]]\nname = "{n}"\ndescription = "{n}."' for n in ("up", "down", "flat")]
    (tmp_path / "t.toml").write_text(head + "\n".join(labels), encoding="utf-8")
    write_rows(tmp_path / "data/t/train.jsonl", [])
    (tmp_path / "data/t/train.jsonl").write_text(rows, encoding="utf-8")
    task = DeclaredTask(tmp_path / "t.toml", tmp_path / "data")
    task.load("train")
    assert len(task.notes) == 1
    assert task.notes[0].startswith(f"{tmp_path / 'data/t/train.jsonl'}: no row has")
    assert all(part in task.notes[0] for part in said)
