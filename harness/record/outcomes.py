"""What a stage got right, example by example, as Parquet: only statistics read it, no part does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.results import SCHEMA
from harness.stats.outcomes import Outcomes

COLUMNS = {1: ("right",), 3: ("right", "said", "true")}
"""Of accuracy, and of mentions by sentence (``stats.outcomes``)."""


@dataclass(frozen=True, slots=True, eq=False)
class SplitOutcomes:
    """What one run got right on the examples of a split that have gold.

    Attributes:
        ids: of these examples, in the order of ``outcomes``.
        outcomes: of one seed.
    """

    ids: tuple[str, ...]
    outcomes: Outcomes

    def of(self, ids: tuple[str, ...]) -> SplitOutcomes:
        """The same for some of the examples, in another order."""
        place = {one: row for row, one in enumerate(self.ids)}
        rows = [place[one] for one in ids]
        return SplitOutcomes(ids, Outcomes(self.outcomes.counts[:, rows]))


def write_outcomes(path: Path, splits: Mapping[str, SplitOutcomes]) -> None:
    """One row an example: split, id, and the columns of its counts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    counts = np.concatenate([one.outcomes.counts[0] for one in splits.values()])
    table = pa.table(
        {
            "split": pa.array([name for name, one in splits.items() for _ in one.ids]),
            "id": pa.array([id_ for one in splits.values() for id_ in one.ids]),
            **{
                name: pa.array(counts[:, column].astype(np.int32))
                for column, name in enumerate(COLUMNS[counts.shape[1]])
            },
        }
    )
    pq.write_table(table.replace_schema_metadata({"schema": str(SCHEMA)}), path, compression="zstd")


def read_outcomes(path: Path) -> dict[str, SplitOutcomes]:
    """The outcomes of each split."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    splits = np.asarray(table["split"].to_pylist(), dtype=object)
    ids = np.asarray(table["id"].to_pylist(), dtype=object)
    names = [name for name in COLUMNS[3] if name in table.column_names]
    counts = np.stack([table[name].to_numpy() for name in names], axis=1)
    return {
        str(split): SplitOutcomes(
            tuple(ids[splits == split]), Outcomes(counts[None, splits == split].astype(np.int64))
        )
        for split in dict.fromkeys(splits)
    }
