"""Predictive entropy in two parts: doubt that every variation has, and variations that contradict each other."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from w2s.errors import unknown_name
from w2s.reliability.base import Floats, estimator_from
from w2s.reliability.debiased import without_positions
from w2s.reliability.probability import (
    OptionScores,
    add_posterior,
    entropy_of_options,
    mean_by_question,
    option_scores,
    probabilities,
)

__all__ = ["ESTIMATORS", "entropy_parts", "mutual_information"]

PARTS = ("between", "within", "total")
_ROUNDING = 1e-12  # nats: what adding up equal distributions may leave of a difference


def mutual_information(
    answers: pa.Table, *, part: str = "between", temperature: float = 1.0, debias: bool = False
) -> pa.Table:
    """Split the entropy of a question's mean distribution, and be uncertain by one part of it.

    With `p(v, ·)` the distribution over the options in variation v and `m` its mean over the N variations (see
    `probability`), in nats:

        total    H(m)                                = between + within
        within   mean_v H(p(v, ·))                     the doubt that remains in a single variation
        between  I = mean_v KL(p(v, ·) ‖ m)            how far the variations contradict each other, at most ln N

    `between` is the mutual information of answer and variation (the Jensen–Shannon divergence of the variations): 0
    exactly where all say the same. It is BALD's score (Houlsby et al. 2011, arXiv 1112.5745) with variations in the
    place of draws of the weights, and the split that of Depeweg et al. 2018 (arXiv 1710.07283).

    The uncertainty of a question is the part that `part` names. The confidence of an answer is `m(a) / exp(part)`:
    `exp` of an entropy is a number of outcomes, and that of `between` how many different distributions the variations
    amount to. The posterior is `m`.

    Args:
        answers: Checked answers with `choices` and `choice_logprobs`.
        part: "between", "within" or "total".
        temperature: T of the softmax.
        debias: Divide out what the position of an option adds first, as `debiased` does; what is left between the
            variations then owes less to the order of the options.

    Raises:
        InputError: As `probability` or `debiased`; or there is no such part.
    """
    if part not in PARTS:
        raise unknown_name("part of the entropy", part, PARTS)
    find = without_positions if debias else option_scores
    found = find(answers, "mutual-information")
    mean, within, between = entropy_parts(found, temperature)
    uncertainty = {"between": between, "within": within, "total": between + within}[part]
    return add_posterior(answers, found, mean, confidence=mean * np.exp(-uncertainty)[:, None], uncertainty=uncertainty)


def entropy_parts(found: OptionScores, temperature: float = 1.0) -> tuple[Floats, Floats, Floats]:
    """(questions, options) the mean distribution; (questions,) the entropy within the variations, and that between.

    Raises:
        InputError: The temperature is not above 0.
    """
    each = probabilities(found, temperature)
    mean = mean_by_question(found, each)
    within = mean_by_question(found, entropy_of_options(each))
    # As a mean of divergences, not as a difference of entropies: no rounding of the whole is left where they are equal.
    ratio = np.divide(each, mean[found.question], out=np.ones_like(each), where=each > 0)
    divergence = np.sum(each * np.log(ratio), axis=1)
    between = mean_by_question(found, divergence)
    return mean, within, np.where(between > _ROUNDING, between, 0.0)


ESTIMATORS = (
    estimator_from(
        "mutual-information",
        mutual_information,
        summary="how far the variations' distributions contradict each other (BALD)",
        version=2,
    ),
)
