"""Probabilities fitted on answers of known truth: what is put in is found, and what cannot be fitted is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.reliability import Calibration, score_answers
from w2s.reliability.calibrated import fit_calibration
from w2s.tables import ANSWERS

CHOICES = ["a", "b", "c"]


def table(logprobs: Any) -> pa.Table:
    """(questions, variations, options) log-probabilities as answers."""
    rows = [
        {
            "question_id": f"q{question:05}",
            "variation": variation,
            "answer": CHOICES[int(np.argmax(row))],
            "choices": CHOICES,
            "choice_logprobs": list(map(float, row)),
        }
        for question, own in enumerate(logprobs)
        for variation, row in enumerate(own)
    ]
    return pa.Table.from_pylist(rows, schema=ANSWERS)


def drawn(questions: int, *, temperature: float, noise: float = 0.0, seed: int = 0) -> Calibration:
    """Answers that are too sure by a known temperature; with noise, less so where the variations differ."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (questions, len(CHOICES)))
    power = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    right = [CHOICES[rng.choice(len(CHOICES), p=row)] for row in power]
    own = logits[:, None] * temperature + rng.normal(0, noise, (questions, 4, len(CHOICES)))
    return Calibration(table(own), {f"q{number:05}": answer for number, answer in enumerate(right)})


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_the_answers_were_made_with_is_found(temperature: float) -> None:
    found, weight = fit_calibration(drawn(4000, temperature=temperature))
    assert found == pytest.approx(temperature, rel=0.08) and weight == pytest.approx(0, abs=1e-3)


def test_confidence_is_how_often_answers_are_right() -> None:
    calibration, fresh = drawn(2000, temperature=3.0, noise=1.0), drawn(2000, temperature=3.0, noise=1.0, seed=1)
    scored = score_answers(fresh.answers, estimator="calibrated", calibration=calibration)
    right = [fresh.gold[id] == answer for id, answer in zip(*columns(scored, "question_id", "answer"), strict=True)]
    confidence = np.array(scored["confidence"].to_pylist())
    raw = np.array(score_answers(fresh.answers, estimator="probability")["confidence"].to_pylist())
    assert abs(confidence.mean() - np.mean(right)) < 0.02 < 0.1 < raw.mean() - np.mean(right)


def test_a_posterior_by_hand() -> None:
    # Nobody is ever right or wrong by more than chance: the temperature goes where the ridge holds it, and is read off.
    calibration = drawn(30, temperature=1.0)
    temperature, weight = fit_calibration(calibration, ridge=1.0)
    two = np.log([[0.6, 0.3, 0.1], [0.2, 0.6, 0.2]])
    scored = score_answers(table([two]), estimator="calibrated", calibration=calibration)
    spread = two.var(axis=0).mean()
    scores = two.mean(axis=0) / (temperature * math.sqrt(1 + weight * spread))
    expected = np.exp(scores) / np.exp(scores).sum()
    assert scored["posterior"][0].as_py() == pytest.approx(expected.tolist(), abs=1e-6)
    assert scored["confidence"].to_pylist() == pytest.approx([expected[0], expected[1]], abs=1e-6)


def test_a_strong_ridge_leaves_the_probabilities_as_they_are() -> None:
    temperature, weight = fit_calibration(drawn(200, temperature=3.0), ridge=1e9)
    assert temperature == pytest.approx(1, abs=1e-4) and weight == pytest.approx(0, abs=1e-4)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.permutations(range(25)))
def test_the_order_of_the_calibration_is_nothing_to_it(seed: int, order: list[int]) -> None:
    calibration = drawn(25, temperature=2.0, noise=0.5, seed=seed)
    rows = [4 * question + variation for question in order for variation in range(4)]
    shuffled = Calibration(calibration.answers.take(rows), calibration.gold)
    assert fit_calibration(shuffled) == pytest.approx(fit_calibration(calibration), rel=1e-3, abs=1e-3)


def test_too_few_questions_are_refused() -> None:
    calibration = drawn(30, temperature=1.0)
    gold = dict(list(calibration.gold.items())[:19])
    with pytest.raises(InputError, match="expected 20 or more answered questions of weak_train, it has 19"):
        fit_calibration(Calibration(calibration.answers, gold))
    with pytest.raises(InputError, match="ridge -1"):
        score_answers(calibration.answers, estimator="calibrated", calibration=calibration, ridge=-1.0)
    with pytest.raises(InputError, match="needs a calibration"):
        score_answers(calibration.answers, estimator="calibrated")


def columns(of: pa.Table, *names: str) -> list[list[Any]]:
    return [of[name].to_pylist() for name in names]
