"""The studies that come with the package: each can be planned, and runs with models of a few thousand weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.experiments import without_pages
from w2s.reliability import ESTIMATORS
from w2s.running import Result
from w2s.store import Store
from w2s.study.grid import Cell, cells_of
from w2s.study.running import Plan, run_study
from w2s.tables import read_table

STUDIES = Path(__file__).resolve().parents[2] / "studies"
OFFLINE = {"paper"}  # its models and data lie on the hub
EVERY_TABLE = {"geography", "weak-strength", "variations", "tasks", "faults"}
TINY = {"epochs": 1, "batch_size": 16, "lora": {"rank": 2, "alpha": 4}, "compile": "off", "checkpoints": 0}


def settings_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((STUDIES / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


STUDY_FILES = sorted(path.stem for path in STUDIES.glob("*.yaml") if "base" in settings_of(path.stem))


def tiny(name: str, models: dict[str, Path]) -> list[Cell]:
    """The cells of a study with one seed, tiny models and few questions."""
    settings = settings_of(name)
    base = settings["base"]
    base |= {"seeds": [0], "weak_training": TINY, "student_training": TINY}
    base["weak"] = {**base.get("weak", {}), "name": str(models["weak"]), "dtype": "float32"}
    base["strong"] = {"name": str(models["strong"]), "dtype": "float32"}
    base["task"] = {**base["task"], "transfer": 8, "test": 4, "num_variations": 3}
    if "task.weak_train" in settings.get("grid", {}):
        settings["grid"]["task.weak_train"] = [24]
    else:
        base["task"]["weak_train"] = 24
    if "task.name" in settings.get("grid", {}):
        settings["grid"]["task.name"] = ["geography"]  # the others take seconds to make
    if "task.num_variations" in settings.get("grid", {}):
        settings["grid"]["task.num_variations"] = [2]
    return cells_of(settings)


@pytest.fixture(scope="module")
def models(tiny_llama: Path, tiny_gemma: Path) -> dict[str, Path]:
    return {"weak": tiny_llama, "strong": tiny_gemma}


@pytest.fixture(scope="module", autouse=True)
def no_page() -> Iterator[None]:
    with without_pages():
        yield


@pytest.mark.parametrize("name", STUDY_FILES)
def test_each_study_has_cells(name: str) -> None:
    assert cells_of(settings_of(name))


@pytest.mark.parametrize("name", [name for name in STUDY_FILES if name not in OFFLINE])
def test_each_study_that_needs_no_hub_can_be_planned(name: str, models: dict[str, Path]) -> None:
    plan = Plan(tiny(name, models))
    assert plan.errors == {} and plan.targets()


@pytest.mark.parametrize("name", sorted(EVERY_TABLE))
def test_what_the_student_knows_and_what_the_supervisors_labels_buy_stand_in_every_table(name: str) -> None:
    for cell in cells_of(settings_of(name)):
        assert {"self", "weak-gold"} <= set(map(str, cell.experiment.methods)), cell.name


def ran(name: str, cells: list[Cell], out: Path) -> dict[str, Result]:
    result = run_study(cells, out=out / name, store=Store(out / "store"))
    assert result.failures == {}
    return dict(result.runs)  # type: ignore[arg-type]


def test_estimators_are_compared_on_labels_without_a_student(models: dict[str, Path], tmp_path: Path) -> None:
    (cell,) = tiny("estimators", models)
    compared = cell.experiment.reliability.compare
    assert set(compared) >= set(ESTIMATORS) - {"votes", "semantic-entropy", "dawid-skene"}, "all of one that chooses"
    # What is fitted has its weak models to train, and tests of its own.
    cell.experiment.reliability.compare = [name for name in compared if "calibration" not in ESTIMATORS[name].needs]
    (found,) = ran("estimators", [cell], tmp_path).values()
    assert {one.estimator for one in found.estimators} == {"votes", *cell.experiment.reliability.compare}
    assert not any(record.rows for record in found.pooled if record.role != "supervisor")


def test_what_reads_nothing_of_the_supervisor_is_the_same_under_every_fault(
    models: dict[str, Path], tmp_path: Path
) -> None:
    left = {"naive", "self"}
    cells = [cell for cell in tiny("faults", models) if cell.name in ("position-bias", "systematic")]
    for cell in cells:
        labels = {method if isinstance(method, str) else method["label"]: method for method in cell.experiment.methods}
        cell.experiment.methods = [method for label, method in labels.items() if label in left]
        cell.experiment.compare = ["self", "naive"]
    one, other = ran("faults", cells, tmp_path).values()
    said = [read_table(run.files.method(0, "self").predictions)["answer"].to_pylist() for run in (one, other)]
    assert said[0] == said[1]
