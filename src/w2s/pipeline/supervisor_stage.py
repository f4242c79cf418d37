"""A weak supervisor in one step, as the paper begins: fine-tuned on the ground truth of `weak_train`, and tested."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from w2s.config import AnsweringSpec, Experiment, ModelSpec, TaskSpec, TrainingSpec, WeakSpec
from w2s.errors import InputError
from w2s.metrics import Interval, accuracy_interval
from w2s.pipeline.handing_out import check_out, hand_out
from w2s.pipeline.lay import Lay
from w2s.pipeline.lay_training import weights_of
from w2s.pipeline.origin import Origin, TrainedOn, with_origin
from w2s.pipeline.source_stages import LaidSource
from w2s.pipeline.stages import done_step, splits_of
from w2s.pipeline.steps import PREDICTIONS_FILE, TRAINING_SET_FILE
from w2s.plugins import loaded_plugins
from w2s.progress import Progress, no_progress
from w2s.store import Store
from w2s.tables import read_table
from w2s.tasks import task_from

if TYPE_CHECKING:
    from w2s.training.student import TrainingReport

__all__ = ["MadeSupervisor", "make_supervisor"]


class MadeSupervisor(NamedTuple):
    """A weak supervisor: how its training went, and how often it is right on how many test questions."""

    training: TrainingReport
    accuracy: Interval | None
    tested: int


def make_supervisor(
    task: TaskSpec,
    model: ModelSpec,
    training: TrainingSpec | None = None,
    *,
    out: str | Path,
    answering: AnsweringSpec | None = None,
    seed: int = 0,
    store: Store | None = None,
    progress: Progress = no_progress,
) -> MadeSupervisor:
    """Train a weak supervisor on the ground truth of `weak_train`, and test it where there are test questions.

    The steps are those of a run with source `trained` and the same settings: what one computed the other finds.

    Args:
        task: The questions.
        model: The weak model.
        training: How it is trained; by default as in an experiment.
        out: A folder: new, empty, or one that w2s wrote. `out/adapter` holds the adapter, `out/trained-on.json` what
            it was trained on, `out/predictions.parquet` its answers to the test questions.
        answering: How it answers these.
        seed: Of the adapter's first values and the order of the rows.
        store: Where finished steps are kept.
        progress: Is told how far it is.

    Raises:
        InputError: There are no questions in `weak_train`, or `out` holds something else.
    """
    from w2s.training.student import TrainingReport

    to, answer = Path(out).expanduser(), answering or AnsweringSpec()
    check_out(to)
    made = task_from(task)
    lay = Lay(made, splits_of(made), loaded_plugins())
    if not lay.question_ids("weak_train"):
        raise InputError("weak_train has no questions: a weak supervisor learns from their right answers")
    laid = LaidSource(
        lay=lay,
        spec=WeakSpec(**asdict(model)),
        answering=answer,
        evaluation=answer,
        training=training or Experiment().weak_training,
        seed=seed,
    )
    learned_from = laid.gold_training_set()
    trained = laid.train(learned_from)
    predictions = None
    with done_step(trained, None, store, progress) as folder:
        if tested := len(lay.question_ids("test")):
            with done_step(laid.test(adapter=trained), None, store, progress) as of_test:
                predictions = read_table(of_test / PREDICTIONS_FILE)
        with done_step(learned_from, None, store, no_progress) as rows:
            table = with_origin(read_table(rows / TRAINING_SET_FILE), Origin.of(made))
        hand_out(folder, to, TrainedOn.of(table, model, weights_of(trained)), predictions)
        report = TrainingReport(**json.loads((folder / "training.json").read_text()))
    accuracy = None if predictions is None else accuracy_interval(predictions["correct"].to_numpy())
    return MadeSupervisor(report, accuracy, tested)
