"""What a whole plan takes: only what is to be done counts, once, and more questions never take less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from support.experiments import in_splits, questions, small_experiment, write_rows
from w2s.config import AnsweringSpec, Experiment, ModelSpec, ParaphraseSpec, TaskSpec, WeakSpec
from w2s.environment import environment
from w2s.forecast.plan import Estimate, estimate
from w2s.forecast.rates import RATES_FILE, Measured, measured_here, rates_here, threads_here, write_rates
from w2s.forecast.rehearsal import rehearse
from w2s.forecast.steps import StepWork
from w2s.forecast.work import Rates
from w2s.hub import without_hub
from w2s.pipeline.graph import Graph
from w2s.runners.base import Planned, order
from w2s.step import Step
from w2s.tasks import Question, questions_of

RATES = Rates(forward=1e6, training=5e5, start=5.0, step=1.0, load=1e-6, convert=1e-6)


@pytest.fixture
def experiment(tmp_path: Path, tiny_llama: Path, tiny_gemma: Path) -> Experiment:
    data = write_rows(tmp_path / "questions.jsonl", in_splits(questions()))
    return small_experiment(data, tiny_llama, tiny_gemma)


def planned(*graphs: Graph, done: Mapping[str, bool] | None = None) -> list[Planned]:
    steps = order({step.key: step for graph in graphs for step in graph.targets()}.values())
    done = done or {}
    return [Planned(step, done.get(step.key, False), not done.get(step.key, False)) for step in steps]


def estimated(*graphs: Graph, **more: Any) -> Estimate:
    return estimate(graphs, planned(*graphs), RATES, **more)


def step_of(graph: Graph, label: str) -> Step:
    return next(step for step in order(graph.targets()) if step.label.startswith(label))


def test_steps_that_are_done_cost_nothing(experiment: Experiment) -> None:
    graph = Graph(experiment)
    nothing = estimate([graph], planned(graph, done={step.key: True for step in order(graph.targets())}), RATES)
    assert (nothing.seconds, nothing.disk, nothing.memory, nothing.seconds_in_jobs) == (0, 0, 0, None)
    assert {one.to_do for one in nothing.kinds} == {0} and len(nothing.models) == 2
    trainings = {step.key: True for step in order(graph.targets()) if step.kind == "training"}
    some = estimate([graph], planned(graph, done=trainings), RATES)
    every = estimated(graph)
    spared = next(one.seconds for one in every.kinds if one.kind == "training")
    assert some.seconds == pytest.approx(every.seconds - spared, rel=0.2) and spared > 0


def test_steps_that_two_cells_share_are_counted_once(experiment: Experiment) -> None:
    one, other = Graph(experiment), Graph(replace(experiment, methods=["naive"]))
    assert {step.key for step in other.targets()} <= {step.key for step in one.targets()}
    assert estimated(one, other).seconds == pytest.approx(estimated(one).seconds)


def test_more_questions_and_more_epochs_never_take_less(experiment: Experiment) -> None:
    base = estimated(Graph(experiment)).seconds
    fewer = replace(experiment, task=replace(experiment.task, transfer=8))
    assert estimated(Graph(fewer)).seconds < base
    longer = replace(experiment, student_training=replace(experiment.student_training, epochs=3))
    assert estimated(Graph(longer)).seconds > base


def test_a_training_is_the_rows_that_its_method_keeps_by_epochs(experiment: Experiment) -> None:
    graph = Graph(replace(experiment, methods=["naive", "reweighting", "ceiling"]))
    works = StepWork([graph])
    naive, reweighting, ceiling = (
        works.of(step_of(graph, f"{name}: training · seed")).tokens for name in ("naive", "reweighting", "ceiling")
    )
    assert naive == ceiling and reweighting == pytest.approx(naive * graph.task.num_variations)
    weak = works.of(step_of(graph, "weak supervisor: training · seed")).tokens
    assert weak == pytest.approx(naive / 2, rel=0.1), "8 questions, not 16"


def test_calibration_asks_each_question_once_and_trains_on_the_others(experiment: Experiment) -> None:
    graph = Graph(replace(experiment, methods=[{"method": "naive", "estimator": "calibrated"}]))
    works = StepWork([graph])
    folds = experiment.weak.folds
    fold = works.of(step_of(graph, "weak supervisor: training fold 1"))
    whole = works.of(step_of(graph, "weak supervisor: training · seed"))
    assert fold.tokens == pytest.approx(whole.tokens * (folds - 1) / folds)


def test_written_answers_are_a_bound(experiment: Experiment) -> None:
    writing = AnsweringSpec(mode="generate", max_new_tokens=10)
    graph = Graph(replace(experiment, answering=writing))
    work = StepWork([graph]).of(step_of(graph, "weak answers"))
    assert work.at_most and work.written == 16 * graph.task.num_variations * 10


@pytest.mark.parametrize(("method", "rows"), [("naive", 1), ("filtering-sampled", 1), ("reweighting", 5)])
def test_a_rehearsal_keeps_what_the_method_would(method: str, rows: float) -> None:
    from w2s.methods import METHODS

    kept = rehearse(method, method, METHODS[method].settings, {"scored": "scored"}, 5)
    assert kept == (rows, rows, False)
    assert rehearse(method, method, {"no": 1}, {"scored": "scored"}, 5) == (5, 5, True), "a bound, where it refuses"


def test_a_rehearsal_counts_the_options_of_a_question_behind_one_prompt() -> None:
    assert rehearse("soft-labels", "soft_labels", {}, {"scored": "scored"}, 5) == (4, 1, False)


def test_a_hub_model_is_planned_by_its_name_without_the_hub(experiment: Experiment) -> None:
    strong = ModelSpec(name="nobody/none-13b", dtype="bfloat16")
    with without_hub():
        graph = Graph(replace(experiment, strong=strong))
        found = estimated(graph)
    model = next(one for one in found.models if one.name == strong.name)
    assert model.size is not None and model.size.total == 13_000_000_000 and model.size.source == "name"
    assert found.memory > 26e9 and found.unknown == []


def test_what_is_not_known_is_left_out_and_named(experiment: Experiment) -> None:
    with without_hub():
        graph = Graph(replace(experiment, strong=ModelSpec(name="nobody/nothing", dtype="float32")))
        found = estimated(graph)
    assert "naive: test · seed 0" in found.unknown and found.seconds < 200
    assert sum(one.unknown for one in found.kinds) == len(found.unknown)


def test_processes_on_a_cpu_share_it_and_gpus_are_one_each(experiment: Experiment) -> None:
    graph = Graph(experiment)
    shared, apart = estimated(graph, jobs=2), estimated(graph, jobs=2, gpus=2)
    assert shared.seconds_in_jobs is not None and apart.seconds_in_jobs is not None
    assert apart.seconds_in_jobs <= shared.seconds <= shared.seconds_in_jobs + 1e-6


def test_cells_of_the_same_questions_are_drawn_once_and_give_the_same_keys(experiment: Experiment) -> None:
    first = Graph(experiment)
    other = replace(experiment, methods=["naive", "majority"])
    shared = Graph(other, like=first)
    assert shared.task is first.task and shared.seed_runs[0].lay is first.seed_runs[0].lay
    assert [step.key for step in shared.targets()] == [step.key for step in Graph(other).targets()]
    fewer = replace(other, task=replace(other.task, transfer=8))
    assert Graph(fewer, like=first).task is not first.task


def test_cells_and_seeds_of_the_same_questions_are_read_once(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = Graph(replace(experiment, seeds=[0, 1]))
    other = Graph(replace(graph.experiment, methods=["naive"]), like=graph)
    read: list[str] = []

    def reading(table: pa.Table, split: str) -> list[Question]:
        read.append(split)
        return questions_of(table, split)

    monkeypatch.setattr("w2s.forecast.steps.questions_of", reading)
    StepWork([graph, other])
    assert sorted(read) == ["test", "transfer", "weak_train"]


def measured(**more: Any) -> Measured:
    here = environment()
    fields = {"processor": here["processor"], "torch": here["torch"], "threads": threads_here()}
    return Measured(rates=RATES, device="cpu", dtype="float32", date="2030-01-02T00:00:00+00:00", **{**fields, **more})


def test_measured_rates_are_used_where_they_are_of_this_environment(tmp_path: Path) -> None:
    usual = rates_here(tmp_path, device="cpu", dtype="float32")
    assert "not measured here: w2s doctor --measure" in usual.told
    write_rates(tmp_path, measured())
    assert measured_here(tmp_path) == measured()
    found = rates_here(tmp_path, device="cpu", dtype="float32")
    assert found.rates == RATES and "2030-01-02" in found.told
    for other in ({"processor": "another"}, {"torch": "0.1"}, {"threads": 4096}):
        write_rates(tmp_path, measured(**other))
        assert rates_here(tmp_path, device="cpu", dtype="float32") == usual
    assert rates_here(tmp_path, device="cuda", dtype="bfloat16").rates.forward > usual.rates.forward


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rates": {}}', '{"rates": 1}'])
def test_a_damaged_file_of_rates_is_as_none(text: str, tmp_path: Path) -> None:
    path = write_rates(tmp_path, measured())
    path.write_text(text)
    assert path == tmp_path / RATES_FILE and measured_here(tmp_path) is None


def test_the_default_experiment_is_estimated_without_its_models_in_memory() -> None:
    graph = Graph(Experiment(task=TaskSpec(weak_train=10, transfer=20, test=10)))
    found = estimated(graph)
    assert [model.size.source for model in found.models if model.size] == ["files", "files"]
    assert 0.5e9 < found.disk < 1.5e9, "two models converted, and adapters"


@pytest.mark.parametrize(
    ("weak", "unknown"),
    [
        (WeakSpec(source="simulated", settings={"accuracy": 0.8}), []),
        (
            WeakSpec(source="server", url="http://localhost:1/v1", name="model"),
            ["weak answers · seed 0", "weak answers to test · seed 0"],
        ),
    ],
)
def test_answers_of_nobody_are_free_and_those_of_a_server_not_known(
    weak: WeakSpec, unknown: list[str], experiment: Experiment
) -> None:
    found = estimated(Graph(replace(experiment, weak=weak)))
    assert [label for label in found.unknown if label.startswith("weak answers")] == unknown
    asked = next(one for one in found.kinds if one.kind == "asked")
    assert asked.seconds == 0 and bool(asked.unknown) == bool(unknown)


def test_rewordings_that_will_be_made_are_work_and_the_questions_are_asked_in_them(experiment: Experiment) -> None:
    weak = replace(experiment.weak, source="prompted")
    made = ParaphraseSpec(count=2, model=weak, max_new_tokens=7)
    graph = Graph(replace(experiment, paraphrases=made))
    work = StepWork([graph]).of(step_of(graph, "paraphrases: questions of transfer"))
    assert work.does == "answers" and work.written == 16 * 2 * 7 and work.tokens > 16 * 2
    assert estimated(graph).unknown == []
