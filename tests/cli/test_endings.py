"""How the command ends: an interrupt, a reader who goes away, a terminal that knows ASCII alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.experiments import write_rows
from w2s.cli import main
from w2s.running import Result
from w2s.tables import read_table


@pytest.mark.usefixtures("no_page")
def test_an_interrupt_is_one_line_and_status_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("w2s.running.run", interrupted)
    with pytest.raises(SystemExit) as ended:
        main(["run", "--config", str(config), "--out", str(tmp_path / "run")])
    assert ended.value.code == 130
    assert capsys.readouterr().err.splitlines() == [
        "w2s: interrupted; what is finished is kept, and the same command goes on from there"
    ]


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["methods"]])
def test_a_reader_who_goes_away_leaves_no_traceback(words: list[str]) -> None:
    command = [sys.executable, "-m", "w2s", *words]
    # Buffered, as for most users: what is printed then reaches the pipe at the very end.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 0


def test_the_module_runs_as_the_command_does() -> None:
    command = [sys.executable, "-m", "w2s", "rnu"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 2 and ended.stdout == ""
    assert ended.stderr.startswith("w2s: unknown command 'rnu'") and ended.stderr.count("\n") == 1


# A terminal that knows ASCII alone


def ended_in_ascii(*words: object, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """The command where nothing but ASCII can be printed, and Python does not help itself to UTF-8."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHONIO"))}
    env |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "w2s", *map(str, words)]
    return subprocess.run(command, capture_output=True, env=env, cwd=folder)


def test_what_an_ascii_terminal_cannot_show_is_shown_as_its_number(tmp_path: Path) -> None:
    ended = ended_in_ascii("tasks", "geography", folder=tmp_path)
    assert ended.returncode == 0 and ended.stderr == b""
    assert b"\\u2500\\u2500 template letter" in ended.stdout and ended.stdout.isascii()


def test_a_fault_is_one_line_of_ascii(tmp_path: Path) -> None:
    rows = "question_id,variation,answer\nq,0,Zürich\nq,0,Genève\n"
    (tmp_path / "a.csv").write_text(rows, encoding="utf-8")
    (tmp_path / "b.csv").write_text("question_id,variation,réponse\nq,0,a\n", encoding="utf-8")
    for name, said in (("a.csv", b"question_id 'q'"), ("b.csv", b"r\\xe9ponse")):
        ended = ended_in_ascii("score", name, folder=tmp_path)
        assert ended.returncode == 2 and ended.stdout == b""
        assert ended.stderr.isascii() and ended.stderr.count(b"\n") == 1 and said in ended.stderr


def test_files_are_utf8_whatever_the_terminal_knows(tmp_path: Path) -> None:
    cities = ["Zürich", "Zürich", "京都"]
    rows = "".join(f"q,{number},{city}\n" for number, city in enumerate(cities))
    (tmp_path / "a.csv").write_text(f"question_id,variation,answer\n{rows}", encoding="utf-8")
    for form in ("csv", "jsonl", "parquet"):
        ended = ended_in_ascii("score", "a.csv", f"--out=b.{form}", folder=tmp_path)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.isascii() and f"b.{form}".encode() in ended.stdout
        assert read_table(tmp_path / f"b.{form}")["answer"].to_pylist() == cities


def test_a_run_goes_through_on_an_ascii_terminal(tmp_path: Path, config: Path) -> None:
    settings = json.loads(config.read_text())
    rows = [json.loads(line) for line in Path(settings["task"]["data"]).read_text().splitlines()]
    data = write_rows(tmp_path / "questions.jsonl", [{**row, "question": f"{row['question']} è?"} for row in rows])
    words = ["run", "--config", config, f"--task.data={data}", "--methods=[naive]", f"--store={tmp_path / 'store'}"]
    ended = ended_in_ascii(*words, "--out", "run", folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.isascii() and ended.stderr.isascii() and b"naive" in ended.stdout
    assert "·" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    result = Result.load(tmp_path / "run")
    assert [record.method for record in result.records][-1] == "naive"
