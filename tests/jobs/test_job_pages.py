"""Jobs A and B, and the pool: walked as docs/jobs tells them, every command and program, with models of no size."""

from __future__ import annotations

import importlib.util
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from support.commands import Say
from support.pages import DOCS, blocks_of
from w2s.running import Result
from w2s.tables import read_table

EXAMPLES = DOCS.parent / "examples" / "jobs"
NAMES = ("tickets", "batch", "pool")
Walk = Callable[[str], list[tuple[str, str]]]


@pytest.fixture
def walk(
    here: Path,
    say: Say,
    monkeypatch: pytest.MonkeyPatch,
    tiny_llama: Path,
    tiny_gemma: Path,
    capsys: pytest.CaptureFixture[str],
) -> Walk:
    """Does what a page says in a copy of its folder; each command or program with what it printed."""
    models = {"path/to/model": tiny_llama, "smollm2-135m": tiny_llama, "gemma3-270m": tiny_gemma}

    def with_tiny(text: str) -> str:
        for name, folder in models.items():
            text = text.replace(name, str(folder))
        return text

    def follow(name: str) -> list[tuple[str, str]]:
        shutil.copytree(EXAMPLES / name, here / name)
        monkeypatch.chdir(here / name)
        for file in Path.cwd().glob("*.yaml"):
            file.write_text(with_tiny(file.read_text()))
        told: list[tuple[str, str]] = []
        for block in blocks_of(f"jobs/{name}.md"):
            if block.kind == "command" and block.words[0] == "w2s":
                told.append((block.text, say(*map(with_tiny, block.words[1:]))))
            elif block.kind == "command" and block.words[0] == "python":
                done = subprocess.run([sys.executable, *block.words[1:]], capture_output=True, text=True, check=True)
                told.append((block.text, done.stdout))
            elif block.kind == "python" and ("trl" not in block.text or importlib.util.find_spec("trl")):
                Path("program.py").write_text(with_tiny(block.text))
                capsys.readouterr()
                runpy.run_path("program.py")
                told.append((block.text, capsys.readouterr().out))
            elif block.kind == "command":
                assert block.words == ["cd", f"examples/jobs/{name}"], f"nothing runs {block.text!r}"
            elif block.kind == "":
                shown = [line for line in block.text.splitlines() if line.strip("… ")]
                for part in (part.strip() for line in shown for part in line.split("…") if part.strip()):
                    assert any(part in output for _, output in told), f"no command before it prints {part!r}"
        return told

    return follow


@pytest.mark.slow
@pytest.mark.usefixtures("no_page")
@pytest.mark.parametrize("name", NAMES)
def test_a_reader_can_do_all_that_a_job_says(walk: Walk, name: str) -> None:
    told = walk(name)
    assert len([text for text, _ in told if text.startswith("w2s ")]) >= 3
    match name:
        case "tickets":
            kept = read_table("train.jsonl").to_pylist()
            assert len({row["question_id"] for row in kept}) == len(kept) == 147
            labelled = read_table("labelled.csv").to_pylist()
            assert {row["answer"] for row in labelled} <= {"billing", "shipping", "other"}
            assert len({row["question_id"] for row in labelled}) == 300
        case "batch":
            answers, kept = read_table("answers.parquet"), read_table("train.jsonl")
            assert answers.num_rows == 500 and 0 < answers["answer"].null_count < 20
            assert kept["answer"].null_count == 0 and read_table("after.csv").num_rows == 40
            assert "difference" in told[-1][1].lower()
        case "pool":
            (found,) = Result.load("run").supervisors
            assert {member.name for member in found.members} == {"large", "people: dora", "people: emil", "small"}
            assert [member.test_questions for member in found.members] == [40, 0, 0, 40]
            assert told[-2][1].count("people: dora") >= 3  # the program: alone, in pairs, in disputes


@pytest.mark.parametrize("name", NAMES)
def test_settings_that_a_page_shows_are_those_of_its_files(name: str) -> None:
    shown = [yaml.safe_load(block.text) for block in blocks_of(f"jobs/{name}.md") if block.kind == "yaml"]
    files = [yaml.safe_load(file.read_text()) for file in (EXAMPLES / name).glob("*.yaml")]
    for part in shown:
        assert any(part == {key: file.get(key) for key in part} for file in files)


def test_the_example_files_are_those_that_the_script_makes(tmp_path: Path) -> None:
    make = runpy.run_path(str(EXAMPLES / "make.py"))["make"]
    for name in NAMES:
        (tmp_path / name).mkdir()
    make(tmp_path)
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(made) == 5
    for path in made:
        assert path.read_bytes() == (EXAMPLES / path.relative_to(tmp_path)).read_bytes(), path.name
    assert sum(path.stat().st_size for path in EXAMPLES.rglob("*") if path.is_file()) < 200_000
