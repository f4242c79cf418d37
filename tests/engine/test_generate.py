"""Free-form answers: batches against one row at a time, and where a row ends."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from w2s.engine import generate
from w2s.engine.generate import generate_batches, generate_texts
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
    """Makes a model say given texts, one a row, whatever it reads."""

    def __init__(self, lm: LanguageModel, texts: list[str], width: int) -> None:
        self.tokens = [lm.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        self.steps = 0
        self.lm, self.width = lm, width

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        place = input_ids.shape[1] - self.width
        self.steps = place + 1
        forced = torch.full_like(scores, -torch.inf)
        for row, tokens in enumerate(self.tokens):
            forced[row, tokens[place] if place < len(tokens) else self.lm.tokenizer.eos_token_id] = 0
        return forced


@pytest.fixture
def say(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Generate with a model that says what it is told; gives the texts and how many steps they took."""

    def run(texts: list[str], max_new_tokens: int = 40) -> tuple[list[str], int]:
        prompts = PROMPTS[: len(texts)]
        script = Script(lm, texts, max(len(ids) for ids in generate.encode_prompts(lm, prompts)))
        original = type(lm.model).generate
        with monkeypatch.context() as patch:
            patch.setattr(
                type(lm.model),
                "generate",
                lambda self, **kwargs: original(self, **kwargs, logits_processor=[script]),
            )
            return generate_texts(lm, prompts, max_new_tokens=max_new_tokens), script.steps

    return run


def test_greedy_rows_are_the_same_in_a_batch_alone_and_by_full_passes(lm: LanguageModel) -> None:
    together = generate_texts(lm, PROMPTS, max_new_tokens=12)
    assert together == [generate_texts(lm, [prompt], max_new_tokens=12)[0] for prompt in PROMPTS]
    assert together == [slow(lm, prompt, 12) for prompt in PROMPTS]
    assert len(set(together)) == len(PROMPTS)


def test_a_row_ends_with_its_first_line(say) -> None:  # type: ignore[no-untyped-def]
    assert say(["France\nBecause of Lyon", "42"])[0] == ["France", "42"]


def test_line_breaks_before_any_text_are_kept_and_do_not_end_a_row(say) -> None:  # type: ignore[no-untyped-def]
    assert say(["\n\n France\nmore", " \n \nPeru\n"])[0] == ["\n\n France", " \n \nPeru"]


def test_generation_stops_when_every_row_has_its_line(say) -> None:  # type: ignore[no-untyped-def]
    _, short = say(["A\n" + "x" * 20, "\nB\n" + "y" * 20])
    assert short < 8
    _, long = say(["A\n" + "x" * 20, "z" * 20])
    assert long >= 20


def test_a_special_token_is_no_text(say) -> None:  # type: ignore[no-untyped-def]
    """A chat model may open with one, and a line break after it."""
    assert say(["<s>\nFrance\nmore"])[0] == ["\nFrance"]


def test_a_row_that_says_nothing_is_empty(say) -> None:  # type: ignore[no-untyped-def]
    assert say(["", "France"])[0] == ["", "France"]


def test_a_row_has_at_most_so_many_tokens(say) -> None:  # type: ignore[no-untyped-def]
    assert say(["abababab"], max_new_tokens=3)[1] == 3


def test_sampling_is_repeated_by_its_seed_and_changed_by_another(lm: LanguageModel) -> None:
    def sample(seed: int, temperature: float = 1.0) -> list[str]:
        return generate_texts(lm, PROMPTS, max_new_tokens=12, sampling_temperature=temperature, seed=seed)

    assert sample(1) == sample(1)
    assert sample(1) != sample(2)
    assert sample(1) != generate_texts(lm, PROMPTS, max_new_tokens=12)
    assert sample(1, 1e-4) == generate_texts(lm, PROMPTS, max_new_tokens=12)


def test_greedy_decoding_leaves_the_random_state_alone(lm: LanguageModel) -> None:
    before = torch.random.get_rng_state()
    generate_texts(lm, PROMPTS, max_new_tokens=4, seed=5)
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
    lm: LanguageModel, own: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = [slow(lm, prompt, 20) for prompt in PROMPTS]
    for name, value in own.items():
        monkeypatch.setattr(lm.model.generation_config, name, value)
    assert generate_texts(lm, PROMPTS, max_new_tokens=20) == plain


def test_sampling_is_from_the_whole_distribution_whatever_the_models_own_settings_are(
    lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = generate_texts(lm, PROMPTS, max_new_tokens=12, sampling_temperature=1.0)
    for name, value in {"top_k": 1, "top_p": 0.1, "min_p": 0.9, "typical_p": 0.1, "repetition_penalty": 3.0}.items():
        monkeypatch.setattr(lm.model.generation_config, name, value)
    assert generate_texts(lm, PROMPTS, max_new_tokens=12, sampling_temperature=1.0) == plain


@given(rows=st.lists(st.sampled_from(PROMPTS), max_size=12), tokens=st.integers(1, 300))
def test_batches_leave_room_for_what_is_written(lm: LanguageModel, rows: list[str], tokens: int) -> None:
    batches = generate_batches(lm, rows, max_new_tokens=10, tokens=tokens)
    assert sorted(row for batch in batches for row in batch) == list(range(len(rows)))
    for batch in batches:
        longest = max(len(lm.tokenizer(rows[row])["input_ids"]) for row in batch) + 10
        assert len(batch) == 1 or len(batch) * longest <= tokens
