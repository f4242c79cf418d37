"""What kind of supervisor is this: does its agreement say anything, and which known faults does it show?

Agreement is a measure of trust only where the variations move the supervisor. One that answers the same
whatever the wording agrees with itself and may be wrong all the same; one that answers by the position of an
option disagrees with itself for a reason that has nothing to do with the question. Most of this can be seen
without ground truth; with it, agreement is compared with correctness. For analysis only: nothing that a
student is trained from may come of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

import pyarrow as pa

from w2s.metrics import Interval
from w2s.reliability.signal import agreement_signal
from w2s.results.findings import (
    AnswerShare,
    Findings,
    Position,
    PositionBias,
    VariationDisagreement,
    measure,
)
from w2s.results.plain import check_plain
from w2s.results.verdicts import TITLES, Verdict, judge, notes

__all__ = ["Diagnosis", "Verdict", "WeakLabelSummary", "diagnose"]


@dataclass(frozen=True, kw_only=True)
class Diagnosis(Findings):
    """What the answers of a supervisor show, and what that means.

    Attributes:
        verdict: What agreement is worth.
        title: The verdict in a few words.
        sentence: The numbers behind it, in words.
        notes: What else is worth knowing, a sentence each.
    """

    verdict: Verdict
    title: str
    sentence: str
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON: an interval as estimate, low and high; what is not a number as None."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`, also of what came back from JSON."""
        known = {field.name for field in fields(cls)}
        if unknown := set(data) - known:
            raise TypeError(f"a diagnosis has an unknown {min(unknown)!r}")
        if missing := known - set(data):
            raise TypeError(f"a diagnosis has no {min(missing)!r}")
        for name in ("notes", "variations", "answers", "disagreement"):
            check_plain(data[name], list[Any], name)  # a text has items as well
        values = dict(data)
        values["verdict"] = Verdict(data["verdict"])
        values["notes"] = tuple(data["notes"])
        values["variations"] = tuple(data["variations"])
        values["auroc"] = {name: Interval(*value) for name, value in data["auroc"].items()}
        values["answers"] = tuple(
            # Runs of earlier versions have no share of the answers with ground truth.
            AnswerShare(a, Interval(*share), e, *(one and Interval(*one) for one in checked))
            for a, share, e, *checked in data["answers"]
        )
        values["disagreement"] = tuple(
            VariationDisagreement(number, answers, Interval(*share)) for number, answers, share in data["disagreement"]
        )
        for name in ("unanimity_rate", "unparsed_rate"):
            values[name] = math.nan if data[name] is None else data[name]
        if data["position"] is not None:
            bias = dict(data["position"])
            check_plain(bias["positions"], list[Any], "positions")
            if not bias["positions"]:
                raise ValueError("position has no positions")
            bias["positions"] = tuple(
                Position(n, count, Interval(*share), e) for n, count, share, e in bias["positions"]
            )
            values["position"] = PositionBias(**bias)
        found = cls(**values)
        check_plain(found, cls, "a diagnosis")
        return found


@dataclass(frozen=True, kw_only=True)
class WeakLabelSummary(Diagnosis):
    """What the weak answers to the transfer questions are worth, for one seed; for analysis only.

    Attributes:
        seed: Seed of the run.
        by_entropy: `entropy` (nats), `questions`, `rows` and `accuracy`, lowest entropy first; empty where no ground
            truth is known.
    """

    seed: int
    by_entropy: list[dict[str, float]] = field(default_factory=list)

    @classmethod
    def of(cls, seed: int, scored: pa.Table, gold: Mapping[str, str]) -> WeakLabelSummary:
        """Diagnose one seed's answers; see `diagnose`."""
        found = diagnose(scored, gold)
        levels = agreement_signal(scored, gold).levels if found.checked else ()
        by_entropy: list[dict[str, float]] = [
            {"entropy": level.entropy, "questions": level.questions, "rows": level.rows, "accuracy": level.accuracy}
            for level in levels
        ]
        return cls(seed=seed, by_entropy=by_entropy, **_fields_of(found))


def diagnose(scored: pa.Table, gold: Mapping[str, str] | None = None) -> Diagnosis:
    """Say what a supervisor's agreement is worth and which known faults it shows.

    Intervals are of 95% and take the answers to one question as one observation.

    Args:
        scored: A table that `score_answers` made; `position` and `positions` are used where they are there.
        gold: Ground truth, the canonical answer by question id. Without it, or where it knows none of the
            questions, the verdict rests on unanimity and on bias.

    Raises:
        InputError: The table is not one of scored answers.
    """
    found = measure(scored, gold or {})
    verdict, sentence = judge(found)
    return Diagnosis(
        **_fields_of(found),
        verdict=verdict,
        title=TITLES[verdict],
        sentence=sentence,
        notes=tuple(note for note in notes(found) if note not in sentence),
    )


def _plain(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case Interval():
            return [value.estimate, value.low, value.high]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value


def _fields_of(found: Findings) -> dict[str, Any]:
    """The fields of a record as they are, for one that has more."""
    return {field.name: getattr(found, field.name) for field in fields(found)}
