"""What this machine does, measured in a few seconds: a small model answers, learns, and is read from the disk."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from w2s.environment import environment
from w2s.forecast.rates import Measured, threads_here
from w2s.forecast.work import Rates
from w2s.models.device import choose_device, choose_dtype
from w2s.models.memory import keep_freed_memory
from w2s.training.fused_lora import fused_lora

__all__ = ["DEPTH", "TOKENS", "WIDTH", "measure"]

WIDTH, DEPTH = 640, 4
"""Of the model: its layers are of the width of Gemma-3-270M's, gated, with 2.75 times the width inside."""
TOKENS = (24, 64)
"""Rows, and tokens of each, that go through the model at once."""

_SECONDS = 2.0  # that each kind of work is repeated for
_STEP, _CONVERT = 2.0, 5e-8  # of a CPU core: see forecast.rates

# What a real run reaches of the rates of this model: rows of unequal length, trees with masks, tokenizing, the last
# batch. benchmarks/forecast.py compares.
_REACHED = {"forward": 0.8, "training": 0.95}


def measure() -> Measured:
    """Measure this machine, in the dtype that `auto` stands for on its device."""
    device = choose_device("auto")
    dtype = choose_dtype("auto", device)
    if device.type == "cpu":
        keep_freed_memory()
    model = _model().to(device=device, dtype=dtype)
    parameters = sum(parameter.numel() for parameter in model.model.layers.parameters())
    ids = torch.randint(0, model.config.vocab_size, TOKENS, device=device)
    work = parameters * ids.numel()
    rates = Rates(
        forward=_REACHED["forward"] * work / _fastest(lambda: _answer(model, ids), device),
        training=_REACHED["training"] * work / _training(model, ids, device),
        start=_start(),
        step=_STEP,
        load=_load(model),
        convert=_CONVERT,
    )
    here = environment()
    return Measured(
        rates=rates,
        processor=here["processor"],
        device=device.type,
        dtype=str(dtype).removeprefix("torch."),
        torch=here["torch"],
        threads=threads_here(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _model() -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=1024,
        hidden_size=WIDTH,
        intermediate_size=WIDTH * 11 // 4,
        num_hidden_layers=DEPTH,
        num_attention_heads=WIDTH // 64,
        num_key_value_heads=WIDTH // 128,
    )
    model = LlamaForCausalLM(config)
    model.requires_grad_(False)
    return model.eval()


@torch.inference_mode()
def _answer(model: nn.Module, ids: Tensor) -> None:
    model(input_ids=ids, logits_to_keep=1, use_cache=False)


def _training(model: LlamaForCausalLM, ids: Tensor, device: torch.device) -> float:
    """Seconds of a step of LoRA training, as w2s computes it."""
    adapted = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear"))
    adapted.train()
    optimizer = torch.optim.AdamW((parameter for parameter in adapted.parameters() if parameter.requires_grad), lr=1e-4)

    def step() -> None:
        loss = adapted(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    with fused_lora(adapted):
        return _fastest(step, device)


def _fastest(work: Callable[[], None], device: torch.device) -> float:
    """The least seconds of several times, the first of which warms up."""

    def timed() -> float:
        begin = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - begin

    timed()
    end = time.perf_counter() + _SECONDS
    found = [timed(), timed()]
    while time.perf_counter() < end:
        found.append(timed())
    return min(found)


def _start() -> float:
    """Seconds that a fresh process takes to import what answers and trains."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import w2s.training.student"], check=True, capture_output=True)
    return time.perf_counter() - begin


def _load(model: nn.Module) -> float:
    """Seconds a byte that is read from a file of weights."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        weights = {name: one.detach().cpu().contiguous().clone() for name, one in model.state_dict().items()}
        save_file(weights, path)
        begin = time.perf_counter()
        for tensor in load_file(path).values():
            tensor.clone()
        return (time.perf_counter() - begin) / path.stat().st_size
