"""`transformers serve` with a tiny random model behind it, whose texts are no answers."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from w2s.config import TaskSpec, WeakSpec
from w2s.errors import InputError
from w2s.pipeline import stages
from w2s.store import Store


@pytest.fixture(scope="module")
def url(tiny_llama: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("transformers")
    command = [program, "serve", tiny_llama, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as served:
        try:
            deadline = time.monotonic() + 120
            while not _is_up(port):
                assert served.poll() is None and time.monotonic() < deadline, "the server did not begin"
                time.sleep(0.3)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            served.kill()


def _is_up(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


@pytest.mark.parametrize("api", ["chat", "completion"])
def test_every_prompt_gets_a_reply_which_is_kept_though_none_is_an_answer(
    api: str, url: str, tiny_llama: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = TaskSpec(name="geography", weak_train=0, transfer=4, test=0, num_variations=2)
    weak = WeakSpec(source="server", url=url, name=str(tiny_llama), settings={"api": api})
    store = Store(tmp_path)
    with caplog.at_level("INFO", logger="w2s"), pytest.raises(InputError, match="none of 8 replies of"):
        stages.label(task, weak, store=store)
    assert "8 replies" in caplog.text
    # Nothing is asked twice.
    caplog.clear()
    with caplog.at_level("INFO", logger="w2s"), pytest.raises(InputError, match="none of 8 replies of"):
        stages.label(task, weak, store=store)
    assert "8 requests to" not in caplog.text
