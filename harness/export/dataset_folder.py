"""A run's labels as a folder that Hugging Face ``datasets`` loads, with a card."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.data import TaskCard
from harness.export.labels import label_rows
from harness.export.model_card import METRICS, SUPERVISED
from harness.export.reproducing import command_of, portable
from harness.files.escaping import fence_of, markdown, markdown_row
from harness.plugin_manager import Plugins
from harness.protocols import Task
from harness.record.finished import FinishedRun
from harness.record.folder import new_folder
from harness.results import RunResult, StageResult

FILE = "data/train.parquet"
COLUMNS = {"id": "string", "confidence": "float32", "given_by": "string",
           "trusted": "bool", "supervised": "bool"}  # fmt: skip
"""Columns with their types; before ``confidence`` stand the text and the label."""
CARD = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: {file}
dataset_info:
  features:
{features}
task_categories:
- {category}
tags:
- freeal-harness
- machine-generated labels
---

# {task}, labelled by {annotator} and {student}

{count:,} texts{title} with the labels of stage {stage} (`given_by`: annotator or student), their
confidence, and whether the selector trusts them.

{supervised} {score}

| label | meaning |
|---|---|
{labels}

## Origin

{fence}
{command}
harness export {run} --stage {stage} --dataset DIR
{fence}

## Licence

Before you pass the data on, state the terms of the texts and of the annotator here.
"""


def write_dataset(
    run: FinishedRun, task: Task, stage: StageResult, plugins: Plugins, target: Path
) -> int:
    """Write the pool's labels after a stage to a new folder, atomically; the number of rows.

    Labels are ``ClassLabel`` values, null where there is none.
    """
    rows = list(label_rows(run, task, stage))
    command = command_of(run.config, task.card, plugins)

    def write(folder: Path) -> None:
        file = folder / FILE
        file.parent.mkdir()
        _write_rows(file, rows, task.card)
        card = dataset_card(run.result, task.card, stage, command)
        (folder / "README.md").write_text(card, encoding="utf-8")

    new_folder(target, write)
    return len(rows)


def dataset_card(result: RunResult, card: TaskCard, stage: StageResult, command: str) -> str:
    """Markdown with a YAML head, as data set hubs read it, without any path of this machine."""
    found = stage.transductive
    score = "How many are right is not known: there are no gold labels."
    if found is not None:
        score = (
            f"{METRICS[card.metric]} of these labels, by gold labels: {100 * found.score:.1f} %."
        )
    sequence = card.kind == "sequence"
    return CARD.format(
        file=FILE,
        features="\n".join(_features(card)),
        category="text-classification" if sequence else "token-classification",
        task=markdown(card.name),
        annotator=markdown(portable(result.config["annotator"]["spec"])),
        student=markdown(portable(result.config["student"]["spec"])),
        count=stage.n,
        title=f" ({markdown(card.title)})" if card.title else "",
        stage=stage.stage,
        supervised=SUPERVISED[result.supervised],
        score=score[:1].upper() + score[1:],
        labels="\n".join(markdown_row((one.name, one.description)) for one in card.labels),
        fence=fence_of(command),
        command=command,
        run=result.run_id,
    )


def _features(card: TaskCard) -> Iterator[str]:
    """The columns as ``dataset_info`` has them; JSON strings are YAML, too."""
    names = [f"'{k}': {json.dumps(name)}" for k, name in enumerate(card.classes)]
    plain = {name: [f"dtype: {kind}"] for name, kind in COLUMNS.items()}
    label = ["dtype:", "  class_label:", "    names:", *(f"      {one}" for one in names)]
    if card.kind == "sequence":
        own = {"text": ["dtype: string"], "label": label}
    else:
        tags = ["sequence:", "  class_label:", "    names:", *(f"      {one}" for one in names)]
        own = {"tokens": ["sequence: string"], "tags": tags}
    for name, lines in {"id": plain.pop("id"), **own, **plain}.items():
        yield f"  - name: {name}"
        yield from (f"    {line}" for line in lines)


def _write_rows(file: Path, rows: list[Mapping[str, Any]], card: TaskCard) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = {name: k for k, name in enumerate(card.classes)}
    kinds = {"string": pa.string(), "float32": pa.float32(), "bool": pa.bool_()}
    kinds |= {"text": pa.string(), "label": pa.int64()}
    kinds |= {"tokens": pa.list_(pa.string()), "tags": pa.list_(pa.int64())}

    def column(name: str) -> Any:
        values = [row[name] for row in rows]
        if name == "label":
            values = [None if one is None else place[one] for one in values]
        if name == "tags":
            values = [None if one is None else [place[tag] for tag in one] for one in values]
        return pa.array(values, type=kinds[COLUMNS.get(name, name)])

    pq.write_table(pa.table({name: column(name) for name in rows[0]}), file, compression="zstd")
