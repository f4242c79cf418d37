from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.config import TaskSpec
from w2s.errors import InputError
from w2s.tasks import TASKS, Question, Task, load_task, task_from, task_names, task_of

from .support import GSM8K, HELLASWAG, write_jsonl


def hellaswag(tmp_path: Path, **fields: object) -> Task:
    return load_task("hellaswag", data=write_jsonl(tmp_path / "h.jsonl", HELLASWAG), **fields)


def test_every_data_set_is_found_by_its_file() -> None:
    assert task_names() == [
        "classification",
        "ethics",
        "file",
        "geography",
        "german-plural",
        "gsm8k",
        "hellaswag",
        "identifier-language",
        "mmlu",
        "word-language",
    ]


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_task_says_what_it_is(task: type[Task]) -> None:
    assert task.summary and task.source and task.licence and task.templates
    assert task.__doc__ is not None and "record" in task.__doc__
    assert task.answer_format in task.answer_formats


def test_an_unknown_task_is_named_with_the_nearest_one() -> None:
    with pytest.raises(InputError, match=r"unknown task 'helaswag'.*did you mean 'hellaswag'"):
        load_task("helaswag")


def test_importing_the_tasks_is_light() -> None:
    code = (
        "import sys, w2s.tasks; print([m for m in ('torch', 'transformers', 'datasets', 'pandas') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_spec_replaces_defaults_of_the_task() -> None:
    task = task_from(TaskSpec(name="geography", num_variations=3, answer_format="letter"))
    assert (task.num_variations, task.answer_format) == (3, "letter")
    default = task_from(TaskSpec(name="geography"))
    assert (default.num_variations, default.answer_format, default.temperature) == (5, "text", 0.2)


def test_a_template_of_the_spec_replaces_the_one_of_that_name_only() -> None:
    template = "{question} // {options} //"
    task = load_task("geography", templates={"text": template})
    question = next(iter(task.examples())).question
    prompt = task.vary(question, 1, 0)[0].prompt
    assert prompt.startswith(f"{question.text} // - {question.choices[0]}\n")
    assert task.templates["letter"] == TASKS["geography"].templates["letter"]
    assert TASKS["geography"].templates["text"] != template


def test_braces_in_a_question_are_left_alone() -> None:
    question = Question(id="1", text="What is {x} or {question}?", choices=("{y}", "{0}"))
    variation = load_task("geography").vary(question, 2, 0)[1]
    assert "What is {x} or {question}?" in variation.prompt
    assert variation.completions == (" {y}", " {0}")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"templates": {"txt": "x"}}, "unknown template of task geography 'txt': .*did you mean 'text'"),
        ({"templates": {"text": "{question} {option}"}}, "unknown field of template 'text' 'option': expected one of "
         "options, question; did you mean 'options'"),
        ({"templates": {"text": "{question} {}"}}, "template 'text': {}: expected a plain name in the braces"),
        ({"templates": {"text": "{question} {options.x}"}}, "template 'text': {options.x}: expected a plain name"),
        ({"templates": {"text": "{question} {options} "}}, "template 'text' ends in ' ': expected no space there"),
        ({"templates": {"text": "{question}\n{options}\n"}}, r"template 'text' ends in '\\n': expected no space"),
        ({"templates": {"text": "{options}"}}, "template 'text' leaves out {question}: every prompt needs it"),
        ({"templates": {"text": "{question}"}}, "template 'text' leaves out {options}: every prompt needs it"),
        ({"templates": {"text": "{question} }"}}, "template 'text': Single '}'"),
        ({"num_variations": 0}, "num_variations is 0: expected 1 or more"),
        ({"answer_format": "number"}, "answer_format is 'number': expected one of letter, text"),
        ({"missing_paraphrases": "fil"}, "missing_paraphrases is 'fil': .*did you mean 'fill'"),
    ],
)  # fmt: skip
def test_what_a_task_cannot_do_is_said_at_once(fields: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_task("geography", **fields)


def test_a_task_of_a_plugin_keeps_its_own_templates_however_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step makes a task again of all its templates: what was planned must not be refused there."""
    task = load_task("geography")
    templates = {**task.templates, "text": "{question}\n{options}\n"}
    monkeypatch.setattr(type(task), "templates", templates)
    assert task_of(load_task("geography").asking()).templates == templates


def test_ethics_and_gsm8k_have_no_letters() -> None:
    for name in ("ethics", "gsm8k"):
        with pytest.raises(InputError, match=f"unknown answer_format of task {name} 'letter': expected one of text"):
            load_task(name, answer_format="letter")


def test_a_task_with_more_variations_than_orders_fails_before_anything_is_trained(tmp_path: Path) -> None:
    task = hellaswag(tmp_path, num_variations=25, weak_train=2, transfer=2, test=2)
    with pytest.raises(InputError, match=r"num_variations is 25: question .* has 4 options, in 24 orders at most"):
        task.splits()


def test_a_task_that_uses_no_paraphrases_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TASKS["geography"], "takes_paraphrases", False)
    with pytest.raises(InputError, match=r"paraphrases='p\.jsonl': task geography varies its questions without any"):
        load_task("geography", paraphrases="p.jsonl")


def test_a_missing_paraphrases_file_is_named(tmp_path: Path) -> None:
    task = load_task("gsm8k", data=write_jsonl(tmp_path / "g.jsonl", GSM8K), paraphrases="nowhere.jsonl")
    with pytest.raises(InputError, match=r"no such file: nowhere.jsonl"):
        task.splits()


@pytest.mark.parametrize(
    "field",
    ["meta.subject", "question.__class__", "question[0]", "question:>999999999", "question!r", "question:{x}", "", "0"],
)
def test_a_template_field_is_a_name_and_nothing_else(field: str) -> None:
    with pytest.raises(InputError, match=r"template 'text': .*: expected a plain name in the braces") as caught:
        load_task("geography", templates={"text": "{question} {options} {" + field + "}"})
    assert "\n" not in str(caught.value)


CHOICES = st.lists(st.text(min_size=1).map(str.strip).filter(bool), min_size=2, max_size=5, unique=True)


@pytest.mark.parametrize("answer_format", ["letter", "text"])
@given(choices=CHOICES, seed=st.integers(0, 9))
def test_what_is_written_for_a_choice_is_read_as_that_choice(answer_format: str, choices: list[str], seed: int) -> None:
    task = load_task("geography", answer_format=answer_format)
    question = Question(id="q", text="Which?", choices=tuple(choices))
    for variation in task.vary(question, 2, seed):
        for choice, completion in zip(choices, variation.completions, strict=True):
            assert task.complete(choice, question, variation) == completion
            assert completion.startswith(" ")
            assert task.parse(completion, question, variation) == choice


@pytest.mark.parametrize("answer_format", ["letter", "text"])
@given(seed=st.integers(0, 99))
def test_places_say_where_the_prompt_names_each_choice(answer_format: str, seed: int) -> None:
    task = load_task("geography", answer_format=answer_format)
    question = Question(id="q", text="Which?", choices=("iron", "wool", "milk", "sand"))
    variations = task.vary(question, 24, seed)
    assert variations[0].positions == (0, 1, 2, 3)
    assert len({variation.positions for variation in variations}) == 24
    assert [variation.variation for variation in variations] == list(range(24))
    for variation in variations:
        by_prompt = sorted(question.choices, key=variation.prompt.index)
        assert [by_prompt[position] for position in variation.positions] == list(question.choices)


def test_a_question_is_varied_the_same_whatever_was_asked_before() -> None:
    one, other = load_task("geography"), load_task("geography")
    questions = [example.question for example, _ in zip(one.examples(), range(20), strict=False)]
    forwards = {question.id: one.vary(question, 5, 7) for question in questions}
    backwards = {question.id: other.vary(question, 5, 7) for question in reversed(questions)}
    assert forwards == backwards
    assert forwards != {question.id: one.vary(question, 5, 8) for question in questions}


def test_more_options_than_letters_is_an_error() -> None:
    question = Question(id="q", text="Which?", choices=tuple(map(str, range(27))))
    with pytest.raises(InputError, match="question 'q' has 27 options: expected 26 at most"):
        load_task("geography", answer_format="letter").vary(question, 1, 0)
