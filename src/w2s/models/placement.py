"""How a model is held that is large: its layers spread over several GPUs, its weights in 4 bits."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from w2s.config import ModelSpec
from w2s.errors import InputError
from w2s.launched import this_process
from w2s.models.device import choose_device

__all__ = ["FOUR_BITS", "check_placement", "devices_of", "loading_options", "return_to"]

# QLoRA's (Dettmers et al., arXiv 2305.14314): a code for normally distributed weights, its scales quantized as well.
# It decides what a model answers, so it is part of a result's key.
FOUR_BITS: Mapping[str, str | bool] = {"type": "nf4", "double": True}


def check_placement(spec: ModelSpec) -> torch.device:
    """The device that a model, or the beginning of it, is put on.

    Raises:
        InputError: It cannot be held as its settings say on this machine, or in this process.
    """
    device = choose_device(spec.device)
    if spec.device_map == "auto":
        world = this_process().world
        if world > 1:
            raise InputError(
                f"device_map auto in {world} launched processes: expected a model spread over all GPUs in one process, "
                "or device_map single and a model on the GPU of each"
            )
        if device.type != "cuda":
            raise InputError(f"device_map auto spreads a model over GPUs, and {device} is none: expected single")
    if spec.quantization == "4bit":
        _check_four_bits(device)
    return device


def _check_four_bits(device: torch.device) -> None:
    """Make sure that 4-bit weights can be computed with here, by doing so."""
    if importlib.util.find_spec("bitsandbytes") is None:
        raise InputError("quantization 4bit needs bitsandbytes: pip install 'w2s[4bit]'")
    if device.type not in ("cuda", "cpu"):
        raise InputError(f"quantization 4bit on {device}: bitsandbytes computes on cuda and cpu")
    try:
        from bitsandbytes.functional import dequantize_4bit, quantize_4bit

        dequantize_4bit(*quantize_4bit(torch.ones(64, 64, device=device), quant_type=FOUR_BITS["type"]))
    except Exception as error:  # a library without the kernels of this machine may fail in any way
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"quantization 4bit: bitsandbytes cannot run on {device} here: {reason}") from None


def loading_options(spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """What `from_pretrained` is told of where weights go and in how many bits; nothing of a model held plainly."""
    options: dict[str, Any] = {}
    if spec.device_map == "auto":
        options["device_map"] = "auto"
    if spec.quantization == "4bit":
        from transformers import BitsAndBytesConfig

        options.setdefault("device_map", {"": device})
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=FOUR_BITS["type"],
            bnb_4bit_use_double_quant=FOUR_BITS["double"],
            bnb_4bit_compute_dtype=dtype,
        )
    return options


def return_to(device: torch.device, body: nn.Module) -> None:
    """Let what the last layer of a spread model gives come back to where its inputs are.

    The positions that reach the output head are chosen there, by a mask that came with the inputs.
    """

    def back(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
        output.last_hidden_state = output.last_hidden_state.to(device)
        return output

    body.register_forward_hook(back)


def devices_of(device_map: Mapping[str, Any]) -> list[str]:
    """The devices of a spread model, in its layers' order; "cpu" and "disk" hold what no GPU had room for."""
    names = [f"cuda:{place}" if isinstance(place, int) else str(place) for place in device_map.values()]
    return list(dict.fromkeys(names))
