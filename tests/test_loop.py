"""The loop: its stages, what each asks for, and what it believes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import main

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"


def run(capsys: pytest.CaptureFixture[str], out: Path, *arguments: str) -> dict[str, Any]:
    with pytest.raises(SystemExit) as ended:
        main(["run", "--student", "tfidf", "--out", str(out), "--json", *arguments])
    captured = capsys.readouterr()
    assert ended.value.code == 0, captured.err
    result: dict[str, Any] = json.loads(captured.out)
    return result


def names(result: dict[str, Any]) -> list[str]:
    return [stage["stage"] for stage in result["stages"]]


NOISY = ("--annotator", "noisy:0.3", "--limit", "150")


def test_stages_alternate_and_are_named_by_the_round(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(capsys, tmp_path, *NOISY, "--rounds", "3")
    assert names(result) == ["R1", "R2", "R3", "R4", "R5", "R6"]
    assert [stage["actor"] for stage in result["stages"]] == ["annotator", "student"] * 3
    assert result["supervised"] is True


def test_without_generated_demonstrations_the_first_stage_is_zero_shot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(capsys, tmp_path, *NOISY, "--set", "demonstrations.generated=false")
    assert names(result) == ["R0", "R2", "R3", "R4"]


def test_only_what_the_selector_asks_for_is_annotated_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(capsys, tmp_path, *NOISY)
    first, student, second, _ = result["stages"]
    assert first["annotated"] == first["n"] == 150
    assert second["annotated"] == student["selection"]["requested"]
    assert second["annotated"] == 150 - student["selection"]["trusted"]


def test_trusted_examples_keep_the_students_label(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Everything is trusted and nothing asked: the pool's labels become the student's.
    options = ("--set", "selector.trust=all", "--set", "selector.query=none")
    result = run(capsys, tmp_path, *NOISY, *options)
    _, student, second, _ = result["stages"]
    assert second["annotated"] == 0
    assert second["transductive"] == student["transductive"]
    assert student["selection"]["trusted_precision"] == student["transductive"]["score"]


def test_the_transductive_setting_never_touches_the_test_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(capsys, tmp_path, *NOISY, "--setting", "transductive")
    assert [stage["inductive"] for stage in result["stages"]] == [None] * 4
    assert not list(tmp_path.glob("demo/*/rounds/*/*test*"))


def test_a_run_can_be_replayed_from_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(capsys, tmp_path, *NOISY, "--rounds", "1")
    folder = next(tmp_path.glob("demo/*"))
    again = run(
        capsys, tmp_path, "--annotator", f"replay:{folder}", "--limit", "150", "--rounds", "1"
    )
    scored = ("transductive", "inductive", "selection")
    for before, after in zip(result["stages"], again["stages"], strict=True):
        assert {key: before[key] for key in scored} == {key: after[key] for key in scored}
    # Its answers were made from gold labels, whoever repeats them.
    assert again["supervised"] is True


@pytest.mark.parametrize("preset", ["freeal", "all", "random"])
def test_every_selector_preset_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], preset: str
) -> None:
    result = run(capsys, tmp_path, *NOISY, "--selector", preset)
    assert names(result)[-1] == "R4"
    assert result["stages"][1]["selection"]["demonstrations"] > 0


@pytest.mark.slow
def test_the_embedding_annotator_and_rules_run_the_whole_loop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(capsys, tmp_path, "--annotator", "embedding", "--limit", "120")
    assert result["supervised"] is False
    assert result["stages"][0]["transductive"]["score"] > 0.5
    tokens = run(
        capsys, tmp_path, "--task", "demo-ner", "--student", "minilm", "--limit", "24",
        "--set", "student.epochs=1",
    )  # fmt: skip
    assert names(tokens) == ["R0", "R2", "R3", "R4"]
    assert set(tokens["stages"][0]["transductive"]["per_label"]) == {"PER", "ORG", "LOC"}


@pytest.mark.skipif(not SHARED.exists(), reason="the real data is not beside this clone")
def test_recorded_answers_of_mr_score_as_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = SHARED / "mr" / "train_gpt35.jsonl"
    result = run(
        capsys, tmp_path, "--task", "mr", "--data", str(SHARED), "--annotator",
        f"replay:{answers}", "--rounds", "1",
    )  # fmt: skip
    first, student = result["stages"]
    assert first["abstained"] == 384 and first["inductive"] is None
    assert round(first["transductive"]["score"], 4) == 0.8956
    assert round(first["transductive"]["answered"], 4) == 0.9372
    assert round(first["transductive"]["random_label"], 4) == 0.9178
    assert student["selection"]["trusted_precision"] > 0.97
    assert result["supervised"] is False
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^R1 +annotator +89\.6 +– +384 ", readme, re.MULTILINE)
    (shown,) = re.findall(r"^R2 +student +([\d.]+) +([\d.]+) +0 +1655: ", readme, re.MULTILINE)
    scores = [100 * student[split]["score"] for split in ("transductive", "inductive")]
    assert scores == pytest.approx([*map(float, shown)], abs=1)
