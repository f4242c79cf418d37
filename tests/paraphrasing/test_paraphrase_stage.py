"""Rewordings by a tiny model and by a server with faults, through the store: killed, resumed, and reused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.experiments import write_rows
from support.faulty import FaultyServer, Handler, serving
from w2s.config import ParaphraseSpec, TaskSpec, WeakSpec
from w2s.errors import InputError
from w2s.paraphrasing.checks import Original, normalized
from w2s.paraphrasing.prompt import VERSION
from w2s.pipeline.paraphrase_stage import paraphrase, plan_paraphrases
from w2s.store import Store

QUESTIONS = [f"Which of the {what} is a river?" for what in ("first", "long", "wide", "old", "great", "small")]


@pytest.fixture
def data(tmp_path: Path) -> str:
    rows = [{"id": f"q{n}", "question": text, "choices": ["Nile", "Etna"], "answer": "Nile", "split": "transfer"}
            for n, text in enumerate(QUESTIONS)]  # fmt: skip
    return write_rows(tmp_path / "questions.jsonl", rows)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with serving(FaultyServer(answer=says)) as state:
        yield state


def says(prompt: str) -> str:
    """A rewording that differs by what is asked for."""
    text = prompt.rsplit("Question: ", 1)[1].splitlines()[0]
    return (
        f"Please say it: {text.lower()} {'Thanks' if 'formally' in prompt else 'Do tell' if 'friend' in prompt else ''}"
    )


def task(data: str, transfer: int = 6) -> TaskSpec:
    return TaskSpec(name="file", data=data, weak_train=0, transfer=transfer, test=0)


def by(server: FaultyServer, **fields: Any) -> ParaphraseSpec:
    model = WeakSpec(source="server", url=server.url, name="big", **fields.pop("model", {}))
    return ParaphraseSpec(**{"count": 2, "model": model, "longest": 3.0, **fields})


def tiny(folder: Path, **fields: Any) -> ParaphraseSpec:
    model = WeakSpec(source="prompted", name=str(folder), dtype="float32")
    loose = {"count": 2, "attempts": 4, "shortest": 0.0, "longest": 99.0, "max_new_tokens": 24}
    return ParaphraseSpec(**{**loose, "model": model, **fields})


# A local model


def test_a_tiny_model_rewords_and_what_comes_out_has_passed_every_check(
    data: str, store: Store, tiny_llama: Path
) -> None:
    spec = tiny(tiny_llama)
    told: list[tuple[int, int]] = []
    found = paraphrase(
        task(data), spec, store=store, progress=lambda done, total, unit, tokens=0: told.append((done, total))
    )
    assert set(found.paraphrases) == set(QUESTIONS)
    report = found.report
    assert report.questions == 6 and report.good == sum(map(len, found.paraphrases.values())) > 0
    assert report.texts == report.good + sum(report.faults.values()) == told[-1][0] == told[-1][1]
    assert report.faults["cut off"] > 0 and report.none == sum(not texts for texts in found.paraphrases.values())
    for question, texts in found.paraphrases.items():
        original = Original(text=question, options=("Nile", "Etna"), shortest=0, longest=99)
        for number, text in enumerate(texts):
            assert original.fault(text, {normalized(one) for one in texts[:number]}) is None
    assert paraphrase(task(data), spec, store=store) == found


def test_a_batch_that_was_killed_loses_itself_alone_and_the_texts_are_the_same(
    data: str, store: Store, tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from w2s.paraphrasing import local

    spec = tiny(tiny_llama)
    whole = paraphrase(task(data), spec, store=Store(tmp_path / "other"))
    monkeypatch.setattr(local, "default_budget", lambda device: 300)  # a few texts a batch
    usual, asked = local.generate_texts, list[int]()

    def dies(lm: Any, prompts: list[str], **more: Any) -> Any:
        asked.append(len(prompts))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return usual(lm, prompts, **more)

    monkeypatch.setattr(local, "generate_texts", dies)
    with pytest.raises(KeyboardInterrupt):
        paraphrase(task(data), spec, store=store)
    kept = sum(asked[:2])
    assert len(asked) == 3 and plan_paraphrases(task(data), spec, store=store).first == 12 - kept > 0
    assert paraphrase(task(data), spec, store=store) == whole
    assert sum(asked) - asked[2] == whole.report.texts


def test_another_run_with_more_questions_asks_only_the_new_ones(
    data: str, store: Store, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from w2s.paraphrasing import local

    few = paraphrase(task(data, 4), tiny(tiny_llama), store=store)
    usual, asked = local.generate_texts, set[str]()

    def counted(lm: Any, prompts: list[str], **more: Any) -> Any:
        asked.update(prompt.rsplit("Question: ", 1)[1].splitlines()[0] for prompt in prompts)
        return usual(lm, prompts, **more)

    monkeypatch.setattr(local, "generate_texts", counted)
    all_of_them = paraphrase(task(data, 6), tiny(tiny_llama), store=store)
    assert asked == set(QUESTIONS) - set(few.paraphrases) != set()
    assert {text: all_of_them.paraphrases[text] for text in few.paraphrases} == few.paraphrases


# A server


def test_a_server_is_asked_for_what_is_missing_and_each_text_once(
    data: str, store: Store, server: FaultyServer
) -> None:
    found = paraphrase(task(data), by(server), store=store)
    assert found.report.complete == 6 and found.report.faults == {} and server.requests == 12
    assert all(len(texts) == 2 and texts[0].startswith("Please say it") for texts in found.paraphrases.values())
    assert {body["temperature"] for body in server.bodies} == {0.7}
    paraphrase(task(data), by(server, count=3), store=store)
    assert server.requests == 18


def test_refused_cut_off_and_answering_texts_are_counted_and_asked_for_again(
    data: str, store: Store, server: FaultyServer
) -> None:
    def refuses(handler: Handler, body: dict[str, Any]) -> bool:
        handler.reply(400, {"error": {"message": "content_filter"}})
        return True

    def fails(handler: Handler, body: dict[str, Any]) -> bool:
        handler.reply(500, {"error": {"message": "try again"}})
        return True

    server.faults = [fails, refuses, None, fails]
    server.answer = lambda prompt: says(prompt) + (" Is it the Nile" if "first" in prompt else "")
    spec = by(server, model={"settings": {"concurrency": 1}})
    found = paraphrase(task(data), spec, store=store)
    assert found.paraphrases[QUESTIONS[0]] == [] and found.report.none == 1 and found.report.complete >= 4
    assert found.report.faults["an option named"] >= 5 and found.report.faults["refused"] == 1
    server.finish = "length"
    assert paraphrase(task(data), replace(spec, seed=1), store=store).report.faults == {"cut off": 36}


def test_the_limits_hold_for_all_rounds_together(data: str, store: Store, server: FaultyServer) -> None:
    server.answer = lambda prompt: "What?"
    spec = by(server, model={"settings": {"max_requests": 30}})
    with pytest.raises(InputError, match=r"12 requests to 'big' at .* after 24, max_requests is 30: nothing was asked"):
        paraphrase(task(data), spec, store=store)
    assert server.requests == 24
    priced = {"price_in": 1e4, "price_out": 0.0, "concurrency": 1}  # about 1 a request
    with pytest.raises(InputError, match=r"after others for \d+\.\d\d, .* max_cost is 25: nothing was asked"):
        paraphrase(task(data), by(server, seed=1, model={"settings": {**priced, "max_cost": 25.0}}), store=store)


def test_a_killed_command_goes_on_and_asks_nothing_twice(data: str, tmp_path: Path, server: FaultyServer) -> None:
    server.seconds = 0.15
    command = [
        *(sys.executable, "-m", "w2s", "paraphrase", "--task.name=file", f"--task.data={data}", "--task.weak_train=0"),
        *("--task.transfer=6", "--task.test=0", "--count=2", "--longest=3", "--model.source=server"),
        *(f"--model.url={server.url}", "--model.name=big", "--model.settings={concurrency: 2}", "--out=p.jsonl"),
    ]
    env = os.environ | {"W2S_HOME": str(tmp_path / "home")}
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(3000):
        if sum(server.asked.values()) >= 3 or process.poll() is not None:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "p.jsonl").exists() and 3 <= sum(server.asked.values()) < 12
    server.seconds = 0.0
    again = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert "6 of 6 questions have 2 rewordings\n12 of 12 texts are good\n" in again.stdout
    rows = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [len(row["paraphrases"]) for row in rows] == [2] * 6
    assert {row["by"] for row in rows} == {f"big, prompt {VERSION}"}
    assert 12 <= server.requests <= 12 + 2  # what was in flight
    assert not list(tmp_path.glob(".*tmp*"))


def test_what_cannot_be_asked_is_refused_before_anything_is(data: str, store: Store, server: FaultyServer) -> None:
    for spec, said in (
        (by(server, count=0), "count is 0: expected 1 or more"),
        (replace(by(server), model=WeakSpec(source="simulated")), "source simulated rewords nothing"),
        (replace(by(server), model=WeakSpec(source="server", name="big")), r"source server needs weak\.url"),
        (by(server, model={"examples": 2}), "examples is 2"),
        (by(server, model={"settings": {"max_requests": 5}}), "max_requests is 5: nothing was asked"),
    ):
        with pytest.raises(InputError, match=said):
            paraphrase(task(data), spec, store=store)
    with pytest.raises(InputError, match=r"unknown split 'transfr': .*did you mean 'transfer'"):
        paraphrase(task(data), by(server), split="transfr", store=store)
    with pytest.raises(InputError, match=r"test has no questions: expected more than 0 in task\.test"):
        paraphrase(task(data), by(server), split="test", store=store)
    for field in ({"sampling_temperature": 0.0}, {"shortest": 2.0}, {"longest": 0.5}, {"attempts": 0}, {"count": -1}):
        with pytest.raises(InputError, match="expected"):
            by(server, **field)
    assert server.requests == 0
