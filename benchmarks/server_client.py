"""Answers a second through the client, every reply on disk, beside asking one request at a time.

A server on loopback answers after 50 ms. With `--slots` requests under way, compared in one run with the same requests
sent one after the other by a plain HTTP client that keeps nothing. Memory is that of the client's process, at ten
points on the way.

    python benchmarks/server_client.py [--answers 1000000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path

import httpx2
import psutil
from common import device_name, run_script

from w2s.servers.answered import Answered
from w2s.servers.client import Client, Limits
from w2s.servers.requests import PATHS, Request, RequestTemplate

SECONDS = 0.05
TOPS = [{"token": letter, "logprob": -0.5 - number} for number, letter in enumerate("ABCD")]
BODY = json.dumps(
    {
        "model": "m",
        "choices": [
            {
                "message": {"content": "A"},
                "finish_reason": "stop",
                "logprobs": {"content": [{"token": "A", "logprob": -0.5, "top_logprobs": TOPS}]},
            }
        ],
        "usage": {"prompt_tokens": 50, "completion_tokens": 1},
    }
).encode()
REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)


def serve(port: Connection) -> None:
    """Answer every request alike, on a free port that is told."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:  # the client has gone
                break
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
            await asyncio.sleep(SECONDS)
            writer.write(REPLY)

    async def run() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def asked(url: str, count: int) -> Iterator[Request]:
    """Requests, each made when it is wanted."""
    asking = RequestTemplate(service=url, model="m", api="chat", letters=True, temperature=0.0, max_new_tokens=1)
    return (asking.request(f"Question {number}?\nA. a\nB. b\nC. c\nD. d\nAnswer:") for number in range(count))


def one_at_a_time(url: str, count: int) -> float:
    """Answers a second of a plain client."""
    started = time.perf_counter()
    with httpx2.Client() as http:
        for request in asked(url, count):
            http.post(url + PATHS[request.api], json=dict(request.body)).raise_for_status()
    return count / (time.perf_counter() - started)


def through_the_client(url: str, count: int, slots: int) -> float:
    """Answers a second, every reply on disk; tells the memory on the way."""
    process, points = psutil.Process(), [count * tenth // 10 for tenth in range(10, 0, -1)]

    def progress(done: int, total: int, unit: str) -> None:
        if points and done >= points[-1]:
            points.pop()
            now = process.memory_info().rss / 2**20
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
            seconds = time.perf_counter() - started
            print(f"{done:>9,} {unit}  {done / seconds:5.0f} a second  {now:.0f} MiB, at most {peak:.0f}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        answered = Answered(Path(folder))
        started = time.perf_counter()
        Client(url, None, Limits(concurrency=slots), answered).ask(asked(url, count), total=count, progress=progress)
        seconds = time.perf_counter() - started
        kept = sum(request.key in answered for request in islice(asked(url, count), 0, None, 1000))
        assert kept == -(-count // 1000), f"{kept} of each thousandth of {count} answers are on disk"
        answered.close()
    return count / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=10_000)
    parser.add_argument("--slots", type=int, default=100)
    parser.add_argument("--one-at-a-time", type=int, default=200, help="requests of the comparison")
    given = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}/v1"
    print(device_name())

    alone = one_at_a_time(url, given.one_at_a_time)
    together = through_the_client(url, given.answers, given.slots)
    print(f"{given.slots} slots, all on disk: {together:.0f} answers/s")
    print(f"one at a time, kept nowhere: {alone:.1f} answers/s; ratio {together / alone:.1f}")


if __name__ == "__main__":
    run_script(main)
