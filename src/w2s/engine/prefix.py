"""What stands before all prompts, such as examples: it is read once, and its keys and values are kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from w2s.engine.encoding import encode_prompts
from w2s.engine.rotary import hangs_on_length
from w2s.engine.trees import shared_length
from w2s.models.load import LanguageModel

__all__ = ["Prefix", "prefix_of"]

# Whatever follows: a tokenizer may join what it begins with to the last letters before it.
_ENDS = ("A", "1")


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


def prefix_of(lm: LanguageModel, before: str, prompts: Sequence[Sequence[int]]) -> Prefix | None:
    """The tokens of what stands before every prompt; None where nothing does, or the model cannot go on from it.

    It hangs on the text alone, and not on which prompts there are: those of a shard give the numbers of all.

    Args:
        lm: The model.
        before: The text.
        prompts: (rows, tokens) It begins each of them; a token of each is left to predict from.
    """
    if not before or not prompts or hangs_on_length(lm):
        return None
    one, other = encode_prompts(lm, [before + end for end in _ENDS])
    ids = one[: shared_length(one, other)]
    length = min(min(shared_length(ids, prompt), len(prompt) - 1) for prompt in prompts)
    return Prefix(lm, ids[:length]) if length > 0 else None
