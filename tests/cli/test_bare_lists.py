"""Lists on the command line without YAML's brackets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.commands import Say


@pytest.mark.parametrize(
    ("words", "methods", "seeds"),
    [
        (["--methods", "naive", "--seeds", "3"], "naive", "3"),
        (["--methods", "naive,ceiling", "--seeds", "0,1,2"], "naive, ceiling", "0, 1, 2"),
        (["--methods=naive, ceiling", "--seeds=0, 1"], "naive, ceiling", "0, 1"),
        (["--methods", "[naive, ceiling]", "--seeds", "[0, 1]"], "naive, ceiling", "0, 1"),
        (["--methods", "naive,{method: filtering, quantile: 0.25, label: strict}"], "naive, strict", "0"),
        (["--methods", "{method: naive, label: all}"], "all", "0"),
    ],
)
def test_a_list_may_be_typed_with_commas_alone(
    words: list[str], methods: str, seeds: str, say: Say, small: list[str]
) -> None:
    text = say(*small, "--dry-run", *words)
    assert re.search(rf"^methods   {methods} · seeds {seeds}$", text, re.MULTILINE), text


def test_two_methods_are_compared_by_their_names(say: Say, small: list[str]) -> None:
    text = say(*small, "--dry-run", "--methods", "naive,ceiling", "--compare", "ceiling,naive")
    assert "compared  ceiling against naive" in text
    text = say(*small, "--dry-run", "--methods", "naive,filtering", "--compare", "null")
    assert "compared  filtering against naive" in text  # as if it had not been there


def test_a_number_of_variations_and_a_temperature_are_never_printed_as_null(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    from w2s.cli import main

    with pytest.raises(SystemExit, match="0"):
        main(["run", "--print_config", "--task.name", "gsm8k"])
    text = capsys.readouterr().out
    assert re.search(r"^  num_variations: [1-9]", text, re.MULTILINE), text
    assert re.search(r"^  temperature: 0\.\d+", text, re.MULTILINE), text
    with pytest.raises(SystemExit, match="0"):
        main(["run", "--print_config", "--reliability.estimator", "probability"])
    assert "temperature: null" in capsys.readouterr().out  # it has its own
