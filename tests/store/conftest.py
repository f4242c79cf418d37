"""A store of each test's own, and what it says."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.archives import STEPS
from support.households import compute
from w2s.store import Store
from w2s.store.exchange import Link, pack


@pytest.fixture(autouse=True)
def informed(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.INFO, logger="w2s"):
        yield


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("source") / "store")
    compute(store, STEPS)
    return store


@pytest.fixture(scope="session")
def archive(source: Store) -> Path:
    file = source.root.parent / "run.tar.gz"
    report = source.root.parent / "report.html"
    report.write_text("the page")
    link = Link(path="seed-0/naive/adapter", address=STEPS[1].address, inner="sub")
    addresses = [step.address for step in STEPS]
    pack(source.root, file, addresses, name="run", files={"report.html": report}, links=[link])
    return file
