"""Steps: keys that mean what they say, and copies that are the same."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.stores import make_step
from w2s.step import Step, steps_from_json, steps_to_json, walk

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)
SETTINGS = st.dictionaries(st.text(), VALUES, max_size=5)


def reversed_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: reversed_order(item) for name, item in reversed(value.items())}
    return [reversed_order(item) for item in value] if isinstance(value, list) else value


def tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: tuples(item) for name, item in value.items()}
    return tuple(tuples(item) for item in value) if isinstance(value, list) else value


@given(SETTINGS)
def test_the_order_of_settings_does_not_change_the_key(settings: dict[str, Any]) -> None:
    assert make_step(settings=settings).key == make_step(settings=reversed_order(settings)).key


@given(SETTINGS)
def test_a_tuple_and_a_list_give_one_key(settings: dict[str, Any]) -> None:
    assert make_step(settings=settings).key == make_step(settings=tuples(settings)).key


@given(SETTINGS)
def test_settings_read_back_from_the_manifest_give_the_same_key(settings: dict[str, Any]) -> None:
    step = make_step(settings=settings)
    assert make_step(settings=json.loads(json.dumps(step.settings))).key == step.key


@given(SETTINGS, st.text(), VALUES)
def test_a_changed_setting_changes_the_key(settings: dict[str, Any], name: str, value: Any) -> None:
    changed = {**settings, name: value}
    # As text, because 1 == 1.0 == True in Python.
    same = json.dumps(changed, sort_keys=True) == json.dumps(settings, sort_keys=True)
    assert (make_step(settings=changed).key == make_step(settings=settings).key) == same


@given(SETTINGS)
def test_versions_kind_and_inputs_change_the_key_and_label_and_execution_do_not(settings: dict[str, Any]) -> None:
    plain = make_step(settings=settings)
    others = [
        make_step(settings=settings, versions={}),
        make_step(settings=settings, versions={"answers": 2}),
        make_step(settings=settings, versions={"answers": "1"}),
        make_step(settings=settings, versions={"answers": 1, "task file": 1}),
        make_step(settings=settings, kind="student"),
        make_step(settings=settings, inputs={"a": plain}),
        make_step(settings=settings, inputs={"b": plain}),
        make_step(settings=settings, inputs={"a": make_step(settings=settings, versions={"answers": 2})}),
        make_step(settings=settings, inputs={"a": plain, "b": plain}),
    ]
    assert len({plain.key, *(step.key for step in others)}) == len(others) + 1
    assert make_step(settings=settings, label="another", execution={"device": "cpu"}).key == plain.key


@given(SETTINGS, SETTINGS)
def test_a_step_is_the_same_after_a_pickle_and_after_json(settings: dict[str, Any], execution: dict[str, Any]) -> None:
    first = make_step(kind="questions", settings=settings, execution=execution, versions={"questions": 1, "task": "a"})
    second = make_step(inputs={"questions": first}, settings={"n": 1.0, "m": 1, "on": True}, execution=execution)
    targets = [second, make_step(kind="scored", inputs={"answers": second, "questions": first}), first]
    for copies in (pickle.loads(pickle.dumps(targets)), steps_from_json(steps_to_json(targets))):
        assert [copy.key for copy in copies] == [step.key for step in targets]
        for copy, step in zip(copies, targets, strict=True):
            assert_same(copy, step)
        assert copies[1].inputs["questions"] is copies[2], "one step became two"


def assert_same(copy: Step, step: Step) -> None:
    for name in ("kind", "label", "settings", "versions", "execution"):
        # As text, because 1 == 1.0 == True in Python.
        assert json.dumps(getattr(copy, name)) == json.dumps(getattr(step, name))
    assert copy.inputs.keys() == step.inputs.keys()
    for name, before in step.inputs.items():
        assert_same(copy.inputs[name], before)


def test_many_steps_that_share_their_inputs_are_written_once() -> None:
    step = make_step()
    for _ in range(40):  # 2 ** 40 paths lead to the first step
        step = make_step(inputs={"a": step, "b": step})
    text = steps_to_json([step, step])
    assert text.count('"label"') == 41
    first, second = steps_from_json(text)
    assert first is second and first.key == step.key


def test_one_and_one_point_zero_and_true_are_three_settings() -> None:
    assert len({make_step(settings={"n": n}).key for n in (1, 1.0, True)}) == 3


def test_the_key_is_the_same_in_every_version_and_on_every_machine() -> None:
    # A change here makes every user compute everything again.
    step = make_step(settings={"lr": 3e-4, "tasks": ["é"]}, inputs={"q": make_step(kind="questions")})
    assert step.key == "b6a63dae3cceea96f1b4fc05b1de6221"


def test_a_step_keeps_its_settings_when_the_caller_changes_theirs() -> None:
    mine: dict[str, Any] = {"sizes": [1, 2]}
    step = make_step(settings=mine)
    mine["sizes"].append(3)
    assert step.key == make_step(settings={"sizes": [1, 2]}).key


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({"lr": float("nan")}, "answers.lr"),
        ({"lr": [0.1, float("inf")]}, "answers.lr[1]"),
        ({"model": {"path": Path("/x")}}, "answers.model.path"),
        ({"names": {"a", "b"}}, "answers.names"),
        ({"blob": b"x"}, "answers.blob"),
        ({"model": {1: "a"}}, "answers.model"),
    ],
)
def test_a_setting_that_is_not_json_is_named(value: Any, name: str) -> None:
    with pytest.raises(TypeError) as caught:
        make_step(settings=value)
    assert f"setting {name} " in str(caught.value)


@pytest.mark.parametrize("kind", ["", "Answers", "a/b", "..", "a b"])
def test_a_kind_is_a_plain_folder_name(kind: str) -> None:
    with pytest.raises(AssertionError):
        make_step(kind=kind)


def test_a_chain_longer_than_the_stack_is_walked_inputs_first() -> None:
    step = None
    for number in range(5000):
        inputs = {} if step is None else {"before": step}
        step = Step(kind="link", label=str(number), settings={"number": number}, inputs=inputs)
        _ = step.key  # laid one by one, each is known before the next
    assert step is not None
    assert [one.label for one in walk([step], stop=lambda _: False)] == [str(number) for number in range(5000)]
