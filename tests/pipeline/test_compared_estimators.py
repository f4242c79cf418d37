"""Other estimators on the same answers: which steps they add, what these see, and that nothing follows from them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from support.experiments import SIZES, ancestors, in_splits, questions, write_rows
from support.keys import steps_of
from w2s.config import Experiment, ReliabilitySpec
from w2s.errors import InputError
from w2s.methods import METHODS
from w2s.pipeline.graph import Graph
from w2s.reliability import score_answers
from w2s.runners import local
from w2s.store import Store
from w2s.tables import ANSWERS, read_table, write_table

OTHERS = ["margin", "mutual-information", "debiased"]


@pytest.fixture(scope="module")
def base(base: Experiment) -> Experiment:
    """Without the methods that bring an estimator of their own: it would be compared as well."""
    return replace(base, methods=[name for name, method in METHODS.items() if method.estimator is None])


def comparing(base: Experiment, *names: str, **settings: Any) -> Experiment:
    return replace(base, reliability=ReliabilitySpec(compare=list(names), **settings))


def test_comparing_adds_scores_and_changes_no_other_step(base: Experiment) -> None:
    before, after = steps_of(base), steps_of(comparing(base, *OTHERS))
    added = {f"reliability by {name} · seed 0" for name in OTHERS}
    assert after.keys() - before.keys() == added
    assert {label: key for label, key in after.items() if label not in added} == before


def test_what_students_learn_from_does_not_know_the_comparison(base: Experiment) -> None:
    run = Graph(comparing(base, *OTHERS)).seed_runs[0]
    assert list(run.compared) == ["votes", *OTHERS] and run.compared["votes"] is run.scored
    others = {run.compared[name].key for name in OTHERS}
    for method in run.methods.values():
        assert not others & {step.key for one in method.student.rounds for step in ancestors(one.training)}


def test_an_estimator_of_one_method_is_compared_as_well_and_none_comes_twice(base: Experiment) -> None:
    methods = ["naive", {"method": "filtering", "estimator": "margin"}]
    run = Graph(replace(comparing(base, "votes", "margin", "debiased"), methods=methods)).seed_runs[0]
    assert list(run.compared) == ["votes", "margin", "debiased"]
    scored = run.methods["filtering"].student.rounds[0].training_set.inputs["scored"]
    assert scored.key == run.compared["margin"].key


def test_an_unknown_estimator_is_refused_with_the_nearest_before_anything_runs(base: Experiment) -> None:
    with pytest.raises(InputError, match=r"estimator 'marign'.*did you mean 'margin'"):
        Graph(comparing(base, "marign"))


def test_a_regression_sees_the_truth_of_weak_train_and_of_nothing_else(base: Experiment, tmp_path: Path) -> None:
    rows = in_splits(questions())
    for row in rows:
        if row["split"] != "weak_train":
            row["answer"] = row["choices"][2]
    found = []
    for name, experiment in {"as it is": base, "another truth": other_data(base, tmp_path, rows)}.items():
        run = Graph(replace(comparing(experiment, "learned"), weak=replace(base.weak, folds=2))).seed_runs[0]
        gold = {step.settings["split"] for step in ancestors(run.compared["learned"]) if step.kind == "gold"}
        assert gold == {"weak_train"}, name
        found.append(run.compared["learned"].key)
        assert found[0] == found[-1], "the truth of transfer and test is no part of it"


def other_data(base: Experiment, folder: Path, rows: list[dict[str, Any]]) -> Experiment:
    return replace(base, task=replace(base.task, data=write_rows(folder / "other.jsonl", rows)))


def test_a_regression_is_fitted_in_a_run(base: Experiment, tmp_path: Path) -> None:
    rows = questions(44)
    splits = ["weak_train"] * 24 + ["transfer"] * 12 + ["test"] * 8
    experiment = other_data(base, tmp_path, [{**row, "split": one} for row, one in zip(rows, splits, strict=True)])
    task = replace(experiment.task, weak_train=24, transfer=12, test=8)
    experiment = replace(comparing(experiment, "learned"), task=task, weak=replace(base.weak, folds=2))
    step, store = Graph(experiment).seed_runs[0].compared["learned"], Store(tmp_path / "store")
    local.run([step], store)
    scored = read_table(store.path(step) / "scored.parquet")
    assert scored.num_rows == 3 * 12 and len(set(scored["confidence"].to_pylist())) > 1


def encoding(base: Experiment, encoder: Path) -> Experiment:
    return comparing(base, estimator="semantic-entropy", settings={"encoder": str(encoder)})


def test_an_encoder_counts_by_its_content_and_not_by_its_place(
    base: Experiment, tiny_llama: Path, tmp_path: Path
) -> None:
    same, other = tmp_path / "same", tmp_path / "other"
    shutil.copytree(tiny_llama, same)
    shutil.copytree(tiny_llama, other)
    (other / "note.json").write_text("{}")
    first, second, third = (Graph(encoding(base, one)).seed_runs[0].scored for one in (tiny_llama, same, other))
    assert first.key == second.key != third.key
    assert str(tiny_llama) not in str(first.settings) and first.execution["models"] == {"encoder": str(tiny_llama)}
    with pytest.raises(InputError, match="no such file or folder"):
        Graph(encoding(base, tmp_path / "none"))


def test_an_encoder_that_changed_since_the_run_began_is_refused(
    base: Experiment, tiny_llama: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_llama, tmp_path / "encoder")
    step, store = Graph(encoding(base, tmp_path / "encoder")).seed_runs[0].scored, Store(tmp_path / "store")
    local.run([step.inputs["answers"]], store)
    (tmp_path / "encoder" / "note.json").write_text("{}")
    with pytest.raises(InputError, match="was changed since the run began"):
        local.run([step], store)
    (tmp_path / "encoder" / "note.json").unlink()
    local.run([step], store)
    assert read_table(store.path(step) / "scored.parquet").num_rows == 3 * SIZES["transfer"]


def test_free_answers_are_scored_by_an_encoder_that_the_step_names(tiny_llama: Path, tmp_path: Path) -> None:
    from w2s.pipeline.steps import KINDS
    from w2s.reliability.encoder import by_content
    from w2s.step import Context

    rows = [{"question_id": "q", "variation": n, "answer": a} for n, a in enumerate(("Paris", "paris.", "Rome"))]
    answers = pa.Table.from_pylist(rows, schema=pa.schema([ANSWERS.field(name) for name in rows[0]]))
    write_table(answers, tmp_path / "answers.parquet")
    given = {"encoder": str(tiny_llama), "similarity": 1.0}
    content, places = by_content(given, ["encoder"])
    settings = {"estimator": "semantic-entropy", "unparsed": "class", "settings": content}
    KINDS["scored"].build(settings, {"answers": tmp_path}, tmp_path, Context(execution={"models": places}))
    expected = score_answers(answers, estimator="semantic-entropy", **given)
    assert read_table(tmp_path / "scored.parquet")["confidence"].to_pylist() == expected["confidence"].to_pylist()
