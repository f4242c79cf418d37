"""The samples of lm-evaluation-harness: choices with their log-probabilities, texts, filters, models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.exports import chosen_sample, export_of, write_lines
from w2s.errors import InputError
from w2s.reading.exports import Known

DOC = {"question": "Capital of Norway?", "choices": ["Oslo", "Lima", "Rome", "Kyiv"], "answer": 0}
TIME = "2026-01-02T03-04-05.678901"


def generated(number: int, text: str, read: str, kind: str = "none", **fields: Any) -> dict[str, Any]:
    return {
        **{"doc_id": number, "doc": {"question": f"How much is {number}?"}, "target": "1", "filter": kind},
        **{"arguments": {"gen_args_0": {"arg_0": "…", "arg_1": {"until": ["\n"]}}}},
        **{"resps": [[text]], "filtered_resps": [read]},
        **fields,
    }


def test_the_likeliest_option_is_the_answer_in_the_words_of_the_document(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "m.jsonl", [chosen_sample(3, DOC, "ABCD", [-2.5, -0.5, -3.0, -4.0])])
    row = export_of(path).table.to_pylist()[0]
    assert (row["question_id"], row["supervisor"], row["answer"]) == ("3", "m", "Lima")
    assert row["choices"] == DOC["choices"] and row["choice_logprobs"] == [-2.5, -0.5, -3.0, -4.0]


def test_the_older_form_with_lists_and_numbers_is_the_same(tmp_path: Path) -> None:
    new = chosen_sample(3, DOC, DOC["choices"], [-2.5, -0.5, -3.0, -4.0])
    old = {
        **new,
        "arguments": [["…", f" {text}"] for text in DOC["choices"]],
        "resps": [[[score, False]] for score in (-2.5, -0.5, -3.0, -4.0)],
        "filtered_resps": [[score, False] for score in (-2.5, -0.5, -3.0, -4.0)],
    }
    tables = [export_of(write_lines(tmp_path / "m.jsonl", [row])).table for row in (new, old)]
    assert tables[0].equals(tables[1]) and tables[0]["answer"].to_pylist() == ["Lima"]


def test_requests_without_the_question_are_no_options(tmp_path: Path) -> None:
    row = chosen_sample(0, DOC, [*DOC["choices"], *DOC["choices"]], [-2.0, -1.0, -3.0, -4.0, -9.0, -9.0, -0.1, -9.0])
    for at in range(4, 8):
        row["arguments"][f"gen_args_{at}"]["arg_0"] = ""
    found = export_of(write_lines(tmp_path / "m.jsonl", [row])).table.to_pylist()[0]
    assert found["answer"] == "Lima" and found["choice_logprobs"] == [-2.0, -1.0, -3.0, -4.0]


def test_the_model_is_the_folder_that_the_harness_made(tmp_path: Path) -> None:
    row = chosen_sample(0, DOC, "ABCD", [-2.0, -1.0, -3.0, -4.0])
    paths = [
        write_lines(tmp_path / model / f"samples_mmlu_{TIME}.jsonl", [row]) for model in ("org__big", "org__small")
    ]
    long = export_of(*paths)
    assert long.table["supervisor"].to_pylist() == ["org__big", "org__small"]
    assert long.notes[0] == "read as samples of lm-evaluation-harness: 1 document, 2 supervisors"


def test_a_column_may_name_the_model(tmp_path: Path) -> None:
    row = chosen_sample(0, DOC, "ABCD", [-2.0, -1.0, -3.0, -4.0], model="mine")
    path = write_lines(tmp_path / "m.jsonl", [row])
    assert export_of(path, columns={"supervisor": "model"}).table["supervisor"].to_pylist() == ["mine"]
    with pytest.raises(InputError, match="did you mean 'model'"):
        export_of(path, columns={"supervisor": "modle"})


def test_documents_of_several_tasks_do_not_become_one(tmp_path: Path) -> None:
    row = chosen_sample(0, DOC, "ABCD", [-2.0, -1.0, -3.0, -4.0])
    paths = [write_lines(tmp_path / "big" / f"samples_{task}_{TIME}.jsonl", [row]) for task in ("mmlu_law", "mmlu_art")]
    assert export_of(*paths).table["question_id"].to_pylist() == ["mmlu_law 0", "mmlu_art 0"]


def test_what_a_filter_read_is_the_answer_and_what_it_could_not_read_is_none(tmp_path: Path) -> None:
    rows = [generated(0, "So it is 18.", "18"), generated(1, "I cannot say.", "[invalid]")]
    long = export_of(write_lines(tmp_path / "m.jsonl", rows))
    assert long.table["answer"].to_pylist() == ["18", None] and long.written
    assert "1 that the filter could not read" in long.notes[0]


def test_several_filters_are_refused_until_one_or_the_text_itself_is_named(tmp_path: Path) -> None:
    kinds = {"strict-match": "[invalid]", "flexible-extract": "18"}
    rows = [generated(0, "So it is 18.", read, kind) for kind, read in kinds.items()]
    path = write_lines(tmp_path / "m.jsonl", rows)
    with pytest.raises(InputError, match=r"filtered in 2 ways: .* strict-match, flexible-extract, resps"):
        export_of(path)
    for name, answer in (("flexible-extract", "18"), ("strict-match", None), ("resps", "So it is 18.")):
        assert export_of(path, columns={"answer": name}).table["answer"].to_pylist() == [answer]
    with pytest.raises(InputError, match=r"columns.answer is 'strict': expected strict-match"):
        export_of(path, columns={"answer": "strict"})


def test_an_older_file_that_does_not_name_its_filters_is_refused_where_they_could_differ(tmp_path: Path) -> None:
    rows = [generated(0, "So 18.", read) for read in ("18", "[invalid]")]
    path = write_lines(tmp_path / "m.jsonl", [{k: v for k, v in row.items() if k != "filter"} for row in rows])
    with pytest.raises(InputError, match="row 2: expected doc_id 0 once"):
        export_of(path)
    assert export_of(path, columns={"answer": "resps"}).table["answer"].to_pylist() == ["So 18."]


def test_repeats_are_numbered(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "m.jsonl", [generated(0, "", "", resps=[["1", "2", "1"]])])
    table = export_of(path, columns={"answer": "resps"}).table
    assert table["answer"].to_pylist() == ["1", "2", "1"] and table["variation"].to_pylist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"filtered_resps": [["-1.0", "False"]], "resps": [[["-1.0", "False"]]]}, "one log-likelihood is no answer"),
        ({"arguments": [["…", " A"]]}, "expected arguments for 4 log-likelihoods, it has 1"),
        ({"arguments": [[f"… {one}", " same"] for one in "abcd"]}, "options that differ in the answer"),
        ({"filtered_resps": [["nan", "False"]] * 4}, "log-likelihoods, one is NaN"),
        ({"doc_id": None}, "expected a sample with a doc_id"),
    ],
)
def test_a_sample_that_holds_no_choice_is_named(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    row = {**chosen_sample(0, DOC, "ABCD", [-2.0, -1.0, -3.0, -4.0]), **change}
    with pytest.raises(InputError, match=f"row 1: expected .*{said}|row 1: {said}"):
        export_of(write_lines(tmp_path / "m.jsonl", [row]))


def test_questions_with_one_text_are_told_apart_by_their_options(tmp_path: Path) -> None:
    known = [Known("a", "Which is true?", ("x", "y")), Known("b", "Which is true?", ("u", "v"))]
    doc = {"question": "Which  is true?", "choices": ["v", "u"]}
    long = export_of(write_lines(tmp_path / "m.jsonl", [chosen_sample(0, doc, "AB", [-1.0, -2.0])]), known=known)
    assert [(row["question_id"], row["answer"]) for row in long.table.to_pylist()] == [("b", "v")]


def test_options_in_other_words_do_not_hide_a_question(tmp_path: Path) -> None:
    known = [Known("a", "Is it so?", ("wrong", "right"))]
    path = write_lines(tmp_path / "m.jsonl", [chosen_sample(0, {"q": "Is it so?"}, ["no", "yes"], [-2.0, -1.0])])
    long = export_of(path, known=known)
    assert [(row["question_id"], row["answer"]) for row in long.table.to_pylist()] == [("a", "yes")]


def runs_of(tmp_path: Path, *runs: list[dict[str, Any]]) -> list[Path]:
    """Sample files of one model and task, the oldest first."""
    return [
        write_lines(tmp_path / "big" / f"samples_t_2026-01-0{day}T03-04-05.6.jsonl", rows)
        for day, rows in enumerate(runs, start=1)
    ]


def test_a_rerun_with_the_same_choices_is_no_second_answer(tmp_path: Path) -> None:
    def run(shift: float) -> list[dict[str, Any]]:
        return [chosen_sample(number, DOC, "ABCD", [-2.5, -0.5 + shift, -3.0, -4.0]) for number in range(3)]

    older, newer = runs_of(tmp_path, run(0), run(0.001))
    for order in ((older, newer), (newer, older)):
        long = export_of(*order)
        assert long.table["variation"].to_pylist() == [0, 0, 0], "one answer each"
        assert [row[1] for row in long.table["choice_logprobs"].to_pylist()] == pytest.approx([-0.499] * 3)
        assert long.notes[1] == (
            f"{older} and {newer} are runs of the same model and task with the same responses to 3 documents: "
            f"those of the newer one, {newer.name}, count"
        )


def test_runs_whose_responses_or_requests_differ_are_repeated_answers_and_it_is_said(tmp_path: Path) -> None:
    def run(*texts: str, asked: str = "…") -> list[dict[str, Any]]:
        arguments = {"gen_args_0": {"arg_0": asked, "arg_1": {"until": ["\n"]}}}
        return [generated(number, text, "18", arguments=arguments) for number, text in enumerate(texts)]

    first, second = runs_of(tmp_path, run("So 18.", "It is 18."), run("So 18.", "18, I think."))
    long = export_of(first, second)
    assert long.table.num_rows == 4 and max(long.table["variation"].to_pylist()) == 1
    said = "are runs of the same model and task that differ on 1 of 2 documents: they count as repeated answers"
    assert long.notes[1] == f"{first} and {second} {said}"
    long = export_of(*runs_of(tmp_path, run("So 18."), run("So 18.", asked="After examples: …")))
    assert long.table.num_rows == 2 and "differ on 1 of 1 documents" in long.notes[1]


def test_of_several_runs_only_those_that_repeat_another_are_left_out(tmp_path: Path) -> None:
    texts = ["18.", "It is 18.", "18."]
    long = export_of(*runs_of(tmp_path, *([generated(0, text, "18")] for text in texts)))
    assert long.table.num_rows == 2 and len(long.notes) == 4, long.notes


def test_runs_on_other_documents_are_one_run(tmp_path: Path) -> None:
    long = export_of(*runs_of(tmp_path, [generated(0, "18.", "18")], [generated(1, "18.", "18")]))
    assert long.table["question_id"].to_pylist() == ["0", "1"] and "runs of" not in str(long.notes)
    rows = [generated(number, "18.", "18") for number in range(3)]
    long = export_of(*runs_of(tmp_path, rows[:2], rows[1:]))
    assert (
        sorted(long.table["question_id"].to_pylist()) == ["0", "1", "2"] and "responses to 1 documents" in long.notes[1]
    )
