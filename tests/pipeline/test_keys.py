"""Which settings change the keys of which steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.experiments import (
    SIZES,
    compute,
    training,
)
from support.keys import changed, steps_of, with_settings
from w2s.config import AnsweringSpec, Experiment, LoraSpec, ReliabilitySpec
from w2s.methods import METHODS
from w2s.store import Store
from w2s.tasks import parsing


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
    "the GPUs that a model is spread over": lambda e: edited(e, strong=edited(e.strong, device_map="auto")),
    "compilation": lambda e: edited(e, student_training=edited(e.student_training, compile="off")),
    "the comparison": lambda e: edited(e, compare=["reweighting", "majority"]),
    "order of the methods": lambda e: edited(e, methods=list(reversed(e.methods))),
    "a default that is written out": lambda e: edited(
        e,
        methods=with_settings(e, "filtering", quantile=0.5, estimator="votes"),
        reliability=ReliabilitySpec(estimator="votes", temperature=0.2, unparsed="class"),
        weak=edited(e.weak, source="trained", examples=0),
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


PEERS = {"self", "weak-gold", "small-loss", "soft-labels", "auxiliary-confidence", "product-of-experts"}
PEERS |= {"confidence-window", "reverse-kl", "reverse-cross-entropy"}
UNTRAINED = ("zero-shot: test", "zero-shot-debiased: test")


def evaluates_student(label: str) -> bool:
    return "test" in label and not label.startswith(("questions", "ground truth", "weak supervisor", "zero-shot"))


def of_trained_student(label: str) -> bool:
    """A student's training and what follows from it: a second round selects by what the first student answers."""
    second = ("relabel: round 1: answers · seed 0", "relabel: round 2: training set · seed 0")
    return trains(label) or evaluates_student(label) or label in second


def students(label: str) -> bool:
    return selects(label) or of_trained_student(label)


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
        of_trained_student,
    ),
    "student's rank": (
        lambda e: edited(e, student_training=edited(e.student_training, lora=LoraSpec(rank=2, alpha=8))),
        of_trained_student,
    ),
    "strong dtype": (
        lambda e: edited(e, strong=edited(e.strong, dtype="bfloat16")),
        lambda label: of_trained_student(label) or label in UNTRAINED,
    ),
    "mode of the evaluation": (
        lambda e: edited(e, evaluation=AnsweringSpec(mode="generate")),
        lambda label: "test" in label and not label.startswith(("questions", "ground truth", "zero-shot-debiased")),
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
        lambda e: edited(e, methods=with_settings(e, "filtering", quantile=0.25)),
        lambda label: label.startswith("filtering:"),
    ),
    "the student's loss": (
        lambda e: edited(e, student_training=edited(e.student_training, loss="soft-cross-entropy")),
        of_trained_student,
    ),
    "the split's seed": (lambda e: edited(e, task=edited(e.task, split_seed=1)), lambda label: True),
    "template": (
        lambda e: edited(e, task=edited(e.task, templates={"letter": "{question}\n{options}\n="})),
        lambda label: not label.startswith("questions"),
    ),
}


@pytest.mark.parametrize("name", RELEVANT)
def test_a_setting_changes_the_steps_that_it_concerns_and_no_other(base: Experiment, name: str) -> None:
    # What others' methods ask besides, and posterior, has tests of its own.
    base = replace(base, methods=[method for method in base.methods if method not in (*PEERS, "posterior")])
    change, concerned = RELEVANT[name]
    expected = {label for label in steps_of(base) if concerned(label)}
    assert expected and changed(base, change(base)) == expected


@pytest.mark.parametrize("change", [{"max_new_tokens": 7}, {"sampling_temperature": 0.5}, {"samples": 2}])
def test_what_decides_a_written_answer_changes_it_and_what_follows(base: Experiment, change: dict[str, Any]) -> None:
    drawn = {"mode": "generate", "sampling_temperature": 1.0}
    base = replace(base, answering=AnsweringSpec(**drawn), methods=["naive", "ceiling"])
    found = changed(base, replace(base, answering=AnsweringSpec(**{**drawn, **change})))
    assert {"weak answers · seed 0", "naive: training · seed 0", "naive: test · seed 0"} <= found
    assert not any(label.startswith(("ceiling", "questions", "ground truth")) for label in found)


def test_written_answers_hang_on_how_texts_are_parsed(base: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = replace(base, methods=["naive", "ceiling"])
    written = replace(chosen, answering=AnsweringSpec(mode="generate"))
    before = [steps_of(experiment) for experiment in (chosen, written)]
    monkeypatch.setattr(parsing, "VERSION", parsing.VERSION + 1)
    assert steps_of(chosen) == before[0]
    assert steps_of(written)["weak answers · seed 0"] != before[1]["weak answers · seed 0"]


def test_a_seed_changes_all_but_the_questions_the_truth_and_the_untrained_model(base: Experiment) -> None:
    zero, one = (steps_of(replace(base, seeds=[seed])) for seed in (0, 1))
    same = set(zero.values()) & set(one.values())
    assert {label for label, key in zero.items() if key in same} == {
        *(f"{what} of {split}" for what in ("questions", "ground truth") for split in SIZES),
        *UNTRAINED,
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
