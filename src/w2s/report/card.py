"""The card of a student: what it learned from whom, how well it does, and what nobody knows of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from w2s.config import Experiment, ModelSpec, TaskSpec
from w2s.files import atomic_write
from w2s.folders.layout import MethodFolder
from w2s.methods import METHODS
from w2s.models.bundled import BUNDLED
from w2s.report import words
from w2s.results.records import Record, RunRecords
from w2s.tasks import TASKS

__all__ = ["base_lines", "data_lines", "model_card", "plain_card", "write_cards"]


def write_cards(result: RunRecords, *, before: Callable[[Path], object]) -> None:
    """Write the card of every trained student into its folder; `before` is told each file before it is written."""
    for record in result.records:
        own = result.files.method(record.seed or 0, record.method)
        if record.seed is None or record.role == "supervisor" or not own.training.is_file():
            continue
        before(own.card)
        atomic_write(own.card, model_card(result, seed=record.seed, method=record.method))


def model_card(result: RunRecords, *, seed: int, method: str) -> str:
    """The card of a student of a run, in Markdown with the front matter that the hub reads.

    Args:
        result: The run; the student's selection and training are read from its folder.
        seed: The student's.
        method: The label of its method.
    """
    experiment, info = result.experiment, result.info.get("student", {})
    own = result.files.method(seed, method)
    sections = [
        _front_matter(experiment.strong, info.get("licence")),
        f"# {called(experiment.strong.name)}, taught by {_supervisor(result)}: {method}, seed {seed}",
        "A student of a weak supervisor, fine-tuned with LoRA by `w2s` (weak-to-strong generalization with "
        "reliability-aware supervision).",
        "## Base model",
        "\n".join(base_lines(experiment.strong, info.get("identity"), info.get("licence"), info.get("dtype"))),
        "## Data",
        "\n".join(data_lines(experiment.task)),
        "## Weak supervisor and method",
        "\n".join(_learned(result, method, seed, own)),
        "## Results",
        _results(result, seed),
        "## Limits",
        "The accuracy is that on the test questions of this task, asked in the prompts of the task; nothing else was "
        "measured. Errors of the weak supervisor may have been learned, and so may its biases.",
    ]
    return words.visible("\n\n".join(sections) + "\n")


def plain_card(base: str, lines: Sequence[str], trained: Sequence[str] = ()) -> str:
    """The card of an adapter that is of no run.

    Args:
        base: What its base model is called.
        lines: What that is.
        trained: What it was trained on, where that is known.
    """
    text = "This adapter is of no run: how well it does is not known here."
    if not trained:
        text = "This adapter was exported without the run that it is of: its data and results are not known here."
    sections = [f"# An adapter of {base}", text, "## Base model", "\n".join(lines)]
    sections += ["## Training", "\n".join(trained)] if trained else []
    return words.visible("\n\n".join(sections) + "\n")


def called(name: str) -> str:
    """A model or file by a name that means something elsewhere: of a path, the last part."""
    path = Path(name or "no name").expanduser()
    return path.name if name not in BUNDLED and (path.is_absolute() or path.exists()) else name


def base_lines(
    spec: ModelSpec, identity: str | None, licence: str | None = None, dtype: str | None = None
) -> list[str]:
    """What the base model is, as lines of a list."""
    local = spec.name not in BUNDLED and not (identity or "hub:").startswith("hub:")
    kind = "a local folder or file of this name" if local else "bundled with w2s" if spec.name in BUNDLED else "hub id"
    lines = [f"* name: `{called(spec.name)}` ({kind})"]
    if identity:
        lines.append(f"* content: `{identity}`")
    if dtype:
        lines.append(f"* computed in {dtype}" + (", through its chat template" if spec.chat_template else ""))
    return [*lines, f"* licence: {licence or 'not known here: ask where the model comes from'}"]


def _front_matter(spec: ModelSpec, licence: str | None) -> str:
    fields: dict[str, Any] = {"library_name": "peft", "pipeline_tag": "text-generation", "tags": ["w2s", "lora"]}
    if spec.name not in BUNDLED and "/" in spec.name and called(spec.name) == spec.name:
        fields["base_model"] = spec.name
    if licence:
        fields |= {"license": "other", "license_name": licence}
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}---"


def _supervisor(result: RunRecords) -> str:
    return called(str(result.info.get("supervisor", result.experiment.weak.name)))


def data_lines(task: TaskSpec) -> Iterator[str]:
    """The task and its splits, as lines of a list."""
    kind = TASKS.get(task.name)
    yield f"* task: `{task.name}`" + (f" ({kind.summary})" if kind else "")
    if task.data:
        yield f"* questions: `{called(task.data)}`; their licence is that of the file"
    elif kind:
        yield f"* questions: {kind.source}; licence: {kind.licence}"
    yield f"* splits: weak_train {task.weak_train}, transfer {task.transfer}, test {task.test}"


def _learned(result: RunRecords, method: str, seed: int, own: MethodFolder) -> Iterator[str]:
    """Who taught it, what was selected, and how it was trained."""
    experiment = result.experiment
    record = next(one for one in result.records if one.method == method and one.seed == seed)
    labels = next((one for one in result.labels if one.seed == seed), None)
    yield f"* weak supervisor: {_supervisor(result)} (source `{experiment.weak.source}`)"
    if labels is not None and labels.sentence:
        yield f"* its answers: {labels.sentence}"
    yield f"* method: `{method}`, {_summary(experiment, method)}"
    if own.selection.is_file():
        yield f"* selected: {json.loads(own.selection.read_bytes()).get('rule', '')}"
    right = "" if record.label_accuracy is None else f", {record.label_accuracy:.1%} of their labels right"
    yield f"* training set: {record.rows:,.0f} examples of {record.questions:,.0f} questions{right}"
    if record.uses_gold:
        yield "* **it was trained on ground truth**: a bound or a control, not weakly supervised"
    training = experiment.student_training
    yield (
        f"* training: {training.epochs} epochs, batch {training.batch_size}, learning rate "
        f"{training.learning_rate:g} ({training.schedule}), LoRA rank {training.lora.rank}, alpha "
        f"{training.lora.alpha}, loss `{training.loss}`"
    )


def _summary(experiment: Experiment, label: str) -> str:
    """What a method does, by its label."""
    for given in experiment.methods or ():
        name = given if isinstance(given, str) else str(given["method"])
        if label == (name if isinstance(given, str) else given.get("label", name)) and name in METHODS:
            settings = {} if isinstance(given, str) else given
            own = ", ".join(f"{key} {value}" for key, value in settings.items() if key not in ("method", "label"))
            return METHODS[name].summary + (f" ({own})" if own else "")
    return "a method of a plug-in"


def _results(result: RunRecords, seed: int) -> str:
    """This seed's table, and how many there were."""
    lines = ["| method | accuracy | PGR | examples |", "|---|---|---|---|"]
    lines += [_row(record) for record in result.records if record.seed == seed]
    seeds = len(result.experiment.seeds)
    lines.append(f"\nSeed {seed}; 95% intervals. {words.headline(result)}")
    if seeds > 1:
        lines.append(f"The run had {seeds} seeds: one seed's best student is not the best method.")
    if any(record.uses_gold for record in result.records):
        lines.append("\\* trained on ground truth")
    return "\n".join(lines)


def _row(record: Record) -> str:
    pgr = words.pgr_of(record)
    ends = "" if pgr in ("0", "1") else " " + words.interval(record.pgr_low, record.pgr_high, 2)
    accuracy = f"{words.share(record.accuracy)} {words.interval(record.accuracy_low, record.accuracy_high)}"
    name = record.method + (" \\*" if record.uses_gold else "")
    return f"| {name} | {accuracy} | {pgr}{ends.rstrip()} | {f'{record.rows:,.0f}' if record.rows else '–'} |"
