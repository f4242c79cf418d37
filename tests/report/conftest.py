"""What is slow to make is made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up import write_run

from w2s.report.page import write_page


@pytest.fixture(scope="session")
def large_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run of 20,000 questions."""
    folder = tmp_path_factory.mktemp("large")
    return write_page(write_run(folder, num_questions=20_000, prompt_length=400), folder / "report.html")
