"""How a model may be given several texts at once, without a text's numbers changing: tried, not looked up."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Literal
from weakref import WeakKeyDictionary

import torch
from transformers import PreTrainedModel

from w2s.engine.encoding import Encoded, encode_pairs
from w2s.engine.rotary import longest_alike
from w2s.engine.tree_scores import score_groups
from w2s.models.load import LanguageModel, without_adapter

__all__ = ["score_alone", "score_padded", "way_of"]

logger = logging.getLogger(__name__)

Rows = Sequence[Sequence[Encoded]]
Way = Literal["trees", "padded", "alone"]

# Prompts of two lengths, options of one token and of several: padding, branches and caches all have their part.
_PROMPTS = ("One, two,", "On the table in the kitchen there was a letter, and she")
_OPTIONS = ((" three", " and then five"), (" read", " did not look at it"))

# Nats a token, by which sums in another order differ at most; a wrong place or a lost state moves more.
_ROUNDING = {torch.float32: 0.01, torch.float64: 0.01}
_COARSE_ROUNDING = 0.5

_tried: WeakKeyDictionary[PreTrainedModel, Way] = WeakKeyDictionary()


def way_of(lm: LanguageModel) -> Way:
    """The fastest way in which a model gives each text what it gives the text alone.

    "trees": with masks, positions or caches of our own, so that what texts share goes through the model once. "padded":
    each text is a row, padded behind its end, without any of these. "alone": no two texts go together.

    Args:
        lm: The model, under an adapter or not. It is tried at the first call; what is slower than trees is said.
    """
    model = without_adapter(lm.model)
    if model not in _tried:
        _tried[model] = _way_of(lm)
    return _tried[model]


@torch.inference_mode()
def score_padded(lm: LanguageModel, rows: Rows) -> list[list[float]]:
    """Log-probability (rows, options) in nats of every option, each a row of the batch behind its own prompt."""
    scores = iter(score_groups(lm, [[[pair]] for row in rows for pair in row]))
    return [[next(scores)[0] for _ in row] for row in rows]


@torch.inference_mode()
def score_alone(lm: LanguageModel, rows: Rows) -> list[list[float]]:
    """Log-probability (rows, options) in nats; each option goes through the model with nothing but its tokens."""
    return [[_score_pair(lm, pair) for pair in row] for row in rows]


def _score_pair(lm: LanguageModel, pair: Encoded) -> float:
    ids = torch.tensor([pair.prompt + pair.completion[:-1]], device=lm.device)
    logits = lm.model(input_ids=ids).logits[0, len(pair.prompt) - 1 :]
    targets = torch.tensor(pair.completion, device=logits.device)
    return float(logits.float().log_softmax(-1).gather(-1, targets[:, None]).double().sum())


def _way_of(lm: LanguageModel) -> Way:
    flat = encode_pairs(
        lm,
        [prompt for prompt, options in zip(_PROMPTS, _OPTIONS, strict=True) for _ in options],
        [option for options in _OPTIONS for option in options],
    )
    half = max(1, longest_alike(lm) // 2)
    cut = [Encoded(pair.prompt[:half], pair.completion[:half]) for pair in flat]
    if not all(pair.prompt and pair.completion for pair in cut):
        return "trees"  # a tokenizer that knows no such words: nothing to try
    rows = [cut[:2], cut[2:]]
    alone = score_alone(lm, rows)
    fault = _fault(lm, rows, alone, lambda: score_groups(lm, [[row] for row in rows]))
    if fault is None:
        return "trees"
    pads = _fault(lm, rows, alone, lambda: score_padded(lm, rows)) is None
    way: Way = "padded" if pads else "alone"
    each = "each option is read with its whole prompt" if pads else "one option is read at a time"
    logger.warning("%s: %s; %s, which is slower", type(without_adapter(lm.model)).__name__, fault, each)
    return way


@torch.inference_mode()
def _fault(
    lm: LanguageModel, rows: Rows, alone: list[list[float]], score: Callable[[], list[list[float]]]
) -> str | None:
    """What is wrong with a way to score the rows; None where they score as they do alone."""
    try:
        beside = score()
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # an architecture without such inputs or caches fails in any way
        return f"a batch fails with {type(error).__name__} ({' '.join(str(error).split())[:200]})"
    apart = max(
        abs(a - b) / len(pair.completion)
        for pairs, ones, others in zip(rows, alone, beside, strict=True)
        for pair, a, b in zip(pairs, ones, others, strict=True)
    )
    if apart <= _ROUNDING.get(lm.dtype, _COARSE_ROUNDING):
        return None
    return f"a text beside others is {apart:.2g} nats a token off"
