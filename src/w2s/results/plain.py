"""Whether what came from a file is of the types that its record declares, all the way down."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import is_dataclass
from reprlib import repr as short
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

__all__ = ["check_plain"]

_EXPECTED = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


def check_plain(value: Any, kind: Any, name: str) -> None:
    """Check a value against a type: plain ones, and lists, mappings and records of them.

    Args:
        value: What JSON gave, or a record made from it.
        kind: The type, as an annotation says it. A whole number is a number, and a list may stand for a tuple.
        name: What the error calls it.

    Raises:
        TypeError: It is of another type, a number that is not finite, or lacks a key that it must have.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        options = [option for option in inner if option is not NoneType]
        if value is None and NoneType in inner:
            return
        if len(options) == 1:
            check_plain(value, options[0], name)
        elif not any(_fits(value, option) for option in options):
            raise _wrong(value, name, "another value")
    elif origin is Literal:
        if value not in inner:
            raise _wrong(value, name, f"one of {', '.join(map(str, inner))}")
    elif origin in (list, tuple):
        _check_items(value, origin, inner, name)
    elif origin in (dict, Mapping):
        if not isinstance(value, Mapping):
            raise _wrong(value, name, "a mapping")
        for key, item in value.items():
            check_plain(item, inner[1], f"{name}.{key}")
    elif is_typeddict(kind):
        check_plain(value, dict[str, Any], name)
        if missing := kind.__required_keys__ - set(value):
            raise TypeError(f"{name} has no {min(missing)}")
        for key, hint in get_type_hints(kind).items():
            if key in value:
                check_plain(value[key], hint, f"{name}.{key}")
    elif kind in _EXPECTED:
        _check_scalar(value, kind, name)
    elif kind is not Any:
        if not isinstance(value, kind):
            raise _wrong(value, name, "a mapping")
        if is_dataclass(kind) or hasattr(kind, "_fields"):
            for field, hint in get_type_hints(kind).items():
                check_plain(getattr(value, field), hint, f"{name}.{field}")


def _check_items(value: Any, origin: Any, inner: tuple[Any, ...], name: str) -> None:
    if not isinstance(value, list | tuple):
        raise _wrong(value, name, "a list")
    fixed = origin is tuple and inner[-1] is not Ellipsis
    if fixed and len(value) != len(inner):
        raise _wrong(value, name, f"{len(inner)} values")
    for number, item in enumerate(value):
        check_plain(item, inner[number] if fixed else inner[0], f"{name}[{number}]")


def _check_scalar(value: Any, kind: type, name: str) -> None:
    allowed = (int, float) if kind is float else kind
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
        raise _wrong(value, name, _EXPECTED[kind])
    if isinstance(value, int | float) and abs(value) > sys.float_info.max:
        raise _wrong(value, name, "a finite number")


def _fits(value: Any, kind: Any) -> bool:
    try:
        check_plain(value, kind, "")
    except TypeError:
        return False
    return True


def _wrong(value: Any, name: str, expected: str) -> TypeError:
    return TypeError(f"{name} is {short(value)}: expected {expected}")
