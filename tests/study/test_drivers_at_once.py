"""Studies and runs that are driven at once by several processes, on one store."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import yaml

from support.experiments import tiny_study
from w2s.results.records import RunRecords
from w2s.results.settings_file import settings_text
from w2s.store.verifying import verify
from w2s.study.grid import cells_of
from w2s.tables import read_table

# Notes each step whose computation it begins; pages and figures of runs are not what this is about.
DRIVER = """
import sys
from pathlib import Path
from w2s.cli import main
from w2s.pipeline import steps
from w2s.running import Result
log = Path(sys.argv[1])
for kind, known in list(steps.KINDS.items()):
    def build(settings, inputs, out, context, known=known):
        with log.open("a") as file:
            file.write(out.name + "\\n")
        known.build(settings, inputs, out, context)
    steps.KINDS[kind] = known._replace(build=build)
Result.save_report = lambda self, path: path.write_text("page")
Result.save_figures = lambda self, folder, **more: []
print("ready", flush=True)
sys.stdin.readline()
main(sys.argv[2:])
"""


def test_two_studies_and_a_run_at_once_compute_no_step_twice_and_agree(
    tmp_path: Path, tiny_llama: Path, tiny_gemma: Path
) -> None:
    settings = tiny_study(tmp_path, tiny_llama, tiny_gemma)
    study, run, log = tmp_path / "study.yaml", tmp_path / "towns.yaml", tmp_path / "log"
    study.write_text(yaml.safe_dump(settings))
    run.write_text(settings_text(next(cell for cell in cells_of(settings) if cell.name == "towns").experiment))
    commands = [["study", str(study)], ["study", str(study), "--adapters", "copy"], ["run", "--config", str(run)]]
    outs = [tmp_path / f"out-{number}" for number in range(len(commands))]
    said = [tmp_path / f"said-{number}" for number in range(len(commands))]
    with ExitStack() as stack:
        drivers = []
        for words, out, file in zip(commands, outs, said, strict=True):
            driver = subprocess.Popen(
                [sys.executable, "-c", DRIVER, log, *words, "--store", tmp_path / "store", "--out", out],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stack.enter_context(file.open("w")),  # a pipe that nobody reads would hold up who holds a lock
                text=True,
            )
            stack.callback(driver.kill)
            drivers.append(driver)
        for driver, file in zip(drivers, said, strict=True):
            assert driver.stdout is not None and driver.stdout.readline() == "ready\n", file.read_text()
        for driver in drivers:  # together, once all have imported what they need
            assert driver.stdin is not None
            driver.stdin.write("\n")
            driver.stdin.flush()
        for driver, file in zip(drivers, said, strict=True):
            driver.communicate(timeout=600)
            assert driver.returncode == 0, file.read_text()

    begun = Counter(log.read_text().split())
    done = (tmp_path / "store").glob("*/*/manifest.json")
    finished = {f"{manifest.parent.parent.name}-{manifest.parent.name}" for manifest in done}
    assert set(begun.values()) == {1} and set(begun) == finished
    assert not verify(tmp_path / "store").damaged
    one, other = (read_table(out / "results.parquet") for out in outs[:2])
    assert one.equals(other) and one.num_rows == 6
    assert RunRecords.load(outs[2]).pooled == RunRecords.load(outs[0] / "cells" / "towns").pooled
    assert (outs[0] / "figures" / "entropy-1.png").is_file() and (outs[0] / "table.tex").is_file()
    linked, copied = (list(out.glob("cells/*/seed-0/*/adapter")) for out in outs[:2])
    assert len(linked) == len(copied) > 0
    assert all(path.is_symlink() for path in linked) and not any(path.is_symlink() for path in copied)
