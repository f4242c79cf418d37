"""Texts as vectors, by an encoder that the user names: a folder, or a hub id. Nothing heavy is imported until then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from w2s.config import ModelSpec
from w2s.errors import InputError
from w2s.models.source import resolve

__all__ = ["Encoder", "by_content", "by_name", "embed", "find_encoder"]

_BATCH = 64  # texts
_LONGEST = 512  # tokens of a text that are looked at


class Encoder(NamedTuple):
    """An encoder that was found.

    Attributes:
        identity: Names its content, wherever it lies.
        name: By which it is found again: a folder in full, or a hub id with its commit (owner/name@commit).
    """

    identity: str
    name: str


def find_encoder(name: str) -> Encoder:
    """Find an encoder, without loading it.

    Args:
        name: A folder as `save_pretrained` writes it, or a hub id, perhaps with a revision (owner/name@main).

    Raises:
        InputError: There is no such model, or it is a GGUF file.
    """
    hub_id, _, revision = name.partition("@")
    pinned = bool(revision) and not Path(name).expanduser().exists()
    source = resolve(ModelSpec(name=hub_id, revision=revision) if pinned else ModelSpec(name=name))
    if source.gguf:
        raise InputError(f"encoder {name!r} is a GGUF file: expected a folder with safetensors, or a hub id")
    where = source.location if source.revision is None else f"{source.location}@{source.revision}"
    return Encoder(source.identity, where)


def by_content(settings: Mapping[str, Any], names: Iterable[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """An estimator's settings with the models in them by their content, and where each of these was found.

    Args:
        settings: Of an estimator.
        names: Which of them name a model; one that is empty names none.

    Raises:
        InputError: There is no such model.
    """
    found = {name: find_encoder(settings[name]) for name in names if settings[name]}
    content = {name: encoder.identity for name, encoder in found.items()}
    return {**settings, **content}, {name: encoder.name for name, encoder in found.items()}


def by_name(settings: Mapping[str, Any], places: Mapping[str, str]) -> dict[str, Any]:
    """The inverse of `by_content`.

    Raises:
        InputError: What is there has another content now, or is gone.
    """
    for name, place in places.items():
        if find_encoder(place).identity != settings[name]:
            raise InputError(f"{name} {place} was changed since the run began: start again")
    return {**settings, **places}


def embed(texts: list[str], encoder: str) -> npt.NDArray[np.float64]:
    """The mean of an encoder's last hidden states over the tokens of each text, of length 1: (texts, hidden).

    Args:
        texts: What to encode.
        encoder: As for `find_encoder`.

    Raises:
        InputError: There is no such encoder, or it cannot be loaded.
    """
    found = find_encoder(encoder)
    tokenizer, model = _load(found, encoder)
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))  # little padding in a batch
    vectors: npt.NDArray[np.float64] = np.zeros((len(texts), 0))
    for start in range(0, len(order), _BATCH):
        own = order[start : start + _BATCH]
        batch = _pooled(tokenizer, model, [texts[index] or " " for index in own])
        if not vectors.shape[1]:
            vectors = np.zeros((len(texts), batch.shape[1]))
        vectors[own] = batch
    return vectors


def _load(found: Encoder, name: str) -> tuple[Any, Any]:
    from transformers import AutoModel, AutoTokenizer

    from w2s.models.device import choose_device

    location, _, revision = found.name.partition("@") if found.identity.startswith("hub:") else (found.name, "", "")
    at: dict[str, Any] = {"revision": revision or None}
    try:
        tokenizer = AutoTokenizer.from_pretrained(location, **at)
        model, info = AutoModel.from_pretrained(
            location, use_safetensors=True, dtype="float32", output_loading_info=True, **at
        )
    except Exception as error:  # a configuration that is none may fail in any way, deep inside the library
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise InputError(f"encoder {name!r} cannot be loaded: {reason}") from None
    if missing := sorted(key for key in info["missing_keys"] if not key.startswith("pooler.")):  # which is not used
        raise InputError(f"encoder {name!r} has no weights for {missing[0]}, which would be drawn at random")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return tokenizer, model.to(choose_device("auto")).eval()


def _pooled(tokenizer: Any, model: Any, texts: list[str]) -> npt.NDArray[np.float64]:
    import torch

    fed = tokenizer(texts, return_tensors="pt", padding=True, truncation=True, max_length=_LONGEST).to(model.device)
    with torch.inference_mode():
        hidden = model(input_ids=fed["input_ids"], attention_mask=fed["attention_mask"]).last_hidden_state
    mask = fed["attention_mask"][:, :, None].to(hidden.dtype)
    mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
    vectors: npt.NDArray[np.float64] = torch.nn.functional.normalize(mean, dim=-1).double().cpu().numpy()
    return vectors
