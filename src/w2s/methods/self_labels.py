"""Self: the student learns its own labels, without any supervisor.

The untrained strong model is asked each transfer question in every order of the options that the weak supervisor was
asked, what a position adds is divided out, and the student is trained on the options that it finds likeliest. Training
on a model's own confident answers is pseudo-labelling (Lee 2013); of language models without any supervisor: Wen et al.
(2025), *Unsupervised Elicitation of Language Models*, arXiv 2506.10139. Here it is what a supervisor must beat: a
method that is no better than self has taught nothing that the student did not know.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from w2s.errors import InputError
from w2s.methods.base import Method, Round, Settings, Stages, Student
from w2s.methods.options import likeliest
from w2s.methods.selection import TrainingSet, candidates_from
from w2s.tables import SCORED

__all__ = ["METHODS", "self_labels"]

_TOLERANCE = 1e-9


def self_labels(own: pa.Table, *, share: float = 0.6, seed: int = 0) -> TrainingSet:
    """Label the questions of which the model is surest, and draw as many rows as there were questions.

    The label of a question is its likeliest option, in answer to each variation's own prompt; its confidence is that
    option's probability. Kept are the questions whose confidence is at or above its quantile at `1 − share` over the
    questions of `transfer`; no ground truth and no weak answer is read. Each of them comes once before any comes
    twice, so that the training costs what naive costs.

    Args:
        own: The untrained model's answers, scored by an estimator with a `posterior`.
        share: Of the questions that are kept, above 0.
        seed: Of the draws, of rows and among options that are equally likely.

    Raises:
        InputError: The table is not one of scored answers with prompts, it has no posterior, or the share is none.
    """
    if not 0 < share <= 1:
        raise InputError(f"share {share}: expected a number above 0, up to 1")
    labelled = likeliest(candidates_from(own), seed=seed)
    confidence = labelled.column("confidence").to_numpy()
    _, first = np.unique(labelled.column("question_id").to_pylist(), return_index=True)
    threshold = float(np.quantile(confidence[first], 1 - share)) if len(first) else 0.0
    surest = labelled.keep(confidence >= threshold - _TOLERANCE, otherwise="unsure")
    drawn = surest.draw(labelled.questions_in, seed=seed, spread=True)
    return drawn.training_set(
        f"the untrained student's own answer to questions of confidence from {threshold:.3f} (its surest "
        f"{share:g}), as many rows as there were questions"
    )


def _steps(stages: Stages, settings: Settings) -> Student:
    own = stages.score(stages.answer(None, choose=True))
    training_set = stages.select("self_labels", {"own": own}, settings)
    return Student((Round(training_set, stages.train(training_set)),))


def _check(settings: Settings) -> TrainingSet:
    return self_labels(SCORED.empty_table(), **settings)


METHODS = (
    Method(
        name="self",
        summary="the student's own labels, asked fairly and untrained: no supervisor at all",
        steps=_steps,
        settings={"share": 0.6},
        role="baseline",
        selectors={"self_labels": self_labels},
        estimator="debiased",
        needs_options=True,
        check=_check,
        version=2,
    ),
)
