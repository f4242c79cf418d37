"""`w2s score` on a table that people filled in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from support.commands import Say, refused
from w2s.tables import read_table

COLUMNS = "{question_id: item, annotator: worker, answer: label}"
SKILLS = {"ann": 0.95, "bob": 0.9, "carl": 0.4}


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    """Three hundred tickets, three annotators of whom one is careless, no truth; spelled as people do."""
    rng = np.random.default_rng(5)
    labels = ["billing", "technical", "account", "sales"]
    lines = ["item,worker,label"]
    for ticket in range(300):
        truth = rng.integers(0, 4)
        for who, skill in SKILLS.items():
            label = labels[truth if rng.random() < skill else (truth + rng.integers(1, 4)) % 4]
            spelled = label.capitalize() if ticket % 10 == 0 else label
            lines.append(f"{ticket:03},{who},{'' if ticket % 50 == 7 else spelled}")
    path = tmp_path / "tickets.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_three_annotators_without_truth_are_told_apart(say: Say, tickets: Path) -> None:
    text = say("score", tickets, "--columns", COLUMNS, "--normalize", "case")
    assert "read as 'billing': 'Billing' (" in text and "18 rows without a label: left out" in text
    assert "3 annotators; 294 questions answered by several" in text
    assert [line.split()[0] for line in text.splitlines() if line.split(" ")[0] in SKILLS][:3] == list(SKILLS)
    verdict = text.splitlines()[-1]
    assert verdict.startswith("verdict: trust ann (0.9") and "rather than carl (0." in verdict
    assert "An error that most of them share does not show here." in verdict


def test_a_column_an_annotator_says_what_a_row_an_answer_says(
    say: Say, tickets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels: dict[str, dict[str, str]] = {}
    for item, worker, label in (line.split(",") for line in tickets.read_text().splitlines()[1:]):
        labels.setdefault(item, {})[worker] = label
    rows = [f"{item},{','.join(own[who] for who in SKILLS)}" for item, own in labels.items()]
    wide = tmp_path / "wide.csv"
    wide.write_text("\n".join([f"Ticket no.,{','.join(SKILLS)}", *rows]) + "\n")
    names = ["--columns", "{question_id: Ticket no.}"]
    long = say("score", tickets, "--columns", COLUMNS, "--json")
    assert json.loads(say("score", wide, *names, "--annotators", "ann,bob,carl", "--json")) == json.loads(long)
    words = ["score", str(wide), *names]
    assert "did you mean 'carl'?" in refused([*words, "--annotators=ann,karl"], capsys)
    assert "no column 'answer', it has question_id, ann, bob, carl: --columns says" in refused(words, capsys)


def test_no_name_in_a_table_or_of_a_file_commands_the_terminal(say: Say, here: Path) -> None:
    rows = [f"q{number},{who},{'yes' if number % 3 else 'no'}" for number in range(6) for who in ("ann", "\x1b[31mbob")]
    (here / "labels.csv").write_text("\n".join(["question_id,annotator,answer", *rows]) + "\n")
    out = "\x1b]0;mine\x07.csv"
    said = say("score", "labels.csv", "--out", out)
    assert "␛[31mbob" in said and "␛]0;mine␇.csv" in said and not set(said) & {"\x1b", "\x07"}
    assert (here / out).is_file()


def test_json_has_the_summary_and_the_annotators(say: Say, tickets: Path) -> None:
    found = json.loads(say("score", tickets, "--columns", COLUMNS, "--normalize", "[space, case]", "--json"))
    assert (found["questions"], found["rows"], found["missing"]) == (294, 882, 18)
    accuracy = {one["name"]: one["accuracy"] for one in found["annotators"]}
    assert accuracy == pytest.approx(SKILLS, abs=0.06)
    assert found["form"] == "full" and set(found["merged"]) == {"billing", "technical", "account", "sales"}
    assert len(found["disputed"]) == 10 and found["verdict"].startswith("trust ann")
    assert "carl" in found["pairs"][0]["annotators"]


def test_spellings_that_nobody_merged_are_said(say: Say, tickets: Path) -> None:
    assert "differ by case or outer space alone: 'Account', 'account'" in say("score", tickets, "--columns", COLUMNS)


def test_the_scored_table_has_what_the_estimator_says(say: Say, tickets: Path) -> None:
    words = ["--columns", COLUMNS, "--normalize", "case", "--estimator", "dawid-skene", "--out", "scored.parquet"]
    say("score", tickets, *words)
    rows = read_table("scored.parquet").to_pylist()
    assert rows[0]["question_id"] == "000" and rows[0]["supervisor"] == "ann"
    for row in rows:
        assert row["posterior"][row["choices"].index(row["answer"])] == row["confidence"]


def test_text_of_mapped_columns_stays_text(say: Say, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("item,worker,label\n007,01,1\n007,1,1.0\n")
    say("score", "a.csv", "--columns", COLUMNS, "--out", "s.jsonl")
    found = [(row["question_id"], row["supervisor"], row["answer"]) for row in read_table("s.jsonl").to_pylist()]
    assert found == [("007", "01", "1"), ("007", "1", "1.0")]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("1,a,x\n2,a,y\n", "one annotator: nothing here says how right the labels are"),
        ("1,a,x\n2,b,y\n", "no question has labels of two annotators"),
        (
            "1,a,x\n1,b,y\n2,a,x\n2,b,x\n",
            "a and b agree on 0.500 of what both answered. Where they differ (1 question)",
        ),
    ],
)
def test_the_verdict_says_what_a_table_cannot_tell(say: Say, tmp_path: Path, rows: str, said: str) -> None:
    (tmp_path / "a.csv").write_text("question_id,annotator,answer\n" + rows)
    assert f"verdict: {said}" in say("score", "a.csv")


def test_an_unparsed_rule_that_is_given_counts_for_people_too(say: Say, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("question_id,annotator,answer\n1,a,x\n1,b,\n1,c,x\n")
    assert json.loads(say("score", "a.csv", "--json"))["rows"] == 2
    found = json.loads(say("score", "a.csv", "--json", "--unparsed", "class"))
    assert (found["rows"], found["missing"]) == (3, 0)


def test_answers_of_one_model_are_printed_as_before(say: Say, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("question_id,variation,answer,supervisor\nq,0,a,m\nq,1,b,m\n")
    assert "annotator" not in say("score", "a.csv")
    assert "annotators" not in json.loads(say("score", "a.csv", "--json"))


def test_a_files_own_column_of_the_name_makes_room_and_that_is_said(
    say: Say, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.csv").write_text("question_id,annotator,answer,label\n1,a,gold,x\n1,b,gold,y\n")
    with caplog.at_level("INFO"):
        say("score", "a.csv", "--columns", "{answer: label}", "--out", "s.csv")
    assert read_table("s.csv")["answer"].to_pylist() == ["x", "y"]
    assert "its own column 'answer' is left out" in caplog.text


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("{question_id: itm, answer: label}", "unknown column of a.csv, 'itm': expected one of item, worker, label;"),
        ("{anotator: worker}", "unknown column 'anotator': … did you mean 'annotator'?"),
        ("{answer: label, question_id: label}", "a.csv: column 'label' is named twice"),
        ("item", "columns is 'item': expected a mapping"),
    ],
)
def test_columns_that_do_not_fit_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], columns: str, said: str
) -> None:
    (tmp_path / "a.csv").write_text("item,worker,label\n1,a,x\n")
    line = refused(["score", "a.csv", "--columns", columns], capsys)
    assert all(part in line for part in said.split(" … ")), line


def test_an_annotator_who_labels_twice_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("question_id,annotator,answer\n1,a,x\n1,a,y\n")
    assert "expected one answer for question_id '1', variation 0, supervisor 'a'" in refused(["score", "a.csv"], capsys)


@pytest.mark.parametrize("answer", ["3.10", "1e3", "007", "true"])
def test_labels_of_a_wide_table_are_as_the_file_has_them(answer: str, say: Say, tmp_path: Path) -> None:
    cell = json.dumps(answer) if answer == "007" else answer
    (tmp_path / "wide.jsonl").write_text(f'{{"question_id": "q", "ann": {cell}, "bob": null, "cid": " "}}\n')
    found = json.loads(say("score", "wide.jsonl", "--annotators", "ann,bob,cid", "--json", "--out", "s.jsonl"))
    assert read_table("s.jsonl")["answer"].to_pylist() == [answer] and found["missing"] == 2


def test_a_row_of_no_supervisor_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("question_id,supervisor,answer\n1,a,x\n1,,y\n1,b,x\n")
    assert "row 2: expected a supervisor, it is null" in refused(["score", "a.csv"], capsys)
