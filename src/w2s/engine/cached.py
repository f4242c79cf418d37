"""Options scored on the cached prompt, in two passes: for architectures that take no mask of our own."""

from __future__ import annotations

import torch
from torch import Tensor

from w2s.engine.encoding import Encoded
from w2s.engine.logits import log_normalizer
from w2s.models.load import LanguageModel

__all__ = ["score_with_cache"]


def score_with_cache(lm: LanguageModel, batch: list[list[Encoded]]) -> list[list[float]]:
    """Log-probability of every option of every row; the prompts go through first, then the options after them.

    Args:
        lm: The model.
        batch: (rows, options)

    Returns:
        (rows, options) in nats.
    """
    rows = len(batch)
    width = max(len(row[0].prompt) for row in batch)
    # Padding on the left, so that every prompt ends where its options begin: a layer with a sliding window
    # counts slots of the cache, not position ids.
    ids = torch.zeros(rows, width, dtype=torch.long)
    mask = torch.zeros(rows, width, dtype=torch.long)
    for row, pairs in enumerate(batch):
        ids[row, width - len(pairs[0].prompt) :] = torch.tensor(pairs[0].prompt)
        mask[row, width - len(pairs[0].prompt) :] = 1
    ids, mask = ids.to(lm.device), mask.to(lm.device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    last = torch.zeros_like(mask, dtype=torch.bool)
    last[:, -1] = True
    output = lm.model(input_ids=ids, attention_mask=mask, position_ids=positions, logits_to_keep=last, use_cache=True)
    first = output.logits.float() - log_normalizer(output.logits)[:, None]  # (rows, vocabulary)

    owner = [row for row, pairs in enumerate(batch) for _ in pairs]
    tails = [pair.completion for pairs in batch for pair in pairs]
    scores = first[owner, [tail[0] for tail in tails]]
    long = [index for index, tail in enumerate(tails) if len(tail) > 1]
    if long:
        rest = _score_tails(
            lm,
            cache=output.past_key_values,
            mask=mask,
            owner=torch.tensor([owner[index] for index in long], device=lm.device),
            tails=[tails[index] for index in long],
        )
        scores[torch.tensor(long, device=lm.device)] += rest
    values = iter(scores.tolist())
    return [[next(values) for _ in pairs] for pairs in batch]


def _score_tails(lm: LanguageModel, *, cache: object, mask: Tensor, owner: Tensor, tails: list[list[int]]) -> Tensor:
    """Log-probability of every option's second to last token, given the cached prompt of its owner."""
    cache.reorder_cache(owner)  # type: ignore[attr-defined]
    width = max(len(tail) for tail in tails) - 1
    ids = torch.zeros(len(tails), width, dtype=torch.long)
    targets = torch.zeros(len(tails), width, dtype=torch.long)
    read = torch.zeros(len(tails), width, dtype=torch.bool)
    for row, tail in enumerate(tails):
        ids[row, : len(tail) - 1] = torch.tensor(tail[:-1])
        targets[row, : len(tail) - 1] = torch.tensor(tail[1:])
        read[row, : len(tail) - 1] = True
    ids, targets, read = ids.to(lm.device), targets.to(lm.device), read.to(lm.device)
    prompt_mask = mask[owner]
    positions = prompt_mask.sum(-1, keepdim=True) + torch.arange(width, device=lm.device)
    logits = lm.model(
        input_ids=ids,
        attention_mask=torch.cat([prompt_mask, read.long()], dim=-1),
        position_ids=positions,
        past_key_values=cache,
        logits_to_keep=read,
        use_cache=True,
    ).logits  # (tokens read, vocabulary)
    each = logits.gather(-1, targets[read][:, None]).squeeze(-1).float() - log_normalizer(logits)
    rows = torch.arange(len(tails), device=lm.device)[:, None].expand_as(read)[read]
    return torch.zeros(len(tails), device=lm.device).index_add_(0, rows, each)
