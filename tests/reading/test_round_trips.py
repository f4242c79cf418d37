"""Tables that are written and read again are the same."""

from __future__ import annotations

import datetime
import decimal
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tables import FORMS, TEXTS, read
from w2s.tables import TRAINING_SET, check, read_table, write_table


@pytest.mark.parametrize("form", FORMS)
def test_a_table_comes_back_from_a_file_as_it_was(training_set: pa.Table, form: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / f"table{form}"
    write_table(training_set, path)
    back = check(read_table(path), TRAINING_SET, name="training set")
    assert back.to_pylist() == training_set.to_pylist()


@pytest.mark.parametrize("form", FORMS)
def test_text_that_looks_like_dates_numbers_or_truth_values_stays_text(form: str, tmp_path: Path) -> None:
    texts = ["2020-01-01", "2021-12-31"], [" 7", "007"], ["true", "false"], ["1e3", "2e3"]
    for cells in texts:
        table = pa.table({"question_id": cells, "answer": cells, "completion": cells})
        write_table(table, tmp_path / f"table{form}")
        assert read_table(tmp_path / f"table{form}").to_pydict() == table.to_pydict()


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_completion_stays_apart_from_a_missing_one(form: str, tmp_path: Path) -> None:
    table = pa.table({"question_id": ["a", "b", "c"], "completion": ["", None, "x"]})
    write_table(table, tmp_path / f"table{form}")
    assert read_table(tmp_path / f"table{form}")["completion"].to_pylist() == ["", None, "x"]


@pytest.mark.parametrize("form", FORMS)
def test_an_answer_of_nothing_is_missing(form: str, tmp_path: Path) -> None:
    write_table(pa.table({"question_id": ["a", "b", "c", "d"], "answer": ["", None, "x", " "]}), tmp_path / f"t{form}")
    assert read_table(tmp_path / f"t{form}")["answer"].to_pylist() == [None, None, "x", None]


@pytest.mark.parametrize("form", FORMS)
def test_lists_are_kept_and_are_json_text_in_csv(form: str, tmp_path: Path) -> None:
    logprobs = pa.array([[-1.5, -0.5], None], pa.list_(pa.float32()))
    write_table(pa.table({"question_id": ["a", "b"], "choice_logprobs": logprobs}), tmp_path / f"table{form}")
    assert read_table(tmp_path / f"table{form}")["choice_logprobs"].to_pylist() == [[-1.5, -0.5], None]
    if form == ".csv":
        assert '"a","[-1.5, -0.5]"\n"b",\n' in (tmp_path / "table.csv").read_text()


@pytest.mark.parametrize("form", FORMS)
def test_a_number_that_is_none_is_missing(form: str, tmp_path: Path) -> None:
    nan = float("nan")
    if form == ".jsonl":
        rows = read(tmp_path, "a.jsonl", '{"answer": NaN, "n": 0.5}\n{"answer": 1.0, "n": NaN}\n')
    else:
        write_table(pa.table({"answer": [nan, 1.0], "n": [0.5, nan]}), tmp_path / f"a{form}")
        rows = read_table(tmp_path / f"a{form}").to_pylist()
    assert [row["answer"] for row in rows] == [None, "1" if form != ".csv" else "1.0"]
    assert [row["n"] for row in rows] == [0.5, None]


@pytest.mark.parametrize("form", [".csv", ".jsonl"])
def test_a_row_of_several_megabytes_is_read(form: str, tmp_path: Path) -> None:
    table = pa.table({"question_id": ["a", "b"], "answer": ["long " * 600_000 + "x", "y"]})
    write_table(table, tmp_path / f"a{form}")
    assert read_table(tmp_path / f"a{form}").equals(table)


@pytest.mark.parametrize("form", [".csv", ".jsonl"])
def test_any_type_that_came_in_goes_out(form: str, tmp_path: Path) -> None:
    at = datetime.datetime(2024, 5, 1, 10)
    table = pa.table(
        {
            "at": pa.array([at, None], pa.timestamp("ns")),
            "day": pa.array([at.date(), None]),
            "price": pa.array([decimal.Decimal("1.50"), None]),
            "meta": [{"a": [1, None], "at": at}, None],
            "large": pa.array([2**64 - 1, None], pa.uint64()),
            "weight": [float("nan"), 0.5],
        }
    )
    write_table(table, tmp_path / f"a{form}")
    first, second = read_table(tmp_path / f"a{form}").to_pylist()
    meta = json.loads(first["meta"]) if form == ".csv" else first["meta"]
    assert (first["at"][:19], first["day"], first["price"]) == ("2024-05-01 10:00:00", "2024-05-01", "1.50")
    assert (meta, first["large"], first["weight"]) == ({"a": [1, None], "at": "2024-05-01 10:00:00"}, 2**64 - 1, None)
    assert second == {**dict.fromkeys(table.column_names), "weight": 0.5}


KINDS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.string(), TEXTS),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.float64(), st.floats(allow_nan=False, allow_infinity=False)),
    (pa.bool_(), st.booleans()),
]


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    count = draw(st.integers(1, 4))
    columns = {"question_id": pa.array(draw(st.lists(TEXTS, min_size=count, max_size=count)), pa.string())}
    for number in range(draw(st.integers(1, 3))):
        kind, cells = draw(st.sampled_from(KINDS))
        drawn = draw(st.lists(st.none() | cells, min_size=count, max_size=count).filter(any_given))
        columns[draw(st.sampled_from("=+-@ab'")) + str(number)] = pa.array(drawn, kind)
    return pa.table(columns)


def any_given(cells: list[Any]) -> bool:
    return any(cell is not None for cell in cells)


@pytest.mark.parametrize("form", [*FORMS, ".tsv", ".json"])
@given(table=tables())
def test_any_table_comes_back_from_any_file_with_its_types(
    form: str, table: pa.Table, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("t") / f"table{form}"
    write_table(table, path)
    assert read_table(path).equals(table)
