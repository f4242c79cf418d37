"""What the command says of itself: help, lists, and what is installed."""

from __future__ import annotations

import re

import pytest

from support.commands import Say
from w2s.cli import entry, main
from w2s.methods import METHODS
from w2s.models.bundled import BUNDLED
from w2s.tasks import TASKS

COMMANDS = list(entry._COMMANDS)


def test_the_main_help_lists_every_command(say: Say) -> None:
    for words in ([], ["--help"], ["-h"], ["help"]):
        text = say(*words)
        for command in COMMANDS:
            assert re.search(rf"^  {command} +\w+", text, re.MULTILINE), command


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_says_what_it_does_and_fits_the_terminal(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    text = help_of(command, capsys)
    assert text.startswith(f"usage: w2s {command} ") and max(map(len, text.splitlines())) <= 100
    summary = text.split("\n\n")[1]
    assert re.search(rf"^  {command} +{re.escape(summary)}$", main_help(capsys), re.MULTILINE)


def help_of(command: str, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    if command == "run":
        main(["run", "--help", *words])
    else:
        with pytest.raises(SystemExit, match="0"):
            main([*command.split(), "--help"])
    return capsys.readouterr().out


def main_help(capsys: pytest.CaptureFixture[str]) -> str:
    main(["--help"])
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("run", ["--task.data", "--weak.name", "--weak.device", "--methods", "--seeds", "--preset", "--config"]),
        ("run", ["--weak_training.lora.rank", "--answering.mode", "--reliability.unparsed", "--dry-run"]),
        ("label", ["--task.name", "--model.name", "--answering.mode", "--adapter", "--split", "--gold", "--out"]),
        ("train", ["--training.learning_rate", "--training.lora.dropout", "--model.dtype", "--seed"]),
        ("paraphrase", ["--count", "--model.name", "--model.url", "--attempts", "--task.data", "--dry-run", "--show"]),
        ("run", ["--paraphrases.count", "--paraphrases.attempts", "--task.missing_paraphrases"]),
        ("score", ["--temperature", "--unparsed", "--out", "--json"]),
    ],
)
def test_the_fields_of_the_settings_are_options_with_their_own_words(
    command: str, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = " ".join(help_of(command, capsys, "all").split())
    for option in options:
        assert re.search(rf"{re.escape(option)}\b.{{0,40}}? \w\w+", text), option
    if command == "run":
        assert "An experiment" not in text and "By default the task's own" in text


def test_the_help_of_run_is_a_screen_of_what_matters_and_says_where_the_rest_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    text = help_of("run", capsys)
    assert len(text.splitlines()) < 60
    explained = re.findall(r"^  (--\S+)", text.split("Groups of more")[0], re.MULTILINE)
    assert explained == [
        *("--task.name", "--task.data", "--weak.source", "--weak.name", "--strong.name"),
        *("--methods", "--seeds", "--config", "--out", "--dry-run"),
    ]
    assert "--student_training.…" in text and "--split_per_seed" in text and "w2s run --help all" in text


def test_every_setting_is_explained_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    text = help_of("run", capsys, "all")
    assert text.count("Passes over the training set") == 1
    said = " ".join(text.split())
    assert "--student_training.NAME: the settings of --weak_training.NAME, by default batch_size 16" in said
    assert "--evaluation.NAME: the settings of --answering.NAME." in said
    assert "--strong.NAME: the settings of --weak.NAME, by default name gemma3-270m." in said
    assert "One of auto, float32, bfloat16, float16." in said and "typing" not in said and "(type:" not in said


def test_the_lists_name_all_there_is(say: Say) -> None:
    assert all(name in say("tasks") for name in TASKS)
    assert all(name in say("models") for name in BUNDLED)
    methods = say("methods")
    for name, method in METHODS.items():
        assert (f"\n{name} *" in methods) == method.uses_gold and method.summary[:30] in methods
    assert "quantile=0.5" in methods


def test_the_prompts_of_a_task_can_be_seen(say: Say) -> None:
    text = say("tasks", "geography")
    for name, template in TASKS["geography"].templates.items():
        assert name in text and template in text


def test_the_doctor_tells_the_device_and_what_is_installed(say: Say) -> None:
    text = say("doctor")
    for check in ("python", "torch", "device", "memory", "store", "hub", *BUNDLED):
        assert re.search(rf"^(model )?{check}\b", text, re.MULTILINE), check
    assert "switched off by HF_HUB_OFFLINE" in text


def test_the_version_is_told(say: Say) -> None:
    assert re.fullmatch(r"w2s \d+\.\d+\.\d+\n", say("--version"))
