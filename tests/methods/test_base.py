"""What a method is: found by its file, laid as steps, and strict about its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest

from w2s.errors import InputError
from w2s.methods import METHODS, get_method
from w2s.methods.base import Selector, Settings, Student, select_then_train, untrained
from w2s.methods.selection import TrainingSet, candidates_from
from w2s.store import Step


def step(kind: str) -> Step:
    return Step(kind=kind, label=kind, settings={}, inputs={}, build=lambda build: None)


class FakeStages:
    """Notes what a method asks for."""

    def __init__(self) -> None:
        self.scored, self.gold_answers = step("scored"), step("gold")
        self.selected: list[tuple[str, Selector, Mapping[str, Step], Settings]] = []
        self.trained: list[tuple[str, Step]] = []

    def select(self, name: str, selector: Selector, inputs: Mapping[str, Step], settings: Settings) -> Step:
        self.selected.append((name, selector, inputs, settings))
        return step("training-set")

    def train(self, name: str, training_set: Step) -> Step:
        self.trained.append((name, training_set))
        return step("training")


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
    assert stages.selected == [("picky", picky, {"scored": stages.scored}, {"share": 0.1})]
    ((name, training_set),) = stages.trained
    assert name == "picky" and student.training_set is training_set
    assert student.adapter is not None and student.adapter.kind == "training"


def test_a_selector_that_takes_gold_answers_makes_a_method_that_says_so() -> None:
    method, stages = select_then_train("peeking", peeking, summary="for tests"), FakeStages()
    method.steps(stages, {})
    assert method.uses_gold and method.settings == {}
    assert stages.selected[0][2] == {"scored": stages.scored, "gold_answers": stages.gold_answers}


def test_an_untrained_method_lays_no_steps() -> None:
    stages = FakeStages()
    method = untrained("nothing", summary="for tests")
    assert method.steps(stages, {}) == Student(None, None)
    assert stages.selected == stages.trained == [] and method.selector is None


def test_given_settings_replace_the_defaults() -> None:
    assert PICKY.resolve({}) == {"share": 0.5, "count": 3, "strict": False}
    assert PICKY.resolve({"share": 1, "strict": True}) == {"share": 1, "count": 3, "strict": True}
    assert PICKY.settings["share"] == 0.5


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"shar": 0.5}, "unknown setting of method picky 'shar': expected one of share, count, strict; did you mean"),
        ({"share": "half"}, "share of method picky is 'half': expected a float"),
        ({"share": True}, "share of method picky is True: expected a float"),
        ({"count": 2.5}, "count of method picky is 2.5: expected a int"),
        ({"strict": 1}, "strict of method picky is 1: expected a bool"),
        ({"seed": 1}, "unknown setting of method picky 'seed'"),
    ],
)
def test_a_setting_that_is_not_one_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        PICKY.resolve(given)
    assert str(caught.value).startswith(said)


def test_a_method_without_settings_says_so() -> None:
    with pytest.raises(InputError, match="method 'naive' has no settings: 'quantile' was given"):
        get_method("naive").resolve({"quantile": 0.5})


def test_the_methods_of_the_paper_and_the_controls_are_there() -> None:
    assert set(METHODS) >= {
        *("zero-shot", "naive", "filtering", "filtering-sampled", "reweighting", "reweighting-sampled"),
        *("majority", "ceiling", "augmented", "random-subset", "oracle"),
    }
    assert {name for name, method in METHODS.items() if method.uses_gold} == {"ceiling", "oracle"}
    for name, method in METHODS.items():
        assert method.name == name and method.summary and "\n" not in method.summary


def test_an_unknown_method_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown method 'filterin': .*did you mean 'filtering'"):
        get_method("filterin")
