"""The methods: one file each. To add one, add a file here with the `Method` objects named in `METHODS`."""

from __future__ import annotations

import importlib
import pkgutil

from w2s.errors import unknown_name
from w2s.methods.base import Method
from w2s.methods.selection import Selection, TrainingSet

__all__ = ["METHODS", "Method", "Selection", "TrainingSet", "get_method"]


def _found() -> dict[str, Method]:
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    methods: list[Method] = [method for module in modules for method in getattr(module, "METHODS", ())]
    return {method.name: method for method in sorted(methods, key=lambda method: method.name)}


METHODS = _found()


def get_method(name: str) -> Method:
    """A method by its name.

    Raises:
        InputError: There is no such method; the message names the nearest.
    """
    if name not in METHODS:
        raise unknown_name("method", name, METHODS)
    return METHODS[name]
