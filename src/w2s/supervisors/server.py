"""A model behind a server that speaks the OpenAI protocol, or whose answers came back in a file."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pyarrow as pa

from w2s.config import AnsweringSpec, WeakSpec
from w2s.errors import InputError, unknown_name
from w2s.registry import resolve_settings
from w2s.servers.answered import Answered
from w2s.servers.client import Limits
from w2s.servers.replies import Reply, letter_logprobs, likeliest_letter
from w2s.servers.requests import OWN_FIELDS, PATHS, Request, RequestTemplate
from w2s.servers.within_limits import have_answered
from w2s.step import Json, Step
from w2s.supervisors.asking import answer_row
from w2s.supervisors.base import Answer
from w2s.supervisors.source import OF_LOCAL_MODEL, Inquiry, Source, SourceStages, Supervision, refuse_unused
from w2s.tables import ANSWERS
from w2s.tasks import Question, Task, Variation, task_of
from w2s.tasks.parsing import LETTERS
from w2s.tasks.replies import after_thinking, before_another

__all__ = ["SETTINGS", "SOURCES", "inquired", "requests_of", "server_execution"]

logger = logging.getLogger(__name__)

_LETTER_ONLY = "Answer with the letter of one option, and nothing else."
SETTINGS: Mapping[str, Any] = {
    "api": "chat",
    "service": "",
    "instructions": "",
    "extra": {},
    **{field.name: field.default for field in dataclasses.fields(Limits)},
}
"""What `weak.settings` may say of a server: the fields of `RequestTemplate` and of `Limits`."""

_ROWS = 8192  # of the answers table, made at once


class PendingAnswer(NamedTuple):
    """One answer to be had: what a student would be asked, what the server is, and the request.

    Attributes:
        question: The question.
        variation: As a student is asked.
        shown: As the server is asked: by letter, where the question has options.
        number: Of the answer among those to its question.
        request: Of it.
    """

    question: Question
    variation: Variation
    shown: Variation
    number: int
    request: Request


def inquired(inquiry: Inquiry) -> Iterator[PendingAnswer]:
    """What is asked in an inquiry, in the order of the answers table."""
    settings = inquiry.settings
    asking = RequestTemplate(**settings["asking"])
    seed = inquiry.seed if asking.temperature else 0  # of sampled answers; without sampling there is one
    shows = _as_shown(inquiry.task, asking.letters)
    for question in inquiry.questions:
        variations = inquiry.task.vary(question, inquiry.num_variations, inquiry.seed)
        shown = shows.vary(question, inquiry.num_variations, inquiry.seed) if shows is not inquiry.task else variations
        for sample in range(settings["samples"]):
            for own, other in zip(variations, shown, strict=True):
                number = own.variation + sample * inquiry.num_variations
                yield PendingAnswer(question, own, other, number, asking.request(other.prompt, sample, seed))


def requests_of(inquiry: Inquiry, answered: Answered) -> Iterator[Request]:
    """The requests of an inquiry that are not answered yet, each once."""
    seen: set[str] = set()
    for asked in inquired(inquiry):
        key = asked.request.key
        if key not in seen and key not in answered:
            yield asked.request
        seen.add(key)


def _as_shown(task: Task, letters: bool) -> Task:
    """The task as the server is asked: by letter where it chooses, since servers give no log-probabilities of texts."""
    if not letters or task.answer_format == "letter":
        return task
    return task_of({**task.asking(), "answer_format": "letter"})


def _answers(inquiry: Inquiry) -> pa.Table:
    answered = Answered(inquiry.cache)
    try:
        _ask(inquiry, answered)
        return _table(inquiry, answered)
    finally:
        answered.close()


def _ask(inquiry: Inquiry, answered: Answered) -> None:
    """Have all answered that is not yet."""
    if inquiry.execution["url"] is not None:
        have_answered(lambda: requests_of(inquiry, answered), inquiry.execution, answered, inquiry.progress)
    elif missing := sum(answered.get(asked.request.key) is None for asked in inquired(inquiry)):
        raise InputError(
            f"{missing} requests are not answered, and there is no url to ask: "
            "w2s label --requests-out writes them down"
        )


def _table(inquiry: Inquiry, answered: Answered) -> pa.Table:
    """The answers table, a few thousand rows at a time."""
    problems: Counter[str] = Counter()
    remarks: Counter[str] = Counter()
    models: Counter[str] = Counter()

    def rows() -> Iterator[dict[str, Any]]:
        for asked in inquired(inquiry):
            reply = answered.get(asked.request.key)
            assert reply is not None, f"request {asked.request.key} was asked and has no reply"
            models[reply.model] += 1
            answer, problem = _read(asked, reply, inquiry.task, inquiry.settings["asking"])
            if problem:
                problems[problem] += 1
            remarks.update(_remarks(reply, answer, inquiry.settings["asking"]))
            row = answer_row(*asked[:2], answer, inquiry.task, inquiry.settings["name"], asked=asked.shown.prompt)
            seen = {"variation": asked.number, "positions": list(asked.shown.positions) or None}
            yield {**row, **seen, "completion": _completion(asked, answer, inquiry.task)}

    remaining, batches = rows(), []
    for first in remaining:
        batches.append(pa.RecordBatch.from_pylist([first, *islice(remaining, _ROWS - 1)], schema=ANSWERS))
    for problem, count in problems.items():
        logger.warning("%d replies %s: they have no answer", count, problem)
    for remark, count in remarks.items():
        logger.warning("%d replies %s", count, remark)
    total = sum(problems.values())
    if batches and total == sum(models.values()):  # better than a finished step of nothing
        text = " ".join(batches[0]["response"][0].as_py().split())[:80]
        raise InputError(f"none of {total} replies of {inquiry.settings['name']!r} is an answer; the first is {text!r}")
    name = inquiry.settings["asking"]["model"]
    if len(models) > 1 or not all(one.startswith(name) for one in models if one):  # a version may follow the name
        told = ", ".join(f"{one or '?'} ({n})" for one, n in models.items())
        logger.warning("%s was asked for, and answered as %s", name, told)
    return pa.Table.from_batches(batches, schema=ANSWERS)


def _completion(asked: PendingAnswer, answer: Answer, task: Task) -> str:
    """What a student learns to write: a choice as the task writes it, a free answer in the line that says it.

    A local model's text ends with its first line, and so does a student's: one that learned thinking or several lines
    would be read in the middle of them.
    """
    if answer.answer is None:
        return answer.response
    said = before_another(after_thinking(answer.response)).strip().split("\n", 1)[0].rstrip()
    if answer.answer in asked.question.choices or task.parse(said, asked.question, asked.variation) != answer.answer:
        return task.complete(answer.answer, asked.question, asked.variation)
    return f" {said}"


def _read(asked: PendingAnswer, reply: Reply, task: Task, asking: Mapping[str, Any]) -> tuple[Answer, str]:
    """The answer in a reply, and what is wrong with it: an empty text where nothing is."""
    question, shown = asked.question, asked.shown
    if reply.finish == "refusal":
        return Answer(response=reply.text, answer=None), "were refused"
    if asking["letters"]:
        answer, logprobs = _letter(asked, reply, task, asking)
        cut_off = reply.finish == "length" and answer is None
    else:
        # A prompt that is continued may go on to another question after the answer, and be cut off in that.
        ended = asking["api"] == "completion" and "\n" in reply.text.strip()
        cut_off, logprobs = reply.finish == "length" and not ended, None
        answer = None if cut_off else task.parse(reply.text, question, shown)
    if answer is None:
        empty = not reply.text.strip()
        problem = "are empty" if empty else "were cut off" if cut_off else "cannot be read"
        return Answer(response=reply.text, answer=None), problem
    position = shown.positions[question.choices.index(answer)] if answer in question.choices else None
    return Answer(response=reply.text, answer=answer, position=position, choice_logprobs=logprobs), ""


def _remarks(reply: Reply, answer: Answer, asking: Mapping[str, Any]) -> Iterator[str]:
    """What is less than was asked for in a reply, be it new or kept."""
    if asking["letters"] and reply.places and answer.answer is not None and answer.choice_logprobs is None:
        yield "have no log-probabilities: no token is their letter, or fewer than two are known in its place"
    if "temperature" in reply.without:
        yield "are sampled: the server refuses temperature 0"


def _letter(
    asked: PendingAnswer, reply: Reply, task: Task, asking: Mapping[str, Any]
) -> tuple[str | None, list[float] | None]:
    """The option whose letter a reply is, and how likely each was.

    A prompt that is continued, without sampling, is answered by the likeliest letter, as a local model chooses. Else
    the text is read; of one that was cut off only a letter that stands alone.
    """
    question, shown = asked.question, asked.shown
    letters = LETTERS[: len(question.choices)]
    option_at = {letters[place]: option for option, place in enumerate(shown.positions)}
    if asking["api"] == "completion" and not asking["temperature"]:
        letter = likeliest_letter(reply, letters)
        if letter is not None:
            at = letter_logprobs(reply, letters)
            return question.choices[option_at[letter]], None if at is None else [at[place] for place in shown.positions]
    first_line = next(iter(reply.text.strip().splitlines()), "").strip(" ().:*")
    answer = question.choices[option_at[first_line]] if first_line in option_at else None
    if answer is None and reply.finish != "length":
        answer = _as_shown(task, letters=True).parse(reply.text, question, shown)
    if answer is None:
        return None, None
    at = letter_logprobs(reply, letters, named=letters[shown.positions[question.choices.index(answer)]])
    return answer, None if at is None else [at[place] for place in shown.positions]


def _steps(stages: SourceStages) -> Supervision:
    spec = stages.spec
    given = resolve_settings("source server", SETTINGS, spec.settings)
    execution = server_execution(spec, stages.account)

    def ask(split: str, answering: AnsweringSpec, num_variations: int | None = None) -> Step:
        asking = _asking(stages.task, spec, given, answering)
        settings: dict[str, Json] = {"asking": asking, "samples": answering.samples, "name": spec.name}
        return stages.ask(settings, split=split, num_variations=num_variations, execution=execution)

    return Supervision(
        answers=ask("transfer", stages.answering),
        predictions=stages.judge(ask("test", stages.evaluation, stages.evaluation.orders)),
        calibration=ask("weak_train", stages.answering),
        supervisors=(spec.name,),
    )


def server_execution(spec: WeakSpec, account: str) -> dict[str, Json]:
    """Where a server is, how hard it is asked, and what is charged; see `servers.within_limits`."""
    given = resolve_settings("source server", SETTINGS, spec.settings)
    limits = {field.name: given[field.name] for field in dataclasses.fields(Limits)}
    return {"url": spec.url, "key_env": spec.key_env, "limits": limits, "account": account}


def _asking(task: Task, spec: WeakSpec, given: Mapping[str, Any], answering: AnsweringSpec) -> dict[str, Json]:
    """The fields of `servers.requests.RequestTemplate`."""
    letters = task.answering_mode(answering.mode) == "choose" and "letter" in task.answer_formats
    return {
        "service": given["service"] or str(spec.url).rstrip("/"),
        "model": spec.name,
        "api": given["api"],
        "letters": letters,
        "temperature": float(answering.sampling_temperature),
        "max_new_tokens": answering.max_new_tokens,
        "instructions": given["instructions"] or (_LETTER_ONLY if letters and given["api"] == "chat" else ""),
        "extra": given["extra"],
    }


def _check(spec: WeakSpec) -> None:
    refuse_unused(spec, *OF_LOCAL_MODEL)
    given = resolve_settings("source server", SETTINGS, spec.settings)
    if given["api"] not in PATHS:
        raise unknown_name("weak.settings.api", given["api"], PATHS)
    if spec.examples:
        raise InputError(f"weak.examples is {spec.examples}: source server shows none, prompted does")
    if spec.url is None and not given["service"]:
        raise InputError("source server needs weak.url, such as http://localhost:8000/v1")
    if spec.url is not None:
        _check_url(spec.url)
    for field in dataclasses.fields(Limits):
        least = 1 if field.name in ("concurrency", "timeout") else 0
        if not given[field.name] >= least:
            raise InputError(f"weak.settings.{field.name} is {given[field.name]}: expected {least} or more")
    for name in given["extra"]:
        if name in OWN_FIELDS:
            raise InputError(f"weak.settings.extra names {name!r}, which w2s sets: expected other fields of a request")


def _check_url(url: str) -> None:
    if set(url) & set("@?#"):  # first: what may hold a key is not shown
        raise InputError("weak.url holds more than an address: a key belongs into the variable that weak.key_env names")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InputError(f"weak.url is {url!r}: expected an address such as http://localhost:8000/v1")


SOURCES = (
    Source(
        name="server",
        summary="a model behind an OpenAI-compatible server (weak.url), or whose answers came back in a file",
        steps=_steps,
        needs_weak_train=lambda spec: False,
        check=_check,
        answer=_answers,
        version=2,  # what a student learns of a free answer; where a letter's probability is read
    ),
)
