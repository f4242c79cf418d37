"""The graph: a method twice, or with an estimator of its own, and what is refused before anything is computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.experiments import in_splits, training, write_rows
from support.keys import steps_of
from w2s.config import Experiment, ReliabilitySpec, WeakSpec
from w2s.errors import InputError
from w2s.pipeline.graph import Graph
from w2s.runners.base import order


def test_one_method_stands_twice_with_labels(base: Experiment) -> None:
    strict = {"method": "filtering", "label": "strict", "quantile": 0.25}
    graph = Graph(replace(base, methods=["naive", "filtering", strict]))
    assert [spec.label for spec in graph.methods] == ["naive", "filtering", "strict"]
    runs = graph.seed_runs[0].methods
    assert runs["strict"].spec.settings["quantile"] == 0.25 and runs["filtering"].spec.settings["quantile"] == 0.5
    labels = {step.label for step in order(graph.targets())}
    assert labels >= {f"strict: {what} · seed 0" for what in ("training set", "training", "test")}
    alike = Graph(replace(base, methods=["filtering", {"method": "filtering", "label": "again"}])).seed_runs[0].methods
    assert alike["again"].predictions.key == alike["filtering"].predictions.key != runs["strict"].predictions.key


def test_without_methods_those_are_compared_that_fit(base: Experiment, tmp_path: Path) -> None:
    every = replace(base, methods=None)
    labels = [spec.label for spec in Graph(every).methods]
    assert labels[1] == "naive" and {"self", "weak-gold", "ceiling"} < set(labels)
    prompted = replace(every, weak=replace(base.weak, source="prompted"), task=replace(base.task, weak_train=0))
    assert [spec.label for spec in Graph(prompted).methods] == [label for label in labels if label != "weak-gold"]
    rows = [{"id": f"q{number}", "question": f"{number} + 1?", "answer": str(number + 1)} for number in range(36)]
    free = replace(every, task=replace(base.task, data=write_rows(tmp_path / "free.jsonl", in_splits(rows))))
    graph = Graph(free)
    assert [spec.label for spec in graph.methods] == [label for label in labels if label != "self"]
    assert graph.resolved.methods == [spec.label for spec in graph.methods]
    assert Graph(graph.resolved).targets()[-1].key == graph.targets()[-1].key


def test_weak_answers_are_scored_by_those_estimators_alone_that_are_named_for_them(base: Experiment) -> None:
    def compared(*methods: Any, **reliability: Any) -> set[str]:
        given = replace(base, methods=["naive", *methods], reliability=ReliabilitySpec(**reliability))
        return set(Graph(given).seed_runs[0].compared)

    assert compared("self") == {"votes"}  # debiased is for what the student says itself
    assert compared("soft-labels") == {"votes", "probability"}
    assert compared({"method": "filtering", "estimator": "margin"}) == {"votes", "margin"}
    assert compared("self", compare=["debiased"]) == {"votes", "debiased"}


def test_a_method_with_its_own_estimator_leaves_the_others_as_they_are(base: Experiment) -> None:
    own = {"method": "filtering", "label": "by-probability", "estimator": "probability"}
    graph = Graph(replace(base, methods=["filtering", own, "naive"]))
    assert graph.estimators == {"votes": {"temperature": 0.2}, "probability": {"temperature": 1.0}}
    seed_run = graph.seed_runs[0]
    scored = {
        label: method.student.rounds[0].training_set.inputs["scored"] for label, method in seed_run.methods.items()
    }
    assert scored["filtering"].key == scored["naive"].key == seed_run.scored.key
    assert scored["by-probability"].settings["estimator"] == "probability"
    assert scored["by-probability"].inputs["answers"].key == seed_run.supervision.answers.key
    plain = steps_of(replace(base, methods=["filtering", "naive"]))
    assert plain.items() <= steps_of(graph.experiment).items()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"methods": ["naiv"]}, "did you mean 'naive'"),
        ({"methods": []}, "methods is empty"),
        ({"methods": ["naive", "naive"]}, "methods names 'naive' more than once: give each a label"),
        (
            {"methods": ["majority", {"method": "naive", "label": "majority"}]},
            "methods names 'majority' more than once",
        ),
        ({"methods": [{"methd": "naive"}]}, "methods holds {'methd': 'naive'}: expected a name, or"),
        ({"methods": [{"method": "naive", "label": "a/b"}]}, "label of method naive is 'a/b'"),
        ({"methods": [{"method": "naive", "estimator": "vots"}]}, "did you mean 'votes'"),
        ({"methods": [{"method": "naive", "estimator": 3}]}, "estimator of method naive is 3"),
        ({"methods": [{"method": "filtring"}]}, "did you mean 'filtering'"),
        ({"methods": [{"method": "filtering", "quantil": 0.5}]}, "did you mean 'quantile'"),
        ({"methods": [{"method": "filtering", "quantile": "half"}]}, "quantile of method filtering is 'half'"),
        ({"methods": [{"method": "filtering", "quantile": 1.5}]}, "quantile 1.5"),
        ({"compare": ["naive", "naiv"]}, "compare names 'naiv'"),
        ({"compare": ["naive"]}, "compare is ['naive']: expected two methods"),
        ({"weak": WeakSpec(source="traind")}, "did you mean 'trained'"),
        ({"weak": WeakSpec(source="trained", examples=2)}, "source trained shows none, prompted does"),
        ({"weak": WeakSpec(source="prompted", examples=-1)}, "weak.examples is -1"),
        ({"reliability": ReliabilitySpec(estimator="vots")}, "did you mean 'votes'"),
        ({"reliability": ReliabilitySpec(settings={"temprature": 1.0})}, "did you mean 'temperature'"),
        ({"student_training": training(loss="cros-entropy")}, "did you mean 'cross-entropy'"),
        ({"student_training": training(loss_settings={"gamma": 2.0})}, "loss_settings has 'gamma'"),
        ({"seeds": []}, "seeds is empty"),
        ({"seeds": [1, 1]}, "seeds names 1 more than once"),
        ({"seeds": [-1]}, "seed -1: expected a number from 0"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(base: Experiment, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        Graph(replace(base, **fields))
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"test": 0}, "test is 0"),
        ({"weak_train": 0}, "weak_train is 0: an experiment needs questions in every split for source trained"),
        ({"transfer": 17}, "transfer asks for 17 questions: there are 16"),
        ({"num_variations": 25}, "num_variations is 25"),
        ({"data": "nowhere.jsonl"}, "no such file: nowhere.jsonl"),
        ({"name": "fiel"}, "did you mean 'file'"),
    ],
)
def test_questions_that_cannot_be_had_are_refused_before_anything_runs(
    base: Experiment, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        Graph(replace(base, task=replace(base.task, **fields)))


def test_a_supervisor_that_is_no_model_is_called_by_what_it_is(base: Experiment) -> None:
    assert Graph(base).supervisor == base.weak.name
    member = {"source": "simulated"}
    members = [{"name": "ann", "weak": member}, {"name": "bob", "weak": member}]
    for weak, called in (
        (WeakSpec(source="simulated"), "a simulated supervisor"),
        (WeakSpec(source="pooled", settings={"members": members}), "ann + bob"),
    ):
        assert Graph(replace(base, weak=weak)).supervisor == called
