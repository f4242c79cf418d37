"""What is loaded is what was named, whole, or it is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers.processors import TemplateProcessing
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, Lfm2Config, Lfm2ForCausalLM, LlamaConfig, LlamaForCausalLM

from support.tiny import load_tiny, save_tiny, save_tiny_llama, texts_after, tiny_tokenizer
from support.training import train
from w2s.config import ModelSpec, TrainingSpec
from w2s.engine.choose import choose_batches
from w2s.engine.encoding import encode_pairs, encode_prompts
from w2s.engine.generate import generate_batches
from w2s.errors import InputError
from w2s.files import tree_sha256
from w2s.models.adapters import adapted
from w2s.models.checks import check_lora_targets
from w2s.models.load import LanguageModel, load_model
from w2s.training.student import train_student

MIXED = {
    "vocab_size": 304,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


@pytest.fixture
def copy(tiny_llama: Path, tmp_path: Path) -> Path:
    """A tiny Llama of one's own, to be spoiled."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_llama, folder)
    return folder


def load(folder: Path, **fields: object) -> LanguageModel:
    return load_model(folder, ModelSpec(name="mine", device="cpu", dtype="float32", **fields))  # type: ignore[arg-type]


def refused(folder: Path, **fields: object) -> str:
    with pytest.raises(InputError) as caught:
        load(folder, **fields)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})


# Weights


def test_weights_under_another_prefix_are_refused(copy: Path) -> None:
    rewrite(copy, lambda weights: {f"module.{name}": value for name, value in weights.items()})
    assert "of its weights are missing, and would be random numbers: " in refused(copy)


@pytest.mark.parametrize("part", ["layers.1.", "lm_head", "embed_tokens"])
def test_a_part_that_is_missing_is_refused_by_its_name(copy: Path, part: str) -> None:
    rewrite(copy, lambda weights: {name: value for name, value in weights.items() if part not in name})
    assert "are missing" in (said := refused(copy)) and part in said


def test_weights_that_have_no_place_are_refused(copy: Path) -> None:
    rewrite(copy, lambda weights: {**weights, "model.layers.2.mlp.up_proj.weight": torch.zeros(64, 32)})
    assert "1 of its weights have no place in it" in refused(copy)


def test_a_configuration_of_another_width_is_refused(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "intermediate_size": 48}))
    said = refused(copy)
    assert "model 'mine': 6 of its weights have another shape than its configuration says: " in said
    assert "model.layers.0.mlp.down_proj.weight" in said


@pytest.mark.parametrize("content", ["[1]", '"text"', "{}"])
def test_a_configuration_that_is_none_is_refused(copy: Path, content: str) -> None:
    (copy / "config.json").write_text(content)
    assert "model 'mine' cannot be loaded" in refused(copy)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(copy: Path, value: float) -> None:
    def spoil(weights: dict[str, Tensor]) -> dict[str, Tensor]:
        weights["model.layers.1.mlp.up_proj.weight"][3, 5] = value
        return weights

    rewrite(copy, spoil)
    assert "weight model.layers.1.mlp.up_proj.weight holds NaN or infinity" in refused(copy)


def test_whole_numbers_without_a_scale_are_refused_as_weights(copy: Path) -> None:
    def rounded(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: (value * 100).to(torch.int8) if "up_proj" in name else value for name, value in tensors.items()}

    rewrite(copy, rounded)
    assert "up_proj.weight in model.safetensors is stored as I8, without a quantization_config" in refused(copy)


def test_weights_whose_sum_overflows_are_loaded(copy: Path) -> None:
    large = torch.finfo(torch.float32).max / 2
    rewrite(copy, lambda tensors: {n: v.fill_(large) if n.endswith("norm.weight") else v for n, v in tensors.items()})
    load(copy)


# Vocabulary and tokens


def test_a_tokenizer_of_more_tokens_than_embeddings_is_refused(tmp_path: Path) -> None:
    config = LlamaConfig(
        vocab_size=200, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    assert "its weights have 200 embeddings: expected a tokenizer and weights of one model" in refused(tmp_path)


def test_no_token_for_padding_or_the_end_is_no_obstacle(copy: Path, tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = tokenizer.eos_token = None
    tokenizer.save_pretrained(copy)
    lm = load(copy)
    assert lm.tokenizer.eos_token_id is None and lm.tokenizer.pad_token_id == 0
    assert train(lm, tmp_path / "student", epochs=1).report.steps > 0


def test_an_end_that_the_model_has_no_embedding_for_is_as_none(copy: Path, tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.add_special_tokens({"eos_token": "<end>", "pad_token": "<padding>"})
    for number in range(10):  # the end is beyond the 304 embeddings
        tokenizer.add_tokens(f"<more{number}>", special_tokens=True)
    tokenizer.eos_token = tokenizer.pad_token = "<more9>"
    tokenizer.save_pretrained(copy)
    settings = {"eos_token_id": [2, 9999]}
    (copy / "generation_config.json").write_text(json.dumps(settings))
    lm = load(copy)
    assert lm.tokenizer.eos_token_id is None and lm.tokenizer.pad_token_id == 0
    assert len(texts_after(lm, ["Lyon?", "12 plus 30 ="], max_new_tokens=3, tokens=100)) == 2
    assert train(lm, tmp_path / "student", epochs=1).report.steps > 0


@pytest.mark.parametrize("chat", [True, False])
def test_a_token_around_a_prompt_that_has_no_embedding_is_refused(copy: Path, chat: bool) -> None:
    tokenizer = tiny_tokenizer()
    for number in range(10):
        tokenizer.add_tokens(f"<more{number}>", special_tokens=True)
    tokenizer.chat_template = "<more9>{{ messages[0]['content'] }}"
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<more9> $A", special_tokens=[("<more9>", 309)]
    )
    tokenizer.save_pretrained(copy)
    with pytest.raises(InputError, match=r"token '<more9>' with the id 309 is put around .* has 304 embeddings"):
        encode_pairs(load(copy, chat_template=chat), ["Lyon?"], [" a"])


def test_what_a_tokenizer_puts_after_a_text_stands_before_no_answer(copy: Path) -> None:
    plain = load(copy)
    prompts, completions = ["Which city?\nAnswer:", "12 plus 30 ="], [" Lyon", " 42"]
    expected = encode_prompts(plain, prompts), encode_pairs(plain, prompts, completions)
    tokenizer = tiny_tokenizer()
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A $B </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    tokenizer.save_pretrained(copy)
    lm = load_model(copy, ModelSpec(name="mine", device="cpu", dtype="float32"), identity=None, revision="other")
    assert lm.tokenizer("a")["input_ids"][-1] == 2, "the test cannot fail"
    assert (encode_prompts(lm, prompts), encode_pairs(lm, prompts, completions)) == expected


# Positions


def test_a_prompt_beyond_the_positions_of_gpt2_is_refused_with_the_numbers(tmp_path: Path) -> None:
    config = GPT2Config(vocab_size=304, n_positions=16, n_embd=16, n_layer=1, n_head=2)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    lm = load(tmp_path)
    with pytest.raises(InputError, match=r"a prompt with an option has \d+ tokens, the model has positions for 16"):
        choose_batches(lm, ["Which country is the city of Lyon in? " * 3], [[" A", " B"]], tokens=1000)
    with pytest.raises(InputError, match=r"a prompt with its answer has \d+ tokens, the model has positions for 16"):
        generate_batches(lm, ["Which country is the city of Lyon in?"], tokens=1000, max_new_tokens=8)
    rows = {"prompt": ["Which country is the city of Lyon in?"], "completion": [" France"], "weight": [1.0]}
    table = pa.table({**rows, "question_id": ["q"]})
    with pytest.raises(InputError, match=r"an example with its .* positions for 16: expected a lower max_length"):
        train_student(lm, table, TrainingSpec(), seed=0, out=tmp_path / "out")


def test_a_prompt_beyond_rotary_positions_is_said_once(
    tiny_llama: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = save_tiny_llama(tmp_path / "short")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 16}))
    lm = load(folder)
    for _ in range(2):
        choose_batches(lm, ["Which country is the city of Lyon in? " * 3], [[" A", " B"]], tokens=1000)
    (said,) = [message for message in caplog.messages if "the model was made for 16" in message]
    assert said.startswith("a prompt with an option has ")


# Chat templates


@pytest.mark.parametrize("template", ["{{ raise_exception('no') }}", "{% for %}", "nothing of the prompt"])
def test_a_chat_template_that_fails_is_refused_in_one_line(copy: Path, template: str) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = template
    tokenizer.save_pretrained(copy)
    with pytest.raises(InputError, match="the model's chat template fails") as caught:
        encode_prompts(load(copy, chat_template=True), ["Lyon?"])
    assert "\n" not in str(caught.value)


def test_a_chat_template_that_wants_parts_gets_them(copy: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = (
        "{% for m in messages %}{% for part in m['content'] %}{{ part['text'] }}{% endfor %}{% endfor %}"
    )
    tokenizer.save_pretrained(copy)
    lm = load(copy, chat_template=True)
    assert lm.tokenizer.decode(encode_prompts(lm, ["Which city?"])[0]) == "Which city?"


# Content


def test_a_folder_that_changed_since_it_was_named_is_refused(copy: Path) -> None:
    identity = f"sha256:{tree_sha256(copy)}"
    spec = ModelSpec(name="mine", device="cpu", dtype="float32")
    first = load_model(copy, spec, identity=identity)
    assert load_model(copy, spec, identity=identity).model is first.model
    rewrite(copy, lambda weights: {name: value + 1 for name, value in weights.items()})
    with pytest.raises(InputError, match="was changed since the run began"):
        load_model(copy, spec, identity=identity)
    again = load_model(copy, spec, identity=f"sha256:{tree_sha256(copy)}")
    assert again.model is not first.model


# Adapters


@pytest.mark.parametrize("layers", [1, 3])
def test_an_adapter_of_another_depth_is_refused(tiny_llama: Path, tmp_path: Path, layers: int) -> None:
    train(load_tiny(tiny_llama), tmp_path / "student", epochs=1)
    config = LlamaConfig.from_pretrained(tiny_llama)
    config.num_hidden_layers = layers
    other = tmp_path / "other"
    LlamaForCausalLM(config).save_pretrained(other)
    tiny_tokenizer().save_pretrained(other)
    adapter = tmp_path / "student" / "adapter"
    with pytest.raises(InputError, match=f"adapter {adapter} is not of this model"), adapted(load(other), adapter):
        pass


@pytest.mark.parametrize("targets", [r"model\.layers\.0\.self_attn\.q_proj", ["layers.1.self_attn.q_proj"]])
def test_an_adapter_on_the_layers_that_were_named_is_one_of_its_model(
    tiny_llama: Path, tmp_path: Path, targets: str | list[str]
) -> None:
    lm = load_tiny(tiny_llama)
    train(lm, tmp_path, epochs=1, lora={"targets": targets})
    with adapted(lm, tmp_path / "adapter") as tuned:
        assert tuned.model is not lm.model


def test_an_adapter_on_layers_of_one_kind_is_one_of_its_model(tmp_path: Path) -> None:
    kinds = ["conv", "full_attention", "conv", "full_attention"]
    lm = load_tiny(save_tiny(tmp_path / "mixed", lambda: Lfm2ForCausalLM(Lfm2Config(**MIXED, layer_types=kinds))))
    train(lm, tmp_path, epochs=1, lora={"targets": ["q_proj"]})
    with adapted(lm, tmp_path / "adapter") as tuned:
        assert tuned.model is not lm.model


def test_the_first_layers_named_one_by_one_are_refused_before_the_training(tiny_llama: Path, tmp_path: Path) -> None:
    lora = {"targets": ["layers.0.self_attn.q_proj"]}
    with pytest.raises(InputError, match=r"it is on 1 layers, .* self_attn.q_proj in 2; .*in a regular expression"):
        train(load_tiny(tiny_llama), tmp_path, epochs=1, lora=lora)


def test_an_adapter_that_holds_no_numbers_is_refused(tiny_llama: Path, tmp_path: Path) -> None:
    lm = load_tiny(tiny_llama)
    train(lm, tmp_path, epochs=1)
    path = tmp_path / "adapter" / "adapter_model.safetensors"
    tensors = load_file(path)
    next(iter(tensors.values())).fill_(float("nan"))
    save_file(tensors, path)
    with pytest.raises(InputError, match="holds NaN or infinity"), adapted(lm, tmp_path / "adapter"):
        pass


def test_a_target_that_names_no_module_is_refused_with_the_nearest(tiny_llama: Path) -> None:
    model = load_tiny(tiny_llama).model
    check_lora_targets(model, ["q_proj", "v_proj"])
    check_lora_targets(model, "all-linear")
    with pytest.raises(InputError, match="no module 'v_porj'; did you mean 'v_proj'"):
        check_lora_targets(model, ["q_proj", "v_porj"])
