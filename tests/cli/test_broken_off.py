"""A command that is broken off, and one in a folder that is gone; results that come from elsewhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.commands import Say, refused
from w2s.cli import main
from w2s.folders.layout import RunFolder
from w2s.training.watch import Watch


@pytest.mark.usefixtures("no_page")
def test_an_interrupt_in_a_training_is_one_line_and_the_same_command_goes_on(
    say: Say, config: Path, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["run", f"--config={config}", "--store=store", "--out=run", "--methods=[naive]"]
    whole = say(*words, "--store=other", "--out=whole")
    capsys.readouterr()
    usual, seen = Watch.on_step_end, list[int]()

    def interrupts(self: Watch, *given: object, **more: object) -> object:
        seen.append(1)
        if len(seen) == 3:  # the weak supervisor takes one step
            signal.raise_signal(signal.SIGINT)
        return usual(self, *given, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Watch, "on_step_end", interrupts)
        with pytest.raises(SystemExit) as ended:
            main(words)
    out, err = capsys.readouterr()
    assert ended.value.code == 130 and out == "" and len(seen) == 3
    assert [line for line in err.splitlines() if line.startswith("w2s: ")] == [
        "w2s: interrupted; what is finished is kept, and the same command goes on from there"
    ]
    assert "Traceback" not in err and not (here / "run" / RunFolder(Path()).results).exists()
    table = say(*words)
    assert "weak supervisor: training" not in capsys.readouterr().err
    assert table.split("\n\n")[0] == whole.split("\n\n")[0]


@pytest.mark.usefixtures("no_page")
def test_results_of_another_environment_are_said_to_be(
    say: Say, config: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", f"--config={config}", "--store=store", "--out=run", "--methods=[zero-shot]"]
    say(*words)
    main(words)
    assert "reused" not in capsys.readouterr().err
    changed = 0
    for path in here.glob("store/*/*/manifest.json"):
        manifest = json.loads(path.read_text())
        if manifest["kind"] == "predictions":
            manifest["environment"]["torch"] = "1.0"
            path.write_text(json.dumps(manifest))
            changed += 1
    assert changed
    main(words)
    assert f"    {changed} results are reused that were computed with torch 1.0\n" in capsys.readouterr().err


def test_a_reader_who_takes_one_line_leaves_no_traceback() -> None:
    command = [sys.executable, "-m", "w2s", "methods"]
    env = os.environ | {"PYTHONUNBUFFERED": "1"}  # every line goes to the pipe when it is printed
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait() == 0


@pytest.mark.parametrize(
    "words",
    [
        ["score", "a.csv"],
        ["select", "a.csv", "--method=naive", "--out=b.csv"],
        ["run", "--plugin=a.py"],
        ["run", "--config=a.yaml"],
        ["report", "run"],
        ["label", "--gold", "--task.name=file", "--task.data=a.csv"],
        ["train", "a.csv", "--out=b"],
    ],
)
def test_a_folder_that_is_gone_is_one_line(
    words: list[str], here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "gone").mkdir()
    monkeypatch.chdir(here / "gone")
    (here / "gone").rmdir()
    refused(words, capsys)


def test_a_run_in_a_folder_that_is_gone_says_so(
    small: list[str], here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "gone").mkdir()
    monkeypatch.chdir(here / "gone")
    (here / "gone").rmdir()
    said = refused([*small, "--store=store"], capsys)
    assert said == "the working folder was removed: go to one that is there"
