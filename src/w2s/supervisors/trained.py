"""A weak model that is fine-tuned on the ground truth of `weak_train`, as in the paper."""

from __future__ import annotations

from w2s.config import WeakSpec
from w2s.errors import InputError
from w2s.step import Step
from w2s.supervisors.source import Source, SourceStages, Supervision, refuse_unused

__all__ = ["SOURCES"]


def _steps(stages: SourceStages) -> Supervision:
    training = stages.train(stages.gold_training_set())
    return Supervision(
        training=training,
        answers=stages.answer(adapter=training),
        predictions=stages.test(adapter=training),
        calibration=stages.join(
            [_out_of_fold(stages, fold) for fold in stages.folds()], label="weak answers out of fold"
        ),
        supervisors=(stages.spec.name,),
    )


def _out_of_fold(stages: SourceStages, fold: Step) -> Step:
    """A fold, answered by a weak model that learned from the other questions."""
    training = stages.train(stages.gold_training_set(fold), label=fold.label)
    return stages.answer(adapter=training, split="weak_train", fold=fold)


def _check(spec: WeakSpec) -> None:
    if spec.examples:
        raise InputError(f"weak.examples is {spec.examples}: source trained shows none, prompted does")
    refuse_unused(spec, "url", "key_env", "settings")


SOURCES = (
    Source(
        name="trained",
        summary="a weak model, fine-tuned on the ground truth of weak_train",
        steps=_steps,
        needs_weak_train=lambda spec: True,
        check=_check,
    ),
)
