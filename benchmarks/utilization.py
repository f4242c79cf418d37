"""How much of a GPU's rate of matrix products labelling and LoRA training use (model FLOPs utilization).

    python benchmarks/utilization.py [--model random-llama-7b] [--task hellaswag --data FOLDER] [--questions 256]

The rate that is compared with is measured first: the product of two square matrices, in the dtype of the model. Counted
are the operations that the work needs with the weights of the linear layers, two for each weight and token; attention
and adapters are not in it. Labelling needs one pass over each different token: what the orders of a question share is
counted once, padding never. Training needs two, forward and for the gradient of each layer's input, since the weights
themselves are frozen: so all layers are counted, those below the first adapter too. The output head counts where it
is read.

Labels are letters, of each question in five orders of its options. Training is of three epochs on the questions with
their right answers; the faster of the last two counts. `--dense` also labels with each prompt alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from choose import answer_all, ask, count_tokens, each_prompt_alone, load_questions
from common import Side, device_name, in_own_process, language_model, print_table, run_script
from growth import fastest
from torch import nn

from training import SEED, Job, now, right_answers
from w2s.config import AnsweringSpec, TaskSpec, TrainingSpec
from w2s.models.load import LanguageModel
from w2s.supervisors.local import LocalModel
from w2s.training.student import train_student

warnings.filterwarnings("ignore", category=FutureWarning)  # of libraries to each other

SIDE = 8192  # of the square matrices


class Used(NamedTuple):
    """What a work took.

    Attributes:
        seconds: For all of it.
        given: Tokens of its prompts or rows, each counted as often as it is asked or learned.
        flops: That it needs.
        parameters: Of the model, in all.
        dtype: Of its weights.
        peak: FLOP/s of the product of two square matrices.
    """

    seconds: float
    given: int
    flops: float
    parameters: int
    dtype: str
    peak: float


def matrix_rate(dtype: torch.dtype, device: torch.device) -> float:
    """FLOP/s of the product of two square matrices."""
    side = SIDE if device.type == "cuda" else SIDE // 8
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))

    def multiply() -> None:
        for _ in range(10):
            left @ right

    multiply()
    return 10 * 2 * side**3 / fastest(multiply)


class _Tokens:
    """Counts the tokens that go into a model, and the positions from which its head predicts."""

    def __init__(self, lm: LanguageModel) -> None:
        self.tokens = self.head_positions = 0
        self._padding = [0, lm.tokenizer.pad_token_id or 0]
        lm.model.get_input_embeddings().register_forward_hook(self._embedded)
        lm.model.get_output_embeddings().register_forward_hook(self._predicted)

    def _embedded(self, module: nn.Module, inputs: tuple[torch.Tensor, ...], output: object) -> None:
        self.tokens += int((~torch.isin(inputs[0], torch.tensor(self._padding, device=inputs[0].device))).sum())

    def _predicted(self, module: nn.Module, inputs: tuple[torch.Tensor, ...], output: object) -> None:
        self.head_positions += inputs[0].shape[:-1].numel()


def _weights(lm: LanguageModel) -> tuple[int, int]:
    """Of the linear layers, and of the output head."""
    head = lm.model.get_output_embeddings()
    layers = sum(m.weight.numel() for m in lm.model.modules() if isinstance(m, nn.Linear) and m is not head)
    return layers, head.weight.numel()


def label(model: str, spec: TaskSpec, dense: bool) -> Used:
    """Choose the letters of all questions in all orders; `dense`: each prompt alone."""
    task, questions, _ = load_questions(spec)
    asked = ask(task, questions)
    with language_model(model) as lm, each_prompt_alone() if dense else nullcontext():
        supervisor = LocalModel(lm, task, AnsweringSpec(mode="choose"), name=model)
        answer_all(supervisor, asked[:40])
        began = now()
        answer_all(supervisor, asked)
        seconds = now() - began
        counter = _Tokens(lm)
        answer_all(supervisor, asked)
        layers, head = _weights(lm)
        flops = 2.0 * (layers * counter.tokens + head * counter.head_positions)
        given = count_tokens(lm, [one.variation.prompt for one in asked])
        return _used(lm, seconds, given, flops)


def train(job: Job) -> Used:
    """The faster of the epochs after the first."""
    ends: list[float] = []
    with language_model(job.model) as lm, tempfile.TemporaryDirectory() as folder:
        counter = _Tokens(lm)
        report = train_student(
            lm, job.table, job.spec, seed=SEED, out=Path(folder), progress=lambda *_: ends.append(now())
        )
        steps = len(ends) // job.spec.epochs
        layers, head = _weights(lm)
        taken = [end - start for start, end in pairwise(ends[steps - 1 :: steps])]
        epochs = job.spec.epochs
        flops = 4.0 * (layers * counter.tokens + head * counter.head_positions) / epochs
        return _used(lm, min(taken), report.tokens, flops)


def _used(lm: LanguageModel, seconds: float, given: int, flops: float) -> Used:
    return Used(seconds, given, flops, lm.model.num_parameters(), str(lm.dtype), matrix_rate(lm.dtype, lm.device))


def _cells(side: Side, peak: float) -> list[str]:
    """Of a work's row in the table, where products run at `peak` FLOP/s."""
    used: Used = side.value
    return [
        f"{used.seconds:.2f}",
        f"{used.given / used.seconds:,.0f}",
        f"{used.flops / used.seconds / 1e12:.3g}",
        f"{used.flops / used.seconds / peak:.2f}",
        f"{side.peak_gb:.2f}",
    ]


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="random-llama-7b")
    parser.add_argument("--task", default="geography")
    parser.add_argument("--data", default=None)
    parser.add_argument("--questions", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--dense", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args(words)
    spec = TaskSpec(
        name=arguments.task,
        data=arguments.data,
        weak_train=0,
        transfer=arguments.questions,
        test=0,
        num_variations=5,
        answer_format="letter",
    )
    table = right_answers(arguments.task, arguments.data, arguments.questions)
    training = TrainingSpec(epochs=3, batch_size=arguments.batch_size, checkpoints=0)
    sides: dict[str, Side] = {}
    works: dict[str, tuple[Callable[..., Used], dict[str, Any]]] = {
        "labelling": (label, {"model": arguments.model, "spec": spec, "dense": False}),
        "LoRA training": (train, {"job": Job(model=arguments.model, dtype="auto", table=table, spec=training)}),
    }
    if arguments.dense:
        works["labelling, each prompt alone"] = (label, {"model": arguments.model, "spec": spec, "dense": True})
    for name, (work, given) in works.items():
        sides[name] = in_own_process(work, **given)
        own = _cells(sides[name], sides[name].value.peak)
        print(f"{name}: {', '.join(own)}", file=sys.stderr, flush=True)  # should the others not end
    first = sides["labelling"].value
    peak = max(side.value.peak for side in sides.values())
    print_table(
        f"{arguments.questions} questions of {arguments.task}; {arguments.model}, {first.parameters / 1e9:.2f} billion "
        f"parameters, {first.dtype.removeprefix('torch.')}; {device_name()}, whose products run at {peak / 1e12:.3g} "
        "TFLOP/s",
        ["", "s", "tokens/s", "TFLOP/s", "of the products' rate", "peak GB"],
        [[name, *_cells(side, peak)] for name, side in sides.items()],
    )
    print("tokens: of the prompts as they are asked, or of the rows; what they share is computed once")


if __name__ == "__main__":
    run_script(main)
