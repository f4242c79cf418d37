"""Several supervisors of one run, compared: whom to believe, and on what they differ. For analysis only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from w2s.gold import are_right
from w2s.metrics import Interval, accuracy_interval
from w2s.reliability.annotators import Annotator, Annotators, Disputed, Pair, compare_annotators
from w2s.reliability.base import codes
from w2s.results.findings import row_share
from w2s.results.plain import check_plain

__all__ = ["Member", "SupervisorComparison", "is_several"]

_MOST_PAIRS = 190  # all of 20 supervisors


@dataclass(frozen=True, kw_only=True)
class Member:
    """One of several supervisors, against ground truth where it is known; what is not to be had is None.

    Attributes:
        name: The supervisor of the answers table.
        rows: Its answers to the transfer questions.
        unparsed: How many of these could not be parsed.
        accuracy: Share of right ones among those with ground truth, an unparsed one being wrong.
        accuracy_low: Lower end of its 95% interval, over questions.
        accuracy_high: Upper end of the interval of the accuracy.
        test_questions: How many test questions it answered.
        test_accuracy: Share of right answers to these.
        test_accuracy_low: Lower end of its 95% interval.
        test_accuracy_high: Upper end of the interval of the accuracy on the test questions.
    """

    name: str
    rows: int
    unparsed: int
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None
    test_questions: int
    test_accuracy: float | None
    test_accuracy_low: float | None
    test_accuracy_high: float | None


@dataclass(frozen=True, kw_only=True)
class SupervisorComparison:
    """What several supervisors' answers to the transfer questions say of each other, for one seed.

    Attributes:
        seed: Seed of the run.
        members: Each of them against ground truth, in the order of their names.
        compared: Each of them against the others, without ground truth, by `compare_annotators`; None where no answer
            could be parsed.
    """

    seed: int
    members: tuple[Member, ...]
    compared: Annotators | None

    @classmethod
    def of(
        cls,
        seed: int,
        answers: pa.Table,
        gold: Mapping[str, str],
        tested: Mapping[str, list[bool]],
        **settings: Any,
    ) -> Self:
        """Compare the supervisors of a table.

        Args:
            seed: Of the run.
            answers: To the transfer questions, with `supervisor`.
            gold: Ground truth, the canonical answer by question id, as far as it is known.
            tested: Of each supervisor that answered test questions, which of them it had right.
            **settings: Of `fit_dawid_skene`.
        """
        members = [
            _member(name, answers.filter(pc.equal(answers["supervisor"], name)), gold, tested.get(name, []))
            for name in sorted(answers["supervisor"].unique().to_pylist())
        ]
        any_parsed = answers["answer"].null_count < answers.num_rows
        compared = compare_annotators(answers, most_pairs=_MOST_PAIRS, **settings) if any_parsed else None
        return cls(seed=seed, members=tuple(members), compared=compared)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`, also of what came back from JSON.

        Raises:
            TypeError: A field is missing, is not one, or is of another type.
        """
        check_plain(data, dict[str, Any], "supervisors")
        compared = data["compared"]
        if compared is not None:
            check_plain(compared, dict[str, Any], "compared")
            lists = {
                "annotators": _records(compared, "annotators", Annotator),
                "pairs": _records(compared, "pairs", Pair),
                "identical": _records(compared, "identical", Pair),
                "disputed": _records(compared, "disputed", Disputed),
            }
            compared = Annotators(**{**compared, **lists})
        found = cls(**{**data, "members": _records(data, "members", Member), "compared": compared})
        check_plain(found, cls, "supervisors")
        return found


def is_several(answers: pa.Table) -> bool:
    """Whether answers are of more than one supervisor."""
    return len(answers["supervisor"].unique()) > 1


def _member(name: str, answers: pa.Table, gold: Mapping[str, str], right_on_test: list[bool]) -> Member:
    known = answers.filter(pc.is_in(answers["question_id"], pa.array(gold, pa.string())))
    accuracy = tested = None
    if known.num_rows:
        right = are_right(known["question_id"].to_pylist(), known["answer"].to_pylist(), gold)
        accuracy = row_share(np.array(right, bool), codes(known["question_id"])[0])
    if right_on_test:
        tested = accuracy_interval(np.array(right_on_test, bool))
    return Member(
        name=name,
        rows=answers.num_rows,
        unparsed=answers["answer"].null_count,
        test_questions=len(right_on_test),
        **_fields("accuracy", accuracy),
        **_fields("test_accuracy", tested),
    )


def _fields(name: str, found: Interval | None) -> dict[str, Any]:
    values = (found.estimate, found.low, found.high) if found else (None, None, None)
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


def _records(data: Mapping[str, Any], name: str, cls: type) -> tuple[Any, ...]:
    values = data[name]
    check_plain(values, list[dict[str, Any]], name)
    made = []
    for value in values:
        if unknown := set(value) ^ {field.name for field in fields(cls)}:
            raise TypeError(f"{name}: a record has an unknown or no {min(unknown)!r}")
        own = {field: tuple(item) if isinstance(item, list) else item for field, item in value.items()}
        made.append(cls(**own))
    return tuple(made)
