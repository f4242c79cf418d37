"""What models of today reply: thinking before the answer, tables of scores, marks, scales, hyphens of every kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from w2s.config import TaskSpec
from w2s.tasks import load_task
from w2s.tasks.file import File
from w2s.tasks.gsm8k import GSM8K
from w2s.tasks.parsing import parse_letter, parse_option
from w2s.tasks.questions import Question
from w2s.tasks.replies import after_thinking, plain

CITIES = ["Paris", "Berlin", "Rome", "Madrid"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<think>Rome?</think>Paris", "Paris"),
        ("<think>Rome?</think> so <think>Berlin?</think>Paris", " so Paris"),
        ("Okay, Rome.\n</think>\nParis", "\nParis"),
        ("<THINKING>Rome", ""),
        ("<|channel|>analysis<|message|>Rome<|end|><|start|>assistant<|channel|>final<|message|>Paris", "Paris"),
        ("◁think▷Rome◁/think▷Paris", "Paris"),
        ("I think <b>Paris</b>", "I think <b>Paris</b>"),
    ],
)
def test_what_a_model_thinks_is_not_what_it_says(text: str, said: str) -> None:
    assert after_thinking(text) == said


@pytest.mark.parametrize(
    "thought", ["<think>\nBerlin is in Germany. The answer is A.\n</think>\n\n", "First A, then Berlin.\n</think>\n"]
)
def test_no_task_reads_an_answer_out_of_thinking(thought: str) -> None:
    assert parse_letter(f"{thought}C", CITIES) == 2
    assert parse_option(f"{thought}Rome", CITIES) == 2
    free, question = File(TaskSpec(name="file")), Question(id="q", text="Which?")
    assert free.parse(f"{thought}Rome.", question, free.vary(question, 1, 0)[0]) == "rome"
    sums = GSM8K(TaskSpec(name="gsm8k"))
    assert sums.parse(f"{thought}The answer is 18.", question, sums.vary(question, 1, 0)[0]) == "18"
    assert parse_letter("<think>C. Or is it", CITIES) is None
    assert free.parse("<think>Rome", question, free.vary(question, 1, 0)[0]) is None


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("Paris is in France. Rome is in Italy.\nAnswer: Rome", "Rome"),
        ("Berlin lies in Germany.\n\n**Final answer:** Rome", "Rome"),
        ("Berlin lies in Germany, so the answer must be Rome", "Rome"),
        ('{"reasoning": "Paris has some right to it", "label": "Rome"}', "Rome"),
        ("Paris. The answer is Rome.", None),
        ("The answer is Paris or Rome.", None),
        ("Answer: Paris. Answer: Rome.", None),
        ("The answer is not Paris. Answer: Rome.", "Rome"),
        ("The answer is Paris. Wait, Rome.", None),
    ],
)
def test_the_option_that_is_told_counts_and_not_the_first_that_is_named(text: str, option: str | None) -> None:
    for parse in (parse_option, parse_letter):
        found = parse(text, CITIES)
        assert (None if found is None else CITIES[found]) == option, parse


def test_the_letter_that_is_told_after_a_blank_line_counts_unless_another_question_begins() -> None:
    assert parse_letter("Paris is in France, and Rome in Italy.\n\nThe answer is C.", CITIES) == 2
    assert parse_letter("Paris is in France.\n\nQuestion: And Spain?\nThe answer is D.", CITIES) == 0


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("A: 0.1, B: 0.2, C: 0.6, D: 0.1", 2),
        ('{"A": 0.1, "B": 0.2, "C": 0.6, "D": 0.1}', 2),
        ("A (10%), B (20%), C (60%), D (10%)", 2),
        ("Paris: 10%\nBerlin: 10%\nRome: 70%\nMadrid: 10%", 2),
        ("A: 0.3, B: 0.3, C: 0.2, D: 0.2", None),
        ("Paris ❌\nBerlin ❌\nRome ✅\nMadrid ❌", 2),
        ("- [ ] A. Paris\n- [ ] B. Berlin\n- [x] C. Rome\n- [ ] D. Madrid", 2),
        ("Paris ✅ Rome ✅", None),
        ("Paris: 0.4, Berlin: 0.2, Rome: 0.3, Madrid: 0.1. The answer is Rome.", None),
        ("A: 5 km, B: 10 km, C: 3 km, D: 12 km", None),
        ("A: 5, B: 10, C: 3, D: 12. The answer is C.", 2),
        ("a) Paris b) Berlin c) Rome d) Madrid", None),
        ("a) Paris b) Berlin c) Rome d) Madrid. So C.", 2),
    ],
)
def test_of_a_table_of_all_options_the_marked_one_or_that_of_the_highest_score_is_read(
    text: str, position: int | None
) -> None:
    assert parse_letter(text, CITIES) == position


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("B\n\nQuestion: Which?\nA) dog\nB) cat\nC) cow\nD) pig\nAnswer: C", 1),
        ("B) Berlin\n\nExplanation:\nA) Paris is far away\nB) near\nC) far\nD) far", 1),
        ("B\n\nA: too far\nB: near\nC: far\nD: far", 1),
        ("The city is Berlin.\n\nQuestion: capital?\nAnswer: Paris", 1),
        ("Berlin is right. The second best answer is Paris.", 1),
        ("Berlin.\n\nTitle: Y\nAnswer: Paris", 1),
        ("Paris ✅, Rome ❌", 0),
        ("✅ Paris\n❌ Rome", 0),
        ("B\n<think>It is near.</think>", 1),
    ],
)
def test_what_a_model_writes_on_after_its_answer_changes_nothing(text: str, position: int) -> None:
    assert parse_letter(text, CITIES) == position


def test_a_label_of_another_text_is_not_told_of_this_one() -> None:
    text = "The article is about sports.\n\nTitle: Y\nCategory: World"
    assert parse_option(text, ["Sports", "World"]) == 0


def test_options_that_are_ranges_in_words_are_read() -> None:
    options = ["less than 1", "between 1 and 5", "between 6 and 10"]
    for parse in (parse_option, parse_letter):
        assert parse("The answer is between 1 and 5.", options) == 1


def test_numbers_behind_letters_are_options_where_options_are_numbers() -> None:
    assert parse_letter("A: 12, B: 15, C: 9. The answer is A.", ["12", "15", "9"]) == 0


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("4 out of 5", "4"),
        ("I'd give it 3 out of 5.", "3"),
        ("On a scale of 1 to 5, I'd give 4", "4"),
        ("1–5: 4", "4"),
        ("between 3 and 4", None),
        ("4/5", None),
    ],
)
def test_a_rating_is_read_and_not_its_scale(text: str, option: str | None) -> None:
    found = parse_option(text, list("12345"))
    assert (None if found is None else "12345"[found]) == option


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("I have no idea", None),
        ("There is no way to know.", None),
        ("There is no evidence. Yes.", "Yes"),
        ("No problem! Yes.", "Yes"),
        ("No, it is.", "No"),
        ("No\nThe text says so.", "No"),
        ("No because it rains", "No"),
        ("No is correct", "No"),
        ("The answer is no according to the text.", "No"),
        ("No birds can fly", "No"),
        ("no or yes", None),
        ("I'd say no", "No"),
    ],
)
def test_no_in_a_sentence_is_not_the_answer_no(text: str, option: str | None) -> None:
    found = parse_option(text, ["Yes", "No"])
    assert (None if found is None else ["Yes", "No"][found]) == option


def test_other_words_are_not_the_label_other() -> None:
    assert parse_option("In other words: billing", ["billing", "other"]) == 0
    assert parse_option("other", ["billing", "other"]) == 1


@pytest.mark.parametrize("hyphen", ["-", "\u2010", "\u2011", "\u2013", "\u2212", " "])
def test_a_word_with_any_hyphen_is_not_its_opposite(hyphen: str) -> None:
    assert parse_option(f"non{hyphen}toxic", ["toxic", "non-toxic"]) == 1
    assert parse_option(f"It is non{hyphen}toxic", ["toxic", "safe"]) is None


@pytest.mark.parametrize(
    "text", ["Nicht Berlin, sondern Rome", "No es Berlin, es Rome", "Ce n'est pas Berlin mais Rome", "Not Berlin: Rome"]
)
def test_a_denial_in_another_language_is_one(text: str) -> None:
    assert parse_option(text, CITIES) == 2


def test_plain_writing_keeps_ranges_and_words() -> None:
    assert plain("Coca\u2011Cola don\u2019t 3\u20135 Gebu\u0308hr") == "Coca-Cola don't 3\u20135 Gebühr"


@pytest.mark.parametrize("text", ["**Paris**", "*Paris*", "`Paris`", "«Paris»", "Paris。", "Par\u00adis", "_Paris_"])
def test_a_free_answer_is_read_without_its_dress(text: str) -> None:
    free, question = File(TaskSpec(name="file")), Question(id="q", text="Which?")
    assert free.parse(text, question, free.vary(question, 1, 0)[0]) == "paris"


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        ("She had 12 apples, so 12 - 4 = 8.\nThe answer is: 8", "8"),
        ("In one hour 12 dollars, so in two $24. \\boxed{24}", "24"),
        ("5 + 6 = 11\n#### 11", "11"),
        ("11 balls", "11"),
    ],
)
def test_the_truth_of_a_word_problem_is_the_number_that_its_solution_ends_with(
    solution: str, answer: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"question": "How many?", "answer": solution}))
    assert [example.answer for example in load_task("gsm8k", data=str(path)).examples()] == [answer]
