"""Which device a model is put on, and in which dtype it computes there. Needs torch, and not transformers."""

from __future__ import annotations

import os

import torch

from w2s.errors import InputError
from w2s.launched import this_process

__all__ = ["choose_device", "choose_dtype"]


def choose_device(wanted: str) -> torch.device:
    """The device asked for, or the first of cuda, mps and cpu that works; each launched process has a GPU of its own.

    Raises:
        InputError: The device asked for is not there. There is no silent fall to the CPU.
    """
    cpu_only = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")  # accelerate launch --cpu
    there = {
        "cuda": torch.cuda.is_available() and not cpu_only,
        "mps": torch.backends.mps.is_available() and not cpu_only,
        "cpu": True,
    }
    try:
        device = torch.device(next(kind for kind in there if there[kind]) if wanted == "auto" else wanted)
    except RuntimeError:
        raise InputError(f"unknown device {wanted!r}: expected auto, {', '.join(there)}") from None
    if not there.get(device.type, False):
        have = ", ".join(kind for kind, is_there in there.items() if is_there)
        where = "accelerate launch --cpu lets a process use" if cpu_only else "this machine's torch has"
        raise InputError(f"device {wanted!r} is not here: {where} {have}")
    if device.type == "cuda":
        return _gpu(wanted, device.index)
    if device.index is not None:
        raise InputError(f"device {wanted!r}: expected {device.type}, of which there is one")
    return device


def _gpu(wanted: str, index: int | None) -> torch.device:
    """A GPU by its number; without one the first, and for each of several launched processes the one of its own."""
    process, count = this_process(), torch.cuda.device_count()
    if process.world > 1 and index is not None:
        raise InputError(f"device {wanted!r} in {process.world} launched processes: expected cuda, for a GPU each")
    number = process.local if index is None else index
    if number >= count:
        have = "1 GPU, cuda:0" if count == 1 else f"{count} GPUs, cuda:0 to cuda:{count - 1}"
        who = f"{process} has no GPU: expected as many processes as GPUs, and" if index is None else "it is not here:"
        raise InputError(f"device {wanted!r}: {who} this machine has {have}")
    return torch.device("cuda", number)


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
