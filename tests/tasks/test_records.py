from __future__ import annotations

import gzip
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.hub import Repository
from w2s.tasks import load_task
from w2s.tasks.records import Hub, Pool, read_records, read_rows

from .support import GSM8K, write_jsonl, write_text

POOLS: dict[str, Pool] = {"train": "train", "test": "test"}
HUB = Hub(id="owner/name", config="main")


def pools_of(folder: Path) -> list[tuple[str, Pool]]:
    return [(Path(record.source).name, record.pool) for record in read_records("t", str(folder), None, POOLS)]


def test_the_splits_of_a_folder_are_told_by_the_names_of_its_files(tmp_path: Path) -> None:
    for name in ("train.jsonl", "cm_test.jsonl", "cm_test_hard.jsonl", "train_socratic.jsonl", "notes.jsonl"):
        write_jsonl(tmp_path / name, [{"a": 1}])
    pa.parquet.write_table(pa.table({"a": [1]}), tmp_path / "test-00000-of-00001.parquet")
    assert pools_of(tmp_path) == [
        ("cm_test.jsonl", "test"),
        ("test-00000-of-00001.parquet", "test"),
        ("train.jsonl", "train"),
    ]


def test_the_splits_of_a_folder_are_told_by_the_names_of_its_folders(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "train" / "anatomy.jsonl", [{"a": 1}])
    write_jsonl(tmp_path / "test" / "anatomy.jsonl", [{"a": 1}])
    write_jsonl(tmp_path / "other" / "anatomy.jsonl", [{"a": 1}])
    assert [pool for _, pool in pools_of(tmp_path)] == ["test", "train"]


def test_data_with_one_split_may_go_anywhere(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "test.jsonl", [{"a": 1}])
    assert pools_of(tmp_path) == [("test.jsonl", "any")]
    assert [record.pool for record in read_records("t", path, None, POOLS)] == ["any"]


def test_cells_of_a_csv_file_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_text(path, '\ufeffa,b\n007,"x, ""y""\nz"\n1.0,\n')
    assert read_rows(path) == [{"a": "007", "b": 'x, "y"\nz'}, {"a": "1.0", "b": None}]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", '{"a": 1}\n{"a": \n', r"a.jsonl, line 2: not JSON"),
        ("a.jsonl", "[1]\n", r"a.jsonl, row 1: expected a JSON object, not '1'"),
        ("a.jsonl", "\n", r"a.jsonl is empty"),
        ("a.csv", "", r"a.csv is empty"),
        ("a.csv", "a,b\n", r"a.csv is empty"),
        ("a.csv", "a,b\n1,2\n1,2,3\n", r"a.csv, row 2: expected 2 cells, as in the header, not 3"),
        ("a.csv", 'a,b\n1,"2\n', r"a.csv cannot be read: line 2, column 2: a quote is never closed"),
        ("a.csv", 'a,b\n1,"2"3\n', r"a.csv cannot be read: line 2, column 2: '3' comes after the closing quote"),
        ("a.jsonl", '{"a": 1}\n\n3\n', r"a.jsonl, line 3: expected a JSON object, not '3'"),
        ("a.jsonl", '{"a": 1, "a": 2}\n', r"a.jsonl, line 1: the name 'a' is there twice"),
        ("a.jsonl", '{"a": "\\ud83d"}\n', r"a.jsonl, line 1: an escape such as .* half a character"),
        ("a.json", '[{"a": 1},\n{"a": ]', r"a.json: not JSON: line 2, Expecting value at character 7"),
        ("a.csv", "a,b,a\n1,2,3\n", r"a.csv: two columns are named 'a': columns 1 and 3"),
        ("a.csv", "a,,b\n1,2,3\n", r"a.csv: column 2 has no name, and '2' in row 1"),
        ("a.csv.gz", "a,b\n", r"a.csv.gz cannot be read: Not a gzipped file"),
        ("a.parquet", "not parquet", r"a.parquet cannot be read"),
        ("a.txt", "x", r"a.txt: expected a file named \*.parquet, .*, not '.txt'"),
    ],
)
def test_a_broken_file_is_named_in_one_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        read_rows(Path(write_text(tmp_path / name, text)))
    assert "\n" not in str(error.value)


def test_hidden_files_and_what_an_archive_adds_are_no_data(tmp_path: Path) -> None:
    for name in ("train.jsonl", "._train.jsonl", ".hidden/train.jsonl", "__MACOSX/train.jsonl", "a/.cache/test.jsonl"):
        write_jsonl(tmp_path / name, [{"a": 1}])
    assert pools_of(tmp_path) == [("train.jsonl", "any")]


def test_gzipped_and_tab_separated_files_of_a_folder_are_its_splits(tmp_path: Path) -> None:
    (tmp_path / "train.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    write_text(tmp_path / "test.tsv", "a\tb\n3\t4\n")
    assert pools_of(tmp_path) == [("test.tsv", "test"), ("train.csv.gz", "train")]
    assert read_rows(tmp_path / "train.csv.gz") == [{"a": "1", "b": "2"}]


def test_a_file_without_a_header_is_split_into_the_columns_that_it_has(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.csv", "Which; of; these; is; it?,1,2\n")
    assert read_rows(Path(path), ["question", "a", "b"]) == [
        {"question": "Which; of; these; is; it?", "a": "1", "b": "2"}
    ]


def test_a_byte_that_is_no_text_is_found_in_a_file_with_or_without_a_header(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"1,x\n2,caf\xe9\n")
    with pytest.raises(
        InputError, match=r"a.csv, row 2, column 'b', line 2, byte 10: not UTF-8; it looks like Windows"
    ):
        read_rows(tmp_path / "a.csv", ["a", "b"])
    (tmp_path / "a.csv").write_bytes(b"a,b\n2,caf\xe9\n")
    with pytest.raises(InputError, match=r"a.csv, row 1, column 'b', line 2, byte 10"):
        read_rows(tmp_path / "a.csv", ["a", "b"])


def test_a_record_holds_texts_as_they_are_written_and_nothing_structured(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write_text(
        path, '{"n": 3.10, "big": 12345678901234567891, "yes": true, "none": NaN, "list": ["a", 1.50], "o": {"b": 1}}\n'
    )
    (record,) = read_records("t", str(path), None, POOLS)
    assert [record.optional(name) for name in ("n", "big", "yes", "none")] == [
        "3.10",
        "12345678901234567891",
        "true",
        "",
    ]
    assert record.texts("list") == ("a", "1.50")
    for name, kind in (("list", "a list"), ("o", "an object")):
        with pytest.raises(InputError, match=f"a.jsonl, row 1, column '{name}': expected a text, not {kind}"):
            record.optional(name)
    with pytest.raises(InputError, match="column 'none': expected a list, not nothing"):
        record.texts("none")


def test_a_python_list_where_a_list_belongs_is_refused(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.csv", "endings\n\"['a', 'b']\"\n")
    (record,) = read_records("t", path, None, POOLS)
    with pytest.raises(InputError, match="row 1, column 'endings': a Python list, expected JSON"):
        record.texts("endings")


def test_times_in_parquet_are_texts(tmp_path: Path) -> None:
    at = pa.array([1_700_000_000_000_000_001], pa.timestamp("ns"))
    pa.parquet.write_table(pa.table({"at": at, "kind": pa.array(["x"]).dictionary_encode()}), tmp_path / "a.parquet")
    assert read_rows(tmp_path / "a.parquet") == [{"at": "2023-11-14 22:13:20.000000001", "kind": "x"}]


WORDS = ["question", "answer", "choices", "id", "split", "a", "0", "1", "a|b", "test", "null", "NaN", "é", "\ufeff"]
PIECES = st.sampled_from([*WORDS, *(f'"{word}"' for word in WORDS), '["a", "b"]', "['a']", *',;\t\n"[]{}:'])


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".json", ".parquet", ".csv.gz"])
@given(content=st.binary(max_size=80) | st.lists(PIECES, max_size=30).map(lambda pieces: "".join(pieces).encode()))
def test_any_bytes_are_questions_or_an_input_error_in_one_line(
    suffix: str, content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("t") / f"a{suffix}"
    path.write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)
    try:
        examples = list(load_task("file", data=str(path)).examples())
    except InputError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert examples


CELLS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.floats()
    | st.sampled_from(["", "a", "b", "1", "A", "a|b", "['a']"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["text", "label", "stem", "value", "aliases", "role", "content"]), inner, max_size=3
        )
    ),
)
OTHERS = ["question_stem", "choices", "answerKey", "answers", "messages", "id", "split"]
ROWS = st.dictionaries(st.sampled_from(["question", "answer", *OTHERS]), CELLS) | st.fixed_dictionaries(
    {"question": st.just("Which?") | CELLS, "choices": st.just(["a", "b"]) | CELLS, "answer": st.just("a") | CELLS}
)


@given(rows=st.lists(ROWS, min_size=1, max_size=3))
def test_any_row_is_a_question_of_texts_or_an_input_error_in_one_line(
    rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("t") / "a.jsonl"
    try:
        examples = list(load_task("file", data=write_jsonl(path, rows)).examples())
    except InputError as error:
        assert str(path) in str(error) and "\n" not in str(error)
        return
    for example in examples:
        for text in (example.question.text, *example.question.choices, example.answer or ""):
            assert not text.startswith(("{", "[{")) and "None" not in text and text != "nan"
        assert example.answer is None or not example.question.choices or example.answer in example.question.choices


@pytest.mark.parametrize("data", ["no/such/file.jsonl", "nowhere", "a/b.csv"])
def test_missing_data_is_named(data: str) -> None:
    with pytest.raises(InputError, match=f"data of task t: no such file or folder: {data}"):
        read_records("t", data, HUB, POOLS)


def test_a_folder_without_the_expected_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no train or test data in .*: expected a file such as train.jsonl"):
        read_records("t", str(tmp_path), HUB, POOLS)


class FakeSplit:
    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def to_list(self) -> list[dict[str, Any]]:
        return self.rows


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A stand-in for the library: what it was asked for, and what it gives or raises."""
    state = SimpleNamespace(asked=[], error=None, splits={"train": [{"a": 1}], "test": [{"a": 2}], "odd": [{"a": 3}]})

    def load_dataset(*args: Any, **options: Any) -> dict[str, FakeSplit]:
        state.asked.append((*args, {name: value for name, value in options.items() if value}))
        if state.error is not None:
            raise state.error
        return {split: FakeSplit(rows) for split, rows in state.splits.items()}

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    monkeypatch.setattr("w2s.tasks.records.look_up", lambda *_: Repository(commit="0", files=()))
    return state


def test_the_hub_is_read_by_default(hub: SimpleNamespace) -> None:
    records = read_records("t", None, HUB, POOLS)
    assert hub.asked == [("owner/name", "main", {})]
    assert [(record.row["a"], record.pool, record.source) for record in records] == [
        (1, "train", "owner/name, train"),
        (2, "test", "owner/name, test"),
    ]


def test_another_hub_id_is_read_without_the_configuration_of_the_default_one(hub: SimpleNamespace) -> None:
    read_records("t", "me/mine", HUB, POOLS)
    assert hub.asked == [("me/mine", None, {})]


def test_ethics_is_read_from_its_converted_files(hub: SimpleNamespace) -> None:
    hub.splits = {"train": [{"label": 1, "input": "I lied."}], "test": [{"label": 0, "input": "I " + "really " * 99}]}
    train, test = load_task("ethics").examples()
    assert hub.asked[0][2]["revision"] == "refs/convert/parquet"
    assert set(hub.asked[0][2]["data_files"]) == {"train", "test"}
    assert (train.answer, train.question.fields["length"]) == ("unacceptable", "short")
    assert (test.answer, test.question.fields["length"]) == ("acceptable", "long")


@pytest.mark.parametrize("error", [ConnectionError("offline\nlong story"), ValueError(""), RuntimeError("no scripts")])
def test_a_failing_hub_is_one_line_that_says_what_to_do(hub: SimpleNamespace, error: Exception) -> None:
    hub.error = error
    with pytest.raises(
        InputError, match=r"cannot load 'owner/name' from the hub .*: pass data=, a local file"
    ) as caught:
        read_records("t", None, HUB, POOLS)
    assert "\n" not in str(caught.value)


def test_hub_data_without_the_expected_splits_is_named(hub: SimpleNamespace) -> None:
    hub.splits = {"odd": [{"a": 3}]}
    with pytest.raises(InputError, match="'owner/name' has the splits odd: expected train or test"):
        read_records("t", None, HUB, POOLS)


def test_a_record_names_its_place_in_an_error(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "gsm8k.jsonl", [*GSM8K, {"question": "How many?", "answer": "a few"}])
    with pytest.raises(InputError, match=r"gsm8k.jsonl, row 13, column 'answer': no number in 'a few'"):
        list(load_task("gsm8k", data=path).examples())
    path = write_jsonl(tmp_path / "gsm8k.jsonl", [{"Question": "How many?", "answer": "2"}])
    with pytest.raises(InputError, match=r"row 1, column 'question': there is no such column, only Question, answer"):
        list(load_task("gsm8k", data=path).examples())
