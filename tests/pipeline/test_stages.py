"""The stages one by one, on anybody's questions, answers and models."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from support.experiments import SIZES, in_splits, questions, training, write_rows
from w2s.config import AnsweringSpec, Experiment, ModelSpec, TaskSpec, WeakSpec
from w2s.errors import InputError
from w2s.pipeline import stages
from w2s.pipeline.graph import Graph
from w2s.reliability import score_answers
from w2s.runners import local
from w2s.store import Store
from w2s.tables import ANSWERS, PREDICTIONS, TRAINING_SET, read_table


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> TaskSpec:
    data = write_rows(tmp_path_factory.mktemp("data") / "questions.jsonl", in_splits(questions()))
    return TaskSpec(name="file", data=data, num_variations=3, **SIZES)


@pytest.fixture(scope="module")
def llama(tiny_llama: Path) -> ModelSpec:
    return ModelSpec(name=str(tiny_llama), dtype="float32")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def answers(task: TaskSpec, llama: ModelSpec, store: Store) -> pa.Table:
    return stages.label(task, llama, seed=1, store=store)


def test_a_model_answers_every_variation_of_a_splits_questions(task: TaskSpec, answers: pa.Table) -> None:
    assert answers.schema == ANSWERS and answers.num_rows == 3 * SIZES["transfer"]
    assert answers["variation"].to_pylist() == [0, 1, 2] * SIZES["transfer"]
    given = {row["id"]: row for row in in_splits(questions()) if row["split"] == "transfer"}
    for row in answers.to_pylist():
        assert row["answer"] in given[row["question_id"]]["choices"]


def test_the_same_seed_gives_the_same_answers_and_another_other_variations(
    task: TaskSpec, llama: ModelSpec, answers: pa.Table, store: Store, tmp_path: Path
) -> None:
    assert stages.label(task, llama, seed=1, store=Store(tmp_path)).equals(answers)
    other = stages.label(task, llama, seed=2, store=store)
    assert (
        other.filter(pa.compute.equal(other["variation"], 0))["prompt"].to_pylist()
        == answers.filter(pa.compute.equal(answers["variation"], 0))["prompt"].to_pylist()
    )
    assert other["prompt"].to_pylist() != answers["prompt"].to_pylist()


def test_answers_that_the_store_has_are_not_asked_for_again(
    task: TaskSpec,
    llama: ModelSpec,
    answers: pa.Table,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("w2s.engine.choose.score_choices", None)  # not to be called again
    with caplog.at_level(logging.INFO, logger="w2s"):
        assert stages.label(task, llama, seed=1, store=store).equals(answers)
    assert f"answers of {llama.name}: found done in the store" in caplog.messages


def test_a_killed_stage_goes_on_from_the_answers_that_it_has(
    task: TaskSpec, llama: ModelSpec, answers: pa.Table, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    few = AnsweringSpec(tokens_per_batch=400)

    def killed(done: int, total: int, unit: str, tokens: int = 0) -> None:
        if done >= total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stages.label(task, llama, seed=1, answering=few, store=Store(tmp_path), progress=killed)
    told: list[int] = []
    with caplog.at_level(logging.INFO, logger="w2s"):
        again = stages.label(
            task, llama, seed=1, answering=few, store=Store(tmp_path), progress=lambda done, *_: told.append(done)
        )
    assert again.drop_columns(["choice_logprobs"]).equals(answers.drop_columns(["choice_logprobs"]))
    assert told[0] > 24 and told[-1] == 48
    assert any("of 48 answers are there already" in message for message in caplog.messages)


def test_a_stage_finds_what_a_run_computed(
    task: TaskSpec, llama: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weak = WeakSpec(name=llama.name, dtype="float32", source="prompted")
    experiment = Experiment(task=task, weak=weak, strong=llama, methods=["zero-shot"])
    graph, store = Graph(experiment), Store(tmp_path / "store")
    predictions = graph.seed_runs[0].methods["zero-shot"].predictions
    local.run([predictions], store)
    monkeypatch.setattr("w2s.engine.choose.score_choices", None)  # not to be called again
    found = stages.evaluate(task, llama, store=store)
    assert found.equals(read_table(store.path(predictions) / "predictions.parquet"))


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


@pytest.mark.parametrize("method", ["oracle", "zero-shot", "relabel"])
def test_a_method_that_needs_more_than_scored_answers_points_to_the_run(answers: pa.Table, method: str) -> None:
    with pytest.raises(InputError, match=f"method {method!r} does not select from scored answers alone: use w2s run"):
        stages.select(score_answers(answers), method)


def test_a_setting_that_the_method_does_not_have_is_refused(answers: pa.Table) -> None:
    with pytest.raises(InputError, match="did you mean 'quantile'"):
        stages.select(score_answers(answers), "filtering", quantil=0.5)


def test_a_trained_adapter_answers_as_it_was_taught(
    task: TaskSpec, llama: ModelSpec, store: Store, tmp_path: Path
) -> None:
    taught = stages.select(stages.ground_truth(task), "ceiling").table
    spec = training(5e-2, epochs=2, batch_size=4)
    report = stages.train(taught, llama, spec, out=tmp_path / "student", store=store)
    assert report.rows == SIZES["transfer"] and report.steps == 8

    def test_with(adapter: Path | None) -> pa.Table:
        return stages.evaluate(task, llama, adapter=adapter, store=store)

    found = test_with(tmp_path / "student")
    assert found.schema == PREDICTIONS and found.num_rows == SIZES["test"]
    right = {row["id"]: row["answer"] for row in questions()}
    assert [row["correct"] for row in found.to_pylist()] == [
        row["answer"] == right[row["question_id"]] for row in found.to_pylist()
    ]
    assert found.equals(test_with(tmp_path / "student" / "adapter"))
    assert sum(found["correct"].to_pylist()) > sum(test_with(None)["correct"].to_pylist())


def test_a_training_goes_into_a_folder_that_is_new_or_its_own(
    task: TaskSpec, llama: ModelSpec, store: Store, tmp_path: Path
) -> None:
    table, spec = stages.select(stages.ground_truth(task), "ceiling").table, training()
    out, mine = tmp_path / "student", tmp_path / "mine"
    first = stages.train(table, llama, spec, out=out, store=store)
    names = {path.name for path in out.iterdir()}
    assert names == {"adapter", "log.jsonl", "training.json", "trained-on.json", ".w2s-train", ".w2s-train.lock"} and {
        p.name for p in tmp_path.iterdir()
    } == {"student"}
    weights = (out / "adapter" / "adapter_model.safetensors").read_bytes()
    assert stages.train(table, llama, spec, out=out, store=store) == first
    stages.train(table, llama, training(1e-3), out=out, store=store)
    assert (out / "adapter" / "adapter_model.safetensors").read_bytes() != weights

    mine.mkdir()
    for name in ("notes.txt", "adapter"):
        (mine / name).write_text("mine")
        with pytest.raises(InputError, match=f"mine holds '{name}', which this version of w2s train did not write"):
            stages.train(table, llama, spec, out=mine, store=store)
        assert (mine / name).read_text() == "mine" and len(list(mine.iterdir())) == 1
        (mine / name).unlink()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"student holds 'notes\.txt'"):
        stages.train(table, llama, spec, out=out, store=store)
    with pytest.raises(InputError, match="is a file: expected a folder"):
        stages.train(table, llama, spec, out=out / "notes.txt", store=store)


def test_a_training_set_needs_no_more_than_prompts_and_completions(llama: ModelSpec, tmp_path: Path) -> None:
    bare = pa.table({"prompt": ["2+2=", "3+3="], "completion": [" 4", " 6"]})
    full = bare.append_column("weight", pa.array([1.0, 1.0])).append_column("question_id", pa.array(["a", "b"]))
    losses = [
        stages.train(table, llama, training(), out=tmp_path / name).loss
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
        stages.train(pa.table(columns), llama, training(), out=tmp_path / "student")
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
        stages.label(free, llama, answering=AnsweringSpec(mode="choose"))
    assert stages.label(free, llama, answering=AnsweringSpec(max_new_tokens=2), store=Store(tmp_path)).num_rows == 15
