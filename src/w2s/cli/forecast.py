"""How an estimate is shown: steps by kind, models, totals, and on what they rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from w2s.forecast.plan import Estimate
    from w2s.forecast.steps import KnownModel
    from w2s.pipeline.graph import Graph
    from w2s.runners.base import Planned
    from w2s.store import Store

__all__ = ["about", "show_estimate"]

_SOURCES = {"files": "", "config": " by its configuration", "name": " by its name alone"}


def show_estimate(graphs: Sequence[Graph], planned: Sequence[Planned], store: Store, arguments: Namespace) -> None:
    """Print what the steps to do will take; nothing where all is done, or no cell could be planned.

    Args:
        graphs: That lay the steps.
        planned: The steps, each once.
        store: Where measured rates are looked for.
        arguments: The command's, with `jobs` and `runner`.
    """
    if not any(one.needed for one in planned):
        return
    from w2s.cli.said import say
    from w2s.forecast.plan import estimate
    from w2s.forecast.rates import rates_here
    from w2s.hub import without_hub
    from w2s.report.tables import plain_table, show

    device, gpus = _devices(graphs)
    here = rates_here(store.root, device=device, dtype=str(graphs[0].strong.settings["dtype"]))
    jobs = arguments.jobs if arguments.runner != "ray" else 1
    with without_hub():
        found = estimate(graphs, planned, here.rates, jobs=jobs, gpus=gpus)
    rows = [
        [
            one.kind,
            str(one.to_do),
            str(one.in_all),
            _count(one.rows),
            _count(one.tokens),
            _time(one.seconds, one.at_most, one.unknown),
        ]
        for one in found.kinds
    ]
    print()
    show(plain_table(["kind:", "to do", "in all", "rows", "tokens", "about"], rows))
    print()
    for line in _lines(found, jobs, device, here.told):
        say(line)


def _lines(found: Estimate, jobs: int, device: str, told: str) -> list[str]:
    at_most = any(one.at_most for one in found.kinds)
    more = " without those that are not known" if found.unknown else ""
    lines = [_of_model(model, device) for model in found.models]
    lines.append(f"time      {_time(found.seconds, at_most, 0)} in one process{more}; rates {told}")
    if found.seconds_in_jobs is not None:
        share = ", which share this machine's processors" if device == "cpu" else ""
        lines.append(f"          {_time(found.seconds_in_jobs, at_most, 0)} in {jobs} processes{share}")
    lines.append(f"memory    about {_bytes(found.memory)}{' a process' if jobs > 1 else ''}")
    lines.append(f"disk      about {_bytes(found.disk)} in the store")
    if found.unknown:
        rest = f" and {len(found.unknown) - 1} more" if len(found.unknown) > 1 else ""
        lines.append(f"not known {found.unknown[0]}{rest}: left out of time, memory and disk")
    return lines


def _of_model(model: KnownModel, device: str) -> str:
    on = f"{'4 bits, ' if model.quantized else ''}{model.dtype} on {device if model.device == 'auto' else model.device}"
    on += "" if model.here else " · not here: the hub is asked for it when it runs"
    if model.size is None:
        return f"model     {model.name}: size not known, neither by files nor by its name · {on}"
    total = model.size.total
    size = f"{total / 1e9:.1f}B" if total >= 1e9 else f"{total / 1e6:.0f}M" if total >= 1e6 else f"{total:,}"
    return f"model     {model.name}: {size} parameters{_SOURCES[model.size.source]} · {on}"


def _count(number: float) -> str:
    """How many, to three digits; a dash for none."""
    if not number:
        return "–"
    for unit, size in (("B", 1e9), ("M", 1e6)):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:,.0f}"


def _devices(graphs: Sequence[Graph]) -> tuple[str, int]:
    """The device that students are put on, and how many GPUs there are."""
    import torch

    from w2s.models.device import choose_device

    device = choose_device(graphs[0].experiment.strong.device).type
    return device, torch.cuda.device_count() if device == "cuda" else 0


def _time(seconds: float, at_most: bool, unknown: int) -> str:
    text = f"{'at most ' if at_most and seconds else ''}{about(seconds)}"
    return f"{text} + {unknown} not known" if unknown else text


def about(seconds: float) -> str:
    """A time to two digits, in the unit that people would say it in."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * size:
            return f"{float(f'{seconds / size:.2g}'):,g} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else "0 s" if not seconds else "<1 s"


def _bytes(count: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{float(f'{count / size:.2g}'):g} {unit}"
    return f"{count / 1e3:.0f} kB"
