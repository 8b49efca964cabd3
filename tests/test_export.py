"""``harness export --to``: labels, and recordings to replay; what is refused."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from harness.data import offsets_of
from harness.errors import DataError
from harness.metrics import score
from harness_plugins.recordings import open_recording
from harness_tasks.task import DeclaredTask
from tests.commands import call, message, succeeded
from tests.exporting import DEMO, SHIPPED, SMALL, exported, recorded_run, recording, run

NOT_KEPT = "the student was not kept; training it once more"


pytestmark = pytest.mark.usefixtures("alone")


# --- labels --------------------------------------------------------------------------


def test_labels_of_a_stage_are_those_that_it_was_scored_by() -> None:
    result = run(*SMALL, "--annotator", recording(Path("recorded.jsonl")), "--rounds", "2")
    gold = {
        row["text"]: row["label"]
        for row in map(json.loads, (DEMO / "train.jsonl").read_text("utf-8").splitlines())
    }
    asked: set[str] = set()
    for stage in result["stages"]:
        rows = exported(result["run_id"], f"{stage['stage']}.jsonl", "--stage", stage["stage"])
        if stage["actor"] == "annotator":
            asked = {row["text"] for row in rows if row["label"] is not None}
        else:
            own = [row["label"] == gold[row["text"]] for row in rows if row["text"] in asked]
            assert stage["where_answered"] == pytest.approx(sum(own) / len(own))
        assert len(rows) == 60
        right = sum(row["label"] == gold[row["text"]] for row in rows) / 60
        assert right == pytest.approx(stage["transductive"]["score"])
        assert sum(row["label"] is None for row in rows) == stage["abstained"]
        trusted = result["stages"][2 * stage["round"] + 1]["selection"]["trusted"]
        assert sum(row["trusted"] for row in rows) == trusted
        assert not any(row["supervised"] for row in rows)
    first, last = (
        exported(result["run_id"], f"again{s}.jsonl", "--stage", s) for s in ["R1", "R3"]
    )
    assert {row["given_by"] for row in first} == {"annotator"}
    assert {row["confidence"] for row in first if row["label"]} == {0.25}
    # What was trusted in the first round was not asked again: it is the student's.
    kept = [row["given_by"] == "student" for row in last]
    assert kept == [row["trusted"] for row in first] and any(kept) and not all(kept)
    students = exported(result["run_id"], "default.jsonl")
    assert {row["given_by"] for row in students} == {"student"}
    assert all(0 < row["confidence"] <= 1 for row in students)


def test_each_kind_of_file_holds_the_same() -> None:
    run_id = recorded_run()["run_id"]
    rows = exported(run_id, "labels.jsonl", "--stage", "R1")
    for name in ("labels.csv", "labels.tsv", "labels.parquet"):
        succeeded(call("export", run_id, "--to", name, "--stage", "R1"))
    parquet = pq.read_table("labels.parquet").to_pylist()
    assert parquet == rows
    for name, separator in (("labels.csv", ","), ("labels.tsv", "\t")):
        with Path(name).open(encoding="utf-8", newline="") as file:
            cells = list(csv.DictReader(file, delimiter=separator))
        assert [row["text"] for row in cells] == [row["text"] for row in rows]
        assert [row["label"] or None for row in cells] == [row["label"] for row in rows]
        assert [row["trusted"] == "true" for row in cells] == [row["trusted"] for row in rows]


def test_tokens_are_exported_with_their_tags() -> None:
    few = ("--limit", "12", "--rounds", "1", "--set", "student.epochs=1")
    options = ("--task", "demo-ner", "--student", "minilm", *few, "--annotator")
    result = run(*options, "rules")
    rows = exported(result["run_id"], "tags.jsonl", "--stage", "R0")
    task = DeclaredTask(SHIPPED / "demo-ner.toml")
    pool, gold = task.load("train"), task.gold("train")
    assert pool is not None and gold is not None
    place = {tuple(tokens): row for row, tokens in enumerate(pool.tokens)}
    found = gold.take(np.asarray([place[tuple(row["tokens"])] for row in rows]))
    tags = [task.card.classes.index(tag) for row in rows for tag in row["tags"]]
    assert offsets_of([len(row["tags"]) for row in rows]).tolist() == found.offsets.tolist()
    said = score(np.asarray(tags, dtype=np.int32), found, task.card).score
    assert said == pytest.approx(result["stages"][0]["transductive"]["score"])
    succeeded(call("export", result["run_id"], "--to", "tags.csv", "--stage", "R0"))
    with Path("tags.csv").open(encoding="utf-8", newline="") as file:
        assert [json.loads(row["tags"]) for row in csv.DictReader(file)] == [
            row["tags"] for row in rows
        ]
    again = exported(result["run_id"], "replay.jsonl", "--replay")
    replayed = run(*options, "replay:replay.jsonl")
    assert [row["llm_tags"] for row in again][:12] == [row["tags"] for row in rows]
    for before, after in zip(result["stages"], replayed["stages"], strict=True):
        assert before["transductive"] == after["transductive"]


BACK = """schema = 1
name = "back"
kind = "{kind}"
metric = "{metric}"
files = {{ train = "{file}" }}
"""


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tsv", "parquet"])
@pytest.mark.parametrize("task", ["demo", "demo-ner"])
def test_what_is_exported_is_read_back_as_a_task(task: str, suffix: str) -> None:
    kind, metric = ("sequence", "accuracy") if task == "demo" else ("token", "entity_f1")
    if task == "demo":
        run_id = recorded_run()["run_id"]
    else:
        few = ("--limit", "12", "--rounds", "1", "--set", "student.epochs=1")
        run_id = run("--task", task, "--annotator", "rules", *few)["run_id"]
    stage = ("--stage", "R1" if task == "demo" else "R0")
    rows = exported(run_id, "rows.jsonl", *stage)
    succeeded(call("export", run_id, "--to", f"back.{suffix}", *stage))
    labels = DeclaredTask(SHIPPED / f"{task}.toml").card.labels
    declared = BACK.format(kind=kind, metric=metric, file=f"back.{suffix}")
    declared += "".join(
        f"[[labels]]\nname = {json.dumps(one.name)}\ndescription = {json.dumps(one.description)}\n"
        for one in labels
    )
    Path("back.toml").write_text(declared, encoding="utf-8")
    back = DeclaredTask(Path("back.toml"))
    pool, gold = back.load("train"), back.gold("train")
    assert pool is not None and gold is not None
    answer = "label" if task == "demo" else "tags"
    for row, example in enumerate(pool.examples):
        assert example == (rows[row]["text"] if task == "demo" else tuple(rows[row]["tokens"]))
        begin, end = pool.offsets[row : row + 2].tolist()
        names = [back.card.classes[one] if one >= 0 else None for one in gold.labels[begin:end]]
        expected = rows[row][answer]
        assert names == (expected if isinstance(expected, list) else [expected])


# --- replays -------------------------------------------------------------------------


def numbers(result: Mapping[str, Any]) -> list[Any]:
    kept = ("stage", "n", "abstained", "transductive", "inductive", "selection")
    return [{key: stage[key] for key in kept} for stage in result["stages"]]


def test_a_replay_gives_the_same_numbers() -> None:
    first = recorded_run()
    rows = exported(first["run_id"], "replay.jsonl", "--replay")
    assert len(rows) == 120
    second = run(*SMALL, "--annotator", "replay:replay.jsonl", "--rounds", "1")
    assert numbers(second) == numbers(first)
    assert not second["supervised"]


def test_a_replay_repeats_each_round_with_its_own_answers() -> None:
    part = ("--set", "selector.initial=random:0.5", "--set", "selector.budget=20")
    for more in ((), part):
        options = (*SMALL, "--rounds", "3", *more, "--annotator")
        first = run(*options, "embedding")
        rows = exported(first["run_id"], f"replay{len(more)}.jsonl", "--replay")
        asked = [stage["annotated"] for stage in first["stages"][::2]]
        pool, test = first["stages"][0]["n"], 60
        assert asked[0] == (30 if more else pool)
        assert Counter(row["round"] for row in rows) == dict(enumerate(n + test for n in asked))
        assert len({(row["id"], row["llm_label"]) for row in rows}) > len({r["id"] for r in rows})
        assert numbers(run(*options, f"replay:replay{len(more)}.jsonl")) == numbers(first)


def test_a_round_without_an_answer_repeats_the_nearest_one() -> None:
    lines = (DEMO / "train.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    rows = [{"text": text, "llm_label": "billing"} for text in texts]
    rows += [{"text": text, "llm_label": "fault", "round": 1} for text in texts[:100]]
    Path("rounds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = DeclaredTask(SHIPPED / "demo.toml")
    recording, pool = open_recording("rounds.jsonl", 0, task.card.classes), task.load("train")
    assert pool is not None
    said = [
        Counter(one.answer for one in recording.find(pool, round_) if one) for round_ in range(3)
    ]
    assert said[0] == {"billing": len(texts)}
    assert said[1] == said[2] == {"billing": len(texts) - 100, "fault": 100}
    Path("rounds.jsonl").write_text('{"text": "a", "llm_label": "fault", "round": "first"}\n')
    with pytest.raises(DataError, match=r"rounds.jsonl:1: 'round'"):
        open_recording("rounds.jsonl", 0, task.card.classes)


@pytest.mark.parametrize("name", ["answers.jsonl", "labels.jsonl", "labels.csv"])
@pytest.mark.parametrize("annotator", ["noisy:0.3", "recorded"])
def test_what_gold_had_a_part_in_stays_marked(name: str, annotator: str) -> None:
    supervised = annotator != "recorded"
    spec = annotator if supervised else recording(Path("recorded.jsonl"))
    first = run(*SMALL, "--annotator", spec, "--rounds", "1")
    assert first["supervised"] is supervised
    replay = ["--replay"] if name == "answers.jsonl" else []
    said = succeeded(call("export", first["run_id"], "--to", name, *replay))
    assert (", supervised" in said) is supervised
    more = ["--setting", "transductive", "--rounds", "1"]  # labels are of the pool alone
    assert run(*SMALL, "--annotator", f"replay:{name}", *more)["supervised"] is supervised


def test_equal_texts_keep_their_own_answers_by_their_ids() -> None:
    lines = (DEMO / "train.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    labels = ["fault", "billing", "howto", "access", "delivery", "cancellation"] * 5
    data = [{"text": text, "label": label} for text, label in zip(texts, labels, strict=False)]
    data = [{"text": "twice", "label": "fault"}, *data, {"text": "twice", "label": "billing"}]
    Path("data/demo").mkdir(parents=True)
    for split in ("train", "test"):
        file = Path(f"data/demo/{split}.jsonl")
        file.write_text("".join(json.dumps(row) + "\n" for row in data), encoding="utf-8")
    options = ("--data", "data", "--student", "tfidf", "--rounds", "1", "--annotator")
    first = run(*options, "oracle")
    rows = exported(first["run_id"], "replay.jsonl", "--replay", "--data", "data")
    Path("back.jsonl").write_text("".join(json.dumps(row) + "\n" for row in reversed(rows)))
    for file in ("replay.jsonl", "back.jsonl"):
        assert numbers(run(*options, f"replay:{file}")) == numbers(first)


def test_a_users_own_ids_in_a_recording_are_no_matter() -> None:
    spec = recording(Path("recorded.jsonl"))
    rows = [json.loads(line) for line in Path("recorded.jsonl").read_text("utf-8").splitlines()]
    numbered = [{"id": number, **row} for number, row in enumerate(rows)]
    Path("numbered.jsonl").write_text("".join(json.dumps(row) + "\n" for row in numbered))
    one, other = (
        run(*SMALL, "--annotator", one, "--rounds", "1") for one in (spec, "replay:numbered.jsonl")
    )
    assert numbers(one) == numbers(other)


# --- what is refused -----------------------------------------------------------------


def test_what_cannot_be_exported_is_said_in_one_line() -> None:
    run_id = recorded_run()["run_id"]
    Path("full").mkdir()
    Path("full/there").write_text("")
    Path("there.jsonl").write_text("")
    refused: dict[tuple[object, ...], str] = {
        (): "say what to export",
        ("--replay", "--model", "m"): "name a file by --to",
        ("--to", "labels.txt"): ".jsonl, .json, .csv, .tsv, .parquet, .xlsx",
        ("--to", "there.jsonl"): "--to there.jsonl: exists",
        ("--to", "a.csv", "--replay"): "a replay is a .jsonl file",
        ("--to", "a.jsonl", "--stage", "R7"): "are R1, R2",
        ("--to", "a.jsonl", "--replay", "--stage", "R2"): "the annotator's stages",
        ("--model", "full"): "full: holds files already",
        ("--model", "there.jsonl"): "is not a folder",
    }
    for arguments, part in refused.items():
        assert part in message(call("export", run_id, *arguments), 2)
    assert "no run 'absent'" in message(call("export", "absent", "--to", "a.jsonl"), 2)
    assert not Path("a.jsonl").exists()


def test_a_run_with_other_data_and_one_that_is_not_finished_are_refused() -> None:
    run_id = recorded_run()["run_id"]
    Path("data/demo").mkdir(parents=True)
    for split in ("train", "test"):
        lines = (DEMO / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        Path(f"data/demo/{split}.jsonl").write_text("\n".join(lines[:-100]), encoding="utf-8")
    said = message(call("export", run_id, "--to", "a.jsonl", "--data", "data"), 1)
    assert "was made with other data" in said and "--data" in said
    Path(f"results/runs/demo/{run_id}/result.json").unlink()
    assert "is not finished" in message(call("export", run_id, "--to", "a.jsonl"), 1)
    assert list(Path().glob("*a.jsonl*")) == []


def test_a_student_is_kept_after_the_fact_and_a_tfidf_is_no_model_of_transformers() -> None:
    options = (*SMALL, "--annotator", recording(Path("recorded.jsonl")), "--rounds", "2")
    first = run(*options)
    folder = Path("results/runs/demo") / first["run_id"]
    before = {path: path.read_bytes() for path in folder.glob("rounds/*/*")}
    said = message(call("export", first["run_id"], "--model", "m"), 1)
    assert "was not kept" in said and "--set student.save=true" in said
    outcome = call("run", "--json", *options, "--set", "student.save=true")
    assert json.loads(outcome.stdout) == first  # the same run, with its recorded numbers
    assert NOT_KEPT in outcome.stderr and "predict different labels" not in outcome.stderr
    assert {path: path.read_bytes() for path in folder.glob("rounds/*/*")} == before
    assert NOT_KEPT not in call("run", *options, "--set", "student.save=true").stderr
    export = ("export", first["run_id"], "--model", "m")
    assert "'tfidf' cannot be exported" in message(call(*export), 2)
    weights = folder / "student/tfidf.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert "student: damaged" in message(call(*export), 1)
    assert not Path("m").exists()
