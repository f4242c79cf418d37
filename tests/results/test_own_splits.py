"""A run whose seeds draw their splits anew: its numbers, counted again from its files, and what its page says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.experiments import SIZES, questions, small_experiment, write_rows
from w2s.config import Experiment
from w2s.gold import Gold
from w2s.metrics import difference_interval, difference_over_disjoint, minimal_effect, variance_components
from w2s.report.reading import read_run
from w2s.report.words import not_covered
from w2s.results import taught
from w2s.results.power import planned_from
from w2s.results.records import WEAK, RunRecords
from w2s.results.taught import labels_right
from w2s.running import Result, run
from w2s.store import Store
from w2s.tables import read_table

SEEDS = [0, 1, 2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("per-seed")


@pytest.fixture(scope="module", autouse=True)
def no_figures() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Result, "save_figures", lambda self, folder, **more: [])
        yield


@pytest.fixture(scope="module")
def experiment(folder: Path, tiny_llama: Path, tiny_gemma: Path) -> Experiment:
    data = write_rows(folder / "questions.jsonl", questions(60))
    methods = ["zero-shot", "naive", "ceiling"]
    return small_experiment(
        data, tiny_llama, tiny_gemma, methods=methods, compare=["ceiling", "naive"], seeds=SEEDS, split_per_seed=True
    )


@pytest.fixture(scope="module")
def disjoint(experiment: Experiment, folder: Path) -> Result:
    return run(experiment, out=folder / "disjoint", store=Store(folder / "store"))


@pytest.fixture(scope="module")
def overlapping(experiment: Experiment, folder: Path) -> Result:
    """Of 38 questions 14 are tested on: two seeds share none, and the third draws from all."""
    data = write_rows(folder / "few.jsonl", questions(38))
    few = replace(experiment, task=replace(experiment.task, data=data, test=14), methods=["naive", "zero-shot"])
    return run(replace(few, compare=["zero-shot", "naive"]), out=folder / "some", store=Store(folder / "store"))


def answered(result: RunRecords, method: str) -> tuple[list[list[str]], list[np.ndarray[Any, Any]]]:
    tables = [read_table(result.files.method(seed, method).predictions) for seed in SEEDS]
    return (
        [table["question_id"].to_pylist() for table in tables],
        [np.array(table["correct"].to_pylist(), bool) for table in tables],
    )


def test_each_seed_is_tested_on_questions_of_its_own_and_the_interval_is_t_over_seeds(disjoint: Result) -> None:
    ids, ceiling = answered(disjoint, "ceiling")
    assert len({id for own in ids for id in own}) == 3 * SIZES["test"] and disjoint.shared_test == "none"
    _, naive = answered(disjoint, "naive")
    expected = difference_over_disjoint(ceiling, naive, question_ids=ids)
    record = next(record for record in disjoint.pooled if record.method == "ceiling")
    assert (record.gain, record.gain_low, record.gain_high) == pytest.approx(expected[:3], abs=1e-9)
    assert record.gain_p == pytest.approx(expected.p_value)
    assert record.accuracy == pytest.approx(np.mean(ceiling))


def test_labels_right_are_counted_against_the_truth_of_each_seeds_own_questions(disjoint: Result) -> None:
    for seed in SEEDS:
        gold = read_table(disjoint.files.gold(seed)).to_pylist()
        truth = {row["question_id"]: row["answer"] for row in gold if row["split"] == "transfer"}
        rows = read_table(disjoint.files.method(seed, "naive").training_set).to_pylist()
        right = [row["answer"] == truth[row["question_id"]] for row in rows]
        record = next(one for one in disjoint.records if one.seed == seed and one.method == "naive")
        assert record.label_accuracy == pytest.approx(np.mean(right))
        labels = next(one for one in disjoint.labels if one.seed == seed)
        assert labels.checked and labels.questions == SIZES["transfer"]
    assert {record.method for record in disjoint.pooled} == {WEAK, "zero-shot", "naive", "ceiling"}


def test_labels_of_a_seed_are_held_against_the_truth_of_no_other_seeds_questions(
    experiment: Experiment, disjoint: Result, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One seed's transfer may be what another learns the right answers of."""
    splits = ("transfer", "weak_train")
    own = []
    for seed in SEEDS:
        rows = read_table(disjoint.files.gold(seed)).to_pylist()
        own.append([{row["question_id"] for row in rows if row["split"] == split} for split in splits])
    asked = []

    def noted(training_set: Any, transfer: Gold, others: Gold) -> Any:
        asked.append([set(transfer), set(others)])
        return labels_right(training_set, transfer, others)

    monkeypatch.setattr(taught, "labels_right", noted)
    run(experiment, out=folder / "again", store=Store(folder / "store"))
    assert asked and all(golds in own for golds in asked)


def test_the_files_of_each_seed_hold_its_own_splits_and_the_page_reads_them(disjoint: Result) -> None:
    assert not (disjoint.folder / "questions.parquet").exists()
    tested: set[str] = set()
    for seed in SEEDS:
        rows = read_table(disjoint.folder / f"seed-{seed}" / "questions.parquet").to_pylist()
        splits = {name: {row["question_id"] for row in rows if row["split"] == name} for name in SIZES}
        assert {name: len(own) for name, own in splits.items()} == SIZES
        assert not tested & splits["test"]
        tested |= splits["test"]
    found = read_run(disjoint)
    assert len(found.questions) == 3 and all(found.answers.known)
    page = (disjoint.folder / "report.html").read_text()
    assert "8 weak_train, 16 transfer, 12 test, drawn for each seed" in page
    assert "no two are tested on the same question" in page


def test_the_results_come_back_and_those_of_before_had_one_draw(disjoint: Result, tmp_path: Path) -> None:
    assert RunRecords.load(disjoint.folder).shared_test == "none"
    data = json.loads((disjoint.folder / "results.json").read_text())
    data.pop("shared_test")
    data["experiment"].pop("split_per_seed")
    (tmp_path / "results.json").write_text(json.dumps(data))
    before = RunRecords.load(tmp_path)
    assert before.shared_test == "all" and not before.experiment.split_per_seed


def test_where_seeds_share_test_questions_the_interval_knows_which_and_it_is_said(overlapping: Result) -> None:
    ids, zero = answered(overlapping, "zero-shot")
    _, naive = answered(overlapping, "naive")
    assert overlapping.shared_test == "some"
    expected = difference_interval(zero, naive, question_ids=ids)
    record = next(record for record in overlapping.pooled if record.method == "zero-shot")
    assert (record.gain, record.gain_low, record.gain_high) == pytest.approx(expected[:3])
    said = not_covered(overlapping)
    assert said is not None and "too few questions" in said and "do not cover another pool" in said
    assert said in (overlapping.folder / "report.html").read_text()
    assert " ".join(said.split()) in " ".join(str(overlapping.table()).split())


def test_the_next_study_is_planned_with_test_sets_as_this_one_had_them(disjoint: Result, overlapping: Result) -> None:
    ids, ceiling = answered(disjoint, "ceiling")
    _, naive = answered(disjoint, "naive")
    found = planned_from(disjoint)
    assert (found.method, found.reference, found.test_sets, found.seeds) == ("ceiling", "naive", "own", 3)
    assert found.components == variance_components(ceiling, naive, question_ids=ids)
    assert found.difference == pytest.approx(np.mean(ceiling) - np.mean(naive))
    some = planned_from(overlapping)
    assert some.test_sets == "own" and not np.isnan(some.components.questions)
    shared = planned_from(overlapping, test_sets="shared")
    (row,) = shared.to_table(seeds=[3], questions=[50]).to_pylist()
    assert row["minimal_effect"] == pytest.approx(minimal_effect(shared.components, seeds=3, questions=50))
    assert some.to_table(seeds=[3], questions=[50])["minimal_effect"][0].as_py() != row["minimal_effect"]
