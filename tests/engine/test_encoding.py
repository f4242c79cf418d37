"""Text to tokens, and where the prompt ends."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s.engine.encoding import encode_pairs, encode_prompts
from w2s.models.load import LanguageModel

TEXTS = st.text(alphabet=st.sampled_from("Answer: France.\n Which?é"), max_size=20)


def tokens_of(lm: LanguageModel, text: str, special: bool = True) -> list[int]:
    ids: list[int] = lm.tokenizer(text, add_special_tokens=special)["input_ids"]
    return ids


def chat_of(lm: LanguageModel, prompt: str) -> str:
    return f"<s><|user|>\n{prompt}</s>\n<|assistant|>\n"


@settings(max_examples=60)
@given(prompt=TEXTS, completion=TEXTS)
def test_a_pair_is_the_joined_text_in_tokens_wherever_a_token_ends_at_the_cut(
    lm: LanguageModel, prompt: str, completion: str
) -> None:
    pair = encode_pairs(lm, [prompt], [completion])[0]
    assert pair.prompt == tokens_of(lm, prompt)
    joined = tokens_of(lm, prompt + completion)
    if joined[: len(pair.prompt)] == pair.prompt:
        assert pair.prompt + pair.completion == joined
    assert lm.tokenizer.decode(pair.prompt + pair.completion, skip_special_tokens=True) == prompt + completion


def test_a_completion_is_written_as_it_is_after_its_prompt(lm: LanguageModel) -> None:
    pair = encode_pairs(lm, ["Answer:"], [" France"])[0]
    assert pair.prompt + pair.completion == tokens_of(lm, "Answer: France")
    assert pair.prompt == tokens_of(lm, "Answer:")


def test_where_a_token_spans_the_cut_both_sides_are_tokenized_apart(lm: LanguageModel) -> None:
    prompt, completion = "Answer: Nor", "way"
    whole = tokens_of(lm, prompt + completion)
    assert whole[: len(tokens_of(lm, prompt))] != tokens_of(lm, prompt), "the tokenizer should have one token here"
    pair = encode_pairs(lm, [prompt], [completion])[0]
    assert pair.prompt == tokens_of(lm, prompt)
    assert pair.completion == tokens_of(lm, completion, special=False)


def test_many_pairs_are_encoded_as_each_alone(lm: LanguageModel) -> None:
    prompts = ["Lyon", "Answer:", "Lyon", "Answer: Nor"]
    completions = [" France", " Norway", "", "way"]
    alone = [encode_pairs(lm, [p], [c])[0] for p, c in zip(prompts, completions, strict=True)]
    assert encode_pairs(lm, prompts, completions) == alone


def test_every_prompt_begins_with_the_beginning_of_text_token_once(lm: LanguageModel) -> None:
    begin = lm.tokenizer.bos_token_id
    chat = replace(lm, chat_template=True)
    for ids in [*encode_prompts(lm, ["Lyon", ""]), *encode_prompts(chat, ["Lyon", ""])]:
        assert ids[0] == begin and ids.count(begin) == 1


def test_a_chat_model_gets_its_template_and_completions_lose_their_leading_space(lm: LanguageModel) -> None:
    chat = replace(lm, chat_template=True)
    expected = tokens_of(lm, chat_of(lm, "Which?"), special=False)
    assert encode_prompts(chat, ["Which?"]) == [expected]
    pair = encode_pairs(chat, ["Which?"], [" France"])[0]
    assert pair.prompt == expected
    assert pair.prompt + pair.completion == tokens_of(lm, chat_of(lm, "Which?") + "France", special=False)
    assert encode_pairs(chat, ["Which?"], ["France"]) == [pair]


def test_without_a_template_the_text_is_taken_as_it_is(lm: LanguageModel) -> None:
    assert encode_prompts(lm, ["Which?"]) == [tokens_of(lm, "Which?")]


@pytest.mark.parametrize("chat", [False, True])
def test_nothing_is_encoded_as_nothing(lm: LanguageModel, chat: bool) -> None:
    model = replace(lm, chat_template=chat)
    assert encode_prompts(model, []) == [] and encode_pairs(model, [], []) == []
