"""A supervisor that is made up, with faults that are known: to see what each fault does to an estimator or a method.

It is given the truth of the questions that it answers, which no real supervisor is. Nothing of it reaches a student
but through its answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from w2s.config import WeakSpec
from w2s.errors import InputError
from w2s.registry import resolve_settings
from w2s.step import Step
from w2s.supervisors.asking import answer_questions
from w2s.supervisors.base import Answer, Batch, Prompt
from w2s.supervisors.source import OF_LOCAL_MODEL, Inquiry, Source, SourceStages, Supervision, refuse_unused

__all__ = ["SOURCES", "Simulated", "skill_for"]

SETTINGS: Mapping[str, bool | int | float | str] = {
    "accuracy": 0.7,
    "difficulty": 1.0,
    "misconception": 1.0,
    "sensitivity": 0.5,
    "position_bias": 0.0,
    "answer_bias": 0.0,
    "systematic": 0.0,
    "annotators": 1,
    "spammers": 0,
}
"""What a simulated supervisor is like; see `Simulated`."""

Floats = npt.NDArray[np.float64]


class Simulated:
    """A supervisor that scores the options of a question by

        skill · [o is right] + difficulty · z_question · [o is right] + misconception · z_question,o
        + sensitivity · z_question,o,variation + position_bias · [o stands first] + answer_bias · z_o

    and answers with the highest; all z are standard normal, drawn from the names of what they belong to. What
    `misconception` makes wrong is wrong in every variation; what `sensitivity` makes wrong is wrong in some.

    Args:
        settings: Those of `SETTINGS`: `accuracy` of a question of four options with neither bias, which sets the
            skill; the strengths above, in nats; `systematic`, the share of questions where it takes a wrong option
            for the right one, so that its agreement says nothing; `annotators`, each with a `sensitivity` draw of
            its own; and how many of these are `spammers`, who answer at random.
        gold: The right answers, by question id.
        annotator: Which of the annotators this is, from 0.
        seed: Of all draws but those of the questions' difficulty.

    Raises:
        InputError: The questions have no options, or one has no right answer among them.
    """

    def __init__(self, settings: Mapping[str, Any], gold: Mapping[str, str], *, annotator: int, seed: int) -> None:
        self._settings = settings
        self._gold = gold
        self._seed = seed
        self._spams = annotator < settings["spammers"]
        self._annotator = annotator
        spread = (settings["difficulty"], settings["misconception"], settings["sensitivity"])
        self._skill = skill_for(settings["accuracy"], *spread)
        self.name = _name(settings["annotators"], annotator)

    def plan(self, prompts: Sequence[Prompt]) -> list[Batch]:
        """One batch: nothing takes long."""
        return [Batch(list(range(len(prompts))), lambda: [self._answer(prompt) for prompt in prompts])]

    def _answer(self, prompt: Prompt) -> Answer:
        question, variation, _ = prompt
        choices = question.choices
        if not choices:
            raise InputError(f"source simulated chooses among options: question {question.id!r} has none")
        if self._gold.get(question.id) not in choices:
            raise InputError(f"source simulated needs the right answer: question {question.id!r} has none")
        scores = self._scores(question.id, choices, variation.variation, variation.positions)
        highest = scores.max()
        logprobs = scores - highest - np.log(np.exp(scores - highest).sum())
        best = int(scores.argmax())
        return Answer(
            response=variation.completions[best],
            answer=choices[best],
            position=variation.positions[best],
            choice_logprobs=logprobs.tolist(),
        )

    def _scores(self, id: str, choices: tuple[str, ...], variation: int, positions: tuple[int, ...]) -> Floats:
        settings, count = self._settings, len(choices)
        moment = _normal(count, "variation", self._seed, self._annotator, id, variation)
        if self._spams:
            return moment
        right = choices.index(self._gold[id])
        belief = _normal(count, "belief", self._seed, id)
        if _generator("systematic", id).random() < settings["systematic"]:
            wrong = [option for option in range(count) if option != right]
            right = min(wrong, key=lambda option: choices[option], default=right)  # the same one whatever the order
        scores: Floats = settings["misconception"] * belief + settings["sensitivity"] * moment
        scores[right] += self._skill + settings["difficulty"] * _normal(1, "difficulty", id)[0]
        scores += settings["position_bias"] * (np.array(positions) == 0)
        scores += settings["answer_bias"] * np.array([_normal(1, "option", choice)[0] for choice in choices])
        return scores


def _name(annotators: int, annotator: int) -> str:
    return "simulated" if annotators == 1 else f"simulated-{annotator + 1}"


@lru_cache
def skill_for(accuracy: float, difficulty: float, misconception: float, sensitivity: float, options: int = 4) -> float:
    """The skill at which a simulated supervisor without biases is right as often as that.

    With x the score of the right option and σ the standard deviation of the others', it is right with probability
    E[Φ(x/σ)^(options − 1)]; the expectation is taken on a grid, and the skill found by bisection.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr

    others = max(float(np.hypot(misconception, sensitivity)), 1e-6)
    own = float(np.hypot(others, difficulty))
    grid = np.linspace(-8, 8, 2001)
    density = np.exp(-grid * grid / 2)
    density /= density.sum()

    def excess(skill: float) -> float:
        return float((density * ndtr((skill + own * grid) / others) ** (options - 1)).sum()) - accuracy

    return float(brentq(excess, -50 * own, 50 * own))


def _generator(*names: object) -> np.random.Generator:
    """A generator that what is named has for itself: who else is asked, and in which order, changes nothing."""
    digest = hashlib.sha256("\0".join(map(str, names)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def _normal(count: int, *names: object) -> Floats:
    return _generator(*names).standard_normal(count)


def _answers(inquiry: Inquiry) -> pa.Table:
    tables = [
        answer_questions(
            Simulated(inquiry.settings, inquiry.gold, annotator=annotator, seed=inquiry.seed),
            inquiry.task,
            inquiry.questions,
            num_variations=inquiry.num_variations,
            seed=inquiry.seed,
            progress=inquiry.progress,
        )
        for annotator in range(inquiry.settings["annotators"])
    ]
    return pa.concat_tables(tables)


def _steps(stages: SourceStages) -> Supervision:
    settings = resolve_settings("source simulated", SETTINGS, stages.spec.settings)

    def ask(split: str, num_variations: int | None = None) -> Step:
        return stages.ask(settings, split=split, num_variations=num_variations, sees_gold=True)

    tested = ask("test", stages.orders)
    return Supervision(
        answers=ask("transfer"),
        predictions=stages.judge(tested),
        calibration=ask("weak_train"),
        supervisors=tuple(_name(settings["annotators"], annotator) for annotator in range(settings["annotators"])),
        tests={"": tested} if settings["annotators"] > 1 else {},
    )


def _check(spec: WeakSpec) -> None:
    refuse_unused(spec, "url", "key_env", "examples", *OF_LOCAL_MODEL)
    settings = resolve_settings("source simulated", SETTINGS, spec.settings)
    ranges = {
        "accuracy": (0.01, 0.99),
        **dict.fromkeys(("difficulty", "misconception", "sensitivity"), (0, 100)),
        **dict.fromkeys(("position_bias", "answer_bias"), (-100, 100)),
        "systematic": (0, 1),
        "annotators": (1, 1000),
        "spammers": (0, settings["annotators"]),
    }
    for name, (low, high) in ranges.items():
        if not low <= settings[name] <= high:
            raise InputError(f"weak.settings.{name} is {settings[name]}: expected at least {low} and at most {high}")


SOURCES = (
    Source(
        name="simulated",
        summary="nobody: answers made up from the truth, with faults that weak.settings state",
        steps=_steps,
        needs_weak_train=lambda spec: False,
        check=_check,
        called=lambda spec: "a simulated supervisor",
        answer=_answers,
        instant=True,
        version=2,
    ),
)
