"""The fused LoRA layer against peft's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

from support.tiny import load_tiny
from w2s.models.load import LanguageModel
from w2s.training.fused_lora import fused_lora

LAYERS = 2 * 7  # linear layers of the tiny models, without the output head
IDS = torch.arange(3, 33).reshape(2, 15)


@contextmanager
def with_adapter(lm: LanguageModel, **changes: Any) -> Iterator[nn.Module]:
    """The model with an adapter whose two halves are random: as peft starts them, B is zero and hides mistakes."""
    settings = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "bias": "none", **changes}
    model = get_peft_model(lm.model, LoraConfig(task_type="CAUSAL_LM", **settings))
    torch.manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            nn.init.normal_(parameter, std=0.2)
    try:
        yield model
    finally:
        model.unload()
        lm.model.requires_grad_(False)


def outcome(model: nn.Module, dtype: torch.dtype = torch.float32) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits, and the gradient of each trained parameter under a loss that all of them move."""
    model.zero_grad()
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        logits = model(input_ids=IDS, use_cache=False).logits
    logits.float().log_softmax(-1)[..., 7].sum().backward()
    grads = {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad and p.grad is not None}
    return logits.detach().float(), grads


def distance(one: Tensor, other: Tensor) -> float:
    return ((one.float() - other.float()).norm() / one.float().norm()).item()


@pytest.mark.parametrize("architecture", ["llama", "qwen", "gemma"])
def test_forward_and_gradients_are_pefts_in_float32(architecture: str, request: pytest.FixtureRequest) -> None:
    lm = load_tiny(request.getfixturevalue(f"tiny_{architecture}"))
    with with_adapter(lm) as model:
        logits, grads = outcome(model)
        with fused_lora(model) as layers:
            fused_logits, fused_grads = outcome(model)
    assert layers == LAYERS
    assert distance(logits, fused_logits) < 2e-6
    assert grads.keys() == fused_grads.keys() and len(grads) == 2 * LAYERS
    assert max(distance(grads[name], fused_grads[name]) for name in grads) < 1e-5


def test_in_bfloat16_it_is_no_further_from_float32_than_peft(tiny_llama: Path) -> None:
    with with_adapter(load_tiny(tiny_llama)) as model:
        logits, grads = outcome(model)
    with with_adapter(load_tiny(tiny_llama, dtype="bfloat16")) as model:
        peft_logits, peft_grads = outcome(model, torch.bfloat16)
        with fused_lora(model) as layers:
            fused_logits, fused_grads = outcome(model, torch.bfloat16)
    assert layers == LAYERS
    assert distance(logits, fused_logits) < max(0.03, 1.5 * distance(logits, peft_logits))
    assert all(grad.dtype == torch.float32 for grad in fused_grads.values())
    for name, grad in grads.items():
        assert distance(grad, fused_grads[name]) < max(0.06, 1.5 * distance(grad, peft_grads[name]))


@given(
    rows=st.integers(1, 4),
    inputs=st.integers(1, 9),
    outputs=st.integers(1, 9),
    rank=st.integers(1, 5),
    bias=st.booleans(),
)
def test_a_layer_of_any_shape_matches_peft(rows: int, inputs: int, outputs: int, rank: int, bias: bool) -> None:
    torch.manual_seed(rows + 10 * inputs + 100 * outputs)
    model: Any = get_peft_model(
        nn.ModuleDict({"layer": nn.Linear(inputs, outputs, bias=bias)}),  # type: ignore[arg-type]
        LoraConfig(r=rank, lora_alpha=3, target_modules=["layer"]),
    )
    layer = model.base_model.model["layer"]
    nn.init.normal_(layer.lora_B["default"].weight)
    x = torch.randn(2, rows, inputs, requires_grad=True)
    pull = torch.randn(2, rows, outputs)

    def run() -> list[Tensor]:
        out = layer(x)
        trained = [x, layer.lora_A["default"].weight, layer.lora_B["default"].weight]
        return [out, *torch.autograd.grad((out * pull).sum(), trained)]

    expected = run()
    with fused_lora(model) as layers:
        found = run()
    assert layers == 1
    for one, other in zip(expected, found, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "changes", [{"lora_dropout": 0.1}, {"use_dora": True}, {"lora_bias": True}, {"target_modules": ["embed_tokens"]}]
)
def test_layers_that_it_does_not_compute_stay_with_peft(lm: LanguageModel, changes: dict[str, Any]) -> None:
    with with_adapter(lm, **changes) as model:
        model.eval()
        logits, _ = outcome(model)
        with fused_lora(model) as layers:
            again, _ = outcome(model)
    assert layers == 0 and torch.equal(logits, again)


def test_a_disabled_or_merged_adapter_stays_with_peft(lm: LanguageModel) -> None:
    with with_adapter(lm) as model:
        with model.disable_adapter(), fused_lora(model) as layers:  # type: ignore[operator]
            assert layers == 0
        model.merge_adapter()  # type: ignore[operator]
        with fused_lora(model) as layers:
            assert layers == 0
        model.unmerge_adapter()  # type: ignore[operator]


def test_after_the_block_the_layers_are_pefts_again_even_after_an_error(lm: LanguageModel) -> None:
    with with_adapter(lm) as model:
        before = {name for name, module in model.named_modules() if "forward" in vars(module)}
        with pytest.raises(RuntimeError, match="in the block"), fused_lora(model):
            raise RuntimeError("in the block")
        assert {name for name, module in model.named_modules() if "forward" in vars(module)} == before
