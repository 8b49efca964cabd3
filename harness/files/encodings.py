"""How a text file is encoded: what its first bytes say, and a guess for an error's advice."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",  # begins as the mark of UTF-16 does
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
"""What ``iconv`` calls the encodings among which the advice chooses."""
SAMPLE = 20_000
"""Bytes of a file's lines from which its encoding is guessed."""
FEW = 4
"""Bytes beyond ASCII under which statistics say little, so that the commonest one is named."""
SHOWN = 24
"""Characters that an error quotes from a line."""


def marked_encoding(first: bytes) -> str:
    """The encoding that the byte order mark among a file's first bytes names; else UTF-8."""
    return next((name for mark, name in _MARKS.items() if first.startswith(mark)), "utf-8")


def advice(file: Path, raw: bytes) -> str:
    """What to do about a line that is not UTF-8: mend it, or convert the file, and from what."""
    sample = []
    size = 0
    for line in _beyond_ascii(file):
        if _is_utf8(line):
            return "other lines are; the line is damaged, so mend or remove it"
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
    """At most three candidates, the likelier first; of those equally likely, the commoner one."""
    from charset_normalizer import from_bytes

    order = list(_CANDIDATES)
    matches = [
        (
            match.chaos,
            -match.coherence,
            min(map(order.index, {*match.could_be_from_charset} & {*order})),
        )
        for match in from_bytes(sample, cp_isolation=order)
    ]
    found = [order[place] for *_, place in sorted(matches)]
    few = sum(byte > 127 for byte in sample) < FEW
    return list(dict.fromkeys(["cp1252", *found] if few else found))[:3]


def _quote(raw: bytes, encoding: str) -> str:
    """The part of a line that the encodings read differently."""
    text = raw.decode(encoding, "replace").rstrip()
    first = next((n for n, character in enumerate(text) if not character.isascii()), 0)
    begin = max(0, first - SHOWN // 2)
    return repr(text[begin : begin + SHOWN])
