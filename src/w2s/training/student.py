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
from w2s.engine.trial import way_of
from w2s.errors import InputError
from w2s.files import atomic_write, remove
from w2s.models.checks import check_length
from w2s.models.compiled import compiled_layers, is_worth_compiling
from w2s.models.load import LanguageModel
from w2s.progress import Progress, no_progress
from w2s.training.adapters import new_adapter, save_adapter
from w2s.training.batches import Collator
from w2s.training.data import Example, Tokens, encode_training_set
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
    count = max(1, round(len(questions) * fraction))
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
        # transformers' own constant rate does not rise.
        lr_scheduler_type="constant_with_warmup" if spec.schedule == "constant" else spec.schedule,
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
    arguments.per_device_train_batch_size, arguments.per_device_eval_batch_size = together, spec.batch_size
    arguments.gradient_accumulation_steps = spec.batch_size // together
    return arguments


def _put_on(arguments: TrainingArguments, device: torch.device) -> None:
    """Train where the model is: by itself, Trainer takes the first GPU that it sees, and spreads batches over all."""
    arguments._n_gpu = min(1, arguments.n_gpu)
    if arguments.world_size == 1 and device.type == "cuda":
        torch.cuda.set_device(device)
        vars(arguments)["_setup_devices"] = device
        arguments.distributed_state.device = device


def _attention_for(lm: LanguageModel, longest: int, compiles: bool) -> str:
    """The attention that trains fastest: on a CPU, plain matrix products for short rows, whose scores fit its cache."""
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


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What is to be trained.

    Attributes:
        examples: Those that are learned.
        question_ids: Of each of these.
        held: Those that are held out and watched.
        tokens: That go through the model in all epochs, padding not counted.
        longest: Tokens of the longest row.
        steps: Optimizer steps.
        truncated: Prompts that lost their beginning to fit.
        zero_weight: Rows that were left out because their weight is zero.
    """

    examples: list[Example]
    question_ids: list[str]
    held: list[Example]
    tokens: int
    longest: int
    steps: int
    truncated: int
    zero_weight: int


def _work_of(lm: LanguageModel, table: pa.Table, spec: TrainingSpec, *, seed: int, whole_groups: bool) -> _Work:
    """Encode a training set, hold some of it out, and see how much there is to do.

    Raises:
        InputError: The model is too large to be trained here, or the set cannot be learned.
    """
    if {"cpu", "disk"} & set(lm.spread_over):
        raise InputError(
            f"the model is too large for the GPUs here, {', '.join(lm.spread_over)} hold it: to be trained it needs "
            "more of them, or quantization 4bit"
        )
    tokens = encode_training_set(
        lm, table, max_length=spec.max_length, end_of_text=spec.end_of_text, whole_groups=whole_groups
    )
    trained, watched = _hold_out(tokens, spec.eval_fraction, seed)
    examples, held = ([tokens.examples[index] for index in side] for side in (trained, watched))
    weights = [sum(row.weight for row in example) for example in examples]
    if spec.batch_size == 1 and spec.normalization == "weights" and not np.allclose(weights, weights[0]):
        raise InputError(
            f"batch_size is 1, and examples weigh {min(weights):.3g} to {max(weights):.3g}: a batch is divided by its "
            "weight, so alone each would count the same: expected more in a batch, or normalization: paper"
        )
    if tokens.truncated:
        _log.info(
            f"{tokens.truncated} of {len(tokens.rows)} prompts lost their beginning to fit {spec.max_length} tokens"
        )
    lengths = [len(row.ids) for example in examples for row in example]
    check_length(lm.model, max(lengths), "an example with its completion", expected="a lower max_length")
    return _Work(
        examples=examples,
        question_ids=[tokens.question_ids[index] for index in trained],
        held=held,
        tokens=sum(lengths) * spec.epochs,
        longest=max(lengths),
        # The last steps of an epoch may be smaller; accelerate counts them as steps all the same.
        steps=math.ceil(len(examples) / spec.batch_size) * spec.epochs,
        truncated=tokens.truncated,
        zero_weight=tokens.zero_weight,
    )


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
    packs = takes_masks(lm) and way_of(lm) == "trees"
    work = _work_of(lm, table, spec, seed=seed, whole_groups=loss.form == "options")
    compiles = spec.compile == "on" or (spec.compile == "auto" and is_worth_compiling(lm, "training", work.tokens))
    attention = _attention_for(lm, work.longest, compiles)
    _log.info(
        f"{attention} attention, "
        + ("compiled layers: the first steps may take a minute more" if compiles else "adapters as one operation")
    )
    checkpoints = out / "checkpoints"
    arguments = _arguments(lm, spec, seed=seed, steps=work.steps, evaluates=bool(work.held), folder=checkpoints)
    out.mkdir(parents=True, exist_ok=True)
    set_seed(seed)
    with new_adapter(lm, spec.lora, init) as model:
        trainer = WeightedTrainer(
            model=model,
            args=arguments,
            lm=lm,
            spec=spec,
            loss=loss,
            question_ids=work.question_ids,
            data_collator=Collator(pad_token_id=lm.tokenizer.pad_token_id or 0, packs=packs),
            train_dataset=work.examples,
            eval_dataset=work.held or None,
            callbacks=[Watch(out / "log.jsonl", work.tokens / work.steps, progress)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        resume = trainer.last_whole_checkpoint()
        if resume is not None:
            _log.info(f"going on from step {resume.name.removeprefix('checkpoint-')} of {work.steps}")
        # Autocast turns the adapter's input to the model's dtype; peft would turn it to float32 first.
        with disable_input_dtype_casting(model), _fast_layers(lm, model, compiles), _attending(lm, attention):
            trainer.train(resume_from_checkpoint=str(resume) if resume else False)
        report = _report(trainer, work, spec, began)
        if trainer.is_world_process_zero():
            save_adapter(model, out / "adapter", lm)
            atomic_write(out / "training.json", json.dumps(asdict(report), indent=2))
            remove(checkpoints)
        trainer.accelerator.wait_for_everyone()
    return report


def _report(trainer: WeightedTrainer, work: _Work, spec: TrainingSpec, began: float) -> TrainingReport:
    """What a training did that has come to its end.

    Raises:
        InputError: Its loss is no number.
    """
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    if not losses or not np.isfinite(losses[-1]):
        raise InputError(
            f"the training loss became {losses[-1] if losses else 'nothing'}: try a lower learning_rate than "
            f"{spec.learning_rate}"
        )
    return TrainingReport(
        rows=sum(map(len, work.examples)),
        eval_rows=sum(map(len, work.held)),
        steps=trainer.state.global_step,
        tokens=work.tokens // spec.epochs,
        truncated=work.truncated,
        zero_weight=work.zero_weight,
        loss=float(np.mean(losses[-max(1, len(losses) // 10) :])),
        seconds=time.perf_counter() - began,
    )
