"""Requests go out in files and answers come back in others, without a connection."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.asked import task, weak
from support.faulty import Fault, FaultyServer, Handler
from w2s.cli import main
from w2s.errors import InputError
from w2s.pipeline import stages
from w2s.servers.batch_files import read_responses
from w2s.store import Store
from w2s.tables import read_table


def words(data: str, tmp_path: Path, *more: str) -> list[str]:
    asks = ["--task.name=file", f"--task.data={data}", "--task.num_variations=3"]
    sizes = ["--task.weak_train=8", "--task.transfer=16", "--task.test=12", f"--store={tmp_path / 'store'}"]
    return ["label", *asks, *sizes, "--model.source=server", "--model.name=big", *more]


def test_a_prompt_that_a_filter_refused_is_a_refusal_and_not_asked_for_ever(tmp_path: Path) -> None:
    body = {"error": {"code": "content_filter", "message": "The prompt was filtered."}}
    other = {"error": {"code": "bad", "message": "no such model"}}
    lines = [{"custom_id": name, "response": {"status_code": 400, "body": said}} for name, said in
             (("a", body), ("b", other))]  # fmt: skip
    (tmp_path / "back.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = read_responses(tmp_path / "back.jsonl")
    assert found.replies["a"].finish == "refusal" and found.replies["a"].text == "The prompt was filtered."
    assert "b" not in found.replies and found.problems["failed with status 400"] == 1


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
