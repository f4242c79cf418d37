"""A user's own file of questions: the forms it may have, and how they are asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.errors import InputError
from w2s.tasks import gold_of, load_task
from w2s.tasks.file import _canonical

from .own_questions import METAL, PERU, answers, examples, load
from .support import write_jsonl, write_text


def test_jsonl_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    rows = [
        {**METAL, "id": "q1", "split": "test"},
        {**METAL, "id": "q2", "split": "", "question": "Which is none?", "answer": "wool"},
    ]
    jsonl = examples(tmp_path, *rows)
    head = "id,question,choices,answer,split\n"
    bars = write_text(
        tmp_path / "1.csv", head + "q1,Which is a metal?,iron|wool,iron,test\nq2,Which is none?,iron | wool,wool,\n"
    )
    json_lists = write_text(
        tmp_path / "2.csv",
        head + 'q1,Which is a metal?,"[""iron"", ""wool""]",0,test\nq2,Which is none?,"[""iron"", ""wool""]",1,\n',
    )
    pa.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "3.parquet")
    assert [(one.question.id, one.answer, one.pool) for one in jsonl] == [("q1", "iron", "test"), ("q2", "wool", "any")]
    for path in (bars, json_lists, str(tmp_path / "3.parquet")):
        assert list(load_task("file", data=path).examples()) == jsonl


def asked(number: int, choices: Any, answer: Any) -> dict[str, Any]:
    return {"question": f"Which is {number}?", "choices": choices, "answer": answer}


def test_whether_answers_are_texts_or_indices_is_decided_once_for_all_rows_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    indices = [asked(1, ["7", "8", "1"], 0), asked(2, ["1", "2", "3", "4"], 1), asked(3, ["0", "2", "1", "3"], 2)]
    assert answers(tmp_path, *indices) == ["7", "2", "1"]
    assert "every answer is read as the index from 0 of a choice" in caplog.text
    caplog.clear()
    texts = [asked(1, ["7", "8", "9"], "8"), asked(2, ["1", "2", "3"], "2"), asked(3, ["5", "6", "7"], "7")]
    assert answers(tmp_path, *texts) == ["8", "2", "7"]
    assert "every answer is read as the text of a choice" in caplog.text
    assert answers(tmp_path, asked(1, [0, 1, 2], 1)) == ["1"]  # both say the same


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([asked(1, ["2", "3", "1"], "1")], "row 1, column 'answer': '1' may mean two choices: as text '1' and as i"),
        ([asked(1, [1.0, 2.0, 4.0], 2)], "row 1, column 'answer': '2' may mean two choices: as text '2' and .* '4'"),
        ([asked(1, ["a", "b"], "a"), asked(2, ["c", "d"], 1)], "row 2, column 'answer': '1' is the index from 0 of a "
         "choice, and earlier answers are each the text: expected the same in the whole file"),
        # One row that is no text, perhaps by mistake, does not make indices of all the others.
        ([*(asked(n, ["1", "2", "3"], "1") for n in range(5)), asked(9, ["1", "2", "3"], "0")], "row 1, .*may mean tw"),
    ],
)  # fmt: skip
def test_answers_that_may_be_texts_or_indices_are_refused(
    tmp_path: Path, rows: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path, *rows)


@pytest.mark.parametrize(
    "row",
    [
        {"question": "Q?", "choices": {"text": ["wool", "iron"], "label": ["A", "B"]}, "answerKey": "B"},
        {"question_stem": "Q?", "choices": {"text": ["wool", "iron"], "label": ["1", "2"]}, "answerKey": "2"},
        {"question": "Q?", "choices": [{"text": "wool", "label": "A"}, {"text": "iron", "label": "B"}],
         "answerKey": "B"},
        {"question": "Q?", "choices": [{"label": "A", "text": "wool"}, {"label": "B", "text": "iron"}], "answer": 1},
        {"question": "Q?", "choices": [{"label": "A", "text": "wool"}, {"label": "B", "text": "iron"}], "answer": "B"},
        {"question": {"stem": "Q?", "choices": [{"label": "A", "text": "wool"}, {"label": "B", "text": "iron"}]},
         "answerKey": "B"},
        {"question": {"stem": "Q?"}, "choices": ["wool", "iron"], "answer": "iron"},
        {"question": "Q?", "choices": ["wool", "iron"], "answerKey": "B"},
        {"question": "Q?", "choices": ["wool", "iron"], "answer": "B"},
        {"question": "Q?", "choices": ["wool", "iron"], "answer": ["iron"]},
        {"messages": [{"role": "user", "content": "Q?"}], "choices": ["wool", "iron"], "answer": "iron"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_the_forms_of_known_choice_questions_are_read(tmp_path: Path, row: dict[str, Any], form: str) -> None:
    if form == "parquet":
        pa.parquet.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
        (example,) = load_task("file", data=str(tmp_path / "a.parquet")).examples()
    else:
        (example,) = examples(tmp_path, row)
    assert (example.question.text, example.question.choices, example.answer) == ("Q?", ("wool", "iron"), "iron")


@pytest.mark.parametrize(
    ("row", "aliases"),
    [
        ({"question": "Q?", "answer": {"value": "Paris", "aliases": ["Paris", "City of Light"]}}, True),
        ({"question": "Q?", "answer": {"value": "Paris", "aliases": []}}, False),
        ({"question": "Q?", "answer": ["Paris", "City of Paris"]}, True),
        ({"question": "Q?", "answers": {"text": ["Paris", "Paris"], "answer_start": [3, 3]}}, False),
        ({"question": "Q?", "answers": ["Paris"]}, False),
        ({"messages": [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "Paris"}]}, False),
    ],
)
def test_the_forms_of_known_free_questions_are_read_and_aliases_said(
    tmp_path: Path, row: dict[str, Any], aliases: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    (example,) = examples(tmp_path, row)
    assert (example.question.text, example.question.choices, example.answer) == ("Q?", (), "paris")
    assert (example.aliases != ()) is aliases
    assert ("any counts, the first is taught" in caplog.text) is aliases


def test_forms_in_a_csv_file_are_json(tmp_path: Path) -> None:
    choices = '"{""text"": [""wool"", ""iron""], ""label"": [""A"", ""B""]}"'
    path = write_text(tmp_path / "a.csv", f"question,choices,answerKey\nQ?,{choices},B\n")
    (example,) = load_task("file", data=path).examples()
    assert example.answer == "iron"
    path = write_text(
        tmp_path / "b.csv", 'question,answer\nQ?,"{""value"": ""Paris"", ""aliases"": []}"\nR?,"[1, 2]"\n'
    )
    assert [example.answer for example in load_task("file", data=path).examples()] == ["paris", "[1, 2]"]


def test_bars_and_brackets_in_a_csv_cell_are_no_list(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.csv", "question,choices,answer\nWhich?,[a] first|[b] second,[a] first\n")
    (example,) = load_task("file", data=path).examples()
    assert example.question.choices == ("[a] first", "[b] second")


def test_without_data_it_varies_parses_and_completes_what_comes_from_elsewhere(tmp_path: Path) -> None:
    templates = {"letter": "[{topic}] {question}\n{options}\n:", "wording_0": "({topic}) {question}"}
    bare = load_task("file", templates=templates)
    for row in ({**METAL, "topic": "matter"}, {**PERU, "topic": "places"}):
        task = load(tmp_path, row, templates=templates)
        question = next(iter(task.examples())).question
        variations = task.vary(question, 2, 0)
        assert bare.vary(question, 2, 0) == variations
        answer = task.parse("B" if question.choices else "Lima", question, variations[1])
        assert answer is not None and bare.parse("B" if question.choices else "Lima", question, variations[1]) == answer
        assert bare.complete(answer, question, variations[1]) == task.complete(answer, question, variations[1])
    with pytest.raises(InputError, match="task file needs data"):
        bare.examples()


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


def test_with_and_without_choices_it_takes_paraphrases(tmp_path: Path) -> None:
    for row in (PERU, METAL):
        rows = [{"question": row["question"], "paraphrases": ["In other words?"]}]
        task = load(tmp_path, row, paraphrases=write_jsonl(tmp_path / "p.jsonl", rows))
        example = task.paraphrased(next(iter(task.examples())))
        plain, reworded = task.vary(example.question, 2, 0)
        assert "In other words?" in reworded.prompt and "In other words?" not in plain.prompt


@pytest.mark.parametrize(
    ("text", "canonical", "number"),
    [
        ("Lima.", "lima", "lima"),
        ("  The  Hague ", "the hague", "the hague"),
        ("$1,000.00", "$1,000.00", "1000"),
        ("'42'", "42", "42"),
        ("3.10", "3.10", "3.1"),
        ("02134.", "02134", "2134"),
        ("€5", "€5", "5"),
        (".5", ".5", "0.5"),
        ('".5"', ".5", "0.5"),
        ("...5", "5", "5"),
        ("5!", "5", "5!"),
        ("Five!", "five", "five"),
        ("50%", "50%", "50%"),
        ("\nyes\nno", "yes", "yes"),
        ("Cafe\u0301", "caf\u00e9", "caf\u00e9"),
        ("...", None, None),
    ],
)
def test_a_free_answer_is_a_text_unless_the_task_says_that_answers_are_numbers(
    text: str, canonical: str | None, number: str | None
) -> None:
    assert (_canonical(text, "texts"), _canonical(text, "numbers")) == (canonical, number)


@pytest.mark.parametrize("kind", ["texts", "numbers"])
@given(text=st.text() | st.text(alphabet=" .,'0123456789$-é\u0301"))
def test_a_canonical_answer_stays_as_it_is(kind: str, text: str) -> None:
    canonical = _canonical(text, kind)
    assert canonical is None or _canonical(f" {canonical}", kind) == canonical


def test_answers_are_numbers_where_the_settings_say_so(tmp_path: Path) -> None:
    rows = [{"question": "Half?", "answer": ".5"}, {"question": "Which?", "answer": 3.10}]
    assert answers(tmp_path, *rows) == [".5", "3.1"]
    assert answers(tmp_path, *rows, answers="numbers") == ["0.5", "3.1"]
    task = load(tmp_path, *rows, answers="numbers")
    question = next(iter(task.examples())).question
    assert task.parse(" 0.50", question, task.vary(question, 1, 0)[0]) == "0.5"
    with pytest.raises(InputError, match="answers='numbers': answers to questions with choices are choices"):
        load(tmp_path, METAL, answers="numbers")
    with pytest.raises(InputError, match="answers='numbers': task geography knows by itself"):
        load_task("geography", answers="numbers")


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


@pytest.mark.parametrize(
    ("named", "sizes"),
    [
        (["test"] * 5, (0, 0, 5)),
        (["weak_train"] * 2 + ["transfer"] * 3 + ["test"], (2, 3, 1)),
        (["train"] * 6 + ["test"] * 2, (3, 3, 2)),
    ],
)
def test_a_file_that_names_the_split_of_every_question_has_all_of_them(
    tmp_path: Path, named: list[str], sizes: tuple[int, int, int]
) -> None:
    rows = [{"question": f"Which is {n}?", "answer": str(n), "split": split} for n, split in enumerate(named)]
    found = load(tmp_path, *rows, num_variations=1).splits().questions["split"].to_pylist()
    assert tuple(map(found.count, ("weak_train", "transfer", "test"))) == sizes


def test_a_file_that_names_no_split_or_not_every_one_has_the_sizes_of_any_task(tmp_path: Path) -> None:
    rows = [{"question": f"Which is {n}?", "answer": str(n), "split": "test" if n else ""} for n in range(5)]
    with pytest.raises(InputError, match="test asks for 400 questions"):
        load(tmp_path, *rows).splits()
