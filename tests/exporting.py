"""Runs to export from, and what an export holds. The working folder is the test's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import harness_tasks
from tests.commands import call, succeeded
from tests.task_files import write_rows

SHIPPED = Path(harness_tasks.__file__).parent
DEMO = SHIPPED / "data/demo"
SMALL = ("--student", "tfidf", "--limit", "60")


def recording(file: Path) -> str:
    """Recorded answers to the demo's texts, a fifth of them wrong and a tenth missing."""
    rows = [
        json.loads(line)
        for split in ("train", "test")
        for line in (DEMO / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    answers: list[str | None] = [row["label"] for row in rows]
    answers[::5] = ["fault"] * len(answers[::5])
    answers[::10] = [None] * len(answers[::10])
    said = [
        {"text": row["text"], "llm_label": answer, "confidence": 0.25}
        for row, answer in zip(rows, answers, strict=True)
    ]
    return f"replay:{write_rows(file, said)}"


def run(*arguments: object) -> dict[str, Any]:
    """A run in the working folder."""
    outcome = call("run", "--json", *arguments)
    assert outcome.code == 0, outcome
    result: dict[str, Any] = json.loads(outcome.stdout)
    return result


def exported(run_id: str, file: str, *more: object) -> list[dict[str, Any]]:
    """The rows of an export as JSON Lines."""
    succeeded(call("export", run_id, "--to", file, *more))
    return [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]


def recorded_run(*more: object) -> dict[str, Any]:
    """One round over recorded answers, without gold labels."""
    spec = recording(Path("recorded.jsonl").resolve())
    return run(*SMALL, "--annotator", spec, "--rounds", "1", *more)
