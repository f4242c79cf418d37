"""What a dry run would have said of a finished run, beside what its steps took.

    python benchmarks/forecast.py runs/quickstart [--store DIR]

The prediction is that of `w2s run --dry-run` from an empty store: by the rates that `w2s doctor --measure` left in the
store, or by those of machines of this kind. What was measured are the seconds in the manifests of the run's steps: of
each step alone, so the start of a process and what no step was running in are in neither. A step that was gone on with
after a kill has only its last try there. For a calibration: measure and run on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from common import device_name, print_table, run_script

from w2s.forecast.plan import step_seconds
from w2s.forecast.rates import rates_here
from w2s.forecast.steps import StepWork
from w2s.hub import without_hub
from w2s.models.device import choose_device
from w2s.pipeline.graph import Graph
from w2s.runners.base import order
from w2s.running import Result
from w2s.step import Step
from w2s.store import Store, default_root
from w2s.store.manifest import read_manifest


def measured_seconds(store: Store, step: Step) -> float | None:
    """What a step took, by its manifest; None where the store has it not."""
    manifest = read_manifest(store.root / step.kind / step.key, step.address)
    return None if manifest is None else manifest.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of a finished run")
    parser.add_argument("--store", type=Path, default=None, help="where its steps are; by default W2S_HOME")
    arguments = parser.parse_args()
    store = Store(arguments.store or default_root())
    with without_hub():
        graph = Graph(Result.load(arguments.run).experiment)
        steps = order(graph.targets())
        works = StepWork([graph])
        found = {step.key: works.of(step) for step in steps}
    device = choose_device(graph.experiment.strong.device).type
    rates = rates_here(store.root, device=device, dtype=str(graph.strong.settings["dtype"]))
    predicted = step_seconds(found, rates.rates)
    rows, sums = [], {}
    for step in steps:
        seconds = measured_seconds(store, step)
        if seconds is None or found[step.key].does in ("nothing", "unknown"):
            continue
        rows.append(_row(step.label, predicted[step.key], seconds))
        before = sums.get(step.kind, (0.0, 0.0))
        sums[step.kind] = (before[0] + predicted[step.key], before[1] + seconds)
    rows += [_row(f"all of kind {kind}", *both) for kind, both in sums.items()]
    rows.append(_row("all", sum(one for one, _ in sums.values()), sum(one for _, one in sums.values())))
    print_table(f"{device_name()}; rates {rates.told}", ["", "predicted, s", "measured, s", "ratio"], rows)


def _row(label: str, predicted: float, measured: float) -> list[str]:
    ratio = f"{predicted / measured:.2f}" if measured else "–"
    return [label, f"{predicted:.1f}", f"{measured:.1f}", ratio]


if __name__ == "__main__":
    run_script(main)
