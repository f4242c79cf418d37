"""A training that begins with the values of an adapter."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from support.tiny import load_tiny
from support.training import CITIES, Run, same, train, training_set
from w2s.errors import InputError
from w2s.models.load import LanguageModel

LEARNED: dict[str, Any] = {"epochs": 15, "batch_size": 10}


@pytest.fixture(scope="module")
def learned(lm: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """An adapter that has learned something."""
    return train(lm, tmp_path_factory.mktemp("learned"), **LEARNED)


def test_the_first_loss_is_that_of_the_adapter_it_begins_from(lm: LanguageModel, learned: Run, tmp_path: Path) -> None:
    fresh = train(lm, tmp_path / "1", batch_size=10, epochs=1)
    going_on = train(lm, tmp_path / "2", init=learned.out / "adapter", batch_size=10, epochs=1)
    assert fresh.losses[0] == pytest.approx(learned.losses[0], rel=1e-5)
    assert going_on.losses[0] < learned.losses[-1] < fresh.losses[0] - 1


def test_a_step_of_almost_nothing_leaves_the_values(lm: LanguageModel, learned: Run, tmp_path: Path) -> None:
    run = train(lm, tmp_path, init=learned.out / "adapter", learning_rate=1e-12, epochs=1)
    assert same(run.adapter, learned.adapter, 1e-6)


def test_a_run_from_an_adapter_that_is_killed_ends_in_the_same_adapter(
    lm: LanguageModel, learned: Run, tmp_path: Path
) -> None:
    def interrupted(done: int, total: int, unit: str, tokens: int = 0) -> None:
        if done == 5:
            raise KeyboardInterrupt

    init = learned.out / "adapter"
    whole = train(lm, tmp_path / "1", init=init)
    with pytest.raises(KeyboardInterrupt):
        train(lm, tmp_path / "2", init=init, progress=interrupted)
    again = train(lm, tmp_path / "2", init=init)
    assert again.said == ["going on from step 4 of 6"] and same(whole.adapter, again.adapter)


def test_an_adapter_is_loaded_by_peft_alone_with_its_own_tokenizer(
    tiny_llama: Path, lm: LanguageModel, learned: Run
) -> None:
    adapter = learned.out / "adapter"
    assert str(tiny_llama) not in "".join(path.read_text() for path in adapter.glob("*.json"))
    assert not (adapter / "README.md").exists()  # peft's form
    tokenizer = AutoTokenizer.from_pretrained(adapter)
    inputs = tokenizer("Question: one?", return_tensors="pt")
    assert inputs["input_ids"].tolist() == lm.tokenizer("Question: one?", return_tensors="pt")["input_ids"].tolist()
    assert tokenizer.chat_template == lm.tokenizer.chat_template
    base = AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=torch.float32).eval()
    with torch.no_grad():
        before = base(**inputs).logits
        after = PeftModel.from_pretrained(base, str(adapter)).eval()(**inputs).logits
    assert after.shape == before.shape and not torch.allclose(after, before, atol=1e-3)


def changed_config(folder: Path, **changes: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def changed_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def narrow(tensors: dict[str, torch.Tensor]) -> None:
    tensors.update({name: value[:, :3].clone() for name, value in tensors.items()})


def spoil(tensors: dict[str, torch.Tensor]) -> None:
    next(iter(tensors.values()))[0, 0] = float("nan")


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "rank": (lambda folder: changed_config(folder, r=8), "its rank is 8, expected lora.rank 4"),
    "alpha": (lambda folder: changed_config(folder, lora_alpha=99), "its alpha is 99, expected lora.alpha 8"),
    "config": (lambda folder: (folder / "adapter_config.json").write_text("{"), "adapter_config.json cannot be read"),
    "no settings": (lambda folder: (folder / "adapter_config.json").write_text("[1]"), "holds no settings"),
    "missing": (
        lambda folder: (folder / "adapter_model.safetensors").unlink(),
        "model.safetensors cannot be read",
    ),
    "torn": (lambda folder: (folder / "adapter_model.safetensors").write_bytes(b"half"), "cannot be read"),
    "fewer": (
        lambda folder: changed_tensors(folder, lambda tensors: tensors.popitem()),
        "is not of this model: it has no ",
    ),
    "shape": (lambda folder: changed_tensors(folder, narrow), "expected (4, "),
    "nan": (lambda folder: changed_tensors(folder, spoil), "holds NaN or infinity"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_adapter_of_another_form_is_refused_in_one_line(
    tiny_llama: Path, learned: Run, tmp_path: Path, case: str
) -> None:
    change, message = REFUSED[case]
    shutil.copytree(learned.out / "adapter", tmp_path / "init")
    change(tmp_path / "init")
    model = load_tiny(tiny_llama)
    with pytest.raises(InputError) as caught:
        train(model, tmp_path / "out", init=tmp_path / "init")
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not hasattr(model.model, "peft_config")
    train(model, tmp_path / "afterwards", training_set(rows=CITIES[:4]), epochs=1)


def test_an_adapter_of_other_targets_is_refused(lm: LanguageModel, learned: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not of this model: it has base_model"):
        train(lm, tmp_path, init=learned.out / "adapter", lora={"targets": ["q_proj"]})
