"""Several views of the same questions as one: log-linear, with weights that are fitted, or follow from agreement.

A view is a matrix of log-probabilities, (questions, options), −inf where a question has fewer options than the widest;
`pooling` makes one of a model's answers. Arrays only.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from w2s.debias import log_softmax

__all__ = ["agreement_skills", "combine", "equal_weights", "fit_weights", "skills_to_weights"]

logger = logging.getLogger(__name__)

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_LEAST, _MOST = 0.01, 0.999  # of a skill: at 0 or 1 a view would count for nothing, or alone
_SHARPEST = 1e3  # of a view's weight by agreement
_ROUNDING = 1e-9  # nats: options nearer than this are equally likely


def combine(views: Sequence[Floats], weights: Sequence[float] | Floats) -> Floats:
    """The log-linear pool `log p(o) = Σ_v β_v · log p_v(o) + constant` of each question.

    With β = 1 it is Bayes' rule for views that are independent given the truth, under equal priors; with weights that
    sum to 1 the logarithmic opinion pool, for views that say the same thing.

    Args:
        views: (questions, options) log-probabilities each.
        weights: (views,) 0 or more.

    Returns:
        (questions, options) log-probabilities over the options.
    """
    there = np.isfinite(views[0])
    scores = np.zeros(views[0].shape)
    for view, weight in zip(views, weights, strict=True):
        scores += weight * np.where(there, view, 0.0)
    return log_softmax(np.where(there, scores, -np.inf)) if len(scores) else scores


def equal_weights(count: int) -> Floats:
    """(views,) weights that sum to 1."""
    return np.full(count, 1 / count)


def fit_weights(views: Sequence[Floats], right: Codes, *, ridge: float = 1.0) -> Floats:
    """The weights under which the combined views make the right options likeliest.

    A conditional (multinomial) logit over each question's own options (McFadden 1974): the β ≥ 0 that minimize the
    negative log-likelihood `−Σ log softmax(Σ_v β_v · log p_v)[right]`, plus `ridge · Σ (β_v − 1/V)²` for V views. No
    question, or an endless ridge, gives the equal weights. One view has weight 1: there is nothing to weigh it against.

    Args:
        views: (questions, options) log-probabilities each, of models that did not learn these questions.
        right: (questions,) the index of the right option.
        ridge: Strength of the pull to the equal weights, in questions.

    Returns:
        (views,)
    """
    from scipy.optimize import minimize

    start = equal_weights(len(views))
    if len(views) == 1 or not len(right):
        return start
    there = np.isfinite(views[0])
    values = np.stack([np.where(there, view, 0.0) for view in views])  # (views, questions, options)
    rows = np.arange(len(right))
    of_right = values[:, rows, right].sum(axis=1)

    def loss(weights: Floats) -> tuple[float, Floats]:
        posterior = combine(views, weights)
        away = weights - start
        expected = np.einsum("qo,vqo->v", np.exp(posterior), values)
        value = -posterior[rows, right].sum() + ridge * away @ away
        return float(value), expected - of_right + 2 * ridge * away

    fit = minimize(loss, start, jac=True, bounds=[(0.0, None)] * len(views), method="L-BFGS-B")
    found: Floats = np.asarray(fit.x, np.float64)
    return found


def agreement_skills(views: Sequence[Floats]) -> Floats:
    """How good each of three views is, from how often each two of them agree. No ground truth.

    The skill of a view that is right with probability a on questions of K options is `ρ = (K·a − 1)/(K − 1)`: 0 at
    chance, 1 where it is always right. If its errors fall on all wrong options alike, and the views' errors are
    independent given the truth, then two views that agree on a share A have `(K·A − 1)/(K − 1) = ρ_1 · ρ_2`, and three
    views give `ρ_1² = ρ_12 · ρ_13 / ρ_23`. Over questions of different K, `ρ_12` is the mean excess of agreement over
    1/K, by the largest that it can be. A view that took its errors from another breaks the assumption: both then seem
    better than they are.

    Args:
        views: Three, (questions, options) log-probabilities each. Of options that are equally likely to a view each
            counts as its answer in part.

    Returns:
        (3,) from .01 to .999.
    """
    chance = 1 / np.isfinite(views[0]).sum(axis=1)
    chosen = [_chosen(view) for view in views]
    agreed = [
        float(((one * other).sum(axis=1) - chance).sum() / max((1 - chance).sum(), np.finfo(np.float64).tiny))
        for one, other in ((chosen[1], chosen[2]), (chosen[0], chosen[2]), (chosen[0], chosen[1]))
    ]
    if min(agreed) < _LEAST**2:
        logger.warning(
            "two views agree no more often than by chance: what each of three is worth cannot be told from agreement"
        )
    pairs = np.maximum(agreed, _LEAST**2)
    skills: Floats = np.sqrt(pairs.prod()) / pairs
    return np.clip(skills, _LEAST, _MOST)


def _chosen(view: Floats) -> Floats:
    """(questions, options) 1 for the likeliest option; several share it."""
    best = view >= view.max(axis=1, keepdims=True, initial=-np.inf) - _ROUNDING
    shares: Floats = best / np.maximum(best.sum(axis=1, keepdims=True), 1)
    return shares


def skills_to_weights(views: Sequence[Floats], skills: Floats) -> Floats:
    """The weights at which each view is as sure, on average, as its skill says that it is right.

    The weight β of a view makes the mean over the questions of `max_o softmax(β · log p_v)(o)` equal to the mean of
    `1/K + (1 − 1/K) · ρ`. For a view that is right with probability a and gives its answer odds of c to any other it is
    `ln(a (K − 1)/(1 − a)) / ln c`, as for the votes of independent judges: `combine` multiplies them.

    Args:
        views: (questions, options) log-probabilities each.
        skills: (views,)

    Returns:
        (views,)
    """
    chance = 1 / np.isfinite(views[0]).sum(axis=1)
    weights = [
        _sharpness(view, float((chance + (1 - chance) * skill).mean()))
        for view, skill in zip(views, skills, strict=True)
    ]
    return np.array(weights)


def _sharpness(view: Floats, target: float) -> float:
    """The weight that gives a view a mean confidence: it rises with the weight, from chance on."""
    low, high = 0.0, _SHARPEST
    for _ in range(60):
        middle = (low + high) / 2
        if float(np.exp(combine([view], [middle])).max(axis=1).mean()) < target:
            low = middle
        else:
            high = middle
    return (low + high) / 2
