"""Annotators compared: agreement by hand and by plain loops, and what the comparison says of them."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.reliability import check_answers
from w2s.reliability.annotators import Annotators, compare_annotators
from w2s.reliability.ballots import ballots_of
from w2s.report.annotators import annotators_verdict


def table_of(rows: list[tuple[str, str, str | None]]) -> pa.Table:
    """Answers from (question, annotator, answer), each a variation of its own."""
    question, annotator, answer = (list(column) for column in zip(*rows, strict=True))
    names = {"question_id": question, "variation": list(range(len(rows))), "answer": pa.array(answer, pa.string())}
    return pa.table({**names, "supervisor": annotator})


def by_column(**given: str) -> pa.Table:
    """Answers of an annotator each, a letter a question; "." is missing."""
    return table_of([(f"q{q}", who, a) for who, all_of in given.items() for q, a in enumerate(all_of) if a != "."])


def test_alpha_is_krippendorffs_in_his_own_examples() -> None:
    """Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, A and C."""
    assert compare_annotators(by_column(meg="0100000010", owen="1110010000")).alpha == pytest.approx(0.095, abs=5e-4)
    four = by_column(a="123321412...", b="1233224125.3", c=".3332342251.", d="12332441251.")
    assert compare_annotators(four).alpha == pytest.approx(0.743, abs=5e-4)


def test_alpha_of_full_agreement_is_one_and_of_one_label_undefined() -> None:
    assert compare_annotators(by_column(a="xyx", b="xyx")).alpha == 1
    assert compare_annotators(by_column(a="xxx", b="xxx")).alpha is None


def test_each_annotator_is_compared_with_the_others_alone() -> None:
    found = compare_annotators(by_column(a="xxyx", b="xxyy", c="xyy."))
    one = {annotator.name: annotator for annotator in found.annotators}
    # q0 all x; q1 x x y; q2 all y; q3 x y.
    assert one["a"].agreement == pytest.approx((1 + 1 / 2 + 1 + 0) / 4)
    assert one["c"].agreement == pytest.approx((1 + 0 + 1) / 3)
    # The others of a: xx, xy (a tie), yy, y. Of c: xx, xx, yy.
    assert (one["a"].majority_accuracy, one["a"].majority_questions) == (pytest.approx(2 / 3), 3)
    assert (one["c"].majority_accuracy, one["c"].majority_questions) == (pytest.approx(2 / 3), 3)
    assert (found.compared, found.unanimous, found.ties) == (4, 2, 1)
    assert {pair.annotators: (pair.questions, pair.disagreement) for pair in found.pairs} == {
        ("a", "b"): (4, 0.25),
        ("a", "c"): (3, pytest.approx(1 / 3)),
        ("b", "c"): (3, pytest.approx(1 / 3)),
    }
    assert [(one.question_id, one.votes, one.majority) for one in found.disputed] == [
        ("q3", {"x": 1, "y": 1}, None),
        ("q1", {"x": 2, "y": 1}, "x"),
    ]


ROWS = st.lists(
    st.tuples(st.sampled_from("pqrs"), st.sampled_from("abcd"), st.sampled_from("xyz")), min_size=1, max_size=25
)


@settings(max_examples=80, deadline=None)
@given(ROWS)
def test_the_numbers_are_those_of_plain_loops(rows: list[Any]) -> None:
    """An annotator's several answers to a question share one vote."""
    ballots = ballots_of(check_answers(table_of(rows)))
    share: dict[tuple[str, str], dict[str, float]] = {}
    for question, who, _ in rows:
        own = [answer for q, w, answer in rows if (q, w) == (question, who)]
        share[question, who] = {answer: count / len(own) for answer, count in Counter(own).items()}
    agreement, compared = ballots.with_others()
    majority, decided = ballots.with_majority_of_others()
    for index, who in enumerate(ballots.annotators):
        same, with_most = [], []
        for question in {q for q, w in share if w == who}:
            own = share[question, who]
            others = [votes for (q, w), votes in share.items() if q == question and w != who]
            if not others:
                continue
            total = {label: sum(votes.get(label, 0) for votes in others) for label in "xyz"}
            same.append(sum(own.get(label, 0) * total[label] for label in "xyz") / len(others))
            most = [label for label in "xyz" if total[label] > max(total.values()) - 1e-9]
            if len(most) == 1:
                with_most.append(own.get(most[0], 0))
        assert (compared[index], decided[index]) == (len(same), len(with_most))
        assert agreement[index] == pytest.approx(np.mean(same) if same else 0)
        assert majority[index] == pytest.approx(np.mean(with_most) if with_most else 0)
    first, second, questions, agreed = ballots.pairs()
    found = {
        (ballots.annotators[i], ballots.annotators[j]): (n, same)
        for i, j, n, same in zip(first, second, questions, agreed, strict=True)
    }
    for a, b in combinations(ballots.annotators, 2):
        both = [q for q, w in share if w == a and (q, b) in share]
        expected = sum(share[q, a].get(label, 0) * share[q, b].get(label, 0) for q in both for label in "xyz")
        assert found.get((a, b), (0, 0)) == (len(both), pytest.approx(expected))


def with_options(table: pa.Table, choices: dict[str, str]) -> pa.Table:
    lists = [list(choices[id]) for id in table["question_id"].to_pylist()]
    return table.append_column("choices", pa.array(lists, pa.list_(pa.string())))


def test_kappa_is_cohens_of_the_questions_of_both() -> None:
    """Twenty yes, five, ten and fifteen no: agreement .7, by chance .5."""
    left, right = "y" * 25 + "n" * 25, "y" * 20 + "n" * 5 + "y" * 10 + "n" * 15
    (pair,) = compare_annotators(by_column(a=left + "y..", b=right + ".yy")).pairs
    assert (pair.questions, pair.agreement, pair.kappa) == (50, pytest.approx(0.7), pytest.approx(0.4))
    assert pair.disagreement == pytest.approx(0.3)
    (same,) = compare_annotators(by_column(a="yyy", b="yyy")).pairs
    assert (same.agreement, same.kappa) == (1, None)  # as chance alone would have it


def test_where_each_question_has_options_of_its_own_chance_is_a_guess_among_them() -> None:
    answers = table_of([("p", "a", "x"), ("p", "b", "x"), ("q", "a", "u"), ("q", "b", "v")])
    (pair,) = compare_annotators(with_options(answers, {"p": "xy", "q": "uvwz"})).pairs
    assert pair.kappa == pytest.approx((1 / 2 - 3 / 8) / (1 - 3 / 8))
    (fixed,) = compare_annotators(with_options(answers, {"p": "xyuv", "q": "uvxy"})).pairs
    assert fixed.kappa == pytest.approx((1 / 2 - 1 / 4) / (1 - 1 / 4))  # both say x once; a says u and b v


def test_several_answers_of_one_count_by_the_most_frequent_and_the_first_of_a_tie() -> None:
    rows = [("p", "a", "x"), ("p", "a", "y"), ("p", "a", "y"), ("q", "a", "x"), ("q", "a", "y"), ("r", "a", "z")]
    found = compare_annotators(table_of([*rows, *[(question, "b", "y") for question in "pq"]]))
    (pair,) = found.pairs
    assert (pair.questions, pair.agreement, pair.disagreement) == (2, 0.5, pytest.approx((1 / 3 + 1 / 2) / 2))
    one = {annotator.name: annotator for annotator in found.annotators}
    assert one["a"].self_agreement == pytest.approx((1 / 3 + 0) / 2)  # of p one pair in three, of q none; r has no pair
    assert one["b"].self_agreement is None
    given = {disputed.question_id: disputed.answers for disputed in found.disputed}
    assert given["p"] == {"a": {"y": 2, "x": 1}, "b": {"y": 1}} and list(given["p"]["a"]) == ["y", "x"]


@settings(max_examples=80, deadline=None)
@given(ROWS, st.randoms())
def test_modal_answers_and_kappa_are_those_of_plain_loops_in_any_order(rows: list[Any], dice: Any) -> None:
    table = table_of(rows)
    order = list(range(len(rows)))
    dice.shuffle(order)
    found = compare_annotators(table.take(order), most_pairs=100)
    own: dict[tuple[str, str], list[str]] = {}
    for question, who, answer in rows:  # a row's number is its variation
        own.setdefault((who, question), []).append(answer)
    modal = {cell: max(given, key=lambda one, given=given: (given.count(one), -given.index(one)))
             for cell, given in own.items()}  # fmt: skip
    for one in found.annotators:
        alike = [
            np.mean([x == y for x, y in combinations(given, 2)])
            for (who, _), given in own.items()
            if who == one.name and len(given) > 1
        ]
        assert one.self_agreement == (pytest.approx(np.mean(alike)) if alike else None)
    for pair in found.pairs:
        a, b = pair.annotators
        both = [q for who, q in own if who == a and (b, q) in own]
        share = np.mean([modal[a, q] == modal[b, q] for q in both])
        chance = sum(
            np.mean([modal[a, q] == label for q in both]) * np.mean([modal[b, q] == label for q in both])
            for label in "xyz"
        )
        assert pair.agreement == pytest.approx(share)
        assert pair.kappa == (None if chance == 1 else pytest.approx((share - chance) / (1 - chance)))


def test_the_better_annotators_are_estimated_to_be_better() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 300)
    skills = {"ann": 0.92, "bob": 0.88, "carl": 0.5}
    rows = [
        (f"q{q}", who, f"l{t if rng.random() < skill else (t + rng.integers(1, 4)) % 4}")
        for q, t in enumerate(truth)
        for who, skill in skills.items()
    ]
    found = compare_annotators(table_of(rows))
    assert [one.name for one in found.annotators] == ["ann", "bob", "carl"]
    for one in found.annotators:
        assert one.accuracy == pytest.approx(skills[one.name], abs=0.06)
        assert one.accuracy_low is not None and one.accuracy_high is not None and one.accuracy is not None
        assert 0 < one.accuracy_low < one.accuracy < one.accuracy_high < 1
    assert found.form == "full" and found.pairs[0].disagreement > 0.4 and "carl" in found.pairs[0].annotators


def judged(skills: tuple[float, ...], questions: int, seed: int) -> Annotators:
    """Annotators a, b, … who are right that often, of one of two labels."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, questions)
    rows = [
        (f"q{q}", who, "xy"[t if rng.random() < skill else 1 - t])
        for q, t in enumerate(truth)
        for who, skill in zip("abcde", skills, strict=False)
    ]
    return compare_annotators(table_of(rows))


def test_intervals_of_accuracy_cover_it_though_right_answers_are_not_known() -> None:
    """As though they were known, fewer would."""
    skills = {"a": 0.9, "b": 0.85, "c": 0.8, "d": 0.7, "e": 0.6}
    covered = [
        one.accuracy_low <= skills[one.name] <= one.accuracy_high
        for seed in range(10)
        for one in judged(tuple(skills.values()), 100, seed).annotators
        if one.accuracy_low is not None and one.accuracy_high is not None
    ]
    assert len(covered) == 50 and np.mean(covered) >= 0.9


def test_two_annotators_have_no_interval_since_their_accuracies_are_not_identified() -> None:
    for one in judged((0.9, 0.6), 60, 0).annotators:
        assert one.accuracy is not None and one.accuracy_low is None and one.accuracy_high is None


def test_an_interval_is_never_narrower_than_with_right_answers_known() -> None:
    found = compare_annotators(by_column(a="xyxyxy", b="xyxyxy", c="xyxyxy"))  # no sample differs
    for one in found.annotators:
        assert one.accuracy_low is not None and one.accuracy_high is not None
        assert one.accuracy_high - one.accuracy_low > 0.3


def test_who_shares_no_question_has_no_interval_and_is_not_distrusted_for_it() -> None:
    shared = dict.fromkeys("abc", "xyyx" * 10)
    found = compare_annotators(by_column(**shared, d="." * 40 + "xy" * 10))
    one = {annotator.name: annotator for annotator in found.annotators}
    assert one["d"].accuracy_low is None and one["a"].accuracy_low is not None
    assert "rather than d" not in annotators_verdict(found)


def without_accuracy(found: Annotators) -> bool:
    return all(one.accuracy is None and one.agreement is None for one in found.annotators)


def test_where_nobody_shares_a_question_nothing_is_estimated() -> None:
    for table in (by_column(a="xy"), table_of([("p", "a", "x"), ("q", "b", "y")])):
        found = compare_annotators(table)
        assert without_accuracy(found)
        assert (found.form, found.alpha, found.compared, found.pairs, found.disputed) == (None, None, 0, (), ())


def test_missing_answers_do_not_count_and_none_at_all_is_refused() -> None:
    found = compare_annotators(table_of([("p", "a", "x"), ("p", "b", None), ("q", "a", "x"), ("q", "b", "x")]))
    assert {one.name: one.questions for one in found.annotators} == {"a": 2, "b": 1}
    with pytest.raises(InputError, match="the table has no answers"):
        compare_annotators(table_of([("p", "a", None)]))


def test_the_order_of_rows_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    rows = [(f"q{q}", who, str(rng.integers(0, 3))) for q in range(30) for who in "abc"]
    found = compare_annotators(table_of(rows))
    again = compare_annotators(table_of([rows[place] for place in rng.permutation(len(rows))]))
    assert [one.question_id for one in again.disputed] == [one.question_id for one in found.disputed]
    assert again.pairs == found.pairs and again.overruled == found.overruled
    for one, other in zip(found.annotators, again.annotators, strict=True):
        assert other.name == one.name and other.accuracy == pytest.approx(one.accuracy, abs=1e-6)
        assert other.accuracy_low == pytest.approx(one.accuracy_low, abs=1e-6)


def test_those_who_never_differ_and_those_with_one_answer_are_named() -> None:
    rng = np.random.default_rng(2)
    truth = "".join(rng.choice(list("xyz"), 60))
    copied = "".join(rng.choice(list("xyz"), 60))
    found = compare_annotators(by_column(good=truth, one=copied, two=copied, lazy="x" * 60))
    assert [pair.annotators for pair in found.identical] == [("one", "two")]
    assert {one.name for one in found.annotators if one.answers == 1} == {"lazy"}
    verdict = annotators_verdict(found)
    assert "one and two never differ on 60 questions: if one copied the other" in verdict
    assert "lazy gave one answer to all questions" in verdict
    honest = compare_annotators(by_column(a=truth, b=truth, c=truth))
    assert not honest.identical  # where all agree there is nothing strange in it
    assert "never differ" not in annotators_verdict(honest)
