"""Which fraction of the machine's own matrix rate scoring and training reach, on the model's own layer shapes.

    python benchmarks/matrix_rate.py [--data FOLDER] [--models smollm2-135m gemma3-270m]

The questions are HellaSwag's, from a folder of its files, or the embedded geography. Scoring answers each by letter in
five orders of its options; training is LoRA in batches of 16; each once as it is and once with compiled layers.

A first pass, in a process of its own, notes every product of two matrices that torch is asked for. Another process does
the work without notes, and is timed; then it computes the same products alone, in the same order, with the model's own
weights, each into memory that is there already. What these take is a floor: the seconds of the work, were nothing but
products in it. The share of the work's time is the fraction that is reached. Products with the model's own weights
count: forward, and in training also those that take a gradient to a layer's input. The last column adds all others: of
adapters, and of attention where it is made of products (on a CPU in training). Compiled layers are held against the
products of layers as they are.

Scoring is timed from prompts to answers, tokenizing included, after a pass that warms up; training from the end of one
epoch to the end of the next, at the fastest epoch after the first. Tokens are those that go through the layers: padding
is included, and what prompts share is counted once.

The second table is torch's profile of one pass of scoring and of the second step of a training. Its percents are of
the time by the clock, the profiler's own cost included; on a GPU the operations' time is that of their kernels.

The third is the rate of one product, with a layer's weight of few outputs, by the tokens that are multiplied at once.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import torch
from choose import answer_all, ask, load_questions
from common import Side, device_name, in_own_process, language_model, print_table, run_script
from growth import fastest
from torch import Tensor
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from training import SEED, Job, now, right_answers, with_w2s
from w2s.config import AnsweringSpec, TaskSpec, TrainingSpec
from w2s.models.load import LanguageModel
from w2s.supervisors.local import LocalModel
from w2s.training.student import train_student

warnings.filterwarnings("ignore", category=FutureWarning)  # of libraries to each other

BASE, ADAPTERS, ATTENTION = "products with weights", "products of adapters", "attention"
ELEMENTWISE, OTHER, NONE = "elementwise and copies", "other operations", "no operation"
KINDS = (BASE, ADAPTERS, ATTENTION, ELEMENTWISE, OTHER, NONE)
TOKENS_AT_ONCE = (256, 512, 768, 1024, 1280, 1536, 2048)
PRODUCTS = {"mm": 0, "bmm": 0, "addmm": 1, "baddbmm": 1}  # where the two factors begin among the arguments
ELEMENTWISE_PARTS = ["add", "sub", "mul", "div", "neg", "pow", "sqrt", "exp", "cos", "sin", "silu", "gelu", "tanh"]
ELEMENTWISE_PARTS += ["mean", "sum", "copy", "cat", "fill", "where", "index", "clone"]


class Factor(NamedTuple):
    """One matrix of a product, or one batch of them.

    Attributes:
        weight: The model's parameter that it is, perhaps transposed; None for anything else.
        size: Its shape.
        stride: How it lies in memory.
    """

    weight: str | None
    size: tuple[int, ...]
    stride: tuple[int, ...]


class Product(NamedTuple):
    """One product that torch was asked for."""

    left: Factor
    right: Factor

    @property
    def weight(self) -> str | None:
        """The weight in it, if any."""
        return self.left.weight or self.right.weight

    @property
    def size(self) -> tuple[int, ...]:
        """Of the result."""
        return (*self.left.size[:-1], self.right.size[-1])

    @property
    def flops(self) -> int:
        """Multiplications and additions."""
        return 2 * math.prod(self.left.size) * self.right.size[-1]


class Timed(NamedTuple):
    """Seconds of a work, and of its products alone: those with weights, and the others."""

    work: float
    weighted: float
    others: float


class _Notes(TorchDispatchMode):
    """Notes the products, forward and backward, in the order in which they are computed."""

    def __init__(self, lm: LanguageModel) -> None:
        super().__init__()
        self.products: list[Product] = []
        self._names = {parameter.data_ptr(): name for name, parameter in lm.model.named_parameters()}
        self._dtype = lm.dtype

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        first = PRODUCTS.get(_plain(func._schema.name))
        if first is None:
            # Under inference_mode a linear layer arrives whole.
            with self:
                result = func.decompose(*args, **kwargs)
            return func(*args, **kwargs) if result is NotImplemented else result
        left, right = args[first : first + 2]
        if left.dtype == self._dtype:
            self.products.append(Product(self._factor(left), self._factor(right)))
        return func(*args, **kwargs)

    def _factor(self, tensor: Tensor) -> Factor:
        return Factor(self._names.get(tensor.data_ptr()), tuple(tensor.shape), tensor.stride())


def _plain(name: str) -> str:
    """An operation's name without its library, and without the mark of working in position."""
    return name.removeprefix("aten::").removesuffix("_")


def seconds_alone(lm: LanguageModel, products: Sequence[Product]) -> float:
    """What products take, one after another: the least of three times, or of fewer where they are long."""
    weights = dict(lm.model.named_parameters())

    def space(sizes: Sequence[int]) -> Tensor:
        return torch.randn(max(sizes), device=lm.device).to(lm.dtype)

    def extent(factor: Factor) -> int:
        return 1 + sum((size - 1) * stride for size, stride in zip(factor.size, factor.stride, strict=True))

    # Any factor that is no weight lies at the beginning of these, and any result of the third.
    left = space([extent(product.left) for product in products])
    right = space([extent(product.right) for product in products])
    out = space([math.prod(product.size) for product in products])

    def tensor(factor: Factor, otherwise: Tensor) -> Tensor:
        return (weights[factor.weight] if factor.weight else otherwise).as_strided(factor.size, factor.stride)

    calls = [
        (
            torch.bmm if len(product.size) == 3 else torch.mm,
            tensor(product.left, left),
            tensor(product.right, right),
            out[: math.prod(product.size)].view(product.size),
        )
        for product in products
    ]

    @torch.inference_mode()
    def compute() -> None:
        for multiply, a, b, result in calls:
            multiply(a, b, out=result)

    return fastest(compute)


def _timed(lm: LanguageModel, work: float, products: Sequence[Product]) -> Timed:
    others = [product for product in products if not product.weight]
    return Timed(work, seconds_alone(lm, _weighted(products)), seconds_alone(lm, others) if others else 0.0)


def _weighted(products: Sequence[Product]) -> list[Product]:
    return [product for product in products if product.weight]


def _scoring(lm: LanguageModel, spec: TaskSpec, compiles: bool) -> Callable[[], object]:
    """Answers all questions in all orders."""
    task, questions, _ = load_questions(spec)
    asked = ask(task, questions)
    supervisor = LocalModel(lm, task, AnsweringSpec(mode="choose"), name="model")

    def work() -> None:
        with mock.patch("w2s.models.compiled.is_worth_compiling", return_value=compiles):
            answer_all(supervisor, asked)

    return work


def _training(lm: LanguageModel, job: Job, on_step: Callable[[], None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        train_student(lm, job.table, job.spec, seed=SEED, out=Path(folder), progress=lambda *_: on_step())


def note_scoring(model: str, spec: TaskSpec) -> tuple[list[Product], dict[str, float]]:
    """The products of a pass, and the seconds of the next one by kind."""
    with language_model(model) as lm:
        work = _scoring(lm, spec, compiles=False)
        with _Notes(lm) as notes:
            work()
        began = now()
        with _profiler(lm) as profiler:
            work()
            seconds = now() - began
        return notes.products, seconds_by_kind(profiler, lm, seconds, rank=0)


def note_training(job: Job) -> tuple[list[list[Product]], dict[str, float]]:
    """The products of each epoch, and the seconds of another training's second step by kind."""
    with language_model(job.model) as lm:
        done = [0]
        with _Notes(lm) as notes:
            _training(lm, job, lambda: done.append(len(notes.products)))
        steps = len(done) // job.spec.epochs
        epochs = [notes.products[start:end] for start, end in pairwise(done[::steps])]
        profiler, ends = _profiler(lm), []

        def watch() -> None:
            ends.append(now())
            if len(ends) == 1:
                profiler.start()
            else:
                profiler.stop()

        few = job.table.slice(0, 2 * job.spec.batch_size)
        _training(lm, replace(job, table=few, spec=replace(job.spec, epochs=1)), watch)
        return epochs, seconds_by_kind(profiler, lm, ends[1] - ends[0], rank=job.spec.lora.rank)


def time_scoring(model: str, spec: TaskSpec, products: list[Product], compiles: bool) -> Timed:
    """Scoring, and then its products alone."""
    with language_model(model) as lm:
        work = _scoring(lm, spec, compiles)
        work()
        return _timed(lm, fastest(work), products)


def time_training(job: Job, products: list[list[Product]]) -> tuple[Timed, int]:
    """The fastest epoch after the first, which it was, and then its products alone."""
    ends = with_w2s(job).ends
    steps = len(ends) // job.spec.epochs
    taken = [end - start for start, end in pairwise(ends[steps - 1 :: steps])]
    epoch = 1 + taken.index(min(taken))
    with language_model(job.model) as lm:
        return _timed(lm, min(taken), products[epoch]), epoch


def _profiler(lm: LanguageModel) -> profile:
    cuda = [ProfilerActivity.CUDA] if lm.device.type == "cuda" else []
    return profile(activities=[ProfilerActivity.CPU, *cuda], record_shapes=True)


def seconds_by_kind(profiler: profile, lm: LanguageModel, seconds: float, *, rank: int) -> dict[str, float]:
    """The time by the clock, by the kind of the operation that ran in it."""
    spent = dict.fromkeys(KINDS, 0.0)
    for event in profiler.key_averages(group_by_input_shape=True):
        if event.device_type == DeviceType.CPU:
            own = event.self_device_time_total if lm.device.type == "cuda" else event.self_cpu_time_total
            spent[_kind(event.key, event.input_shapes, rank)] += own / 1e6
    spent[NONE] = max(0.0, seconds - sum(spent.values()))
    return spent


def _kind(name: str, shapes: Sequence[Sequence[int]], rank: int) -> str:
    plain = _plain(name)
    if "evaluate_function" in plain:
        return OTHER  # the bookkeeping of the backward pass
    if plain in ("mm", "addmm"):
        return ADAPTERS if any(rank in shape for shape in shapes) else BASE
    if plain in ("bmm", "baddbmm") or "softmax" in plain or "scaled_dot_product" in plain or "attention" in plain:
        return ATTENTION
    # Parts of names, so that those of the backward pass are found as well.
    return ELEMENTWISE if any(part in plain for part in ELEMENTWISE_PARTS) else OTHER


def rates_by_tokens(model: str) -> list[float]:
    """TFLOP/s of the product with the model's first `down_proj`, for each of `TOKENS_AT_ONCE`."""
    rates = []
    with language_model(model) as lm:
        name, weight = next(named for named in lm.model.named_parameters() if named[0].endswith("down_proj.weight"))
        outputs, inputs = weight.shape
        for tokens in TOKENS_AT_ONCE:
            left = Factor(None, (tokens, inputs), (inputs, 1))
            product = Product(left, Factor(name, (inputs, outputs), (1, inputs)))
            rates.append(50 * product.flops / seconds_alone(lm, [product] * 50) / 1e12)
    return rates


def rate_row(name: str, side: Side, timed: Timed, products: Sequence[Product]) -> list[str]:
    """One line of the first table."""
    weighted = _weighted(products)
    flops = sum(product.flops for product in weighted)
    tokens = sum(product.left.size[0] for product in weighted if product.right == weighted[0].right)
    return [
        name,
        f"{tokens:,}",
        f"{timed.work:.2f}",
        f"{tokens / timed.work:,.0f}",
        f"{flops / timed.work / 1e12:.3f}",
        f"{flops / timed.weighted / 1e12:.3f}",
        f"{timed.weighted / timed.work:.2f}",
        f"{(timed.weighted + timed.others) / timed.work:.2f}",
        f"{side.peak_gb:.2f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="HellaSwag's files, or a folder of them; by default the embedded geography")
    parser.add_argument("--models", nargs="+", default=["smollm2-135m", "gemma3-270m"])
    parser.add_argument("--questions", type=int, default=32, help="that are scored, each in five orders")
    parser.add_argument("--rows", type=int, default=64, help="that are trained on; 32 or more")
    parser.add_argument("--epochs", type=int, default=3, help="2 or more; the first is not timed")
    arguments = parser.parse_args()
    if arguments.epochs < 2 or arguments.rows < 32:
        parser.error("expected --epochs of 2 or more and --rows of 32 or more")
    task = "hellaswag" if arguments.data else "geography"
    spec = TaskSpec(
        name=task, data=arguments.data, weak_train=0, transfer=arguments.questions, test=0, num_variations=5
    )
    table = right_answers(task, arguments.data, arguments.rows)
    rates: list[list[str]] = []
    profiles: dict[str, dict[str, float]] = {}
    for model in arguments.models:
        products, profiles[f"{model}, scoring"] = in_own_process(note_scoring, model=model, spec=spec).value
        for name, compiles in (("scoring", False), ("scoring, compiled", True)):
            side = in_own_process(time_scoring, model=model, spec=spec, products=products, compiles=compiles)
            rates.append(rate_row(f"{model}, {name}", side, side.value, products))
        plain = TrainingSpec(epochs=arguments.epochs, batch_size=16, checkpoints=1, compile="off")
        job = Job(model=model, dtype="auto", table=table, spec=plain)
        epochs, profiles[f"{model}, training"] = in_own_process(note_training, job=job).value
        for name, how in (("training", job), ("training, compiled", replace(job, spec=replace(plain, compile="on")))):
            side = in_own_process(time_training, job=how, products=epochs)
            timed, epoch = side.value
            rates.append(rate_row(f"{model}, {name}", side, timed, epochs[epoch]))
    print_table(
        f"{task}: {arguments.questions} questions scored in five orders; an epoch of {table.num_rows} rows trained on,"
        f" in batches of 16; {device_name()}",
        ["", "tokens", "s", "tokens/s", "TFLOP/s", "products alone", "fraction", "of all products", "peak GB"],
        rates,
    )
    print()
    print_table(
        "percent of the time: one pass of scoring, one step of training of 16 rows; the model's layers as they are",
        ["", *profiles],
        [[kind, *(f"{100 * by[kind] / sum(by.values()):.1f}" for by in profiles.values())] for kind in KINDS],
    )
    print()
    print_table(
        "TFLOP/s of one product with down_proj, by the tokens that are multiplied at once",
        ["", *(f"{tokens:,}" for tokens in TOKENS_AT_ONCE)],
        [
            [model, *(f"{rate:.2f}" for rate in in_own_process(rates_by_tokens, model=model).value)]
            for model in arguments.models
        ],
    )


if __name__ == "__main__":
    run_script(main)
