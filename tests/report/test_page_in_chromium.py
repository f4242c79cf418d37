"""The page in a browser: filters, sorting, opening a question, and that nothing leaves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chromium import needs_chromium, visit
from made_up import HOSTILE, write_run

from w2s.report.page import write_page
from w2s.report.reading import Run, read_run
from w2s.report.study_page import write_study_page
from w2s.report.words import visible
from w2s.results.study import StudyRecords

pytestmark = needs_chromium


def look(folder: Path, script: str, *, width: int = 1200, **made: Any) -> tuple[Any, Run]:
    """Visit the page of a made-up run; nothing may go wrong, and nothing may leave it."""
    result = write_run(folder, **made)
    seen = visit(write_page(result, folder / "report.html"), script, folder=folder, width=width)
    assert seen.wrong == []
    assert seen.requests == []
    return seen.found, read_run(result)


def test_filters_sort_and_pages_show_what_they_say(tmp_path: Path) -> None:
    found, run = look(
        tmp_path,
        """
        const count = () => find("#count").textContent;
        const seen = { all: count(), first: texts(".question .text").length, where: find("#where").textContent };
        find("#next").click();
        seen.next = texts(".question .text")[0];
        await choose("entropy", find("#entropy").options[1].value);
        seen.unanimous = count();
        await choose("entropy", "");
        for (const value of ["right", "wrong", "mixed", "differ", "unparsed"]) {
          await choose("correctness", value);
          seen[value] = count();
        }
        await choose("correctness", "");
        await choose("kept", "0 1");
        seen.kept = count();
        await choose("kept", "1 1");
        seen.notKept = count();
        find("#filters").reset();
        await wait();
        seen.reset = count();
        await choose("sort", "uncertain");
        seen.uncertain = texts(".question .about").map((text) => Number(text.split("entropy ")[1]));
        await choose("sort", "mistakes");
        seen.mistakes = texts(".question .about").slice(0, 3);
        await type("CITY 17 ");
        seen.searched = [count(), texts(".question .text")];
        await type("no such words");
        seen.none = [count(), find("#list").textContent, find("#pager").hidden];
        return seen;
        """,
        num_questions=60,
    )
    entropy = {row["question_id"]: row["entropy"] for row in run.seeds[0].scored.to_pylist()}
    unanimous = sum(value == 0 for value in entropy.values())
    kept = sum(value < 0.6 for value in entropy.values())
    assert (found["all"], found["first"], found["where"]) == ("60 questions", 25, "Page 1 of 3")
    assert found["next"] == "Which country is city 25 in?"
    assert found["unanimous"] == f"{unanimous} of 60 questions"
    right, wrong = (int(found[name].split(" of")[0]) for name in ("right", "wrong"))
    assert right + wrong == 60 and 0 < wrong < right
    assert found["differ"] == f"{60 - unanimous} of 60 questions"
    assert found["mixed"] != found["unparsed"] != "0 of 60 questions"
    assert found["kept"] == f"{kept} of 60 questions"
    assert found["notKept"] == f"{60 - kept} of 60 questions"
    assert found["reset"] == "60 questions"
    assert found["uncertain"] == sorted(found["uncertain"], reverse=True)
    assert all("wrong" in about for about in found["mistakes"])
    assert found["searched"] == ["1 of 60 questions", ["Which country is city 17 in?"]]
    assert found["none"] == ["0 of 60 questions", "No question fits.", True]


def test_question_opens_to_every_prompt_and_answer(tmp_path: Path) -> None:
    found, run = look(
        tmp_path,
        """
        const item = await open(3);
        return [item.open, [...item.querySelectorAll("pre")].map((pre) => pre.textContent), item.textContent];
        """,
        num_questions=5,
    )
    rows = [row for row in run.seeds[0].scored.to_pylist() if row["question_id"] == "q3"]
    assert found[0] is True
    assert found[1] == [row["prompt"] + row["response"] for row in rows]
    for row in rows:
        assert f"confidence {row['confidence']:.3f}" in found[2]
    assert f"right answer: {run.gold['q3']}" in found[2]


def test_hostile_text_is_shown_as_text(tmp_path: Path) -> None:
    found, _ = look(
        tmp_path,
        """
        const shown = [];
        for (let number = 0; number < 8; number++) shown.push((await open(number)).querySelector("pre").textContent);
        const width = document.documentElement.scrollWidth;
        return [shown, texts(".question .text"), typeof window.hacked, all("#list script, #list img").length, width];
        """,
        width=500,
        texts=HOSTILE,
        num_questions=10,
    )
    shown, titles, hacked, elements, width = found
    assert hacked == "undefined" and elements == 0
    assert width <= 500, "a long word does not widen the page"
    for text, prompt, title in zip(HOSTILE, shown, titles, strict=False):
        assert visible(text)[:3000] in prompt
        assert title == (visible(text).strip()[:4000] + title[4000:] if text else "q6")


def test_seeds_are_looked_at_one_by_one(tmp_path: Path) -> None:
    script = """
        const answers = () => texts(".question .about");
        const first = answers();
        await choose("seed", "1");
        return [find("#seed-label").hidden, first, answers(), find("#count").textContent, texts("#seed option")];
    """
    found, _ = look(tmp_path, script, num_questions=12, seeds=(4, 9))
    hidden, first, second, count, seeds = found
    assert hidden is False and seeds == ["4", "9"]
    assert first != second and count == "12 questions"


def test_without_ground_truth_there_is_no_filter_for_it(tmp_path: Path) -> None:
    script = "return [texts('#correctness option'), texts('#sort option'), texts('.right, .wrong').join('')]"
    found, _ = look(tmp_path, script, gold=False)
    assert found[0] == ["all", "not all the same", "some unparsed"]
    assert "surest mistakes first" not in found[1]
    assert "✓" not in found[2] and "✗" not in found[2]


def test_twenty_thousand_questions_are_usable(large_page: Path, tmp_path: Path) -> None:
    script = """
        await type("city 123");
        await choose("sort", "uncertain");
        return [find("#count").textContent, all(".question").length, find("#sampled").textContent];
    """
    seen = visit(large_page, script, folder=tmp_path)
    count, drawn, sampled = seen.found
    assert seen.wrong == []
    assert "of the 20,000 transfer questions" in sampled
    assert 0 < int(count.split(" of ")[0]) < 200 and 0 < drawn <= 25


@pytest.mark.parametrize("width", [500, 1200])
def test_nothing_is_wider_than_the_page(tmp_path: Path, width: int) -> None:
    script = "await open(0); return [document.documentElement.scrollWidth, innerWidth]"
    found, _ = look(tmp_path, script, width=width, seeds=(0, 1))
    assert found[0] <= found[1]


def test_study_page_opens_without_error(tmp_path: Path) -> None:
    results = [write_run(tmp_path / name, num_questions=5) for name in ("one", "two")]
    seen = visit(
        write_study_page(StudyRecords.of_runs(results), tmp_path / "study.html"), "return texts('h1')", folder=tmp_path
    )
    assert (seen.found, seen.wrong, seen.requests) == (["2 experiments"], [], [])
