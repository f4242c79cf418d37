"""A model's layers compiled by torch: their many small operations become a few."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import nn

from w2s.environment import instructions
from w2s.models.load import LanguageModel
from w2s.store import default_root

__all__ = ["compiled_layers", "is_worth_compiling"]

Work = Literal["training", "scoring"]

# Work of a run, in tokens times parameters and for each core, above which compiling pays: about a minute of training;
# three of scoring, which gains less. The first such run of a machine waits for the compiler, the first of each process
# for what was kept of it (benchmarks/compiling.py), the next ones for nothing.
_ENOUGH: dict[Work, float] = {"training": 1.5e12, "scoring": 4e13}


def _layers(model: nn.Module) -> list[nn.Module]:
    """The repeated blocks of a transformer, as transformers names them for splitting a model over devices."""
    names = set(getattr(model, "_no_split_modules", None) or ())
    return [module for module in model.modules() if type(module).__name__ in names]


def is_worth_compiling(lm: LanguageModel, work: Work, tokens: int) -> bool:
    """Whether compiling takes less time than it saves. Only said of a CPU, where it was measured.

    Args:
        lm: The model.
        work: What it does.
        tokens: That go through it; in training, over all epochs.
    """
    if lm.device.type != "cpu" or lm.quantized or not any(shutil.which(name) for name in ("g++", "clang++", "c++")):
        return False
    parameters = sum(parameter.numel() for layer in _layers(lm.model) for parameter in layer.parameters())
    return tokens * parameters > _ENOUGH[work] * torch.get_num_threads()


@contextmanager
def compiled_layers(lm: LanguageModel) -> Iterator[None]:
    """Run the model's layers compiled, for as long as the block lasts; the first batches take up to a minute more.

    One graph serves all layers and all sizes of a batch. What torch cannot compile runs as it is. What it compiled is
    kept in the folder `.compiled` of the default store, unless `TORCHINDUCTOR_CACHE_DIR` says where.
    """
    # By the processor's instructions: several machines may share the folder, and code is made for one of them.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(default_root() / ".compiled" / instructions()))
    layers = _layers(lm.model)
    for layer in layers:
        layer.compile(dynamic=True)
    try:
        with torch._dynamo.config.patch(suppress_errors=True):
            yield
    finally:
        for layer in layers:
            layer._compiled_call_impl = None
