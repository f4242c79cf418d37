"""Made-up rows of a data set on the hub: as many as are asked for, read as its own are, and never in a run."""

from __future__ import annotations

import logging

import pytest

from w2s.config import TaskSpec
from w2s.errors import InputError
from w2s.hub import may_ask_hub, without_hub
from w2s.tasks import TASKS, questions_of, task_from

HUB_TASKS = [name for name, task in TASKS.items() if task.hub is not None]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_DATASETS_CACHE", raising=False)
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)


@pytest.mark.parametrize("name", HUB_TASKS)
def test_a_plan_without_the_hub_has_the_questions_that_it_asks_for(name: str, caplog: pytest.LogCaptureFixture) -> None:
    task = task_from(TaskSpec(name=name, weak_train=30, transfer=40, test=20))
    with without_hub(), caplog.at_level(logging.WARNING):
        splits = task.splits()
    sizes = {split: len(questions_of(splits.questions, split)) for split in ("weak_train", "transfer", "test")}
    assert sizes == {"weak_train": 30, "transfer": 40, "test": 20}
    assert "made-up questions" in caplog.text
    question = questions_of(splits.questions, "transfer")[0]
    assert len(task.vary(question, task.num_variations, 0)) == task.num_variations


def test_all_are_as_many_as_the_data_set_has() -> None:
    task = task_from(TaskSpec(name="gsm8k", weak_train="all", transfer="all", test="all"))
    with without_hub():
        assert task.splits().questions.num_rows == 7_473 + 1_319


def test_a_run_is_refused_where_a_plan_is_made() -> None:
    assert may_ask_hub()
    with pytest.raises(InputError, match="cannot load 'openai/gsm8k' from the hub"):
        task_from(TaskSpec(name="gsm8k", weak_train=3, transfer=4, test=2)).splits()


def test_a_data_set_of_somebody_else_is_not_made_up() -> None:
    task = task_from(TaskSpec(name="gsm8k", data="some/other", weak_train=3, transfer=4, test=2))
    with without_hub(), pytest.raises(InputError, match="cannot load 'some/other'"):
        task.splits()
