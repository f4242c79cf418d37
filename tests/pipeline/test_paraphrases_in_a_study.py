"""Rewordings that a study makes: a step before what is asked in several ways, and in no other step's key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.experiments import ancestors, questions, small_experiment, write_rows
from support.faulty import FaultyServer, serving
from support.keys import steps_of
from w2s.config import AnsweringSpec, Experiment, ParaphraseSpec, WeakSpec
from w2s.config_json import experiment_from_dict
from w2s.errors import InputError
from w2s.pipeline.graph import Graph
from w2s.runners import local
from w2s.step import Step
from w2s.store import Store
from w2s.tables import read_table


def says(prompt: str) -> str:
    number = prompt.rsplit("Question: Which is number ", 1)[-1].split("?")[0]
    return f"Tell me{' please' if 'friend' in prompt else ''}, number {number}?"


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with serving(FaultyServer(answer=says)) as state:
        yield state


@pytest.fixture
def plain(tmp_path: Path, tiny_llama: Path, tiny_gemma: Path) -> Experiment:
    rows = [
        {**row, "split": split} for row, split in zip(questions(9), ["weak_train", "transfer", "test"] * 3, strict=True)
    ]
    data = write_rows(tmp_path / "questions.jsonl", rows)
    base = small_experiment(data, tiny_llama, tiny_gemma, methods=["naive"])
    task = replace(base.task, weak_train=3, transfer=3, test=3)
    return replace(base, task=task, weak=replace(base.weak, source="prompted"))


def made_by(server: FaultyServer, **fields: Any) -> ParaphraseSpec:
    model = WeakSpec(source="server", url=server.url, name="big")
    return ParaphraseSpec(**{"count": 2, "model": model, "longest": 4.0, **fields})


def rewordings_before(step: Step) -> list[str]:
    return [one.label for one in ancestors(step) if one.kind == "paraphrases"]


def test_what_is_asked_in_several_ways_is_reworded_and_a_test_is_not(
    plain: Experiment, server: FaultyServer, tmp_path: Path
) -> None:
    graph, store = Graph(replace(plain, paraphrases=made_by(server))), Store(tmp_path / "store")
    run = graph.seed_runs[0]
    laid = run.supervision
    assert laid.predictions is not None and laid.calibration is not None
    assert rewordings_before(laid.answers) == ["paraphrases: questions of transfer"]
    assert rewordings_before(laid.calibration) == ["paraphrases: questions of weak_train"]
    assert rewordings_before(laid.predictions) == rewordings_before(run.gold["transfer"]) == []
    local.run([laid.answers], store)
    assert server.requests == 3 * 2
    rows = read_table(store.path(laid.answers) / "answers.parquet").to_pylist()
    assert len(rows) == 9
    for number, wording in enumerate(("Which is number", "Tell me, number", "Tell me please, number")):
        assert [wording in row["prompt"] for row in rows] == [row["variation"] == number for row in rows]
    assert len({tuple(row["positions"]) for row in rows if row["question_id"] == rows[0]["question_id"]}) == 3
    # What made them is in the store: the same again asks nobody.
    local.run([laid.answers], Store(tmp_path / "store"))
    assert server.requests == 6


def test_they_change_the_keys_of_what_follows_from_them_alone(plain: Experiment, server: FaultyServer) -> None:
    before, after = steps_of(plain), steps_of(replace(plain, paraphrases=made_by(server)))
    same = {label for label, key in before.items() if after[label] == key}
    assert {
        label for label in before if label.startswith(("questions", "ground truth", "weak supervisor: test"))
    } <= same
    assert {"weak answers · seed 0", "naive: training · seed 0"}.isdisjoint(same)
    assert steps_of(replace(plain, paraphrases=ParaphraseSpec(count=0, seed=5))) == before
    others = [made_by(server, **fields) for fields in ({"seed": 1}, {"count": 3}, {"attempts": 5}, {"longest": 3.0})]
    keys = {steps_of(replace(plain, paraphrases=spec))["weak answers · seed 0"] for spec in others}
    assert len(keys) == 4 and after["weak answers · seed 0"] not in keys
    hurried = made_by(server)
    hurried.model.settings = {"concurrency": 3}
    assert steps_of(replace(plain, paraphrases=hurried)) == after


def test_all_seeds_and_the_folds_of_weak_train_share_them(plain: Experiment, server: FaultyServer) -> None:
    weak = replace(plain.weak, examples=1, folds=2)
    graph = Graph(replace(plain, weak=weak, seeds=[0, 1], paraphrases=made_by(server)))
    answers = {
        tuple(one.key for one in ancestors(run.supervision.answers) if one.kind == "paraphrases")
        for run in graph.seed_runs
    }
    assert len(answers) == 1
    calibration = graph.seed_runs[0].supervision.calibration
    assert calibration is not None and set(rewordings_before(calibration)) == {"paraphrases: questions of weak_train"}


def test_too_few_end_the_run_before_anything_is_trained_or_are_filled_up(
    plain: Experiment, server: FaultyServer, tmp_path: Path
) -> None:
    server.answer = lambda prompt: says(prompt) if "number 1?" not in prompt else "What?"
    trained = replace(plain, weak=replace(plain.weak, source="trained"), paraphrases=made_by(server))
    store = Store(tmp_path / "store")
    with pytest.raises(
        InputError, match=r"1 of 3 questions have fewer than 2 good rewordings, first 'Which is number 1"
    ):
        local.run(Graph(trained).targets(), store)
    assert not list(store.root.glob("training/*"))
    filled = replace(plain, paraphrases=made_by(server), task=replace(plain.task, missing_paraphrases="fill"))
    answers, asked = Graph(filled).seed_runs[0].supervision.answers, server.requests
    local.run([answers], store)
    rows = read_table(store.path(answers) / "answers.parquet").to_pylist()
    reworded = {(row["question_id"], row["variation"]) for row in rows if "Tell me" in row["prompt"]}
    assert len(rows) == 9 and len(reworded) == 4 and {number for _, number in reworded} == {1, 2}
    assert server.requests == asked


def test_more_variations_than_the_task_has_wordings_need_rewordings_only(
    plain: Experiment, server: FaultyServer
) -> None:
    task = replace(plain.task, num_variations=30)
    with pytest.raises(InputError, match="has 4 options, in 24 orders at most"):
        Graph(replace(plain, task=task))
    Graph(replace(plain, task=task, paraphrases=made_by(server, count=29)))
    with pytest.raises(InputError, match=r"paraphrases\.count is 28: num_variations 30 needs 29"):
        Graph(replace(plain, task=task, paraphrases=made_by(server, count=28)))


def test_a_file_and_a_model_at_once_are_refused(plain: Experiment, server: FaultyServer) -> None:
    task = replace(plain.task, paraphrases="p.jsonl")
    with pytest.raises(InputError, match=r"task\.paraphrases is 'p\.jsonl' and paraphrases\.count is 2: expected one"):
        Graph(replace(plain, task=task, paraphrases=made_by(server)))


def test_a_test_in_orders_asks_for_no_rewordings_of_a_file(
    plain: Experiment, server: FaultyServer, tmp_path: Path
) -> None:
    rows = [{"question": row["question"], "paraphrases": ["In other words?", "Or so?"]} for row in questions(9)]
    task = replace(plain.task, paraphrases=write_rows(tmp_path / "p.jsonl", rows))
    weak = WeakSpec(source="server", url=server.url, name="big")
    experiment = replace(plain, weak=weak, task=task, evaluation=AnsweringSpec(orders=4))
    server.answer = lambda prompt: "A"
    laid, store = Graph(experiment).seed_runs[0].supervision, Store(tmp_path / "store")
    assert laid.predictions is not None
    local.run([laid.predictions], store)
    assert server.requests == 12 and not any("In other words" in prompt for prompt in server.asked)
    local.run([laid.answers], store)
    assert sum("In other words" in prompt for prompt in server.asked) == 3


def test_their_settings_come_back_from_a_file_of_settings(plain: Experiment, server: FaultyServer) -> None:
    from dataclasses import asdict

    experiment = replace(plain, paraphrases=made_by(server))
    assert experiment_from_dict(asdict(experiment)) == experiment
