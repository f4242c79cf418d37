"""Soft labels that a student's own predictions have a say in: taken over a whole optimizer step, before its loss."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from accelerate.utils import gather_object
from torch import Tensor

from w2s.training.data import Example
from w2s.training.losses import Loss

__all__ = ["relabel", "shares_of"]


def shares_of(examples: Sequence[Example]) -> dict[int, Tensor]:
    """What share of all weight the rows at each place of their group have.

    Args:
        examples: Of the training set.

    Returns:
        (options,) for each number of options that there is; sums to one.
    """
    totals: dict[int, list[float]] = {}
    for example in examples:
        sums = totals.setdefault(len(example), [0.0] * len(example))
        for place, row in enumerate(example):
            sums[place] += row.weight
    return {size: torch.tensor(sums) / sum(sums) for size, sums in totals.items()}


def relabel(
    loss: Loss,
    batches: Sequence[dict[str, Tensor]],
    logprobs: Sequence[Tensor],
    shares: dict[int, Tensor],
    progress: float,
    *,
    processes: int = 1,
) -> None:
    """Put the labels that a loss makes of them in place of a step's soft labels; each question keeps its weight.

    Args:
        loss: With a `relabel`.
        batches: The micro-batches of one optimizer step, from `Collator`; their `weight` is changed.
        logprobs: (training rows,) of each micro-batch: what the student says of a row's whole completion.
        shares: From `shares_of`.
        progress: Share of the training that is done.
        processes: How many have a part of the step.
    """
    assert loss.relabel is not None
    groups: list[tuple[Tensor, Tensor]] = []  # the weights that a question is in, and its rows there
    mine: list[tuple[list[float], list[float]]] = []
    for batch, own in zip(batches, logprobs, strict=True):
        for number in range(int(batch["example"].max()) + 1):
            rows = (batch["example"] == number).nonzero().squeeze(-1)
            weights = batch["weight"][rows]
            groups.append((batch["weight"], rows))
            mine.append((own[rows].tolist(), (weights / weights.sum()).tolist()))
    everyone, start = mine, 0
    if processes > 1:
        everyone = gather_object(mine)
        start = sum(gather_object([len(mine)])[: torch.distributed.get_rank()])
    alike: dict[int, list[int]] = defaultdict(list)
    for index, (options, _) in enumerate(everyone):
        alike[len(options)].append(index)
    labels: dict[int, Tensor] = {}
    for size, indices in alike.items():
        said, given = (torch.tensor([everyone[index][part] for index in indices]) for part in (0, 1))
        made = loss.relabel(said, given, shares[size], progress, **loss.settings)
        labels.update(zip(indices, made, strict=True))
    for index, (weights, rows) in enumerate(groups):
        weights[rows] = weights[rows].sum() * labels[start + index].to(weights)
