"""`w2s study`: a grid of experiments, and what it would do."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from w2s.cli.options import adapters_option, runner_from, runner_options, store_of
from w2s.cli.plugins import named_plugins
from w2s.cli.said import say
from w2s.cli.settings_file import settings_in
from w2s.cli.track import track_option, tracked, tracked_table

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from w2s.display import Display
    from w2s.results.study import CellRecords
    from w2s.runners.base import Planned
    from w2s.store import Store
    from w2s.study.plan import Plan

__all__ = ["study_command", "study_options"]


def study_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("file", type=str, help="a YAML file with base, grid, include, exclude")
    parser.add_argument("--out", type=str, default=None, help="folder for the results (default: runs/NAME)")
    parser.add_argument("--store", type=str, default=None, help="folder of finished steps (default: W2S_HOME)")
    runner_options(parser)
    adapters_option(parser)
    track_option(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="list cells and steps, and about what they take; compute nothing"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")


def study_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.display import Display
    from w2s.plugins import load_installed
    from w2s.report.words import visible
    from w2s.study.grid import cells_of, with_plugins

    load_installed()
    settings = with_plugins(settings_in(arguments.file), named_plugins())
    cells = cells_of(settings)
    name = str(settings.get("name", Path(arguments.file).stem))
    store, out = store_of(arguments.store), Path(arguments.out or Path("runs") / name)
    if arguments.dry_run:
        from w2s.folders.layout import StudyFolder
        from w2s.hub import without_hub
        from w2s.study.plan import Plan

        runner_from(arguments)
        StudyFolder(out).check()
        with Display(), without_hub():
            plan = Plan(cells)
        _show_plan(plan, store, arguments)
        sys.exit(2 if plan.errors else 0)
    from w2s.report.tables import show
    from w2s.study.running import run_study

    with Display() as display, tracked(arguments.track, out, store, display.on_event) as (on_event, tracking):
        result = run_study(
            cells,
            out=out,
            name=name,
            store=store,
            runner=runner_from(arguments),
            on_plan=lambda plan: _announce(display, plan, store),
            on_event=on_event,
            on_cell=lambda cell: display.say(_of_cell(cell)),
            settings=settings,
            adapters=arguments.adapters,
            info={"commands": [f"w2s run --config {out}/cells/NAME/experiment.yaml"]},
        )
        if tracking is not None:
            tracking.table(*tracked_table([(cell.name, cell.result) for cell in result.cells if cell.result]))
    if arguments.json:
        print(json.dumps(result.to_dict(), indent=1))
    else:
        from w2s.report.study_table import study_table

        show(study_table(result), width=160)
        say(f"\n{display.computed} steps computed, {display.reused} found done in {store.root}")
        say(f"Results: {out / 'results.csv'} · page: {out / 'report.html'}")
    if result.failures:
        for cell, error in result.failures.items():
            print(f"w2s: {visible(f'cell {cell} failed: {error}')}", file=sys.stderr)
        sys.exit(2 if all(cell.refused for cell in result.cells if cell.error) else 1)


def _of_cell(cell: CellRecords) -> str:
    return f"cell {cell.name}: {cell.state}" + (f": {cell.error}" if cell.error else "")


def _planned(plan: Plan, store: Store) -> list[Planned]:
    from w2s.runners.base import plan as plan_of

    return plan_of(plan.targets(), store)


def _announce(display: Display, plan: Plan, store: Store) -> None:
    planned = _planned(plan, store)
    to_do = sum(one.needed for one in planned)
    drawn = sum(cell.experiment.split_per_seed for cell in plan.cells)
    display.say(f"cells     {len(plan.cells)}: {', '.join(cell.name for cell in plan.cells)}")
    display.say(f"splits    drawn for each seed in {drawn} of {len(plan.cells)} cells")
    display.say(f"steps     {to_do} to do, {len(planned) - to_do} done · store {store.root}")


def _show_plan(plan: Plan, store: Store, arguments: Namespace) -> None:
    """A line for each cell, then the steps by kind, with what they take; those that cells share are counted once."""
    from w2s.cli.forecast import show_estimate
    from w2s.report.tables import plain_table, show
    from w2s.runners.base import plan as plan_of

    rows = []
    for cell in plan.cells:
        if (error := plan.errors.get(cell.name)) is not None:
            rows.append([cell.name, "cannot be planned", "", "", str(error)])
            continue
        graph = plan.graphs[cell.name]
        planned = plan_of(graph.targets(), store)
        to_do = sum(one.needed for one in planned)
        who = f"{graph.task.name}: {graph.supervisor} teaches {graph.experiment.strong.name}"
        rows.append([cell.name, "done" if not to_do else "to do", str(to_do), str(len(planned) - to_do), who])
    show(plain_table(["cell:", "state:", "steps to do", "done", "what:"], rows), width=160)
    planned = _planned(plan, store)
    show_estimate(list(plan.graphs.values()), planned, store, arguments)
    to_do = sum(one.needed for one in planned)
    say(f"\n{to_do} of {len(planned)} steps to do; store: {store.root}")
