"""transformers' Trainer with a weight an example, and the output head only where something is learned."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from w2s.config import TrainingSpec
from w2s.engine.masks import attention_mask
from w2s.errors import InputError
from w2s.models.load import LanguageModel
from w2s.training.checkpoint import SafeCheckpoints
from w2s.training.data import IGNORED, longest_of, micro_batches_of
from w2s.training.losses import Loss

__all__ = ["WeightedTrainer", "denominator"]

_log = logging.getLogger("w2s.training")

# Tokens that go forward and backward at once: what is kept for the gradients grows with them. Of about 1,024 each takes
# longer on two cores: products with narrow layers are then at half their rate (benchmarks/matrix_rate.py).
_TOKENS = {"cpu": 1536, "cuda": 4096}


def denominator(batches: list[dict[str, Tensor]], normalization: str) -> Tensor:
    """What the summed loss of an accumulated batch is divided by.

    "weights": the sum over supervised tokens of their example's weight, so that equal weights, whatever they
    are, give the token mean of plain supervised fine-tuning. "paper": every position of a batch padded to
    its longest example, prompt and padding included, as the mean over a full (examples, tokens) loss has it.

    Args:
        batches: The micro-batches of one optimizer step, from `Collator`.
        normalization: "weights" or "paper".

    Returns:
        A scalar.
    """
    if normalization == "paper":
        width = max(longest_of(batch) for batch in batches)
        return torch.tensor(float(sum(len(batch["weight"]) for batch in batches) * width))
    total = torch.zeros(())
    for batch in batches:
        total = total + batch["weight"][batch["example"][batch["labels"] != IGNORED]].sum().cpu()
    return total


class WeightedTrainer(SafeCheckpoints):
    """Supervised fine-tuning in which each example's loss counts in proportion to its weight.

    The loss of a batch is the sum of weight x cross-entropy over supervised tokens, over a denominator
    taken once for all its micro-batches and processes; so the split into micro-batches changes nothing.
    """

    # The loss of a micro-batch is divided by the whole batch's denominator already.
    loss_is_scaled_for_ga = True

    def __init__(self, *args: Any, lm: LanguageModel, spec: TrainingSpec, loss: Loss, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lm = lm
        self._spec = spec
        self._loss = loss
        self._tokens = _TOKENS.get(self.args.device.type, 4096)

    def get_batch_samples(
        self, epoch_iterator: Iterator[dict[str, Tensor]], num_batches: int, device: torch.device
    ) -> tuple[list[dict[str, Tensor]], Tensor | None]:
        batches = [batch for _, batch in zip(range(num_batches), epoch_iterator, strict=False)]
        if not batches:
            return batches, None
        total = denominator(batches, self._spec.normalization).to(device)
        if self.args.world_size > 1:
            count = torch.tensor(float(sum(len(batch["weight"]) for batch in batches)), device=device)
            count, total = self.accelerator.gather(count), self.accelerator.gather(total)  # (processes,) each
            # The batch is as wide as its longest example, whichever process holds it.
            total = count.sum() * (total / count).max() if self._spec.normalization == "paper" else total.sum()
        return batches, total

    def training_step(
        self, model: nn.Module, inputs: dict[str, Tensor], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """Forward and backward in parts that fit a processor's cache, or a GPU's memory; the gradients add up.

        Where memory ends, the step is begun anew in smaller parts, and at last with activations computed twice.
        """
        while True:
            try:
                return self._in_micro_batches(model, inputs, num_items_in_batch)
            except torch.OutOfMemoryError:
                rows, width = inputs["input_ids"].shape
                smallest = rows == 1 or self._tokens <= width
                checkpoints = self._lm.model.is_activation_checkpointing
                # Only where no other micro-batch or process has a share in this step can it be begun anew.
                alone = self.args.gradient_accumulation_steps == 1 and self.args.world_size == 1
                if smallest and (checkpoints or not alone):
                    raise InputError(
                        f"training needs more memory than there is, with one row of {width} tokens at a time: expected"
                        f"{'' if checkpoints else ' gradient_checkpointing: true, or'} a lower max_length"
                    ) from None
                if not alone:
                    raise
                if smallest:
                    _log.info("one row does not fit into memory: gradient checkpointing from here on")
                    self._lm.model.activation_checkpointing_enable({"use_reentrant": False})
                else:
                    self._tokens = max(width, min(self._tokens, rows * width) // 2)
                model.zero_grad()

    def _in_micro_batches(
        self, model: nn.Module, inputs: dict[str, Tensor], num_items_in_batch: Tensor | int | None
    ) -> Tensor:
        parts = list(micro_batches_of(inputs, tokens=self._tokens))
        loss = torch.zeros((), device=self.args.device)
        for index, part in enumerate(parts):
            last = index == len(parts) - 1
            # Processes may have different numbers of parts; they meet after the last.
            with nullcontext() if last else self.accelerator.no_sync(model):
                loss = loss + super().training_step(model, part, num_items_in_batch)
        return loss

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        labels = inputs["labels"]
        predicts = torch.zeros_like(labels, dtype=torch.bool)
        predicts[:, :-1] = labels[:, 1:] != IGNORED
        apart: dict[str, Any] = {}
        if "ends" in inputs:
            apart["attention_mask"] = attention_mask(self._lm, ends=inputs["ends"], positions=inputs["positions"])
            apart["position_ids"] = inputs["positions"]
        with self._compute_dtype(model, labels.device):
            outputs = model(input_ids=inputs["input_ids"], logits_to_keep=predicts, use_cache=False, **apart)
        targets = labels[:, 1:][predicts[:, :-1]]  # (supervised,)
        weights = inputs["weight"][inputs["example"][predicts]]
        losses = self._loss(outputs.logits, targets, weights, self.state.global_step / max(1, self.state.max_steps))
        if not model.training:  # Trainer then gives a plain count of tokens
            num_items_in_batch = denominator([inputs], self._spec.normalization)
        total = torch.as_tensor(num_items_in_batch, device=losses.device)
        # Gradients are averaged over processes, and the denominator is already that of all of them.
        loss = losses.sum() / total * (self.accelerator.num_processes if model.training else 1)
        return (loss, outputs) if return_outputs else loss

    @staticmethod
    def _compute_dtype(model: nn.Module, device: torch.device) -> AbstractContextManager[Any]:
        """The adapters are held in float32 for the optimizer, and computed in the dtype of the model below them."""
        frozen = next(parameter for parameter in model.parameters() if not parameter.requires_grad)
        if frozen.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(device.type, frozen.dtype)
