"""What a result is computed with: packages, processor, device. Recorded beside it; no part of its key."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["PACKAGES", "describe_difference", "environment", "instructions", "results_code"]

PACKAGES = ("w2s", "torch", "transformers", "peft", "accelerate", "pyarrow", "numpy")


def environment() -> dict[str, str]:
    """Versions of the packages, the processor, and the accelerator where torch is loaded and has one."""
    found = dict(_fixed())
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        found["device"] = torch.cuda.get_device_name()
    return found


@cache
def _fixed() -> tuple[tuple[str, str], ...]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    found["processor"] = _processor()
    return tuple(found.items())


@cache
def results_code() -> str:
    """A hash of the code that makes a run's numbers, page and figures from what the store holds."""
    package = Path(__file__).parent
    files = [file for part in ("metrics", "report", "results") for file in (package / part).rglob("*.*")]
    digest = hashlib.sha256()
    for file in sorted(file for file in files if file.suffix in (".py", ".html", ".css", ".js")):
        digest.update(f"{file.relative_to(package).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def instructions() -> str:
    """A name for what this processor can do: code that was compiled for it runs where the name is the same."""
    told = [platform.machine(), _processor(), _of_processor("flags") or _of_processor("Features")]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _processor() -> str:
    return _of_processor("model name") or platform.processor() or platform.machine()


def _of_processor(name: str) -> str:
    """What Linux says of the first processor under a name; empty where it says nothing."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.split("\t")[0].strip() == name), "")


def describe_difference(there: Mapping[str, str], here: Mapping[str, str]) -> str:
    """In what an environment differs from this one, in words; empty where in nothing that a result may depend on."""
    names = [name for name in (*PACKAGES, "processor", "device") if there.get(name) != here.get(name)]
    return ", ".join(f"{name} {there.get(name, 'none')}" for name in names)
