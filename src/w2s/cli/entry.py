"""The `w2s` command: parse, call, print. What it does is elsewhere; here is how it is said."""

from __future__ import annotations

import difflib
import errno
import io
import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from w2s.cli import compare, export, lists, options, paraphrase, power, report, run, score, stages, store, study
from w2s.cli.bare import with_brackets
from w2s.cli.help import asks_for_help
from w2s.cli.plugins import load_plugins_of
from w2s.cli.processes import follow_leader, lead
from w2s.cli.settings_file import is_text, with_files_read
from w2s.errors import InputError, unknown_name
from w2s.launched import leading, this_process

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace


__all__ = ["run_words"]

# What the system says where a file cannot be written: the user's to put right, wherever it comes up.
_UNWRITABLE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.ELOOP,
}


class _Command(NamedTuple):
    """A subcommand: one line of help, its options, and what it does with them."""

    summary: str
    options: Callable[[ArgumentParser, Sequence[str]], None]
    call: Callable[[Namespace, ArgumentParser, Sequence[str]], None]


def run_words(words: list[str]) -> None:
    """Run the command of these words, and end the process with the status where it is not done."""
    _make_streams_safe()
    with leading():
        _run(words)


def _run(words: list[str]) -> None:
    if "--debug" in words:
        _dispatch([word for word in words if word != "--debug"])
        return
    warnings.filterwarnings("ignore", category=FutureWarning)  # of libraries to each other: no user can do anything
    try:
        try:
            _dispatch(words)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # here and not at exit, where Python would complain of a reader who has gone
    except InputError as error:
        _complain(str(error))
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _UNWRITABLE:
            _complain(f"{error.filename or 'cannot write'}: {os.strerror(error.errno).lower()}")
            sys.exit(2)
        if isinstance(error, FileNotFoundError) and error.filename is None and not _has_working_folder():
            _complain("the working folder was removed: go to one that is there")
            sys.exit(2)
        name = type(error).__name__
        text = " ".join(str(error).split())
        from w2s.plugins import place_of

        place = place_of(error)
        _complain(f"{name}: {text} ({f'in plug-in {place}' if place else 'not expected'}; --debug shows where)")
        sys.exit(1)


def _has_working_folder() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def _make_streams_safe() -> None:
    """A character that the terminal cannot show must not end an hour's work: it is shown as its number."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _complain(message: str) -> None:
    """One line on standard error, in which nothing steers the terminal."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(message.split()))
    print(f"w2s: {text}", file=sys.stderr)


def _dispatch(words: list[str]) -> None:
    if this_process().rank:
        follow_leader()
        return
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        return
    if words[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"w2s {version('w2s')}")
        return
    if wrong := next((word for word in words if not is_text(word)), None):
        raise InputError(f"{wrong[:60]!r}: expected text in UTF-8, without null bytes")
    name, rest = _named(words)
    if this_process().world > 1:
        lead(name)
    command = _COMMANDS[name]
    rest = load_plugins_of(rest)
    from jsonargparse import ArgumentError, ArgumentParser

    parser = ArgumentParser(
        prog=f"w2s {name}",
        usage=f"w2s {name} [OPTIONS]",
        description=command.summary,
        exit_on_error=False,
        allow_abbrev=False,
    )
    command.options(parser, rest)
    if (help_of := asks_for_help(name, rest)) is not None:
        print(help_of(parser))
        return
    options.check_groups(parser, rest)
    try:
        arguments = parser.parse_args(with_files_read(parser, with_brackets(parser, rest)))
    except ArgumentError as error:
        raise InputError(_one_line(str(error), parser, rest)) from None
    command.call(arguments, parser, rest)


def _named(words: list[str]) -> tuple[str, list[str]]:
    """The command that the first word or the first two are, and the words after it."""
    below = [name for name in _COMMANDS if name.startswith(f"{words[0]} ")]
    if below and len(words) > 1 and not words[1].startswith("-"):
        name = f"{words[0]} {words[1]}"
        if name not in below:
            raise unknown_name("command", name, below)
        return name, words[2:]
    if words[0] not in _COMMANDS:
        raise unknown_name("command", words[0], _COMMANDS)
    return words[0], words[1:]


def _help() -> str:
    lines = [
        "usage: w2s COMMAND [OPTIONS]",
        "",
        "Weak-to-strong generalization with reliability-aware supervision.",
        "",
    ]
    lines += [f"  {name:<12} {command.summary}" for name, command in _COMMANDS.items()]
    lines += ["", "w2s COMMAND --help shows a command's options; --debug, with any of them, the traceback of an error."]
    return "\n".join(lines)


def _one_line(message: str, parser: ArgumentParser, words: Sequence[str]) -> str:
    """What argparse says of a wrong option or setting, in one line, with the nearest name that exists."""
    text = " ".join(message.split()).removeprefix("error: ")
    if found := re.fullmatch(r"unrecognized arguments: ([^-].*)", text):
        return f"unexpected {found[1]!r}: several values are separated by commas, such as --seeds 0,1,2"
    known = [option for option in parser._option_string_actions if option.startswith("--")]
    for word in words:
        option = word.split("=")[0].rstrip("+")
        if option.startswith("--") and option not in known:
            return f"unknown option {option}: {_listed(option, parser, known)}"
    if found := re.fullmatch(r"(?:Group '([^']+)' does not accept option|Option) '([^']+)'(?: is not accepted)?", text):
        name = ".".join(part for part in found.groups() if part)
        return f"unknown setting {name}: {_listed(name, parser, [option[2:] for option in known])}"
    if found := re.match(r'Parser key "([^"]+)": Unable to load config', text):
        return f"{found[1]} is a group of settings: expected a YAML file with them, or --{found[1]}.NAME for one"
    if found := re.fullmatch(r'Parser key "([^"]+)": (.*?) (?:Given|Got) value: (.*)', text):
        name, types, told = found.groups()
        types, value = types.split(" Given value type: ")[0], re.split(r" (?:Given|Got) value: ", told)[-1]
        return f"{name} is {value!r}: expected {_in_words(types, value)}"
    return text


def _listed(name: str, parser: ArgumentParser, known: Sequence[str]) -> str:
    from w2s.methods import METHODS

    method, _, setting = name.removeprefix("--").partition(".")
    if method in METHODS:
        example = f"'[{{method: {method}, {setting or 'SETTING'}: VALUE}}]'"
        return f"a method's settings stand with it in the list of methods, such as --methods {example}"
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{parser.prog} --help lists them{hint}"


def _in_words(types: str, value: str) -> str:
    """The types that jsonargparse names as Python does, as a user would say them."""
    names = [name for group in re.findall(r"Literal\[([^\]]*)\]", types) for name in re.findall(r"'([^']*)'", group)]
    names = list(dict.fromkeys(names))
    words = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text"}
    words |= {"list": "a list, such as [a, b]", "dict": "a mapping, such as {a: 1}"}
    expected = [word for name, word in words.items() if f"<class '{name}'>" in types]
    expected += [names[0] if len(names) == 1 else f"one of {', '.join(names)}"] if names else []
    near = difflib.get_close_matches(value, names, n=1, cutoff=0.5)
    return (" or ".join(expected) or types) + (f"; did you mean {near[0]!r}?" if near else "")


_COMMANDS: dict[str, _Command] = {
    "run": _Command("the whole experiment: table, figures, page and all artifacts", run.run_options, run.run_command),
    "study": _Command(
        "a grid of experiments: one table, one page, shared steps once", study.study_options, study.study_command
    ),
    "supervisor": _Command(
        "a weak supervisor: a model trained on right answers, and tested",
        stages.supervisor_options,
        stages.supervisor_command,
    ),
    "label": _Command(
        "ask a model every variation of every question: an answers table", stages.label_options, stages.label_command
    ),
    "paraphrase": _Command(
        "have a model reword every question, and check what it writes",
        paraphrase.paraphrase_options,
        paraphrase.paraphrase_command,
    ),
    "score": _Command(
        "how far answers agree: an answers table to a scored one", score.score_options, score.score_command
    ),
    "select": _Command("scored answers to a training set, by one method", stages.select_options, stages.select_command),
    "train": _Command("a training set to an adapter", stages.train_options, stages.train_command),
    "evaluate": _Command(
        "a model, with or without an adapter, on a task's questions",
        stages.evaluate_options,
        stages.evaluate_command,
    ),
    "compare": _Command(
        "two tables of predictions: the difference, question by question",
        compare.compare_options,
        compare.compare_command,
    ),
    "export": _Command(
        "a training set for other trainers, or a student to load elsewhere",
        export.export_options,
        export.export_command,
    ),
    "report": _Command(
        "a finished run as a page, figures, or a table for a paper", report.report_options, report.report_command
    ),
    "power": _Command("how many seeds and questions see an effect", power.power_options, power.power_command),
    "store": _Command("what is kept of all runs, and who needs it", store.store_options, store.store_command),
    "store prune": _Command(
        "remove what no run needs; without --yes, list it", store.prune_options, store.prune_command
    ),
    "store verify": _Command("check every result against its hashes", store.verify_options, store.verify_command),
    "store export": _Command("a run with all its results, as one file", store.export_options, store.export_command),
    "store import": _Command("take a run out of such a file, checked", store.import_options, store.import_command),
    "tasks": _Command("the data sets; with a name, its prompts", lists.tasks_options, lists.tasks_command),
    "sources": _Command("where weak answers can come from", options.no_options, lists.sources_command),
    "estimators": _Command(
        "the ways to say how far an answer can be trusted", options.no_options, lists.estimators_command
    ),
    "methods": _Command("the methods and their settings", options.no_options, lists.methods_command),
    "models": _Command("the models that install as packages", options.no_options, lists.models_command),
    "doctor": _Command("what is installed, and what this machine can do", lists.doctor_options, lists.doctor_command),
}
