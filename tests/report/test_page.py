"""The page as a file: what is in it, and what never is."""

from __future__ import annotations

import dataclasses
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from made_up import HOSTILE, write_run

from w2s.report.browser import MAX_CHARACTERS, browser_data
from w2s.report.page import write_page
from w2s.report.reading import read_run
from w2s.report.study_page import write_study_page
from w2s.results.records import RunRecords
from w2s.results.study import StudyRecords


class Page(HTMLParser):
    """The elements of a page, its text, and the data in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.data: Any = None
        self._within: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._within.append(tag)

    def handle_data(self, data: str) -> None:
        if self._within[-1:] == ["script"] and self.elements[-1] == (
            "script",
            {"type": "application/json", "id": "data"},
        ):
            self.data = json.loads(data)
        elif self._within and self._within[-1] not in ("script", "style"):
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        while self._within and self._within.pop() != tag:
            pass

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(result: RunRecords, folder: Path, **kwargs: Any) -> Page:
    return Page(write_page(result, folder / "out" / "report.html", **kwargs))


def test_page_tells_the_result_the_verdict_and_how_to_reproduce_it(tmp_path: Path) -> None:
    result = write_run(tmp_path, num_questions=80)
    page = page_of(result, tmp_path)
    verdict = result.labels[0]
    for words in (verdict.title, verdict.sentence, "reweighting-sampled", "w2s run --config experiment.yaml"):
        assert words in page.text
    assert f"{result.pooled[2].accuracy:.3f}" in page.text
    assert "Estimators on the same answers" not in page.text, "there is one alone"
    assert "1 min 15 s" in page.text and "student_training.lora.rank" in page.text


def test_settings_tell_their_origin(tmp_path: Path) -> None:
    info = {"origins": {"task.name": "file my.yaml", "seeds": "command line"}, "commands": ["w2s run --seeds 3"]}
    text = page_of(write_run(tmp_path, seeds=(5,), info=info), tmp_path).text
    assert "file my.yaml" in text and "command line" in text
    assert "w2s run --seeds 3" in text and "experiment.yaml" not in text


def test_without_origins_what_is_not_the_default_is_marked(tmp_path: Path) -> None:
    page = write_page(write_run(tmp_path, seeds=(5,)), tmp_path / "report.html").read_text()
    assert '<tr class="changed"><th scope="row">seeds</th><td dir="auto">5</td><td>set</td></tr>' in page
    assert '<tr><th scope="row">student_training.lora.rank</th><td dir="auto">16</td><td>default</td></tr>' in page


def test_page_asks_for_nothing_else(tmp_path: Path) -> None:
    page = page_of(write_run(tmp_path), tmp_path)
    policy = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy and "default-src 'none'" in str(policy[0])
    for _, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), attributes


def test_page_can_be_read_without_seeing_it(tmp_path: Path) -> None:
    page = page_of(write_run(tmp_path, seeds=(0, 1)), tmp_path)
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("main")) == len(page.all("h1")) == 1
    pictures = [div for div in page.all("div") if div.get("role") == "img"]
    assert len(pictures) == 8 and all(picture["aria-label"] for picture in pictures)
    assert all(header.get("scope") in ("row", "col") for header in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_without_ground_truth_page_says_what_is_missing(tmp_path: Path) -> None:
    page = page_of(write_run(tmp_path, gold=False), tmp_path)
    assert "have no ground truth" in page.text
    assert all(question["gold"] is None for question in page.data["questions"])
    assert "What this run cannot tell" in page.text and "Questions" in page.text


def test_estimators_are_compared_where_there_are_several(tmp_path: Path) -> None:
    result = write_run(tmp_path / "run", seeds=(0, 1), compare=("margin", "semantic-entropy"))
    text = " ".join(page_of(result, tmp_path).text.split())
    own, margin, _ = result.compared
    assert f"votes of the run {own.auroc.estimate:.3f}" in text and f"margin {margin.auroc.estimate:.3f}" in text
    assert "is not allowed: it would be chosen by the ground truth of transfer" in text
    assert "How well each estimator ranks the weak answers, all seeds together" in text
    assert "Estimators, seed 0" in text and "Estimators, seed 1" in text


def test_what_p_values_and_intervals_are_adjusted_for_is_said_below_the_table(tmp_path: Path) -> None:
    note = "p: adjusted for the number of methods (Holm)"
    several = write_run(tmp_path / "several", seeds=(0, 1, 2))
    for p_value, count in ((0.04, 1), (None, 0)):
        pooled = [dataclasses.replace(one, gain=0.1, gain_p=p_value) for one in several.pooled]
        page = write_page(dataclasses.replace(several, pooled=pooled), tmp_path / "page.html")
        assert page.read_text().count(note) == count


def test_without_tables_page_has_the_results(tmp_path: Path) -> None:
    result = dataclasses.replace(write_run(tmp_path / "run"), folder=tmp_path / "elsewhere")
    page = page_of(result, tmp_path)
    assert "nothing to browse" in page.text and page.data is None
    assert "reweighting-sampled" in page.text


def test_page_of_a_run_that_was_read_again_is_the_same(tmp_path: Path) -> None:
    first = write_page(write_run(tmp_path), tmp_path / "first.html").read_bytes()
    assert write_page(RunRecords.load(tmp_path), tmp_path / "second.html").read_bytes() == first


def test_browser_has_every_prompt_and_answer(tmp_path: Path) -> None:
    result = write_run(tmp_path, num_questions=20, seeds=(0, 1))
    data = page_of(result, tmp_path).data
    assert data["seeds"] == [0, 1] and [question["id"] for question in data["questions"]] == [
        f"q{index}" for index in range(20)
    ]
    for index, seed in enumerate(read_run(result).seeds):
        rows = iter(seed.scored.to_pylist())
        for question in data["questions"]:
            run = question["runs"][index]
            for answer, row in zip(run["answers"], rows, strict=False):
                assert run["start"] + answer["prompt"] + run["end"] == row["prompt"]
                assert (answer["said"], answer["answer"]) == (row["response"], row["answer"])


def test_browser_tells_which_methods_kept_an_answer(tmp_path: Path) -> None:
    result = write_run(tmp_path)
    data = page_of(result, tmp_path).data
    assert data["methods"] == ["naive", "filtering-sampled", "reweighting-sampled"], "the ceiling keeps no answers"
    for question in data["questions"]:
        run = question["runs"][0]
        assert run["kept"] == (0b111 if run["entropy"] < 0.6 else 0b101)
        assert all(answer["kept"] == run["kept"] for answer in run["answers"])


def test_hostile_text_is_data_and_nothing_else(tmp_path: Path) -> None:
    info = {"commands": list(HOSTILE), "origins": {"task.name": HOSTILE[1]}, "environment": {HOSTILE[0]: HOSTILE[1]}}
    result = write_run(tmp_path, texts=HOSTILE, info=info)
    path = write_page(result, tmp_path / "report.html")
    page = Page(path)
    assert len(page.all("script")) == 2
    assert not [image for image in page.all("img") if image.get("src") == "x"]
    assert "\x00" not in path.read_text() and "␀" in path.read_text()
    texts = [question["text"] for question in page.data["questions"]]
    assert texts[:3] == list(HOSTILE[:3]) and texts[6] == ""
    assert texts[3].endswith("more characters)") and len(texts[3]) < MAX_CHARACTERS + 40
    assert "{{ 7 * 7 }}" in page.text, "what stands in the data is no template"
    assert "are truncated here" in page.text


def test_large_run_is_sampled_always_alike_and_says_so(tmp_path: Path) -> None:
    result = write_run(tmp_path, num_questions=400, prompt_length=700)
    page = page_of(result, tmp_path, max_bytes=200_000)
    shown = [question["id"] for question in page.data["questions"]]
    assert 50 < len(shown) < 400
    assert f"{len(shown)} of the 400 transfer questions" in page.text
    assert shown == sorted(shown, key=lambda id: int(id[1:])), "in the order of the data"
    assert not {f"q{index}" for index in range(50)} <= set(shown), "not merely the first"
    again = json.loads(browser_data(read_run(result), max_bytes=200_000).json)
    assert [question["id"] for question in again["questions"]] == shown


def test_page_of_twenty_thousand_questions_is_below_fifteen_megabytes(large_page: Path) -> None:
    assert 5e6 < large_page.stat().st_size < 15e6


@pytest.mark.parametrize("questions, variations", [(0, 5), (1, 1)])
def test_smallest_runs_have_a_page(tmp_path: Path, questions: int, variations: int) -> None:
    assert (
        "Too few variations"
        in page_of(write_run(tmp_path, num_questions=questions, num_variations=variations), tmp_path).text
        or not questions
    )


def test_study_page_compares_experiments(tmp_path: Path) -> None:
    results = [
        write_run(tmp_path / "first", num_questions=10),
        write_run(tmp_path / "second", num_questions=10, methods=("naive",), pgr=False, seeds=(1, 2)),
        write_run(tmp_path / "other" / "first", num_questions=0),
    ]
    page = Page(write_study_page(StudyRecords.of_runs(results), tmp_path / "study.html"))
    for words in ("3 experiments", "first", "second", "first (3)", "not defined", "seeds"):
        assert words in page.text
    # Accuracy and PGR, entropy, confidence.
    assert len([div for div in page.all("div") if div.get("role") == "img"]) == 3


def test_study_of_nothing_is_a_page(tmp_path: Path) -> None:
    assert "0 experiments" in Page(write_study_page(StudyRecords.of_runs([]), tmp_path / "study.html")).text
