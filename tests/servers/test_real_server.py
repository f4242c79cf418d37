"""llama.cpp's own server, with a small model of real weights behind it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from w2s.config import ModelSpec, TaskSpec, WeakSpec
from w2s.models.source import resolve
from w2s.pipeline import stages
from w2s.store import Store

SERVES = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.n_parallel = sys.argv[1], 2048, 2
params.cpuparams.n_threads = 1
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()  # until whoever started this is gone
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    model = resolve(ModelSpec(name="smollm2-135m"))
    command = [sys.executable, "-c", SERVES, str(model.gguf[0])]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        try:
            yield process.stdout.readline().strip() + "/v1"
        finally:
            process.stdin.close()
            process.kill()


def letters(weak: WeakSpec | ModelSpec, store: Store) -> list[dict[str, Any]]:
    task = TaskSpec(name="geography", weak_train=0, transfer=40, test=0, num_variations=1, answer_format="letter")
    rows: list[dict[str, Any]] = stages.label(task, weak, store=store).to_pylist()
    return rows


def test_a_model_behind_a_server_chooses_as_the_same_model_does_here(url: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    there = letters(WeakSpec(source="server", url=url, name="smollm2", settings={"api": "completion"}), store)
    here = letters(ModelSpec(name="smollm2-135m", dtype="float32"), store)
    assert [row["question_id"] for row in there] == [row["question_id"] for row in here]
    same = [one["answer"] == other["answer"] for one, other in zip(there, here, strict=True)]
    assert sum(same) >= 36  # 40 where this was written


def test_a_chat_of_a_small_model_is_read_as_far_as_it_can_be(url: str, tmp_path: Path) -> None:
    rows = letters(WeakSpec(source="server", url=url, name="smollm2"), Store(tmp_path))
    read = [row for row in rows if row["answer"] is not None]
    assert len(rows) == 40 and len(read) >= 25
    assert all(row["choice_logprobs"] is not None for row in read) and len({row["answer"] for row in read}) > 10
