"""Seconds and bytes of work: values by hand, and laws."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.forecast.plan import step_seconds
from w2s.forecast.work import Rates, Work, adapter_parameters, makespan, memory_of, seconds_of

RATES = Rates(forward=1e9, training=5e8, start=5.0, step=1.0, load=1e-6, convert=1e-6)
ANSWERS = Work(does="answers", layers=1e6, tokens=4000, head=1e5, read=1000, model="m", weights=2e6)


def test_answering_is_layers_by_tokens_and_the_head_by_what_is_read() -> None:
    # (1e6 * 4000 + 1e5 * 1000) / 1e9 = 4.1, one second of any step, and 2 for two million bytes
    assert seconds_of(ANSWERS, RATES, loads=False) == pytest.approx(5.1)
    assert seconds_of(ANSWERS, RATES, loads=True) == pytest.approx(7.1)


def test_a_written_token_counts_twice_and_passes_the_head() -> None:
    writes = replace(ANSWERS, read=0, tokens=0, written=1000)  # (1e6 * 2000 + 1e5 * 1000) / 1e9 = 2.1
    assert seconds_of(writes, RATES, loads=False) == pytest.approx(3.1)


def test_training_has_a_rate_of_its_own() -> None:
    assert seconds_of(replace(ANSWERS, does="trains"), RATES, loads=False) == pytest.approx(1 + 8.2)


def test_conversion_is_by_parameters_and_all_else_is_free() -> None:
    assert seconds_of(Work(does="converts", layers=3e6), RATES, loads=False) == pytest.approx(4.0)
    assert seconds_of(Work(), RATES, loads=True) == seconds_of(Work(does="unknown"), RATES, loads=True) == 0


def test_a_model_that_is_in_memory_is_not_loaded_again() -> None:
    other = replace(ANSWERS, model="n")
    seconds = step_seconds({"a": ANSWERS, "b": Work(), "c": ANSWERS, "d": other, "e": ANSWERS}, RATES)
    assert seconds == pytest.approx({"a": 7.1, "b": 0, "c": 5.1, "d": 7.1, "e": 7.1})


def test_training_holds_weights_activations_and_optimizer() -> None:
    trains = replace(ANSWERS, does="trains", depth=2, width=10, trained=100, number=4)
    # 5e8 of libraries, 2e6 of weights; 1536 tokens * 2 layers * 10 * 34 bytes * 2; 16 bytes for each trained parameter
    assert memory_of(trains) == pytest.approx(5e8 + 2e6 + 1536 * 2 * 10 * 34 * 2 + 1600)
    assert memory_of(ANSWERS) == pytest.approx(5e8 + 2e6)


def test_an_adapter_of_two_square_modules_has_rank_times_their_sides() -> None:
    assert adapter_parameters(16, 2, depth=32, width=4096) == 16 * 32 * 2 * (4096 + 4096)


numbers = st.floats(0, 1e6)


@given(st.sampled_from(["answers", "trains"]), numbers, numbers, numbers, numbers)
def test_more_tokens_never_take_less(does: str, tokens: float, more: float, written: float, read: float) -> None:
    less = replace(ANSWERS, does=does, tokens=tokens, written=written, read=read)
    for work in (
        replace(less, tokens=tokens + more),
        replace(less, written=written + more),
        replace(less, read=read + more),
    ):
        assert seconds_of(work, RATES, loads=False) >= seconds_of(less, RATES, loads=False)


@st.composite
def plans(draw: st.DrawFn) -> tuple[dict[str, float], dict[str, list[str]]]:
    count = draw(st.integers(1, 10))
    seconds = {str(number): draw(st.floats(0, 100)) for number in range(count)}
    inputs = {str(n): [str(b) for b in draw(st.sets(st.integers(0, max(0, n - 1)))) if b < n] for n in range(count)}
    return seconds, inputs


@given(plans(), st.integers(1, 5))
def test_processes_take_no_longer_than_one_and_no_less_than_the_longest_chain(
    plan: tuple[dict[str, float], dict[str, list[str]]], workers: int
) -> None:
    seconds, inputs = plan
    chain: dict[str, float] = {}
    for key in seconds:
        chain[key] = seconds[key] + max((chain[before] for before in inputs[key]), default=0)
    total = sum(seconds.values())
    found = makespan(seconds, inputs, workers)
    assert found <= total + 1e-6
    assert found >= max(total / workers, *chain.values()) - 1e-6
    assert makespan(seconds, inputs, 1) == pytest.approx(total)


def test_two_processes_by_hand() -> None:
    # a and b at once; c after both
    assert makespan({"a": 3, "b": 2, "c": 4}, {"c": ["a", "b", "done"]}, 2) == 7
