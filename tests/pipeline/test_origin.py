"""Which task made a table's prompts, and what an adapter was trained on."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

import w2s
from support.experiments import questions, small_experiment, write_rows
from w2s.config import ModelSpec, TaskSpec
from w2s.errors import InputError
from w2s.methods import get_method
from w2s.pipeline import stages
from w2s.pipeline.origin import (
    Origin,
    TrainedOn,
    origin_of,
    trained_on,
    with_origin,
)
from w2s.reliability import score_answers
from w2s.running import run
from w2s.store import Store
from w2s.tasks import task_from

ANSWERS = {"question_id": ["q", "q"], "variation": [0, 1], "answer": ["a", "b"], "prompt": ["Q:", "Q:"]}


@pytest.fixture
def spec(tmp_path: Path) -> TaskSpec:
    return TaskSpec(name="file", data=write_rows(tmp_path / "q.jsonl", questions()), weak_train=4, transfer=4, test=4)


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_a_table_keeps_its_origin_on_disk_through_scoring_and_selecting(
    spec: TaskSpec, tmp_path: Path, form: str
) -> None:
    origin = Origin.of(task_from(spec))
    w2s.write_table(with_origin(pa.table(ANSWERS), origin), tmp_path / f"a.{form}")
    scored = score_answers(w2s.read_table(tmp_path / f"a.{form}"))
    selector = get_method("filtering").selector
    assert selector is not None
    assert origin_of(scored) == origin_of(selector(scored, quantile=1.0).table) == origin


def test_a_table_written_over_another_has_not_its_origin(spec: TaskSpec, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    w2s.write_table(with_origin(pa.table(ANSWERS), Origin.of(task_from(spec))), path)
    w2s.write_table(pa.table(ANSWERS), path)
    assert origin_of(w2s.read_table(path)) is None


def test_a_table_that_was_changed_since_is_said_to_be(
    spec: TaskSpec, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.csv"
    w2s.write_table(with_origin(pa.table(ANSWERS), Origin.of(task_from(spec))), path)
    w2s.read_table(path)
    assert not caplog.messages
    path.write_text(path.read_text() + '"r",0,"a","Q:"\n')
    assert origin_of(w2s.read_table(path)) is not None
    assert "was changed since w2s wrote it" in caplog.text


@pytest.mark.parametrize("said", ["", "[]", "{}", '{"asking": {"name": 1, "templates": {}}}', '{"asking": 3}'])
def test_an_origin_that_is_none_is_refused(tmp_path: Path, said: str) -> None:
    table = pa.table(ANSWERS).replace_schema_metadata({"w2s.origin": said})
    with pytest.raises(InputError, match="does not name the task of the prompts"):
        origin_of(table)
    (tmp_path / "trained-on.json").write_text(said)
    with pytest.raises(InputError, match="is not as w2s train writes it"):
        trained_on(tmp_path)


def test_what_differs_is_named(spec: TaskSpec) -> None:
    origin = Origin.of(task_from(spec))
    assert origin.differences(task_from(spec)) == []
    other = dataclasses.replace(spec, templates={"letter": "{question}{options}?"}, answer_format="text")
    found = origin.differences(task_from(other))
    assert found == ["template 'letter' is not the same", "answer_format is 'text', it was 'letter'"]
    assert origin.differences(task_from(TaskSpec())) == ["the task is word-language, it was file"]


def test_other_data_is_asked_in_the_same_wording_and_split_in_its_own_way(spec: TaskSpec) -> None:
    table = with_origin(pa.table({"prompt": ["Q:"], "question_id": ["q"]}), Origin.of(task_from(spec)))
    learned = TrainedOn.of(table, ModelSpec())
    assert learned.settings(name=None, data=spec.data)["task.test"] == 4
    other = learned.settings(name="file", data="other.jsonl")
    assert other["task.templates"] == {} and not {"task.test", "task.data"} & set(other)
    assert not any(name.startswith("task.") for name in learned.settings(name="mmlu", data=None))


def copied_with_other_weights(model: Path, to: Path) -> Path:
    """A model of the same shape, a bit of one of whose weights is another."""
    shutil.copytree(model, to)
    content = bytearray((to / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (to / "model.safetensors").write_bytes(content)
    return to


def test_a_student_of_a_run_is_asked_as_in_the_run_with_the_splits_of_its_seed(
    tmp_path: Path, tiny_llama: Path, tiny_gemma: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = write_rows(tmp_path / "q.jsonl", questions(48))
    task = TaskSpec(name="file", data=data, weak_train=6, transfer=6, test=10, num_variations=2)
    experiment = small_experiment(
        data, tiny_llama, tiny_gemma, task=task, seeds=[0, 1], split_per_seed=True, methods=["naive"]
    )
    store = Store(tmp_path / "store")
    run(experiment, out=tmp_path / "run", store=store)
    folder = tmp_path / "run" / "seed-1" / "naive"
    learned = trained_on(folder / "adapter")
    assert learned is not None and learned.origin is not None and learned.origin.seed == 1
    assert len(learned.questions) == 6 and learned.model["name"] == str(tiny_gemma)
    with caplog.at_level(logging.WARNING, logger="w2s"):
        found = stages.evaluate(learned.origin.spec, experiment.strong, adapter=folder, store=store)
    own = w2s.read_table(folder / "predictions.parquet")
    assert found.select(["question_id", "answer"]).equals(own.select(["question_id", "answer"]))
    assert "otherwise" not in caplog.text and "are among those" not in caplog.text
    scored = w2s.read_table(tmp_path / "run" / "seed-1" / "scored.parquet")
    assert origin_of(scored) == learned.origin
    weak = trained_on(tmp_path / "run" / "seed-1" / "weak-supervisor")
    assert weak is not None and weak.model["name"] == str(tiny_llama) and weak.weights is None
    assert "other weights" not in caplog.text
    others = copied_with_other_weights(tiny_gemma, tmp_path / "others")
    model = dataclasses.replace(experiment.strong, name=str(others))
    with caplog.at_level(logging.WARNING, logger="w2s"):
        stages.evaluate(learned.origin.spec, model, adapter=folder / "adapter", store=store)
    assert f"trained on other weights than those of {others}" in caplog.text
