"""The presets: the paper's numbers, and settings that a small machine can carry."""

from __future__ import annotations

import pytest

from w2s.config import LoraSpec
from w2s.errors import InputError
from w2s.methods import METHODS
from w2s.pipeline.specs import default_methods, method_specs
from w2s.presets import PRESETS, preset
from w2s.tasks import TASKS


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_is_for_each_task_and_names_methods_that_exist(name: str, task: str) -> None:
    experiment = preset(name, task)
    assert experiment.task.name == task
    fitting = default_methods(options="choose" in TASKS[task].modes, weak_gold=True)
    specs = method_specs(fitting if experiment.methods is None else experiment.methods)
    assert {"naive", "ceiling"} <= {spec.label for spec in specs} <= set(METHODS)
    for spec in (experiment.answering, experiment.evaluation):
        assert spec.mode is None or spec.mode in TASKS[task].modes


def test_two_of_one_preset_share_nothing() -> None:
    first, second = preset("small"), preset("small")
    first.seeds.append(9)
    first.student_training.lora.rank = 1
    assert 9 not in second.seeds and second.student_training.lora.rank != 1


def test_the_paper_preset_has_the_papers_settings() -> None:
    experiment = preset("paper", "hellaswag")
    for training in (experiment.weak_training, experiment.student_training):
        assert (training.epochs, training.batch_size, training.learning_rate) == (3, 24, 5e-5)
        assert (training.schedule, training.normalization, training.eval_fraction) == ("linear", "paper", 0.2)
        assert (training.lora.rank, training.lora.alpha, training.lora.dropout) == (16, 32, 0.05)
    assert (experiment.answering.mode, experiment.answering.max_new_tokens) == ("generate", 50)
    over = {one["method"]: one["over"] for one in experiment.methods or () if isinstance(one, dict)}
    assert over == {"filtering": "all", "filtering-sampled": "all"}  # the quantile counts unparsed answers there
    assert experiment.weak.name.endswith("Llama-2-7b-chat-hf") and experiment.strong.name.endswith("13b-chat-hf")


@pytest.mark.parametrize(
    ("task", "sizes", "max_length", "max_new_tokens"),
    [
        ("hellaswag", (5000, 5000, 5000), 512, 50),
        ("gsm8k", (3736, 3737, 1319), 512, 50),
        ("mmlu", (1474, 1474, 5000), 512, 100),
        ("ethics", ("all", "all", "all"), 1600, 50),
    ],
)
def test_the_paper_preset_has_the_sizes_and_lengths_of_each_task(
    task: str, sizes: tuple[object, ...], max_length: int, max_new_tokens: int
) -> None:
    experiment = preset("paper", task)
    assert (experiment.task.weak_train, experiment.task.transfer, experiment.task.test) == sizes
    assert experiment.student_training.max_length == max_length
    assert experiment.evaluation.max_new_tokens == max_new_tokens


def test_the_small_preset_names_models_that_install_as_packages() -> None:
    experiment = preset("small")
    assert (experiment.weak.name, experiment.strong.name) == ("smollm2-135m", "gemma3-270m")
    assert experiment.student_training.lora.dropout == LoraSpec().dropout == 0


def test_a_preset_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown preset 'smal': .*did you mean 'small'\?"):
        preset("smal")
