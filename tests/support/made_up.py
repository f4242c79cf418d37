"""Steps that need no model, for runners in other processes: each notes that it was begun, and by whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from w2s.step import Step

__all__ = ["begun", "made_up_step", "write_plugin"]

PLUGIN = '''
"""A kind of step that needs no model, and one that fails."""

import os, time, logging
from pathlib import Path
from w2s.errors import InputError
from w2s.files import atomic_write
from w2s.pipeline.steps import KINDS, Kind


def build(settings, inputs, out, context):
    (Path(settings["log"]) / f"{settings['number']}-{os.getpid()}-{time.monotonic_ns()}").touch()
    logging.getLogger("w2s.mine").warning("step %d", settings["number"])
    time.sleep(settings["seconds"])
    while settings["until"] and not Path(settings["until"]).exists():
        time.sleep(0.05)
    if settings["fault"]:
        raise InputError(settings["fault"])
    context.progress(1, 1, "rows")
    atomic_write(out / "threads", os.environ["OMP_NUM_THREADS"])


if "made-up" not in KINDS:
    KINDS["made-up"] = Kind(build, 1)
'''


def write_plugin(folder: Path) -> str:
    """The file that brings the kind of step."""
    path = folder / "made_up_steps.py"
    path.write_text(PLUGIN)
    return str(path)


def made_up_step(
    plugin: str, log: Path, number: int, *before: Step, seconds: float = 0.0, until: str = "", fault: str = ""
) -> Step:
    """A step that takes a while, or until a file is there, and fails where it is told to."""
    settings: dict[str, Any] = {"number": number, "log": str(log), "seconds": seconds, "until": until, "fault": fault}
    inputs = {f"b{one.settings['number']}": one for one in before}
    return Step(
        kind="made-up", label=f"step {number}", settings=settings, inputs=inputs, execution={"plugins": [plugin]}
    )


def begun(log: Path) -> list[int]:
    """The numbers of the steps that were begun, as often as they were."""
    return sorted(int(path.name.partition("-")[0]) for path in log.iterdir())
