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
