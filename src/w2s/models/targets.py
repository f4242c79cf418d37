"""Whether LoRA's targets name modules of a model, known from its files before it is loaded. No torch here."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from w2s.errors import InputError
from w2s.hub import may_ask_hub
from w2s.models.parameters import tensor_shapes
from w2s.models.source import Source, cached_folder

__all__ = ["check_targets", "module_names"]

# What llama.cpp calls the projections, and transformers in the models of Llama's form. Other forms are not checked.
_GGUF = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def module_names(name: str, source: Source) -> frozenset[str]:
    """The modules of a model that hold weights, and those above them; empty where its files do not tell.

    Args:
        name: As the user calls it.
        source: Where it is. Of a model of the hub that is not in the local cache, the hub is asked if it may be.
    """
    if source.gguf:
        return _modules(_of_gguf(tensor_shapes(gguf=source.gguf)))
    folder = Path(source.location) if Path(source.location).is_dir() else cached_folder(name, source.revision)
    tensors = list(tensor_shapes(folder=folder)) if folder is not None else []
    if not tensors and not Path(source.location).is_dir() and may_ask_hub():
        tensors = _of_hub(source)
    return _modules(tensors)


def _modules(tensors: Iterable[str]) -> frozenset[str]:
    parts = [tensor.split(".")[:-1] for tensor in tensors]
    return frozenset(".".join(path[:end]) for path in parts for end in range(1, len(path) + 1))


def _of_gguf(tensors: Iterable[str]) -> list[str]:
    """Names as transformers has them; none where an ordinary one is missing, since the form is then another."""
    found = [tensor.split(".") for tensor in tensors if tensor.startswith("blk.")]
    kinds = {path[2] for path in found if len(path) == 4}
    if not set(_GGUF) <= kinds:
        return []
    return [f"model.layers.{path[1]}.{_GGUF[path[2]]}.{path[3]}" for path in found if path[2] in _GGUF]


def _of_hub(source: Source) -> list[str]:
    from huggingface_hub import HfApi

    try:
        found = HfApi().get_safetensors_metadata(source.location, revision=source.revision)
    except Exception:  # whatever it is, the model's own download will say it
        return []
    return list(found.weight_map)


def check_targets(what: str, modules: frozenset[str], targets: str | Sequence[str]) -> None:
    """Make sure that every target names a module.

    Args:
        what: The model, for the message.
        modules: Its modules, as `module_names` has them; where there are none nothing is checked.
        targets: "all-linear", the ends of modules' names, or a regular expression of whole names.

    Raises:
        InputError: One names none; the message has the nearest name that does.
    """
    if not modules or targets == "all-linear":
        return
    above = {name.rpartition(".")[0] for name in modules}
    ends = sorted({end for name in modules - above if not (end := name.rpartition(".")[2]).isdecimal()})
    if isinstance(targets, str):
        if not _matches(targets, modules):
            listed = {part.strip() for part in targets.split(",")} <= {*ends}
            hint = f"; did you mean the list [{targets}]?" if listed else _near(targets, ends)
            raise InputError(f"lora.targets {targets!r} matches the full name of no module of {what}{hint}")
        return
    for target in targets:
        if not any(name == target or name.endswith(f".{target}") for name in modules):
            raise InputError(f"lora.targets: {what} has no module {target!r}{_near(target, ends)}")


def _matches(pattern: str, modules: frozenset[str]) -> bool:
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise InputError(f"lora.targets {pattern!r} is no regular expression: {error}") from None
    # A file may leave out what the names of all modules begin with.
    return any(found.fullmatch(name) or found.fullmatch(f"model.{name}") for name in modules)


def _near(target: str, ends: Sequence[str]) -> str:
    near = difflib.get_close_matches(target, ends, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f": expected some of {', '.join(ends)}"
