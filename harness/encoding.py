"""Annotations as Parquet, student views as safetensors, selections as JSON.

Every file says its schema version and carries its numbers without loss, so that a
resumed run computes from the same values as an undisturbed one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import (
    ABSTAINED,
    Annotations,
    Demonstrations,
    Kind,
    Pool,
    Selection,
    StudentView,
)
from harness.identity import text_key
from harness.protocols import Written
from harness.results import SCHEMA, check_schema

__all__ = [
    "read_annotations",
    "read_selection",
    "read_views",
    "read_written",
    "write_annotations",
    "write_selection",
    "write_views",
    "write_written",
]


def write_annotations(
    path: Path, annotations: Annotations, pool: Pool, classes: Sequence[str], seconds: float
) -> None:
    """One row an example: id, text key, label or tags (null: abstained), and the rest."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = np.asarray([*classes, None], dtype=object)  # the last one stands for ABSTAINED
    said = names[annotations.labels]
    if pool.kind == "sequence":
        labels = pa.array(list(said), type=pa.string())
    else:
        rows = zip(annotations.offsets[:-1], annotations.offsets[1:], strict=True)
        tags = [list(said[a:b]) for a, b in rows]
        labels = pa.array(
            [row if ok else None for row, ok in zip(tags, annotations.answered, strict=True)],
            type=pa.list_(pa.string()),
        )
    columns = {
        "id": pa.array(pool.ids),
        "text_key": pa.array([text_key(text) for text in pool.texts]),
        "label" if pool.kind == "sequence" else "tags": labels,
        "confidence": pa.array(annotations.confidence),
        "reason": pa.array(_clean(annotations.reasons), type=pa.string()),
        "reply": pa.array(_clean(annotations.replies), type=pa.string()),
        "requests": pa.array(annotations.requests),
        "tokens": pa.array(annotations.tokens),
        "cost_usd": pa.array(annotations.cost_usd),
    }
    metadata = {"schema": str(SCHEMA), "seconds": repr(seconds)}
    table = pa.table(columns).replace_schema_metadata(metadata)
    pq.write_table(table, path, compression="zstd")


def _clean(texts: Sequence[str]) -> list[str]:
    """Models do reply with halves of surrogate pairs, which no UTF-8 file can hold."""
    return [text.encode("utf-8", "replace").decode() for text in texts]


def read_annotations(path: Path, pool: Pool, classes: Sequence[str]) -> tuple[Annotations, float]:
    """What ``write_annotations`` wrote for the same pool, and the seconds it took."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    check_schema({"schema": int(metadata["schema"])}, path)
    index = {name: position for position, name in enumerate(classes)}
    labels = np.full(int(pool.offsets[-1]), ABSTAINED, dtype=np.int32)
    if pool.kind == "sequence":
        said = table["label"].to_pylist()
        labels[:] = [ABSTAINED if name is None else index[name] for name in said]
    else:
        for row, tags in enumerate(table["tags"].to_pylist()):
            if tags is not None:
                labels[pool.offsets[row] : pool.offsets[row + 1]] = [index[tag] for tag in tags]
    annotations = Annotations(
        labels=labels,
        offsets=pool.offsets,
        confidence=table["confidence"].to_numpy(),
        reasons=tuple(table["reason"].to_pylist()),
        replies=tuple(table["reply"].to_pylist()),
        requests=table["requests"].to_numpy(),
        tokens=table["tokens"].to_numpy(),
        cost_usd=table["cost_usd"].to_numpy(),
    )
    return annotations, float(metadata["seconds"])


def write_views(path: Path, views: Mapping[str, StudentView], seconds: float) -> None:
    """The views of one student, by the name of the pool (``train``, ``test``)."""
    from safetensors.numpy import save_file

    tensors = {
        f"{name}.{column}": np.ascontiguousarray(getattr(view, column))
        for name, view in views.items()
        for column in _VIEW_COLUMNS
    }
    save_file(tensors, path, metadata={"schema": str(SCHEMA), "seconds": repr(seconds)})


def read_views(path: Path) -> tuple[dict[str, StudentView], float]:
    """What ``write_views`` wrote, and the seconds that fitting and viewing took."""
    from safetensors import safe_open

    tensors: dict[str, Any] = {}
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        check_schema({"schema": int(metadata["schema"])}, path)
        for key in file.keys():  # noqa: SIM118 - not a mapping
            tensors[key] = file.get_tensor(key)
    names = sorted({key.partition(".")[0] for key in tensors})
    views = {
        name: StudentView(**{column: tensors[f"{name}.{column}"] for column in _VIEW_COLUMNS})
        for name in names
    }
    return views, float(metadata["seconds"])


_VIEW_COLUMNS = ("log_probabilities", "predictions", "embeddings", "offsets")


def write_selection(path: Path, selection: Selection) -> None:
    """Row indices of the pool, by role."""
    values = {
        "schema": SCHEMA,
        "trusted": selection.trusted.tolist(),
        "demonstrations": selection.demonstrations.tolist(),
        "requested": selection.requested.tolist(),
    }
    path.write_text(json.dumps(values), encoding="utf-8")


def read_selection(path: Path) -> Selection:
    """What ``write_selection`` wrote."""
    values = json.loads(path.read_text(encoding="utf-8"))
    check_schema(values, path)
    return Selection(
        **{
            role: np.asarray(values[role], dtype=np.int64)
            for role in ("trusted", "demonstrations", "requested")
        }
    )


def write_written(path: Path, written: Written, classes: Sequence[str]) -> None:
    """Demonstrations that an annotator wrote, as examples with their labels."""
    demonstrations = written.demonstrations
    pool, offsets = demonstrations.examples, demonstrations.examples.offsets
    examples = [
        {
            "example": pool.examples[row],
            "labels": [classes[k] for k in demonstrations.labels[offsets[row] : offsets[row + 1]]],
        }
        for row in range(len(pool))
    ]
    values = {
        "schema": SCHEMA,
        "requests": written.requests,
        "tokens": written.tokens,
        "cost_usd": written.cost_usd,
        "examples": examples,
    }
    path.write_text(json.dumps(values, indent=1), encoding="utf-8")


def read_written(path: Path, kind: Kind, classes: Sequence[str]) -> Written:
    """What ``write_written`` wrote."""
    values = json.loads(path.read_text(encoding="utf-8"))
    check_schema(values, path)
    rows = values["examples"]
    examples = [row["example"] if kind == "sequence" else tuple(row["example"]) for row in rows]
    ids = tuple(f"generated:{number}" for number in range(1, len(rows) + 1))
    index = {name: position for position, name in enumerate(classes)}
    labels = np.asarray([index[name] for row in rows for name in row["labels"]], dtype=np.int32)
    pool = Pool(kind=kind, split="generated", ids=ids, examples=examples)
    return Written(
        demonstrations=Demonstrations(pool, labels, nearest=None, source="generated"),
        requests=values["requests"],
        tokens=values["tokens"],
        cost_usd=values["cost_usd"],
    )
