"""A finished run's folder, made up: everything that a report reads, and no model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from w2s.config import Experiment
from w2s.files import atomic_write
from w2s.methods import METHODS
from w2s.metrics import accuracy_interval
from w2s.reliability import score_answers
from w2s.results.comparison import compare_estimators
from w2s.results.diagnosis import WeakLabelSummary
from w2s.results.records import WEAK, Record, RunRecords
from w2s.tables import ANSWERS, GOLD, QUESTIONS, TRAINING_SET, write_table

HOSTILE = (
    "<script>window.hacked = 1</script>",
    "</script><img src=x onerror='window.hacked = 1'>",
    "<!-- <script> -->",
    "a very long word " + "x" * 9_000,
    "שלום עולם, مرحبا بالعالم \u202e reversed",
    "emoji 👩‍🚀🏳️‍🌈 and $\\frac{1}{2}$ and {{ 7 * 7 }} & 'quotes\" \\end{document}",
    "",
    "null \x00 byte, bell \x07",
)

Kind = Literal["options", "fixed", "free"]
_SETTINGS: dict[str, dict[str, Any]] = {"margin": {"over": "votes"}, "semantic-entropy": {}}
COMPARED = ("zero-shot", "naive", "filtering-sampled", "reweighting-sampled", "ceiling")


def write_run(
    folder: Path,
    *,
    num_questions: int = 40,
    num_variations: int = 5,
    seeds: Sequence[int] = (0,),
    gold: bool = True,
    kind: Kind = "options",
    texts: Sequence[str] = (),
    prompt_length: int = 0,
    methods: Sequence[str] = COMPARED,
    pgr: bool = True,
    compare: Sequence[str] = (),
    info: dict[str, Any] | None = None,
) -> RunRecords:
    """Write a run.

    Args:
        folder: Where it goes.
        num_questions: Of the transfer split.
        num_variations: Answers to each.
        seeds: Of the run.
        gold: Whether the transfer questions have ground truth.
        kind: Options that differ by question, a fixed pair of answers, or free answers.
        texts: Of the first questions; they are also what the supervisor said, and among the answers.
        prompt_length: Characters that every prompt has at least.
        methods: Compared.
        pgr: Whether PGR is defined.
        compare: Other estimators that score the same answers.
        info: More of `RunRecords.info`.
    """
    rng = np.random.default_rng(7)
    experiment = Experiment(seeds=list(seeds), methods=list(methods))
    questions = [_question(index, kind, texts) for index in range(num_questions)]
    truths = {question["question_id"]: question.pop("truth") for question in questions}
    write_table(pa.Table.from_pylist(questions, schema=QUESTIONS), folder / "questions.parquet")
    known = [{"question_id": id, "split": "transfer", "answer": truth} for id, truth in truths.items()] if gold else []
    write_table(pa.Table.from_pylist(known, schema=GOLD), folder / "gold.parquet")
    labels, compared = [], []
    for seed in seeds:
        base = folder / f"seed-{seed}"
        rows = [
            row
            for index, question in enumerate(questions)
            for row in _answers(rng, question, truths, num_variations, kind, texts[index : index + 1], prompt_length)
        ]
        scored = score_answers(pa.Table.from_pylist(rows, schema=ANSWERS))
        write_table(scored, base / "scored.parquet")
        own = scored.select(ANSWERS.names)
        compared.append(
            {"votes": scored, **{name: score_answers(own, estimator=name, **_SETTINGS[name]) for name in compare}}
        )
        _log(base / "weak-supervisor" / "log.jsonl", rng)
        for name in methods:
            if name == "zero-shot":
                continue
            _log(base / name / "log.jsonl", rng)
            kept = scored.filter(pa.array(scored["entropy"].to_numpy() < 0.6)) if "filter" in name else scored
            kept = kept.append_column("weight", pa.array(kept["confidence"].to_numpy(), pa.float32()))
            kept = kept.append_column("group", pa.nulls(kept.num_rows, pa.int64()))
            write_table(kept.select(TRAINING_SET.names), base / name / "training_set.parquet")
        labels.append(WeakLabelSummary.of(seed, scored, truths if gold else {}))
    names = [WEAK, *methods]
    result = RunRecords(
        experiment=experiment,
        records=[_record(name, index, seed, pgr, 1) for seed in seeds for index, name in enumerate(names)],
        pooled=[
            _record(name, index, seeds[0] if len(seeds) == 1 else None, pgr, len(seeds))
            for index, name in enumerate(names)
        ],
        labels=labels,
        estimators=compare_estimators(compared, truths if gold else {}, seeds=list(seeds)) if compare else [],
        compare=("filtering-sampled", "naive") if {"filtering-sampled", "naive"} <= set(methods) else None,
        folder=folder,
        info={
            "created": "2026-01-02T03:04:05+00:00",
            "environment": {"python": "3.11", "w2s": "0.1.0"},
            "machine": {"system": "Linux", "processors": 2},
            "task": {"name": "geography", "num_variations": num_variations},
            "steps": [{"label": "naive · seed 0", "kind": "training", "seconds": 75.2, "key": "abc"}],
            **(info or {}),
        },
    )
    atomic_write(folder / "results.json", json.dumps(result.to_dict()))
    return result


def _question(index: int, kind: Kind, texts: Sequence[str]) -> dict[str, Any]:
    text = texts[index] if index < len(texts) else f"Which country is city {index} in?"
    question: dict[str, Any] = {"question_id": f"q{index}", "split": "transfer", "text": text, "fields": "{}"}
    if kind == "options":
        truth = texts[index] if index < len(texts) else f"land {index % 97}"
        question["choices"] = [f"land {(index + offset) % 97}" for offset in (1, 2, 3)]
        question["choices"].insert(index % 4, truth)
        question["truth"] = truth
    else:
        fixed = ("acceptable", "unacceptable")[index % 2]
        question |= {"choices": None, "truth": fixed if kind == "fixed" else str(index)}
    return question


def _answers(
    rng: np.random.Generator,
    question: dict[str, Any],
    truths: dict[str, str],
    num_variations: int,
    kind: Kind,
    said: Sequence[str],
    prompt_length: int,
) -> list[dict[str, Any]]:
    """Some questions are easy: answered rightly and alike; the others are guessed."""
    truth = truths[question["question_id"]]
    easy = rng.random() < 0.6
    wrong = {
        "options": [choice for choice in question["choices"] or [] if choice != truth],
        "fixed": ["acceptable", "unacceptable"],
        "free": [str(number) for number in range(1000, 1004)],
    }[kind]
    rows = []
    for variation in range(num_variations):
        right = rng.random() < (0.97 if easy else 0.35)
        answer = truth if right else str(rng.choice(wrong))
        unparsed = not easy and rng.random() < 0.05
        position = int(rng.integers(4)) if kind == "options" else None
        prompt = f"Variation {variation}: {question['text']}\n{'option ' * (prompt_length // 7)}\nAnswer:"
        rows.append(
            {
                "question_id": question["question_id"],
                "variation": variation,
                "prompt": prompt,
                "completion": f" {answer}",
                "response": said[0] if said else f" {answer}",
                "answer": None if unparsed else answer,
                "position": position,
                "choices": question["choices"],
                "positions": position
                if position is None
                else [(index - question["choices"].index(answer) + position) % 4 for index in range(4)],
                "supervisor": "weak",
            }
        )
    return rows


def _log(path: Path, rng: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    loss = 0.2 + 3 * np.exp(-np.arange(60) / 8) * rng.uniform(0.6, 1.4, 60)
    lines = [json.dumps({"step": step + 1, "epoch": step / 30, "loss": value}) for step, value in enumerate(loss)]
    lines.append(json.dumps({"step": 30, "epoch": 1.0, "eval_loss": 0.5}))
    path.write_text("\n".join(lines) + "\n")


def _record(name: str, index: int, seed: int | None, pgr: bool, seeds: int) -> Record:
    """A record of so many seeds: two have no interval, and a p-value is there from three on."""
    accuracy = {WEAK: 0.6, "zero-shot": 0.4, "ceiling": 0.9}.get(name, 0.62 + 0.04 * index) + 0.01 * (seed or 0)
    interval = accuracy_interval(np.arange(200) < 200 * accuracy)
    bounded = seeds != 2
    value = (accuracy - 0.6) / 0.3
    has_pgr, has_gain = pgr and name != WEAK, name not in (WEAK, "naive")
    return Record(
        method=name,
        seed=seed,
        role="supervisor" if name == WEAK else METHODS[name].role,
        reference=name == "naive",
        uses_gold=name == "ceiling",
        accuracy=interval.estimate,
        accuracy_low=interval.low if bounded else None,
        accuracy_high=interval.high if bounded else None,
        pgr=value if has_pgr else None,
        pgr_low=value - 0.2 if has_pgr and bounded else None,
        pgr_high=value + 0.2 if has_pgr and bounded else None,
        pgr_note="ceiling - weak is +0.010: not clearly above 0" if name != WEAK and not pgr else None,
        gain=0.02 * index if has_gain else None,
        gain_low=0.02 * index - 0.03 if has_gain and bounded else None,
        gain_high=0.02 * index + 0.03 if has_gain and bounded else None,
        gain_p=0.2 if has_gain and seeds > 2 else None,
        rows=0 if name == "zero-shot" else 600 - 30 * index,
        questions=0 if name == "zero-shot" else 300,
        label_accuracy=None if name == "zero-shot" else 0.7 + 0.02 * index,
        label_accuracy_weighted=None if name == "zero-shot" else 0.7 + 0.03 * index,
        seconds=None if name == "zero-shot" else 12.5,
    )
