"""Free-form texts in batches; a row ends with its first full line, or the end-of-text token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from w2s.engine.batching import token_batches
from w2s.engine.decoding import can_decode, decode
from w2s.engine.encoding import encode_prompts
from w2s.engine.masks import has_window, takes_masks
from w2s.engine.prefix import Prefix, prefix_of
from w2s.engine.rotary import stands_alone
from w2s.engine.trial import way_of
from w2s.models.checks import check_length, with_embedding
from w2s.models.load import LanguageModel

__all__ = ["Written", "generate_batches", "generate_texts", "prefix_for_writing"]

# A batch that is being written may hold so many times the tokens that go through the model at once: its keys and
# values alone are in memory, and a step costs little more for many rows than for one.
_WRITTEN_PER_READ = 4
# Logits of a step, in elements.
_HEAD_ELEMENTS = 1 << 26

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
    "min_new_tokens": None,
    "bad_words_ids": None,
    "sequence_bias": None,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
    "forced_bos_token_id": None,
    "forced_eos_token_id": None,
}


class Written(NamedTuple):
    """What a model wrote after a prompt: a line, and whether it was cut off before it ended."""

    text: str
    cut_off: bool = False


class _Ending:
    """Knows a row that is complete: by an end-of-text token, or a line break after something other than space.

    Attributes:
        tokens: Ids that end a text.
    """

    def __init__(self, lm: LanguageModel) -> None:
        self._tokenizer = lm.tokenizer
        self._breaks: dict[int, bool] = {}
        own = lm.model.generation_config.eos_token_id
        ids = {lm.tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])}
        self.tokens = sorted(with_embedding(ids, lm.model))

    def __call__(self, ids: Sequence[int]) -> bool:
        last = ids[-1]
        if last not in self._breaks:
            self._breaks[last] = "\n" in self._tokenizer.decode([last], skip_special_tokens=True)
        # Only where a line ends is the whole row looked at: a character may be spread over several tokens.
        return last in self.tokens or (self._breaks[last] and "\n" in self.text(ids).lstrip())

    def written(self, ids: Sequence[int]) -> Written:
        """What a row says; behind its end there may be more tokens, which do not count."""
        text = self.text(ids)
        ended = "\n" in text.lstrip() or not set(self.tokens).isdisjoint(ids)
        return Written(_first_line(text), not ended)

    def text(self, ids: Sequence[int]) -> str:
        """What a row says before its end-of-text token."""
        kept = list(takewhile(lambda token: token not in self.tokens, ids))
        return str(self._tokenizer.decode(kept, skip_special_tokens=True))


def generate_batches(lm: LanguageModel, prompts: Sequence[str], *, max_new_tokens: int, tokens: int) -> list[list[int]]:
    """Group prompts for `generate_texts`: indices of the rows that are decoded together.

    Args:
        lm: The model.
        prompts: (rows,)
        max_new_tokens: At most so many tokens are written after each.
        tokens: So many tokens go through the model at once; a batch has up to four times as many, new ones included.
    """
    lengths = [len(ids) + max_new_tokens for ids in encode_prompts(lm, prompts)]
    check_length(lm.model, max(lengths, default=0), "a prompt with its answer")
    if way_of(lm) != "trees" or stands_alone(lm, max(lengths, default=0)):
        return token_batches(lengths, tokens=0)
    if not can_decode(lm):
        return token_batches(lengths, tokens=tokens)
    head_rows = max(1, _HEAD_ELEMENTS // lm.model.config.get_text_config().vocab_size)
    return token_batches(lengths, tokens=_WRITTEN_PER_READ * tokens, most_reads=head_rows)


def prefix_for_writing(lm: LanguageModel, before: str, prompts: Sequence[str]) -> Prefix | None:
    """What stands before all prompts, to be read once; None where nothing does, or where it would change the texts.

    It would in a model with a sliding window: there is padding behind what is read once, and a window counts slots.

    Args:
        lm: The model.
        before: The text that begins every prompt.
        prompts: (rows,)
    """
    # A model that takes no masks may have a window that it does not tell.
    if not before or not can_decode(lm) or not takes_masks(lm) or has_window(lm) or way_of(lm) != "trees":
        return None
    return prefix_of(lm, before, encode_prompts(lm, prompts))


@torch.inference_mode()
def generate_texts(
    lm: LanguageModel,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    tokens: int | None = None,
    sampling_temperature: float = 0.0,
    seeds: Sequence[int] = (),
    prefix: Prefix | None = None,
) -> list[Written]:
    """The text that a model writes after each prompt, as one batch: rounding apart, the same whatever the others are.

    Args:
        lm: The model.
        prompts: (rows,)
        max_new_tokens: At most so many tokens each.
        tokens: So many tokens of the prompts, padding included, go through the model at once; None for all.
        sampling_temperature: 0 is greedy decoding.
        seeds: (rows,) of the sampling; not read where nothing is drawn.
        prefix: Of `prefix_for_writing`, from all prompts.

    Returns:
        (rows,) the first line of each, special tokens taken off.
    """
    encoded, ending = encode_prompts(lm, prompts), _Ending(lm)
    if sampling_temperature:
        draws = torch.stack([_draws(seed, max_new_tokens) for seed in seeds]).to(lm.device)

    def choose(logits: Tensor, rows: Sequence[int], step: int) -> Tensor:
        if step == 0:
            logits[:, ending.tokens] = -torch.inf  # a chat model may take a plain prompt for the place to end
        if not sampling_temperature:
            return logits.max(-1).indices  # several times as fast as argmax in bfloat16 on a CPU
        return _sample(logits.float() / sampling_temperature, draws[rows, step])

    if not can_decode(lm) or way_of(lm) != "trees":
        written = _write_with_transformers(lm, encoded, choose, ending, max_new_tokens=max_new_tokens)
        return [ending.written(ids) for ids in written]
    if prefix is not None:
        encoded = [ids[len(prefix) :] for ids in encoded]
    written = decode(
        lm,
        encoded,
        max_new_tokens=max_new_tokens,
        tokens=tokens,
        choose=choose,
        has_ended=ending,
        prefix=prefix,
    )
    return [ending.written(ids) for ids in written]


def _draws(seed: int, steps: int) -> Tensor:
    """Numbers (steps,) that are uniform in [0, 1): all before the first is used, so that no text's end counts."""
    return torch.rand(steps, generator=torch.Generator().manual_seed(seed))


def _sample(logits: Tensor, draws: Tensor) -> Tensor:
    """Tokens (rows,) from logits (rows, vocabulary), by numbers (rows,) that are uniform in [0, 1)."""
    below = logits.softmax(-1).cumsum(-1)
    tokens = torch.searchsorted(below, draws[:, None] * below[:, -1:], right=True).squeeze(-1)
    return tokens.clamp(max=logits.shape[-1] - 1)  # where rounding brought a draw to the sum of all


class _Ended(StoppingCriteria):
    """`_Ending` for transformers."""

    def __init__(self, ending: _Ending, width: int) -> None:
        self._ending, self._width = ending, width

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Tensor:
        ended = [self._ending(ids) for ids in input_ids[:, self._width :].tolist()]
        return torch.tensor(ended, device=input_ids.device)


class _Chosen(LogitsProcessor):
    """Leaves the chosen token of each row (rows,) to transformers, and no other."""

    def __init__(self, choose: Callable[[Tensor, Sequence[int], int], Tensor], width: int) -> None:
        self._choose, self._width = choose, width

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        chosen = self._choose(scores.clone(), range(len(scores)), input_ids.shape[1] - self._width)
        return torch.full_like(scores, -torch.inf).scatter_(1, chosen[:, None], 0.0)


def _write_with_transformers(
    lm: LanguageModel,
    prompts: Sequence[Sequence[int]],
    choose: Callable[[Tensor, Sequence[int], int], Tensor],
    ending: _Ending,
    *,
    max_new_tokens: int,
) -> list[list[int]]:
    """New token ids (rows,) of a model that remembers something else than keys and values."""
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), lm.tokenizer.pad_token_id, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    output = lm.model.generate(
        input_ids=ids.to(lm.device),
        attention_mask=mask.to(lm.device),
        max_new_tokens=max_new_tokens,
        pad_token_id=lm.tokenizer.pad_token_id,
        eos_token_id=ending.tokens,
        logits_processor=LogitsProcessorList([_Chosen(choose, width)]),
        stopping_criteria=StoppingCriteriaList([_Ended(ending, width)]),
        do_sample=False,
        **_PLAIN,
    )
    written: list[list[int]] = output[:, width:].tolist()
    return written


def _first_line(text: str) -> str:
    """All up to the first line break that follows something other than space."""
    body = text.lstrip()
    head = text[: len(text) - len(body)]
    return head + body.split("\n", 1)[0]
