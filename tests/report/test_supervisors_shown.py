"""Several supervisors on the page and in the terminal: the numbers, what is disputed, and names that are no markup."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from chromium import needs_chromium, visit
from made_up import HOSTILE, write_run

from w2s.report.page import write_page
from w2s.report.supervisors import supervisors_table, supervisors_verdict
from w2s.report.tables import render
from w2s.results.records import RunRecords
from w2s.results.supervisors import SupervisorComparison
from w2s.tables import read_table

NAMES = ("ann", "[b]bob", "small", "<b>large</b>")


def with_supervisors(result: RunRecords, names: tuple[str, ...] = NAMES) -> RunRecords:
    """The run as though its answers were of several, each a different share of them unparsed or changed."""
    rng = np.random.default_rng(3)
    comparisons = []
    for seed in result.experiment.seeds:
        tables = []
        for number, name in enumerate(names):
            table = read_table(result.files.scored(seed)).select(["question_id", "variation", "answer", "choices"])
            given = [
                rng.choice(choices) if rng.random() < 0.2 * number and answer else answer
                for answer, choices in zip(table["answer"].to_pylist(), table["choices"].to_pylist(), strict=True)
            ]
            table = table.set_column(2, "answer", pa.array(given, pa.string()))
            tables.append(table.append_column("supervisor", pa.array([name] * table.num_rows, pa.string())))
        tested = {names[0]: [True, True, False]}
        gold = {row["question_id"]: row["answer"] for row in read_table(result.files.gold()).to_pylist()}
        comparisons.append(SupervisorComparison.of(seed, pa.concat_tables(tables), gold, tested))
    return replace(result, supervisors=comparisons)


def test_the_page_shows_each_supervisor_each_pair_and_each_dispute(tmp_path: Path) -> None:
    result = with_supervisors(write_run(tmp_path))
    page = write_page(result, tmp_path / "report.html").read_text()
    section = page.split('<section id="supervisors"')[1].split("</section>")[0]
    assert page.count('href="#supervisors"') == 1 and "&lt;b&gt;large" in section and "<b>large" not in section
    (found,) = result.supervisors
    assert found.compared is not None
    for pair in found.compared.pairs:
        assert section.count(f"{pair.agreement:.3f} <small>κ {pair.kappa:.2f}, {pair.questions}") >= 2
    for disputed in found.compared.disputed:
        assert disputed.question_id in section and f"Which country is city {disputed.question_id[1:]} in?" in section
        answers = ", ".join(f"{answer} ×{count}" for answer, count in disputed.answers["ann"].items())
        assert f"ann: {answers}" in section
    assert "0.667 <small>" in section  # of three test questions


def test_a_run_with_one_supervisor_shows_nothing_of_it(tmp_path: Path) -> None:
    page = write_page(write_run(tmp_path), tmp_path / "report.html").read_text()
    assert 'id="supervisors"' not in page and "#supervisors" not in page


def test_of_many_supervisors_the_pairs_that_differ_most_stand_for_the_matrix(tmp_path: Path) -> None:
    result = with_supervisors(write_run(tmp_path), tuple(f"s{number:02}" for number in range(13)))
    page = write_page(result, tmp_path / "report.html").read_text()
    assert "The pairs that differ most" in page and "Two supervisors:" not in page


def test_each_seed_is_shown_under_its_number(tmp_path: Path) -> None:
    page = write_page(with_supervisors(write_run(tmp_path, seeds=(0, 4))), tmp_path / "report.html").read_text()
    assert "<h3>Seed 0</h3>" in page and "<h3>Seed 4</h3>" in page


def test_the_terminal_has_a_line_for_each_supervisor_the_most_trusted_first(tmp_path: Path) -> None:
    (found,) = with_supervisors(write_run(tmp_path)).supervisors
    lines = render(supervisors_table(found)).splitlines()
    assert lines[0].startswith("4 supervisors; 40 questions answered by several, ")
    assert [line.split()[0] for line in lines[2:]] == list(NAMES)
    ann = next(member for member in found.members if member.name == "ann")
    assert lines[2].split()[1:3] == ["200", f"{ann.unparsed}"]
    assert lines[2].split()[-2:] == [f"{ann.accuracy:.3f}", "0.667"] and lines[3].split()[-1] == "–"
    assert supervisors_verdict(found).startswith("no supervisor stands out: estimated accuracies 0.")


def test_where_nothing_was_parsed_it_is_said() -> None:
    table = pa.table({"question_id": ["p", "p"], "supervisor": ["a", "b"], "variation": [0, 0]})
    found = SupervisorComparison.of(0, table.append_column("answer", pa.nulls(2, pa.string())), {}, {})
    assert render(supervisors_table(found)).splitlines()[0] == "2 supervisors"
    assert "nothing to compare" in supervisors_verdict(found)


@needs_chromium
@pytest.mark.parametrize("width", [360, 1200])
def test_hostile_names_and_texts_are_text_in_a_browser(tmp_path: Path, width: int) -> None:
    made = write_run(tmp_path, texts=HOSTILE)
    result = with_supervisors(made, ("<script>window.hacked = 1</script>", "שלום", "x" * 300))
    script = """return {
      hacked: window.hacked === undefined,
      rows: all("#supervisors table")[0].querySelectorAll("tbody tr").length,
      wide: document.documentElement.scrollWidth <= innerWidth,
    };"""
    seen = visit(write_page(result, tmp_path / "report.html"), script, folder=tmp_path, width=width)
    assert seen.wrong == [] and seen.requests == []
    assert seen.found == {"hacked": True, "rows": 3, "wide": True}
