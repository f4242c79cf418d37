"""`w2s score`: how far answers agree, whom to trust, and which estimator knows right from wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from w2s.cli.options import encoding_option
from w2s.cli.said import named, out_file, print_json, refuse_inputs, said_unparsed, say
from w2s.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa
    from jsonargparse import ArgumentParser, Namespace

    from w2s.gold import Gold
    from w2s.reading.labels import Labels
    from w2s.reliability import ReliabilitySummary
    from w2s.reliability.annotators import Annotators
    from w2s.results.comparison import ComparedEstimator

__all__ = ["score_command", "score_options"]


class _Found(NamedTuple):
    """What is to be said of the answers."""

    labels: Labels
    notes: Sequence[str]
    scored: pa.Table
    summary: ReliabilitySummary
    annotators: Annotators | None
    estimators: Sequence[ComparedEstimator]


def score_options(parser: ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument(
        "answers",
        type=str,
        nargs="+",
        help="a table with question_id, answer, and variation or annotator, or an export",
    )
    encoding_option(parser)
    parser.add_argument(
        "--format",
        type=str,
        default="",
        help="table, label-studio, argilla, lm-eval, distilabel or batch (default: what the file is recognized as)",
    )
    parser.add_argument(
        "--columns",
        type=dict[str, str],
        default={},
        help="what the table calls them: '{question_id: item, answer: label}'",
    )
    parser.add_argument(
        "--annotators",
        type=list[str],
        default=[],
        help="of a table with one column for each annotator: these columns",
    )
    parser.add_argument(
        "--normalize",
        type=list[str] | str,
        default=[],
        help="labels: space, case, a YAML or CSV file, or '[space, case]'",
    )
    parser.add_argument(
        "--estimator", type=str, default="votes", help="one that w2s estimators lists; several, a,b, are compared"
    )
    parser.add_argument("--gold", type=str, default=None, help="a table of right answers: question_id and answer")
    parser.add_argument("--temperature", type=float, default=None, help="of the reliability score (default: 0.2)")
    parser.add_argument(
        "--settings", type=dict[str, Any], default={}, help="of the (first) estimator: '{temperature: 2}'"
    )
    parser.add_argument(
        "--unparsed",
        type=str,
        default=None,
        help="class, drop_question or drop_answer (default: class; rows of annotators without a label are left out)",
    )
    parser.add_argument("--out", type=str, default=None, help="a table to write: .parquet, .csv or .jsonl")
    parser.add_argument("--report", type=str, default=None, help="a page to write: .html")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def score_command(arguments: Namespace, parser: ArgumentParser, words: Sequence[str]) -> None:
    from w2s.display import Display
    from w2s.pipeline.origin import write_table

    read = [*arguments.answers, arguments.gold, *_rules(arguments)]
    out_file(arguments.out, *read)
    refuse_inputs("--report", arguments.report, *read)
    with Display():
        found = _score(arguments)
    if arguments.out:
        write_table(found.scored, arguments.out)
    if arguments.report:
        from w2s.report.labels_page import write_labels_page

        write_labels_page(
            found.labels, found.scored, Path(arguments.report), title=Path(arguments.answers[0]).name, notes=found.notes
        )
    if arguments.json:
        print_json(_as_json(found), arguments.out)
        return
    _print(found)
    if arguments.out:
        say(f"\n{found.scored.num_rows} scored answers{said_unparsed(found.scored)}: {arguments.out}")
    elif said_unparsed(found.scored):
        say(f"\n{found.scored.num_rows} answers{said_unparsed(found.scored)}")
    if arguments.report:
        say(f"page: {arguments.report}")


def _rules(arguments: Namespace) -> list[str]:
    """How spellings are merged."""
    return [arguments.normalize] if isinstance(arguments.normalize, str) else list(arguments.normalize)


def _score(arguments: Namespace) -> _Found:
    from w2s.reading.labels import labels_of
    from w2s.reliability import score_answers, summarize
    from w2s.reliability.annotators import compare_annotators

    answers, notes = _answers_of(arguments)
    if not answers.num_rows:
        raise InputError(f"{arguments.answers[0]} is empty: it has no rows")
    names = [name.strip() for name in arguments.estimator.split(",")]
    if len(names) > 1 and not arguments.gold:
        raise InputError(f"--estimator names {len(names)}: expected --gold as well, right answers to compare them by")
    gold = _gold(arguments, answers) if arguments.gold else None
    labels = labels_of(answers, normalize=_rules(arguments), keep_missing=None if arguments.unparsed is None else True)
    settings = named(arguments.settings)
    if arguments.temperature is not None and settings.setdefault("temperature", told := arguments.temperature) != told:
        raise InputError(
            f"--temperature is {told} and --settings has temperature {settings['temperature']}: expected one of them"
        )
    unparsed = {} if arguments.unparsed is None else {"unparsed": arguments.unparsed}
    own = [settings, *({} for _ in names[1:])]  # settings are the first one's: the others have other names
    tables = {
        name: score_answers(labels.table, estimator=name, **unparsed, **given)
        for name, given in zip(names, own, strict=True)
    }
    scored = tables[names[0]]
    if not scored.num_rows:
        rule = f"--unparsed {arguments.unparsed}" if arguments.unparsed else "leaving out what has no label"
        raise InputError(f"{arguments.answers[0]}: {rule} leaves none of {answers.num_rows} answers")
    several = "supervisor" in scored.column_names and len(scored["supervisor"].unique()) > 1
    of_dawid_skene = settings if names[0] == "dawid-skene" else {}
    compared = compare_annotators(labels.table, **of_dawid_skene) if several or labels.by_people else None
    estimators: Sequence[ComparedEstimator] = ()
    if gold is not None:
        estimators = _against_gold(tables, gold, arguments.gold)
        notes = [*notes, *_given_by_none(scored, gold, arguments.gold)]
    return _Found(labels, notes, scored, summarize(scored), compared, estimators)


def _answers_of(arguments: Namespace) -> tuple[pa.Table, Sequence[str]]:
    """The answers to score, of a table or of a tool's export, and what that was read as."""
    from w2s import tables
    from w2s.pipeline.origin import read_table
    from w2s.reading.exports import TABLE, format_of, names_of, read_export
    from w2s.reading.labels import long_of

    paths = [Path(name).expanduser() for name in arguments.answers]
    form = format_of(paths, arguments.format, arguments.columns, arguments.encoding)
    if form != TABLE:
        if arguments.annotators:
            raise InputError(
                f"{paths[0]} is read as format {form}, and --annotators names columns of a wide table: expected one of "
                "them; --format table reads it as a table"
            )
        names = names_of(paths, form)
        found = read_export(paths, form, names, columns=arguments.columns, encoding=arguments.encoding)
        return found.table, found.notes
    if len(paths) > 1:
        raise InputError(f"{paths[0]} and {paths[1]} are tables: expected one, in which a column names the supervisor")
    if arguments.annotators:
        wide = tables.read_table(paths[0], arguments.columns, encoding=arguments.encoding, answers=arguments.annotators)
        table = long_of(wide, arguments.annotators, str(paths[0]))
    else:
        table = read_table(paths[0], arguments.columns, encoding=arguments.encoding)
    for needed in (("question_id",), ("answer",), ("variation", "annotator", "supervisor")):
        if not set(needed) & set(table.column_names):
            raise InputError(
                f"{paths[0]} has no column {' or '.join(map(repr, needed))}, it has {', '.join(table.column_names)}: "
                "--columns says which it is, or --annotators names the columns of annotators"
            )
    return table, ()


def _gold(arguments: Namespace, answers: pa.Table) -> Gold:
    """The right answers, spelled as the labels of the answers are."""
    from w2s.gold import Gold, check_agreeing, labels_in, spelled_gold
    from w2s.reading.labels import spellings_beside
    from w2s.tables import GOLD, check, read_table

    table = read_table(arguments.gold, encoding=arguments.encoding)
    table = check(table, GOLD, name=arguments.gold, required=["question_id", "answer"])
    spelled = spelled_gold(table, spellings_beside(answers["answer"], labels_in(table), normalize=_rules(arguments)))
    check_agreeing(spelled, name=arguments.gold)
    return Gold.from_table(spelled)


def _against_gold(tables: Mapping[str, pa.Table], gold: Gold, name: str) -> Sequence[ComparedEstimator]:
    from w2s.results.comparison import compare_estimators

    found = compare_estimators([tables], gold, seeds=[0])
    if not found:
        first = next(iter(tables.values()))["question_id"][0].as_py()
        raise InputError(f"{name} has no right answer to any question of the answers, such as {first!r}")
    return found


def _given_by_none(scored: pa.Table, gold: Gold, name: str) -> list[str]:
    """A note on right answers that are no label of any answer: mostly, they are spelled in another way."""
    import difflib

    import pyarrow.compute as pc

    labels = set(scored["answer"].unique().to_pylist()) - {None}
    if "choices" in scored.column_names:
        labels |= set(pc.list_flatten(scored["choices"]).to_pylist())
    asked = [id for id in scored["question_id"].unique().to_pylist() if id in gold]
    lost = [id for id in asked if not labels & {gold[id], *gold.aliases.get(id, ())}]
    if not lost:
        return []
    right = gold[lost[0]]
    folded = {label.strip().casefold(): label for label in sorted(labels)}
    near = difflib.get_close_matches(right.strip().casefold(), folded, n=1)
    nearest = f", nearest {folded[near[0]]!r}" if near else ""
    return [
        f"{name}: {len(lost):,} of {len(asked):,} right answers are given by none of the answers, such as {right!r} "
        f"to {lost[0]!r}{nearest}: they count as answered wrongly; if they are spelled otherwise, --normalize merges"
    ]


def _as_json(found: _Found) -> dict[str, Any]:
    from w2s.report.annotators import annotators_verdict

    said = dataclasses.asdict(found.summary) | {"unparsed": found.scored["answer"].null_count}
    said |= {"notes": found.notes} if found.notes else {}
    if found.annotators:
        of_labels = {"merged": found.labels.merged, "missing": found.labels.missing}
        said |= {**dataclasses.asdict(found.annotators), **of_labels, "verdict": annotators_verdict(found.annotators)}
    if found.estimators:
        said["estimators"] = [one.to_dict() for one in found.estimators]
    return said


def _print(found: _Found) -> None:
    from w2s.report.annotators import annotators_tables, annotators_verdict, labels_notes
    from w2s.report.estimators import estimators_table
    from w2s.report.tables import reliability_table, show

    for note in (*found.notes, *labels_notes(found.labels)):
        say(note)
    show(reliability_table(found.summary))
    if found.annotators:
        print()
        show(annotators_tables(found.annotators))
        say(f"\nverdict: {annotators_verdict(found.annotators)}")
    if found.estimators:
        print()
        show(estimators_table(found.estimators))
