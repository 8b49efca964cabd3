"""Recorded answers: JSONL and csv files, and the annotations of earlier runs."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data import Pool
from harness.errors import CommandError, DataError
from harness.files.delimited import SEPARATORS, read_records
from harness.files.jsonl import field, read_jsonl, text_field, type_name
from harness.identity import occurrence, text_key
from harness.record import layout

ANSWER_KEYS = ("llm_label", "llm_tags", "label", "tags")
"""Where JSONL rows keep the answer; the first of these that a file has counts for the whole
file, so that a row without an answer does not fall back to its gold label."""
CSV_COLUMNS = ("label", "text", "augmented")
"""The columns of a csv file without a header, as the reference implementation writes it."""
REFERENCE_ANSWERS = "train_chat_bt"
"""Its file of LLM labels, named so: in this one ``label`` is no gold label."""
GOLD_KEYS = ("label", "tags")
"""The keys of data files: answers read from them are taken to be gold labels, and a run that
repeats them is marked supervised, unless the rows themselves say what they are."""
SUPERVISED = "supervised"
"""Whether gold labels had a part in a row, as exported files say it."""


@dataclass(frozen=True, slots=True)
class LabelNumber:
    """A label by its place among the declared ones, counted from 0, as csv files have it."""

    value: int

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True, slots=True)
class Record:
    """One recorded row.

    Attributes:
        where: ``file:line``, for messages.
        place: which occurrence of its text it is, 1 for the first.
        key: ``encoding.text_key`` of the text.
        id: of the example, where it is recorded.
        answer: a label, its number, a list of tags, or None (it abstained).
        augmented: the recorded variant of the text, or None.
    """

    where: str
    place: int
    key: str
    answer: Any
    augmented: str | None
    confidence: float | None
    reply: str
    id: str | None = None


class Recording:
    """Records by text; rows with the same text are told apart by their id, or their order."""

    def __init__(
        self, source: str, records: Sequence[Record], fingerprint: str, *, from_gold: bool = False
    ) -> None:
        self.source, self.fingerprint, self.from_gold = source, fingerprint, from_gold
        self._by_id = {record.id: record for record in records if record.id is not None}
        self._by_place = {(record.place, record.key): record for record in records}
        self._by_text: dict[str, Record] = {}
        for record in records:
            self._by_text.setdefault(record.key, record)

    def find(self, pool: Pool) -> list[Record | None]:
        """The record of each example: same id, same text and occurrence, or the first of it."""
        found = []
        for id_, text in zip(pool.ids, pool.texts, strict=True):
            key = text_key(text)
            place = (occurrence(id_), key)
            own = self._by_id.get(id_)
            if own is None or own.key != key:
                own = self._by_place.get(place) or self._by_text.get(key)
            found.append(own)
        return found


def open_variants(file: Path) -> Recording:
    """Open ``FILE.jsonl`` or ``FILE.csv`` for its variants; it need hold no answers.

    Raises:
        DataError: if the file is wrong, naming the line.
    """
    table = file.suffix.lower() in SEPARATORS
    return (_from_csv if table else _from_jsonl)(file, answers=False)


def open_recording(argument: str | None, round_: int) -> Recording:
    """Open ``FILE.jsonl``, ``FILE.csv``, a run's folder, or a run by its id.

    Args:
        argument: what follows ``replay:``.
        round_: of a run, the round whose answers are meant.

    Raises:
        CommandError: if there is no such file or run.
        DataError: if the file is wrong, naming the line.
    """
    if not argument:
        raise CommandError(
            "replay needs a recording: replay:FILE.jsonl, replay:FILE.csv or replay:RUN"
        )
    path = Path(argument)
    if path.is_file():
        return _from_csv(path) if path.suffix.lower() in SEPARATORS else _from_jsonl(path)
    runs = [path] if path.is_dir() else layout.run_folders(layout.RUNS, argument)
    if len(runs) != 1:
        raise CommandError(f"replay:{argument}: no such file, folder of a run or run id")
    return _from_run(runs[0], round_)


def _from_jsonl(file: Path, *, answers: bool = True) -> Recording:
    rows = [(f"{file}:{line}", row) for line, row in read_jsonl(file)]
    key = next((key for key in ANSWER_KEYS if any(key in row for _, row in rows)), None)
    if not answers:
        key = None
    elif key is None:
        raise DataError(f"{file}: no answers; a row needs one of {', '.join(ANSWER_KEYS)}")
    seen: Counter[str] = Counter()
    records = []
    for where, row in rows:
        text = text_key(_text(row, where))
        seen[text] += 1
        records.append(_record(row, key, text, seen[text], where))
    with file.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    gold = key in GOLD_KEYS
    supervised = [_optional(row, SUPERVISED, bool, where) for where, row in rows]
    return Recording(
        str(file),
        records,
        digest,
        from_gold=any(gold if one is None else one for one in supervised),
    )


def _from_csv(file: Path, *, answers: bool = True) -> Recording:
    """Rows ``label,text[,augmented]``, or with a header; -1 or nothing is no answer."""
    names = {*CSV_COLUMNS, "llm_label"}
    seen: Counter[str] = Counter()
    records = []
    from_gold = False
    for line, row in read_records(file, names, CSV_COLUMNS):
        where = f"{file}:{line}"
        key = "llm_label" if "llm_label" in row else "label"
        text = text_key(field(row, "text", where))
        seen[text] += 1
        answer = _csv_answer(field(row, key, where)) if answers else None
        augmented = row.get("augmented") or None
        gold = key in GOLD_KEYS and file.stem != REFERENCE_ANSWERS
        from_gold |= row[SUPERVISED] != "false" if SUPERVISED in row else gold
        records.append(Record(where, seen[text], text, answer, augmented, None, "", row.get("id")))
    with file.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return Recording(str(file), records, digest, from_gold=from_gold)


def _csv_answer(cell: str) -> str | LabelNumber | None:
    label = cell.strip()
    if label in ("", "-1"):
        return None
    return LabelNumber(int(label)) if label.isdecimal() else label


def _record(row: Mapping[str, Any], key: str | None, text: str, place: int, where: str) -> Record:
    return Record(
        where=where,
        place=place,
        key=text,
        answer=None if key is None else field(row, key, where),
        augmented=_optional(row, "augmented", str, where),
        confidence=_optional(row, "confidence", (int, float), where),
        reply=_optional(row, "reply", str, where) or "",
        id=row["id"] if isinstance(row.get("id"), str) else None,
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
    fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if value is not None and not fits:
        raise DataError(f"{where}: {name!r} is {type_name(value)}, which does not fit")
    return value


def _from_run(folder: Path, round_: int) -> Recording:
    import pyarrow.parquet as pq

    files = layout.recorded_annotations(folder, round_)
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
                    place=occurrence(row["id"]),
                    key=row["text_key"],
                    answer=row["label"] if "label" in row else row["tags"],
                    augmented=None,
                    confidence=None if confidence != confidence else confidence,
                    reply=row["reply"],
                    id=row["id"],
                )
            )
    return Recording(str(folder), records, digest.hexdigest(), from_gold=_supervised(folder))


def _supervised(folder: Path) -> bool:
    """Whether gold labels had a part in a run, as its manifest says."""
    file = folder / layout.MANIFEST
    try:
        supervised = json.loads(file.read_text(encoding="utf-8")).get("supervised")
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"{file}: not a readable manifest of a run: {error}") from None
    if not isinstance(supervised, bool):
        raise DataError(f"{file}: does not say whether the run was supervised")
    return supervised
