"""`w2s score` on a bare table: the page, and several estimators against right answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.commands import Say, refused


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Three annotators of 24 questions: ann is right, bob errs on every sixth, and carl on every second."""
    lines = ["question_id,annotator,answer"]
    for number in range(24):
        right, wrong = ("yes", "no") if number % 3 else ("no", "yes")
        given = {"ann": right, "bob": right if number % 6 else wrong, "<b>carl</b>": right if number % 2 else wrong}
        lines += [f"q{number:02},{name},{answer}" for name, answer in given.items()]
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    gold = ["question_id,answer", *(f"q{n:02},{'yes' if n % 3 else 'no'}" for n in range(24))]
    (tmp_path / "gold.csv").write_text("\n".join(gold) + "\n")
    return tmp_path / "labels.csv"


def test_the_page_of_labels_has_everybody_what_they_dispute_and_the_verdict(say: Say, labels: Path) -> None:
    text = say("score", labels, "--report", "page.html")
    assert "page: page.html" in text
    page = Path("page.html").read_text(encoding="utf-8")
    assert "Whom to trust" in page and "The most disputed questions" in page and "q00" in page
    assert "&lt;b&gt;carl&lt;/b&gt;" in page and "<b>carl" not in page
    assert "3 annotators; 24 questions answered by several" in page and "http" not in page.split("</head>")[1]


def test_the_page_of_one_models_variations_lists_the_questions_that_it_is_divided_on(say: Say, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("question_id,variation,answer\nq,0,a\nq,1,b\nr,0,a\nr,1,a\n")
    say("score", "a.csv", "--report", "page.html")
    page = Path("page.html").read_text(encoding="utf-8")
    assert "a ×1, b ×1" in page and "Whom to trust" not in page


def test_estimators_are_compared_where_right_answers_are_known(say: Say, labels: Path) -> None:
    words = ["score", labels, "--estimator", "votes,dawid-skene", "--gold", "gold.csv"]
    text = say(*words)
    assert "estimators on 72 answers to 24 questions with a known right answer" in text
    found = json.loads(say(*words, "--json"))["estimators"]
    assert [one["estimator"] for one in found] == ["votes", "dawid-skene"] and found[0]["own"]
    # 56 answers are right, 16 wrong: votes know the majority, Dawid-Skene knows ann as well.
    assert found[1]["auroc"]["estimate"] >= found[0]["auroc"]["estimate"] > 0.5


def test_several_estimators_without_right_answers_or_with_those_of_others_are_refused(
    labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["score", str(labels), "--estimator=votes,dawid-skene"]
    assert "expected --gold as well" in refused(words, capsys)
    (tmp_path / "other.csv").write_text("question_id,answer\nz,yes\n")
    assert "no right answer to any question of the answers, such as 'q00'" in refused(
        [*words, "--gold=other.csv"], capsys
    )
    assert "expected a file named *.html" in refused(["score", str(labels), "--report=page.pdf"], capsys)


def test_a_question_with_two_right_answers_is_refused_and_one_that_is_there_twice_is_not(
    say: Say, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold = labels.with_name("gold.csv")
    gold.write_text(gold.read_text() + "q05,yes\n")
    say("score", labels, "--gold", "gold.csv")
    gold.write_text(gold.read_text() + "q05,no\n")
    line = refused(["score", str(labels), "--gold=gold.csv"], capsys)
    assert "gold.csv has two right answers to 'q05': 'yes' in row 6 and 'no' in row 26" in line


def test_other_right_answers_of_a_question_must_be_the_same_in_all_its_rows(
    say: Say, labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"question_id": "q01", "answer": "yes", "aliases": aliases} for aliases in (["a", "b"], ["b", "a"], ["a"])]
    gold = tmp_path / "gold.jsonl"
    gold.write_text("".join(json.dumps(row) + "\n" for row in rows[:2]))
    say("score", labels, "--gold", gold)
    gold.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "has 'q01' twice, with the aliases ['a', 'b'] in row 1 and ['a'] in row 3" in refused(
        ["score", str(labels), f"--gold={gold}"], capsys
    )


def test_right_answers_are_spelled_by_the_rules_of_the_labels(say: Say, labels: Path, tmp_path: Path) -> None:
    def compared(gold: str, *rules: str) -> object:
        found = json.loads(say("score", labels, "--gold", gold, *rules, "--json"))
        assert "notes" not in found, found.get("notes")
        return found["estimators"]

    gold = [line.split(",") for line in (tmp_path / "gold.csv").read_text().splitlines()[1:]]
    rows = [{"question_id": id, "answer": f" {answer.upper()}"} for id, answer in gold]
    (tmp_path / "spaced.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    others = [{"question_id": id, "answer": "else", "aliases": [answer.title()]} for id, answer in gold]
    (tmp_path / "others.jsonl").write_text("".join(json.dumps(row) + "\n" for row in others))
    (tmp_path / "map.yaml").write_text("YES: yes\n'NO': no\n")
    right = compared("gold.csv")
    assert compared("spaced.jsonl", "--normalize", "[space, case]") == right
    assert compared("spaced.jsonl", "--normalize", "[space, map.yaml]") == right
    assert compared("others.jsonl", "--normalize", "case") == right


def test_right_answers_that_nobody_gives_are_said(say: Say, labels: Path) -> None:
    gold = labels.with_name("gold.csv")
    gold.write_text(gold.read_text().replace("q01,yes", "q01,Yes").replace("q02,yes", "q02,Yes"))
    text = say("score", labels, "--gold", "gold.csv")
    assert "gold.csv: 2 of 24 right answers are given by none of the answers, such as 'Yes' to 'q01'" in text
    assert ", nearest 'yes'" in text
    assert "given by none" in json.loads(say("score", labels, "--gold", "gold.csv", "--json"))["notes"][0]
    assert "given by none" not in say("score", labels, "--gold", "gold.csv", "--normalize", "case")


def test_an_option_that_nobody_chose_is_a_right_answer_as_any_other(say: Say, tmp_path: Path) -> None:
    row = {"question_id": "q", "choices": ["a", "b", "c"]}
    rows = [row | {"variation": number, "answer": answer} for number, answer in enumerate("aab")]
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for right, said in (("c", False), ("C", True)):
        (tmp_path / "gold.csv").write_text(f"question_id,answer\nq,{right}\n")
        assert ("given by none" in say("score", "answers.jsonl", "--gold", "gold.csv")) == said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out=./labels.csv"], "--out is ./labels.csv, which is read as well: expected another file"),
        (["--gold=gold.csv", "--out=gold.csv"], "--out is gold.csv, which is read as well"),
        (["--normalize=map.csv", "--out=map.csv"], "--out is map.csv, which is read as well"),
    ],
)
def test_what_is_read_is_never_written_over(
    words: list[str], said: str, labels: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(labels.parent)
    Path("map.csv").write_text("from,to\nyes,Yes\n")
    before = {path.name: path.read_bytes() for path in labels.parent.glob("*.csv")}
    assert said in refused(["score", "labels.csv", *words], capsys)
    assert {path.name: path.read_bytes() for path in labels.parent.glob("*.csv")} == before
