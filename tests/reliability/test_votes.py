"""Reliability: the paper's values, the laws of agreement, and what bad tables get told."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s import tables
from w2s.errors import InputError
from w2s.reliability import agreement_signal, check_scored, score_answers, summarize

Answers = Sequence[Sequence[str | None]]

# For each question its answers, variation by variation.
ANSWERS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "", None]), min_size=1, max_size=6), max_size=6)


def table_of(answers: Answers) -> pa.Table:
    rows = [(f"q{q}", v, answer) for q, given in enumerate(answers) for v, answer in enumerate(given)]
    question, variation, answer = ([row[i] for row in rows] for i in range(3))
    types = {"question_id": pa.string(), "variation": pa.int32(), "answer": pa.string()}
    columns = {"question_id": question, "variation": variation, "answer": answer}
    return pa.table({name: pa.array(columns[name], type) for name, type in types.items()})


def scores(scored: pa.Table) -> dict[tuple[str, int], tuple[float, float, float]]:
    return {
        (row["question_id"], row["variation"]): (row["vote_share"], row["entropy"], row["reliability"])
        for row in scored.to_pylist()
    }


# paper.md: five answers, T = 0.2.
@pytest.mark.parametrize(
    ("given_answers", "entropy", "reliability"),
    [
        ("aaaaa", 0.000, {"a": 1.0}),
        ("aaaab", 0.500, {"a": 0.953, "b": 0.047}),
        ("aaabb", 0.673, {"a": 0.731, "b": 0.269}),
        ("aaabc", 0.950, {}),
        ("aabbc", 1.055, {"a": 0.422, "b": 0.422, "c": 0.155}),
        ("aabcd", 1.332, {}),
        ("abcde", 1.609, dict.fromkeys("abcde", 0.2)),
    ],
)
def test_five_answers_score_as_in_the_paper(given_answers: str, entropy: float, reliability: dict[str, float]) -> None:
    scored = score_answers(table_of([list(given_answers)]), temperature=0.2)
    found = {row["answer"]: row["reliability"] for row in scored.to_pylist()}
    assert scored["entropy"].to_pylist() == pytest.approx([entropy] * 5, abs=5e-4)
    for answer, expected in reliability.items():
        assert found[answer] == pytest.approx(expected, abs=5e-4)


def test_scores_follow_their_formulas_exactly() -> None:
    scored = score_answers(table_of([["a", "b", "a"]]), temperature=1.0)
    low, high = math.exp(1 / 3), math.exp(2 / 3)
    assert scored["vote_share"].to_pylist() == pytest.approx([2 / 3, 1 / 3, 2 / 3])
    assert scored["entropy"].to_pylist() == pytest.approx([math.log(3) - 2 / 3 * math.log(2)] * 3)
    expected = [high / (low + high), low / (low + high), high / (low + high)]
    assert scored["reliability"].to_pylist() == pytest.approx(expected)


@given(ANSWERS, st.floats(0.01, 10))
def test_reliabilities_of_the_distinct_answers_sum_to_one(answers: Answers, temperature: float) -> None:
    scored = score_answers(table_of(answers), temperature=temperature)
    by_question: dict[str, dict[str | None, float]] = {}
    for row in scored.to_pylist():
        by_question.setdefault(row["question_id"], {})[row["answer"]] = row["reliability"]
    for reliabilities in by_question.values():
        assert sum(reliabilities.values()) == pytest.approx(1)


@given(ANSWERS)
def test_entropy_is_zero_exactly_when_unanimous(answers: Answers) -> None:
    scored = scores(score_answers(table_of(answers)))
    for q, given_answers in enumerate(answers):
        entropy = scored[f"q{q}", 0][1]
        assert (entropy == 0) == (len(set(given_answers)) == 1)
        assert not math.copysign(1, entropy) < 0


@given(ANSWERS)
def test_scores_stay_in_their_ranges(answers: Answers) -> None:
    scored = scores(score_answers(table_of(answers)))
    for (question, _), (vote_share, entropy, reliability) in scored.items():
        n = len(answers[int(question[1:])])
        assert 1 / n <= vote_share <= 1
        assert 0 <= entropy <= math.log(n) + 1e-12
        assert 0 < reliability <= 1


@given(ANSWERS, st.randoms(use_true_random=False))
def test_row_order_changes_nothing_but_the_order(answers: Answers, random: Any) -> None:
    table = table_of(answers)
    order = list(range(table.num_rows))
    random.shuffle(order)
    shuffled = table.take(pa.array(order, pa.int64()))
    assert score_answers(shuffled).equals(score_answers(table).take(pa.array(order, pa.int64())))


@given(ANSWERS, st.permutations(["a", "b", "c", ""]))
def test_renaming_the_answers_changes_no_score(answers: Answers, names: list[str]) -> None:
    renamed = dict(zip(["a", "b", "c", ""], names, strict=True))
    other = [[None if answer is None else renamed[answer] for answer in given_answers] for given_answers in answers]
    assert scores(score_answers(table_of(answers))) == scores(score_answers(table_of(other)))


@given(ANSWERS)
def test_a_question_scores_the_same_alone(answers: Answers) -> None:
    together = scores(score_answers(table_of(answers)))
    for q, given_answers in enumerate(answers):
        alone = scores(score_answers(table_of([given_answers])))
        assert [together[f"q{q}", v] for v in range(len(given_answers))] == list(alone.values())


@given(ANSWERS)
def test_more_votes_never_mean_less_reliability(answers: Answers) -> None:
    for q in range(len(answers)):
        of_question = [s for (id, _), s in scores(score_answers(table_of(answers))).items() if id == f"q{q}"]
        ranked = sorted(of_question)
        assert all(first[2] <= second[2] for first, second in itertools.pairwise(ranked))


def test_a_tiny_temperature_trusts_the_majority_alone() -> None:
    scored = score_answers(table_of([["a", "a", "b"]]), temperature=1e-310)
    assert scored["reliability"].to_pylist() == [1, 1, 0]


def test_an_infinite_temperature_trusts_all_answers_alike() -> None:
    scored = score_answers(table_of([["a", "a", "b"]]), temperature=math.inf)
    assert scored["reliability"].to_pylist() == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("temperature", [0, -1, math.nan])
def test_a_temperature_that_is_not_positive_is_refused(temperature: float) -> None:
    with pytest.raises(InputError, match=r"temperature .*: expected a number above 0"):
        score_answers(table_of([["a"]]), temperature=temperature)


def test_unparsed_answers_are_one_class_of_their_own() -> None:
    scored = score_answers(table_of([["a", None, None, ""]]))
    assert scored["vote_share"].to_pylist() == [0.25, 0.5, 0.5, 0.25]


def test_unparsed_answers_can_drop_their_question() -> None:
    scored = score_answers(table_of([["a", None], ["a", "b"], [None]]), unparsed="drop_question")
    assert scored["question_id"].to_pylist() == ["q1", "q1"]
    assert scored["vote_share"].to_pylist() == [0.5, 0.5]


def test_unparsed_answers_can_be_dropped_before_the_vote() -> None:
    scored = score_answers(table_of([["a", None, "a"], ["a", "b"], [None]]), unparsed="drop_answer")
    assert scored["question_id"].to_pylist() == ["q0", "q0", "q1", "q1"]
    assert scored["vote_share"].to_pylist() == [1, 1, 0.5, 0.5]


def test_an_answer_that_no_other_can_confirm_is_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "w2s")
    scored = score_answers(table_of([["a", None, None], ["a", "b"], ["c"]]), unparsed="drop_answer")
    assert scored["question_id"].to_pylist() == ["q1", "q1", "q2"], "a question that was asked once stays"
    assert caplog.messages == ["1 questions have a single parsed answer left, which no other can confirm: left out"]


def test_an_unknown_rule_for_unparsed_answers_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'drop_answer'"):
        score_answers(table_of([["a"]]), unparsed="drop_answers")  # type: ignore[arg-type]


def test_other_columns_and_their_order_are_kept() -> None:
    table = pa.table({"note": ["x", "y"], "answer": ["a", "b"], "variation": [1, 0], "question_id": ["q", "q"]})
    scored = score_answers(table)
    assert scored.column_names == [
        *table.column_names,
        "vote_share",
        "entropy",
        "reliability",
        "confidence",
        "uncertainty",
    ]
    assert scored["note"].to_pylist() == ["x", "y"]


def test_answers_of_the_schema_become_scored_answers_of_the_schema() -> None:
    found = score_answers(tables.ANSWERS.empty_table()).schema
    posterior = tables.SCORED.field("posterior")  # the votes estimator has none
    assert found.append(posterior).equals(tables.SCORED)


def test_the_paper_s_scores_are_confidence_and_uncertainty() -> None:
    scored = score_answers(table_of([["a", "b", "b"], ["a", "a"]]))
    assert scored["confidence"].equals(scored["reliability"]) and scored["uncertainty"].equals(scored["entropy"])
    bare = scored.drop_columns(["confidence", "uncertainty"])
    assert check_scored(bare)["confidence"].equals(scored["reliability"]), "as an older table has them"


def test_scoring_again_replaces_the_scores() -> None:
    once = score_answers(table_of([["a", "b", "b"]]))
    assert score_answers(once).equals(once)


def test_identifiers_and_answers_of_any_type_are_read_as_text() -> None:
    table = pa.table({"question_id": [7, 7], "variation": ["0", "1"], "answer": [42, 42]})
    scored = score_answers(table)
    assert scored["question_id"].to_pylist() == ["7", "7"]
    assert scored["answer"].to_pylist() == ["42", "42"]
    assert scored["entropy"].to_pylist() == [0, 0]


def test_dictionary_and_chunked_columns_score_like_plain_ones() -> None:
    plain = table_of([["a", "b", "a"], ["c", "c"]])
    chunked = pa.concat_tables([plain.slice(0, 2), plain.slice(2)])
    encoded = plain.set_column(2, "answer", plain["answer"].dictionary_encode())
    assert scores(score_answers(chunked)) == scores(score_answers(encoded)) == scores(score_answers(plain))


def test_all_answers_unread_is_one_class() -> None:
    table = pa.table({"question_id": ["q", "q"], "variation": [0, 1], "answer": pa.nulls(2)})
    assert score_answers(table)["entropy"].to_pylist() == [0, 0]


def test_an_empty_table_scores_to_an_empty_table() -> None:
    scored = score_answers(table_of([]))
    assert scored.num_rows == 0
    assert summarize(scored).questions == 0
    assert math.isnan(summarize(scored).unanimity_rate)


def test_supervisors_vote_together() -> None:
    table = pa.table(
        {"question_id": ["q"] * 3, "variation": [0] * 3, "answer": ["a", "a", "b"], "supervisor": ["x", "y", None]}
    )
    assert score_answers(table)["vote_share"].to_pylist() == pytest.approx([2 / 3, 2 / 3, 1 / 3])


def test_an_answer_that_is_there_twice_is_named() -> None:
    table = pa.table({"question_id": ["q", "q"], "variation": [3, 3], "answer": ["a", "b"]})
    with pytest.raises(InputError, match=r"expected one answer for question_id 'q', variation 3, it has 2"):
        score_answers(table)
    with pytest.raises(InputError, match=r"supervisor 'x'"):
        score_answers(table.append_column("supervisor", pa.array(["x", "x"])))


@pytest.mark.parametrize("column", ["question_id", "variation", "answer"])
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(InputError, match=f"answers table has no column '{column}'"):
        score_answers(table_of([["a"]]).drop_columns([column]))


@pytest.mark.parametrize("column", ["question_id", "variation"])
def test_a_null_identifier_is_named_with_its_row(column: str) -> None:
    table = table_of([["a", "b"]])
    position = table.column_names.index(column)
    broken = pa.array([table[column][0].as_py(), None], table[column].type)
    with pytest.raises(InputError, match=f"row 2: expected a {column}"):
        score_answers(table.set_column(position, column, broken))


def test_a_variation_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="column 'variation': expected int32"):
        score_answers(pa.table({"question_id": ["q"], "variation": ["first"], "answer": ["a"]}))


def test_summary_counts_what_there_is() -> None:
    summary = summarize(score_answers(table_of([["a", "a", "a"], ["b", "b"], ["a", None, "b"]])))
    assert (summary.questions, summary.rows, summary.variations) == (3, 8, (2, 3))
    assert summary.unanimity_rate == pytest.approx(2 / 3)
    assert summary.mean_vote_share == pytest.approx((5 + 3 / 3) / 8)
    assert summary.unparsed_rate == pytest.approx(1 / 8)
    assert [level.questions for level in summary.entropies] == [2, 1]
    assert [level.entropy for level in summary.entropies] == pytest.approx([0, math.log(3)])


def test_summary_takes_equal_entropies_of_rounded_tables_as_one() -> None:
    scored = score_answers(table_of([["a", "a", "b"], ["a", "b", "b"]]))
    entropy = scored["entropy"].to_numpy() + np.array([0, 0, 0, 1e-12, 1e-12, 1e-12])
    nudged = scored.set_column(scored.column_names.index("entropy"), "entropy", pa.array(entropy))
    assert [level.questions for level in summarize(nudged).entropies] == [2]


def test_a_table_without_scores_is_no_scored_table() -> None:
    with pytest.raises(InputError, match="scored answers has no column 'vote_share'"):
        summarize(table_of([["a"]]))


def test_a_score_that_is_not_finite_is_named_with_its_row() -> None:
    scored = score_answers(table_of([["a", "b"]]))
    broken = scored.set_column(scored.column_names.index("entropy"), "entropy", pa.array([0.5, math.nan]))
    with pytest.raises(InputError, match="row 2: entropy is nan, expected a number of 0 or more"):
        summarize(broken)


def test_signal_counts_correct_answers_by_entropy() -> None:
    scored = score_answers(table_of([["a", "a"], ["a", "a"], ["a", "b"], ["a", None]]))
    signal = agreement_signal(scored, {"q0": "a", "q1": "b", "q2": "b"})
    assert [(level.questions, level.rows, level.correct) for level in signal.levels] == [(2, 4, 2), (1, 2, 1)]
    assert signal.levels[0].accuracy == 0.5
    assert (signal.questions, signal.questions_without_gold) == (3, 1)
    assert signal.accuracy == pytest.approx(3 / 6)


def test_agreement_that_tells_all_has_auroc_one() -> None:
    scored = score_answers(table_of([["a"] * 3, ["a", "b", "c"]]))
    signal = agreement_signal(scored, {"q0": "a", "q1": "z"})
    assert set(signal.auroc.values()) == {1} and set(signal.auroc) == {"reliability", "vote_share", "entropy"}


def test_agreement_that_is_always_full_has_auroc_one_half() -> None:
    scored = score_answers(table_of([["a"] * 3, ["b"] * 3]))
    signal = agreement_signal(scored, {"q0": "a", "q1": "a"})
    assert set(signal.auroc.values()) == {0.5}


def test_an_unparsed_answer_is_wrong() -> None:
    signal = agreement_signal(score_answers(table_of([[None, "a"]])), {"q0": "a"})
    assert signal.accuracy == 0.5


def test_gold_for_no_question_is_refused() -> None:
    with pytest.raises(InputError, match="gold answers to 1 questions: expected some of the 1 that are scored"):
        agreement_signal(score_answers(table_of([["a"]])), {"other": "a"})


@settings(max_examples=20)
@given(ANSWERS.filter(lambda answers: len(answers) > 0))
def test_signal_levels_add_up_to_the_rows(answers: Answers) -> None:
    scored = score_answers(table_of(answers))
    signal = agreement_signal(scored, {f"q{q}": "a" for q in range(len(answers))})
    assert sum(level.rows for level in signal.levels) == scored.num_rows
    assert sum(level.questions for level in signal.levels) == len(answers)
    assert sum(level.correct for level in signal.levels) == scored["answer"].to_pylist().count("a")


def test_scoring_and_selecting_import_no_torch() -> None:
    code = "import sys, w2s.reliability, w2s.metrics, w2s.methods.controls; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("vote_share", 7.0, "a number from 0 to 1"),
        ("confidence", -5.0, "a number from 0 to 1"),
        ("uncertainty", math.inf, "a number of 0 or more"),
    ],
)
def test_a_score_that_no_score_can_be_is_refused(column: str, value: float, expected: str) -> None:
    scored = score_answers(table_of([["a", "b"]]))
    broken = scored.set_column(scored.column_names.index(column), column, pa.array([0.5, value]))
    with pytest.raises(InputError, match=f"row 2: {column} is {value}, expected {expected}"):
        check_scored(broken)


def test_a_negative_variation_is_refused() -> None:
    table = table_of([["a", "b"]])
    negative = table.set_column(1, "variation", pa.array([0, -1], pa.int32()))
    with pytest.raises(InputError, match="row 2: variation is -1, expected 0 or more"):
        score_answers(negative)
