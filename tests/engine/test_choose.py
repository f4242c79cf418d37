"""Scoring options: the fast way against one full pass for each option."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from support.tiny import SLIDING_WINDOW, load_tiny
from w2s.engine import choose, tree_scores
from w2s.engine.choose import choose_batches, score_choices
from w2s.engine.encoding import Encoded, encode_pairs
from w2s.engine.generate import generate_batches
from w2s.engine.prefix import Prefix
from w2s.errors import InputError
from w2s.models.load import LanguageModel

# Of one token after any prompt, of this tokenizer.
LETTERS = ["A", "B", "C", "D", "7", "?", "\n"]
WORDS = [" Norway", " Peru", " not acceptable", " the city of Lyon", " Portugal", " Q", " 42", "\nx"]

prompts = st.lists(st.sampled_from([*WORDS, "Which country", "\n", "é"]), min_size=1, max_size=25).map("".join)
short_rows = st.tuples(prompts, st.lists(st.sampled_from(LETTERS), min_size=1, max_size=5))
rows = short_rows | st.tuples(prompts, st.lists(st.sampled_from(WORDS + LETTERS), min_size=1, max_size=5))
BUDGETS = st.sampled_from([1, 40, 200, 4096])

LONG = "Which country is the city of Bergen in?\nOptions: Norway, Peru, Spain, Kenya.\nAnswer:"
SHORT = "Lyon?"


def slow(lm: LanguageModel, prompt: str, options: list[str]) -> list[float]:
    """One forward pass over prompt and option, for each option, without padding, mask or cache."""
    scores = []
    for option in options:
        pair = encode_pairs(lm, [prompt], [option])[0]
        ids = torch.tensor([pair.prompt + pair.completion])
        with torch.no_grad():
            logprobs = lm.model(input_ids=ids, use_cache=False).logits.double().log_softmax(-1)
        start = len(pair.prompt)
        scores.append(sum(logprobs[0, start + i - 1, token].item() for i, token in enumerate(pair.completion)))
    return scores


def fast(lm: LanguageModel, table: list[tuple[str, list[str]]], tokens: int, before: str = "") -> list[list[float]]:
    scores: dict[int, list[float]] = {}
    for batch in choose_batches(lm, [row[0] for row in table], [row[1] for row in table], tokens=tokens, before=before):
        scores |= dict(zip(batch.rows, score_choices(lm, batch), strict=True))
    return [scores[row] for row in range(len(table))]


def check(lm: LanguageModel, table: list[tuple[str, list[str]]], tokens: int, before: str = "") -> None:
    for found, (prompt, options) in zip(fast(lm, table, tokens, before), table, strict=True):
        assert found == pytest.approx(slow(lm, prompt, options), abs=1e-4)


tried = settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])


@tried
@given(table=st.lists(short_rows, min_size=1, max_size=6), tokens=BUDGETS)
@example(table=[(LONG, ["A", "B"]), (SHORT, ["A", "B", "C", "D"])], tokens=4096)
def test_options_of_one_token_score_as_in_full_passes(
    lm: LanguageModel, table: list[tuple[str, list[str]]], tokens: int
) -> None:
    check(lm, table, tokens)


@tried
@given(table=st.lists(rows, min_size=1, max_size=6), tokens=BUDGETS)
@example(table=[(LONG, [" Norway", " the city of Lyon"]), (SHORT, ["A", " Peru", " not acceptable"])], tokens=4096)
@example(table=[(LONG, [" the city of Lyon"] * 2), (SHORT, ["A", "B"])], tokens=4096)
def test_options_of_any_length_score_as_in_full_passes(
    lm: LanguageModel, table: list[tuple[str, list[str]]], tokens: int
) -> None:
    check(lm, table, tokens)


EXAMPLES = "Which country is Lima in?\nAnswer: Peru\n\nWhich country is Oslo in?\nAnswer: Norway\n\n"


@tried
@given(
    table=st.lists(rows, min_size=2, max_size=6),
    tokens=BUDGETS,
    times=st.integers(1, 3),
    largest=st.sampled_from([8, 4096]),
)
def test_rows_after_the_same_examples_score_as_in_full_passes(
    lm: LanguageModel, table: list[tuple[str, list[str]]], tokens: int, times: int, largest: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree_scores, "LARGEST_TREE", largest)
        before = EXAMPLES * times
        check(lm, [(before + prompt, options) for prompt, options in table], tokens, before)


def test_a_row_after_examples_scores_the_same_bit_for_bit_whatever_stands_beside_it(lm: LanguageModel) -> None:
    row = (EXAMPLES + "Which country is Lyon in?", ["A", " Peru"])
    like = (EXAMPLES + "Which country is Lynn in?", ["A", " Peru"])  # begins as the other does, beyond the examples
    apart = (EXAMPLES + "Who?", ["A", " Peru"])
    assert fast(lm, [row, like], 1, EXAMPLES)[0] == fast(lm, [row, apart], 1, EXAMPLES)[0]


def test_what_all_prompts_begin_with_goes_through_the_model_once(lm: LanguageModel) -> None:
    table = [(EXAMPLES * 3 + f"Which country is {city} in?", ["A", " Peru"]) for city in ("Lyon", "Rome", "Bergen")]
    batches = choose_batches(
        lm, [prompt for prompt, _ in table], [options for _, options in table], tokens=1, before=EXAMPLES * 3
    )
    prefixes = {id(batch.prefix) for batch in batches if batch.prefix is not None}
    if not choose.takes_masks(lm):
        assert not prefixes
        return
    assert len(batches) == 3 and len(prefixes) == 1
    seen: list[int] = []
    hook = lm.model.get_input_embeddings().register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].numel()))
    for batch in batches:
        score_choices(lm, batch)
    hook.remove()
    (prefix,) = {batch.prefix for batch in batches}
    assert prefix is not None and seen[0] == len(prefix) > 3 * max(seen[1:])
    apart = choose_batches(lm, [LONG, SHORT], [["A"], ["A"]], tokens=4096)
    assert all(batch.prefix is None for batch in apart)


def test_a_row_scores_the_same_whatever_stands_beside_it(lm: LanguageModel) -> None:
    row = (SHORT, [" Norway", "A", " the city of Lyon"])
    alone = fast(lm, [row], 4096)[0]
    for others in ([(LONG, ["A"])], [(LONG, [" acceptable acceptable acceptable"])] * 3, [("x", ["A", "B"])] * 7):
        assert fast(lm, [*others, row, *others], 4096)[len(others)] == pytest.approx(alone, abs=1e-5)


def test_a_row_keeps_its_own_order_of_options(lm: LanguageModel) -> None:
    options = [" Norway", "A", " the city of Lyon", "B"]
    forward = fast(lm, [(LONG, options)], 4096)[0]
    backward = fast(lm, [(LONG, options[::-1])], 4096)[0]
    assert backward == pytest.approx(forward[::-1], abs=1e-5)
    assert len(set(forward)) == len(options)


@contextmanager
def shapes_of_passes(lm: LanguageModel) -> Iterator[list[tuple[int, ...]]]:
    calls: list[tuple[int, ...]] = []
    hook = lm.model.register_forward_pre_hook(
        lambda model, args, kwargs: calls.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    try:
        yield calls
    finally:
        hook.remove()


def test_a_prompt_goes_through_once_for_all_its_options_and_no_last_token_does(lm: LanguageModel) -> None:
    with shapes_of_passes(lm) as calls:
        fast(lm, [(LONG, ["A", "B", "C"])], 4096)
        prompt = len(encode_pairs(lm, [LONG], ["A"])[0].prompt)
        assert calls == [(1, prompt)]
        calls.clear()
        options = ["A", " the city of Lyon", " Portugal"]
        lengths = [len(pair.completion) for pair in encode_pairs(lm, [LONG] * 3, options)]
        fast(lm, [(LONG, options)], 4096)
        assert calls == [(1, prompt + sum(lengths) - 3)]


# Orders of the options of one question, as a variation has them.
OPTIONS = " Norway, Peru, Spain, Kenya. Portugal? Norway, Peru, the city, acceptable."
VARIED = [f"{LONG}{OPTIONS}{end}" for end in ("\nB", "\nA Norway", "", "\nA Norway Peru")]


@pytest.mark.parametrize("options", [["A", "B"], [" Norway", "A", " the city of Lyon"]], ids=["one", "many"])
@pytest.mark.parametrize("tokens", [200, 4096])
def test_prompts_that_share_most_of_themselves_go_through_as_one_tree(
    lm: LanguageModel, options: list[str], tokens: int
) -> None:
    table = [(SHORT, options), *((prompt, options) for prompt in VARIED), ("Lyon Norway?", options)]
    check(lm, table, tokens)
    batches = choose_batches(lm, [row[0] for row in table], [row[1] for row in table], tokens=4096)
    assert sorted(size for batch in batches for size in batch.trees) == [1, 1, 4]


def test_prompts_that_share_little_go_apart(lm: LanguageModel) -> None:
    (batch,) = choose_batches(lm, ["Which country is Lyon in?", "In Peru, which city is it?"], [["A"]] * 2, tokens=4096)
    assert batch.trees == [1, 1]


@tried
@given(table=st.lists(rows, min_size=1, max_size=6), tokens=BUDGETS)
def test_an_architecture_without_masks_of_our_own_scores_as_in_full_passes(
    lm: LanguageModel, table: list[tuple[str, list[str]]], tokens: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for module in (choose, tree_scores):
            patch.setattr(module, "takes_masks", lambda lm: False)
        check(lm, table, tokens)


def test_a_tree_too_large_for_its_mask_takes_the_cache(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    table = [(LONG, [" Norway", " the city of Lyon"])]
    monkeypatch.setattr(tree_scores, "LARGEST_TREE", 10)
    with shapes_of_passes(lm) as calls:
        check(lm, table, 4096)
    assert len(calls) >= 2


def test_shared_prompts_beside_one_too_long_for_a_mask_take_the_cache_with_options_of_one_token(
    lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = [*((prompt, ["B", "A"]) for prompt in VARIED), (SHORT, ["A", "B"])]
    (batch,) = choose_batches(lm, [row[0] for row in table], [row[1] for row in table], tokens=4096)
    monkeypatch.setattr(tree_scores, "LARGEST_TREE", 10)
    for row, found in zip(batch.rows, score_choices(lm, batch), strict=True):
        assert found == pytest.approx(slow(lm, *table[row]), abs=1e-4)


def test_a_batch_that_does_not_fit_into_memory_is_halved(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    table = [(SHORT, ["A", " Norway"]), *((prompt, ["B", "A"]) for prompt in VARIED), (LONG, [" the city of Lyon"])]
    expected = fast(lm, table, 4096)
    score = choose.score_groups

    def small(lm: LanguageModel, groups: list[list[list[Encoded]]], prefix: Prefix | None) -> list[list[float]]:
        if len(groups) > 1:
            raise torch.OutOfMemoryError
        return score(lm, groups, prefix)

    monkeypatch.setattr(choose, "score_groups", small)
    for found, wanted in zip(fast(lm, table, 4096), expected, strict=True):
        assert found == pytest.approx(wanted, abs=1e-5)


def test_a_single_row_that_does_not_fit_is_an_error(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*given: object) -> list[list[float]]:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(choose, "score_groups", never)
    with pytest.raises(torch.OutOfMemoryError):
        fast(lm, [(SHORT, ["A"]), (LONG, ["A"])], 4096)


def test_the_sliding_window_is_shorter_than_the_prompts_of_these_tests(lm: LanguageModel) -> None:
    """Otherwise a wrong window would pass all of the above."""
    assert len(encode_pairs(lm, [LONG], ["A"])[0].prompt) > 3 * SLIDING_WINDOW


def test_few_rows_go_together_where_the_vocabulary_is_large(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    vocabulary = lm.model.config.get_text_config().vocab_size
    monkeypatch.setattr(choose, "_HEAD_ELEMENTS", {"cpu": 2 * vocabulary})
    batches = choose_batches(lm, [f"{letter} 42 Peru, Peru?" for letter in "12345"], [["A", "B", "C"]] * 5, tokens=4096)
    assert [len(batch.rows) for batch in batches] == [2, 2, 1]


def test_no_prompts_give_no_batches(lm: LanguageModel) -> None:
    assert choose_batches(lm, [], [], tokens=100) == []


ROPES = {
    "dynamic": {"rope_type": "dynamic", "factor": 2.0},
    "longrope": {
        "rope_type": "longrope",
        "short_factor": [1.0] * 4,
        "long_factor": [1.0, 2.0, 4.0, 8.0],
        "original_max_position_embeddings": 40,
    },
}


@pytest.mark.parametrize("rope", ROPES)
def test_where_angles_hang_on_length_a_row_stands_alone_beside_long_ones_only(rope: str, tiny_llama: Path) -> None:
    def model() -> LanguageModel:  # the kind dynamic keeps what it did for a long row
        lm = load_tiny(tiny_llama)
        settings = {
            **lm.model.config.to_dict(),
            "head_dim": 8,
            "max_position_embeddings": 40 if rope == "dynamic" else 512,
        }
        config = LlamaConfig(**{**settings, "rope_parameters": {"rope_theta": 10_000.0, **ROPES[rope]}})
        torch.manual_seed(0)
        other = LlamaForCausalLM(config).eval()
        return replace(lm, model=other)

    short, long = (SHORT, [" Norway", " Peru"]), (LONG * 2, [" Norway", " Peru"])
    alone = fast(model(), [short], 4096)[0]
    beside = fast(model(), [short, long], 4096)
    assert beside[0] == pytest.approx(alone, abs=1e-5) and alone == pytest.approx(slow(model(), *short), abs=1e-4)
    assert len(choose_batches(model(), [SHORT] * 3, [["A", "B"]] * 3, tokens=4096)) == 1
    prompts = [SHORT, LONG * 2]
    assert generate_batches(model(), prompts, max_new_tokens=4, tokens=4096) == [[1], [0]]
    assert len(generate_batches(model(), [SHORT, "Bergen?"], max_new_tokens=4, tokens=4096)) == 1


class _Folding:
    """A tokenizer that knows no upper case, and no `~` at all."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __call__(self, texts: Any, **settings: Any) -> Any:
        known = [texts] if isinstance(texts, str) else texts
        ids = self._tokenizer([text.lower().replace("~", "") for text in known], **settings)
        return {"input_ids": ids["input_ids"][0]} if isinstance(texts, str) else ids

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)


def test_options_that_are_the_same_tokens_are_told_of_and_refused_where_all_are(
    lm: LanguageModel, caplog: pytest.LogCaptureFixture
) -> None:
    folding = replace(lm, tokenizer=_Folding(lm.tokenizer))
    table = [[" Peru", " peru", " Spain"], [" Peru", " Spain", " Spain"]]
    choose_batches(folding, [LONG, SHORT], table, tokens=100)
    assert "writes options of 1 of 2 prompts alike, such as ' Peru' and ' peru'" in caplog.text
    with pytest.raises(InputError, match="writes ' Peru' and ' peru' alike: expected options that it tells apart"):
        choose_batches(folding, [LONG], table[:1], tokens=100)
    caplog.clear()
    choose_batches(lm, [LONG, SHORT], table, tokens=100)
    assert not caplog.text


def test_an_option_of_no_token_is_refused(lm: LanguageModel) -> None:
    """Its probability would be 1."""
    folding = replace(lm, tokenizer=_Folding(lm.tokenizer))
    with pytest.raises(InputError, match="makes no token of the option '~~'"):
        choose_batches(folding, [LONG], [[" Peru", "~~"]], tokens=100)
