"""The steps of a study, laid and not run. Nothing here draws: a plan must be quick."""

from __future__ import annotations

from collections.abc import Sequence

from w2s.errors import InputError
from w2s.pipeline.graph import Graph
from w2s.step import Step
from w2s.study.grid import Cell, check_names

__all__ = ["Plan"]


class Plan:
    """The graphs of the cells that can be planned, and why the others cannot.

    Args:
        cells: Of the study.

    Raises:
        InputError: Two have one name.
    """

    def __init__(self, cells: Sequence[Cell]) -> None:
        check_names(cells)
        self.cells = cells
        self.graphs: dict[str, Graph] = {}
        self.errors: dict[str, Exception] = {}
        for cell in cells:
            like = next(
                (graph for graph in self.graphs.values() if graph.experiment.task == cell.experiment.task), None
            )
            try:
                self.graphs[cell.name] = Graph(cell.experiment, like=like)
            except InputError as error:
                self.errors[cell.name] = error

    def targets(self) -> list[Step]:
        """Every step whose result is read in the end, cell by cell; one that cells share comes once."""
        return list({step.key: step for graph in self.graphs.values() for step in graph.targets()}.values())
