"""The errors that a user can cause, and the help that goes with them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["InputError", "unknown_name"]


class InputError(ValueError):
    """Something the user gave is wrong. The message is one line: the value, and what was expected."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """An error for a name that does not exist, with the nearest one that does.

    Args:
        kind: What the name names, as the user would call it ("task", "method").
        name: What the user wrote.
        known: All valid names.
    """
    names = list(known)
    # A name from a settings file may be a number.
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return InputError(f"unknown {kind} {name!r}: expected one of {', '.join(names)}{hint}")
