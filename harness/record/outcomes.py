"""What a stage got right, example by example, as Parquet: only statistics read it, no part does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.results import SCHEMA
from harness.stats.outcomes import Outcomes

COLUMNS = {1: ("right",), 3: ("right", "said", "true")}
"""Of accuracy, and of mentions by sentence (``stats.outcomes``)."""


@dataclass(frozen=True, slots=True, eq=False)
class SplitOutcomes:
    """What one run got right on the examples of a split that have gold.

    Attributes:
        ids: of these examples, in the order of ``outcomes``; an Arrow array where it was read:
            there may be hundreds of files.
        outcomes: of one seed.
    """

    ids: Any
    outcomes: Outcomes


def write_outcomes(path: Path, splits: Mapping[str, SplitOutcomes]) -> None:
    """One row an example: split, id, and the columns of its counts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    counts = np.concatenate([one.outcomes.counts[0] for one in splits.values()])
    table = pa.table(
        {
            "split": pa.array([name for name, one in splits.items() for _ in one.ids]),
            "id": pa.concat_arrays([pa.array(one.ids, pa.string()) for one in splits.values()]),
            **{
                name: pa.array(counts[:, column].astype(np.int32))
                for column, name in enumerate(COLUMNS[counts.shape[1]])
            },
        }
    )
    pq.write_table(table.replace_schema_metadata({"schema": str(SCHEMA)}), path, compression="zstd")


def read_outcomes(path: Path) -> dict[str, SplitOutcomes]:
    """The outcomes of each split."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    names, found = [name for name in COLUMNS[3] if name in table.column_names], {}
    for split in pc.unique(table["split"]).to_pylist():
        part = table.filter(pc.equal(table["split"], split))
        counts = np.stack([part[name].to_numpy() for name in names], axis=1).astype(np.int64)
        found[split] = SplitOutcomes(part["id"].combine_chunks(), Outcomes(counts[None]))
    return found
