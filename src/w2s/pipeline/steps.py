"""What computes each kind of step: one function a kind, which knows its settings and its inputs' folders only.

So a step can be sent to another process, or another machine that sees the store, and gives the same result
there. The heavy modules are imported by the functions: a graph is made to be looked at as well as run.

    questions, gold         a split's questions; their right answers
    fold                    a part of a split, or the right answers of all but that part
    answers                 a local model's answers to every variation
    asked                   answers that a weak source gives itself: a server, a table, a simulation
    predictions             a local model's answers to a split, compared with ground truth
    judged                  answers of any source, made one a question, compared with ground truth
    joined, scored          several tables of answers as one; answers with their confidence and uncertainty
    training-set, training  what a student learns; its adapter

A model that is converted and paraphrases are the other two kinds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from w2s.config import AnsweringSpec
from w2s.config_json import training_from_dict
from w2s.errors import InputError
from w2s.files import atomic_write
from w2s.gold import Gold, aliases_of
from w2s.launched import awaiting_others, call_others
from w2s.methods import METHODS
from w2s.models.prepared import CONVERSION, convert, loaded
from w2s.paraphrasing.prompt import VERSION as PARAPHRASING
from w2s.paraphrasing.step import build_paraphrases
from w2s.pipeline.earlier_try import note_try
from w2s.pipeline.score_file import score_file
from w2s.pipeline.task_rows import rows_of
from w2s.plugins import load_plugins, loaded_plugins
from w2s.progress import Progress, no_progress
from w2s.reliability import Calibration
from w2s.reliability.encoder import by_name
from w2s.step import Build, Context, Step
from w2s.tables import ANSWERS, QUESTIONS_FILE, check, read_columns, read_table, write_table, write_tables
from w2s.tasks import gold_of, questions_of, task_of
from w2s.tasks.questions import without_paraphrases

__all__ = [
    "ANSWERS_FILE",
    "KINDS",
    "PREDICTIONS_FILE",
    "QUESTIONS_FILE",
    "SCORED_FILE",
    "SELECTION_FILE",
    "TRAINING_SET_FILE",
    "build_of",
    "fold_of",
    "gold_by_id",
    "train_share",
]

ANSWERS_FILE, SCORED_FILE, TRAINING_SET_FILE = "answers.parquet", "scored.parquet", "training_set.parquet"
PREDICTIONS_FILE = "predictions.parquet"
SELECTION_FILE = "selection.json"

Settings = Mapping[str, Any]
Folders = Mapping[str, Path]


class Kind(NamedTuple):
    """What computes a kind of step, and the version of that code."""

    build: Build
    version: int


KINDS: dict[str, Kind] = {
    "model": Kind(convert, CONVERSION),
    "paraphrases": Kind(build_paraphrases, PARAPHRASING),
}


def _builds(kind: str, *, version: int = 1) -> Callable[[Build], Build]:
    def register(build: Build) -> Build:
        KINDS[kind] = Kind(build, version)
        return build

    return register


def build_of(step: Step) -> Build:
    """What computes a step, once the plug-ins are loaded that it needs.

    Raises:
        InputError: This version of w2s does not know the kind, or a plug-in's file is gone or was changed.
    """
    load_plugins(step.execution.get("plugins", ()))  # type: ignore[arg-type]
    if step.kind not in KINDS:
        raise InputError(f"step {step.label!r} is of kind {step.kind!r}: expected one of {', '.join(KINDS)}")
    return KINDS[step.kind].build


# Questions and ground truth


@_builds("questions")
def _questions(settings: Settings, inputs: Folders, out: Path, context: Context) -> None:
    write_table(rows_of("questions", settings, context), out / QUESTIONS_FILE)


@_builds("gold")
def _gold(settings: Settings, inputs: Folders, out: Path, context: Context) -> None:
    from w2s.supervisors.asking import gold_answers

    split = settings["split"]
    questions = questions_of(read_table(inputs["questions"] / QUESTIONS_FILE), split)
    rows = rows_of("gold", settings, context)
    table = gold_answers(task_of(settings["asking"]), questions, gold_of(rows, split), aliases_of(rows))
    write_table(table, out / ANSWERS_FILE)


def gold_by_id(folder: Path) -> Gold:
    """The right answers of a step of kind `gold`."""
    return Gold.from_table(read_table(folder / ANSWERS_FILE))


# Answers, and what they are worth


@_builds("answers")
def _answers(settings: Settings, inputs: Folders, out: Path, context: Context) -> None:
    from w2s.supervisors.asking import answer_questions
    from w2s.supervisors.local import LocalModel

    task = task_of(settings["asking"])
    questions = questions_of(read_table(inputs["questions"] / QUESTIONS_FILE), settings["split"])
    if "without" in inputs:
        left_out = set(read_table(inputs["without"] / TRAINING_SET_FILE)["question_id"].to_pylist())
        questions = [question for question in questions if question.id not in left_out]
    tested = settings.get("tested", False)  # a shard of a test, as `predict` asks
    if tested:
        questions = without_paraphrases(questions)
    journal = out / "journal.jsonl"
    with _model(settings, inputs, context) as lm:
        table = answer_questions(
            LocalModel(lm, task, _answering(settings, context), name=_name(context), seed=settings["seed"]),
            task,
            questions,
            num_variations=settings["num_variations"],
            seed=settings["seed"],
            samples=settings["answering"].get("samples", 1),
            before=_examples(settings, inputs),
            journal=journal,
            progress=context.progress,
        )
    write_table(table, out / ANSWERS_FILE)
    journal.unlink(missing_ok=True)


@_builds("predictions")
def _predictions(settings: Settings, inputs: Folders, out: Path, context: Context) -> None:
    from w2s.supervisors.asking import predict
    from w2s.supervisors.local import LocalModel

    task = task_of(settings["asking"])
    questions = questions_of(read_table(inputs["questions"] / QUESTIONS_FILE), settings["split"])
    journal = out / "journal.jsonl"
    orders = settings.get("orders", 1)
    with _model(settings, inputs, context) as lm:
        table = predict(
            LocalModel(lm, task, _answering(settings, context), name=_name(context)),
            task,
            questions,
            gold_by_id(inputs["gold"]),
            samples=settings["answering"].get("samples", 1),
            orders=orders,
            before=_examples(settings, inputs),
            journal=journal,
            progress=context.progress,
        )
    write_table(table, out / PREDICTIONS_FILE)
    journal.unlink(missing_ok=True)


def _model(settings: Settings, inputs: Folders, context: Context) -> Any:
    adapter = inputs["adapter"] / "adapter" if "adapter" in inputs else None
    return loaded(settings["model"], context.execution["model"], inputs, adapter)


def _name(context: Context) -> str:
    return str(context.execution["model"]["spec"]["name"])


def _answering(settings: Settings, context: Context) -> AnsweringSpec:
    return AnsweringSpec(**{"tokens_per_batch": context.execution["tokens_per_batch"], **settings["answering"]})


def _examples(settings: Settings, inputs: Folders) -> str:
    """What a prompted supervisor is shown before each prompt."""
    from w2s.supervisors.asking import shown_examples

    count = settings.get("examples", 0)
    return shown_examples(read_table(inputs["examples"] / ANSWERS_FILE), count) if count else ""


@_builds("asked")
def _asked(settings: Settings, inputs: Folders, out: Path, context: Context) -> None:
    from w2s.supervisors import SOURCES, Inquiry

    source = SOURCES.find(settings["source"])
    assert source.answer is not None, f"source {source.name} lays what it does not answer"
    journal = out / "journal.jsonl"
    questions = questions_of(read_table(inputs["questions"] / QUESTIONS_FILE), settings["split"])
    if settings.get("in_orders", False):
        questions = without_paraphrases(questions)
    table = source.answer(
        Inquiry(
            task=task_of(settings["asking"]),
            questions=questions,
            settings=settings["supervisor"],
            num_variations=settings["num_variations"],
            seed=settings["seed"],
            gold=gold_by_id(inputs["gold"]) if "gold" in inputs else {},
            execution=context.execution["supervisor"],
            journal=journal,
            cache=context.cache,
            progress=context.progress,
        )
    )
    required = [name for name in ANSWERS.names if name != "positions"]  # a plug-in may be older than these
    write_table(check(table, ANSWERS, name=f"answers of source {source.name}", required=required), out / ANSWERS_FILE)
    journal.unlink(missing_ok=True)


@_builds("judged")
def _judged(settings: Settings, inputs: Folders, out: Path, context: Context) -> None:
    from w2s.supervisors.asking import judge_in_orders

    tables = [_as_answers(inputs[part]) for part in settings["parts"]]
    answers = pa.concat_tables(tables, promote_options="default")
    judged = judge_in_orders(answers, gold_by_id(inputs["gold"]), settings.get("orders", 1))
    write_table(judged, out / PREDICTIONS_FILE)


def _as_answers(folder: Path) -> pa.Table:
    """Answers, or what a supervisor predicted on the test split."""
    if (folder / ANSWERS_FILE).exists():
        return read_table(folder / ANSWERS_FILE)
    return read_table(folder / PREDICTIONS_FILE).rename_columns({"completion": "response"})


@_builds("fold")
def _fold(settings: Settings, inputs: Folders, out: Path, context: Context) -> None:
    """The questions of a fold, and ground truth of the others where it is given: who learns from it knows none here."""
    questions = read_table(inputs["questions"] / QUESTIONS_FILE)
    of = fold_of(questions["question_id"].to_pylist(), settings["folds"], settings["seed"])
    inside = pa.array([id for id, fold in of.items() if fold == settings["fold"]], pa.string())
    asked = questions.filter(pc.is_in(questions["question_id"], inside))
    start, stop = settings.get("rows", (0, asked.num_rows))
    write_table(asked.slice(start, stop - start), out / QUESTIONS_FILE)
    if "gold" in inputs:
        gold = read_table(inputs["gold"] / ANSWERS_FILE)
        write_table(gold.filter(pc.invert(pc.is_in(gold["question_id"], inside))), out / ANSWERS_FILE)


def fold_of(ids: Sequence[str], folds: int, seed: int) -> dict[str, int]:
    """The fold of each question, from 0: as many in each, and the same whatever the order of the questions."""
    ordered = sorted(ids, key=lambda id: hashlib.sha256(f"{seed}:{id}".encode()).digest())
    return {id: place % folds for place, id in enumerate(ordered)}


@_builds("joined")
def _joined(settings: Settings, inputs: Folders, out: Path, context: Context) -> None:
    import pyarrow.parquet

    files = [inputs[part] / ANSWERS_FILE for part in settings["parts"]]
    names = settings["supervisors"] or [None] * len(files)
    # Answers that were stored before a column was there are as good as those with it.
    schema = pa.unify_schemas([pyarrow.parquet.read_schema(file) for file in files])
    tables = (
        read_table(file) if name is None else _answered_by(read_table(file), name)
        for file, name in zip(files, names, strict=True)
    )
    write_tables(tables, schema, out / ANSWERS_FILE)


def _answered_by(answers: pa.Table, name: str) -> pa.Table:
    """Answers under the name of their supervisor; several of one source keep theirs behind it."""
    names = pc.unique(answers["supervisor"])
    own = pc.binary_join_element_wise(name, answers["supervisor"], ": ") if len(names) > 1 else None
    column = pa.array([name] * answers.num_rows, pa.string()) if own is None else own
    return answers.set_column(answers.schema.get_field_index("supervisor"), "supervisor", column)


@_builds("scored")
def _scored(settings: Settings, inputs: Folders, out: Path, context: Context) -> None:
    calibration = None
    if "calibration" in inputs:
        calibration = Calibration(
            read_table(inputs["calibration"] / ANSWERS_FILE), gold_by_id(inputs["calibration_gold"])
        )
    score_file(
        inputs["answers"] / ANSWERS_FILE,
        out / SCORED_FILE,
        estimator=settings["estimator"],
        unparsed=settings["unparsed"],
        calibration=calibration,
        second_view=read_table(inputs["second_view"] / ANSWERS_FILE) if "second_view" in inputs else None,
        **by_name(settings["settings"], context.execution.get("models", {})),
    )


# Students


@_builds("training-set")
def _training_set(settings: Settings, inputs: Folders, out: Path, context: Context) -> None:
    method = METHODS.find(settings["method"])
    tables = {name: _table_in(folder, method.reads) for name, folder in inputs.items()}
    table, selection = method.selectors[settings["selector"]](**tables, seed=settings["seed"], **settings["settings"])
    if not table.num_rows:
        unparsed = selection.dropped.get("unparsed", 0)
        hint = " (see --answering.mode and --task.weak_train)" if unparsed else ""
        raise InputError(
            f"method {settings['method']}: no row is left to train on; of {selection.rows_in} answers"
            f" {unparsed} could not be parsed{hint}"
        )
    write_table(table, out / TRAINING_SET_FILE)
    atomic_write(out / SELECTION_FILE, json.dumps(selection.to_dict(), indent=1))


def _table_in(folder: Path, reads: Collection[str] | None) -> pa.Table:
    """What a selector sees of a step: scored answers, answers, or the questions of a fold."""
    names = (SCORED_FILE, ANSWERS_FILE, QUESTIONS_FILE)
    file = next(folder / name for name in names if (folder / name).exists())
    return read_table(file) if reads is None else read_columns(file, reads)


@_builds("training")
def _training(settings: Settings, inputs: Folders, out: Path, context: Context) -> None:
    note_try(out, _name(context), settings, inputs)
    call_others(
        {
            "settings": settings,
            "inputs": {name: str(folder) for name, folder in inputs.items()},
            "out": str(out),
            "execution": context.execution,
            "plugins": loaded_plugins(),
        }
    )
    train_share(settings, inputs, out, context.execution, context.progress)


def train_share(
    settings: Settings,
    inputs: Folders,
    out: Path,
    execution: Mapping[str, Any],
    progress: Progress = no_progress,
) -> None:
    """Compute a step of kind `training`, or this process's share of it where a launcher started several."""
    from w2s.training.student import train_student

    spec = training_from_dict({**settings["training"], **execution["training"]})
    with awaiting_others(), loaded(settings["model"], execution["model"], inputs, None) as lm:
        train_student(
            lm,
            read_table(inputs["training_set"] / TRAINING_SET_FILE),
            spec,
            seed=settings["seed"],
            out=out,
            init=inputs["init"] / "adapter" if "init" in inputs else None,
            progress=progress,
        )
