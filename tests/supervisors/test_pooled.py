"""Several supervisors whose answers vote together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.asked import laid, task
from support.experiments import small_experiment
from support.faulty import FaultyServer
from w2s.config import WeakSpec
from w2s.errors import InputError
from w2s.runners import local
from w2s.store import Store
from w2s.supervisors import SOURCES
from w2s.tables import read_table


def test_supervisors_are_pooled_under_their_names(
    data: str, server: FaultyServer, store: Store, tiny_llama: Path, tiny_gemma: Path
) -> None:
    members = [
        {"name": "first", "weak": {"source": "server", "url": server.url, "name": "big"}},
        {"name": "second", "weak": {"source": "simulated", "settings": {"annotators": 2}}},
        {"name": "third", "weak": {"source": "trained", "name": str(tiny_llama), "dtype": "float32"}},
    ]
    base = small_experiment(data, tiny_llama, tiny_gemma, methods=["naive"])
    pooled = replace(base, weak=WeakSpec(source="pooled", settings={"members": members}), task=task(data))
    supervision = laid(pooled)
    local.run([supervision.answers, supervision.predictions], store)
    answers = read_table(store.path(supervision.answers) / "answers.parquet")
    names = answers["supervisor"].to_pylist()
    assert {name: names.count(name) for name in set(names)} == {
        "first": 48, "second: simulated-1": 48, "second: simulated-2": 48, "third": 48,
    }  # fmt: skip
    assert read_table(store.path(supervision.predictions) / "predictions.parquet").num_rows == 12
    assert supervision.calibration is not None
    with pytest.raises(InputError, match="supervisor third is trained, which needs questions"):
        laid(replace(pooled, task=task(data, weak_train=0)))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "members is None: expected a list"),
        ({"members": [{"name": "a", "weak": {}}]}, "expected a list"),
        ({"members": [{"name": "a", "weak": {}}, {"name": "a", "weak": {}}]}, "are called 'a'"),
        ({"members": [{"name": "a", "weak": {}}, {"weak": {}}]}, "expected {name: "),
        ({"members": [{"name": "a", "weak": {"sourc": "x"}}, {"name": "b", "weak": {}}]}, "weak.source"),
        ({"members": [{"name": "a", "weak": {"source": "pooled"}}, {"name": "b", "weak": {}}]}, "pooled itself"),
        ({"member": []}, "did you mean 'members'"),
    ],
)
def test_members_that_are_none_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        SOURCES["pooled"].check(WeakSpec(source="pooled", settings=settings))
