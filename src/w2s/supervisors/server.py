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

from w2s.config import WeakSpec
from w2s.errors import InputError, unknown_name
from w2s.registry import resolve_settings
from w2s.servers.answered import Answered
from w2s.servers.client import Bill, Client, Limits, secret_of
from w2s.servers.replies import Reply, letter_logprobs
from w2s.servers.requests import PATHS, Asking, Request
from w2s.step import Json, Step
from w2s.supervisors.asking import answer_row
from w2s.supervisors.base import Answer
from w2s.supervisors.source import Inquiry, Source, SourceStages, Supervision
from w2s.tables import ANSWERS
from w2s.tasks import Question, Task, Variation, task_of
from w2s.tasks.parsing import LETTERS

__all__ = ["SOURCES", "inquired", "requests_of"]

logger = logging.getLogger(__name__)

_LETTER_ONLY = "Answer with the letter of one option, and nothing else."
SETTINGS: Mapping[str, Any] = {
    "api": "chat",
    "service": "",
    "instructions": "",
    "extra": {},
    **{field.name: field.default for field in dataclasses.fields(Limits)},
}
"""What `weak.settings` may say of a server: those of `servers.requests.Asking` and of `servers.client.Limits`."""

_ROWS = 8192  # of the answers table, made at once


class Asked(NamedTuple):
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


def inquired(inquiry: Inquiry) -> Iterator[Asked]:
    """What is asked in an inquiry, in the order of the answers table."""
    settings = inquiry.settings
    asking = Asking(**settings["asking"])
    shows = _as_shown(inquiry.task, asking.letters)
    for question in inquiry.questions:
        variations = inquiry.task.vary(question, inquiry.num_variations, inquiry.seed)
        shown = shows.vary(question, inquiry.num_variations, inquiry.seed) if shows is not inquiry.task else variations
        for sample in range(settings["samples"]):
            for own, other in zip(variations, shown, strict=True):
                number = own.variation + sample * inquiry.num_variations
                yield Asked(question, own, other, number, asking.request(other.prompt, sample))


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
    if "letter" not in task.answer_formats:
        return task
    return task_of({**task.asking(), "answer_format": "letter"})


def _answers(inquiry: Inquiry) -> pa.Table:
    answered = Answered(inquiry.cache)
    try:
        bill = _ask(inquiry, answered)
        return _table(inquiry, answered, bill)
    finally:
        answered.close()


def _ask(inquiry: Inquiry, answered: Answered) -> Bill:
    """Have all answered that is not yet; what that is and about costs is said before."""
    execution = inquiry.execution
    limits = Limits(**execution["limits"])
    count = tokens_in = tokens_out = 0
    for request in requests_of(inquiry, answered):
        count, tokens_in, tokens_out = count + 1, tokens_in + request.tokens_in, tokens_out + request.tokens_out
    if not count:
        return Bill()
    if execution["url"] is None:
        raise InputError(
            f"{count} requests are not answered, and there is no url to ask: w2s label --requests-out writes them down"
        )
    model = inquiry.settings["asking"]["model"]
    asks = f"{count} requests to {model!r} at {execution['url']}"
    about = f"about {tokens_in} tokens in and {tokens_out} out at most"
    cost = limits.cost(tokens_in, tokens_out)
    if limits.max_requests and count > limits.max_requests:
        raise InputError(f"{asks}, max_requests is {limits.max_requests}: nothing was asked")
    if limits.max_cost and not cost:
        raise InputError("max_cost says nothing without price_in and price_out, of a million tokens each")
    if limits.max_cost and cost > limits.max_cost:
        raise InputError(f"{asks}, {about}: about {cost:.2f}, max_cost is {limits.max_cost:g}: nothing was asked")
    logger.info("%s, %s%s", asks, about, f": {cost:.2f} at most" if cost else "")
    client = Client(execution["url"], secret_of(execution["key_env"]), limits, answered)
    bill = client.ask(requests_of(inquiry, answered), total=count, progress=inquiry.progress)
    spent = limits.cost(bill.tokens_in, bill.tokens_out)
    counted = f": {spent:.2f}" if spent else ""
    logger.info("%d replies, %d tokens in and %d out%s", bill.replies, bill.tokens_in, bill.tokens_out, counted)
    return bill


def _table(inquiry: Inquiry, answered: Answered, bill: Bill) -> pa.Table:
    """The answers table, a few thousand rows at a time."""
    problems: Counter[str] = Counter()
    models: Counter[str] = Counter()

    def rows() -> Iterator[dict[str, Any]]:
        for asked in inquired(inquiry):
            reply = bill.not_kept.get(asked.request.key) or answered.get(asked.request.key)
            assert reply is not None, f"request {asked.request.key} was asked and has no reply"
            models[reply.model] += 1
            answer, problem = _read(asked, reply, inquiry.task, inquiry.settings["asking"])
            problems[problem] += bool(problem)
            row = answer_row(*asked[:2], answer, inquiry.task, inquiry.settings["name"], asked=asked.shown.prompt)
            seen = {"variation": asked.number, "positions": list(asked.shown.positions) or None}
            yield {**row, **seen, "completion": _completion(asked, answer, inquiry.task)}

    remaining, batches = rows(), []
    for first in remaining:
        batches.append(pa.RecordBatch.from_pylist([first, *islice(remaining, _ROWS - 1)], schema=ANSWERS))
    for problem, count in problems.items():
        if count:
            logger.warning("%d answers %s: they have no answer", count, problem)
    if len(models) > 1:
        logger.warning("the server answered as %s", ", ".join(f"{name or '?'} ({n})" for name, n in models.items()))
    return pa.Table.from_batches(batches, schema=ANSWERS)


def _completion(asked: Asked, answer: Answer, task: Task) -> str:
    """What a student learns to write: a choice as the task writes it, a free answer in the server's words."""
    if answer.answer in asked.question.choices:
        return task.complete(str(answer.answer), asked.question, asked.variation)
    return answer.response if answer.response[:1].isspace() else f" {answer.response}"


def _read(asked: Asked, reply: Reply, task: Task, asking: Mapping[str, Any]) -> tuple[Answer, str]:
    """The answer in a reply, and what is wrong with it: an empty text where nothing is."""
    question, shown = asked.question, asked.shown
    shows = _as_shown(task, asking["letters"])
    logprobs, answer = None, None
    if reply.finish == "refusal":
        return Answer(response=reply.text, answer=None), "were refused"
    if asking["letters"] and shows.answer_format == "letter":
        goes_on = asking["api"] == "completion"
        at = letter_logprobs(reply, LETTERS[: len(question.choices)], at_once=goes_on)
        logprobs = None if at is None else [at[place] for place in shown.positions]
        if goes_on and logprobs is not None and not asking["temperature"]:  # as a local model chooses
            answer = question.choices[max(range(len(logprobs)), key=logprobs.__getitem__)]
    if answer is None and not reply.text.strip():
        return Answer(response=reply.text, answer=None), "are empty"
    if answer is None and reply.finish == "length" and not asking["letters"]:
        return Answer(response=reply.text, answer=None), "were cut off at max_new_tokens"
    answer = answer or shows.parse(reply.text, question, shown)
    if answer is None:
        return Answer(response=reply.text, answer=None), "cannot be read"
    position = shown.positions[question.choices.index(answer)] if answer in question.choices else None
    return Answer(response=reply.text, answer=answer, position=position, choice_logprobs=logprobs), ""


def _steps(stages: SourceStages) -> Supervision:
    spec, answering = stages.spec, stages.answering
    given = resolve_settings("source server", SETTINGS, spec.settings)
    mode = stages.task.answering_mode(answering.mode)
    letters = mode == "choose"
    asking: dict[str, Json] = {
        "service": given["service"] or str(spec.url).rstrip("/"),
        "model": spec.name,
        "api": given["api"],
        "letters": letters,
        "temperature": float(answering.sampling_temperature),
        "max_new_tokens": answering.max_new_tokens,
        "instructions": given["instructions"] or (_LETTER_ONLY if letters and given["api"] == "chat" else ""),
        "extra": given["extra"],
    }
    limits = {field.name: given[field.name] for field in dataclasses.fields(Limits)}
    execution: dict[str, Json] = {"url": spec.url, "key_env": spec.key_env, "limits": limits}

    def ask(split: str, num_variations: int | None = None, samples: int = 1) -> Step:
        settings: dict[str, Json] = {"asking": asking, "samples": samples, "name": spec.name}
        return stages.ask(settings, split=split, num_variations=num_variations, execution=execution)

    return Supervision(
        answers=ask("transfer", samples=answering.samples),
        predictions=stages.judge(ask("test", stages.orders)),
        calibration=ask("weak_train", samples=answering.samples),
    )


def _check(spec: WeakSpec) -> None:
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
        least = 1 if field.name == "concurrency" else 0
        if not given[field.name] >= least:
            raise InputError(f"weak.settings.{field.name} is {given[field.name]}: expected {least} or more")


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InputError(f"weak.url is {url!r}: expected an address such as http://localhost:8000/v1")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InputError("weak.url holds more than an address: a key belongs into the variable that weak.key_env names")


SOURCES = (
    Source(
        name="server",
        summary="a model behind an OpenAI-compatible server (weak.url), or whose answers came back in a file",
        steps=_steps,
        needs_weak_train=lambda spec: False,
        check=_check,
        answer=_answers,
    ),
)
