"""What is loaded is what was named, whole, or it is refused: weights, vocabularies, adapters, targets, positions."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from w2s.errors import InputError
from w2s.models.targets import check_targets

__all__ = [
    "check_causal",
    "check_depth",
    "check_finite",
    "check_length",
    "check_lora_targets",
    "check_same_tensors",
    "check_stored",
    "check_vocabulary",
    "check_whole",
    "pad_id_for",
    "with_embedding",
]

logger = logging.getLogger(__name__)

# Buffers that older checkpoints hold and today's models compute: nothing is lost with them.
_COMPUTED = ("rotary_emb.inv_freq", "attn.bias", "attn.masked_bias", "position_ids")


def check_whole(info: Mapping[str, Any], what: str) -> None:
    """Make sure that weights and architecture fit each other.

    Args:
        info: transformers' `output_loading_info`.
        what: The model, for the message.

    Raises:
        InputError: Weights are missing, have no place in the model, or have another shape there.
    """
    missing = sorted(map(str, info.get("missing_keys", ())))
    unexpected = sorted(str(key) for key in info.get("unexpected_keys", ()) if not str(key).endswith(_COMPUTED))
    mismatched = sorted(str(key[0] if isinstance(key, tuple) else key) for key in info.get("mismatched_keys", ()))
    for keys, problem in (
        (mismatched, "have another shape than its configuration says"),
        (missing, "are missing, and would be random numbers"),
        (unexpected, "have no place in it, and would be ignored"),
    ):
        if keys:
            raise InputError(f"{what}: {len(keys)} of its weights {problem}: {_some(keys)}")


def check_stored(folder: Path, config: PreTrainedConfig, what: str) -> None:
    """Make sure that weights are numbers that mean themselves: whole numbers need a scale, which quantizers keep.

    Args:
        folder: With the weights in safetensors.
        config: The model's configuration.
        what: The model, for the message.

    Raises:
        InputError: Weights are whole numbers, and the configuration names no quantization.
    """
    if getattr(config, "quantization_config", None) is not None:
        return
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - no dictionary
                stored = file.get_slice(name).get_dtype()
                if name.endswith(".weight") and not stored.startswith(("F", "BF")):
                    raise InputError(
                        f"{what}: weight {name} in {path.name} is stored as {stored}, without a quantization_config "
                        "that says what its numbers stand for: expected floating-point weights"
                    )


def check_finite(tensors: Iterable[tuple[str, Tensor]], what: str) -> None:
    """Make sure that no weight is NaN or infinite.

    Raises:
        InputError: One is.
    """
    for name, tensor in tensors:
        # A sum is finite only if all of it is, and one pass; it may overflow where no weight is infinite.
        if not tensor.is_floating_point() or torch.isfinite(tensor.sum()):
            continue
        if not torch.isfinite(tensor).all():
            raise InputError(f"{what}: weight {name} holds NaN or infinity")


def check_same_tensors(given: Mapping[str, Sequence[int]], expected: Mapping[str, Sequence[int]], what: str) -> None:
    """Make sure that an adapter is one of this model, all of it: by names and shapes of its tensors.

    Raises:
        InputError: A tensor is missing, has no place, or has another shape.
    """
    if extra := sorted(set(given) - set(expected)):
        raise InputError(f"{what} is not of this model: it has {_some(extra)}, which the model has not")
    if missing := sorted(set(expected) - set(given)):
        raise InputError(f"{what} is not of this model: it has no {_some(missing)}")
    for name, shape in given.items():
        if tuple(shape) != tuple(expected[name]):
            raise InputError(
                f"{what} is not of this model: {name} has shape {tuple(shape)}, expected {tuple(expected[name])}"
            )


def check_depth(adapter: Iterable[str], model: nn.Module, what: str) -> None:
    """Make sure that an adapter is not on the first layers alone, as that of a shallower model is.

    Args:
        adapter: Names of its tensors.
        model: The model, whose layers may differ from each other: each kind of module is compared with its like.
        what: The adapter, for the message.

    Raises:
        InputError: Deeper layers have such modules too.
    """
    adapted, there = _layers_by_module(adapter), _layers_by_module(name for name, _ in model.named_modules())
    for module, layers in adapted.items():
        own = sorted(there.get(module, ()))
        if len(layers) < len(own) and sorted(layers) == own[: len(layers)]:
            raise InputError(
                f"{what} is not of this model: it is on {len(layers)} layers, the model has {module} in {len(own)}; "
                "to adapt the first layers alone, name them in a regular expression"
            )


def _layers_by_module(names: Iterable[str]) -> dict[str, set[int]]:
    """The numbers of the layers that have each kind of module, by its name within a layer."""
    layers: dict[str, set[int]] = {}
    for name in names:
        if match := re.search(r"\.(\d+)\.(.+?)(?:\.lora_.*)?$", name):
            layers.setdefault(match[2], set()).add(int(match[1]))
    return layers


def check_lora_targets(model: nn.Module, targets: str | list[str]) -> None:
    """Make sure that every target of LoRA names at least one module.

    Args:
        model: The model to be adapted.
        targets: "all-linear", the ends of modules' names, or a regular expression of whole names.

    Raises:
        InputError: One names none; the message has the nearest name that does.
    """
    check_targets("the model", frozenset(name for name, _ in model.named_modules() if name), targets)


def check_vocabulary(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, what: str) -> None:
    """Make sure that every token that a text is made of has an embedding.

    Special tokens that a tokenizer brings besides may have none: no text of ours names them.

    Raises:
        InputError: One has none.
    """
    rows = int(model.get_input_embeddings().weight.shape[0])
    besides = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    used = ((token, index) for token, index in tokenizer.get_vocab().items() if index not in besides)
    highest = max(used, key=lambda item: item[1], default=("", -1))
    if highest[1] >= rows:
        raise InputError(
            f"{what}: its tokenizer has token {highest[0]!r} with the id {highest[1]}, its weights have {rows} "
            "embeddings: expected a tokenizer and weights of one model"
        )


@torch.inference_mode()
def check_causal(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, device: torch.device, what: str) -> None:
    """Make sure that no token looks at those behind it: an encoder would read the answer that it is asked for.

    Args:
        model: In evaluation mode.
        tokenizer: Its own.
        device: Where the model takes its inputs.
        what: The model, for the message.

    Raises:
        InputError: What the model says of a text's beginning hangs on how the text ends.
    """
    known = getattr(model.config.get_text_config(), "max_position_embeddings", None) or None
    ids: list[int] = tokenizer("one two three four five six", add_special_tokens=False)["input_ids"][:known]
    if len(set(ids)) < 2:
        return
    ends = [end for end in dict.fromkeys(ids) if end != ids[-1]]
    rows = torch.tensor([ids, [*ids[:-1], ends[0]]], device=device)
    one, other = model(input_ids=rows).logits[:, :-1].float()
    if (one - other).abs().max() > 0.01 * one.abs().max():  # neither is, of weights so large that all is NaN
        raise InputError(
            f"{what} ({type(model).__name__}) reads what comes after a word: expected a causal language model, which "
            "says what comes next"
        )


def pad_id_for(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel) -> int:
    """A token for padding, which is masked out or comes after everything that counts: any that has an embedding."""
    ids = (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id)
    return next(iter(with_embedding(ids, model)), 0)


def with_embedding(ids: Iterable[object], model: PreTrainedModel) -> list[int]:
    """Of the ids of tokens those that the model can read and write."""
    rows = int(model.get_input_embeddings().weight.shape[0])
    return [id for id in ids if isinstance(id, int) and 0 <= id < rows]


def check_length(model: PreTrainedModel, longest: int, what: str, *, expected: str = "shorter questions") -> None:
    """Make sure that a sequence is not longer than the positions that the model knows.

    Args:
        model: The model.
        longest: Tokens of the longest sequence.
        what: What is so long, for the message.
        expected: What helps.

    Raises:
        InputError: It is, and the model has no embedding for such a position. Rotary positions go on, beyond what the
            model was trained on; then it is said, once a model.
    """
    config = model.config.get_text_config()
    known = getattr(config, "max_position_embeddings", None)
    if not isinstance(known, int) or known <= 0 or longest <= known:
        return
    if any(getattr(config, name, None) for name in ("rope_parameters", "rope_theta", "rope_scaling")):
        if not getattr(model, "_w2s_said_length", False):
            model._w2s_said_length = True
            logger.warning(
                "%s has %d tokens, the model was made for %d: its answers may be worse", what, longest, known
            )
        return
    raise InputError(f"{what} has {longest} tokens, the model has positions for {known}: expected {expected}")


def _some(names: Sequence[str], most: int = 3) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
