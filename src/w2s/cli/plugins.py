"""The plug-ins that a command line names, loaded before its options are known."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points

from w2s.cli.settings_file import file_settings
from w2s.errors import InputError

__all__ = ["load_plugins_of", "named_plugins"]

_PLUGINS: list[str] = []
"""The plug-ins of this command, for the experiment's settings."""


def load_plugins_of(words: Sequence[str]) -> list[str]:
    """Load the plug-ins that are named before the options are known: they bring tasks, methods and their settings.

    Returns:
        The words, each `--plugin FILE` taken out, and the files put into `--plugins` where a command has it.
    """
    files: list[str] = []
    rest: list[str] = []
    remaining = iter(words)
    for word in remaining:
        if word == "--plugin" or word.startswith("--plugin="):
            file = word.partition("=")[2] or next(remaining, "")
            if not file:
                raise InputError("--plugin: expected a Python file")
            files.append(file)
        else:
            rest.append(word)
    named = file_settings(words).get("plugins") or []
    if not isinstance(named, list) or not all(isinstance(file, str) for file in named):
        raise InputError(f"plugins is {named!r}: expected a list of Python files, such as [a.py]")
    if files or named or entry_points(group="w2s.plugins"):
        from w2s.plugins import load_installed, load_plugins

        load_installed()
        load_plugins([*named, *files])
    _PLUGINS[:] = [*map(str, named), *files]
    return rest


def named_plugins() -> list[str]:
    """The plug-ins that this command names."""
    return list(_PLUGINS)
