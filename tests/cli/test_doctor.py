"""What the doctor says of this machine's rates, measured or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.commands import Say
from w2s.forecast import measure
from w2s.forecast.rates import RATES_FILE, measured_here


def test_rates_are_measured_kept_and_said(say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "_SECONDS", 0.0)
    monkeypatch.setattr(measure, "TOKENS", (2, 8))
    monkeypatch.setattr(measure, "_start", lambda: 1.5)
    store = ["--store", tmp_path / "store"]
    before = say("doctor", *store)
    assert "not measured here" in before and not (tmp_path / "store").exists()
    said = say("doctor", "--measure", *store)
    assert "parameters x tokens a second, LoRA" in said and "1.5 s of a process" in said
    assert (tmp_path / "store" / RATES_FILE).is_file()
    found = measured_here(tmp_path / "store")
    assert found is not None and found.rates.training > 0 and found.rates.forward > 0 and found.rates.start == 1.5
    assert f"measured on {found.date[:10]}" in say("doctor", *store)
