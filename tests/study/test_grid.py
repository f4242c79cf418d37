"""The settings of a study, made into its cells: which there are, what they are called, and what each has."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.study.grid import cells_of, with_plugins

PAIRS = {
    "small": {"weak.name": "smollm2-135m", "strong.name": "gemma3-270m"},
    "swapped": {"weak": {"name": "gemma3-270m"}, "strong": {"name": "smollm2-135m"}},
}


def names_of(**study: Any) -> list[str]:
    return [cell.name for cell in cells_of(study)]


def test_the_grid_is_every_level_of_one_axis_with_every_level_of_the_other() -> None:
    cells = cells_of({"grid": {"task.name": ["hellaswag", "mmlu"], "pair": PAIRS}})
    assert [cell.name for cell in cells] == ["hellaswag-small", "hellaswag-swapped", "mmlu-small", "mmlu-swapped"]
    last = cells[-1]
    assert last.levels == {"task.name": "mmlu", "pair": "swapped"}
    found = last.experiment
    assert (found.task.name, found.weak.name, found.strong.name) == ("mmlu", "gemma3-270m", "smollm2-135m")


def test_a_preset_gives_each_task_its_own_sizes_and_what_is_written_wins() -> None:
    study = yaml.safe_load("""
    preset: paper
    base: {seeds: [0, 1], task: {test: 100}}
    grid: {task.name: [hellaswag, gsm8k]}
    """)
    first, second = (cell.experiment for cell in cells_of(study))
    assert (first.task.weak_train, second.task.weak_train) == (5000, 3736)
    assert (first.task.test, second.task.test) == (100, 100)
    assert first.seeds == [0, 1] and first.student_training.epochs == 3


def test_one_setting_of_a_source_may_be_an_axis_and_the_others_stay() -> None:
    base = {"weak": {"source": "simulated", "settings": {"difficulty": 2.0, "accuracy": 0.1}}}
    include = [{"name": "anew", "weak.settings": {"sensitivity": 1.0}}, {"name": "as-it-is"}]
    found = cells_of({"base": base, "grid": {"weak.settings.accuracy": [0.5, 0.9]}, "include": include})
    assert {cell.name: cell.experiment.weak.settings for cell in found} == {
        "accuracy-0.5": {"difficulty": 2.0, "accuracy": 0.5},
        "accuracy-0.9": {"difficulty": 2.0, "accuracy": 0.9},
        "anew": {"sensitivity": 1.0},
        "as-it-is": {"difficulty": 2.0, "accuracy": 0.1},
    }


def test_each_seed_has_splits_of_its_own_unless_the_study_says_otherwise() -> None:
    assert cells_of({})[0].experiment.split_per_seed
    assert not cells_of({"base": {"split_per_seed": False}})[0].experiment.split_per_seed


def test_what_is_left_out_and_what_is_added() -> None:
    grid = {"task.name": ["hellaswag", "mmlu"], "task.weak_train": [25, 100]}
    found = cells_of(
        {
            "grid": grid,
            "exclude": [{"task.name": "mmlu", "task.weak_train": 25}],
            "include": [{"name": "big", "task.name": "mmlu", "task.weak_train": 600, "strong.name": "smollm2-360m"}],
        }
    )
    assert [cell.name for cell in found] == [
        "hellaswag-weak_train-25",
        "hellaswag-weak_train-100",
        "mmlu-weak_train-100",
        "big",
    ]
    assert found[-1].levels == {"task.name": "mmlu", "task.weak_train": "600"}
    assert found[-1].experiment.task.weak_train == 600 and found[-1].experiment.strong.name == "smollm2-360m"


def test_an_included_cell_may_stand_at_a_named_level() -> None:
    found = cells_of({"grid": {"pair": PAIRS}, "include": [{"name": "more", "pair": "swapped", "seeds": [7]}]})[-1]
    assert found.levels == {"pair": "swapped"}
    assert found.experiment.weak.name == "gemma3-270m" and found.experiment.seeds == [7]


def test_a_whole_number_where_a_number_belongs_is_the_same_setting() -> None:
    whole, point = (cells_of({"base": {"reliability.temperature": value}})[0].experiment for value in (1, 1.0))
    assert repr(whole.reliability.temperature) == repr(point.reliability.temperature) == "1.0"


@given(st.dictionaries(st.sampled_from("abc"), st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True)))
def test_there_are_as_many_cells_as_the_levels_multiply_to_and_each_has_its_own_name(
    axes: dict[str, list[int]],
) -> None:
    of = {"a": "task.test", "b": "task.transfer", "c": "task.weak_train"}
    grid = {axis: {f"{axis}{value}": {of[axis]: value} for value in values} for axis, values in axes.items()}
    cells = cells_of({"grid": grid})
    count = 1
    for values in axes.values():
        count *= len(values)
    assert len(cells) == count == len({cell.name for cell in cells})


WRONG: list[tuple[Any, str]] = [
    ({"grids": {}}, "unknown part of a study 'grids'.*did you mean 'grid'"),
    ({"base": {"task.nam": "mmlu"}}, "unknown setting 'task.nam'.*did you mean 'task.name'"),
    ({"base": {"task": {"weak_trian": 3}}}, "unknown setting 'task.weak_trian'.*did you mean 'task.weak_train'"),
    ({"base": {"task": 3}}, "task is 3: expected settings"),
    ({"base": [1]}, "base is .*expected settings"),
    ({"grid": {"seeds": [[0], [1]]}}, "expected plain values; name such levels"),
    ({"grid": {"task.name": []}}, "expected a list of values, or levels"),
    ({"grid": {"task.name": "mmlu"}}, "expected a list of values, or levels"),
    ({"grid": {"size": [1, 2]}}, "unknown setting 'size'"),
    ({"grid": {"task.test": ["many"]}}, "cell many: task.test is .many."),
    ({"base": {"seeds": "0"}}, "seeds is '0': expected a list"),
    ({"base": {"weak_training.epochs": 0}}, "epochs is 0: expected at least 1"),
    ({"grid": {"pair": PAIRS}, "exclude": [{"pair": "smal"}]}, "unknown level of pair 'smal'.*did you mean 'small'"),
    ({"grid": {"pair": PAIRS}, "exclude": [{"pai": "small"}]}, "unknown axis 'pai'"),
    ({"grid": {"pair": PAIRS}, "exclude": [{}]}, "exclude has an entry without an axis"),
    ({"grid": {"pair": PAIRS}, "include": [{"pair": "small"}]}, "include has an entry with the name None"),
    ({"grid": {"pair": PAIRS}, "include": [{"name": "x", "pair": "smal"}]}, "unknown level of pair 'smal'"),
    ({"grid": {"pair": PAIRS}, "include": [{"name": "Small"}]}, "two cells are named 'Small'"),
    ({"grid": {"pair": {"a": {}}}, "exclude": [{"pair": "a"}]}, "the study has no cells"),
    ({"preset": "papre"}, "unknown preset 'papre'.*did you mean 'paper'"),
    ({"base": {3: 4}}, "base has the name 3: expected a text"),
]


@pytest.mark.parametrize(("study", "message"), WRONG, ids=[message[:30] for _, message in WRONG])
def test_what_is_not_a_study_is_refused_by_name(study: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        cells_of(study)


def test_a_cells_name_is_that_of_a_folder() -> None:
    assert names_of(grid={"strong.name": ["meta-llama/Llama-2-13b-chat-hf"]}) == ["Llama-2-13b-chat-hf"]
    assert names_of(grid={"pair": {"../../etc": {}, "a b/c": {}}}) == ["etc", "a-b-c"]


def test_plug_ins_of_the_command_are_those_of_every_cell() -> None:
    study = with_plugins({"base": {"plugins": ["a.py"]}, "grid": {"task.test": [1, 2]}}, ["b.py"])
    assert [cell.experiment.plugins for cell in cells_of(study)] == [["a.py", "b.py"]] * 2


PARTS = st.sampled_from(["name", "preset", "base", "grid", "exclude", "include", "other"])
NAMES = st.sampled_from(
    ["task", "task.name", "task.test", "seeds", "methods", "weak", "weak.settings", "weak.settings.x", "pair", "x", ""]
)
PLAIN = (
    st.none() | st.booleans() | st.integers(-2, 99) | st.floats(allow_nan=True) | st.sampled_from(["mmlu", "a/b", ""])
)
ANYTHING = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.integers(0, 2), inner, max_size=3)
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(PARTS, ANYTHING, max_size=4))
def test_whatever_a_file_holds_is_a_study_or_refused(study: dict[str, Any]) -> None:
    try:
        cells = cells_of(study)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert cells and all(cell.name for cell in cells)


@pytest.mark.parametrize(
    ("study", "message"),
    [
        (
            {"grid": {"task.name": ["mmlu", "ethics"], "pair": {"p": {"task": {"name": "gsm8k"}}, "q": {}}}},
            "the axes task.name and pair both give task.name: expected it in one of them",
        ),
        (
            {"base": {"student_training.epochs": 3, "student_training": {"epochs": 1}}},
            "student_training.epochs is there twice, as 3 and as 1: expected it once",
        ),
        (
            {"grid": {"weak.settings.accuracy": [0.3], "who": {"plain": {"weak.settings": {"position_bias": 0.0}}}}},
            "the axis who gives weak.settings as a whole, and weak.settings.accuracy gives weak.settings.accuracy",
        ),
        (
            {"base": {"weak.settings.accuracy": 0.3, "weak": {"settings": {"seed": 1}}}},
            "weak.settings is given as a whole, and weak.settings.accuracy besides: expected one of them",
        ),
        (
            {
                "grid": {"weak.settings.accuracy": [0.3]},
                "include": [{"name": "more", "weak.settings.accuracy": 0.3, "weak.settings": {"seed": 1}}],
            },
            "include more: weak.settings takes the place of weak.settings.accuracy, which the level of an axis gives",
        ),
        (
            {
                "grid": {"who": {"sure": {"weak.settings.accuracy": 0.9}}},
                "include": [{"name": "more", "who": "sure", "weak.settings": {"seed": 1}}],
            },
            "include more: weak.settings takes the place of weak.settings.accuracy, which the level of an axis gives",
        ),
    ],
)
def test_a_setting_that_is_given_twice_is_refused(study: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        cells_of(study)


def test_a_level_has_one_name_in_the_grid_and_beside_it() -> None:
    study = {"grid": {"split_per_seed": [True]}, "include": [{"name": "more", "split_per_seed": True, "seeds": [9]}]}
    assert {cell.levels["split_per_seed"] for cell in cells_of(study)} == {"true"}
