"""Answers a second through the client, every reply on disk, beside asking one request at a time.

A server on loopback answers after 50 ms. With `--slots` requests under way, compared in one run with the same requests
sent one after the other by a plain HTTP client that keeps nothing. Memory is that of the client's process.

    python benchmarks/server_client.py
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import httpx2
import psutil
from common import device_name, run_script

from w2s.servers.answered import Answered
from w2s.servers.client import Client, Limits
from w2s.servers.requests import PATHS, Asking

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=10_000)
    parser.add_argument("--slots", type=int, default=100)
    parser.add_argument("--one-at-a-time", type=int, default=200, help="requests of the comparison")
    given = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}/v1"
    print(device_name())

    asking = Asking(service=url, model="m", api="chat", letters=True, temperature=0.0, max_new_tokens=1)
    requests = [
        asking.request(f"Question {number}?\nA. a\nB. b\nC. c\nD. d\nAnswer:") for number in range(given.answers)
    ]
    started = time.perf_counter()
    with httpx2.Client() as http:
        for request in requests[: given.one_at_a_time]:
            http.post(url + PATHS[request.api], json=dict(request.body)).raise_for_status()
    alone = given.one_at_a_time / (time.perf_counter() - started)

    process = psutil.Process()
    with tempfile.TemporaryDirectory() as folder:
        answered = Answered(Path(folder))
        client = Client(url, None, Limits(concurrency=given.slots), answered)
        memory, rates = [], []
        for part in (requests[: given.answers // 10], requests[given.answers // 10 :]):
            started = time.perf_counter()
            client.ask(iter(part), total=len(part))
            rates.append(len(part) / (time.perf_counter() - started))
            memory.append(process.memory_info().rss / 2**20)
        answered.close()
    print(f"{given.slots} slots, all on disk: {rates[1]:.0f} answers/s")
    print(f"one at a time, kept nowhere: {alone:.1f} answers/s; ratio {rates[1] / alone:.1f}")
    print(f"memory after {given.answers // 10} answers {memory[0]:.0f} MiB, after {given.answers} {memory[1]:.0f} MiB")


if __name__ == "__main__":
    run_script(main)
