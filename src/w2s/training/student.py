"""LoRA fine-tuning of a causal language model on a training set: the student, the ceiling, the weak supervisor."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from peft import LoraConfig, get_peft_model
from peft.helpers import disable_input_dtype_casting
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments, set_seed
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from w2s.config import EXECUTION_ONLY, TrainingSpec
from w2s.engine.masks import takes_masks
from w2s.errors import InputError
from w2s.models.compiled import compiled_layers, is_worth_compiling
from w2s.models.load import LanguageModel
from w2s.progress import Progress, no_progress
from w2s.training.batches import Collator
from w2s.training.checkpoint import last_checkpoint
from w2s.training.data import Example, Tokens, TrainingRow, encode_training_set
from w2s.training.fused_lora import fused_lora
from w2s.training.losses import get_loss
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


class _Watch(TrainerCallback):
    """Writes the log as it comes, one JSON line a step, and tells the progress."""

    def __init__(self, log: Path, tokens_per_step: float, progress: Progress) -> None:
        self._log = log
        self._tokens_per_step = tokens_per_step
        self._progress = progress

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if not state.is_world_process_zero:
            return
        # A killed try may have logged steps after its last checkpoint; they are about to be done again.
        lines = self._log.read_text().splitlines(keepends=True) if self._log.exists() else []
        self._log.write_text("".join(line for line in lines if _step_of(line) <= state.global_step))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        known = {key: value for key, value in (logs or {}).items() if key in ("loss", "eval_loss", "learning_rate")}
        if known and state.is_world_process_zero:
            with self._log.open("a") as file:
                file.write(json.dumps({"step": state.global_step, "epoch": state.epoch, **known}) + "\n")

        if not math.isfinite(known.get("loss", 0.0)):
            control.should_training_stop = True

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            self._progress(state.global_step, state.max_steps, "steps", int(state.global_step * self._tokens_per_step))


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError):
        return math.inf


def _hold_out(tokens: Tokens, fraction: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Split examples into trained and watched, by question: those of one question never land on both sides."""
    if fraction == 0:
        return tokens.examples, []
    questions = sorted(set(tokens.question_ids))
    count = round(len(questions) * fraction)
    drawn = np.random.default_rng(seed).permutation(len(questions))[:count]
    held = {questions[index] for index in drawn}
    sides: tuple[list[Example], list[Example]] = ([], [])
    for example, question_id in zip(tokens.examples, tokens.question_ids, strict=True):
        sides[question_id in held].append(example)
    if not sides[0]:
        raise InputError(f"eval_fraction {fraction} of {len(questions)} questions leaves none to train on")
    return sides


def _identity(lm: LanguageModel, spec: TrainingSpec, seed: int, examples: list[Example]) -> str:
    """A hash of what decides the outcome of a run."""
    settings = {name: value for name, value in asdict(spec).items() if name not in EXECUTION_ONLY}
    of = [settings, seed, lm.model.name_or_path, str(lm.dtype), examples]
    return hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()


def _drop_foreign(checkpoints: Path, identity: str) -> None:
    """Leave no checkpoint of another run in the folder: training would go on with that one's rates and rows."""
    note = checkpoints / "of.txt"
    if checkpoints.exists() and not (note.is_file() and note.read_text() == identity):
        if last_checkpoint(checkpoints) is not None:
            _log.info(f"the checkpoints in {checkpoints} are of other settings or rows: beginning anew")
        shutil.rmtree(checkpoints)
    checkpoints.mkdir(exist_ok=True)
    note.write_text(identity)


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
        label_names=["labels"],
        disable_tqdm=True,
        report_to=[],
        dataloader_pin_memory=lm.device.type == "cuda",
    )
    # With several GPUs and one process, Trainer would spread each batch over all of them; the model is on one.
    arguments._n_gpu = min(1, arguments.n_gpu)
    share, rest = divmod(spec.batch_size, arguments.world_size)
    if rest:
        raise InputError(f"batch_size {spec.batch_size} cannot be shared by {arguments.world_size} processes")
    micro = min(spec.micro_batch_size or share, share)
    if share % micro:
        raise InputError(f"micro_batch_size {micro} does not divide batch_size {share}")
    arguments.per_device_train_batch_size = arguments.per_device_eval_batch_size = micro
    arguments.gradient_accumulation_steps = share // micro
    return arguments


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
        out: A folder; the adapter goes to `out/adapter`, the losses to `out/log.jsonl`.
        progress: Is told the steps done and the tokens trained on so far.

    Returns:
        What the run did; also written to `out/training.json`.
    """
    began = time.perf_counter()
    loss = get_loss(spec.loss).bind(spec.loss_settings)
    out.mkdir(parents=True, exist_ok=True)
    tokens = encode_training_set(
        lm, table, max_length=spec.max_length, end_of_text=spec.end_of_text, whole_groups=loss.form == "options"
    )
    examples, held = _hold_out(tokens, spec.eval_fraction, seed)
    if tokens.truncated:
        _log.info(
            f"{tokens.truncated} of {len(tokens.rows)} prompts lost their beginning to fit {spec.max_length} tokens"
        )
    rows = [row for example in examples for row in example]
    count = sum(len(row.ids) for row in rows)
    # The last steps of an epoch may be smaller; accelerate counts them as steps all the same.
    steps = math.ceil(len(examples) / spec.batch_size) * spec.epochs
    compiles = spec.compile == "on" or (
        spec.compile == "auto" and is_worth_compiling(lm, "training", count * spec.epochs)
    )
    attention = _attention_for(lm, rows, compiles)
    _log.info(
        f"{attention} attention, "
        + ("compiled layers: the first steps may take half a minute more" if compiles else "adapters as one operation")
    )
    checkpoints = out / "checkpoints"
    arguments = _arguments(lm, spec, seed=seed, steps=steps, evaluates=bool(held), folder=checkpoints)
    if arguments.process_index == 0:
        _drop_foreign(checkpoints, _identity(lm, spec, seed, examples))
    arguments.distributed_state.wait_for_everyone()

    set_seed(seed)
    config = LoraConfig(
        r=spec.lora.rank,
        lora_alpha=spec.lora.alpha,
        lora_dropout=spec.lora.dropout,
        target_modules=spec.lora.targets,
        bias="none",
        task_type="CAUSAL_LM",
    )
    try:
        model = get_peft_model(lm.model, config)
    except ValueError as error:
        raise InputError(f"lora.targets {spec.lora.targets!r}: {' '.join(str(error).split())}") from None

    try:
        trainer = WeightedTrainer(
            model=model,
            args=arguments,
            lm=lm,
            spec=spec,
            loss=loss,
            data_collator=Collator(pad_token_id=lm.tokenizer.pad_token_id or 0, packs=takes_masks(lm)),
            train_dataset=examples,
            eval_dataset=held or None,
            callbacks=[_Watch(out / "log.jsonl", count * spec.epochs / steps, progress)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        model.train()
        resume = last_checkpoint(checkpoints)
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
        if trainer.is_world_process_zero():
            model.save_pretrained(out / "adapter", safe_serialization=True)
    finally:
        # The model is handed on as it came: without the adapter, its modes and hooks.
        if lm.model.is_activation_checkpointing:
            lm.model.activation_checkpointing_disable()
            lm.model.disable_input_require_grads()
        model.unload()
        lm.model.requires_grad_(False)
        lm.model.eval()
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
        (out / "training.json").write_text(json.dumps(asdict(report), indent=2))
        shutil.rmtree(checkpoints, ignore_errors=True)
    trainer.accelerator.wait_for_everyone()
    return report
