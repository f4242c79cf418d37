"""The settings: what they refuse, and how they come back from JSON."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, fields, is_dataclass, replace
from typing import Any

import pytest

from w2s.config import (
    AnsweringSpec,
    Experiment,
    LoraSpec,
    ModelSpec,
    ReliabilitySpec,
    TaskSpec,
    TrainingSpec,
    WeakSpec,
)
from w2s.config_json import experiment_from_dict
from w2s.errors import InputError

SPECS = [TaskSpec, ModelSpec, WeakSpec, LoraSpec, TrainingSpec, AnsweringSpec, ReliabilitySpec, Experiment]


@pytest.mark.parametrize("spec", SPECS)
def test_every_setting_is_documented_and_has_a_default(spec: type) -> None:
    assert spec.__doc__ is not None and is_dataclass(spec)
    documented = "".join(kind.__doc__ or "" for kind in spec.__mro__ if is_dataclass(kind))
    for field in fields(spec):
        assert f"\n        {field.name}: " in documented, field.name
    spec()


@pytest.mark.parametrize("spec", SPECS)
def test_settings_are_given_by_name_only(spec: type) -> None:
    with pytest.raises(TypeError):
        spec("x")


def test_settings_come_back_from_json_as_they_were() -> None:
    experiment = Experiment(
        task=TaskSpec(name="file", data="a.csv", transfer="all", templates={"letter": "{question}\n{options}"}),
        weak=WeakSpec(name="here", source="prompted", examples=4, settings={"depth": 2}),
        strong=ModelSpec(name="elsewhere", dtype="float32"),
        methods=["naive", {"method": "filtering", "quantile": 0.25, "label": "strict"}],
        compare=["strict", "naive"],
        seeds=[0, 7],
        student_training=TrainingSpec(micro_batch_size=4, lora=LoraSpec(targets=["q_proj", "v_proj"])),
        reliability=ReliabilitySpec(estimator="probability", unparsed="drop_answer", settings={"temperature": 2}),
        plugins=["mine.py"],
    )
    assert experiment_from_dict(json.loads(json.dumps(asdict(experiment)))) == experiment


def test_what_is_left_out_takes_its_default() -> None:
    assert experiment_from_dict({}) == Experiment()
    assert experiment_from_dict({"task": {"test": 7}}).task == replace(Experiment().task, test=7)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"sed": [1]}, "unknown setting 'sed'"),
        ({"seedz": [1]}, "did you mean 'seeds'"),
        ({"student_training": {"lora": {"rnk": 1}}}, "did you mean 'student_training.lora.rank'"),
    ],
)
def test_a_setting_that_does_not_exist_is_refused(data: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        experiment_from_dict(data)
    assert said in str(caught.value)


def test_two_experiments_share_no_settings() -> None:
    first, second = Experiment(), Experiment()
    first.seeds.append(9)
    first.student_training.lora.rank = 1
    assert second == Experiment() != first


@pytest.mark.parametrize(
    ("spec", "values", "said"),
    [
        (TrainingSpec, {"epochs": 0}, "epochs is 0: expected at least 1"),
        (TrainingSpec, {"batch_size": 0}, "batch_size is 0: expected at least 1"),
        (TrainingSpec, {"micro_batch_size": 0}, "micro_batch_size is 0: expected at least 1"),
        (TrainingSpec, {"micro_batch_size": 3, "batch_size": 8}, "micro_batch_size 3 does not divide batch_size 8"),
        (TrainingSpec, {"learning_rate": 0.0}, "learning_rate is 0.0: expected above 0"),
        (TrainingSpec, {"learning_rate": float("nan")}, "learning_rate is nan: expected above 0"),
        (TrainingSpec, {"warmup_ratio": 1.5}, "warmup_ratio is 1.5: expected at least 0 and at most 1"),
        (TrainingSpec, {"weight_decay": -0.1}, "weight_decay is -0.1: expected at least 0"),
        (TrainingSpec, {"max_grad_norm": 0.0}, "max_grad_norm is 0.0: expected above 0"),
        (TrainingSpec, {"max_length": 0}, "max_length is 0: expected at least 1"),
        (TrainingSpec, {"eval_fraction": 1.0}, "eval_fraction is 1.0: expected at least 0 and below 1"),
        (TrainingSpec, {"checkpoints": -1}, "checkpoints is -1: expected at least 0"),
        (LoraSpec, {"rank": 0}, "rank is 0: expected at least 1"),
        (LoraSpec, {"dropout": 1.0}, "dropout is 1.0: expected at least 0 and below 1"),
        (AnsweringSpec, {"max_new_tokens": 0}, "max_new_tokens is 0: expected at least 1"),
        (AnsweringSpec, {"tokens_per_batch": 0}, "tokens_per_batch is 0: expected at least 1"),
        (AnsweringSpec, {"sampling_temperature": -1.0}, "sampling_temperature is -1.0: expected at least 0"),
        (ReliabilitySpec, {"temperature": 0.0}, "temperature is 0.0: expected above 0"),
    ],
)
def test_a_value_that_no_run_could_use_is_refused_when_it_is_given(
    spec: type, values: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as caught:
        spec(**values)
    assert str(caught.value) == said


def test_values_at_the_edge_are_taken() -> None:
    TrainingSpec(
        micro_batch_size=99, batch_size=8, warmup_ratio=1.0, eval_fraction=0.0, checkpoints=0, weight_decay=0.0
    )
    AnsweringSpec(max_new_tokens=1, tokens_per_batch=1, sampling_temperature=0.0)
    ReliabilitySpec(temperature=None)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: TrainingSpec(normalization="papr"),
            "normalization is 'papr': expected one of weights, paper; did you",
        ),
        (lambda: TrainingSpec(order="question"), "order is 'question': expected one of rows, questions; did you mean"),
        (lambda: TrainingSpec(end_of_text="false"), "end_of_text is 'false': expected true or false"),
        (lambda: ModelSpec(quantization="4-bit"), "quantization is '4-bit': expected one of none, 4bit; did you mean"),
        (lambda: WeakSpec(chat_template="no"), "chat_template is 'no': expected true or false"),
        (lambda: TaskSpec(answers="number"), "answers is 'number': expected one of texts, numbers; did you mean"),
        (
            lambda: AnsweringSpec(mode="chose"),
            "mode is 'chose': expected one of choose, generate; did you mean 'choose'",
        ),
        (lambda: Experiment(split_per_seed=1), "split_per_seed is 1: expected true or false"),
        (lambda: ReliabilitySpec(unparsed="drop"), "unparsed is 'drop': expected one of class, drop_question"),
    ],
)
def test_a_value_that_is_none_of_a_setting_is_refused_wherever_it_comes_from(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        make()
