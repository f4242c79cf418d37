"""Job F: a mistake is one line, status 2, and leaves nothing behind."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from support.commands import refused


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("run --task.name geografy", "unknown task 'geografy': … did you mean 'geography'?"),
        ("run --methods naive,filterin", "unknown method 'filterin': … did you mean 'filtering'?"),
        ("run --methods {method:filtering}", "expected a name, or {method: NAME, SETTING: VALUE}"),
        (
            "run --methods '{method: filtering, quantil: 0.3}'",
            "unknown setting of method filtering 'quantil': … 'quantile'?",
        ),
        ("run --filtering.quantile 0.3", "a method's settings stand with it in the list of methods"),
        ("run --compare filtering,naive --methods naive", "compare names 'filtering'"),
        ("run --weak.name path/to/nothing/here", "unknown model 'path/to/nothing/here'"),
        ("run --strong.name ./nothing", "model './nothing': no such file or folder"),
        ("run --student_training.lora.targets q_porj,v_proj", "matches the full name of no module"),
        ("run --weak_training.lora.targets [v_porj]", "has no module 'v_porj'; did you mean 'v_proj'?"),
        ("run --seeds 0,one", "seeds is 'one': expected a whole number"),
        ("run --seeds 0 1", "unexpected '1': several values are separated by commas"),
        ("run --config nothing.yaml", "no such file: nothing.yaml"),
        ("run --task.name file", "task file"),
        ("run --task.name file --task.data nothing.jsonl", "nothing.jsonl"),
        ("run --weak.examples 3", "source trained shows none, prompted does"),
        ("run --preset papr", "unknown preset 'papr': … did you mean 'paper'?"),
        ("runn", "unknown command 'runn': … did you mean 'run'?"),
        ("score nothing.csv", "nothing.csv"),
        ("report nothing", "nothing is not a finished run"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    typed: str, said: str, here: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = refused(shlex.split(typed), capsys)
    at = [found.find(part.strip()) for part in said.split("…")]
    assert -1 not in at and at == sorted(at), found
    assert not list(here.iterdir()) and not store.exists()
