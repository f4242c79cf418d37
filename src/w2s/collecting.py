"""From a finished graph to its results: reads the artifacts, computes the records, fills the run's folder."""

from __future__ import annotations

import json
import math
import os
import platform
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from w2s.experiment import (
    ANSWERS_FILE,
    GOLD_FILE,
    PREDICTIONS_FILE,
    QUESTIONS_FILE,
    SCORED_FILE,
    SELECTION_FILE,
    TRAINING_SET_FILE,
    Graph,
    MethodRun,
    SeedRun,
)
from w2s.files import atomic_write
from w2s.metrics import Resamples, accuracy_interval, difference_interval, pgr_interval
from w2s.reliability import agreement_signal, summarize
from w2s.results import CEILING, NAIVE, WEAK, Record, Result, WeakLabelSummary
from w2s.store import Step, Store
from w2s.tables import GOLD, read_table, write_table

__all__ = ["collect"]

Correct = npt.NDArray[np.bool_]


def collect(graph: Graph, store: Store, folder: Path, *, info: Mapping[str, Any] | None = None) -> Result:
    """Read a finished graph's artifacts, compute the records, and write the run's folder.

    Args:
        graph: Whose targets are all done.
        store: Where they are.
        folder: Where the run's files go; what lies there under the same names is replaced.
        info: More that `results.json` should tell.
    """
    return _Collector(graph, store).write(folder, info or {})


class _Collector:
    def __init__(self, graph: Graph, store: Store) -> None:
        self._graph = graph
        self._store = store

    def write(self, folder: Path, info: Mapping[str, Any]) -> Result:
        graph = self._graph
        folder.mkdir(parents=True, exist_ok=True)
        result = Result(
            experiment=graph.experiment,
            records=[record for index in range(len(graph.seed_runs)) for record in self._records([index])],
            pooled=self._records(list(range(len(graph.seed_runs)))),
            labels=[self._labels(seed_run) for seed_run in graph.seed_runs],
            folder=folder,
            info={
                **info,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "versions": _versions(),
                "machine": {"system": platform.platform(), "processors": os.cpu_count()},
                "task": {
                    "name": graph.task.name,
                    "num_variations": graph.task.num_variations,
                    "answer_format": graph.task.answer_format,
                    "temperature": graph.temperature,
                    "unparsed": graph.unparsed,
                },
                "dropped": graph.splits.dropped,
                "store": str(self._store.root),
                "steps": [self._step_info(step) for step in graph.targets()],
            },
        )
        self._copy(folder)
        atomic_write(folder / "results.json", json.dumps(result.to_dict(), indent=1, allow_nan=False))
        return result

    def _file(self, step: Step, name: str) -> Path:
        return self._store.path(step) / name

    def _step_info(self, step: Step) -> dict[str, Any]:
        manifest = self._store.manifest(step)
        assert manifest is not None, f"{step.label} is not done"
        return {
            "label": step.label,
            "kind": step.kind,
            "seconds": manifest.seconds,
            "path": str(self._store.path(step)),
        }

    @cached_property
    def _transfer_gold(self) -> dict[str, str]:
        table = read_table(self._file(self._graph.gold["transfer"], ANSWERS_FILE))
        return dict(zip(table["question_id"].to_pylist(), table["answer"].to_pylist(), strict=True))

    def _correct(self, steps: list[Step]) -> Correct:
        """(seeds, questions)"""
        columns = [read_table(self._file(step, PREDICTIONS_FILE))["correct"] for step in steps]
        return np.array([column.to_numpy() for column in columns], dtype=bool)

    def _records(self, indices: list[int]) -> list[Record]:
        seed_runs = [self._graph.seed_runs[index] for index in indices]
        weak = self._correct([seed_run.weak_predictions for seed_run in seed_runs])
        methods = {
            name: self._correct([seed_run.method_runs[name].predictions for seed_run in seed_runs])
            for name in self._graph.experiment.methods
        }
        resamples = Resamples(weak.shape[1], num_seeds=len(seed_runs), num_resamples=self._graph.experiment.resamples)
        seed = seed_runs[0].seed if len(seed_runs) == 1 else None
        rows = [
            Record(
                method=WEAK,
                seed=seed,
                uses_gold=False,
                **self._accuracy(weak, resamples),
                **self._training([seed_run.supervisor for seed_run in seed_runs]),
                **self._selected([seed_run.supervisor.inputs["training_set"] for seed_run in seed_runs], gold=None),
            )
        ]
        for name, correct in methods.items():
            method_runs: list[MethodRun] = [seed_run.method_runs[name] for seed_run in seed_runs]
            sets = [method_run.student.training_set for method_run in method_runs if method_run.student.training_set]
            adapters = [method_run.student.adapter for method_run in method_runs if method_run.student.adapter]
            rows.append(
                Record(
                    method=name,
                    seed=seed,
                    uses_gold=method_runs[0].method.uses_gold,
                    **self._accuracy(correct, resamples),
                    **self._pgr(weak, correct, methods.get(CEILING), resamples),
                    **({} if name == NAIVE else self._gain(correct, methods.get(NAIVE), resamples)),
                    **(self._training(adapters) if adapters else {}),
                    **(self._selected(sets, gold=self._transfer_gold) if sets else {}),
                )
            )
        return rows

    @staticmethod
    def _accuracy(correct: Correct, resamples: Resamples) -> dict[str, Any]:
        interval = accuracy_interval(correct, resamples=resamples)
        return {
            "accuracy": interval.estimate,
            "accuracy_low": interval.low,
            "accuracy_high": interval.high,
        }

    @staticmethod
    def _pgr(weak: Correct, student: Correct, ceiling: Correct | None, resamples: Resamples) -> dict[str, Any]:
        if ceiling is None:
            return {"pgr_note": "no ceiling among the methods"}
        found = pgr_interval(weak, student, ceiling, resamples=resamples)
        if not found.defined:
            return {"pgr_note": found.reason}
        return {"pgr": found.estimate, "pgr_low": _finite(found.low), "pgr_high": _finite(found.high)}

    @staticmethod
    def _gain(correct: Correct, naive: Correct | None, resamples: Resamples) -> dict[str, Any]:
        if naive is None:
            return {}
        found = difference_interval(correct, naive, resamples=resamples)
        return {
            "gain": found.estimate,
            "gain_low": found.low,
            "gain_high": found.high,
            "gain_p": found.p_value,
        }

    def _training(self, steps: list[Step]) -> dict[str, Any]:
        reports = [json.loads(self._file(step, "training.json").read_text()) for step in steps]
        return {"seconds": sum(report["seconds"] for report in reports)}

    def _selected(self, steps: list[Step], gold: Mapping[str, str] | None) -> dict[str, Any]:
        """Of training sets: their size, and how many of their answers are right; `gold` None = all, by making."""
        tables = [read_table(self._file(step, TRAINING_SET_FILE)) for step in steps]
        counts = {
            "rows": _mean([table.num_rows for table in tables]),
            "questions": _mean([len(table["question_id"].unique()) for table in tables]),
        }
        if gold is None:
            return {**counts, "label_accuracy": 1.0, "label_accuracy_weighted": 1.0}
        plain, weighted = [], []
        for table in tables:
            right, weight = _right(table, gold)
            if not len(right):
                return counts
            plain.append(float(right.mean()))
            weighted.append(float(np.average(right, weights=weight)))
        return {**counts, "label_accuracy": _mean(plain), "label_accuracy_weighted": _mean(weighted)}

    def _labels(self, seed_run: SeedRun) -> WeakLabelSummary:
        scored = read_table(self._file(seed_run.scored, SCORED_FILE))
        summary = summarize(scored)
        known = [question for question in scored["question_id"].unique().to_pylist() if question in self._transfer_gold]
        signal = agreement_signal(scored, self._transfer_gold) if known else None
        levels = (
            [
                {
                    "entropy": level.entropy,
                    "questions": level.questions,
                    "rows": level.rows,
                    "accuracy": level.accuracy,
                }
                for level in signal.levels
            ]
            if signal
            else []
        )
        return WeakLabelSummary(
            seed=seed_run.seed,
            rows=summary.rows,
            questions=summary.questions,
            unanimity_rate=summary.unanimity_rate,
            unparsed_rate=summary.unparsed_rate,
            accuracy=signal.accuracy if signal else None,
            auroc=_finite(signal.auroc_reliability) if signal else None,
            by_entropy=levels,
        )

    def _copy(self, folder: Path) -> None:
        """The tables and logs of the run, for people and for the report; adapters stay in the store."""
        graph = self._graph
        questions = pa.concat_tables(
            [read_table(self._file(step, QUESTIONS_FILE)) for step in graph.questions.values()]
        )
        write_table(questions, folder / QUESTIONS_FILE)
        gold = []
        for split, step in graph.gold.items():
            known = read_table(self._file(step, ANSWERS_FILE))
            gold += [
                {"question_id": id, "split": split, "answer": answer}
                for id, answer in zip(known["question_id"].to_pylist(), known["answer"].to_pylist(), strict=True)
            ]
        write_table(pa.Table.from_pylist(gold, schema=GOLD), folder / GOLD_FILE)
        for seed_run in graph.seed_runs:
            base = folder / f"seed-{seed_run.seed}"
            shutil.rmtree(base, ignore_errors=True)
            self._copy_files(seed_run.scored, base, [SCORED_FILE])
            weak = base / WEAK.replace(" ", "-")
            self._copy_files(seed_run.supervisor, weak, ["log.jsonl", "training.json"])
            self._copy_files(seed_run.weak_predictions, weak, [PREDICTIONS_FILE])
            for name, method_run in seed_run.method_runs.items():
                self._copy_files(method_run.predictions, base / name, [PREDICTIONS_FILE])
                if method_run.student.training_set:
                    self._copy_files(method_run.student.training_set, base / name, [TRAINING_SET_FILE, SELECTION_FILE])
                if method_run.student.adapter:
                    self._copy_files(method_run.student.adapter, base / name, ["log.jsonl", "training.json"])
                    adapter = self._store.path(method_run.student.adapter) / "adapter"
                    (base / name / "adapter").symlink_to(adapter, target_is_directory=True)

    def _copy_files(self, step: Step, to: Path, names: list[str]) -> None:
        to.mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copyfile(self._file(step, name), to / name)


def _right(table: pa.Table, gold: Mapping[str, str]) -> tuple[Correct, npt.NDArray[np.float64]]:
    """Which answers are right, and the weights, of the rows whose ground truth is known."""
    ids, answers = table["question_id"].to_pylist(), table["answer"].to_pylist()
    weights = table["weight"].to_pylist()
    known = [row for row, id in enumerate(ids) if id in gold]
    right = np.array([answers[row] == gold[ids[row]] for row in known], dtype=bool)
    return right, np.array([weights[row] for row in known], dtype=np.float64)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _mean(values: list[float] | list[int]) -> float:
    mean = float(np.mean(values))
    return int(mean) if mean == int(mean) and all(isinstance(value, int) for value in values) else mean


def _versions() -> dict[str, str]:
    names = ["w2s", "torch", "transformers", "peft", "accelerate", "pyarrow", "numpy"]
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
