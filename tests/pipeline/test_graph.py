"""The graph: which steps see ground truth, and which settings change which steps.

Also the small experiments that other tests run: questions of our own, random models of a few thousand weights.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from w2s.config import AnsweringSpec, Experiment, LoraSpec, ModelSpec, ReliabilitySpec, TaskSpec, TrainingSpec
from w2s.errors import InputError
from w2s.experiment import Graph
from w2s.methods import METHODS, Method
from w2s.methods.base import Settings, Stages, Student
from w2s.runners import local
from w2s.store import Step, Store
from w2s.tables import read_table

@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_rows(tmp_path_factory.mktemp("data") / "questions.jsonl", in_splits(questions()))


@pytest.fixture(scope="module")
def base(data: str, tiny_llama: Path, tiny_gemma: Path) -> Experiment:
    return small_experiment(data, tiny_llama, tiny_gemma, methods=list(METHODS))


# Ground truth


def gold_of_questions_to_learn_from_or_tested(step: Step | None) -> list[str]:
    return [one.label for one in ancestors(step) if one.kind == "gold" and one.settings["split"] != "weak_train"]


@pytest.mark.parametrize("name", METHODS)
def test_only_a_method_that_says_so_has_ground_truth_behind_its_student(base: Experiment, name: str) -> None:
    for seed_run in Graph(replace(base, seeds=[0, 3])).seed_runs:
        student = seed_run.method_runs[name].student
        for step in student:
            seen = gold_of_questions_to_learn_from_or_tested(step)
            if METHODS[name].uses_gold and step is not None:
                assert set(seen) == {"ground truth of transfer"}
            else:
                assert seen == []


def test_the_weak_supervisor_its_answers_and_their_scores_see_the_truth_of_weak_train_only(base: Experiment) -> None:
    seed_run = Graph(base).seed_runs[0]
    for step in (seed_run.supervisor, seed_run.answers, seed_run.scored):
        assert gold_of_questions_to_learn_from_or_tested(step) == []
        assert {one.settings["split"] for one in ancestors(step) if one.kind == "gold"} == {"weak_train"}


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
        training_set = stages.select("peeking", METHODS["ceiling"].selector, {"gold_answers": stages.gold_answers}, {})  # type: ignore[arg-type]
        return Student(training_set, stages.train("peeking", training_set))

    method = Method(name="peeking", summary="asks for gold", steps=steps, settings={}, uses_gold=uses_gold)
    monkeypatch.setitem(METHODS, "peeking", method)  # type: ignore[misc]


def test_a_method_that_asks_for_ground_truth_without_saying_so_fails(
    base: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_method(monkeypatch, uses_gold=False)
    with pytest.raises(AssertionError, match="uses_gold"):
        Graph(replace(base, methods=["peeking"]))
    with_method(monkeypatch, uses_gold=True)
    assert Graph(replace(base, methods=["peeking"])).seed_runs[0].method_runs["peeking"].method.uses_gold


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
        sets = {name: method_run.student.training_set for name, method_run in seed_run.method_runs.items()}
        steps = [seed_run.answers, seed_run.scored, *(step for step in sets.values() if step)]
        local.run(steps, store, on_event=lambda _: None)
        found = {name: read_table(store.path(step) / "training_set.parquet") for name, step in sets.items() if step}
        found["scored answers"] = read_table(store.path(seed_run.scored) / "scored.parquet")
        found["answers"] = read_table(store.path(seed_run.answers) / "answers.parquet")
        tables.append(found)
    before, after = tables
    assert {name for name in before if not before[name].equals(after[name])} == {"ceiling", "oracle"}
    for name in ("answers", "scored answers"):
        assert not {"gold", "correct", "label", "truth"} & set(before[name].column_names)
        assert before[name].num_rows == 3 * SIZES["transfer"]
    assert before["answers"].column_names == [
        *("question_id", "variation", "prompt", "completion", "answer", "position", "choice_logprobs", "supervisor")
    ]


# Keys


def steps_of(experiment: Experiment) -> dict[str, str]:
    """The key of each step, by its label, a model's conversion included."""
    return {step.label: step.key for step in local.order(Graph(experiment).targets())}


def changed(base: Experiment, other: Experiment) -> set[str]:
    """The kinds of the steps that are not the same in both, and to whom they belong."""
    before, after = steps_of(base), steps_of(other)
    assert before.keys() == after.keys()
    return {label for label in before if before[label] != after[label]}


def edited(spec: Any, **fields: Any) -> Any:
    return replace(spec, **fields)


IRRELEVANT: dict[str, Callable[[Experiment], Experiment]] = {
    "micro batch": lambda e: edited(e, student_training=edited(e.student_training, micro_batch_size=2)),
    "weak micro batch": lambda e: edited(e, weak_training=edited(e.weak_training, micro_batch_size=2)),
    "gradient checkpointing": lambda e: edited(
        e, student_training=edited(e.student_training, gradient_checkpointing=True)
    ),
    "checkpoints": lambda e: edited(e, student_training=edited(e.student_training, checkpoints=1)),
    "tokens of a batch": lambda e: edited(
        e, answering=AnsweringSpec(tokens_per_batch=99), evaluation=AnsweringSpec(tokens_per_batch=9)
    ),
    "generation while choosing": lambda e: edited(e, answering=AnsweringSpec(max_new_tokens=7)),
    "the mode that is the default": lambda e: edited(e, answering=AnsweringSpec(mode="choose")),
    "device": lambda e: edited(e, weak=edited(e.weak, device="cpu"), strong=edited(e.strong, device="cuda")),
    "resamples": lambda e: edited(e, resamples=99),
    "order of the methods": lambda e: edited(e, methods=list(reversed(e.methods))),
    "a default that is written out": lambda e: edited(
        e, method_settings={"filtering": {"quantile": 0.5}}, reliability=ReliabilitySpec(temperature=0.2)
    ),
}


@pytest.mark.parametrize("name", IRRELEVANT)
def test_what_does_not_change_the_outcome_changes_no_step(base: Experiment, name: str) -> None:
    other = IRRELEVANT[name](base)
    assert other != base
    assert changed(base, other) == set()


def selects(label: str) -> bool:
    return "training set" in label and "weak supervisor" not in label


def trains(label: str) -> bool:
    return "training ·" in label and "weak supervisor" not in label


def evaluates_student(label: str) -> bool:
    return "test" in label and not label.startswith(("questions", "ground truth", "weak supervisor", "zero-shot"))


def students(label: str) -> bool:
    return selects(label) or trains(label) or evaluates_student(label)


def seeded(label: str) -> bool:
    return not label.startswith(("questions", "ground truth", "zero-shot"))


def of_unscored(label: str) -> bool:
    return label.startswith("ceiling")


RELEVANT: dict[str, tuple[Callable[[Experiment], Experiment], Callable[[str], bool]]] = {
    "reliability temperature": (
        lambda e: edited(e, reliability=ReliabilitySpec(temperature=0.5)),
        lambda label: label == "reliability · seed 0" or (students(label) and not of_unscored(label)),
    ),
    "unparsed rule": (
        lambda e: edited(e, reliability=ReliabilitySpec(unparsed="drop_answer")),
        lambda label: label == "reliability · seed 0" or (students(label) and not of_unscored(label)),
    ),
    "student's learning rate": (
        lambda e: edited(e, student_training=training(1e-3)),
        lambda label: trains(label) or evaluates_student(label),
    ),
    "student's rank": (
        lambda e: edited(e, student_training=edited(e.student_training, lora=LoraSpec(rank=2, alpha=8))),
        lambda label: trains(label) or evaluates_student(label),
    ),
    "strong dtype": (
        lambda e: edited(e, strong=edited(e.strong, dtype="bfloat16")),
        lambda label: trains(label) or evaluates_student(label) or label == "zero-shot: test",
    ),
    "mode of the evaluation": (
        lambda e: edited(e, evaluation=AnsweringSpec(mode="generate")),
        lambda label: "test" in label and not label.startswith(("questions", "ground truth")),
    ),
    "mode of the answers": (
        lambda e: edited(e, answering=AnsweringSpec(mode="generate")),
        lambda label: (
            label in ("weak answers · seed 0", "reliability · seed 0") or (students(label) and not of_unscored(label))
        ),
    ),
    "number of variations": (
        lambda e: edited(e, task=edited(e.task, num_variations=4)),
        lambda label: (
            label in ("weak answers · seed 0", "reliability · seed 0") or (students(label) and not of_unscored(label))
        ),
    ),
    "weak training": (
        lambda e: edited(e, weak_training=edited(e.weak_training, epochs=2)),
        lambda label: seeded(label) and label != "weak supervisor: training set · seed 0" and not of_unscored(label),
    ),
    "one method's setting": (
        lambda e: edited(e, method_settings={"filtering": {"quantile": 0.25}}),
        lambda label: label.startswith("filtering:"),
    ),
    "the split's seed": (lambda e: edited(e, task=edited(e.task, split_seed=1)), lambda label: label != "zero-shot"),
    "template": (
        lambda e: edited(e, task=edited(e.task, templates={"letter": "{question}\n{options}\n="})),
        lambda label: not label.startswith("questions"),
    ),
}


@pytest.mark.parametrize("name", RELEVANT)
def test_a_setting_changes_the_steps_that_it_concerns_and_no_other(base: Experiment, name: str) -> None:
    change, concerned = RELEVANT[name]
    expected = {label for label in steps_of(base) if concerned(label)}
    assert expected and changed(base, change(base)) == expected


def test_a_seed_changes_all_but_the_questions_the_truth_and_the_untrained_model(base: Experiment) -> None:
    zero, one = (steps_of(replace(base, seeds=[seed])) for seed in (0, 1))
    same = set(zero.values()) & set(one.values())
    assert {label for label, key in zero.items() if key in same} == {
        *(f"{what} of {split}" for what in ("questions", "ground truth") for split in SIZES),
        "zero-shot: test",
    }


def test_seeds_share_their_steps_with_runs_of_other_seeds(base: Experiment) -> None:
    both, first = set(steps_of(replace(base, seeds=[0, 1])).values()), set(steps_of(base).values())
    assert first < both


def test_the_size_of_the_test_split_changes_predictions_only_where_it_moves_no_other_question(
    base: Experiment,
) -> None:
    other = replace(base, task=replace(base.task, test=SIZES["test"] - 2))
    assert changed(base, other) == {label for label in steps_of(base) if "test" in label}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_does_not_depend_on_which_others_are_asked_for(base: Experiment, name: str) -> None:
    alone, all_of_them = steps_of(replace(base, methods=[name])), steps_of(base)
    assert {label: all_of_them[label] for label in alone} == alone


def test_a_copy_of_a_model_elsewhere_is_the_same_model(base: Experiment, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for file in Path(base.weak.name).iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert changed(base, replace(base, weak=replace(base.weak, name=str(copy)))) == set()
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    assert "weak answers · seed 0" in changed(base, replace(base, weak=replace(base.weak, name=str(copy))))


def test_a_second_experiment_with_another_method_reuses_the_answers_of_the_first(
    base: Experiment, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    first = compute(replace(base, methods=["naive"]), store)
    assert "weak answers · seed 0" in first
    second = compute(replace(base, methods=["majority"]), Store(store.root))
    assert second == [f"majority: {what} · seed 0" for what in ("training set", "training", "test")]


# What is refused before anything is computed


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"methods": ["naiv"]}, "did you mean 'naive'"),
        ({"methods": []}, "methods is empty"),
        ({"methods": ["naive", "naive"]}, "methods names 'naive' more than once"),
        ({"seeds": []}, "seeds is empty"),
        ({"seeds": [1, 1]}, "seeds names 1 more than once"),
        ({"seeds": [-1]}, "seed -1: expected a number from 0"),
        ({"method_settings": {"filtring": {}}}, "did you mean 'filtering'"),
        ({"method_settings": {"filtering": {"quantil": 0.5}}}, "did you mean 'quantile'"),
        ({"method_settings": {"filtering": {"quantile": "half"}}}, "quantile of method filtering is 'half'"),
        ({"answering": AnsweringSpec(mode="chose")}, "mode 'chose'"),  # type: ignore[arg-type]
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(base: Experiment, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        Graph(replace(base, **fields))
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"test": 0}, "test is 0"),
        ({"transfer": 17}, "transfer asks for 17 questions: there are 16"),
        ({"num_variations": 25}, "num_variations is 25"),
        ({"data": "nowhere.jsonl"}, "no such file: nowhere.jsonl"),
        ({"name": "fiel"}, "did you mean 'file'"),
    ],
)
def test_questions_that_cannot_be_had_are_refused_before_anything_runs(
    base: Experiment, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        Graph(replace(base, task=replace(base.task, **fields)))
