"""A whole quickstart from an empty store: where its seconds go, and how many the matrix products alone would take.

    python benchmarks/quickstart.py [--weak-train 100] [--transfer 300] [--test 400]

The settings are the defaults, which are those of studies/quickstart.yaml. All of it runs in a process of its own, which
has imported everything; what the imports take is measured in another process. A part's seconds are those of its steps
as they are announced: loading the model and tokenizing are in them. The last part is what no step was running in:
the questions, the results, the figures and the page.

Tokens of training are those of all epochs, without padding. Tokens of answering are those that go through the model,
with padding, and what prompts share is counted once. The floor is what the products with the layers' weights take for
so many tokens, measured after the run on each model's own weights: 2048 tokens at once in answering, and 600 in
training, with a second product for the gradient to a layer's input. The head, attention and the adapters are not in it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import device_name, in_own_process, language_model, print_table, run_script
from matrix_rate import Factor, Product, seconds_alone
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

import w2s
from w2s.config import Experiment, TaskSpec
from w2s.models.load import LanguageModel
from w2s.pipeline.graph import Graph
from w2s.runners.base import Event
from w2s.store import Store

warnings.filterwarnings("ignore", category=FutureWarning)  # of libraries to each other

IMPORTS = "import w2s.running, w2s.evaluation, w2s.models.load, w2s.training.student"
START, REST = "imports", "questions, results, figures, page"
CONVERSION, WEAK, LABELS = (
    "models converted from GGUF",
    "weak supervisor's training",
    "answers of supervisor and student",
)
STUDENTS, EVALUATION, TABLES = "students' training", "evaluation", "reliability and selection"
PARTS = {"model": CONVERSION, "training": STUDENTS, "answers": LABELS, "predictions": EVALUATION}  # by kind of step


@dataclass
class Part:
    """What one part of the run took.

    Attributes:
        seconds: By the clock.
        tokens: That went through a model.
        floor: Seconds of the products alone.
    """

    seconds: float = 0.0
    tokens: int = 0
    floor: float = 0.0


class _Watch:
    """Takes the events of a run, and sums by part what its steps took."""

    def __init__(self, experiment: Experiment, store: Store) -> None:
        self.parts = {name: Part() for name in (START, CONVERSION, WEAK, LABELS, STUDENTS, EVALUATION, TABLES, REST)}
        self.work: list[tuple[str, str, bool, int]] = []  # part, model, whether it was trained, tokens
        self._experiment = experiment
        self._store = store
        self._weak: set[str] = set()  # keys of the steps that are done with the weak model
        self._supervisors: set[str] = set()
        self._seen = 0  # tokens, in the step that runs
        self._stop: Callable[[], None] | None = None

    def on_graph(self, graph: Graph) -> None:
        """Learns which steps are the weak supervisor's."""
        laid = [run.supervision for run in graph.seed_runs]
        self._supervisors = {one.training.key for one in laid if one.training}
        self._weak = self._supervisors | {
            step.key for one in laid for step in (one.answers, one.predictions) if step is not None
        }

    def on_event(self, event: Event) -> None:
        """Begins and ends a step."""
        step = event.step
        if event.kind == "started" and step.kind in ("answers", "predictions"):
            self._seen = 0
            self._stop = register_module_forward_pre_hook(self._count).remove
        if event.kind != "finished":
            return
        if self._stop:
            self._stop()
            self._stop = None
        name = WEAK if step.key in self._supervisors else PARTS.get(step.kind, TABLES)
        self.parts[name].seconds += event.seconds
        weak = step.key in self._weak
        model = self._experiment.weak.name if weak else self._experiment.strong.name
        if step.kind == "training":
            spec = self._experiment.weak_training if weak else self._experiment.student_training
            report = json.loads((self._store.path(step) / "training.json").read_text())
            self.work.append((name, model, True, report["tokens"] * spec.epochs))
        elif step.kind in ("answers", "predictions"):
            self.work.append((name, model, False, self._seen))

    def _count(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if isinstance(module, nn.Embedding):
            self._seen += inputs[0].numel()


def seconds_per_token(lm: LanguageModel, tokens: int, *, trains: bool) -> float:
    """What the products with the layers' weights take, for each of so many tokens at once."""
    products = []
    for name, module in lm.model.named_modules():
        if isinstance(module, nn.Linear) and module is not lm.model.get_output_embeddings():
            rows, columns = module.weight.shape
            weight = f"{name}.weight"
            forward = Factor(weight, (columns, rows), (1, columns))
            products.append(Product(Factor(None, (tokens, columns), (columns, 1)), forward))
            if trains:
                backward = Factor(weight, (rows, columns), (columns, 1))
                products.append(Product(Factor(None, (tokens, rows), (rows, 1)), backward))
    seconds_alone(lm, products)
    return seconds_alone(lm, products) / tokens


def quickstart(experiment: Experiment) -> dict[str, Part]:
    """Run it from an empty store."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store")
        watch = _Watch(experiment, store)
        began = time.perf_counter()
        w2s.run(experiment, store=store, out=Path(folder) / "out", on_graph=watch.on_graph, on_event=watch.on_event)
        whole = time.perf_counter() - began
    parts = watch.parts
    parts[REST].seconds = whole - sum(part.seconds for part in parts.values())
    for model in dict.fromkeys([experiment.strong.name, experiment.weak.name]):
        with language_model(model) as lm:
            rates = {trains: seconds_per_token(lm, 600 if trains else 2048, trains=trains) for trains in (False, True)}
        for name, of, trained, tokens in watch.work:
            if of == model:
                parts[name].tokens += tokens
                parts[name].floor += tokens * rates[trained]
    return parts


def import_seconds() -> float:
    """Seconds from the start of a Python process to its end, once all that a run needs is imported."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    return time.perf_counter() - began


def row(name: str, part: Part, whole: float) -> list[str]:
    """One line of the table."""
    floor = [f"{part.floor:.1f}", f"{part.floor / part.seconds:.2f}"] if part.floor else ["", ""]
    tokens = [f"{part.tokens:,}", f"{part.tokens / part.seconds:,.0f}"] if part.tokens else ["", ""]
    return [name, f"{part.seconds:.1f}", f"{100 * part.seconds / whole:.1f}", *tokens, *floor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weak-train", type=int, default=100)
    parser.add_argument("--transfer", type=int, default=300)
    parser.add_argument("--test", type=int, default=400)
    arguments = parser.parse_args()
    experiment = Experiment(
        task=TaskSpec(weak_train=arguments.weak_train, transfer=arguments.transfer, test=arguments.test)
    )
    side = in_own_process(quickstart, experiment=experiment)
    parts: dict[str, Part] = side.value
    import_seconds()  # warms the files
    parts[START].seconds = import_seconds()
    whole = Part(
        seconds=sum(part.seconds for part in parts.values()),
        tokens=sum(part.tokens for part in parts.values()),
        floor=sum(part.floor for part in parts.values()),
    )
    task = experiment.task
    print_table(
        f"{experiment.weak.name} for {experiment.strong.name}, {len(Graph(experiment).methods)} methods; {task.name}:"
        f" {task.weak_train} weak_train, {task.transfer} transfer and {task.test} test questions; {device_name()}",
        ["one run", "s", "%", "tokens", "tokens/s", "floor, s", "floor / s"],
        [row(name, part, whole.seconds) for name, part in [*parts.items(), ("in all", whole)]],
    )
    print(f"peak memory of the run: {side.peak_gb:.2f} GB")


if __name__ == "__main__":
    run_script(main)
