"""From a finished graph to its results: reads the artifacts, computes the records, fills the run's folder."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from w2s.environment import environment, results_code
from w2s.files import atomic_write
from w2s.folders.layout import Adapters, RunFolder
from w2s.gold import Gold
from w2s.metrics import (
    Difference,
    QuestionIds,
    accuracy_interval,
    difference_interval,
    holm,
    pgr_interval,
    shared_questions,
)
from w2s.models.licence import licence_of
from w2s.pipeline.graph import Graph, MethodRun, SeedRun
from w2s.pipeline.steps import (
    ANSWERS_FILE,
    PREDICTIONS_FILE,
    QUESTIONS_FILE,
    SCORED_FILE,
    TRAINING_SET_FILE,
    gold_by_id,
)
from w2s.results import taught
from w2s.results.comparison import ComparedEstimator
from w2s.results.copying import copy_files
from w2s.results.diagnosis import WeakLabelSummary
from w2s.results.guessing import TestQuestions
from w2s.results.label_files import compared_estimators, weak_labels
from w2s.results.predicted import same_answer, tested_questions
from w2s.results.records import WEAK, Record, RunRecords
from w2s.results.supervisors import SupervisorComparison, is_several
from w2s.results.verdicts import knows_more
from w2s.step import Step, walk
from w2s.store import Store
from w2s.supervisors.asking import judge_in_orders
from w2s.tables import read_columns, read_table

__all__ = ["collect"]

Correct = npt.NDArray[np.bool_]
_PerSeed = list[Correct]  # of each seed (questions,)


class _Selected(NamedTuple):
    """Of training sets: their size, and how many of their labels are right where that is known."""

    rows: float = 0
    questions: float = 0
    label_accuracy: float | None = None
    label_accuracy_weighted: float | None = None


def collect(
    graph: Graph,
    store: Store,
    folder: RunFolder,
    *,
    adapters: Adapters = "link",
    info: Mapping[str, Any] | None = None,
) -> RunRecords:
    """Read a finished graph's artifacts, compute the records, and write the run's folder.

    Args:
        graph: Whose targets are all done.
        store: Where they are.
        folder: Where the run's files go; it is owned.
        adapters: How it holds the students' adapters.
        info: More that `results.json` should tell.
    """
    return _Collector(graph, store, adapters).write(folder, info or {})


class _Collector:
    def __init__(self, graph: Graph, store: Store, adapters: Adapters) -> None:
        self._graph = graph
        self._store = store
        self._adapters = adapters

    def write(self, folder: RunFolder, info: Mapping[str, Any]) -> RunRecords:
        graph = self._graph
        runs = graph.seed_runs
        result = RunRecords(
            experiment=graph.resolved,
            records=[record for run in runs for record in self._records([run])],
            pooled=self._records(runs),
            labels=[self._labels(run) for run in runs],
            supervisors=[found for run in runs if (found := self._supervisors(run)) is not None],
            estimators=self._estimators(runs),
            compare=graph.compare,
            shared_test=shared_questions(self._test_ids(runs)),
            guessing=tested_questions(runs, self._store).guessing(),
            folder=folder.root,
            info={
                **info,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "environment": environment(),
                "results_code": results_code(),
                "machine": {"system": platform.platform(), "processors": os.cpu_count()},
                "task": {
                    "name": graph.task.name,
                    "num_variations": graph.task.num_variations,
                    "answer_format": graph.task.answer_format,
                    "estimators": graph.estimators,
                    "unparsed": graph.unparsed,
                },
                "supervisor": graph.supervisor,
                "student": {**graph.strong.settings, "licence": licence_of(graph.experiment.strong)},
                "dropped": dict(graph.dropped),
                "steps": [self._step_info(step) for step in graph.targets()],
                "behind": _behind(graph),
            },
        )
        copy_files(graph, self._store, folder, self._adapters)
        atomic_write(folder.claim(folder.results), json.dumps(result.to_dict(), indent=1, allow_nan=False))
        return result

    def _file(self, step: Step, name: str) -> Path:
        return self._store.path(step) / name

    def _step_info(self, step: Step) -> dict[str, Any]:
        manifest = self._store.manifest(step)
        assert manifest is not None, f"{step.label} is not done"
        return {
            "label": step.label,
            "kind": step.kind,
            "key": step.key,
            "seconds": manifest.seconds,
            "environment": dict(manifest.environment),
        }

    @cached_property
    def _golds(self) -> dict[str, Gold]:
        """Ground truth by the key of its step: seeds of one draw share it."""
        steps = [step for run in self._graph.seed_runs for step in run.gold.values()]
        return {step.key: gold_by_id(self._store.path(step)) for step in {step.key: step for step in steps}.values()}

    def _gold(self, run: SeedRun, split: str) -> Gold:
        """Ground truth of a seed's own questions; empty where there is none."""
        return self._golds[run.gold[split].key] if split in run.gold else Gold({}, {})

    # Records

    def _test_ids(self, runs: Sequence[SeedRun]) -> QuestionIds:
        """The test questions of each seed."""
        tables = [read_table(self._file(run.questions["test"], QUESTIONS_FILE)) for run in runs]
        return [table["question_id"].to_pylist() for table in tables]

    def _correct(self, steps: Sequence[Step], question_ids: QuestionIds) -> _PerSeed:
        """Of each seed (questions,), in the order of its test questions."""
        found = []
        for step, ids in zip(steps, question_ids, strict=True):
            table = read_table(self._file(step, PREDICTIONS_FILE))
            right = dict(zip(table["question_id"].to_pylist(), table["correct"].to_pylist(), strict=True))
            assert right.keys() == set(ids), f"{step.label} answers other questions than those of its test split"
            found.append(np.array([right[id] for id in ids], dtype=bool))
        return found

    def _records(self, runs: Sequence[SeedRun]) -> list[Record]:
        ids = self._test_ids(runs)
        methods = {
            spec.label: self._correct([run.methods[spec.label].predictions for run in runs], ids)
            for spec in self._graph.methods
        }
        test = tested_questions(runs, self._store)
        bound = next((spec.label for spec in self._graph.methods if spec.method.role == "bound"), None)
        gains = self._gains(methods, ids)
        seed = runs[0].seed if len(runs) == 1 else None
        tested = [run.supervision.predictions for run in runs]
        weak = self._correct([step for step in tested if step is not None], ids) if None not in tested else None
        rows = [] if weak is None else [self._weak_record(runs, weak, ids, seed, test)]
        for spec in self._graph.methods:
            own: list[MethodRun] = [run.methods[spec.label] for run in runs]
            correct = methods[spec.label]
            note, pgr = self._pgr(runs, weak, correct, methods.get(bound or ""), ids)
            gain = gains.get(spec.label)
            found = self._selected(runs, own)
            accuracy = accuracy_interval(correct, question_ids=ids)
            same = same_answer(test, [one.predictions for one in own], ids, self._store)
            rows.append(
                Record(
                    method=spec.label,
                    seed=seed,
                    role=spec.method.role,
                    reference=spec.label == self._reference,
                    uses_gold=spec.method.uses_gold,
                    accuracy=accuracy.estimate,
                    accuracy_low=_finite(accuracy.low),
                    accuracy_high=_finite(accuracy.high),
                    pgr=pgr[0] if pgr else None,
                    pgr_low=_finite(pgr[1]) if pgr else None,
                    pgr_high=_finite(pgr[2]) if pgr else None,
                    pgr_note=note,
                    gain=gain.estimate if gain else None,
                    gain_low=_finite(gain.low) if gain else None,
                    gain_high=_finite(gain.high) if gain else None,
                    gain_p=_finite(gain.p_value) if gain else None,
                    gain_se=_finite(gain.standard_error) if gain else None,
                    rows=found.rows,
                    questions=found.questions,
                    label_accuracy=found.label_accuracy,
                    label_accuracy_weighted=found.label_accuracy_weighted,
                    seconds=self._seconds([one.training for run in own for one in run.student.rounds]),
                    same_answer=same.answer if same else None,
                    same_answer_share=same.share if same else None,
                )
            )
        return rows

    @property
    def _reference(self) -> str | None:
        """What the gains are measured against: that of the named comparison, or the method that says so."""
        if self._graph.compare is not None:
            return self._graph.compare[1]
        return next((spec.label for spec in self._graph.methods if spec.method.reference), None)

    def _gains(self, methods: Mapping[str, _PerSeed], ids: QuestionIds) -> dict[str, Difference]:
        """Each method against the reference; all p-values but the named comparison's are adjusted (Holm)."""
        if self._reference is None:
            return {}
        named = self._graph.compare[0] if self._graph.compare else None
        gains = {
            label: difference_interval(correct, methods[self._reference], question_ids=ids)
            for label, correct in methods.items()
            if label != self._reference
        }
        others = [label for label in gains if label != named]
        adjusted = holm([gains[label].p_value for label in others])
        return gains | {label: gains[label]._replace(p_value=p) for label, p in zip(others, adjusted, strict=True)}

    def _weak_record(
        self, runs: Sequence[SeedRun], weak: _PerSeed, ids: QuestionIds, seed: int | None, test: TestQuestions
    ) -> Record:
        trainings = [run.supervision.training for run in runs if run.supervision.training is not None]
        sets = [read_table(self._file(step.inputs["training_set"], TRAINING_SET_FILE)) for step in trainings]
        accuracy = accuracy_interval(weak, question_ids=ids)
        steps = [run.supervision.predictions for run in runs]
        same = same_answer(test, [step for step in steps if step is not None], ids, self._store)
        return Record(
            method=WEAK,
            seed=seed,
            role="supervisor",
            reference=False,
            uses_gold=False,
            accuracy=accuracy.estimate,
            accuracy_low=_finite(accuracy.low),
            accuracy_high=_finite(accuracy.high),
            rows=_mean([table.num_rows for table in sets]),
            questions=_mean([len(table["question_id"].unique()) for table in sets]),
            # Trained on ground truth.
            label_accuracy=1.0 if sets else None,
            label_accuracy_weighted=1.0 if sets else None,
            seconds=self._seconds(trainings),
            same_answer=same.answer if same else None,
            same_answer_share=same.share if same else None,
        )

    def _pgr(
        self,
        runs: Sequence[SeedRun],
        weak: _PerSeed | None,
        student: _PerSeed,
        ceiling: _PerSeed | None,
        ids: QuestionIds,
    ) -> tuple[str | None, tuple[float, float, float] | None]:
        """The PGR with its interval, or a note why there is none."""
        if weak is None:
            missing = runs[0].supervision.missing or "it gives none"
            return f"no answers of the weak supervisor to the test questions: {missing}", None
        if ceiling is None:
            return "no ceiling among the methods", None
        found = pgr_interval(weak, student, ceiling, question_ids=ids)
        if student is ceiling and found.defined:
            end = 1.0 if math.isfinite(found.low) else math.nan
            return None, (1.0, end, end)  # by definition
        if not found.defined:
            return found.reason, None
        return None, (found.estimate, found.low, found.high)

    def _seconds(self, trainings: Sequence[Step]) -> float | None:
        if not trainings:
            return None
        reports = [json.loads(self._file(step, "training.json").read_text()) for step in trainings]
        return float(sum(report["seconds"] for report in reports))

    def _selected(self, runs: Sequence[SeedRun], methods: Sequence[MethodRun]) -> _Selected:
        """Of the training sets of one method, that of each seed."""
        tables, found = [], []
        for run, method in zip(runs, methods, strict=True):
            if method.student.rounds:
                step = method.student.rounds[-1].training_set
                tables.append(read_columns(self._file(step, TRAINING_SET_FILE), taught.COLUMNS))
                gold = self._gold(run, "transfer"), self._gold(run, "weak_train")
                found.append(taught.labels_right(tables[-1], *gold))
        if not tables:
            return _Selected()
        rows = _mean([table.num_rows for table in tables])
        questions = _mean([len(table["question_id"].unique()) for table in tables])
        known = [one for one in found if one is not None]
        if len(known) < len(found):
            return _Selected(rows, questions)
        plain, weighted = np.mean(known, axis=0).tolist()
        return _Selected(rows, questions, plain, weighted)

    def _labels(self, run: SeedRun) -> WeakLabelSummary:
        found = weak_labels(run.seed, self._file(run.scored, SCORED_FILE), self._gold(run, "transfer"))
        return replace(found, notes=(*found.notes, *self._known_before(run)))

    def _estimators(self, runs: Sequence[SeedRun]) -> list[ComparedEstimator]:
        scored = [{name: self._file(step, SCORED_FILE) for name, step in run.compared.items()} for run in runs]
        gold = Gold.of_all(self._gold(run, "transfer") for run in runs)
        return compared_estimators(scored, gold, seeds=[run.seed for run in runs])

    def _known_before(self, run: SeedRun) -> Iterator[str]:
        """What students know that nobody taught, beside what their teacher knows."""
        if run.supervision.predictions is None:
            return
        ids = self._test_ids([run])
        weak = self._correct([run.supervision.predictions], ids)
        for label, method in run.methods.items():
            if not method.student.rounds:
                own = self._correct([method.predictions], ids)
                difference = difference_interval(own, weak, question_ids=ids)
                said = knows_more(label, float(own[0].mean()), float(weak[0].mean()), difference)
                if said is not None:
                    yield said

    # Several supervisors

    def _supervisors(self, run: SeedRun) -> SupervisorComparison | None:
        """Where several answered: each beside the others."""
        file = self._file(run.supervision.answers, ANSWERS_FILE)
        if not is_several(read_columns(file, ["supervisor"])):
            return None
        answers = read_table(file)
        tested: dict[str, list[bool]] = {}
        for name, step in run.supervision.tests.items():
            for supervisor, table in self._tested(run, step, name, set(answers["supervisor"].to_pylist())):
                tested[supervisor] = table["correct"].to_pylist()
        settings = self._graph.estimators.get("dawid-skene", {})
        return SupervisorComparison.of(run.seed, answers, self._gold(run, "transfer"), tested, **settings)

    def _tested(self, run: SeedRun, step: Step, name: str, supervisors: set[str]) -> Iterator[tuple[str, pa.Table]]:
        """What each supervisor of a step of `Supervision.tests` predicts, by its name in the answers table."""
        if not self._file(step, ANSWERS_FILE).exists():
            yield name, read_table(self._file(step, PREDICTIONS_FILE))
            return
        answers, gold = read_table(self._file(step, ANSWERS_FILE)), gold_by_id(self._store.path(run.gold["test"]))
        names: dict[str, list[str]] = {}
        for own in answers["supervisor"].unique().to_pylist():
            full = next((one for one in (f"{name}: {own}", name) if one in supervisors), own)
            names.setdefault(full, []).append(own)
        for full, owns in names.items():
            rows = answers.filter(pc.is_in(answers["supervisor"], pa.array(owns, pa.string())))
            yield full, judge_in_orders(rows, gold, self._graph.experiment.evaluation.orders)


def _behind(graph: Graph) -> list[dict[str, Any]]:
    """The steps that nothing of the run reads, but for those that it does."""
    read = {step.key for step in graph.targets()}
    steps = walk(graph.targets(), stop=lambda _: False)
    return [{"label": step.label, "kind": step.kind, "key": step.key} for step in steps if step.key not in read]


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def _mean(values: list[int]) -> float:
    """The mean, as a whole number where it is one."""
    mean = float(np.mean(values)) if values else 0.0
    return int(mean) if mean == int(mean) else mean
