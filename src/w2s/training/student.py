"""LoRA fine-tuning of a causal language model on a training set: the student, the ceiling, the weak supervisor."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from peft.helpers import disable_input_dtype_casting
from torch import nn
from transformers import TrainingArguments, set_seed
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from w2s.config import TrainingSpec
from w2s.engine.masks import takes_masks
from w2s.errors import InputError
from w2s.files import atomic_write, remove
from w2s.models.checks import check_length
from w2s.models.compiled import compiled_layers, is_worth_compiling
from w2s.models.load import LanguageModel
from w2s.progress import Progress, no_progress
from w2s.training.adapters import new_adapter, save_adapter
from w2s.training.batches import Collator
from w2s.training.data import Tokens, TrainingRow, encode_training_set
from w2s.training.fused_lora import fused_lora
from w2s.training.losses import get_loss
from w2s.training.watch import Watch
from w2s.training.weighted_trainer import WeightedTrainer

__all__ = ["TrainingReport", "train_student"]

# Tokens of the longest row for which plain attention is the faster one, of layers as they are and of compiled ones.
_SHORT, _SHORT_COMPILED = 256, 384

_log = logging.getLogger("w2s.training")


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """What a training run did.

    Attributes:
        rows: Rows trained on; a group has several.
        eval_rows: Rows held out and watched.
        steps: Optimizer steps.
        tokens: In one epoch, padding not counted.
        truncated: Prompts that lost their beginning to fit.
        zero_weight: Rows left out because their weight is zero.
        loss: Mean over the last tenth of the steps.
        seconds: Since this process began or went on with the run.
    """

    rows: int
    eval_rows: int
    steps: int
    tokens: int
    truncated: int
    zero_weight: int
    loss: float
    seconds: float


def _hold_out(tokens: Tokens, fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Split examples into trained and watched, by question: those of one question never land on both sides."""
    if fraction == 0:
        return list(range(len(tokens.examples))), []
    questions = sorted(set(tokens.question_ids))
    count = round(len(questions) * fraction)
    drawn = np.random.default_rng(seed).permutation(len(questions))[:count]
    held = {questions[index] for index in drawn}
    sides: tuple[list[int], list[int]] = ([], [])
    for index, question_id in enumerate(tokens.question_ids):
        sides[question_id in held].append(index)
    if not sides[0]:
        raise InputError(f"eval_fraction {fraction} of {len(questions)} questions leaves none to train on")
    return sides


def _arguments(
    lm: LanguageModel, spec: TrainingSpec, *, seed: int, steps: int, evaluates: bool, folder: Path
) -> TrainingArguments:
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=spec.epochs,
        learning_rate=spec.learning_rate,
        lr_scheduler_type=spec.schedule,
        warmup_steps=round(spec.warmup_ratio * steps),
        weight_decay=spec.weight_decay,
        max_grad_norm=spec.max_grad_norm,
        activation_checkpointing=spec.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if spec.gradient_checkpointing else None,
        seed=seed,
        data_seed=seed,
        use_cpu=lm.device.type == "cpu",
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps" if spec.checkpoints > 1 else "no",
        save_steps=max(1, math.ceil(steps / max(1, spec.checkpoints))),
        eval_strategy="epoch" if evaluates else "no",
        remove_unused_columns=False,
        prediction_loss_only=True,
        label_names=["target"],
        disable_tqdm=True,
        report_to=[],
        dataloader_pin_memory=lm.device.type == "cuda",
    )
    _put_on(arguments, lm.device)
    micro = min(spec.micro_batch_size or spec.batch_size, spec.batch_size)
    together = min(micro * arguments.world_size, spec.batch_size)  # of all processes
    if spec.batch_size % together:
        raise InputError(
            f"micro_batch_size {micro} in {arguments.world_size} processes does not divide batch_size {spec.batch_size}"
        )
    arguments.per_device_train_batch_size, arguments.per_device_eval_batch_size = together, micro
    arguments.gradient_accumulation_steps = spec.batch_size // together
    return arguments


def _put_on(arguments: TrainingArguments, device: torch.device) -> None:
    """Train where the model is: by itself, Trainer takes the first GPU that it sees, and spreads batches over all."""
    arguments._n_gpu = min(1, arguments.n_gpu)
    if arguments.world_size == 1 and device.type == "cuda":
        torch.cuda.set_device(device)
        vars(arguments)["_setup_devices"] = device
        arguments.distributed_state.device = device


def _attention_for(lm: LanguageModel, rows: list[TrainingRow], compiles: bool) -> str:
    """The attention that trains fastest: on a CPU, plain matrix products for short rows, whose scores fit its cache."""
    longest = max(len(row.ids) for row in rows)
    if lm.automatic_attention and lm.device.type == "cpu" and longest <= (_SHORT_COMPILED if compiles else _SHORT):
        return "eager"
    return str(lm.model.config._attn_implementation)


@contextmanager
def _attending(lm: LanguageModel, attention: str) -> Iterator[None]:
    """Compute with that attention, for as long as the block lasts."""
    own = lm.model.config._attn_implementation
    lm.model.set_attn_implementation(attention)
    try:
        yield
    finally:
        lm.model.set_attn_implementation(own)


def _fast_layers(lm: LanguageModel, model: nn.Module, compiles: bool) -> AbstractContextManager[object]:
    """Layers as torch compiles them, or else with LoRA fused by hand."""
    return compiled_layers(lm) if compiles else fused_lora(model)


def train_student(
    lm: LanguageModel,
    table: pa.Table,
    spec: TrainingSpec,
    *,
    seed: int,
    out: Path,
    init: Path | None = None,
    progress: Progress = no_progress,
) -> TrainingReport:
    """Fine-tune an adapter on a training set.

    Goes on from the last checkpoint where `out` holds one, to the same adapter as without the break. The
    model itself is left as it was.

    Args:
        lm: The model under the adapter.
        table: With the columns of `tables.TRAINING_SET`.
        spec: The settings.
        seed: Of the adapter's first values, the order of the rows and dropout.
        out: A folder; the adapter goes to `out/adapter`, the losses to `out/log.jsonl`. Where it holds checkpoints,
            they must be of this very training: in the store, a step's key sees to that.
        init: The folder of an adapter of the same rank, scale and targets, to begin from; by default a fresh one.
        progress: Is told the steps done and the tokens trained on so far.

    Returns:
        What the run did; also written to `out/training.json`.

    Raises:
        InputError: Something given cannot be trained.
    """
    began = time.perf_counter()
    loss = get_loss(spec.loss).bind(spec.loss_settings)
    if {"cpu", "disk"} & set(lm.spread_over):
        raise InputError(
            f"the model is too large for the GPUs here, {', '.join(lm.spread_over)} hold it: to be trained it needs "
            "more of them, or quantization 4bit"
        )
    tokens = encode_training_set(
        lm, table, max_length=spec.max_length, end_of_text=spec.end_of_text, whole_groups=loss.form == "options"
    )
    trained, watched = _hold_out(tokens, spec.eval_fraction, seed)
    examples, held = ([tokens.examples[index] for index in side] for side in (trained, watched))
    if tokens.truncated:
        _log.info(
            f"{tokens.truncated} of {len(tokens.rows)} prompts lost their beginning to fit {spec.max_length} tokens"
        )
    rows = [row for example in examples for row in example]
    count = sum(len(row.ids) for row in rows)
    longest = max(len(row.ids) for row in rows)
    check_length(lm.model, longest, "an example with its completion", expected="a lower max_length")
    # The last steps of an epoch may be smaller; accelerate counts them as steps all the same.
    steps = math.ceil(len(examples) / spec.batch_size) * spec.epochs
    compiles = spec.compile == "on" or (
        spec.compile == "auto" and is_worth_compiling(lm, "training", count * spec.epochs)
    )
    attention = _attention_for(lm, rows, compiles)
    _log.info(
        f"{attention} attention, "
        + ("compiled layers: the first steps may take a minute more" if compiles else "adapters as one operation")
    )
    checkpoints = out / "checkpoints"
    arguments = _arguments(lm, spec, seed=seed, steps=steps, evaluates=bool(held), folder=checkpoints)
    out.mkdir(parents=True, exist_ok=True)
    set_seed(seed)
    with new_adapter(lm, spec.lora, init) as model:
        trainer = WeightedTrainer(
            model=model,
            args=arguments,
            lm=lm,
            spec=spec,
            loss=loss,
            question_ids=[tokens.question_ids[index] for index in trained],
            data_collator=Collator(pad_token_id=lm.tokenizer.pad_token_id or 0, packs=takes_masks(lm)),
            train_dataset=examples,
            eval_dataset=held or None,
            callbacks=[Watch(out / "log.jsonl", count * spec.epochs / steps, progress)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        resume = trainer.last_whole_checkpoint()
        if resume is not None:
            _log.info(f"going on from step {resume.name.removeprefix('checkpoint-')} of {steps}")
        # Autocast turns the adapter's input to the model's dtype; peft would turn it to float32 first.
        with disable_input_dtype_casting(model), _fast_layers(lm, model, compiles), _attending(lm, attention):
            trainer.train(resume_from_checkpoint=str(resume) if resume else False)
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        if not losses or not np.isfinite(losses[-1]):
            raise InputError(
                f"the training loss became {losses[-1] if losses else 'nothing'}: try a lower learning_rate than "
                f"{spec.learning_rate}"
            )
        report = TrainingReport(
            rows=len(rows),
            eval_rows=sum(map(len, held)),
            steps=trainer.state.global_step,
            tokens=count,
            truncated=tokens.truncated,
            zero_weight=tokens.zero_weight,
            loss=float(np.mean(losses[-max(1, len(losses) // 10) :])),
            seconds=time.perf_counter() - began,
        )
        if trainer.is_world_process_zero():
            save_adapter(model, out / "adapter", lm)
            atomic_write(out / "training.json", json.dumps(asdict(report), indent=2))
            remove(checkpoints)
        trainer.accelerator.wait_for_everyone()
    return report
