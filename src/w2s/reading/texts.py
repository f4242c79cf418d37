"""The text of a file: unzipped and decoded, or what it is instead."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

from w2s.errors import InputError
from w2s.reading.csv_files import delimiter_of, is_headed, split_records

__all__ = ["EXPECTED", "SUFFIXES", "bytes_of", "decoded", "is_zipped", "stem_of", "suffix_of"]

SUFFIXES = (".parquet", ".csv", ".tsv", ".jsonl", ".json")
EXPECTED = ", ".join("*" + suffix for suffix in SUFFIXES)
_ZIPPED = ".gz"


def suffix_of(path: Path) -> str:
    """The suffix that says how a file is read, in lower case and without ".gz"."""
    name = path.name.lower().removesuffix(_ZIPPED)
    return Path(name).suffix


def stem_of(path: Path) -> str:
    """A file's name without the suffixes that say how it is read."""
    return Path(path.stem).stem if is_zipped(path) else path.stem


def is_zipped(path: Path) -> bool:
    """Whether a file is compressed, by its name."""
    return path.suffix.lower() == _ZIPPED


def bytes_of(path: Path) -> bytes:
    """What is in a file, unzipped."""
    data = path.read_bytes()
    if not is_zipped(path):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from None


def decoded(path: Path, suffix: str, columns: Sequence[str]) -> str:
    """The text of a file: UTF-8, or what a byte order mark says.

    Raises:
        InputError: It is of another encoding.
    """
    data = bytes_of(path)
    encoding = "utf-8-sig"
    for mark, name in ((b"\xff\xfe\0\0", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            encoding = name
            break
    else:
        if b"\0" in data[:2]:
            raise InputError(f"{path} looks like UTF-16 without a byte order mark: save it as UTF-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8-sig":
            raise InputError(f"{path} is no {encoding.upper()}, as its first bytes say: save it as UTF-8") from None
        at = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)  # the codec counts after the mark
    where = _place(data[:at].decode("utf-8-sig"), suffix, columns, at + 1)
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        raise InputError(f"{path}, {where}: not UTF-8: save it as UTF-8") from None
    raise InputError(f"{path}, {where}: not UTF-8; it looks like Windows-1252; save it as UTF-8 or UTF-16")


def _place(before: str, suffix: str, columns: Sequence[str], byte: int) -> str:
    """Where a file is after this beginning of it: line and byte and, in CSV, the row and the column."""
    line = f"line {before.count(chr(10)) + 1}, byte {byte}"
    if suffix not in (".csv", ".tsv"):
        return line
    # What follows the beginning makes it the cell that is spoken of, and closes a quote in it.
    begun = before + "?" + '"' * (before.count('"') % 2)
    try:
        records = [
            cells for _, cells, _ in split_records(begun, delimiter_of(begun, columns, suffix)) if cells != [None]
        ]
    except ValueError:
        return line
    headed = is_headed(records[0], columns)
    header = records[0] if headed else columns
    if headed and len(records) == 1:
        return f"header, column {len(records[0])}, {line}"
    column = len(records[-1])
    name = header[column - 1] if column <= len(header) else column
    return f"row {len(records) - headed}, column {name!r}, {line}"
