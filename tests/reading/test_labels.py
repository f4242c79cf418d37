"""Labels of people: columns, missing ones, and spellings that are one label."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from w2s.errors import InputError
from w2s.reading.labels import labels_of, spellings_beside


def table_of(*answers: str | None) -> pa.Table:
    names = [f"a{number}" for number in range(len(answers))]
    return pa.table({"question_id": ["q"] * len(answers), "annotator": names, "answer": pa.array(answers, pa.string())})


def test_an_annotator_is_a_supervisor_and_needs_no_variation() -> None:
    found = labels_of(table_of("x", "y"))
    assert found.by_people and found.table.column_names == ["question_id", "supervisor", "answer", "variation"]
    assert found.table["supervisor"].to_pylist() == ["a0", "a1"] and found.table["variation"].to_pylist() == [0, 0]


def test_missing_labels_of_people_are_left_out_and_those_of_models_stay() -> None:
    found = labels_of(table_of("x", None))
    assert found.missing == 1 and found.table["answer"].to_pylist() == ["x"]
    assert labels_of(table_of("x", None), keep_missing=True).table.num_rows == 2
    model = table_of("x", None).rename_columns(["question_id", "supervisor", "answer"])
    assert labels_of(model).missing == 0 and labels_of(model).table["answer"].to_pylist() == ["x", None]


def test_space_and_case_are_merged_to_the_most_frequent_spelling() -> None:
    table = table_of("Billing", "billing", " billing ", "BILLING", "billing", "sales")
    found = labels_of(table, normalize=["space", "case"])
    assert found.table["answer"].to_pylist() == ["billing"] * 5 + ["sales"]
    assert found.merged == {"billing": {"Billing": 1, " billing ": 1, "BILLING": 1}} and not found.notes
    assert labels_of(table, normalize=["space"]).merged == {"billing": {" billing ": 1}}
    assert labels_of(table, normalize=["case"]).table["answer"].to_pylist()[2] == " billing "


def test_spellings_that_are_not_merged_are_said() -> None:
    found = labels_of(table_of("Billing", "billing", "sales"))
    assert not found.merged and "differ by case or outer space alone: 'Billing', 'billing'" in found.notes[0]
    assert labels_of(table_of("a", "b")).notes == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "1.0"), ("Gebühr", "Gebu\u0308hr"), ("late delivery", "late\u00a0delivery"), ("a b", "A  b")],
)
def test_labels_that_look_alike_are_said(one: str, other: str) -> None:
    [note] = labels_of(table_of(one, other, "c")).notes
    assert note.startswith("labels that look alike and are counted as different: ") and repr(one) in note


@pytest.mark.parametrize(
    ("name", "content"),
    [("m.yaml", "yes: positive\nno: negative\nn/a:\n"), ("m.csv", "from,to\nyes,positive\nno,negative\nn/a,\n")],
)
def test_a_mapping_renames_and_what_maps_to_nothing_is_missing(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    found = labels_of(table_of("yes", "no", "positive", "n/a"), normalize=[str(tmp_path / name)])
    assert found.table["answer"].to_pylist() == ["positive", "negative", "positive"] and found.missing == 1
    assert found.merged == {"positive": {"yes": 1}, "negative": {"no": 1}, "": {"n/a": 1}}


def test_a_mapping_with_types_names_labels_as_a_table_of_them_does(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('{"from": "zero", "to": 0}\n{"from": true, "to": "yes"}\n{"from": 8.0, "to": "eight"}\n')
    found = labels_of(table_of("zero", "true", "8"), normalize=[str(path)])
    assert found.table["answer"].to_pylist() == ["0", "yes", "eight"]


def test_a_mapping_is_read_by_the_rules_that_are_chosen_with_it(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("Yes: Positive\nperhaps: maybe\n")
    found = labels_of(table_of(" YES", "positive", "positive"), normalize=["space", "case", str(path)])
    assert found.table["answer"].to_pylist() == ["positive"] * 3
    assert found.notes == ("the mapping's 'perhaps' is no label of the table",)
    assert labels_of(table_of(" YES"), normalize=[str(path)]).table["answer"].to_pylist() == [" YES"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("m.yaml", "- yes\n", "expected a mapping of spellings to labels"),
        ("m.yaml", "yes: [a, b]\n", "expected a mapping of spellings to labels"),
        ("m.yaml", "a: {", "is not YAML"),
        ("m.csv", "old,new\na,b\n", "expected the columns 'from' and 'to', it has old, new"),
        ("m.csv", "from,to\na,b\na,c\n", "'a' is mapped to 'b' and to 'c'"),
        ("m.yaml", "a: b\na: c\n", "'a' is mapped to 'b' and to 'c'"),
        ("m.jsonl", '{"from": "a", "to": ["b"]}\n', "expected a text, not a list"),
        ("m.yaml", None, "no such file"),
        ("m.csv", None, "no such file"),
    ],
)
def test_a_mapping_that_is_none_is_refused(tmp_path: Path, name: str, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=said):
        labels_of(table_of("a"), normalize=[str(tmp_path / name)])


def test_what_is_no_rule_or_no_annotator_is_refused() -> None:
    with pytest.raises(InputError, match=r"unknown rule to normalize by 'spaces': .* did you mean 'space'"):
        labels_of(table_of("a"), normalize=["spaces"])
    with pytest.raises(InputError, match="column 'annotator' and a column 'supervisor'"):
        labels_of(table_of("a").append_column("supervisor", pa.array(["x"])))
    nobody = table_of("a", "b").set_column(1, "annotator", pa.array(["x", None]))
    with pytest.raises(InputError, match="row 2: expected an annotator, it is null"):
        labels_of(nobody)


def test_right_answers_are_spelled_as_most_answers_and_count_for_nothing() -> None:
    answers = table_of("Yes", "yes ", "Yes")["answer"]
    found = spellings_beside(answers, ["YES", " yes", "NO", "no"], normalize=["space", "case"])
    assert [found[label] for label in ("YES", " yes", "Yes")] == ["Yes"] * 3
    assert found["NO"] == found["no"] == "NO"
    assert spellings_beside(answers, ["YES"], normalize=[])["YES"] == "YES"


def test_a_row_without_a_supervisor_is_named() -> None:
    table = pa.table({"question_id": ["q", "q"], "supervisor": ["m", None], "answer": ["a", "b"]})
    with pytest.raises(InputError, match="row 2: expected a supervisor, it is null"):
        labels_of(table)
