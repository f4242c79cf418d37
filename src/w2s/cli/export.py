"""`w2s export`: a training set for another trainer, or a student for whoever loads it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from w2s.cli.options import encoding_option, store_of
from w2s.cli.said import refuse_inputs, say
from w2s.errors import InputError

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

__all__ = ["export_command", "export_options"]

_OF_SETS = {"for": None, "weights": "refuse", "rows": None, "encoding": None}
_OF_STUDENTS = {"merge": False, "method": None, "base": None, "dtype": "auto", "store": None}


def export_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument(
        "what", type=str, help="a training set (a file), or a student: its folder, its adapter's, or a run's"
    )
    parser.add_argument("--out", type=str, required=True, help="a .jsonl or .json file; of a student, a folder")
    parser.add_argument("--for", type=str, default=None, help="of a training set: trl, openai or alpaca")
    parser.add_argument(
        "--weights",
        type=Literal["refuse", "draw"],
        default="refuse",
        help="of a training set: weights that differ are refused, or become repeated rows",
    )
    parser.add_argument(
        "--rows", type=int, default=None, help="how many are drawn (default: as many as have a weight above 0)"
    )
    encoding_option(parser)
    parser.add_argument("--merge", action="store_true", help="of a student: a model of its own, not an adapter")
    parser.add_argument("--method", type=str, default=None, help="of a run: whose student")
    parser.add_argument("--seed", type=int, default=None, help="of a run: which seed; of a draw: its seed")
    parser.add_argument("--base", type=str, default=None, help="the model under the adapter, where no run tells it")
    parser.add_argument(
        "--dtype",
        type=Literal["auto", "float32", "bfloat16", "float16"],
        default="auto",
        help="of a merged model (default: as it was trained)",
    )
    parser.add_argument("--store", type=str, default=None, help="folder of finished steps (default: W2S_HOME)")


def export_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    path = Path(arguments.what).expanduser()
    if not path.exists():
        raise InputError(f"{arguments.what}: no such file or folder")
    of_set = path.is_file()
    foreign = _OF_STUDENTS if of_set else _OF_SETS
    if given := next((name for name, default in foreign.items() if arguments[name] != default), None):
        kind, own = ("a training set", "a student") if of_set else ("a student", "a training set")
        raise InputError(f"--{given} is for {own}, and {arguments.what} is {kind}")
    if arguments.dtype != "auto" and not arguments.merge:
        raise InputError(
            f"--dtype is {arguments.dtype}, and an adapter stays as it was trained: expected --merge with it"
        )
    if of_set and arguments.seed is not None and arguments.weights != "draw":
        raise InputError(f"--seed is {arguments.seed}, and nothing is drawn: expected --weights draw with it")
    if of_set:
        _export_set(arguments, path)
    else:
        _export_student(arguments)


def _export_set(arguments: Namespace, path: Path) -> None:
    from w2s.display import Display
    from w2s.exporting.sets import FORMS, export_training_set
    from w2s.tables import read_table

    form, out = arguments["for"], Path(arguments.out).expanduser()
    if form is None:
        raise InputError(f"{path} is a training set: expected --for with one of {', '.join(FORMS)}")
    refuse_inputs("--out", arguments.out, arguments.what)
    with Display():
        table = read_table(path, encoding=arguments.encoding)
    seed = arguments.seed or 0
    found = export_training_set(table, out, form=form, weights=arguments.weights, rows=arguments.rows, seed=seed)
    how = f", drawn in proportion to the weights with seed {seed}" if found.drawn else ""
    left_out = f" ({found.left_out} of its {found.rows_in} rows are not among them)" if found.left_out else ""
    say(f"{found.rows} rows for {form}{how}{left_out}: {arguments.out}")


def _export_student(arguments: Namespace) -> None:
    from w2s.display import Display
    from w2s.exporting.finding import base_of, find_student
    from w2s.exporting.students import export_student

    with Display():
        student = find_student(arguments.what, method=arguments.method, seed=arguments.seed)
        base = base_of(student, arguments.base, arguments.dtype)
        found = export_student(
            student, arguments.out, base=base, merge=arguments.merge, store=store_of(arguments.store)
        )
    if found.difference is not None:
        apart = found.difference
        print(
            f"loaded again: logits differ by {apart.largest:.2g} at most ({apart.typical:.2g} of their standard "
            f"deviation); the same most probable token at {apart.same_top:.1%} of {apart.positions} positions"
        )
    say(f"{'model' if found.merged else f'adapter of {found.base}'}, tokenizer and card: {arguments.out}")
