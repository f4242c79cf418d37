"""From answers to views, and from views to a posterior: whatever the order of rows, options and questions."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.views import Floats, answers_of, log_softmax
from w2s.errors import InputError
from w2s.reliability.views import Posterior, View, posterior_of, view_of

SIZES = {"q0": 4, "q1": 2, "q2": 3, "q3": 4, "q4": 2}


def drawn(seed: int, variations: int = 3, ids: Mapping[str, int] = SIZES) -> dict[str, Floats]:
    rng = np.random.default_rng(seed)
    return {id: log_softmax(rng.normal(0, 1.5, (variations, size))) for id, size in ids.items()}


def shifted(ids: Mapping[str, int], variations: int = 3) -> dict[str, list[list[int]]]:
    """Where each option stands: one position further in each variation."""
    return {id: [[(o + v) % size for o in range(size)] for v in range(variations)] for id, size in ids.items()}


def by_name(found: Posterior) -> dict[tuple[str, str], float]:
    return {
        (id, option): float(row[place])
        for (id, options), row in zip(found.choices.items(), found.probabilities, strict=True)
        for place, option in enumerate(options)
    }


def known(seed: int, count: int = 40) -> tuple[list[View], dict[str, str]]:
    """Three views of questions of four options whose truth is known; the first is the best."""
    rng = np.random.default_rng(seed)
    right = {f"k{number:02}": "abcd"[rng.integers(4)] for number in range(count)}
    views = []
    for skill in (2.0, 1.0, 0.2):
        scores = {
            id: rng.normal(0, 1, (3, 4)) + skill * (np.array(list("abcd")) == truth) for id, truth in right.items()
        }
        views.append(view_of(answers_of({id: log_softmax(own) for id, own in scores.items()}), "made", debias=False))
    return views, right


def test_a_view_is_the_mean_log_probability_with_the_options_of_each_question() -> None:
    scores = drawn(0)
    view = view_of(answers_of(scores), "weak", debias=False)
    assert view.choices == {id: list("abcd"[:size]) for id, size in SIZES.items()}
    for row, (id, size) in enumerate(SIZES.items()):
        assert view.pooled.mean[row, :size] == pytest.approx(scores[id].mean(axis=0), abs=1e-6)
        assert (view.pooled.mean[row, size:] == -np.inf).all()
        assert view.pooled.variance[row] == pytest.approx(scores[id].var(axis=0).mean(), abs=1e-5)


def test_what_a_position_adds_is_divided_out() -> None:
    rng = np.random.default_rng(1)
    ids = dict.fromkeys((f"q{number:02}" for number in range(30)), 4)
    worth = {id: rng.normal(0, 1, 4) for id in ids}
    places = shifted(ids, 2)  # of four orders: the mean over them keeps some of the prior
    prior = np.array([2.0, -0.5, -0.5, -1.0])
    scores = {id: log_softmax([worth[id] + prior[at] for at in places[id]]) for id in ids}
    answers = answers_of(scores, positions=places)
    expected = np.array([log_softmax(own) for own in worth.values()])
    assert view_of(answers, "weak").pooled.mean == pytest.approx(expected, abs=1e-5)
    assert np.abs(view_of(answers, "weak", debias=False).pooled.mean - expected).max() > 0.5


@settings(max_examples=25)
@given(st.integers(0, 1000), st.randoms(use_true_random=False), st.permutations(range(4)), st.booleans())
def test_orders_of_rows_and_options_and_their_names_change_nothing(
    seed: int, random: Any, order: list[int], debias: bool
) -> None:
    names = dict(zip("abcd", ("Oslo", "Lima", "Rome", "Kyiv"), strict=True))
    places = shifted(SIZES)
    (known_views, truth), found = known(seed), []
    for moved in (False, True):
        tables = []
        for number in range(3):
            table = answers_of(drawn(seed + number), positions=places)
            if moved:
                rows = table.to_pylist()
                random.shuffle(rows)
                table = pa.Table.from_pylist([renamed(row, names, order) for row in rows], schema=table.schema)
            tables.append(view_of(table, "model", debias=debias))
        found.append(posterior_of(tables, known_views, truth))
    one, other = (by_name(posterior) for posterior in found)
    assert {(id, names[option]): value for (id, option), value in one.items()} == pytest.approx(other, abs=1e-6)


def renamed(row: dict[str, Any], names: Mapping[str, str], order: list[int]) -> dict[str, Any]:
    """A row with its options under other names, listed in another order, each at its old position in the prompt."""
    kept = [place for place in order if place < len(row["choices"])]
    lists = {name: [row[name][place] for place in kept] for name in ("choice_logprobs", "positions", "completions")}
    return {**row, **lists, "choices": [names[row["choices"][place]] for place in kept], "answer": names[row["answer"]]}


def test_views_that_list_options_and_questions_otherwise_are_aligned() -> None:
    scores = drawn(2)
    weak = view_of(answers_of(scores), "weak")
    rows = [
        renamed(row, dict(zip("abcd", "abcd", strict=True)), [3, 1, 0, 2]) for row in answers_of(scores).to_pylist()
    ]
    other = view_of(pa.Table.from_pylist(rows[::-1], schema=answers_of(scores).schema), "untrained")
    assert other.choices["q0"] == list("dbac")
    assert other.at(weak.choices).pooled.mean == pytest.approx(weak.pooled.mean)


@pytest.mark.parametrize("weights", ["fitted", "equal"])
def test_one_view_is_that_view(weights: str) -> None:
    view = view_of(answers_of(drawn(3)), "weak")
    views, truth = known(0)
    plain = posterior_of([view], weights=weights, variance=False)
    assert plain.probabilities == pytest.approx(np.exp(log_softmax(view.pooled.mean)))
    calibrated = posterior_of([view], views[:1], truth, weights=weights)
    (precision,) = calibrated.precisions
    assert calibrated.weights.tolist() == [1.0] and precision.temperature != 1
    assert calibrated.probabilities == pytest.approx(np.exp(precision.log_posterior(view.pooled)))


def test_the_best_view_weighs_most_and_the_worst_least() -> None:
    views, truth = known(1, count=400)
    fitted = posterior_of(views, views, truth, variance=False)
    assert fitted.weights[0] > fitted.weights[1] > fitted.weights[2]
    temperatures = [precision.temperature for precision in posterior_of(views, views, truth).precisions]
    assert temperatures == sorted(temperatures), "the less a view is right, the less sure it is made"
    agreed = posterior_of(views, weights="agreement", variance=False)
    assert np.argsort(agreed.weights).tolist() == [2, 1, 0]
    assert posterior_of(views, weights="equal", variance=False).weights == pytest.approx([1 / 3] * 3)


def test_variations_that_differ_make_a_question_count_less() -> None:
    rng = np.random.default_rng(5)
    truth = {f"k{number:03}": "abcd"[rng.integers(4)] for number in range(300)}
    steady = rng.random(300) < 0.5
    scores = {}
    for (id, right), is_steady in zip(truth.items(), steady, strict=True):
        own = 2.5 * (np.array(list("abcd")) == (right if is_steady else rng.choice(list("abcd"))))
        scores[id] = log_softmax(own + rng.normal(0, 0.1 if is_steady else 2.0, (4, 4)))
    view = view_of(answers_of(scores), "weak", debias=False)
    by_variance, plain = (posterior_of([view], [view], truth, variance=variance) for variance in (True, False))
    assert by_variance.precisions[0].spread > 0.1
    sure = {name: found.probabilities.max(axis=1) for name, found in (("by", by_variance), ("plain", plain))}
    assert sure["by"][steady].mean() - sure["by"][~steady].mean() > 0.15
    assert sure["plain"][~steady].mean() > sure["by"][~steady].mean() + 0.1


def test_few_known_questions_are_said_and_change_little(caplog: pytest.LogCaptureFixture) -> None:
    views, truth = known(2, count=3)
    with caplog.at_level(logging.WARNING):
        found = posterior_of(views, views, truth)
    assert "views are weighed on 3 questions of weak_train" in caplog.text
    assert found.weights == pytest.approx([1 / 3] * 3, abs=0.5)


def refused(said: str, make: Any) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert said in str(caught.value)


def test_what_cannot_be_a_view_is_refused() -> None:
    table = answers_of(drawn(6))
    people = table.set_column(table.column_names.index("choice_logprobs"), "choice_logprobs", pa.nulls(table.num_rows))
    refused(
        "the weak answers: a row has no choice_logprobs; expected answers of a model", lambda: view_of(people, "weak")
    )
    refused("the weak answers: a row has no choices", lambda: view_of(table.drop_columns(["choices"]), "weak"))
    refused("positions are None", lambda: view_of(table.drop_columns(["positions"]), "weak"))


def test_views_of_other_questions_or_options_are_refused() -> None:
    weak = view_of(answers_of(drawn(7)), "weak")
    fewer = view_of(answers_of(drawn(7, ids={"q0": 4})), "untrained")
    other = view_of(answers_of(drawn(7), choices=("x", "b", "c", "d")), "untrained")
    refused(
        "the untrained answers: question 'q1' is missing",
        lambda: posterior_of([weak, fewer], variance=False, weights="equal"),
    )
    refused("question 'q0': choices are", lambda: posterior_of([weak, other], variance=False, weights="equal"))


def test_settings_that_do_not_fit_are_refused() -> None:
    weak = view_of(answers_of(drawn(8)), "weak")
    refused("did you mean 'fitted'", lambda: posterior_of([weak], weights="fited"))
    refused("expected three views, there are 2", lambda: posterior_of([weak, weak], weights="agreement"))
    refused(
        "2 views are fitted to answers of known truth: expected those of each, not of 0",
        lambda: posterior_of([weak] * 2),
    )
