"""A fresh adapter on a model, or one that begins where another ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file

from w2s.config import LoraSpec
from w2s.errors import InputError
from w2s.files import put_in_place, remove
from w2s.models.checks import check_depth, check_finite, check_lora_targets, check_same_tensors
from w2s.models.load import LanguageModel

__all__ = ["new_adapter", "save_adapter"]

_CONFIG, _TENSORS = "adapter_config.json", "adapter_model.safetensors"


@contextmanager
def new_adapter(lm: LanguageModel, lora: LoraSpec, init: Path | None) -> Iterator[PeftModel]:
    """The model under an adapter to be trained, for as long as the block lasts; afterwards it is as it came.

    Args:
        lm: The model.
        lora: The adapter's form.
        init: The folder of an adapter whose values the new one begins with; by default they are drawn.

    Raises:
        InputError: The targets match no module; or `init` is no adapter of this form and this model.
    """
    check_lora_targets(lm.model, lora.targets)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets,
        bias="none",
        task_type="CAUSAL_LM",
    )
    try:
        model = get_peft_model(lm.model, config)
    except ValueError as error:
        raise InputError(f"lora.targets {lora.targets!r}: {' '.join(str(error).split())}") from None
    assert isinstance(model, PeftModel)
    try:
        if not isinstance(lora.targets, str):
            check_depth(get_peft_model_state_dict(model), lm.model, f"an adapter on {lora.targets}")
        if init is not None:
            _begin_from(model, lora, init)
        model.train()
        yield model
    finally:
        # The model is handed on as it came: without the adapter, its modes and hooks.
        if lm.model.is_activation_checkpointing:
            lm.model.activation_checkpointing_disable()
            lm.model.disable_input_require_grads()
        model.unload()
        lm.model.requires_grad_(False)
        lm.model.eval()


def save_adapter(model: PeftModel, folder: Path, base: LanguageModel) -> None:
    """Write an adapter's folder with the tokenizer and its chat template, whole or not at all.

    Args:
        model: The model under the adapter.
        folder: Where it goes.
        base: The model itself. Others find it by its public name, not by where it lies on this machine; one that has
            none is called by the name of its folder.
    """
    new = folder.with_name(f".{folder.name}")
    remove(new)
    model.save_pretrained(new, safe_serialization=True)
    config = _read_config(new)
    if isinstance(config["target_modules"], list):  # a set of peft's, in another order in every process
        config["target_modules"].sort()
    called = base.public_name
    if called is None:  # a folder or file: by its name, for its path means nothing anywhere else
        called = Path(config["base_model_name_or_path"] or "").name
    config |= {"base_model_name_or_path": called, "revision": base.revision}
    (new / "README.md").unlink(missing_ok=True)  # peft's, a form that nobody filled in
    base.tokenizer.save_pretrained(new)
    (new / _CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")
    put_in_place(new, folder)


def _begin_from(model: PeftModel, lora: LoraSpec, folder: Path) -> None:
    """Give a fresh adapter the values of another.

    Raises:
        InputError: The other is of another rank, scale or targets, or of another model; or cannot be read.
    """
    config = _read_config(folder)
    for name, key, expected in (("rank", "r", lora.rank), ("alpha", "lora_alpha", lora.alpha)):
        if config.get(key) != expected:
            raise InputError(
                f"init {str(folder)!r}: its {name} is {config.get(key)!r}, expected lora.{name} {expected}"
            )
    try:
        values = load_file(folder / _TENSORS)
    except (OSError, SafetensorError) as error:
        raise InputError(f"init {str(folder)!r}: {_TENSORS} cannot be read: {error}") from None
    own = get_peft_model_state_dict(model, save_embedding_layers=False)
    what = f"init {str(folder)!r}"
    check_same_tensors({n: t.shape for n, t in values.items()}, {n: t.shape for n, t in own.items()}, what)
    check_finite(values.items(), what)
    with torch.no_grad():
        for name, value in values.items():
            own[name].copy_(value)  # a view of the parameter


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / _CONFIG).read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"init {str(folder)!r}: {_CONFIG} cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise InputError(f"init {str(folder)!r}: {_CONFIG} holds no settings, expected those of an adapter")
    return config
