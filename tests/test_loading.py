"""Where data comes from: folders in every layout, and repositories of the hub.

The hub's own code is used, on small repositories on disk with the columns and features that
the real ones have. Nothing here needs the network.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import harness_tasks
from harness.errors import DataError, TaskError
from harness_tasks.files import find_files
from harness_tasks.hub import download_command
from harness_tasks.task import DeclaredTask
from tests.commands import call, message

SHIPPED = Path(harness_tasks.__file__).parent
SHARED = Path(__file__).parent.parent.parent / "shared" / "data"
EIGHT = ("mr", "sst2", "subj", "trec", "ma", "conll03", "bc5cdr-chemical", "bc5cdr-disease")


def loaded(task: DeclaredTask, split: str = "train") -> tuple[list[str], list[str]]:
    """Texts and label names of a split."""
    pool, gold = task.load(split), task.gold(split)
    assert pool is not None
    assert gold is not None
    return list(pool.texts), [task.card.classes[label] for label in gold.labels]


def write_csv(file: Path, rows: Sequence[Sequence[object]], *, plain: bool = True) -> Path:
    """A csv file as Python writes it; else with CRLF and a byte order mark."""
    file.parent.mkdir(parents=True, exist_ok=True)
    encoding, end = ("utf-8", "\n") if plain else ("utf-8-sig", "\r\n")
    with file.open("w", encoding=encoding, newline="") as handle:
        csv.writer(handle, lineterminator=end).writerows(rows)
    return file


# --- the real data ---------------------------------------------------------------------


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real data is not here")
@pytest.mark.parametrize("name", EIGHT)
def test_real_data_has_the_declared_sizes_and_nothing_to_note(name: str) -> None:
    task = DeclaredTask(SHIPPED / f"{name}.toml", SHARED)
    sizes = {split: len(task.load(split) or ()) for split in task.declaration.sizes}
    assert sizes == dict(task.declaration.sizes)
    assert task.notes == ()
    assert set(loaded(task, "test")[1]) == set(task.card.classes)


# --- the reference implementation's folder ---------------------------------------------

AWKWARD = [
    'this film said "no", twice',
    "this film , a , b",
    "this film : café",
    "this film 's fine",
]


def reference(data: Path, train: Sequence[Sequence[object]], *, dev: bool = True) -> Path:
    folder = data / "mr"
    write_csv(folder / "train.csv", train, plain=False)
    test = [(1, "good , good"), (0, "bad")]
    write_csv(folder / "test.csv", test, plain=False)
    if dev:
        write_csv(folder / "dev.csv", test, plain=False)
    answers = [(-1 if n == 0 else 1, row[1], f"{row[1]} again") for n, row in enumerate(train)]
    write_csv(folder / "train_chat_bt.csv", answers, plain=False)
    return folder


def test_reference_folder_is_read_and_its_copy_of_test_is_not_validation(tmp_path: Path) -> None:
    folder = reference(tmp_path, [(n % 2, text) for n, text in enumerate(AWKWARD)])
    task = DeclaredTask(SHIPPED / "mr.toml", tmp_path)
    assert loaded(task) == (AWKWARD, ["negative", "positive"] * 2)
    assert task.load("validation") is None
    copied, numbers, sizes = task.notes
    assert copied.startswith(f"{folder / 'dev.csv'} has the same bytes as test.csv")
    assert numbers.endswith("0 negative, 1 positive")
    assert sizes.endswith("4 rows; the declaration expects 8662 or 8530")


def test_a_test_file_that_is_a_copy_of_train_is_noted(tmp_path: Path) -> None:
    for name in ("train.csv", "test.csv"):
        write_csv(tmp_path / "mr" / name, [(0, "a"), (1, "b")])
    note = DeclaredTask(SHIPPED / "mr.toml", tmp_path).notes[0]
    assert note.startswith(f"{tmp_path / 'mr/test.csv'} has the same bytes as train.csv: scores")


def test_a_link_to_nowhere_is_named(tmp_path: Path) -> None:
    folder = reference(tmp_path, [(n % 2, text) for n, text in enumerate(AWKWARD)])
    (folder / "test.csv").unlink()
    (folder / "test.csv").symlink_to("nowhere.csv")
    with pytest.raises(DataError, match=r"test\.csv: a link to nowhere\.csv"):
        DeclaredTask(SHIPPED / "mr.toml", tmp_path).load("train")


def test_a_dev_file_of_its_own_is_validation(tmp_path: Path) -> None:
    folder = reference(tmp_path, [(0, "a"), (1, "b")], dev=False)
    write_csv(folder / "dev.csv", [(1, "c")])
    assert loaded(DeclaredTask(SHIPPED / "mr.toml", tmp_path), "validation")[0] == ["c"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ((2, "c"), "no label has the number 2 (0 negative, 1 positive)"),
        (("neutral", "c"), "the task has no label 'neutral'"),
        ((1, ""), "the text is empty"),
        ((1, "c", "d"), "3 columns where the first row has 2"),
    ],
)
def test_one_wrong_row_of_a_reference_folder_is_named(
    tmp_path: Path, row: tuple[object, ...], said: str
) -> None:
    folder = reference(tmp_path, [(0, 'a "b", c'), (1, "two\r\nlines"), row, (1, "d")])
    arguments = ("--task", "mr", "--annotator", "oracle", "--student", "tfidf")
    told = message(call("run", *arguments, "--data", tmp_path, "--out", tmp_path / "out"), 1)
    assert told.startswith(f"{folder / 'train.csv'}:4: {said}")
    assert not (tmp_path / "out").exists()


def test_recorded_answers_and_variants_of_a_reference_folder(tmp_path: Path) -> None:
    folder = reference(tmp_path, [(n % 2, text) for n, text in enumerate(AWKWARD)])
    answers = folder / "train_chat_bt.csv"
    outcome = call(
        *("run", "--task", "mr", "--data", tmp_path, "--annotator", f"replay:{answers}"),
        *("--student", "tfidf", "--rounds", 1, "--json", "--out", tmp_path / "out"),
    )
    assert outcome.code == 0, outcome
    result = json.loads(outcome.stdout)
    first = result["stages"][0]
    assert result["supervised"] is False
    assert (first["n"], first["abstained"]) == (4, 1)
    assert first["transductive"]["score"] == 0.5  # no answer, 1, 1, 1 for 0, 1, 0, 1
    from harness.plugin_manager import Plugins
    from harness.protocols import AugmenterRequest, no_progress
    from harness.specs import parse_spec

    task = DeclaredTask(SHIPPED / "mr.toml", tmp_path)
    part = Plugins(third_party=False).part("augmenter", "recorded")
    augmenter = part.factory(AugmenterRequest(parse_spec(f"recorded:{answers}"), task.card))
    pool = task.load("train")
    made = augmenter.augment(pool, None, 0, no_progress)
    assert list(made.pool.texts) == [f"{t} again" for t in AWKWARD]


def test_another_csv_recording_is_taken_for_gold_and_may_be_wrong(tmp_path: Path) -> None:
    from harness_plugins.recordings import open_recording

    gold = write_csv(tmp_path / "train.csv", [(0, "a")])
    said = write_csv(tmp_path / "said.csv", [("text", "llm_label"), ("a", "positive")])
    classes = ("negative", "positive")
    assert open_recording(str(gold), 0, classes).from_gold
    assert not open_recording(str(said), 0, classes).from_gold
    reference(tmp_path, [(0, "a"), (1, "b")])
    wrong = write_csv(tmp_path / "train_chat_bt.csv", [(0, "a", "x"), (7, "b", "y")])
    arguments = ("--task", "mr", "--data", tmp_path, "--annotator", f"replay:{wrong}")
    outcome = call("run", *arguments, "--student", "tfidf", "--out", tmp_path / "out")
    assert outcome.code == 1
    assert outcome.stderr.splitlines()[-1] == (
        f"harness: {wrong}:2: no label has the number 7 (0 negative, 1 positive)"
    )


# --- folders ---------------------------------------------------------------------------


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


LAYOUTS: Mapping[str, tuple[tuple[str, ...], dict[str, list[str]]]] = {
    "own names": (
        ("train.jsonl", "valid.csv", "test.parquet", "train_gpt35.jsonl", "labels.json"),
        {"train": ["train.jsonl"], "validation": ["valid.csv"], "test": ["test.parquet"]},
    ),
    "shards": (
        (
            *("data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"),
            *("data/test-00000-of-00001.parquet", "README.md", ".cache/huggingface/train.json"),
        ),
        {
            "train": ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"],
            "test": ["test-00000-of-00001.parquet"],
        },
    ),
    "converted": (
        ("default/train/0000.parquet", "default/train/0001.parquet", "default/test/0000.parquet"),
        {"train": ["0000.parquet", "0001.parquet"], "test": ["0000.parquet"]},
    ),
    "in a folder, with others beside": (
        ("data/train.csv", "data/train_chat_bt.csv", "my-test-notes.jsonl", "x/train-1.csv"),
        {"train": ["train.csv"]},
    ),
}


@pytest.mark.parametrize(("names", "expected"), LAYOUTS.values(), ids=LAYOUTS)
def test_layouts(tmp_path: Path, names: tuple[str, ...], expected: dict[str, list[str]]) -> None:
    found = find_files(touch(tmp_path, *names), None)
    assert {split: [file.name for file in files] for split, files in found.items()} == expected


def test_only_what_is_hidden_within_the_folder_is_left_out(tmp_path: Path) -> None:
    folder = touch(tmp_path / ".hidden/data/mr", "data/train.parquet", ".cache/train.parquet")
    assert find_files(folder, None) == {"train": (folder / "data/train.parquet",)}


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (("train.csv", "train.jsonl"), ("train.csv and", "train.jsonl: each could be the train")),
        (("train.csv", "dev.csv", "valid.csv"), ("dev.csv", "could be the validation split")),
        (("a/train/0000.parquet", "b/train/0000.parquet"), ("a/train", "b/train", "each could")),
        (("train-00000-of-00002.parquet",), ("train-00001-of-00002.parquet: no such file",)),
        (("notes.md", "trian.csv"), ("train.jsonl: no such file", "notes.md, trian.csv")),
        (("train_chat_bt.csv", "test.csv"), ("no such file", "test.csv, train_chat_bt.csv")),
        (("train_predictions.jsonl",), ("no such file", "has: train_predictions.jsonl")),
        (("data/train_gpt35.jsonl", "train/said.csv"), ("has: data/train_gpt35.jsonl, train/s",)),
        (("conll2003.py",), ("loading script", "refs/convert/parquet")),
        (("train_v2.csv",), ("named just train, validation, test", "ends in one of .jsonl")),
        (("train.jsonl.gz", "train.xlsx"), ("has: train.jsonl.gz, train.xlsx", ".parquet, ")),
    ],
)
def test_folders_in_which_nobody_chooses(
    tmp_path: Path, names: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    with pytest.raises(DataError) as caught:
        find_files(touch(tmp_path, *names), None)
    assert all(part in str(caught.value) for part in parts), caught.value


# --- repositories of the hub -----------------------------------------------------------


def write_repository(
    root: Path, name: str, splits: Mapping[str, Mapping[str, Any]], pattern: str
) -> Path:
    """Parquet files as the hub has them, with the features of the real data set."""
    from datasets import ClassLabel, Dataset, Features, List, Value

    text, number = Value("string"), Value("int64")
    coarse = ["ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM"]
    conll = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC"]
    tokens = List(text)
    features = {
        "mr": {"text": text, "label": ClassLabel(names=["neg", "pos"])},
        "trec": {
            "text": text,
            "coarse_label": ClassLabel(names=coarse),
            "fine_label": ClassLabel(names=["ABBR:abb", "ABBR:exp"]),
        },
        "ma": {"condition_label": number, "medical_abstract": text},
        "conll03": {
            "id": text,
            "tokens": tokens,
            "pos_tags": List(number),
            "ner_tags": List(ClassLabel(names=conll)),
        },
        "bc5cdr-chemical": {
            "id": text,
            "type": text,
            "tokens": tokens,
            "ner_tags": List(ClassLabel(names=["O", "B", "I"])),
        },
    }
    for split, columns in splits.items():
        file = root / pattern.format(split)
        file.parent.mkdir(parents=True, exist_ok=True)
        dataset = Dataset.from_dict(dict(columns), features=Features(features[name]))
        dataset.to_parquet(file)
    return root


ROWS: Mapping[str, dict[str, list[Any]]] = {
    "mr": {"text": ["dull", "fine"], "label": [0, 1]},
    "trec": {"text": ["Who ?", "How many ?"], "coarse_label": [3, 5], "fine_label": [0, 1]},
    "ma": {"condition_label": [1, 5], "medical_abstract": ["tumours", "fever"]},
    "conll03": {
        "id": ["0", "1"],
        "tokens": [["Ada", "sat"], ["EU"]],
        "pos_tags": [[1, 2], [1]],
        "ner_tags": [[1, 0], [3]],
    },
    "bc5cdr-chemical": {
        "id": ["0", "1"],
        "type": ["T", "T"],
        "tokens": [["lithium", "salt"], ["none"]],
        "ner_tags": [[1, 2], [0]],
    },
}
PATTERNS = {
    "mr": "data/{}-00000-of-00001.parquet",
    "trec": "default/{}/0000.parquet",
    "ma": "data/{}-00000-of-00001.parquet",
    "conll03": "conll2003/{}/0000.parquet",
    "bc5cdr-chemical": "bc5chem/{}/0000.parquet",
}
EXPECTED = {
    "mr": ["negative", "positive"],
    "trec": ["human", "number"],
    "ma": ["neoplasms", "general pathological conditions"],
    "conll03": ["B-PER", "O", "B-ORG"],
    "bc5cdr-chemical": ["B-Chemical", "I-Chemical", "O"],
}


def from_hub(folder: Path, name: str, repository: Path, sizes: str = "") -> DeclaredTask:
    """The shipped declaration with its hub source pointing at a folder, and other sizes."""
    text = (SHIPPED / f"{name}.toml").read_text(encoding="utf-8")
    lines = []
    for line in text.splitlines():
        if line.startswith("repository"):
            line = f'repository = "{repository}"'
        if line.startswith("sizes = "):
            continue
        lines.append(f"{line}\nsizes = {{ {sizes} }}" if line == "[hub]" and sizes else line)
    file = folder / f"{name}.toml"
    file.write_text("\n".join(lines), encoding="utf-8")
    return DeclaredTask(file)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``datasets`` prepares goes to a folder of the test."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.parametrize("name", ROWS)
def test_hub_and_its_downloaded_files_give_the_same_examples(tmp_path: Path, name: str) -> None:
    backwards = {column: values[::-1] for column, values in ROWS[name].items()}
    splits = {"train": ROWS[name], "validation": backwards, "test": ROWS[name]}
    repository = write_repository(tmp_path / "data" / name, name, splits, PATTERNS[name])
    hub = from_hub(tmp_path, name, repository, "train = 2, test = 2")
    files = DeclaredTask(SHIPPED / f"{name}.toml", tmp_path / "data")
    assert loaded(hub)[1] == EXPECTED[name]
    for split in splits:
        mine, theirs = files.load(split), hub.load(split)
        assert mine is not None
        assert theirs is not None
        assert mine.ids == theirs.ids
        assert list(mine.examples) == list(theirs.examples)
        assert loaded(files, split) == loaded(hub, split)
    assert all("so scores are not comparable" in note for note in hub.notes)
    assert hub.origin() == {"folder": str(repository)}
    assert hub.at_hand is False
    assert (
        hub.fingerprint == from_hub(tmp_path, name, repository, "train = 2, test = 2").fingerprint
    )


CARD = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
  - split: test
    path: data/test-*
- config_name: labels
  data_files:
  - split: train
    path: labels/train-*
---
"""


def test_what_else_a_repository_holds_is_left_alone(tmp_path: Path) -> None:
    from datasets import Dataset

    folder = tmp_path / "data/ma"
    write_repository(folder, "ma", dict.fromkeys(("train", "test"), ROWS["ma"]), PATTERNS["ma"])
    (folder / "labels").mkdir()
    names = {"condition_label": [1], "condition_name": ["neoplasms"]}
    Dataset.from_dict(names).to_parquet(folder / "labels/train-00000-of-00001.parquet")
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    files = DeclaredTask(SHIPPED / "ma.toml", tmp_path / "data")
    hub = from_hub(tmp_path, "ma", folder, "train = 2, test = 2")
    assert loaded(files) == loaded(hub) == (["tumours", "fever"], EXPECTED["ma"])


@pytest.mark.parametrize("name", ["sst2", "subj"])
def test_label_text_counts_and_not_the_number(tmp_path: Path, name: str) -> None:
    # As in the repositories of JSON Lines; SUBJ's numbers run against the declared order.
    names = {"sst2": ("negative", "positive"), "subj": ("objective", "subjective")}[name]
    rows = [{"text": f"t{n}", "label": n, "label_text": names[n]} for n in (1, 0, 1)]
    for split in ("train", "test"):
        file = tmp_path / "data" / name / f"{split}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    files = DeclaredTask(SHIPPED / f"{name}.toml", tmp_path / "data")
    hub = from_hub(tmp_path, name, tmp_path / "data" / name, "train = 3, test = 3")
    assert loaded(files) == loaded(hub) == (["t1", "t0", "t1"], [names[1], names[0], names[1]])


def test_numbers_of_a_plain_file_are_refused_where_two_orders_are_known(tmp_path: Path) -> None:
    write_csv(tmp_path / "subj/train.csv", [("text", "label"), ("a", 0)])
    with pytest.raises(DataError, match=r"train\.csv:2: the label is the number 0, which may be"):
        DeclaredTask(SHIPPED / "subj.toml", tmp_path).load("train")


def test_class_names_are_mapped_by_name_in_any_order(tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Features, Value

    for names, expected in ((["pos", "neg"], ["positive", "negative"]), (["neg", "nix"], None)):
        features = Features({"text": Value("string"), "label": ClassLabel(names=names)})
        file = tmp_path / "mr" / "train.parquet"
        file.parent.mkdir(exist_ok=True)
        Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]}, features=features).to_parquet(file)
        task = DeclaredTask(SHIPPED / "mr.toml", tmp_path)
        if expected is not None:
            assert loaded(task)[1] == expected
            continue
        with pytest.raises(DataError) as caught:
            task.load("train")
        assert f"{file}: its class names are neg, nix; expected neg, pos" in str(caught.value)


def test_other_sizes_than_declared_are_an_error_for_the_hub(tmp_path: Path) -> None:
    splits = {"train": ROWS["mr"], "test": ROWS["mr"]}
    repository = write_repository(tmp_path / "repo", "mr", splits, PATTERNS["mr"])
    with pytest.raises(DataError, match=r"2 rows; the declaration expects 3; the repository has"):
        from_hub(tmp_path, "mr", repository, "train = 3").load("train")
    with pytest.raises(DataError, match=r"expects a validation split of 9 rows, but there is none"):
        from_hub(tmp_path, "mr", repository, "train = 2, validation = 9").load("train")


def test_splits_of_the_hub_that_are_not_the_published_ones_are_noted(tmp_path: Path) -> None:
    splits = {"train": ROWS["mr"], "test": ROWS["mr"]}
    repository = write_repository(tmp_path / "data/mr", "mr", splits, PATTERNS["mr"])
    hub = from_hub(tmp_path, "mr", repository, "train = 2, test = 2")
    for task in (hub, DeclaredTask(tmp_path / "mr.toml", tmp_path / "data")):
        task.load("train")
        (note,) = [note for note in task.notes if "comparable" in note]
        assert "2 rows are the hub's split; the published figures are of 8662 rows" in note


def test_a_folder_is_the_repository_only_where_it_is_written_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits = {"train": ROWS["mr"], "test": ROWS["mr"]}
    write_repository(tmp_path / "own/SetFit/mr", "mr", splits, PATTERNS["mr"])
    task = from_hub(tmp_path / "own", "mr", Path("SetFit/mr"), "train = 2, test = 2")
    monkeypatch.chdir(tmp_path / "own")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataError, match=r"SetFit/mr@\w+ cannot be reached from here"):
        task.load("train")
    assert Path.cwd() == tmp_path / "own"
    file = tmp_path / "own/mr.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('"SetFit/mr"', '"./SetFit/mr"'), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    task = DeclaredTask(file)
    assert loaded(task)[0] == ROWS["mr"]["text"]
    assert task.origin() == {"folder": "./SetFit/mr"}
    assert "fetch" not in task.declared()["hub"]
    file.write_text(text.replace('"SetFit/mr"', '"../nothing"'), encoding="utf-8")
    with pytest.raises(DataError, match=r"nothing: no such folder, but \[hub\] repository"):
        DeclaredTask(file).load("train")


def test_a_repository_with_a_loading_script(tmp_path: Path) -> None:
    repository = touch(tmp_path / "repo", "repo.py", "train.csv")
    with pytest.raises(DataError) as caught:
        from_hub(tmp_path, "mr", repository).load("train")
    assert "loading script, which nothing runs any more" in str(caught.value)
    assert "refs/convert/parquet" in str(caught.value)


def test_the_command_that_fetches_a_repository_is_one_of_the_program() -> None:
    hub = DeclaredTask(SHIPPED / "bc5cdr-chemical.toml").declaration.hub
    assert hub is not None
    command = download_command(hub, "bc5cdr-chemical")
    program = Path(sys.executable).with_name("hf")
    shown = subprocess.run(
        [program, "download", "--help"], check=True, capture_output=True, text=True
    ).stdout
    for option in ("--repo-type", "--revision", "--include", "--local-dir"):
        assert option in command
        assert option in shown


# --- declarations ----------------------------------------------------------------------


HUB_FAULTS = {
    'label = "label"': ("", "a sequence task needs 'hub.label'"),
    'text = "text"': ('text = "text"\ntags = "x"', "has no use for 'hub.tags'"),
    'names = ["neg", "pos"]': ('names = ["neg"]', "one name for each of hub.label_names"),
    'label_names = ["negative", "positive"]': (
        'label_names = ["negative", "good"]',
        "must name negative, positive, each once",
    ),
}


@pytest.mark.parametrize("line", HUB_FAULTS)
def test_a_hub_source_that_does_not_fit_is_named_by_its_key(tmp_path: Path, line: str) -> None:
    text = (SHIPPED / "mr.toml").read_text(encoding="utf-8")
    new, said = HUB_FAULTS[line]
    assert f"\n{line}\n" in text
    file = tmp_path / "mr.toml"
    file.write_text(text.replace(f"\n{line}\n", f"\n{new}\n", 1), encoding="utf-8")
    with pytest.raises(TaskError) as caught:
        DeclaredTask(file)
    place, _, told = str(caught.value).partition(": ")
    assert place == str(file)
    assert said in told
