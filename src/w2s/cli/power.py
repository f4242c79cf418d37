"""`w2s power`: how many seeds and questions see an effect."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from w2s.cli.said import say
from w2s.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa
    from jsonargparse import ArgumentParser, Namespace
    from rich.table import Table

    from w2s.results.power import PowerPlan

__all__ = ["power_command", "power_options"]

_DEVIATIONS = {"seeds": "seed_sd", "questions": "question_sd", "answers": "answer_sd"}


def power_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument(
        "run", type=str, nargs="?", default=None, help="folder of a finished run or study, two seeds up"
    )
    parser.add_argument("--effect", type=float, default=None, help="a difference in accuracy, such as 0.03")
    parser.add_argument("--compare", type=list[str], default=[], help="two methods (default: those that the run named)")
    parser.add_argument("--seeds", type=list[int], default=[3, 5, 8, 12, 20], help="numbers of seeds to try")
    parser.add_argument(
        "--questions", type=list[int], default=[200, 400, 800, 1600], help="numbers of test questions to try"
    )
    parser.add_argument("--power", type=float, default=0.8, help="with which the minimal effect is to be found")
    parser.add_argument("--alpha", type=float, default=0.05, help="level of the test, two-sided")
    parser.add_argument(
        "--test-sets",
        type=Literal["shared", "own"],
        default=None,
        help="one for all seeds, or one for each that shares no question (default: as the run had it)",
    )
    parser.add_argument(
        "--seed-sd", type=float, default=None, help="instead of a run: how far a seed's difference varies"
    )
    parser.add_argument("--question-sd", type=float, default=None, help="how far a question's does, over all seeds")
    parser.add_argument("--answer-sd", type=float, default=None, help="how far a single answer's does beyond these")
    parser.add_argument("--out", type=str, default=None, help="a table to write: .parquet, .csv or .jsonl")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def power_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    import pyarrow as pa

    from w2s.report.tables import show
    from w2s.tables import check_suffix, write_table

    if arguments.out:
        check_suffix(Path(arguments.out))
    plans = _plans(arguments)
    tables = [
        plan.to_table(
            seeds=arguments.seeds,
            questions=arguments.questions,
            effect=math.nan if arguments.effect is None else arguments.effect,
            wanted=arguments.power,
            alpha=arguments.alpha,
        )
        for plan in plans
    ]
    if arguments.out:
        write_table(pa.concat_tables(tables), arguments.out)
    if arguments.json:
        found = [{**plan.to_dict(), "sizes": _sizes(table)} for plan, table in zip(plans, tables, strict=True)]
        print(json.dumps({"alpha": arguments.alpha, "power": arguments.power, "comparisons": found}, indent=1))
        return
    for plan, table in zip(plans, tables, strict=True):
        for line in _told(plan, arguments):
            say(line)
        show(_grid(table, arguments))
        print()
    if arguments.out:
        say(f"{sum(table.num_rows for table in tables)} sizes: {arguments.out}")


def _plans(arguments: Namespace) -> list[PowerPlan]:
    from w2s.metrics import Components
    from w2s.results.power import PowerPlan, finished_runs, planned_from

    for name in ("seeds", "questions"):
        if not arguments[name]:
            raise InputError(f"--{name} is empty: expected numbers to try, such as '[3, 5, 8]'")
    given = {name: arguments[option] for name, option in _DEVIATIONS.items()}
    if arguments.run is None:
        missing = [f"--{_DEVIATIONS[name].replace('_', '-')}" for name, value in given.items() if value is None]
        if missing:
            raise InputError(f"expected the folder of a finished run, or also {', '.join(missing)}")
        components = Components.of_deviations(**given)
        return [PowerPlan(components=components, test_sets=arguments.test_sets or "shared")]
    if any(value is not None for value in given.values()):
        raise InputError("--seed-sd, --question-sd and --answer-sd are given instead of a run: expected one of the two")
    return [
        planned_from(result, compare=arguments.compare, test_sets=arguments.test_sets, cell=cell)
        for cell, result in finished_runs(arguments.run).items()
    ]


def _sizes(table: pa.Table) -> list[dict[str, object]]:
    return [dict(row) for row in table.drop_columns(["cell", "method", "reference", "test_sets"]).to_pylist()]


def _told(plan: PowerPlan, arguments: Namespace) -> list[str]:
    """What is planned from, in a few lines."""
    from w2s.report.words import interval, share

    found = plan.components
    of_seeds = share(math.sqrt(found.seeds))
    if not math.isnan(found.seeds_high):
        of_seeds = f"{of_seeds} {interval(math.sqrt(found.seeds_low), math.sqrt(found.seeds_high))}"
    parts = [f"seeds {of_seeds}"]
    if math.isnan(found.questions):
        parts.append(f"answers within a seed {share(math.sqrt(found.answers))}")
    else:
        parts += [f"questions {share(math.sqrt(found.questions))}", f"answers {share(math.sqrt(found.answers))}"]
    lines = [f"standard deviations: {', '.join(parts)}"]
    if plan.method:
        cell = f"{plan.cell}: " if plan.cell else ""
        difference = ("+" if plan.difference >= 0 else "") + share(plan.difference)
        lines.insert(0, f"{cell}{plan.method} − {plan.reference}: {difference} over {plan.seeds} seeds")
    sets = "one test set for all seeds" if plan.test_sets == "shared" else "a test set of its own for each seed"
    told = f"least difference seen with power {arguments.power:g} at level {arguments.alpha:g}"
    if not math.isnan(plan.gap):
        told += f", in PGR (of a gap of {share(plan.gap)})"
    if arguments.effect is not None:
        told += f"; power at {arguments.effect:g}"
    return [*lines, f"{sets}; {told}", ""]


def _grid(table: pa.Table, arguments: Namespace) -> Table:
    """A row for each number of seeds, a column for each number of questions."""
    from w2s.report.tables import plain_table

    cells = {(row["seeds"], row["questions"]): _cell(row) for row in table.to_pylist()}
    columns = ["seeds", *(f"{questions:,} questions" for questions in arguments.questions)]
    rows = [[f"{seeds}", *(cells[seeds, questions] for questions in arguments.questions)] for seeds in arguments.seeds]
    return plain_table(columns, rows)


def _cell(row: dict[str, float | None]) -> str:
    from w2s.report.words import share

    least, pgr = row["minimal_effect"], row["minimal_effect_pgr"]
    text = share(least) if pgr is None else f"{share(least)}, {share(pgr, 2)}"
    return text if row["power"] is None else f"{text}; {share(row['power'], 2)}"
