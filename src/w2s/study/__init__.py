"""Grids of experiments: `grid` makes the cells, `running` runs them."""

from __future__ import annotations

from w2s.study.grid import Cell, cells_of
from w2s.study.running import StudyResult, run_study

__all__ = ["Cell", "StudyResult", "cells_of", "run_study"]
