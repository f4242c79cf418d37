"""A LoRA layer as one operation: the same sums as peft's, with fewer passes over the activations.

peft computes `base(x) + B(A(dropout(x))) * scale` in separate operations, with a copy for each change of
dtype, and keeps the results of all of them for the backward pass. On a CPU these passes cost as much as the
matrix products. Here forward and backward each touch the activations once, the products accumulate into
the base layer's own result, and only the input and the rank-sized middle are kept.

Used for plain linear layers with one active adapter and no dropout, DoRA or bias; other layers stay with peft.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn

__all__ = ["fused_lora", "lora_linear"]


class _LoraLinear(torch.autograd.Function):
    """`x W' + scale (x A') B'` for a frozen `W`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float) -> Tensor:
        flat = x.reshape(-1, x.shape[-1])  # (tokens, in)
        a_low, b_low = a.to(weight.dtype), b.to(weight.dtype)
        middle = flat @ a_low.T  # (tokens, rank)
        out = flat @ weight.T if bias is None else torch.addmm(bias, flat, weight.T)
        out.addmm_(middle, b_low.T, alpha=scale)
        ctx.save_for_backward(flat, weight, a_low, b_low, middle)
        ctx.scale, ctx.shape, ctx.dtypes = scale, x.shape, (a.dtype, b.dtype)
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None, None, Tensor, Tensor, None]:
        flat, weight, a, b, middle = ctx.saved_tensors
        grad = grads[0].reshape(-1, grads[0].shape[-1]).to(weight.dtype)  # (tokens, out)
        grad_middle = (grad @ b).mul_(ctx.scale)  # (tokens, rank)
        grad_a = (grad_middle.T @ flat).to(ctx.dtypes[0])
        grad_b = (grad.T @ middle).to(ctx.dtypes[1]).mul_(ctx.scale)
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = (grad @ weight).addmm_(grad_middle, a).view(ctx.shape)
        return grad_x, None, None, grad_a, grad_b, None


def lora_linear(layer: LoraLinear, adapter: str, x: Tensor) -> Tensor:
    """What `layer(x)` returns, by the fused operation.

    Args:
        layer: A peft layer that `fused_lora` takes.
        adapter: Its adapter's name.
        x: (..., in)

    Returns:
        (..., out) in the dtype of the layer's weight.
    """
    base = layer.base_layer
    out: Tensor = _LoraLinear.apply(  # type: ignore[no-untyped-call]
        x.to(base.weight.dtype),
        base.weight,
        base.bias,
        layer.lora_A[adapter].weight,
        layer.lora_B[adapter].weight,
        layer.scaling[adapter],
    )
    return out


def _fits(layer: LoraLinear) -> bool:
    """Whether a layer is one that the fused operation computes."""
    adapters = layer.active_adapters
    if len(adapters) != 1 or layer.disable_adapters or layer.merged:
        return False
    name = adapters[0]
    return (
        type(layer.base_layer) is nn.Linear
        and not layer.base_layer.weight.requires_grad
        and isinstance(layer.lora_dropout[name], nn.Identity)
        and name not in layer.lora_variant
        and layer.lora_A[name].bias is None
        and layer.lora_B[name].bias is None
    )


@contextmanager
def fused_lora(model: nn.Module) -> Iterator[int]:
    """Compute the model's LoRA layers by the fused operation, for as long as the block lasts.

    Yields:
        How many layers it is used for.
    """
    fused: list[Any] = [module for module in model.modules() if type(module) is LoraLinear and _fits(module)]
    for layer in fused:
        layer.forward = partial(lora_linear, layer, layer.active_adapters[0])
    try:
        yield len(fused)
    finally:
        for layer in fused:
            del layer.forward
