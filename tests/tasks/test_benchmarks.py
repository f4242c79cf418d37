"""HellaSwag, MMLU, ETHICS and GSM8K, from small files in their native form and from the real ones."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from w2s.errors import InputError
from w2s.tasks import Task, Variation, gold_of, load_task, questions_of

from .support import (
    ETHICS_HEADER,
    ETHICS_ROWS,
    GSM8K,
    HELLASWAG,
    MMLU_HEADER,
    MMLU_ROWS,
    benchmark_data,
    write_jsonl,
    write_text,
)


def asked(task: Task, index: int = 0, count: int = 1) -> list[Variation]:
    return task.vary(task.paraphrased(list(task.examples())[index]).question, count, 0)


# HellaSwag


def test_hellaswag_answers_with_the_text_of_the_ending(tmp_path: Path) -> None:
    task = load_task("hellaswag", data=write_jsonl(tmp_path / "h.jsonl", HELLASWAG))
    example = list(task.examples())[2]
    assert (example.question.id, example.answer, example.pool) == ("val-2", "throws a {ball}.", "any")
    (variation,) = task.vary(example.question, 1, 0)
    assert (
        "Baking" in variation.prompt
        and "A cook breaks 2 eggs. she\nA. A man walks.\nB. beats them." in variation.prompt
    )
    assert variation.completions == (" A", " B", " C", " D")
    assert task.parse("A man walks.", example.question, variation) == "A man walks."


def test_hellaswag_labels_are_read_as_text_too_and_ids_without_a_number(tmp_path: Path) -> None:
    rows = [{"ctx": row["ctx"], "endings": row["endings"], "label": str(row["label"])} for row in HELLASWAG]
    task = load_task("hellaswag", data=write_jsonl(tmp_path / "h.jsonl", rows))
    assert [example.answer for example in task.examples()] == [row["endings"][row["label"]] for row in HELLASWAG]
    assert len({example.question.id for example in task.examples()}) == len(HELLASWAG)


def test_hellaswag_keeps_its_validation_split_for_test(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "hellaswag_train.jsonl", [{**row, "split": "train"} for row in HELLASWAG[:6]])
    write_jsonl(tmp_path / "hellaswag_val.jsonl", HELLASWAG[6:])
    write_jsonl(tmp_path / "hellaswag_test.jsonl", [{**HELLASWAG[0], "label": ""}])
    task = load_task("hellaswag", data=str(tmp_path))
    assert Counter(example.pool for example in task.examples()) == {"train": 6, "test": 6}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 4}, r"h.jsonl, row 1, column 'label': '4' is no choice: expected a number from 0 to 3"),
        ({"label": ""}, r"row 1, column 'label': nothing in it"),
        ({"endings": "one"}, r"row 1, column 'endings': expected a list, not 'one'"),
        ({"ctx": None}, r"row 1, column 'ctx': nothing in it"),
    ],
)
def test_hellaswag_names_a_bad_row(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    task = load_task("hellaswag", data=write_jsonl(tmp_path / "h.jsonl", [{**HELLASWAG[0], **change}]))
    with pytest.raises(InputError, match=message):
        list(task.examples())


# MMLU


def test_mmlu_reads_all_its_forms_alike(tmp_path: Path) -> None:
    plain = MMLU_HEADER + "".join(MMLU_ROWS)
    bare = "".join(row.replace(",1\n", ",B\n") for row in MMLU_ROWS)
    rows = [
        {
            "question": f"What is {number} plus one?",
            "subject": "abstract_algebra",
            "choices": [str(number + offset) for offset in range(4)],
            "answer": 1,
        }
        for number in range(12)
    ]
    listed = "question,subject,choices,answer\n" + "".join(
        f'{row["question"]},{row["subject"]},"{json.dumps(row["choices"]).replace(chr(34), chr(34) * 2)}",1\n'
        for row in rows
    )
    files = [
        write_text(tmp_path / "1" / "abstract_algebra_test.csv", plain),
        write_text(tmp_path / "2" / "abstract_algebra_val.csv", bare),
        write_jsonl(tmp_path / "3.jsonl", rows),
        write_text(tmp_path / "4.csv", listed),
        str(tmp_path / "5.parquet"),
    ]
    pa.parquet.write_table(pa.Table.from_pylist(rows), files[-1])
    first, *others = [list(load_task("mmlu", data=path).examples()) for path in files]
    assert [example.answer for example in first] == [str(number + 1) for number in range(12)]
    assert {example.question.fields["subject"] for example in first} == {"abstract algebra"}
    for other in others:
        assert other == first


def test_mmlu_leaves_its_auxiliary_training_set_out(tmp_path: Path) -> None:
    write_text(tmp_path / "test" / "law_test.csv", MMLU_HEADER + MMLU_ROWS[0])
    write_text(tmp_path / "dev" / "law_dev.csv", MMLU_HEADER + MMLU_ROWS[1])
    write_text(tmp_path / "auxiliary_train" / "law.csv", MMLU_HEADER + MMLU_ROWS[2])
    examples = list(load_task("mmlu", data=str(tmp_path)).examples())
    assert [(example.answer, example.pool) for example in examples] == [("2", "any"), ("1", "any")]


def test_mmlu_answers_with_text_when_asked_to(tmp_path: Path) -> None:
    data = write_text(tmp_path / "law_test.csv", MMLU_HEADER + MMLU_ROWS[5])
    (variation,) = asked(load_task("mmlu", data=data, answer_format="text"))
    assert variation.prompt.startswith("An exam question on law.")
    assert "Options:\n- 5\n- 6\n- 7\n- 8\n" in variation.prompt
    assert variation.completions == (" 5", " 6", " 7", " 8")


# ETHICS


def ethics(tmp_path: Path) -> Task:
    return load_task("ethics", data=write_text(tmp_path / "cm_test.csv", ETHICS_HEADER + "".join(ETHICS_ROWS)))


def test_ethics_asks_of_short_and_long_stories_in_their_own_words(tmp_path: Path) -> None:
    task = ethics(tmp_path)
    (long,), (short,) = asked(task, 0), asked(task, 1)
    assert "right or wrong?" in long.prompt and long.completions == (" right", " wrong")
    assert "acceptable or unacceptable?" in short.prompt and short.completions == (" acceptable", " unacceptable")


def test_ethics_names_the_two_answers_in_either_order(tmp_path: Path) -> None:
    first, second = asked(ethics(tmp_path), 1, 2)
    assert (first.positions, second.positions) == ((0, 1), (1, 0))
    assert "unacceptable or acceptable?" in second.prompt and "unacceptable or" not in first.prompt
    assert first.completions == second.completions


def test_ethics_has_two_variations_and_a_temperature_of_one(tmp_path: Path) -> None:
    task = ethics(tmp_path)
    assert (task.num_variations, task.temperature, task.unparsed, task.answer_format) == (2, 1.0, "class", "text")
    with pytest.raises(InputError, match=r"num_variations is 3: .* in 2 orders at most"):
        asked(task, 0, 3)


@pytest.mark.parametrize(
    ("index", "text", "answer"),
    [
        (1, " acceptable", "acceptable"),
        (1, "Unacceptable.", "unacceptable"),
        (1, "This is not acceptable", "unacceptable"),
        (1, "not unacceptable", "acceptable"),
        (1, "acceptable or unacceptable", None),
        (1, "maybe", None),
        (0, "right", "acceptable"),
        (0, "They were wrong, not right.", "unacceptable"),
        (0, "not wrong", "acceptable"),
        (0, "They were not right", "unacceptable"),
        (0, "alright", None),
        (0, "The narrator did nothing wrong.", "acceptable"),
        (1, "nothing unacceptable", "acceptable"),
        (0, "They did nothing right.", None),
        (0, "They had no right to.", None),
        (0, "not right or wrong", None),
        (1, "neither acceptable nor unacceptable", None),
        (1, "not very acceptable", None),
    ],
)
def test_ethics_reads_a_judgement(tmp_path: Path, index: int, text: str, answer: str | None) -> None:
    task = ethics(tmp_path)
    question = list(task.examples())[index].question
    for variation in task.vary(question, 2, 0):
        assert task.parse(text, question, variation) == answer


def test_ethics_label_one_is_unacceptable(tmp_path: Path) -> None:
    answers = [example.answer for example in ethics(tmp_path).examples()]
    assert answers[:2] == ["acceptable", "unacceptable"]


def test_ethics_reads_booleans_as_it_reads_their_names(tmp_path: Path) -> None:
    rows = [{"label": 1, "input": "I did it.", "is_short": short} for short in (True, False, "True", "False")]
    task = load_task("ethics", data=write_jsonl(tmp_path / "e.jsonl", rows))
    assert [example.question.fields["length"] for example in task.examples()] == ["short", "long", "short", "long"]


# GSM8K


def gsm8k(tmp_path: Path, **fields: Any) -> Task:
    return load_task("gsm8k", data=write_jsonl(tmp_path / "g.jsonl", GSM8K), **fields)


def test_gsm8k_answers_with_a_number(tmp_path: Path) -> None:
    task = gsm8k(tmp_path)
    example = list(task.examples())[3]
    (variation,) = task.vary(example.question, 1, 0)
    assert example.answer == "5"
    assert task.complete("5", example.question, variation) == " 5"
    assert (task.modes, task.unparsed, variation.completions, variation.positions) == (
        ("generate",),
        "drop_question",
        (),
        (),
    )


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (" 42", "42"),
        ("\n$1,042.00\nbecause 7", "1042"),
        ("She pays 18 dollars.", "18"),
        ("Let us think.\nTwo and 3.\n#### 5", "5"),
        ("Let us think.\nSo the answer is 5.", "5"),
        ("Let us think.\nIt is 5.", None),
        ("$2{,}750", "2750"),
        ("–6", "-6"),
        ("5e3 grams", "5000"),
        ("1/4 of it", "0.25"),
        ("At 7:45, that is 105 minutes.\n#### 105", "105"),
        ("At 7:45.", None),
        ("", None),
        ("Ann has 3 pens, so the answer is 5.", "5"),
        ("Ann has 3 pens.\n\nShe gets 2. The answer is 5.", "5"),
        ("Ann has 3 pens.\n\n#### 5", "5"),
        ("3 + 2 = 5\nThe answer is 4.\n#### 5", "5"),
        ("3 pens: the answer is five.", None),
        ("Ann has 3 pens.\n#### unknown", None),
        ("42\nThe answer is found by adding 2.", "42"),
        ("18\n\nQuestion: Bob has 2 pens?\nAnswer: 5", "18"),
        ("18\n\nBob has 2 pens. How many?\nAnswer: 5", "18"),
        ("18 dollars\n\nBob has 2 pens. How many?\nAnswer: 5", None),
        ("18\n#### 19", "19"),
        ("18\n\n#### 19", None),
        ("The answer is 5. Wait, the answer is 6.", None),
        ("1. First, 5 + 3 = 8\n2. The answer is 8.", "8"),
    ],
)
def test_gsm8k_reads_what_is_said_to_be_the_answer_or_the_first_number(
    tmp_path: Path, text: str, answer: str | None
) -> None:
    task = gsm8k(tmp_path)
    question = next(iter(task.examples())).question
    assert task.parse(text, question, task.vary(question, 1, 0)[0]) == answer


def test_every_solution_of_the_data_gives_the_answer_that_it_ends_with() -> None:
    task = load_task("gsm8k", data=benchmark_data("gsm8k"))
    solutions = [record.text("answer") for record in task.records]
    answers = [str(example.answer) for example in task.examples()]
    question = next(iter(task.examples())).question
    (variation,) = task.vary(question, 1, 0)
    assert [task.parse(solution, question, variation) for solution in solutions] == answers


def test_gsm8k_varies_the_wording(tmp_path: Path) -> None:
    task = gsm8k(tmp_path)
    question = next(iter(task.examples())).question
    variations = task.vary(question, 6, 0)
    assert len({variation.prompt for variation in variations}) == 6
    assert variations[0].prompt == task.templates["wording_0"].format(question=question.text)
    assert all(question.text in variation.prompt for variation in variations)
    assert task.vary(question, 6, 1)[0] == variations[0]
    with pytest.raises(InputError, match="num_variations is 8: task gsm8k has 7 wordings; pass paraphrases for more"):
        task.vary(question, 8, 0)


def test_gsm8k_varies_by_paraphrases_where_there_are_some(tmp_path: Path) -> None:
    rows = [
        {"question": row["question"].replace(" ", "  "), "paraphrases": [f"p{i}?" for i in range(3)]} for row in GSM8K
    ]
    task = gsm8k(tmp_path, paraphrases=write_jsonl(tmp_path / "p.jsonl", rows), num_variations=4)
    variations = asked(task, 0, 4)
    texts = [GSM8K[0]["question"], "p0?", "p1?", "p2?"]
    assert [variation.prompt for variation in variations] == [
        task.templates["wording_0"].format(question=text) for text in texts
    ]
    with pytest.raises(InputError, match="num_variations is 5: there are 3 paraphrases of 'Ann has 0 pens"):
        asked(task, 0, 5)


def test_paraphrases_ride_in_the_questions_table(tmp_path: Path) -> None:
    rows = [
        {"question": row["question"], "paraphrases": [f"{row['question']} p{i}?" for i in range(2)]} for row in GSM8K
    ]
    file = Path(write_jsonl(tmp_path / "p.jsonl", rows))
    sizes: dict[str, Any] = {"weak_train": 3, "transfer": 3, "test": 3}
    table = gsm8k(tmp_path, paraphrases=str(file), num_variations=3, **sizes).splits().questions
    file.unlink()
    elsewhere = gsm8k(tmp_path)  # the step that asks has the table, and no file
    for split in sizes:
        for question in questions_of(table, split):
            assert question.paraphrases == tuple(f"{question.text} p{i}?" for i in range(2))
            prompts = [variation.prompt for variation in elsewhere.vary(question, 3, 0)]
            for prompt, text in zip(prompts, (question.text, *question.paraphrases), strict=True):
                assert prompt == elsewhere.templates["wording_0"].format(question=text)
    with pytest.raises(InputError, match="num_variations is 4: there are 2 paraphrases of 'Ann has"):
        elsewhere.vary(questions_of(table, "transfer")[0], 4, 0)


def test_gsm8k_misses_paraphrases_before_anything_is_trained(tmp_path: Path) -> None:
    rows = [{"question": "Another?", "paraphrases": ["One?", "One?", "Another?"]}]
    paraphrases = write_jsonl(tmp_path / "p.jsonl", rows)
    task = gsm8k(tmp_path, paraphrases=paraphrases, num_variations=2, weak_train=3, transfer=3, test=3)
    with pytest.raises(InputError, match=r"p.jsonl has no paraphrases of 'Ann has \d+ pens"):
        task.splits()


def test_a_repeated_paraphrase_is_one_way_of_asking(tmp_path: Path) -> None:
    question = GSM8K[0]["question"]
    rows = [{"question": question, "paraphrases": ["One?", "One? ", question, ""]}]
    task = gsm8k(tmp_path, paraphrases=write_jsonl(tmp_path / "p.jsonl", rows))
    with pytest.raises(InputError, match="there are 1 paraphrases of"):
        asked(task, 0, 3)


def test_a_bad_paraphrases_row_is_named(tmp_path: Path) -> None:
    task = gsm8k(tmp_path, paraphrases=write_jsonl(tmp_path / "p.jsonl", [{"question": "a", "paraphrase": ["b"]}]))
    with pytest.raises(InputError, match=r"p.jsonl, row 1: expected the text 'question' and the list 'paraphrases'"):
        asked(task, 0, 2)


def test_gsm8k_keeps_its_test_split_for_test(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "train.jsonl", GSM8K[:8])
    write_jsonl(tmp_path / "test.jsonl", GSM8K[8:])
    splits = load_task("gsm8k", data=str(tmp_path), weak_train="all", transfer="all", test="all").splits()
    assert Counter(splits.questions["split"].to_pylist()) == {"weak_train": 4, "transfer": 4, "test": 4}
    assert set(gold_of(splits.gold, "test").values()) == {"10", "11", "12", "13"}


# The real data


@pytest.mark.parametrize(
    ("name", "answer_format", "examples", "dropped"),
    [
        ("hellaswag", "letter", 700, 0),
        ("hellaswag", "text", 700, 0),
        ("mmlu", "letter", 14327, 122),
        ("mmlu", "text", 14327, 122),
        ("ethics", "text", 3885, 0),
        ("gsm8k", "text", 8792, 0),
    ],
)
def test_real_data_is_split_asked_and_read_back(name: str, answer_format: Any, examples: int, dropped: int) -> None:
    sizes: dict[str, Any] = {"weak_train": 100, "transfer": 200, "test": 200}
    task = load_task(name, data=benchmark_data(name), answer_format=answer_format, **sizes)
    assert len(list(task.examples())) == examples
    splits = task.splits()
    assert sum(splits.dropped.values()) == dropped
    assert Counter(splits.questions["split"].to_pylist()) == sizes
    gold = gold_of(splits.gold, "test")
    for question in questions_of(splits.questions, "test"):
        answer = gold[question.id]
        assert answer is not None and (not question.choices or answer in question.choices)
        for variation in task.vary(question, task.num_variations, 0):
            assert task.parse(task.complete(answer, question, variation), question, variation) == answer
