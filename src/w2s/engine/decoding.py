"""Writing after many prompts at once: a row that has ended leaves the batch, and the others go on without it.

A step's time goes into the weights, which are read once for all rows. So the prompts are read in chunks, as many as
memory allows, and then all of them are continued together.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from w2s.engine.batching import token_batches
from w2s.engine.prefix import Prefix
from w2s.models.load import LanguageModel, without_adapter

__all__ = ["can_decode", "decode"]

# Rows leave when they are so large a part of the batch: what they cost until then is less than copying the cache.
_LEAVING = 1 / 8


def can_decode(lm: LanguageModel) -> bool:
    """Whether `decode` can take rows of this model apart: all that it remembers is keys and values of tokens."""
    model = without_adapter(lm.model)
    if not {"position_ids", "logits_to_keep"} <= set(inspect.signature(model.forward).parameters):
        return False
    layers = DynamicCache(config=model.config).layers
    return bool(layers) and all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


@torch.inference_mode()
def decode(
    lm: LanguageModel,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    tokens: int | None,
    choose: Callable[[Tensor, Sequence[int], int], Tensor],
    has_ended: Callable[[Sequence[int]], bool],
    prefix: Prefix | None = None,
) -> list[list[int]]:
    """Token ids that follow each prompt.

    Args:
        lm: A model that `can_decode`.
        prompts: (rows,) token ids; with a prefix, those behind it.
        max_new_tokens: At most so many each.
        tokens: So many tokens of prompts, padding included, go through the model at once; None for all.
        choose: From logits (rows left, vocabulary), the rows that those are, and the number of new tokens that
            each has, to the next token of each (rows left,).
        has_ended: Whether a row's new tokens are all of it.
        prefix: What stands before all prompts, of a model without sliding windows.

    Returns:
        (rows,) the new token ids of each.
    """
    before = 0 if prefix is None else len(prefix)
    chunks = token_batches([len(ids) for ids in prompts], tokens=tokens or sum(map(len, prompts)) * len(prompts))
    rows = [row for chunk in chunks for row in chunk]  # those left in the batch, the longest prompts first
    lengths = torch.tensor([before + len(prompts[row]) for row in rows], device=lm.device)
    width = before + len(prompts[rows[0]])
    mask = _mask(lengths, width, before, room=max_new_tokens)
    written: list[list[int]] = [[] for _ in prompts]
    going = [True] * len(prompts)
    logits, cache = _read(lm, [[prompts[row] for row in chunk] for chunk in chunks], prefix, room=max_new_tokens)
    for step in range(max_new_tokens):
        new = choose(logits, rows, step)
        for row, token in zip(rows, new.tolist(), strict=True):
            if going[row]:
                written[row].append(token)
                going[row] = not has_ended(written[row])
        stay = [place for place, row in enumerate(rows) if going[row]]
        if not stay or step + 1 == max_new_tokens:
            break
        if len(stay) <= (1 - _LEAVING) * len(rows):
            kept = torch.tensor(stay, device=lm.device)
            cache.reorder_cache(kept)
            rows = [rows[place] for place in stay]
            lengths, mask, new = lengths[kept], mask[kept], new[kept]
        logits = lm.model(
            input_ids=new[:, None],
            attention_mask=mask[:, : width + step + 1],
            position_ids=lengths[:, None] + step,
            past_key_values=cache,
            logits_to_keep=1,
            use_cache=True,
        ).logits[:, -1]
    return written


def _mask(lengths: Tensor, width: int, before: int, *, room: int = 0) -> Tensor:
    """(rows, slots) 1 where a row has a token: behind the prefix, as far right as the longest, and in the room."""
    slots = torch.arange(width + room, device=lengths.device)
    return ((slots < before) | (slots >= width - (lengths[:, None] - before))).long()


def _read(
    lm: LanguageModel, chunks: Sequence[Sequence[Sequence[int]]], prefix: Prefix | None, *, room: int
) -> tuple[Tensor, DynamicCache]:
    """Logits of what follows each prompt (rows, vocabulary), and the keys and values of them all."""
    logits, caches = [], []
    before = 0 if prefix is None else len(prefix)
    for prompts in chunks:
        # Padding on the left, so that all rows go on in the same slot of the cache.
        width = max(map(len, prompts))
        ids = torch.tensor([[lm.tokenizer.pad_token_id] * (width - len(prompt)) + [*prompt] for prompt in prompts])
        lengths = torch.tensor([before + len(prompt) for prompt in prompts])
        mask = _mask(lengths, before + width, before)
        output = lm.model(
            input_ids=ids.to(lm.device),
            attention_mask=mask.to(lm.device),
            position_ids=(mask.cumsum(-1) - 1).clamp(min=0)[:, before:].to(lm.device),
            past_key_values=None if prefix is None else prefix.cache(len(prompts)),
            # Not 1: it gives the head a view with gaps, for which torch copies the head's weights once a row.
            logits_to_keep=torch.tensor([-1], device=lm.device),
            use_cache=True,
        )
        logits.append(output.logits[:, -1])
        caches.append(output.past_key_values)
    return torch.cat(logits), _joined(caches, room, before)


class _RoomyLayer(DynamicLayer):
    """Keys and values of many prompts with room for those to come; a plain layer copies all of them at every step.

    Args:
        parts: Layers of some prompts each, which are emptied. Shorter ones are padded on the left.
        room: So many tokens follow at most.
        before: Slots on the left that stay where they are.
    """

    def __init__(self, parts: Sequence[DynamicLayer], room: int, before: int = 0) -> None:
        super().__init__()
        self.is_initialized = True
        self._used = max(part.keys.shape[-2] for part in parts)
        self._keys = _stacked([part.keys for part in parts], self._used, room, before)
        self._values = _stacked([part.values for part in parts], self._used, room, before)
        for part in parts:
            part.reset()  # else all layers would be in memory twice
        self._show()

    def _show(self) -> None:
        self.keys, self.values = self._keys[:, :, : self._used], self._values[:, :, : self._used]

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write down the next token's (rows, heads, 1, size); all there are (rows, heads, slots, size)."""
        self._keys[:, :, self._used] = key_states[:, :, 0]
        self._values[:, :, self._used] = value_states[:, :, 0]
        self._used += 1
        self._show()
        return self.keys, self.values

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Keep some rows."""
        self._keys, self._values = self._keys[beam_idx], self._values[beam_idx]
        self._show()


def _stacked(parts: Sequence[Tensor], width: int, room: int = 0, before: int = 0) -> Tensor:
    """States (rows, heads, slots, size) of all parts: padded to one width behind `before`, with room on the right."""
    whole = []
    for part in parts:
        behind = pad(part[:, :, before:], (0, 0, width - part.shape[-2], room))
        whole.append(torch.cat([part[:, :, :before], behind], dim=-2) if before else behind)
    return torch.cat(whole)


def _joined(caches: Sequence[DynamicCache], room: int, before: int) -> DynamicCache:
    """All rows in one cache, with room for so many tokens; the first has read the longest prompts."""
    whole = caches[0]
    for index, parts in enumerate(zip(*(cache.layers for cache in caches), strict=True)):
        first, *others = parts
        if type(first) is DynamicLayer:
            whole.layers[index] = _RoomyLayer(parts, room, before)
        elif others:  # a sliding window forgets a token for each that comes, and its copies are small
            width = first.keys.shape[-2]
            first.keys = _stacked([part.keys for part in parts], width)
            first.values = _stacked([part.values for part in parts], width)
            for part in others:
                part.reset()
    return whole
