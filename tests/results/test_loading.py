"""A results.json that somebody changed by hand is read, or refused in one line; never half of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from w2s.config import Experiment
from w2s.errors import InputError
from w2s.reliability import score_answers
from w2s.report.export import to_csv, to_latex
from w2s.report.tables import results_table
from w2s.report.words import headline
from w2s.results.diagnosis import WeakLabelSummary
from w2s.results.records import Record, RunRecords
from w2s.tables import ANSWERS

Change = Callable[[dict[str, Any]], Any]


def summary() -> WeakLabelSummary:
    """What 12 questions, asked three times each, show: AUROC, positions, shares of answers, levels."""
    choices = ["yes", "no"]
    rows = [
        {"question_id": f"q{question}", "variation": variation, "answer": choices[index], "position": index}
        for question in range(12)
        for variation in range(3)
        for index in [(question + (variation == question % 4)) % 2]
    ]
    for row in rows:  # the second variation names the options the other way round
        order = [1, 0] if row["variation"] == 1 else [0, 1]
        row |= {"choices": choices, "positions": order, "position": order[row["position"]]}
    table = pa.Table.from_pylist(rows, schema=ANSWERS)
    found = WeakLabelSummary.of(0, score_answers(table), {f"q{n}": choices[n % 3 % 2] for n in range(12)})
    assert found.auroc and found.position and found.answers and found.disagreement and found.by_entropy
    return found


@pytest.fixture
def saved(tmp_path: Path) -> dict[str, Any]:
    """What a run of two methods saved."""
    record, other = (
        Record(
            method=method,
            seed=0,
            role="baseline",
            reference=method == "naive",
            uses_gold=False,
            accuracy=0.5,
            accuracy_low=0.4,
            accuracy_high=None,
        )
        for method in ("naive", "filtering")
    )
    found = RunRecords(
        experiment=Experiment(),
        records=[record, other],
        pooled=[record, other],
        labels=[summary()],
        compare=("filtering", "naive"),
        folder=tmp_path,
        info={"commands": ["by hand"], "steps": [{"label": "naive", "seconds": 1.5}], "origins": {"seeds": "file"}},
    )
    values: dict[str, Any] = json.loads(json.dumps(found.to_dict()))
    return values


def load(folder: Path, values: object) -> RunRecords:
    (folder / "results.json").write_text(json.dumps(values))
    return RunRecords.load(folder)


def test_what_was_not_changed_is_read(saved: dict[str, Any], tmp_path: Path) -> None:
    found = load(tmp_path, saved)
    assert json.loads(json.dumps(found.to_dict())) == saved
    assert found.compare == ("filtering", "naive") and found.info["commands"] == ["by hand"]


def first(values: dict[str, Any]) -> Any:
    return next(iter(values.values()))


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
    "a comparison of three": lambda saved: saved["compare"].append("naive"),
    "a comparison of what is not there": lambda saved: saved.update(compare=["filtering", "majority"]),
    "a comparison that is a text": lambda saved: saved.update(compare="ab"),
    "a record without what may be nothing": lambda saved: saved["pooled"][0].pop("pgr"),
    "a mapping for records": lambda saved: saved.update(records={}),
    "a number above all numbers": lambda saved: saved["pooled"][0].update(rows=10**400),
    "a text within an AUROC": lambda saved: first(saved["labels"][0]["auroc"]).__setitem__(0, "0.5"),
    "a text for an AUROC": lambda saved: saved["labels"][0]["auroc"].update(confidence="abc"),
    "a fraction for a whole number": lambda saved: saved["labels"][0].update(rows=1.5),
    "one number for the fewest and the most": lambda saved: saved["labels"][0].update(variations=[3]),
    "a text for the notes": lambda saved: saved["labels"][0].update(notes="abc"),
    "no positions": lambda saved: saved["labels"][0]["position"].update(positions=[]),
    "nothing for an effect": lambda saved: saved["labels"][0]["position"].update(effect=None),
    "a text within a share": lambda saved: saved["labels"][0]["answers"][0][1].__setitem__(2, "high"),
    "a text for a variation": lambda saved: saved["labels"][0]["disagreement"][0].__setitem__(0, "first"),
    "a text within a level": lambda saved: saved["labels"][0]["by_entropy"][0].update(entropy="low"),
    "a step without its time": lambda saved: saved["steps"][0].pop("seconds"),
    "a text for the steps": lambda saved: saved.update(steps="all"),
    "a number for an origin": lambda saved: saved["origins"].update(seeds=7),
    "a text for a group of settings": lambda saved: saved["experiment"].update(task="geography"),
    "a number for a model": lambda saved: saved["experiment"]["weak"].update(name=7),
    "a setting that is none": lambda saved: saved["experiment"].update(sedes=[1]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_is_refused_in_one_line(saved: dict[str, Any], tmp_path: Path, name: str) -> None:
    CHANGES[name](saved)
    with pytest.raises(InputError) as error:
        load(tmp_path, saved)
    assert "\n" not in str(error.value)


def test_a_number_too_large_to_be_one_is_refused_wherever_it_stands(saved: dict[str, Any], tmp_path: Path) -> None:
    saved["steps"][0]["seconds"] = "HERE"
    (tmp_path / "results.json").write_text(json.dumps(saved).replace('"HERE"', "1e999"))
    with pytest.raises(InputError, match="1e999 is no number"):
        RunRecords.load(tmp_path)


def positions(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where something stands in a JSON value; the first item of a list stands for them all."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, item in items:
        yield from positions(item, (*path, key))


@pytest.mark.parametrize("other", ["text", None, True, -1, [], {}, [1], {"a": 1}], ids=repr)
def test_whatever_stands_anywhere_is_refused_or_can_be_told(saved: dict[str, Any], tmp_path: Path, other: Any) -> None:
    refused = 0
    for path in positions(saved):
        changed = copy.deepcopy(saved)
        inner: Any = changed
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = other
        try:
            found = load(tmp_path, changed)
        except InputError as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            assert results_table(found) and to_csv(found) and to_latex(found) and headline(found)
            json.dumps(found.to_dict(), allow_nan=False)
    assert refused > 100, "most of what a run saves is of one type only"


@pytest.mark.parametrize("values", [[], 7, None, "text", {}, {"format": "2"}])
def test_what_is_no_run_at_all_is_refused(values: object, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="another version"):
        load(tmp_path, values)
