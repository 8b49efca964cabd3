"""Text files line by line: errors name file and line."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path

from harness.errors import DataError
from harness.files.encodings import advice, marked_encoding


def read_lines(file: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers and their ends, without a byte order mark.

    UTF-8; or UTF-16 or UTF-32, if a byte order mark says so. A line ends at LF alone, as
    editors count: other separators may stand in a text.

    Raises:
        DataError: naming file and line, for bytes that are not of the encoding (with the
            command that converts the file), and for NUL characters.
    """
    try:
        with file.open("rb") as handle:
            encoding = marked_encoding(handle.read(4))
        lines = _utf8(file) if encoding == "utf-8" else _wide(file, encoding)
        for line, text in enumerate(lines, start=1):
            if "\0" in text:
                raise DataError(
                    f"{file}:{line}: a NUL byte (column {text.index(chr(0)) + 1}); the file is "
                    "damaged, not text, or UTF-16 without a byte order mark (iconv -f UTF-16LE "
                    "-t UTF-8 converts that)"
                )
            yield line, text
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None


def _utf8(file: Path) -> Iterator[str]:
    with file.open("rb") as handle:
        for line, raw in enumerate(handle, start=1):
            try:
                yield raw.removeprefix(BOM_UTF8 if line == 1 else b"").decode("utf-8")
            except UnicodeDecodeError as error:
                fault = f"{file}:{line}: not UTF-8 (byte {error.start + 1})"
                raise DataError(f"{fault}; {advice(file, raw)}") from None


def _wide(file: Path, encoding: str) -> Iterator[str]:
    line = 0
    with file.open(encoding=encoding, newline="\n") as handle:
        try:
            for text in handle:
                line += 1
                yield text
        except UnicodeError as error:
            name = encoding.upper()
            raise DataError(
                f"{file}:{line + 1}: not {name} here or further down, although the byte order "
                f"mark says {name} ({error}); save the file as UTF-8"
            ) from None
