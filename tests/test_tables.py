"""The tables that pass from stage to stage: columns that are checked, and files that give back what they were given."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from w2s.errors import InputError
from w2s.tables import ANSWERS, PREDICTIONS, SCORED, TRAINING_SET, check, check_suffix, read_table, write_table

FORMS = [".parquet", ".csv", ".jsonl"]


@pytest.fixture
def training_set() -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "prompt": 'Question: "why, or\nwhy not?"\nAnswer:',
                "completion": " 42",
                "weight": 0.5,
                "question_id": "007",
                "variation": 0,
                "answer": "2024-02-30",
            },
            {
                "prompt": "é",
                "completion": " true",
                "weight": 1.0,
                "question_id": "1e5",
                "variation": 1,
                "answer": "NA",
            },
        ],
        schema=TRAINING_SET,
    )


# Files


@pytest.mark.parametrize("form", FORMS)
def test_a_table_comes_back_from_a_file_as_it_was(training_set: pa.Table, form: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / f"table{form}"
    write_table(training_set, path)
    back = check(read_table(path), TRAINING_SET, name="training set")
    assert back.to_pylist() == training_set.to_pylist()


@pytest.mark.parametrize("form", FORMS)
def test_text_that_looks_like_dates_numbers_or_truth_values_stays_text(form: str, tmp_path: Path) -> None:
    texts = ["2020-01-01", "2021-12-31"], [" 7", "007"], ["true", "false"], ["1e3", "2e3"]
    for given in texts:
        table = pa.table({"question_id": given, "answer": given, "completion": given})
        write_table(table, tmp_path / f"table{form}")
        assert read_table(tmp_path / f"table{form}").to_pydict() == table.to_pydict()


@pytest.mark.parametrize("form", FORMS)
def test_an_answer_that_could_not_be_read_stays_apart_from_an_empty_one(form: str, tmp_path: Path) -> None:
    table = pa.table({"question_id": ["a", "b", "c"], "answer": ["", None, "x"]})
    write_table(table, tmp_path / f"table{form}")
    assert read_table(tmp_path / f"table{form}")["answer"].to_pylist() == ["", None, "x"]


def test_lists_are_kept_and_are_json_text_in_csv(tmp_path: Path) -> None:
    logprobs = pa.array([[-1.5, -0.5], None], pa.list_(pa.float32()))
    table = pa.table({"question_id": ["a", "b"], "choice_logprobs": logprobs})
    for form in FORMS:
        write_table(table, tmp_path / f"table{form}")
    assert read_table(tmp_path / "table.parquet").equals(table)
    assert read_table(tmp_path / "table.jsonl")["choice_logprobs"].to_pylist() == [[-1.5, -0.5], None]
    assert read_table(tmp_path / "table.csv")["choice_logprobs"].to_pylist() == ["[-1.5, -0.5]", None]


def test_a_hand_made_csv_needs_no_quotes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("question_id,variation,answer\nq1,0,Paris\nq1,1,\n")
    assert read_table(tmp_path / "a.csv").to_pylist() == [
        {"question_id": "q1", "variation": 0, "answer": "Paris"},
        {"question_id": "q1", "variation": 1, "answer": None},
    ]


def test_numbers_in_json_may_be_answers(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"question_id": 7, "answer": 3}\n{"question_id": 8, "answer": 4}\n')
    table = check(read_table(tmp_path / "a.jsonl"), pa.schema({"question_id": pa.string()}), name="answers table")
    assert table["question_id"].to_pylist() == ["7", "8"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", None, "no such file"),
        ("a.csv", b"", "is empty"),
        ("a.txt", b"x", r"expected a file named \*.parquet, \*.csv, \*.jsonl, \*.json, not '.txt'"),
        ("a.csv", b"a,b\n1\n", "cannot be read"),
        ("a.csv", b"question_id\n\xff\xfe\n", "cannot be read"),
        ("a.jsonl", b"{not json}\n", "cannot be read"),
        ("a.parquet", b"PAR1 nothing of the kind PAR1", "cannot be read"),
        ("a.parquet", b"x" * 100, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_in_one_line(
    name: str, content: bytes | None, said: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        read_table(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("at", [10, 60, 200, -60, -20, -6])
def test_a_damaged_parquet_file_is_never_more_than_an_input_error(
    training_set: pa.Table, at: int, tmp_path: Path
) -> None:
    path = tmp_path / "a.parquet"
    write_table(training_set, path)
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)
    try:
        read_table(path)  # without checksums some damage is not seen here: the store's hashes are for that
    except InputError as error:
        assert str(path) in str(error)


def test_a_name_that_is_no_tables_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    for refuse in (check_suffix, lambda path: write_table(pa.table({"a": [1]}), path)):
        with pytest.raises(InputError, match=r"not '\.xlsx'"):
            refuse(tmp_path / "new" / "a.xlsx")
    assert not (tmp_path / "new").exists()
    check_suffix(tmp_path / "A.CSV")


# Columns


def test_columns_are_put_in_order_and_cast_and_others_kept() -> None:
    table = pa.table({"mine": [1], "variation": [0], "question_id": [7], "answer": ["x"]})
    checked = check(table, ANSWERS, name="answers table", required=["question_id", "variation", "answer"])
    assert checked.column_names == [*ANSWERS.names, "mine"]
    assert checked.schema.field("question_id").type == pa.string() and checked["question_id"].to_pylist() == ["7"]
    assert checked["prompt"].to_pylist() == [None]


def test_a_missing_column_is_named_and_those_that_are_there() -> None:
    with pytest.raises(InputError) as caught:
        check(pa.table({"a": [1], "b": [2]}), PREDICTIONS, name="predictions")
    assert str(caught.value) == "predictions has no column 'question_id': it has a, b"


def test_a_column_of_the_wrong_type_is_named() -> None:
    with pytest.raises(InputError, match="training set, column 'weight': expected float") as caught:
        check(pa.table({"weight": ["heavy"]}), TRAINING_SET, name="training set", required=[])
    assert "\n" not in str(caught.value)


def test_no_table_on_the_way_to_a_student_has_a_place_for_the_truth() -> None:
    for schema in (ANSWERS, SCORED, TRAINING_SET):
        assert not {"gold", "correct", "truth", "label", "target"} & set(schema.names)
    assert SCORED.names[: len(ANSWERS.names)] == ANSWERS.names
