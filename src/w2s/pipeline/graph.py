"""An experiment as a graph of steps: what depends on what. Wiring only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from w2s.config import AnsweringSpec, Experiment
from w2s.methods.base import Student
from w2s.models.prepared import PreparedModel
from w2s.pipeline.checks import check_gold, check_options, check_sampling, check_seeds, check_sizes, comparison_of
from w2s.pipeline.lay import Lay
from w2s.pipeline.lay_paraphrases import paraphrases_of
from w2s.pipeline.method_stages import MethodStages
from w2s.pipeline.scoring import Scoring, estimators_of
from w2s.pipeline.source_stages import LaidSource, supervision_of
from w2s.pipeline.specs import MethodSpec, default_methods, method_specs
from w2s.plugins import files_of, load_plugins, loaded_plugins
from w2s.step import Step, walk
from w2s.supervisors import SOURCES, Supervision
from w2s.tables import Unparsed
from w2s.tasks import Task, task_from
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
        lay: Lays the steps of the seed's splits.
        questions: Of each split.
        gold: Ground truth of each split.
        supervision: What the weak source laid.
        scoring: Scores answers of this seed.
        scored: The weak answers to the transfer questions, scored by the experiment's estimator.
        compared: The same answers, scored by each estimator that the run uses or is to compare, the experiment's first.
        methods: The methods by their labels, in the order in which they were asked for.
    """

    seed: int
    lay: Lay
    questions: Mapping[str, Step]
    gold: Mapping[str, Step]
    supervision: Supervision
    scoring: Scoring
    scored: Step
    compared: Mapping[str, Step]
    methods: Mapping[str, MethodRun]


class Graph:
    """The steps of an experiment.

    Args:
        experiment: The settings. They are checked here, before anything is computed.
        like: A graph whose task and splits are used again where its task, paraphrases, seeds, `split_per_seed` and
            plug-ins are equal; any other is ignored.

    Raises:
        InputError: A setting names something that does not exist, or two of them do not fit together.
    """

    def __init__(self, experiment: Experiment, *, like: Graph | None = None) -> None:
        load_plugins(experiment.plugins)
        self.experiment = experiment
        self._account = uuid4().hex  # a new one each time: limits are for a command, not for a store
        self.source = SOURCES.find(experiment.weak.source)
        self.source.check(experiment.weak)
        check_seeds(experiment.seeds)
        needs_weak_train = self.source.needs_weak_train(experiment.weak)
        check_sizes(experiment, vars(experiment.task), needs_weak_train)
        self._like = like if like is not None and _same_questions(like.experiment, experiment) else None
        self.task: Task = self._like.task if self._like else task_from(experiment.task)
        self.methods = method_specs(self._default_methods() if experiment.methods is None else experiment.methods)
        self.unparsed: Unparsed = experiment.reliability.unparsed or self.task.unparsed
        self.estimators = estimators_of(experiment, self.methods, self.task)
        for spec in (experiment.answering, experiment.evaluation):
            self.task.answering_mode(spec.mode)
        check_sampling(experiment, self.task)
        check_options(self.methods, self.task)
        self.compare = comparison_of(experiment, self.methods)
        self.strong = PreparedModel(experiment.strong)
        # Now, and not in the step that writes them: whatever is wrong with the data is said before anything runs.
        lays = self._lays()
        check_sizes(experiment, self.task.sizes, needs_weak_train)
        self.seed_runs = [self._seed_run(seed, lay) for seed, lay in zip(experiment.seeds, lays, strict=True)]

    @property
    def supervisor(self) -> str:
        """What a reader should call the weak supervisor."""
        return self.source.called(self.experiment.weak)

    @property
    def resolved(self) -> Experiment:
        """The settings that give this run in any process.

        The methods that it has and the task's own sizes, number of variations and temperature stand in for None, and
        files that registered a piece of the run are among the plug-ins.
        """
        sizes: dict[str, Any] = self.task.sizes
        task = replace(self.experiment.task, num_variations=self.task.num_variations, **sizes)
        reliability = self.experiment.reliability
        if reliability.estimator == "votes":
            reliability = replace(reliability, temperature=float(self.estimators["votes"]["temperature"]))
        methods = self.experiment.methods
        methods = [spec.label for spec in self.methods] if methods is None else methods
        return replace(self.experiment, task=task, methods=methods, reliability=reliability, plugins=self._plugins())

    def _plugins(self) -> list[str]:
        """The plug-ins that are named, and the files that were imported and registered what the run uses."""
        given = self.experiment.plugins
        named = {Path(file).expanduser().resolve() for file in given}
        trainings = (self.experiment.weak_training, self.experiment.student_training)
        used = files_of(
            {
                "task": [self.task.name],
                "weak source": [self.source.name],
                "estimator": self.estimators,
                "method": [spec.method.name for spec in self.methods],
                "loss": [training.loss for training in trainings],
            }
        )
        return [*given, *(file for file in used if Path(file) not in named)]

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many examples were left out before the splits were drawn, by the reason."""
        return self.seed_runs[0].lay.splits.dropped

    def targets(self) -> list[Step]:
        """Every step whose result is read in the end, in a good order: weak model first, then the strong one."""
        drawn = self.seed_runs if self.experiment.split_per_seed else self.seed_runs[:1]
        steps = [step for run in drawn for step in (*run.questions.values(), *run.gold.values())]
        if self.experiment.paraphrases.count:  # before a training that it might make useless
            before = walk([run.supervision.answers for run in drawn], stop=lambda step: step.kind == "training")
            steps += [step for step in before if step.kind == "paraphrases"]
        for run in self.seed_runs:
            laid = run.supervision
            steps += [step for step in (laid.training, laid.answers) if step is not None]
            steps += run.compared.values()
            steps += [laid.predictions] if laid.predictions is not None else []
            steps += laid.tests.values()
        for run in self.seed_runs:
            for method in run.methods.values():
                steps += [step for one in method.student.rounds for step in one]
                steps.append(method.predictions)
        return steps

    def _lays(self) -> list[Lay]:
        """What lays each seed's steps: the same for all, or one for each draw of the splits."""
        seeds, plugins = self.experiment.seeds, loaded_plugins()
        spec = self.experiment.paraphrases
        reworded = paraphrases_of(self.task, spec, self._account, plugins)
        if self._like is not None:
            lays = [run.lay for run in self._like.seed_runs]
        elif self.experiment.split_per_seed:
            draws = self.task.pool.draws(seeds)
            splits = [self.task.splits(draw, rewordings=spec.count) for draw in draws]
            lays = [
                Lay(self.task, own, plugins, draw=draw, reworded=reworded)
                for draw, own in zip(draws, splits, strict=True)
            ]
        else:
            splits = [self.task.splits(rewordings=spec.count)]
            lays = [Lay(self.task, splits[0], plugins, reworded=reworded)] * len(seeds)
        for lay in lays:
            check_gold(self.methods, lay.splits)
        return lays

    def _seed_run(self, seed: int, lay: Lay) -> SeedRun:
        supervision = supervision_of(self._laid_source(lay, seed))
        scoring = Scoring(
            experiment=self.experiment,
            estimators=self.estimators,
            unparsed=self.unparsed,
            strong=self.strong,
            lay=lay,
            supervision=supervision,
            seed=seed,
        )
        used = [split for split in SPLITS if getattr(self.experiment.task, split) != 0]
        methods = {}
        for spec in self.methods:
            student = spec.method.steps(MethodStages(scoring, spec), spec.settings)
            own = student.adapter or self.experiment.split_per_seed
            label = f"{spec.label}: test" + (f" · seed {seed}" if own else "")
            predictions = lay.predictions(label, self.strong, self._evaluation(lay, student), adapter=student.adapter)
            methods[spec.label] = MethodRun(spec=spec, student=student, predictions=predictions)
        compared = self._compared(scoring, methods)
        return SeedRun(
            seed=seed,
            lay=lay,
            questions={split: lay.questions(split) for split in used},
            gold={split: lay.gold(split) for split in used},
            supervision=supervision,
            scoring=scoring,
            scored=compared[self.experiment.reliability.estimator],
            compared=compared,
            methods=methods,
        )

    def _compared(self, scoring: Scoring, methods: Mapping[str, MethodRun]) -> dict[str, Step]:
        """The weak answers, scored by each estimator that is named for them, or that a method scores them by.

        Not by one that a method scores its student's own answers by: that may ask for what the weak ones have not.
        """
        read = {
            str(step.settings["estimator"])
            for run in methods.values()
            for one in run.student.rounds
            for step in one.training_set.inputs.values()
            if step.kind == "scored" and step.inputs["answers"].key == scoring.supervision.answers.key
        }
        named = {self.experiment.reliability.estimator, *self.experiment.reliability.compare}
        return {name: scoring.weak(name) for name in self.estimators if name in named | read}

    def _laid_source(self, lay: Lay, seed: int) -> LaidSource:
        experiment = self.experiment
        return LaidSource(
            lay=lay,
            spec=experiment.weak,
            answering=experiment.answering,
            evaluation=experiment.evaluation,
            training=experiment.weak_training,
            seed=seed,
            account=self._account,
        )

    def _evaluation(self, lay: Lay, student: Student) -> AnsweringSpec:
        """How a student is tested: as all are, or in orders of its own, where the task has options to choose from."""
        spec = self.experiment.evaluation
        if student.orders is None or "choose" not in self.task.modes:
            return spec
        return replace(spec, mode="choose", orders=min(student.orders, lay.most_orders("test")))

    def _default_methods(self) -> list[str]:
        return default_methods(options="choose" in self.task.modes, weak_gold=self.task.sizes["weak_train"] != 0)


def _same_questions(one: Experiment, other: Experiment) -> bool:
    names = ("task", "paraphrases", "seeds", "split_per_seed", "plugins")
    return all(getattr(one, name) == getattr(other, name) for name in names)
