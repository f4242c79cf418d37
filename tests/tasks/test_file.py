from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.tasks import Example, Task, gold_of, load_task
from w2s.tasks.file import _canonical

from .support import write_jsonl, write_text

METAL = {"question": "Which is a metal?", "choices": ["iron", "wool"], "answer": "iron"}
PERU = {"question": "What is the capital of Peru?", "answer": "Lima."}


def load(tmp_path: Path, *rows: dict[str, Any], **fields: Any) -> Task:
    return load_task("file", data=write_jsonl(tmp_path / "mine.jsonl", rows), **fields)


def examples(tmp_path: Path, *rows: dict[str, Any]) -> list[Example]:
    return list(load(tmp_path, *rows).examples())


def test_jsonl_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    rows = [
        {**METAL, "id": "q1", "split": "test"},
        {**METAL, "id": "q2", "split": "", "question": "Which is none?", "answer": "wool"},
    ]
    jsonl = examples(tmp_path, *rows)
    head = "id,question,choices,answer,split\n"
    bars = write_text(
        tmp_path / "1.csv", head + "q1,Which is a metal?,iron|wool,iron,test\nq2,Which is none?,iron | wool,1,\n"
    )
    json_lists = write_text(
        tmp_path / "2.csv",
        head + 'q1,Which is a metal?,"[""iron"", ""wool""]",0,test\nq2,Which is none?,"[""iron"", ""wool""]",wool,\n',
    )
    pa.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "3.parquet")
    assert [(one.question.id, one.answer, one.pool) for one in jsonl] == [("q1", "iron", "test"), ("q2", "wool", "any")]
    for path in (bars, json_lists, str(tmp_path / "3.parquet")):
        assert list(load_task("file", data=path).examples()) == jsonl


def test_an_index_answers_unless_it_is_a_choice_itself(tmp_path: Path) -> None:
    (one,) = examples(tmp_path, {**METAL, "answer": 1})
    (other,) = examples(tmp_path, {"question": "1 + 0?", "choices": [0, 1, 2], "answer": 1})
    (swapped,) = examples(tmp_path, {"question": "1 + 0?", "choices": ["2", "3", "1"], "answer": "1"})
    assert (one.answer, other.answer, swapped.answer) == ("wool", "1", "1")


def test_with_choices_it_is_asked_as_multiple_choice(tmp_path: Path) -> None:
    task = load(tmp_path, METAL, num_variations=2)
    (example,) = task.examples()
    first, second = task.vary(example.question, 2, 0)
    assert (task.modes, task.answer_format) == (("choose", "generate"), "letter")
    assert "A. iron\nB. wool" in first.prompt and "A. wool\nB. iron" in second.prompt
    assert task.complete("iron", example.question, second) == " B"
    assert task.parse("B", example.question, second) == "iron"


def test_without_choices_it_is_asked_in_several_wordings(tmp_path: Path) -> None:
    task = load(tmp_path, PERU)
    (example,) = task.examples()
    variations = task.vary(example.question, 5, 0)
    assert (task.modes, task.answer_format, example.answer) == (("generate",), "text", "lima")
    assert len({variation.prompt for variation in variations}) == 5
    assert task.complete("lima", example.question, variations[0]) == " lima"
    assert task.parse(" LIMA!\nIt is", example.question, variations[1]) == "lima"
    assert task.parse(" \n", example.question, variations[1]) is None


def test_without_choices_it_takes_paraphrases_and_with_them_it_does_not(tmp_path: Path) -> None:
    paraphrases = write_jsonl(
        tmp_path / "p.jsonl", [{"question": PERU["question"], "paraphrases": ["Peru's capital?"]}]
    )
    task = load(tmp_path, PERU, paraphrases=paraphrases)
    (example,) = task.examples()
    assert "Peru's capital?" in task.vary(example.question, 2, 0)[1].prompt
    with pytest.raises(InputError, match="questions with choices are varied by their order"):
        load(tmp_path, METAL, paraphrases=paraphrases)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("Lima.", "lima"),
        ("  The  Hague ", "the hague"),
        ("$1,000.00", "1000"),
        ("'42'", "42"),
        ("\nyes\nno", "yes"),
        ("...", None),
    ],
)
def test_a_free_answer_has_one_spelling(text: str, canonical: str | None) -> None:
    assert _canonical(text) == canonical


@given(st.text())
def test_a_canonical_answer_stays_as_it_is(text: str) -> None:
    canonical = _canonical(text)
    assert canonical is None or _canonical(f" {canonical}") == canonical


def test_a_template_may_name_other_columns_and_only_those_named_go_along(tmp_path: Path) -> None:
    row = {**METAL, "topic": "matter", "explanation": "iron conducts"}
    task = load(tmp_path, row, templates={"letter": "[{topic}] {question}\n{options}\n:"})
    (example,) = task.examples()
    assert example.question.fields == {"topic": "matter"}
    assert task.vary(example.question, 1, 0)[0].prompt.startswith("[matter] Which")
    with pytest.raises(InputError, match="unknown field of template 'letter' 'answer'"):
        load(tmp_path, row, templates={"letter": "{question} {options} {answer}"})


def test_an_unlabelled_transfer_set_has_no_gold(tmp_path: Path) -> None:
    rows = [{**METAL, "question": f"Which? {n}", "split": split} for n, split in enumerate(["weak_train", "test"])]
    rows += [{**METAL, "question": "Which is it?", "answer": None, "split": "transfer"}]
    splits = load(tmp_path, *rows, weak_train=1, transfer=1, test=1, num_variations=2).splits()
    assert list(gold_of(splits.gold, "transfer").values()) == [None]


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
        ({"answer": "A"}, "row 2, column 'answer': 'A' is no choice"),
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


def test_a_free_answer_of_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"row 1, column 'answer': expected a text on its first line, not '...'"):
        load(tmp_path, {**PERU, "answer": "..."})


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="row 1, column 'answer': there is no such column, only question"):
        load_task("file", data=write_text(tmp_path / "a.csv", "question\nWhy?\n"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "task file needs data"),
        ("nowhere.csv", "no such file: nowhere.csv"),
        (".", "data='.' is a folder: task file reads one"),
    ],
)
def test_a_missing_file_is_named(data: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_task("file", data=data)


def test_letters_without_choices_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"answer_format='letter': the questions of .* have no choices"):
        load(tmp_path, PERU, answer_format="letter")


def test_the_fingerprint_follows_the_file(tmp_path: Path) -> None:
    first = load(tmp_path, METAL).fingerprint()
    assert load(tmp_path, METAL).fingerprint() == first
    assert load(tmp_path, {**METAL, "answer": "wool"}).fingerprint() != first
