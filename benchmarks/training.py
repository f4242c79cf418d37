"""LoRA training: w2s against TRL's SFTTrainer on the same rows, in one run, with the same model and settings.

    python benchmarks/training.py [--task hellaswag --data FOLDER] [--model smollm2-135m] [--rows 64] [--no-check]

The rows are a task's questions with their right answers. The two share the rank, rate, schedule, clipping, seed and
dtype: the model in bfloat16 where the machine computes in it, the adapters in float32. Beyond these SFTTrainer has its
own defaults, but for gradient checkpointing, which TRL turns on and which costs time: `--trl-gradient-checkpointing`.

Each side trains in a process of its own. The first epoch warms up, and the fastest of the others is timed, from the end
of the epoch before it to the end of its last step; loading, tokenizing and saving are not in it.

w2s runs twice, with and without compiled layers: by itself it compiles for runs of more than about a minute.

The check trains both sides again on few rows in float32, with the same seed and batch size, and compares the loss of
each step: it agrees only if rows, order, tokens, first adapter, gradients and optimizer do.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import torch
from common import Side, device_name, in_own_process, language_model, plain_model, print_table, run_script
from peft import LoraConfig
from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback

from w2s.config import TrainingSpec
from w2s.methods.ceiling import ceiling
from w2s.supervisors.asking import gold_answers
from w2s.tasks import gold_of, load_task, questions_of
from w2s.training.student import train_student

SEED = 0
warnings.filterwarnings("ignore", category=FutureWarning)  # of libraries to each other


@dataclass(frozen=True, kw_only=True)
class Job:
    """What both sides do.

    Attributes:
        model: Its name.
        dtype: Of its weights.
        table: With the columns of `tables.TRAINING_SET`.
        spec: The settings.
    """

    model: str
    dtype: str
    table: pa.Table
    spec: TrainingSpec


class Trained(NamedTuple):
    """What came of it.

    Attributes:
        ends: (steps,) when each step ended, in seconds.
        losses: (steps,) the token mean of each step's batch.
        tokens: Of one epoch, padding not counted.
        dtype: Of the model's weights.
    """

    ends: list[float]
    losses: list[float]
    tokens: int
    dtype: str


def now() -> float:
    """The time in seconds, once the device has done all that it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def with_w2s(job: Job) -> Trained:
    """Train with w2s."""
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as folder, language_model(job.model, dtype=job.dtype) as lm:
        report = train_student(
            lm,
            job.table,
            job.spec,
            seed=SEED,
            out=Path(folder),
            progress=lambda *_: ends.append(now()),
        )
        log = [json.loads(line) for line in (Path(folder) / "log.jsonl").read_text().splitlines()]
    return Trained(ends, [entry["loss"] for entry in log if "loss" in entry], report.tokens, str(lm.dtype))


class _StepEnds(TrainerCallback):
    """Notes when each step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        self.ends.append(now())


def with_trl(job: Job, gradient_checkpointing: bool) -> Trained:
    """Train with SFTTrainer, on prompts and completions."""
    import datasets
    from huggingface_hub import constants
    from trl import SFTConfig, SFTTrainer

    datasets.disable_progress_bars()
    constants.HF_HUB_DISABLE_TELEMETRY = True  # TRL would tell the hub of each trainer made
    spec, watch = job.spec, _StepEnds()
    with tempfile.TemporaryDirectory() as folder, plain_model(job.model, dtype=job.dtype) as lm:
        arguments = SFTConfig(
            output_dir=folder,
            num_train_epochs=spec.epochs,
            per_device_train_batch_size=spec.batch_size,
            learning_rate=spec.learning_rate,
            lr_scheduler_type=spec.schedule,
            weight_decay=spec.weight_decay,
            max_grad_norm=spec.max_grad_norm,
            max_length=spec.max_length,
            bf16=lm.dtype == torch.bfloat16,
            gradient_checkpointing=gradient_checkpointing,
            seed=SEED,
            data_seed=SEED,
            use_cpu=lm.device.type == "cpu",
            dataloader_pin_memory=lm.device.type == "cuda",
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trainer = SFTTrainer(
            model=lm.model,
            args=arguments,
            train_dataset=datasets.Dataset.from_dict(job.table.select(["prompt", "completion"]).to_pydict()),
            processing_class=lm.tokenizer,
            peft_config=LoraConfig(
                r=spec.lora.rank,
                lora_alpha=spec.lora.alpha,
                lora_dropout=spec.lora.dropout,
                target_modules=spec.lora.targets,
                task_type="CAUSAL_LM",
            ),
            callbacks=[watch],
        )
        trainer.remove_callback(PrinterCallback)
        tokens = sum(map(len, trainer.train_dataset["input_ids"]))
        trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return Trained(watch.ends, losses, tokens, str(lm.dtype))


def right_answers(task_name: str, data: str | None, rows: int) -> pa.Table:
    """A training set of so many questions of a task, each as it stands, with its right answer."""
    task = load_task(task_name, data, weak_train=0, transfer=rows, test=0)
    splits = task.splits()
    questions = questions_of(splits.questions, "transfer")
    return ceiling(gold_answers(task, questions, gold_of(splits.gold, "transfer"))).table


def epoch_seconds(trained: Trained, epochs: int) -> float:
    """The fastest epoch, the first left out."""
    steps = len(trained.ends) // epochs
    return min(end - start for start, end in pairwise(trained.ends[steps - 1 :: steps]))


def table_row(name: str, side: Side, spec: TrainingSpec) -> list[str]:
    """One line of the table."""
    trained, seconds = side.value, epoch_seconds(side.value, spec.epochs)
    steps = len(trained.ends) // spec.epochs
    return [
        name,
        str(spec.batch_size),
        f"{trained.tokens / seconds:,.0f}",
        f"{seconds / steps:.3f}",
        f"{side.peak_gb:.2f}",
        f"{sum(trained.losses[-steps:]) / steps:.4f}",
    ]


def compare(job: Job, batch_sizes: list[int], gradient_checkpointing: bool) -> None:
    """Time both sides, and print the table and the ratios."""
    by_hand = in_own_process(with_w2s, job=replace(job, spec=replace(job.spec, compile="off")))
    ours = in_own_process(with_w2s, job=replace(job, spec=replace(job.spec, compile="on")))
    theirs = {
        size: in_own_process(
            with_trl,
            job=replace(job, spec=replace(job.spec, batch_size=size)),
            gradient_checkpointing=gradient_checkpointing,
        )
        for size in batch_sizes
    }
    tokens = ours.value.tokens
    if any(side.value.tokens != tokens for side in theirs.values()):
        raise ValueError(f"{tokens} tokens and {[side.value.tokens for side in theirs.values()]}: expected the same")

    micro = f", micro-batch {job.spec.micro_batch_size}" if job.spec.micro_batch_size else ""
    checkpointing = ", gradient checkpointing" if gradient_checkpointing else ""
    print_table(
        f"{job.table.num_rows} rows, {tokens:,} tokens an epoch, {job.spec.epochs} epochs, the fastest after the "
        f"first timed; {job.model}, {ours.value.dtype.removeprefix('torch.')}; {device_name()}",
        ["", "batch", "tokens/s", "s/step", "peak GB", "loss, last epoch"],
        [
            table_row(f"w2s{micro}", by_hand, job.spec),
            table_row(f"w2s{micro}, compiled", ours, job.spec),
            *(
                table_row(f"SFTTrainer{checkpointing}", side, replace(job.spec, batch_size=size))
                for size, side in theirs.items()
            ),
        ],
    )
    seconds = {size: epoch_seconds(side.value, job.spec.epochs) for size, side in theirs.items()}
    best = min(seconds, key=seconds.__getitem__)
    for size in dict.fromkeys([best, job.spec.batch_size]):
        if size in theirs:
            which = "at its best batch" if size == best else "at the same batch"
            for name, side in (("w2s", by_hand), ("w2s, compiled", ours)):
                faster = seconds[size] / epoch_seconds(side.value, job.spec.epochs)
                memory = side.peak_gb / theirs[size].peak_gb
                print(f"{name} / SFTTrainer {which}, {size}: {faster:.2f} in tokens/s, {memory:.2f} in peak memory")
    if set(batch_sizes) != {job.spec.batch_size}:
        print("losses at different batches are not comparable: the smaller ones take more steps")


def check(job: Job) -> None:
    """Print by how much the losses of the two sides differ, step by step."""
    ours = in_own_process(with_w2s, job=job).value.losses
    theirs = in_own_process(with_trl, job=job, gradient_checkpointing=False).value.losses
    difference = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
    print(
        f"check, in float32 with batch {job.spec.batch_size} on {job.table.num_rows} rows: over {len(ours)} steps the "
        f"losses, from {ours[0]:.4f} to {ours[-1]:.4f}, differ by {difference:.1e} at most (expected: at most 1e-3)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="geography")
    parser.add_argument("--data", default=None)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=4, help="2 or more; the first is not timed")
    parser.add_argument("--batch-size", type=int, default=16, help="of w2s")
    parser.add_argument("--micro-batch-size", type=int, default=None, help="of w2s")
    parser.add_argument("--trl-batch-sizes", default="4,8,16", help="the fastest is what w2s is compared with")
    parser.add_argument("--trl-gradient-checkpointing", action="store_true", help="as TRL does by default")
    parser.add_argument("--check", action=argparse.BooleanOptionalAction, default=True, help="compare the losses")
    arguments = parser.parse_args()
    if arguments.epochs < 2:
        parser.error("--epochs: expected 2 or more")

    spec = TrainingSpec(
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        micro_batch_size=arguments.micro_batch_size,
        checkpoints=1,
    )
    table = right_answers(arguments.task, arguments.data, arguments.rows)
    job = Job(model=arguments.model, dtype=arguments.dtype, table=table, spec=spec)
    print(f"{arguments.task}: LoRA of rank {spec.lora.rank} on all linear layers, loss on the completions")
    compare(job, [int(size) for size in arguments.trl_batch_sizes.split(",")], arguments.trl_gradient_checkpointing)
    if arguments.check:
        few = TrainingSpec(epochs=2, batch_size=4, checkpoints=1)
        check(replace(job, dtype="float32", table=table.slice(0, 16), spec=few))


if __name__ == "__main__":
    run_script(main)
