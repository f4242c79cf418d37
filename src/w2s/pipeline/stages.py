"""The stages of an experiment, each to be called alone: on anybody's questions, answers and models.

They lay the same steps as an experiment does and run them through the same store: a stage that was done is not
done again, one that was killed goes on, and what a run computed already is found here.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from w2s.config import AnsweringSpec, ModelSpec, TaskSpec, TrainingSpec, WeakSpec
from w2s.errors import InputError, unknown_name
from w2s.files import tree_sha256
from w2s.gold import GROUND_TRUTH, aliases_of
from w2s.methods import TrainingSet, get_method
from w2s.models.prepared import PreparedModel
from w2s.pipeline.devices import check_devices
from w2s.pipeline.handing_out import check_out, hand_out
from w2s.pipeline.lay import Lay
from w2s.pipeline.lay_training import training_step, weights_of
from w2s.pipeline.mismatches import mismatches
from w2s.pipeline.origin import Origin, TrainedOn, origin_of, trained_on, with_origin
from w2s.pipeline.source_stages import answers_of
from w2s.pipeline.steps import ANSWERS_FILE, PREDICTIONS_FILE, TRAINING_SET_FILE, build_of
from w2s.pipeline.task_rows import content_of
from w2s.plugins import loaded_plugins
from w2s.progress import Progress, no_progress
from w2s.step import Build, Context, Step, walk
from w2s.store import Store, default_root
from w2s.supervisors.asking import gold_answers
from w2s.tables import TRAINING_SET, carried, check, read_table, write_table
from w2s.tasks import Draw, Splits, Task, gold_of, questions_of, task_from
from w2s.tasks.questions import SPLITS

if TYPE_CHECKING:
    from w2s.training.student import TrainingReport

__all__ = ["check_split", "done_step", "evaluate", "ground_truth", "label", "select", "splits_of", "train"]

logger = logging.getLogger(__name__)


_OF_SHARDS = ("joined", "judged")
"""Steps that only put together what those before them took their time for."""


def check_split(name: str) -> None:
    """Refuse what is the name of no split."""
    if name not in SPLITS:
        raise unknown_name("split", name, SPLITS)


def _adapter(folder: str | Path | None) -> Path | None:
    """An adapter's folder, or the one in the folder that `train` wrote."""
    if folder is None:
        return None
    root = Path(folder).expanduser()
    for candidate in (root, root / "adapter"):
        if (candidate / "adapter_config.json").is_file():
            if not (candidate / "adapter_model.safetensors").is_file():
                raise InputError(
                    f"adapter {str(folder)!r} has no adapter_model.safetensors: weights in another form, as a pickled "
                    "adapter_model.bin is, are not loaded"
                )
            return candidate
    raise InputError(f"adapter {str(folder)!r}: expected a folder with adapter_config.json, as w2s train writes it")


class _Given:
    """What a stage is given from outside: steps of its content, whose results are put into the store as they are."""

    def __init__(self) -> None:
        self._builds: dict[str, Build] = {}

    def adapter(self, folder: Path) -> Step:
        """A trained adapter, by its content."""
        step = Step(kind="given-adapter", label=f"adapter {folder}", settings={"tree": tree_sha256(folder)}, inputs={})

        def put(settings: Mapping[str, Any], inputs: Mapping[str, Path], out: Path, context: Context) -> None:
            shutil.copytree(folder, out / "adapter", dirs_exist_ok=True)
            if tree_sha256(out / "adapter") != settings["tree"]:
                raise InputError(f"adapter {folder} changed while it was read: start again")

        self._builds[step.key] = put
        return step

    def training_set(self, table: pa.Table) -> Step:
        """A training set, by its rows."""
        step = Step(kind="given-rows", label="training set", settings={"rows": content_of(table)}, inputs={})

        def put(settings: Mapping[str, Any], inputs: Mapping[str, Path], out: Path, context: Context) -> None:
            write_table(table.replace_schema_metadata(None), out / TRAINING_SET_FILE)

        self._builds[step.key] = put
        return step

    def find(self, step: Step) -> Build:
        return self._builds.get(step.key) or build_of(step)


@contextmanager
def done_step(target: Step, given: _Given | None, store: Store | None, progress: Progress) -> Iterator[Path]:
    """The folder of a step's result; it and what it reads are computed, and stay for as long as the block lasts."""
    store = store or Store(default_root())
    check_devices([target], store)
    with store.using([target], label=target.label):
        computed = False
        told = {target.key} | ({one.key for one in target.inputs.values()} if target.kind in _OF_SHARDS else set())
        for step in walk([target], stop=lambda step: store.get(step) is not None):
            shown = progress if step.key in told else no_progress
            store.run(step, given.find(step) if given else build_of(step), shown)
            computed = True
        if not computed:
            logger.info("%s: found done in the store", target.label)
        yield store.path(target)


class _ModelStage(NamedTuple):
    """What the stages that ask a model have in common."""

    lay: Lay
    model: PreparedModel
    adapter: Step | None
    given: _Given
    origin: Origin


def splits_of(task: Task, draw: Draw | None = None) -> Splits:
    """The splits of a task; what was left out is said."""
    splits = task.splits(draw)
    for reason, count in splits.dropped.items():
        logger.info("left out: %d %s", count, reason)
    return splits


def _asked(task: TaskSpec, model: ModelSpec, adapter: str | Path | None, split: str) -> _ModelStage:
    """Find task, model and adapter; whatever is wrong with them is said before anything is computed."""
    check_split(split)
    folder, given = _adapter(adapter), _Given()
    made = task_from(task)
    if folder is None:
        lay = Lay(made, splits_of(made), loaded_plugins())
        return _ModelStage(lay, PreparedModel(model), None, given, Origin.of(made))
    learned = trained_on(folder)
    draw = learned.origin.draw(made) if learned and learned.origin else None
    lay = Lay(made, splits_of(made, draw), loaded_plugins(), draw=draw)
    prepared = PreparedModel(model)
    for line in mismatches(learned, made, lay.splits, split, model, str(prepared.settings["identity"])):
        logger.warning("%s", line)
    origin = learned.origin if draw is not None and learned and learned.origin else Origin.of(made)
    return _ModelStage(lay, prepared, given.adapter(folder), given, origin)


def label(
    task: TaskSpec,
    model: ModelSpec | WeakSpec,
    *,
    adapter: str | Path | None = None,
    split: str = "transfer",
    answering: AnsweringSpec | None = None,
    seed: int = 0,
    store: Store | None = None,
    progress: Progress = no_progress,
) -> pa.Table:
    """Ask a model, or whom a weak source asks, every variation of a split's questions.

    Args:
        task: The questions.
        model: Who is asked: a model as it is, or a supervisor of any source that needs no training.
        adapter: A trained adapter on it.
        split: weak_train, transfer or test.
        answering: How it answers.
        seed: Of the variations, and of sampled answers.
        store: Where finished answers are kept, and those of a killed try.
        progress: Is told the answers done and the answers in all.

    Returns:
        A table of `tables.ANSWERS`.
    """
    spec = answering or AnsweringSpec()
    if isinstance(model, WeakSpec) and adapter is None:
        check_split(split)
        made = task_from(task)
        laid = answers_of(Lay(made, splits_of(made), loaded_plugins()), model, spec, split=split, seed=seed)
        with done_step(laid, None, store, progress) as folder:
            return with_origin(read_table(folder / ANSWERS_FILE), Origin.of(made))
    if isinstance(model, WeakSpec) and model.source != "prompted":
        raise InputError(f"source {model.source} wears no adapter: expected source prompted")
    asked = _asked(task, model, adapter, split)
    step = asked.lay.answers(
        f"answers of {model.name}", asked.model, spec, split=split, seed=seed, adapter=asked.adapter
    )
    with done_step(step, asked.given, store, progress) as folder:
        return with_origin(read_table(folder / ANSWERS_FILE), asked.origin)


def ground_truth(task: TaskSpec, *, split: str = "transfer") -> pa.Table:
    """The right answers to a split's questions, as an answers table: for the weak supervisor and the ceiling."""
    check_split(split)
    made = task_from(task)
    splits = splits_of(made)
    questions = questions_of(splits.questions, split)
    table = gold_answers(made, questions, gold_of(splits.gold, split), aliases_of(splits.gold))
    return with_origin(table, Origin.of(made))


def select(scored: pa.Table, method: str, *, seed: int = 0, **settings: Any) -> TrainingSet:
    """A training set by one method.

    Args:
        scored: Scored answers; for a bound, answers from `ground_truth`.
        method: Its name.
        seed: Of what is drawn.
        **settings: The method's own.

    Raises:
        InputError: There is no such method, it does not make a training set from one table of answers, or it learns
            from right answers and the table is not one of those.
    """
    found = get_method(method)
    if found.selector is None or (found.uses_gold and found.role != "bound"):
        raise InputError(f"method {method!r} does not select from scored answers alone: use w2s run")
    if found.role == "bound":
        _check_right(scored, method)
    made = found.selector(scored, seed=seed, **found.resolve(settings))
    return made._replace(table=carried(scored, made.table))


def _check_right(answers: pa.Table, method: str) -> None:
    """Refuse answers that somebody gave, for a method that learns from the right ones."""
    named = answers["supervisor"].unique().to_pylist() if "supervisor" in answers.column_names else [None]
    if others := [name for name in named if name != GROUND_TRUTH]:
        whose = "say not whose they are" if others[0] is None else f"are those of {others[0]!r}"
        raise InputError(
            f"{method} learns from right answers, and these {whose}: expected the table of w2s label --gold, or one "
            f"whose column supervisor says {GROUND_TRUTH!r}; majority and naive learn from anybody's"
        )


def train(
    training_set: pa.Table,
    model: ModelSpec,
    training: TrainingSpec | None = None,
    *,
    out: str | Path,
    seed: int = 0,
    store: Store | None = None,
    progress: Progress = no_progress,
) -> TrainingReport:
    """Fine-tune an adapter on a training set; `out/adapter` holds it, `out/trained-on.json` says on what.

    Args:
        training_set: With `prompt` and `completion`; `weight` (1) and `question_id` are made up where they are missing.
            Of a set that no task of w2s made, a completion begins with a space: what does not gets one.
        model: The model to be trained.
        training: The settings.
        out: A folder: new, empty, or one that this function wrote.
        seed: Of the adapter's first values and the order of the rows.
        store: Where the training goes on after a kill, and where its result is kept.
        progress: Is told how far it is.

    Raises:
        InputError: The training set is none, or `out` holds something else.
    """
    from w2s.training.student import TrainingReport

    table = _complete(training_set)
    to = Path(out).expanduser()
    check_out(to)
    given, prepared = _Given(), PreparedModel(model)
    rows = given.training_set(table)
    step = training_step(f"training of {model.name}", prepared, training or TrainingSpec(), rows, seed=seed)
    with done_step(step, given, store, progress) as folder:
        hand_out(folder, to, TrainedOn.of(table, model, weights_of(step)))
        return TrainingReport(**json.loads((folder / "training.json").read_text()))


def _complete(table: pa.Table) -> pa.Table:
    if "weight" not in table.column_names:
        table = table.append_column("weight", pa.array([1.0] * table.num_rows, pa.float32()))
    if "question_id" not in table.column_names:
        table = table.append_column("question_id", pa.array([str(row) for row in range(table.num_rows)]))
    required: Sequence[str] = ["prompt", "completion", "weight", "question_id"]
    table = check(table, TRAINING_SET, name="training set", required=required)
    for column in required:
        if table[column].null_count:
            row = table[column].is_null().index(True).as_py()
            raise InputError(f"training set, row {row + 1}, column {column!r}: expected a value")
    return table if origin_of(table) else _with_spaces(table)


def _with_spaces(table: pa.Table) -> pa.Table:
    """The one rule of what stands between a prompt and its completion: a space, unless there is other white space."""
    apart = pc.or_(
        pc.match_substring_regex(table["prompt"], r"\s\z"), pc.match_substring_regex(table["completion"], r"\A(\s|\z)")
    )
    if together := pc.sum(pc.cast(pc.invert(apart), pa.int64())).as_py():
        logger.info("%d of %d completions do not begin with a space: one is put before them", together, table.num_rows)
    spaced = pc.if_else(apart, table["completion"], pc.binary_join_element_wise("", table["completion"], " "))
    return table.set_column(table.column_names.index("completion"), "completion", spaced)


def evaluate(
    task: TaskSpec,
    model: ModelSpec,
    *,
    adapter: str | Path | None = None,
    split: str = "test",
    answering: AnsweringSpec | None = None,
    store: Store | None = None,
    progress: Progress = no_progress,
) -> pa.Table:
    """How a model does on a split's questions.

    Args: as those of `label`.

    Returns:
        A table of `tables.PREDICTIONS`.
    """
    asked = _asked(task, model, adapter, split)
    spec = answering or AnsweringSpec()
    step = asked.lay.predictions(f"test of {model.name}", asked.model, spec, split=split, adapter=asked.adapter)
    with done_step(step, asked.given, store, progress) as folder:
        return read_table(folder / PREDICTIONS_FILE)
