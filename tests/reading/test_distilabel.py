"""distilabel's data sets: a generation a row, several in a row, labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from support.exports import export_of, write_lines
from w2s.errors import InputError

META = {"raw_output_text_generation_0": "Oslo"}


def row(instruction: str, **fields: Any) -> dict[str, Any]:
    return {"instruction": instruction, **fields, "distilabel_metadata": META}


def answers(long: Any) -> list[tuple[str, str, int, str | None]]:
    return [(r["question_id"], r["supervisor"], r["variation"], r["answer"]) for r in long.table.to_pylist()]


def test_several_rows_of_one_instruction_are_several_answers(tmp_path: Path) -> None:
    rows = [
        row("Capital?", generation="Oslo", model_name="m"),
        row("Capital?", generation="Lima", model_name="m"),
        row("Capital?", generation="Oslo", model_name="n"),
        row("River?", generation=None, model_name="m"),
    ]
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "train.parquet")
    long = export_of(tmp_path / "train.parquet")
    assert answers(long)[:3] == [
        ("Capital?", "m", 0, "Oslo"),
        ("Capital?", "m", 1, "Lima"),
        ("Capital?", "n", 0, "Oslo"),
    ]
    assert answers(long)[3] == ("River?", "m", 0, None)
    assert long.notes[0] == "read as a distilabel data set: 2 instructions, 2 supervisors, 1 without a generation"


@pytest.mark.parametrize(
    "fields",
    [
        {"generation": ["a", "b"], "model_name": ["m", "n"]},
        {"generations": ["a", "b"], "generation_models": ["m", "n"], "model_name": "the judge"},
        {"grouped_generation": ["a", "b"], "grouped_model_name": ["m", "n"]},
    ],
)
def test_several_generations_of_a_row_are_of_the_models_beside_them(fields: dict[str, Any], tmp_path: Path) -> None:
    long = export_of(write_lines(tmp_path / "d.jsonl", [row("Q", **fields)]))
    assert answers(long) == [("Q", "m", 0, "a"), ("Q", "n", 0, "b")]


def test_one_model_may_have_made_them_all_or_nobody_that_is_named(tmp_path: Path) -> None:
    long = export_of(write_lines(tmp_path / "d.jsonl", [row("Q", generation=["a", "b"], model_name="m")]))
    assert answers(long) == [("Q", "m", 0, "a"), ("Q", "m", 1, "b")]
    assert answers(export_of(write_lines(tmp_path / "d.jsonl", [row("Q", generation="a")]))) == [("Q", "d", 0, "a")]


def test_the_last_turn_of_a_conversation_is_what_was_asked(tmp_path: Path) -> None:
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Capital?"}]
    path = write_lines(tmp_path / "d.jsonl", [{"messages": turns, "generation": "Oslo", "model_name": "m"}])
    assert answers(export_of(path)) == [("Capital?", "m", 0, "Oslo")]


def test_two_columns_of_answers_are_refused_until_one_is_named(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "d.jsonl", [row("Q", generation="long text", labels="a", model_name="m")])
    with pytest.raises(InputError, match=r"columns\.answer to name one of generation, labels"):
        export_of(path)
    long = export_of(path, columns={"answer": "labels"})
    assert answers(long) == [("Q", "m", 0, "a")] and not long.written


def test_models_that_are_fewer_than_generations_are_refused(tmp_path: Path) -> None:
    rows = [row("Q", generation=["a", "b"], model_name=["m"])]
    with pytest.raises(InputError, match="row 1: expected a model for each of 2 generations, it has 1"):
        export_of(write_lines(tmp_path / "d.jsonl", rows))
