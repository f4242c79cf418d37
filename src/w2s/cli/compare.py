"""`w2s compare`: two tables of predictions, question by question."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from w2s.cli.options import encoding_option
from w2s.cli.said import print_json, say

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

__all__ = ["compare_command", "compare_options"]


def compare_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("first", type=str, help="a table of predictions, as w2s evaluate --out or a run writes it")
    parser.add_argument("second", type=str, help="another one, to the same questions")
    encoding_option(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def compare_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.display import Display
    from w2s.report.paired import paired_text
    from w2s.results.paired import compare_predictions
    from w2s.tables import read_table

    with Display():
        first, second = (read_table(file, encoding=arguments.encoding) for file in (arguments.first, arguments.second))
        found = compare_predictions(first, second, names=(arguments.first, arguments.second))
    if arguments.json:
        print_json(dataclasses.asdict(found), None)
    else:
        say(paired_text(found))
