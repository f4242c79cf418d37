"""Which tokens a token may look at, where several sequences stand in one row."""

from __future__ import annotations

import torch
from torch import Tensor

from w2s.models.load import LanguageModel

__all__ = ["attention_mask", "has_window", "takes_masks"]


def takes_masks(lm: LanguageModel) -> bool:
    """Whether the model's attention takes a mask of our own, and is all that carries one token to another."""
    config = lm.model.config.get_text_config()
    return (
        getattr(lm.model, "_supports_attention_backend", False)
        and lm.model.config._attn_implementation in ("sdpa", "eager")
        and set(getattr(config, "layer_types", None) or ()) <= {"full_attention", "sliding_attention"}
    )


def has_window(lm: LanguageModel) -> bool:
    """Whether a layer of a model that takes masks looks at near tokens only; without types, all layers are alike."""
    config = lm.model.config.get_text_config()
    types = getattr(config, "layer_types", None)
    return set(types) != {"full_attention"} if types else getattr(config, "sliding_window", None) is not None


def attention_mask(
    lm: LanguageModel, *, ends: Tensor, positions: Tensor, before: int = 0
) -> Tensor | dict[str, Tensor]:
    """Let each token look at those before it whose end it comes before; in a layer with a window, at the near ones.

    Args:
        lm: A model that takes masks.
        ends: (rows, tokens) Token `i` sees token `j` where `j <= i < ends[j]`. A padded token must see itself: softmax
            over a fully masked row is NaN.
        positions: (rows, tokens) the place of each in its own sequence.
        before: How many tokens stand in a cache before all of these, each of which sees them.

    Returns:
        (rows, 1, tokens, before + tokens), added to the attention's scores; where layers differ, one for each type.
    """
    slots = torch.arange(ends.shape[1], device=ends.device)
    seen = (slots[None, None, :] <= slots[None, :, None]) & (slots[None, :, None] < ends[:, None, :])
    places = positions
    if before:
        cached = torch.arange(before, device=ends.device).expand(len(ends), -1)
        places = torch.cat([cached, positions], dim=1)
        seen = torch.cat([seen.new_ones(*positions.shape, before), seen], dim=2)
    config = lm.model.config.get_text_config()
    types = set(getattr(config, "layer_types", None) or ())
    window = getattr(config, "sliding_window", None)
    near = seen if window is None else seen & (positions[:, :, None] - places[:, None, :] < window)

    def added(mask: Tensor) -> Tensor:
        scores = torch.zeros(mask.shape, dtype=lm.dtype, device=mask.device)
        return scores.masked_fill_(~mask, torch.finfo(lm.dtype).min).unsqueeze(1)

    if len(types) > 1:
        return {"full_attention": added(seen), "sliding_attention": added(near)}
    # Without types, a model with a window has it in every layer.
    return added(seen if types == {"full_attention"} else near)
