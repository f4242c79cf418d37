"""Text to tokens: a prompt alone, or a prompt with the completion that follows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from w2s.errors import InputError
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
    return [_chat(lm, prompt) for prompt in prompts], False


def _chat(lm: LanguageModel, prompt: str) -> str:
    """A prompt as a user's turn.

    Raises:
        InputError: The model's chat template fails.
    """
    # Some templates want a content in parts.
    contents: tuple[object, ...] = (prompt, [{"type": "text", "text": prompt}])
    said = ""
    for content in contents:
        try:
            turn = [{"role": "user", "content": content}]
            text = lm.tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        except Exception as error:  # a template is anybody's code
            said = said or f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            continue
        if prompt.strip() in str(text):
            return str(text)
        said = said or "the prompt is not in what it makes"
    raise InputError(f"the model's chat template fails ({said}): expected chat_template: false, or another template")


def _appended(tokenizer: PreTrainedTokenizerBase) -> int:
    """How many tokens a tokenizer puts after a text, such as an end-of-text: no answer could follow them."""
    plain: list[int] = tokenizer("a", add_special_tokens=False)["input_ids"]
    special: list[int] = tokenizer("a", add_special_tokens=True)["input_ids"]
    for start in range(len(special) - len(plain) + 1):
        if special[start : start + len(plain)] == plain:
            return len(special) - start - len(plain)
    return 0


def _tokenize(lm: LanguageModel, texts: Sequence[str], special: bool) -> list[list[int]]:
    """Token ids of texts, with what the tokenizer puts before them and without what it puts after."""
    ids: list[list[int]] = lm.tokenizer(list(texts), add_special_tokens=special, return_attention_mask=False)[
        "input_ids"
    ]
    _check_embedded(lm, ids)
    extra = _appended(lm.tokenizer) if special else 0
    return [row[: len(row) - extra] for row in ids] if extra else ids


def _check_embedded(lm: LanguageModel, ids: Sequence[Sequence[int]]) -> None:
    """Make sure that what a tokenizer or a chat template puts around a text has an embedding.

    Raises:
        InputError: A token has none.
    """
    rows = int(lm.model.get_input_embeddings().weight.shape[0])
    if (highest := max(map(max, filter(None, ids)), default=0)) >= rows:
        token = lm.tokenizer.convert_ids_to_tokens(highest)
        raise InputError(
            f"token {token!r} with the id {highest} is put around every prompt, and the model has {rows} embeddings: "
            "expected a tokenizer and weights of one model"
        )


def encode_prompts(lm: LanguageModel, prompts: Sequence[str]) -> list[list[int]]:
    """Token ids of each prompt, special tokens and chat template included."""
    if not prompts:
        return []
    texts, special = _texts(lm, prompts)
    return _tokenize(lm, texts, special)


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
    head_ids = dict(zip(distinct, _tokenize(lm, texts, special), strict=True))
    tails = [completion.lstrip() if lm.chat_template else completion for completion in completions]
    joined = _tokenize(lm, [heads[p] + tail for p, tail in zip(prompts, tails, strict=True)], special)
    pairs = []
    for prompt, tail, ids in zip(prompts, tails, joined, strict=True):
        head = head_ids[prompt]
        rest = ids[len(head) :] if ids[: len(head)] == head else _tokenize(lm, [tail], False)[0]
        pairs.append(Encoded(head, rest))
    return pairs
