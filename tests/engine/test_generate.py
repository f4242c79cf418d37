"""Free-form answers: batches against one row at a time, and where a row ends."""

from __future__ import annotations

from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, BloomConfig, GPT2Config, GPTNeoConfig, MambaConfig, MistralConfig

from support.tiny import load_tiny, texts_after, tiny_tokenizer
from w2s.engine import decoding, generate
from w2s.engine.decoding import can_decode
from w2s.engine.encoding import encode_prompts
from w2s.engine.generate import generate_batches, prefix_for_writing
from w2s.models.load import LanguageModel

PROMPTS = [
    "Which country is the city of Bergen in?\nOptions: Norway, Peru, Spain, Kenya.\nAnswer:",
    "Lyon?",
    "Question: what is 12 plus 30?",
    "x",
]


def slow(lm: LanguageModel, prompt: str, steps: int) -> str:
    """Greedy decoding by full passes over the growing text, cut only when it is done."""
    ids: list[int] = lm.tokenizer(prompt)["input_ids"]
    start = len(ids)
    for _ in range(steps):
        with torch.no_grad():
            token = int(lm.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax())
        if token == lm.tokenizer.eos_token_id:
            break
        ids.append(token)
    text: str = lm.tokenizer.decode(ids[start:], skip_special_tokens=True)
    lead = len(text) - len(text.lstrip())
    return text[:lead] + text[lead:].split("\n")[0]


class Script:
    """Makes a model say given texts, whatever it reads: a row is known by the length of its prompt.

    Attributes:
        rows: Of each pass that wrote, how many it wrote for.
        read: Of each pass that read prompts, how many.
    """

    def __init__(self, lm: LanguageModel, texts: list[str], prompts: list[str], end: int) -> None:
        lengths = [len(ids) for ids in encode_prompts(lm, prompts)]
        assert len(set(lengths)) == len(lengths)
        tokens = [lm.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        self.tokens = dict(zip(lengths, tokens, strict=True))
        self.end = end
        self.rows: list[int] = []
        self.read: list[int] = []

    def says(self, input_ids: torch.Tensor, position_ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        if input_ids.shape[1] > 1:
            self.read.append(len(input_ids))
        else:
            self.rows.append(len(input_ids))
        forced = torch.full_like(logits, -1.0)
        for row, last in enumerate(position_ids[:, -1].tolist()):
            tokens = self.tokens[last + 1 - len(self.rows)]
            forced[row, ..., tokens[len(self.rows)] if len(self.rows) < len(tokens) else self.end] = 0
        return forced


@pytest.fixture(params=["own loop", "transformers"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How texts are written: most models by our own loop, those that remember something else by transformers."""
    if request.param == "transformers":
        monkeypatch.setattr(generate, "can_decode", lambda lm: False)
    return str(request.param)


@pytest.fixture
def say(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Generate with a model that says what it is told; gives the texts, and what passes they took."""

    def run(
        texts: list[str], *, max_new_tokens: int = 40, tokens: int | None = None, end: int | None = None
    ) -> tuple[list[str], Script]:
        prompts = PROMPTS[: len(texts)]
        script = Script(lm, texts, prompts, lm.tokenizer.eos_token_id if end is None else end)
        forward = type(lm.model).forward

        # As transformers sees by their names what a model's `forward` takes.
        def scripted(self, input_ids, position_ids, logits_to_keep=0, **kwargs):  # type: ignore[no-untyped-def]
            output = forward(self, input_ids, position_ids=position_ids, logits_to_keep=logits_to_keep, **kwargs)
            output.logits = script.says(input_ids, position_ids, output.logits)
            return output

        with monkeypatch.context() as patch:
            patch.setattr(type(lm.model), "forward", scripted)
            return texts_after(lm, prompts, max_new_tokens=max_new_tokens, tokens=tokens), script

    return run


def with_transformers(lm: LanguageModel, prompt: str, steps: int) -> str:
    """Plain `generate` of one prompt, cut only when it is done."""
    ids = torch.tensor([lm.tokenizer(prompt)["input_ids"]])
    output = lm.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=steps, min_new_tokens=1
    )
    text: str = lm.tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True)
    lead = len(text) - len(text.lstrip())
    return text[:lead] + text[lead:].split("\n")[0]


def test_greedy_rows_are_the_same_in_a_batch_alone_and_by_full_passes(lm: LanguageModel, way: str) -> None:
    together = texts_after(lm, PROMPTS, max_new_tokens=12)
    assert together == [texts_after(lm, [prompt], max_new_tokens=12)[0] for prompt in PROMPTS]
    assert together == [slow(lm, prompt, 12) for prompt in PROMPTS]
    assert len(set(together)) == len(PROMPTS)


@pytest.mark.parametrize("tokens", [None, 1, 45, 130])
def test_greedy_rows_are_those_of_transformers_however_many_prompts_are_read_at_once(
    lm: LanguageModel, tokens: int | None
) -> None:
    prompts = [*PROMPTS, "The answer", "Options: Norway, Peru", "Chile", "12 plus 30?\n"]
    texts = texts_after(lm, prompts, max_new_tokens=30, tokens=tokens)
    assert texts == [with_transformers(lm, prompt, 30) for prompt in prompts]


def test_other_windows_and_positions_are_written_alike(tmp_path: Path) -> None:
    """Layers that forget, on their own and with those that do not; positions that are learned."""
    common: dict[str, Any] = {"vocab_size": 304, "initializer_range": 0.3, "eos_token_id": 2, "pad_token_id": 0}
    common |= {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128}
    mistral = MistralConfig(**common, intermediate_size=64, num_key_value_heads=2, sliding_window=8)
    for config in (mistral, GPT2Config(**common)):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config).float()
        model.save_pretrained(tmp_path / config.model_type)
        tiny_tokenizer().save_pretrained(tmp_path / config.model_type)
        lm = load_tiny(tmp_path / config.model_type)
        assert can_decode(lm)
        expected = [with_transformers(lm, prompt, 20) for prompt in PROMPTS]
        assert texts_after(lm, PROMPTS, max_new_tokens=20, tokens=45) == expected


# What stands before all prompts

EXAMPLES = "Question: what is 2 plus 3?\nAnswer: 5\n\nQuestion: where is Lima?\nAnswer: Peru\n\n"


@pytest.mark.parametrize("tokens", [None, 1, 45])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_what_stands_before_all_prompts_is_read_once_and_the_texts_stay_as_they_were(
    lm: LanguageModel, tokens: int | None, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [EXAMPLES + prompt for prompt in PROMPTS]
    prefix = prefix_for_writing(lm, EXAMPLES, prompts)
    if getattr(lm.model.config.get_text_config(), "sliding_window", None) is not None:
        assert prefix is None  # the padding behind it would count in the window
        return
    assert prefix is not None and len(prefix) > 20
    forward, read = type(lm.model).forward, []

    @wraps(forward)  # by whose parameters it is told what a model can do
    def counting(self, input_ids, **kwargs):  # type: ignore[no-untyped-def]
        read.append(input_ids.shape)
        return forward(self, input_ids, **kwargs)

    written = {"max_new_tokens": 20, "sampling_temperature": temperature, "seeds": [3, 4, 5, 6]}
    expected = texts_after(lm, prompts, tokens=tokens, **written)  # type: ignore[arg-type]
    with monkeypatch.context() as patch:
        patch.setattr(type(lm.model), "forward", counting)
        assert texts_after(lm, prompts, tokens=tokens, prefix=prefix, **written) == expected  # type: ignore[arg-type]
    longest = max(len(ids) for ids in encode_prompts(lm, prompts)) - len(prefix)
    assert read[0] == (1, len(prefix)) and all(width <= longest for _, width in read[1:])
    if not temperature:
        assert expected == [with_transformers(lm, prompt, 20) for prompt in prompts]


def test_it_is_read_with_each_prompt_by_models_with_windows_told_or_not(tmp_path: Path) -> None:
    common: dict[str, Any] = {"vocab_size": 304, "initializer_range": 0.3, "eos_token_id": 2, "pad_token_id": 0}
    common |= {"hidden_size": 32, "intermediate_size": 64, "max_position_embeddings": 256}
    mistral = {**common, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    local = {**common, "num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": 8}
    prompts = [EXAMPLES + prompt for prompt in PROMPTS]
    configs = {
        "window": MistralConfig(**mistral, sliding_window=512),
        "none": MistralConfig(**mistral, sliding_window=None),
        "local": GPTNeoConfig(**local),
    }
    for name, config in configs.items():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config).float()
        model.save_pretrained(tmp_path / name)
        tiny_tokenizer().save_pretrained(tmp_path / name)
        lm = load_tiny(tmp_path / name)
        prefix = prefix_for_writing(lm, EXAMPLES, prompts)
        assert (prefix is not None) == (name == "none")
        expected = [with_transformers(lm, prompt, 12) for prompt in prompts]
        assert texts_after(lm, prompts, max_new_tokens=12, tokens=45, prefix=prefix) == expected


def test_nothing_is_read_once_where_nothing_stands_before_or_the_loop_is_not_ours(
    lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prefix_for_writing(lm, "", PROMPTS) is None
    assert prefix_for_writing(lm, EXAMPLES, []) is None
    monkeypatch.setattr(generate, "can_decode", lambda lm: False)
    assert prefix_for_writing(lm, EXAMPLES, [EXAMPLES + "x"]) is None


@pytest.mark.parametrize("kind", [MambaConfig, BloomConfig])
def test_a_model_that_our_loop_cannot_write_is_written_with_transformers(kind: type, tmp_path: Path) -> None:
    """One remembers something else than keys and values, one takes no positions."""
    torch.manual_seed(0)
    config = kind(vocab_size=304, hidden_size=32, num_hidden_layers=2, n_head=4, state_size=4, eos_token_id=2)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    lm = load_tiny(tmp_path)
    assert not can_decode(lm)
    assert texts_after(lm, PROMPTS, max_new_tokens=8) == [with_transformers(lm, p, 8) for p in PROMPTS]
    for batch in generate_batches(lm, PROMPTS * 5, max_new_tokens=8, tokens=100):
        longest = max(len(lm.tokenizer((PROMPTS * 5)[row])["input_ids"]) for row in batch) + 8
        assert len(batch) == 1 or len(batch) * longest <= 100


def test_a_model_with_an_adapter_is_written_by_the_own_loop(lm: LanguageModel) -> None:
    torch.manual_seed(0)
    tuned = get_peft_model(lm.model, LoraConfig(target_modules="all-linear", init_lora_weights=False))
    try:
        adapted = replace(lm, model=tuned.eval())
        assert can_decode(adapted)
        changed = texts_after(adapted, PROMPTS, max_new_tokens=12)
        assert changed == [with_transformers(adapted, prompt, 12) for prompt in PROMPTS]
    finally:
        tuned.unload()
    assert changed != texts_after(lm, PROMPTS, max_new_tokens=12)


def test_a_row_ends_with_its_first_line(say, way: str) -> None:  # type: ignore[no-untyped-def]
    assert say(["France\nBecause of Lyon", "42"])[0] == ["France", "42"]


def test_line_breaks_before_any_text_are_kept_and_do_not_end_a_row(say, way: str) -> None:  # type: ignore[no-untyped-def]
    assert say(["\n\n France\nmore", " \n \nPeru\n"])[0] == ["\n\n France", " \n \nPeru"]


def test_space_of_several_bytes_is_no_text(say, way: str) -> None:  # type: ignore[no-untyped-def]
    """Each of its tokens alone would look like some other character."""
    assert say(["\u3000\nFrance\nmore"])[0] == ["\u3000\nFrance"]


def test_generation_stops_when_every_row_has_its_line(say, way: str) -> None:  # type: ignore[no-untyped-def]
    _, short = say(["A\n" + "x" * 20, "\nB\n" + "y" * 20])
    assert len(short.rows) == 2
    _, long = say(["A\n" + "x" * 20, "z" * 20])
    assert len(long.rows) == 20


def test_a_line_may_end_in_the_token_that_begins_it(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    ending = generate._Ending(lm)
    decode = type(lm.tokenizer).decode
    pieces = {7: ".\n", 8: "\n"}
    monkeypatch.setattr(
        type(lm.tokenizer),
        "decode",
        lambda self, ids, **kwargs: "".join(pieces.get(i) or decode(self, [i], **kwargs) for i in ids),
    )
    assert ending([7]) and not ending([8]) and not ending([8, 8]) and ending([8, 7])


def test_rows_that_have_ended_leave_the_batch(say) -> None:  # type: ignore[no-untyped-def]
    texts, script = say(["x" * 9, "A\n", "y" * 4, "B"])
    assert texts == ["x" * 9, "A", "y" * 4, "B"]
    assert script.rows == [4, 2, 2, 2, 1, 1, 1, 1, 1]


def test_one_row_of_many_leaves_with_others_only(say, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    """Copying the keys and values of all others costs more than that row."""
    monkeypatch.setattr(decoding, "_LEAVING", 0.5)
    texts, script = say(["x" * 9, "A\n", "y" * 4, "zz\nmore than a line"])
    assert texts == ["x" * 9, "A", "y" * 4, "zz"]
    assert script.rows == [4, 4, 2, 2, 1, 1, 1, 1, 1]


def test_prompts_are_read_under_their_budget_and_continued_together(say) -> None:  # type: ignore[no-untyped-def]
    texts, script = say(["a", "bb", "ccc", "dddd"], tokens=45)
    assert texts == ["a", "bb", "ccc", "dddd"]
    assert script.read == [1, 1, 2]
    assert script.rows[0] == 4


def test_a_special_token_is_no_text(say, way: str) -> None:  # type: ignore[no-untyped-def]
    """A chat model may open with one, and a line break after it."""
    assert say(["<s>\nFrance\nmore"])[0] == ["\nFrance"]


def test_a_text_does_not_begin_with_its_end(say, way: str) -> None:  # type: ignore[no-untyped-def]
    """A chat model may take a plain prompt for the position to end."""
    assert say(["</s>Peru", "France"])[0] == ["Peru", "France"]


@pytest.mark.parametrize("several", [False, True])
def test_a_row_ends_with_any_end_of_text(
    say, lm: LanguageModel, several: bool, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    """The model's, of which it may have several, and the tokenizer's; neither is text."""
    other = lm.tokenizer("!", add_special_tokens=False)["input_ids"][0]
    monkeypatch.setattr(lm.model.generation_config, "eos_token_id", [other, 1] if several else other)
    for end in (other, lm.tokenizer.eos_token_id):
        texts, script = say(["France", "42"], end=end)
        assert texts == ["France", "42"] and len(script.rows) == 3


def test_a_row_has_at_most_so_many_tokens(say, way: str) -> None:  # type: ignore[no-untyped-def]
    texts, script = say(["zzzzzzzz"], max_new_tokens=3)
    assert texts == ["zzz"] and len(script.rows) == 2


def test_sampling_is_repeated_by_its_seed_and_changed_by_another(lm: LanguageModel, way: str) -> None:
    def sample(seed: int, temperature: float = 1.0) -> list[str]:
        seeds = [seed] * len(PROMPTS)
        return texts_after(lm, PROMPTS, max_new_tokens=12, sampling_temperature=temperature, seeds=seeds)

    assert sample(1) == sample(1)
    assert sample(1) != sample(2)
    assert sample(1) != texts_after(lm, PROMPTS, max_new_tokens=12)
    assert sample(1, 1e-4) == texts_after(lm, PROMPTS, max_new_tokens=12)


def test_a_row_is_sampled_alike_whatever_is_beside_it_and_whenever_that_leaves(
    lm: LanguageModel, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"max_new_tokens": 30, "sampling_temperature": 0.7}
    texts = texts_after(lm, PROMPTS, seeds=[3, 4, 5, 6], **settings)
    assert texts_after(lm, PROMPTS[::-1], seeds=[6, 5, 4, 3], **settings) == texts[::-1]
    for prompt, seed, text in zip(PROMPTS, [3, 4, 5, 6], texts, strict=True):
        assert texts_after(lm, [prompt], seeds=[seed], **settings) == [text]
    assert texts_after(lm, PROMPTS[:1] * 2, seeds=[3, 9], **settings) != texts[:1] * 2
    monkeypatch.setattr(decoding, "_LEAVING", 2.0)  # never
    assert texts_after(lm, PROMPTS, seeds=[3, 4, 5, 6], tokens=45, **settings) == texts


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    chances = torch.tensor([0.0, 0.5, 0.0, 0.125, 0.375, 0.0])
    draws = (torch.arange(800) + 0.5) / 800
    tokens = generate._sample(chances.log().expand(800, -1), draws)
    assert (tokens.bincount(minlength=6) / 800 - chances).abs().max() < 0.01
    edges = generate._sample(chances.log().expand(2, -1), torch.tensor([0.0, 1 - 2**-24]))
    assert edges.tolist() == [1, 4]


def test_writing_leaves_the_random_state_alone(lm: LanguageModel) -> None:
    before = torch.random.get_rng_state()
    texts_after(lm, PROMPTS, max_new_tokens=4)
    texts_after(lm, PROMPTS, max_new_tokens=4, seeds=[5] * len(PROMPTS), sampling_temperature=1.0)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    "own",
    [
        {"repetition_penalty": 5.0},
        {"do_sample": True, "temperature": 5.0, "top_k": 3},
        {"no_repeat_ngram_size": 1, "min_new_tokens": 20},
    ],
)
def test_greedy_decoding_is_plain_whatever_the_models_own_settings_are(
    lm: LanguageModel, own: dict[str, float], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = [slow(lm, prompt, 20) for prompt in PROMPTS]
    for name, value in own.items():
        monkeypatch.setattr(lm.model.generation_config, name, value)
    assert texts_after(lm, PROMPTS, max_new_tokens=20) == plain


def test_sampling_is_from_the_whole_distribution_whatever_the_models_own_settings_are(
    lm: LanguageModel, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"max_new_tokens": 12, "sampling_temperature": 1.0, "seeds": range(len(PROMPTS))}
    plain = texts_after(lm, PROMPTS, **settings)
    for name, value in {"top_k": 1, "top_p": 0.1, "min_p": 0.9, "typical_p": 0.1, "repetition_penalty": 3.0}.items():
        monkeypatch.setattr(lm.model.generation_config, name, value)
    assert texts_after(lm, PROMPTS, **settings) == plain


@given(rows=st.lists(st.sampled_from(PROMPTS), max_size=12), tokens=st.integers(1, 300))
def test_batches_leave_room_for_what_is_written(lm: LanguageModel, rows: list[str], tokens: int) -> None:
    batches = generate_batches(lm, rows, max_new_tokens=10, tokens=tokens)
    assert sorted(row for batch in batches for row in batch) == list(range(len(rows)))
    for batch in batches:
        longest = max(len(lm.tokenizer(rows[row])["input_ids"]) for row in batch) + 10
        assert len(batch) == 1 or len(batch) * longest <= 4 * tokens


def test_a_batch_is_small_where_the_vocabulary_is_large(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "_HEAD_ELEMENTS", 2 * 304)
    assert list(map(len, generate_batches(lm, ["x"] * 5, max_new_tokens=1, tokens=100))) == [2, 2, 1]
