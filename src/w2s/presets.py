"""Settings that go together: `small` for models under a billion parameters on a CPU, `paper` for the paper's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from w2s.config import DEFAULT_TASK, AnsweringSpec, Experiment, LoraSpec, ModelSpec, TaskSpec, TrainingSpec, WeakSpec
from w2s.errors import unknown_name
from w2s.tasks import TASKS
from w2s.tasks.drawing import DEFAULT_SIZES

__all__ = ["PRESETS", "preset"]

Size = int | Literal["all"]

# weak_train, transfer, test. Where the paper gives no number, all that its data has, or as much as it gives elsewhere.
_PAPER_SIZES: Mapping[str, tuple[Size, Size, Size]] = {
    "hellaswag": (5000, 5000, 5000),
    "gsm8k": (3736, 3737, 1319),
    "ethics": ("all", "all", "all"),
    "mmlu": (1474, 1474, 5000),
}


def _small(task: str) -> Experiment:
    if task in TASKS and TASKS[task].names_splits:  # its sizes may be the file's own
        return Experiment(task=TaskSpec(name=task))
    weak_train, transfer, test = (DEFAULT_SIZES[name] for name in ("weak_train", "transfer", "test"))
    return Experiment(task=TaskSpec(name=task, weak_train=weak_train, transfer=transfer, test=test))


def _paper(task: str) -> Experiment:
    """Guo and Yang, arXiv 2406.19032: Llama 2 7B teaches 13B."""
    weak_train, transfer, test = _PAPER_SIZES.get(task, (5000, 5000, 5000))
    training = TrainingSpec(
        epochs=3,
        batch_size=24,
        learning_rate=5e-5,
        max_length=1600 if task == "ethics" else 512,
        normalization="paper",
        eval_fraction=0.2,
        # No targets are named there; for Llama peft then takes these two.
        lora=LoraSpec(rank=16, alpha=32, dropout=0.05, targets=["q_proj", "v_proj"]),
    )
    answering = AnsweringSpec(mode="generate", max_new_tokens=100 if task == "mmlu" else 50)
    return Experiment(
        task=TaskSpec(name=task, weak_train=weak_train, transfer=transfer, test=test),
        weak=WeakSpec(name="meta-llama/Llama-2-7b-chat-hf"),
        strong=ModelSpec(name="meta-llama/Llama-2-13b-chat-hf"),
        methods=[
            "zero-shot",
            "zero-shot-debiased",
            "naive",
            # The paper's quantile is over all answers, those among them that could not be parsed.
            {"method": "filtering", "over": "all"},
            {"method": "filtering-sampled", "over": "all"},
            "reweighting",
            "reweighting-sampled",
            "ceiling",
        ],
        weak_training=training,
        student_training=training,
        answering=answering,
        evaluation=answering,
    )


PRESETS: Mapping[str, Callable[[str], Experiment]] = {"small": _small, "paper": _paper}


def preset(name: str, task: str = DEFAULT_TASK) -> Experiment:
    """The settings of a preset for a task.

    Raises:
        InputError: There is no such preset.
    """
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return PRESETS[name](task)
