"""Files of many forms and encodings say the same."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from support.tables import read
from w2s.errors import InputError
from w2s.tables import check, read_table, write_table


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


ROWS = [{"question_id": "é", "variation": 0, "answer": "x"}]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "question_id,variation,answer\r\né,0,x\r\n"),
        ("a.csv", "\ufeffquestion_id,variation,answer\né,0,x"),
        ("a.csv", "question_id;variation;answer\né;0;x\n"),
        ("a.csv", "question_id\tvariation\tanswer\né\t0\tx\n"),
        ("a.tsv", "question_id\tvariation\tanswer\né\t0\tx\n"),
        ("a.json", '[{"question_id": "é",\n "variation": 0, "answer": "x"}]'),
        ("a.jsonl", '[{"question_id": "é",\n "variation": 0, "answer": "x"}]'),
        ("a.json", '{\n"question_id": "é",\n "variation": 0, "answer": "x"}'),
        ("a.jsonl", '{"question_id": "é", "variation": 0, "answer": "x"}\n\n'),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
@pytest.mark.parametrize("zipped", [False, True])
def test_common_forms_and_encodings_say_the_same(
    name: str, text: str, encoding: str, zipped: bool, tmp_path: Path
) -> None:
    data = text.removeprefix("\ufeff" if encoding != "utf-8" else "").encode(encoding)
    assert read(tmp_path, name + ".gz" * zipped, gzip.compress(data) if zipped else data) == ROWS


def test_numbers_of_a_parquet_file_that_are_read_as_texts_are_spelled_as_they_were_written(tmp_path: Path) -> None:
    answers = pa.array([0.1, 2.5, 3.3], pa.float32())
    pa.parquet.write_table(pa.table({"question_id": ["a", "b", "c"], "answer": answers}), tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet")["answer"].to_pylist() == ["0.1", "2.5", "3.3"]


def test_a_gzipped_parquet_file_is_read(training_set: pa.Table, tmp_path: Path) -> None:
    write_table(training_set, tmp_path / "a.parquet")
    (tmp_path / "a.parquet.gz").write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
    assert read_table(tmp_path / "a.parquet.gz").equals(training_set)


@pytest.mark.parametrize(
    "text",
    ["question_id,answer,,\na,x,,\nb,,,\n", ",question_id,answer\n0,a,x\n1,b,\n", "question_id,answer\na,x,,\nb,,\n"],
)
def test_what_spreadsheets_and_data_frames_add_is_left_out_and_said(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert read(tmp_path, "a.csv", text) == [{"question_id": "a", "answer": "x"}, {"question_id": "b", "answer": None}]
    assert ("left out" in caplog.text) == (",," in text.splitlines()[0] or text.startswith(","))


def test_semicolons_between_cells_are_found_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert read(tmp_path, "a.csv", "question_id;answer\na;1,5\n") == [{"question_id": "a", "answer": "1,5"}]
    assert "a.csv: read as cells with ';' between them" in caplog.text


def test_only_an_empty_cell_of_a_csv_file_is_missing(tmp_path: Path) -> None:
    rows = read(tmp_path, "a.csv", "question_id,answer\na,NA\nb,null\nc,nan\nd,None\ne,\n")
    assert [row["answer"] for row in rows] == ["NA", "null", "nan", "None", None]


@pytest.mark.parametrize("numbers", [[2**63 + 1, 2**63 + 2], [10**30, 10**30 + 1], [2**53, 2**53 + 1]])
def test_two_long_ids_never_become_one(numbers: list[int], tmp_path: Path) -> None:
    texts = [str(number) for number in numbers]
    rows = read(tmp_path, "a.jsonl", "".join(f'{{"question_id": {number}, "mine": {number}}}\n' for number in numbers))
    assert [row["question_id"] for row in rows] == texts and [str(row["mine"]) for row in rows] == texts
    rows = read(tmp_path, "a.csv", "question_id,mine\n" + "".join(f"{number},{number}\n" for number in numbers))
    assert [row["question_id"] for row in rows] == texts and [str(row["mine"]) for row in rows] == texts


def test_numbers_of_a_json_file_that_are_texts_keep_their_spelling(tmp_path: Path) -> None:
    rows = read(tmp_path, "a.jsonl", '{"answer": 3.10}\n{"answer": 3.1}\n{"answer": 8.0}\n{"answer": true}\n')
    assert [row["answer"] for row in rows] == ["3.10", "3.1", "8", "true"]


def test_a_column_of_several_types_is_text_and_what_is_structured_is_json(tmp_path: Path) -> None:
    rows = read(tmp_path, "a.jsonl", '{"mine": 1}\n{"mine": {"b": [null, true]}}\n{"mine": "x"}\n{"other": 1}\n')
    assert [row["mine"] for row in rows] == ["1", '{"b": [null, true]}', "x", None]


def test_columns_named_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a.csv: two columns are named 'b': columns 2 and 3"):
        read(tmp_path, "a.csv", "question_id,b,b\na,,\n")
    pyarrow.parquet.write_table(pa.table([[1], [2]], names=["b", "b"]), tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"b.parquet: two columns are named 'b': columns 1 and 2"):
        read_table(tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"c.csv: two columns are named 'b'"):
        write_table(pa.table([[1], [2]], names=["b", "b"]), tmp_path / "c.csv")


def test_a_categorical_column_is_read_as_its_texts(tmp_path: Path) -> None:
    table = pa.table({"answer": pa.array(["x", "y", "x"]).dictionary_encode(), "n": pa.array([1, 2, 3], pa.uint64())})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").to_pydict() == {"answer": ["x", "y", "x"], "n": [1, 2, 3]}


def test_columns_that_are_named_as_answers_are_read_as_an_answer_is(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"answer": 3.10, "ann": 3.10, "n": 3.10}\n{"answer": "", "ann": "", "n": 2}\n')
    table = read_table(tmp_path / "a.jsonl", answers=["ann", "bob"])
    assert table["ann"].to_pylist() == table["answer"].to_pylist() == ["3.10", None]
    assert table["n"].to_pylist() == [3.1, 2.0]
