"""The diagnosis of supervisors whose faults are known, because they were made up with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s import metrics
from w2s.errors import InputError
from w2s.gold import Gold
from w2s.reliability import score_answers
from w2s.results.diagnosis import Diagnosis, Verdict, WeakLabelSummary, diagnose
from w2s.results.findings import Findings, row_share
from w2s.results.label_files import weak_labels
from w2s.results.verdicts import judge
from w2s.tables import ANSWERS, SCORED, write_table
from w2s.tasks.variations import permutations

CHOICES = ("a", "b", "c", "d")
Answer = Callable[[np.random.Generator, int, int, list[str]], str | None]
"""(rng, question, variation, options in the order of the prompt) -> the option chosen"""


def supervised(answer: Answer, *, questions: int = 300, variations: int = 5, seed: int = 0) -> pa.Table:
    """Scored answers of a supervisor to questions whose right answer is "a" + the question's number modulo 4."""
    rng = np.random.default_rng(seed)
    rows = []
    for question in range(questions):
        for variation in range(variations):
            order = [f"{name}{question}" for name in rng.permutation(CHOICES)]
            chosen = answer(rng, question, variation, order)
            rows.append(
                {
                    "question_id": f"q{question}",
                    "variation": variation,
                    "answer": chosen,
                    "position": order.index(chosen) if chosen in order else None,
                    "positions": [order.index(f"{name}{question}") for name in CHOICES],
                    "choice_logprobs": [0.0] * 4,
                }
            )
    return score_answers(pa.Table.from_pylist(rows, schema=ANSWERS))


def truth(questions: int = 300) -> dict[str, str]:
    return {f"q{question}": f"a{question}" for question in range(questions)}


def knowing_some(rng: np.random.Generator, question: int, variation: int, order: list[str]) -> str:
    """Right on every other question, a guess on the others."""
    return f"a{question}" if question % 2 else str(rng.choice(order))


def stubborn(rng: np.random.Generator, question: int, variation: int, order: list[str]) -> str:
    """The same whatever the wording, right half of the time."""
    return f"{'ab'[question % 2]}{question}"


def guessing(rng: np.random.Generator, question: int, variation: int, order: list[str]) -> str:
    return str(rng.choice(order))


def first_place(rng: np.random.Generator, question: int, variation: int, order: list[str]) -> str:
    return order[0] if rng.random() < 0.8 else str(rng.choice(order))


def silent(rng: np.random.Generator, question: int, variation: int, order: list[str]) -> str | None:
    return None if rng.random() < 0.7 else str(rng.choice(order))


@pytest.mark.parametrize(
    "answer, with_gold, without_gold",
    [
        (knowing_some, Verdict.INFORMATIVE, Verdict.UNCHECKED),
        (stubborn, Verdict.UNANIMOUS, Verdict.UNANIMOUS),
        (guessing, Verdict.UNINFORMATIVE, Verdict.UNCHECKED),
        (first_place, Verdict.BY_POSITION, Verdict.BY_POSITION),
        (silent, Verdict.UNPARSED, Verdict.UNPARSED),
    ],
)
def test_verdict_names_the_fault(answer: Answer, with_gold: Verdict, without_gold: Verdict) -> None:
    scored = supervised(answer)
    assert diagnose(scored, truth()).verdict == with_gold
    assert diagnose(scored).verdict == without_gold


@pytest.mark.parametrize("gold", [None, truth()])
def test_what_the_verdict_says_stands_there_once(gold: dict[str, str] | None) -> None:
    found = diagnose(supervised(first_place), gold)
    assert "position 1 of 4" in found.sentence and not any("position 1 of 4" in note for note in found.notes)


def test_verdict_tells_the_numbers_behind_it() -> None:
    found = diagnose(supervised(knowing_some), truth())
    assert found.score == "reliability"
    assert f"AUROC {found.auroc['reliability'].estimate:.2f}" in found.sentence
    assert f"{found.accuracy_unanimous:.0%} of the answers are right" in found.sentence
    assert "right answers from wrong" in found.title


def test_without_ground_truth_it_says_so() -> None:
    found = diagnose(supervised(knowing_some), {"another question": "a"})
    assert not found.checked
    assert found.accuracy is None and found.auroc == {}
    assert any("no ground truth" in note for note in found.notes)


def test_half_answered_by_place_is_half_an_effect() -> None:
    def half(rng: np.random.Generator, question: int, variation: int, order: list[str]) -> str:
        return order[2] if rng.random() < 0.5 else str(rng.choice(order))

    position = diagnose(supervised(half, questions=2000)).position
    assert position is not None
    assert position.effect == pytest.approx(0.5, abs=0.03)
    assert position.favourite == 2
    assert position.p_value < 1e-6
    share = position.positions[2].share
    assert share.low < 0.5 + 0.5 / 4 < share.high


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_questions_with_fewer_options_hide_no_effect_of_position(share: float) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for question in range(1000):
        for variation in range(3):
            positions = rng.permutation(2 if question % 2 else 4).tolist()
            position = 0 if rng.random() < share else int(rng.integers(len(positions)))
            answer = f"{question}-{positions.index(position)}"
            rows.append((f"q{question}", variation, answer, position, positions))
    names = ("question_id", "variation", "answer", "position", "positions")
    table = score_answers(pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))))
    found = diagnose(table).position
    assert found is not None and found.favourite == 0
    assert found.effect == pytest.approx(share, abs=0.03)


def labelled(
    *, orders: int, bias: float, questions: int = 400, commonest: float = 0.85, people: bool = False, seed: int = 0
) -> pa.Table:
    """Scored answers of a classifier: a label is often right; asked in orders that begin with the listed one."""
    rng = np.random.default_rng(seed)
    rows = []
    for question in range(questions):
        right = 0 if rng.random() < commonest else int(rng.integers(1, 4))
        for variation, order in enumerate(permutations(4, orders, 0, f"q{question}")):
            order = tuple(range(4)) if people else order
            label = right if rng.random() < 0.9 else int(rng.integers(4))
            label = order[0] if rng.random() < bias else label
            positions = [order.index(option) for option in range(4)]
            rows.append((f"q{question}", variation, f"label {label}", positions[label], positions))
    names = ("question_id", "variation", "answer", "position", "positions")
    return score_answers(pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))))


@pytest.mark.parametrize("orders", [2, 3, 5])
def test_a_frequent_label_that_is_listed_first_is_no_preference_for_a_position(orders: int) -> None:
    found = diagnose(labelled(orders=orders, bias=0))
    assert found.position is not None and not found.position.noted and found.position.effect < 0.05
    assert found.verdict != Verdict.BY_POSITION
    assert found.position.positions[0].expected > 0.3, "of this supervisor's answers, not a quarter"


@pytest.mark.parametrize("bias", [0.1, 0.2])
def test_a_true_preference_for_a_position_is_found_and_its_interval_says_so(bias: float) -> None:
    found = diagnose(labelled(orders=5, bias=bias, commonest=0.25)).position
    assert found is not None and found.p_value < 1e-6 and found.favourite == 0
    assert found.effect == pytest.approx(bias, abs=0.03)
    assert found.positions[0].share.low > found.positions[0].expected


def test_p_values_of_no_preference_are_as_rare_as_they_say_though_answers_to_a_question_stand_together() -> None:
    diagnosed = [diagnose(labelled(orders=3, bias=0, questions=60, seed=seed)).position for seed in range(200)]
    found = [one for one in diagnosed if one is not None]
    assert len(found) == 200 and 0.01 <= np.mean([one.p_value < 0.05 for one in found]) <= 0.09
    first = [one.positions[0] for one in found]
    assert np.mean([one.share.low <= one.expected <= one.share.high for one in first]) >= 0.9


@pytest.mark.parametrize("table", [labelled(orders=5, bias=0, people=True), labelled(orders=1, bias=0)])
def test_where_each_question_was_asked_in_one_order_nothing_is_said_of_positions(table: pa.Table) -> None:
    found = diagnose(table)
    assert found.position is None
    assert not any("position" in text for text in (found.title, found.sentence, *found.notes))


def test_significant_but_tiny_preference_is_no_alarm() -> None:
    def slight(rng: np.random.Generator, question: int, variation: int, order: list[str]) -> str:
        return order[0] if rng.random() < 0.05 else str(rng.choice(order))

    found = diagnose(supervised(slight, questions=1500))
    assert found.position is not None
    assert found.position.p_value < 0.001
    assert not found.position.noted
    assert found.verdict == Verdict.UNCHECKED


def test_preference_of_an_informative_supervisor_is_a_note() -> None:
    def first_when_unsure(rng: np.random.Generator, question: int, variation: int, order: list[str]) -> str:
        return f"a{question}" if question % 2 else order[0]

    found = diagnose(supervised(first_when_unsure), truth())
    assert found.verdict == Verdict.INFORMATIVE
    assert any("position 1 of 4" in note for note in found.notes)


def test_places_never_chosen_count_where_the_prompt_named_an_option() -> None:
    scored = supervised(lambda rng, question, variation, order: order[int(rng.integers(2))])
    found = diagnose(scored).position
    assert found and len(found.positions) == 4 and found.favourite in (0, 1) and found.noted
    assert diagnose(scored.drop_columns(["positions"])).position is None


def test_one_answer_to_everything_is_named() -> None:
    def yes(rng: np.random.Generator, question: int, variation: int, order: list[str]) -> str:
        return "yes" if rng.random() < 0.97 else "no"

    gold = {f"q{question}": ("yes", "no")[question % 2] for question in range(300)}
    found = diagnose(supervised(yes), gold)
    assert found.verdict == Verdict.ONE_ANSWER
    assert "“yes”" in found.sentence and "right for 50%" in found.sentence
    assert [item.answer for item in found.answers] == ["yes", "no"]
    mostly = {id: "yes" if int(id[1:]) % 30 else "no" for id in gold}
    assert diagnose(supervised(yes), mostly).verdict != Verdict.ONE_ANSWER, "it is right to say yes"


def test_an_answer_is_compared_with_ground_truth_where_there_is_ground_truth() -> None:
    def yes_to_what_is_not_checked(rng: np.random.Generator, question: int, *_: object) -> str:
        return "no" if question < 30 else "yes"

    scored = supervised(yes_to_what_is_not_checked)
    found = diagnose(scored, {f"q{question}": "no" for question in range(30)})
    (yes, no) = found.answers
    assert yes.share.estimate == pytest.approx(0.9) and yes.checked is not None and yes.checked.estimate == 0
    assert no.checked is not None and no.checked.estimate == 1 == no.expected
    assert found.verdict != Verdict.ONE_ANSWER and not any("prefers" in note for note in found.notes)
    wrong = diagnose(scored, {f"q{question}": "no" for question in range(20, 60)})
    assert wrong.verdict == Verdict.ONE_ANSWER
    assert wrong.sentence == ("90% of the answers are “yes”; of those with ground truth 75%, where it is right for 0%.")


def test_answers_that_differ_by_question_have_no_answer_bias() -> None:
    assert diagnose(supervised(guessing)).answers == ()


def test_variation_that_flips_answers_is_found() -> None:
    def misread(rng: np.random.Generator, question: int, variation: int, order: list[str]) -> str:
        return f"{'b' if variation == 3 and question % 3 else 'a'}{question}"

    found = diagnose(supervised(misread))
    assert [round(item.share.estimate, 2) for item in found.disagreement] == [0, 0, 0, 0.67, 0]
    assert any(note.startswith("Variation 3") for note in found.notes)


def test_one_variation_is_too_few() -> None:
    found = diagnose(supervised(knowing_some, variations=1), truth())
    assert found.verdict == Verdict.TOO_FEW_VARIATIONS
    assert found.variations == (1, 1)


def answered_once_or_thrice(split: int, thrice: int = 15) -> pa.Table:
    """Scored answers to 200 questions; of those answered three times the first few are answered differently once."""
    rows = [
        (f"q{question}", number, f"{'b' if question < split and not number else 'a'}{question}")
        for question in range(200)
        for number in range(3 if question < thrice else 1)
    ]
    names = ("question_id", "variation", "answer")
    return score_answers(pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))))


def test_questions_answered_once_are_not_unanimous() -> None:
    gold = truth(15) | {f"q{question}": "another" for question in range(15, 200)}
    found = diagnose(answered_once_or_thrice(8), gold)
    assert found.unanimity_rate == pytest.approx(7 / 15) and found.verdict != Verdict.UNANIMOUS
    assert (found.accuracy_unanimous, found.accuracy_split) == (1.0, pytest.approx(16 / 24))
    said = diagnose(answered_once_or_thrice(0)).sentence
    assert said.startswith("100% of the questions answered more than once get the same answer")


def test_where_no_question_was_answered_twice_nothing_is_said_of_unanimity() -> None:
    found = diagnose(answered_once_or_thrice(0, thrice=0), truth(200))
    assert np.isnan(found.unanimity_rate) and found.accuracy_unanimous is None
    assert "same answer" not in found.sentence


def test_a_share_of_few_questions_is_not_surer_than_they_allow() -> None:
    one = row_share(np.array([True, False] * 5), np.zeros(10, int))
    assert one.low < 0.1 and one.high > 0.9
    each_half = row_share(np.tile([True, False], 40), np.repeat(np.arange(40), 2))
    assert each_half.low < 0.4 and each_half.high > 0.6
    rng = np.random.default_rng(0)
    found = [row_share(rng.random(20) < 0.95, np.arange(20)) for _ in range(400)]
    assert np.mean([one.low <= 0.95 <= one.high for one in found]) > 0.9


def test_no_answers_at_all() -> None:
    found = diagnose(SCORED.empty_table())
    assert found.verdict == Verdict.TOO_FEW_VARIATIONS
    assert "no answers" in found.sentence
    assert np.isnan(found.unanimity_rate)


def test_few_questions_give_no_verdict_on_agreement() -> None:
    found = diagnose(supervised(knowing_some, questions=4, seed=3), truth())
    assert found.verdict in (Verdict.UNCLEAR, Verdict.UNINFORMATIVE, Verdict.INFORMATIVE)
    assert all(interval.high - interval.low > 0.1 for interval in found.auroc.values())


def judged(auroc: metrics.Interval) -> tuple[Verdict, str]:
    found = {"auroc": {"reliability": auroc}, "score": "reliability", "variations": (5, 5), "unanimity_rate": 0.4}
    shares = {"accuracy": 0.5, "accuracy_unanimous": 0.4, "accuracy_split": 0.6}
    return judge(Findings(checked=True, rows=30, questions=6, unparsed_rate=0.0, **found, **shares))


def test_nothing_known_is_not_known_to_be_nothing() -> None:
    assert judged(metrics.Interval(0.5, 0.2, 0.8))[0] == Verdict.UNCLEAR
    assert judged(metrics.Interval(0.54, 0.51, 0.66))[0] == Verdict.UNCLEAR
    assert judged(metrics.Interval(0.5, 0.45, 0.55))[0] == Verdict.UNINFORMATIVE


def test_agreement_on_the_wrong_answers_is_said_to_be_that() -> None:
    verdict, sentence = judged(metrics.Interval(0.2, 0.15, 0.25))
    assert verdict == Verdict.UNINFORMATIVE and "the more unanimous answers are the wrong ones more often" in sentence
    assert "wrong ones" not in judged(metrics.Interval(0.5, 0.45, 0.55))[1]


def test_a_share_of_pairs_says_how_ties_count() -> None:
    sentence = judged(metrics.Interval(0.69, 0.6, 0.8))[1]
    assert sentence.startswith(
        "A right answer is the more reliable one in 69% of pairs with a wrong one, ties counted as half (AUROC 0.69, "
    )


def test_all_right_answers_leave_nothing_to_tell_apart() -> None:
    gold = truth()
    scored = supervised(lambda rng, question, variation, order: None if rng.random() < 0.2 else f"a{question}")
    readable = scored.filter(pa.compute.is_valid(scored["answer"]))
    assert diagnose(readable, gold).verdict == Verdict.UNCLEAR


def test_auroc_is_that_of_metrics() -> None:
    scored = supervised(knowing_some)
    found = diagnose(scored, truth()).auroc
    right = [
        answer == f"a{id[1:]}"
        for id, answer in zip(scored["question_id"].to_pylist(), scored["answer"].to_pylist(), strict=True)
    ]
    assert found["reliability"].estimate == metrics.auroc(scored["reliability"].to_numpy(), right)
    assert found["entropy"].estimate == metrics.auroc(-scored["entropy"].to_numpy().round(9), right)


def test_intervals_of_auroc_hold_the_truth_as_often_as_they_say() -> None:
    """Of 120 small samples; the rows of a question are not independent, and taken so they would cover less."""

    def auroc(questions: int, seed: int) -> metrics.Interval:
        scored = supervised(knowing_some, questions=questions, variations=3, seed=seed)
        return diagnose(scored, truth(questions)).auroc["reliability"]

    expected = auroc(6000, 999).estimate
    found = [auroc(60, seed) for seed in range(120)]
    assert 0.9 <= np.mean([one.low <= expected <= one.high for one in found]) <= 0.99


@settings(max_examples=40)
@given(st.permutations(range(60)))
def test_order_of_rows_changes_nothing(order: list[int]) -> None:
    scored = supervised(knowing_some, questions=12)
    assert plain(diagnose(scored.take(order), truth())) == plain(diagnose(scored, truth()))


def plain(found: Diagnosis) -> str:
    """As text, rounded: sums in another order differ in the last bits."""
    return json.dumps(json.loads(json.dumps(found.to_dict()), parse_float=lambda text: round(float(text), 9)))


def test_table_without_scores_is_refused() -> None:
    with pytest.raises(InputError, match="vote_share"):
        diagnose(supervised(guessing).drop_columns(["vote_share"]))


@pytest.mark.parametrize("answer", [knowing_some, stubborn, guessing, first_place, silent])
@pytest.mark.parametrize("gold", [truth(), {}])
def test_what_json_gives_back_is_the_same_diagnosis(answer: Answer, gold: dict[str, str]) -> None:
    found = WeakLabelSummary.of(3, supervised(answer, questions=60), gold)
    assert found.position is not None and found.disagreement
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert WeakLabelSummary.from_dict(json.loads(text)) == found


def test_a_diagnosis_of_nothing_comes_back_from_json_as_well() -> None:
    found = WeakLabelSummary.of(0, SCORED.empty_table(), {})
    again = WeakLabelSummary.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
    assert np.isnan(again.unanimity_rate) and np.isnan(again.unparsed_rate)
    assert again.to_dict() == found.to_dict()


def test_shares_of_a_fixed_set_of_answers_come_back_from_json() -> None:
    gold = {f"q{question}": ("yes", "no")[question % 2] for question in range(60)}
    found = diagnose(supervised(lambda rng, *_: str(rng.choice(["yes", "no"])), questions=60), gold)
    assert len(found.answers) == 2
    assert Diagnosis.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_what_a_run_reads_of_its_file_of_scored_answers_holds_all_that_a_diagnosis_needs(tmp_path: Path) -> None:
    scored = supervised(first_place)
    write_table(scored, tmp_path / "scored.parquet")
    found = weak_labels(0, tmp_path / "scored.parquet", Gold(truth(), {}))
    assert found.position is not None and found == WeakLabelSummary.of(0, scored, truth())
