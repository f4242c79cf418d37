"""How time and memory grow when one thing is doubled, and all else stays: labelling, training, reliability.

    python benchmarks/growth.py [--model smollm2-135m] [--scale 1] [--only questions answers]

Questions are random words, of about 70 tokens with their four options, and of 50 in training. Labelling takes the
likeliest option, and its time holds tokenizing; training is LoRA for one epoch, and its time holds all from the table
to the adapter on disk. A prompt lists its options, so that more options are a longer prompt as well. Each size runs in
a process of its own, warmed up on a few rows; short ones are run up to three times, and the fastest is taken. Memory is
the whole process: what it imports, the model and the tables; on a GPU, what torch held there.

The exponent is the slope of log time over log size by least squares: 1 is proportional, below 1 has fixed costs in it.
`--scale` multiplies all sizes but those of options and variations: on a GPU these ones are over too soon.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import device_name, in_own_process, language_model, print_table, run_script

import w2s
from reliability import make_answers
from w2s.config import AnswerFormat, AnsweringSpec, TrainingSpec
from w2s.methods.ceiling import ceiling
from w2s.supervisors.asking import gold_answers
from w2s.supervisors.base import Prompt
from w2s.supervisors.local import LocalModel
from w2s.tasks import Task, gold_of, load_task, questions_of
from w2s.training.student import train_student

TEXT = """river stone bread window garden winter copper letter market candle silver forest kitchen bridge summer paper
mountain table orange harbour meadow ladder button pocket saddle mirror basket thunder village feather"""
WORDS = TEXT.split()
warnings.filterwarnings("ignore", category=FutureWarning)  # of libraries to each other


@contextmanager
def made_up_task(
    *, questions: int, options: int = 4, words: int = 32, variations: int = 1, answer_format: AnswerFormat = "letter"
) -> Iterator[Task]:
    """A task of random questions; an option has three words."""
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "questions.jsonl"
        with file.open("w") as lines:
            for number in range(questions):
                choices = [" ".join([first, *rng.choices(WORDS, k=2)]) for first in rng.sample(WORDS, options)]
                question = " ".join(rng.choices(WORDS, k=words))
                row = {"id": f"q{number}", "question": question, "choices": choices, "answer": rng.choice(choices)}
                lines.write(json.dumps(row) + "\n")
        yield load_task(
            "file",
            str(file),
            weak_train=0,
            transfer=questions,
            test=0,
            num_variations=variations,
            answer_format=answer_format,
        )


def fastest(function: Callable[[], object]) -> float:
    """Seconds that a function takes: the least of three runs, or of fewer where they are long."""
    taken: list[float] = []
    while len(taken) < 3 and sum(taken) < 2:
        began = time.perf_counter()
        function()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return min(taken)


def label(model: str, *, variations: int = 1, **made_up: Any) -> float:
    """Seconds to choose answers to questions."""
    with made_up_task(variations=variations, **made_up) as task, language_model(model) as lm:
        asked = [
            Prompt(question, variation)
            for question in questions_of(task.splits().questions, "transfer")
            for variation in task.vary(question, variations, seed=0)
        ]
        supervisor = LocalModel(lm, task, AnsweringSpec(mode="choose"), name=model)

        def answer(some: list[Prompt]) -> None:
            for batch in supervisor.plan(some):
                batch.answer()

        answer(asked[:8])
        return fastest(lambda: answer(asked))


def train(model: str, *, rows: int) -> float:
    """Seconds to train on rows for one epoch."""
    with (
        made_up_task(questions=rows, words=8) as task,
        language_model(model) as lm,
        tempfile.TemporaryDirectory() as folder,
    ):
        splits = task.splits()
        questions = questions_of(splits.questions, "transfer")
        table = ceiling(gold_answers(task, questions, gold_of(splits.gold, "transfer"))).table
        spec = TrainingSpec(epochs=1, checkpoints=1)
        train_student(lm, table.slice(0, spec.batch_size), spec, seed=0, out=Path(folder) / "warm")
        return fastest(lambda: train_student(lm, table, spec, seed=0, out=Path(folder) / "timed"))


def score(model: str, *, answers: int) -> float:
    """Seconds to score answers, five to a question, by their agreement; no model takes part."""
    table = make_answers(answers)
    w2s.score_answers(table.slice(0, 1000))
    return fastest(lambda: w2s.score_answers(table))


@dataclass(frozen=True)
class Growth:
    """One thing that is doubled.

    Attributes:
        name: What the table calls it.
        function: A model's name, and this thing's size, to seconds.
        doubled: The function's argument that the size is.
        sizes: Each twice the one before.
        fixed: The function's other arguments.
        scales: Whether `--scale` multiplies the sizes.
    """

    name: str
    function: Callable[..., float]
    doubled: str
    sizes: tuple[int, ...]
    fixed: dict[str, Any] = field(default_factory=dict)
    scales: bool = True


GROWTHS = {
    "questions": Growth("questions labelled", label, "questions", (32, 64, 128, 256)),
    "variations": Growth(
        "variations of 32 questions", label, "variations", (1, 2, 4, 8), {"questions": 32}, scales=False
    ),
    "letters": Growth(
        "options of 32 questions, by letter", label, "options", (2, 4, 8, 16), {"questions": 32}, scales=False
    ),
    "texts": Growth(
        "options of 32 questions, by text",
        label,
        "options",
        (2, 4, 8, 16),
        {"questions": 32, "answer_format": "text"},
        scales=False,
    ),
    "words": Growth("words of each of 16 questions", label, "words", (64, 128, 256, 512), {"questions": 16}),
    "rows": Growth("training rows", train, "rows", (32, 64, 128, 256)),
    "answers": Growth("answers scored", score, "answers", (250_000, 500_000, 1_000_000, 2_000_000)),
}


def measure(growth: Growth, model: str, scale: int) -> list[str]:
    """One line of the table."""
    sizes = [size * scale if growth.scales else size for size in growth.sizes]
    sides = [in_own_process(growth.function, model=model, **growth.fixed, **{growth.doubled: size}) for size in sizes]
    seconds = [side.value for side in sides]
    exponent = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
    return [
        growth.name,
        f"{sizes[0]:,} → {sizes[-1]:,}",
        *(f"{value:.2f}" for value in seconds),
        f"{exponent:.2f}",
        f"{sides[0].peak_gb:.2f} → {sides[-1].peak_gb:.2f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=list(GROWTHS), default=list(GROWTHS))
    arguments = parser.parse_args()
    print_table(
        f"{arguments.model}; {device_name()}; seconds at 1, 2, 4 and 8 times the first size",
        ["doubled", "sizes", "1×", "2×", "4×", "8×", "exponent", "peak GB"],
        [measure(GROWTHS[name], arguments.model, arguments.scale) for name in arguments.only],
    )


if __name__ == "__main__":
    run_script(main)
