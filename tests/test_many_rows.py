"""What is done by columns for millions of rows is what would be done row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s import tables
from w2s.gold import Gold, are_right, known_rows, right_rows
from w2s.tables import read_table, taken, write_tables

IDS, ANSWERS = st.sampled_from("abcd"), st.sampled_from(["x", "y", "z", None])


@given(
    rows=st.lists(st.tuples(IDS, ANSWERS)),
    gold=st.dictionaries(IDS, st.sampled_from("xyz")),
    aliases=st.dictionaries(IDS, st.lists(st.sampled_from("xyz"), max_size=2).map(tuple)),
)
def test_right_rows_are_those_that_are_right(
    rows: list[tuple[str, str | None]], gold: dict[str, str], aliases: dict[str, tuple[str, ...]]
) -> None:
    ids, answers = [id for id, _ in rows], [answer for _, answer in rows]
    table = pa.table({"question_id": pa.array(ids, pa.string()), "answer": pa.array(answers, pa.string())})
    truth = Gold(gold, {id: others for id, others in aliases.items() if id in gold})
    assert right_rows(table, truth).tolist() == are_right(ids, answers, truth)
    assert known_rows(table, truth).tolist() == [id in truth for id in ids]


@given(chunks=st.lists(st.integers(0, 7), max_size=6), data=st.data())
def test_rows_taken_in_pieces_are_those_taken_at_once(chunks: list[int], data: st.DataObject) -> None:
    count = sum(chunks)
    numbers = np.split(np.arange(count), np.cumsum(chunks))[: len(chunks)]
    texts = [pa.array([f"text {n}" if n % 3 else None for n in part], pa.string()) for part in numbers]
    lists = pa.chunked_array([[[n, n]] for n in range(count)], pa.list_(pa.int64()))
    table = pa.table({"text": pa.chunked_array(texts, pa.string()), "lists": lists})
    places = np.array(data.draw(st.lists(st.integers(0, count - 1))) if count else [], np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "_AT_ONCE", 0)
        patch.setattr(tables, "_PIECE", 3)
        assert taken(table, places).equals(table.take(pa.array(places)))


def test_tables_written_one_after_the_other_are_one_and_what_one_lacks_is_null(tmp_path: Path) -> None:
    schema = pa.schema({"question_id": pa.string(), "variation": pa.int32()})
    first = pa.table({"question_id": ["a"], "variation": pa.array([1], pa.int32())})
    write_tables(iter([first, pa.table({"question_id": ["b"]})]), schema, tmp_path / "both.parquet")
    expected = pa.table({"question_id": ["a", "b"], "variation": pa.array([1, None], pa.int32())})
    assert read_table(tmp_path / "both.parquet").equals(expected)
