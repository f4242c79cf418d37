"""Methods that label from a distribution over the options: self, soft labels, small loss; and weak-gold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from support.selecting import chosen
from w2s import tables
from w2s.errors import InputError
from w2s.methods import METHODS
from w2s.methods.ceiling import ceiling
from w2s.methods.naive import naive
from w2s.methods.self_labels import self_labels
from w2s.methods.small_loss import small_loss
from w2s.methods.soft_labels import soft_labels
from w2s.methods.weak_gold import learn_weak_gold
from w2s.reliability import score_answers
from w2s.tables import ANSWERS

NAMES = ("Oslo", "Lima", "Rome")
Logprobs = Sequence[Sequence[Sequence[float]]]
"""By question, variation and option."""


def answers_of(logprobs: Logprobs, names: Sequence[str] = NAMES, supervisor: str = "weak") -> pa.Table:
    """A model's answers: the likeliest option, named at another position in each variation."""
    rows = []
    for q, variations in enumerate(logprobs):
        for v, values in enumerate(variations):
            best = int(np.argmax(values))
            positions = [(option + v) % len(values) for option in range(len(values))]
            written = [f" {'ABC'[position]}" for position in positions]
            rows.append(
                {
                    "question_id": f"q{q:02}",
                    "variation": v,
                    "prompt": f"prompt {q}.{v}",
                    "completion": written[best],
                    "answer": names[best],
                    "position": positions[best],
                    "choices": list(names[: len(values)]),
                    "completions": written,
                    "choice_logprobs": list(values),
                    "positions": positions,
                    "supervisor": supervisor,
                }
            )
    return tables.check(pa.Table.from_pylist(rows, ANSWERS), ANSWERS, name="answers")


def scored_of(logprobs: Logprobs, estimator: str = "probability", **more: Any) -> pa.Table:
    return score_answers(answers_of(logprobs, **more), estimator=estimator)


def log(*probabilities: float) -> list[float]:
    return np.log(probabilities).tolist()


# Two questions in two orders; the mean of q00 is (.5, .3, .2), of q01 (.05, .05, .9).
TWO = [[log(0.6, 0.3, 0.1), log(0.4, 0.3, 0.3)], [log(0.05, 0.05, 0.9), log(0.05, 0.05, 0.9)]]


# Soft labels


def test_soft_labels_are_the_mean_probabilities_in_the_original_wording() -> None:
    training = soft_labels(scored_of(TWO))
    rows = training.table.to_pylist()
    assert [row["prompt"] for row in rows] == ["prompt 0.0"] * 3 + ["prompt 1.0"] * 3
    assert [row["answer"] for row in rows] == ["Lima", "Oslo", "Rome"] * 2
    assert [row["completion"] for row in rows] == [" B", " A", " C"] * 2
    assert [row["weight"] for row in rows] == pytest.approx([0.3, 0.5, 0.2, 0.05, 0.05, 0.9])
    assert [row["group"] for row in rows] == [0, 0, 0, 1, 1, 1]
    assert training.table.schema.equals(tables.TRAINING_SET)
    assert (training.selection.rows, training.selection.dropped) == (2, {"other_variations": 2})


def test_where_the_supervisor_is_certain_soft_labels_are_naives_rows() -> None:
    certain = [[log(1 - 2e-12, 1e-12, 1e-12)] * 2, [log(1e-12, 1 - 2e-12, 1e-12)] * 2]
    soft = soft_labels(scored_of(certain)).table
    kept = soft.filter(pa.compute.greater(soft["weight"], 1e-6)).drop_columns(["group"])
    assert kept.to_pylist() == naive(scored_of(certain)).table.drop_columns(["group"]).to_pylist()


def test_several_supervisors_teach_the_mean_of_their_distributions() -> None:
    other = [[log(0.2, 0.2, 0.6)] * 2, [log(0.4, 0.4, 0.2)] * 2]
    both = pa.concat_tables([answers_of(TWO), answers_of(other, supervisor="other")])
    weights = soft_labels(score_answers(both, estimator="probability")).table["weight"].to_pylist()
    assert weights == pytest.approx([0.25, 0.35, 0.4, 0.225, 0.225, 0.55])


def test_options_stand_by_position_where_questions_have_different_ones() -> None:
    """So a place in a group is a position of the prompt, whose share of the labels means something."""
    own = answers_of(TWO).to_pylist()
    for row in own[2:]:
        row["choices"] = ["Kyiv", "Bonn", "Cork"]
        row["answer"] = "Cork"
    own = [row for row in own if row["variation"] == 1]
    rows = soft_labels(score_answers(pa.Table.from_pylist(own, ANSWERS), estimator="probability")).table.to_pylist()
    assert [row["completion"] for row in rows] == [" A", " B", " C"] * 2
    assert [row["answer"] for row in rows] == ["Rome", "Oslo", "Lima", "Cork", "Kyiv", "Bonn"]


def test_options_in_another_order_in_some_questions_are_the_same_classes() -> None:
    own = answers_of(TWO).to_pylist()
    for row in own[2:]:  # the prompt names them in that order
        row["choices"], row["choice_logprobs"] = row["choices"][::-1], row["choice_logprobs"][::-1]
    rows = soft_labels(score_answers(pa.Table.from_pylist(own, ANSWERS), estimator="probability")).table
    assert rows["answer"].to_pylist() == ["Lima", "Oslo", "Rome"] * 2
    assert rows["completion"].to_pylist() == [" B", " A", " C", " B", " C", " A"]
    assert rows["weight"].equals(soft_labels(scored_of(TWO)).table["weight"])


def test_scores_without_a_distribution_are_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="no column 'posterior': expected those of an estimator that knows") as caught:
        soft_labels(score_answers(answers_of(TWO)))
    assert "\n" not in str(caught.value)
    free = scored_of(TWO).set_column(8, "choices", pa.nulls(4, pa.list_(pa.string())))
    with pytest.raises(InputError, match="question 'q00': expected a probability for each of its choices"):
        soft_labels(free)


# Self


def test_self_takes_the_likeliest_option_of_the_surest_questions_in_every_order() -> None:
    training = self_labels(scored_of(TWO), share=0.5)
    rows = training.table.to_pylist()
    assert chosen(training) == [("q01", 0), ("q01", 1)], "as many rows as there were questions"
    assert [row["answer"] for row in rows] == ["Rome", "Rome"]
    assert [row["completion"] for row in rows] == [" C", " A"], "the letter that the option has in each order"
    assert [row["weight"] for row in rows] == [1, 1]
    assert training.selection.dropped == {"unsure": 2, "not_drawn": 0}


def test_self_with_all_questions_takes_each_once_with_the_answer_of_all_orders() -> None:
    split = [[log(0.6, 0.3, 0.1), log(0.1, 0.8, 0.1)]]
    rows = self_labels(scored_of(TWO + split), share=1.0).table.to_pylist()
    assert [(row["question_id"], row["answer"]) for row in rows] == [("q00", "Oslo"), ("q01", "Rome"), ("q02", "Lima")]


def test_self_divides_a_preference_for_a_position_out() -> None:
    """A model that likes what stands first: by itself it says Oslo, Lima and Rome, without the preference Lima."""
    liking = [3.0, 0.0, 0.0]
    preferring = [[[0.5 * (o == 1) + liking[(o + v) % 3] for o in range(3)] for v in range(3)] for _ in range(4)]
    assert set(naive(scored_of(preferring)).table["answer"].to_pylist()) == {"Oslo"}
    own = self_labels(scored_of(preferring, METHODS["self"].estimator or ""), share=1.0).table
    assert set(own["answer"].to_pylist()) == {"Lima"}


def test_a_model_that_knows_nothing_teaches_no_order_of_the_file() -> None:
    """Its only preference is for a position; the file lists the right option first."""
    ignorant = [[[[2.0, 0.5, 0.0][(o + v) % 3] for o in range(3)] for v in range(3)] for _ in range(90)]

    def labels(seed: int = 0, order: Sequence[int] = range(3)) -> dict[str, str]:
        rows = answers_of(ignorant).to_pylist()
        for row in rows:
            for column in ("choices", "completions", "choice_logprobs", "positions"):
                row[column] = [row[column][option] for option in order]
        scored = score_answers(pa.Table.from_pylist(rows, ANSWERS), estimator="debiased")
        made = self_labels(scored, share=1.0, seed=seed).table
        return dict(zip(made["question_id"].to_pylist(), made["answer"].to_pylist(), strict=True))

    first = labels()
    assert all(15 < list(first.values()).count(name) < 45 for name in NAMES)
    assert labels(order=(2, 0, 1)) == first != labels(seed=1)


@pytest.mark.parametrize("share", [0.0, -0.5, 1.1])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    for name in ("self", "small-loss"):
        with pytest.raises(InputError, match=rf"share {share}: expected a number above 0, up to 1"):
            METHODS[name].resolve({"share": share})


# Small loss


def test_small_loss_keeps_the_answers_that_the_student_finds_likely() -> None:
    weak = [[log(0.9, 0.05, 0.05)] * 2, [log(0.05, 0.9, 0.05)] * 2, [log(0.05, 0.05, 0.9)] * 2]
    student = [[log(0.5, 0.3, 0.2)] * 2, [log(0.8, 0.1, 0.1)] * 2, [log(0.1, 0.1, 0.8), log(0.4, 0.4, 0.2)]]
    for share, kept in ((0.3, ["q00"]), (0.5, ["q00", "q02"]), (1.0, ["q00", "q01", "q02"])):
        training = small_loss(scored_of(weak), answers_of(student), share=share)
        assert training.table["question_id"].to_pylist() == kept
    # Of q02 the loss is the mean of -log .8 and -log .2, in both orders in which the student was asked.
    assert "loss is up to 0.916" in small_loss(scored_of(weak), answers_of(student), share=0.5).selection.rule


def test_what_the_student_did_not_choose_among_is_refused() -> None:
    with pytest.raises(InputError, match="question 'q01': expected 'Rome' among the options that the student was"):
        small_loss(scored_of(TWO), answers_of(TWO[:1]))
    silent = answers_of(TWO).set_column(10, "choice_logprobs", pa.nulls(4, pa.list_(pa.float32())))
    with pytest.raises(InputError, match="answer to question 'q00': expected log-probabilities of its options"):
        small_loss(scored_of(TWO), silent)


# Weak-gold


def test_weak_gold_is_the_ceiling_of_another_split() -> None:
    gold = answers_of(TWO).filter(pa.array([True, False] * 2))
    assert learn_weak_gold(gold).table.equals(ceiling(gold).table)


# Laws

QUESTIONS = st.lists(
    st.lists(st.lists(st.floats(-5, 0), min_size=3, max_size=3), min_size=2, max_size=2), min_size=1, max_size=5
)
SELECTORS = {
    "self": lambda logprobs, **more: self_labels(scored_of(logprobs, "debiased", **more)),
    "soft": lambda logprobs, **more: soft_labels(scored_of(logprobs, **more)),
    "small loss": lambda logprobs, **more: small_loss(scored_of(logprobs, **more), answers_of(logprobs, **more)),
}


@pytest.mark.parametrize("name", SELECTORS)
@settings(max_examples=25)
@given(logprobs=QUESTIONS)
def test_the_names_of_options_change_nothing_but_names(name: str, logprobs: Logprobs) -> None:
    """But their order, which is that of classes, and which of several options that are equally likely is drawn."""
    if name == "self":
        means = scored_of(logprobs, "debiased")["posterior"].to_pylist()
        assume(all(np.diff(np.sort(mean)[-2:])[0] > 1e-6 for mean in means))
    renamed = dict(zip(NAMES, ("Mo", "An", "Xi"), strict=True))
    before, after = SELECTORS[name](logprobs), SELECTORS[name](logprobs, names=list(renamed.values()))
    assert [renamed[answer] for answer in before.table["answer"].to_pylist()] == after.table["answer"].to_pylist()
    assert before.table.drop_columns(["answer"]).equals(after.table.drop_columns(["answer"]))


@pytest.mark.parametrize("name", ["self", "soft", "small loss"])
@settings(max_examples=25)
@given(logprobs=QUESTIONS, random=st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(name: str, logprobs: Logprobs, random: Any) -> None:
    scored = scored_of(logprobs)
    order = list(range(scored.num_rows))
    random.shuffle(order)
    shuffled = scored.take(pa.array(order))
    if name == "small loss":
        one, other = small_loss(scored, scored), small_loss(shuffled, shuffled)
    else:
        select = self_labels if name == "self" else soft_labels
        one, other = select(scored), select(shuffled)
    assert one.table.equals(other.table) and one.selection == other.selection


@settings(max_examples=25)
@given(logprobs=QUESTIONS)
def test_small_loss_of_all_is_naive(logprobs: Logprobs) -> None:
    scored = scored_of(logprobs)
    assert small_loss(scored, answers_of(logprobs), share=1.0).table.equals(naive(scored).table)


@settings(max_examples=25)
@given(logprobs=QUESTIONS)
def test_every_row_is_kept_or_counted(logprobs: Logprobs) -> None:
    for name in SELECTORS:
        selection = SELECTORS[name](logprobs).selection
        assert selection.rows + sum(selection.dropped.values()) == selection.rows_in == 2 * len(logprobs)
