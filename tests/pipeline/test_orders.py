"""A test in several orders of the options, in an experiment: keys, refusals, and the method that always does it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.experiments import STAYS, in_splits, questions, small_experiment, training, without_pages, write_rows
from support.keys import changed, steps_of
from w2s.config import AnsweringSpec, Experiment, ModelSpec, TaskSpec
from w2s.errors import InputError
from w2s.metrics import difference_interval
from w2s.pipeline import stages
from w2s.pipeline.graph import Graph
from w2s.results.verdicts import knows_more
from w2s.running import run
from w2s.store import Store
from w2s.tables import read_table


def free(folder: Path) -> str:
    rows = [{"id": f"f{n}", "question": f"What is {n} plus 1?", "answer": str(n + 1)} for n in range(36)]
    return write_rows(folder / "free.jsonl", in_splits(rows))


def predictions(experiment: Experiment) -> dict[str, Any]:
    return {label: run.predictions for label, run in Graph(experiment).seed_runs[0].methods.items()}


def test_one_order_is_no_part_of_a_key(base: Experiment) -> None:
    assert not changed(base, replace(base, evaluation=AnsweringSpec(orders=1)))
    for label, step in predictions(base).items():
        assert ("orders" in step.settings) == ("debias" in step.versions) == (label == "zero-shot-debiased")


def test_several_orders_change_all_tests_but_that_of_the_method_with_orders_of_its_own(base: Experiment) -> None:
    tests = {label for label in steps_of(base) if label.endswith(": test") or ": test ·" in label}
    assert changed(base, replace(base, evaluation=AnsweringSpec(orders=3))) == tests - {"zero-shot-debiased: test"}


def test_zero_shot_in_five_orders_is_the_debiased_method(base: Experiment) -> None:
    five = predictions(replace(base, evaluation=AnsweringSpec(orders=5, mode="choose")))
    assert five["zero-shot"].key == five["zero-shot-debiased"].key


def test_the_debiased_method_chooses_where_others_write(base: Experiment) -> None:
    laid = predictions(replace(base, evaluation=AnsweringSpec(mode="generate")))
    assert laid["zero-shot-debiased"].key == predictions(base)["zero-shot-debiased"].key
    assert laid["zero-shot"].settings["answering"]["mode"] == "generate"


def test_the_debiased_method_asks_in_as_many_orders_as_there_are(base: Experiment, tmp_path: Path) -> None:
    rows = [{**row, "choices": [row["answer"], "Mons"], "answer": row["answer"]} for row in questions()]
    data = write_rows(tmp_path / "two.jsonl", in_splits(rows))
    two = replace(base, task=replace(base.task, data=data, num_variations=2), methods=["zero-shot-debiased"])
    assert predictions(two)["zero-shot-debiased"].settings["orders"] == 2
    with pytest.raises(InputError, match="orders is 3: a question of test has 2 options, in 2 orders at most"):
        Graph(replace(two, evaluation=AnsweringSpec(orders=3)))


def test_written_answers_have_no_orders(base: Experiment, tmp_path: Path) -> None:
    task = replace(base.task, data=free(tmp_path), num_variations=1)
    written = replace(base, task=task, methods=["zero-shot", "zero-shot-debiased"])
    laid = predictions(written)
    assert laid["zero-shot"].key == laid["zero-shot-debiased"].key, "there are neither positions nor probabilities"
    for experiment in (written, replace(base, evaluation=AnsweringSpec(mode="generate"))):
        with pytest.raises(InputError, match="orders is 2: an answer that is written has no probabilities"):
            Graph(replace(experiment, evaluation=replace(experiment.evaluation, orders=2)))


@pytest.mark.parametrize("orders", [0, -1, 1.5, "two"])
def test_orders_that_are_no_number_of_orders_are_refused(base: Experiment, orders: Any) -> None:
    with pytest.raises(InputError, match="orders"):
        Graph(replace(base, methods=[{"method": "zero-shot-debiased", "orders": orders}]))


def test_orders_are_of_an_evaluation_and_not_of_the_weak_answers(base: Experiment) -> None:
    with pytest.raises(InputError, match=r"answering\.orders is 2: answers are asked in task\.num_variations ways"):
        Graph(replace(base, answering=AnsweringSpec(orders=2)))


def test_the_simulated_supervisor_is_asked_in_as_many_orders(base: Experiment) -> None:
    one = replace(base, weak=replace(base.weak, source="simulated"), methods=["naive"])
    several = replace(one, evaluation=AnsweringSpec(orders=4))
    laid = [Graph(experiment).seed_runs[0].supervision.predictions for experiment in (one, several)]
    assert [step.inputs["part-0"].settings["num_variations"] for step in laid if step is not None] == [1, 4]
    assert [step.settings.get("orders") for step in laid if step is not None] == [None, 4]


@pytest.mark.usefixtures("no_page")
def test_a_run_in_several_orders_has_one_prediction_a_question_for_every_model(
    tiny_llama: Path, tiny_gemma: Path, tmp_path: Path
) -> None:
    data = write_rows(tmp_path / "questions.jsonl", in_splits(questions()))
    experiment = small_experiment(
        data,
        tiny_llama,
        tiny_gemma,
        methods=["zero-shot", "zero-shot-debiased", "naive"],
        evaluation=AnsweringSpec(orders=3),
        weak_training=training(STAYS),
    )
    for source in ("trained", "simulated"):
        weak = replace(experiment.weak, source=source)
        result = run(replace(experiment, weak=weak), out=tmp_path / source, store=Store(tmp_path / "store"))
        folder = tmp_path / source / "seed-0"
        for name in ("weak-supervisor", "zero-shot", "zero-shot-debiased", "naive"):
            found = read_table(folder / name / "predictions.parquet")
            assert Counter(Counter(found["question_id"].to_pylist()).values()) == {1: 12}
            assert found["choice_logprobs"].null_count == 0
        assert {record.method: record.role for record in result.pooled}["zero-shot-debiased"] == "baseline"


@pytest.fixture
def no_page() -> Iterator[None]:
    with without_pages():
        yield


@pytest.mark.usefixtures("no_page")
def test_the_diagnosis_says_when_the_student_knows_more_than_its_teacher(
    tiny_llama: Path, tiny_gemma: Path, tmp_path: Path
) -> None:
    # Of the added test questions each position is right as often: a model that knows nothing is right on a quarter.
    more = [{**row, "split": "test"} for row in questions(96)[36:]]
    for number, row in enumerate(more):
        row["answer"] = row["choices"][number % 4]
    data = write_rows(tmp_path / "questions.jsonl", in_splits(questions()) + more)
    methods: list[str | dict[str, Any]] = ["zero-shot", "zero-shot-debiased", "naive"]
    experiment = small_experiment(data, tiny_llama, tiny_gemma, methods=methods)
    experiment = replace(experiment, task=replace(experiment.task, test="all"))
    for accuracy in (0.01, 0.99):
        weak = replace(experiment.weak, source="simulated", settings={"accuracy": accuracy})
        result = run(replace(experiment, weak=weak), out=tmp_path / "run", store=Store(tmp_path / "store"))
        said = [note for note in result.labels[0].notes if note.startswith("The student knows more")]
        correct = {name: _correct(tmp_path / "run", name) for name in ("weak-supervisor", "zero-shot")}
        sure = difference_interval(correct["zero-shot"], correct["weak-supervisor"]).low > 0
        assert sure == any("(zero-shot)" in note for note in said) == (accuracy < 0.5)


def _correct(folder: Path, name: str) -> list[bool]:
    table = read_table(folder / "seed-0" / name / "predictions.parquet")
    correct: list[bool] = table["correct"].to_pylist()
    return correct


def test_it_is_said_only_where_it_is_sure() -> None:
    right, wrong = [True] * 40, [False] * 20 + [True] * 20
    said = knows_more("zero-shot", 1.0, 0.5, difference_interval(right, wrong))
    assert said is not None and "untrained (zero-shot) it is right on 100.0%" in said and "on 50.0%" in said
    assert knows_more("zero-shot", 0.5, 1.0, difference_interval(wrong, right)) is None
    assert knows_more("zero-shot", 0.5, 0.5, difference_interval(wrong, wrong)) is None
    assert knows_more("zero-shot", 1.0, 0.975, difference_interval(right, [False, *right[1:]])) is None


def test_evaluate_alone_asks_in_several_orders(tiny_llama: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "questions.jsonl", in_splits(questions()))
    task = TaskSpec(name="file", data=data, num_variations=2, weak_train=8, transfer=16, test=12)
    model, store = ModelSpec(name=str(tiny_llama), dtype="float32"), Store(tmp_path / "store")
    one, four = (stages.evaluate(task, model, answering=AnsweringSpec(orders=orders), store=store) for orders in (1, 4))
    assert one["question_id"].equals(four["question_id"]) and not one["choice_logprobs"].equals(four["choice_logprobs"])
    with pytest.raises(InputError, match=r"answering\.orders is 2"):
        stages.label(task, model, answering=AnsweringSpec(orders=2), store=store)
