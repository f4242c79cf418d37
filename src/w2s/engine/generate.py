"""Free-form answers in batches; a row ends with its first full line, or the end-of-text token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import StoppingCriteria, StoppingCriteriaList

from w2s.engine.batching import token_batches
from w2s.engine.encoding import encode_prompts
from w2s.models.load import LanguageModel

__all__ = ["generate_batches", "generate_texts"]

# Over what a model's own generation_config.json asks for: many instruction models come with a penalty on
# repetition, which would also look at the prompt and its options.
_PLAIN: dict[str, Any] = {
    "num_beams": 1,
    "temperature": None,
    "top_k": None,
    "top_p": None,
    "min_p": None,
    "typical_p": None,
    "epsilon_cutoff": None,
    "eta_cutoff": None,
    "repetition_penalty": None,
    "no_repeat_ngram_size": None,
    "min_length": None,
    "min_new_tokens": 1,  # a chat model may take a plain prompt for the place to end
    "bad_words_ids": None,
    "sequence_bias": None,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
    "forced_bos_token_id": None,
    "forced_eos_token_id": None,
}


class _FirstLine(StoppingCriteria):
    """Ends a row once it holds a line break after something other than space."""

    def __init__(self, lm: LanguageModel, rows: int) -> None:
        self._tokenizer = lm.tokenizer
        self._has_text = [False] * rows
        self._ended = [False] * rows

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Tensor:
        # One token a row and step is decoded: the rest of the row is known already.
        pieces = self._tokenizer.batch_decode(input_ids[:, -1:], skip_special_tokens=True)
        for row, piece in enumerate(pieces):
            if self._has_text[row] and "\n" in piece:
                self._ended[row] = True
            self._has_text[row] |= bool(piece.strip())
        return torch.tensor(self._ended, device=input_ids.device)


def generate_batches(lm: LanguageModel, prompts: Sequence[str], *, max_new_tokens: int, tokens: int) -> list[list[int]]:
    """Group prompts for `generate_texts`: indices of the rows that are decoded together."""
    lengths = [len(ids) + max_new_tokens for ids in encode_prompts(lm, prompts)]
    return token_batches(lengths, tokens=tokens)


@torch.inference_mode()
def generate_texts(
    lm: LanguageModel, prompts: Sequence[str], *, max_new_tokens: int, sampling_temperature: float = 0.0, seed: int = 0
) -> list[str]:
    """The text that a model writes after each prompt, as one batch.

    Args:
        lm: The model.
        prompts: (rows,)
        max_new_tokens: At most so many tokens each.
        sampling_temperature: 0 is greedy decoding.
        seed: Of the sampling.

    Returns:
        (rows,) the first line of each, special tokens taken off.
    """
    encoded = encode_prompts(lm, prompts)
    width = max(len(ids) for ids in encoded)
    ids = torch.full((len(encoded), width), lm.tokenizer.pad_token_id, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(encoded):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    sampling: dict[str, Any] = {**_PLAIN, "do_sample": False}
    if sampling_temperature > 0:
        sampling |= {"do_sample": True, "temperature": sampling_temperature}
        torch.manual_seed(seed)
    output = lm.model.generate(
        input_ids=ids.to(lm.device),
        attention_mask=mask.to(lm.device),
        max_new_tokens=max_new_tokens,
        pad_token_id=lm.tokenizer.pad_token_id,
        stopping_criteria=StoppingCriteriaList([_FirstLine(lm, len(encoded))]),
        **sampling,
    )
    texts = lm.tokenizer.batch_decode(output[:, width:], skip_special_tokens=True)
    return [_first_line(text) for text in texts]


def _first_line(text: str) -> str:
    """All up to the first line break that follows something other than space."""
    body = text.lstrip()
    head = text[: len(text) - len(body)]
    return head + body.split("\n", 1)[0]
