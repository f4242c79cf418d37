"""A weak model as it is, with or without a few examples of `weak_train` before each question. Nothing is trained."""

from __future__ import annotations

from w2s.config import WeakSpec
from w2s.errors import InputError
from w2s.step import Step
from w2s.supervisors.source import Source, SourceStages, Supervision, refuse_unused

__all__ = ["SOURCES"]


def _steps(stages: SourceStages) -> Supervision:
    examples = stages.spec.examples
    return Supervision(
        answers=stages.answer(adapter=None, examples=examples),
        predictions=stages.test(adapter=None, examples=examples),
        calibration=_calibration(stages, examples),
        supervisors=(stages.spec.name,),
    )


def _calibration(stages: SourceStages, examples: int) -> Step:
    """Answers to `weak_train`, none of them to a question that was shown with its answer."""
    if not examples:
        return stages.answer(adapter=None, split="weak_train")
    parts = [stages.answer(adapter=None, split="weak_train", examples=examples, fold=fold) for fold in stages.folds()]
    return stages.join(parts, label="weak answers out of fold")


def _check(spec: WeakSpec) -> None:
    if spec.examples < 0:
        raise InputError(f"weak.examples is {spec.examples}: expected 0 or more")
    refuse_unused(spec, "url", "key_env", "settings")


SOURCES = (
    Source(
        name="prompted",
        summary="a weak model as it is, shown weak.examples questions of weak_train with their answers",
        steps=_steps,
        needs_weak_train=lambda spec: spec.examples > 0,
        check=_check,
    ),
)
