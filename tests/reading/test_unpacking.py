"""A packed file unpacks to what a table may hold, or is refused before it fills the memory."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from w2s.errors import InputError
from w2s.reading import unpacking
from w2s.tables import read_table

MIB = 1 << 20


def gzipped(path: Path, block: bytes, times: int) -> Path:
    """A file that unpacks to a block over and over."""
    with gzip.open(path, "wb", compresslevel=9) as file:
        for _ in range(times):
            file.write(block)
    return path


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz", "a.parquet.gz"])
def test_a_bomb_is_refused_in_one_line_that_says_the_limit(name: str, tmp_path: Path) -> None:
    path = gzipped(tmp_path / name, b"\n" * MIB, 80)
    size = path.stat().st_size
    assert size < 100_000
    with pytest.raises(InputError) as caught:
        read_table(path)
    assert str(caught.value) == (
        f"{path}: its {size:,} bytes unpack to more than 67,108,864 bytes, the limit (100 times the size, or 64 Mi); "
        "if it is meant to be so large, unpack it yourself"
    )


def test_a_bomb_is_refused_without_using_the_memory(tmp_path: Path) -> None:
    path = gzipped(tmp_path / "a.csv.gz", b"0" * MIB, 1024)
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom w2s.errors import InputError\n"
        "from w2s.reading.unpacking import bytes_of\nbefore = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    bytes_of(Path(sys.argv[1]))\nexcept InputError:\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(ended.stdout) * unit < 16 * MIB


def test_what_is_below_the_limit_is_read_whole_and_what_is_above_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "ALWAYS_UNPACKED", 1000)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"answer\n" + b"xyz\n" * 248))  # 999 bytes
    assert read_table(tmp_path / "a.csv.gz").num_rows == 248
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"answer\n" + b"xyz\n" * 2000))
    with pytest.raises(InputError, match=r"unpack to more than \d,\d{3} bytes"):
        read_table(tmp_path / "a.csv.gz")


def test_several_files_zipped_one_after_the_other_are_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"answer\nx\n") + gzip.compress(b"y\n"))
    assert read_table(tmp_path / "a.csv.gz")["answer"].to_pylist() == ["x", "y"]


@pytest.mark.parametrize("zipped", [False, True])
def test_a_parquet_file_of_one_value_a_billion_times_is_refused(zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    column = pa.DictionaryArray.from_arrays(pa.array(bytes(MIB), pa.int8()), pa.array(["x"]))
    with pyarrow.parquet.ParquetWriter(path, pa.schema({"answer": column.type})) as writer:
        for _ in range(80):
            writer.write_table(pa.table({"answer": column}))
    if zipped:
        path = tmp_path / "a.parquet.gz"
        path.write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
    with pytest.raises(InputError, match=r"unpack to more than 67,108,864 values, the limit"):
        read_table(path)


def test_a_parquet_file_of_few_values_that_unpack_to_much_is_refused(tmp_path: Path) -> None:
    texts = pa.array(["x" * (90 * MIB)])
    pyarrow.parquet.write_table(pa.table({"answer": texts}), tmp_path / "a.parquet", compression="zstd")
    with pytest.raises(InputError, match=r"unpack to more than 67,108,864 bytes, the limit"):
        read_table(tmp_path / "a.parquet")
