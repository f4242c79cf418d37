"""Answers of a batch service to requests of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.exports import export_of, response_line, write_lines
from w2s.errors import InputError


def answers(long: Any) -> list[tuple[str, str, str | None]]:
    return [(row["question_id"], row["supervisor"], row["answer"]) for row in long.table.to_pylist()]


def test_a_response_answers_what_its_custom_id_names(tmp_path: Path) -> None:
    rows = [
        response_line("q2", "Oslo"),
        response_line("q1", "The answer is", finish="length"),
        response_line("q3", None, status=500),
        response_line("q4", " "),
        {"custom_id": "q5", "response": None, "error": {"code": "batch_expired"}},
    ]
    long = export_of(write_lines(tmp_path / "output.jsonl", rows))
    assert answers(long)[0] == ("q2", "big-model", "Oslo")
    assert [answer for _, _, answer in answers(long)[1:]] == [None] * 4
    assert {who for _, who, _ in answers(long)} == {"big-model"}, "what failed is nobody else's"
    assert long.notes[0].endswith("5 requests, 1 supervisor, 1 cut off, 2 failed, 1 refused or empty")


def test_what_failed_is_nobodys_where_several_models_answered(tmp_path: Path) -> None:
    rows = [response_line("q1", "Oslo"), response_line("q2", "Oslo"), response_line("q3", None, status=500)]
    rows[1]["response"]["body"]["model"] = "other"
    long = export_of(write_lines(tmp_path / "output.jsonl", rows))
    assert [who for _, who, _ in answers(long)] == ["big-model", "other"]


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [{"text": "Oslo", "finish_reason": "stop"}]},
        {"choices": [{"message": {"content": [{"type": "thinking"}, {"type": "text", "text": "Oslo"}]}}]},
        {
            "output": [
                {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]},
                {"type": "message", "content": [{"type": "output_text", "text": "Oslo"}]},
            ]
        },
    ],
)
def test_other_bodies_have_their_text_elsewhere(body: dict[str, Any], tmp_path: Path) -> None:
    row = {"custom_id": "q", "response": {"status_code": 200, "body": {"model": "m", **body}}, "error": None}
    assert answers(export_of(write_lines(tmp_path / "o.jsonl", [row]))) == [("q", "m", "Oslo")]


def test_several_choices_are_several_answers(tmp_path: Path) -> None:
    row = response_line("q", "Oslo")
    row["response"]["body"]["choices"] *= 2
    table = export_of(write_lines(tmp_path / "o.jsonl", [row])).table
    assert table["variation"].to_pylist() == [0, 1]


def test_answers_to_requests_of_w2s_belong_to_another_command(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected w2s label --responses"):
        export_of(write_lines(tmp_path / "o.jsonl", [response_line("0123456789" * 4, "Oslo")]))
