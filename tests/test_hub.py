"""The hub's own clients against a hub on this machine: found, refused in one line, cut off and gone on with."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from support.hub import TOKEN, HubServer, Repository, dataset, model, serve
from support.hub_data import ROWS, paper_data_sets
from w2s.tables import read_table

# One process for many commands: the clients take seconds to import. It does not wait before it tries again, and keeps
# what it got of a file in pieces of 100 bytes, not of 10 MB.
COMMANDS = """
import contextlib, io, json, os, sys, types
import huggingface_hub.file_download as downloads
downloads.constants.DOWNLOAD_CHUNK_SIZE = 100
downloads.time = types.SimpleNamespace(**{**vars(downloads.time), "sleep": lambda seconds: None})
from w2s.cli import main
for line in sys.stdin:
    words, variables = json.loads(line)
    os.environ.pop("HF_TOKEN", None)
    os.environ.update(variables)
    status, out, err = 0, io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(words)
        except SystemExit as ended:
            status = ended.code or 0
    print(json.dumps([status, out.getvalue(), err.getvalue()]), file=sys.__stdout__, flush=True)
"""
SIZES = ["--task.weak_train", "2", "--task.transfer", "4", "--task.test", "4"]


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def refusal(self) -> str:
        """The one line of what it refuses; the clients may have warned before it."""
        assert self.status == 2 and "Traceback" not in self.err, self
        last = self.err.splitlines()[-1]
        assert last.startswith("w2s: ") and self.err.count("w2s: ") == 1, self.err
        return last.removeprefix("w2s: ")


Command = Callable[..., Ended]


@pytest.fixture(scope="module")
def repositories(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Repository]:
    other = shutil.copytree(tiny_llama, tmp_path_factory.mktemp("models") / "other")
    (other / "model.safetensors").rename(other / "pytorch_model.bin")
    public = [model(f"somebody/{name}", tiny_llama) for name in ("tiny", "cut", "broken", "kept")]
    closed = [model("somebody/secret", tiny_llama, "private"), model("somebody/gate", tiny_llama, "gated")]
    data = paper_data_sets()
    copies = [
        replace(data[0], name="somebody/secret", access="private"),
        replace(data[0], name="somebody/gate", access="gated"),
        *(replace(data[0], name=f"somebody/{name}") for name in ("cut", "kept")),
        dataset("somebody/other-splits", {"test.csv": b"ctx\nA painter mixes\n"}),
    ]
    return [*public, *closed, model("somebody/pickled", other), *data, *copies]


@pytest.fixture(scope="module")
def hub(repositories: list[Repository]) -> Iterator[HubServer]:
    with serve(*repositories) as server:
        yield server


@pytest.fixture(scope="module")
def command(hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """Runs a command, with variables of the environment, in a process that knows this hub alone."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMMANDS],
        env={**os.environ, **hub.environment(tmp_path_factory.mktemp("hf-home"))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def run(*words: str, **variables: str) -> Ended:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps([words, variables]) + "\n")
        process.stdin.flush()
        return Ended(*json.loads(process.stdout.readline()))

    with process:
        yield run
        process.kill()


def asking(name: str, out: Path, *more: str) -> list[str]:
    """A command that has a model answer some questions."""
    words = ["label", "--task.name", "geography", *SIZES, "--task.num_variations", "2", "--model.dtype", "float32"]
    return [*words, "--model.name", name, "--out", str(out), *more]


def stories(name: str, out: Path) -> list[str]:
    """A command that reads HellaSwag's questions from a place on the hub."""
    return ["label", "--gold", *SIZES, "--task.name", "hellaswag", "--task.data", name, "--out", str(out)]


def test_a_model_of_the_hub_answers_as_the_same_folder_does(command: Command, tmp_path: Path, tiny_llama: Path) -> None:
    for name, out in (("somebody/tiny", tmp_path / "hub.parquet"), (str(tiny_llama), tmp_path / "folder.parquet")):
        assert command(*asking(name, out)).status == 0
    columns = ["question_id", "variation", "answer", "choice_logprobs"]
    hub, folder = (read_table(tmp_path / f"{name}.parquet").select(columns) for name in ("hub", "folder"))
    assert hub.equals(folder) and hub.num_rows == 8


@pytest.mark.parametrize(
    ("task", "learned", "tested"),
    [
        ("hellaswag", {"train"}, {"validation"}),
        ("gsm8k", {"train"}, {"test"}),
        ("ethics", {"train"}, {"cm_test"}),
        ("mmlu", {"test", "validation", "dev"}, {"test", "validation", "dev"}),
    ],
)
def test_a_benchmark_of_the_hub_is_read_from_its_own_splits(
    command: Command, tmp_path: Path, task: str, learned: set[str], tested: set[str]
) -> None:
    words = ["label", "--gold", "--task.name", task, "--task.weak_train", "2", "--task.num_variations", "2"]
    words += ["--task.transfer", "6", "--task.test", str(ROWS)]
    for split, expected, count in (("transfer", learned, 6), ("test", tested, ROWS)):
        out = tmp_path / f"{split}.parquet"
        ended = command(*words, "--split", split, "--out", str(out))
        assert ended.status == 0, ended.err
        prompts = read_table(out)["prompt"].to_pylist()
        read = [name for prompt in prompts for name in re.findall(r"\[(\w+) \d+\]", prompt)]
        assert len(read) == len(prompts) == count and set(read) <= expected


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("somebody/nothing", "model 'somebody/nothing': the hub knows none of this name, or it is private"),
        ("somebody/secret", "model 'somebody/secret': the hub knows none of this name, or it is private"),
        ("somebody/gate", "model 'somebody/gate' is gated: ask for access at {address}/somebody/gate"),
        ("somebody/pickled", "model 'somebody/pickled' has no *.safetensors on the hub"),
    ],
)
def test_a_model_that_cannot_be_had_is_one_line_before_any_file_is_asked_for(
    command: Command, hub: HubServer, tmp_path: Path, name: str, said: str
) -> None:
    hub.asked.clear()
    assert command(*asking(name, tmp_path / "out.parquet")).refusal.startswith(said.format(address=hub.address))
    assert not hub.downloads("config.json") and not (tmp_path / "out.parquet").exists()


def test_a_revision_that_is_not_there_is_named(command: Command, tmp_path: Path) -> None:
    words = asking("somebody/tiny", tmp_path / "out.parquet", "--model.revision", "v9")
    assert command(*words).refusal.startswith("model 'somebody/tiny' has no revision 'v9' on the hub")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("somebody/nothing", "data set 'somebody/nothing': the hub knows none of this name, or it is private"),
        ("somebody/secret", "data set 'somebody/secret': the hub knows none of this name, or it is private"),
        ("somebody/gate", "data set 'somebody/gate' is gated: ask for access at {address}/datasets/somebody/gate"),
        ("somebody/other-splits", "'somebody/other-splits' has the splits test: expected train or validation"),
    ],
)
def test_a_data_set_that_cannot_be_had_is_one_line(
    command: Command, hub: HubServer, tmp_path: Path, name: str, said: str
) -> None:
    assert command(*stories(name, tmp_path / "out.parquet")).refusal.startswith(said.format(address=hub.address))


def test_a_token_opens_what_is_private_or_gated(command: Command, tmp_path: Path) -> None:
    for name in ("somebody/secret", "somebody/gate"):
        assert command(*asking(name, tmp_path / "answers.parquet"), HF_TOKEN=TOKEN).status == 0
        assert command(*stories(name, tmp_path / "gold.parquet"), HF_TOKEN=TOKEN).status == 0
    assert (
        read_table(tmp_path / "answers.parquet").num_rows == 8 and read_table(tmp_path / "gold.parquet").num_rows == 4
    )


def test_a_token_that_is_nobodys_is_said(command: Command, tmp_path: Path) -> None:
    ended = command(*asking("somebody/tiny", tmp_path / "answers.parquet"), HF_TOKEN="hf_of-nobody")
    assert ended.refusal.startswith("model 'somebody/tiny': the hub does not know the token")


def test_a_download_that_is_cut_goes_on_where_it_ended(command: Command, hub: HubServer, tmp_path: Path) -> None:
    hub.asked.clear()
    hub.cut["model.safetensors"] = [1000, 500]
    hub.cut["data/train-00000-of-00001.parquet"] = [300]
    assert command(*asking("somebody/cut", tmp_path / "answers.parquet")).status == 0
    assert hub.downloads("model.safetensors") == [0, 1000, 1500]
    assert command(*stories("somebody/cut", tmp_path / "gold.parquet")).status == 0
    assert hub.downloads("data/train-00000-of-00001.parquet") == [0, 300]


def test_a_download_that_ends_for_good_is_one_line_and_the_next_command_has_it(
    command: Command, hub: HubServer, tmp_path: Path
) -> None:
    hub.cut["model.safetensors"] = [1000, *[0] * 9]
    refusal = command(*asking("somebody/broken", tmp_path / "answers.parquet")).refusal
    assert refusal.startswith("model 'somebody/broken' cannot be loaded")
    hub.cut.clear()
    assert command(*asking("somebody/broken", tmp_path / "answers.parquet")).status == 0


def test_without_a_network_what_was_downloaded_is_used_and_the_rest_is_one_line(
    command: Command, hub: HubServer, tmp_path: Path
) -> None:
    answers, gold = tmp_path / "answers.parquet", tmp_path / "gold.parquet"
    assert command(*asking("somebody/kept", answers)).status == command(*stories("somebody/kept", gold)).status == 0
    with hub.away():
        assert command(*asking("somebody/kept", tmp_path / "again.parquet", "--seed", "1")).status == 0
        assert command(*stories("somebody/kept", tmp_path / "gold-again.parquet")).status == 0
        refusal = command(*asking("somebody/never", tmp_path / "none.parquet")).refusal
        assert refusal.startswith("model 'somebody/never': the hub cannot be reached and it is not in the local cache")
        refusal = command(*stories("somebody/never", tmp_path / "none.parquet")).refusal
        assert refusal.startswith("cannot load 'somebody/never' from the hub (it cannot be reached")
    assert read_table(tmp_path / "gold-again.parquet").equals(read_table(gold))
