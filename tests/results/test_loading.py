"""A results.json that somebody changed by hand is read, or refused in one line; never half of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from w2s.config import Experiment
from w2s.errors import InputError
from w2s.results.diagnosis import WeakLabelSummary
from w2s.results.records import Record, RunRecords
from w2s.tables import SCORED

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def saved(tmp_path: Path) -> dict[str, Any]:
    """What a run of one method saved."""
    record = Record(
        method="naive", seed=0, role="baseline", reference=True, uses_gold=False,
        accuracy=0.5, accuracy_low=0.4, accuracy_high=None,
    )  # fmt: skip
    found = RunRecords(
        experiment=Experiment(),
        records=[record],
        pooled=[record],
        labels=[WeakLabelSummary.of(0, SCORED.empty_table(), {})],
        compare=("filtering", "naive"),
        folder=tmp_path,
        info={"commands": ["by hand"]},
    )
    values: dict[str, Any] = json.loads(json.dumps(found.to_dict()))
    return values


def load(folder: Path, values: object) -> RunRecords:
    (folder / "results.json").write_text(json.dumps(values))
    return RunRecords.load(folder)


def test_what_was_not_changed_is_read(saved: dict[str, Any], tmp_path: Path) -> None:
    found = load(tmp_path, saved)
    assert json.loads(json.dumps(found.to_dict())) == saved
    assert found.compare == ("filtering", "naive") and found.info == {"commands": ["by hand"]}


CHANGES: dict[str, Change] = {
    "no records": lambda saved: saved.pop("records"),
    "no labels": lambda saved: saved.pop("labels"),
    "no comparison": lambda saved: saved.pop("compare"),
    "no settings": lambda saved: saved.pop("experiment"),
    "records of another kind": lambda saved: saved.update(records=7),
    "a record that is a text": lambda saved: saved.update(records=["naive"]),
    "a record without a field": lambda saved: saved["records"][0].pop("accuracy"),
    "a record with a field more": lambda saved: saved["records"][0].update(extra=1),
    "a text for a number": lambda saved: saved["pooled"][0].update(accuracy="0.5"),
    "a truth value for a number": lambda saved: saved["pooled"][0].update(rows=True),
    "nothing for a number": lambda saved: saved["pooled"][0].update(accuracy=None),
    "not a number": lambda saved: saved["records"][0].update(accuracy=float("nan")),
    "infinity": lambda saved: saved["records"][0].update(accuracy_high=float("inf")),
    "a number for a name": lambda saved: saved["records"][0].update(method=7),
    "a diagnosis without a field": lambda saved: saved["labels"][0].pop("variations"),
    "a diagnosis with a field more": lambda saved: saved["labels"][0].update(extra=1),
    "a verdict that is none": lambda saved: saved["labels"][0].update(verdict="splendid"),
    "a text for a share": lambda saved: saved["labels"][0].update(unanimity_rate="half"),
    "a comparison of one": lambda saved: saved.update(compare=["naive"]),
    "a setting that is none": lambda saved: saved["experiment"].update(sedes=[1]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_is_refused_in_one_line(saved: dict[str, Any], tmp_path: Path, name: str) -> None:
    CHANGES[name](saved)
    with pytest.raises(InputError) as error:
        load(tmp_path, saved)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("values", [[], 7, None, "text", {}, {"format": "2"}])
def test_what_is_no_run_at_all_is_refused(values: object, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="another version"):
        load(tmp_path, values)
