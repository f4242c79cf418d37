"""What the steps that are not done will take in all: time, memory and disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from w2s.forecast.steps import KnownModel, StepWork
from w2s.forecast.work import Rates, Work, makespan, memory_of, seconds_of
from w2s.pipeline.graph import Graph
from w2s.runners.base import Planned
from w2s.step import Step

__all__ = ["Estimate", "KindEstimate", "estimate", "step_seconds"]


@dataclass(frozen=True, kw_only=True)
class KindEstimate:
    """The steps of one kind.

    Attributes:
        kind: The kind.
        to_do: Those that would be computed.
        in_all: All of them.
        rows: That those to do ask for, train on or write, all together.
        tokens: That go through a model in those to do, read or written; of trainings, in all their epochs.
        seconds: That those to do take.
        at_most: The real time is this or less.
        unknown: How many of those to do nobody can say.
    """

    kind: str
    to_do: int
    in_all: int
    rows: float
    tokens: float
    seconds: float
    at_most: bool
    unknown: int


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a plan will take; every number is about so.

    Attributes:
        kinds: By kind of step, in the order in which they come.
        seconds: Of all steps in one process, one after the other, with its start; 0 where nothing is to do.
        seconds_in_jobs: Of as many processes of this machine as were asked for; None for one.
        memory: Bytes of a process at its peak.
        disk: Bytes that results take.
        models: That steps work with, done or not.
        unknown: Labels of the steps to do that nobody can say.
    """

    kinds: Sequence[KindEstimate]
    seconds: float
    seconds_in_jobs: float | None
    memory: float
    disk: float
    models: Sequence[KnownModel]
    unknown: Sequence[str]


def estimate(
    graphs: Sequence[Graph], planned: Sequence[Planned], rates: Rates, *, jobs: int = 1, gpus: int = 0
) -> Estimate:
    """Estimate a plan.

    Args:
        graphs: That lay its steps.
        planned: Its steps, each once; only those that are needed count.
        rates: Of this machine.
        jobs: Processes. Those on a CPU share its processors, so that each is as many times slower.
        gpus: Of this machine; each process has one of these.
    """
    works = StepWork(graphs)
    needed = [one.step for one in planned if one.needed]
    found = {step.key: works.of(step) for step in needed}
    seconds = step_seconds(found, rates)
    kinds = []
    for kind in dict.fromkeys(one.step.kind for one in planned):
        steps = [step for step in needed if step.kind == kind]
        kinds.append(
            KindEstimate(
                kind=kind,
                to_do=len(steps),
                in_all=sum(one.step.kind == kind for one in planned),
                rows=sum(found[step.key].rows for step in steps),
                tokens=sum(found[step.key].tokens + found[step.key].written for step in steps),
                seconds=sum(seconds[step.key] for step in steps),
                at_most=any(found[step.key].at_most for step in steps),
                unknown=sum(found[step.key].does == "unknown" for step in steps),
            )
        )
    for one in planned:
        works.model_of(one.step)
    return Estimate(
        kinds=kinds,
        seconds=rates.start + sum(seconds.values()) if needed else 0.0,
        seconds_in_jobs=_in_jobs(needed, seconds, rates, jobs, gpus) if jobs > 1 and needed else None,
        memory=max((memory_of(work) for work in found.values()), default=0.0),
        disk=sum(work.bytes for work in found.values()),
        models=list(works.models.values()),
        unknown=[step.label for step in needed if found[step.key].does == "unknown"],
    )


def step_seconds(works: Mapping[str, Work], rates: Rates) -> dict[str, float]:
    """What steps take, one after the other in one process: a model that is there is not loaded again.

    Args:
        works: Of each step by its key, in their order.
        rates: Of the machine.
    """
    held = ""
    seconds = {}
    for key, work in works.items():
        seconds[key] = seconds_of(work, rates, loads=bool(work.model) and work.model != held)
        held = work.model or held
    return seconds


def _in_jobs(steps: Sequence[Step], seconds: Mapping[str, float], rates: Rates, jobs: int, gpus: int) -> float:
    slower = max(1.0, jobs / max(1, gpus))
    inputs = {step.key: [before.key for before in step.inputs.values()] for step in steps}
    return rates.start + makespan({key: slower * one for key, one in seconds.items()}, inputs, jobs)
