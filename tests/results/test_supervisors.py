"""Several supervisors in one run: each beside the others, counted again by hand; one alone leaves no trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from support.experiments import in_splits, questions, small_experiment, without_pages, write_rows
from w2s.config import Experiment, WeakSpec
from w2s.errors import InputError
from w2s.gold import Gold
from w2s.metrics import accuracy_interval
from w2s.reliability.annotators import compare_annotators
from w2s.results.supervisors import Member, SupervisorComparison
from w2s.running import Result, run
from w2s.store import Store
from w2s.tables import ANSWERS, read_table

ROWS = in_splits(questions())
TRUTH = {row["id"]: row["answer"] for row in ROWS}
GIVEN = [("p", "a", 0, "x"), ("p", "a", 1, "y"), ("q", "a", 0, "x"), ("q", "a", 1, None), ("p", "b", 0, "x")]


def answers(rows: list[tuple[str, str, int, str | None]]) -> pa.Table:
    names = ("question_id", "supervisor", "variation", "answer")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema=ANSWERS)


@pytest.fixture(scope="module", autouse=True)
def no_page() -> Iterator[None]:
    """The page has tests of its own."""
    with without_pages():
        yield


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path, tiny_gemma: Path) -> tuple[Experiment, Path]:
    folder = tmp_path_factory.mktemp("several")
    data = write_rows(folder / "questions.jsonl", ROWS)
    return small_experiment(data, tiny_llama, tiny_gemma, methods=["naive"]), folder


def labels_of(split: str, who: str, right: int) -> list[dict[str, Any]]:
    """What somebody says of a split's questions, the first so many rightly."""
    rows = [row for row in ROWS if row["split"] == split]
    wrong = [next(choice for choice in row["choices"] if choice != row["answer"]) for row in rows]
    return [
        {"question_id": row["id"], "annotator": who, "answer": row["answer"] if number < right else other}
        for number, (row, other) in enumerate(zip(rows, wrong, strict=True))
    ]


@pytest.fixture(scope="module")
def pooled(base: tuple[Experiment, Path], tiny_llama: Path) -> Result:
    """A model, and two people of whom one answered some of the test questions."""
    experiment, folder = base
    people = labels_of("transfer", "ann", 16) + labels_of("transfer", "bob", 8) + labels_of("test", "ann", 9)[:10]
    file = write_rows(folder / "people.jsonl", people)
    members = [
        {"name": "small", "weak": {"source": "prompted", "name": str(tiny_llama), "dtype": "float32"}},
        {"name": "people", "weak": {"source": "table", "settings": {"answers": file}}},
    ]
    weak = WeakSpec(source="pooled", settings={"members": members})
    found = replace(experiment, weak=weak, seeds=[0, 1])
    return run(found, out=folder / "pooled", store=Store(folder / "store"))


def test_right_and_unparsed_answers_are_counted_by_hand() -> None:
    found = SupervisorComparison.of(3, answers(GIVEN), Gold({"p": "y", "r": "x"}, {"p": ("x",)}), {"b": [True, False]})
    a, b = found.members
    assert (found.seed, a.name, a.rows, a.unparsed, a.accuracy, a.test_questions) == (3, "a", 4, 1, 1, 0)
    assert (b.name, b.rows, b.unparsed, b.accuracy, b.test_accuracy) == ("b", 1, 0, 1, 0.5)
    test = accuracy_interval([True, False])
    assert (b.test_questions, b.test_accuracy_low, b.test_accuracy_high) == (2, test.low, test.high)
    wrong = SupervisorComparison.of(0, answers(GIVEN), {"q": "x"}, {})
    assert wrong.members[0].accuracy == 0.5 and wrong.members[1].accuracy is None  # an unparsed one is wrong
    assert found.compared == compare_annotators(answers(GIVEN), most_pairs=190)


def test_where_nothing_could_be_parsed_there_is_nothing_to_compare() -> None:
    found = SupervisorComparison.of(0, answers([("p", "a", 0, None), ("p", "b", 0, None)]), {}, {})
    assert found.compared is None and [member.unparsed for member in found.members] == [1, 1]
    assert SupervisorComparison.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_a_run_compares_its_supervisors_for_each_seed(pooled: Result) -> None:
    assert [one.seed for one in pooled.supervisors] == [0, 1]
    for one in pooled.supervisors:
        rows = read_table(pooled.files.scored(one.seed)).to_pylist()
        assert [member.name for member in one.members] == ["people: ann", "people: bob", "small"]
        ann, bob, small = one.members
        assert (ann.rows, bob.rows, small.rows) == (16, 16, 48)
        assert (ann.accuracy, bob.accuracy) == (1, 0.5)
        own = [row["answer"] == TRUTH[row["question_id"]] for row in rows if row["supervisor"] == "small"]
        assert small.accuracy == pytest.approx(sum(own) / 48)
        assert (ann.test_questions, ann.test_accuracy) == (10, 0.9) and bob.test_questions == 0
        assert small.test_questions == 12  # though there is no accuracy of all together
        assert one.compared is not None and len(one.compared.pairs) == 3
        assert {pair.annotators: pair.agreement for pair in one.compared.pairs}["people: ann", "people: bob"] == 0.5
    assert not pooled.of_role("supervisor")
    note = str(pooled.pooled[0].pgr_note)
    assert note.endswith("people of the pooled supervisors answered no test questions")


def test_the_comparison_is_written_down_and_read_back(pooled: Result) -> None:
    written = json.loads((pooled.folder / "results.json").read_text())
    assert [set(member) for member in written["supervisors"][0]["members"]] == [{f.name for f in fields(Member)}] * 3
    assert Result.load(pooled.folder) == pooled


def test_a_table_of_several_people_is_compared_and_judged_by_person(base: tuple[Experiment, Path]) -> None:
    experiment, folder = base
    rows = [row for split, size in (("transfer", 16), ("test", 12)) for row in labels_of(split, "ann", size)]
    rows += labels_of("transfer", "bob", 4) + labels_of("test", "bob", 3)
    weak = WeakSpec(source="table", settings={"answers": write_rows(folder / "both.jsonl", rows)})
    found = run(replace(experiment, weak=weak), out=folder / "table", store=Store(folder / "store"))
    ann, bob = found.supervisors[0].members
    assert (ann.name, ann.accuracy, ann.test_accuracy) == ("ann", 1, 1)
    assert (bob.name, bob.accuracy, bob.test_accuracy) == ("bob", 0.25, 0.25)


def test_one_supervisor_leaves_no_comparison(base: tuple[Experiment, Path]) -> None:
    experiment, folder = base
    rows = [{"question_id": row["question_id"], "answer": row["answer"]} for row in labels_of("transfer", "a", 9)]
    for weak in (experiment.weak, WeakSpec(source="table", settings={"answers": write_rows(folder / "a.jsonl", rows)})):
        found = run(replace(experiment, weak=weak), out=folder / "one", store=Store(folder / "store"))
        assert found.supervisors == [] and "supervisors" not in found.to_dict()
        labels = [step["label"] for step in found.info["steps"]]
        assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda one: one.pop("members"), "members"),
        (lambda one: one["members"][0].pop("rows"), "'rows'"),
        (lambda one: one["members"][0].update(rows="many"), "expected a whole number"),
        (lambda one: one["compared"]["pairs"][0].update(kappa="much"), "expected a number"),
        (lambda one: one["compared"].update(disputed=3), "expected a list"),
        (lambda one: one["compared"].pop("alpha"), "alpha"),
        (lambda one: one.update(compared="x"), "expected a mapping"),
    ],
)
def test_damage_to_the_comparison_is_named(pooled: Result, tmp_path: Path, damage: Any, said: str) -> None:
    data = json.loads((pooled.folder / "results.json").read_text())
    damage(data["supervisors"][0])
    (tmp_path / "results.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=f"damaged.*{said}"):
        Result.load(tmp_path)
