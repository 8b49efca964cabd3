"""Text files line by line, strictly UTF-8: what is wrong is named with its file and line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.errors import DataError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_raw_lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers, their ends and without a byte order mark.

    A line ends at LF alone, as editors count: other separators may stand in a text.

    Raises:
        DataError: if the file cannot be opened.
    """
    try:
        handle = file.open("rb")
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    with handle:
        for line, raw in enumerate(handle, start=1):
            yield line, raw.removeprefix(BYTE_ORDER_MARK) if line == 1 else raw


def read_lines(file: Path) -> Iterator[tuple[int, str]]:
    """The same lines as text.

    Raises:
        DataError: naming file and line, for bytes that are not UTF-8 and for NUL bytes.
    """
    for line, raw in read_raw_lines(file):
        text = decode(raw, f"{file}:{line}")
        if "\0" in text:
            raise DataError(
                f"{file}:{line}: a NUL byte (column {text.index(chr(0)) + 1}); the file is "
                "damaged or not text"
            )
        yield line, text


def decode(raw: bytes, where: str) -> str:
    """One line as text.

    Raises:
        DataError: saying which byte is not UTF-8, and how to convert the file if it is
            likely to be Windows-1252.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        fault = f"{where}: not UTF-8 (byte {error.start + 1}); convert the file"
        byte = raw[error.start]
        if error.start or byte not in (0xFE, 0xFF):  # those begin UTF-16
            fault += f": 0x{byte:02x}{_as_windows(byte)}"
        raise DataError(fault) from None


def _as_windows(byte: int) -> str:
    try:
        character = bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return " is no character of Windows-1252 either"
    return (
        f" would be {character!r} in Windows-1252, "
        "from which iconv -f WINDOWS-1252 -t UTF-8 converts"
    )
