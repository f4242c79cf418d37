"""What all prompts begin with, such as examples: it goes through the model once, and its keys and values are kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from w2s.engine.trees import shared_length
from w2s.models.load import LanguageModel

__all__ = ["Prefix", "shared_prefix"]

# Of an average prompt, that all must share for it to be worth a pass of its own.
_WORTH = 0.3

# Position embeddings whose angles hang on how long the whole sequence is: what was kept would not be what is needed.
_BY_LENGTH = ("dynamic", "longrope")


class Prefix:
    """Tokens that stand before many prompts.

    Args:
        lm: The model; its weights and adapter stay as they are for as long as this is used.
        ids: The tokens.
    """

    def __init__(self, lm: LanguageModel, ids: Sequence[int]) -> None:
        self._lm = lm
        self.ids = list(ids)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def _layers(self) -> list[tuple[Tensor, Tensor]]:
        """(1, heads, tokens, size) keys and values of each layer."""
        from transformers import DynamicCache

        # Without the model's config, layers with a sliding window keep all: which tokens are near, masks say.
        cache = DynamicCache()
        ids = torch.tensor([self.ids], device=self._lm.device)
        self._lm.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return [(layer.keys, layer.values) for layer in cache.layers]

    def cache(self, rows: int) -> object:
        """A cache that so many rows can go on from."""
        from transformers import DynamicCache

        cache = DynamicCache()
        for index, (keys, values) in enumerate(self._layers):
            cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), index)
        return cache


def shared_prefix(lm: LanguageModel, prompts: Sequence[Sequence[int]]) -> Prefix | None:
    """What all prompts begin with, where that is much of them; a token of each is left to predict from.

    Args:
        lm: The model.
        prompts: (rows, tokens)
    """
    config = lm.model.config.get_text_config()
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    if len(prompts) < 2 or any(f"'{kind}'" in str(rope) for kind in _BY_LENGTH):
        return None
    length = min(len(prompt) for prompt in prompts) - 1
    for prompt in prompts:
        length = min(length, shared_length(prompts[0], prompt))
    if length * len(prompts) < _WORTH * sum(map(len, prompts)):
        return None
    return Prefix(lm, prompts[0][:length])
