"""Annotations and variants as Parquet, student views as safetensors, selections as JSON.

Every file says its schema version and carries its numbers without loss, so that a
resumed run computes from the same values as an undisturbed one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from harness.data import (
    ABSTAINED,
    Annotations,
    Demonstrations,
    IntArray,
    Kind,
    Pool,
    Selection,
    StudentView,
)
from harness.errors import CorruptRunError
from harness.identity import text_key
from harness.protocols import Variants, Written
from harness.results import SCHEMA, check_schema, read_json

T = TypeVar("T")

CHUNK = 65_536
"""Rows of a row group."""
EARLIER, PASS = "earlier ", "pass "
"""Begin the names of a student's views that are not of the trained one as it is."""


@dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """How to write a value to a file, with the seconds that it took, and read both back.

    The seconds are 0 where the file does not hold them.
    """

    write: Callable[[Path, T, float], None]
    read: Callable[[Path], tuple[T, float]]


def annotations_codec(pool: Pool, classes: Sequence[str]) -> Codec[Annotations]:
    """Of annotations of a pool: Parquet."""
    return Codec(
        lambda path, made, seconds: write_annotations(path, made, pool, classes, seconds),
        lambda path: read_annotations(path, pool, classes),
    )


def written_codec(kind: Kind, classes: Sequence[str]) -> Codec[Written]:
    """Of demonstrations that an annotator wrote: JSON."""
    return Codec(
        lambda path, written, seconds: _write_written(path, written, classes),
        lambda path: (_read_written(path, kind, classes), 0.0),
    )


def variants_codec(pool: Pool) -> Codec[Variants]:
    """Of variants of a pool: Parquet."""
    return Codec(_write_variants, lambda path: _read_variants(path, pool))


def write_annotations(
    path: Path, annotations: Annotations, pool: Pool, classes: Sequence[str], seconds: float
) -> None:
    """One row an example: id, text key, label or tags (null: abstained), and the rest."""
    import pyarrow as pa

    text, tags = pa.string(), pa.list_(pa.string())
    label = ("label", text) if pool.kind == "sequence" else ("tags", tags)
    names = np.asarray([*classes, None], dtype=object)  # the last one stands for ABSTAINED
    columns = [
        *(("id", text), ("text_key", text), label),
        *(("confidence", pa.float32()), ("reason", text), ("reply", text)),
        *(("requests", pa.int64()), ("tokens", pa.int64()), ("cost_usd", pa.float64())),
        *(("candidates", tags), ("answers_usd", pa.float64())),
    ]

    def rows(taken: IntArray) -> list[Any]:
        return _columns(annotations.take(taken), pool.take(taken), names)

    _write_parquet(path, columns, {"seconds": repr(seconds)}, len(pool), rows)


def _write_parquet(
    path: Path,
    columns: Sequence[tuple[str, Any]],
    metadata: Mapping[str, str],
    count: int,
    rows: Callable[[IntArray], list[Any]],
) -> None:
    """Write names and types of columns, and ``count`` rows of them, a chunk at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(columns, {"schema": str(SCHEMA), **metadata})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, max(count, 1), CHUNK):
            taken = rows(np.arange(start, min(start + CHUNK, count)))
            pairs = zip(taken, schema, strict=True)
            arrays = [pa.array(column, type=field.type) for column, field in pairs]
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def _read_parquet(path: Path, columns: Sequence[str]) -> tuple[Any, dict[str, str]]:
    """The table of some columns, and the metadata, of this schema version.

    Without those that files of earlier programs do not have.
    """
    import pyarrow.parquet as pq

    known = set(pq.read_schema(path).names)
    table = pq.read_table(path, columns=[one for one in columns if one in known])
    metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    check_schema({"schema": int(metadata["schema"])}, path)
    return table, metadata


def _columns(annotations: Annotations, pool: Pool, names: Any) -> list[Any]:
    """The columns of some rows, in the order of the file."""
    labels = list(names[annotations.labels])
    if pool.kind == "token":
        spans = zip(pairwise(annotations.offsets), annotations.answered, strict=True)
        labels = [labels[a:b] if answered else None for (a, b), answered in spans]
    return [
        *(list(pool.ids), [text_key(text) for text in pool.texts], labels),
        *(annotations.confidence, _clean(annotations.reasons), _clean(annotations.replies)),
        *(annotations.requests, annotations.tokens, annotations.cost_usd),
        [[str(names[one]) for one in row] for row in annotations.candidates],
        annotations.answers_usd,
    ]


def _clean(texts: Sequence[str]) -> list[str]:
    """Without lone surrogates, which models do reply and no UTF-8 file can hold."""
    return [text.encode("utf-8", "replace").decode() for text in texts]


def read_annotations(path: Path, pool: Pool, classes: Sequence[str]) -> tuple[Annotations, float]:
    """What ``write_annotations`` wrote for the same pool, and the seconds it took."""
    label = "label" if pool.kind == "sequence" else "tags"
    table, metadata = _read_parquet(path, (label, *_READ))
    labels = np.full(int(pool.offsets[-1]), ABSTAINED, dtype=np.int32)
    if pool.kind == "sequence":
        labels[:] = _indices(table[label], classes, path)
    else:
        tags = table[label]
        answered = np.repeat(tags.is_valid().to_numpy(), np.diff(pool.offsets))
        labels[answered] = _indices(tags.combine_chunks().flatten(), classes, path)
    annotations = Annotations(
        labels=labels,
        offsets=pool.offsets,
        confidence=table["confidence"].to_numpy(),
        reasons=tuple(table["reason"].to_pylist()),
        replies=tuple(table["reply"].to_pylist()),
        requests=table["requests"].to_numpy(),
        tokens=table["tokens"].to_numpy(),
        cost_usd=table["cost_usd"].to_numpy(),
        candidates=_candidates(table, classes, path),
        answers_usd=table[
            "answers_usd" if "answers_usd" in table.column_names else "cost_usd"
        ].to_numpy(),
    )
    return annotations, float(metadata["seconds"])


def read_ids(path: Path) -> list[str]:
    """The ids of the examples that ``write_annotations`` wrote, in their order."""
    import pyarrow.parquet as pq

    ids: list[str] = pq.read_table(path, columns=["id"])["id"].to_pylist()
    return ids


_READ = (
    *("confidence", "reason", "reply", "requests", "tokens", "cost_usd", "answers_usd"),
    "candidates",
)


def _candidates(table: Any, classes: Sequence[str], path: Path) -> tuple[tuple[int, ...], ...]:
    """The class indices of the candidates; nowhere any in files of earlier programs."""
    if "candidates" not in table.column_names:
        return ()
    rows = table["candidates"].combine_chunks()
    indices = _indices(rows.flatten(), classes, path).tolist()
    ends = np.cumsum(rows.value_lengths().to_numpy(zero_copy_only=False)).tolist()
    return tuple(tuple(indices[a:b]) for a, b in pairwise([0, *ends]))


def _indices(names: Any, classes: Sequence[str], path: Path) -> IntArray:
    """int32, the class of each name, ``ABSTAINED`` where it is null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.index_in(names, value_set=pa.array(list(classes)))
    if found.null_count != names.null_count:
        raise CorruptRunError(f"{path}: names a label that the task does not have; use --fresh")
    return np.asarray(found.fill_null(ABSTAINED), dtype=np.int32)


def write_views(path: Path, views: Mapping[str, StudentView], seconds: float) -> None:
    """The views of one student, by the name of the pool (``train``, ``test``)."""
    from safetensors.numpy import save_file

    tensors = {
        f"{name}.{column}": np.ascontiguousarray(values)
        for name, view in views.items()
        for column in (*_VIEW_COLUMNS, _CLEAN)
        if (values := getattr(view, column)) is not None
    }
    save_file(tensors, path, metadata={"schema": str(SCHEMA), "seconds": repr(seconds)})


def read_views(path: Path) -> tuple[dict[str, StudentView], float]:
    """What ``write_views`` wrote, and the seconds that fitting and viewing took.

    The arrays are memory-mapped and read-only: memory holds only the pages that somebody
    reads, and the system may free them.
    """
    tensors, metadata = _mapped(path)
    check_schema({"schema": int(metadata["schema"])}, path)
    names = sorted({key.partition(".")[0] for key in tensors})
    views = {
        name: StudentView(
            **{column: tensors[f"{name}.{column}"] for column in _VIEW_COLUMNS},
            clean=tensors.get(f"{name}.{_CLEAN}"),
        )
        for name in names
    }
    return views, float(metadata["seconds"])


_VIEW_COLUMNS = ("log_probabilities", "predictions", "embeddings", "offsets")
_CLEAN = "clean"
"""A column that most views lack."""
_DTYPES = {"BOOL": "?", "F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8"}
"""What a view's columns may be, by the names that safetensors gives them."""


def _mapped(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The arrays and the metadata of a safetensors file.

    Its format: the header's length (8 bytes, little endian), the header as JSON, the arrays.
    ``safetensors`` itself gives numpy only copies.
    """
    with path.open("rb") as file:
        begin = 8 + int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(begin - 8))
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        shape, dtype = tuple(entry["shape"]), np.dtype(_DTYPES[entry["dtype"]])
        if 0 in shape:  # nothing cannot be mapped
            tensors[name] = np.empty(shape, dtype)
        else:
            first = begin + entry["data_offsets"][0]
            tensors[name] = np.memmap(path, dtype, mode="r", offset=first, shape=shape)
    return tensors, metadata


def _write_selection(path: Path, selection: Selection, seconds: float) -> None:
    """Row indices of the pool, by role."""
    rows = {role: getattr(selection, role).tolist() for role in _SELECTED}
    path.write_text(json.dumps({"schema": SCHEMA, **rows}), encoding="utf-8")


def _read_selection(path: Path) -> tuple[Selection, float]:
    values = read_json(path)
    rows = {role: np.asarray(values[role], dtype=np.int64) for role in _SELECTED}
    return Selection(**rows), 0.0


def _write_written(path: Path, written: Written, classes: Sequence[str]) -> None:
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
    costs = {name: getattr(written, name) for name in _COSTS}
    values = {"schema": SCHEMA, **costs, "examples": examples}
    path.write_text(json.dumps(values, indent=1), encoding="utf-8")


def _read_written(path: Path, kind: Kind, classes: Sequence[str]) -> Written:
    values = read_json(path)
    rows = values["examples"]
    examples = [row["example"] if kind == "sequence" else tuple(row["example"]) for row in rows]
    ids = tuple(f"generated:{number}" for number in range(1, len(rows) + 1))
    index = {name: position for position, name in enumerate(classes)}
    labels = np.asarray([index[name] for row in rows for name in row["labels"]], dtype=np.int32)
    pool = Pool(kind=kind, split="generated", ids=ids, examples=examples)
    demonstrations = Demonstrations(pool, labels, nearest=None, source="generated")
    return Written(demonstrations, **_costs(values))


def _write_variants(path: Path, made: Variants, seconds: float) -> None:
    """One row an example: id and variant (token tasks: its tokens), and the cost of all."""
    import pyarrow as pa

    pool = made.pool
    sequence = pool.kind == "sequence"
    costs = {name: json.dumps(getattr(made, name)) for name in _COSTS}
    columns = [("id", pa.string()), ("variant", pa.string() if sequence else pa.list_(pa.string()))]

    def rows(taken: IntArray) -> list[Any]:
        part = pool.take(taken)
        return [
            list(part.ids),
            _clean(part.texts) if sequence else [_clean(row) for row in part.tokens],
        ]

    _write_parquet(path, columns, {"seconds": repr(seconds), **costs}, len(pool), rows)


def _read_variants(path: Path, pool: Pool) -> tuple[Variants, float]:
    table, metadata = _read_parquet(path, ("id", "variant"))
    if table["id"].to_pylist() != list(pool.ids):
        raise CorruptRunError(f"{path}: holds variants of other examples; use --fresh")
    rows: list[Any] = table["variant"].to_pylist()
    examples = tuple(rows if pool.kind == "sequence" else map(tuple, rows))
    variants = Pool(kind=pool.kind, split=pool.split, ids=pool.ids, examples=examples)
    costs = {name: json.loads(value) for name, value in _costs(metadata).items()}
    return Variants(variants, **costs), float(metadata["seconds"])


def _costs(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are there: files of earlier programs have fewer."""
    return {name: values[name] for name in _COSTS if name in values}


_COSTS = ("requests", "tokens", "cost_usd", "answers_usd")
_SELECTED = ("trusted", "demonstrations", "requested")

VIEWS: Codec[Mapping[str, StudentView]] = Codec(write_views, read_views)
"""Of a student's view of each split: safetensors, mapped when it is read."""
SELECTION: Codec[Selection] = Codec(_write_selection, _read_selection)
"""Of row indices of the pool, by role: JSON."""
