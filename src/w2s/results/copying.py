"""The tables, logs and adapters of a run, copied from the store into its folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa

from w2s.folders.layout import Adapters, MethodFolder, RunFolder
from w2s.gold import Gold, with_aliases
from w2s.pipeline.graph import Graph
from w2s.pipeline.steps import (
    PREDICTIONS_FILE,
    QUESTIONS_FILE,
    SCORED_FILE,
    SELECTION_FILE,
    TRAINING_SET_FILE,
    gold_by_id,
)
from w2s.step import Step
from w2s.store import Store
from w2s.tables import GOLD, read_table, write_table

__all__ = ["copy_files"]


def copy_files(graph: Graph, store: Store, folder: RunFolder, adapters: Adapters) -> None:
    """Fill a run's folder for people and for the report; it is owned."""
    _Copier(graph, store, folder, adapters).copy()


class _Copier:
    def __init__(self, graph: Graph, store: Store, folder: RunFolder, adapters: Adapters) -> None:
        self._graph, self._store, self._folder, self._adapters = graph, store, folder, adapters

    def copy(self) -> None:
        self._copy_questions()
        self._copy_seeds()

    def _copy_questions(self) -> None:
        """Questions and ground truth."""
        graph, folder = self._graph, self._folder
        per_seed = graph.experiment.split_per_seed
        for run in graph.seed_runs if per_seed else graph.seed_runs[:1]:
            seed = run.seed if per_seed else None
            tables = [read_table(self._file(step, QUESTIONS_FILE)) for step in run.questions.values()]
            self._write(pa.concat_tables(tables), folder.questions(seed))
            golds = {split: gold_by_id(self._store.path(step)) for split, step in run.gold.items()}
            rows = [
                {"question_id": id, "split": split, "answer": answer}
                for split, gold in golds.items()
                for id, answer in gold.items()
            ]
            aliases = Gold.of_all(golds.values()).aliases
            self._write(with_aliases(pa.Table.from_pylist(rows, schema=GOLD), aliases), folder.gold(seed))

    def _copy_seeds(self) -> None:
        """What the weak supervisor and the students of each seed left."""
        folder = self._folder
        for run in self._graph.seed_runs:
            self._copy(run.scored, SCORED_FILE, folder.scored(run.seed))
            weak = folder.weak(run.seed)
            if run.supervision.training is not None:
                self._copy_training(run.supervision.training, weak)
            if run.supervision.predictions is not None:
                self._copy(run.supervision.predictions, PREDICTIONS_FILE, weak.predictions)
            for label, method in run.methods.items():
                own = folder.method(run.seed, label)
                self._copy(method.predictions, PREDICTIONS_FILE, own.predictions)
                for number, one in enumerate(method.student.rounds, 1):
                    last = number == len(method.student.rounds)
                    to = own if last else own.round(number)
                    self._copy(one.training_set, TRAINING_SET_FILE, to.training_set)
                    self._copy(one.training_set, SELECTION_FILE, to.selection)
                    self._copy_training(one.training, to)
                    folder.put_adapter(self._file(one.training, "adapter"), to.adapter, self._adapters)

    def _copy_training(self, step: Step, to: MethodFolder) -> None:
        self._copy(step, "log.jsonl", to.log)
        self._copy(step, "training.json", to.training)

    def _copy(self, step: Step, name: str, to: Path) -> None:
        shutil.copyfile(self._file(step, name), self._folder.claim(to))

    def _write(self, table: pa.Table, to: Path) -> None:
        write_table(table, self._folder.claim(to))

    def _file(self, step: Step, name: str) -> Path:
        return self._store.path(step) / name
