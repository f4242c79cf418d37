"""How far each answer can be trusted: one file an estimator. To add one, add a file here that names it in `ESTIMATORS`.

No ground truth is needed for that, and none is used, except by `agreement_signal`, which asks afterwards
whether a score said anything, and by estimators that ask for a calibration: the truth of `weak_train`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, get_args

import pyarrow as pa
import pyarrow.compute as pc

from w2s.errors import InputError, unknown_name
from w2s.registry import Registry, resolve_settings
from w2s.reliability.base import Calibration, Estimator, add_scores, check_answers, check_scored, scores_in
from w2s.reliability.signal import AgreementSignal, ReliabilitySummary, agreement_signal, summarize
from w2s.reliability.votes import agreement, count_votes
from w2s.tables import Unparsed, carried

__all__ = [
    "ESTIMATORS",
    "AgreementSignal",
    "Calibration",
    "Estimator",
    "ReliabilitySummary",
    "agreement_signal",
    "check_answers",
    "check_scored",
    "resolve_estimator",
    "score_answers",
    "scores_in",
    "summarize",
]

logger = logging.getLogger(__name__)

ESTIMATORS: Registry[Estimator] = Registry("estimator")
ESTIMATORS.discover(__name__, __path__, "ESTIMATORS")


def resolve_estimator(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an estimator, with those given in place of its defaults.

    Raises:
        InputError: There is no such estimator or setting, or the value is of another type.
    """
    return resolve_settings(f"estimator {name}", ESTIMATORS.find(name).settings, given)


def score_answers(
    answers: pa.Table,
    *,
    estimator: str = "votes",
    unparsed: Unparsed = "class",
    calibration: Calibration | None = None,
    second_view: pa.Table | None = None,
    **settings: Any,
) -> pa.Table:
    """Score how far each answer can be trusted.

    Args:
        answers: Any table with `question_id`, `variation` and `answer`; null = could not be parsed. If it
            has a column `supervisor`, the answers of all supervisors to a question vote together.
        estimator: Its name.
        unparsed: What happens to unparsed answers: "class" = they count as one more answer, "drop_question" =
            a question with any of them loses all its rows, "drop_answer" = they are dropped before the vote, and so is
            an answer that is then the only one left.
        calibration: For an estimator that needs it.
        second_view: The answers of a student to the same questions, likewise.
        **settings: The estimator's own; of `votes`, the `temperature` of the reliability (0.2).

    Returns:
        The remaining rows in their original order, with all their columns and the scores at the end.

    Raises:
        InputError: The table is not one of answers (see `check_answers`), or a setting is not valid.
    """
    if unparsed not in get_args(Unparsed):
        raise unknown_name("rule for unparsed answers", unparsed, get_args(Unparsed))
    resolved = resolve_estimator(estimator, settings)
    found = ESTIMATORS[estimator]
    views = {"calibration": calibration, "second_view": second_view}
    for name in sorted(found.needs):
        if views[name] is None:
            raise InputError(f"estimator {estimator!r} needs a {name.replace('_', ' ')}: use it in w2s run")
        resolved[name] = views[name]
    kept = _without_unparsed(check_answers(answers), unparsed)
    scored = found.estimate(kept, **resolved)
    _check_rows(estimator, kept, scored)
    if "entropy" not in scored.column_names:  # how far the answers agree describes them, whatever estimates their trust
        vote_share, entropy = agreement(count_votes(kept))
        scored = add_scores(scored, vote_share=vote_share, entropy=entropy)
    return carried(answers, scored)


def _check_rows(estimator: str, answers: pa.Table, scored: object) -> None:
    """Make sure that an estimator gave back the answers that it was given, each with its scores."""
    same = isinstance(scored, pa.Table) and all(
        name in scored.column_names and scored[name].equals(answers[name])
        for name in ("question_id", "variation", "supervisor", "answer")
        if name in answers.column_names
    )
    if not same:
        raise InputError(
            f"estimator {estimator!r} did not give back the answers that it was given, in their order: "
            "expected the same rows with the scores at the end"
        )


def _without_unparsed(answers: pa.Table, unparsed: Unparsed) -> pa.Table:
    """The rows that take part in the vote."""
    missing = pc.is_null(answers["answer"])
    match unparsed:
        case "class":
            return answers
        case "drop_answer":
            return _with_two_votes(answers, answers.filter(pc.invert(missing)))
        case "drop_question":
            unsure = answers["question_id"].filter(missing).unique()
            return answers.filter(pc.invert(pc.is_in(answers["question_id"], value_set=unsure)))


def _with_two_votes(answers: pa.Table, kept: pa.Table) -> pa.Table:
    """Leave out questions of several answers of which one is left: it would agree with itself, and be trusted."""
    counts = kept.group_by("question_id", use_threads=False).aggregate([([], "count_all")])
    before = answers.group_by("question_id", use_threads=False).aggregate([([], "count_all")])
    single = counts.filter(pc.equal(counts["count_all"], 1))["question_id"]
    several = before.filter(pc.greater(before["count_all"], 1))["question_id"]
    lonely = single.filter(pc.is_in(single, value_set=several.combine_chunks()))
    if len(lonely):
        logger.info("%d questions have a single parsed answer left, which no other can confirm: left out", len(lonely))
    return kept.filter(pc.invert(pc.is_in(kept["question_id"], value_set=lonely.combine_chunks())))
