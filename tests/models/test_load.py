"""From a source to a model in memory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from support.tiny import load_tiny
from support.training import train
from w2s.config import ModelSpec
from w2s.engine.choose import choose_batches, score_choices
from w2s.errors import InputError
from w2s.models.adapters import adapted
from w2s.models.device import choose_device, choose_dtype
from w2s.models.load import LanguageModel, load_model


def load(folder: Path, **spec: Any) -> LanguageModel:
    return load_model(folder, ModelSpec(name="mine", **{"device": "cpu", **spec}))


def refused(folder: Path, **spec: Any) -> str:
    with pytest.raises(InputError) as caught:
        load(folder, **spec)
    message = str(caught.value)
    assert "\n" not in message and "'mine'" in message
    return message


@pytest.fixture
def copy(tiny_llama: Path, tmp_path: Path) -> Path:
    """A model's folder, to be spoiled."""
    return Path(shutil.copytree(tiny_llama, tmp_path / "model"))


def scores(lm: LanguageModel) -> list[list[float]]:
    (batch,) = choose_batches(lm, ["Which country is Lyon in?"], [[" France", " Norway"]], tokens=4096)
    return score_choices(lm, batch)


def test_a_window_that_the_architecture_does_not_have_changes_nothing(copy: Path) -> None:
    plain = scores(load(copy))
    settings = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**settings, "sliding_window": 3}))
    assert scores(load(copy)) == plain


def test_a_device_that_is_not_here_is_refused_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for wanted in ("cuda", "mps", "xpu"):
        with pytest.raises(InputError, match=f"device '{wanted}' is not here: this machine's torch has cpu"):
            choose_device(wanted)
    with pytest.raises(InputError, match="unknown device 'gpu': expected auto, cuda, mps, cpu"):
        choose_device("gpu")
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")


def test_the_dtype_is_the_one_asked_for_or_bfloat16_where_that_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    assert choose_dtype("float16", cpu) == torch.float16
    for avx, amx, expected in ((0, 0, torch.float32), (1, 0, torch.bfloat16), (0, 1, torch.bfloat16)):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda avx=avx: bool(avx))
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda amx=amx: bool(amx))
        assert choose_dtype("auto", cpu) == expected
    assert choose_dtype("auto", torch.device("mps")) == torch.float32


def test_a_loaded_model_is_frozen_in_the_dtype_asked_for_and_says_so(
    tiny_llama: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "w2s")
    lm = load_model(tiny_llama, ModelSpec(name="mine", device="cpu", dtype="bfloat16"))
    parameters = list(lm.model.parameters())
    assert {parameter.dtype for parameter in parameters} == {torch.bfloat16}
    assert not any(parameter.requires_grad for parameter in parameters) and not lm.model.training
    assert caplog.messages == ["mine: 0M parameters · bfloat16 on cpu"]


def test_one_model_is_held_and_handed_out_again(
    tiny_llama: Path, tiny_gemma: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "w2s")
    spec = ModelSpec(name="mine", device="cpu", dtype="float32")
    first = load_model(tiny_llama, spec)
    again = load_model(tiny_llama, ModelSpec(name="x", device="cpu", dtype="float32", chat_template=True))
    assert again.model is first.model and again.chat_template and not first.chat_template and len(caplog.messages) == 1
    assert load_model(tiny_llama, ModelSpec(name="x", device="cpu", dtype="bfloat16")).model is not first.model
    load_model(tiny_gemma, spec)
    assert load_model(tiny_llama, spec).model is not first.model


def test_an_adapter_works_for_as_long_as_its_block_and_leaves_the_model_alone(tiny_gemma: Path, tmp_path: Path) -> None:
    lm = load_tiny(tiny_gemma)
    before, plain = {name: value.clone() for name, value in lm.model.state_dict().items()}, scores(lm)
    train(lm, tmp_path)
    with adapted(lm, tmp_path / "adapter") as tuned:
        assert scores(tuned)[0] != pytest.approx(plain[0], abs=0.1)
    assert scores(lm) == plain
    after = lm.model.state_dict()
    assert after.keys() == before.keys() and all(torch.equal(before[name], after[name]) for name in before)
    with pytest.raises(RuntimeError, match="in the block"), adapted(lm, tmp_path / "adapter"):
        raise RuntimeError("in the block")
    assert scores(lm) == plain
    with adapted(lm, None) as same:
        assert same is lm


@pytest.mark.parametrize("spoil", ["other model", "torn", "empty"])
def test_an_adapter_that_does_not_fit_is_refused_and_leaves_the_model_alone(
    tiny_llama: Path, tmp_path: Path, spoil: str
) -> None:
    lm = load_tiny(tiny_llama)
    train(lm, tmp_path, epochs=1)
    plain = scores(lm)
    adapter = tmp_path / "adapter"
    match spoil:
        case "other model":
            from safetensors.torch import load_file, save_file

            tensors = load_file(adapter / "adapter_model.safetensors")
            save_file(
                {name: value.repeat(2, 2) for name, value in tensors.items()}, adapter / "adapter_model.safetensors"
            )
        case "torn":
            (adapter / "adapter_model.safetensors").write_bytes(b"torn")
        case "empty":
            (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(InputError, match=f"adapter {adapter}") as caught, adapted(lm, adapter):
        pass
    assert "\n" not in str(caught.value)
    assert type(lm.model).__name__ == "LlamaForCausalLM" and scores(lm) == plain
    assert not [name for name, _ in lm.model.named_parameters() if "lora" in name]


def test_weights_that_are_torn_are_refused(copy: Path) -> None:
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert "cannot be loaded" in refused(copy)


def test_a_config_that_is_broken_or_of_no_known_kind_is_refused(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text("{")
    assert "cannot be loaded" in refused(copy)
    (copy / "config.json").write_text(json.dumps({**config, "model_type": "no-such-kind"}))
    assert "no-such-kind" in refused(copy)


def test_a_model_without_a_tokenizer_is_refused(copy: Path) -> None:
    for file in copy.glob("tokenizer*"):
        file.unlink()
    assert "cannot be loaded" in refused(copy)


def test_a_chat_template_that_is_not_there_is_refused(copy: Path) -> None:
    (copy / "chat_template.jinja").unlink()
    assert refused(copy, chat_template=True) == "model 'mine' has no chat template: expected chat_template: false"
    assert not load(copy).chat_template


def test_a_tokenizer_without_padding_gets_some(copy: Path) -> None:
    config = json.loads((copy / "tokenizer_config.json").read_text())
    del config["pad_token"]
    (copy / "tokenizer_config.json").write_text(json.dumps(config))
    lm = load(copy, dtype="float32")
    assert lm.tokenizer.pad_token_id == lm.tokenizer.eos_token_id is not None


def test_an_attention_that_does_not_exist_is_refused(copy: Path) -> None:
    assert "nonsense" in refused(copy, attention="nonsense")
    assert load(copy, attention="eager").model.config._attn_implementation == "eager"


def test_a_models_own_code_is_not_run_unless_it_is_trusted(copy: Path, tmp_path: Path) -> None:
    assert ModelSpec().trust_remote_code is False
    ran = tmp_path / "ran"
    (copy / "own.py").write_text(
        f"open({str(ran)!r}, 'w').close()\n"
        "from transformers import LlamaConfig, LlamaForCausalLM\n"
        "class OwnConfig(LlamaConfig):\n    model_type = 'own'\n"
        "class Own(LlamaForCausalLM):\n    config_class = OwnConfig\n"
    )
    config = json.loads((copy / "config.json").read_text())
    auto = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.Own"}
    (copy / "config.json").write_text(json.dumps({**config, "model_type": "own", "auto_map": auto}))
    assert "trust_remote_code" in refused(copy)
    assert not ran.exists()
    assert type(load(copy, trust_remote_code=True).model).__name__ == "Own"
    assert ran.exists(), "the test cannot fail"
