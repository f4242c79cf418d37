"""A piece whose output changes has a new version: else its new results would stand under the key of the old ones."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from w2s.reliability import ESTIMATORS
from w2s.tasks import TASKS
from w2s.training.losses import LOSSES

from .pieces import KEPT, differs, outputs

WRITTEN: dict[str, dict[str, Any]] = json.loads(KEPT.read_text(encoding="utf-8"))


def complaints(found: dict[str, dict[str, Any]]) -> list[str]:
    """What is wrong with each piece that changed."""
    said = []
    for name, now in found.items():
        before = WRITTEN.get(name)
        if before is None:
            said.append(f"{name} is new: write it down with python tests/golden/pieces.py")
        elif differs(json.loads(json.dumps(now["output"])), before["output"]) and now["version"] == before["version"]:
            said.append(f"{name} gives another output than its version {now['version']} did: raise the version")
        elif now["version"] != before["version"]:
            said.append(f"{name} has a new version: write it down with python tests/golden/pieces.py")
    return said + [f"{name} is gone: take it out of outputs.json" for name in WRITTEN if name not in found]


def test_every_piece_gives_what_its_version_gave() -> None:
    assert complaints(outputs()) == []


def test_an_edited_parser_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TASKS["gsm8k"], "parse", lambda self, text, question, variation: "42")
    assert complaints(outputs()) == ["task gsm8k gives another output than its version 4 did: raise the version"]


def test_an_edited_estimator_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    edited = replace(ESTIMATORS["probability"], estimate=ESTIMATORS["votes"].estimate)
    monkeypatch.setitem(ESTIMATORS, "probability", replace(edited, settings={}))
    assert any(said.startswith("estimator probability gives another") for said in complaints(outputs()))


def test_an_edited_selector_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from w2s.methods import filtering

    monkeypatch.setattr(filtering, "_TOLERANCE", 10.0)
    assert [said for said in complaints(outputs()) if said.startswith("method filtering gives another")]


def test_a_new_version_asks_for_its_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TASKS["mmlu"], "version", 99)
    assert complaints(outputs()) == ["task mmlu has a new version: write it down with python tests/golden/pieces.py"]


def test_an_edited_request_to_a_server_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("w2s.servers.requests._LETTER_TOKENS", {"chat": 11, "completion": 3})
    assert complaints(outputs()) == ["source server gives another output than its version 2 did: raise the version"]


def test_an_edited_step_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("w2s.pipeline.steps.fold_of", lambda ids, folds, seed: dict.fromkeys(ids, 0))
    assert complaints(outputs()) == ["kind fold gives another output than its version 1 did: raise the version"]


def test_an_edited_check_of_rewordings_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("w2s.paraphrasing.prompt._MANNERS", ("Be brief.",))
    said = ["kind paraphrases gives another output than its version 4 did: raise the version"]
    assert complaints(outputs()) == said
    monkeypatch.undo()
    monkeypatch.setattr("w2s.paraphrasing.numerals.Numbers.missing_in", lambda self, other: {})
    assert complaints(outputs()) == said


def test_an_edited_loss_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = LOSSES["cross-entropy"]
    half = replace(whole, function=lambda *given, **settings: 0.5 * whole.function(*given, **settings))
    monkeypatch.setitem(LOSSES, "cross-entropy", half)
    assert complaints(outputs()) == [
        "loss cross-entropy gives another output than its version 1 did: raise the version"
    ]
