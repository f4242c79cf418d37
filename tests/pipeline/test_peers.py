"""The methods of others in the graph: what is behind each student, and what is refused before anything runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.experiments import SIZES, ancestors, in_splits, questions, training, write_rows
from support.keys import changed
from w2s.config import AnsweringSpec, Experiment, ReliabilitySpec, TaskSpec, WeakSpec
from w2s.errors import InputError
from w2s.pipeline.graph import Graph, MethodRun
from w2s.step import Step

SOFT = ["soft-labels", "auxiliary-confidence", "product-of-experts", "confidence-window", "reverse-kl"]
SOFT += ["reverse-cross-entropy"]


def method_run(experiment: Experiment, method: str | dict[str, Any]) -> MethodRun:
    ((_, found),) = Graph(replace(experiment, methods=[method])).seed_runs[0].methods.items()
    return found


def behind(run: MethodRun) -> dict[str, list[Step]]:
    """What the student is made from, by kind."""
    found: dict[str, list[Step]] = {}
    for step in ancestors(run.student.adapter):
        found.setdefault(step.kind, []).append(step)
    return found


def test_no_weak_supervisor_is_behind_self(base: Experiment) -> None:
    run = method_run(base, "self")
    steps = behind(run)
    assert "gold" not in steps and [step.label for step in steps["training"]] == ["self: training · seed 0"]
    (answers,) = steps["answers"]
    assert "adapter" not in answers.inputs and answers.settings["split"] == "transfer"
    assert answers.settings["model"] == run.predictions.settings["model"]
    (scored,) = steps["scored"]
    assert scored.settings["estimator"] == "debiased"


def test_self_chooses_where_the_others_write(base: Experiment) -> None:
    (answers,) = behind(method_run(replace(base, answering=AnsweringSpec(mode="generate")), "self"))["answers"]
    assert answers.settings["answering"]["mode"] == "choose"  # type: ignore[index, call-overload]


def test_weak_gold_reads_the_truth_of_weak_train_and_nobodys_answers(base: Experiment) -> None:
    steps = behind(method_run(base, "weak-gold"))
    assert [step.settings["split"] for step in steps["gold"]] == ["weak_train"]
    assert "answers" not in steps and len(steps["training"]) == 1


@pytest.mark.parametrize("name", SOFT)
def test_soft_methods_learn_the_mean_distribution_by_their_own_loss(base: Experiment, name: str) -> None:
    run = method_run(base, name)
    training = run.student.adapter
    assert training is not None
    loss = "soft-cross-entropy" if name == "soft-labels" else name
    assert training.settings["training"]["loss"] == loss  # type: ignore[index, call-overload]
    assert f"loss {loss}" in training.versions
    assert behind(run)["scored"][0].settings["estimator"] == "probability"


def test_another_estimator_and_settings_of_the_loss_are_the_users(base: Experiment) -> None:
    given = {"method": "auxiliary-confidence", "alpha": 0.75, "estimator": "debiased"}
    run = method_run(base, given)
    training = run.student.adapter
    assert training is not None
    asked = training.settings["training"]["loss_settings"]  # type: ignore[index, call-overload]
    assert asked == {"alpha": 0.75, "ramp": 0.2}
    assert behind(run)["scored"][0].settings["estimator"] == "debiased"


def test_small_loss_asks_the_first_student_by_choosing(base: Experiment) -> None:
    run = method_run(base, "small-loss")
    first, second = run.student.rounds
    student = second.training_set.inputs["student"]
    assert student.inputs["adapter"] == first.training and "without" not in student.inputs
    assert "init" not in second.training.inputs


def free_answers(folder: Path) -> TaskSpec:
    rows = [{key: value for key, value in row.items() if key != "choices"} for row in in_splits(questions())]
    return TaskSpec(name="file", data=write_rows(folder / "free.jsonl", rows), num_variations=1, **SIZES)


@pytest.mark.parametrize("name", ["self", "small-loss", *SOFT])
def test_free_answers_are_refused_before_anything_runs(base: Experiment, name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        Graph(replace(base, task=free_answers(tmp_path), methods=[name]))
    assert str(caught.value) == f"method {name} needs options to choose among, and answers of task file are free"


def test_weak_gold_takes_free_answers(base: Experiment, tmp_path: Path) -> None:
    assert method_run(replace(base, task=free_answers(tmp_path)), "weak-gold").student.adapter is not None


def test_weak_gold_without_weak_train_is_refused_in_one_line(base: Experiment, tmp_path: Path) -> None:
    rows = [row for row in in_splits(questions()) if row["split"] != "weak_train"]
    task = replace(base.task, data=write_rows(tmp_path / "rows.jsonl", rows), weak_train=0)
    experiment = replace(base, task=task, weak=replace(base.weak, source="prompted"))
    with pytest.raises(InputError) as caught:
        Graph(replace(experiment, methods=["weak-gold"]))
    assert str(caught.value) == "method weak-gold needs ground truth of weak_train, and weak_train is 0"


def test_an_estimator_that_is_fitted_to_the_weak_supervisor_scores_no_student(base: Experiment) -> None:
    with pytest.raises(InputError) as caught:
        Graph(replace(base, methods=[{"method": "self", "estimator": "calibrated"}]))
    assert str(caught.value) == (
        "method self scores a student's answers, and estimator 'calibrated' is fitted to those of the weak "
        "supervisor: expected another estimator"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "auxiliary-confidence", "alpha": 2.0}, "alpha of the loss 'auxiliary-confidence' is 2.0"),
        ({"method": "confidence-window", "radius": 0.0}, "radius of the loss 'confidence-window' is 0.0"),
        ({"method": "self", "share": 0.0}, "share 0.0: expected"),
        ({"method": "soft-labels", "alpha": 1.0}, "method soft-labels has no settings"),
    ],
)
def test_values_of_no_use_are_refused_before_anything_runs(base: Experiment, given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        Graph(replace(base, methods=[given]))
    assert str(caught.value).startswith(said)


def test_a_weak_ensemble_is_several_supervisors_and_soft_labels(base: Experiment) -> None:
    weak = {"name": base.weak.name, "dtype": "float32"}
    members = [{"name": "one", "weak": {**weak, "source": "trained"}}]
    members += [{"name": "other", "weak": {**weak, "source": "prompted", "examples": 2}}]
    pooled = WeakSpec(source="pooled", settings={"members": members})
    steps = behind(method_run(replace(base, weak=pooled), "soft-labels"))
    assert [step.settings["supervisors"] for step in steps["joined"]] == [["one", "other"]]
    assert len(steps["answers"]) == 2


def test_the_estimator_of_the_run_is_not_theirs(base: Experiment) -> None:
    found = replace(base, reliability=ReliabilitySpec(estimator="debiased"))
    assert behind(method_run(found, "soft-labels"))["scored"][0].settings["estimator"] == "probability"
    assert json.dumps(behind(method_run(found, "small-loss"))["scored"][0].settings["estimator"]) == '"debiased"'


CHANGES: dict[str, dict[str, Any]] = {
    "weak supervisor": {"weak_training": training(1e-3)},
    "scores of the run": {"reliability": ReliabilitySpec(temperature=0.5)},
    "student": {"student_training": training(1e-3)},
    "loss": {"student_training": training(loss="soft-cross-entropy")},
}


@pytest.mark.parametrize(
    ("name", "change", "moves"),
    [
        ("self", "weak supervisor", set()),
        ("self", "scores of the run", set()),
        ("self", "student", {"training", "test"}),
        ("weak-gold", "weak supervisor", set()),
        ("weak-gold", "scores of the run", set()),
        ("weak-gold", "student", {"training", "test"}),
        ("soft-labels", "weak supervisor", {"training set", "training", "test"}),
        ("soft-labels", "scores of the run", set()),
        ("soft-labels", "loss", set()),
        ("auxiliary-confidence", "student", {"training", "test"}),
        ("auxiliary-confidence", "loss", set()),
        (
            "small-loss",
            "student",
            {f"round {n}: training" for n in (1, 2)} | {"round 1: answers", "round 2: training set", "test"},
        ),
    ],
)
def test_only_what_is_behind_a_student_moves_it(base: Experiment, name: str, change: str, moves: set[str]) -> None:
    one = replace(base, methods=[name], student_training=training())
    found = {label for label in changed(one, replace(one, **CHANGES[change])) if label.startswith(f"{name}:")}
    assert found == {f"{name}: {what} · seed 0" for what in moves}
