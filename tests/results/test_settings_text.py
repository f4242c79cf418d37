"""The settings of a run as a file: what is found from one folder is found from any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from w2s.config import Experiment, ReliabilitySpec
from w2s.results.settings_file import settings_text


@pytest.mark.parametrize(("name", "found"), [("encoder", True), ("owner/name@main", False)])
def test_an_encoder_in_a_folder_is_written_in_full_and_a_hub_id_as_it_is(
    name: str, found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "encoder").mkdir()
    given: dict[str, Any] = {"encoder": name, "similarity": 0.8}
    experiment = Experiment(reliability=ReliabilitySpec(estimator="semantic-entropy", settings=given))
    written = yaml.safe_load(settings_text(experiment))["reliability"]["settings"]
    assert written == {"encoder": str(tmp_path / "encoder") if found else name, "similarity": 0.8}


def test_settings_of_an_estimator_without_models_are_written_as_they_are() -> None:
    given = {"temperature": 2.0}
    experiment = Experiment(reliability=ReliabilitySpec(estimator="probability", settings=given))
    assert yaml.safe_load(settings_text(experiment))["reliability"]["settings"] == given
