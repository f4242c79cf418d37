"""The stages one by one, on anybody's questions, answers and models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from test_experiment import SIZES, in_splits, questions, training, write_rows
from w2s import stages
from w2s.config import AnsweringSpec, ModelSpec, TaskSpec
from w2s.errors import InputError
from w2s.reliability import score_answers
from w2s.store import Store
from w2s.tables import ANSWERS, PREDICTIONS, TRAINING_SET


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> TaskSpec:
    data = write_rows(tmp_path_factory.mktemp("data") / "questions.jsonl", in_splits(questions()))
    return TaskSpec(name="file", data=data, num_variations=3, **SIZES)


@pytest.fixture(scope="module")
def llama(tiny_llama: Path) -> ModelSpec:
    return ModelSpec(name=str(tiny_llama), dtype="float32")


def ask(task: TaskSpec, model: ModelSpec, **more: Any) -> pa.Table:
    return stages.label(task, model, say=lambda _: None, **more)


@pytest.fixture(scope="module")
def answers(task: TaskSpec, llama: ModelSpec) -> pa.Table:
    return ask(task, llama, seed=1)


def test_a_model_answers_every_variation_of_a_splits_questions(task: TaskSpec, answers: pa.Table) -> None:
    assert answers.schema == ANSWERS and answers.num_rows == 3 * SIZES["transfer"]
    assert answers["variation"].to_pylist() == [0, 1, 2] * SIZES["transfer"]
    given = {row["id"]: row for row in in_splits(questions()) if row["split"] == "transfer"}
    for row in answers.to_pylist():
        assert row["answer"] in given[row["question_id"]]["choices"]


def test_the_same_seed_gives_the_same_answers_and_another_other_variations(
    task: TaskSpec, llama: ModelSpec, answers: pa.Table
) -> None:
    assert ask(task, llama, seed=1).equals(answers)
    other = ask(task, llama, seed=2)
    assert (
        other.filter(pa.compute.equal(other["variation"], 0))["prompt"].to_pylist()
        == answers.filter(pa.compute.equal(answers["variation"], 0))["prompt"].to_pylist()
    )
    assert other["prompt"].to_pylist() != answers["prompt"].to_pylist()


def test_a_journal_that_holds_all_answers_is_enough(
    task: TaskSpec, llama: ModelSpec, answers: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, said = tmp_path / "journal.jsonl", list[str]()
    ask(task, llama, seed=1, journal=journal)
    monkeypatch.setattr("w2s.supervisors.lm.score_choices", None)  # not to be called again
    again = stages.label(task, llama, seed=1, journal=journal, say=said.append)
    assert again.equals(answers) and "48 of 48 answers are there already" in said


def test_ground_truth_is_an_answers_table_of_what_is_right(task: TaskSpec) -> None:
    gold = stages.ground_truth(task, split="test")
    right = {row["id"]: row["answer"] for row in questions()}
    assert gold.schema == ANSWERS and gold.num_rows == SIZES["test"]
    assert all(row["answer"] == right[row["question_id"]] for row in gold.to_pylist())


def test_a_selection_from_scored_answers_is_a_training_set(answers: pa.Table) -> None:
    scored = score_answers(answers)
    kept = stages.select(scored, "filtering-sampled", seed=3, quantile=1.0)
    assert kept.table.schema == TRAINING_SET and kept.table.num_rows == SIZES["transfer"]
    assert stages.select(scored, "filtering-sampled", seed=3, quantile=1.0).table.equals(kept.table)
    assert not stages.select(scored, "filtering-sampled", seed=4, quantile=1.0).table.equals(kept.table)


def test_ground_truth_can_be_selected_as_the_ceiling(task: TaskSpec) -> None:
    kept = stages.select(stages.ground_truth(task), "ceiling")
    assert kept.table.num_rows == SIZES["transfer"] and kept.table["weight"].to_pylist() == [1.0] * SIZES["transfer"]


@pytest.mark.parametrize("method", ["oracle", "zero-shot"])
def test_a_method_that_needs_more_than_scored_answers_points_to_the_run(answers: pa.Table, method: str) -> None:
    with pytest.raises(InputError, match=f"method {method!r} does not select from scored answers alone: use w2s run"):
        stages.select(score_answers(answers), method)


def test_a_setting_that_the_method_does_not_have_is_refused(answers: pa.Table) -> None:
    with pytest.raises(InputError, match="did you mean 'quantile'"):
        stages.select(score_answers(answers), "filtering", quantil=0.5)


def test_a_trained_adapter_answers_as_it_was_taught(task: TaskSpec, llama: ModelSpec, tmp_path: Path) -> None:
    taught = stages.select(stages.ground_truth(task), "ceiling").table
    spec = training(5e-2, epochs=2, batch_size=4)
    report = stages.train(taught, llama, spec, out=tmp_path / "student", say=lambda _: None)
    assert report.rows == SIZES["transfer"] and report.steps == 8

    def test_with(adapter: Path | None) -> pa.Table:
        return stages.evaluate(task, llama, adapter=adapter, say=lambda _: None)

    found = test_with(tmp_path / "student")
    assert found.schema == PREDICTIONS and found.num_rows == SIZES["test"]
    right = {row["id"]: row["answer"] for row in questions()}
    assert [row["correct"] for row in found.to_pylist()] == [
        row["answer"] == right[row["question_id"]] for row in found.to_pylist()
    ]
    assert found.equals(test_with(tmp_path / "student" / "adapter"))
    assert sum(found["correct"].to_pylist()) > sum(test_with(None)["correct"].to_pylist())


def test_a_training_set_needs_no_more_than_prompts_and_completions(llama: ModelSpec, tmp_path: Path) -> None:
    bare = pa.table({"prompt": ["2+2=", "3+3="], "completion": [" 4", " 6"]})
    full = bare.append_column("weight", pa.array([1.0, 1.0])).append_column("question_id", pa.array(["a", "b"]))
    losses = [
        stages.train(table, llama, training(), out=tmp_path / name, say=lambda _: None).loss
        for name, table in (("bare", bare), ("full", full))
    ]
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"prompt": ["a"]}, "training set has no column 'completion': it has prompt"),
        ({"prompt": ["a", None], "completion": [" b", " c"]}, "training set, row 2, column 'prompt'"),
        ({"prompt": ["a"], "completion": [" b"], "weight": ["heavy"]}, "training set, column 'weight'"),
    ],
)
def test_a_training_set_that_is_none_is_refused(
    llama: ModelSpec, columns: dict[str, list[object]], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        stages.train(pa.table(columns), llama, training(), out=tmp_path / "student", say=lambda _: None)
    assert said in str(caught.value) and not (tmp_path / "student").exists()


@pytest.mark.parametrize("stage", [stages.label, stages.evaluate])
def test_what_is_wrong_is_said_before_a_model_is_loaded(
    stage: Any, task: TaskSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_llama: Path
) -> None:
    monkeypatch.setattr("w2s.models.load.load_model", None)  # not to be called
    llama = ModelSpec(name=str(tiny_llama))
    with pytest.raises(InputError, match="did you mean 'test'"):
        stage(task, llama, split="tset")
    with pytest.raises(InputError, match=r"expected a folder with adapter_config\.json"):
        stage(task, llama, adapter=tmp_path)
    with pytest.raises(InputError, match="did you mean 'file'"):
        stage(TaskSpec(name="fil"), llama)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="has no weights"):
        stage(task, ModelSpec(name=str(tmp_path)))


def test_an_answering_mode_that_the_task_lacks_is_refused(llama: ModelSpec, tmp_path: Path) -> None:
    rows = [{"question": f"{number}?", "answer": "yes", "split": "transfer"} for number in range(3)]
    free = TaskSpec(name="file", data=write_rows(tmp_path / "free.jsonl", rows), weak_train=0, transfer=3, test=0)
    with pytest.raises(InputError, match="mode 'choose'"):
        ask(free, llama, answering=AnsweringSpec(mode="choose"))
    assert ask(free, llama, answering=AnsweringSpec(max_new_tokens=2), store=Store(tmp_path)).num_rows == 15
