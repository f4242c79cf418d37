"""What the settings say of methods: a name, or a name with settings, an estimator and a label."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from w2s.errors import InputError
from w2s.methods import METHODS
from w2s.methods.base import Method

__all__ = ["MethodSpec", "default_methods", "method_specs"]

# What a table should have: the untrained student, naive, the paper's two, what needs no supervisor, and both bounds.
_DEFAULT = (
    "zero-shot-debiased",
    "naive",
    "filtering-sampled",
    "reweighting-sampled",
    "self",
    "weak-gold",
    "ceiling",
)

_LABEL = re.compile(r"[\w][\w.+-]*")
_OWN = ("method", "label", "estimator")
_TAKEN = "weak-supervisor"  # the folder of the weak supervisor, beside those of the methods


@dataclass(frozen=True, kw_only=True)
class MethodSpec:
    """One row of the table.

    Attributes:
        label: What the row is called; a folder in the run's.
        method: The method.
        settings: All of its settings.
        estimator: The estimator that is named for it, or that it is meant for; None for the experiment's.
    """

    label: str
    method: Method
    settings: dict[str, Any]
    estimator: str | None


def default_methods(*, options: bool, weak_gold: bool) -> list[str]:
    """The methods of an experiment that names none.

    Args:
        options: Whether the task's questions have options to choose from.
        weak_gold: Whether there is ground truth of `weak_train`.
    """
    return [
        name for name in _DEFAULT if (options or not METHODS[name].needs_options) and (weak_gold or name != "weak-gold")
    ]


def method_specs(methods: Sequence[str | Mapping[str, Any]]) -> list[MethodSpec]:
    """The methods that an experiment names.

    Raises:
        InputError: There is no such method or setting, or two have the same label.
    """
    if not methods:
        raise InputError("methods is empty: expected at least one")
    specs: list[MethodSpec] = []
    for given in methods:
        spec = _spec({"method": given} if isinstance(given, str) else given)
        if any(spec.label == other.label for other in specs):
            raise InputError(
                f"methods names {spec.label!r} more than once: give each a label, "
                f"such as {{method: {spec.method.name}, label: {spec.method.name}-2}}"
            )
        specs.append(spec)
    return specs


def _spec(given: Mapping[str, Any]) -> MethodSpec:
    if not isinstance(given, Mapping) or not isinstance(given.get("method"), str):
        raise InputError(f"methods holds {given!r}: expected a name, or {{method: NAME, SETTING: VALUE}}")
    method = METHODS.find(given["method"])
    label, estimator = given.get("label", method.name), given.get("estimator", method.estimator)
    if not isinstance(label, str) or not _LABEL.fullmatch(label):
        raise InputError(f"label of method {method.name} is {label!r}: expected letters, digits and . + - _ only")
    if label.lower() == _TAKEN:
        raise InputError(f"label of method {method.name} is {label!r}, which the weak supervisor's files have already")
    if estimator is not None and not isinstance(estimator, str):
        raise InputError(f"estimator of method {method.name} is {estimator!r}: expected a name")
    settings = {str(name): value for name, value in given.items() if name not in _OWN}
    return MethodSpec(label=label, method=method, settings=method.resolve(settings), estimator=estimator)
