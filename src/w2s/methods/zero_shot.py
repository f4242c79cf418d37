"""No training at all: what the strong model can do before anyone teaches it."""

from __future__ import annotations

from w2s.errors import InputError
from w2s.methods.base import Method, Settings, Stages, Student, untrained

__all__ = ["METHODS"]


def _debiased(stages: Stages, settings: Settings) -> Student:
    return Student(orders=settings["orders"])


def _check(settings: Settings) -> None:
    if settings["orders"] < 1:
        raise InputError(f"method zero-shot-debiased: orders is {settings['orders']}, expected 1 or more")


METHODS = (
    untrained("zero-shot", summary="the strong model as it is, untrained"),
    Method(
        name="zero-shot-debiased",
        summary="the same, choosing in several orders of the options, its preference for positions divided out",
        steps=_debiased,
        settings={"orders": 5},
        role="baseline",
        check=_check,
    ),
)
