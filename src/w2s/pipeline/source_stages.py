"""What a weak source lays its steps with; see `supervisors.source.SourceStages`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import uuid4

from w2s.config import AnsweringSpec, TrainingSpec, WeakSpec
from w2s.config_json import weak_from_dict
from w2s.errors import InputError
from w2s.methods import bound_method
from w2s.models.prepared import PreparedModel
from w2s.pipeline.lay import Lay
from w2s.step import Json, Step
from w2s.supervisors import SOURCES, Supervision
from w2s.tasks import Question, Task, questions_of

__all__ = ["LaidSource", "answers_of", "supervision_of"]


@dataclass(frozen=True, kw_only=True)
class LaidSource:
    """The stages of one source and one seed.

    Attributes:
        lay: Lays the steps.
        spec: The weak supervisor.
        answering: How it answers.
        evaluation: How it answers the test questions.
        training: How it is trained.
        seed: Of the experiment.
        asks: The split that stands for `transfer`, where a source is asked for its answers alone.
        member: Which of several supervisors it is, for the labels.
        account: Name under which the requests of one run are counted against `max_requests` and `max_cost`; all its
            servers share it.
    """

    lay: Lay
    spec: WeakSpec
    answering: AnsweringSpec
    evaluation: AnsweringSpec
    training: TrainingSpec
    seed: int
    asks: str = "transfer"
    member: str = ""
    account: str = field(default_factory=lambda: uuid4().hex)

    @property
    def task(self) -> Task:
        return self.lay.task

    def question_ids(self, split: str) -> Sequence[str]:
        return self.lay.question_ids(self._split(split))

    def questions(self, split: str) -> Sequence[Question]:
        return questions_of(self.lay.splits.questions, self._split(split))

    @cached_property
    def model(self) -> PreparedModel:
        return PreparedModel(self.spec)

    @property
    def gold(self) -> Step:
        return self.lay.gold("weak_train")

    def gold_training_set(self, fold: Step | None = None) -> Step:
        label = self._label("training set", fold)
        name = bound_method().name
        return self.lay.training_set(label, name, name, {"gold_answers": fold or self.gold}, {}, self.seed)

    def train(self, training_set: Step, *, label: str = "") -> Step:
        own = label.removesuffix(f" · seed {self.seed}")  # that of a fold
        name = self._label(f"training{own and ' ' + own}")
        return self.lay.training(name, self.model, self.training, training_set, seed=self.seed)

    def answer(
        self, *, adapter: Step | None, split: str = "transfer", examples: int = 0, fold: Step | None = None
    ) -> Step:
        return self.lay.answers(
            self._answers_label(split, fold),
            self.model,
            self.answering,
            split=self._split(split),
            seed=self.seed,
            adapter=adapter,
            source=self.spec.source,
            examples=examples,
            fold=fold,
        )

    def test(self, *, adapter: Step | None, examples: int = 0) -> Step:
        return self.lay.predictions(
            self._label("test"),
            self.model,
            self.evaluation,
            adapter=adapter,
            source=self.spec.source,
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
        return self.lay.asked(
            self._answers_label(split),
            self.spec.source,
            settings,
            split=self._split(split),
            num_variations=num_variations or self.task.num_variations,
            seed=self.seed,
            execution=execution or {},
            sees_gold=sees_gold,
            in_orders=num_variations is not None,
        )

    @property
    def orders(self) -> int:
        return self.evaluation.orders

    def judge(self, *answers: Step) -> Step:
        return self.lay.judged(self._label("test"), answers, orders=self.orders)

    def folds(self) -> Sequence[Step]:
        return self.lay.folds(self.spec.folds, self.seed)

    def join(self, answers: Sequence[Step], *, label: str, supervisors: Sequence[str] = ()) -> Step:
        return self.lay.joined(f"{label} · seed {self.seed}", answers, supervisors)

    def of(self, member: Mapping[str, Any], name: str) -> Supervision:
        spec = weak_from_dict(member)
        source = SOURCES.find(spec.source)
        source.check(spec)
        if source.needs_weak_train(spec) and not self.lay.question_ids("weak_train"):
            raise InputError(f"weak_train is 0: supervisor {name} is {source.name}, which needs questions there")
        return supervision_of(
            LaidSource(
                lay=self.lay,
                spec=spec,
                answering=self.answering,
                evaluation=self.evaluation,
                training=self.training,
                seed=self.seed,
                asks=self.asks,
                member=name,
                account=self.account,
            )
        )

    def _split(self, split: str) -> str:
        return self.asks if split == "transfer" else split

    def _label(self, what: str, fold: Step | None = None) -> str:
        return f"weak supervisor{self.member and ' ' + self.member}: {what} · {self._seed_of(fold)}"

    def _answers_label(self, split: str, fold: Step | None = None) -> str:
        whose, to = self.member and f" of {self.member}", "" if split == "transfer" else f" to {split}"
        return f"weak answers{whose}{to} · {self._seed_of(fold)}"

    def _seed_of(self, fold: Step | None) -> str:
        return f"seed {self.seed}" if fold is None else fold.label


def answers_of(lay: Lay, spec: WeakSpec, answering: AnsweringSpec, *, split: str, seed: int) -> Step:
    """A source's answers to a split's questions, where that is all that is asked for."""
    source = SOURCES.find(spec.source)
    source.check(spec)
    if source.needs_weak_train(spec):
        raise InputError(f"source {spec.source} learns from weak_train first: use w2s run, or w2s train and --adapter")
    laid = LaidSource(
        lay=lay, spec=spec, answering=answering, evaluation=answering, training=TrainingSpec(), seed=seed, asks=split
    )
    return supervision_of(laid).answers


def supervision_of(source: LaidSource) -> Supervision:
    """What a source lays."""
    return SOURCES.find(source.spec.source).steps(source)
