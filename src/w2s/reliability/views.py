"""A model's answers as a view: what it says of each question's options, whichever way and order it was asked in."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from w2s.errors import InputError, unknown_name
from w2s.reliability.base import Codes, Floats, check_answers
from w2s.reliability.combining import agreement_skills, combine, equal_weights, fit_weights, skills_to_weights
from w2s.reliability.debiased import without_positions
from w2s.reliability.pooling import Pooled, Precision, fit_precision, pool
from w2s.reliability.probability import option_scores

__all__ = ["WEIGHTS", "Posterior", "View", "posterior_of", "view_of"]

logger = logging.getLogger(__name__)

WEIGHTS = ("fitted", "agreement", "equal")
"""Where the weights of views come from."""

_FEW = 20  # questions: what is fitted to fewer is little more than the ridge


@dataclass(frozen=True, kw_only=True)
class View:
    """What one model says of some questions.

    Attributes:
        name: What messages call it.
        choices: The options by question id, in the order of `pooled`; the questions in that of their ids.
        pooled: The log-probabilities, pooled over the variations.
    """

    name: str
    choices: Mapping[str, list[str]]
    pooled: Pooled

    def at(self, choices: Mapping[str, Sequence[str]]) -> View:
        """The same view of some of its questions, with questions and options in the order of others.

        Args:
            choices: The options by question id.

        Raises:
            InputError: One of the questions is not answered, or has other options.
        """
        number = {id: index for index, id in enumerate(self.choices)}
        mean = np.full((len(choices), max(map(len, choices.values()), default=0)), -np.inf)
        for row, (id, options) in enumerate(choices.items()):
            if id not in number:
                raise InputError(f"the {self.name} answers: question {id!r} is missing, which others answer")
            own = self.choices[id]
            if sorted(own) != sorted(options):
                raise InputError(
                    f"the {self.name} answers, question {id!r}: choices are {own}, others have {list(options)}"
                )
            mean[row, : len(options)] = self.pooled.mean[number[id], [own.index(option) for option in options]]
        variance = self.pooled.variance[[number[id] for id in choices]] if choices else np.zeros(0)
        return View(
            name=self.name,
            choices={id: list(options) for id, options in choices.items()},
            pooled=Pooled(mean, variance),
        )

    def right(self, gold: Mapping[str, str | None]) -> Codes:
        """(questions,) the index of each question's right option; −1 where it is not known."""
        found = [
            options.index(truth) if (truth := gold.get(id)) in options else -1 for id, options in self.choices.items()
        ]
        return np.array(found, np.int64)


def view_of(answers: pa.Table, name: str, *, debias: bool = True) -> View:
    """Pool the answers to each question over its variations, and over supervisors if there are several.

    Args:
        answers: A table of `tables.ANSWERS` in any order, with `choices`, `choice_logprobs` and, for debiasing,
            `positions`.
        name: What messages call the view.
        debias: Divide the position prior of each supervisor out first, as the estimator `debiased` does.

    Raises:
        InputError: A column is missing, or a row has no log-probabilities: it was written, or given by people.
    """
    answers = check_answers(answers, name=f"the {name} answers")
    for column in ("choices", "choice_logprobs"):
        if column not in answers.column_names or answers[column].null_count:
            raise InputError(
                f"the {name} answers: a row has no {column}; expected answers of a model that chooses among options "
                "and says how likely each is (answering.mode choose)"
            )
    keys = [key for key in ("question_id", "variation", "supervisor") if key in answers.column_names]
    answers = answers.sort_by([(key, "ascending") for key in keys])
    found = without_positions(answers, "debiased") if debias else option_scores(answers, name)
    choices = dict(zip(answers["question_id"].to_pylist(), answers["choices"].to_pylist(), strict=True))
    return View(
        name=name,
        choices=choices,
        pooled=pool(found.logprobs, found.sizes, found.question, found.num_questions),
    )


class Posterior(NamedTuple):
    """What several views say together.

    Attributes:
        choices: The options by question id.
        probabilities: (questions, options) 0 where a question has fewer options.
        weights: (views,) of the log-linear pool.
        precisions: (views,) of each view by itself.
    """

    choices: Mapping[str, list[str]]
    probabilities: Floats
    weights: Floats
    precisions: Sequence[Precision]


def posterior_of(
    views: Sequence[View],
    calibration: Sequence[View] = (),
    gold: Mapping[str, str | None] | None = None,
    *,
    weights: str = "fitted",
    variance: bool = True,
) -> Posterior:
    """Combine views of the same questions.

    Args:
        views: One or more; those after the first answer all questions of the first.
        calibration: What the same models, or others that were made in the same way, say of questions that they did not
            learn, in the order of the views. It is read where something is fitted.
        gold: The right answers to these, by question id.
        weights: One of `WEIGHTS`: "fitted" to the calibration (`combining.fit_weights`), from the "agreement" of three
            views (`combining.agreement_skills`), or "equal".
        variance: Fit the precision of each view to the calibration first (`pooling.fit_precision`); else each view
            counts as sure as it says, however far its variations differ.

    Raises:
        InputError: `weights` is none of these, there are not three views to take weights from the agreement of, or a
            view lacks a question that others have.
    """
    if weights not in WEIGHTS:
        raise unknown_name("weights", weights, WEIGHTS)
    if weights == "agreement" and len(views) != 3:
        raise InputError(f"weights by agreement: expected three views, there are {len(views)}")
    pooled = [view.at(views[0].choices).pooled for view in views]
    fits = variance or (weights == "fitted" and len(views) > 1)
    known, right = _known(calibration, gold or {}, len(views)) if fits else ([], np.zeros(0, np.int64))
    precisions = [fit_precision(one, right) for one in known] if variance else [Precision()] * len(views)
    scores = [precision.log_posterior(one) for precision, one in zip(precisions, pooled, strict=True)]
    if weights == "fitted" and len(views) > 1:
        fitted_to = [precision.log_posterior(one) for precision, one in zip(precisions, known, strict=True)]
        found = fit_weights(fitted_to, right)
    elif weights == "agreement" and len(scores[0]):
        found = skills_to_weights(scores, agreement_skills(scores))
    else:
        found = equal_weights(len(views))
    return Posterior(views[0].choices, np.exp(combine(scores, found)), found, precisions)


def _known(calibration: Sequence[View], gold: Mapping[str, str | None], count: int) -> tuple[list[Pooled], Codes]:
    """The views of the questions whose truth is known, and the right options there."""
    if len(calibration) != count:
        raise InputError(
            f"{count} views are fitted to answers of known truth: expected those of each, not of {len(calibration)}"
        )
    first = calibration[0]
    known = {id: options for id, options in first.choices.items() if gold.get(id) in options}
    if len(known) < _FEW:
        logger.warning("views are weighed on %d questions of weak_train: that few say next to nothing", len(known))
    return [view.at(known).pooled for view in calibration], first.at(known).right(gold)
