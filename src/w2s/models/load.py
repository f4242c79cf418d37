"""From a model's source to a model in memory, on a device and in a dtype that are chosen and said."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from w2s.config import ModelSpec
from w2s.errors import InputError
from w2s.models.memory import keep_freed_memory

__all__ = ["LanguageModel", "adapted", "choose_device", "choose_dtype", "convert_gguf", "load_model"]

transformers_logging.disable_progress_bar()
transformers_logging.set_verbosity_error()


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """A causal language model in memory, and its tokenizer.

    Attributes:
        model: In evaluation mode; its own weights are never trained.
        tokenizer: A fast tokenizer.
        device: Where the weights are.
        dtype: Of the weights.
        chat_template: Whether prompts go through the tokenizer's chat template.
        automatic_attention: Whether the attention implementation may be changed for speed.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    device: torch.device
    dtype: torch.dtype
    chat_template: bool
    automatic_attention: bool = True

    def __str__(self) -> str:
        size = sum(parameter.numel() for parameter in self.model.parameters()) / 1e6
        return f"{size:,.0f}M parameters · {str(self.dtype).removeprefix('torch.')} on {self.device}"


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


def convert_gguf(parts: tuple[Path, ...], out: Path, *, sha256: str | None = None) -> None:
    """Turn a GGUF file into a folder that loads like any other: safetensors in bfloat16, config, tokenizer.

    Args:
        parts: The file, in parts that are joined in this order.
        out: An existing folder to write into.
        sha256: What the joined file's hash must be, where it is known.

    Raises:
        InputError: The file is damaged, or not one that transformers can convert.
    """
    joined = out / "model.gguf"
    digest = hashlib.sha256()
    with joined.open("wb") as target:
        for part in parts:
            with part.open("rb") as file:
                while block := file.read(1 << 22):
                    digest.update(block)
                    target.write(block)
    if sha256 is not None and digest.hexdigest() != sha256:
        joined.unlink()
        raise InputError(
            f"{parts[0]} is damaged: expected sha256 {sha256}, found {digest.hexdigest()}; install it again"
        )
    try:
        # Its bars have no switch, and would break into the lines of progress.
        with redirect_stderr(io.StringIO()), _quick_gguf():
            tokenizer = AutoTokenizer.from_pretrained(out, gguf_file=joined.name)
            # Without dequantize=True the model is dense but marked as quantized, and cannot be saved or trained.
            model = AutoModelForCausalLM.from_pretrained(
                out, gguf_file=joined.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16
            )
    except Exception as error:  # the reader of a damaged file may fail in any way
        raise InputError(f"{parts[0]} cannot be converted: {' '.join(str(error).split())}") from None
    finally:
        joined.unlink()
    model.config._name_or_path = ""
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


@contextmanager
def _quick_gguf() -> Iterator[None]:
    """Let transformers parse a file's header once and not three times, and name its tensors once, not per module."""
    import gguf

    class Reader(gguf.GGUFReader):
        # Every slice of a memmap runs Python code, and a header is read in slices by the million.
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, np.asarray(value) if isinstance(value, np.memmap) else value)

    # transformers looks both up in the module at each call; should it no longer, this changes nothing.
    quick = {"GGUFReader": cache(Reader), "get_tensor_name_map": cache(gguf.get_tensor_name_map)}
    usual = {name: getattr(gguf, name) for name in quick}
    vars(gguf).update(quick)
    try:
        yield
    finally:
        vars(gguf).update(usual)


def _load(location: str, revision: str | None, spec: ModelSpec) -> LanguageModel:
    device = choose_device(spec.device)
    dtype = choose_dtype(spec.dtype, device)
    common: dict[str, Any] = {"revision": revision, "trust_remote_code": spec.trust_remote_code}
    if spec.attention != "auto":
        common["attn_implementation"] = spec.attention
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            location, revision=revision, trust_remote_code=spec.trust_remote_code, use_fast=True
        )
        model = AutoModelForCausalLM.from_pretrained(location, dtype=dtype, use_safetensors=True, **common)
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        raise InputError(f"model {spec.name!r} cannot be loaded: {' '.join(str(error).split())}") from None
    if tokenizer.pad_token_id is None:
        # Only a pad_token_id: padded positions are masked out or come after everything that is read.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if spec.chat_template and not tokenizer.chat_template:
        raise InputError(f"model {spec.name!r} has no chat template: expected chat_template: false")
    model.requires_grad_(False)
    model.to(device).eval()
    if device.type == "cpu":
        keep_freed_memory()
    return LanguageModel(
        model=model,
        tokenizer=tokenizer,
        device=device,
        dtype=dtype,
        chat_template=spec.chat_template,
        automatic_attention=spec.attention == "auto",
    )


_held: tuple[tuple[Any, ...], LanguageModel] | None = None


def load_model(
    location: str | Path, spec: ModelSpec, *, revision: str | None = None, say: Callable[[str], None] = print
) -> LanguageModel:
    """Load a model, or hand out the one that is in memory already if it is the same.

    One model is held at a time: an experiment works with the weak one until its answers are done, and then
    with the strong one.

    Args:
        location: A folder or hub id.
        spec: Device, dtype, attention and chat template.
        revision: The commit of a hub id.
        say: Is told the device and dtype.
    """
    global _held
    key = (str(location), revision, spec.dtype, spec.device, spec.attention, spec.trust_remote_code)
    if _held is not None and _held[0] == key:
        return replace(_held[1], chat_template=spec.chat_template)
    _held = None  # frees the other model before this one asks for memory
    loaded = _load(str(location), revision, spec)
    say(f"{spec.name}: {loaded}")
    _held = (key, loaded)
    return loaded


@contextmanager
def adapted(base: LanguageModel, adapter: Path | None) -> Iterator[LanguageModel]:
    """The model with a trained adapter on it, for as long as the block lasts; the base stays loaded.

    Args:
        base: The model.
        adapter: A folder as peft saves it, or None for the model as it is.

    Raises:
        InputError: The adapter is damaged, or that of another model.
    """
    if adapter is None:
        yield base
        return
    from peft import PeftConfig, get_peft_model

    wrong = (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError)
    try:
        config = PeftConfig.from_pretrained(str(adapter))
        config.inference_mode = True
        tuned = get_peft_model(base.model, config, autocast_adapter_dtype=False)
    except wrong as error:
        raise _unfit(adapter, error) from None
    try:
        try:
            missing = tuned.load_adapter(str(adapter), "default", autocast_adapter_dtype=False).missing_keys
        except wrong as error:
            raise _unfit(adapter, error) from None
        if missing:
            raise InputError(f"adapter {adapter} is not of this model: it has no {missing[0]}")
        tuned.to(base.device, base.dtype).eval()
        yield replace(base, model=tuned)
    finally:
        tuned.unload()


def _unfit(adapter: Path, error: Exception) -> InputError:
    return InputError(f"adapter {adapter} cannot be put on this model: {' '.join(str(error).split())[:300]}")
