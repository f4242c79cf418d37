"""What an experiment found: one record a method and seed, with intervals, and the folder that holds it all."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from w2s.config import Experiment, experiment_from_dict
from w2s.errors import InputError

__all__ = ["WEAK", "Record", "Result", "WeakLabelSummary"]

WEAK = "weak supervisor"
NAIVE, CEILING = "naive", "ceiling"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Record:
    """How one method did. Numbers that are not defined are None.

    Attributes:
        method: Its name, or "weak supervisor".
        seed: Of the run; None is all seeds together.
        uses_gold: It saw ground truth of the questions that it learned from: a bound or a control.
        accuracy: On the test questions.
        accuracy_low: Lower end of the 95% interval.
        accuracy_high: Its upper end.
        pgr: Performance gap recovered, (accuracy - weak) / (ceiling - weak).
        pgr_low: Lower end of the 95% interval, the three accuracies resampled together.
        pgr_high: Its upper end.
        pgr_note: Why there is no PGR, where there is none.
        gain: Accuracy minus that of naive, on the same questions.
        gain_low: Lower end of the 95% interval.
        gain_high: Its upper end.
        gain_p: Two-sided p-value of no difference.
        rows: Examples that the student was trained on; the mean over seeds where seed is None.
        questions: Their questions, likewise.
        label_accuracy: Share of those examples whose answer is right, where ground truth is known.
        label_accuracy_weighted: The same, each example counted by its weight.
        seconds: How long the training took.
    """

    method: str
    seed: int | None
    uses_gold: bool
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    pgr: float | None = None
    pgr_low: float | None = None
    pgr_high: float | None = None
    pgr_note: str | None = None
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    gain_p: float | None = None
    rows: float = 0
    questions: float = 0
    label_accuracy: float | None = None
    label_accuracy_weighted: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class WeakLabelSummary:
    """What the weak supervisor's answers to the transfer questions are worth; for analysis only.

    Attributes:
        seed: Of the run.
        rows: Answers.
        questions: Questions.
        unanimity_rate: Share of the questions whose answers are all the same.
        unparsed_rate: Share of the answers that could not be parsed.
        accuracy: Share of right answers, where ground truth is known.
        auroc: Probability that a right answer has a higher reliability than a wrong one; .5 says nothing.
        by_entropy: `entropy` (nats), `questions`, `rows` and `accuracy`, lowest entropy first.
    """

    seed: int
    rows: int
    questions: int
    unanimity_rate: float
    unparsed_rate: float
    accuracy: float | None = None
    auroc: float | None = None
    by_entropy: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Result:
    """A finished run.

    Attributes:
        experiment: Its settings.
        records: One for each method and seed.
        pooled: One for each method, all seeds together; with one seed the same as `records`.
        labels: One for each seed.
        folder: Where its files are.
        info: When and on what it ran, the steps and their times, the adapters' folders.
    """

    experiment: Experiment
    records: list[Record]
    pooled: list[Record]
    labels: list[WeakLabelSummary]
    folder: Path
    info: dict[str, Any]

    def table(self) -> Any:
        """The table of results; prints as text."""
        from w2s.report.tables import TextTable, results_table

        return TextTable(results_table(self))

    def save_report(self, path: str | Path) -> Path:
        """Write the page of this run: one HTML file that needs nothing else."""
        from w2s.report.page import write_page

        return write_page(self, Path(path))

    def save_figures(self, folder: str | Path) -> list[Path]:
        """Write the figures of this run, as SVG and PNG."""
        from w2s.report.figures import save_figures

        return save_figures(self, folder)

    def to_dict(self) -> dict[str, Any]:
        """As `results.json` holds it."""
        return {
            "format": FORMAT,
            "records": [asdict(record) for record in self.records],
            "pooled": [asdict(record) for record in self.pooled],
            "labels": [asdict(labels) for labels in self.labels],
            "experiment": asdict(self.experiment),
            **self.info,
        }

    @classmethod
    def load(cls, folder: str | Path) -> Result:
        """Read a finished run.

        Raises:
            InputError: The folder holds none.
        """
        folder = Path(folder)
        try:
            data = json.loads((folder / "results.json").read_text())
        except FileNotFoundError:
            raise InputError(f"{folder} is not a finished run: it has no results.json") from None
        except ValueError as error:
            raise InputError(f"{folder / 'results.json'} cannot be read: {error}") from None
        if data.pop("format", None) != FORMAT:
            raise InputError(f"{folder / 'results.json'} was written by another version of w2s")
        return cls(
            experiment=experiment_from_dict(data.pop("experiment")),
            records=[Record(**record) for record in data.pop("records")],
            pooled=[Record(**record) for record in data.pop("pooled")],
            labels=[WeakLabelSummary(**labels) for labels in data.pop("labels")],
            folder=folder,
            info=data,
        )
