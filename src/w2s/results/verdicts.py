"""What the findings mean, in words: a verdict, the sentence behind it, and what else is worth knowing."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from w2s.metrics import Difference, Interval
from w2s.results.comparison import ComparedEstimator
from w2s.results.findings import POSITION_NOTED, POSITION_RULES, AnswerShare, Findings, PositionBias

__all__ = ["TITLES", "Verdict", "best_estimator", "judge", "knows_more", "notes"]

# Above this unanimity a filter has next to nothing to choose from: at most one question in twenty differs.
UNANIMOUS = 0.95
# An AUROC below this is of no use; from the second on, picking by agreement visibly raises label accuracy.
AUROC_NOTHING, AUROC_USEFUL = 0.55, 0.65
# More than half unparsed and the rest is what is left of a failed prompt; more than one in twenty is worth a word.
UNPARSED_NOTED, UNPARSED_MOSTLY = 0.05, 0.5
# One answer to nine questions in ten, and a tenth more often than the truth has it.
ONE_ANSWER, ONE_ANSWER_EXCESS = 0.9, 0.1
# A variation that disagrees this much more often than the mean of the others has a wording worth a look.
VARIATION_NOTED = 0.1


class Verdict(StrEnum):
    """What the agreement of a supervisor's answers is worth."""

    INFORMATIVE = "informative"
    WEAKLY_INFORMATIVE = "weakly informative"
    UNINFORMATIVE = "uninformative"
    UNCLEAR = "unclear"  # ground truth for too few answers
    UNCHECKED = "unchecked"  # no ground truth, and no fault that shows without it
    UNANIMOUS = "unanimous"
    ONE_ANSWER = "one answer"
    BY_POSITION = "by position"
    UNPARSED = "unparsed"
    TOO_FEW_VARIATIONS = "too few variations"


TITLES = {
    Verdict.INFORMATIVE: "Agreement tells right answers from wrong ones",
    Verdict.WEAKLY_INFORMATIVE: "Agreement tells a little about right and wrong",
    Verdict.UNINFORMATIVE: "Agreement does not tell right from wrong",
    Verdict.UNCLEAR: "Too few answers to tell what agreement is worth",
    Verdict.UNCHECKED: "Whether agreement means right cannot be checked: there is no ground truth",
    Verdict.UNANIMOUS: "It answers the same whatever the wording: agreement says little",
    Verdict.ONE_ANSWER: "It gives one answer to almost every question",
    Verdict.BY_POSITION: "It answers by position",
    Verdict.UNPARSED: "Most of its answers could not be parsed",
    Verdict.TOO_FEW_VARIATIONS: "Too few variations: agreement cannot be measured",
}


def judge(found: Findings) -> tuple[Verdict, str]:
    """The verdict and the sentence behind it; the faults that would spoil any other number come first."""
    unanimity, position = found.unanimity_rate, found.position
    auroc = found.auroc.get(found.score)
    several = "" if found.variations[0] > 1 else " answered more than once"
    same = f"{unanimity:.0%} of the questions{several} get the same answer to every variation"
    if found.variations[1] < 2:
        reason = "No question was answered more than once." if found.rows else "There are no answers."
        return Verdict.TOO_FEW_VARIATIONS, reason
    if found.unparsed_rate >= UNPARSED_MOSTLY:
        return Verdict.UNPARSED, f"{found.unparsed_rate:.0%} of the answers could not be parsed."
    if found.answers:
        top = found.answers[0]
        if top.share.estimate >= ONE_ANSWER and top.compared.estimate - (top.expected or 0) >= ONE_ANSWER_EXCESS:
            truth = "" if top.expected is None else f"; {_right_for(top)}"
            return Verdict.ONE_ANSWER, f"{top.share.estimate:.0%} of the answers are “{_short(top.answer)}”{truth}."
    if unanimity >= UNANIMOUS:
        right = "" if found.accuracy is None else f", and {found.accuracy:.0%} of the answers are right"
        return Verdict.UNANIMOUS, f"{same}{right}. Its agreement cannot choose between them."
    by_position = ""
    if position is not None and position.noted and position.effect >= POSITION_RULES:
        by_position = _position_sentence(position)
    if not found.checked:
        if by_position:
            return Verdict.BY_POSITION, by_position
        return Verdict.UNCHECKED, f"{same}; no fault shows that would spoil their agreement."
    if auroc is None:
        which = "right" if found.accuracy == 1 else "wrong"
        return Verdict.UNCLEAR, f"All answers with ground truth are {which}: there is nothing to tell apart."
    score = f"AUROC {auroc.estimate:.2f}, 95% interval {auroc.low:.2f} to {auroc.high:.2f}"
    if auroc.estimate >= AUROC_USEFUL and auroc.low > 0.5:
        return Verdict.INFORMATIVE, f"{_told(auroc, score)} {_split_sentence(found)}"
    if by_position:
        return Verdict.BY_POSITION, f"{by_position} Agreement tells little about right and wrong ({score})."
    if auroc.estimate >= AUROC_NOTHING and auroc.low > 0.5:
        return Verdict.WEAKLY_INFORMATIVE, f"{_told(auroc, score)} {_split_sentence(found)}"
    if auroc.high < AUROC_USEFUL:
        opposite = ": the more unanimous answers are the wrong ones more often" if auroc.high < 0.5 else ""
        return Verdict.UNINFORMATIVE, f"{score}, where 0.50 is chance{opposite}. {_split_sentence(found)}"
    return Verdict.UNCLEAR, f"{score}: from nothing to useful, all is possible."


def notes(found: Findings) -> list[str]:
    """What is worth a word besides the verdict."""
    said = []
    position = found.position
    if position and position.noted:
        said.append(_position_sentence(position))
    elif position and position.effect < POSITION_NOTED:
        said.append(f"No preference for a position that matters (effect {position.effect:.2f} of 1).")
    if found.answers:
        top = max(found.answers, key=lambda item: item.compared.estimate - (item.expected or 0))
        if top.expected is not None and top.compared.low - top.expected >= ONE_ANSWER_EXCESS:
            share = f"{top.share.estimate:.0%} of the answers"
            said.append(f"It prefers “{_short(top.answer)}”: {share}; {_right_for(top)}.")
    if len(found.disagreement) > 1:
        worst = max(found.disagreement, key=lambda item: item.share.estimate)
        others = [item.share.estimate for item in found.disagreement if item is not worst]
        if worst.share.low - float(np.mean(others)) >= VARIATION_NOTED:
            said.append(
                f"Variation {worst.variation} disagrees with the majority {worst.share.estimate:.0%} of the time, "
                f"the others {float(np.mean(others)):.0%}: its wording is worth a look."
            )
    if UNPARSED_NOTED <= found.unparsed_rate < UNPARSED_MOSTLY:
        said.append(f"{found.unparsed_rate:.0%} of the answers could not be parsed.")
    if not found.checked and found.rows:
        said.append("Judged from unanimity and bias alone: these questions have no ground truth.")
    return said


def knows_more(untrained: str, accuracy: float, weak: float, difference: Difference) -> str | None:
    """That a student knows more than its teacher before it is taught, where that is sure.

    Args:
        untrained: The label of a method that trains nothing.
        accuracy: Its accuracy on the test questions.
        weak: That of the weak supervisor.
        difference: Between the two, on the same questions.
    """
    if not difference.low > 0:  # nor where there is none
        return None
    return (
        f"The student knows more than its teacher: untrained ({untrained}) it is right on {accuracy:.1%} of the test "
        f"questions, the weak supervisor on {weak:.1%} (95% interval of the difference {100 * difference.low:+.1f} to "
        f"{100 * difference.high:+.1f} points). What a method gains over the supervisor may be what it knew already."
    )


def best_estimator(compared: Sequence[ComparedEstimator]) -> str | None:
    """Which estimator would have been best, and that it may not be chosen for that; None where there is no comparison.

    Args:
        compared: One record an estimator.
    """
    known = [record for record in compared if record.auroc.estimate is not None]
    own = next((record for record in known if record.own), None)
    if own is None or len(known) < 2:
        return None
    # Of equals the experiment's own is named.
    best = max(known, key=lambda record: (record.auroc.estimate or 0.0, record.own))
    said = f"Of {len(known)} estimators, {best.estimator} ranks the answers best: AUROC {best.auroc.estimate:.3f}"
    if best.own:
        said += ". The run used it."
    else:
        auroc = best.auroc
        said += f", {own.estimator}, which the run used, {own.auroc.estimate:.3f}"
        if auroc.difference_low is not None:
            ends = f"{auroc.difference_low:+.3f} to {auroc.difference_high:+.3f}".replace("-", "−")
            shown = "" if auroc.differs else ", so no difference is shown"
            said += f" (95% interval of the difference {ends}{shown})"
        said += ". The best of several looks better than it is."
    return said + (
        " To choose the estimator of this run by that is not allowed: it would be chosen by the ground truth of "
        "transfer, which a weak-to-strong experiment does not have. Name it before another run, on other questions."
    )


def _told(auroc: Interval, score: str) -> str:
    share = f"in {auroc.estimate:.0%} of pairs with a wrong one, ties counted as half"
    return f"A right answer is the more reliable one {share} ({score})."


def _right_for(answer: AnswerShare) -> str:
    """How often an answer is right, with its share of the answers that this is known of where that is another."""
    if answer.compared == answer.share:
        return f"it is right for {answer.expected:.0%}"
    return f"of those with ground truth {answer.compared.estimate:.0%}, where it is right for {answer.expected:.0%}"


def _split_sentence(found: Findings) -> str:
    unanimous, split = found.accuracy_unanimous, found.accuracy_split
    if unanimous is None or split is None:
        return f"{found.accuracy:.0%} of the answers are right."
    return f"Where all variations agree {unanimous:.0%} of the answers are right, elsewhere {split:.0%}."


def _position_sentence(position: PositionBias) -> str:
    top = position.positions[position.favourite]
    return (
        f"The option in position {top.position + 1} of {len(position.positions)} gets {top.share.estimate:.0%} of the "
        f"answers (95% interval {top.share.low:.0%} to {top.share.high:.0%}; "
        f"{top.expected:.0%} if position made no difference to it)."
    )


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
