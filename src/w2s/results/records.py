"""What an experiment found, as plain records: one a method and seed, with intervals."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self, TypedDict

from w2s.config import Experiment
from w2s.config_json import experiment_from_dict
from w2s.errors import InputError
from w2s.folders.layout import RunFolder
from w2s.metrics import Shared
from w2s.results.comparison import ComparedEstimator
from w2s.results.diagnosis import WeakLabelSummary
from w2s.results.guessing import Guessing
from w2s.results.plain import check_plain
from w2s.results.supervisors import SupervisorComparison
from w2s.step import Address

__all__ = ["WEAK", "Record", "RunRecords"]

WEAK = "weak supervisor"
FORMAT = 2
_ADDED = {"gain_se", "same_answer", "same_answer_share"}  # to records, since this format: earlier runs lack it


@dataclass(frozen=True, kw_only=True)
class Record:
    """How one method did. Numbers that are not defined are None.

    Attributes:
        method: Its label, or "weak supervisor".
        seed: Seed of the run; None for all seeds together.
        role: What it is in the table: supervisor, method, baseline, bound or control.
        reference: Whether it is what the gains are measured against.
        uses_gold: It saw ground truth of the questions that it learned from: a bound or a control.
        accuracy: On the test questions.
        accuracy_low: Lower end of the 95% interval.
        accuracy_high: Upper end of the interval of the accuracy.
        pgr: Performance gap recovered, (accuracy - weak) / (ceiling - weak).
        pgr_low: Lower end of the 95% interval (Fieller's).
        pgr_high: Upper end of the interval of the PGR.
        pgr_note: Why there is no PGR, if there is none.
        gain: Accuracy minus that of the reference, on the same questions.
        gain_low: Lower end of the 95% interval.
        gain_high: Upper end of the interval of the gain.
        gain_p: Two-sided p-value of no difference, from three seeds on; except for the named comparison, adjusted
            for their number (Holm).
        gain_se: Standard error of the gain; with fewer than three seeds over questions alone.
        rows: Examples that the student was trained on; the mean over seeds where seed is None.
        questions: Questions that the training set asks, mean over the seeds.
        label_accuracy: Share of its labels that are right, where ground truth is known; the options of a question that
            are weighted by their probability are one label, which says the likeliest of them.
        label_accuracy_weighted: Share of the examples whose answer is right, each counted by its weight.
        seconds: How long the training took.
        same_answer: The one answer that it gives to nine test questions in ten or more, where that is right for fewer;
            where options differ from question to question the number of one, "option 2".
        same_answer_share: The share of the test questions that get it.
    """

    method: str
    seed: int | None
    role: str
    reference: bool
    uses_gold: bool
    accuracy: float
    accuracy_low: float | None
    accuracy_high: float | None
    pgr: float | None = None
    pgr_low: float | None = None
    pgr_high: float | None = None
    pgr_note: str | None = None
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    gain_p: float | None = None
    gain_se: float | None = None
    rows: float = 0
    questions: float = 0
    label_accuracy: float | None = None
    label_accuracy_weighted: float | None = None
    seconds: float | None = None
    same_answer: str | None = None
    same_answer_share: float | None = None


class _StepInfo(TypedDict):
    label: str
    seconds: float


class _Info(TypedDict, total=False):
    """What the page reads of `RunRecords.info`, where it is there."""

    created: str
    environment: dict[str, Any]
    machine: dict[str, Any]
    task: dict[str, Any]
    supervisor: str
    student: dict[str, Any]
    origins: dict[str, str]
    commands: list[str]
    steps: list[_StepInfo]
    behind: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class RunRecords:
    """A finished run.

    Attributes:
        experiment: Its settings.
        records: One for each method and seed.
        pooled: One for each method, all seeds together; with one seed the same as `records`.
        labels: What the weak answers to the transfer questions are worth, one for each seed.
        supervisors: Where several supervisors answered, each beside the others, one for each seed; else empty.
        estimators: How well each estimator that scored the weak answers ranks them: one for each estimator and seed,
            and one with all seeds together where there are several; empty where no truth of transfer is known.
        compare: The comparison that the run is about, two labels; None for none.
        shared_test: Which test questions the seeds have in common: all, some or none; all where there is one seed.
        guessing: What the test questions give away to who does not read them.
        folder: Where its files are.
        info: When and on what it ran, the steps and their times, the adapters' folders.
    """

    experiment: Experiment
    records: list[Record]
    pooled: list[Record]
    labels: list[WeakLabelSummary]
    estimators: list[ComparedEstimator] = field(default_factory=list)
    compare: tuple[str, str] | None
    shared_test: Shared = "all"
    supervisors: list[SupervisorComparison] = field(default_factory=list)
    guessing: Guessing = field(default_factory=Guessing)
    folder: Path
    info: dict[str, Any]

    @property
    def files(self) -> RunFolder:
        """The names of its files."""
        return RunFolder(self.folder)

    @property
    def artifacts(self) -> list[Address]:
        """The results of the steps that the run was made from, by their places in a store.

        Runs of earlier versions name those alone that the results were read from.
        """
        steps = [*self.info.get("steps", []), *self.info.get("behind", [])]
        found = [Address.parse(f"{step.get('kind')}/{step.get('key')}") for step in steps]
        return [address for address in found if address is not None]

    def of_role(self, role: str) -> list[Record]:
        """The pooled records of a role."""
        return [record for record in self.pooled if record.role == role]

    @property
    def compared(self) -> list[ComparedEstimator]:
        """The estimators with all seeds together; with one seed, that of this seed."""
        several = len(self.experiment.seeds) > 1
        return [record for record in self.estimators if record.seed is None or not several]

    @property
    def ceiling(self) -> Record | None:
        """The first bound, which PGR is measured against."""
        return next(iter(self.of_role("bound")), None)

    @property
    def reference(self) -> Record | None:
        """What the gains are measured against."""
        return next((record for record in self.pooled if record.reference), None)

    def to_dict(self) -> dict[str, Any]:
        """As `results.json` holds it."""
        return {
            "format": FORMAT,
            "records": [asdict(record) for record in self.records],
            "pooled": [asdict(record) for record in self.pooled],
            "labels": [labels.to_dict() for labels in self.labels],
            **({"supervisors": [one.to_dict() for one in self.supervisors]} if self.supervisors else {}),
            "estimators": [record.to_dict() for record in self.estimators],
            "compare": self.compare and list(self.compare),
            "shared_test": self.shared_test,
            "guessing": asdict(self.guessing),
            "experiment": asdict(self.experiment),
            **self.info,
        }

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a finished run.

        Raises:
            InputError: The folder holds none.
        """
        folder = Path(folder).expanduser()
        path = RunFolder(folder).results
        try:
            data = json.loads(path.read_bytes(), parse_constant=_finite, parse_float=_finite)
        except FileNotFoundError:
            raise InputError(f"{folder} is not a finished run: it has no results.json") from None
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path} cannot be read: {error}") from None
        if not isinstance(data, dict) or data.pop("format", None) != FORMAT:
            raise InputError(f"{path} was written by another version of w2s")
        try:
            experiment = experiment_from_dict(data.pop("experiment"))
            check_plain(experiment, Experiment, "experiment")
            records, pooled = _records(data, "records"), _records(data, "pooled")
            labels = data.pop("labels")
            check_plain(labels, list[dict[str, Any]], "labels")
            supervisors = data.pop("supervisors", [])  # which most runs have one of
            check_plain(supervisors, list[dict[str, Any]], "supervisors")
            estimators = data.pop("estimators", [])  # runs of earlier versions compared none
            check_plain(estimators, list[dict[str, Any]], "estimators")
            compare = data.pop("compare")
            check_plain(compare, tuple[str, str] | None, "compare")
            if compare is not None and (unknown := set(compare) - {record.method for record in pooled}):
                raise ValueError(f"compare names {min(unknown)!r}, which is not among the methods")
            shared_test = data.pop("shared_test", "all")  # runs of earlier versions had one draw of the splits
            check_plain(shared_test, Shared, "shared_test")
            guessing = Guessing(**data.pop("guessing", {}))  # which runs of earlier versions do not have
            check_plain(guessing, Guessing, "guessing")
            check_plain(data, _Info, "run")
            found = cls(
                experiment=experiment,
                records=records,
                pooled=pooled,
                labels=[WeakLabelSummary.from_dict(one) for one in labels],
                supervisors=[SupervisorComparison.from_dict(one) for one in supervisors],
                estimators=[ComparedEstimator.from_dict(one) for one in estimators],
                compare=None if compare is None else (compare[0], compare[1]),
                shared_test=shared_test,
                guessing=guessing,
                folder=folder,
                info=data,
            )
        except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
            raise InputError(f"{path} is damaged: {' '.join(str(error).split())}") from None
        return found


def _finite(text: str) -> float:
    """A number of JSON; `1e999` is infinity to Python, as `Infinity` is."""
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is no number")
    return number


def _records(data: dict[str, Any], name: str) -> list[Record]:
    """Take records from what a file holds.

    Raises:
        TypeError: A field is missing, is not one, or is of another type.
    """
    values = data.pop(name)
    check_plain(values, list[dict[str, Any]], name)
    for one in values:
        if missing := {field.name for field in fields(Record)} - set(one) - _ADDED:
            raise TypeError(f"{name}: a record has no {min(missing)!r}")
    records = [Record(**one) for one in values]
    check_plain(records, list[Record], name)
    return records
