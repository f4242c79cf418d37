"""The steps of posterior labelling: who learns from which questions, what each setting takes out, and a run of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.experiments import SIZES, ancestors, in_splits, questions, small_experiment, write_rows
from support.keys import changed
from w2s.config import Experiment, ReliabilitySpec, WeakSpec
from w2s.errors import InputError
from w2s.methods import METHODS
from w2s.methods.base import Student
from w2s.pipeline.graph import Graph
from w2s.runners import local
from w2s.runners.base import order
from w2s.step import Step, steps_from_json, steps_to_json
from w2s.store import Store
from w2s.tables import read_table

REPOSITORY = Path(__file__).resolve().parents[2]


def asking_for(experiment: Experiment, **settings: Any) -> Experiment:
    return replace(experiment, methods=[{"method": "posterior", **settings}])


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path, tiny_gemma: Path) -> Experiment:
    data = write_rows(tmp_path_factory.mktemp("data") / "questions.jsonl", in_splits(questions()))
    experiment = small_experiment(data, tiny_llama, tiny_gemma)
    return asking_for(replace(experiment, weak=replace(experiment.weak, folds=2)))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One that the tests of this module share: what one computes another finds."""
    return Store(tmp_path_factory.mktemp("store"))


def student_of(experiment: Experiment) -> Student:
    return Graph(experiment).seed_runs[0].methods["posterior"].student


def tables_of(student: Student) -> Mapping[str, Step]:
    """What the last student's labels were made from."""
    return student.rounds[-1].training_set.inputs


def ids(store: Store, step: Step, name: str) -> list[str]:
    found: list[str] = read_table(store.path(step) / name)["question_id"].to_pylist()
    return found


# Cross-fitting


@pytest.mark.parametrize(("folds", "rounds"), [(2, 2), (3, 1)])
def test_no_student_answers_a_question_that_it_learned_from(
    one: Experiment, store: Store, folds: int, rounds: int
) -> None:
    student = student_of(asking_for(one, folds=folds, rounds=rounds, share=1.0))
    answers = [
        (split, tables_of(student)[name])
        for split, name in (("transfer", "cross_fitted"), ("weak_train", "calibration_cross_fitted"))
    ]
    local.run([step for _, step in answers], store)
    for split, joined in answers:
        everything = []
        for part in joined.inputs.values():
            asked = set(ids(store, part, "answers.parquet"))
            learned = set(ids(store, part.inputs["adapter"].inputs["training_set"], "training_set.parquet"))
            assert asked and learned and not asked & learned
            assert split == "weak_train" or len(learned) == SIZES["transfer"] - len(asked)
            everything += sorted(asked)
        assert len(everything) == len(set(everything)) == SIZES[split]
        supervisors = read_table(store.path(joined) / "answers.parquet")["supervisor"].unique().to_pylist()
        assert supervisors == [f"student {number} of {folds}" for number in range(1, folds + 1)]


def test_who_is_weighed_by_ground_truth_learned_none_of_what_it_answers(one: Experiment, store: Store) -> None:
    student = student_of(asking_for(one, views=["weak-gold"], gold_folds=3))
    transfer, weak_train = (tables_of(student)[name] for name in ("weak_gold", "calibration_weak_gold"))
    local.run([transfer, weak_train], store)
    rows = store.path(transfer.inputs["adapter"].inputs["training_set"]) / "training_set.parquet"
    everything = set(read_table(rows)["question_id"].to_pylist())
    assert len(everything) == SIZES["weak_train"]
    answered: list[str] = []
    for part in weak_train.inputs.values():
        asked = set(ids(store, part, "answers.parquet"))
        learned = set(ids(store, part.inputs["adapter"].inputs["training_set"], "training_set.parquet"))
        assert asked and learned == everything - asked
        answered += sorted(asked)
    assert sorted(answered) == sorted(everything)


def test_gold_of_weak_train_is_learned_where_that_is_asked_for_and_changes_no_other_key(
    one: Experiment, store: Store
) -> None:
    with_it = {"views": ["weak"], "variance": False, "share": 1.0, "add_gold": True}
    plain, added = (student_of(asking_for(one, **{**with_it, "add_gold": add})) for add in (False, True))
    assert set(plain.rounds[-1].training_set.settings["settings"]) == {  # type: ignore[arg-type]
        *("share", "labels", "variance", "debias", "views", "weights")
    }  # what decided a key before there was this setting
    assert set(tables_of(plain)) == {"weak"}
    assert set(tables_of(added)) == {"weak", "calibration_gold"}
    local.run([added.rounds[-1].training_set], store)
    rows = read_table(store.path(added.rounds[-1].training_set) / "training_set.parquet")
    assert len(set(rows["question_id"].to_pylist())) == SIZES["transfer"] + SIZES["weak_train"]
    fold = student_of(asking_for(one, add_gold=True)).rounds[0]
    assert [step.key for step in fold] == [step.key for step in student_of(one).rounds[0]]


def test_a_second_round_learns_from_all_views_and_keeps_the_supervisor(one: Experiment) -> None:
    student = student_of(asking_for(one, rounds=2))
    assert len(student.rounds) == 5
    first, second = student.rounds[0].training_set, student.rounds[2].training_set
    assert set(first.inputs) == {"weak", "calibration_weak", "calibration_gold", "left_out"}
    assert {"weak", "untrained", "cross_fitted"} < set(second.inputs) and second.settings["settings"]["views"][
        0
    ] == "weak"  # type: ignore[index,call-overload]
    assert second.inputs["cross_fitted"].key == tables_of(student_of(one))["cross_fitted"].key
    assert tables_of(student)["cross_fitted"].key != second.inputs["cross_fitted"].key
    assert student.adapter is student.rounds[-1].training


# What each setting takes out


@pytest.mark.parametrize(
    ("settings", "there", "trainings"),
    [
        ({}, {"weak", "untrained", "cross_fitted"}, 3),
        ({"views": ["untrained", "weak"]}, {"weak", "untrained"}, 1),
        ({"views": ["cross-fitted"], "folds": 4}, {"weak", "cross_fitted"}, 5),
        ({"views": ["weak"]}, {"weak"}, 1),
        ({"views": ["weak-gold"]}, {"weak", "weak_gold"}, 7),
        ({"views": ["weak-gold", "untrained"], "gold_folds": 2}, {"weak", "untrained", "weak_gold"}, 4),
        ({"views": ["weak-gold"], "variance": False}, {"weak", "weak_gold"}, 2),
    ],
)
def test_only_the_views_that_are_named_are_asked(
    one: Experiment, settings: dict[str, Any], there: set[str], trainings: int
) -> None:
    student = student_of(asking_for(one, **settings))
    found = tables_of(student)
    known = {f"calibration_{name}" for name in (settings.get("views") or there)} | {"calibration_gold"}
    known = {name.replace("-", "_") for name in known} if settings.get("variance", True) else set()
    assert set(found) == there | known
    assert len(student.rounds) == trainings


@pytest.mark.parametrize("weights", ["agreement", "equal"])
def test_labels_without_a_fit_see_no_truth_at_all(one: Experiment, weights: str) -> None:
    prompted = replace(one, weak=replace(one.weak, source="prompted"), task=replace(one.task, weak_train=0))
    student = student_of(asking_for(prompted, weights=weights, variance=False))
    assert not any(step.kind == "gold" for step in ancestors(student.adapter))
    with pytest.raises(InputError, match="method posterior needs answers to weak_train"):
        Graph(asking_for(prompted, weights=weights))


def test_who_does_not_hear_the_supervisor_needs_none_of_its_answers_to_weak_train(one: Experiment) -> None:
    few = replace(one, weak=replace(one.weak, folds=50))  # more than there are questions
    with pytest.raises(InputError, match=r"asked in weak\.folds 50"):
        Graph(asking_for(few, views=["weak"]))
    found = tables_of(student_of(asking_for(few, views=["weak-gold", "untrained"])))
    assert "calibration_weak_gold" in found and "calibration_weak" not in found


def test_rows_of_an_ablation_share_the_students_of_the_folds(one: Experiment) -> None:
    whole = student_of(one)
    for settings in ({"weights": "equal"}, {"weights": "agreement"}, {"rounds": 2}):
        student = student_of(asking_for(one, **settings))
        assert [step.key for step in student.rounds[0]] == [step.key for step in whole.rounds[0]]
        assert student.adapter is not None and whole.adapter is not None
        assert student.adapter.key != whole.adapter.key
    named = student_of(asking_for(one, views=["cross-fitted", "untrained", "weak"]))
    assert named.adapter is not None and named.adapter.key == whole.adapter.key  # type: ignore[union-attr]


def test_each_row_of_the_ablation_has_one_part_taken_out(one: Experiment) -> None:
    methods = yaml.safe_load((REPOSITORY / "studies" / "ablation.yaml").read_text(encoding="utf-8"))["base"]["methods"]
    runs = Graph(replace(one, methods=methods)).seed_runs[0].methods
    rows = {label: run for label, run in runs.items() if run.spec.method.name == "posterior"}
    whole = rows.pop("posterior").spec
    assert whole.settings == METHODS["posterior"].settings
    taken = {
        label: {name for name, value in run.spec.settings.items() if value != whole.settings[name]}
        for label, run in rows.items()
    }
    assert taken.pop("no-truth-at-all") == {"weights", "variance"}
    assert all(len(settings) == 1 for settings in taken.values())
    assert set.union(*taken.values()) == set(whole.settings) - {"folds", "gold_folds", "add_gold"}
    others = ["naive", "self", "weak-gold", "posterior", "ceiling"]
    adapters = [run.student.adapter for run in runs.values() if run.student.adapter is not None]
    assert len({adapter.key for adapter in adapters}) == len(adapters) == len(rows) + len(others)


def test_the_run_s_estimator_is_nothing_to_it(one: Experiment) -> None:
    for reliability in (ReliabilitySpec(temperature=0.5), ReliabilitySpec(estimator="probability")):
        assert changed(one, replace(one, reliability=reliability)) == {"reliability · seed 0"}


# What it cannot do


def test_what_it_cannot_label_is_refused_before_anything_runs(one: Experiment, tmp_path: Path) -> None:
    rows = [{key: value for key, value in row.items() if key != "choices"} for row in in_splits(questions())]
    free = replace(one.task, data=write_rows(tmp_path / "free.jsonl", rows), num_variations=1)
    with pytest.raises(InputError, match="method posterior needs options to choose among, and answers of task file"):
        Graph(replace(one, task=free))
    with pytest.raises(InputError, match="method posterior divides weak_train into 9 parts, and it has 8 questions"):
        Graph(asking_for(one, folds=9))
    write_rows(tmp_path / "labels.jsonl", [{"question_id": "q08", "variation": 0, "answer": "Oslo"}])
    people = WeakSpec(source="table", settings={"path": str(tmp_path / "labels.jsonl")})
    with pytest.raises(InputError):
        Graph(replace(one, weak=people))


# A run


def test_a_run_that_is_killed_goes_on_to_the_same_labels(one: Experiment, tmp_path: Path) -> None:
    weak = WeakSpec(source="simulated")
    experiment = replace(one, weak=weak)
    targets = Graph(experiment).targets()
    whole, broken = Store(tmp_path / "whole"), Store(tmp_path / "broken")
    local.run(targets, whole)
    done: list[str] = []

    def kill(event: Any) -> None:
        if event.kind == "finished":
            done.append(event.step.label)
            if len(done) % 4 == 0:
                raise KeyboardInterrupt

    for _ in range(len(order(targets))):
        try:
            # From their text alone, as another process would know them.
            local.run(steps_from_json(steps_to_json(targets)), broken, on_event=kill)
            break
        except KeyboardInterrupt:
            continue
    assert len(done) == len(set(done)) == len(order(targets)) > 8, "each step is computed once"
    for step in student_of(experiment).rounds:
        names = ("training_set.parquet", "selection.json")
        one_by_one = [
            (store.path(step.training_set) / name).read_bytes() for store in (whole, broken) for name in names
        ]
        assert one_by_one[:2] == one_by_one[2:]
    predicted = Graph(experiment).seed_runs[0].methods["posterior"].predictions
    tables = [read_table(store.path(predicted) / "predictions.parquet") for store in (whole, broken)]
    assert tables[0].equals(tables[1]) and tables[0].num_rows == SIZES["test"]


def test_the_labels_say_how_the_views_were_weighed(one: Experiment, store: Store) -> None:
    experiment = replace(one, weak=WeakSpec(source="simulated"))
    last = student_of(experiment).rounds[-1].training_set
    local.run([last], store)
    rule = (store.path(last) / "selection.json").read_text()
    assert "the posterior of the views, weighed weak " in rule and ", cross-fitted " in rule
    rows = read_table(store.path(last) / "training_set.parquet").to_pylist()
    examples = {row["group"] for row in rows}
    assert len(examples) == SIZES["transfer"] and len(rows) == 4 * len(examples)
