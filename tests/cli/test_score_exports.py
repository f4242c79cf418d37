"""`w2s score` on what other tools export."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.commands import Say, refused
from support.exports import annotation, chosen_sample, response_line, task, write_json, write_lines
from w2s.tables import read_table

TICKETS = [
    task(number, {"text": f"ticket {number}"}, *(annotation(who, label) for who, label in zip("abc", row, strict=True)))
    for number, row in enumerate(["xxx", "xxy", "yyy", "yxy", "xxx"])
]


def test_a_label_studio_export_is_compared_as_it_is(say: Say, tmp_path: Path) -> None:
    TICKETS[0]["annotations"] = [*TICKETS[0]["annotations"][:2], annotation("c", None, was_cancelled=True)]
    write_json(tmp_path / "project.json", TICKETS)
    text = say("score", "project.json", "--out", "scored.jsonl")
    assert text.startswith("read as a Label Studio export: 5 tasks, 3 annotators, 1 skipped\n")
    assert "1 row without a label: left out" in text and "3 annotators; 5 questions answered by several" in text
    assert read_table("scored.jsonl").num_rows == 14
    assert json.loads(say("score", "project.json", "--json"))["notes"][0].startswith("read as a Label Studio export")


def test_several_files_of_samples_are_several_supervisors(say: Say, tmp_path: Path) -> None:
    rows = [
        chosen_sample(number, {"question": f"number {number}?", "choices": ["x", "y"]}, "AB", [-0.7 - number, -1.0])
        for number in range(4)
    ]
    for name in ("big", "small"):
        write_lines(tmp_path / f"{name}.jsonl", rows)
    text = say("score", "big.jsonl", "small.jsonl", "--estimator", "probability", "--out", "scored.parquet")
    assert "read as samples of lm-evaluation-harness: 4 documents, 2 supervisors" in text
    found = read_table("scored.parquet")
    assert found.num_rows == 8 and set(found["supervisor"].to_pylist()) == {"big", "small"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.csv", "b.csv"], "a.csv and b.csv are tables: expected one, in which a column names the supervisor"),
        (["a.csv", "--format", "argilla"], "a.csv is not an Argilla export: it has question_id, annotator, answer"),
        (["o.jsonl", "--columns", "{answr: x}"], "unknown column of responses of a batch service 'answr'"),
    ],
)
def test_what_is_no_export_is_refused_in_a_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b.csv"):
        Path(name).write_text("question_id,annotator,answer\n1,a,x\n")
    write_lines(Path("o.jsonl"), [response_line("q", "x")])
    assert said in refused(["score", *words], capsys)


def test_a_second_label_of_a_person_is_a_vote_more_but_not_to_the_comparison_of_annotators(
    say: Say, tmp_path: Path
) -> None:
    labels = [annotation(who, label) for who, label in (("a", "x"), ("a", "x"), ("b", "y"))]
    write_json(tmp_path / "project.json", [task(1, {"text": "ticket"}, *labels)])
    text = say("score", "project.json", "--out", "scored.jsonl")
    assert "labelled the question before: 1, each a vote more; dawid-skene and the comparison of annotators" in text
    shares = read_table("scored.jsonl")["vote_share"].to_pylist()
    assert shares == pytest.approx([2 / 3, 2 / 3, 1 / 3])
    (disputed,) = json.loads(say("score", "project.json", "--json"))["disputed"]
    assert disputed["votes"] == {"x": 1.0, "y": 1.0}
