"""Pieces from a user's own files: tasks, weak sources, estimators, methods and losses.

    # my_pieces.py
    import w2s

    w2s.register(MyTask)

    w2s run --plugin my_pieces.py …

A plug-in is loaded once a process. Its version, in the key of every step that one of its pieces decides, is the
hash of its file: an edit computes anew what the edit may have changed, and nothing else.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from w2s.errors import InputError
from w2s.methods import METHODS, Method
from w2s.registry import Registry, current_plugin, registering_from
from w2s.reliability import ESTIMATORS, Estimator
from w2s.supervisors import SOURCES, Source
from w2s.tasks import TASKS, Task
from w2s.training.loss import LOSSES, Loss

__all__ = ["files_of", "load_installed", "load_plugins", "loaded_plugins", "place_of", "register"]

_loaded: dict[Path, str] = {}
_installed: set[Path] = set()


def register(piece: Any) -> Any:
    """Register a piece under its name. Also usable as a decorator of a `Task` class.

    Args:
        piece: A `Task` subclass, a `Source`, an `Estimator`, a `Method` or a `Loss`.

    Returns:
        The piece.

    Raises:
        InputError: It is none of these, its name is taken, or it was written where no file can be read: a step
            could not be computed in another process.
    """
    registry = _registry_of(piece)
    if current_plugin() is not None:
        registry.add(piece)
        return piece
    file = _file_of_caller()
    with registering_from(file) as plugin:
        registry.add(piece)
        _loaded[file] = plugin.sha256
    return piece


def load_plugins(files: Iterable[str | Path] | Mapping[str, str]) -> list[Path]:
    """Load plug-ins; those that are loaded already are left as they are.

    Args:
        files: The files; with the hash of each, as `loaded_plugins` has it, where no other is meant.

    Raises:
        InputError: A file is missing, fails when it is run, or changed since it was loaded or hashed.
    """
    hashes = list(files.values()) if isinstance(files, Mapping) else None
    paths = [Path(file).expanduser().resolve() for file in files]
    for number, path in enumerate(paths):
        if not path.is_file():
            raise InputError(f"plug-in {path}: no such file")
        with registering_from(path) as plugin:
            if hashes is not None and hashes[number] != plugin.sha256:
                raise InputError(f"plug-in {path} changed since this was planned: start again")
            if path in _loaded:
                if _loaded[path] != plugin.sha256:
                    raise InputError(f"plug-in {path} changed since it was loaded: start again")
                continue
            spec = importlib.util.spec_from_file_location(f"w2s_plugin_{path.stem}", path)
            if spec is None or spec.loader is None:
                raise InputError(f"plug-in {path}: expected a Python file, *.py")
            _loaded[path] = plugin.sha256
            module = importlib.util.module_from_spec(spec)
            sys.modules[spec.name] = module
            try:
                spec.loader.exec_module(module)
            except InputError:
                del _loaded[path]
                raise
            except Exception as error:  # a plug-in is anybody's code
                del _loaded[path]
                raise InputError(f"plug-in {path} fails: {type(error).__name__}: {error}") from error
    return paths


def load_installed() -> None:
    """Load the plug-ins of installed packages: their entry points in the group `w2s.plugins`, each a module."""
    for point in entry_points(group="w2s.plugins"):
        spec = importlib.util.find_spec(point.module)
        if spec is None or spec.origin is None:
            raise InputError(f"plug-in {point.name}: its module {point.module} is not there")
        path = Path(spec.origin).resolve()
        _installed.add(path)
        if path not in _loaded:
            with registering_from(path) as plugin:
                _loaded[path] = plugin.sha256
                point.load()


def place_of(error: BaseException) -> str | None:
    """Where in a plug-in an error arose: its file and line; None where none had a part in it.

    Args:
        error: Also one from another process, which has its traceback as a note.
    """
    places = [(frame.filename, str(frame.lineno)) for frame in traceback.extract_tb(error.__traceback__)]
    for note in getattr(error, "__notes__", ()):
        places += re.findall(r'File "(.+?)", line (\d+)', note)
    return next((f"{file}, line {line}" for file, line in reversed(places) if Path(file) in _loaded), None)


def loaded_plugins() -> dict[str, str]:
    """The files of all plug-ins that registered a piece, and their hashes, for the steps that may need them."""
    return {str(path): _loaded[path] for path in sorted(_loaded)}


def files_of(pieces: Mapping[str, Iterable[str]]) -> list[str]:
    """The files that pieces come from, but for those of the package and of installed plug-ins.

    Args:
        pieces: Their names by kind: "task", "weak source", "estimator", "method", "loss".
    """
    registries: list[Registry[Any]] = [TASKS, SOURCES, ESTIMATORS, METHODS, LOSSES]
    files = [registry.plugin_files.get(name) for registry in registries for name in pieces.get(registry.kind, ())]
    return list(dict.fromkeys(str(one.path) for one in files if one is not None and one.path not in _installed))


def _registry_of(piece: Any) -> Registry[Any]:
    if isinstance(piece, type) and issubclass(piece, Task):
        return TASKS
    for kind, registry in ((Source, SOURCES), (Estimator, ESTIMATORS), (Method, METHODS), (Loss, LOSSES)):
        if isinstance(piece, kind):
            return registry
    raise InputError(f"{piece!r} cannot be registered: expected a Task class, a Source, Estimator, Method or Loss")


def _file_of_caller() -> Path:
    """The file that calls `register`: another process has to run it to know the piece."""
    package = Path(__file__).parent
    callers = (Path(frame.filename) for frame in inspect.stack()[2:])
    path = next((file for file in callers if package not in file.resolve().parents), None)
    if path is not None and path.is_file():
        return path.resolve()
    raise InputError(
        "a piece that is registered in a notebook or a prompt cannot be found by other processes: put it into a file "
        "(%%writefile mine.py above the cell), and import that"
    )
