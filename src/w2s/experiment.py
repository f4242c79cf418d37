"""The stages wired into a graph of steps: what depends on what, and what decides each outcome.

No torch here: a graph is made to be looked at as well as run, so the heavy modules are imported by the
builds. Each build reads its inputs' folders and writes its own; `results.py` reads them all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from w2s.config import EXECUTION_ONLY, AnsweringSpec, Experiment, TrainingSpec
from w2s.errors import InputError
from w2s.files import atomic_write, file_sha256
from w2s.methods import Method, get_method
from w2s.methods.base import Selector, Settings, Student
from w2s.methods.ceiling import ceiling
from w2s.models.prepared import PreparedModel
from w2s.reliability import score_answers
from w2s.store import Build, Json, Step
from w2s.tables import read_table, write_table
from w2s.tasks import gold_of, questions_of, task_from
from w2s.tasks.questions import SPLITS

__all__ = ["Graph", "MethodRun", "Progress", "SeedRun", "no_progress"]

ANSWERS_FILE, SCORED_FILE, TRAINING_SET_FILE = "answers.parquet", "scored.parquet", "training_set.parquet"
PREDICTIONS_FILE, QUESTIONS_FILE, GOLD_FILE = "predictions.parquet", "questions.parquet", "gold.parquet"
SELECTION_FILE = "selection.json"


class Progress(Protocol):
    """Is told how far a step is."""

    def __call__(self, label: str, done: int, total: int, unit: str, tokens: int = 0) -> None:
        """`done` of `total` units, and the tokens worked on so far where that is known."""


def no_progress(label: str, done: int, total: int, unit: str, tokens: int = 0) -> None:
    """Nobody is told."""


@dataclass(frozen=True, kw_only=True)
class MethodRun:
    """One method with one seed: its student, and what the student answers on the test split."""

    method: Method
    student: Student
    predictions: Step


@dataclass(frozen=True, kw_only=True)
class SeedRun:
    """All that is done for one seed.

    Attributes:
        seed: Of variations, adapters and training order.
        supervisor: The weak supervisor's training.
        weak_predictions: What the weak supervisor answers on the test split.
        answers: What it answers to every variation of the transfer questions.
        scored: The same, with their reliability.
        method_runs: The methods, in the order in which they were asked for.
    """

    seed: int
    supervisor: Step
    weak_predictions: Step
    answers: Step
    scored: Step
    method_runs: Mapping[str, MethodRun]


class Graph:
    """The steps of an experiment.

    Args:
        experiment: The settings. They are checked here, before anything is computed.
        progress: Is told how far the long steps are.

    Raises:
        InputError: A setting names something that does not exist, or two of them do not fit together.
    """

    def __init__(self, experiment: Experiment, progress: Progress = no_progress) -> None:
        self.experiment = experiment
        self._progress = progress
        self._check()
        self.task = task_from(experiment.task)
        self.temperature = (
            self.task.temperature if experiment.reliability.temperature is None else experiment.reliability.temperature
        )
        self.unparsed = experiment.reliability.unparsed or self.task.unparsed
        self._weak, self._strong = PreparedModel(experiment.weak), PreparedModel(experiment.strong)
        for spec in (experiment.answering, experiment.evaluation):
            if spec.mode is not None and spec.mode not in self.task.modes:
                raise InputError(
                    f"mode {spec.mode!r}: task {self.task.name} can be answered by {' or '.join(self.task.modes)} only"
                )
        # Now, and not in the step that writes them: whatever is wrong with the data is said before anything runs.
        self.splits = self.task.splits()
        self._check_gold()
        paraphrases = experiment.task.paraphrases
        self._asking: dict[str, Json] = {
            "task": self.task.name,
            "templates": dict(self.task.templates),
            "answer_format": self.task.answer_format,
            "paraphrases": file_sha256(Path(paraphrases)) if paraphrases else None,
        }
        self.questions = {split: self._questions(split) for split in SPLITS}
        self.gold = {split: self._gold(split) for split in SPLITS}
        self.seed_runs = [self._replicate(seed) for seed in experiment.seeds]

    def targets(self) -> list[Step]:
        """Every step whose result a report reads, in a good order: weak model first, then the strong one."""
        steps = [*self.questions.values(), *self.gold.values()]
        for seed_run in self.seed_runs:
            steps += [seed_run.supervisor, seed_run.answers, seed_run.scored, seed_run.weak_predictions]
        for seed_run in self.seed_runs:
            for method_run in seed_run.method_runs.values():
                steps += [step for step in (*method_run.student, method_run.predictions) if step is not None]
        return steps

    def _check(self) -> None:
        experiment = self.experiment
        for split in SPLITS:
            if getattr(experiment.task, split) == 0:
                raise InputError(f"{split} is 0: an experiment needs questions in every split")
        for name in experiment.methods:
            get_method(name)
        for name, given in experiment.method_settings.items():
            get_method(name).resolve(given)
        named: dict[str, list[Any]] = {"methods": [*experiment.methods], "seeds": [*experiment.seeds]}
        for what, values in named.items():
            if not values:
                raise InputError(f"{what} is empty: expected at least one")
            wrong = [value for value in values if what == "seeds" and not 0 <= value < 2**32]
            if wrong:
                raise InputError(f"seed {wrong[0]}: expected a number from 0 to 2**32 - 1")
            repeated = [value for value in values if values.count(value) > 1]
            if repeated:
                raise InputError(f"{what} names {repeated[0]!r} more than once")

    # ── questions and ground truth ──────────────────────────────────────────────────────────────────────────

    def _questions(self, split: str) -> Step:
        """The questions of one split, known by their content: how many the other splits have is nothing to it."""
        rows = self.splits.questions.filter(pc.equal(self.splits.questions["split"], split))

        def run(build: Build) -> None:
            write_table(rows, build.out / QUESTIONS_FILE)

        return Step(
            kind="questions",
            label=f"questions of {split}",
            settings={"split": split, "rows": _content(rows)},
            inputs={},
            build=run,
        )

    def _gold(self, split: str) -> Step:
        """Ground truth of one split, as answers. A step of its own, so that who reads it shows in the graph."""
        truth = gold_of(self.splits.gold, split)

        def run(build: Build) -> None:
            from w2s.supervisors.asking import gold_answers

            questions = questions_of(read_table(build.inputs["questions"] / QUESTIONS_FILE), split)
            write_table(gold_answers(self.task, questions, truth), build.out / ANSWERS_FILE)

        return Step(
            kind="gold",
            label=f"ground truth of {split}",
            settings={
                "split": split,
                "asking": self._asking,
                "rows": _content(self.splits.gold.filter(pc.equal(self.splits.gold["split"], split))),
            },
            inputs={"questions": self.questions[split]},
            build=run,
        )

    def _check_gold(self) -> None:
        known = any(gold_of(self.splits.gold, "transfer").values())
        for name in self.experiment.methods:
            if get_method(name).uses_gold and not known:
                raise InputError(f"method {name} needs ground truth of transfer, and no question there has an answer")

    # ── one seed ────────────────────────────────────────────────────────────────────────────────────────────

    def _replicate(self, seed: int) -> SeedRun:
        experiment = self.experiment
        truth = self._select("weak supervisor", ceiling, {"gold_answers": self.gold["weak_train"]}, {}, seed=seed)
        supervisor = self._train("weak supervisor", self._weak, experiment.weak_training, truth, seed)
        answers = self._answers(supervisor, seed)
        scored = self._scored(answers, seed)
        method_runs = {}
        for name in experiment.methods:
            method = get_method(name)
            stages = _Stages(self, scored, seed, uses_gold=method.uses_gold)
            student = method.steps(stages, method.resolve(experiment.method_settings.get(name, {})))
            predictions = self._predictions(name, self._strong, student.adapter, seed)
            method_runs[name] = MethodRun(method=method, student=student, predictions=predictions)
        return SeedRun(
            seed=seed,
            supervisor=supervisor,
            weak_predictions=self._predictions("weak supervisor", self._weak, supervisor, seed),
            answers=answers,
            scored=scored,
            method_runs=method_runs,
        )

    def _answers(self, supervisor: Step, seed: int) -> Step:
        experiment = self.experiment
        label = f"weak answers · seed {seed}"

        def run(build: Build) -> None:
            from w2s.supervisors.asking import answer_questions
            from w2s.supervisors.lm import LocalModel

            questions = questions_of(read_table(build.inputs["questions"] / QUESTIONS_FILE), "transfer")
            with self._weak.loaded(build.inputs, build.inputs["supervisor"] / "adapter", build.say) as lm:
                table = answer_questions(
                    LocalModel(lm, self.task, experiment.answering, name=experiment.weak.name, seed=seed),
                    self.task,
                    questions,
                    num_variations=self.task.num_variations,
                    seed=seed,
                    journal=build.out / "journal.jsonl",
                    progress=lambda done, total: self._progress(label, done, total, "answers"),
                    say=build.say,
                )
            write_table(table, build.out / ANSWERS_FILE)
            (build.out / "journal.jsonl").unlink()

        return Step(
            kind="answers",
            label=label,
            settings={
                "asking": self._asking,
                "split": "transfer",
                "num_variations": self.task.num_variations,
                "seed": seed,
                "answering": self._answering(experiment.answering),
                "model": self._weak.settings,
            },
            inputs={"questions": self.questions["transfer"], "supervisor": supervisor, **self._weak.inputs},
            build=run,
        )

    def _scored(self, answers: Step, seed: int) -> Step:
        def run(build: Build) -> None:
            table = read_table(build.inputs["answers"] / ANSWERS_FILE)
            scored = score_answers(table, temperature=self.temperature, unparsed=self.unparsed)
            write_table(scored, build.out / SCORED_FILE)

        return Step(
            kind="scored",
            label=f"reliability · seed {seed}",
            settings={"temperature": float(self.temperature), "unparsed": self.unparsed},
            inputs={"answers": answers},
            build=run,
        )

    def _select(
        self, name: str, selector: Selector, inputs: Mapping[str, Step], settings: Settings, *, seed: int
    ) -> Step:
        def run(build: Build) -> None:
            files = {"scored": SCORED_FILE, "answers": ANSWERS_FILE, "gold": ANSWERS_FILE}
            tables = {table: read_table(build.inputs[table] / files[step.kind]) for table, step in inputs.items()}
            training_set = selector(**tables, seed=seed, **settings)
            if not training_set.table.num_rows:
                selection = training_set.selection
                unparsed = selection.dropped.get("unparsed", 0)
                hint = " (see --answering.mode and --task.weak_train)" if unparsed else ""
                raise InputError(
                    f"method {name}: no row is left to train on; of {selection.rows_in} answers"
                    f" {unparsed} could not be parsed{hint}"
                )
            write_table(training_set.table, build.out / TRAINING_SET_FILE)
            atomic_write(build.out / SELECTION_FILE, json.dumps(training_set.selection.to_dict(), indent=1))

        return Step(
            kind="training-set",
            label=f"{name}: training set · seed {seed}",
            settings={"selector": f"{selector.__module__}.{selector.__qualname__}", "seed": seed, **settings},
            inputs=inputs,
            build=run,
        )

    def _train(self, name: str, model: PreparedModel, spec: TrainingSpec, training_set: Step, seed: int) -> Step:
        label = f"{name}: training · seed {seed}"

        def run(build: Build) -> None:
            from w2s.training.student import train_student

            table = read_table(build.inputs["training_set"] / TRAINING_SET_FILE)
            with model.loaded(build.inputs, None, build.say) as lm:
                train_student(
                    lm,
                    table,
                    spec,
                    seed=seed,
                    out=build.out,
                    progress=lambda done, total, tokens: self._progress(label, done, total, "steps", tokens),
                    say=build.say,
                )

        settings = {name: value for name, value in asdict(spec).items() if name not in EXECUTION_ONLY}
        return Step(
            kind="training",
            label=label,
            settings={"training": settings, "seed": seed, "model": model.settings},
            inputs={"training_set": training_set, **model.inputs},
            build=run,
        )

    def _predictions(self, name: str, model: PreparedModel, adapter: Step | None, seed: int) -> Step:
        label = f"{name}: test · seed {seed}" if adapter else f"{name}: test"
        spec = self.experiment.evaluation

        def run(build: Build) -> None:
            from w2s.evaluation import evaluate

            questions = questions_of(read_table(build.inputs["questions"] / QUESTIONS_FILE), "test")
            gold = read_table(build.inputs["gold"] / ANSWERS_FILE)
            with model.loaded(build.inputs, build.inputs["adapter"] / "adapter" if adapter else None, build.say) as lm:
                table = evaluate(
                    lm,
                    self.task,
                    questions,
                    dict(zip(gold["question_id"].to_pylist(), gold["answer"].to_pylist(), strict=True)),
                    spec,
                    name=name,
                    journal=build.out / "journal.jsonl",
                    progress=lambda done, total: self._progress(label, done, total, "questions"),
                    say=build.say,
                )
            write_table(table, build.out / PREDICTIONS_FILE)
            (build.out / "journal.jsonl").unlink()

        return Step(
            kind="predictions",
            label=label,
            settings={
                "asking": self._asking,
                "split": "test",
                "answering": self._answering(spec),
                "model": model.settings,
            },
            inputs={
                "questions": self.questions["test"],
                "gold": self.gold["test"],
                **({"adapter": adapter} if adapter else {}),
                **model.inputs,
            },
            build=run,
        )

    def _answering(self, spec: AnsweringSpec) -> dict[str, Json]:
        """What decides an answer; the batch size does not."""
        mode = spec.mode or self.task.modes[0]
        if mode == "choose":
            return {"mode": mode, "length_normalized": spec.length_normalized}
        return {
            "mode": mode,
            "max_new_tokens": spec.max_new_tokens,
            "sampling_temperature": float(spec.sampling_temperature),
        }


class _Stages:
    """What a method may build on; see `methods.base.Stages`."""

    def __init__(self, graph: Graph, scored: Step, seed: int, *, uses_gold: bool) -> None:
        self._graph = graph
        self._scored = scored
        self._seed = seed
        self._uses_gold = uses_gold

    @property
    def scored(self) -> Step:
        return self._scored

    @property
    def gold_answers(self) -> Step:
        assert self._uses_gold, "a method that asks for ground truth must say uses_gold"
        return self._graph.gold["transfer"]

    def select(self, name: str, selector: Selector, inputs: Mapping[str, Step], settings: Settings) -> Step:
        return self._graph._select(name, selector, inputs, settings, seed=self._seed)

    def train(self, name: str, training_set: Step) -> Step:
        graph = self._graph
        return graph._train(name, graph._strong, graph.experiment.student_training, training_set, self._seed)


def _content(table: pa.Table) -> str:
    """A hash of a table's rows."""
    return hashlib.sha256(json.dumps(table.to_pylist(), sort_keys=True).encode()).hexdigest()
