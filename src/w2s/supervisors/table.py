"""Answers that are there already: of people, of an API, of any program, in a table or as a tool exports them."""

from __future__ import annotations

import difflib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from w2s.config import WeakSpec
from w2s.errors import InputError
from w2s.files import file_sha256
from w2s.reading.exports import FORMATS, TABLE, Known, Long, Way, format_of, names_of, read_export
from w2s.reading.labels import RULES, Labels, labels_of, long_of
from w2s.registry import resolve_settings
from w2s.step import Json, Step
from w2s.supervisors.asking import answer_row
from w2s.supervisors.base import Answer
from w2s.supervisors.source import OF_LOCAL_MODEL, Inquiry, Source, SourceStages, Supervision, refuse_unused
from w2s.tables import ANSWERS, read_table
from w2s.tasks import task_of
from w2s.tasks.base import Question, Task
from w2s.tasks.parsing import LETTERS
from w2s.tasks.questions import SPLITS, Variation

__all__ = ["SOURCES"]

logger = logging.getLogger(__name__)

SETTINGS: Mapping[str, Any] = {"answers": None, "columns": {}, "annotators": [], "normalize": [], "format": ""}
"""The file, or several of one export; what it calls its columns, by our names; the columns of a wide table, one an
annotator; see `labels_of`; the format that it is in, by default the one that it is recognized as."""

_LISTED = 5  # answers that are none of the choices


class _Answers(NamedTuple):
    """What the files say, as a long table, and what they were read as: None for a table."""

    labels: Labels
    export: Long | None


def _paths(answers: Any) -> list[Path]:
    """The files that the setting names: one, several, or those that a pattern with a * finds.

    Raises:
        InputError: One is not there.
    """
    found: list[Path] = []
    for name in [answers] if isinstance(answers, str) else answers:
        path = Path(name).expanduser()
        is_pattern = "*" in name and not path.is_file()
        paths = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor)))) if is_pattern else [path]
        if not paths or not all(one.is_file() for one in paths):
            raise InputError(f"no such file: {name}")
        found += paths
    if again := [path for path in found if found.count(path) > 1]:
        raise InputError(f"weak.settings.answers names {again[0]} twice")
    return found


def _read(paths: Sequence[Path], settings: Mapping[str, Any], questions: Sequence[Question]) -> _Answers:
    """The files as a long table of `question_id`, `supervisor`, `variation` and `answer`.

    Raises:
        InputError: One is missing or broken, or lacks a column.
    """
    if "names" in settings:
        known = [Known(question.id, question.text, question.choices) for question in questions]
        way = Way(*settings["way"]) if "way" in settings else None
        export = read_export(
            paths, settings["format"], settings["names"], columns=settings["columns"], known=known, way=way
        )
        return _Answers(labels_of(export.table, normalize=settings["normalize"], keep_missing=False), export)
    path, wide = str(paths[0]), settings["annotators"]
    table = read_table(path, settings["columns"], answers=wide)
    if wide:
        table = long_of(table, wide, path)
    for name in ("question_id", "answer"):
        if name not in table.column_names:
            hint = " or weak.settings.annotators names the columns of annotators" if name == "answer" else ""
            raise InputError(
                f"{path} has no column {name!r}, it has {', '.join(table.column_names)}: "
                f"weak.settings.columns says which it is{hint}"
            )
    if "variation" in table.column_names:
        table = _with_whole_variations(table, path)
    labels = labels_of(table, normalize=settings["normalize"], keep_missing=False)
    numbered = _numbered(labels.table)
    _check_once(numbered, path)
    return _Answers(labels._replace(table=numbered), None)


def _with_whole_variations(table: pa.Table, path: str) -> pa.Table:
    """The table, whose variations must be whole numbers of 0 or more, whatever they are written as."""
    numbers = []
    for row, cell in enumerate(table["variation"].to_pylist(), start=1):
        whole = -1
        with suppress(TypeError, ValueError, OverflowError):
            whole = int(cell) if int(cell) == float(cell) and not isinstance(cell, bool) else -1
        if not 0 <= whole < 2**31:
            said = "null" if cell is None else repr(cell)
            raise InputError(f"{path}, row {row}: variation is {said}: expected a whole number of 0 or more")
        numbers.append(whole)
    return table.set_column(table.column_names.index("variation"), "variation", pa.array(numbers, pa.int32()))


def _check_once(table: pa.Table, path: str) -> None:
    """Make sure that nobody answers the same variation of a question twice."""
    keys = [name for name in ("question_id", "variation", "supervisor") if name in table.column_names]
    counts = table.group_by(keys, use_threads=False).aggregate([([], "count_all")])
    if (again := counts.filter(pc.greater(counts["count_all"], 1))).num_rows:
        first = again.slice(0, 1).to_pylist()[0]
        which = ", ".join(f"{key} {first[key]!r}" for key in keys)
        raise InputError(
            f"{path}: expected one answer for {which}, it has {first['count_all']}: a column variation may number them"
        )


def _check_ids(where: str, table: pa.Table, known: Sequence[str]) -> None:
    """Say which rows are of no question, as labels beyond the splits are, and ids that are spelled in another way.

    Raises:
        InputError: An id is that of a question but for the space around it.
    """
    ids = pc.cast(table["question_id"], pa.string())
    lost = table.filter(pc.invert(pc.is_in(ids, pa.array(known, pa.string()))))
    if not lost.num_rows:
        return
    asked, unknown = set(known), pc.cast(lost["question_id"], pa.string()).to_pylist()
    if spaced := [id for id in unknown if id is not None and id.strip() in asked]:
        raise InputError(
            f"{where}: {len(spaced)} rows have an id with space around it, such as {spaced[0]!r}: "
            f"expected {spaced[0].strip()!r}, as the task has it"
        )
    near = difflib.get_close_matches(str(unknown[0]), known, n=1)
    logger.info(
        "%s: %d of %d rows are of no question of these splits, such as %r%s: not drawn, or of another id",
        *(where, lost.num_rows, table.num_rows, unknown[0], f", nearest {near[0]!r}" if near else ""),
    )
    if "supervisor" in table.column_names:
        rows, without = (Counter(one["supervisor"].to_pylist()) for one in (table, lost))
        if silent := [f"{who!r} ({count})" for who, count in sorted(without.items()) if count == rows[who]]:
            logger.warning(
                "%s: all rows of %s are of no question of these splits, so that their labels are not used",
                *(where, ", ".join(silent)),
            )


def _tell(where: str, answers: _Answers) -> None:
    """Say what the files were read as, and what became of the labels."""
    labels, export = answers
    for note in export.notes if export else ():
        logger.info("%s: %s", where, note)
    for label, others in labels.merged.items():
        spellings = ", ".join(f"{other!r} ({count})" for other, count in others.items())
        logger.info("%s: %s read as %s", where, spellings, repr(label) if label else "missing")
    if labels.missing:
        logger.info("%s: %d rows have no label", where, labels.missing)
    for note in labels.notes:
        logger.info("%s: %s", where, note)


def _numbered(table: pa.Table) -> pa.Table:
    """Answers of nobody in particular, and in no particular variation, are counted through for each question."""
    if "variation" in table.column_names:
        return table
    seen: Counter[str] = Counter()
    numbers = []
    for id in table["question_id"].to_pylist():
        numbers.append(seen[id])
        seen[id] += 1
    return table.append_column("variation", pa.array(numbers, pa.int32()))


def _identity(paths: Sequence[Path], rules: Sequence[str]) -> list[str]:
    """What decides the labels: the content of the files and of the mappings, and the names of the rules."""
    return [*map(file_sha256, paths), *(rule if rule in RULES else file_sha256(Path(rule)) for rule in rules)]


def _answers(inquiry: Inquiry) -> pa.Table:
    settings, execution = inquiry.settings, inquiry.execution
    paths = _paths(execution["answers"])
    where = _where(paths)
    if _identity(paths, execution["normalize"]) != settings["content"]:
        raise InputError(f"{where} changed since the run began: start it again")
    labels, export = _read(paths, {**settings, **execution}, inquiry.questions)
    questions = {question.id: question for question in inquiry.questions}
    rows = labels.table.filter(pc.is_in(labels.table["question_id"], pa.array(questions, pa.string())))
    found = [*_rows(rows, questions, inquiry, export)]
    order = {id: place for place, id in enumerate(questions)}
    found.sort(key=lambda row: order[row["question_id"]])
    unanswered = len(questions) - len({row["question_id"] for row in found})
    if unanswered:
        logger.warning("%s answers %d of %d questions", where, len(questions) - unanswered, len(questions))
    return pa.Table.from_pylist(found, schema=ANSWERS)


def _where(paths: Sequence[Path]) -> str:
    """The files, for a message."""
    return str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} others"


def _rows(
    table: pa.Table, questions: Mapping[str, Question], inquiry: Inquiry, export: Long | None
) -> Iterator[dict[str, Any]]:
    task, written = inquiry.task, export is not None and export.written
    by_letter = _by_letter(task)
    unknown: Counter[tuple[str, tuple[str, ...]]] = Counter()
    ways: dict[str, list[Variation]] = {}
    scores = [name for name in ("choices", "choice_logprobs") if export is not None and name in table.column_names]
    named = ["supervisor"] if "supervisor" in table.column_names else []
    for row in table.select(["question_id", "variation", "answer", *named, *scores]).to_pylist():
        question = questions[row["question_id"]]
        variations = ways.setdefault(question.id, task.vary(question, inquiry.num_variations, inquiry.seed))
        variation = variations[row["variation"] % len(variations)]
        answer = _canonical(row["answer"], question, variation, task)
        if answer is None and question.choices and written:
            answer = by_letter.parse(row["answer"], question, by_letter.vary(question, 1, 0)[0])
        if answer is None and question.choices:
            unknown[row["answer"], question.choices] += 1
        completion = task.complete(answer, question, variation) if answer is not None else row["answer"]
        position = variation.positions[question.choices.index(answer)] if answer in question.choices else None
        logprobs = _in_order(row, question, variation, task) if scores else None
        given = Answer(response=completion, answer=answer, position=position, choice_logprobs=logprobs)
        name = row["supervisor"] if named else inquiry.settings["name"]
        made = answer_row(question, variation, given, task, name, asked=variation.prompt)
        unsaid = {"position": None, "positions": None} if scores else {}  # in which order a model was asked
        yield {**made, **unsaid, "response": row["answer"], "variation": row["variation"]}
    _check_unknown(unknown, _where(_paths(inquiry.execution["answers"])), written)


def _check_unknown(unknown: Counter[tuple[str, tuple[str, ...]]], where: str, written: bool) -> None:
    """Refuse labels that are no choice of their question; of texts that a model wrote, say how many name none."""
    if not unknown:
        return
    if written:
        (text, _), *_ = unknown
        shown = " ".join(text.split())[:60]
        logger.warning("%s: %d texts choose no option and are unparsed; the first is %r", where, unknown.total(), shown)
        return
    counts: Counter[str] = Counter()
    nearest: dict[str, str] = {}
    for (label, choices), count in unknown.items():
        counts[label] += count
        near = difflib.get_close_matches(label, choices, n=1, cutoff=0.5)
        nearest[label] = nearest.get(label) or (near[0] if near else "")
    listed = [
        f"{label!r} ({count})" + (f", nearest {nearest[label]!r}" if nearest[label] else "")
        for label, count in counts.most_common(_LISTED)
    ]
    more = f" and {len(counts) - _LISTED} others" if len(counts) > _LISTED else ""
    raise InputError(
        f"{where}: answers that are none of their question's choices: {'; '.join(listed)}"
        f"{more}: weak.settings.normalize may map them, to nothing where they are missing"
    )


def _by_letter(task: Task) -> Task:
    """The task, answered by letter where it can be: a text names its options by letters as well as by words."""
    if task.answer_format == "letter" or "letter" not in task.answer_formats:
        return task
    return task_of({**task.asking(), "answer_format": "letter"})


def _in_order(row: Mapping[str, Any], question: Question, variation: Variation, task: Task) -> list[float] | None:
    """The log-probabilities in the order of the question's choices; None where its options are others."""
    options = [_canonical(option, question, variation, task) for option in row["choices"] or ()]
    if len(options) != len(question.choices) or set(options) != set(question.choices):
        return None
    return [row["choice_logprobs"][options.index(choice)] for choice in question.choices]


def _canonical(text: str, question: Question, variation: Variation, task: Task) -> str | None:
    """The answer that a label names: a choice by its text, whatever its case and outer space, or by its letter.

    Letters count the choices as the questions' file has them; where a choice is a letter itself, they count nothing.
    """
    if not question.choices:
        return task.parse(text, question, variation)
    if text in question.choices:
        return text
    folded = [choice for choice in question.choices if choice.strip().casefold() == text.strip().casefold()]
    if len(folded) == 1:
        return folded[0]
    letter = text.strip(" ().")
    bare = [choice.strip(" ().") for choice in question.choices]
    named = [choice for choice, own in zip(question.choices, bare, strict=True) if own.casefold() == letter.casefold()]
    if len(named) == 1:  # "(A)" is the choice A before it is the first
        return named[0]
    if any(len(own) == 1 and own.isalpha() for own in bare):
        return None
    if len(letter) == 1 and letter in LETTERS[: len(question.choices)]:
        return question.choices[LETTERS.index(letter)]
    return None


def _steps(stages: SourceStages) -> Supervision:
    given = resolve_settings("source table", SETTINGS, stages.spec.settings)
    paths = _paths(given["answers"])
    where = _where(paths)
    form = format_of(paths, given["format"], given["columns"])
    settings: dict[str, Json] = {"columns": given["columns"], "annotators": given["annotators"], "name": paths[0].stem}
    if form != TABLE:
        settings |= {"format": form, "format_version": FORMATS[form].version, "names": names_of(paths, form)}
    _check_form(form, paths, given)
    questions = {question.id: question for split in SPLITS for question in stages.questions(split)}
    answers = _read(paths, {**settings, "normalize": given["normalize"]}, list(questions.values()))
    _tell(where, answers)
    if answers.export is None:
        _check_ids(where, answers.labels.table, list(questions))
    if given["annotators"]:
        settings["annotators_version"] = 2  # the first one read their labels with types: 3.10 as 3.1
    if answers.export is not None:
        settings["way"] = list(answers.export.way or ())
    table = answers.labels.table
    ids = set(pc.cast(table["question_id"], pa.string()).to_pylist())
    transfer = stages.question_ids("transfer")
    if not ids & set(transfer):
        theirs, ours = sorted(filter(None, ids))[:2], sorted(transfer)[:2]
        raise InputError(f"{where} answers no question of transfer: its ids are as {theirs}, the task's as {ours}")
    rules = [rule if rule in RULES else str(Path(rule).expanduser().absolute()) for rule in given["normalize"]]
    settings["content"] = _identity(paths, rules)
    execution: dict[str, Json] = {"answers": [str(path.absolute()) for path in paths], "normalize": rules}

    def ask(split: str) -> Step:
        return stages.ask(settings, split=split, execution=execution)

    test = set(stages.question_ids("test"))
    answered = len(test & ids)
    told = ", ".join(path.name for path in paths)
    missing = "" if answered == len(test) else f"{told} answers {answered} of {len(test)} test questions"
    answering = _supervisors(table, transfer, paths[0].stem)
    return Supervision(
        answers=ask("transfer"),
        predictions=None if missing else stages.judge(ask("test")),
        calibration=ask("weak_train") if ids & set(stages.question_ids("weak_train")) else None,
        missing=missing,
        supervisors=answering,
        tests={"": ask("test")} if len(answering) > 1 and answered else {},
    )


def _supervisors(table: pa.Table, questions: Sequence[str], name: str) -> tuple[str, ...]:
    """Who answers these questions."""
    if "supervisor" not in table.column_names:
        return (name,)
    asked = table.filter(pc.is_in(pc.cast(table["question_id"], pa.string()), pa.array(questions, pa.string())))
    return tuple(sorted(filter(None, asked["supervisor"].unique().to_pylist())))


def _check_form(form: str, paths: Sequence[Path], given: Mapping[str, Any]) -> None:
    """Make sure that the settings are of what the files are read as."""
    if form == TABLE and len(paths) > 1:
        raise InputError(f"{_where(paths)}: {len(paths)} tables: expected one, in which a column names the supervisor")
    if form != TABLE and given["annotators"]:
        raise InputError(
            f"{_where(paths)} is read as format {form}, and annotators names the columns of a wide table: "
            "expected one of them; format: table reads it as a table"
        )


def _check(spec: WeakSpec) -> None:
    refuse_unused(spec, "url", "key_env", "examples", *OF_LOCAL_MODEL)
    given = resolve_settings("source table", SETTINGS, spec.settings)
    answers = given["answers"]
    if not answers:
        raise InputError("source table needs weak.settings.answers: a file with question_id and answer")
    names = [answers] if isinstance(answers, str) else answers
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise InputError(f"answers of source table is {answers!r}: expected a file, or a list of files")


def _called(spec: WeakSpec) -> str:
    answers = spec.settings.get("answers") or ""
    return ", ".join(Path(str(name)).name for name in ([answers] if isinstance(answers, str) else answers))


SOURCES = (
    Source(
        name="table",
        summary="answers that are there already (weak.settings.answers): of people, of an API, of several",
        steps=_steps,
        needs_weak_train=lambda spec: False,
        check=_check,
        called=_called,
        answer=_answers,
        instant=True,
        version=3,
    ),
)
