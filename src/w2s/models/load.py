"""From a model's source to a model in memory, on a device and in a dtype that are chosen and said."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from w2s.config import ModelSpec
from w2s.errors import InputError
from w2s.files import tree_sha256
from w2s.hub import model_folder
from w2s.models.bundled import BUNDLED
from w2s.models.checks import (
    check_causal,
    check_finite,
    check_stored,
    check_vocabulary,
    check_whole,
    pad_id_for,
    with_embedding,
)
from w2s.models.device import choose_dtype
from w2s.models.memory import keep_freed_memory
from w2s.models.placement import check_placement, devices_of, loading_options, return_to

__all__ = ["LanguageModel", "forget_model", "load_model", "without_adapter"]

logger = logging.getLogger(__name__)

transformers_logging.disable_progress_bar()
transformers_logging.set_verbosity_error()


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """A causal language model in memory, and its tokenizer.

    Attributes:
        model: In evaluation mode; its own weights are never trained.
        tokenizer: A fast tokenizer.
        device: Where the weights are; of a model spread over several, where its inputs go.
        dtype: Of the weights, and in which is computed where weights are held in 4 bits.
        chat_template: Whether prompts go through the tokenizer's chat template.
        automatic_attention: Whether the attention implementation may be changed for speed.
        public_name: The bundled name or hub id by which it is found on any machine; None for a folder or file.
        revision: The commit of a hub id.
        spread_over: The devices of a model that is spread over several; "cpu" and "disk" hold what no GPU had room for.
        quantized: Whether linear layers are held in 4 bits.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    device: torch.device
    dtype: torch.dtype
    chat_template: bool
    automatic_attention: bool = True
    public_name: str | None = None
    revision: str | None = None
    spread_over: tuple[str, ...] = ()
    quantized: bool = False

    def __str__(self) -> str:
        size = self.model.num_parameters() / 1e6  # which counts what is packed
        held = f"4 bits, {self.dtype}" if self.quantized else str(self.dtype)
        return f"{size:,.0f}M parameters · {held.replace('torch.', '')} on {', '.join(self.spread_over) or self.device}"


def without_adapter(model: nn.Module) -> PreTrainedModel:
    """The model itself, below what an adapter wraps around it."""
    return next(module for module in model.modules() if isinstance(module, PreTrainedModel))


def _load(location: str, revision: str | None, spec: ModelSpec) -> LanguageModel:
    device = check_placement(spec)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dtype = choose_dtype(spec.dtype, device)
    common: dict[str, Any] = {"trust_remote_code": spec.trust_remote_code}
    common |= (options := loading_options(spec, device, dtype))
    if spec.attention != "auto":
        common["attn_implementation"] = spec.attention
    try:
        here = revision is None or Path(location).is_dir()
        folder = location if here else model_folder(location, str(revision))
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=spec.trust_remote_code, use_fast=True)
        model, info = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # refused below, by their names
            **common,
        )
    except InputError:
        raise
    # A configuration that is none may fail in any way, deep inside the library.
    except Exception as error:
        raise InputError(
            f"model {spec.name!r} cannot be loaded: {type(error).__name__}: {' '.join(str(error).split())[:600]}"
        ) from error
    what = f"model {spec.name!r}"
    check_whole(info, what)
    check_stored(Path(folder), model.config, what)
    _forget_window(model.config.get_text_config())
    check_finite(model.named_parameters(), what)
    check_vocabulary(tokenizer, model, what)
    tokenizer.pad_token_id = pad_id_for(tokenizer, model)
    if not with_embedding([tokenizer.eos_token_id], model):
        tokenizer.eos_token = None
    if tokenizer.eos_token_id is None:
        logger.info("%s has no end-of-text token: answers end with their line", what)
    if spec.chat_template and not tokenizer.chat_template:
        raise InputError(f"model {spec.name!r} has no chat template: expected chat_template: false")
    model.requires_grad_(False)
    if not options:
        model.to(device)
    model.eval()
    check_causal(model, tokenizer, device, what)
    spread = devices_of(model.hf_device_map) if spec.device_map == "auto" else []
    if len(spread) > 1:
        return_to(device, model.base_model)
    if device.type == "cpu":
        keep_freed_memory()
    return LanguageModel(
        model=model,
        tokenizer=tokenizer,
        device=device,
        dtype=dtype,
        chat_template=spec.chat_template,
        automatic_attention=spec.attention == "auto",
        public_name=_public_name(spec, revision),
        revision=revision,
        spread_over=tuple(spread) if len(spread) > 1 else (),
        quantized=spec.quantization != "none",
    )


def _forget_window(config: PreTrainedConfig) -> None:
    """Take a sliding window away that an architecture of transformers does not have: one that a conversion left over.

    The model does not look at it; masks and caches, which are made of its settings, would.
    """
    own = type(config).__module__.startswith("transformers.")
    known = {field.name for field in dataclasses.fields(config)}
    if own and "sliding_window" not in known and getattr(config, "sliding_window", None) is not None:
        config.sliding_window = None


def _public_name(spec: ModelSpec, revision: str | None) -> str | None:
    return spec.name if spec.name in BUNDLED or revision is not None else None


def _content(location: str | Path, identity: str | None) -> str | None:
    """The hash of a model folder's content, made sure to be the one that was named."""
    if identity is None or not Path(location).is_dir():
        return identity
    found = f"sha256:{tree_sha256(Path(location))}"
    if found != identity:
        raise InputError(f"model folder {location} was changed since the run began: start again")
    return found


_held: tuple[tuple[Any, ...], LanguageModel] | None = None


def load_model(
    location: str | Path, spec: ModelSpec, *, revision: str | None = None, identity: str | None = None
) -> LanguageModel:
    """Load a model, or hand out the one that is in memory already if it is the same.

    One model is held at a time: an experiment works with the weak one until its answers are done, and then
    with the strong one.

    Args:
        location: A folder or hub id.
        spec: Device, dtype, attention and chat template.
        revision: The commit of a hub id.
        identity: What the content was named by (`source.resolve`), where it is a folder's: made sure of at each call.

    Raises:
        InputError: The model is damaged or not whole, or the folder's content is another than was named.
    """
    global _held
    found = _content(location, identity)
    how = (spec.dtype, spec.device, spec.device_map, spec.quantization, spec.attention, spec.trust_remote_code)
    key = (str(location), revision, found, *how)
    if _held is not None and _held[0] == key:
        return replace(_held[1], chat_template=spec.chat_template, public_name=_public_name(spec, revision))
    _held = None  # frees the other model before this one asks for memory
    loaded = _load(str(location), revision, spec)
    logger.info("%s: %s", spec.name, loaded)
    if _content(location, identity) != found:
        raise InputError(f"model {spec.name!r} was changed while it was loaded: start again")
    _held = (key, loaded)
    return loaded


def forget_model() -> None:
    """Hold no model in memory: whoever changed the weights of the one that is held must say so."""
    global _held
    _held = None
