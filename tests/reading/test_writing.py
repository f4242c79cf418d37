"""A table is written whole or not at all."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from support.tables import FORMS
from w2s.errors import InputError
from w2s.reading import columns_of
from w2s.tables import check_suffix, read_table, write_table


@pytest.mark.parametrize("form", [".csv", ".jsonl"])
@pytest.mark.parametrize("cells", [pa.array([b"x"]), pa.array([[b"x"]]), pa.array([{"a": b"x"}])])
def test_bytes_are_refused_where_they_cannot_be_written_and_the_old_file_stays(
    form: str, cells: pa.Array, tmp_path: Path
) -> None:
    path = tmp_path / f"a{form}"
    path.write_text("mine")
    with pytest.raises(InputError, match="column 'raw' holds bytes"):
        write_table(pa.table({"raw": cells}), path)
    assert path.read_text() == "mine" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_leaves_the_old_file_and_names_it(
    form: str, training_set: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    path = tmp_path / f"a{form}"
    path.write_text("mine")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=re.escape(str(path))):
        write_table(training_set, path)
    assert path.read_text() == "mine" and list(tmp_path.iterdir()) == [path]


def test_what_parquet_cannot_hold_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a.parquet: .*; write \*.jsonl"):
        write_table(pa.table({"meta": pa.array([{}])}), tmp_path / "a.parquet")
    assert not list(tmp_path.iterdir())


def test_a_link_is_replaced_and_what_it_points_to_stays(training_set: pa.Table, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("mine")
    (tmp_path / "link.csv").symlink_to(tmp_path / "mine.csv")
    write_table(training_set, tmp_path / "link.csv")
    assert (tmp_path / "mine.csv").read_text() == "mine" and read_table(tmp_path / "link.csv").num_rows == 2


def test_no_spreadsheet_takes_a_text_for_a_formula_and_numbers_stay_numbers(tmp_path: Path) -> None:
    texts = ["=1+1", "@x", "+cmd", "-x", "\tx", "-3", "+4.5", "'=x", "a=b"]
    write_table(pa.table({"answer": texts, "n": [-1.5] * len(texts)}), tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    written = ["'=1+1", "'@x", "'+cmd", "'-x", "'\tx", "-3", "+4.5", "''=x", "a=b"]
    assert lines[1:] == [f'"{text}",-1.5' for text in written]
    assert read_table(tmp_path / "a.csv")["answer"].to_pylist() == texts
    write_table(pa.table({"answer": texts}), tmp_path / "a.jsonl")
    assert "'=1+1" not in (tmp_path / "a.jsonl").read_text()


def test_a_name_that_is_no_tables_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    for refuse in (check_suffix, lambda path: write_table(pa.table({"a": [1]}), path)):
        with pytest.raises(InputError, match=r"not '\.xlsx'"):
            refuse(tmp_path / "new" / "a.xlsx")
    assert not (tmp_path / "new").exists()
    check_suffix(tmp_path / "A.CSV")


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("question_id,prompt\nq,'-ism means what?\n", True),
        ('question_id,prompt\nq,"\'-ism, or what?"\n', True),
        ('"question_id","prompt"\nq,\'-ism means what?\n', True),
        ('"question_id","prompt"\n"q","\'-ism means what?"\n', False),
    ],
)
def test_an_apostrophe_is_taken_off_only_where_we_may_have_written_it_and_that_is_said(
    text: str, stays: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.csv").write_text(text)
    with caplog.at_level("INFO"):
        (found,) = read_table(tmp_path / "a.csv")["prompt"].to_pylist()
    assert found.startswith("'-ism" if stays else "-ism")
    assert (
        "cells of column 'prompt' with the apostrophe that w2s puts before formulas: 1, first in row 1" in caplog.text
    )
    assert ("it stays" if stays else "it is taken off") in caplog.text


def test_an_apostrophe_before_what_is_no_formula_is_nothing_to_speak_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_table(pa.table({"'t is": ["'twas", "'-3"]}), tmp_path / "a.csv")
    with caplog.at_level("INFO"):
        assert read_table(tmp_path / "a.csv").to_pylist() == [{"'t is": "'twas"}, {"'t is": "'-3"}]
    assert "apostrophe" not in caplog.text


def test_the_name_of_a_column_comes_back_without_its_apostrophe(tmp_path: Path) -> None:
    write_table(pa.table({"=x": ["a"]}), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().startswith('"\'=x"')
    assert read_table(tmp_path / "a.csv").column_names == ["=x"] == list(columns_of(tmp_path / "a.csv"))
    (tmp_path / "b.csv").write_text("'=x\na\n")
    assert read_table(tmp_path / "b.csv").column_names == ["'=x"] == list(columns_of(tmp_path / "b.csv"))
