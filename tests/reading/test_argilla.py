"""Argilla's records, flat and nested: submitted responses, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from support.exports import export_of, record, write_json, write_lines
from w2s.errors import InputError

RECORDS = [
    record("r1", "Fine", ann=("positive", "submitted"), bob=("negative", "draft"), cid=(None, "discarded")),
    record("r2", "Bad", ann=("negative", "submitted"), bob=("negative", "submitted")),
    record("r3", "Nobody saw this"),
]


def answers(long: Any) -> list[tuple[str, str, str | None]]:
    return [(row["question_id"], row["annotator"], row["answer"]) for row in long.table.to_pylist()]


SUBMITTED = [("r1", "ann", "positive"), ("r1", "cid", None), ("r2", "ann", "negative"), ("r2", "bob", "negative")]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_only_submitted_responses_count_and_a_suggestion_is_nobodys(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"records.{suffix}"
    if suffix == "parquet":
        pyarrow.parquet.write_table(pa.Table.from_pylist(RECORDS), path)
    else:
        write_lines(path, RECORDS)
    long = export_of(path)
    assert answers(long) == SUBMITTED
    assert long.notes == ("read as an Argilla export: 3 records, 3 annotators, 1 not submitted left out, 1 discarded",)


def nested(id: str, **given: list[dict[str, Any]]) -> dict[str, Any]:
    suggestions = {"label": {"value": "positive", "score": None, "agent": "model"}}
    return {
        **{"id": id, "fields": {"text": "Fine"}, "metadata": {}, "suggestions": suggestions, "responses": given},
        **{"vectors": {}, "_server_id": "s"},
    }


def test_files_of_its_two_kinds_are_not_read_by_the_first(tmp_path: Path) -> None:
    of_one = write_json(tmp_path / "nested.json", [nested("r1", label=[{"value": "positive", "user_id": "ann"}])])
    of_other = write_lines(tmp_path / "flat.jsonl", RECORDS)
    for first, second in ((of_one, of_other), (of_other, of_one)):
        with pytest.raises(InputError, match=f"{second.name} is an Argilla export of another kind than .*{first.name}"):
            export_of(first, second)


def test_the_nested_form_does_not_say_what_was_submitted_and_that_is_said(tmp_path: Path) -> None:
    rows = [nested("r1", label=[{"value": "positive", "user_id": "ann"}]), nested("r2")]
    long = export_of(write_json(tmp_path / "records.json", rows))
    assert answers(long) == [("r1", "ann", "positive")]
    assert "does not say which responses were submitted" in long.notes[1]


def test_two_questions_are_refused_until_one_is_named(tmp_path: Path) -> None:
    rows = [nested("r1", label=[{"value": "a", "user_id": "u"}], stars=[{"value": 4, "user_id": "u"}])]
    path = write_json(tmp_path / "records.json", rows)
    with pytest.raises(InputError, match=r"columns\.answer to name one of label, stars"):
        export_of(path)
    assert answers(export_of(path, columns={"answer": "stars"})) == [("r1", "u", "4")]


def test_several_labels_of_one_response_are_no_answer(tmp_path: Path) -> None:
    rows = [record("r1", "Fine", ann=(["a", "b"], "submitted"), bob=(["a"], "submitted"))]
    long = export_of(write_lines(tmp_path / "records.jsonl", rows))
    assert answers(long) == [("r1", "ann", None), ("r1", "bob", "a")] and "1 with several labels" in long.notes[0]


def test_annotators_that_columns_name_as_well_are_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "records.jsonl", RECORDS)
    with pytest.raises(InputError, match="names its annotators itself: columns names 'text' as well"):
        export_of(path, columns={"annotator": "text"})
