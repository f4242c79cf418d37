# ruff: noqa: E402
"""What each piece gives on a small input: a task's prompts, an estimator's scores, a selector's rows, a loss's values.

An output that changes means other results under the key of the old ones, unless the piece's version is raised.
After a change that is meant, raise the version of the piece and write the outputs down again:

    python tests/golden/pieces.py
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from support.exports import annotation, chosen_sample, record, response_line, task, write_lines
from tasks.support import (
    ETHICS_HEADER,
    ETHICS_ROWS,
    GSM8K,
    HELLASWAG,
    MMLU_HEADER,
    MMLU_ROWS,
    write_jsonl,
    write_text,
)
from w2s.files import file_sha256
from w2s.methods import METHODS
from w2s.paraphrasing.checks import Original
from w2s.paraphrasing.making import Rewording
from w2s.pipeline.steps import KINDS
from w2s.reading.exports import FORMATS, read_export
from w2s.reliability import ESTIMATORS, Calibration, score_answers
from w2s.servers.answered import Answered
from w2s.servers.replies import Reply
from w2s.servers.requests import RequestTemplate
from w2s.step import Context
from w2s.supervisors import SOURCES, Inquiry, simulated
from w2s.supervisors.asking import gold_answers, shown_examples
from w2s.supervisors.server import inquired
from w2s.tables import ANSWERS, QUESTIONS, read_table, write_table
from w2s.tasks import TASKS, Task, load_task

__all__ = ["KEPT", "differs", "outputs"]

KEPT = Path(__file__).with_name("outputs.json")
TOLERANCE = 1e-5  # of float32, relative: processors differ in the last bits

CHOICES = {"q0": ("Oslo", "Lima", "Rome"), "q1": ("A man", "B, or not", "3.10"), "q2": ("yes", "no", "maybe")}
TEXTS = ["B", " (c)", "Answer: A.", "A is incorrect. The answer is C.", "Lima or Rome", "$1,234.50", "#### 7", ""]


def _data(name: str, folder: Path) -> str | None:
    match name:
        case "hellaswag":
            return write_jsonl(folder / "hellaswag.jsonl", HELLASWAG)
        case "mmlu":
            return write_text(folder / "mmlu.csv", MMLU_HEADER + "".join(MMLU_ROWS))
        case "ethics":
            return write_text(folder / "ethics.csv", ETHICS_HEADER + "".join(ETHICS_ROWS))
        case "gsm8k":
            return write_jsonl(folder / "gsm8k.jsonl", GSM8K)
        case "classification":
            rows = [{"text": f"Which, {label}?", "label": label} for label in ("yes", "no", "maybe")]
            return write_jsonl(folder / "classification.jsonl", rows)
        case "file":
            rows = [{"question": f"Which, {id}?", "choices": list(c), "answer": c[0]} for id, c in CHOICES.items()]
            return write_jsonl(folder / "file.jsonl", rows)
    return None


def _task(name: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        task: Task = load_task(name, data=_data(name, Path(folder)))
        examples = sorted(task.examples(), key=lambda example: example.question.id)[:2]
        return [
            {
                "id": example.question.id,
                "answer": example.answer,
                "asked": [
                    [v.prompt, list(v.completions), list(v.positions), task.complete(str(example.answer), question, v)]
                    for v in task.vary(question, 2, 3)
                ],
                "parsed": [task.parse(text, question, task.vary(question, 1, 3)[0]) for text in TEXTS],
            }
            for example in examples
            for question in [example.question]
        ]


def answers() -> pa.Table:
    """Nine answers to three questions, with log-probabilities; one could not be parsed."""
    given = {"q0": ["Oslo", "Oslo", "Oslo"], "q1": ["A man", "3.10", "A man"], "q2": ["no", None, "maybe"]}
    rows = [
        {
            "question_id": id,
            "variation": number,
            "prompt": f"{id}, way {number}:",
            "completion": f" {answer}",
            "answer": answer,
            "choices": list(CHOICES[id]),
            "completions": [f" {choice}" for choice in CHOICES[id]],
            "choice_logprobs": [-0.5 - ((choice + number + len(id)) % 3) * (0.7 + 0.2 * number) for choice in range(3)],
            "positions": [(choice + 2 * number) % 3 for choice in range(3)],
            "supervisor": "golden",
        }
        for id, own in given.items()
        for number, answer in enumerate(own)
    ]
    return pa.Table.from_pylist(rows, schema=ANSWERS)


def calibration() -> Calibration:
    """Two dozen questions answered twice, mostly for the first option; the third answer of four is wrong."""
    rows = [
        {
            "question_id": f"c{number}",
            "variation": variation,
            "answer": "yes",
            "choices": ["yes", "no"],
            "choice_logprobs": [-0.1 - (number + variation) % 5 * 0.1, -1.5],
            "positions": [variation, 1 - variation],
        }
        for number in range(24)
        for variation in range(2)
    ]
    schema = pa.schema([ANSWERS.field(name) for name in rows[0]])
    gold = {f"c{number}": "no" if number % 4 == 2 else "yes" for number in range(24)}
    return Calibration(pa.Table.from_pylist(rows, schema=schema), gold)


def _estimator(name: str) -> Any:
    views = {"calibration": calibration(), "second_view": answers()}
    given = answers()
    if name == "dawid-skene":  # it compares supervisors: each variation is one
        place = given.column_names.index("supervisor")
        given = given.set_column(place, "supervisor", given["variation"].cast(pa.string()))
    if name == "semantic-entropy":  # free answers, some of them the same in other words
        texts = ["Oslo", "oslo.", "Lima", "A man", "the man!", "3.10", "no", None, "3.1"]
        given = given.drop_columns(["choices", "answer"]).append_column("answer", pa.array(texts, pa.string()))
    scored = score_answers(given, estimator=name, **{need: views[need] for need in ESTIMATORS[name].needs})
    columns = [column for column in scored.column_names if column not in ANSWERS.names]
    return {column: scored[column].to_pylist() for column in sorted(columns)}


def _source(name: str) -> Any:
    """What a source answers by itself; another has a model answer, which the tasks' prompts decide."""
    source = SOURCES[name]
    if name == "prompted":
        return shown_examples(gold_answers_of_file(), 2)
    if source.answer is None:  # it lays the steps of others: trainings, answers of a model
        return source.summary
    with tempfile.TemporaryDirectory() as folder:
        task: Task = load_task("file", data=_data("file", Path(folder)))
        examples = list(task.examples())
        given = dict(zip(("settings", "execution"), _answering(name, Path(folder), examples), strict=True))
        inquiry = Inquiry(
            task=task,
            questions=[example.question for example in examples],
            num_variations=2,
            seed=5,
            gold={example.question.id: str(example.answer) for example in examples} if name == "simulated" else {},
            journal=Path(folder) / "journal.jsonl",
            cache=Path(folder) / "cache",
            **given,
        )
        if name == "server":
            _reply_to(inquiry)
        answers = source.answer(inquiry).drop_columns(["prompt"]).to_pylist()
        bodies = [dict(asked.request.body) for asked in inquired(inquiry)] if name == "server" else []
        return {"answers": answers, "asked": bodies}


def gold_answers_of_file() -> pa.Table:
    """Ground truth of task file's questions, as answers."""
    with tempfile.TemporaryDirectory() as folder:
        task: Task = load_task("file", data=_data("file", Path(folder)))
        examples = list(task.examples())
        gold = {example.question.id: example.answer for example in examples}
        return gold_answers(task, [example.question for example in examples], gold)


REWORDED = ("Ann has 12 pens and gives a third of them to Bob. How many are left?", ("four", "8"))
WORDINGS = [
    "Of her dozen pens Ann gives 1/3 to Bob: how many has she left?",
    "How many of her 12 pens are left to Ann?",
    'Reworded: "Ann owns 12 pens, Bob gets a third of these. How many does she keep?"',
    "If Bob gets a third of the 12 pens that Ann has, she keeps 8, is it not so?",
    "Answer: of her 12 pens, with a third of them given to Bob, how many are left?",
    "Ann's pens: 12. Bob's part: one third.\nHow many are left?",
]


def _rewordings() -> Any:
    """What is asked for rewordings, and what becomes of each text."""
    text, options = REWORDED
    asking = RequestTemplate(service="s", model="m", api="chat", letters=False, temperature=0.7, max_new_tokens=9)
    fields: dict[str, Any] = {"original": Original(text=text, options=options), "asking": asking, "count": 6}
    rewording = Rewording(kind="question", **fields)
    asked = [dict(request.body) for request in (*rewording.requests(), Rewording(kind="story", **fields).requests()[0])]
    for wording in WORDINGS:
        rewording.take(Reply(text=wording, finish="stop"))
    return {"asked": asked, "found": rewording.found, "faults": dict(rewording.tally.faults)}


KIND_SETTINGS: dict[str, dict[str, Any]] = {
    "fold": {"fold": 0, "folds": 2, "seed": 1},
    "joined": {"parts": ["part-0", "part-1"], "supervisors": ["ann", "bob"]},
    "judged": {"parts": ["part-0"]},
}
"""Kinds of steps that decide what comes out by themselves; in the others a model or another piece does."""


def _kind(name: str) -> Any:
    if name == "paraphrases":
        return _rewordings()
    gold = gold_answers_of_file()
    ids = gold["question_id"].to_pylist()
    renamed = dict(zip(CHOICES, ids, strict=True))
    own = pa.array([renamed[id] for id in answers()["question_id"].to_pylist()], pa.string())
    given = answers().set_column(0, "question_id", own)
    rows = [{"question_id": id, "split": "weak_train", "text": id} for id in ids]
    tables = {
        "part-0/answers.parquet": given,
        "part-1/answers.parquet": given,
        "gold/answers.parquet": gold,
        "questions/questions.parquet": pa.Table.from_pylist(rows, schema=QUESTIONS),
    }
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for file, table in tables.items():
            (root / file).parent.mkdir(exist_ok=True)
            write_table(table, root / file)
        (root / "out").mkdir()
        KINDS[name].build(KIND_SETTINGS[name], {path.name: path for path in root.iterdir()}, root / "out", Context())
        shown = ("question_id", "answer", "correct", "supervisor")
        return {
            path.name: [[row.get(column) for column in shown] for row in read_table(path).to_pylist()]
            for path in sorted((root / "out").iterdir())
        }


def _answering(name: str, folder: Path, examples: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a source is given: what decides its answers, and where they come from."""
    match name:
        case "simulated":
            return {**simulated.SETTINGS, "annotators": 2, "spammers": 1}, {}
        case "table":
            ids = [example.question.id for example in examples]
            rows = [
                {"item": id, "annotator": who, "answer": label}
                for id, labels in zip(ids, (("Oslo", "lima "), ("B", "(C)"), ("yes", "")), strict=True)
                for who, label in zip(("ann", "bob"), labels, strict=True)
            ]
            path = Path(write_jsonl(folder / "labels.jsonl", rows))
            columns = {"question_id": "item"}
            settings = {"content": [file_sha256(path), "case"], "columns": columns, "annotators": [], "name": "labels"}
            return settings, {"answers": str(path), "normalize": ["case"]}
        case _:
            asking = RequestTemplate(
                service="s", model="m", api="chat", letters=True, temperature=0.0, max_new_tokens=9
            )
            return {"asking": asdict(asking), "samples": 1, "name": "m"}, {"url": None, "limits": {}, "key_env": None}


def _reply_to(inquiry: Inquiry) -> None:
    """What a server has answered before, to each request another thing."""
    answered = Answered(inquiry.cache)
    tops = [("B", -0.5), (" A", -1.0), ("b", -4.0)]
    texts = ["B", "(A)", "The answer is C.", "A is a long", "", "no idea"]
    replies = {
        asked.request.key: Reply(text=text, finish="length" if "long" in text else "stop", places=[("B", tops)])
        for asked, text in zip(inquired(inquiry), texts, strict=True)
    }
    answered.put(replies)
    answered.close()


def _method(name: str) -> Any:
    posterior = {"q0": [0.5, 0.3, 0.2], "q1": [0.1, 0.2, 0.7], "q2": [0.25, 0.5, 0.25]}
    scored, gold = score_answers(answers()), answers().take([0, 3, 6])
    scored = scored.append_column("posterior", [[posterior[id] for id in scored["question_id"].to_pylist()]])
    tables = {"scored": scored, "own": scored, "gold_answers": gold, "weak_gold": gold, "student": answers()}
    tables |= _views()
    found = {}
    for selector, function in METHODS[name].selectors.items():
        wanted = function.__code__.co_varnames[: function.__code__.co_argcount]
        made = function(*(tables[table] for table in wanted), seed=5)
        found[selector] = made.table.select(["prompt", "completion", "weight"]).to_pylist()
    return found


def _views() -> dict[str, pa.Table]:
    """What three models say of the same questions; the second has the log-probabilities of the first in reverse."""
    own, known = answers(), calibration()
    found = {"weak": own, "untrained": _reversed(own), "cross_fitted": own, "left_out": own.slice(0, 3)}
    gold = pa.table({"question_id": list(known.gold), "answer": list(known.gold.values())})
    of_known = {"weak": known.answers, "untrained": _reversed(known.answers), "cross_fitted": known.answers}
    of_known["weak_gold"] = known.answers
    return found | {f"calibration_{name}": table for name, table in {**of_known, "gold": gold}.items()}


def _reversed(table: pa.Table) -> pa.Table:
    values = pa.array(
        [row[::-1] for row in table["choice_logprobs"].to_pylist()], ANSWERS.field("choice_logprobs").type
    )
    return table.set_column(table.column_names.index("choice_logprobs"), "choice_logprobs", values)


def _loss(name: str) -> Any:
    import torch

    from w2s.training.losses import get_loss

    loss = get_loss(name)
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(4, 5, generator=generator)
    if loss.form == "tokens":
        return loss(values, torch.tensor([0, 4, 2, 2]), torch.tensor([1.0, 0.5, 2.0, 0.0]), 0.5).tolist()
    soft = torch.softmax(torch.randn(4, 5, generator=generator), -1)
    if loss.relabel is not None:
        soft = loss.relabel(values.log_softmax(-1), soft, soft.mean(0), 0.1, **loss.settings)
    return loss(values.log_softmax(-1), soft, torch.tensor([1.0, 0.5, 2.0, 1.0]), 0.5).tolist()


EXPORTS: dict[str, list[dict[str, Any]]] = {
    "label-studio": [
        task(1, {"text": "Oslo?"}, annotation(7, "yes"), annotation({"id": 8, "email": "bob@x.org"}, ["yes", "no"])),
        task(2, {"text": "Lima?"}, annotation(7, None, was_cancelled=True), annotation(9, "no", ground_truth=True)),
    ],
    "argilla": [
        record("r1", "Oslo?", ann=("yes", "submitted"), bob=("no", "draft")),
        record("r2", "Lima?", ann=(None, "discarded"), bob=(["no"], "submitted")),
    ],
    "lm-eval": [
        chosen_sample(number, {"question": "Oslo?", "choices": ["yes", "no"]}, "AB", [-1.5 + number, -1.0])
        for number in range(2)
    ],
    "distilabel": [
        {"instruction": "Oslo?", "generation": ["yes", None], "model_name": ["m", "n"], "distilabel_metadata": {}},
        {"instruction": "Oslo?", "generation": ["no"], "model_name": "m", "distilabel_metadata": {}},
    ],
    "batch": [response_line("q1", "yes"), response_line("q2", "it is", finish="length"), response_line("q1", "no")],
}
"""What each format's reader reads."""


def _export(name: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = write_lines(Path(folder) / "rows.jsonl", EXPORTS[name])
        return read_export([path], name, ["somebody"]).table.to_pylist()


def outputs() -> dict[str, dict[str, Any]]:
    """Each piece's version and output, by kind and name."""
    from w2s.training.losses import LOSSES

    makers: dict[str, tuple[Any, Callable[[str], Any]]] = {
        "task": (TASKS, _task),
        "estimator": (ESTIMATORS, _estimator),
        "method": (METHODS, _method),
        "loss": (LOSSES, _loss),
        "source": (SOURCES, _source),
        "export": (FORMATS, _export),
        "kind": ({name: KINDS[name] for name in [*KIND_SETTINGS, "paraphrases"]}, _kind),
    }
    return {
        f"{kind} {name}": {"version": registry[name].version, "output": make(name)}
        for kind, (registry, make) in makers.items()
        for name in registry
        if name not in getattr(registry, "origins", ())
    }


def differs(one: Any, other: Any) -> bool:
    """Whether two outputs are not the same: texts and whole numbers exactly, other numbers to rounding."""
    if isinstance(one, float) and isinstance(other, int | float):
        return not math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() != other.keys() or any(differs(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) != len(other) or any(differs(a, b) for a, b in zip(one, other, strict=True))
    return bool(one != other)


if __name__ == "__main__":
    KEPT.write_text(json.dumps(outputs(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(KEPT)
