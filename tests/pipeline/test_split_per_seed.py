"""An experiment whose seeds draw their splits anew: what its graph holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from support.experiments import SIZES, ancestors, questions, small_experiment, write_rows
from w2s.config import Experiment
from w2s.methods import METHODS
from w2s.pipeline.graph import Graph, SeedRun
from w2s.tasks import questions_of

SEEDS = [0, 1, 2]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path, tiny_gemma: Path) -> Experiment:
    data = write_rows(tmp_path_factory.mktemp("data") / "questions.jsonl", questions(60))
    return small_experiment(data, tiny_llama, tiny_gemma, methods=list(METHODS), seeds=SEEDS, split_per_seed=True)


@pytest.fixture(scope="module")
def graph(base: Experiment) -> Graph:
    return Graph(base)


def ids(run: SeedRun, split: str) -> set[str]:
    return {question.id for question in questions_of(run.lay.splits.questions, split)}


def test_no_question_of_a_seeds_test_is_in_what_that_seed_learns_from_and_none_is_tested_twice(graph: Graph) -> None:
    tested: set[str] = set()
    for run in graph.seed_runs:
        test = ids(run, "test")
        assert len(test) == SIZES["test"] and not test & (ids(run, "weak_train") | ids(run, "transfer"))
        assert not test & tested
        tested |= test


def test_all_steps_of_a_seed_read_the_splits_of_that_seed_alone(graph: Graph) -> None:
    for run in graph.seed_runs:
        own = {step.key for step in (*run.questions.values(), *run.gold.values())}
        laid = run.supervision
        ends = [run.scored, laid.training, laid.predictions, *(method.predictions for method in run.methods.values())]
        read = {step.key: step.label for end in ends for step in ancestors(end) if step.kind in ("questions", "gold")}
        assert read and read.keys() <= own
        assert all(label.endswith(f" · seed {run.seed}") for label in read.values())


def test_ground_truth_of_transfer_and_test_reaches_no_student_but_the_bounds_and_controls(graph: Graph) -> None:
    for run in graph.seed_runs:
        for label, method in run.methods.items():
            truths = {step.key for end in method.student.rounds for step in ancestors(end.training)} & {
                run.gold[split].key for split in ("transfer", "test")
            }
            assert truths == ({run.gold["transfer"].key} if METHODS[label].uses_gold else set())


def test_every_target_has_a_label_of_its_own(graph: Graph) -> None:
    steps = {step.key: step.label for step in graph.targets()}
    assert len(set(steps.values())) == len(steps)


def test_one_draw_for_all_seeds_has_the_keys_that_it_always_had(base: Experiment) -> None:
    shared = Graph(replace(base, split_per_seed=False))
    step = shared.seed_runs[0].questions["test"]
    assert step.label == "questions of test" and set(step.execution) == {"task"}
    assert len({run.questions["test"].key for run in shared.seed_runs}) == 1
    # The first block of the test questions is the test split that all seeds share by default.
    own = Graph(base).seed_runs[0]
    assert (
        own.questions["test"].key == step.key
        and own.questions["transfer"].key != shared.seed_runs[0].questions["transfer"].key
    )


def test_the_steps_of_a_seed_are_those_of_a_run_of_that_seed_alone(base: Experiment, graph: Graph) -> None:
    alone = Graph(replace(base, seeds=[1]))
    assert {step.key for step in alone.targets()} <= {step.key for step in graph.targets()}
