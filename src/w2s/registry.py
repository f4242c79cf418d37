"""The pieces of one kind that are there, by name: those that come with the package, and those of plug-ins."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from w2s.errors import InputError, unknown_name

__all__ = ["Piece", "PluginFile", "Registry", "current_plugin", "registering_from", "resolve_settings"]


def resolve_settings(piece: str, defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A piece's settings, with those given in place of its defaults.

    Args:
        piece: What has them, for the message ("method filtering").
        defaults: By name; one that is None may be given anything.
        given: By name.

    Raises:
        InputError: There is no such setting, or the value is of another type than the default.
    """
    for name, value in given.items():
        if name not in defaults:
            if not defaults:
                raise InputError(f"{piece} has no settings: {name!r} was given")
            raise unknown_name(f"setting of {piece}", name, defaults)
        default = defaults[name]
        if default is not None and not _is_like(value, default):
            raise InputError(f"{name} of {piece} is {value!r}: expected a {_TYPES.get(type(default), 'mapping')}")
    return {**defaults, **given}


_TYPES = {bool: "true or false", int: "whole number", float: "number", str: "text", list: "list", tuple: "list"}


def _is_like(value: Any, default: Any) -> bool:
    """Whether a value is of a default's type; a whole number is a number as well."""
    if isinstance(value, bool) or isinstance(default, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    return isinstance(value, (int, float) if isinstance(default, float) else type(default))


class Piece(Protocol):
    """What can be registered: a task, a source, an estimator, a method, a loss."""

    @property
    def name(self) -> str:
        """What users call it."""

    @property
    def version(self) -> int:
        """Raised when the piece's code changes what comes out of it; part of every key that it decides."""


@dataclass(frozen=True)
class PluginFile:
    """The file of a plug-in, and the hash of its content, which is the version of all that it registers."""

    path: Path
    sha256: str


_plugin: ContextVar[PluginFile | None] = ContextVar("w2s_plugin", default=None)


@contextmanager
def registering_from(path: Path) -> Iterator[PluginFile]:
    """What is registered in this block comes from that file."""
    file = PluginFile(path, hashlib.sha256(path.read_bytes()).hexdigest())
    token = _plugin.set(file)
    try:
        yield file
    finally:
        _plugin.reset(token)


def current_plugin() -> PluginFile | None:
    """The plug-in that is being loaded, if one is."""
    return _plugin.get()


PieceT = TypeVar("PieceT", bound=Piece)


class Registry(dict[str, PieceT], Generic[PieceT]):
    """Pieces by name, in alphabetical order of the files that they came with, plug-ins last.

    Attributes:
        kind: What users call such a piece ("task", "method").
        plugin_files: The plug-in that a piece came from, by the piece's name.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.plugin_files: dict[str, PluginFile] = {}

    def discover(self, package: str, path: list[str], attribute: str) -> None:
        """Add what the modules of a package name in `attribute`: one piece, or several."""
        found: list[PieceT] = []
        for module in pkgutil.iter_modules(path):  # in alphabetical order
            pieces = getattr(importlib.import_module(f"{package}.{module.name}"), attribute, ())
            found += pieces if isinstance(pieces, tuple) else (pieces,)
        for piece in sorted(found, key=lambda piece: piece.name):
            self[piece.name] = piece

    def add(self, piece: PieceT) -> None:
        """Add a piece of a plug-in.

        Raises:
            InputError: The name is taken by another piece.
        """
        file = _plugin.get()
        before = self.plugin_files.get(piece.name)
        if self.get(piece.name) == piece:
            return  # once more, as an import that is repeated does it
        if piece.name in self and (before is None or file is None or before.path != file.path):
            raise InputError(f"{self.kind} {piece.name!r} is there already: expected another name")
        self[piece.name] = piece
        if file is not None:
            self.plugin_files[piece.name] = file

    def find(self, name: str) -> PieceT:
        """A piece by its name.

        Raises:
            InputError: There is none; the message names the nearest.
        """
        if name not in self:
            raise unknown_name(self.kind, name, self)
        return self[name]

    def version(self, name: str) -> int | str:
        """The version of a piece: its number, or the hash of the plug-in's file."""
        file = self.plugin_files.get(name)
        return self[name].version if file is None else file.sha256
