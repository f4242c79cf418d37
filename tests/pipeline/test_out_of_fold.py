"""Answers to weak_train of models that did not learn those questions, and what may be made of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.experiments import SIZES, ancestors, in_splits, questions, small_experiment, write_rows
from w2s.config import Experiment, WeakSpec
from w2s.errors import InputError
from w2s.pipeline.graph import Graph
from w2s.pipeline.steps import fold_of
from w2s.runners import local
from w2s.runners.base import order
from w2s.step import Step
from w2s.store import Store
from w2s.tables import read_table

METHODS: list[Any] = ["naive", {"method": "reweighting", "estimator": "calibrated"}]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path, tiny_gemma: Path) -> Experiment:
    data = write_rows(tmp_path_factory.mktemp("data") / "questions.jsonl", in_splits(questions()))
    return small_experiment(data, tiny_llama, tiny_gemma, methods=METHODS)


def calibration_of(experiment: Experiment) -> Step:
    found = Graph(experiment).seed_runs[0].supervision.calibration
    assert found is not None
    return found


def ids(folder: Path, name: str) -> list[str]:
    found: list[str] = read_table(folder / name)["question_id"].to_pylist()
    return found


@pytest.mark.parametrize(
    "weak", [{}, {"source": "prompted", "examples": 2}, {"source": "prompted"}], ids=["trained", "shown", "prompted"]
)
def test_each_question_is_answered_by_a_model_that_was_not_told_its_answer(
    base: Experiment, tmp_path: Path, weak: dict[str, Any]
) -> None:
    calibration = calibration_of(replace(base, weak=replace(base.weak, folds=3, **weak)))
    store = Store(tmp_path)
    local.run([calibration], store)
    everything = ids(store.path(calibration), "answers.parquet")
    assert sorted(everything) == sorted(f"q{number:02}" for number in range(SIZES["weak_train"]) for _ in range(3))
    answers = [step for step in order([calibration]) if step.kind == "answers"]
    assert len(answers) == (1 if weak == {"source": "prompted"} else 3)
    for step in answers:
        asked = set(ids(store.path(step), "answers.parquet"))
        sets = [one for one in ancestors(step.inputs.get("adapter")) if one.kind == "training-set"]
        learned = {id for one in sets for id in ids(store.path(one), "training_set.parquet")}
        if "examples" in step.inputs:
            learned |= set(ids(store.path(step.inputs["examples"]), "answers.parquet"))
            texts = read_table(store.path(step) / "answers.parquet")["asked"].to_pylist()
            assert not any(f"number {int(id[1:])}?" in text.rpartition("\n\n")[0] for text in texts for id in asked)
        assert not asked & learned
        assert len(learned) == (0 if "adapter" not in step.inputs and not weak.get("examples") else 8 - len(asked))


def test_folds_are_laid_where_an_estimator_asks_for_them_alone(base: Experiment) -> None:
    without = replace(base, methods=["naive", "reweighting"])
    assert not any(step.kind == "fold" for step in order(Graph(without).targets()))
    other = replace(without, weak=replace(base.weak, folds=2))
    assert [step.key for step in Graph(other).targets()] == [step.key for step in Graph(without).targets()]
    assert calibration_of(other).key != calibration_of(without).key


def test_an_estimator_that_cannot_be_calibrated_is_refused_before_anything_runs(base: Experiment) -> None:
    few = replace(base, weak=replace(base.weak, folds=9))
    with pytest.raises(InputError, match=r"in weak\.folds 9: expected as many questions, weak_train has 8"):
        Graph(few)
    none = replace(base, weak=replace(base.weak, source="prompted"), task=replace(base.task, weak_train=0))
    with pytest.raises(InputError, match="weak_train has 0"):
        Graph(none)


def test_a_single_fold_is_refused() -> None:
    with pytest.raises(InputError, match="folds"):
        WeakSpec(name="x", folds=1)


@given(st.sets(st.text(min_size=1), min_size=1, max_size=40), st.integers(2, 9), st.integers(0, 5), st.randoms())
def test_folds_are_of_one_size_and_know_no_order(names: set[str], folds: int, seed: int, random: Any) -> None:
    ordered, shuffled = sorted(names), sorted(names)
    random.shuffle(shuffled)
    of = fold_of(ordered, folds, seed)
    assert fold_of(shuffled, folds, seed) == of and of.keys() == names
    sizes = [list(of.values()).count(fold) for fold in range(folds)]
    assert max(sizes) - min(sizes) <= 1
