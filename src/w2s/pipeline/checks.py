"""What must hold of an experiment's settings, said before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from w2s.config import Experiment
from w2s.errors import InputError
from w2s.pipeline.specs import MethodSpec
from w2s.tasks import Splits, Task, gold_of
from w2s.tasks.questions import SPLITS

__all__ = ["check_gold", "check_options", "check_sampling", "check_seeds", "check_sizes", "comparison_of"]


def check_sizes(experiment: Experiment, sizes: Mapping[str, Any], needs_weak_train: bool) -> None:
    """Make sure that no split is empty that the experiment needs.

    Args:
        experiment: The settings.
        sizes: Of each split, as given or as the task has them.
        needs_weak_train: Whether the weak source does.

    Raises:
        InputError: One is.
    """
    for split in SPLITS:
        if sizes[split] == 0 and (split != "weak_train" or needs_weak_train):
            why = f" for source {experiment.weak.source}" if split == "weak_train" else ""
            raise InputError(f"{split} is 0: an experiment needs questions in every split{why}")


def check_seeds(seeds: Sequence[int]) -> None:
    """Make sure that there are seeds, each once.

    Raises:
        InputError: There are none, or one is there twice or is none.
    """
    if not seeds:
        raise InputError("seeds is empty: expected at least one")
    for seed in seeds:
        if not 0 <= seed < 2**32:
            raise InputError(f"seed {seed}: expected a number from 0 to 2**32 - 1")
        if seeds.count(seed) > 1:
            raise InputError(f"seeds names {seed} more than once")


def check_sampling(experiment: Experiment, task: Task) -> None:
    """Make sure that no local model is to sample what it chooses.

    Raises:
        InputError: One is, and nothing would be drawn.
    """
    asked = {"evaluation": experiment.evaluation}
    if experiment.weak.source in ("trained", "prompted"):  # others may sample, and tell no probabilities
        asked["answering"] = experiment.answering
    for name, spec in asked.items():
        if spec.sampling_temperature and task.answering_mode(spec.mode) == "choose":
            raise InputError(
                f"{name}.sampling_temperature is {spec.sampling_temperature}: expected 0 where a model chooses, since "
                "nothing is drawn"
            )


def check_options(methods: Sequence[MethodSpec], task: Task) -> None:
    """Make sure that methods which choose among options have some.

    Raises:
        InputError: The task's answers are free.
    """
    for spec in methods:
        if spec.method.needs_options and "choose" not in task.modes:
            raise InputError(
                f"method {spec.label} needs options to choose among, and answers of task {task.name} are free"
            )


def check_gold(methods: Sequence[MethodSpec], splits: Splits) -> None:
    """Make sure that methods which learn ground truth of transfer have some.

    Raises:
        InputError: No question there has an answer.
    """
    known = any(gold_of(splits.gold, "transfer").values())
    for spec in methods:
        if spec.method.uses_gold and not known:
            raise InputError(f"method {spec.label} needs ground truth of transfer, and no question there has an answer")


def comparison_of(experiment: Experiment, methods: Sequence[MethodSpec]) -> tuple[str, str] | None:
    """The comparison that was named: two labels. By default the first method proper against the reference.

    Raises:
        InputError: What was named are not two of the methods.
    """
    given = experiment.compare
    labels = [spec.label for spec in methods]
    if given is None:
        proper = [spec.label for spec in methods if spec.method.role == "method"]
        reference = [spec.label for spec in methods if spec.method.reference]
        return (proper[0], reference[0]) if proper and reference else None
    if not given:
        return None
    if len(given) != 2:
        raise InputError(f"compare is {given}: expected two methods, such as [{', '.join(labels[:2])}]")
    for label in given:
        if label not in labels:
            raise InputError(f"compare names {label!r}: expected two of {', '.join(labels)}")
    if given[0] == given[1]:
        raise InputError(f"compare names {given[0]!r} twice: expected two of {', '.join(labels)}")
    return (given[0], given[1])
