"""Files as other tools export them: a few rows of each, in the form that the tool writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from w2s.reading.exports import Known, Long, format_of, names_of, read_export

__all__ = ["annotation", "chosen_sample", "export_of", "record", "response_line", "task", "write_json", "write_lines"]


def write_json(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text(json.dumps(list(rows)))
    return path


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def export_of(
    *paths: Path, form: str = "", columns: Mapping[str, str] | None = None, known: Sequence[Known] | None = None
) -> Long:
    """Files, read as what they are recognized as."""
    found = format_of(paths, form, columns)
    return read_export(paths, found, names_of(paths, found), columns=columns, known=known)


# Label Studio


def annotation(who: Any, label: str | list[str] | None, **fields: Any) -> dict[str, Any]:
    """An annotation of one control of choices, called `sentiment`."""
    choices = [label] if isinstance(label, str) else label
    result = {"value": {"choices": choices}, "from_name": "sentiment", "to_name": "text", "type": "choices"}
    return {
        "id": 1001,
        "completed_by": who,
        "result": [] if label is None else [{"id": "Dx", "origin": "manual", **result}],
        "was_cancelled": False,
        "ground_truth": False,
        "lead_time": 4.2,
        **fields,
    }


def task(number: int, data: Mapping[str, Any], *annotations: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": number, "data": data, "annotations": annotations, "predictions": [], "project": 83, **fields}


# Argilla


def record(id: str, text: str, **given: tuple[Any, str]) -> dict[str, Any]:
    """A flat record with one question, `label`: the values and the states, by who responded."""
    return {
        "id": id,
        "status": "completed",
        "_server_id": f"server-{id}",
        "text": text,
        "label.responses": [value for value, _ in given.values()] or None,
        "label.responses.users": list(given) or None,
        "label.responses.status": [state for _, state in given.values()] or None,
        "label.suggestion": "positive",
        "label.suggestion.score": 0.9,
        "label.suggestion.agent": "model",
    }


# lm-evaluation-harness


def chosen_sample(
    number: int, doc: Mapping[str, Any], continuations: Sequence[str], scores: Sequence[float], **fields: Any
) -> dict[str, Any]:
    """A sample of a multiple-choice task, with its numbers as texts, as the harness writes them."""
    return {
        "doc_id": number,
        "doc": doc,
        "target": "1",
        "arguments": {
            f"gen_args_{at}": {"arg_0": "Question: …\nAnswer:", "arg_1": f" {text}"}
            for at, text in enumerate(continuations)
        },
        "resps": [[[str(score), "False"]] for score in scores],
        "filtered_resps": [[str(score), "False"] for score in scores],
        "filter": "none",
        "metrics": ["acc"],
        "doc_hash": f"hash-{number}",
        "acc": 1.0,
        **fields,
    }


# A batch service


def response_line(id: str, text: str | None, *, status: int = 200, finish: str = "stop") -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    body = {"id": "chatcmpl-1", "model": "big-model", "choices": [choice]}
    return {
        "id": "batch_req_1",
        "custom_id": id,
        "response": {"status_code": status, "request_id": "r", "body": body if status == 200 else {"error": {}}},
        "error": None,
    }
