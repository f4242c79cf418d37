"""The forms of a table's file, and texts that a file may not give back as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from w2s.tables import read_table

__all__ = ["FORMS", "TEXTS", "read"]


FORMS = [".parquet", ".csv", ".jsonl"]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "007",
        "1",
        "-3",
        "=1+1",
        "'=1",
        "''@x",
        "+49",
        "-",
        "'-3",
        "\tx",
        "\r",
        "a\r\nb",
        '"',
        "NA",
        "nan",
        "null",
        "true",
        ";",
    ]
)


def read(tmp_path: Path, name: str, content: str | bytes) -> list[dict[str, Any]]:
    """What a file of that name and content holds."""
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    rows: list[dict[str, Any]] = read_table(tmp_path / name).to_pylist()
    return rows
