"""Weak-to-strong generalization with reliability-aware supervision.

    import w2s

    result = w2s.run(w2s.Experiment())
    print(result.table())

Names are looked up when they are first used: importing this package imports neither torch nor anything else
that is heavy.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

# How long threads of OpenMP (GNU's, which torch uses) wait for each other in a loop, before they sleep; read when torch
# is imported. By default so long that beside one other busy process a training takes three times as long; with this
# it takes twice as long, and alone no longer than before (benchmarks/neighbours.py). Of no effect where torch was
# imported first.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

if TYPE_CHECKING:
    from w2s.config import (
        AnsweringSpec,
        Experiment,
        LoraSpec,
        ModelSpec,
        ParaphraseSpec,
        ReliabilitySpec,
        TaskSpec,
        TrainingSpec,
        WeakSpec,
    )
    from w2s.errors import InputError
    from w2s.methods.base import Method, Round, Student, select_then_train
    from w2s.methods.filtering import filter_uncertain, filter_uncertain_sampled
    from w2s.methods.majority import majority
    from w2s.methods.naive import naive
    from w2s.methods.reweighting import reweight, reweight_sampled
    from w2s.methods.selection import TrainingSet, candidates_from
    from w2s.metrics import (
        Components,
        accuracy_interval,
        auroc,
        difference_interval,
        minimal_effect,
        pgr,
        pgr_interval,
        power,
        risk_coverage,
        variance_components,
    )
    from w2s.pipeline.origin import read_table, write_table
    from w2s.pipeline.paraphrase_stage import paraphrase
    from w2s.pipeline.stages import evaluate, ground_truth, label, select, train
    from w2s.pipeline.supervisor_stage import make_supervisor
    from w2s.plugins import register
    from w2s.presets import preset
    from w2s.reliability import agreement_signal, score_answers, summarize
    from w2s.reliability.annotators import compare_annotators
    from w2s.reliability.base import Estimator, estimator_from
    from w2s.results.paired import compare_predictions
    from w2s.results.records import Record
    from w2s.results.sharing import export_run, import_run
    from w2s.running import Result, run
    from w2s.store import Store
    from w2s.study.grid import Cell, cells_of
    from w2s.study.running import StudyResult, run_study
    from w2s.supervisors.source import Source, Supervision
    from w2s.tasks import load_task
    from w2s.training.loss import Loss

_HOMES = {
    "w2s.config": [
        "AnsweringSpec",
        "Experiment",
        "LoraSpec",
        "ModelSpec",
        "ParaphraseSpec",
        "ReliabilitySpec",
        "TaskSpec",
        "TrainingSpec",
        "WeakSpec",
    ],
    "w2s.errors": ["InputError"],
    "w2s.methods.base": ["Method", "Round", "Student", "select_then_train"],
    "w2s.methods.filtering": ["filter_uncertain", "filter_uncertain_sampled"],
    "w2s.methods.majority": ["majority"],
    "w2s.methods.naive": ["naive"],
    "w2s.methods.reweighting": ["reweight", "reweight_sampled"],
    "w2s.methods.selection": ["TrainingSet", "candidates_from"],
    "w2s.metrics": [
        "Components",
        "accuracy_interval",
        "auroc",
        "difference_interval",
        "minimal_effect",
        "pgr",
        "pgr_interval",
        "power",
        "risk_coverage",
        "variance_components",
    ],
    "w2s.plugins": ["register"],
    "w2s.presets": ["preset"],
    "w2s.reliability": ["agreement_signal", "score_answers", "summarize"],
    "w2s.reliability.annotators": ["compare_annotators"],
    "w2s.reliability.base": ["Estimator", "estimator_from"],
    "w2s.results.paired": ["compare_predictions"],
    "w2s.results.records": ["Record"],
    "w2s.results.sharing": ["export_run", "import_run"],
    "w2s.running": ["Result", "run"],
    "w2s.pipeline.origin": ["read_table", "write_table"],
    "w2s.pipeline.paraphrase_stage": ["paraphrase"],
    "w2s.pipeline.stages": ["evaluate", "ground_truth", "label", "select", "train"],
    "w2s.pipeline.supervisor_stage": ["make_supervisor"],
    "w2s.store": ["Store"],
    "w2s.study.grid": ["Cell", "cells_of"],
    "w2s.study.running": ["StudyResult", "run_study"],
    "w2s.supervisors.source": ["Source", "Supervision"],
    "w2s.tasks": ["load_task"],
    "w2s.training.loss": ["Loss"],
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AnsweringSpec",
    "Cell",
    "Components",
    "Estimator",
    "Experiment",
    "InputError",
    "LoraSpec",
    "Loss",
    "Method",
    "ModelSpec",
    "ParaphraseSpec",
    "Record",
    "ReliabilitySpec",
    "Result",
    "Round",
    "Source",
    "Store",
    "Student",
    "StudyResult",
    "Supervision",
    "TaskSpec",
    "TrainingSet",
    "TrainingSpec",
    "WeakSpec",
    "accuracy_interval",
    "agreement_signal",
    "auroc",
    "candidates_from",
    "cells_of",
    "compare_annotators",
    "compare_predictions",
    "difference_interval",
    "estimator_from",
    "evaluate",
    "export_run",
    "filter_uncertain",
    "filter_uncertain_sampled",
    "ground_truth",
    "import_run",
    "label",
    "load_task",
    "majority",
    "make_supervisor",
    "minimal_effect",
    "naive",
    "paraphrase",
    "pgr",
    "pgr_interval",
    "power",
    "preset",
    "read_table",
    "register",
    "reweight",
    "reweight_sampled",
    "risk_coverage",
    "run",
    "run_study",
    "score_answers",
    "select",
    "select_then_train",
    "summarize",
    "train",
    "variance_components",
    "write_table",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'w2s' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
