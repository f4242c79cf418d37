"""What a dry run says beforehand: time, memory, disk, models, an example of each split; without a hub."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.commands import Say
from w2s.cli.forecast import about


def test_a_dry_run_of_a_run_says_what_it_takes(say: Say, config: Path, tmp_path: Path) -> None:
    text = say("run", "--config", config, "--store", tmp_path / "store", "--dry-run", "--jobs", 2)
    # 8 of weak_train, 16 of transfer for each of two students; 16 asked in 3 ways; 12 tested three times
    for kind, count, rows in (("training", 3, 40), ("answers", 1, 48), ("predictions", 3, 36)):
        assert re.search(rf"^{kind} +{count} +{count} +{rows} +[\d,]+ +(<1|\d+) s$", text, re.MULTILINE), kind
    assert re.search(r"^time +\d+ s in one process; rates of .*not measured here: w2s doctor --measure$", text, re.M)
    assert re.search(r"^ +\d+ s in 2 processes, which share this machine's processors$", text, re.M)
    assert re.search(r"^memory +about [\d.]+ [MG]B a process$", text, re.M)
    assert re.search(r"^disk +about [\d.]+ [kMG]B in the store$", text, re.M)
    assert len(re.findall(r"^model  .* parameters · float32 on cpu$", text, re.M)) == 2
    assert "null" not in text and "None" not in text
    assert "asked     3 ways each · reliability by votes, temperature 0.2" in text
    assert [line for line in text.splitlines() if line.startswith("──")] == [
        f"── a question of {split} ──" for split in ("weak_train", "transfer", "test")
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.3, "<1 s"),
        (59, "59 s"),
        (120, "2 min"),
        (754, "13 min"),
        (5400, "1.5 h"),
        (86400 * 3, "3 days"),
        (86400 * 1234, "1,200 days"),
    ],
)
def test_times_are_said_to_two_digits(seconds: float, said: str) -> None:
    assert about(seconds) == said
