"""What the page says in sentences: the comparison that was named, and no more than the seeds carry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_up import write_run

from w2s.metrics import pool_effects
from w2s.report.words import effect, headline, missing, pgr_of, told_of_test
from w2s.results.guessing import Guessing
from w2s.results.records import RunRecords


def run_of(folder: Path, *seeds: int) -> RunRecords:
    return replace(write_run(folder, seeds=seeds), compare=("filtering-sampled", "naive"))


def test_the_headline_is_about_the_comparison_that_was_named_never_the_best_of_the_table(tmp_path: Path) -> None:
    run = run_of(tmp_path, 0)
    best = max((record for record in run.pooled if record.role == "method"), key=lambda record: record.accuracy)
    other = "reweighting-sampled" if best.method != "reweighting-sampled" else "filtering-sampled"
    said = headline(replace(run, compare=(other, "naive")))
    assert said.startswith(f"Compared, as named before the run: {other} is right on") and best.method not in said
    assert "claims nothing" in headline(replace(run, compare=None))


def test_one_seed_is_one_run_and_says_by_how_much_another_would_move_it(tmp_path: Path) -> None:
    said = headline(run_of(tmp_path, 0))
    assert "This is one run" in said and "another seed moves such a difference by about 4 points" in said
    assert "clear" not in said and "p =" not in said and "significan" not in said


def test_two_seeds_are_too_few_for_an_interval_and_three_are_not(tmp_path: Path) -> None:
    assert "two seeds: too few for an interval" in headline(run_of(tmp_path / "two", 0, 1))
    assert "too few" not in headline(run_of(tmp_path / "three", 0, 1, 2))


@pytest.mark.parametrize(("seeds", "said"), [((0,), ["Below chance"]), ((0, 1), []), ((0, 1, 2), ["Below chance"])])
def test_nobody_is_below_chance_without_an_interval_that_says_so(
    seeds: tuple[int, ...], said: list[str], tmp_path: Path
) -> None:
    run = replace(run_of(tmp_path, *seeds), guessing=Guessing(chance=0.999, constant=None, constant_accuracy=None))
    assert [line.partition(":")[0] for line in told_of_test(run)] == said


@pytest.mark.parametrize(
    ("left_out", "said"),
    [("supervisor", "answers no test questions, so there is no PGR"), ("bound", "No bound was among the methods")],
)
def test_why_there_is_no_pgr_is_said(left_out: str, said: str, tmp_path: Path) -> None:
    run = run_of(tmp_path, 0)
    without = replace(run, pooled=[record for record in run.pooled if record.role != left_out])
    gaps = missing(without, checked=True, answered=True)
    assert any(said in gap for gap in gaps)
    assert not any("PGR" in gap for gap in missing(run, checked=True, answered=True))


def test_the_pgr_of_a_bound_that_is_not_the_ceiling_is_its_own(tmp_path: Path) -> None:
    ceiling = next(record for record in run_of(tmp_path, 0, 1).pooled if record.role == "bound")
    assert pgr_of(replace(ceiling, pgr=None)) == pgr_of(replace(ceiling, pgr=1.0)) == "1"
    assert pgr_of(replace(ceiling, pgr=-0.6875)) == "−0.69"


def test_where_no_variance_between_effects_is_found_none_is_denied() -> None:
    said = effect(pool_effects([0.02, 0.021, 0.019], [0.03, 0.03, 0.03]))
    assert "differ by no more than their errors explain" in said and "0.0 points" not in said
    assert "(95% prediction interval)" in said
    assert "true effects differ by" in effect(pool_effects([0.3, 0.0, -0.3], [0.03, 0.03, 0.03]))
