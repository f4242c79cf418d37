"""Settings files: in which encoding they are read, and what in them is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support.commands import refused
from w2s.cli import main

TEXT = "# Zürich\ntask: {templates: {letter: 'Où est {question} ?\\n{options}\\n答え:'}}\nseeds: [7]\n"


def printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--print_config"])
    out, err = capsys.readouterr()
    assert ended.value.code == 0, err
    return out


@pytest.mark.parametrize("option", ["--config", "--task"])
def test_a_settings_file_is_utf8_where_the_terminal_knows_ascii_alone(option: str, here: Path) -> None:
    text = TEXT if option == "--config" else "templates: {letter: 'Où est {question} ?\\n{options}\\n答え:'}\n"
    (here / "a.yaml").write_text(text, encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHONIO"))}
    env |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "w2s", "run", option, "a.yaml", "--print_config"]
    ended = subprocess.run(command, capture_output=True, env=env, cwd=here)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.isascii()
    # What the terminal cannot show is shown as its number.
    assert "Où est {question} ?" in ended.stdout.decode("unicode_escape")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_says_how_a_settings_file_is_written(
    encoding: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "a.yaml").write_text(TEXT, encoding=encoding)
    text = printed(["run", "--config", "a.yaml"], capsys)
    assert "Où est {question} ?" in text and "答え" in text and "- 7" in text


@pytest.mark.parametrize("form", ["1e-3", "1.0e-3", "0.001", "1e-03", "'1e-3'"])
def test_a_number_of_a_settings_file_is_the_number_that_it_was(
    form: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    methods = f"methods: [{{method: filtering, quantile: {form}}}]"
    (here / "a.yaml").write_text(f"student_training: {{learning_rate: {form}}}\n{methods}\nseeds: [0b11, 0x10]\n")
    found = yaml.safe_load(printed(["run", "--config", "a.yaml"], capsys))
    assert found["student_training"]["learning_rate"] == 0.001
    assert found["methods"] == [{"method": "filtering", "quantile": 0.001}]
    assert found["seeds"] == [3, 16]


@pytest.mark.parametrize("words", [["--config", "a.yaml"], ["--config=a.yaml"]])
def test_what_is_printed_as_settings_is_read_back_as_the_same(
    words: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = printed(
        [
            *["run", "--preset=paper", "--task.name=mmlu", "--task.data=007", "--task.test=all", "--seeds=[3, 4]"],
            *["--methods=[naive, {method: filtering, quantile: 0.25, label: strict}]", "--compare=[strict, naive]"],
            *["--student_training.lora.targets=[q_proj, v_proj]", "--student_training.learning_rate=1e-5"],
            "--task.templates={letter: 'Où? \"{question}\"\n{options}\n# 答え:'}",
        ],
        capsys,
    )
    (here / "a.yaml").write_text(first, encoding="utf-8")
    assert printed(["run", *words], capsys) == first
    found = yaml.safe_load(first)
    assert found["task"]["data"] == "007" and found["task"]["templates"]["letter"].startswith('Où? "{question}"')


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"seeds: [1]\nseeds: [2]\n", "a.yaml, line 2: seeds is there twice"),
        (b"task: {test: 3, name: mmlu, test: 4}\n", "a.yaml, line 1: test is there twice"),
        (b"student_training:\n  lora:\n    rank: 1\n    rank: 1\n", "a.yaml, line 4: rank is there twice"),
        (b"task:\n\tname: mmlu\n", "a.yaml is not YAML: "),
        (b"seeds:\n", "seeds is "),
        (b"preset: !!python/object:os.system x\n", "a.yaml is not YAML: could not determine a constructor"),
        (b"preset: !!timestamp x\n", "a.yaml is not YAML: "),
        (b"preset: !!int x\n", "a.yaml is not YAML: "),
        (b'task: {data: "\\ud800"}\n', "a.yaml, line 1: an escape such as \\ud800 that is half a character"),
        (b'weak: {name: "a\\0b"}\n', "a.yaml, line 1: an escape such as \\ud800 that is half a character, or \\0"),
        (b"task: {data: \xe9}\n", "a.yaml, line 1, byte 14: not UTF-8; it looks like Windows-1252"),
        (b"t\0a\0", "a.yaml looks like UTF-16 without a byte order mark"),
        (b"\xff\xfet", "a.yaml is no UTF-16, as its first bytes say"),
        (b"a: " + b"[" * 60_000, "a.yaml: lists and mappings lie more than 50 deep in one another"),
        (b"a: x\n" + b"#" * 300_000, "a.yaml has 300005 bytes: expected a settings file"),
        (b"a: x\n---\nb: x\n", "a.yaml is not YAML: expected a single document"),
        (b"? [1, 2]\n: x\n", "a.yaml is not YAML: "),
        (b"studnet_training: {epochs: 1}\n", "did you mean student_training"),
    ],
)
def test_a_settings_file_that_can_be_misread_is_refused(
    content: bytes, said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "a.yaml").write_bytes(content)
    assert said in refused(["run", "--config=a.yaml", "--dry-run"], capsys)


def test_a_file_for_one_group_is_read_as_strictly(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "lora.yaml").write_text("rank: 4\n")
    assert "rank: 4" in printed(["run", "--student_training.lora=lora.yaml"], capsys)
    (here / "lora.yaml").write_text("rank: 4\nrank: 5\n")
    assert "lora.yaml, line 2: rank is there twice" in refused(["run", "--student_training.lora", "lora.yaml"], capsys)


def test_a_value_of_the_command_line_says_each_setting_once(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--methods=[{method: naive, method: oracle}]"], ["--methods", "[{method: naive, method: oracle}]"]):
        assert "method is there twice" in refused(["run", *words], capsys)
    assert "deep in one another" in refused(["run", "--methods=" + "[" * 60_000], capsys)


def test_two_settings_files_are_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.yaml").write_text("seeds: [1]\n")
    assert "--config is there more than once" in refused(["run", "--config=a.yaml", "--config", "a.yaml"], capsys)
