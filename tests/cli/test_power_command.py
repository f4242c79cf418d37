"""`w2s power`: from a finished run, a study, or numbers of one's own."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from support import commands
from support.commands import Say
from w2s.config import Experiment
from w2s.metrics import variance_components
from w2s.results.records import WEAK, Record, RunRecords
from w2s.tables import write_table

METHODS = ("naive", "filtering", "ceiling")
OWN = ["--seed-sd=.02", "--question-sd=.1", "--answer-sd=.4"]


def write_run(folder: Path, seeds: Sequence[int] = (0, 1, 2), *, compare: bool = True, apart: bool = False) -> Path:
    """A finished run of which no more is there than its numbers and who was right."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    accuracies = {WEAK: 0.6, "naive": 0.7, "filtering": 0.75, "ceiling": 0.9}
    records = [
        Record(
            method=name,
            seed=None,
            role={WEAK: "supervisor", "ceiling": "bound"}.get(name, "method"),
            reference=name == "naive",
            uses_gold=name == "ceiling",
            accuracy=accuracy,
            accuracy_low=None,
            accuracy_high=None,
            pgr=None if name == WEAK else (accuracy - 0.6) / 0.3,
        )
        for name, accuracy in accuracies.items()
    ]
    result = RunRecords(
        experiment=Experiment(seeds=list(seeds), methods=list(METHODS)),
        records=[],
        pooled=records,
        labels=[],
        compare=("filtering", "naive") if compare else None,
        folder=folder,
        info={},
    )
    (folder / "results.json").write_text(json.dumps(result.to_dict()))
    for seed in seeds:
        ids = [f"q{number + 100 * seed * apart}" for number in range(100)]
        for name in METHODS:
            own = rng.permutation(100)  # in an order of its own
            right = {ids[index]: bool(rng.random() < accuracies[name]) for index in own}
            table = pa.table({"question_id": list(right), "correct": list(right.values())})
            write_table(table, result.files.method(seed, name).predictions)
    return folder


def expected(folder: Path, method: str, reference: str) -> Any:
    result = RunRecords.load(folder)
    tables = [
        [result.files.method(seed, name).predictions for seed in result.experiment.seeds]
        for name in (method, reference)
    ]
    import pyarrow.parquet as pq

    sides = [[dict(zip(*pq.read_table(path).to_pydict().values(), strict=True)) for path in own] for own in tables]
    ids = [sorted(own) for own in sides[0]]
    a, b = ([[own[id] for id in some] for own, some in zip(side, ids, strict=True)] for side in sides)
    return variance_components(a, b, question_ids=ids)


def asked(say: Say, *words: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(say("power", *words, "--json"))
    return found


@pytest.mark.parametrize("apart", [False, True])
def test_a_runs_components_and_design_are_what_is_planned_from(say: Say, tmp_path: Path, apart: bool) -> None:
    folder = write_run(tmp_path / "run", apart=apart)
    found = asked(say, folder, "--seeds=[3, 5]", "--questions=[100]", "--effect=.05")["comparisons"][0]
    own = expected(folder, "filtering", "naive")
    assert found["sd_seeds"] == pytest.approx(math.sqrt(own.seeds))
    assert found["sd_answers"] == pytest.approx(math.sqrt(own.answers))
    assert found["sd_questions"] == (None if apart else pytest.approx(math.sqrt(own.questions)))
    assert (found["method"], found["reference"], found["seeds"]) == ("filtering", "naive", 3)
    assert found["test_sets"] == ("own" if apart else "shared") and found["gap"] == pytest.approx(0.3)
    three, five = found["sizes"]
    assert (three["seeds"], five["seeds"]) == (3, 5) and three["minimal_effect"] > five["minimal_effect"]
    assert three["minimal_effect_pgr"] == pytest.approx(three["minimal_effect"] / 0.3)
    assert three["power"] < five["power"] and three["effect"] == 0.05


def test_another_comparison_may_be_named_and_one_must_be(say: Say, tmp_path: Path, capsys: Any) -> None:
    folder = write_run(tmp_path / "run", compare=False)
    found = asked(say, folder, "--compare=[ceiling, naive]")["comparisons"][0]
    assert found["sd_answers"] == pytest.approx(math.sqrt(expected(folder, "ceiling", "naive").answers))
    for words, message in (
        ([], "names no comparison: expected one, such as --compare"),
        (["--compare=[ceiling]"], r"compare is ['ceiling']: expected two different methods"),
        (["--compare=[ceilin, naive]"], "unknown method 'ceilin'"),
    ):
        assert message in refused(capsys, folder, *words)


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    return commands.refused(["power", *map(str, words)], capsys)


def test_one_seed_is_refused_with_what_to_do_instead(tmp_path: Path, capsys: Any) -> None:
    text = refused(capsys, write_run(tmp_path / "run", [4]))
    assert "has one seed" in text and "--seeds '[4, 5, 6]'" in text and "--seed-sd" in text


def test_two_seeds_are_enough_to_plan_from(say: Say, tmp_path: Path) -> None:
    text = say("power", write_run(tmp_path / "run", [0, 1]), "--seeds=[3]", "--questions=[400]")
    assert "filtering − naive: +0." in text and "over 2 seeds" in text and "of a gap of 0.300" in text


def test_a_study_has_a_block_for_each_finished_cell(say: Say, tmp_path: Path, capsys: Any) -> None:
    study = tmp_path / "study"
    for name in ("one", "two"):
        write_run(study / "cells" / name)
    cells = [{"name": name, "state": state} for name, state in (("one", "done"), ("two", "done"), ("x", "open"))]
    (study / "study.json").write_text(json.dumps({"cells": cells}))
    out = tmp_path / "power.csv"
    text = say("power", study, "--seeds=[3, 8]", "--questions=[200]", f"--out={out}")
    assert "one: filtering − naive" in text and "two: filtering − naive" in text and f"4 sizes: {out}" in text
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["cell"], row["seeds"]) for row in rows] == [("one", "3"), ("one", "8"), ("two", "3"), ("two", "8")]
    assert all(float(row["minimal_effect"]) > 0 and row["power"] == "" for row in rows)
    (study / "study.json").write_text(json.dumps({"cells": cells[2:]}))
    assert "has no finished cell" in refused(capsys, study)


def test_numbers_of_ones_own_need_no_run(say: Say, tmp_path: Path, capsys: Any) -> None:
    text = say("power", *OWN, "--effect=.05", "--seeds=[5]", "--questions=[400]")
    assert "seeds 0.020, questions 0.100, answers 0.400" in text
    assert "one test set for all seeds" in text and "5    0.048; 0.83" in text
    for words, message in (
        ([], "expected the folder of a finished run, or also --seed-sd, --question-sd, --answer-sd"),
        (OWN[:2], "or also --answer-sd"),
        ([tmp_path, OWN[0]], "are given instead of a run"),
        ([tmp_path], "is not a finished run"),
        ([*OWN, "--seeds=[2]"], "2 seeds: expected 3 or more"),
        ([*OWN, "--seeds=[]"], "--seeds is empty"),
        ([*OWN, "--out=x.txt"], "x.txt"),
    ):
        assert message in refused(capsys, *words)
