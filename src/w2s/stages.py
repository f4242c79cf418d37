"""The stages of an experiment, each to be called alone: on anybody's questions, answers and models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from w2s.config import AnsweringSpec, ModelSpec, TaskSpec, TrainingSpec
from w2s.errors import InputError, unknown_name
from w2s.files import tree_sha256
from w2s.methods import TrainingSet, get_method
from w2s.models.prepared import PreparedModel
from w2s.store import Store, default_root
from w2s.tables import TRAINING_SET, check
from w2s.tasks import gold_of, questions_of, task_from
from w2s.tasks.questions import SPLITS

if TYPE_CHECKING:
    from w2s.training.student import Progress, TrainingReport

__all__ = ["evaluate", "ground_truth", "label", "select", "train"]


def _split(name: str) -> str:
    if name not in SPLITS:
        raise unknown_name("split", name, SPLITS)
    return name


def _prepared(
    spec: ModelSpec, store: Store | None, say: Callable[[str], None]
) -> tuple[PreparedModel, dict[str, Path]]:
    """A model, converted if need be, and the folders of the steps that did it."""
    model = PreparedModel(spec)
    store = store or Store(default_root())
    return model, {name: store.run(step, say) for name, step in model.inputs.items()}


def _adapter(folder: str | Path | None) -> Path | None:
    """An adapter's folder, or the one in the folder that `train` wrote."""
    if folder is None:
        return None
    for candidate in (Path(folder), Path(folder) / "adapter"):
        if (candidate / "adapter_config.json").is_file():
            return candidate
    raise InputError(f"adapter {str(folder)!r}: expected a folder with adapter_config.json, as w2s train writes it")


def label(
    task: TaskSpec,
    model: ModelSpec,
    *,
    adapter: str | Path | None = None,
    split: str = "transfer",
    answering: AnsweringSpec | None = None,
    seed: int = 0,
    journal: Path | None = None,
    store: Store | None = None,
    progress: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] = print,
) -> pa.Table:
    """Ask a model every variation of a split's questions.

    Args:
        task: The questions.
        model: Who is asked.
        adapter: A trained adapter on it.
        split: weak_train, transfer or test.
        answering: How it answers.
        seed: Of the variations, and of sampled answers.
        journal: Takes the answers as they come; what it holds already is not asked again.
        store: Where a converted model is kept.
        progress: Is told the answers done and the answers in all.
        say: Is told what a user should know.

    Returns:
        A table of `tables.ANSWERS`.
    """
    from w2s.supervisors.asking import answer_questions
    from w2s.supervisors.lm import LocalModel

    asked = task_from(task)
    questions = questions_of(asked.splits().questions, _split(split))
    folder = _adapter(adapter)
    prepared, inputs = _prepared(model, store, say)
    with prepared.loaded(inputs, folder, say) as lm:
        return answer_questions(
            LocalModel(lm, asked, answering or AnsweringSpec(), name=model.name, seed=seed),
            asked,
            questions,
            num_variations=asked.num_variations,
            seed=seed,
            journal=journal,
            identity=_identity(folder, answering or AnsweringSpec()),
            progress=progress,
            say=say,
        )


def _identity(adapter: Path | None, answering: AnsweringSpec) -> str:
    """What decides the answers besides model, seed and questions."""
    return repr((answering, tree_sha256(adapter) if adapter else None))


def ground_truth(task: TaskSpec, *, split: str = "transfer") -> pa.Table:
    """The right answers to a split's questions, as an answers table: for the weak supervisor and the ceiling."""
    from w2s.supervisors.asking import gold_answers

    asked = task_from(task)
    splits = asked.splits()
    questions = questions_of(splits.questions, _split(split))
    return gold_answers(asked, questions, gold_of(splits.gold, split))


def select(scored: pa.Table, method: str, *, seed: int = 0, **settings: Any) -> TrainingSet:
    """A training set by one method.

    Args:
        scored: Scored answers; for `ceiling`, answers from `ground_truth`.
        method: Its name.
        seed: Of what is drawn.
        **settings: The method's own.

    Raises:
        InputError: There is no such method, or it does not make a training set from scored answers alone.
    """
    found = get_method(method)
    if found.selector is None or (found.uses_gold and method != "ceiling"):
        raise InputError(f"method {method!r} does not select from scored answers alone: use w2s run")
    return found.selector(scored, seed=seed, **found.resolve(settings))


def train(
    training_set: pa.Table,
    model: ModelSpec,
    training: TrainingSpec | None = None,
    *,
    out: str | Path,
    seed: int = 0,
    store: Store | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] = print,
) -> TrainingReport:
    """Fine-tune an adapter on a training set; `out/adapter` holds it.

    Goes on where a killed run into the same folder stopped.

    Args:
        training_set: With `prompt` and `completion`; `weight` (1) and `question_id` are made up where they are missing.
        model: The model to be trained.
        training: The settings.
        out: A folder.
        seed: Of the adapter's first values and the order of the rows.
        store: Where a converted model is kept.
        progress: Is told how far it is.
        say: Is told what a user should know.
    """
    from w2s.training.student import train_student

    table = _complete(training_set)
    prepared, inputs = _prepared(model, store, say)
    with prepared.loaded(inputs, None, say) as lm:
        return train_student(
            lm, table, training or TrainingSpec(), seed=seed, out=Path(out), progress=progress, say=say
        )


def _complete(table: pa.Table) -> pa.Table:
    if "weight" not in table.column_names:
        table = table.append_column("weight", pa.array([1.0] * table.num_rows, pa.float32()))
    if "question_id" not in table.column_names:
        table = table.append_column("question_id", pa.array([str(row) for row in range(table.num_rows)]))
    table = check(table, TRAINING_SET, name="training set", required=["prompt", "completion", "weight", "question_id"])
    for column in ("prompt", "completion", "weight"):
        if table[column].null_count:
            row = table[column].is_null().index(True).as_py()
            raise InputError(f"training set, row {row + 1}, column {column!r}: expected a value")
    return table


def evaluate(
    task: TaskSpec,
    model: ModelSpec,
    *,
    adapter: str | Path | None = None,
    split: str = "test",
    answering: AnsweringSpec | None = None,
    journal: Path | None = None,
    store: Store | None = None,
    progress: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] = print,
) -> pa.Table:
    """How a model does on a split's questions.

    Args: as those of `label`.

    Returns:
        A table of `tables.PREDICTIONS`.
    """
    from w2s.evaluation import evaluate as evaluate_model

    asked = task_from(task)
    splits = asked.splits()
    questions = questions_of(splits.questions, _split(split))
    folder = _adapter(adapter)
    prepared, inputs = _prepared(model, store, say)
    with prepared.loaded(inputs, folder, say) as lm:
        return evaluate_model(
            lm,
            asked,
            questions,
            gold_of(splits.gold, split),
            answering or AnsweringSpec(),
            name=model.name,
            journal=journal,
            progress=progress,
            say=say,
        )
