"""What the benchmarks share: models by name, each side of a comparison in a process of its own, one table."""

from __future__ import annotations

import multiprocessing
import platform
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from w2s.config import ModelSpec
from w2s.errors import InputError
from w2s.models.device import choose_device, choose_dtype
from w2s.models.load import LanguageModel, forget_model
from w2s.models.prepared import PreparedModel, convert, loaded
from w2s.store import Store, default_root

__all__ = [
    "SHAPES",
    "Side",
    "device_name",
    "in_own_process",
    "language_model",
    "plain_model",
    "print_table",
    "run_script",
]

_RANDOM = "random-"

SHAPES: dict[str, dict[str, int]] = {
    "llama-7b": {
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
    },
    "llama-1b": {
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
}
"""Shapes of models that are made of random numbers: `random-` and the name stands for such a model."""


@contextmanager
def language_model(name: str, *, dtype: str = "auto", device: str = "auto") -> Iterator[LanguageModel]:
    """A model in memory: a bundled name, a hub id, a folder, a `.gguf` file, or random weights: `random-llama-7b`."""
    if name.startswith(_RANDOM):
        yield _random_model(name, dtype, device)
        return
    model = PreparedModel(ModelSpec(name=name, dtype=dtype, device=device))  # type: ignore[arg-type]
    store = Store(default_root())
    inputs = {key: store.run(step, convert) for key, step in model.inputs.items()}
    with loaded(model.settings, model.execution, inputs, None) as lm:
        yield lm


def _random_model(name: str, dtype: str, device: str) -> LanguageModel:
    """A model of a well-known shape, made where it computes, with the tokenizer of SmolLM2: for times, not answers."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    shape = name.removeprefix(_RANDOM)
    if shape not in SHAPES:
        raise InputError(f"unknown shape {name!r}: expected {', '.join(_RANDOM + known for known in SHAPES)}")
    computes_on = choose_device(device)
    with language_model("smollm2-135m", dtype=dtype, device="cpu") as small:
        tokenizer = small.tokenizer
    forget_model()
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=4096, **SHAPES[shape])
    with computes_on:
        model = AutoModelForCausalLM.from_config(config, dtype=choose_dtype(dtype, computes_on))
    model.requires_grad_(False)
    model.eval()
    return LanguageModel(model=model, tokenizer=tokenizer, device=computes_on, dtype=model.dtype, chat_template=False)


@contextmanager
def plain_model(name: str, *, dtype: str = "auto", device: str = "auto") -> Iterator[LanguageModel]:
    """The same model as transformers alone loads it, for the other way of doing a work."""
    with mock.patch("w2s.models.load.keep_freed_memory"), language_model(name, dtype=dtype, device=device) as lm:
        yield lm


@dataclass(frozen=True)
class Side:
    """What one side of a comparison gave.

    Attributes:
        value: What its function returned.
        peak_gb: The most memory that its process held, in 1e9 bytes; on a GPU, the most that torch held there.
    """

    value: Any
    peak_gb: float


def _measured(function: Callable[..., Any], arguments: dict[str, Any]) -> Side:
    import torch

    value = function(**arguments)
    if torch.cuda.is_initialized():
        return Side(value, torch.cuda.max_memory_allocated() / 1e9)
    return Side(value, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)


def in_own_process(function: Callable[..., Any], **arguments: Any) -> Side:
    """Call a function in a fresh process: no memory, cache or setting of the other side is there.

    Args:
        function: At the top of a module.
        arguments: Its keyword arguments.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measured, function, arguments).result()


def device_name() -> str:
    """The GPU, or the processor and how many of its cores torch uses."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    names = [line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {torch.get_num_threads()} cores"


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []


def run_script(main: Callable[[], None]) -> None:
    """Call a benchmark's main; what a user can put right is said in one line, as `w2s` itself does."""
    try:
        main()
    except InputError as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        sys.exit(2)


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a title and a table whose first column is text and whose others are numbers."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    print(title)
    for row in [header, *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        print("  ".join(cells).rstrip(), flush=True)
