"""A file of answers that is scored column by column gives what scoring the whole table gives."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from w2s.methods import METHODS
from w2s.methods.selection import SELECTED_FROM
from w2s.pipeline import score_file as module
from w2s.pipeline.score_file import score_file
from w2s.reliability import score_answers
from w2s.tables import ANSWERS, read_columns, read_table, write_table

GIVEN = ["a", "a", "b", None, "c", "c", None, "d", "", "e", "e", "e"]


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    rows = [
        {
            "question_id": f"q{number // 3}",
            "variation": number % 3,
            "prompt": f"prompt {number}?",
            "completion": f" {answer}",
            "response": f" {answer}",
            "answer": answer,
            "supervisor": "weak",
        }
        for number, answer in enumerate(GIVEN)
    ]
    path = tmp_path / "answers.parquet"
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows, schema=ANSWERS), path, row_group_size=5)
    return path


@pytest.mark.parametrize("unparsed", ["class", "drop_question", "drop_answer"])
@pytest.mark.parametrize("estimator", ["votes", "dawid-skene"])
def test_it_is_as_the_whole_table_scored(
    answers: Path, tmp_path: Path, unparsed: str, estimator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROWS", 4)  # so that a piece begins within a row group, and one may be empty
    table = read_table(answers)
    if estimator == "dawid-skene":  # reads all columns, and compares supervisors
        names = pa.array([f"s{number % 3}" for number in range(len(GIVEN))])
        table = table.set_column(table.column_names.index("supervisor"), "supervisor", names)
        write_table(table, answers)
    score_file(answers, tmp_path / "scored.parquet", estimator=estimator, unparsed=unparsed)
    expected = score_answers(table, estimator=estimator, unparsed=unparsed)  # type: ignore[arg-type]
    found = read_table(tmp_path / "scored.parquet")
    assert found.num_rows and found.equals(expected.cast(found.schema)) and found.column_names == expected.column_names


def test_scores_that_were_there_before_are_replaced(answers: Path, tmp_path: Path) -> None:
    once, twice = tmp_path / "once.parquet", tmp_path / "twice.parquet"
    score_file(answers, once, estimator="votes", temperature=0.2)
    score_file(once, twice, estimator="votes", temperature=2.0)
    assert read_table(twice).equals(score_answers(read_table(once), temperature=2.0))


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.reads is not None])
def test_a_selector_makes_the_same_of_the_columns_that_it_says_it_reads(
    answers: Path, tmp_path: Path, name: str
) -> None:
    method = METHODS[name]
    score_file(answers, tmp_path / "scored.parquet", estimator="votes")
    whole, part = read_table(tmp_path / "scored.parquet"), read_columns(tmp_path / "scored.parquet", SELECTED_FROM)
    gold = {"gold_answers": whole.filter([number % 3 == 0 for number in range(12)])} if method.uses_gold else {}
    assert method.selector is not None and len(part.column_names) < len(whole.column_names)
    one, other = (method.selector(table, **gold, seed=1, **method.settings) for table in (whole, part))
    assert one.table.num_rows and one.table.equals(other.table) and one.selection == other.selection
