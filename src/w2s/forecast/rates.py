"""What a machine does, as it was measured there or as machines of its kind do."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from w2s.environment import environment
from w2s.files import atomic_write
from w2s.forecast.work import Rates

__all__ = ["RATES_FILE", "Measured", "RatesHere", "measured_here", "rates_here", "threads_here", "write_rates"]

RATES_FILE = ".cache/rates.json"
"""In the store's folder: what outlives steps."""

# Parameters times tokens a second of one thread, and the same of training; docs/lab-book.md, two threads of a Xeon
# with AMX in bfloat16, and the same quickstart on two of an EPYC without, in float32.
_AMX = (1.15e11, 0.48e11)
_PLAIN = (0.27e11, 0.105e11)
_GPU = (2e13, 5e12)  # of a whole device; a guess: small models keep none busy
_START, _STEP, _LOAD, _CONVERT = 5.0, 2.0, 2e-9, 5e-8


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Rates, and where and when they were measured.

    Attributes:
        rates: What was measured.
        processor: The machine's.
        device: What models are put on.
        dtype: In which `auto` computes there.
        torch: Version.
        threads: Of torch.
        date: In UTC.
    """

    rates: Rates
    processor: str
    device: str
    dtype: str
    torch: str
    threads: int
    date: str


@dataclass(frozen=True, kw_only=True)
class RatesHere:
    """Rates to reckon with, and a line that says whose they are."""

    rates: Rates
    told: str


def write_rates(root: Path, measured: Measured) -> Path:
    """Keep what was measured in the store's folder."""
    path = root / RATES_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, json.dumps(asdict(measured), indent=1) + "\n")
    return path


def measured_here(root: Path) -> Measured | None:
    """What was measured in this environment: with this processor, torch and number of threads; None for nothing."""
    try:
        found = json.loads((root / RATES_FILE).read_text(encoding="utf-8"))
        measured = Measured(**{**found, "rates": Rates(**found["rates"])})
        if min(asdict(measured.rates).values()) < 0 or not min(measured.rates.forward, measured.rates.training) > 0:
            return None
    except (OSError, ValueError, TypeError, KeyError):
        return None
    here = environment()
    same = measured.processor == here["processor"] and measured.torch == here.get("torch")
    return measured if same and measured.threads == threads_here() else None


def threads_here() -> int:
    """The threads that torch will use here."""
    given = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if given.isdigit() and int(given):
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def rates_here(root: Path, *, device: str, dtype: str) -> RatesHere:
    """What this machine does: measured, or else as others of its kind do.

    Args:
        root: The store's folder.
        device: What models will be put on: "cpu", "cuda", "mps".
        dtype: In which most will be computed there.
    """
    measured = measured_here(root)
    if measured is not None and measured.device == device:
        return RatesHere(rates=measured.rates, told=f"measured here on {measured.date[:10]}, {measured.dtype}")
    threads = threads_here() if device == "cpu" else 1
    forward, training = _GPU if device != "cpu" else _AMX if dtype == "bfloat16" else _PLAIN
    counted = f"{threads} thread{'s' if threads > 1 else ''}"
    kind = "a GPU" if device != "cpu" else f"{counted} {'with' if dtype == 'bfloat16' else 'without'} AMX"
    rates = Rates(
        forward=forward * threads,
        training=training * threads,
        start=_START,
        step=_STEP,
        load=_LOAD,
        convert=_CONVERT,
    )
    return RatesHere(rates=rates, told=f"of {kind}; not measured here: w2s doctor --measure")
