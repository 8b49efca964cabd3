"""Recorded answers: JSONL files, and the annotations of earlier runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data import Pool
from harness.encoding import text_key
from harness.errors import CommandError, DataError
from harness.jsonl import read_jsonl, text_field, type_name

__all__ = ["Record", "Recording", "open_recording"]

ANSWER_KEYS = ("llm_label", "llm_tags", "label", "tags")
"""Where a JSONL row keeps the answer; the first key that it has counts."""


@dataclass(frozen=True, slots=True)
class Record:
    """One recorded row.

    Attributes:
        where: ``file:line``, for messages.
        line: its line in the file, or the line that its example's id names.
        key: ``encoding.text_key`` of the text.
        answer: a label, a list of tags, or None (it abstained).
        augmented: the recorded variant of the text, or None.
    """

    where: str
    line: int
    key: str
    answer: Any
    augmented: str | None
    confidence: float | None
    reply: str


class Recording:
    """Records by text; rows with the same text are told apart by their line."""

    def __init__(
        self, source: str, records: Sequence[Record], fingerprint: str, *, from_gold: bool = False
    ) -> None:
        self.source, self.fingerprint, self.from_gold = source, fingerprint, from_gold
        self._by_place = {(record.line, record.key): record for record in records}
        self._by_text: dict[str, Record] = {}
        for record in records:
            self._by_text.setdefault(record.key, record)

    def find(self, pool: Pool) -> list[Record | None]:
        """The record of each example: same line and text, else the first of that text."""
        found = []
        for id_, text in zip(pool.ids, pool.texts, strict=True):
            key = text_key(text)
            place = (_line(id_), key)
            found.append(self._by_place.get(place) or self._by_text.get(key))
        return found


def open_recording(argument: str | None, round_: int) -> Recording:
    """Open ``FILE.jsonl``, a run's folder, or a run by its id below ``results/runs``.

    Args:
        argument: what follows ``replay:``.
        round_: of a run, the round whose answers are meant.

    Raises:
        CommandError: if there is no such file or run.
        DataError: if the file is wrong, naming the line.
    """
    if not argument:
        raise CommandError("replay needs a recording: replay:FILE.jsonl or replay:RUN")
    path = Path(argument)
    if path.is_file():
        return _from_jsonl(path)
    runs = [path] if path.is_dir() else sorted(Path("results/runs").glob(f"*/{argument}"))
    if len(runs) != 1:
        raise CommandError(f"replay:{argument}: no such file, folder of a run or run id")
    return _from_run(runs[0], round_)


def _from_jsonl(file: Path) -> Recording:
    records = [_record(row, line, f"{file}:{line}") for line, row in read_jsonl(file)]
    with file.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return Recording(str(file), records, digest)


def _record(row: Mapping[str, Any], line: int, where: str) -> Record:
    key = next((key for key in ANSWER_KEYS if key in row), None)
    if key is None:
        raise DataError(f"{where}: no answer in the row; it needs one of {', '.join(ANSWER_KEYS)}")
    return Record(
        where=where,
        line=line,
        key=text_key(_text(row, where)),
        answer=row[key],
        augmented=_optional(row, "augmented", str, where),
        confidence=_optional(row, "confidence", (int, float), where),
        reply=_optional(row, "reply", str, where) or "",
    )


def _text(row: Mapping[str, Any], where: str) -> str:
    if "text" in row:
        return text_field(row["text"], "the text", where)
    if "tokens" not in row:
        raise DataError(
            f"{where}: a recorded row needs 'text' or 'tokens' (it has: {', '.join(row)})"
        )
    tokens = row["tokens"]
    if not isinstance(tokens, list):
        raise DataError(f"{where}: 'tokens' is {type_name(tokens)}, not a list")
    return " ".join(text_field(token, "a token", where) for token in tokens)


def _optional(row: Mapping[str, Any], name: str, kind: Any, where: str) -> Any:
    value = row.get(name)
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise DataError(f"{where}: {name!r} is {type_name(value)}, which does not fit")
    return value


def _from_run(folder: Path, round_: int) -> Recording:
    import pyarrow.parquet as pq

    files = sorted((folder / f"rounds/{round_:02d}").glob("annotations*.parquet"))
    if not files:
        raise CommandError(f"replay:{folder}: the run has no annotations of round {round_}")
    digest, records = hashlib.sha256(), []
    for file in files:
        digest.update(file.read_bytes())
        for row in pq.read_table(file).to_pylist():
            confidence = row["confidence"]
            records.append(
                Record(
                    where=f"{file}: {row['id']}",
                    line=_line(row["id"]),
                    key=row["text_key"],
                    answer=row["label"] if "label" in row else row["tags"],
                    augmented=None,
                    confidence=None if confidence != confidence else confidence,
                    reply=row["reply"],
                )
            )
    supervised = bool(_manifest(folder).get("supervised"))
    return Recording(str(folder), records, digest.hexdigest(), from_gold=supervised)


def _manifest(folder: Path) -> Mapping[str, Any]:
    file = folder / "manifest.json"
    try:
        values: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: not a readable manifest of a run: {error}") from None
    return values


def _line(id_: str) -> int:
    number = id_.rpartition(":")[2]
    return int(number) if number.isdigit() else -1
