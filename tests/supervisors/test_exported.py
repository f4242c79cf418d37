"""Source table on what other tools export: the file as it is starts an experiment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.experiments import in_splits, questions, small_experiment, write_rows
from support.exports import annotation, chosen_sample, response_line, task, write_json, write_lines
from w2s.config import Experiment, WeakSpec
from w2s.errors import InputError
from w2s.pipeline.graph import Graph
from w2s.runners import local
from w2s.store import Store
from w2s.tables import read_table

ROWS = in_splits(questions())
TRANSFER = [row for row in ROWS if row["split"] == "transfer"]
TEST = [row for row in ROWS if row["split"] == "test"]
RIGHT = {row["id"]: row["answer"] for row in ROWS}


@pytest.fixture
def base(tmp_path: Path, tiny_llama: Path, tiny_gemma: Path) -> Experiment:
    data = write_rows(tmp_path / "questions.jsonl", ROWS)
    return small_experiment(data, tiny_llama, tiny_gemma, methods=["naive"])


def laid(base: Experiment, answers: Any, **settings: Any) -> Any:
    weak = WeakSpec(source="table", settings={"answers": answers, **settings})
    return Graph(replace(base, weak=weak, task=replace(base.task, weak_train=0))).seed_runs[0].supervision


def answers_of(supervision: Any, tmp_path: Path) -> list[dict[str, Any]]:
    store = Store(tmp_path / "store")
    local.run([supervision.answers], store)
    rows: list[dict[str, Any]] = read_table(store.path(supervision.answers) / "answers.parquet").to_pylist()
    return rows


def test_a_label_studio_project_is_read_by_the_text_of_its_tasks(
    base: Experiment, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        task(number, {"text": row["question"]}, annotation(1, row["answer"]), annotation(2, row["choices"][-1].upper()))
        for number, row in enumerate(TRANSFER + TEST)
    ]
    rows[0]["annotations"] = [annotation(1, None, was_cancelled=True), rows[0]["annotations"][1]]
    with caplog.at_level("INFO"):
        supervision = laid(base, str(write_json(tmp_path / "project.json", rows)))
    assert "read as a Label Studio export: 28 tasks, 2 annotators, 1 skipped" in caplog.text
    found = answers_of(supervision, tmp_path)
    assert len(found) == 31 and {row["supervisor"] for row in found} == {"1", "2"}
    assert all(row["answer"] == RIGHT[row["question_id"]] for row in found if row["supervisor"] == "1")
    assert supervision.predictions is not None and supervision.supervisors == ("1", "2")


def samples(tmp_path: Path, model: str, rows: list[dict[str, Any]]) -> Path:
    """A model that prefers the second choice, asked with the choices turned round."""
    made = []
    for number, row in enumerate(rows):
        choices = row["choices"][::-1]
        doc = {"question": row["question"], "choices": choices}
        made.append(chosen_sample(number, doc, "ABCD", [-3.0, -2.0, -1.0, -4.0]))
    return write_lines(tmp_path / model / "samples_mine_2026-01-02T03-04-05.678901.jsonl", made)


def test_samples_of_several_models_bring_log_probabilities_in_the_order_of_the_choices(
    base: Experiment, tmp_path: Path
) -> None:
    for model in ("big", "small"):
        samples(tmp_path / "out", model, TRANSFER)
    supervision = laid(base, str(tmp_path / "out" / "*" / "samples_mine_*.jsonl"))
    found = answers_of(supervision, tmp_path)
    assert len(found) == 32 and {row["supervisor"] for row in found} == {"big", "small"}
    second = {row["id"]: row["choices"][1] for row in ROWS}
    for row in found:
        assert row["answer"] == second[row["question_id"]] and row["completion"] == " B"
        assert row["choice_logprobs"] == [-4.0, -1.0, -2.0, -3.0] and row["positions"] is None


def test_probabilities_of_an_export_score_what_it_answers(base: Experiment, tmp_path: Path) -> None:
    path = samples(tmp_path, "big", TRANSFER)
    reliability = replace(base.reliability, estimator="probability")
    weak = WeakSpec(source="table", settings={"answers": str(path)})
    run = Graph(replace(base, weak=weak, task=replace(base.task, weak_train=0), reliability=reliability)).seed_runs[0]
    store = Store(tmp_path / "store")
    local.run([run.scored], store)
    row = read_table(store.path(run.scored) / "scored.parquet").to_pylist()[0]
    assert row["confidence"] == pytest.approx(0.6439, abs=1e-4)  # e^−1 / (e^−1 + e^−2 + e^−3 + e^−4)


def test_texts_that_a_model_wrote_are_parsed_and_those_that_choose_nothing_are_unparsed(
    base: Experiment, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = ["The answer is B.", "I cannot tell.", "**C**"]
    rows = [response_line(row["id"], said[number % 3]) for number, row in enumerate(TRANSFER)]
    supervision = laid(base, str(write_lines(tmp_path / "output.jsonl", rows)))
    with caplog.at_level("WARNING"):
        found = answers_of(supervision, tmp_path)
    choices = {row["id"]: row["choices"] for row in ROWS}
    by_id = {row["question_id"]: row for row in found}
    for number, row in enumerate(by_id[row["id"]] for row in TRANSFER):
        own = choices[row["question_id"]]
        assert row["answer"] == [own[1], None, own[2]][number % 3] and row["response"] == said[number % 3]
    assert "5 texts choose no option and are unparsed; the first is 'I cannot tell.'" in caplog.text


def test_labels_of_an_export_that_are_no_choice_are_refused_as_those_of_a_table(
    base: Experiment, tmp_path: Path
) -> None:
    rows = [task(number, {"text": row["question"]}, annotation(1, "Oslow")) for number, row in enumerate(TRANSFER)]
    with pytest.raises(InputError, match=r"none of their question's choices: 'Oslow' \(16\), nearest 'Oslo'"):
        answers_of(laid(base, str(write_json(tmp_path / "a.json", rows))), tmp_path)


def test_an_export_that_changes_is_refused_and_another_is_another_step(base: Experiment, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "output.jsonl", [response_line(row["id"], "A") for row in TRANSFER])
    before = laid(base, str(path))
    write_lines(path, [response_line(row["id"], "B") for row in TRANSFER])
    assert laid(base, str(path)).answers.key != before.answers.key
    with pytest.raises(InputError, match="changed since the run began"):
        answers_of(before, tmp_path)


@pytest.mark.parametrize(
    ("answers", "settings", "said"),
    [
        ("*.jsonl", {}, r"none of its requests is a question of the task by the id in 'custom_id'"),
        ("none-*.jsonl", {}, "no such file: .*none-"),
        (["output.jsonl", "output.jsonl"], {}, "names .*output.jsonl twice"),
        ("output.jsonl", {"annotators": ["a"]}, "annotators names the columns of a wide table"),
        ("output.jsonl", {"format": "table"}, "column 'response': expected a text, not an object"),
        (["output.jsonl", "other.jsonl"], {"format": "table"}, "2 tables: expected one"),
        ([1], {}, r"answers of source table is \[1\]: expected a file, or a list of files"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_runs(
    answers: Any, settings: dict[str, Any], said: str, base: Experiment, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    for name in ("output", "other"):
        write_lines(folder / f"{name}.jsonl", [response_line("request-1", "A")])
    given = [str(folder / name) for name in answers] if answers != [1] and isinstance(answers, list) else answers
    given = str(folder / given) if isinstance(given, str) else given
    with pytest.raises(InputError, match=said):
        laid(base, given, **settings)
