"""A split's questions, reworded: the table of questions with the paraphrases of each, and what became of all texts."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from w2s.errors import InputError
from w2s.paraphrasing.checks import Original
from w2s.paraphrasing.making import Rewording, Tally, Write, reword
from w2s.progress import Progress, no_progress
from w2s.servers.answered import Answered
from w2s.servers.requests import RequestTemplate
from w2s.tables import QUESTIONS
from w2s.tasks import Question, Task
from w2s.tasks.multiple_choice import MultipleChoice

__all__ = ["Report", "Rules", "reword_questions", "rewordings_of"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Which rewordings are wanted; `config.ParaphraseSpec` says what the names mean.

    Attributes:
        at_least: Fewer of any question are an error.
    """

    count: int
    attempts: int
    shortest: float
    longest: float
    seed: int
    at_least: int = 0


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came out.

    Attributes:
        questions: That were to be reworded.
        wanted: Rewordings of each.
        complete: Questions that have as many.
        none: Questions that have no rewording.
        texts: That were asked for.
        good: Texts that are rewordings.
        faults: How many texts were none, by the reason, the most frequent first.
    """

    questions: int
    wanted: int
    complete: int
    none: int
    texts: int
    good: int
    faults: Mapping[str, int]


def rewordings_of(
    task: Task, questions: Iterable[Question], asking: RequestTemplate, rules: Rules
) -> dict[str, Rewording]:
    """The rewordings of questions, before any is there, by the question's text without extra space.

    Questions that are the same text with other options share them: none may name an option of any.
    """
    options: dict[str, dict[str, None]] = {}
    texts: dict[str, str] = {}
    for question in questions:
        spaced = " ".join(question.text.split())
        texts.setdefault(spaced, question.text)
        options.setdefault(spaced, {}).update(dict.fromkeys(_options(task, question)))
    return {
        spaced: Rewording(
            original=Original(
                text=text, options=tuple(options[spaced]), shortest=rules.shortest, longest=rules.longest
            ),
            kind=task.text_is,
            asking=asking,
            count=rules.count,
            seed=rules.seed,
        )
        for spaced, text in texts.items()
    }  # fmt: skip


def _options(task: Task, question: Question) -> list[str]:
    """What may be answered, as it is called in answers and in prompts."""
    shown = task.shown(question) if isinstance(task, MultipleChoice) and question.choices else ()
    return [*question.choices, *shown]


def reword_questions(
    task: Task,
    questions: Sequence[Question],
    table: pa.Table,
    asking: RequestTemplate,
    rules: Rules,
    answered: Answered,
    write: Write,
    progress: Progress = no_progress,
) -> tuple[pa.Table, Report]:
    """Have questions reworded.

    Args:
        task: Says what a text is called, and what may be answered.
        questions: Without their answers.
        table: The same questions, as a table of `tables.QUESTIONS`.
        asking: How a model is asked.
        rules: Which rewordings are wanted.
        answered: Where replies are kept.
        write: Has requests answered.
        progress: Is told the texts that came and those that are asked for so far.

    Returns:
        The table with the paraphrases of each question, and what came out.

    Raises:
        InputError: A question has fewer than `rules.at_least`.
    """
    rewordings = rewordings_of(task, questions, asking, rules)
    tally = reword(list(rewordings.values()), rules.attempts, answered, write, progress)
    found = [rewordings[" ".join(question.text.split())].found for question in questions]
    report = _report(found, rules, tally)
    _say(questions, found, report, rules)
    column = pa.array([texts or None for texts in found], QUESTIONS.field("paraphrases").type)
    return table.set_column(table.schema.get_field_index("paraphrases"), "paraphrases", column), report


def _report(found: Sequence[Sequence[str]], rules: Rules, tally: Tally) -> Report:
    return Report(
        questions=len(found),
        wanted=rules.count,
        complete=sum(len(texts) == rules.count for texts in found),
        none=sum(not texts for texts in found),
        texts=tally.good + sum(tally.faults.values()),
        good=tally.good,
        faults=dict(tally.faults),
    )


def _say(questions: Sequence[Question], found: Sequence[Sequence[str]], report: Report, rules: Rules) -> None:
    few = [question for question, texts in zip(questions, found, strict=True) if len(texts) < rules.at_least]
    if few:
        raise InputError(
            f"{len(few)} of {report.questions} questions have fewer than {rules.at_least} good rewordings, first "
            f"{few[0].text[:60]!r}: expected another model or more attempts, or task.missing_paraphrases fill"
        )
    if report.complete < report.questions:
        logger.warning(
            "%d of %d questions have fewer than %d good rewordings, %d have none",
            *(report.questions - report.complete, report.questions, report.wanted, report.none),
        )
