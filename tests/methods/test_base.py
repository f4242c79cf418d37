"""What a method is: found by its file, laid as steps, and strict about its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest

from w2s.errors import InputError
from w2s.methods import METHODS, get_method
from w2s.methods.base import Settings, Student, select_then_train, untrained
from w2s.methods.selection import TrainingSet, candidates_from
from w2s.step import Step


class FakeStages:
    """Notes what a method asks for."""

    def __init__(self) -> None:
        self.scored, self.gold_answers, self.weak_gold = (self.step(kind) for kind in ("scored", "gold", "weak-gold"))
        self.selected: list[tuple[str, Mapping[str, Step], Settings]] = []
        self.asked: list[tuple[Step | None, Step | None]] = []

    def step(self, kind: str, **inputs: Step) -> Step:
        return Step(kind=kind, label=kind, settings={}, inputs=inputs)

    def select(self, selector: str, inputs: Mapping[str, Step], settings: Settings, *, part: str = "") -> Step:
        self.selected.append((selector, inputs, settings))
        return self.step("training-set", **inputs)

    def train(
        self,
        training_set: Step,
        *,
        loss: str | None = None,
        loss_settings: Settings | None = None,
        init: Step | None = None,
        part: str = "",
    ) -> Step:
        assert loss is None and loss_settings is None and init is None
        return self.step("training", training_set=training_set)

    def answer(
        self, training: Step | None, *, without: Step | None = None, choose: bool = False, part: str = ""
    ) -> Step:
        self.asked.append((training, without))
        return self.step("answers")

    def score(self, answers: Step, *, part: str = "") -> Step:
        return self.step("scored", answers=answers)


def picky(scored: pa.Table, *, share: float = 0.5, count: int = 3, strict: bool = False, seed: int = 0) -> TrainingSet:
    return candidates_from(scored).training_set("all of them")


def peeking(scored: pa.Table, gold_answers: pa.Table, *, seed: int = 0) -> TrainingSet:
    return candidates_from(gold_answers).training_set("what is right")


PICKY = select_then_train("picky", picky, summary="for tests")


def test_a_selectors_own_keywords_are_the_methods_settings() -> None:
    assert PICKY.settings == {"share": 0.5, "count": 3, "strict": False}
    assert PICKY.selector is picky and not PICKY.uses_gold


def test_a_method_is_one_selection_and_one_training_on_it() -> None:
    stages = FakeStages()
    student = PICKY.steps(stages, {"share": 0.1})
    assert stages.selected == [("picky", {"scored": stages.scored}, {"share": 0.1})]
    assert PICKY.selectors == {"picky": picky}
    ((training_set, training),) = student.rounds
    assert training_set.kind == "training-set" and training.inputs == {"training_set": training_set}
    assert student.adapter is training


def test_a_selector_that_takes_gold_answers_makes_a_method_that_says_so() -> None:
    method, stages = select_then_train("peeking", peeking, summary="for tests"), FakeStages()
    method.steps(stages, {})
    assert method.uses_gold and method.settings == {}
    assert stages.selected[0][1] == {"scored": stages.scored, "gold_answers": stages.gold_answers}


def test_an_untrained_method_lays_no_steps() -> None:
    stages = FakeStages()
    method = untrained("nothing", summary="for tests")
    student = method.steps(stages, {})
    assert student == Student() and student.adapter is None
    assert stages.selected == [] and method.selector is None and method.selectors == {}


def test_relabel_trains_a_fresh_student_on_what_the_first_agrees_with() -> None:
    stages, method = FakeStages(), METHODS["relabel"]
    settings = method.resolve({"quantile": 0.25})
    first, second = method.steps(stages, settings).rounds
    assert [name for name, _, _ in stages.selected] == ["certain", "agreed"]
    assert stages.selected[0][1] == {"scored": stages.scored}
    assert set(stages.selected[1][1]) == {"scored", "student"} and stages.selected[1][1]["scored"] is stages.scored
    assert all(given == settings for _, _, given in stages.selected)
    assert stages.asked == [(first.training, first.training_set)], "of the questions that it did not learn from"
    assert second.training.inputs == {"training_set": second.training_set}


def test_given_settings_replace_the_defaults() -> None:
    assert PICKY.resolve({}) == {"share": 0.5, "count": 3, "strict": False}
    assert PICKY.resolve({"share": 1, "strict": True}) == {"share": 1, "count": 3, "strict": True}
    assert PICKY.settings["share"] == 0.5


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"shar": 0.5}, "unknown setting of method picky 'shar': expected one of share, count, strict; did you mean"),
        ({"share": "half"}, "share of method picky is 'half': expected a number"),
        ({"share": True}, "share of method picky is True: expected a number"),
        ({"count": 2.5}, "count of method picky is 2.5: expected a whole number"),
        ({"strict": 1}, "strict of method picky is 1: expected a true or false"),
        ({"seed": 1}, "unknown setting of method picky 'seed'"),
    ],
)
def test_a_setting_that_is_not_one_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        PICKY.resolve(given)
    assert str(caught.value).startswith(said)


def test_a_method_without_settings_says_so() -> None:
    with pytest.raises(InputError, match="method naive has no settings: 'quantile' was given"):
        get_method("naive").resolve({"quantile": 0.5})


def test_the_methods_of_the_paper_and_the_controls_are_there() -> None:
    assert set(METHODS) >= {
        *("zero-shot", "naive", "filtering", "filtering-sampled", "reweighting", "reweighting-sampled"),
        *("majority", "ceiling", "augmented", "random-subset", "oracle", "relabel"),
    }
    assert {name for name, method in METHODS.items() if method.uses_gold} == {"ceiling", "oracle"}
    for name, method in METHODS.items():
        assert method.name == name and method.summary and "\n" not in method.summary
        assert not method.uses_gold or method.role in ("bound", "control")
    assert [name for name, method in METHODS.items() if method.reference] == ["naive"]
    assert [name for name, method in METHODS.items() if method.role == "bound"] == ["ceiling"]


def test_an_unknown_method_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown method 'filterin': .*did you mean 'filtering'"):
        get_method("filterin")
