"""The graph: which steps see ground truth, and which settings and versions change which steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from support.experiments import (
    SIZES,
    ancestors,
    compute,
    in_splits,
    questions,
    small_experiment,
    training,
    write_rows,
)
from w2s.config import AnsweringSpec, Experiment, LoraSpec, ModelSpec, ReliabilitySpec, WeakSpec
from w2s.errors import InputError
from w2s.methods import METHODS, Method
from w2s.methods.base import Round, Settings, Stages, Student
from w2s.pipeline.graph import Graph
from w2s.pipeline.steps import KINDS
from w2s.reliability import ESTIMATORS
from w2s.runners import local
from w2s.runners.base import order
from w2s.step import Step
from w2s.store import Store
from w2s.supervisors import SOURCES
from w2s.tables import read_table
from w2s.tasks import TASKS
from w2s.training.losses import LOSSES


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_rows(tmp_path_factory.mktemp("data") / "questions.jsonl", in_splits(questions()))


@pytest.fixture(scope="module")
def base(data: str, tiny_llama: Path, tiny_gemma: Path) -> Experiment:
    return small_experiment(data, tiny_llama, tiny_gemma, methods=list(METHODS))


# Ground truth


def gold_of_questions_to_learn_from_or_tested(step: Step | None) -> list[str]:
    return [one.label for one in ancestors(step) if one.kind == "gold" and one.settings["split"] != "weak_train"]


@pytest.mark.parametrize("name", METHODS)
def test_only_a_method_that_says_so_has_ground_truth_behind_its_student(base: Experiment, name: str) -> None:
    for seed_run in Graph(replace(base, seeds=[0, 3])).seed_runs:
        for one in seed_run.methods[name].student.rounds:
            for step in one:
                seen = set(gold_of_questions_to_learn_from_or_tested(step))
                assert seen == ({"ground truth of transfer"} if METHODS[name].uses_gold else set())


@pytest.mark.parametrize(
    "weak", [{}, {"source": "prompted"}, {"source": "prompted", "examples": 2}], ids=["trained", "prompted", "shown"]
)
def test_weak_answers_and_their_scores_see_the_truth_of_weak_train_at_most(
    base: Experiment, weak: dict[str, Any]
) -> None:
    seed_run = Graph(replace(base, weak=replace(base.weak, **weak))).seed_runs[0]
    sees = {"weak_train"} if weak.get("examples") or not weak else set()
    for step in (seed_run.supervision.answers, seed_run.scored):
        assert gold_of_questions_to_learn_from_or_tested(step) == []
        assert {one.settings["split"] for one in ancestors(step) if one.kind == "gold"} == sees
    training = seed_run.supervision.training
    assert (training is None) == bool(weak) and gold_of_questions_to_learn_from_or_tested(training) == []


def test_the_truth_of_test_is_behind_predictions_only(base: Experiment) -> None:
    graph = Graph(base)
    behind = {
        step.kind
        for target in graph.targets()
        for step in ancestors(target)
        if any(one.label == "ground truth of test" for one in ancestors(step))
    }
    assert behind == {"gold", "predictions"}


def with_method(monkeypatch: pytest.MonkeyPatch, *, uses_gold: bool) -> None:
    def steps(stages: Stages, settings: Settings) -> Student:
        training_set = stages.select("all", {"gold_answers": stages.gold_answers}, {})
        return Student((Round(training_set, stages.train(training_set)),))

    selectors = METHODS["ceiling"].selectors
    method = Method(
        name="peeking", summary="asks for gold", steps=steps, settings={}, selectors=selectors, uses_gold=uses_gold
    )
    monkeypatch.setitem(METHODS, "peeking", method)


def test_a_method_that_asks_for_ground_truth_without_saying_so_fails(
    base: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_method(monkeypatch, uses_gold=False)
    with pytest.raises(InputError, match="method peeking asks for ground truth: it must say uses_gold"):
        Graph(replace(base, methods=["peeking"]))
    with_method(monkeypatch, uses_gold=True)
    assert Graph(replace(base, methods=["peeking"])).seed_runs[0].methods["peeking"].spec.method.uses_gold


def test_other_answers_to_the_transfer_questions_change_what_only_gold_methods_learn_from(
    base: Experiment, tmp_path: Path
) -> None:
    rows = in_splits(questions())
    for row in rows:
        if row["split"] == "transfer":
            row["answer"] = row["choices"][2]
    task = replace(base.task, data=write_rows(tmp_path / "other.jsonl", rows))
    tables: list[dict[str, pa.Table]] = []
    for experiment in (base, replace(base, task=task)):
        graph, store = Graph(experiment), Store(tmp_path / "store")
        seed_run = graph.seed_runs[0]
        answers, scored = seed_run.supervision.answers, seed_run.scored
        sets = {
            f"{name} {number}": one.training_set
            for name, method_run in seed_run.methods.items()
            for number, one in enumerate(method_run.student.rounds, 1)
        }
        local.run([answers, scored, *sets.values()], store)
        found = {name: read_table(store.path(step) / "training_set.parquet") for name, step in sets.items()}
        found["scored answers"] = read_table(store.path(scored) / "scored.parquet")
        found["answers"] = read_table(store.path(answers) / "answers.parquet")
        tables.append(found)
    before, after = tables
    assert before.keys() == after.keys() >= {"relabel 1", "relabel 2", "naive 1"}
    assert {name for name in before if not before[name].equals(after[name])} == {"ceiling 1", "oracle 1"}
    for name in ("answers", "scored answers"):
        assert not {"gold", "correct", "label", "truth"} & set(before[name].column_names)
        assert before[name].num_rows == 3 * SIZES["transfer"]
    assert before["answers"].column_names == [
        *("question_id", "variation", "prompt", "completion", "asked", "response", "answer", "position"),
        *("choices", "completions", "choice_logprobs", "supervisor"),
    ]


# Keys


def steps_of(experiment: Experiment) -> dict[str, str]:
    """The key of each step, by its label, a model's conversion included."""
    return {step.label: step.key for step in order(Graph(experiment).targets())}


def changed(base: Experiment, other: Experiment) -> set[str]:
    """The labels of the steps that are not the same in both."""
    before, after = steps_of(base), steps_of(other)
    assert before.keys() == after.keys()
    return {label for label in before if before[label] != after[label]}


def edited(spec: Any, **fields: Any) -> Any:
    return replace(spec, **fields)


def with_settings(experiment: Experiment, name: str, **settings: Any) -> list[str | dict[str, Any]]:
    """The methods, one of them with settings of its own."""
    return [{"method": name, **settings} if method == name else method for method in experiment.methods]


IRRELEVANT: dict[str, Callable[[Experiment], Experiment]] = {
    "micro batch": lambda e: edited(e, student_training=edited(e.student_training, micro_batch_size=2)),
    "weak micro batch": lambda e: edited(e, weak_training=edited(e.weak_training, micro_batch_size=2)),
    "gradient checkpointing": lambda e: edited(
        e, student_training=edited(e.student_training, gradient_checkpointing=True)
    ),
    "checkpoints": lambda e: edited(e, student_training=edited(e.student_training, checkpoints=1)),
    "tokens of a batch": lambda e: edited(
        e, answering=AnsweringSpec(tokens_per_batch=99), evaluation=AnsweringSpec(tokens_per_batch=9)
    ),
    "generation while choosing": lambda e: edited(e, answering=AnsweringSpec(max_new_tokens=7)),
    "the mode that is the default": lambda e: edited(e, answering=AnsweringSpec(mode="choose")),
    "device": lambda e: edited(e, weak=edited(e.weak, device="cpu"), strong=edited(e.strong, device="cuda")),
    "compilation": lambda e: edited(e, student_training=edited(e.student_training, compile="off")),
    "the comparison": lambda e: edited(e, compare=["reweighting", "majority"]),
    "order of the methods": lambda e: edited(e, methods=list(reversed(e.methods))),
    "a default that is written out": lambda e: edited(
        e,
        methods=with_settings(e, "filtering", quantile=0.5, estimator="votes"),
        reliability=ReliabilitySpec(estimator="votes", temperature=0.2, unparsed="class"),
        weak=edited(e.weak, source="trained", examples=0),
    ),
}


@pytest.mark.parametrize("name", IRRELEVANT)
def test_what_does_not_change_the_outcome_changes_no_step(base: Experiment, name: str) -> None:
    other = IRRELEVANT[name](base)
    assert other != base
    assert changed(base, other) == set()


def selects(label: str) -> bool:
    return "training set" in label and "weak supervisor" not in label


def trains(label: str) -> bool:
    return "training ·" in label and "weak supervisor" not in label


def evaluates_student(label: str) -> bool:
    return "test" in label and not label.startswith(("questions", "ground truth", "weak supervisor", "zero-shot"))


def of_trained_student(label: str) -> bool:
    """A student's training and what follows from it: a second round selects by what the first student answers."""
    second = ("relabel: round 1: answers · seed 0", "relabel: round 2: training set · seed 0")
    return trains(label) or evaluates_student(label) or label in second


def students(label: str) -> bool:
    return selects(label) or of_trained_student(label)


def seeded(label: str) -> bool:
    return not label.startswith(("questions", "ground truth", "zero-shot"))


def of_unscored(label: str) -> bool:
    return label.startswith("ceiling")


RELEVANT: dict[str, tuple[Callable[[Experiment], Experiment], Callable[[str], bool]]] = {
    "reliability temperature": (
        lambda e: edited(e, reliability=ReliabilitySpec(temperature=0.5)),
        lambda label: label == "reliability · seed 0" or (students(label) and not of_unscored(label)),
    ),
    "unparsed rule": (
        lambda e: edited(e, reliability=ReliabilitySpec(unparsed="drop_answer")),
        lambda label: label == "reliability · seed 0" or (students(label) and not of_unscored(label)),
    ),
    "student's learning rate": (
        lambda e: edited(e, student_training=training(1e-3)),
        of_trained_student,
    ),
    "student's rank": (
        lambda e: edited(e, student_training=edited(e.student_training, lora=LoraSpec(rank=2, alpha=8))),
        of_trained_student,
    ),
    "strong dtype": (
        lambda e: edited(e, strong=edited(e.strong, dtype="bfloat16")),
        lambda label: of_trained_student(label) or label == "zero-shot: test",
    ),
    "mode of the evaluation": (
        lambda e: edited(e, evaluation=AnsweringSpec(mode="generate")),
        lambda label: "test" in label and not label.startswith(("questions", "ground truth")),
    ),
    "mode of the answers": (
        lambda e: edited(e, answering=AnsweringSpec(mode="generate")),
        lambda label: (
            label in ("weak answers · seed 0", "reliability · seed 0") or (students(label) and not of_unscored(label))
        ),
    ),
    "number of variations": (
        lambda e: edited(e, task=edited(e.task, num_variations=4)),
        lambda label: (
            label in ("weak answers · seed 0", "reliability · seed 0") or (students(label) and not of_unscored(label))
        ),
    ),
    "weak training": (
        lambda e: edited(e, weak_training=edited(e.weak_training, epochs=2)),
        lambda label: seeded(label) and label != "weak supervisor: training set · seed 0" and not of_unscored(label),
    ),
    "one method's setting": (
        lambda e: edited(e, methods=with_settings(e, "filtering", quantile=0.25)),
        lambda label: label.startswith("filtering:"),
    ),
    "the student's loss": (
        lambda e: edited(e, student_training=edited(e.student_training, loss="soft-cross-entropy")),
        of_trained_student,
    ),
    "the split's seed": (lambda e: edited(e, task=edited(e.task, split_seed=1)), lambda label: True),
    "template": (
        lambda e: edited(e, task=edited(e.task, templates={"letter": "{question}\n{options}\n="})),
        lambda label: not label.startswith("questions"),
    ),
}


@pytest.mark.parametrize("name", RELEVANT)
def test_a_setting_changes_the_steps_that_it_concerns_and_no_other(base: Experiment, name: str) -> None:
    change, concerned = RELEVANT[name]
    expected = {label for label in steps_of(base) if concerned(label)}
    assert expected and changed(base, change(base)) == expected


def test_a_seed_changes_all_but_the_questions_the_truth_and_the_untrained_model(base: Experiment) -> None:
    zero, one = (steps_of(replace(base, seeds=[seed])) for seed in (0, 1))
    same = set(zero.values()) & set(one.values())
    assert {label for label, key in zero.items() if key in same} == {
        *(f"{what} of {split}" for what in ("questions", "ground truth") for split in SIZES),
        "zero-shot: test",
    }


def test_seeds_share_their_steps_with_runs_of_other_seeds(base: Experiment) -> None:
    both, first = set(steps_of(replace(base, seeds=[0, 1])).values()), set(steps_of(base).values())
    assert first < both


def test_the_size_of_the_test_split_changes_predictions_only_where_it_moves_no_other_question(
    base: Experiment,
) -> None:
    other = replace(base, task=replace(base.task, test=SIZES["test"] - 2))
    assert changed(base, other) == {label for label in steps_of(base) if "test" in label}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_does_not_depend_on_which_others_are_asked_for(base: Experiment, name: str) -> None:
    alone, all_of_them = steps_of(replace(base, methods=[name])), steps_of(base)
    assert {label: all_of_them[label] for label in alone} == alone


def test_a_copy_of_a_model_elsewhere_is_the_same_model(base: Experiment, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for file in Path(base.weak.name).iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert changed(base, replace(base, weak=replace(base.weak, name=str(copy)))) == set()
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    assert "weak answers · seed 0" in changed(base, replace(base, weak=replace(base.weak, name=str(copy))))


def test_a_second_experiment_with_another_method_reuses_the_answers_of_the_first(
    base: Experiment, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    first = compute(replace(base, methods=["naive"]), store)
    assert "weak answers · seed 0" in first
    second = compute(replace(base, methods=["majority"]), Store(store.root))
    assert second == [f"majority: {what} · seed 0" for what in ("training set", "training", "test")]


# Versions


def concerned(steps: list[Step], is_it: Callable[[Step], bool]) -> set[str]:
    """The labels of the steps that are it, or follow from one that is."""
    return {step.label for step in steps if any(is_it(one) for one in ancestors(step))}


def changed_by(
    experiment: Experiment, raise_version: Callable[[], object], is_it: Callable[[Step], bool]
) -> tuple[set[str], set[str]]:
    """The labels of the steps whose key a raised version changes, and of those whose key it should."""
    steps = order(Graph(experiment).targets())
    before = {step.label: step.key for step in steps}
    raise_version()
    after = steps_of(experiment)
    assert before.keys() == after.keys()
    return {label for label in before if before[label] != after[label]}, concerned(steps, is_it)


@pytest.mark.parametrize("kind", KINDS)
def test_a_raised_version_of_a_build_changes_what_it_builds_and_what_follows(
    base: Experiment, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "student.gguf").write_bytes(b"GGUF")
    base = replace(base, strong=ModelSpec(name=str(tmp_path / "student.gguf"), dtype="float32"))

    def raise_version() -> None:
        monkeypatch.setitem(KINDS, kind, KINDS[kind]._replace(version=99))
        if kind == "model":
            monkeypatch.setattr("w2s.models.prepared.CONVERSION", 99)

    found, expected = changed_by(base, raise_version, lambda step: step.kind == kind)
    assert found == expected != set()


@pytest.mark.parametrize("name", METHODS)
def test_a_raised_version_of_a_method_changes_what_it_selects_and_what_follows(
    base: Experiment, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_version() -> None:
        monkeypatch.setitem(METHODS, name, replace(METHODS[name], version=99))

    found, expected = changed_by(base, raise_version, lambda step: step.settings.get("method") == name)
    assert found == expected
    # The ceiling's selection makes the weak supervisor's training set as well.
    own = {label for label in found if label.startswith(f"{name}:")}
    assert bool(own) == (name != "zero-shot")
    assert found == own or name == "ceiling"


def asks(step: Step) -> bool:
    return step.kind in ("answers", "predictions")


PIECES: dict[str, tuple[Callable[[pytest.MonkeyPatch], object], Callable[[Step], bool]]] = {
    "task": (
        lambda patch: patch.setattr(TASKS["file"], "version", 99),
        lambda step: asks(step) or step.kind == "gold",
    ),
    "another task": (lambda patch: patch.setattr(TASKS["geography"], "version", 99), lambda step: False),
    "source": (
        lambda patch: patch.setitem(SOURCES, "trained", replace(SOURCES["trained"], version=99)),
        lambda step: asks(step) and step.label.startswith("weak "),
    ),
    "another source": (
        lambda patch: patch.setitem(SOURCES, "prompted", replace(SOURCES["prompted"], version=99)),
        lambda step: False,
    ),
    "estimator": (
        lambda patch: patch.setitem(ESTIMATORS, "votes", replace(ESTIMATORS["votes"], version=99)),
        lambda step: step.kind == "scored" and step.settings["estimator"] == "votes",
    ),
    "one method's estimator": (
        lambda patch: patch.setitem(ESTIMATORS, "probability", replace(ESTIMATORS["probability"], version=99)),
        lambda step: step.kind == "scored" and step.settings["estimator"] == "probability",
    ),
    "loss": (
        lambda patch: patch.setitem(LOSSES, "cross-entropy", replace(LOSSES["cross-entropy"], version=99)),
        lambda step: step.kind == "training",
    ),
}


@pytest.mark.parametrize("piece", PIECES)
def test_a_raised_version_of_a_piece_changes_the_steps_that_it_decides_and_what_follows(
    base: Experiment, piece: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = replace(base, methods=with_settings(base, "filtering", estimator="probability"))
    raise_version, is_it = PIECES[piece]
    found, expected = changed_by(base, lambda: raise_version(monkeypatch), is_it)
    assert found == expected
    assert bool(found) != piece.startswith("another")


# A method more than once, or with an estimator of its own


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


# What is refused before anything is computed


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
        ({"answering": AnsweringSpec(mode="chose")}, "mode 'chose'"),  # type: ignore[arg-type]
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
