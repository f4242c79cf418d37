"""Posterior labelling: what the weak supervisor, the untrained student and trained students say together.

See docs/posterior.md for what it assumes, and when it must fail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from w2s.debias import VERSION as DEBIAS_VERSION
from w2s.errors import InputError, unknown_name
from w2s.gold import Gold
from w2s.methods.base import Method, Round, Settings, Stages, Student
from w2s.methods.labelling import check_labelling, labelled, with_truth
from w2s.methods.selection import TrainingSet
from w2s.methods.weak_gold import learn_weak_gold
from w2s.reliability.views import WEIGHTS, posterior_of, view_of
from w2s.step import Step

__all__ = ["METHODS", "VIEWS", "pooled_labels"]

VIEWS = ("weak", "untrained", "cross-fitted", "weak-gold")
"""Who says something of a question: the weak supervisor; the strong model as it is; a student that was trained on the
labels of other questions; and one that was trained on the ground truth of `weak_train`, as the supervisor was."""

_SELECTOR, _GOLD_SELECTOR = "pooled_labels", "learn_weak_gold"


def pooled_labels(
    weak: pa.Table,
    untrained: pa.Table | None = None,
    cross_fitted: pa.Table | None = None,
    weak_gold: pa.Table | None = None,
    calibration_weak: pa.Table | None = None,
    calibration_untrained: pa.Table | None = None,
    calibration_cross_fitted: pa.Table | None = None,
    calibration_weak_gold: pa.Table | None = None,
    calibration_gold: pa.Table | None = None,
    left_out: pa.Table | None = None,
    *,
    views: Sequence[str] = VIEWS[:3],
    weights: str = "fitted",
    share: float = 0.6,
    labels: str = "soft",
    variance: bool = True,
    debias: bool = True,
    add_gold: bool = False,
    seed: int = 0,
) -> TrainingSet:
    """Label the transfer questions by the posterior of several views.

    Args:
        weak: The weak answers to the transfer questions; their prompts are the student's.
        untrained: The answers of the strong model as it is.
        cross_fitted: The answers of students that did not learn from the questions that they answer.
        weak_gold: The answers of a student that learned the ground truth of `weak_train`.
        calibration_weak: The weak supervisor's answers to `weak_train`, by models that did not learn those questions.
        calibration_untrained: The same of the strong model as it is.
        calibration_cross_fitted: The same of the students.
        calibration_weak_gold: The same of students that learned the ground truth of other questions of `weak_train`.
        calibration_gold: Ground truth of `weak_train`.
        left_out: Questions that are not labelled.
        views: Whose answers count, of `VIEWS`.
        weights: As for `reliability.views.posterior_of`.
        share: As for `labelling.labelled`.
        labels: As for `labelling.labelled`.
        variance: As for `reliability.views.posterior_of`.
        debias: Divide out what the position of an option adds to its probability, in each view.
        add_gold: The student learns the ground truth of `weak_train` as well.
        seed: Of the draw.

    Raises:
        InputError: A table is missing or not what it should be, or a setting is not valid.
    """
    given = dict(zip(VIEWS, (weak, untrained, cross_fitted, weak_gold), strict=True))
    calibration = (calibration_weak, calibration_untrained, calibration_cross_fitted, calibration_weak_gold)
    known = dict(zip(VIEWS, calibration, strict=True))
    found = posterior_of(
        [view_of(_there(given[name], name), name, debias=debias) for name in views],
        [view_of(table, name, debias=debias) for name in views if (table := known[name]) is not None],
        Gold.from_table(calibration_gold) if calibration_gold is not None else None,
        weights=weights,
        variance=variance,
    )
    said = ", ".join(f"{name} {weight:.2f}" for name, weight in zip(views, found.weights, strict=True))
    made = labelled(
        weak,
        found.choices,
        found.probabilities,
        share=share,
        labels=labels,
        without=set(left_out["question_id"].to_pylist()) if left_out is not None else (),
        rule=f"the posterior of the views, weighed {said}",
        seed=seed,
    )
    return with_truth(made, _there(calibration_gold, "ground-truth"), labels=labels) if add_gold else made


def _there(table: pa.Table | None, name: str) -> pa.Table:
    if table is None:
        raise InputError(f"method posterior: the {name} answers are not there")
    return table


# The steps


def _steps(stages: Stages, settings: Settings) -> Student:
    views = [name for name in VIEWS if name in settings["views"]]  # whatever the order in which they were named
    calibrated = settings["variance"] or (settings["weights"] == "fitted" and len(views) > 1)
    tables: dict[str, Step] = {"weak": stages.answers}
    if calibrated:
        if {"weak", "cross-fitted"} & set(views):  # the cross-fitted students learn what the weak view says
            tables["calibration_weak"] = stages.calibration
        tables["calibration_gold"] = stages.weak_gold
    if "untrained" in views:
        tables["untrained"] = stages.answer(None, choose=True, part="untrained")
        if calibrated:
            tables["calibration_untrained"] = stages.answer(None, split="weak_train", choose=True, part="untrained")
    rounds: list[Round] = []
    if "weak-gold" in views:
        rounds += _taught_gold(stages, tables, folds=settings["gold_folds"])
    if "cross-fitted" in views:
        teachers, teaching = ["weak"], "equal"
        for number in range(1, settings["rounds"] + 1):
            taught = _inputs(tables, teachers, teaching, settings)
            own = {**_labelling(settings), "views": teachers, "weights": teaching}
            rounds += _cross_fit(stages, tables, taught, own, folds=settings["folds"], part=f"round {number}")
            teachers, teaching = views, settings["weights"]
    told = {**_labelling(settings), "views": views, "weights": settings["weights"]}
    inputs = _inputs(tables, views, settings["weights"], settings)
    if settings["add_gold"]:  # it came later: without it, what was computed before is still found
        told, inputs = {**told, "add_gold": True}, {**inputs, "calibration_gold": stages.weak_gold}
    last = stages.select(_SELECTOR, inputs, told)
    return Student((*rounds, Round(last, stages.train(last))))


def _taught_gold(stages: Stages, tables: dict[str, Step], *, folds: int) -> list[Round]:
    """Put the answers of students that learned the ground truth of weak_train into the tables; return their trainings.

    Transfer is answered by a student that learned all of it, weak_train by students that each left out a fold.
    """

    def taught(gold: Step, part: str) -> Round:
        training_set = stages.select(_GOLD_SELECTOR, {"weak_gold": gold}, {}, part=part)
        return Round(training_set, stages.train(training_set, part=part))

    whole = taught(stages.weak_gold, "weak-gold")
    tables["weak_gold"] = stages.answer(whole.training, choose=True, part="weak-gold")
    if "calibration_gold" not in tables:
        return [whole]
    rounds, answers = [], []
    names = [f"weak-gold, student {number} of {folds}" for number in range(1, folds + 1)]
    for name, fold in zip(names, stages.folds(folds, split="weak_train"), strict=True):
        rounds.append(taught(fold, name))
        answers.append(stages.answer(rounds[-1].training, split="weak_train", fold=fold, choose=True, part=name))
    tables["calibration_weak_gold"] = stages.join(answers, supervisors=names, part="weak-gold, weak_train")
    return [whole, *rounds]


def _cross_fit(
    stages: Stages, tables: dict[str, Step], taught: Mapping[str, Step], labelling: Settings, *, folds: int, part: str
) -> list[Round]:
    """Put the cross-fitted students' answers into the tables, and return how the students were trained.

    Each student answers a fold of transfer that it did not learn from, and as large a part of weak_train: there as well
    each question is answered by one student, so that the weights that are fitted there hold for the others.
    """
    names = [f"student {number} of {folds}" for number in range(1, folds + 1)]

    def asked(split: str) -> Step:
        answers = [
            stages.answer(one.training, split=split, fold=fold, choose=True, part=f"{part}, {name}")
            for name, one, fold in zip(names, rounds, stages.folds(folds, split=split), strict=True)
        ]
        return stages.join(answers, supervisors=names, part=part if split == "transfer" else f"{part}, {split}")

    rounds = []
    for name, fold in zip(names, stages.folds(folds), strict=True):
        training_set = stages.select(_SELECTOR, {**taught, "left_out": fold}, labelling, part=f"{part}, {name}")
        rounds.append(Round(training_set, stages.train(training_set, part=f"{part}, {name}")))
    tables["cross_fitted"] = asked("transfer")
    if "calibration_gold" in tables:
        tables["calibration_cross_fitted"] = asked("weak_train")
    return rounds


def _labelling(settings: Settings) -> Settings:
    return {name: settings[name] for name in ("share", "labels", "variance", "debias")}


def _inputs(tables: Mapping[str, Step], views: Sequence[str], weights: str, settings: Settings) -> dict[str, Step]:
    """What labelling by these views reads: no table decides a key that decides nothing."""
    names = [name.replace("-", "_") for name in views]
    wanted = {"weak", *names}
    if settings["variance"] or (weights == "fitted" and len(views) > 1):
        wanted |= {f"calibration_{name}" for name in (*names, "gold")}
    return {name: step for name, step in tables.items() if name in wanted}


def _check(settings: Settings) -> None:
    views, weights, rounds = (settings[name] for name in ("views", "weights", "rounds"))
    for name in views:
        if name not in VIEWS:
            raise unknown_name("view of method posterior", name, VIEWS)
    if not views or len(set(views)) < len(views):
        raise InputError(
            f"views of method posterior are {views}: expected one or more of {', '.join(VIEWS)}, each once"
        )
    if weights not in WEIGHTS:
        raise unknown_name("weights of method posterior,", weights, WEIGHTS)
    if weights == "agreement" and len(views) != 3:
        raise InputError(f"weights of method posterior by agreement: expected three views, not {', '.join(views)}")
    for name in ("folds", "gold_folds"):
        if settings[name] < 2:
            raise InputError(f"{name} of method posterior is {settings[name]}: expected 2 or more")
    if rounds not in (1, 2):
        raise InputError(f"rounds of method posterior is {rounds}: expected 1 or 2")
    if rounds == 2 and not {"weak", "cross-fitted"} <= set(views):
        raise InputError(
            f"rounds of method posterior is 2 with views {', '.join(views)}: expected weak and cross-fitted among "
            "them, since students that teach students without their supervisor confirm their own errors"
        )
    check_labelling(settings["share"], settings["labels"])


METHODS = (
    Method(
        name="posterior",
        summary="labels pooled from several views: by default weak supervisor, untrained and cross-fitted student",
        steps=_steps,
        settings={
            "views": list(VIEWS[:3]),
            "weights": "fitted",
            "folds": 2,
            "gold_folds": 5,
            "share": 0.6,
            "labels": "soft",
            "rounds": 1,
            "variance": True,
            "debias": True,
            "add_gold": False,
        },
        selectors={_SELECTOR: pooled_labels, _GOLD_SELECTOR: learn_weak_gold},
        needs_options=True,
        check=_check,
        version=2 + DEBIAS_VERSION,  # raised when either is
    ),
)
