"""Re-weighting: every answer, by its confidence."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from support.selecting import (
    SPLIT,
    UNANIMOUS,
    chosen,
    scored_of,
    with_scores,
)
from w2s.errors import InputError
from w2s.methods.filtering import filter_uncertain
from w2s.methods.reweighting import reweight, reweight_sampled
from w2s.methods.selection import candidates_from


def test_reweighting_weighs_each_answer_by_its_reliability() -> None:
    scored = scored_of(UNANIMOUS + SPLIT)
    training = reweight(scored)
    assert chosen(training) == list(zip(*(scored[c].to_pylist() for c in ("question_id", "variation")), strict=True))
    np.testing.assert_allclose(training.table["weight"].to_numpy(), scored["reliability"].to_numpy(), rtol=1e-6)


def test_sampled_reweighting_keeps_the_weights() -> None:
    scored = scored_of(UNANIMOUS + SPLIT)
    weight = {(row["question_id"], row["variation"]): row["reliability"] for row in scored.to_pylist()}
    training = reweight_sampled(scored)
    assert training.selection.rows == 4
    for row in training.table.to_pylist():
        assert row["weight"] == pytest.approx(weight[row["question_id"], row["variation"]])


def test_sampled_reweighting_draws_all_rows_alike() -> None:
    scored = scored_of(UNANIMOUS + SPLIT)
    draws = [row for seed in range(300) for row in chosen(reweight_sampled(scored, seed=seed))]
    frequency = np.array([draws.count(row) for row in set(draws)]) / 300
    assert len(frequency) == 12
    assert np.all(np.abs(frequency - 4 / 12) < 0.12)


def test_a_confidence_that_is_none_and_a_negative_weight_are_refused() -> None:
    scored = scored_of([["a", "b"]])
    for wrong in (-0.5, 1.5):
        with pytest.raises(InputError, match=rf"scored answers, row 2: confidence is {wrong}, expected a number from"):
            reweight(with_scores(scored, confidence=[0.5, wrong]))
    weighted = candidates_from(scored.append_column("mine", pa.array([1.5, -0.5])))
    with pytest.raises(InputError, match=r"mine -0\.5: expected weights of 0 or more"):
        weighted.training_set("by weights of my own", weight="mine")


def test_methods_read_confidence_and_uncertainty_whatever_estimator_they_are_of() -> None:
    # The votes say otherwise: by them the second question is the certain one.
    scored = with_scores(
        scored_of([["a", "b"], ["a", "a"]]),
        confidence=[0.9, 0.8, 0.2, 0.1],
        uncertainty=[0.0, 0.0, 0.5, 0.5],
    )
    assert chosen(filter_uncertain(scored, quantile=0.0)) == [("q0", 0), ("q0", 1)]
    assert reweight(scored).table["weight"].to_pylist() == pytest.approx([0.9, 0.8, 0.2, 0.1])


def test_scores_of_an_older_table_are_those_of_the_votes() -> None:
    scored = scored_of(UNANIMOUS + SPLIT)
    older = scored.drop_columns(["confidence", "uncertainty"])
    for selector in (filter_uncertain, reweight):
        assert selector(older).table.equals(selector(scored).table)
