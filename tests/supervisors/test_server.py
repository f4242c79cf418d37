"""A supervisor behind a server: asked by letter, kept by request, and never the student's wording."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.asked import laid, task, weak
from support.experiments import small_experiment, write_rows
from support.faulty import FaultyServer, Handler
from w2s.config import AnsweringSpec, TaskSpec, WeakSpec
from w2s.errors import InputError
from w2s.pipeline import stages
from w2s.pipeline.graph import Graph
from w2s.runners import local
from w2s.store import Store
from w2s.supervisors import SOURCES
from w2s.tables import read_table


def test_its_letters_become_answers_and_probabilities_of_the_options(
    data: str, server: FaultyServer, store: Store
) -> None:
    server.answer = lambda prompt: "B"
    rows = stages.label(task(data), weak(server), store=store).to_pylist()
    assert len(rows) == 16 * 3 and {row["supervisor"] for row in rows} == {"big"}
    for row in rows:
        assert row["position"] == 1 and row["response"] == "B" and row["completion"] == " B"
        lines = row["prompt"].splitlines()
        assert f"B. {row['answer']}" in lines and row["asked"] is None
        assert row["choice_logprobs"].index(max(row["choice_logprobs"])) == row["choices"].index(row["answer"])
    first = server.bodies[0]
    assert first["model"] == "big" and first["temperature"] == 0 and first["top_logprobs"] == 20
    assert first["messages"][0]["role"] == "system"


def test_a_task_in_words_is_asked_by_letter_and_learned_in_words(data: str, server: FaultyServer, store: Store) -> None:
    rows = stages.label(task(data, answer_format="text"), weak(server), store=store).to_pylist()
    for row in rows:
        assert "A. " in row["asked"] and "A. " not in row["prompt"]
        assert row["completion"] == f" {row['answer']}" and len(row["response"]) == 1


def test_more_variations_and_other_splits_ask_only_what_is_new(data: str, server: FaultyServer, store: Store) -> None:
    stages.label(task(data, num_variations=2), weak(server), store=store)
    assert server.requests == 32
    more = stages.label(task(data, num_variations=3), weak(server), store=store)
    assert server.requests == 48 and set(server.asked.values()) == {1} and more.num_rows == 48
    # The same questions, cut otherwise.
    stages.label(task(data, num_variations=3, transfer=15), weak(server), store=store)
    assert server.requests == 48


def test_another_server_model_or_sampling_is_another_request(data: str, server: FaultyServer, store: Store) -> None:
    asks = task(data, num_variations=1)
    for number, spec in enumerate(
        [weak(server), weak(server, name="small"), weak(server, settings={"api": "completion"}),
         weak(server, settings={"extra": {"seed": 1}}), weak(server, settings={"service": "another"})], start=1
    ):  # fmt: skip
        stages.label(asks, spec, store=store)
        assert server.requests == 16 * number
    # How hard it is asked changes nothing, nor does the address of a service that has a name.
    named = {"service": "another", "concurrency": 2}
    stages.label(asks, weak(server, settings=named, url="http://127.0.0.1:1/v1"), store=store)
    assert server.requests == 16 * 5


def test_samples_are_variations_of_their_own(data: str, server: FaultyServer, store: Store) -> None:
    answering = AnsweringSpec(sampling_temperature=0.8, samples=3)
    rows = stages.label(task(data, num_variations=2), weak(server), answering=answering, store=store).to_pylist()
    assert [row["variation"] for row in rows[:6]] == [0, 1, 2, 3, 4, 5]
    assert [row["prompt"] for row in rows[:2]] == [row["prompt"] for row in rows[2:4]]
    assert server.requests == 16 * 6 and {body["temperature"] for body in server.bodies} == {0.8}


def test_free_answers_keep_the_servers_words_and_one_that_is_cut_off_is_none(
    tmp_path: Path, server: FaultyServer, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"id": f"q{n}", "question": f"What is {n}?", "answer": str(n), "split": "transfer"} for n in range(3)]
    asks = TaskSpec(
        name="file", data=write_rows(tmp_path / "free.jsonl", rows), weak_train=0, transfer=3, test=0, num_variations=1
    )
    server.answer = lambda prompt: "42"
    found = stages.label(asks, weak(server), store=store).to_pylist()
    assert {(row["answer"], row["response"], row["completion"]) for row in found} == {("42", "42", " 42")}
    assert "logprobs" not in server.bodies[0] and server.bodies[0]["max_tokens"] == 50
    said = {
        "What is 0?": "<think>\nThe user asks.\n</think>\n\n42.\nBy the way,",
        "What is 1?": "Let me see.\nThe answer is\n42",
    }
    server.answer = lambda prompt: next((text for asked, text in said.items() if asked in prompt), " 42\n\nQuestion: x")
    server.finish = "stop"
    found = stages.label(asks, weak(server, name="thinker"), store=store).to_pylist()
    learned = {row["question_id"]: (row["answer"], row["completion"]) for row in found}
    # A student's text ends with its first line, so what it learns is the line that answers.
    assert learned["q0"] == ("42", " 42.") and learned["q2"] == ("42", " 42")
    assert "\n" not in learned["q1"][1]
    assert {row["question_id"]: row["response"] for row in found}["q0"] == said["What is 0?"]
    # A prompt that is continued goes on to another question, and is cut off in that.
    server.answer, server.finish = lambda prompt: " 42\n\nQuestion: What is", "length"
    found = stages.label(asks, weak(server, name="base", settings={"api": "completion"}), store=store).to_pylist()
    assert {(row["answer"], row["completion"]) for row in found} == {("42", " 42")}
    server.answer, server.finish = lambda prompt: "42", "length"
    with pytest.raises(InputError, match="none of 3 replies of 'wordy' is an answer; the first is '42'"):
        stages.label(asks, weak(server, name="wordy"), store=store)
    assert "3 replies were cut off" in caplog.text


def test_a_run_is_supervised_and_has_a_pgr(
    data: str, server: FaultyServer, store: Store, tiny_llama: Path, tiny_gemma: Path
) -> None:
    base = small_experiment(data, tiny_llama, tiny_gemma, methods=["naive"])
    experiment = replace(base, weak=weak(server), task=task(data, weak_train=0))
    supervision = laid(experiment)
    assert supervision.training is None
    local.run([supervision.answers, supervision.predictions], store)
    predictions = read_table(store.path(supervision.predictions) / "predictions.parquet")
    assert predictions.num_rows == 12 and server.requests == 48 + 12
    naive = Graph(experiment).seed_runs[0].methods["naive"].student.rounds[0].training_set
    local.run([naive], store)
    assert set(read_table(store.path(naive) / "training_set.parquet")["completion"].to_pylist()) <= {
        " A",
        " B",
        " C",
        " D",
    }


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"url": None}, r"needs weak\.url"),
        ({"url": "localhost:8000"}, "expected an address such as"),
        ({"url": "http://me:pass@host/v1"}, "holds more than an address"),
        ({"url": "me:pass@host/v1"}, "holds more than an address"),
        ({"url": "http://host/v1?api_key=pass"}, "holds more than an address"),
        ({"examples": 2}, "source server shows none"),
        ({"settings": {"extra": {"stream": True}}}, "extra names 'stream'"),
        ({"settings": {"timeout": 0}}, "timeout is 0: expected 1 or more"),
        ({"settings": {"api": "chta"}}, "did you mean 'chat'"),
        ({"settings": {"concurency": 3}}, "did you mean 'concurrency'"),
        ({"settings": {"concurrency": 0}}, "concurrency is 0: expected 1 or more"),
        ({"settings": {"timeout": "long"}}, "timeout of source server is 'long': expected a number"),
    ],
)
def test_what_it_cannot_use_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        SOURCES["server"].check(WeakSpec(**{"source": "server", "url": "http://host/v1", **fields}))
    assert "pass" not in str(raised.value)


def test_limits_are_told_before_anything_is_asked(data: str, server: FaultyServer, store: Store) -> None:
    for settings, said in (
        ({"max_requests": 10}, "48 requests to 'big' at .*, max_requests is 10: nothing was asked"),
        ({"max_cost": 1.0}, "max_cost says nothing without price_in"),
        ({"max_cost": 1e-6, "price_in": 1.0}, "max_cost is 1e-06: nothing was asked"),
    ):
        with pytest.raises(InputError, match=said):
            stages.label(task(data), weak(server, settings=settings), store=store)
    assert server.requests == 0


@pytest.mark.parametrize(
    ("text", "finish", "position"),
    [
        ("B", "length", 1),
        ("(C).", "length", 2),
        ("A is a tempting choice, but the correct", "length", None),
        ("The answer is D.", "stop", 3),
        ("I cannot say", "stop", None),
    ],
)
def test_a_letter_is_the_one_that_was_chosen(
    text: str, finish: str, position: int | None, data: str, server: FaultyServer, store: Store
) -> None:
    seen: list[str] = []

    def answer(prompt: str) -> str:  # one that can be read, so that there is a table
        seen.append(prompt)
        return text if len(seen) > 1 else "A"

    server.answer, server.finish = answer, finish
    asked = weak(server, settings={"concurrency": 1})
    rows = stages.label(task(data, num_variations=1), asked, store=store).to_pylist()
    assert [row["position"] for row in rows] == [0] + [position] * 15


@pytest.mark.parametrize("api", ["chat", "completion"])
@pytest.mark.parametrize("others", [{}, {" A": float("nan")}])
def test_a_server_that_tells_the_token_alone_gives_its_letter_and_no_probabilities(
    api: str,
    others: dict[str, float],
    data: str,
    server: FaultyServer,
    store: Store,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def alone(handler: Handler, body: dict[str, Any]) -> bool:
        logprobs = {"tokens": [" B"], "top_logprobs": [{" B": -0.1, **others}]}
        choice = {"message": {"content": "B"}, "text": " B", "finish_reason": "stop", "logprobs": logprobs}
        handler.reply(200, {"model": "big", "choices": [choice]})
        return True

    server.faults = [alone] * 16
    rows = stages.label(task(data, num_variations=1), weak(server, settings={"api": api}), store=store).to_pylist()
    assert {(row["position"], row["choice_logprobs"]) for row in rows} == {(1, None)}
    assert "16 replies have no log-probabilities" in caplog.text


def test_a_letter_is_chosen_among_those_that_are_listed(data: str, server: FaultyServer, store: Store) -> None:
    def last(handler: Handler, body: dict[str, Any]) -> bool:
        logprobs = {"tokens": [" B"], "top_logprobs": [{"The": -0.9, " B": -1.0}]}
        choice = {"text": " B", "finish_reason": "stop", "logprobs": logprobs}
        handler.reply(200, {"model": "big", "choices": [choice]})
        return True

    server.faults = [last] * 16
    asked = weak(server, settings={"api": "completion"})
    rows = stages.label(task(data, num_variations=1), asked, store=store).to_pylist()
    assert {row["position"] for row in rows} == {1}


def test_a_server_that_samples_all_the_same_is_told_each_time(
    data: str, server: FaultyServer, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def refuses(handler: Handler, body: dict[str, Any]) -> bool:
        if "temperature" not in body:
            return False
        handler.reply(400, {"error": {"message": "temperature: only 1 is supported, 0 is not allowed"}})
        return True

    server.faults = [refuses] * 32
    asked = weak(server, settings={"concurrency": 1})
    for transfer in (16, 15):  # the second time all is kept
        caplog.clear()
        stages.label(task(data, num_variations=1, transfer=transfer), asked, store=store)
        assert f"{transfer} replies are sampled: the server refuses temperature 0" in caplog.text
    assert len(server.bodies) == 16


def test_the_test_is_asked_as_the_evaluation_says(
    data: str, server: FaultyServer, tiny_llama: Path, tiny_gemma: Path
) -> None:
    base = small_experiment(data, tiny_llama, tiny_gemma, methods=["naive"])
    answering = AnsweringSpec(sampling_temperature=0.7, samples=5)
    supervision = laid(replace(base, weak=weak(server), answering=answering, evaluation=AnsweringSpec(orders=2)))
    asks = [step.settings for step in (supervision.answers, supervision.predictions.inputs["part-0"])]
    assert [one["supervisor"]["samples"] for one in asks] == [5, 1]
    assert [one["supervisor"]["asking"]["temperature"] for one in asks] == [0.7, 0.0]
    assert [one["num_variations"] for one in asks] == [3, 2]


def test_another_seed_samples_anew_and_asks_nothing_anew_without_sampling(
    data: str, server: FaultyServer, store: Store
) -> None:
    for temperature, more in ((0.0, 16), (0.7, 32)):
        before = server.requests
        for seed in (0, 1):
            answering = AnsweringSpec(sampling_temperature=temperature)
            stages.label(task(data, num_variations=1), weak(server), answering=answering, seed=seed, store=store)
        assert server.requests - before == more


# Files of requests


# Several at once
