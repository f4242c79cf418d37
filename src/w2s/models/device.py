"""Which device a model is put on, and in which dtype it computes there. Needs torch, and not transformers."""

from __future__ import annotations

import torch

from w2s.errors import InputError

__all__ = ["choose_device", "choose_dtype"]


def choose_device(wanted: str) -> torch.device:
    """The device asked for, or the first of cuda, mps and cpu that works.

    Raises:
        InputError: The device asked for is not there. There is no silent fall to the CPU.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(kind for kind, is_there in there.items() if is_there))
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise InputError(f"unknown device {wanted!r}: expected auto, {', '.join(there)}") from None
    if device.index is not None:
        # transformers' Trainer takes the first device that it sees, and would train on another than this.
        raise InputError(
            f"device {wanted!r}: expected auto, {', '.join(there)};"
            f" CUDA_VISIBLE_DEVICES={device.index} chooses one of several"
        )
    if not there.get(device.type, False):
        have = ", ".join(kind for kind, is_there in there.items() if is_there)
        raise InputError(f"device {wanted!r} is not here: this machine's torch has {have}")
    return device


def choose_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """The dtype asked for, or bfloat16 where the device computes in it, float32 elsewhere."""
    if wanted != "auto":
        dtype = getattr(torch, wanted)
        assert isinstance(dtype, torch.dtype), wanted
        return dtype
    match device.type:
        case "cuda":
            fast = torch.cuda.is_bf16_supported(including_emulation=False)
        case "cpu":
            fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        case _:
            fast = False
    return torch.bfloat16 if fast else torch.float32
