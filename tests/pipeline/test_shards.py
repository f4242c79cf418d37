"""Many questions, asked in several steps: what is a step of its own, what is reused, and that numbers stay the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.experiments import ALONE, ancestors, asked_in_shards, compute
from support.keys import changed
from w2s.config import AnsweringSpec, Experiment, ModelSpec, TaskSpec, WeakSpec
from w2s.errors import InputError
from w2s.pipeline import stages
from w2s.pipeline.graph import Graph
from w2s.pipeline.shards import shards_of
from w2s.pipeline.task_rows import content_of
from w2s.runners import local
from w2s.step import Step
from w2s.store import Store
from w2s.tables import read_table


@given(count=st.integers(0, 500), size=st.integers(1, 60))
def test_shards_hold_each_question_once_and_none_is_too_large(count: int, size: int) -> None:
    shards = shards_of(count, size)
    assert [place for one in shards for place in range(one.start, one.stop)] == list(range(count))
    assert all(one.stop - one.start <= size for one in shards)
    assert [one.number for one in shards] == list(range(len(shards)))
    assert all(one.whole == (len(shards) == 1) for one in shards)


@given(count=st.integers(1, 300), more=st.integers(0, 300), size=st.integers(1, 60))
def test_a_longer_split_keeps_all_shards_but_the_last(count: int, more: int, size: int) -> None:
    before, after = shards_of(count, size), shards_of(count + more, size)
    assert [one[:3] for one in before[:-1]] == [one[:3] for one in after[: len(before) - 1]]


def shards_below(step: Step) -> Iterator[Step]:
    return (one for one in step.inputs.values() if one.kind == "answers")


def test_a_split_of_one_shard_is_laid_as_ever(base: Experiment) -> None:
    assert not changed(base, replace(base, answering=AnsweringSpec(shard_size=16)))
    assert not changed(base, replace(base, evaluation=AnsweringSpec(shard_size=12)))


def test_each_shard_is_a_step_that_knows_its_own_questions_alone(base: Experiment) -> None:
    run = Graph(asked_in_shards(base, 5)).seed_runs[0]
    parts = list(shards_below(run.supervision.answers))
    assert [part.inputs["questions"].execution["rows"] for part in parts] == [[0, 5], [5, 10], [10, 15], [15, 16]]
    assert len({part.key for part in parts}) == 4
    assert parts[1].label == "weak answers · seed 0 · questions 6 to 10"
    for part in parts:  # no shard of a test reads ground truth: they are judged together
        assert all(one.kind != "gold" for one in ancestors(part))


def test_the_first_shard_is_the_whole_of_a_smaller_split(base: Experiment) -> None:
    small = replace(base, task=replace(base.task, transfer=5))
    (first, *_) = shards_below(Graph(asked_in_shards(base, 5)).seed_runs[0].supervision.answers)
    assert first.key == Graph(asked_in_shards(small, 5)).seed_runs[0].supervision.answers.key


def test_shards_give_the_numbers_of_one_step_bit_for_bit(base: Experiment, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    runs = []
    for size in (5000, 5):
        experiment = replace(asked_in_shards(base, size), methods=["zero-shot"])
        compute(experiment, store)
        runs.append(Graph(experiment).seed_runs[0])
    whole, cut = runs
    for one, other, file in (
        (whole.supervision.answers, cut.supervision.answers, "answers.parquet"),
        (whole.supervision.predictions, cut.supervision.predictions, "predictions.parquet"),
        (whole.methods["zero-shot"].predictions, cut.methods["zero-shot"].predictions, "predictions.parquet"),
    ):
        assert one is not None and other is not None and one.key != other.key
        assert read_table(store.path(one) / file).equals(read_table(store.path(other) / file))


@pytest.mark.parametrize("length_normalized", [False, True])
def test_a_test_in_several_orders_is_judged_over_all_shards(
    base: Experiment, tmp_path: Path, length_normalized: bool
) -> None:
    """The position prior is that of all answers: judged shard by shard, it would be another one in each."""
    store = Store(tmp_path / "store")
    found = [
        stages.evaluate(
            base.task,
            base.strong,
            answering=AnsweringSpec(
                orders=3, shard_size=size, tokens_per_batch=ALONE, length_normalized=length_normalized
            ),
            store=store,
        )
        for size in (5000, 5)
    ]
    assert found[0].equals(found[1])


def test_a_larger_split_asks_only_what_is_new(data: str, tiny_llama: Path, tmp_path: Path) -> None:
    store, spec = Store(tmp_path / "store"), AnsweringSpec(shard_size=4)

    def label(transfer: int) -> int:
        task = TaskSpec(name="file", data=data, weak_train=8, transfer=transfer, test=12)
        told: list[int] = []
        stages.label(
            task, ModelSpec(name=str(tiny_llama), device="cpu"), answering=spec, store=store,
            progress=lambda done, total, unit, tokens=0: told.append(total if done == total else 0),
        )  # fmt: skip
        return sum(told)

    ways = 5
    assert label(10) == 10 * ways
    assert label(16) == 8 * ways  # the third shard had two questions, and now has four; the fourth is new
    assert label(14) == 2 * ways  # all but the last shard are those of before
    assert label(10) == 0


def test_a_lost_shard_is_all_that_is_asked_again(base: Experiment, tmp_path: Path) -> None:
    import shutil

    store, experiment = Store(tmp_path / "store"), asked_in_shards(base, 5)
    experiment = replace(experiment, methods=["zero-shot"])
    compute(experiment, store)
    answers = Graph(experiment).seed_runs[0].supervision.answers
    lost = list(shards_below(answers))[1]
    for step in (lost, answers):
        shutil.rmtree(store.path(step))
    scored = Graph(experiment).seed_runs[0].scored
    shutil.rmtree(store.path(scored))
    assert sorted(compute(experiment, Store(tmp_path / "store"))) == sorted([lost.label, answers.label, scored.label])


def test_a_fold_of_many_questions_is_asked_in_shards(base: Experiment, tmp_path: Path) -> None:
    store, tables = Store(tmp_path / "store"), []
    weak = replace(base.weak, source="prompted", examples=2, folds=2)
    for size in (5000, 3):
        answering = AnsweringSpec(shard_size=size, tokens_per_batch=ALONE)
        answers = Graph(replace(base, weak=weak, answering=answering, methods=["naive"])).seed_runs[0].supervision
        assert answers.calibration is not None
        local.run([answers.calibration], store)
        tables.append(read_table(store.path(answers.calibration) / "answers.parquet"))
    assert tables[0].num_rows == 8 * 3 and tables[0].equals(tables[1])
    parts = [step for step in ancestors(answers.calibration) if step.kind == "fold" and "rows" in step.settings]
    assert [step.settings["rows"] for step in parts] == [[0, 3], [3, 4]] * 2


def test_answers_of_a_server_are_one_step_whatever_the_size(base: Experiment) -> None:
    """Each of its replies is kept by itself, and one client keeps to its limits."""
    weak = WeakSpec(source="server", name="m", url="http://localhost:1/v1")
    laid = Graph(replace(base, weak=weak, answering=AnsweringSpec(shard_size=2))).seed_runs[0].supervision
    assert laid.answers.kind == "asked"


def test_a_shard_of_less_than_one_question_is_refused() -> None:
    with pytest.raises(InputError, match="shard_size is 0: expected at least 1"):
        AnsweringSpec(shard_size=0)


def test_the_hash_of_rows_is_that_of_all_of_them_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib
    import json

    import pyarrow as pa

    table = pa.table({"b": ["x", None, "ü", "z"], "a": [1, 2, 3, 4]})
    at_once = hashlib.sha256(json.dumps(table.to_pylist(), sort_keys=True).encode()).hexdigest()
    assert content_of(table) == at_once
    monkeypatch.setattr("w2s.pipeline.task_rows._BATCH", 3)
    assert content_of(table) == at_once
    assert content_of(table.slice(0, 0)) == hashlib.sha256(b"[]").hexdigest()
