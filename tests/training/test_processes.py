"""One run in two processes, as `accelerate launch` starts it, is the run in one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.training import Run, adapter_of, paired, same, train, training_set
from w2s.models.load import LanguageModel

WEIGHTS = [0.2, 1.0, 0.05, 0.7, 1.0, 0.4, 0.9, 0.3]
CHILD = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from support.tiny import load_tiny
from support.training import CITIES, paired, train, training_set
from w2s.errors import InputError
from w2s.training import weighted_trainer

lm = load_tiny(Path(sys.argv[2]))
for name, changes in eval(sys.argv[4]).items():
    told = []
    weighted_trainer._TOKENS["cpu"] = changes.pop("tokens", 1024)
    table = training_set(eval(sys.argv[5]), CITIES[:8])
    run = train(
        lm,
        Path(sys.argv[3]) / name,
        paired(table) if "loss" in changes else table,
        progress=lambda *step: told.append(step),
        **changes,
    )
    assert bool(told) == (os.environ["RANK"] == "0"), told
try:
    train(lm, Path(sys.argv[3]) / "odd", batch_size=6, micro_batch_size=2)
except InputError as error:
    if os.environ["RANK"] == "0":
        print("refused:", error)
"""
CASES: dict[str, dict[str, Any]] = {
    "weights": {},
    "micro": {"micro_batch_size": 1},
    "paper": {"normalization": "paper"},
    "parts": {"tokens": 30},  # not the same number of parts in both processes
    "options": {"loss": "soft-cross-entropy", "batch_size": 2},
    "own class": {"loss": "auxiliary-confidence", "loss_settings": {"alpha": 0.8, "ramp": 0.5}, "batch_size": 2},
    "options of the paper": {"loss": "soft-cross-entropy", "batch_size": 2, "normalization": "paper"},
    # Of a last batch of one, one process has no share.
    "paper, a last batch of one": {"batch_size": 7, "epochs": 4, "normalization": "paper"},
    "own class, a last batch of one": {
        "loss": "auxiliary-confidence",
        "loss_settings": {"alpha": 0.8, "ramp": 0.5},
        "batch_size": 3,
    },
    "watched": {"eval_fraction": 0.4, "batch_size": 2},
}


@pytest.mark.slow
def test_two_processes_are_one(lm: LanguageModel, tiny_llama: Path, tmp_path: Path) -> None:
    from support.training import CITIES

    tests = str(Path(__file__).parents[1])
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    given = [tests, str(tiny_llama), str(tmp_path), repr(CASES), repr(WEIGHTS)]
    launch = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--master_addr=127.0.0.1", "--master_port=0"]
    done = subprocess.run(
        [sys.executable, *launch, "--rdzv_backend=c10d", "--rdzv_endpoint=127.0.0.1:0", str(script), *given],
        capture_output=True,
        text=True,
        env={**os.environ, "ACCELERATE_USE_CPU": "1"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "refused: micro_batch_size 2 in 2 processes does not divide batch_size 6" in done.stdout
    for name, case in CASES.items():
        changes = {key: value for key, value in case.items() if key != "tokens"}
        table = training_set(WEIGHTS, CITIES[:8])
        table = paired(table) if "loss" in case else table
        one: Run = train(lm, tmp_path / f"{name}-one", table, **changes)
        assert same(adapter_of(tmp_path / name), one.adapter, 1e-3), name
        log = [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        assert log == [pytest.approx(entry, rel=1e-4) for entry in one.log], name
        assert len(one.losses) == one.report.steps
        assert not (tmp_path / name / "checkpoints").exists()
