"""Why a run failed, for those who list it later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import BudgetError, HarnessError, describe
from harness.files.printable import one_line
from harness.record import layout


@dataclass(frozen=True, slots=True)
class Failure:
    """What ended a run before its result.

    Attributes:
        state: ``stopped`` by its budget, else ``failed``.
        reason: the error, on one line.
    """

    state: str
    reason: str


@contextmanager
def noting_failure(folder: Path) -> Iterator[None]:
    """Leave the reason in a run's folder if a ``with`` block fails; forget that of an earlier one.

    A process that is killed or interrupted leaves none.
    """
    file = folder / layout.FAILURE
    file.unlink(missing_ok=True)
    try:
        yield
    except Exception as error:
        reason = str(error) if isinstance(error, HarnessError) else describe(error)
        state = "stopped" if isinstance(error, BudgetError) else "failed"
        with suppress(OSError):  # a folder that cannot be written hides no other error
            file.write_text(json.dumps(asdict(Failure(state, one_line(reason)))), "utf-8")
        raise


def read_failure(folder: Path) -> Failure | None:
    """Why the last process failed; None if it did not, was killed, or nothing readable is left."""
    try:
        values = json.loads((folder / layout.FAILURE).read_text(encoding="utf-8"))
        return Failure(str(values["state"]), str(values["reason"]))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
