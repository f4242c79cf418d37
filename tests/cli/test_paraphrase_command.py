"""`w2s paraphrase` as it is typed: what it says, what it writes, and how it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.commands import Say, refused
from support.experiments import write_rows
from support.faulty import FaultyServer, serving
from w2s.tasks import load_task

TEXTS = [f"Ann has {n} pens and buys 2. How many?" for n in (30, 40, 50)]


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with serving(FaultyServer(answer=says)) as state:
        yield state


def says(prompt: str) -> str:
    number = prompt.rsplit("Question: Ann has ", 1)[1].split()[0]
    return f"Two pens come to the {number} that Ann had: {'count' if 'formally' in prompt else 'add'} them all."


@pytest.fixture
def words(here: Path) -> list[str]:
    rows = [{"question": text, "answer": str(n), "split": "transfer"} for n, text in enumerate(TEXTS)]
    data = write_rows(here / "d.jsonl", rows)
    sizes = ["--task.weak_train=0", "--task.transfer=3", "--task.test=0"]
    return ["paraphrase", "--task.name=file", f"--task.data={data}", *sizes, "--count=2", "--store=store"]


def asks(server: FaultyServer) -> list[str]:
    return ["--model.source=server", f"--model.url={server.url}", "--model.name=big"]


def test_it_writes_the_file_that_the_task_reads_and_says_what_became_of_all(
    words: list[str], server: FaultyServer, say: Say, here: Path
) -> None:
    text = say(*words, *asks(server), "--show=1")
    assert "3 of 3 questions have 2 rewordings\n6 of 9 texts are good\n  3 another rewording again\n" in text
    assert text.endswith("paraphrases: paraphrases.jsonl\n") and text.count("  - Two pens come to") == 2
    task = load_task("file", data=str(here / "d.jsonl"), paraphrases="paraphrases.jsonl", num_variations=3,
                     weak_train=0, transfer=3, test=0)  # fmt: skip
    task.splits()
    assert say(*words, *asks(server)).startswith("3 of 3") and server.requests == 9


def test_too_few_are_said_and_counted(words: list[str], server: FaultyServer, say: Say) -> None:
    server.answer = lambda prompt: says(prompt).replace("40", "41")
    text = say(*words, *asks(server))
    assert "2 of 3 questions have 2 rewordings; 1 have fewer, 1 of them none" in text
    assert "  6 a number missing\n" in text and "task.missing_paraphrases says" in text


def test_a_dry_run_asks_nothing_and_shows_the_first_prompt(
    words: list[str], server: FaultyServer, say: Say, here: Path
) -> None:
    text = say(*words, *asks(server), "--dry-run")
    assert "3 questions, 2 rewordings each: 18 texts at most\n6 texts to ask big for first" in text
    assert "\n    Question: Ann has" in text
    assert server.requests == 0 and not (here / "paraphrases.jsonl").exists()
    say(*words, *asks(server))
    assert "all is answered: nothing to ask" in say(*words, *asks(server), "--dry-run")


def test_requests_go_out_in_a_file_and_texts_come_back_in_another(
    words: list[str], say: Say, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_name = ["--model.source=server", "--model.name=big", "--model.settings={service: batch}"]
    assert "6 requests: r.jsonl" in say(*words, *by_name, "--requests-out=r.jsonl")

    def respond(file: str, back: str) -> None:
        lines = [json.loads(line) for line in (here / file).read_text().splitlines()]
        (here / back).write_text("".join(json.dumps(response(line)) + "\n" for line in lines))

    def response(line: dict[str, Any]) -> dict[str, Any]:
        choice = {"message": {"content": says(line["body"]["messages"][-1]["content"])}, "finish_reason": "stop"}
        body = {"model": "big", "choices": [choice]}
        return {"custom_id": line["custom_id"], "response": {"status_code": 200, "body": body}}

    respond("r.jsonl", "back.jsonl")
    # Of each question's two texts, one is the other's repetition: more are wanted.
    said = refused([*words, *by_name], capsys)
    assert "6 requests are not answered, and there is no url to ask: w2s paraphrase --requests-out" in said
    text = say(*words, *by_name, "--responses=back.jsonl", "--requests-out=r2.jsonl")
    assert text == "6 answers from back.jsonl\n3 requests: r2.jsonl\n"
    respond("r2.jsonl", "back.jsonl")
    text = say(*words, *by_name, "--responses=back.jsonl")
    assert text.startswith("3 answers from back.jsonl\n3 of 3 questions have 2 rewordings\n6 of 9 texts are good\n")
    assert "all is answered: nothing to ask" in say(*words, *by_name, "--requests-out=r3.jsonl")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--out=p.csv"], "p.csv: expected a name that ends in .jsonl"),
        (["--out=d.jsonl"], "d.jsonl is there, and not as w2s paraphrase wrote it"),
        (["--count=0"], "count is 0: expected 1 or more"),
        (["--count=some"], "count is 'some': expected a whole number"),
        (["--longest=0.5"], "longest is 0.5: expected at least 1"),
        (["--model.source=table"], "source table rewords nothing: expected model.source prompted, or server"),
        (["--model.name=nowhere/at/all"], "nowhere/at/all"),
        (["--split=tests"], "unknown split 'tests'"),
        (["--requests-out=r.jsonl"], "source prompted asks nobody else"),
        (["--attempt=3"], "unknown option --attempt: w2s paraphrase --help lists them; did you mean --attempts?"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_left(
    more: list[str], said: str, words: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in here.iterdir() if path.is_file()}
    assert said in refused([*words, *more], capsys)
    assert {path.name: path.read_bytes() for path in here.iterdir() if path.is_file()} == before
