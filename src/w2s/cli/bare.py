"""Lists as one types them: `--methods naive,ceiling` and `--seeds 0,1,2`, without YAML's brackets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

__all__ = ["with_brackets"]

_NONE = ("", "null", "~")


def with_brackets(parser: ArgumentParser, words: Sequence[str]) -> list[str]:
    """The command line with brackets around the value of each option that takes a list and nothing else."""
    lists = {
        option
        for option, action in parser._option_string_actions.items()
        if not option.endswith("+") and _is_list(getattr(action, "_typehint", None))
    }
    return [*_bracketed(words, lists)]


def _bracketed(words: Sequence[str], lists: set[str]) -> Iterator[str]:
    is_list = False
    for word in words:
        option, equals, value = word.partition("=")
        if equals and option in lists:
            yield f"{option}={_list(value)}"
        else:
            yield _list(word) if is_list and not word.startswith("--") else word
        is_list = not equals and option in lists


def _list(text: str) -> str:
    bare = text.strip()
    return text if bare in _NONE or bare.startswith("[") else f"[{text}]"


def _is_list(kind: Any) -> bool:
    """Whether a type is a list, or a list or nothing."""
    if get_origin(kind) in (Union, UnionType):
        rest = [one for one in get_args(kind) if one is not NoneType]
        return len(rest) == 1 and _is_list(rest[0])
    return get_origin(kind) is list
