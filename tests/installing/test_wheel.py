"""The wheel holds all that an installed package needs, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "w2s"

pytest.importorskip("setuptools", minversion="77")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built from a copy: a build leaves files beside the sources, and takes up those that an earlier one left."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    shutil.copytree(SOURCE, tree / "src" / "w2s", ignore=shutil.ignore_patterns("__pycache__"))
    code = "from setuptools.build_meta import build_wheel; print(build_wheel('.'))"
    out = subprocess.run([sys.executable, "-c", code], cwd=tree, capture_output=True, text=True, check=True).stdout
    return zipfile.ZipFile(tree / out.splitlines()[-1])


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return Parser().parsestr(wheel.read(name).decode())


def test_every_file_of_the_package_is_in_the_wheel_and_no_other(wheel: zipfile.ZipFile) -> None:
    wanted = {
        path.relative_to(SOURCE.parent).as_posix()
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"w2s/py.typed", "w2s/report/page.html", "w2s/report/page.css", "w2s/report/page.js"} <= wanted
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == wanted


def test_the_wheel_brings_the_command_and_the_licence(wheel: zipfile.ZipFile) -> None:
    inside = {name.split(".dist-info/")[1]: name for name in wheel.namelist() if ".dist-info/" in name}
    assert "w2s = w2s.cli:main" in wheel.read(inside["entry_points.txt"]).decode()
    assert wheel.read(inside["licenses/LICENSE"]) == (ROOT / "LICENSE").read_bytes()


def test_the_metadata_names_each_python_that_it_is_for(metadata: Message) -> None:
    classifiers = metadata.get_all("Classifier", [])
    versions = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("Programming Language :: Python :: 3.")]
    assert versions == ["3.11", "3.12", "3.13"]
    assert metadata["Requires-Python"] == f">={versions[0]}"


def test_the_command_runs_from_the_wheel_alone(wheel: zipfile.ZipFile, metadata: Message, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    code = "import sys, w2s.cli; print(w2s.__file__); w2s.cli.main(['--version']); w2s.cli.main(['methods'])"
    paths = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=paths)
    where, version, *methods = done.stdout.splitlines()
    assert Path(where).is_relative_to(tmp_path)
    assert version == f"w2s {metadata['Version']}"
    assert any(line.startswith("filtering") for line in methods)  # pieces are discovered from the installed files
