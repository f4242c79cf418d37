"""An experiment as a graph of steps: what depends on what. Wiring only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from w2s.config import AnsweringSpec, Experiment, WeakSpec
from w2s.errors import InputError
from w2s.methods.base import Settings, Student
from w2s.models.prepared import PreparedModel
from w2s.pipeline.lay import Lay
from w2s.pipeline.specs import MethodSpec, method_specs
from w2s.plugins import load_plugins, loaded_plugins
from w2s.reliability import ESTIMATORS, resolve_estimator
from w2s.step import Json, Step
from w2s.supervisors import SOURCES, Supervision
from w2s.tables import Unparsed
from w2s.tasks import gold_of, questions_of, task_from
from w2s.tasks.questions import SPLITS

__all__ = ["Graph", "MethodRun", "SeedRun"]


@dataclass(frozen=True, kw_only=True)
class MethodRun:
    """One method with one seed: its student, and what the student answers on the test split."""

    spec: MethodSpec
    student: Student
    predictions: Step


@dataclass(frozen=True, kw_only=True)
class SeedRun:
    """All that is done for one seed.

    Attributes:
        seed: Of variations, adapters and training order.
        supervision: What the weak source laid.
        scored: The weak answers to the transfer questions, scored by the experiment's estimator.
        methods: The methods by their labels, in the order in which they were asked for.
    """

    seed: int
    supervision: Supervision
    scored: Step
    methods: Mapping[str, MethodRun]


class Graph:
    """The steps of an experiment.

    Args:
        experiment: The settings. They are checked here, before anything is computed.

    Raises:
        InputError: A setting names something that does not exist, or two of them do not fit together.
    """

    def __init__(self, experiment: Experiment) -> None:
        load_plugins(experiment.plugins)
        self.experiment = experiment
        self.methods = method_specs(experiment.methods)
        self.source = SOURCES.find(experiment.weak.source)
        self.source.check(experiment.weak)
        _check_seeds(experiment.seeds)
        _check_sizes(experiment, self.source.needs_weak_train(experiment.weak))
        self.task = task_from(experiment.task)
        self.unparsed: Unparsed = experiment.reliability.unparsed or self.task.unparsed
        self.estimators = {name: self._estimator(name) for name in self._estimators()}
        for spec in (experiment.answering, experiment.evaluation):
            self.task.answering_mode(spec.mode)
        self.compare = _comparison(experiment, self.methods)
        self.strong = PreparedModel(experiment.strong)
        # Now, and not in the step that writes them: whatever is wrong with the data is said before anything runs.
        self.splits = self.task.splits()
        self._check_gold()
        self.lay = Lay(self.task, self.splits, loaded_plugins())
        used = [split for split in SPLITS if getattr(experiment.task, split) != 0]
        self.questions = {split: self.lay.questions(split) for split in used}
        self.gold = {split: self.lay.gold(split) for split in used}
        self.seed_runs = [self._seed_run(seed) for seed in experiment.seeds]

    @cached_property
    def weak(self) -> PreparedModel:
        """The weak model, where the source has one."""
        return PreparedModel(self.experiment.weak)

    def targets(self) -> list[Step]:
        """Every step whose result is read in the end, in a good order: weak model first, then the strong one."""
        steps = [*self.questions.values(), *self.gold.values()]
        for run in self.seed_runs:
            laid = run.supervision
            steps += [step for step in (laid.training, laid.answers, run.scored, laid.predictions) if step is not None]
        for run in self.seed_runs:
            for method in run.methods.values():
                steps += [step for one in method.student.rounds for step in one]
                steps.append(method.predictions)
        return steps

    def _seed_run(self, seed: int) -> SeedRun:
        supervision = self.source.steps(_SourceStages(self, seed))
        scored = self.scored(f"reliability · seed {seed}", supervision, supervision.answers, seed)
        methods = {}
        for spec in self.methods:
            stages = _MethodStages(self, spec, supervision, seed)
            student = spec.method.steps(stages, spec.settings)
            label = f"{spec.label}: test" + (f" · seed {seed}" if student.adapter else "")
            evaluation = self._evaluation(student)
            predictions = self.lay.predictions(label, self.strong, evaluation, adapter=student.adapter)
            methods[spec.label] = MethodRun(spec=spec, student=student, predictions=predictions)
        return SeedRun(seed=seed, supervision=supervision, scored=scored, methods=methods)

    def _evaluation(self, student: Student) -> AnsweringSpec:
        """How a student is tested: as all are, or in orders of its own, where the task has options to choose from."""
        spec = self.experiment.evaluation
        if student.orders is None or "choose" not in self.task.modes:
            return spec
        return replace(spec, mode="choose", orders=min(student.orders, self.lay.most_orders("test")))

    def scored(
        self, label: str, supervision: Supervision, answers: Step, seed: int, estimator: str | None = None
    ) -> Step:
        """Answers, scored by an estimator, which gets what it asks for."""
        name = estimator or self.experiment.reliability.estimator
        needs = ESTIMATORS[name].needs
        if "calibration" in needs:
            self._check_calibration(name, supervision)
        second = None
        if "second_view" in needs:
            second = self.lay.answers(
                f"untrained student's answers · seed {seed}",
                self.strong,
                self.experiment.answering,
                split="transfer",
                seed=seed,
            )
        return self.lay.scored(
            label,
            answers,
            name,
            self.estimators[name],
            self.unparsed,
            calibration=supervision.calibration if "calibration" in needs else None,
            second_view=second,
        )

    def _estimators(self) -> list[str]:
        own = [spec.estimator for spec in self.methods if spec.estimator is not None]
        return list(dict.fromkeys([self.experiment.reliability.estimator, *own]))

    def _estimator(self, name: str) -> dict[str, Any]:
        """The settings of an estimator: those given are of the experiment's own."""
        spec = self.experiment.reliability
        given = dict(spec.settings) if name == spec.estimator else {}
        if name == "votes":
            given["temperature"] = float(self.task.temperature if spec.temperature is None else spec.temperature)
        elif name == spec.estimator and spec.temperature is not None:
            given["temperature"] = float(spec.temperature)
        return resolve_estimator(name, given)

    def _check_calibration(self, estimator: str, supervision: Supervision) -> None:
        source, folds = self.source.name, self.experiment.weak.folds
        if supervision.calibration is None:
            raise InputError(f"estimator {estimator!r} needs answers to weak_train, and source {source} gives none")
        count = len(questions_of(self.splits.questions, "weak_train"))
        if count < folds:
            raise InputError(
                f"estimator {estimator!r} needs answers to weak_train, asked in weak.folds {folds}: "
                f"expected as many questions, weak_train has {count}"
            )

    def _check_gold(self) -> None:
        known = any(gold_of(self.splits.gold, "transfer").values())
        for spec in self.methods:
            if spec.method.uses_gold and not known:
                raise InputError(
                    f"method {spec.label} needs ground truth of transfer, and no question there has an answer"
                )


class _SourceStages:
    """What a weak source may build on; see `supervisors.source.SourceStages`."""

    def __init__(self, graph: Graph, seed: int) -> None:
        self._graph = graph
        self._seed = seed

    @property
    def spec(self) -> WeakSpec:
        return self._graph.experiment.weak

    @property
    def orders(self) -> int:
        return self._graph.experiment.evaluation.orders

    @property
    def gold(self) -> Step:
        return self._graph.lay.gold("weak_train")

    def gold_training_set(self, fold: Step | None = None) -> Step:
        label = f"weak supervisor: training set · seed {self._seed}{_of(fold)}"
        gold = {"gold_answers": fold or self.gold}
        return self._graph.lay.training_set(label, "ceiling", "ceiling", gold, {}, self._seed)

    def train(self, training_set: Step, *, label: str = "") -> Step:
        graph = self._graph
        name = f"weak supervisor: training{label and ' ' + label} · seed {self._seed}"
        return graph.lay.training(name, graph.weak, graph.experiment.weak_training, training_set, seed=self._seed)

    def answer(
        self, *, adapter: Step | None, split: str = "transfer", examples: int = 0, fold: Step | None = None
    ) -> Step:
        graph = self._graph
        return graph.lay.answers(
            self._answers_label(split) + _of(fold),
            graph.weak,
            graph.experiment.answering,
            split=split,
            seed=self._seed,
            adapter=adapter,
            source=graph.source.name,
            examples=examples,
            fold=fold,
        )

    def test(self, *, adapter: Step | None, examples: int = 0) -> Step:
        graph = self._graph
        return graph.lay.predictions(
            f"weak supervisor: test · seed {self._seed}",
            graph.weak,
            graph.experiment.evaluation,
            adapter=adapter,
            source=graph.source.name,
            examples=examples,
        )

    def ask(
        self,
        settings: Mapping[str, Json],
        *,
        split: str = "transfer",
        num_variations: int | None = None,
        execution: Mapping[str, Json] | None = None,
        sees_gold: bool = False,
    ) -> Step:
        graph = self._graph
        return graph.lay.asked(
            self._answers_label(split),
            graph.source.name,
            settings,
            split=split,
            num_variations=num_variations or graph.task.num_variations,
            seed=self._seed,
            execution=execution or {},
            sees_gold=sees_gold,
        )

    def judge(self, answers: Step) -> Step:
        return self._graph.lay.judged(f"weak supervisor: test · seed {self._seed}", answers, orders=self.orders)

    def folds(self) -> Sequence[Step]:
        return self._graph.lay.folds(self.spec.folds, self._seed)

    def join(self, answers: Sequence[Step], *, label: str) -> Step:
        return self._graph.lay.joined(f"{label} · seed {self._seed}", answers)

    def _answers_label(self, split: str) -> str:
        return f"weak answers{'' if split == 'transfer' else f' to {split}'} · seed {self._seed}"


def _of(fold: Step | None) -> str:
    return f" · {fold.label}" if fold is not None else ""


class _MethodStages:
    """What a method may build on; see `methods.base.Stages`."""

    def __init__(self, graph: Graph, spec: MethodSpec, supervision: Supervision, seed: int) -> None:
        self._graph = graph
        self._spec = spec
        self._supervision = supervision
        self._seed = seed

    def _label(self, what: str, part: str) -> str:
        return f"{self._spec.label}: {part + ': ' if part else ''}{what} · seed {self._seed}"

    @property
    def scored(self) -> Step:
        name = self._spec.estimator
        label = f"reliability · seed {self._seed}" if name is None else f"reliability by {name} · seed {self._seed}"
        return self._graph.scored(label, self._supervision, self._supervision.answers, self._seed, name)

    @property
    def gold_answers(self) -> Step:
        if not self._spec.method.uses_gold:
            raise InputError(f"method {self._spec.method.name} asks for ground truth: it must say uses_gold")
        return self._graph.gold["transfer"]

    def select(self, selector: str, inputs: Mapping[str, Step], settings: Settings, *, part: str = "") -> Step:
        label = self._label("training set", part)
        return self._graph.lay.training_set(label, self._spec.method.name, selector, inputs, settings, self._seed)

    def train(
        self,
        training_set: Step,
        *,
        loss: str | None = None,
        loss_settings: Settings | None = None,
        init: Step | None = None,
        part: str = "",
    ) -> Step:
        graph = self._graph
        spec = graph.experiment.student_training
        if loss is not None:
            spec = replace(spec, loss=loss, loss_settings=dict(loss_settings or {}))
        label = self._label("training", part)
        return graph.lay.training(label, graph.strong, spec, training_set, seed=self._seed, init=init)

    def answer(self, training: Step | None, *, without: Step | None = None, part: str = "") -> Step:
        graph = self._graph
        return graph.lay.answers(
            self._label("answers", part),
            graph.strong,
            graph.experiment.answering,
            split="transfer",
            seed=self._seed,
            adapter=training,
            without=without,
        )

    def score(self, answers: Step, *, part: str = "") -> Step:
        label = self._label("reliability", part)
        return self._graph.scored(label, self._supervision, answers, self._seed, self._spec.estimator)


def _check_sizes(experiment: Experiment, needs_weak_train: bool) -> None:
    for split in SPLITS:
        if getattr(experiment.task, split) == 0 and (split != "weak_train" or needs_weak_train):
            why = f" for source {experiment.weak.source}" if split == "weak_train" else ""
            raise InputError(f"{split} is 0: an experiment needs questions in every split{why}")


def _check_seeds(seeds: list[int]) -> None:
    if not seeds:
        raise InputError("seeds is empty: expected at least one")
    for seed in seeds:
        if not 0 <= seed < 2**32:
            raise InputError(f"seed {seed}: expected a number from 0 to 2**32 - 1")
        if seeds.count(seed) > 1:
            raise InputError(f"seeds names {seed} more than once")


def _comparison(experiment: Experiment, methods: list[MethodSpec]) -> tuple[str, str] | None:
    """The comparison that was named: two labels. By default the first method proper against the reference."""
    given = experiment.compare
    labels = [spec.label for spec in methods]
    if given is None:
        proper = [spec.label for spec in methods if spec.method.role == "method"]
        reference = [spec.label for spec in methods if spec.method.reference]
        return (proper[0], reference[0]) if proper and reference else None
    if not given:
        return None
    if len(given) != 2:
        raise InputError(f"compare is {given}: expected two methods, such as [{', '.join(labels[:2])}]")
    for label in given:
        if label not in labels:
            raise InputError(f"compare names {label!r}: expected two of {', '.join(labels)}")
    return (given[0], given[1])
