"""What is wrong with a user's own file of questions is told by row and column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from w2s.errors import InputError
from w2s.tasks import load_task

from .own_questions import METAL, PERU, load
from .support import write_jsonl, write_text


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": {"text": "Q?"}}, "column 'question': an object without the text 'stem'"),
        ({"question": ["Q?"]}, "column 'question': expected a text, not a list"),
        ({"question": {"stem": ["Q?"]}}, "column 'question': expected a text, not a list"),
        ({"choices": [["wool"], ["iron"]]}, "column 'choices': expected a text, not a list"),
        ({"choices": {"A": "wool", "B": "iron"}}, "column 'choices': an object: expected the list 'text' in it"),
        ({"choices": {"text": ["wool", "iron"], "label": ["A"]}}, "column 'choices': .*'label' of the same length"),
        ({"choices": [{"label": "A"}, {"label": "B"}]}, "column 'choices': a list of objects: expected 'text' in each"),
        ({"choices": [{"text": "wool"}, {"text": "iron", "label": "B"}]}, "column 'choices': .*'label' in each or in"),
        ({"choices": [{"text": "wool", "label": "A"}, {"text": "iron", "label": "A"}]}, "label 'A' is there more than"),
        ({"choices": ["wool", {"text": "iron"}]}, "column 'choices': expected a text, not an object"),
        ({"choices": [str(n) for n in range(1001)]}, "column 'choices': 1001 of them: expected 1000 at most"),
        ({"answer": ["iron", "wool"]}, "column 'answer': 2 answers to a question with choices: expected one"),
        ({"answer": {"right": "iron"}}, "column 'answer': an object: expected 'value' or 'text' in it"),
        ({"answer": [["iron"]]}, "column 'answer': expected a text, not a list"),
        ({"answer": float("nan")}, "column 'answer': nothing in it"),
        ({"answer": []}, "column 'answer': nothing in it"),
        ({"answer": None, "answerKey": "C"}, "column 'answerKey': 'C' is no choice: expected one of wool, iron$"),
        ({"question": None, "topic": 1}, "column 'question': nothing in it"),
    ],
)  # fmt: skip
def test_other_forms_are_refused_and_never_python_text(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"mine.jsonl, row 1, .*{message}") as error:
        load(tmp_path, {"question": "Q?", "choices": ["wool", "iron"], "answer": "iron", **row})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}],
         "turns of user, assistant, user: expected one of the user"),
        ([{"role": "user", "content": [{"type": "text"}]}], "expected a text, not a list"),
        ([{"role": "user", "content": ""}], "nothing in the user's turn"),
        ("hello", "expected a list of objects with 'role' and 'content'"),
    ],
)  # fmt: skip
def test_chats_with_more_than_one_question_are_refused(tmp_path: Path, messages: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"row 1, column 'messages': {message}"):
        load(tmp_path, {"messages": messages, "answer": "x"})


@pytest.mark.parametrize(
    "cell",
    [
        "['P(A|B)', 'P(B|A)']",
        "[\"it's\", 'P|Q']",
        "[{'text': 'P|Q'}]",
        "{'text': ['P|Q', 'b']}",
        "[True, False]",
        "['a' 'b']",
        "[b'P|Q', b'c']",
        "[array(['P|Q'], dtype=object)]",
    ],
)
def test_a_python_list_in_a_csv_cell_is_refused(tmp_path: Path, cell: str) -> None:
    quoted = '"' + cell.replace('"', '""') + '"'
    path = write_text(tmp_path / "a.csv", f"question,choices,answer\nWhich is Bayes?,{quoted},0\n")
    with pytest.raises(InputError, match=r"row 1, column 'choices': a Python (list|dictionary), expected JSON"):
        load_task("file", data=path)


@pytest.mark.parametrize(
    "cell",
    ["('P|Q', 'R')", "array(['P|Q', 'R'], dtype=object)", "dict_values(['P|Q', 'R'])", "Counter({'P|Q': 1})", "b'P|Q'"],
)
@pytest.mark.parametrize("column", ["choices", "answer"])
def test_no_object_as_python_writes_it_becomes_texts(tmp_path: Path, cell: str, column: str) -> None:
    row = {"question": "Which?", "choices": "P|R", "answer": "P", column: cell}
    path = write_text(tmp_path / "a.csv", "question;choices;answer\n" + ";".join(f'"{text}"' for text in row.values()))
    with pytest.raises(InputError, match=f"row 1, column '{column}': an object as Python writes it, expected JSON"):
        load_task("file", data=path)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("[P(A|B), P(B|A)]", "a bar stands between brackets: expected a JSON list"),
        ("P(A|B)|P(B|A)", "a bar stands between brackets: expected a JSON list"),
        ('["P(A|B)", "P(B|A)"', "it begins as JSON does, and is none"),
    ],
)
def test_a_bar_inside_a_choice_does_not_cut_it(tmp_path: Path, cell: str, message: str) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{"question": "Which?", "choices": cell, "answer": 0}])
    with pytest.raises(InputError, match=f"row 1, column 'choices': {message}"):
        load_task("file", data=path)


@pytest.mark.parametrize("cell", ["[0, 1)|(1, 2]", ":-)|:-(", "f(x)|g(x)", "'tis|it's", "a (b)|c"])
def test_brackets_and_quotes_of_the_choices_themselves_are_theirs(tmp_path: Path, cell: str) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{"question": "Which?", "choices": cell, "answer": 0}])
    (example,) = load_task("file", data=path).examples()
    assert example.question.choices == tuple(cell.split("|"))


def test_a_json_cell_of_a_csv_file_that_lies_too_deep_is_refused(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.csv", f"question,choices,answer\nWhich?,{'[' * 50_000}{']' * 50_000},a\n")
    with pytest.raises(InputError, match="row 1, column 'choices': lists and objects lie more than 64 deep"):
        load_task("file", data=path)


def test_the_line_is_said_where_rows_span_several(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.csv", 'question,answer\n"Why,\nthen?",a\n\nWhat?,\n')
    with pytest.raises(InputError, match=r"a.csv, row 2 \(line 5\), column 'answer': nothing in it"):
        load_task("file", data=path)
    path = write_text(tmp_path / "b.csv", "question,answer\nWhy?,a\nWhat?,\n")
    with pytest.raises(InputError, match=r"b.csv, row 2, column 'answer': nothing in it"):
        load_task("file", data=path)


def test_answers_that_are_missing_in_parquet_are_no_answers(tmp_path: Path) -> None:
    pa.parquet.write_table(pa.table({"question": ["a?", "b?"], "answer": [1.0, float("nan")]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="row 2, column 'answer': nothing in it"):
        load_task("file", data=str(tmp_path / "a.parquet"))


def test_the_same_question_in_two_splits_is_an_error(tmp_path: Path) -> None:
    task = load(tmp_path, {**METAL, "split": "test"}, {**METAL, "split": "weak_train"}, num_variations=2)
    with pytest.raises(InputError, match="is in test and in weak_train: splits must not overlap"):
        task.splits()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": ""}, "row 2, column 'question': nothing in it"),
        ({"question": None}, "row 2, column 'question': nothing in it"),
        ({"answer": ""}, "row 2, column 'answer': nothing in it"),
        ({"answer": "steel"}, "row 2, column 'answer': 'steel' is no choice: expected one of iron, wool"),
        ({"answer": "irn"}, "row 2, column 'answer': 'irn' is no choice.*did you mean 'iron'"),
        ({"answer": "A"}, "row 2, column 'answer': 'A' is the label of a choice, and earlier answers are "),
        ({"answer": "C"}, "row 2, column 'answer': 'C' is no choice: expected one of iron, wool, or its letter"),
        ({"answer": 2}, "row 2, column 'answer': '2' is no choice"),
        ({"choices": ["iron"]}, "row 2, column 'choices': expected two or more, not only 'iron'"),
        ({"choices": ["iron", ""]}, "row 2, column 'choices': one of them is empty"),
        ({"choices": ["iron", "iron "]}, "row 2, column 'choices': 'iron' is there more than once"),
        ({"choices": 3}, "row 2, column 'choices': expected a list, not 3"),
        ({"choices": None}, "row 2, column 'choices': expected some in every row or in none"),
        ({"id": "q1"}, "row 2, column 'id': 'q1' is the id of row 1 as well"),
        ({"split": "tset"}, "row 2, column 'split': unknown split 'tset': expected one of train, weak_train, transfer, "
         "test; did you mean 'test'"),
        ({"split": "test", "answer": None}, "row 2, column 'answer': nothing in it"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_with_its_file_and_column(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"mine.jsonl, {message}") as error:
        load(tmp_path, {**METAL, "id": "q1"}, {**METAL, "question": "Another?", "id": "q2", **row})
    assert "\n" not in str(error.value)


def test_a_message_is_one_line_whatever_the_data_holds(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        load(tmp_path, {**METAL, "choices": ["iron\nore", "wool\x1b[31m"], "answer": "lead"})
    assert "\n" not in str(error.value) and "\x1b" not in str(error.value)
    assert "expected one of iron\\nore, wool\\x1b[31m" in str(error.value)


def test_a_free_answer_of_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"row 1, column 'answer': expected a text on its first line, not '...'"):
        load(tmp_path, {**PERU, "answer": "..."})


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="row 1, column 'answer': there is no such column, only question"):
        load_task("file", data=write_text(tmp_path / "a.csv", "question\nWhy?\n"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("nowhere.csv", "no such file: nowhere.csv"),
        (".", "data='.' is a folder: task file reads one"),
    ],
)
def test_a_missing_file_is_named(data: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_task("file", data=data)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"question": ""}, "row 2, column 'question': nothing in it; 1 more row is wrong too: 4"),
        ({"answer": "steel"}, "row 2, column 'answer': 'steel' is no choice: .*; 1 more row is wrong too: 4"),
    ],
)
def test_all_bad_rows_are_told_at_once(tmp_path: Path, bad: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"mine.jsonl, {message}$"):
        load(tmp_path, METAL, METAL | bad, METAL, METAL | bad)


def test_of_many_bad_rows_the_first_are_told_by_number(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"row 1, .*; 14 more rows are wrong too: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …$"):
        load(tmp_path, *[METAL | {"question": ""}] * 15)


def test_letters_without_choices_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"answer_format='letter': the questions of .* have no choices"):
        load(tmp_path, PERU, answer_format="letter")


def test_answers_that_name_columns_which_are_not_read_are_refused(tmp_path: Path) -> None:
    options = "question,a,b,answer\nQ1?,iron,wool,A\nQ2?,salt,sand,B\n"
    with pytest.raises(
        InputError, match=r"its answers name the columns a, b, which are not read: .* one column choices"
    ):
        load_task("file", data=write_text(tmp_path / "a.csv", options))
    free = load_task("file", data=write_text(tmp_path / "b.csv", options.replace(",B", ",salt")))
    assert [example.answer for example in free.examples()] == ["a", "salt"]  # case is nothing to a free answer


def test_a_label_beside_the_answer_names_the_same_choice(tmp_path: Path) -> None:
    load(tmp_path, {**METAL, "answerKey": "A"})
    with pytest.raises(InputError, match="column 'answerKey': 'B' is the choice 'wool', and answer says 'iron'"):
        load(tmp_path, {**METAL, "answerKey": "B"})


@pytest.mark.parametrize(("first", "warned"), [(1, True), (0, False)])
def test_many_indices_without_a_0_may_count_from_1(
    first: int, warned: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"question": f"{n}?", "choices": list("xyz"), "answer": first + n % 2} for n in range(20)]
    load(tmp_path, *rows)
    assert ("if they count from 1, each is one too far" in caplog.text) is warned


def test_numbers_of_a_parquet_file_are_as_they_were_written(tmp_path: Path) -> None:
    answers = pa.array([0.1, 2.0, 1e-7], pa.float32())
    pa.parquet.write_table(pa.table({"question": ["a?", "b?", "c?"], "answer": answers}), tmp_path / "a.parquet")
    gold = load_task("file", data=str(tmp_path / "a.parquet"), weak_train=1, transfer=1, test=1).splits().gold
    assert sorted(gold["answer"].to_pylist()) == ["0.1", "1e-07", "2"]
