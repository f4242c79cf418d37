"""Log-probability of each option after its prompt; the prompt goes through the model once, not once an option."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from w2s.engine.batching import token_batches
from w2s.engine.encoding import Encoded, encode_pairs
from w2s.models.load import LanguageModel

__all__ = ["ChoiceBatch", "choose_batches", "score_choices"]

# Logits held at once, in elements: a vocabulary has up to 262,144 entries, so rows of the head are what fills memory.
_HEAD_ELEMENTS = 1 << 26


class ChoiceBatch(NamedTuple):
    """Rows that go through the model together.

    Attributes:
        rows: Indices of the prompts.
        pairs: (rows, options) tokens of each prompt with each of its options.
    """

    rows: list[int]
    pairs: list[list[Encoded]]


def choose_batches(
    lm: LanguageModel, prompts: Sequence[str], options: Sequence[Sequence[str]], *, tokens: int
) -> list[ChoiceBatch]:
    """Group prompts for `score_choices`.

    Args:
        lm: The model.
        prompts: (rows,)
        options: (rows, options) the completions to score after each prompt.
        tokens: Budget of a batch, padding included.
    """
    flat = encode_pairs(
        lm,
        [prompt for prompt, row in zip(prompts, options, strict=True) for _ in row],
        [option for row in options for option in row],
    )
    pairs: list[list[Encoded]] = []
    start = 0
    for row in options:
        pairs.append(flat[start : start + len(row)])
        start += len(row)
    lengths = [len(row[0].prompt) + sum(len(pair.completion) for pair in row) for row in pairs]
    most = max((sum(len(pair.completion) for pair in row) for row in pairs), default=1)
    head_rows = max(1, _HEAD_ELEMENTS // (lm.model.config.get_text_config().vocab_size * max(1, most)))
    return [
        ChoiceBatch(batch, [pairs[row] for row in batch])
        for batch in token_batches(lengths, tokens=tokens, rows=head_rows)
    ]


@torch.inference_mode()
def score_choices(lm: LanguageModel, batch: ChoiceBatch) -> list[list[float]]:
    """Log-probability of every option of every row: the sum over the option's tokens.

    Options of one token each take one pass that reads the last position of the prompt. Longer ones take a
    second pass over the options alone, on the cached prompt.

    Args:
        lm: The model.
        batch: Rows from `choose_batches`.

    Returns:
        (rows, options) in nats, in the order of `batch.rows`.
    """
    if all(len(pair.completion) == 1 for row in batch.pairs for pair in row):
        return _score_single_tokens(lm, batch)
    return _score_with_cache(lm, batch)


def _score_single_tokens(lm: LanguageModel, batch: ChoiceBatch) -> list[list[float]]:
    lengths = [len(row[0].prompt) for row in batch.pairs]
    # Padding on the right comes after all that is read, and attention is causal: no mask is needed.
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    last = torch.zeros_like(ids, dtype=torch.bool)
    for row, (pairs, length) in enumerate(zip(batch.pairs, lengths, strict=True)):
        ids[row, :length] = torch.tensor(pairs[0].prompt)
        last[row, length - 1] = True
    logits = lm.model(
        input_ids=ids.to(lm.device), logits_to_keep=last.to(lm.device), use_cache=False
    ).logits.float()  # (rows, vocabulary)
    normalizer = logits.logsumexp(-1)
    scores = []
    for row, pairs in enumerate(batch.pairs):
        tokens = torch.tensor([pair.completion[0] for pair in pairs], device=logits.device)
        scores.append((logits[row, tokens] - normalizer[row]).tolist())
    return scores


def _score_with_cache(lm: LanguageModel, batch: ChoiceBatch) -> list[list[float]]:
    rows = len(batch.pairs)
    width = max(len(row[0].prompt) for row in batch.pairs)
    # Padding on the left, so that every prompt ends where its options begin: a layer with a sliding window
    # counts slots of the cache, not position ids.
    ids = torch.zeros(rows, width, dtype=torch.long)
    mask = torch.zeros(rows, width, dtype=torch.long)
    for row, pairs in enumerate(batch.pairs):
        ids[row, width - len(pairs[0].prompt) :] = torch.tensor(pairs[0].prompt)
        mask[row, width - len(pairs[0].prompt) :] = 1
    ids, mask = ids.to(lm.device), mask.to(lm.device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    last = torch.zeros_like(mask, dtype=torch.bool)
    last[:, -1] = True
    output = lm.model(input_ids=ids, attention_mask=mask, position_ids=positions, logits_to_keep=last, use_cache=True)
    first = output.logits.float()  # (rows, vocabulary)
    first = first - first.logsumexp(-1, keepdim=True)

    owner = [row for row, pairs in enumerate(batch.pairs) for _ in pairs]
    tails = [pair.completion for pairs in batch.pairs for pair in pairs]
    scores = first[owner, [tail[0] for tail in tails]]
    long = [index for index, tail in enumerate(tails) if len(tail) > 1]
    rest = _score_tails(
        lm,
        cache=output.past_key_values,
        mask=mask,
        owner=torch.tensor([owner[index] for index in long], device=lm.device),
        tails=[tails[index] for index in long],
    )
    scores[torch.tensor(long, device=lm.device)] += rest
    values = iter(scores.tolist())
    return [[next(values) for _ in pairs] for pairs in batch.pairs]


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
    ).logits.float()  # (tokens read, vocabulary)
    each = logits.gather(-1, targets[read][:, None]).squeeze(-1) - logits.logsumexp(-1)
    rows = torch.arange(len(tails), device=lm.device)[:, None].expand_as(read)[read]
    return torch.zeros(len(tails), device=lm.device).index_add_(0, rows, each)
