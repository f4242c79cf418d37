"""Labelling with free text: w2s against three other ways to write, on the same GSM8K questions and model.

    python benchmarks/generate.py --data FOLDER [--model smollm2-135m] [--questions 16]

All write up to 50 tokens after a prompt, the likeliest each time; the end may not come first. They differ in this:

- w2s reads prompts of like length in chunks, under a budget of tokens, and continues many chunks together. A row ends
  with its first line, and leaves the batch.
- One prompt at a time: plain `generate`, timed on a few prompts that are drawn at random.
- Batches: plain `generate`, in the order in which the prompts come, padded on the left. For the first new token, it
  has torch copy the weights of a bfloat16 head once a row.
- Continuous batching is transformers' own; it runs on a CPU, too. It fills the share of the free memory that it is
  given (`--memory-share`), whatever it needs, so its peak says little. It cannot forbid that the end comes first.

So w2s gains by writing less, and by its batches; the table does not part the two. New tokens/s counts what is kept: a
row that has ended and waits for the rest of its batch lowers it. A first line without a number may be followed by one
that has it, which w2s never sees: "read" and "accuracy" show what that does.

With `--shots`, examples with their right answers stand before each question. w2s reads them once; a further row shows
what it does where they are read with each prompt.

Each row is one run, in a process of its own, after a few prompts that are not timed; tokenization is.
"""

from __future__ import annotations

import argparse
import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import NamedTuple
from unittest import mock

from choose import WARM, answer_all, ask, ask_few_shot, load_questions, share_right
from common import Side, device_name, in_own_process, language_model, plain_model, print_table, run_script
from transformers import ContinuousBatchingConfig, GenerationConfig

from w2s.config import AnsweringSpec, TaskSpec
from w2s.models.load import LanguageModel
from w2s.supervisors.base import Prompt
from w2s.supervisors.local import LocalModel
from w2s.tasks import Task
from w2s.tasks.parsing import first_line

Ids = list[list[int]]
Way = Callable[[LanguageModel, list[str]], Ids]  # from prompts to what is written after them


class Job(NamedTuple):
    """What a side is asked to do.

    Attributes:
        model: Its name.
        dtype: Of its weights.
        spec: The questions.
        rows: Which of their prompts; None for all.
        max_new_tokens: Of each text.
    """

    model: str
    dtype: str
    spec: TaskSpec
    rows: list[int] | None
    max_new_tokens: int


class Written(NamedTuple):
    """What a side wrote.

    Attributes:
        model: It, in words.
        seconds: For all prompts.
        texts: One for each prompt.
        new_tokens: In all of them, without padding.
        read: What each says, None where it says nothing.
        gold: What each should say.
    """

    model: str
    seconds: float
    texts: list[str]
    new_tokens: int
    read: list[str | None]
    gold: list[str | None]


def prompts_of(job: Job) -> tuple[Task, list[Prompt], list[str | None]]:
    """The task, prompts of the job's rows, behind examples where `weak_train` has some, and what they should say."""
    task, questions, gold = load_questions(job.spec)
    if job.spec.weak_train:
        asked, right = ask_few_shot(job.spec)
    else:
        asked = ask(task, questions)
        right = [answer for answer in gold for _ in range(task.num_variations)]
    rows = range(len(asked)) if job.rows is None else job.rows
    return task, [asked[row] for row in rows], [right[row] for row in rows]


def write_with_w2s(job: Job, shares: bool = True) -> Written:
    """w2s's way; `shares`: examples are read once."""
    task, some, right = prompts_of(job)
    apart = mock.patch("w2s.engine.generate.prefix_for_writing", lambda *_, **__: None)
    with nullcontext() if shares else apart, language_model(job.model, dtype=job.dtype) as lm:
        answering = AnsweringSpec(mode="generate", max_new_tokens=job.max_new_tokens)
        supervisor = LocalModel(lm, task, answering, name=job.model)
        answer_all(supervisor, some[:WARM])
        began = time.perf_counter()
        answers = answer_all(supervisor, some)
        seconds = time.perf_counter() - began
        texts = [answer.response for answer in answers]
        # The engine gives texts alone: their tokens, and the line break that ended each of them.
        ids: Ids = lm.tokenizer(texts, add_special_tokens=False)["input_ids"]
        new_tokens = sum(min(len(row) + 1, job.max_new_tokens) for row in ids)
        return Written(str(lm), seconds, texts, new_tokens, [answer.answer for answer in answers], right)


def write_otherwise(job: Job, way: Way) -> Written:
    """Another way to the same prompts' texts, read alike."""
    task, asked, right = prompts_of(job)
    prompts = [one.text for one in asked]
    with plain_model(job.model, dtype=job.dtype) as lm:
        own = lm.model.generation_config
        # Replaced, since `generate` takes from there what it is not told: penalties, for instance.
        lm.model.generation_config = GenerationConfig(
            max_new_tokens=job.max_new_tokens,
            min_new_tokens=1,
            do_sample=False,
            bos_token_id=own.bos_token_id,
            eos_token_id=own.eos_token_id,
            pad_token_id=lm.tokenizer.pad_token_id,
        )
        way(lm, prompts[:WARM])
        began = time.perf_counter()
        written = [_without_padding(row, lm.tokenizer.pad_token_id) for row in way(lm, prompts)]
        texts = lm.tokenizer.batch_decode(written, skip_special_tokens=True)
        read = [task.parse(text, one.question, one.variation) for one, text in zip(asked, texts, strict=True)]
        seconds = time.perf_counter() - began
        return Written(str(lm), seconds, texts, sum(map(len, written)), read, right)


def _without_padding(row: list[int], pad: int) -> list[int]:
    """What comes before the padding; the end counts for padding where it is the same token."""
    length = len(row)
    while length and row[length - 1] == pad:
        length -= 1
    return row[:length]


def write_in_batches(job: Job, batch_size: int) -> Written:
    """Plain `generate`, so many prompts at once."""

    def way(lm: LanguageModel, prompts: list[str]) -> Ids:
        written: Ids = []
        for start in range(0, len(prompts), batch_size):
            some = prompts[start : start + batch_size]
            batch = lm.tokenizer(some, return_tensors="pt", padding=True, padding_side="left").to(lm.device)
            output = lm.model.generate(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
            written += output[:, batch["input_ids"].shape[1] :].tolist()
        return written

    return write_otherwise(job, way)


def write_continuously(job: Job, memory_share: float) -> Written:
    """transformers' continuous batching: where one text ends, the next prompt begins."""
    # Its own upper limit, said: it would take the number from the first call, which is a short one.
    logging.getLogger("ContinuousBatchingLogger").setLevel(logging.ERROR)  # it warns of what `config` sees to
    config = ContinuousBatchingConfig(max_memory_percent=memory_share, max_requests_per_batch=1024)

    def way(lm: LanguageModel, prompts: list[str]) -> Ids:
        lm.model.generation_config.min_new_tokens = None
        outputs = lm.model.generate_batch(
            lm.tokenizer(prompts)["input_ids"], continuous_batching_config=config, persistent_manager=True
        )
        # It says what went wrong in a log, and gives back the rest.
        written = [list(output.generated_tokens) for output in outputs.values() if output.error is None]
        if len(written) < len(prompts):
            raise RuntimeError(f"continuous batching wrote {len(written)} of {len(prompts)} texts")
        return written

    return write_otherwise(job, way)


def write_all_ways(job: Job, few: list[int], batch_size: int, memory_share: float) -> dict[str, Side]:
    """Every way by its name, one prompt at a time only for a few."""
    sides = {"w2s": in_own_process(write_with_w2s, job=job)}
    if job.spec.weak_train:
        sides["w2s, examples each time"] = in_own_process(write_with_w2s, job=job, shares=False)
    return {
        **sides,
        "one at a time": in_own_process(write_in_batches, job=job._replace(rows=few), batch_size=1),
        f"batches of {batch_size}": in_own_process(write_in_batches, job=job, batch_size=batch_size),
        "continuous batching": in_own_process(write_continuously, job=job, memory_share=memory_share),
    }


def row_of(name: str, side: Side, w2s: Side) -> list[str]:
    """A row of the table."""
    written: Written = side.value
    count = len(written.texts)
    rate, ours = (len(one.value.texts) / one.value.seconds for one in (side, w2s))
    return [
        name,
        f"{count}",
        f"{rate:.2f}",
        f"{written.new_tokens / written.seconds:.1f}",
        f"{written.new_tokens / count:.1f}",
        f"{sum(answer is not None for answer in written.read) / count:.3f}",
        f"{share_right(written.read, written.gold):.3f}",
        f"{side.peak_gb:.2f}",
        f"{ours / rate:.1f}",
    ]


def say_agreement(sides: dict[str, Side], few: Sequence[int]) -> None:
    """How many texts have the first line of w2s's text."""
    ours = list(map(first_line, sides["w2s"].value.texts))
    for name, side in sides.items():
        theirs = list(map(first_line, side.value.texts))
        same = ours if len(theirs) == len(ours) else [ours[row] for row in few]
        if name != "w2s":
            print(f"  {name}: {sum(a == b for a, b in zip(same, theirs, strict=True))} of {len(theirs)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="GSM8K's files, or a folder of them; by default the hub's")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--questions", type=int, default=16)
    parser.add_argument("--variations", type=int, default=None, help="by default the task's own number")
    parser.add_argument("--shots", type=int, default=0, help="examples before each question")
    parser.add_argument("--max-new-tokens", type=int, default=50)
    parser.add_argument("--one-at-a-time", type=int, default=16, help="prompts that the slow way is timed on")
    parser.add_argument("--batch-size", type=int, default=16, help="of the plain batches")
    parser.add_argument("--memory-share", type=float, default=0.1, help="of the free memory, for continuous batching")
    parser.add_argument("--check", type=int, default=8, help="prompts that are written to in float32, too")
    arguments = parser.parse_args()
    spec = TaskSpec(
        name="gsm8k",
        data=arguments.data,
        weak_train=arguments.shots,
        transfer=arguments.questions,
        test=0,
        num_variations=arguments.variations,
    )
    task, questions, _ = load_questions(spec)
    count = len(ask(task, questions))
    few = sorted(random.Random(0).sample(range(count), min(arguments.one_at_a_time, count)))
    job = Job(arguments.model, "auto", spec, None, arguments.max_new_tokens)
    sides = write_all_ways(job, few, arguments.batch_size, arguments.memory_share)
    print(device_name())
    print_table(
        f"writing: {len(questions)} GSM8K questions in {task.num_variations} wordings, each after {arguments.shots} "
        f"examples; {sides['w2s'].value.model}",
        ["", "prompts", "prompts/s", "new tokens/s", "new tokens each", "read", "accuracy", "peak GB", "ratio of w2s"],
        [row_of(name, side, sides["w2s"]) for name, side in sides.items()],
    )
    print("texts with the first line that w2s has")
    say_agreement(sides, few)
    if arguments.check:
        rows = few[: arguments.check]
        exact = job._replace(dtype="float32", rows=rows)
        print("in float32")
        say_agreement(write_all_ways(exact, rows, arguments.batch_size, arguments.memory_share), rows)


if __name__ == "__main__":
    run_script(main)
