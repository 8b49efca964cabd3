"""Sound files and run folders, damaged by a seeded generator: none may end in a traceback."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.data import Kind

CLASSES: Mapping[Kind, tuple[str, ...]] = {
    "sequence": ("down", "up"),
    "token": ("O", "B-PER", "I-PER", "B-LOC", "I-LOC"),
}
TEXTS = ["a, b; c", 'He said "no"', "größer — 5 €", "质量很差，不推荐", "two\nlines", "😀😀"]
TEXTS += ["x\ty", "0"]
TOKENS = [["Ada", "Byron", "sat"], ["Paris"], ["no", "，", "names"]]
TAGS = [["B-PER", "I-PER", "O"], ["B-LOC"], ["O", "O", "O"]]
BYTES = [b'"', b",", b"\t", b";", b"\n", b"\r", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"{", b"["]
BYTES += [b"-", b"1", b"\xe9", "\u2028".encode(), b"sep=;\n", b'"label": 1', b" ", b"\\ud800"]
BYTES += [b"1" * 400]


def sound_files() -> list[tuple[str, Kind, bytes]]:
    """A name, the kind of its task and the content of a sound file in each format and layout."""
    labels = [CLASSES["sequence"][n % 2] for n in range(len(TEXTS))]
    rows = [{"text": text, "label": name} for text, name in zip(TEXTS, labels, strict=True)]
    named = [[name, text] for name, text in zip(labels, TEXTS, strict=True)]
    counted = [[str(n % 2), text, "other"] for n, text in enumerate(TEXTS)]
    sentences = [{"tokens": a, "tags": b} for a, b in zip(TOKENS, TAGS, strict=True)]
    joined = [[" ".join(a), " ".join(b)] for a, b in zip(TOKENS, TAGS, strict=True)]
    columns = "".join(
        "".join(f"{a} {b}\n" for a, b in zip(*pair, strict=True)) + "\n"
        for pair in zip(TOKENS, TAGS, strict=True)
    )
    return [
        ("train.csv", "sequence", _table([["label", "text"], *named], ",")),
        ("train.csv", "sequence", _table(counted, ",")),
        ("train.csv", "sequence", _table([["label", "text"], *named], ";")),
        ("train.csv", "sequence", b"\xef\xbb\xbfsep=|\r\n" + _table(named, "|")),
        ("train.tsv", "sequence", _table([["label", "text"], *named], "\t")),
        ("train.csv", "token", _table([["tokens", "tags"], *joined], ",")),
        ("train.tsv", "token", _table([["tokens", "tags"], *joined], "\t")),
        ("train.jsonl", "sequence", "\n".join(map(json.dumps, rows)).encode()),
        ("train.jsonl", "sequence", "\n".join(map(json.dumps, rows)).encode("utf-16")),
        ("train.jsonl", "token", "\n".join(map(json.dumps, sentences)).encode()),
        ("train.json", "sequence", json.dumps(rows, ensure_ascii=False).encode()),
        ("train.conll", "token", columns.encode()),
        ("train.tsv", "token", columns.replace(" ", "\t").encode()),
        ("train.parquet", "sequence", _parquet(rows, "snappy")),
        ("train.parquet", "sequence", _parquet(rows * 50, "zstd")),
        ("train.parquet", "token", _parquet(sentences * 5, "none")),
    ]


def damaged(content: bytes, random_: random.Random) -> bytes:
    """The content with one to four wounds, mostly one."""
    for _ in range(random_.choice((1, 1, 1, 2, 4))):
        content = random_.choice(_WOUNDS)(content, random_)
    return content


def damaged_files(count: int, seed: int, folder: Path) -> Iterator[tuple[Path, Kind]]:
    """Write so many damaged files, one after the other."""
    files = sound_files()
    random_ = random.Random(seed)
    for number in range(count):
        name, kind, content = files[number % len(files)]
        (folder / name).write_bytes(damaged(content, random_))
        yield folder / name, kind


def damaged_folders(sound: Path, count: int, seed: int, out: Path) -> Iterator[Path]:
    """Copy a finished run so many times, each copy with one to three wounds."""
    random_ = random.Random(seed)
    for number in range(count):
        folder = out / sound.parent.name / f"damaged-{number:04d}"
        shutil.copytree(sound, folder)
        for _ in range(random_.randint(1, 3)):
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            random_.choice(_FOLDER_WOUNDS)(random_.choice(files), random_)
        yield folder


def _table(rows: list[list[str]], separator: str) -> bytes:
    import csv

    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator).writerows(rows)
    return text.getvalue().encode()


def _parquet(rows: list[dict[str, Any]], compression: str) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file, compression=compression)
    return file.getvalue()


def _place(content: bytes, random_: random.Random) -> int:
    return random_.randint(0, len(content))


def _flip(content: bytes, random_: random.Random) -> bytes:
    at = _place(content, random_)
    return content[:at] + bytes([random_.randrange(256)]) + content[at + 1 :]


def _insert(content: bytes, random_: random.Random) -> bytes:
    at = _place(content, random_)
    return content[:at] + random_.choice(BYTES) + content[at:]


def _cut(content: bytes, random_: random.Random) -> bytes:
    return content[: _place(content, random_)]


def _remove(content: bytes, random_: random.Random) -> bytes:
    at = _place(content, random_)
    return content[:at] + content[at + random_.randint(1, 30) :]


def _repeat(content: bytes, random_: random.Random) -> bytes:
    at = _place(content, random_)
    return content[:at] + content[at : at + random_.randint(1, 40)] * random_.randint(2, 300)


def _shuffle_lines(content: bytes, random_: random.Random) -> bytes:
    lines = content.split(b"\n")
    random_.shuffle(lines)
    return b"\n".join(lines)


_WOUNDS: list[Callable[[bytes, random.Random], bytes]] = [
    *(_flip, _insert, _cut, _remove, _repeat, _shuffle_lines),
    *(_flip, _insert, _insert),
]


def _rewrite(file: Path, random_: random.Random) -> None:
    file.write_bytes(damaged(file.read_bytes(), random_))


def _delete(file: Path, random_: random.Random) -> None:
    file.unlink()


def _empty(file: Path, random_: random.Random) -> None:
    file.write_bytes(b"")


def _make_folder(file: Path, random_: random.Random) -> None:
    file.unlink()
    file.mkdir()


def _link_nowhere(file: Path, random_: random.Random) -> None:
    file.unlink()
    file.symlink_to(file.name)


def _other_json(file: Path, random_: random.Random) -> None:
    """Valid JSON of another shape."""
    shapes = ["[]", "{}", "null", '{"schema": 1}', '{"schema": "1"}', '{"pid": -1}', "[" * 9000]
    file.write_text(random_.choice(shapes))


def _sealed(file: Path, random_: random.Random) -> None:
    """Other content with a right checksum, as another version might have written it."""
    _other_json(file, random_)
    folder = next(one for one in file.parents if one.name.startswith("damaged-"))
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        values = json.loads((folder / "checksums.json").read_text())
        name = file.relative_to(folder).as_posix()
        values["sha256"][name] = hashlib.sha256(file.read_bytes()).hexdigest()
        (folder / "checksums.json").write_text(json.dumps(values))


_FOLDER_WOUNDS: list[Callable[[Path, random.Random], None]] = [
    *(_rewrite, _delete, _empty, _make_folder, _link_nowhere, _other_json, _sealed, _sealed),
]
