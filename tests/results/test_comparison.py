"""Estimators on the same answers, against ground truth: values by hand, and what may not be chosen by them."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from w2s.reliability import score_answers
from w2s.reliability.base import add_scores
from w2s.results.comparison import CURVE, ComparedEstimator, compare_estimators
from w2s.results.verdicts import best_estimator
from w2s.tables import ANSWERS

GOLD = {f"q{number}": "x" for number in range(20)}


def answers(wrong: int = 8) -> pa.Table:
    """Twenty questions, asked twice; the first ones are answered wrongly, and half of these in two ways."""
    rows = [
        {"question_id": f"q{number}", "variation": variation, "answer": own}
        for number in range(20)
        for variation, own in enumerate(("x", "x") if number >= wrong else ("y", "y" if number % 2 else "z"))
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema([ANSWERS.field(name) for name in rows[0]]))


def knowing(table: pa.Table, *, sign: float = 1.0) -> pa.Table:
    """Scores that know which answers are right, or say the opposite."""
    right = [float(answer == "x") for answer in table["answer"].to_pylist()]
    confidence = [0.5 + sign * (own - 0.5) / 2 for own in right]
    return add_scores(table, confidence=confidence, uncertainty=[1 - own for own in confidence])


def compared(**tables: pa.Table) -> dict[str, ComparedEstimator]:
    votes = score_answers(answers())
    found = compare_estimators([{"votes": votes, **tables}], GOLD, seeds=[3])
    return {record.estimator: record for record in found}


def test_the_numbers_of_two_estimators_by_hand() -> None:
    votes = score_answers(answers())
    found = compared(knows=knowing(votes))
    own, best = found["votes"], found["knows"]
    assert (own.own, best.own, own.seed, own.rows, own.questions) == (True, False, 3, 40, 20)
    # Of the 16 wrong answers 8 are to split questions, and less trusted than all right ones; the others tie with them.
    assert own.auroc.estimate == own.auroc_uncertainty.estimate == pytest.approx((8 + 8 / 2) / 16)
    assert own.accuracy_25.estimate == own.accuracy_75.estimate == pytest.approx(24 / 32)
    assert best.auroc.estimate == 1 and best.auroc.difference == pytest.approx(0.25)
    assert best.accuracy_50.estimate == 1 and best.accuracy_75.estimate == pytest.approx(24 / 30)
    assert own.auroc.difference == 0 and own.auroc.difference_low is own.auroc.difference_high is None
    assert best.aurc.difference is not None and best.aurc.difference < 0
    assert len(own.risk) == len(CURVE) and own.risk[-1] == pytest.approx(16 / 40) and best.risk[0] == 0


def test_unparsed_answers_are_wrong_and_questions_without_truth_are_left_out() -> None:
    table = answers()
    given: list[str | None] = table["answer"].to_pylist()
    given[-2:] = [None, None]
    table = table.set_column(2, "answer", pa.array(given, pa.string()))
    gold = {id: "x" for id in GOLD if id != "q0"}
    (record,) = compare_estimators([{"votes": score_answers(table)}], gold, seeds=[0])
    assert (record.rows, record.questions) == (38, 19)
    assert record.risk[-1] == pytest.approx((14 + 2) / 38)
    assert compare_estimators([{"votes": score_answers(table)}], {}, seeds=[0]) == []


def test_the_order_of_an_estimators_rows_is_nothing_and_other_rows_are_not_compared(
    caplog: pytest.LogCaptureFixture,
) -> None:
    votes = score_answers(answers())
    turned = knowing(votes).take(list(range(39, -1, -1)))
    assert compared(knows=turned)["knows"] == compared(knows=knowing(votes))["knows"]
    assert set(compared(fewer=knowing(votes).slice(2))) == {"votes"}
    assert "estimator fewer scored other rows than the experiment's own: it is not compared" in caplog.text


def test_several_seeds_have_each_a_record_and_one_together() -> None:
    runs = [
        {"votes": score_answers(answers(wrong)), "knows": knowing(score_answers(answers(wrong)))} for wrong in (6, 8, 9)
    ]
    found = compare_estimators(runs, GOLD, seeds=[0, 1, 2])
    assert [(record.seed, record.estimator) for record in found] == [
        (seed, name) for seed in (0, 1, 2, None) for name in ("votes", "knows")
    ]
    *each, together, _ = (record.auroc for record in found)
    assert together.estimate == pytest.approx(sum(one.estimate or 0 for one in each[::2]) / 3)
    assert together.low is not None and found[-2].rows == 120 and found[-2].questions == 20
    two = compare_estimators(runs[:2], GOLD, seeds=[0, 1])[-1]
    assert two.auroc.low is two.auroc.difference_low is None and two.auroc.estimate == 1


def test_a_seed_without_truth_is_left_out_and_named(caplog: pytest.LogCaptureFixture) -> None:
    others = pc.replace_substring(answers()["question_id"], "q", "other")
    unknown = score_answers(answers().set_column(0, "question_id", others))
    runs = [{"votes": score_answers(answers(wrong))} for wrong in (6, 8)]
    found = compare_estimators([*runs, {"votes": unknown}], GOLD, seeds=[0, 1, 2])
    assert [(record.seed, record.auroc.seeds) for record in found] == [(0, 1), (1, 1), (None, 2)]
    assert found == compare_estimators(runs, GOLD, seeds=[0, 1])
    assert "seed 2 has no ground truth of transfer: estimators are compared without it" in caplog.text


def test_equal_numbers_that_do_not_vary_are_no_difference() -> None:
    table = answers(wrong=10).filter([n % 2 == 0 for n in range(40)])  # each question once: all votes the same
    votes = score_answers(table)
    own, perfect = compare_estimators([{"votes": votes, "knows": knowing(votes)}], GOLD, seeds=[0])
    assert own.auroc.estimate == 0.5 and perfect.auroc.estimate == 1 and not perfect.auroc.differs


def test_a_record_survives_json() -> None:
    for record in compared(knows=knowing(score_answers(answers()))).values():
        assert ComparedEstimator.from_dict(json.loads(json.dumps(record.to_dict(), allow_nan=False))) == record


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"auroc": {"estimate": 1}}, "missing"),
        ({"rows": "many"}, "rows is 'many'"),
        ({"risk": [None]}, r"risk\[0\] is None"),
    ],
)
def test_a_record_that_is_damaged_is_refused(change: dict[str, Any], expected: str) -> None:
    record = compared()["votes"].to_dict()
    with pytest.raises(TypeError, match=expected):
        ComparedEstimator.from_dict({**record, **change})
    with pytest.raises(TypeError, match="an estimator has no 'risk'"):
        ComparedEstimator.from_dict({name: value for name, value in record.items() if name != "risk"})


def test_the_best_is_named_with_what_is_sure_of_it_and_may_not_be_chosen() -> None:
    votes = score_answers(answers())
    found = compared(knows=knowing(votes), errs=knowing(votes, sign=-1.0))
    said = best_estimator(list(found.values()))
    assert said is not None
    assert said.startswith(
        "Of 3 estimators, knows ranks the answers best: AUROC 1.000, votes, which the run used, 0.750"
    )
    assert "95% interval of the difference +0." in said and "no difference" not in said
    assert "is not allowed" in said and "ground truth of transfer" in said


def test_the_runs_own_is_named_where_none_is_better_and_alone_nothing_is_said() -> None:
    votes = score_answers(answers())
    said = best_estimator(list(compared(same=votes, errs=knowing(votes, sign=-1.0)).values()))
    assert said is not None and "votes ranks the answers best: AUROC 0.750. The run used it." in said
    assert "is not allowed" in said
    assert best_estimator(list(compared().values())) is None
    assert best_estimator([]) is None


def test_a_small_lead_is_said_to_show_no_difference() -> None:
    votes = score_answers(answers())
    nudged = votes["confidence"].to_pylist()
    nudged[0] -= 0.01  # one wrong answer of a unanimous question, were it not split
    rows = [index for index, row in enumerate(votes.to_pylist()) if row["answer"] == "y" and row["vote_share"] == 1]
    nudged[rows[0]] -= 0.001
    said = best_estimator(list(compared(nudged=add_scores(votes, confidence=nudged)).values()))
    assert said is not None and "Of 2 estimators, nudged" in said and "no difference is shown" in said
