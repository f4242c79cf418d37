"""The blockwise cross-entropy against torch's own."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from w2s.engine import logits as engine_logits
from w2s.training.losses import token_cross_entropy


@given(
    tokens=st.integers(0, 9), vocabulary=st.integers(1, 40), block=st.integers(1, 100), scale=st.sampled_from([1, 60])
)
def test_losses_and_gradients_are_those_of_torch(tokens: int, vocabulary: int, block: int, scale: int) -> None:
    torch.manual_seed(tokens + 10 * vocabulary)
    logits = (scale * torch.randn(tokens, vocabulary)).requires_grad_()
    targets = torch.randint(vocabulary, (tokens,))
    pull = torch.rand(tokens)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_logits, "_BLOCK", {"cpu": block})
        found = token_cross_entropy(logits, targets)
        (grad,) = torch.autograd.grad(found @ pull, logits)
    expected = functional.cross_entropy(logits, targets, reduction="none")
    (expected_grad,) = torch.autograd.grad(expected @ pull, logits)
    assert torch.allclose(found, expected, atol=1e-5 * scale)
    assert torch.allclose(grad, expected_grad, atol=1e-5)


def test_bfloat16_logits_are_summed_in_float32() -> None:
    torch.manual_seed(0)
    logits = torch.randn(20, 3000, dtype=torch.bfloat16)
    targets = torch.randint(3000, (20,))
    found = token_cross_entropy(logits, targets)
    assert found.dtype == torch.float32
    assert torch.allclose(found, functional.cross_entropy(logits.float(), targets, reduction="none"), atol=1e-4)


@given(st.integers(1, 5), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=12))
def test_tokens_predicted_by_one_row_are_as_by_copies_of_it(rows: int, tokens: list[tuple[int, int]]) -> None:
    torch.manual_seed(0)
    logits = torch.randn(rows, 7, requires_grad=True)
    sources = torch.tensor([source % rows for source, _ in tokens])
    targets = torch.tensor([target for _, target in tokens])
    weights = torch.arange(1.0, 1 + len(tokens))
    found = token_cross_entropy(logits, targets, sources)
    (grad,) = torch.autograd.grad((found * weights).sum(), logits)
    expected = functional.cross_entropy(logits[sources], targets, reduction="none")
    (expected_grad,) = torch.autograd.grad((expected * weights).sum(), logits)
    assert torch.allclose(found, expected, atol=1e-5) and torch.allclose(grad, expected_grad, atol=1e-4)
