"""Whether the fields of a record that came from a file are of the types that it declares."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

__all__ = ["check_plain"]

_PLAIN: dict[str, tuple[type, ...]] = {"str": (str,), "bool": (bool,), "int": (int,), "float": (int, float)}


def check_plain(record: Any, name: str) -> None:
    """Check the fields of texts, truth values and numbers; others are left to who reads them.

    Raises:
        TypeError: A field is of another type, or None where it must not be.
    """
    for field in fields(record):
        kind, *more = str(field.type).split(" | ")
        value = getattr(record, field.name)
        if kind not in _PLAIN or (value is None and more == ["None"]):
            continue
        if not isinstance(value, _PLAIN[kind]) or (isinstance(value, bool) and kind != "bool"):
            expected = {"str": "a text", "bool": "true or false"}.get(kind, "a number")
            raise TypeError(f"{field.name} of {name} is {value!r}: expected {expected}")
