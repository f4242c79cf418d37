"""The size of a model, from the headers of its files, its configuration, or its name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.gguf import write_gguf
from support.tiny import load_tiny
from w2s.models.parameters import size_of


def counted(folder: Path) -> tuple[int, int, int]:
    """All parameters, those of the head, and those of the layers, of the model in memory."""
    model = load_tiny(folder).model
    total = sum(parameter.numel() for parameter in model.parameters())
    embedding, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    apart = embedding.numel() + (0 if head is embedding else head.numel())
    return total, head.numel(), total - apart


def test_headers_of_safetensors_give_what_the_loaded_model_has(
    tiny_llama: Path, tiny_gemma: Path, tiny_qwen: Path
) -> None:
    for folder in (tiny_llama, tiny_gemma, tiny_qwen):
        size = size_of("any", folder=folder)
        assert size is not None and size.source == "files"
        assert (size.total, size.head, size.layers) == counted(folder)
        config = load_tiny(folder).model.config
        assert (size.depth, size.width) == (config.num_hidden_layers, config.hidden_size)


def test_a_gguf_file_has_the_size_of_the_model_that_it_was_made_from_whole_or_in_parts(
    tiny_llama: Path, tmp_path: Path
) -> None:
    whole = write_gguf(tiny_llama, tmp_path / "tiny.gguf")
    size = size_of("tiny", gguf=[whole])
    assert size is not None and (size.total, size.head, size.layers) == counted(tiny_llama)
    data = whole.read_bytes()
    parts = [tmp_path / "a", tmp_path / "b"]
    parts[0].write_bytes(data[:100])
    parts[1].write_bytes(data[100:])
    assert size_of("tiny", gguf=parts) == size


def test_without_weights_the_configuration_tells(tiny_llama: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_llama / "config.json", tmp_path)
    size, whole = size_of("any", folder=tmp_path), size_of("any", folder=tiny_llama)
    assert size is not None and whole is not None and size.source == "config"
    assert size.total == pytest.approx(whole.total, rel=0.02), "norms are not counted"
    assert size.depth == whole.depth and size.width == whole.width


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("meta-llama/Llama-2-7b-chat-hf", 7_000_000_000),
        ("meta-llama/Llama-2-13b-chat-hf", 13_000_000_000),
        ("Qwen/Qwen2.5-0.5B", 500_000_000),
        ("google/gemma-3-270m", 270_000_000),
        ("mistralai/Mixtral-8x7B-v0.1", 56_000_000_000),
        ("openai-community/gpt2", None),
        ("7b/model", None),
        ("org/base-v2.1b-x0b", 0),
    ],
)
def test_a_name_says_how_large_a_model_is_or_nothing(name: str, total: int | None) -> None:
    size = size_of(name)
    assert (size.total if size else None) == (total or None)
    assert size is None or size.source == "name"


@pytest.mark.parametrize("damage", [b"", b"GGUF", b"\xff" * 200, b"GGUF" + b"\xff" * 200])
def test_a_damaged_header_is_as_none(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(damage)
    (tmp_path / "model.gguf").write_bytes(damage)
    assert size_of("model", folder=tmp_path) is None
    assert size_of("model", gguf=[tmp_path / "model.gguf"]) is None
