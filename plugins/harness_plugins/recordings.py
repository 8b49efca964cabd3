"""Recorded answers: JSONL and csv files, and the annotations of earlier runs."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.data import Pool
from harness.errors import CommandError, DataError
from harness.files.delimited import SEPARATORS, read_records
from harness.files.jsonl import field, read_jsonl, text_field, type_name
from harness.files.label_values import LabelValues
from harness.files.raw_table import Headers
from harness.identity import occurrence, text_key
from harness.record import layout
from harness.record.folder import RunFolder

ANSWER_KEYS = ("llm_label", "llm_tags", "label", "tags")
"""Keys of the answer in JSONL rows; the first of these in a file counts for the whole file, so
that a row without an answer does not fall back to its gold label."""
CSV_COLUMNS = (("label", "text"), ("label", "text", "augmented"))
"""The columns of a csv file without a header, as the reference implementation writes it."""
HEADERS = Headers(frozenset({*CSV_COLUMNS[-1], "llm_label"}))
REFERENCE_ANSWERS = "train_chat_bt"
"""Its file of LLM labels: in this one ``label`` is no gold label."""
GOLD_KEYS = ("label", "tags")
"""The keys of data files: answers there count as gold labels, which mark a run supervised, unless
the rows have the field ``SUPERVISED``."""
SUPERVISED = "supervised"
"""The field of exported rows for whether gold labels influenced them."""


@dataclass(frozen=True, slots=True)
class Record:
    """One recorded row.

    Attributes:
        where: ``file:line``, for messages.
        key: ``identity.text_key`` of the text.
        answer: a label, a list of tags, or None (it abstained).
        augmented: the recorded variant of the text, or None.
        id: of the example, where it is recorded.
        place: number of this occurrence of its text, from 1 on.
        candidates: names of the labels that were plausible, the likeliest first.
        round: in which it was answered, from 0 on.
        answers_usd: what the answer cost whoever paid for it, with its share of what writing the
            demonstrations of the first round cost.
    """

    where: str
    key: str
    answer: Any
    augmented: str | None
    confidence: float | None
    reply: str
    id: str | None = None
    place: int = 1
    candidates: Sequence[str] = ()
    round: int = 0
    answers_usd: float = 0.0


class Recording:
    """Records by text; rows with the same text differ by their id, or their order."""

    def __init__(
        self, source: str, records: Sequence[Record], fingerprint: str, *, from_gold: bool = False
    ) -> None:
        self.source, self.fingerprint, self.from_gold = source, fingerprint, from_gold
        rounds = sorted({record.round for record in records})
        self._rounds = {one: _Round([r for r in records if r.round == one]) for one in rounds}

    def find(self, pool: Pool, round_: int = 0) -> list[Record | None]:
        """The record of each example: that of the round, else of the one before it, and so on.

        Where no round up to this one has any: that of the next one that has.
        """
        order = sorted(self._rounds, key=lambda one: (one > round_, abs(one - round_)))
        found: list[Record | None] = []
        for id_, text in zip(pool.ids, pool.texts, strict=True):
            key = text_key(text)
            records = (self._rounds[one].find(id_, key) for one in order)
            found.append(next((record for record in records if record is not None), None))
        return found


class _Round:
    """The records of one round."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._by_id = {record.id: record for record in records if record.id is not None}
        self._by_place = {(record.place, record.key): record for record in records}
        self._by_text: dict[str, Record] = {}
        for record in records:
            self._by_text.setdefault(record.key, record)

    def find(self, id_: str, key: str) -> Record | None:
        """With the same id, the same text and occurrence, or the first of that text."""
        own = self._by_id.get(id_)
        if own is None or own.key != key:
            own = self._by_place.get((occurrence(id_), key)) or self._by_text.get(key)
        return own


def open_variants(file: Path) -> Recording:
    """Open ``FILE.jsonl`` or ``FILE.csv`` for its variants; answers are not needed.

    Raises:
        DataError: if the file is wrong, naming the line.
    """
    table = file.suffix.lower() in SEPARATORS
    return _from_csv(file, None) if table else _from_jsonl(file, answers=False)


def open_recording(argument: str | None, round_: int | None, classes: Sequence[str]) -> Recording:
    """Open ``FILE.jsonl``, ``FILE.csv``, a run's folder, or a run by its id.

    Args:
        argument: what follows ``replay:``.
        round_: whose labels a run repeats in all rounds; None: each round its own answers.
        classes: of the task, by whose order csv files may number their answers.

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
        table = path.suffix.lower() in SEPARATORS
        return _from_csv(path, classes) if table else _from_jsonl(path)
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
    records = [_record(row, key, where) for where, row in rows]
    flags = [_optional(row, SUPERVISED, bool, where) for where, row in rows]
    from_gold = any(key in GOLD_KEYS if flag is None else flag for flag in flags)
    return _recording(file, records, from_gold)


def _from_csv(file: Path, classes: Sequence[str] | None) -> Recording:
    """Rows ``label,text[,augmented]``, or with a header; -1 or nothing is no answer.

    Without classes the answers are not read.
    """
    known = classes or ()
    values = LabelValues({name: name for name in known}, dict(enumerate(known)), text=True)
    records = []
    from_gold = False
    for line, row in read_records(file, HEADERS, CSV_COLUMNS):
        where = f"{file}:{line}"
        key = "llm_label" if "llm_label" in row else "label"
        text = text_key(field(row, "text", where))
        answer = None
        if classes is not None:
            answer = _csv_answer(field(row, key, where), values, classes, where)
        augmented = row.get("augmented") or None
        gold = key in GOLD_KEYS and file.stem != REFERENCE_ANSWERS
        from_gold |= row[SUPERVISED] != "false" if SUPERVISED in row else gold
        records.append(Record(where, text, answer, augmented, None, "", row.get("id")))
    return _recording(file, records, from_gold)


def _recording(file: Path, records: Sequence[Record], from_gold: bool) -> Recording:
    """The records of a file; those with the same text are counted in the file's order."""
    counts: Counter[tuple[int, str]] = Counter()
    placed = []
    for record in records:
        at = record.round, record.key
        counts[at] += 1
        placed.append(replace(record, place=counts[at]))
    with file.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return Recording(str(file), placed, digest, from_gold=from_gold)


def _csv_answer(cell: str, values: LabelValues, classes: Sequence[str], where: str) -> str | None:
    if cell.strip() in ("", "-1") and cell.strip() not in classes:
        return None
    name = values.name(cell, where)
    if name not in classes:
        raise values.refuse(name, where)
    return name


def _record(row: Mapping[str, Any], key: str | None, where: str) -> Record:
    return Record(
        where=where,
        key=text_key(_text(row, where)),
        answer=None if key is None else field(row, key, where),
        augmented=_optional(row, "augmented", str, where),
        confidence=_optional(row, "confidence", (int, float), where),
        reply=_optional(row, "reply", str, where) or "",
        id=row["id"] if isinstance(row.get("id"), str) else None,
        candidates=_optional(row, "candidates", list, where) or (),
        round=_optional(row, "round", int, where) or 0,
        answers_usd=_price(row, where),
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


def _price(row: Mapping[str, Any], where: str) -> float:
    price = _optional(row, "answers_usd", (int, float), where) or 0.0
    if not 0 <= price <= sys.float_info.max:
        raise DataError(f"{where}: 'answers_usd' is {price}, which is no price; write 0 or more")
    return float(price)


def _from_run(folder: Path, round_: int | None) -> Recording:
    run = RunFolder(folder)
    files = [one for one in layout.recorded_annotations(folder) if round_ in (None, one[0])]
    if not files:
        which = "" if round_ is None else f" of round {round_}"
        raise CommandError(f"replay:{folder}: the run has no annotations{which}")
    digest, records = hashlib.sha256(), []
    for at, file in files:
        digest.update(file.read_bytes())
        records += _rows_of_run(run, at, file, alone=round_ is not None)
    supervised = run.read_json(layout.MANIFEST).get("supervised")
    if not isinstance(supervised, bool):
        raise DataError(f"{folder / layout.MANIFEST}: does not say whether the run was supervised")
    return Recording(str(folder), records, digest.hexdigest(), from_gold=supervised)


def _rows_of_run(run: RunFolder, round_: int, file: Path, *, alone: bool) -> list[Record]:
    """Of the pool those that the annotator was asked about in the round, or (``alone``) all."""
    import pyarrow.parquet as pq

    from harness.record.finished import requested, written_usd

    name = file.relative_to(run.path).as_posix()
    rows = run.read(name, lambda path: pq.read_table(path).to_pylist())
    share = 0.0
    if name == layout.annotations_of(round_, "train"):
        asked = None if alone else requested(run, round_)
        rows = rows if asked is None else [rows[row] for row in asked]
        share = written_usd(run) / len(rows) if rows and not round_ else 0.0
    return [
        Record(
            where=f"{file}: {row['id']}",
            place=occurrence(row["id"]),
            key=row["text_key"],
            answer=row["label"] if "label" in row else row["tags"],
            augmented=None,
            confidence=None if row["confidence"] != row["confidence"] else row["confidence"],
            reply=row["reply"],
            id=row["id"],
            candidates=row.get("candidates") or (),
            round=0 if alone else round_,
            answers_usd=(row.get("answers_usd") or 0.0) + share,
        )
        for row in rows
    ]
