"""transformers' Trainer with a weight an example, and the output head only where something is learned."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from accelerate.data_loader import BatchSamplerShard
from torch import Tensor, nn
from torch.utils.data import DataLoader

from w2s.config import TrainingSpec
from w2s.engine.masks import attention_mask
from w2s.errors import InputError
from w2s.models.load import LanguageModel
from w2s.training.batches import QuestionSampler, Share, is_idle, largest_block, longest_of, micro_batches_of
from w2s.training.checkpoint import SafeCheckpoints
from w2s.training.losses import Loss, token_cross_entropy
from w2s.training.relabel import relabel, shares_of

__all__ = ["WeightedTrainer", "denominator"]

_log = logging.getLogger("w2s.training")

# Tokens that go forward and backward at once: what is kept for the gradients grows with them. Of about 1,024 each takes
# longer on two cores: products with narrow layers are then at half their rate (benchmarks/matrix_rate.py).
_TOKENS = {"cpu": 1536, "cuda": 4096}


def denominator(batches: list[dict[str, Tensor]], normalization: str, form: str = "tokens") -> Tensor:
    """What the summed loss of an accumulated batch is divided by.

    "weights": the sum over what is supervised (tokens, or questions where options are compared) of its weight, so
    that equal weights, whatever they are, give the mean of plain supervised fine-tuning. "paper": every position of a
    batch padded to its longest row, prompt and padding included, as the mean over a full (rows, tokens) loss has it;
    or every question.

    Args:
        batches: The micro-batches of one optimizer step, from `Collator`.
        normalization: "weights" or "paper".
        form: That of the loss.

    Returns:
        A scalar.
    """
    total = torch.zeros(())
    if form == "options":
        for batch in batches:
            questions = batch["example"].max() + 1
            total = total + (questions if normalization == "paper" else batch["weight"].sum()).cpu()
        return total
    if normalization == "paper":
        width = max(longest_of(batch) for batch in batches)
        return torch.tensor(float(sum(len(batch["weight"]) for batch in batches) * width))
    for batch in batches:
        total = total + batch["weight"][batch["row"]].sum().cpu()
    return total


class WeightedTrainer(SafeCheckpoints):
    """Supervised fine-tuning in which each example's loss counts in proportion to its weight.

    The loss of a batch is the sum of the weighted losses of its tokens or questions, over a denominator
    taken once for all its micro-batches and processes; so the split into micro-batches changes nothing.
    """

    # The loss of a micro-batch is divided by the whole batch's denominator already.
    loss_is_scaled_for_ga = True
    data_collator: Any

    def __init__(
        self,
        *args: Any,
        lm: LanguageModel,
        spec: TrainingSpec,
        loss: Loss,
        question_ids: Sequence[str],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._question_ids = question_ids
        self._lm = lm
        self._spec = spec
        self._loss = loss
        self._tokens = _TOKENS.get(self.args.device.type, 4096)
        self._shares = shares_of(self.train_dataset) if loss.relabel is not None else {}

    def get_batch_samples(
        self, epoch_iterator: Iterator[dict[str, Tensor]], num_batches: int, device: torch.device
    ) -> tuple[list[dict[str, Tensor]], Tensor | None]:
        batches = [batch for _, batch in zip(range(num_batches), epoch_iterator, strict=False)]
        if not batches:
            return batches, None
        own = [batch for batch in batches if not is_idle(batch)]
        if self._loss.relabel is not None:
            logprobs = [self._own_logprobs(batch) for batch in own]
            relabel(self._loss, own, logprobs, self._shares, self._done, processes=self.args.world_size)
        if self.args.world_size == 1:
            return batches, self._denominator(own).to(device)
        if self._spec.normalization == "paper" and self._loss.form == "tokens":
            rows = torch.tensor(float(sum(len(batch["weight"]) for batch in own)), device=device)
            width = torch.tensor(float(max(map(longest_of, own), default=0)), device=device)
            # The batch is as wide as its longest row, whichever process holds it.
            return batches, self.accelerator.gather(rows).sum() * self.accelerator.gather(width).max()
        return batches, self.accelerator.gather(self._denominator(own).to(device)).sum()

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Every process draws the whole batch, as a single one would, and collates its share of it."""
        if self.args.world_size == 1:
            return _not_sharded(super().get_train_dataloader())
        whole = self.data_collator
        self.data_collator = Share(whole, self.args.process_index, self.args.world_size)
        try:
            return _not_sharded(super().get_train_dataloader())
        finally:
            self.data_collator = whole

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if self._spec.order == "questions":
            return QuestionSampler(self._question_ids, self.args.seed)
        return super()._get_train_sampler(train_dataset)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader[Any]:
        """Every process evaluates on all that is held out: in the batches of a single one, whose mean is taken."""
        return _not_sharded(super().get_eval_dataloader(eval_dataset))

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        if self.args.world_size > 1:
            self.gather_function = self._own_losses
        return super().evaluation_loop(*args, **kwargs)

    def _own_losses(self, losses: Tensor) -> Tensor:
        """What accelerate gathers in a single process: the loss of a batch once for each example of a full one."""
        state = self.accelerator.gradient_state
        return losses[: state.remainder] if state.end_of_dataloader and state.remainder > 0 else losses

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
                together = largest_block(inputs)
                smallest = rows == together or self._tokens <= together * width
                checkpoints = self._lm.model.is_activation_checkpointing
                # Only where no other micro-batch or process has a share in this step can it be begun anew.
                alone = self.args.gradient_accumulation_steps == 1 and self.args.world_size == 1
                if smallest and (checkpoints or not alone):
                    rows_of = "one row" if together == 1 else f"a group's {together} rows"
                    raise InputError(
                        f"training needs more memory than there is, with {rows_of} of {width} tokens at a time: "
                        f"expected{'' if checkpoints else ' gradient_checkpointing: true, or'} a lower max_length"
                    ) from None
                if not alone:
                    raise
                if smallest:
                    _log.info("one row does not fit into memory: gradient checkpointing from here on")
                    self._lm.model.activation_checkpointing_enable({"use_reentrant": False})
                else:
                    self._tokens = max(together * width, min(self._tokens, rows * width) // 2)
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

    def prediction_step(
        self, model: nn.Module, inputs: dict[str, Tensor], *args: Any, **kwargs: Any
    ) -> tuple[Tensor, None, None]:
        """The loss of a batch that is watched, in parts as in training."""
        inputs = self._prepare_inputs(inputs)
        total = self._denominator([inputs])
        with torch.no_grad():
            parts = micro_batches_of(inputs, tokens=self._tokens)
            losses = [self.compute_loss(model, part, num_items_in_batch=total) for part in parts]
        return torch.stack(losses).sum(), None, None

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        outputs, sources = self._forward(model, inputs)
        logits, targets, rows = outputs.logits, inputs["target"], inputs["row"]
        if is_idle(inputs):
            return logits.sum() * 0.0
        if self._loss.form == "options":
            losses = self._option_losses(_completions(logits, sources, inputs), inputs)
        else:
            shared = len(logits) < len(targets)
            losses = self._loss(logits[sources] if shared else logits, targets, inputs["weight"][rows], self._done)
        total = torch.as_tensor(num_items_in_batch, device=losses.device)
        # Gradients are averaged over processes, and the denominator is already that of all of them.
        loss = losses.sum() / total * (self.accelerator.num_processes if model.training else 1)
        return (loss, outputs) if return_outputs else loss

    @property
    def _done(self) -> float:
        """Share of the training that is done."""
        return float(self.state.global_step / max(1, self.state.max_steps))

    def _forward(self, model: nn.Module, inputs: dict[str, Tensor]) -> tuple[Any, Tensor]:
        """What the model says where a token is learned: its output, and (tokens,) the row of its logits for each."""
        predicts = torch.zeros_like(inputs["input_ids"], dtype=torch.bool)
        place = inputs["place"][inputs["row"]]
        predicts[place, inputs["slot"]] = True
        logits_of = (predicts.flatten().cumsum(0) - 1).view_as(predicts)
        apart: dict[str, Any] = {}
        if "ends" in inputs:
            apart["attention_mask"] = attention_mask(self._lm, ends=inputs["ends"], positions=inputs["positions"])
            apart["position_ids"] = inputs["positions"]
        with self._compute_dtype():
            outputs = model(input_ids=inputs["input_ids"], logits_to_keep=predicts, use_cache=False, **apart)
        return outputs, logits_of[place, inputs["slot"]]

    def _own_logprobs(self, batch: dict[str, Tensor]) -> Tensor:
        """(training rows,) log-probability of each completion by the student as it is: no dropout, no gradient."""
        self.model.eval()
        logprobs = torch.zeros(len(batch["weight"]), device=batch["weight"].device)
        try:
            with torch.no_grad():
                for part in micro_batches_of(batch, tokens=self._tokens):
                    outputs, sources = self._forward(self.model, part)
                    logprobs += _completions(outputs.logits, sources, part)
        finally:
            self.model.train()
        return logprobs

    def _denominator(self, batches: list[dict[str, Tensor]]) -> Tensor:
        return denominator(batches, self._spec.normalization, self._loss.form)

    def _option_losses(self, logprobs: Tensor, inputs: dict[str, Tensor]) -> Tensor:
        """(questions,) losses of the questions whose rows are in this part of a batch.

        Args:
            logprobs: (training rows,) of the completions; 0 of those that are not in this part.
            inputs: The part.
        """
        weights, example = inputs["weight"], inputs["example"]
        place = inputs["place"]
        # In the table's order: the options of a question one after the other.
        here = ((place >= 0) & (place < len(inputs["used"]))).nonzero().squeeze(-1)
        _, question, options = torch.unique(example[here], return_inverse=True, return_counts=True)
        losses = []
        for count in options.unique().tolist():
            alike = here[(options == count)[question]].view(-1, count)  # (questions, options)
            whole = weights[alike].sum(-1)
            soft = weights[alike] / whole[:, None]
            losses.append(self._loss(logprobs[alike], soft, whole, self._done))
        return torch.cat(losses)

    def _compute_dtype(self) -> AbstractContextManager[Any]:
        """The adapters are held in float32 for the optimizer, and computed in the dtype of the model below them."""
        if self._lm.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self._lm.device.type, self._lm.dtype)


def _not_sharded(loader: Any) -> DataLoader[Any]:
    """A loader of accelerate's that gives each process all batches, where it would deal them out."""
    shards = loader.batch_sampler
    if isinstance(shards, BatchSamplerShard):
        shards.num_processes, shards.process_index, shards.even_batches = 1, 0, False
    found: DataLoader[Any] = loader
    return found


def _completions(logits: Tensor, sources: Tensor, inputs: dict[str, Tensor]) -> Tensor:
    """(training rows,) log-probability of a row's whole completion; 0 where none of it is in this part of a batch.

    Args:
        logits: (positions, vocabulary) where a token is learned.
        sources: (tokens,) the row of the logits that predicts each token.
        inputs: The part.
    """
    logprobs = torch.zeros(len(inputs["weight"]), device=logits.device)
    return logprobs.index_add(0, inputs["row"], -token_cross_entropy(logits, inputs["target"], sources))
