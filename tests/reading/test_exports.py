"""Exports in general: what a file is taken for, and which question of a task each of its items is."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.exports import annotation, chosen_sample, export_of, record, response_line, task, write_json, write_lines
from w2s.errors import InputError
from w2s.reading.exports import FORMATS, TABLE, Known, Way, format_of
from w2s.reading.exports.base import Item
from w2s.reading.exports.matching import match

DOC = {"question": "Capital?", "choices": ["Oslo", "Lima"]}
ROWS: Mapping[str, dict[str, Any]] = {
    "label-studio": task(1, {"text": "Fine"}, annotation(1, "a")),
    "argilla": record("r", "Fine", ann=("a", "submitted")),
    "lm-eval": chosen_sample(0, DOC, "AB", [-1.0, -2.0]),
    "distilabel": {"instruction": "Capital?", "generation": "Oslo", "model_name": "m"},
    "batch": response_line("q", "Oslo"),
    "table": {"question_id": "q", "annotator": "ann", "answer": "a", "model_name": "m", "id": 1, "data": "x"},
}
KNOWN = [Known("q1", "Which is number 1?"), Known("q2", "Which is number 2?")]


@pytest.mark.parametrize("name", ROWS)
def test_each_format_is_recognized_and_no_other(name: str, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [ROWS[name]])
    assert format_of([path]) == name
    assert [form.name for form in FORMATS.values() if form.recognizes(ROWS[name])] == [name] * (name != TABLE)


def test_a_file_that_could_be_two_things_is_refused_until_one_is_named(tmp_path: Path) -> None:
    both = write_lines(tmp_path / "both.jsonl", [{**ROWS["argilla"], **ROWS["distilabel"]}])
    with pytest.raises(InputError, match="may be read as argilla or as distilabel: expected format to say which"):
        format_of([both])
    assert format_of([both], "argilla") == "argilla"
    gold = write_lines(tmp_path / "gold.jsonl", [{**ROWS["distilabel"], "question_id": "q", "answer": "gold"}])
    with pytest.raises(InputError, match="may be read as distilabel or as table"):
        format_of([gold])
    assert format_of([gold], columns={"question_id": "question_id", "answer": "generation"}) == "distilabel"


def test_a_format_that_is_forced_must_fit_the_file(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [ROWS["batch"]])
    with pytest.raises(InputError, match="is not a Label Studio export: it has id, custom_id, response, error"):
        export_of(path, form="label-studio")
    with pytest.raises(InputError, match=r"unknown format 'labelstudio': .* did you mean 'label-studio'"):
        format_of([path], "labelstudio")


def test_files_of_two_formats_are_no_one_export(tmp_path: Path) -> None:
    paths = [write_lines(tmp_path / f"{name}.jsonl", [ROWS[name]]) for name in ("batch", "distilabel")]
    with pytest.raises(InputError, match=r"files of several formats: .*batch.jsonl .batch. and "):
        format_of(paths)


@pytest.mark.parametrize("name", ["argilla", "distilabel", "batch"])
def test_lists_that_csv_does_not_keep_are_refused(name: str, tmp_path: Path) -> None:
    """Each character of `['yes' 'no']` would be an answer."""
    path = tmp_path / "a.csv"
    columns = [*ROWS[name], *["generations"] * (name == "distilabel")]
    path.write_text(f"{','.join(columns)}\n{','.join('x' for _ in columns)}\n")
    with pytest.raises(InputError, match=r"a\.csv is .* as CSV, without its lists: expected JSON, JSONL or Parquet"):
        export_of(path, form=name)


def test_an_export_without_rows_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,id,sentiment,annotator,annotation_id,lead_time\n")
    with pytest.raises(InputError, match=r"a\.csv is empty: it has no rows"):
        export_of(tmp_path / "a.csv", known=KNOWN)


def of_texts(tmp_path: Path, *data: dict[str, Any], **columns: str) -> Any:
    rows = [task(100 + number, one, annotation(1, "a")) for number, one in enumerate(data)]
    return export_of(write_json(tmp_path / "a.json", rows), columns=columns, known=KNOWN)


def test_questions_are_found_by_an_id_in_the_data(tmp_path: Path) -> None:
    long = of_texts(tmp_path, {"question_id": "q2", "text": "reworded"}, {"question_id": "q1", "text": "reworded"})
    assert long.table["question_id"].to_pylist() == ["q2", "q1"] and long.way == Way("id", "question_id")
    assert long.notes[-1] == "all tasks are questions of the task, by the id in 'question_id'"


def test_questions_are_found_by_their_text_whatever_its_space(tmp_path: Path) -> None:
    long = of_texts(tmp_path, {"id": 7, "text": " Which is\n number 2? "})
    assert long.table["question_id"].to_pylist() == ["q2"] and long.way == Way("text", "")


def test_questions_are_found_by_the_field_that_the_user_names(tmp_path: Path) -> None:
    data = {"ref": "q1", "text": "Which is number 2?"}
    assert of_texts(tmp_path, data, question_id="ref").table["question_id"].to_pylist() == ["q1"]
    assert of_texts(tmp_path, data, question_id="text").table["question_id"].to_pylist() == ["q2"]
    with pytest.raises(InputError, match="did you mean 'text'"):
        of_texts(tmp_path, data, question_id="txt")


def test_the_tools_own_count_is_no_id_of_a_question_unless_the_user_says_so(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", [task(1, {"text": "reworded"}, annotation(1, "a"))])
    known = [Known("1", "Which is number 1?")]
    with pytest.raises(InputError, match=r"expected columns\.question_id to name the field .* one of text, id"):
        export_of(path, known=known)
    assert export_of(path, known=known, columns={"question_id": "id"}).table["question_id"].to_pylist() == ["1"]


def test_an_id_and_a_text_of_two_questions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'100' has the id of question 'q1' and the text of 'q2'"):
        of_texts(tmp_path, {"id": "q1", "text": "Which is number 2?"})


def test_two_texts_of_two_questions_are_refused_unless_an_id_tells(tmp_path: Path) -> None:
    data = {"text": "Which is number 2?", "before": "Which is number 1?"}
    with pytest.raises(InputError, match="has the text of several questions, q1, q2"):
        of_texts(tmp_path, data)
    assert of_texts(tmp_path, {**data, "question_id": "q1"}).table["question_id"].to_pylist() == ["q1"]


def test_what_is_no_question_is_counted_and_the_nearest_named(tmp_path: Path) -> None:
    long = of_texts(tmp_path, {"text": "Which is number 1?"}, {"text": "Which was number 2?"}, {"text": "Zebra"})
    assert long.table["question_id"].to_pylist() == ["q1"]
    assert long.notes[-1] == (
        "2 of 3 tasks are no question of these splits, by the question's text: "
        "'Which was number 2?', nearest 'Which is number 2?' (q2); 'Zebra'"
    )


def test_without_a_task_the_exports_own_ids_or_a_field_stand(tmp_path: Path) -> None:
    rows = [task(1, {"ref": "a"}, annotation(1, "x")), task(2, {"text": "no ref"}, annotation(1, "x"))]
    path = write_json(tmp_path / "a.json", rows)
    assert export_of(path).table["question_id"].to_pylist() == ["1", "2"]
    long = export_of(path, columns={"question_id": "ref"})
    assert long.table["question_id"].to_pylist() == ["a"] and "left out without 'ref': 1 task" in long.notes


def test_columns_of_a_table_that_an_export_has_not_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown column of a Label Studio export 'variation'"):
        of_texts(tmp_path, {"text": "x"}, variation="text")


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@given(st.lists(texts, min_size=1, unique_by=lambda text: " ".join(unicodedata.normalize("NFC", text).split())))
def test_every_text_finds_its_own_question_however_it_is_spaced_and_composed(found: list[str]) -> None:
    known = [Known(str(number), text) for number, text in enumerate(found)]
    items = [
        Item(own="", fields={"text": f"  {unicodedata.normalize('NFD', text).replace(' ', '  ')} "}) for text in found
    ]
    assert match(items, known, Way("text", "")) == [one.id for one in known]


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.sampled_from(["", "a", "True"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["value", "id", "type"]), inner),
    max_leaves=4,
)


def broken(value: Any, data: st.DataObject) -> Any:
    """The value, with anything at all in some place of it."""
    if data.draw(st.integers(0, 3)) == 0 or not isinstance(value, dict | list | tuple) or not value:
        return data.draw(anything)
    if isinstance(value, dict):
        name = data.draw(st.sampled_from(sorted(value)))
        return {**value, name: broken(value[name], data)}
    at = data.draw(st.integers(0, len(value) - 1))
    return [*value[:at], broken(value[at], data), *value[at + 1 :]]


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_a_row_with_anything_in_it_is_read_or_refused_in_a_line(
    name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    row = broken(ROWS[name], data)
    rows = [ROWS[name], row if isinstance(row, dict) else ROWS[name]]
    path = write_lines(tmp_path_factory.mktemp("broken") / "a.jsonl", rows)
    try:
        export_of(path, form=name)
    except InputError as error:
        assert "\n" not in str(error)
