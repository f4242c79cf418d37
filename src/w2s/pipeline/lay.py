"""How a step of each kind is laid: which settings decide it, which versions, and what it reads. Nothing is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from w2s import debias
from w2s.config import AnsweringSpec, TrainingSpec
from w2s.errors import InputError
from w2s.methods import METHODS
from w2s.models.prepared import PreparedModel
from w2s.pipeline.lay_questions import LayQuestions
from w2s.pipeline.lay_training import training_step
from w2s.reliability import ESTIMATORS
from w2s.reliability.encoder import by_content
from w2s.step import Json, Step
from w2s.supervisors import SOURCES
from w2s.supervisors.local import LENGTH_NORMALIZED_VERSION, SAMPLED_VERSION, WRITTEN_VERSION
from w2s.tables import Unparsed

__all__ = ["Lay"]


class Lay(LayQuestions):
    """Lays the steps of one task; see `LayQuestions` for what it is made of."""

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
        inputs = dict(model.inputs)
        if without is not None:
            inputs["without"] = without
        parts = []
        for shard, questions in self.asked_questions(split, spec.shard_size, fold):
            to = {"questions": questions, **inputs}
            name = shard.label(label)
            parts.append(self._by_model("answers", name, model, spec, settings, to, adapter, source, examples, fold))
        return parts[0] if len(parts) == 1 else self.joined(label, parts)

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
        shards = self.shards(split, spec.shard_size)
        if len(shards) > 1:  # what is predicted of one question may hang on the answers to all: judged together
            settings |= {"tested": True, "num_variations": spec.orders, "seed": 0}
            parts = []
            for shard in shards:
                inputs = {"questions": self.questions(split, shard), **model.inputs}
                name = shard.label(label)
                parts.append(self._by_model("answers", name, model, spec, settings, inputs, adapter, source, examples))
            return self.judged(label, parts, split, orders=spec.orders)
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
            settings = {**settings, "examples": examples}
            inputs["examples"] = fold or self.gold("weak_train")
        writes = self.task.answering_mode(spec.mode) != "choose"
        versions = self._task_version(parsed=writes)
        if writes:
            versions["written"] = WRITTEN_VERSION
            if spec.sampling_temperature:
                versions["sampled"] = SAMPLED_VERSION
        elif spec.length_normalized:
            versions["length_normalized"] = LENGTH_NORMALIZED_VERSION
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
        versions = {**self._task_version(parsed=True), f"source {source}": SOURCES.version(source)}
        return self._step("asked", label, settings, inputs, versions, {"supervisor": execution})

    def judged(self, label: str, answers: Sequence[Step], split: str = "test", *, orders: int = 1) -> Step:
        """The answer to each of a split's questions, compared with ground truth; see `SourceStages.judge`."""
        parts = _parts(answers)
        versions: dict[str, int | str] = {"debias": debias.VERSION} if orders > 1 else {}
        settings: dict[str, Json] = {"parts": list(parts), **_in_orders(orders)}
        return self._step("judged", label, settings, {**parts, "gold": self.gold(split)}, versions)

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
