"""How a step of each kind is laid: which settings decide it, which versions, and what it reads. Nothing is computed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pyarrow.compute as pc

from w2s import debias
from w2s.config import AnsweringSpec, TrainingSpec
from w2s.errors import InputError
from w2s.methods import METHODS
from w2s.models.prepared import PreparedModel
from w2s.pipeline.lay_paraphrases import Reworded
from w2s.pipeline.lay_training import training_step
from w2s.pipeline.steps import KINDS, content_of, execution_of_task
from w2s.reliability import ESTIMATORS
from w2s.reliability.encoder import by_content
from w2s.step import Json, Step
from w2s.supervisors import SOURCES
from w2s.tables import Unparsed
from w2s.tasks import TASKS, Draw, Splits, Task

__all__ = ["Lay"]


class Lay:
    """Lays the steps of one task.

    Args:
        task: The task.
        splits: Its questions and their answers.
        plugins: Files that the steps may need.
        draw: The draw of the splits, where each seed has its own.
        reworded: Lays the paraphrases of a split's questions, where they are made.
    """

    def __init__(
        self,
        task: Task,
        splits: Splits,
        plugins: Sequence[str] = (),
        *,
        draw: Draw | None = None,
        reworded: Reworded | None = None,
    ) -> None:
        self.task = task
        self.splits = splits
        self._draw = draw
        self._reworded = reworded
        self._plugins: dict[str, Json] = {"plugins": list(plugins)} if plugins else {}
        self._asking: dict[str, Json] = task.asking()
        self._questions: dict[str, Step] = {}
        self._gold: dict[str, Step] = {}

    def _step(
        self,
        kind: str,
        label: str,
        settings: Mapping[str, Json],
        inputs: Mapping[str, Step],
        versions: Mapping[str, int | str] | None = None,
        execution: Mapping[str, Json] | None = None,
    ) -> Step:
        return Step(
            kind=kind,
            label=label,
            settings=settings,
            inputs=inputs,
            versions={kind: KINDS[kind].version, **(versions or {})},
            execution={**(execution or {}), **self._plugins},
        )

    def _task_version(self) -> dict[str, int | str]:
        return {f"task {self.task.name}": TASKS.version(self.task.name)}

    # Questions and ground truth: each split is known by its content, so how many the others have is nothing to it.

    def questions(self, split: str) -> Step:
        """The questions of a split."""
        if split not in self._questions:  # many steps read them, and their hash takes its time
            self._questions[split] = self._questions_step(split)
        return self._questions[split]

    def _questions_step(self, split: str) -> Step:
        rows = self.splits.questions.filter(pc.equal(self.splits.questions["split"], split))
        settings: dict[str, Json] = {"split": split, "rows": content_of(rows)}
        return self._step("questions", f"questions of {split}{self._whose}", settings, {}, execution=self._from)

    def varied(self, split: str) -> Step:
        """The questions of a split that are asked in several ways, with their paraphrases where these are made."""
        questions = self.questions(split)
        return self._reworded(questions, split) if self._reworded and split != "test" else questions

    def question_ids(self, split: str) -> list[str]:
        """The questions of a split."""
        questions = self.splits.questions
        ids: list[str] = questions.filter(pc.equal(questions["split"], split))["question_id"].to_pylist()
        return ids

    def gold(self, split: str) -> Step:
        """Ground truth of a split, as answers. A step of its own, so that who reads it shows in the graph."""
        if split not in self._gold:
            self._gold[split] = self._gold_step(split)
        return self._gold[split]

    def _gold_step(self, split: str) -> Step:
        rows = self.splits.gold.filter(pc.equal(self.splits.gold["split"], split))
        return self._step(
            "gold",
            f"ground truth of {split}{self._whose}",
            {"split": split, "asking": self._asking, "rows": content_of(rows)},
            {"questions": self.questions(split)},
            self._task_version(),
            self._from,
        )

    @property
    def _whose(self) -> str:
        return f" · seed {self._draw.seed}" if self._draw else ""

    @property
    def _from(self) -> dict[str, Json]:
        """Where the rows of a split are read from."""
        draw: dict[str, Json] = {"draw": self._draw._asdict()} if self._draw else {}
        return {"task": execution_of_task(self.task.spec), **draw}

    # Answers

    def answers(
        self,
        label: str,
        model: PreparedModel,
        spec: AnsweringSpec,
        *,
        split: str,
        seed: int,
        adapter: Step | None = None,
        source: str | None = None,
        examples: int = 0,
        without: Step | None = None,
        fold: Step | None = None,
    ) -> Step:
        """A model's answers to every variation of a split's questions.

        Args:
            label: For people.
            model: Who is asked.
            spec: How it answers.
            split: Whose questions.
            seed: Of the variations, and of sampled answers.
            adapter: A training, whose adapter the model wears.
            source: The weak source that lays this, where one does.
            examples: How many questions of `weak_train` are shown with their answers before each prompt.
            without: A training set whose questions are not asked.
            fold: A fold of the split: its questions are asked, and examples come from outside it.
        """
        if spec.orders > 1:
            raise InputError(f"answering.orders is {spec.orders}: answers are asked in task.num_variations ways")
        settings: dict[str, Json] = {
            **self._answering(spec),
            "split": split,
            "num_variations": self.task.num_variations,
            "seed": seed,
            "model": model.settings,
        }
        inputs = {"questions": fold or self.varied(split), **model.inputs}
        if without is not None:
            inputs["without"] = without
        return self._by_model("answers", label, model, spec, settings, inputs, adapter, source, examples, fold)

    def predictions(
        self,
        label: str,
        model: PreparedModel,
        spec: AnsweringSpec,
        *,
        split: str = "test",
        adapter: Step | None = None,
        source: str | None = None,
        examples: int = 0,
    ) -> Step:
        """A model's answers to a split's questions, compared with ground truth; as for `answers`.

        Raises:
            InputError: The questions have not as many orders of their options as the spec asks for.
        """
        self._check_orders(spec, split)
        settings: dict[str, Json] = {**self._answering(spec), "split": split, "model": model.settings}
        settings |= _in_orders(spec.orders)
        inputs = {"questions": self.questions(split), "gold": self.gold(split), **model.inputs}
        return self._by_model("predictions", label, model, spec, settings, inputs, adapter, source, examples)

    def _by_model(
        self,
        kind: str,
        label: str,
        model: PreparedModel,
        spec: AnsweringSpec,
        settings: dict[str, Json],
        inputs: dict[str, Step],
        adapter: Step | None,
        source: str | None,
        examples: int,
        fold: Step | None = None,
    ) -> Step:
        if adapter is not None:
            inputs["adapter"] = adapter
        if examples:
            settings["examples"] = examples
            inputs["examples"] = fold or self.gold("weak_train")
        versions = self._task_version()
        if source is not None:
            versions[f"source {source}"] = SOURCES.version(source)
        if "orders" in settings:
            versions["debias"] = debias.VERSION
        execution: dict[str, Json] = {"model": model.execution, "tokens_per_batch": spec.tokens_per_batch}
        return self._step(kind, label, settings, inputs, versions, execution)

    def _answering(self, spec: AnsweringSpec) -> dict[str, Json]:
        """What decides an answer besides the model and the question."""
        answering: dict[str, Json] = {"mode": self.task.answering_mode(spec.mode)}
        if answering["mode"] == "choose":
            answering["length_normalized"] = spec.length_normalized
            if spec.samples > 1:
                raise InputError(f"samples is {spec.samples}: expected 1 where a model chooses, since nothing is drawn")
        else:
            answering["max_new_tokens"] = spec.max_new_tokens
            answering["sampling_temperature"] = float(spec.sampling_temperature)
            if spec.sampling_temperature:  # each batch has a seed of its own: what is in it decides
                answering["tokens_per_batch"] = spec.tokens_per_batch
            if spec.samples > 1:
                answering["samples"] = spec.samples
        return {"asking": self._asking, "answering": answering}

    def asked(
        self,
        label: str,
        source: str,
        supervisor: Mapping[str, Json],
        *,
        split: str,
        num_variations: int,
        seed: int,
        execution: Mapping[str, Json],
        sees_gold: bool,
        in_orders: bool = False,
    ) -> Step:
        """A split's questions, answered by a source itself; see `supervisors.source.SourceStages.ask`.

        With `in_orders` variations are orders of the options alone, whatever paraphrases there are.
        """
        settings: dict[str, Json] = {
            "source": source,
            "supervisor": supervisor,
            "asking": self._asking,
            "split": split,
            "num_variations": num_variations,
            "seed": seed,
        }
        if in_orders and self.task.spec.paraphrases is not None:
            settings["in_orders"] = True
        inputs = {"questions": self.questions(split) if in_orders else self.varied(split)}
        if sees_gold:
            inputs["gold"] = self.gold(split)
        versions = {**self._task_version(), f"source {source}": SOURCES.version(source)}
        return self._step("asked", label, settings, inputs, versions, {"supervisor": execution})

    def judged(self, label: str, answers: Sequence[Step], split: str = "test", *, orders: int = 1) -> Step:
        """The answer to each of a split's questions, compared with ground truth; see `SourceStages.judge`."""
        parts = _parts(answers)
        versions: dict[str, int | str] = {"debias": debias.VERSION} if orders > 1 else {}
        settings: dict[str, Json] = {"parts": list(parts), **_in_orders(orders)}
        return self._step("judged", label, settings, {**parts, "gold": self.gold(split)}, versions)

    def most_orders(self, split: str) -> int:
        """In how many orders of its options each question of a split can be asked: 1 where it has none."""
        return math.factorial(self._fewest_options(split))

    def _fewest_options(self, split: str) -> int:
        rows = self.splits.questions.filter(pc.equal(self.splits.questions["split"], split))
        fewest = pc.min(pc.fill_null(pc.list_value_length(rows["choices"]), 0)).as_py()
        return 0 if fewest is None else int(fewest)

    def _check_orders(self, spec: AnsweringSpec, split: str) -> None:
        if spec.orders == 1:
            return
        if self.task.answering_mode(spec.mode) != "choose":
            raise InputError(
                f"orders is {spec.orders}: an answer that is written has no probabilities to average over orders, "
                "expected mode choose, or orders 1"
            )
        if spec.orders > (most := self.most_orders(split)):
            raise InputError(
                f"orders is {spec.orders}: a question of {split} has {self._fewest_options(split)} options, "
                f"in {most} orders at most"
            )

    def folds(self, count: int, seed: int, split: str = "weak_train") -> list[Step]:
        """A split in folds: the questions of each, and of `weak_train` ground truth of the questions outside it."""
        inputs = {"questions": self.varied(split)}
        if split == "weak_train":
            inputs["gold"] = self.gold(split)
        label = f"of {count} of {split} · seed {seed}"
        return [
            self._step("fold", f"fold {fold + 1} {label}", {"fold": fold, "folds": count, "seed": seed}, inputs)
            for fold in range(count)
        ]

    def joined(self, label: str, answers: Sequence[Step], supervisors: Sequence[str] = ()) -> Step:
        """Answers tables, one after the other; with names, each under that of its supervisor."""
        parts = _parts(answers)
        return self._step("joined", label, {"parts": list(parts), "supervisors": list(supervisors)}, parts)

    def scored(
        self,
        label: str,
        answers: Step,
        estimator: str,
        settings: Mapping[str, Json],
        unparsed: Unparsed,
        *,
        calibration: Step | None = None,
        second_view: Step | None = None,
    ) -> Step:
        """Answers, with how far each can be trusted."""
        inputs = {"answers": answers}
        if calibration is not None:
            inputs |= {"calibration": calibration, "calibration_gold": self.gold("weak_train")}
        if second_view is not None:
            inputs["second_view"] = second_view
        content, places = by_content(settings, ESTIMATORS[estimator].models)
        return self._step(
            "scored",
            label,
            {"estimator": estimator, "settings": content, "unparsed": unparsed},
            inputs,
            {f"estimator {estimator}": ESTIMATORS.version(estimator)},
            {"models": places} if places else None,
        )

    # Students

    def training_set(
        self,
        label: str,
        method: str,
        selector: str,
        inputs: Mapping[str, Step],
        settings: Mapping[str, Json],
        seed: int,
    ) -> Step:
        """A training set, by one of a method's selectors."""
        return self._step(
            "training-set",
            label,
            {"method": method, "selector": selector, "seed": seed, "settings": settings},
            inputs,
            {f"method {method}": METHODS.version(method)},
        )

    def training(
        self,
        label: str,
        model: PreparedModel,
        spec: TrainingSpec,
        training_set: Step,
        *,
        seed: int,
        init: Step | None = None,
    ) -> Step:
        """A model, fine-tuned on a training set; see `training_step`."""
        return training_step(label, model, spec, training_set, seed=seed, init=init, execution=self._plugins)


def _parts(steps: Sequence[Step]) -> dict[str, Step]:
    return {f"part-{number}": step for number, step in enumerate(steps)}


def _in_orders(orders: int) -> dict[str, Json]:
    """What is named where it is not the paper's way: one order is no part of a key."""
    return {"orders": orders} if orders > 1 else {}
