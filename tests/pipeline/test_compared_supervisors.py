"""An estimator that compares supervisors is refused where there is one, when the experiment is planned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from support.experiments import in_splits, questions, small_experiment, write_rows
from w2s.config import Experiment, ReliabilitySpec, WeakSpec
from w2s.errors import InputError
from w2s.pipeline.graph import Graph
from w2s.tables import write_table

ROWS = in_splits(questions())


@pytest.fixture
def base(tmp_path: Path, tiny_llama: Path, tiny_gemma: Path) -> Experiment:
    data = write_rows(tmp_path / "questions.jsonl", ROWS)
    return small_experiment(data, tiny_llama, tiny_gemma, methods=["naive"])


def planned(base: Experiment, weak: WeakSpec, **fields: Any) -> Graph:
    return Graph(replace(base, weak=weak, reliability=ReliabilitySpec(estimator="dawid-skene"), **fields))


def labels(path: Path, *people: str) -> WeakSpec:
    rows = [
        {"question_id": row["id"], "annotator": who, "answer": row["answer"]}
        for row in ROWS
        for who in people
        if who != "only-of-test" or row["split"] == "test"
    ]
    write_table(pa.Table.from_pylist(rows), path)
    return WeakSpec(source="table", settings={"answers": str(path)})


def test_one_supervisor_of_each_source_is_refused(base: Experiment, tmp_path: Path) -> None:
    alone = {
        "trained": base.weak,
        "prompted": replace(base.weak, source="prompted"),
        "server": WeakSpec(source="server", name="big", url="http://localhost:1/v1"),
        "simulated": WeakSpec(source="simulated"),
        "table": labels(tmp_path / "labels.csv", "ann", "only-of-test"),
    }
    called = {"server": "big", "simulated": "simulated", "table": "ann"}
    for source, weak in alone.items():
        with pytest.raises(InputError) as refused:
            planned(base, weak)
        name = called.get(source, base.weak.name)
        assert str(refused.value) == (
            f"estimator 'dawid-skene' compares supervisors, and source {source} has one, {name!r}: expected two or "
            "more, as source pooled or a table with several annotators has, or estimator votes"
        )


def test_several_supervisors_of_a_source_are_planned(base: Experiment, tmp_path: Path) -> None:
    member = {"source": "simulated"}
    several = [
        labels(tmp_path / "labels.csv", "ann", "bob"),
        WeakSpec(source="simulated", settings={"annotators": 2}),
        WeakSpec(source="pooled", settings={"members": [{"name": name, "weak": member} for name in ("a", "b")]}),
    ]
    names = [planned(base, weak).seed_runs[0].supervision.supervisors for weak in several]
    assert names == [("ann", "bob"), ("simulated-1", "simulated-2"), ("a", "b")]


def test_a_method_with_an_estimator_of_its_own_is_refused_as_well(base: Experiment) -> None:
    methods: list[Any] = ["naive", {"method": "filtering", "estimator": "dawid-skene"}]
    with pytest.raises(InputError, match="source simulated has one, 'simulated'"):
        Graph(replace(base, weak=WeakSpec(source="simulated"), methods=methods))


def test_the_answers_of_one_student_are_compared_with_nobody(base: Experiment) -> None:
    graph = planned(base, WeakSpec(source="simulated", settings={"annotators": 2}))
    run = graph.seed_runs[0]
    with pytest.raises(InputError, match="compares supervisors, and a student's answers are those of one"):
        run.scoring.of(run.gold["transfer"], "round 1")
