"""What a batch service that speaks the OpenAI protocol gives back, and `vllm run-batch`: a response a line.

A line is `{"custom_id", "response": {"status_code", "body"}, "error"}`, its body a chat completion, a completion or a
response. The custom id is the user's own; w2s's requests are answered with `w2s label --responses`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from w2s.errors import InputError
from w2s.reading.cells import text_of, without_parts
from w2s.reading.exports.base import Export, File, Format, Given, Item, Wanted, reading_row, row_error

__all__ = ["FORMAT"]

_OWN_KEY = re.compile(r"[0-9a-f]{40}")  # of a request that `w2s label --requests-out` wrote
_LIMITS = ("length", "max", "limit")  # in the words for an answer that was cut off
_FAILED, _CUT_OFF, _NO_TEXT = "failed", "cut off", "refused or empty"


def _recognizes(columns: Collection[str]) -> bool:
    return "custom_id" in columns and "response" in columns


def _read(files: Sequence[File], wanted: Wanted) -> Export:
    items: list[Item] = []
    answers: list[Given] = []
    counts: Counter[str] = Counter()
    for file in files:
        models = {str((_body(row) or {}).get("model") or "") for row in file.rows.cells} - {""}
        # Of a response that does not say, since it failed: with several models it is nobody's.
        name = next(iter(models)) if len(models) == 1 else None if models else file.name
        for number, row in enumerate(file.rows.cells, start=1):
            with reading_row(file, number):
                if (own := text_of(row.get("custom_id"))) is None:
                    raise row_error(file, number, "a response with a custom_id")
                items.append(Item(own=own, fields={"custom_id": own}))
                body = _body(row)
                who = text_of(row.get(wanted.who) if wanted.who else (body or {}).get("model")) or name
                for text, problem in _texts(body):
                    counts[problem] += bool(problem)
                    if who is None:
                        continue
                    answers.append(Given(len(items) - 1, who, None if problem else text))
    if items and all(_OWN_KEY.fullmatch(item.own) for item in items):
        raise InputError(f"{files[0].path} answers requests of w2s: expected w2s label --responses {files[0].path}")
    return Export(items=items, answers=answers, counts=counts, written=True)


def _body(row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The body of a response; None where the request failed."""
    response = row.get("response")
    if row.get("error") or not isinstance(response, dict) or response.get("status_code", 200) not in (200, "200"):
        return None
    body = response.get("body")
    return body if isinstance(body, dict) else None


def _texts(body: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Each text of a response, and what is the matter with it: an empty text where nothing is."""
    if body is None:
        return [("", _FAILED)]
    if isinstance(body.get("output"), list):  # of the API that is called responses
        messages = [one for one in map(_object, body["output"]) if one.get("type") == "message"]
        parts = [_object(part) for one in messages for part in one.get("content") or ()]
        text = "".join(str(part.get("text") or "") for part in parts)
        return [(text, _CUT_OFF if body.get("status") == "incomplete" else "" if text.strip() else _NO_TEXT)]
    found = []
    for choice in map(_object, body.get("choices") or ()):
        message = choice.get("message")
        said = without_parts(_object(message).get("content")) if message is not None else choice.get("text")
        finish = str(choice.get("finish_reason") or "").casefold()
        cut_off = any(word in finish for word in _LIMITS)
        is_text = isinstance(said, str) and bool(said.strip()) and finish != "content_filter"
        found.append((str(said), _CUT_OFF if cut_off else "" if is_text else _NO_TEXT))
    return found or [("", _NO_TEXT)]


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


FORMAT = Format(
    name="batch",
    title="responses of a batch service",
    asked="requests",
    own="custom_id",
    by_people=False,
    recognizes=_recognizes,
    read=_read,
    version=4,
)
