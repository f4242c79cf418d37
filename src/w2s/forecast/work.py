"""From the work of steps to seconds and bytes: arithmetic alone."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Rates", "Work", "adapter_parameters", "makespan", "memory_of", "seconds_of"]

# A token that is written costs about two that are read: its step waits for the weights, however many rows share it.
_WRITTEN = 2.0

_LIBRARIES = 0.5e9  # bytes of a process that has imported torch and transformers
_AT_ONCE = 1536  # tokens of a training step that are held at once on a CPU
# Korthikanti et al., arXiv 2205.05198, equation 1, without attention's scores: bytes a layer, token and unit of width
# at two bytes a number.
_ACTIVATIONS = 34
_OPTIMIZER = 16  # bytes a trained parameter: weight, gradient and both moments of AdamW in float32


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What a machine does.

    Attributes:
        forward: Parameters times tokens a second, in answering.
        training: The same in LoRA training: forward and backward.
        start: Seconds until a process has imported what it needs.
        step: Seconds that any step of a model takes besides: to tokenize, to put an adapter on, to write.
        load: Seconds a byte of weights that is read.
        convert: Seconds a parameter that is converted from GGUF.
    """

    forward: float
    training: float
    start: float
    step: float
    load: float
    convert: float


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a step does with a model.

    Attributes:
        does: What the model does; "nothing" where none has a part in it, "unknown" where nobody can say.
        rows: Answers that are asked for, or examples that are trained on or written down.
        layers: Parameters that every token goes through.
        tokens: That are read, padding and what is shared counted once; of a training, in all its epochs.
        written: Tokens that are written one after the other.
        head: Parameters of the output head.
        read: Positions that reach the output head.
        model: Whose weights must be in memory; empty for none.
        weights: Their bytes.
        depth: The model's layers.
        width: Of a layer.
        trained: Parameters of the adapter.
        number: Bytes of a number in the model's dtype.
        bytes: That its result takes on the disk.
        at_most: The real work is this or less.
    """

    does: Literal["nothing", "answers", "trains", "converts", "unknown"] = "nothing"
    rows: float = 0
    layers: float = 0
    tokens: float = 0
    written: float = 0
    head: float = 0
    read: float = 0
    model: str = ""
    weights: float = 0
    depth: int = 0
    width: int = 0
    trained: float = 0
    number: int = 4
    bytes: float = 0
    at_most: bool = False


def seconds_of(work: Work, rates: Rates, *, loads: bool) -> float:
    """What a step takes.

    Args:
        work: Its work.
        rates: Of the machine.
        loads: Whether the model must be loaded first.
    """
    products = work.layers * (work.tokens + _WRITTEN * work.written) + work.head * (work.read + work.written)
    loading = work.weights * rates.load if loads else 0.0
    match work.does:
        case "answers":
            return rates.step + loading + products / rates.forward
        case "trains":
            return rates.step + loading + products / rates.training
        case "converts":
            return rates.step + work.layers * rates.convert
        case _:
            return 0.0


def memory_of(work: Work) -> float:
    """The most bytes that a step holds at once; of weights, activations, and what an optimizer keeps."""
    if work.does not in ("answers", "trains"):
        return _LIBRARIES + (4 * work.layers if work.does == "converts" else 0)
    held = _LIBRARIES + work.weights
    if work.does == "trains":
        held += _AT_ONCE * work.depth * work.width * _ACTIVATIONS * work.number / 2 + _OPTIMIZER * work.trained
    return held


def adapter_parameters(rank: int, targets: int | None, *, depth: int, width: int) -> float:
    """Parameters of a LoRA adapter: rank times inputs and outputs of each layer that wears one.

    Args:
        rank: Of the update.
        targets: How many modules of a layer; None for all its linear ones, whose inputs and outputs come to about 22
            times the width where the gated layer is some 2.7 times as wide.
        depth: Layers.
        width: Of a layer.
    """
    return rank * depth * width * (22 if targets is None else 2 * targets)


def makespan(seconds: Mapping[str, float], inputs: Mapping[str, Sequence[str]], workers: int) -> float:
    """When the last step is done, where a worker that is free takes the next step that can begin.

    Args:
        seconds: Of each step, in an order in which inputs come first.
        inputs: The steps that each one reads; those without seconds are done.
        workers: Processes at work.
    """
    waiting = {key: {one for one in inputs.get(key, ()) if one in seconds} for key in seconds}
    readers: dict[str, list[str]] = {key: [] for key in seconds}
    for key, before in waiting.items():
        for one in before:
            readers[one].append(key)
    place = {key: number for number, key in enumerate(seconds)}
    ready = [(place[key], key) for key, before in waiting.items() if not before]
    heapq.heapify(ready)
    running: list[tuple[float, int, str]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < workers:
            number, key = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds[key], number, key))
        now, _, done = heapq.heappop(running)
        for reader in readers[done]:
            waiting[reader].discard(done)
            if not waiting[reader]:
                heapq.heappush(ready, (place[reader], reader))
    return now
