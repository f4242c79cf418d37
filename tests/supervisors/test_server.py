"""A supervisor behind a server: asked by letter, kept by request, and never the student's wording."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.experiments import in_splits, questions, small_experiment, write_rows
from support.faulty import Fault, FaultyServer, Handler, serving
from w2s.cli import main
from w2s.config import AnsweringSpec, Experiment, TaskSpec, WeakSpec
from w2s.errors import InputError
from w2s.pipeline import stages
from w2s.pipeline.graph import Graph
from w2s.runners import local
from w2s.servers.batch_files import read_responses
from w2s.store import Store
from w2s.supervisors import SOURCES
from w2s.tables import read_table


@pytest.fixture
def data(tmp_path: Path) -> str:
    return write_rows(tmp_path / "questions.jsonl", in_splits(questions()))


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with serving(FaultyServer()) as state:
        yield state


def task(data: str, **fields: Any) -> TaskSpec:
    sizes = {"weak_train": 8, "transfer": 16, "test": 12}
    return TaskSpec(**{"name": "file", "data": data, "num_variations": 3, **sizes, **fields})


def weak(server: FaultyServer, **fields: Any) -> WeakSpec:
    return WeakSpec(**{"source": "server", "url": server.url, "name": "big", **fields})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def laid(experiment: Experiment) -> Any:
    return Graph(experiment).seed_runs[0].supervision


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
    server.finish = "length"
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


def words(data: str, tmp_path: Path, *more: str) -> list[str]:
    asks = ["--task.name=file", f"--task.data={data}", "--task.num_variations=3"]
    sizes = ["--task.weak_train=8", "--task.transfer=16", "--task.test=12", f"--store={tmp_path / 'store'}"]
    return ["label", *asks, *sizes, "--model.source=server", "--model.name=big", *more]


def test_requests_go_out_in_a_file_and_answers_come_back_in_another(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_name = "--model.settings={service: batch}"
    out = tmp_path / "requests.jsonl"
    main(words(data, tmp_path, by_name, f"--requests-out={out}"))
    assert f"48 requests: {out}" in capsys.readouterr().out
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len({line["custom_id"] for line in lines}) == 48
    kinds = {(line["method"], line["url"], line["body"]["model"]) for line in lines}
    assert kinds == {("POST", "/v1/chat/completions", "big")}

    def response(line: dict[str, Any], status: int = 200) -> str:
        choice = {"message": {"role": "assistant", "content": "C"}, "finish_reason": "stop"}
        answer = {"status_code": status, "body": {"model": "big", "choices": [choice]}}
        return json.dumps({"custom_id": line["custom_id"], "response": answer, "error": None})

    # In another order, two failed, one missing.
    back = tmp_path / "back.jsonl"
    back.write_text("\n".join([response(line) for line in lines[:2:-1]] + [response(line, 500) for line in lines[1:3]]))
    table = tmp_path / "answers.parquet"
    with pytest.raises(SystemExit) as ended:
        main(words(data, tmp_path, by_name, f"--responses={back}", f"--out={table}"))
    said = capsys.readouterr()
    assert ended.value.code == 2 and not table.exists()
    assert "45 answers from" in said.out and "2 responses failed with status 500" in said.err
    assert "3 requests are not answered, and there is no url to ask" in said.err

    # The gaps alone are asked again.
    main(words(data, tmp_path, by_name, f"--requests-out={tmp_path / 'rest.jsonl'}"))
    rest = [json.loads(line) for line in (tmp_path / "rest.jsonl").read_text().splitlines()]
    assert rest == lines[:3]
    back.write_text("\n".join(map(response, rest)))
    main(words(data, tmp_path, by_name, f"--responses={back}", f"--out={table}"))
    rows = read_table(table).to_pylist()
    assert len(rows) == 48 and {row["response"] for row in rows} == {"C"} and {row["position"] for row in rows} == {2}
    main(words(data, tmp_path, by_name, f"--requests-out={tmp_path / 'none.jsonl'}"))
    assert "all is answered" in capsys.readouterr().out and not (tmp_path / "none.jsonl").exists()


def test_responses_to_requests_that_nobody_made_are_told_apart(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_name = "--model.settings={service: batch}"
    for split in ("transfer", "test"):
        main(words(data, tmp_path, by_name, f"--split={split}", f"--requests-out={tmp_path / split}.jsonl"))
    asked, others = ((tmp_path / f"{split}.jsonl").read_text().splitlines() for split in ("transfer", "test"))
    ids = [*(json.loads(line)["custom_id"] for line in [*asked, *others[:5]]), "request-1", "request-2"]
    choice = {"message": {"role": "assistant", "content": "C"}, "finish_reason": "stop"}
    body = {"status_code": 200, "body": {"model": "big", "choices": [choice]}}
    back = tmp_path / "back.jsonl"
    back.write_text("".join(json.dumps({"custom_id": id, "response": body}) + "\n" for id in ids))
    capsys.readouterr()
    main(words(data, tmp_path, by_name, f"--responses={back}", f"--out={tmp_path / 'answers.parquet'}"))
    said = capsys.readouterr()
    assert f"{len(asked)} answers from" in said.out
    told = " ".join(said.err.split())
    assert "2 responses have a custom_id that no request of w2s has, the first 'request-1': left out" in told
    assert "5 responses answer other requests than those of this task, split, model and seed: kept for these" in told
    # Those of the other split are there when they are asked for.
    main(words(data, tmp_path, by_name, "--split=test", f"--requests-out={tmp_path / 'rest.jsonl'}"))
    assert len((tmp_path / "rest.jsonl").read_text().splitlines()) == len(others) - 5


def test_an_answer_that_comes_after_a_refusal_of_the_same_request_counts(tmp_path: Path) -> None:
    def line(id: str, text: str) -> str:
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return json.dumps({"custom_id": id, "response": {"status_code": 200, "body": {"choices": [choice]}}}) + "\n"

    back = tmp_path / "back.jsonl"
    back.write_text("".join([line("a", ""), line("b", "B"), line("a", "C"), line("b", ""), line("a", "D")]))
    found = read_responses(back)
    assert {id: reply.text for id, reply in found.replies.items()} == {"a": "C", "b": "B"}
    assert found.problems["are there twice: the first answer counts"] == 3


@pytest.mark.parametrize(("status", "problem"), [("200", ""), (200, ""), ("500", "failed with status 500")])
def test_a_status_may_be_a_text(status: Any, problem: str, tmp_path: Path) -> None:
    choice = {"message": {"content": "C"}, "finish_reason": "stop"}
    line = {"custom_id": "a", "response": {"status_code": status, "body": {"choices": [choice]}}}
    (tmp_path / "back.jsonl").write_text(json.dumps(line))
    found = read_responses(tmp_path / "back.jsonl")
    assert list(found.replies) == ["a"] * (not problem) and +found.problems == ({problem: 1} if problem else {})


def test_responses_that_end_by_an_unknown_word_are_whole_and_counted(tmp_path: Path) -> None:
    choice = {"message": {"content": "C"}, "finish_reason": "end_turn"}
    line = {"custom_id": "a", "response": {"status_code": 200, "body": {"choices": [choice]}}}
    (tmp_path / "back.jsonl").write_text(json.dumps(line))
    found = read_responses(tmp_path / "back.jsonl")
    assert found.replies["a"].text == "C" and found.problems["ended by 'end_turn': taken as whole"] == 1


def test_another_model_than_was_asked_for_is_said(
    data: str, server: FaultyServer, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    answer = {"message": {"content": "A"}, "finish_reason": "stop"}

    def as_model(name: str) -> Fault:
        def fault(handler: Handler, body: dict[str, Any]) -> bool:
            handler.reply(200, {"model": name, "choices": [answer]})
            return True

        return fault

    server.faults = [*[as_model("big-2024-08-06")] * 16, *[as_model("small")] * 16]
    stages.label(task(data, num_variations=1), weak(server), store=store)
    assert "was asked for" not in caplog.text  # a version of it
    stages.label(task(data, num_variations=2), weak(server), store=store)
    assert "big was asked for, and answered as big-2024-08-06 (16), small (16)" in caplog.text


@pytest.mark.parametrize("content", ["{", "[]", '{"id": 1}', "no"])
def test_what_is_no_response_is_named_by_its_line(
    content: str, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "back.jsonl").write_text(content)
    with pytest.raises(SystemExit) as ended:
        main(words(data, tmp_path, "--model.settings={service: batch}", f"--responses={tmp_path / 'back.jsonl'}"))
    assert ended.value.code == 2 and "back.jsonl, line 1: expected a response" in capsys.readouterr().err


def test_requests_are_written_over_requests_and_over_nothing_else(tmp_path: Path) -> None:
    from w2s.servers import batch_files
    from w2s.servers.requests import RequestTemplate

    asking = RequestTemplate(service="s", model="m", api="completion", letters=False, temperature=0.0, max_new_tokens=5)
    for _ in range(2):
        assert batch_files.write_requests(iter([asking.request("One?")]), tmp_path / "out.jsonl")
    for name, text in (("data.jsonl", '{"question": "a", "answer": "b"}\n'), ("list.jsonl", "[1]"), ("a.jsonl", "a")):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=rf"{name} is there, and its first line is no request"):
            batch_files.write_requests(iter([asking.request("One?")]), tmp_path / name)
        assert (tmp_path / name).read_text() == text


def test_large_sets_of_requests_are_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from w2s.servers import batch_files
    from w2s.servers.requests import RequestTemplate

    monkeypatch.setattr(batch_files, "_MOST_REQUESTS", 4)
    asking = RequestTemplate(service="s", model="m", api="completion", letters=False, temperature=0.0, max_new_tokens=5)
    wanted = [asking.request(f"Number {number}?") for number in range(9)]
    written = batch_files.write_requests(iter(wanted), tmp_path / "out.jsonl")
    assert {path.name: count for path, count in written.items()} == {"out.jsonl": 4, "out-2.jsonl": 4, "out-3.jsonl": 1}
    ids = [json.loads(line)["custom_id"] for path in written for line in path.read_text().splitlines()]
    assert ids == [request.key for request in wanted]
    monkeypatch.setattr(batch_files, "_MOST_BYTES", 10)
    with pytest.raises(InputError, match="batch services take files of 10"):
        batch_files.write_requests(iter(wanted), tmp_path / "small.jsonl")
    assert not (tmp_path / "small.jsonl").exists()


# Several at once


def test_supervisors_are_pooled_under_their_names(
    data: str, server: FaultyServer, store: Store, tiny_llama: Path, tiny_gemma: Path
) -> None:
    members = [
        {"name": "first", "weak": {"source": "server", "url": server.url, "name": "big"}},
        {"name": "second", "weak": {"source": "simulated", "settings": {"annotators": 2}}},
        {"name": "third", "weak": {"source": "trained", "name": str(tiny_llama), "dtype": "float32"}},
    ]
    base = small_experiment(data, tiny_llama, tiny_gemma, methods=["naive"])
    pooled = replace(base, weak=WeakSpec(source="pooled", settings={"members": members}), task=task(data))
    supervision = laid(pooled)
    local.run([supervision.answers, supervision.predictions], store)
    answers = read_table(store.path(supervision.answers) / "answers.parquet")
    names = answers["supervisor"].to_pylist()
    assert {name: names.count(name) for name in set(names)} == {
        "first": 48, "second: simulated-1": 48, "second: simulated-2": 48, "third": 48,
    }  # fmt: skip
    assert read_table(store.path(supervision.predictions) / "predictions.parquet").num_rows == 12
    assert supervision.calibration is not None
    with pytest.raises(InputError, match="supervisor third is trained, which needs questions"):
        laid(replace(pooled, task=task(data, weak_train=0)))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "members is None: expected a list"),
        ({"members": [{"name": "a", "weak": {}}]}, "expected a list"),
        ({"members": [{"name": "a", "weak": {}}, {"name": "a", "weak": {}}]}, "are called 'a'"),
        ({"members": [{"name": "a", "weak": {}}, {"weak": {}}]}, "expected {name: "),
        ({"members": [{"name": "a", "weak": {"sourc": "x"}}, {"name": "b", "weak": {}}]}, "weak.source"),
        ({"members": [{"name": "a", "weak": {"source": "pooled"}}, {"name": "b", "weak": {}}]}, "pooled itself"),
        ({"member": []}, "did you mean 'members'"),
    ],
)
def test_members_that_are_none_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        SOURCES["pooled"].check(WeakSpec(source="pooled", settings=settings))
