"""--max-requests and --max-cost: of all that a command asks of servers, said before and counted after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.commands import refused
from support.experiments import in_splits, questions, write_rows
from support.faulty import FaultyServer, serving
from w2s.cli import main

pytestmark = pytest.mark.usefixtures("no_page")


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with serving(FaultyServer()) as state:
        yield state


@pytest.fixture
def asks(here: Path, server: FaultyServer) -> list[str]:
    """48 requests of about 40 tokens each."""
    data = write_rows(here / "questions.jsonl", in_splits(questions()))
    sizes = ["--task.weak_train=8", "--task.transfer=16", "--task.test=12", "--task.num_variations=3"]
    who = ["--model.source=server", "--model.name=big", f"--model.url={server.url}"]
    return ["label", "--task.name=file", f"--task.data={data}", *sizes, *who, "--store=store"]


def test_what_goes_beyond_is_refused_before_anything_is_asked(
    asks: list[str], server: FaultyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = ["--model.settings.price_in=1e4", "--model.settings.price_out=1e4"]
    said = refused([*asks, "--max-requests=47"], capsys)
    assert said == f"48 requests to 'big' at {server.url}, max_requests is 47: nothing was asked"
    assert "max_cost is 10: nothing was asked" in refused([*asks, *prices, "--max-cost=10"], capsys)
    assert "max_cost says nothing without price_in" in refused([*asks, "--max-cost=10"], capsys)
    assert server.requests == 0
    main([*asks, *prices, "--max-requests=48", "--max-cost=100"])
    told = capsys.readouterr().err
    before, after = (line for line in " ".join(told.split()).replace("48 replies", "\n48 replies").splitlines())
    assert "48 requests to 'big'" in before and "tokens in and 480 out at most" in before
    counted = sum(len(prompt) // 4 for prompt in server.asked), 48  # as the server counts its prompts and answers
    assert f"48 replies, {counted[0]} tokens in and 48 out: {sum(counted) / 100:.2f}" in after


def test_answers_that_are_there_do_not_count(asks: list[str], server: FaultyServer) -> None:
    main([*asks, "--task.num_variations=2", "--max-requests=32"])
    main([*asks, "--max-requests=16"])
    assert server.requests == 48 and set(server.asked.values()) == {1}


@pytest.mark.parametrize("jobs", [1, 2])
def test_they_are_of_a_run_and_not_of_each_of_its_steps(
    config: Path, here: Path, server: FaultyServer, capsys: pytest.CaptureFixture[str], jobs: int
) -> None:
    one = {"source": "server", "name": "one", "url": server.url}
    members = json.dumps([{"name": name, "weak": {**one, "name": name}} for name in ("one", "two")])
    words = ["run", f"--config={config}", "--weak.source=pooled", f"--weak.settings={{members: {members}}}"]
    words += ["--methods=naive", f"--store={here / 'store'}", f"--jobs={jobs}", f"--out={here / 'run'}"]
    with pytest.raises(SystemExit, match="2"):  # 48 and 12 of each
        main([*words, "--max-requests=100"])
    assert "max_requests is 100: nothing was asked" in " ".join(capsys.readouterr().err.split())
    # The other process is ended in the middle of its requests.
    assert (48 if jobs == 1 else 1) <= server.requests <= 100


def test_they_are_of_all_splits_of_a_paraphrasing(
    asks: list[str], server: FaultyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer = lambda prompt: "no rewording of it"
    words = ["paraphrase", *asks[1:], "--task.near_duplicates=keep", "--split=all", "--count=1", "--attempts=1"]
    with pytest.raises(SystemExit, match="2"):
        main([*words, "--max-requests=30"])
    assert "12 requests to 'big'" in (told := " ".join(capsys.readouterr().err.split()))
    assert "after 24, max_requests is 30: nothing was asked" in told and server.requests == 24


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--max-cost=1"], "--max-cost limits what servers are asked, and no source here is a server"),
        (["label", "--max-requests=1"], "--max-requests limits what servers are asked, and no source here is a server"),
        (["label", "--model.source=server", "--max-cost=0"], "--max-cost is 0.0: expected more than 0"),
        (["paraphrase", "--model.source=server", "--max-requests=-1"], "--max-requests is -1: expected more than 0"),
        (
            ["label", "--model.source=server", "--max-cost=1", "--requests-out=r.jsonl"],
            "--max-cost limits what servers are asked, and --requests-out asks nothing: expected one of them",
        ),
        (["run", "--max-cost=1", "--weak.source=pooled"], "--max-cost limits what servers are asked"),
    ],
)
def test_a_limit_of_nothing_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said in refused(words, capsys)
