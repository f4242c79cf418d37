"""Millions of answers, scored, selected and diagnosed, each stage by the code that a run calls, from file to file.

    python benchmarks/answers_at_scale.py [--answers 1000000 2000000] [--folder FOLDER]

Answers are made up: five to a question of four options, each with a prompt of some 150 characters, log-probabilities
and positions, in shards of 25,000 rows as a joined table has them; all shards have the same prompts. Each stage runs in
a process of its own. Seconds are those of the processor, whatever else it does. Memory is the most that the process of
a stage held, of which some 0.4 GB are imports. The exponent is the slope of log time over log size: 1 is linear.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from common import device_name, print_table, run_script

from w2s.gold import Gold
from w2s.pipeline.steps import ANSWERS_FILE, KINDS, QUESTIONS_FILE, SCORED_FILE, TRAINING_SET_FILE
from w2s.results.label_files import compared_estimators, weak_labels
from w2s.step import Context
from w2s.tables import ANSWERS, GOLD, QUESTIONS, read_columns, write_table, write_tables

WAYS, OPTIONS, SHARD = 5, 4, 25_000
WORDS = np.array(
    [
        "river",
        "stone",
        "bread",
        "window",
        "garden",
        "winter",
        "copper",
        "letter",
        "market",
        "candle",
        "silver",
        "forest",
    ]
)


def make(folder: Path, answers: int) -> None:
    """Write answers to a split, its questions and their truth; a supervisor that is unsure is less often right."""
    questions = answers // WAYS
    rng = np.random.default_rng(0)
    truth = rng.integers(OPTIONS, size=questions)
    (folder / "answers").mkdir()
    prompts = pa.array([" ".join(words) for words in WORDS[rng.integers(len(WORDS), size=(SHARD, 22))]])
    tables = (_shard(rng, truth, prompts, start) for start in range(0, questions, SHARD // WAYS))
    write_tables(tables, ANSWERS, folder / "answers" / ANSWERS_FILE)
    ids = [f"q{number:08}" for number in range(questions)]
    options = [f"{word} {number}" for number, word in enumerate(WORDS[:OPTIONS])]
    choices = pa.array([options] * questions, pa.list_(pa.string()))
    table = pa.table({"question_id": ids, "split": ["transfer"] * questions, "text": ids, "choices": choices})
    for name in ("fields", "paraphrases"):
        table = table.append_column(name, pa.nulls(questions, QUESTIONS.field(name).type))
    write_table(table.cast(QUESTIONS), folder / QUESTIONS_FILE)
    right = pa.array(np.array(options)[truth])
    write_table(pa.table({"question_id": ids, "split": table["split"], "answer": right}, GOLD), folder / "gold.parquet")


def _shard(rng: np.random.Generator, truth: np.ndarray, prompts: pa.Array, start: int) -> pa.Table:
    own = np.repeat(truth[start : start + SHARD // WAYS], WAYS)
    rows = len(own)
    sure = np.repeat(rng.random(rows // WAYS), WAYS)
    given = np.where(rng.random(rows) < 0.2 + 0.8 * sure, own, rng.integers(OPTIONS, size=rows))
    options = [f"{word} {number}" for number, word in enumerate(WORDS[:OPTIONS])]
    written = [f" {option}" for option in options]
    orders = rng.permuted(np.tile(np.arange(OPTIONS, dtype=np.int32), (rows, 1)), axis=1)
    logprobs = np.log(rng.dirichlet(np.ones(OPTIONS), size=rows)).astype(np.float32)
    answer = pa.array(np.array(options)[given])
    columns: dict[str, Any] = {
        "question_id": [f"q{start + row // WAYS:08}" for row in range(rows)],
        "variation": np.tile(np.arange(WAYS, dtype=np.int32), rows // WAYS),
        "prompt": prompts.slice(0, rows),
        "completion": pa.array(np.array(written)[given]),
        "asked": pa.nulls(rows, pa.string()),
        "response": pa.array(np.array(written)[given]),
        "answer": answer,
        "position": orders[np.arange(rows), given],
        "choices": _lists(np.array(options * rows)),
        "completions": _lists(np.array(written * rows)),
        "choice_logprobs": _lists(logprobs.reshape(-1)),
        "positions": _lists(orders.reshape(-1)),
        "supervisor": ["weak"] * rows,
    }
    return pa.table(columns).cast(ANSWERS)


def _lists(flat: np.ndarray) -> pa.Array:
    return pa.ListArray.from_arrays(np.arange(0, len(flat) + 1, OPTIONS, dtype=np.int32), pa.array(flat))


def score(folder: Path) -> None:
    """Score by votes, as a run's step does."""
    _step("scored", folder, {"answers": folder / "answers"}, {"estimator": "votes", "settings": {}}, "scored")


def select(folder: Path, method: str) -> None:
    """Make a method's training set, as a run's step does."""
    settings = {"method": method, "selector": method, "seed": 0, "settings": {}}
    _step("training-set", folder, {"scored": folder / "scored"}, settings, method)


def _step(kind: str, folder: Path, inputs: dict[str, Path], settings: dict[str, Any], to: str) -> None:
    out = folder / to
    out.mkdir(exist_ok=True)
    KINDS[kind].build({"unparsed": "class", **settings}, inputs, out, Context())


def diagnose(folder: Path) -> None:
    """Diagnose the labels, as a run's results do."""
    gold = Gold.from_table(read_columns(folder / "gold.parquet"))
    found = weak_labels(0, folder / "scored" / SCORED_FILE, folder / QUESTIONS_FILE, gold)
    assert found.checked and json.dumps(found.to_dict())


def compare(folder: Path) -> None:
    """Measure how the estimator ranks the labels, with intervals of 300 bootstrap draws, as a run's results do."""
    gold = Gold.from_table(read_columns(folder / "gold.parquet"))
    assert compared_estimators([{"votes": folder / "scored" / SCORED_FILE}], gold, seeds=[0])


STAGES: dict[str, tuple[Callable[..., None], dict[str, Any]]] = {
    "made up (not a stage of a run)": (make, {}),
    "scored by votes": (score, {}),
    "selected: naive": (select, {"method": "naive"}),
    "selected: filtering": (select, {"method": "filtering"}),
    "selected: filtering-sampled": (select, {"method": "filtering-sampled"}),
    "selected: reweighting": (select, {"method": "reweighting"}),
    "labels diagnosed": (diagnose, {}),
    "ranking measured": (compare, {}),
}


def forked(function: Callable[[], object]) -> tuple[float, float]:
    """What a stage takes in a process of its own: seconds of the processor, and the most memory in GB."""
    child = os.fork()
    if not child:
        try:
            function()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    assert status == 0, "the stage failed; see above"
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e9


def measured(answers: int, parent: str | None) -> Iterator[tuple[str, float, float]]:
    """Each stage with its seconds, and the most memory in GB."""
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        for stage, (function, arguments) in STAGES.items():
            given = {"answers": answers} if function is make else arguments
            seconds, peak = forked(partial(function, folder=folder, **given))
            print(f"{stage}, {answers:,}: {seconds:.1f} s, {peak:.2f} GB", file=sys.stderr, flush=True)
            yield stage, seconds, peak
            for selected in folder.glob(f"*/{TRAINING_SET_FILE}"):
                selected.unlink()


def rows_of(sizes: Sequence[int], parent: str | None) -> Iterator[list[str]]:
    """The table: of each stage its seconds and memory at each size, and the exponent."""
    found = [list(measured(size, parent)) for size in sizes]
    for stages in zip(*found, strict=True):
        seconds = [seconds for _, seconds, _ in stages]
        slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0] if len(sizes) > 1 else float("nan")
        yield [stages[0][0], *(f"{one:.1f} s, {gb:.2f} GB" for _, one, gb in stages), f"{slope:.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, nargs="+", default=[1_000_000, 2_000_000])
    parser.add_argument("--folder", help="where the files are made up, and removed again")
    arguments = parser.parse_args()
    header = ["", *(f"{size:,}" for size in arguments.answers), "exponent"]
    print_table(f"Answers at scale, {device_name()}", header, list(rows_of(arguments.answers, arguments.folder)))


if __name__ == "__main__":
    run_script(main)
