"""The names of the files in the folders of runs and studies."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, get_args

from w2s.files import files_below
from w2s.folders.owned import OwnedFolder

__all__ = ["ADAPTERS", "WEAK_FOLDER", "Adapters", "InRun", "MethodFolder", "RunFolder", "StudyFolder"]

Adapters = Literal["link", "copy"]
"""How a run's folder holds the adapters of its students: as links into the store, or as files of its own."""
ADAPTERS: tuple[Adapters, ...] = get_args(Adapters)

WEAK_FOLDER = "weak-supervisor"
_DEEPEST = 4  # folders below a run's, of the adapter of a round


@dataclass(frozen=True)
class MethodFolder:
    """The files of one student, or of the weak supervisor, for one seed: those of its last round of training."""

    root: Path

    @property
    def training_set(self) -> Path:
        return self.root / "training_set.parquet"

    @property
    def selection(self) -> Path:
        return self.root / "selection.json"

    @property
    def log(self) -> Path:
        return self.root / "log.jsonl"

    @property
    def training(self) -> Path:
        return self.root / "training.json"

    @property
    def predictions(self) -> Path:
        return self.root / "predictions.parquet"

    @property
    def adapter(self) -> Path:
        return self.root / "adapter"

    @property
    def card(self) -> Path:
        """The model card, as a hub shows it."""
        return self.root / "README.md"

    def round(self, number: int) -> MethodFolder:
        """The files of an earlier round, counted from 1."""
        return MethodFolder(self.root / f"round-{number}")

    def earlier_training_sets(self) -> list[Path]:
        """The training sets of the earlier rounds."""
        return sorted(self.root.glob("round-*/training_set.parquet"))


@dataclass(frozen=True)
class RunFolder(OwnedFolder):
    """A run's folder."""

    kind: ClassVar[str] = "run"

    @classmethod
    def around(cls, path: Path) -> InRun | None:
        """The run whose folder this is, or is in; None where it is in none."""
        whole = path.absolute()
        for root in (whole, *whole.parents[:_DEEPEST]):
            run = cls(root)
            if run.results.is_file() and run.settings.is_file():
                return InRun(run, whole.relative_to(root).parts)
        return None

    @property
    def results(self) -> Path:
        return self.root / "results.json"

    @property
    def settings(self) -> Path:
        return self.root / "experiment.yaml"

    @property
    def page(self) -> Path:
        return self.root / "report.html"

    @property
    def figures(self) -> Path:
        return self.root / "figures"

    def questions(self, seed: int | None = None) -> Path:
        """The questions in their splits; of a seed, where each has splits of its own."""
        return self._of(seed) / "questions.parquet"

    def gold(self, seed: int | None = None) -> Path:
        """Ground truth of these questions."""
        return self._of(seed) / "gold.parquet"

    def _of(self, seed: int | None) -> Path:
        return self.root if seed is None else self.root / f"seed-{seed}"

    def scored(self, seed: int) -> Path:
        return self.root / f"seed-{seed}" / "scored.parquet"

    def weak(self, seed: int) -> MethodFolder:
        return MethodFolder(self.root / f"seed-{seed}" / WEAK_FOLDER)

    def method(self, seed: int, label: str) -> MethodFolder:
        return MethodFolder(self.root / f"seed-{seed}" / label)

    def put_adapter(self, source: Path, to: Path, how: Adapters) -> None:
        """Put an adapter of the store into the folder, which is owned."""
        if how == "link":
            self.claim(to).symlink_to(source, target_is_directory=True)
            return
        for name, file in files_below(source).items():
            shutil.copyfile(file, self.claim(to / name))

    def holds_adapters(self, how: Adapters, store: Path) -> bool:
        """Whether every adapter that is in the folder is held in this way, links into this store; true without any."""
        kept = [file for file in self.files() if "adapter" in file.relative_to(self.root).parts[2:]]
        if how == "link":
            return all(file.is_symlink() and store.resolve() in file.resolve().parents for file in kept)
        return not any(file.is_symlink() for file in kept)


class InRun(NamedTuple):
    """A path in the folder of a run, by the names of the folders that lead to it."""

    run: RunFolder
    names: tuple[str, ...]

    @property
    def seed(self) -> int | None:
        """The seed that it is of, where it is of one."""
        number = self.names[0].removeprefix("seed-") if self.names else ""
        return int(number) if self.names[:1] == (f"seed-{number}",) and number.isdecimal() else None


@dataclass(frozen=True)
class StudyFolder(OwnedFolder):
    """A study's folder: a run's folder for each cell, and what compares them."""

    kind: ClassVar[str] = "study"

    def cell(self, name: str) -> RunFolder:
        """The run of a cell."""
        return RunFolder(self.root / "cells" / name)

    @property
    def settings(self) -> Path:
        return self.root / "study.yaml"

    @property
    def table(self) -> Path:
        """Every number of every cell, in long form."""
        return self.root / "results.parquet"

    @property
    def csv(self) -> Path:
        """The same table, for other programs."""
        return self.root / "results.csv"

    @property
    def estimators(self) -> Path:
        """Every measure of every estimator, where cells compare several."""
        return self.root / "estimators.csv"

    @property
    def latex(self) -> Path:
        """Methods by pairs and data sets, for a paper."""
        return self.root / "table.tex"

    @property
    def summary(self) -> Path:
        """Cells, their state, and effects pooled over them."""
        return self.root / "study.json"

    @property
    def page(self) -> Path:
        return self.root / "report.html"

    @property
    def figures(self) -> Path:
        return self.root / "figures"
