"""The file of rewordings that `task.paraphrases` reads; one that another wrote, or edited, is never overwritten."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from w2s.errors import InputError
from w2s.files import atomic_write

__all__ = ["check_out", "write_paraphrases"]


def write_paraphrases(
    path: Path, paraphrases: Mapping[str, Sequence[str]], *, by: str, encoding: str | None = None
) -> None:
    """Write a row for each question, whole or not at all.

    Args:
        path: A `.jsonl` file.
        paraphrases: By the question's text.
        by: Who made them.
        encoding: Of the file, where its task reads another than UTF-8.

    Raises:
        InputError: A file is there that this function did not write.
    """
    check_out(path)  # again: it may have been hours
    lines = (json.dumps(_row(*one, by), ensure_ascii=encoding is not None) + "\n" for one in paraphrases.items())
    atomic_write(path, "".join(lines).encode(encoding or "utf-8"))


def check_out(path: Path) -> None:
    """Make sure that a file can be written.

    Raises:
        InputError: Its name is none for such a file, or a file is there that `write_paraphrases` did not write.
    """
    if path.suffix != ".jsonl":
        raise InputError(f"{path}: expected a name that ends in .jsonl")
    if path.is_dir() or (path.exists() and not _is_ours(path)):
        raise InputError(
            f"{path} is there, and not as w2s paraphrase wrote it: move it away, or choose another name for --out"
        )


def _row(question: str, paraphrases: Sequence[str], by: str) -> dict[str, str | list[str]]:
    """A row, with a checksum: who edits a file by hand makes it their own."""
    content = json.dumps([question, list(paraphrases), by])
    sum = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return {"question": question, "paraphrases": list(paraphrases), "by": by, "sha256": sum}


def _is_ours(path: Path) -> bool:
    data = path.read_bytes()
    for encoding in ("utf-8", "utf-16"):
        try:
            rows = [json.loads(line) for line in data.decode(encoding).split("\n") if line.strip()]
            return all(row == _row(row["question"], row["paraphrases"], row["by"]) for row in rows)
        except (ValueError, KeyError, TypeError):
            continue
    return False
