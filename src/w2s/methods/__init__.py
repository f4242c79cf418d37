"""The methods: one file each. To add one, add a file here that names its `Method` objects in `METHODS`."""

from __future__ import annotations

from w2s.methods.base import Method
from w2s.methods.selection import Selection, TrainingSet
from w2s.registry import Registry

__all__ = ["METHODS", "Method", "Selection", "TrainingSet", "bound_method", "get_method"]

METHODS: Registry[Method] = Registry("method")


def get_method(name: str) -> Method:
    """A method by its name.

    Raises:
        InputError: There is no such method; the message names the nearest.
    """
    return METHODS.find(name)


def bound_method() -> Method:
    """The method that learns from ground truth: its selection is a weak supervisor's training set as well."""
    return next(method for method in METHODS.values() if method.role == "bound")


METHODS.discover(__name__, __path__, "METHODS")
