"""The encoding of a text file: its byte order mark, or a guess for an error message."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark is its beginning
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_CANDIDATES = {
    "cp1252": "WINDOWS-1252",
    "gb18030": "GB18030",
    "big5": "BIG5",
    "cp932": "SHIFT-JIS",
    "euc_jp": "EUC-JP",
    "cp949": "CP949",
    "cp1251": "WINDOWS-1251",
    "koi8_r": "KOI8-R",
    "cp1250": "WINDOWS-1250",
    "cp1253": "WINDOWS-1253",
    "cp1254": "WINDOWS-1254",
    "cp1255": "WINDOWS-1255",
    "cp1256": "WINDOWS-1256",
    "cp1257": "WINDOWS-1257",
    "cp874": "CP874",
}
"""Encodings that the advice considers, and their names in ``iconv``."""
SAMPLE = 20_000
"""Bytes of a file's lines from which its encoding is guessed."""
FEW = 4
"""With fewer bytes beyond ASCII statistics say little; the advice names the commonest encoding."""
SHOWN = 24
"""Characters that an error quotes from a line."""


def marked_encoding(first: bytes) -> str:
    """The encoding that the byte order mark among a file's first bytes names; else UTF-8."""
    return next((name for mark, name in _MARKS.items() if first.startswith(mark)), "utf-8")


def advice(file: Path, raw: bytes) -> str:
    """What to do about a line that is not UTF-8: repair it, or convert the file, and from what."""
    sample, size = [], 0
    for line in _beyond_ascii(file):
        if _is_utf8(line):
            return "other lines are, so the line is damaged; repair or remove it"
        sample.append(line)
        size += len(line)
        if size > SAMPLE:
            break
    found = _guesses(b"".join(sample))
    quotes = [f"{_CANDIDATES[name]} ({_quote(raw, name)})" for name in found]
    if not quotes:
        return "convert the file to UTF-8"
    return (
        f"convert the file; it may be {' or '.join(quotes)}: "
        f"iconv -f {_CANDIDATES[found[0]]} -t UTF-8"
    )


def _beyond_ascii(file: Path) -> Iterator[bytes]:
    with file.open("rb") as handle:
        yield from (line for line in handle if not line.isascii())


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _guesses(sample: bytes) -> list[str]:
    """At most three candidates, the likeliest first; among equally likely ones, the commonest."""
    from charset_normalizer import from_bytes

    order = list(_CANDIDATES)
    matches = []
    for match in from_bytes(sample, cp_isolation=order):
        commonest = min(map(order.index, {*match.could_be_from_charset} & {*order}))
        matches.append((match.chaos, -match.coherence, commonest))
    found = [order[place] for *_, place in sorted(matches)]
    few = sum(byte > 127 for byte in sample) < FEW
    return list(dict.fromkeys(["cp1252", *found] if few else found))[:3]


def _quote(raw: bytes, encoding: str) -> str:
    """The part of a line that depends on the encoding."""
    text = raw.decode(encoding, "replace").rstrip()
    first = next((n for n, character in enumerate(text) if not character.isascii()), 0)
    begin = max(0, first - SHOWN // 2)
    return repr(text[begin : begin + SHOWN])
