"""A model whose batches say something else than its single texts is found out, and read another way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from transformers import (
    BertConfig,
    BertLMHeadModel,
    MambaConfig,
    MambaForCausalLM,
    PreTrainedModel,
    RobertaConfig,
    RobertaForCausalLM,
)

from support.tiny import load_tiny, save_tiny, texts_after
from w2s.config import ModelSpec
from w2s.engine.choose import choose_batches, score_choices
from w2s.engine.encoding import encode_pairs, encode_prompts
from w2s.engine.trial import score_alone, way_of
from w2s.errors import InputError
from w2s.models.load import LanguageModel, load_model

LAYERS = {"num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 64, "initializer_range": 0.3}
SIZE = {"vocab_size": 304, "hidden_size": 32, "pad_token_id": 0}
STRANGE: Mapping[str, Callable[[], PreTrainedModel]] = {
    "no cache that options could go on from": lambda: MambaForCausalLM(
        MambaConfig(**SIZE, num_hidden_layers=2, state_size=8, initializer_range=0.3)
    ),
    "positions that begin behind the padding token": lambda: RobertaForCausalLM(
        RobertaConfig(**SIZE, **LAYERS, is_decoder=True)
    ),
}
PROMPTS = ["Which country is the city of Bergen in?\nAnswer:", "Lyon?", "Lyon? Peru?"]
OPTIONS = [[" Norway", "A"], [" the city of Lyon", " Peru", "B"], ["A", "B"]]


@pytest.fixture(scope="module", params=STRANGE)
def strange(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return load_tiny(save_tiny(tmp_path_factory.mktemp("strange"), STRANGE[request.param]))


@pytest.mark.parametrize("tokens", [1, 100, 4096])
def test_a_strange_architecture_scores_as_in_full_passes(strange: LanguageModel, tokens: int) -> None:
    scores = {}
    for batch in choose_batches(strange, PROMPTS, OPTIONS, tokens=tokens, before="Which country"):
        scores |= dict(zip(batch.rows, score_choices(strange, batch), strict=True))
    for row, (prompt, options) in enumerate(zip(PROMPTS, OPTIONS, strict=True)):
        [alone] = score_alone(strange, [encode_pairs(strange, [prompt] * len(options), options)])
        assert scores[row] == pytest.approx(alone, abs=1e-4)


def test_the_way_of_a_model_is_the_fastest_that_changes_nothing(lm: LanguageModel, strange: LanguageModel) -> None:
    assert way_of(lm) == "trees"
    assert way_of(strange) == "padded"


def test_a_model_that_reads_rows_together_is_given_one_at_a_time(
    tiny_llama: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lm = load_tiny(tiny_llama)
    read = lm.model.model.layers[0].forward

    def mixes(hidden: torch.Tensor, *args: object, **inputs: object) -> torch.Tensor:
        return read(hidden + hidden.mean(0, keepdim=True) - hidden, *args, **inputs)

    fresh = load_model(tiny_llama, ModelSpec(name=str(tiny_llama), device="cpu", dtype="float32", attention="eager"))
    fresh.model.model.layers[0].forward = mixes
    with caplog.at_level(logging.WARNING):
        assert [way_of(fresh), way_of(fresh)] == ["alone", "alone"]
    [said] = [record.getMessage() for record in caplog.records]
    assert "LlamaForCausalLM: a text beside others is" in said and "one option is read at a time" in said
    batches = choose_batches(fresh, PROMPTS, OPTIONS, tokens=4096)
    assert [len(batch.rows) for batch in batches] == [1, 1, 1]


def test_a_state_space_model_writes_as_one_token_after_the_other(tmp_path: Path) -> None:
    lm = load_tiny(save_tiny(tmp_path, STRANGE["no cache that options could go on from"]))
    for prompt, text in zip(PROMPTS, texts_after(lm, PROMPTS, max_new_tokens=6), strict=True):
        ids = encode_prompts(lm, [prompt])[0]
        start = len(ids)
        for step in range(6):
            with torch.no_grad():
                logits = lm.model(input_ids=torch.tensor([ids])).logits[0, -1]
            if step == 0:
                logits[lm.tokenizer.eos_token_id] = -torch.inf
            ids = [*ids, int(logits.argmax())]
        assert lm.tokenizer.decode(ids[start:], skip_special_tokens=True).startswith(text)


def test_an_encoder_is_refused(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path, lambda: BertLMHeadModel(BertConfig(**SIZE, **LAYERS)))
    with pytest.raises(InputError, match=r"\(BertLMHeadModel\) reads what comes after a word: expected a causal"):
        load_tiny(folder)
