"""Dawid–Skene: by hand, against another implementation, on data drawn from its model, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.reliability import check_answers, score_answers
from w2s.reliability.dawid_skene import DawidSkene, fit_dawid_skene

WEAK_PRIOR = {"prior": 1e-9, "pull": 1e-9}  # the maximum of the likelihood


def table_of(rows: list[tuple[str, str, str | None]], **columns: list[Any]) -> pa.Table:
    """Answers from (question, supervisor, answer); the variation numbers a supervisor's answers to a question."""
    seen: dict[tuple[str, str], int] = {}
    variation = []
    for question, supervisor, _ in rows:
        seen[question, supervisor] = seen.get((question, supervisor), -1) + 1
        variation.append(seen[question, supervisor])
    question_id, supervisor_names, answer = (list(column) for column in zip(*rows, strict=True))
    names = {"question_id": question_id, "variation": variation, "answer": pa.array(answer, pa.string())}
    return pa.table({**names, "supervisor": supervisor_names, **columns})


def drawn(
    *, questions: int, each: int, confusion: npt.NDArray[np.float64], seed: int
) -> tuple[pa.Table, npt.NDArray[np.int64]]:
    """Answers drawn from the model: `confusion` (annotators, labels, answers), and the truth (questions,)."""
    rng = np.random.default_rng(seed)
    annotators, labels, _ = confusion.shape
    truth = rng.integers(0, labels, questions)
    who = np.array([rng.permutation(annotators)[:each] for _ in range(questions)])
    below = rng.random((questions, each, 1)) > np.cumsum(confusion[who, truth[:, None]], axis=2)
    answer = np.minimum(below.sum(axis=2), labels - 1)
    rows = [(f"q{q}", f"a{who[q, i]}", f"l{answer[q, i]}") for q in range(questions) for i in range(each)]
    return table_of(rows), truth


def matrices(accuracies: list[float], labels: int, *, favourite: float) -> npt.NDArray[np.float64]:
    """Confusion matrices in which that share of the errors is the next label, the rest the others alike."""
    made = []
    for accuracy in accuracies:
        wrong = (1 - accuracy) * (favourite * np.roll(np.eye(labels), 1, axis=1) + (1 - favourite) / labels)
        matrix = wrong + accuracy * np.eye(labels)
        made.append(matrix / matrix.sum(axis=1, keepdims=True))
    return np.array(made)


def labelled(found: DawidSkene) -> npt.NDArray[np.int64]:
    """The most probable label of each question of `drawn`, in order."""
    best = found.posterior.reshape(-1, len(found.labels)).argmax(axis=1)
    return np.array([int(label[1:]) for label in found.labels])[best]


def majority_right(table: pa.Table, truth: npt.NDArray[np.int64]) -> float:
    """How often the majority is right, ties drawn."""
    labels = truth.max() + 1
    counts = np.zeros((len(truth), labels))
    for row in table.to_pylist():
        counts[int(row["question_id"][1:]), int(row["answer"][1:])] += 1
    best = counts == counts.max(axis=1, keepdims=True)
    return float((best[np.arange(len(truth)), truth] / best.sum(axis=1)).mean())


def test_one_step_of_the_one_coin_form_is_that_by_hand() -> None:
    """Two questions with options x, y, z; three supervisors; the first M-step and E-step done on paper."""
    rows = [("q0", "a", "x"), ("q0", "b", "x"), ("q0", "c", "y"), ("q1", "a", "z"), ("q1", "b", "z"), ("q1", "c", "z")]
    table = table_of(rows, choices=[["x", "y", "z"]] * 6)
    found = fit_dawid_skene(check_answers(table), form="one-coin", prior=4, max_iterations=1)
    # Vote shares: 2/3 for x and 1/3 for y of q0, 1 for z of q1. As though 3 of 4 more answers were right:
    a, c = (2 / 3 + 1 + 3) / 6, (1 / 3 + 1 + 3) / 6
    assert found.accuracy.tolist() == pytest.approx([a, a, c])
    x, y, z = a * a * (1 - c) / 2, ((1 - a) / 2) ** 2 * c, ((1 - a) / 2) ** 2 * (1 - c) / 2
    first = [x / (x + y + z), y / (x + y + z), z / (x + y + z)]
    right, wrong = a * a * c, ((1 - a) / 2) ** 2 * (1 - c) / 2
    second = [wrong / (right + 2 * wrong)] * 2 + [right / (right + 2 * wrong)]
    assert found.posterior.tolist() == pytest.approx(first + second, abs=1e-9)


def test_one_step_of_the_full_form_is_that_by_hand() -> None:
    rows = [("q0", "a", "x"), ("q0", "b", "x"), ("q1", "a", "x"), ("q1", "b", "y")]
    found = fit_dawid_skene(check_answers(table_of(rows)), form="full", prior=2, pull=1, max_iterations=1)
    # Vote shares of x: 1 and 1/2. As though each label had two questions more, each supervisor two answers more.
    assert found.confusion is not None
    accuracy_a, accuracy_b = (1 + 0.5 + 1.5) / 4, (1 + 0.5 + 1.5) / 4
    # a says x to both: where the truth is x 1.5 times, and one answer more at its accuracy.
    confusion_a = [[(1.5 + accuracy_a) / 2.5, (1 - accuracy_a) / 2.5], [(0.5 + 1 - accuracy_a) / 1.5, accuracy_a / 1.5]]
    confusion_b = [
        [(1 + accuracy_b) / 2.5, (0.5 + 1 - accuracy_b) / 2.5],
        [(1 - accuracy_b) / 1.5, (0.5 + accuracy_b) / 1.5],
    ]
    assert found.confusion[0] == pytest.approx(np.array(confusion_a))
    assert found.confusion[1] == pytest.approx(np.array(confusion_b))
    prevalence = [3.5 / 6, 2.5 / 6]
    x = prevalence[0] * confusion_a[0][0] * confusion_b[0][0]
    y = prevalence[1] * confusion_a[1][0] * confusion_b[1][0]
    assert found.posterior[:2].tolist() == pytest.approx([x / (x + y), y / (x + y)], abs=1e-9)


def test_the_full_form_without_a_prior_is_crowd_kits() -> None:
    pytest.importorskip("crowdkit")
    import pandas as pd
    from crowdkit.aggregation import DawidSkene as Theirs

    table, _ = drawn(questions=300, each=5, confusion=matrices([0.9, 0.9, 0.85, 0.8, 0.7], 3, favourite=0.6), seed=1)
    names = {"question_id": "task", "supervisor": "worker", "answer": "label"}
    frame = pd.DataFrame({theirs: table[ours].to_pylist() for ours, theirs in names.items()})
    theirs = Theirs(n_iter=40, tol=-math.inf).fit_predict_proba(frame)  # it would end where its bound falls by a bit
    found = fit_dawid_skene(check_answers(table), form="full", **WEAK_PRIOR, tolerance=1e-9, max_iterations=10_000)
    ids = table["question_id"].unique().to_pylist()
    assert found.posterior.reshape(-1, 3) == pytest.approx(theirs.loc[ids, list(found.labels)].to_numpy(), abs=1e-4)


def test_confusion_matrices_are_recovered() -> None:
    truth_of = matrices([0.95, 0.85, 0.75, 0.6, 0.5], 3, favourite=0.8)
    table, truth = drawn(questions=4000, each=4, confusion=truth_of, seed=2)
    found = fit_dawid_skene(check_answers(table))
    assert found.form == "full" and found.confusion is not None
    assert found.confusion == pytest.approx(truth_of, abs=0.04)
    assert found.accuracy.tolist() == pytest.approx(np.trace(truth_of, axis1=1, axis2=2) / 3, abs=0.03)
    assert (labelled(found) == truth).mean() > majority_right(table, truth) + 0.03
    confidence = found.posterior.reshape(-1, 3).max(axis=1)
    assert confidence.mean() == pytest.approx((labelled(found) == truth).mean(), abs=0.01)  # as sure as it is right


@pytest.mark.parametrize("form", ["full", "one-coin"])
@pytest.mark.parametrize(("questions", "annotators", "each"), [(300, 3, 3), (60, 10, 5), (400, 100, 5)])
def test_it_does_not_lose_to_the_majority_on_small_data(form: str, questions: int, annotators: int, each: int) -> None:
    ours, theirs = [], []
    for seed in range(6):
        skills = np.random.default_rng(seed).uniform(0.4, 0.95, annotators).tolist()
        table, truth = drawn(
            questions=questions, each=each, confusion=matrices(skills, 4, favourite=0.3), seed=seed + 10
        )
        scored = score_answers(table, estimator="dawid-skene", form=form)
        best: dict[str, tuple[float, str]] = {}
        for row in scored.to_pylist():
            best[row["question_id"]] = max(best.get(row["question_id"], (-1.0, "")), (row["confidence"], row["answer"]))
        ours.append(np.mean([best[f"q{q}"][1] == f"l{label}" for q, label in enumerate(truth)]))
        theirs.append(majority_right(table, truth))
    assert np.mean(ours) >= np.mean(theirs)


def test_a_spammer_is_found_out_and_a_careful_minority_believed() -> None:
    table, truth = drawn(questions=600, each=5, confusion=matrices([0.97, 0.95, 0.2, 0.2, 0.2], 5, favourite=0), seed=3)
    found = fit_dawid_skene(check_answers(table))
    assert found.accuracy[:2].min() > 0.85 and found.accuracy[2:].max() < 0.5
    assert (labelled(found) == truth).mean() > majority_right(table, truth) + 0.07


ROWS = st.lists(
    st.tuples(st.sampled_from("pqrst"), st.sampled_from("abc"), st.sampled_from(["x", "y", "z", None])),
    min_size=2,
    max_size=25,
).filter(lambda rows: len({row[1] for row in rows}) > 1 and any(row[2] for row in rows))


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from(["full", "one-coin"]), st.randoms())
def test_neither_the_order_of_rows_nor_names_change_a_thing(rows: list[Any], form: str, random: Any) -> None:
    scored = score_answers(table_of(rows), estimator="dawid-skene", form=form).to_pylist()
    order = list(range(len(rows)))
    random.shuffle(order)
    renamed = {"p": "z9", "q": "a", "r": "m", "s": "0", "t": "~", "a": "w", "b": "é", "c": "a", None: None}
    renamed |= {"x": "Z", "y": "A", "z": "m"}
    others = [tuple(renamed[part] for part in rows[place]) for place in order]
    again = score_answers(table_of(others), estimator="dawid-skene", form=form).to_pylist()
    for place, row in zip(order, again, strict=True):
        assert row["confidence"] == pytest.approx(scored[place]["confidence"], abs=1e-6)
        assert row["uncertainty"] == pytest.approx(scored[place]["uncertainty"], abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from(["full", "one-coin"]))
def test_the_scores_are_probabilities(rows: list[Any], form: str) -> None:
    scored = score_answers(table_of(rows), estimator="dawid-skene", form=form)
    assert scored.num_rows == len(rows)
    for row in scored.to_pylist():
        assert 0 <= row["confidence"] <= 1 and (row["answer"] is not None or row["confidence"] == 0)
        assert 0 <= row["uncertainty"] <= math.log(4) + 1e-9
        if form == "full":
            assert sum(row["posterior"]) == pytest.approx(1)
            assert row["answer"] is None or row["posterior"][row["choices"].index(row["answer"])] == row["confidence"]


def test_the_posterior_is_in_the_order_of_each_rows_choices() -> None:
    rows = [("q0", "a", "x"), ("q0", "b", "x"), ("q0", "c", "y")]
    table = table_of(rows, choices=[["x", "y", "z"], ["z", "x", "y"], ["y", "z", "x"]])
    scored = score_answers(table, estimator="dawid-skene", form="one-coin").to_pylist()
    by_option = [dict(zip(row["choices"], row["posterior"], strict=True)) for row in scored]
    assert by_option[0] == by_option[1] == by_option[2]
    assert by_option[0]["x"] > by_option[0]["y"] > by_option[0]["z"] > 0
    assert scored[0]["confidence"] == by_option[0]["x"] and scored[2]["confidence"] == by_option[0]["y"]


def test_options_that_differ_by_question_take_one_coin_and_the_same_ones_a_matrix() -> None:
    rows = [("q0", "a", "x"), ("q0", "b", "y"), ("q1", "a", "y"), ("q1", "b", "y")]
    same = table_of(rows, choices=[["x", "y"], ["y", "x"], ["x", "y"], ["x", "y"]])
    differ = table_of(rows, choices=[["x", "y"], ["x", "y"], ["y", "z"], ["y", "z"]])
    assert fit_dawid_skene(check_answers(same)).form == "full"
    assert fit_dawid_skene(check_answers(differ)).form == "one-coin"
    with pytest.raises(InputError, match="questions have different choices"):
        fit_dawid_skene(check_answers(differ), form="full")
    free = [(f"q{q}", who, f"{q} apples") for q in range(20) for who in "ab"]
    assert fit_dawid_skene(check_answers(table_of(free))).form == "one-coin"
    labels = [(f"q{q}", who, ["yes", "no"][q % 2]) for q in range(20) for who in "ab"]
    assert fit_dawid_skene(check_answers(table_of(labels))).form == "full"
    many = table_of(rows, choices=[["x", "y", *map(str, range(49))]] * 4)
    assert fit_dawid_skene(check_answers(many)).form == "one-coin"


def test_an_answer_alone_is_as_probable_as_its_supervisor_is_accurate() -> None:
    rows = [(f"q{q}", who, f"{q}") for q in range(20) for who in "ab"] + [("alone", "a", "7")]
    found = fit_dawid_skene(check_answers(table_of(rows)), form="one-coin")
    scored = score_answers(table_of(rows), estimator="dawid-skene", form="one-coin").to_pylist()
    assert scored[-1]["confidence"] == pytest.approx(found.accuracy[0], abs=1e-6)


def test_many_answers_of_one_supervisor_have_one_vote() -> None:
    rows = [(f"q{q}", who, "xy"[q % 2]) for q in range(20) for who in "abc"]
    once = [*rows, ("t", "a", "x"), ("t", "b", "y"), ("t", "c", "y")]
    ten_times = [*rows, *[("t", "a", "x")] * 10, ("t", "b", "y"), ("t", "c", "y")]
    for form in ("full", "one-coin"):
        few, many = (
            score_answers(table_of(given), estimator="dawid-skene", form=form).to_pylist()[-1]["confidence"]
            for given in (once, ten_times)
        )
        assert many == pytest.approx(few, abs=1e-6) and few > 0.5


def test_unparsed_answers_follow_the_rule_that_was_chosen() -> None:
    rows: list[tuple[str, str, str | None]] = [(f"q{q}", who, "xy"[q % 2]) for q in range(20) for who in "abc"]
    rows += [("t", "a", None), ("t", "b", "y"), ("t", "c", "y"), ("none", "a", None), ("none", "b", None)]
    as_class = score_answers(table_of(rows), estimator="dawid-skene")
    assert as_class.num_rows == len(rows) and as_class["confidence"][60].as_py() == 0
    assert len(as_class["choices"][0]) == 2  # what could not be parsed is no label that could be right
    assert as_class["posterior"][63].as_py() == pytest.approx([0.5, 0.5], abs=0.05)  # nobody gave an answer
    assert as_class["confidence"][61].as_py() > 0.9
    assert score_answers(table_of(rows), estimator="dawid-skene", unparsed="drop_answer").num_rows == len(rows) - 3
    dropped = score_answers(table_of(rows), estimator="dawid-skene", unparsed="drop_question")
    assert set(dropped["question_id"].to_pylist()) == {f"q{q}" for q in range(20)}


def test_unanimity_gives_confidence_and_tables_of_nothing_stay_so() -> None:
    rows = [(f"q{q}", who, "same") for q in range(3) for who in "abc"]
    for form in ("full", "one-coin"):
        confidence = score_answers(table_of(rows), estimator="dawid-skene", form=form)["confidence"].to_pylist()
        assert min(confidence) > 0.95
    assert score_answers(table_of(rows).slice(0, 0), estimator="dawid-skene").num_rows == 0
    nothing = table_of([("q", "a", None), ("q", "b", None)])
    assert score_answers(nothing, estimator="dawid-skene")["confidence"].to_pylist() == [0, 0]
    with pytest.raises(InputError, match="none of the answers could be parsed"):
        score_answers(nothing, estimator="dawid-skene", form="full")


def test_one_supervisor_is_refused_and_told_what_it_means() -> None:
    table = table_of([("q", "only", "x"), ("q", "only", "y")])
    said = "all answers are of 'only'. Several answers of one supervisor err together, and are no supervisors"
    with pytest.raises(InputError, match=said):
        score_answers(table, estimator="dawid-skene")
    with pytest.raises(InputError, match="expected a column 'supervisor'"):
        score_answers(table.drop_columns(["supervisor"]), estimator="dawid-skene")


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("form", "coin", "unknown form of Dawid-Skene 'coin': expected one of auto, full, one-coin; did you mean"),
        ("prior", 0.0, "prior 0.0: expected a number above 0"),
        ("pull", -1.0, "pull -1.0: expected a number above 0"),
        ("tolerance", math.nan, "tolerance nan: expected a number above 0"),
        ("max_iterations", 0, "max_iterations 0: expected a number above 0"),
    ],
)
def test_settings_out_of_range_are_refused(setting: str, value: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        score_answers(table_of([("q", "a", "x"), ("q", "b", "y")]), estimator="dawid-skene", **{setting: value})


def test_rows_that_fit_no_question_are_named() -> None:
    rows: list[tuple[str, str, str | None]] = [("q", "a", "x"), ("q", "b", "yy")]
    with pytest.raises(InputError, match=r"answer in row 2 of the answers table, 'yy': .* did you mean 'y'"):
        score_answers(table_of(rows, choices=[["x", "y"]] * 2), estimator="dawid-skene")
    for other in (["x", "yy", "z"], ["x", "x"], ["x"]):
        with pytest.raises(InputError, match="expected each of the choices of the question's other rows once"):
            score_answers(table_of(rows, choices=[["x", "yy"], other]), estimator="dawid-skene")
    nameless = table_of([("q", "a", "x"), ("q", "b", "y"), ("q", "c", "y")])
    nameless = nameless.set_column(3, "supervisor", pa.array(["a", "b", None]))
    with pytest.raises(InputError, match="row 3: expected a supervisor, it is null"):
        score_answers(nameless, estimator="dawid-skene")


def test_an_end_without_convergence_is_said(caplog: pytest.LogCaptureFixture) -> None:
    table, _ = drawn(questions=50, each=3, confusion=matrices([0.7, 0.6, 0.6], 3, favourite=0.5), seed=4)
    score_answers(table, estimator="dawid-skene", max_iterations=2)
    assert "2 iterations did not reach the tolerance" in caplog.text
