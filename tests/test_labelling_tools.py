"""Labels out to the tools in which people correct them, and back into runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.errors import DataError
from harness.export.tools.suggestions import Span, spans_of, tags_of
from tests.commands import call, message, succeeded
from tests.exporting import SMALL, recorded_run, run

pytestmark = pytest.mark.usefixtures("alone")


def handed_out(run_id: str, tool: str, *more: object) -> list[dict[str, Any]]:
    """What was written for a tool."""
    succeeded(call("export", run_id, "--to", f"{tool}.json", "--for", tool, *more))
    found: list[dict[str, Any]] = json.loads(Path(f"{tool}.json").read_text(encoding="utf-8"))
    return found


def taken_back(values: object, run_id: str, file: str, *more: object) -> list[dict[str, Any]]:
    """The rows that ``harness import`` makes of a tool's file."""
    Path("back.json").write_text(json.dumps(values), encoding="utf-8")
    succeeded(call("import", "back.json", "--run", run_id, "--to", file, *more))
    return [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]


def annotated(task: dict[str, Any], number: int, label: str) -> dict[str, Any]:
    """A task as Label Studio exports it after somebody skipped it, and then answered."""
    region = {"id": "Dx_aB91ISN", "from_name": "label", "to_name": "text", "type": "choices",
              "value": {"choices": [label]}, "origin": "manual"}  # fmt: skip
    skipped = {"id": 2 * number, "completed_by": 1, "result": [], "was_cancelled": True,
               "updated_at": "2026-03-09T22:16:08.728378Z"}  # fmt: skip
    given = {**skipped, "id": 2 * number + 1, "result": [region], "was_cancelled": False}
    return {**task, "id": number, "annotations": [given, skipped], "drafts": [], "project": 83}


def test_a_person_corrects_the_doubtful_ones_in_label_studio_and_the_run_goes_on() -> None:
    first = recorded_run()
    tasks = handed_out(first["run_id"], "label-studio", "--first", "10")
    assert len(tasks) == 10
    sure = [task["predictions"][0]["score"] for task in tasks]
    assert sure == sorted(sure)  # none of ten is trusted
    choices = ElementTree.parse("label-studio.xml").getroot().findall(".//Choice")
    names = [choice.get("value") for choice in choices]
    assert names == first["labels"]
    back = [annotated(task, k, "howto") for k, task in enumerate(tasks[:5])]
    rows = taken_back([*back, *tasks[5:]], first["run_id"], "replay.jsonl")
    assert len(rows) == 120  # all answers for the pool and the test set
    mine = {task["data"]["example_id"] for task in tasks[:5]}
    assert {row["id"] for row in rows if row["reply"] == "a person"} == mine
    assert all(row["llm_label"] == "howto" for row in rows if row["id"] in mine)
    again = run(*SMALL, "--annotator", "replay:replay.jsonl", "--rounds", "1")
    assert again["supervised"]  # people's labels are human labels
    before, after = (one["stages"][0] for one in (first, again))
    assert after["abstained"] <= before["abstained"]
    gold = taken_back(back, first["run_id"], "gold.jsonl", "--gold")
    assert {row["id"] for row in gold} == mine
    assert all(row["label"] == "howto" and row["text"] for row in gold)


def test_the_short_export_of_label_studio_is_read_too() -> None:
    first = recorded_run()
    tasks = handed_out(first["run_id"], "label-studio", "--first", "3")
    short = [
        {**task["data"], "id": k, "label": "access", "annotator": 1, "annotation_id": k}
        for k, task in enumerate(tasks)
    ]
    rows = taken_back(short, first["run_id"], "gold.jsonl", "--gold")
    assert [row["label"] for row in rows] == ["access"] * 3


def test_records_of_argilla_come_back_with_responses() -> None:
    first = recorded_run()
    records = handed_out(first["run_id"], "argilla")
    assert len(records) == 60
    suggested = records[0]["suggestions"]["label"]
    assert suggested["value"] in first["labels"] and 0 <= suggested["score"] <= 1
    assert suggested["agent"] == first["run_id"]
    said = [{"value": "fault", "user_id": "7ab8"}, {"value": "billing", "user_id": "91cd"}]
    back = [
        {**record, "responses": {"label": said} if k < 2 else {}, "_server_id": "x"}
        for k, record in enumerate(records)
    ]
    rows = taken_back(back, first["run_id"], "gold.jsonl", "--gold")
    assert sorted(row["id"] for row in rows) == sorted(one["id"] for one in records[:2])
    assert {row["label"] for row in rows} == {"billing"}  # the last response


def test_entities_are_spans_there_and_tags_here() -> None:
    few = ("--limit", "12", "--rounds", "1", "--set", "student.epochs=1")
    first = run("--task", "demo-ner", "--student", "minilm", "--annotator", "rules", *few)
    tasks = handed_out(first["run_id"], "label-studio")
    (task,) = [one for one in tasks if one["predictions"][0]["result"]][:1]
    region = task["predictions"][0]["result"][0]
    value = region["value"]
    assert task["data"]["text"][value["start"] : value["end"]] == value["text"]
    corrected = {**region, "value": {**value, "end": value["end"] - 1}}  # a letter was missed
    back = [{**task, "id": 1, "annotations": [{"result": [corrected], "was_cancelled": False}]}]
    (row,) = taken_back(back, first["run_id"], "gold.jsonl", "--gold")
    tagged = [token for token, tag in zip(row["tokens"], row["tags"], strict=True) if tag != "O"]
    assert " ".join(tagged) == value["text"]
    spans = handed_out(first["run_id"], "argilla")[0]["suggestions"]["label"]
    assert len(spans["score"]) == len(spans["value"])


def test_spans_and_tags_are_each_others_inverse() -> None:
    tokens, tags = (
        ["Ann", "met", "Bob", "Stone", "(", "Oslo"],
        ["B-p", "O", "B-p", "I-p", "O", "B-l"],
    )
    spans = spans_of(tokens, tags)
    assert spans[1] == Span(8, 17, "p")
    assert tags_of(tokens, spans, "") == tags
    with pytest.raises(DataError, match="overlaps another"):
        tags_of(tokens, [Span(0, 5, "p"), Span(4, 8, "p")], "task 1")
    with pytest.raises(DataError, match="outside"):
        tags_of(tokens, [Span(99, 100, "p")], "task 1")


def test_what_is_not_theirs_is_refused_in_one_line() -> None:
    first = recorded_run()
    (task,) = handed_out(first["run_id"], "label-studio", "--first", "1")
    good = annotated(task, 7, "howto")
    wrong: dict[str, object] = {
        "'spam' is none of access, billing": [annotated(task, 7, "spam")],
        "no example of this run": [{**good, "data": {"text": "x", "example_id": "train:0"}}],
        "has no 'example_id'": [{**good, "data": {"text": "x"}}],
        "nobody has answered": [task],
        "neither an export of Label Studio": [{**good, "annotations": [{"result": 3}]}],
        "not an object": ["x"],
    }
    for part, values in wrong.items():
        Path("back.json").write_text(json.dumps(values), encoding="utf-8")
        outcome = call("import", "back.json", "--run", first["run_id"], "--to", "new.jsonl")
        assert part in message(outcome, 1)
    assert not Path("new.jsonl").exists()
    run_id = first["run_id"]
    for arguments, part in {
        ("--to", "a.csv", "--for", "argilla"): "writes labels to a new .json file",
        ("--to", "a.json", "--for", "prodigy"): "label-studio",
        ("--for", "argilla", "--model", "m"): "name a file by --to",
    }.items():
        assert part in message(call("export", run_id, *arguments), 2)


def test_a_dataset_folder_loads_with_its_classes() -> None:
    import datasets

    first = recorded_run()
    succeeded(call("export", first["run_id"], "--dataset", "folder", "--stage", "R1"))
    loaded: Any = datasets.load_dataset("folder", cache_dir="cache")["train"]
    assert loaded.features["label"].names == first["labels"]
    assert len(loaded) == 60
    assert sum(row["label"] is None for row in loaded) == first["stages"][0]["abstained"]
    card = Path("folder/README.md").read_text(encoding="utf-8")
    score = 100 * first["stages"][0]["transductive"]["score"]
    assert f"by gold labels: {score:.1f} %" in card
    assert str(Path.cwd()) not in card
    assert "folder: holds files already" in message(
        call("export", first["run_id"], "--dataset", "folder"), 2
    )
