"""A text is read in the encoding that is named, and otherwise never in a wrong one."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tables import read
from w2s.errors import InputError
from w2s.tables import read_table, write_table
from w2s.tasks.records import Hub, read_records

TEXT = "question_id,answer\na,Größe “x”\n"
ROWS = [{"question_id": "a", "answer": "Größe “x”"}]


def put(folder: Path, data: bytes, name: str = "a.csv") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize("encoding", ["windows-1252", "CP1252", "utf8", "UTF-8", "utf-16-le", "utf-16-be", "gb18030"])
def test_a_file_is_read_in_the_encoding_that_is_named(encoding: str, tmp_path: Path) -> None:
    assert read_table(put(tmp_path, TEXT.encode(encoding)), encoding=encoding).to_pylist() == ROWS


@pytest.mark.parametrize(("mark", "codec"), [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_BE, "utf-16-be")])
def test_a_byte_order_mark_may_be_named_as_well(mark: bytes, codec: str, tmp_path: Path) -> None:
    path = put(tmp_path, mark + TEXT.encode(codec))
    whole, short = (read_table(path, encoding=name).to_pylist() for name in (codec, codec[:6].rstrip("-")))
    assert whole == short == ROWS
    assert read_table(path).to_pylist() == ROWS


@pytest.mark.parametrize(
    ("data", "encoding", "said"),
    [
        (b"a,b\n1,\xe9\n", "ascii", "row 1, column 'b', line 2, byte 7: not ascii, as --encoding says"),
        (b"a,b\n1,\xe9\n", "utf-8", "row 1, column 'b', line 2, byte 7: not utf-8, as --encoding says"),
        (b"a,b\n1,\x81\n", "cp1252", "row 1, column 'b', line 2, byte 7: not cp1252, as --encoding says"),
        (codecs.BOM_UTF8 + b"a\nx\n", "cp1252", "byte order mark of UTF-8: it is not cp1252"),
        (codecs.BOM_UTF16_LE + "a\nx\n".encode("utf-16-le"), "utf-8", "byte order mark of UTF-16: it is not utf-8"),
        ("a\nx\n".encode("utf-16-be"), "utf-16", "expected --encoding utf-16-le or utf-16-be, not utf-16"),
        ("a\nx\n".encode("utf-16-be"), None, "without a byte order mark: .*add --encoding utf-16-be"),
        ("a\nx\n".encode("utf-16-le"), "latin-1", "without a byte order mark: .*add --encoding utf-16-le"),
        (b"a\n\xe9\n", None, "looks like Windows-1252: save it as UTF-8, or add --encoding windows-1252"),
        (b"a\n\x81\n", None, "not UTF-8: save it as UTF-8, or name what it is with --encoding"),
        (b"a\nx\n", "windows-1225", r"unknown encoding 'windows-1225': .*; did you mean 'windows-1252'\?"),
        (b"a\nx\n", "hex", "unknown encoding 'hex'"),
        (b"a\nx\n", "", "unknown encoding ''"),
    ],
)
def test_what_is_not_in_the_encoding_is_refused_and_the_option_named(
    data: bytes, encoding: str | None, said: str, tmp_path: Path
) -> None:
    path = put(tmp_path, data)
    with pytest.raises(InputError, match=said) as caught:
        read_table(path, encoding=encoding)
    assert "\n" not in str(caught.value)


def test_text_that_is_utf8_and_read_as_something_else_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_table(put(tmp_path, b"answer\nx\n"), encoding="cp1252")["answer"].to_pylist() == ["x"]
    assert not caplog.text
    assert read_table(put(tmp_path, "answer\né\n".encode()), encoding="cp1252")["answer"].to_pylist() == ["Ã©"]
    assert "read as cp1252, as --encoding says, but it could be UTF-8" in caplog.text


def test_parquet_has_no_encoding_to_name(tmp_path: Path) -> None:
    write_table(read_table(put(tmp_path, b"a\nx\n")), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a.parquet is Parquet, whose texts are always UTF-8: .* as cp1252"):
        read_table(tmp_path / "a.parquet", encoding="cp1252")


def test_a_data_set_on_the_hub_has_no_encoding_to_name() -> None:
    with pytest.raises(InputError, match=r"encoding='cp1252': 'me/mine' is on the hub"):
        read_records("t", "me/mine", Hub(id="me/other"), {"train": "train"}, encoding="cp1252")


# An apostrophe in front may be one that keeps a spreadsheet from a formula.
CP1252 = st.text(st.characters(codec="cp1252", exclude_characters="\x00"), min_size=1)


@given(text=CP1252.filter(lambda text: text[0] != "'"), form=st.sampled_from("cj"))
def test_any_text_of_an_encoding_comes_back(text: str, form: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("t")
    if form == "c":
        data = 'question_id,prompt\na,"' + text.replace('"', '""') + '"\n'
        path = put(folder, data.encode("cp1252"))
    else:
        data = json.dumps({"question_id": "a", "prompt": text}, ensure_ascii=False) + "\n"
        path = put(folder, data.encode("cp1252"), "a.jsonl")
    assert read_table(path, encoding="cp1252")["prompt"].to_pylist() == [text]


def test_a_file_without_a_name_for_it_is_utf8_as_ever(tmp_path: Path) -> None:
    assert read(tmp_path, "a.csv", TEXT.encode()) == ROWS
