"""Which steps see ground truth, and which never do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from support.experiments import (
    SIZES,
    ancestors,
    in_splits,
    questions,
    write_rows,
)
from w2s.config import Experiment
from w2s.errors import InputError
from w2s.methods import METHODS, Method
from w2s.methods.base import Round, Settings, Stages, Student
from w2s.pipeline.graph import Graph
from w2s.runners import local
from w2s.step import Step
from w2s.store import Store
from w2s.tables import read_table


def gold_of_questions_to_learn_from_or_tested(step: Step | None) -> list[str]:
    return [one.label for one in ancestors(step) if one.kind == "gold" and one.settings["split"] != "weak_train"]


@pytest.mark.parametrize("name", METHODS)
def test_only_a_method_that_says_so_has_ground_truth_behind_its_student(base: Experiment, name: str) -> None:
    for seed_run in Graph(replace(base, seeds=[0, 3])).seed_runs:
        for one in seed_run.methods[name].student.rounds:
            for step in one:
                seen = set(gold_of_questions_to_learn_from_or_tested(step))
                assert seen == ({"ground truth of transfer"} if METHODS[name].uses_gold else set())


@pytest.mark.parametrize(
    ("settings", "sees"),
    [
        ({}, {"weak_train"}),
        ({"rounds": 2, "folds": 3}, {"weak_train"}),
        ({"views": ["weak", "weak-gold"], "weights": "equal", "variance": False}, {"weak_train"}),
        ({"weights": "agreement", "variance": False}, set()),
        ({"weights": "equal", "variance": False, "rounds": 2}, set()),
    ],
)
def test_posterior_labels_see_the_truth_of_weak_train_at_most_and_that_only_where_they_are_fitted(
    base: Experiment, settings: dict[str, Any], sees: set[str]
) -> None:
    given = replace(base, weak=replace(base.weak, source="prompted"), methods=[{"method": "posterior", **settings}])
    for one in Graph(given).seed_runs[0].methods["posterior"].student.rounds:
        for step in one:
            assert {before.settings["split"] for before in ancestors(step) if before.kind == "gold"} <= sees
    assert {before.settings["split"] for before in ancestors(step) if before.kind == "gold"} == sees


@pytest.mark.parametrize(
    "weak", [{}, {"source": "prompted"}, {"source": "prompted", "examples": 2}], ids=["trained", "prompted", "shown"]
)
def test_weak_answers_and_their_scores_see_the_truth_of_weak_train_at_most(
    base: Experiment, weak: dict[str, Any]
) -> None:
    seed_run = Graph(replace(base, weak=replace(base.weak, **weak))).seed_runs[0]
    sees = {"weak_train"} if weak.get("examples") or not weak else set()
    for step in (seed_run.supervision.answers, seed_run.scored):
        assert gold_of_questions_to_learn_from_or_tested(step) == []
        assert {one.settings["split"] for one in ancestors(step) if one.kind == "gold"} == sees
    training = seed_run.supervision.training
    assert (training is None) == bool(weak) and gold_of_questions_to_learn_from_or_tested(training) == []


def test_the_truth_of_test_is_behind_predictions_only(base: Experiment) -> None:
    graph = Graph(base)
    behind = {
        step.kind
        for target in graph.targets()
        for step in ancestors(target)
        if any(one.label == "ground truth of test" for one in ancestors(step))
    }
    assert behind == {"gold", "predictions"}


def with_method(monkeypatch: pytest.MonkeyPatch, *, uses_gold: bool) -> None:
    def steps(stages: Stages, settings: Settings) -> Student:
        training_set = stages.select("all", {"gold_answers": stages.gold_answers}, {})
        return Student((Round(training_set, stages.train(training_set)),))

    selectors = METHODS["ceiling"].selectors
    method = Method(
        name="peeking", summary="asks for gold", steps=steps, settings={}, selectors=selectors, uses_gold=uses_gold
    )
    monkeypatch.setitem(METHODS, "peeking", method)


def test_a_method_that_asks_for_ground_truth_without_saying_so_fails(
    base: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_method(monkeypatch, uses_gold=False)
    with pytest.raises(InputError, match="method peeking asks for ground truth: it must say uses_gold"):
        Graph(replace(base, methods=["peeking"]))
    with_method(monkeypatch, uses_gold=True)
    assert Graph(replace(base, methods=["peeking"])).seed_runs[0].methods["peeking"].spec.method.uses_gold


def test_other_answers_to_the_transfer_questions_change_what_only_gold_methods_learn_from(
    base: Experiment, tmp_path: Path
) -> None:
    rows = in_splits(questions())
    for row in rows:
        if row["split"] == "transfer":
            row["answer"] = row["choices"][2]
    task = replace(base.task, data=write_rows(tmp_path / "other.jsonl", rows))
    tables: list[dict[str, pa.Table]] = []
    for experiment in (base, replace(base, task=task)):
        graph, store = Graph(experiment), Store(tmp_path / "store")
        seed_run = graph.seed_runs[0]
        answers, scored = seed_run.supervision.answers, seed_run.scored
        sets = {
            f"{name} {number}": one.training_set
            for name, method_run in seed_run.methods.items()
            for number, one in enumerate(method_run.student.rounds, 1)
        }
        local.run([answers, scored, *sets.values()], store)
        found = {name: read_table(store.path(step) / "training_set.parquet") for name, step in sets.items()}
        found["scored answers"] = read_table(store.path(scored) / "scored.parquet")
        found["answers"] = read_table(store.path(answers) / "answers.parquet")
        tables.append(found)
    before, after = tables
    assert before.keys() == after.keys() >= {"relabel 1", "relabel 2", "naive 1", "posterior 1", "posterior 3"}
    assert {name for name in before if not before[name].equals(after[name])} == {"ceiling 1", "oracle 1"}
    for name in ("answers", "scored answers"):
        assert not {"gold", "correct", "label", "truth"} & set(before[name].column_names)
        assert before[name].num_rows == 3 * SIZES["transfer"]
    assert before["answers"].column_names == [
        *("question_id", "variation", "prompt", "completion", "asked", "response", "answer", "position"),
        *("choices", "completions", "choice_logprobs", "positions", "supervisor"),
    ]
