"""The text of a file in its encoding, or where it is of another."""

from __future__ import annotations

import codecs
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from w2s.errors import InputError, unknown_name
from w2s.reading.csv_files import delimiter_of, is_headed, split_records
from w2s.reading.unpacking import bytes_of

__all__ = ["check_encoding", "decoded"]

_log = logging.getLogger(__name__)

_UTF8 = "utf-8-sig"  # with a byte order mark or without
_MARKS = (
    (codecs.BOM_UTF8, _UTF8),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as the next one does
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF32_BE, "utf-32"),
)
_KNOWN = (
    *("utf-8", "utf-16", "windows-1252", "iso-8859-1", "iso-8859-15", "mac-roman", "windows-1250", "windows-1251"),
    *("koi8-r", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr"),
)
"""Common encodings, for the message; Python knows more."""


def decoded(path: Path, suffix: str, columns: Sequence[str], encoding: str | None) -> str:
    """The text of a file: in the encoding that is named or, where none is, UTF-8 or what a byte order mark says.

    Raises:
        InputError: There is no such encoding, or the file is of another.
    """
    data = bytes_of(path)
    codec = _codec(path, data, encoding)
    try:
        text = data.decode(codec)
    except UnicodeError as error:
        # The codec counts after the mark.
        marked = len(codecs.BOM_UTF8) if codec == _UTF8 and data.startswith(codecs.BOM_UTF8) else 0
        at = error.start + marked if isinstance(error, UnicodeDecodeError) else 0
    else:
        if encoding is not None and not codec.startswith("utf") and not data.isascii() and _is(data, _UTF8):
            _log.warning("%s: read as %s, as --encoding says, but it could be UTF-8", path, encoding)
        return text
    where = f"{path}, {_place(data[:at].decode(codec, 'replace'), suffix, columns, at + 1)}"
    if encoding is not None:
        raise InputError(f"{where}: not {encoding}, as --encoding says")
    if codec != _UTF8:
        raise InputError(f"{path} is no {codec.upper()}, as its first bytes say: save it as UTF-8")
    if _is(data, "cp1252"):
        raise InputError(
            f"{where}: not UTF-8; it looks like Windows-1252: save it as UTF-8, or add --encoding windows-1252"
        )
    raise InputError(f"{where}: not UTF-8: save it as UTF-8, or name what it is with --encoding")


def check_encoding(name: str) -> str:
    """The codec of an encoding's name.

    Raises:
        InputError: There is no such encoding of text.
    """
    try:
        codec = codecs.lookup(name).name
        with suppress(UnicodeError):
            b" ".decode(codec)  # "hex" is a codec, but none of text
    except (LookupError, ValueError):
        raise unknown_name("encoding", name, _KNOWN) from None
    return codec


def _codec(path: Path, data: bytes, encoding: str | None) -> str:
    """The codec of a text: the byte order mark's, the one that is named, or UTF-8's."""
    named = None if encoding is None else check_encoding(encoding)
    marked = next((codec for mark, codec in _MARKS if data.startswith(mark)), None)
    if marked is not None:
        if named is not None and not named.startswith(marked.removesuffix("-sig")):
            raise InputError(f"{path} begins with the byte order mark of {_shown(marked)}: it is not {encoding}")
        return marked
    if named in ("utf-16", "utf-32"):
        raise InputError(f"{path} has no byte order mark: expected --encoding {named}-le or {named}-be, not {encoding}")
    if b"\0" in data[:2] and not (named or "").startswith(("utf-16", "utf-32")):
        order = "be" if data.startswith(b"\0") else "le"
        raise InputError(
            f"{path} looks like UTF-16 without a byte order mark: save it as UTF-8, or add --encoding utf-16-{order}"
        )
    return named if named not in (None, "utf-8") else _UTF8


def _shown(codec: str) -> str:
    return codec.removesuffix("-sig").upper()


def _is(data: bytes, codec: str) -> bool:
    try:
        data.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


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
