"""Entropy within the variations and between them: values by hand, and when there is none between."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.reliability import score_answers
from w2s.tables import ANSWERS

CHOICES = ["Oslo", "Lima"]


def scored(*rows: list[float], **given_settings: Any) -> list[dict[str, Any]]:
    """One question of two options, asked once for each distribution."""
    answers = pa.Table.from_pylist(
        [
            {
                "question_id": "q",
                "variation": number,
                "answer": CHOICES[row.index(max(row))],
                "choices": CHOICES,
                "choice_logprobs": [math.log(p) if p else -math.inf for p in row],
                "positions": [(option + number) % 2 for option in range(2)],
            }
            for number, row in enumerate(rows)
        ],
        schema=ANSWERS,
    )
    found: list[dict[str, Any]] = score_answers(answers, estimator="mutual-information", **given_settings).to_pylist()
    return found


def entropy(*p: float) -> float:
    return -sum(value * math.log(value) for value in p if value)


def test_the_parts_of_the_entropy_by_hand() -> None:
    rows = [[0.9, 0.1], [0.3, 0.7]]
    within = (entropy(0.9, 0.1) + entropy(0.3, 0.7)) / 2
    total = entropy(0.6, 0.4)
    parts = {"total": total, "within": within, "between": total - within}
    for part, value in parts.items():
        found = scored(*rows, part=part)
        assert [row["uncertainty"] for row in found] == pytest.approx([value, value], abs=1e-6)
        expected = [0.6 * math.exp(-value), 0.4 * math.exp(-value)]
        assert [row["confidence"] for row in found] == pytest.approx(expected, abs=1e-6)
        assert found[0]["posterior"] == pytest.approx([0.6, 0.4], abs=1e-6)
    assert scored(*rows)[0]["uncertainty"] == pytest.approx(parts["between"], abs=1e-6), "between is the default"


def test_two_certain_variations_that_contradict_each_other_are_two_distributions() -> None:
    found = scored([1, 0], [0, 1])
    assert found[0]["uncertainty"] == pytest.approx(math.log(2))
    assert found[0]["confidence"] == pytest.approx(0.25), "half the probability, over two distributions"
    assert scored([1, 0], [0, 1], part="within")[0]["uncertainty"] == 0


PERCENT = st.integers(0, 100)


@settings(max_examples=30)
@given(PERCENT, st.integers(1, 6))
def test_there_is_nothing_between_variations_that_all_say_the_same(percent: int, variations: int) -> None:
    row = [percent / 100, 1 - percent / 100]
    found = scored(*[row] * variations)
    assert found[0]["uncertainty"] == 0, "exactly"
    assert scored(*[row] * variations, part="within")[0]["uncertainty"] == pytest.approx(entropy(*row), abs=1e-5)


@settings(max_examples=30)
@given(st.lists(PERCENT, min_size=2, max_size=6))
def test_there_is_something_between_variations_that_differ(percents: list[int]) -> None:
    assume(len(set(percents)) > 1)
    rows = [[percent / 100, 1 - percent / 100] for percent in percents]
    between, within, total = (scored(*rows, part=p)[0]["uncertainty"] for p in ("between", "within", "total"))
    assert 0 < between <= math.log(len(rows)) + 1e-9
    assert between + within == pytest.approx(total, abs=1e-9)


def test_what_only_positions_do_is_nothing_between_once_it_is_divided_out() -> None:
    rows = [[0.8, 0.2], [0.2, 0.8]]  # whatever stands first gets .8
    assert scored(*rows)[0]["uncertainty"] > 0.1
    assert scored(*rows, debias=True)[0]["uncertainty"] == pytest.approx(0, abs=1e-9)


def test_an_unknown_part_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"part of the entropy 'betwen'.*did you mean 'between'"):
        scored([0.5, 0.5], part="betwen")
