"""Steps in another process, which knows their text and the store's folder only; and sources and rounds, computed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from support.experiments import SIZES, in_splits, questions, small_experiment, training, without_pages, write_rows
from support.gguf import write_gguf
from w2s.config import Experiment, ParaphraseSpec, WeakSpec
from w2s.errors import InputError
from w2s.pipeline.graph import Graph
from w2s.pipeline.steps import KINDS
from w2s.results.records import RunRecords
from w2s.runners import local
from w2s.runners.base import order
from w2s.running import run
from w2s.step import Step, steps_from_json, steps_to_json
from w2s.store import Store
from w2s.tables import read_table
from w2s.tasks import questions_of

ELSEWHERE = """
import json, sys
from pathlib import Path
from w2s.runners import local
from w2s.runners.base import order
from w2s.step import steps_from_json
from w2s.store import Store

targets = steps_from_json(sys.stdin.read())
local.run(targets, Store(Path(sys.argv[1])))
print(json.dumps([step.key for step in order(targets)]))
"""
TIMES = ("training.json", "log.jsonl")  # they hold how long it took


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path, tiny_gemma: Path) -> Experiment:
    data = write_rows(tmp_path_factory.mktemp("data") / "questions.jsonl", in_splits(questions()))
    methods: list[Any] = ["naive", "relabel", "ceiling", {"method": "reweighting", "estimator": "probability"}]
    return small_experiment(data, tiny_llama, tiny_gemma, methods=methods)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store that the tests of this module share: what one computes another finds."""
    return Store(tmp_path_factory.mktemp("store"))


def bytes_of(store: Store, step: Step) -> dict[str, bytes]:
    folder = store.path(step)
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if name not in ("manifest.json", *TIMES)}


def test_every_kind_of_step_is_built_from_its_text_in_another_process(
    base: Experiment, store: Store, tmp_path: Path, tiny_llama: Path
) -> None:
    converted = str(write_gguf(tiny_llama, tmp_path / "tiny.gguf"))
    calibrated = ["naive", {"method": "reweighting", "estimator": "calibrated"}]
    experiments = [
        base,
        replace(base, weak=WeakSpec(source="simulated"), methods=["naive"]),
        replace(base, weak=WeakSpec(name=converted, source="prompted", examples=1), methods=calibrated),
    ]
    reworded = replace(
        base,
        task=replace(base.task, missing_paraphrases="fill"),
        paraphrases=ParaphraseSpec(
            count=2, attempts=1, max_new_tokens=16, model=WeakSpec(source="prompted", name=str(tiny_llama))
        ),
    )
    targets = [step for one in experiments[:2] for step in Graph(one).targets()]
    targets.append(Graph(reworded).seed_runs[0].lay.varied("transfer"))
    laid = Graph(experiments[2]).seed_runs[0].supervision
    assert laid.calibration is not None and laid.predictions is not None
    targets += [laid.calibration, laid.predictions]
    local.run(targets, store)
    steps = order(targets)
    assert {step.kind for step in steps} == set(KINDS)

    command = [sys.executable, "-c", ELSEWHERE, str(tmp_path / "elsewhere")]
    other = subprocess.run(command, input=steps_to_json(targets), cwd=tmp_path, capture_output=True, text=True)
    assert other.returncode == 0, other.stderr
    assert json.loads(other.stdout) == [step.key for step in steps]
    elsewhere = Store(tmp_path / "elsewhere")
    for step in steps:
        here, there = bytes_of(store, step), bytes_of(elsewhere, step)
        assert here and here.keys() == there.keys(), step.label
        assert [name for name in here if here[name] != there[name]] == [], step.label


def test_steps_that_were_read_back_are_found_done(base: Experiment, store: Store) -> None:
    targets = Graph(base).targets()
    local.run(targets, store)
    events: list[str] = []
    local.run(steps_from_json(steps_to_json(targets)), Store(store.root), on_event=lambda e: events.append(e.kind))
    assert set(events) == {"reused"}


@pytest.mark.parametrize("change", ["an answer of transfer", "the wording of a question", "no file at all"])
def test_data_that_changes_between_graph_and_build_are_refused(base: Experiment, tmp_path: Path, change: str) -> None:
    rows = in_splits(questions())
    data = write_rows(tmp_path / "questions.jsonl", rows)
    graph, store = Graph(replace(base, task=replace(base.task, data=data))), Store(tmp_path / "store")
    asked, known = graph.seed_runs[0].questions["transfer"], graph.seed_runs[0].gold["transfer"]
    row = rows[SIZES["weak_train"]]
    if change == "an answer of transfer":
        row["answer"] = next(choice for choice in row["choices"] if choice != row["answer"])
    row["question"] += " Really?" if change == "the wording of a question" else ""
    write_rows(Path(data), rows)
    if change == "no file at all":
        Path(data).unlink()
    said = "no such file" if change == "no file at all" else "changed since the run began"
    with pytest.raises(InputError, match=said):
        local.run([asked, known], store)
    # The questions themselves did not change where only an answer did.
    assert store.is_done(asked) == (change == "an answer of transfer") and not store.is_done(known)
    write_rows(Path(data), in_splits(questions()))
    local.run([asked, known], store)
    assert store.is_done(known)


# A prompted source


@pytest.mark.parametrize("examples", [0, 2])
def test_a_prompted_source_shows_its_examples_to_the_weak_model_alone(
    base: Experiment, store: Store, examples: int
) -> None:
    weak = replace(base.weak, source="prompted", examples=examples)
    task = base.task if examples else replace(base.task, weak_train=0)
    graph = Graph(replace(base, weak=weak, task=task, methods=["naive"]))
    run = graph.seed_runs[0]
    laid = run.supervision
    naive = run.methods["naive"].student.rounds[0].training_set
    assert laid.training is None and laid.predictions is not None and ("weak_train" in run.gold) == bool(examples)
    local.run([laid.answers, laid.predictions, naive], store)

    rows = read_table(store.path(laid.answers) / "answers.parquet").to_pylist()
    asked = questions_of(run.lay.splits.questions, "transfer")
    variations = [(question, v) for question in asked for v in graph.task.vary(question, 3, 0)]
    assert [row["prompt"] for row in rows] == [variation.prompt for _, variation in variations]
    before = ""
    if examples:
        gold = read_table(store.path(run.gold["weak_train"]) / "answers.parquet").to_pylist()[:examples]
        before = "".join(f"{row['prompt']}{row['completion']}\n\n" for row in gold)
        right = {row["id"]: row["answer"] for row in questions()}
        assert [row["answer"] for row in gold] == [right[row["question_id"]] for row in gold]
    for row, (question, variation) in zip(rows, variations, strict=True):
        assert row["asked"] == (before + variation.prompt if examples else None)
        assert row["completion"] == graph.task.complete(row["answer"], question, variation)
    learned = read_table(store.path(naive) / "training_set.parquet")["prompt"].to_pylist()
    assert set(learned) <= {variation.prompt for _, variation in variations}


def test_examples_are_part_of_what_decides_the_answers(base: Experiment) -> None:
    keys = set()
    for weak in ({"source": "trained"}, *({"source": "prompted", "examples": count} for count in (0, 1, 2))):
        laid = Graph(replace(base, weak=replace(base.weak, **weak))).seed_runs[0].supervision
        assert laid.predictions is not None
        keys |= {laid.answers.key, laid.predictions.key}
    assert len(keys) == 8


def test_more_examples_than_there_are_is_one_line(base: Experiment, store: Store) -> None:
    weak = replace(base.weak, source="prompted", examples=SIZES["weak_train"] + 1)
    with pytest.raises(InputError, match=r"weak\.examples is 9: weak_train has 8 questions with an answer"):
        local.run([Graph(replace(base, weak=weak)).seed_runs[0].supervision.answers], store)


def test_examples_need_weak_train(base: Experiment) -> None:
    weak, task = replace(base.weak, source="prompted", examples=1), replace(base.task, weak_train=0)
    with pytest.raises(InputError, match=r"weak_train is 0: .* for source prompted"):
        Graph(replace(base, weak=weak, task=task))


# Rounds, labels and estimators, in a run's folder


@pytest.fixture(scope="module")
def finished(base: Experiment, store: Store, tmp_path_factory: pytest.TempPathFactory) -> RunRecords:
    methods: list[Any] = [
        "naive",
        "relabel",
        {"method": "filtering", "label": "loose", "quantile": 0.9},
        {"method": "filtering", "label": "strict", "quantile": 0.0},
        {"method": "reweighting", "estimator": "probability"},
        "ceiling",
    ]
    experiment = replace(base, methods=methods, compare=["strict", "naive"], student_training=training())
    with without_pages():
        out = tmp_path_factory.mktemp("out") / "run"
        run(experiment, out=out, store=store)
        return RunRecords.load(out)


def training_set(folder: Path) -> pa.Table:
    return read_table(folder / "training_set.parquet")


def pairs(table: pa.Table) -> set[tuple[str, int]]:
    return set(zip(table["question_id"].to_pylist(), table["variation"].to_pylist(), strict=True))


def test_a_method_of_two_rounds_leaves_both_in_its_folder(finished: RunRecords) -> None:
    own = finished.files.method(0, "relabel")
    first = own.round(1)
    assert first.root == finished.folder / "seed-0" / "relabel" / "round-1"
    assert pairs(training_set(first.root)) <= pairs(training_set(own.root)) != set()
    for files in (first, own):
        assert files.log.is_file() and files.training.is_file() and files.selection.is_file()
        assert (files.adapter / "adapter_config.json").is_file()
    assert first.adapter.resolve() != own.adapter.resolve()
    assert own.predictions.is_file() and not first.predictions.exists()
    assert not finished.files.method(0, "naive").round(1).root.exists()
    seconds = [json.loads(files.training.read_text())["seconds"] for files in (first, own)]
    (record,) = [record for record in finished.records if record.method == "relabel"]
    assert record.seconds == pytest.approx(sum(seconds)) and record.rows == training_set(own.root).num_rows


def test_one_method_with_two_labels_is_two_rows(finished: RunRecords) -> None:
    assert [record.method for record in finished.records][-6:] == [
        *("naive", "relabel", "loose", "strict", "reweighting", "ceiling")
    ]
    loose, strict = (pairs(training_set(finished.folder / "seed-0" / label)) for label in ("loose", "strict"))
    assert strict < loose
    assert finished.compare == ("strict", "naive")


def test_a_method_learns_from_the_scores_of_its_own_estimator(
    finished: RunRecords, base: Experiment, store: Store
) -> None:
    weights = training_set(finished.folder / "seed-0" / "reweighting")["weight"].to_pylist()
    method = Graph(base).seed_runs[0].methods["reweighting"]
    scored = read_table(store.path(method.student.rounds[0].training_set.inputs["scored"]) / "scored.parquet")
    assert weights == pytest.approx(scored.sort_by([("question_id", "ascending"), ("variation", "ascending")])[
        "confidence"
    ].to_pylist())  # fmt: skip
    by_votes = read_table(finished.files.scored(0))
    assert sorted(weights) != pytest.approx(sorted(by_votes["confidence"].to_pylist()))
