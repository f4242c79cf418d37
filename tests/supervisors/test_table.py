"""Answers that are there already: read as labels, given the task's own prompts, judged where they answer the test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from support.experiments import in_splits, questions, small_experiment, write_rows
from w2s.config import Experiment, WeakSpec
from w2s.errors import InputError
from w2s.pipeline.graph import Graph
from w2s.runners import local
from w2s.store import Store
from w2s.supervisors import SOURCES
from w2s.supervisors.table import _canonical
from w2s.tables import read_table, write_table
from w2s.tasks import Question, load_task

ROWS = in_splits(questions())
TRANSFER = [row for row in ROWS if row["split"] == "transfer"]
TEST = [row for row in ROWS if row["split"] == "test"]


@pytest.fixture
def base(tmp_path: Path, tiny_llama: Path, tiny_gemma: Path) -> Experiment:
    data = write_rows(tmp_path / "questions.jsonl", ROWS)
    return small_experiment(data, tiny_llama, tiny_gemma, methods=["naive"])


def laid(base: Experiment, path: Path, **settings: Any) -> Any:
    weak = WeakSpec(source="table", settings={"answers": str(path), **settings})
    experiment = replace(base, weak=weak, task=replace(base.task, weak_train=0))
    return Graph(experiment).seed_runs[0].supervision


def answers_of(supervision: Any, tmp_path: Path) -> list[dict[str, Any]]:
    store = Store(tmp_path / "store")
    local.run([supervision.answers], store)
    rows: list[dict[str, Any]] = read_table(store.path(supervision.answers) / "answers.parquet").to_pylist()
    return rows


def by_people(rows: list[dict[str, Any]], label: Callable[[dict[str, Any], str], str | None]) -> list[dict[str, Any]]:
    people = ("ann", "bob", "cid")
    return [{"question_id": row["id"], "annotator": who, "answer": label(row, who)} for row in rows for who in people]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    write_table(pa.Table.from_pylist(rows), path)
    return path


def test_the_labels_of_three_people_start_an_experiment(base: Experiment, tmp_path: Path) -> None:
    rows = by_people(TRANSFER + TEST, lambda row, who: row["choices"][1] if who == "cid" else row["answer"])
    supervision = laid(base, write(tmp_path / "labels.csv", rows))
    found = answers_of(supervision, tmp_path)
    assert len(found) == 48 and {row["supervisor"] for row in found} == {"ann", "bob", "cid"}
    right = {row["id"]: row["answer"] for row in ROWS}
    for row in found:
        assert row["prompt"].count("\nA. ") == 1 and row["completion"] in (" A", " B", " C", " D")
        assert row["supervisor"] == "cid" or row["answer"] == right[row["question_id"]]
    assert sorted(row["question_id"] for row in found) == [row["id"] for row in TRANSFER for _ in range(3)]
    assert [row["supervisor"] for row in found[:3]] == ["ann", "bob", "cid"], "a question's answers stand together"
    store = Store(tmp_path / "store")
    local.run([supervision.predictions], store)
    judged = read_table(store.path(supervision.predictions) / "predictions.parquet")
    assert judged["correct"].to_pylist() == [True] * 12, "the majority of three is right"


def test_a_column_an_annotator_is_the_same_table(base: Experiment, tmp_path: Path) -> None:
    long = write(tmp_path / "long.csv", by_people(TRANSFER, lambda row, who: row["answer"] if who != "bob" else None))
    wide = write(
        tmp_path / "wide.csv",
        [{"item": row["id"], "ann": row["answer"], "bob": None, "cid": row["answer"]} for row in TRANSFER],
    )
    one = answers_of(laid(base, long), tmp_path)
    settings = {"columns": {"question_id": "item"}, "annotators": ["ann", "bob", "cid"]}
    other = answers_of(laid(base, wide, **settings), tmp_path)

    def ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return sorted(rows, key=lambda row: (row["question_id"], row["supervisor"]))

    assert ordered(one) == ordered(other)
    assert len(one) == 32, "what bob did not label is missing, not an answer"


def test_answers_of_nobody_in_particular_are_counted_through(base: Experiment, tmp_path: Path) -> None:
    rows = [{"question_id": row["id"], "answer": answer} for row in TRANSFER for answer in row["choices"][:3]]
    supervision = laid(base, write(tmp_path / "samples.jsonl", rows))
    found = answers_of(supervision, tmp_path)
    assert [row["variation"] for row in found[:4]] == [0, 1, 2, 0]
    assert {row["supervisor"] for row in found} == {"samples"}
    assert supervision.predictions is None and "samples.jsonl answers 0 of 12 test questions" in supervision.missing


def test_a_label_is_a_choice_by_text_whatever_its_case_or_by_letter(base: Experiment, tmp_path: Path) -> None:
    def written(row: dict[str, Any], who: str) -> str:
        letter = "ABCD"[row["choices"].index(row["answer"])]
        return {"ann": f"  {row['answer'].upper()} ", "bob": letter, "cid": f"({letter})"}[who]

    right = {row["id"]: row["answer"] for row in ROWS}
    found = answers_of(laid(base, write(tmp_path / "labels.csv", by_people(TRANSFER, written))), tmp_path)
    assert all(row["answer"] == right[row["question_id"]] for row in found) and len(found) == 48


@pytest.mark.parametrize(("label", "answer"), [("A", "A"), ("(A)", "A"), ("a.", "A"), ("C", None), ("(d)", None)])
def test_a_label_in_brackets_is_a_choice_of_that_name_and_no_position_where_choices_are_letters(
    label: str, answer: str | None
) -> None:
    question = Question(id="1", text="Which group?", choices=("AB", "B", "A", "O"))
    task = load_task("file")
    assert _canonical(label, question, task.vary(question, 1, 0)[0], task) == answer


def test_letters_of_a_table_count_the_choices_in_the_order_of_the_file(base: Experiment, tmp_path: Path) -> None:
    rows = [{"question_id": row["id"], "answer": "B"} for row in TRANSFER for _ in range(3)]
    found = answers_of(laid(base, write(tmp_path / "labels.csv", rows)), tmp_path)
    second = {row["id"]: row["choices"][1] for row in ROWS}
    assert len(found) == 48 and all(row["answer"] == second[row["question_id"]] for row in found)


def test_a_mapping_that_changes_is_another_step(base: Experiment, tmp_path: Path) -> None:
    path = write(tmp_path / "labels.csv", by_people(TRANSFER, lambda row, who: "first"))
    (tmp_path / "map.yaml").write_text("first: A\n")
    before = laid(base, path, normalize=[str(tmp_path / "map.yaml")])
    (tmp_path / "map.yaml").write_text("first: B\n")
    assert laid(base, path, normalize=[str(tmp_path / "map.yaml")]).answers.key != before.answers.key
    with pytest.raises(InputError, match="changed since the run began"):
        local.run([before.answers], Store(tmp_path / "store"))


def test_a_label_that_is_no_choice_is_named_with_the_nearest(base: Experiment, tmp_path: Path) -> None:
    first = TRANSFER[0]["answer"]
    rows = by_people(TRANSFER, lambda row, who: f"{first}x" if row is TRANSFER[0] else row["answer"])
    path = write(tmp_path / "labels.csv", rows)
    with pytest.raises(InputError, match=rf"'{first}x' \(3\), nearest '{first}': weak.settings.normalize"):
        answers_of(laid(base, path), tmp_path)
    (tmp_path / "map.yaml").write_text(f"{first}x: {first}\n")
    assert len(answers_of(laid(base, path, normalize=[str(tmp_path / "map.yaml")]), tmp_path)) == 48


def test_other_labels_are_another_step_and_a_changed_file_is_refused(base: Experiment, tmp_path: Path) -> None:
    path = write(tmp_path / "labels.csv", by_people(TRANSFER, lambda row, who: row["answer"]))
    before = laid(base, path)
    path.rename(tmp_path / "moved.csv")
    write(path, by_people(TRANSFER, lambda row, who: row["choices"][0]))
    assert laid(base, path).answers.key != before.answers.key
    with pytest.raises(InputError, match="changed since the run began"):
        local.run([before.answers], Store(tmp_path / "store"))


@pytest.mark.parametrize(
    ("rows", "settings", "said"),
    [
        (
            [{"id": "q08", "answer": "x"}],
            {},
            r"no column 'question_id', it has id, answer: weak\.settings\.columns",
        ),
        ([{"question_id": "q08", "label": "x"}], {}, "has no column 'answer'"),
        ([{"question_id": "other", "answer": "x"}], {}, r"answers no question of transfer: its ids are as \['other'\]"),
        ([{"question_id": "q08", "ann": "x"}], {"annotators": ["an"]}, "no column 'an'; did you mean 'ann'"),
        ([{"question_id": "q08", "answer": "x"}], {"column": {}}, "did you mean 'columns'"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_before_anything_runs(
    rows: list[dict[str, Any]], settings: dict[str, Any], said: str, base: Experiment, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        laid(base, write(tmp_path / "labels.csv", rows), **settings)


def test_a_table_must_be_named_and_there() -> None:
    with pytest.raises(InputError, match=r"needs weak\.settings\.answers"):
        SOURCES["table"].check(WeakSpec(source="table"))


def right(row: dict[str, Any], who: str) -> str:
    answer: str = row["answer"]
    return answer


def test_labels_of_no_question_are_counted_and_the_nearest_id_named(
    base: Experiment, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = by_people(TRANSFER, right)
    first = rows[0]["question_id"]
    rows += [{"question_id": f"{first}x", "annotator": "ann", "answer": "A"}]
    rows += [{"question_id": f"elsewhere-{number}", "annotator": "dan", "answer": "A"} for number in range(4)]
    with caplog.at_level("INFO"):
        laid(base, write(tmp_path / "labels.csv", rows))
    said = {record.levelname: record.getMessage() for record in caplog.records if "of no question" in record.message}
    assert f"5 of 53 rows are of no question of these splits, such as '{first}x', nearest '{first}'" in said["INFO"]
    assert "all rows of 'dan' (4) are of no question of these splits" in said["WARNING"]


def test_labels_beyond_the_splits_are_nothing_to_warn_of(
    base: Experiment, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "labels.csv", by_people(ROWS, right))
    fewer = replace(base, task=replace(base.task, transfer=8))
    with caplog.at_level("INFO"):
        laid(fewer, path)
    assert "rows are of no question of these splits" in caplog.text and "not drawn, or of another id" in caplog.text
    assert "WARNING" not in {record.levelname for record in caplog.records if "no question" in record.message}


def test_ids_with_space_around_them_are_refused(base: Experiment, tmp_path: Path) -> None:
    rows = [row | {"question_id": row["question_id"] + " "} for row in by_people(TRANSFER[:2], right)]
    path = write(tmp_path / "labels.csv", by_people(TRANSFER[2:], right) + rows)
    first = TRANSFER[0]["id"]
    with pytest.raises(InputError, match=f"6 rows have an id with space around it, such as '{first} ': expected"):
        laid(base, path)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([0, None], "row 2: variation is null: expected a whole number of 0 or more"),
        ([0, 1.5], r"row 2: variation is 1\.5: expected a whole number"),
        ([0, -1], "row 2: variation is -1: expected a whole number"),
        (["0", "second"], "row 2: variation is 'second': expected a whole number"),
        ([1, 1], "expected one answer for question_id '.*', variation 1, supervisor 'ann', it has 2"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_variations_that_number_nothing_are_refused_before_anything_runs(
    cells: list[Any], said: str, suffix: str, base: Experiment, tmp_path: Path
) -> None:
    row = {"question_id": TRANSFER[0]["id"], "annotator": "ann", "answer": TRANSFER[0]["answer"]}
    rows = [row | {"variation": cell} for cell in cells]
    with pytest.raises(InputError, match=said):
        laid(base, write(tmp_path / f"labels.{suffix}", rows))


@pytest.mark.parametrize("numbers", [[0, 1], ["0", "1"], [0.0, 1.0]])
def test_whole_variations_count_however_they_are_written(numbers: list[Any], base: Experiment, tmp_path: Path) -> None:
    row = {"question_id": TRANSFER[0]["id"], "annotator": "ann", "answer": TRANSFER[0]["answer"]}
    rows = [row | {"variation": number} for number in numbers]
    found = answers_of(laid(base, write(tmp_path / "labels.jsonl", rows)), tmp_path)
    assert [row["variation"] for row in found] == [0, 1]


def test_somebody_who_labels_a_question_twice_is_refused_before_anything_runs(base: Experiment, tmp_path: Path) -> None:
    rows = by_people(TRANSFER, right)
    with pytest.raises(InputError, match=r"supervisor 'ann', it has 2: a column variation may number them"):
        laid(base, write(tmp_path / "labels.csv", [*rows, rows[0]]))


@pytest.mark.parametrize("column", ["annotator", "supervisor"])
def test_a_label_of_nobody_is_refused(column: str, base: Experiment, tmp_path: Path) -> None:
    rows = [{"question_id": row["id"], column: who, "answer": row["answer"]} for row in TRANSFER for who in ("m", None)]
    with pytest.raises(InputError, match=f"row 2: expected an? {column}, it is null"):
        laid(base, write(tmp_path / "labels.csv", rows))


def test_numbers_of_a_wide_table_are_labels_as_the_file_has_them(base: Experiment, tmp_path: Path) -> None:
    rows = [row | {"choices": ["3.1", "3.10", "3.2", "3.3"], "answer": "3.10"} for row in ROWS]
    task = replace(base.task, data=str(write_rows(tmp_path / "numbers.jsonl", rows)))
    lines = [f'{{"question_id": "{row["id"]}", "ann": 3.10, "bob": 3.1}}\n' for row in TRANSFER]
    (tmp_path / "wide.jsonl").write_text("".join(lines))
    supervision = laid(replace(base, task=task), tmp_path / "wide.jsonl", annotators=["ann", "bob"])
    found = answers_of(supervision, tmp_path)
    assert {(row["supervisor"], row["answer"]) for row in found} == {("ann", "3.10"), ("bob", "3.1")}
