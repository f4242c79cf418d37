"""Labels from several views: what they come down to with one, what they gain with three, and where they must fail."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.views import Made, answers_of, log_softmax, simulated
from w2s.errors import InputError
from w2s.methods import METHODS
from w2s.methods.labelling import labelled
from w2s.methods.majority import majority
from w2s.methods.naive import naive
from w2s.methods.posterior import pooled_labels
from w2s.methods.selection import TrainingSet
from w2s.reliability import score_answers
from w2s.tables import TRAINING_SET

PLAIN: dict[str, Any] = {"views": ["weak"], "variance": False, "debias": False, "share": 1.0, "labels": "hard"}
"""Nothing of the method is left but the mean of the log-probabilities."""


def drawn(seed: int, questions: int = 8, variations: int = 3, sizes: tuple[int, ...] = (4, 2, 3)) -> pa.Table:
    rng = np.random.default_rng(seed)
    scores = {f"q{n:02}": rng.normal(0, 1.5, (variations, sizes[n % len(sizes)])) for n in range(questions)}
    return answers_of({id: log_softmax(own) for id, own in scores.items()})


def voted(seed: int, questions: int = 12, variations: int = 5) -> pa.Table:
    """Answers that are as sure in every variation: nothing but the vote counts."""
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, 3, (questions, variations))
    return answers_of({f"q{n:02}": log_softmax(2.0 * np.eye(3)[own]) for n, own in enumerate(chosen)})


def label_of(training: TrainingSet) -> dict[str, str]:
    return dict(zip(*(training.table[name].to_pylist() for name in ("question_id", "answer")), strict=True))


def weighted_right(training: TrainingSet, gold: Any) -> float:
    rows = training.table.to_pylist()
    weights = [row["weight"] for row in rows]
    return float(np.average([gold[row["question_id"]] == row["answer"] for row in rows], weights=weights))


# Ground truth beside the labels


@pytest.mark.parametrize("labels", ["soft", "hard"])
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_added_gold_is_certain_and_leaves_the_other_labels_as_they_were(labels: str, share: float) -> None:
    answers = drawn(1)
    plain = {"views": ["weak"], "variance": False, "share": share, "labels": labels}
    known = drawn(2, questions=3).to_pylist()
    gold = pa.Table.from_pylist(
        [{**row, "question_id": f"known-{row['question_id']}"} for row in known if row["variation"] == 0],
        schema=answers.schema,
    )
    without = pooled_labels(answers, **plain)
    whole = pooled_labels(answers, calibration_gold=gold, add_gold=True, **plain)
    rows = without.table.num_rows
    assert whole.table.slice(0, rows).equals(without.table)
    added = whole.table.slice(rows).to_pylist()
    right = {row["question_id"]: row["answer"] for row in gold.to_pylist()}
    assert {row["question_id"]: row["answer"] for row in added if row["weight"] == 1.0} == right
    assert all(row["weight"] in (0.0, 1.0) for row in added)
    if labels == "soft":  # the options of a question are one group, and no group of others
        own = [row["group"] for row in added]
        assert len(set(own)) == len(right) and not set(own) & set(without.table["group"].to_pylist())
        assert [row["answer"] for row in added] == [choice for row in gold.to_pylist() for choice in row["choices"]]
    else:
        assert len(added) == len(right)
    assert whole.selection.questions == without.selection.questions + len(right)
    assert whole.selection.rule == f"{without.selection.rule}; and ground truth of 3 other questions"
    lost = sum(whole.selection.dropped.values())
    assert whole.selection.rows + lost == whole.selection.rows_in


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"answer": "none of them"}, "ground truth 'none of them' is none of its options"),
        ({"question_id": "q00"}, "question 'q00' has a label already"),
    ],
)
def test_gold_that_does_not_fit_is_refused(change: dict[str, Any], said: str) -> None:
    answers = drawn(1)
    gold = pa.Table.from_pylist([{**drawn(2).to_pylist()[0], "question_id": "known", **change}], schema=answers.schema)
    with pytest.raises(InputError, match=said):
        pooled_labels(answers, views=["weak"], variance=False, share=1.0, calibration_gold=gold, add_gold=True)


def test_gold_that_is_not_there_is_not_passed_over() -> None:
    with pytest.raises(InputError, match="the ground-truth answers are not there"):
        pooled_labels(drawn(1), views=["weak"], variance=False, add_gold=True)


# What it comes down to


@settings(max_examples=25)
@given(st.integers(0, 1000))
def test_one_variation_of_one_view_is_naive(seed: int) -> None:
    answers = drawn(seed, variations=1)
    assert pooled_labels(answers, **PLAIN).table.equals(naive(score_answers(answers)).table)


@settings(max_examples=25)
@given(st.integers(0, 1000))
def test_variations_that_are_equally_sure_are_a_vote(seed: int) -> None:
    answers = voted(seed)
    ours, theirs = label_of(pooled_labels(answers, **PLAIN)), label_of(majority(score_answers(answers)))
    counts = answers.group_by(["question_id", "answer"]).aggregate([([], "count_all")]).to_pylist()
    for id in ours:
        votes = sorted((row["count_all"] for row in counts if row["question_id"] == id), reverse=True)
        assert ours[id] == theirs[id] or votes[0] == votes[1]  # a tie, which each breaks in its own way


def test_a_soft_label_by_hand() -> None:
    answers = answers_of({"q": np.log([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]])}, choices=("x", "y", "z"))
    soft = pooled_labels(answers, **{**PLAIN, "labels": "soft"}).table
    power = np.sqrt([0.6 * 0.2, 0.3 * 0.5, 0.1 * 0.3])
    assert soft["weight"].to_pylist() == pytest.approx((power / power.sum()).tolist(), abs=1e-6)
    assert soft["answer"].to_pylist() == ["x", "y", "z"] and soft["completion"].to_pylist() == [" x", " y", " z"]
    assert len(set(soft["group"].to_pylist())) == len(set(soft["prompt"].to_pylist())) == 1
    hard = pooled_labels(answers, **PLAIN).table.to_pylist()
    assert [(row["answer"], row["weight"], row["group"]) for row in hard] == [("y", 1.0, None)]


# Which questions, and in how many rows


@settings(max_examples=25)
@given(st.integers(0, 1000), st.sampled_from([0.1, 0.5, 1.0]), st.sampled_from(["soft", "hard"]))
def test_the_surest_are_kept_and_drawn_to_as_many_examples_as_questions(seed: int, share: float, labels: str) -> None:
    answers = drawn(seed, questions=10)
    training, selection = pooled_labels(answers, **{**PLAIN, "share": share, "labels": labels})
    rows = training.to_pylist()
    examples = {(row["question_id"], row["variation"]) for row in rows}
    kept = {id for id, _ in examples}
    assert training.schema.equals(TRAINING_SET)
    assert len(kept) == round(10 * share) and len(examples) == min(10, 3 * len(kept)) == selection.rows
    assert selection.rows + sum(selection.dropped.values()) == selection.rows_in == 30
    every = pooled_labels(answers, **{**PLAIN, "labels": "soft"}).table.to_pylist()
    sure = {row["question_id"]: 0.0 for row in every}
    for row in every:
        sure[row["question_id"]] = max(sure[row["question_id"]], row["weight"])
    assert min(sure[id] for id in kept) >= max((sure[id] for id in sure.keys() - kept), default=0)
    sums: dict[Any, float] = {}
    for row in rows:
        key = (row["question_id"], row["variation"])
        sums[key] = sums.get(key, 0) + row["weight"]
    assert all(total == pytest.approx(1) for total in sums.values())
    assert json.loads(json.dumps(selection.to_dict()))["questions"] == len(kept)


def test_of_equally_sure_questions_the_seed_decides() -> None:
    answers = answers_of({f"q{n:02}": log_softmax([[2.0, 0, 0]]) for n in range(20)})
    first, again, other = (
        set(label_of(pooled_labels(answers, **{**PLAIN, "share": 0.5}, seed=seed))) for seed in (1, 1, 2)
    )
    assert first == again != other and len(other) == 10


def test_hard_labels_of_equally_likely_options_owe_nothing_to_their_order() -> None:
    ids = [f"q{n:02}" for n in range(90)]
    answers = answers_of({id: log_softmax([[0.0, 0.0, 0.0]]) for id in ids})

    def labels(options: str, seed: int = 0) -> dict[str, str]:
        made = labelled(
            answers, {id: list(options) for id in ids}, np.full((90, 3), 1 / 3), labels="hard", rule="r", seed=seed
        )
        return label_of(made)

    first = labels("abc")
    assert all(15 < list(first.values()).count(name) < 45 for name in "abc")
    assert labels("cab") == first != labels("abc", seed=1)


def test_groups_of_soft_labels_are_in_the_order_of_the_prompt_or_of_shared_options() -> None:
    positions = {id: [[1, 0]] for id in ("q0", "q1")}
    answers = answers_of({id: np.log([[0.9, 0.1]]) for id in positions}, choices=("z", "a"), positions=positions)
    probabilities = np.array([[0.9, 0.1]] * 2)
    shared = labelled(answers, {"q0": ["z", "a"], "q1": ["z", "a"]}, probabilities, rule="r").table
    assert shared["answer"].to_pylist() == ["a", "z"] * 2 and shared["weight"][0].as_py() == pytest.approx(0.1)
    own = answers.to_pylist()
    own[1].update(choices=["y", "b"], answer="y")
    given = pa.Table.from_pylist(own, schema=answers.schema)
    apart = labelled(given, {"q0": ["z", "a"], "q1": ["y", "b"]}, probabilities, rule="r").table
    assert apart["answer"].to_pylist() == ["a", "z", "b", "y"]


def test_added_gold_that_could_not_be_parsed_is_counted_among_the_dropped() -> None:
    gold = drawn(2, questions=3, variations=1).to_pylist()
    gold = [{**row, "question_id": f"known-{row['question_id']}"} for row in gold]
    gold[0]["answer"] = None
    table = pa.Table.from_pylist(gold, schema=drawn(1).schema)
    made = pooled_labels(drawn(1), views=["weak"], variance=False, calibration_gold=table, add_gold=True).selection
    assert made.dropped["unparsed"] == 1 and made.rows + sum(made.dropped.values()) == made.rows_in


def test_options_that_are_next_to_impossible_have_no_weight_and_stay_in_their_group() -> None:
    many = labelled(drawn(0, 1, 1), {"q00": [f"{n}" for n in range(200)]}, np.full((1, 200), 0.005), rule="none")
    assert many.table["weight"].to_pylist() == pytest.approx([0.005] * 200)
    answers = answers_of({"q": np.log([[0.9, 0.095, 0.005]])})
    assert pooled_labels(answers, **{**PLAIN, "labels": "soft"}).table["weight"].to_pylist() == pytest.approx(
        [0.9 / 0.995, 0.095 / 0.995, 0.0]
    )


@settings(max_examples=25)
@given(st.integers(0, 1000), st.randoms(use_true_random=False))
def test_the_order_of_the_answers_changes_nothing(seed: int, random: Any) -> None:
    tables = {name: drawn(seed + n) for n, name in enumerate(("weak", "untrained", "cross_fitted"))}
    order = list(range(tables["weak"].num_rows))
    random.shuffle(order)
    shuffled = {name: table.take(pa.array(order)) for name, table in tables.items()}
    settings = {"weights": "agreement", "variance": False}
    one, other = pooled_labels(**tables, **settings), pooled_labels(**shuffled, **settings)
    assert one.table.equals(other.table) and one.selection == other.selection


def test_what_is_left_out_is_not_labelled_and_decides_nothing_of_the_draw() -> None:
    answers = drawn(3, questions=10)
    left_out = pa.table({"question_id": ["q01", "q04"]})
    training, selection = pooled_labels(answers, left_out=left_out, **PLAIN)
    assert set(training["question_id"].to_pylist()) == {f"q{n:02}" for n in range(10)} - {"q01", "q04"}
    assert selection.rows == 8 and selection.dropped["left_out"] == 6
    rest = answers.filter(pc.invert(pc.is_in(answers["question_id"], left_out["question_id"].combine_chunks())))
    assert pooled_labels(rest, **PLAIN).table.equals(training)


def test_several_supervisors_are_one_view_and_one_prompt() -> None:
    both = pa.concat_tables([drawn(4), drawn(5).set_column(12, "supervisor", pa.array(["other"] * 24))])
    training, selection = pooled_labels(both, **PLAIN)
    assert training.num_rows == len(set(training["prompt"].to_pylist())) == 8
    assert selection.dropped["other_supervisors"] == 24


def test_completions_that_are_not_there_are_the_answer_after_a_space() -> None:
    answers = drawn(6).drop_columns(["completions", "completion"])
    rows = pooled_labels(answers, **PLAIN).table.to_pylist()
    assert [row["completion"] for row in rows] == [f" {row['answer']}" for row in rows]


def test_no_answers_give_an_empty_training_set() -> None:
    training, selection = pooled_labels(drawn(0).slice(0, 0), **PLAIN)
    assert training.num_rows == selection.rows == 0 and training.schema.equals(TRAINING_SET)


def test_a_table_that_is_missing_is_named() -> None:
    with pytest.raises(InputError, match="the untrained answers are not there"):
        pooled_labels(drawn(0), views=["weak", "untrained"], variance=False)
    with pytest.raises(InputError, match="1 views are fitted to answers of known truth"):
        pooled_labels(drawn(0), views=["weak"])
    with pytest.raises(InputError, match="share 0: expected a number above 0"):
        labelled(drawn(0), {}, np.zeros((0, 0)), share=0, rule="none")


# What it gains, and where it must fail


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Three models that err each in its own way."""
    return simulated(tmp_path_factory.mktemp("healthy"), accuracy=0.6)


@pytest.fixture(scope="module")
def misled(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The same, but four questions in ten have a wrong option that all three take for the right one."""
    return simulated(tmp_path_factory.mktemp("misled"), accuracy=0.6, systematic=0.4)


def right(made: Made, **settings: Any) -> float:
    return weighted_right(pooled_labels(**made, **{"labels": "hard", "share": 1.0, **settings}), made.gold)


def as_weak(made: Made, name: str) -> Made:
    """The same with one of its models as the supervisor."""
    changed = Made({**made, "weak": made[name], "calibration_weak": made[f"calibration_{name}"]})
    changed.gold = made.gold
    return changed


@pytest.mark.parametrize("weights", ["fitted", "agreement", "equal"])
def test_views_that_err_apart_label_better_together(healthy: Made, weights: str) -> None:
    alone = max(right(as_weak(healthy, name), views=["weak"]) for name in ("weak", "untrained", "cross_fitted"))
    together = right(healthy, weights=weights)
    assert together > alone + 0.08
    assert right(healthy, weights=weights, share=0.25) > together + 0.08


@pytest.mark.parametrize("weights", ["fitted", "agreement", "equal"])
def test_an_error_that_all_views_share_is_not_found(misled: Made, healthy: Made, weights: str) -> None:
    together = right(misled, weights=weights)
    assert together < 0.6 + 0.05, "the share of the questions on which nobody is misled"
    # And where they are sure they are not righter: what is selected is what all agree on, the error as well.
    assert right(misled, weights=weights, share=0.25) < 0.75 < right(healthy, weights=weights, share=0.25)


def test_agreement_takes_a_shared_error_for_skill_and_known_questions_do_not(misled: Made) -> None:
    sure = {}
    for weights in ("agreement", "fitted"):
        rows = pooled_labels(**misled, weights=weights, labels="soft", share=1.0).table.to_pylist()
        best = {row["group"]: 0.0 for row in rows}
        for row in rows:
            best[row["group"]] = max(best[row["group"]], row["weight"])
        sure[weights] = float(np.mean(list(best.values())))
    together = right(misled)
    assert sure["agreement"] > together + 0.15
    assert abs(sure["fitted"] - together) < 0.1


# Settings


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"views": ["weak", "untrianed"]}, "did you mean 'untrained'"),
        ({"views": []}, "views of method posterior are []"),
        ({"views": ["weak", "weak"]}, "each once"),
        ({"views": "weak"}, "views of method posterior is 'weak': expected a list"),
        ({"weights": "learned"}, "unknown weights of method posterior, 'learned'"),
        ({"weights": "agreement", "views": ["weak", "untrained"]}, "expected three views, not weak, untrained"),
        ({"folds": 1}, "folds of method posterior is 1: expected 2 or more"),
        ({"rounds": 3}, "rounds of method posterior is 3: expected 1 or 2"),
        ({"rounds": 2, "views": ["untrained", "cross-fitted"]}, "expected weak and cross-fitted among them"),
        ({"share": 0.0}, "share 0.0: expected a number above 0"),
        ({"share": 1.5}, "share 1.5"),
        ({"labels": "sof"}, "did you mean 'soft'"),
        ({"variance": 1}, "variance of method posterior is 1: expected a true or false"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        METHODS["posterior"].resolve(given)
    assert said in str(caught.value) and "\n" not in str(caught.value)
