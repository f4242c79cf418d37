"""Text to tokens: a prompt alone, or a prompt with the completion that follows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from w2s.models.load import LanguageModel

__all__ = ["Encoded", "encode_pairs", "encode_prompts"]


class Encoded(NamedTuple):
    """Token ids of a prompt and of the completion after it."""

    prompt: list[int]
    completion: list[int]


def _texts(lm: LanguageModel, prompts: Sequence[str]) -> tuple[list[str], bool]:
    """The prompts as the model sees them, and whether the tokenizer still has to add its special tokens."""
    if not lm.chat_template:
        return list(prompts), True
    return [
        str(
            lm.tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
            )
        )
        for prompt in prompts
    ], False


def encode_prompts(lm: LanguageModel, prompts: Sequence[str]) -> list[list[int]]:
    """Token ids of each prompt, special tokens and chat template included."""
    if not prompts:
        return []
    texts, special = _texts(lm, prompts)
    ids: list[list[int]] = lm.tokenizer(texts, add_special_tokens=special, return_attention_mask=False)["input_ids"]
    return ids


def encode_pairs(lm: LanguageModel, prompts: Sequence[str], completions: Sequence[str]) -> list[Encoded]:
    """Token ids of each prompt and of its completion.

    Both are tokenized as one text and cut where the prompt ends, for a tokenizer may write a completion
    differently after a prompt than alone. Where a token spans the cut, the two are tokenized apart.

    Args:
        lm: The model whose tokenizer and chat template are used.
        prompts: (pairs,)
        completions: (pairs,) with their leading space; after a chat template it is taken off.
    """
    if not prompts:
        return []
    distinct = list(dict.fromkeys(prompts))
    texts, special = _texts(lm, distinct)
    heads = dict(zip(distinct, texts, strict=True))
    tokenize = lm.tokenizer
    options = {"add_special_tokens": special, "return_attention_mask": False}
    head_ids = dict(zip(distinct, tokenize(texts, **options)["input_ids"], strict=True))
    tails = [completion.lstrip() if lm.chat_template else completion for completion in completions]
    joined = tokenize([heads[p] + tail for p, tail in zip(prompts, tails, strict=True)], **options)["input_ids"]
    pairs = []
    for prompt, tail, ids in zip(prompts, tails, joined, strict=True):
        head = head_ids[prompt]
        rest = ids[len(head) :] if ids[: len(head)] == head else tokenize(tail, add_special_tokens=False)["input_ids"]
        pairs.append(Encoded(head, rest))
    return pairs
