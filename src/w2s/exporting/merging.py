"""An adapter merged into its base model, and how far what is loaded again says the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from w2s.config import ModelSpec
from w2s.engine.encoding import encode_prompts
from w2s.errors import InputError
from w2s.models.load import LanguageModel, forget_model, load_model

__all__ = ["Difference", "compare", "merge_into"]

# Of the logits' standard deviation: rounding of the merged weights stays far below, another adapter far above.
_TOLERANCES = {torch.float32: 1e-3, torch.float16: 0.02, torch.bfloat16: 0.1}
_TEXTS = ("Question: what is 12 plus 30?\nAnswer:", "Which country is the city of Lyon in?\nAnswer:", "1, 2, 3,")
_LONGEST = 512  # tokens of a prompt that is compared


class Difference(NamedTuple):
    """How far the logits of two models are apart.

    Attributes:
        largest: The largest difference of any logit.
        typical: Root mean square of the differences, divided by the standard deviation of the logits.
        same_top: Share of the positions where both find the same token the most probable.
        positions: Over how many positions.
    """

    largest: float
    typical: float
    same_top: float
    positions: int


def merge_into(lm: LanguageModel, out: Path, *, prompts: Sequence[str] = ()) -> Difference:
    """Write a model with its adapter merged, load it again and compare.

    Args:
        lm: The model, wearing the adapter; its weights are changed, and it is of no use afterwards.
        out: An existing folder to write model and tokenizer into.
        prompts: On which the logits are compared; by default a few plain texts.

    Raises:
        InputError: A merged weight is NaN or infinite, or the merged model says something else.
    """
    ids = [row[-_LONGEST:] for row in encode_prompts(lm, list(prompts) or list(_TEXTS))]
    before = _logits(lm, ids)
    try:
        merged = lm.model.merge_and_unload(safe_merge=True)
    except ValueError as error:
        raise InputError(f"the adapter cannot be merged: {' '.join(str(error).split())}") from None
    finally:
        forget_model()  # whose weights are no longer those of its name
    merged.config._name_or_path = ""
    merged.save_pretrained(out)
    lm.tokenizer.save_pretrained(out)
    spec = ModelSpec(name=str(out), dtype=str(lm.dtype).removeprefix("torch."), device=lm.device.type)  # type: ignore[arg-type]
    try:
        found = compare(before, _logits(load_model(out, spec), ids))
    finally:
        forget_model()
    tolerance = _TOLERANCES.get(lm.dtype, 1e-3)
    if not found.typical <= tolerance:
        raise InputError(
            "the merged model says something else than the adapter on its base: its logits differ by "
            f"{found.typical:.2g} of their standard deviation, expected {tolerance:g} at most; "
            "--dtype float32 rounds less"
        )
    return found


@torch.no_grad()
def _logits(lm: LanguageModel, rows: Sequence[Sequence[int]]) -> list[Tensor]:
    """(tokens, vocabulary) of each row, in float32 on the CPU."""
    found = []
    for row in rows:
        ids = torch.tensor([list(row)], device=lm.device)
        found.append(lm.model(input_ids=ids, use_cache=False).logits[0].float().cpu())
    return found


def compare(before: Sequence[Tensor], after: Sequence[Tensor]) -> Difference:
    """How far logits are apart.

    Args:
        before: (tokens, vocabulary) each.
        after: The same of the other model.
    """
    one, other = torch.cat(list(before)), torch.cat(list(after))
    apart = other - one
    return Difference(
        largest=float(apart.abs().max()),
        typical=float(apart.pow(2).mean().sqrt() / one.std()),
        same_top=float((one.argmax(-1) == other.argmax(-1)).float().mean()),
        positions=len(one),
    )
