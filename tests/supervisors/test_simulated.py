"""A supervisor that is made up: each of its faults is the one that it says, and no other."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from support.experiments import write_rows
from w2s.config import WeakSpec
from w2s.errors import InputError
from w2s.reliability import agreement_signal, score_answers
from w2s.supervisors import SOURCES, Inquiry
from w2s.supervisors.simulated import SETTINGS, skill_for
from w2s.tasks import load_task

WORDS = ["option a", "option b", "option c", "option d"]
NO_FAULTS = {"difficulty": 0.0, "misconception": 0.0, "sensitivity": 0.0}


def asked(tmp_path: Path, *, count: int = 400, known: int = 10_000, variations: int = 4, **given: Any) -> pa.Table:
    """The answers of a simulated supervisor to made-up questions of four options each."""
    rows = [{"id": f"q{n}", "question": f"Number {n}?", "choices": WORDS, "answer": WORDS[n % 4]} for n in range(count)]
    task = load_task("file", data=write_rows(tmp_path / "rows.jsonl", rows))
    examples = list(task.examples())
    answer = SOURCES["simulated"].answer
    assert answer is not None
    return answer(
        Inquiry(
            task=task,
            questions=[example.question for example in examples],
            settings={**SETTINGS, **given},
            num_variations=variations,
            seed=0,
            gold=gold(known),
            journal=tmp_path / "journal.jsonl",
            cache=tmp_path / "cache",
        )
    )


def gold(count: int = 10_000) -> dict[str, str]:
    return {f"q{n}": WORDS[n % 4] for n in range(count)}


def accuracy(answers: pa.Table) -> float:
    truth = gold()
    rows = zip(answers["question_id"].to_pylist(), answers["answer"].to_pylist(), strict=True)
    return float(np.mean([truth[id] == answer for id, answer in rows]))


@pytest.mark.parametrize("given", [{"accuracy": 0.4}, {"accuracy": 0.9}, {"sensitivity": 2.0}, {"difficulty": 3.0}])
def test_it_is_right_as_often_as_it_is_told_to(tmp_path: Path, given: dict[str, float]) -> None:
    wanted = given.get("accuracy", SETTINGS["accuracy"])
    assert accuracy(asked(tmp_path, count=2000, variations=1, **given)) == pytest.approx(wanted, abs=0.035)


def test_the_skill_of_a_coin_is_none() -> None:
    assert skill_for(0.25, 0.0, 1.0, 0.5) == pytest.approx(0, abs=1e-3)
    assert skill_for(0.5, 0.0, 1.0, 0.0, options=2) == pytest.approx(0, abs=1e-3)


def test_agreement_tells_right_answers_unless_the_faults_are_the_same_each_time(tmp_path: Path) -> None:
    # What differs from variation to variation shows; what is wrong every time does not; what is wrong in the same way
    # as it would be right says nothing at all.
    faults = {
        "in some": {"misconception": 0.2, "sensitivity": 2.0},
        "in all": {"misconception": 2.0, "sensitivity": 0.4},
        "as if right": {**NO_FAULTS, "sensitivity": 1.0, "systematic": 0.4, "accuracy": 0.9},
    }
    scored = {name: score_answers(asked(tmp_path, variations=8, **given)) for name, given in faults.items()}
    signals = {name: agreement_signal(table, gold()).auroc["entropy"] for name, table in scored.items()}
    assert signals["in some"] > signals["in all"] + 0.05
    assert signals["as if right"] == pytest.approx(0.5, abs=0.06)


def test_a_position_bias_shows_in_positions_and_an_answer_bias_in_answers(tmp_path: Path) -> None:
    plain = asked(tmp_path, accuracy=0.4)
    placed = asked(tmp_path, accuracy=0.4, position_bias=2.0)
    named = asked(tmp_path, accuracy=0.4, answer_bias=2.0)

    def most(table: pa.Table, column: str) -> float:
        counts = Counter(table[column].to_pylist())
        return counts.most_common(1)[0][1] / table.num_rows

    assert most(plain, "position") < 0.3 < 0.5 < most(placed, "position")
    assert most(plain, "answer") < 0.3 < 0.4 < most(named, "answer") and most(named, "position") < 0.4


def test_spammers_are_no_better_than_chance_and_the_others_as_good_as_without_them(tmp_path: Path) -> None:
    answers = asked(tmp_path, annotators=3, spammers=1, accuracy=0.8)
    assert set(answers["supervisor"].to_pylist()) == {"simulated-1", "simulated-2", "simulated-3"}
    by_name = {
        name: accuracy(answers.filter(pa.compute.equal(answers["supervisor"], name)))
        for name in ("simulated-1", "simulated-2", "simulated-3")
    }
    assert by_name["simulated-1"] == pytest.approx(0.25, abs=0.05)
    assert min(by_name["simulated-2"], by_name["simulated-3"]) > 0.72


def test_nobody_else_changes_an_answer(tmp_path: Path) -> None:
    few, many = asked(tmp_path, count=5), asked(tmp_path, count=50)
    assert few.to_pylist() == many.slice(0, few.num_rows).to_pylist()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"accuracy": 1.5}, r"weak\.settings\.accuracy is 1\.5: expected at least 0\.01 and at most 0\.99"),
        ({"spammers": 2}, r"weak\.settings\.spammers is 2: expected at least 0 and at most 1"),
        ({"acuracy": 0.5}, r"unknown setting of source simulated 'acuracy': .* did you mean 'accuracy'"),
        ({"annotators": 1.5}, r"annotators of source simulated is 1\.5: expected a whole number"),
    ],
)
def test_settings_that_it_cannot_use_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        SOURCES["simulated"].check(WeakSpec(source="simulated", settings=given))


def test_it_needs_the_truth_and_options(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs the right answer"):
        asked(tmp_path, count=3, known=2)
