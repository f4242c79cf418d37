"""Anything at all, given to every command: it works, or is refused in one line, and nothing is lost.

`W2S_FUZZ=5000 pytest tests/cli/test_fuzz.py` looks further than the suite, at other inputs each time.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.experiments import questions
from support.fuzz import ABSURD, files
from w2s.cli import main

_MORE = os.environ.get("W2S_FUZZ")
FUZZ = settings(
    max_examples=int(_MORE or 150), derandomize=_MORE is None, deadline=None, suppress_health_check=list(HealthCheck),
    database=None,
)  # fmt: skip

# FILE is a file of any kind, WORD any word, NEW the name of a file that is not there; SMALL is a run that would go
# through, ASKED a stage of one.
_TASK = "--task.name=file --task.data={} --task.weak_train=1 --task.transfer=1 --task.test=1 --task.num_variations=2"
_ANY_TASK, ASKED = _TASK.format("FILE"), _TASK.format("questions.jsonl")
READS_A_FILE = f"""
    score FILE
    score FILE --out=NEW
    score FILE --out=FILE
    score FILE --estimator=probability --json
    score FILE --settings=WORD --temperature=WORD
    select FILE --method=filtering --out=NEW
    select FILE --method=reweighting-sampled --out=NEW --seed=WORD
    select FILE --method=majority --out=NEW --settings=WORD
    select FILE --method=naive --out=FILE
    train FILE --model.name=none --out=NEW
    train FILE --model.name=FILE --out=FILE
    train set.csv --config=FILE --model.name=none --out=NEW
    label {_ANY_TASK} --gold --out=NEW
    label {_ANY_TASK} --gold --out=FILE
    label --config=FILE --model.name=none ASKED
    label --adapter=FILE --model.name=none ASKED
    evaluate {_ANY_TASK} --model.name=none
    evaluate {_ANY_TASK} --model.name=none --task.paraphrases=FILE
    paraphrase {_ANY_TASK} --model.name=none --out=FILE
    paraphrase --config=FILE --model.name=none ASKED
    evaluate --task.name=mmlu --task.data=FILE --model.name=none
    evaluate --task.name=hellaswag --task.data=FILE --model.name=none
    evaluate --task.name=gsm8k --task.data=FILE --model.name=none
    evaluate --task.name=ethics --task.data=. --model.name=none
    evaluate --model.name=FILE ASKED
    run --config=FILE --dry-run SMALL
    run --config=FILE --print_config
    run --config FILE --methods=WORD --dry-run SMALL
    run --plugin=FILE --print_config
    run --student_training.lora=FILE --print_config
    run --dry-run SMALL {_ANY_TASK}
    run --store=FILE --dry-run SMALL
    run --out=FILE SMALL
    report FILE
    report . --format=WORD
    report FILE -o NEW
    compare FILE FILE
    compare set.csv FILE --json
    power FILE --effect=WORD
    power FILE --out=NEW
    export FILE --for=trl --out=NEW
    export FILE --for=WORD --out=FILE
    study FILE --dry-run
    study FILE --dry-run --out=FILE
    store import FILE --dry-run
    store import FILE
    store verify --store=FILE
    supervisor {_ANY_TASK} --model.name=none --out=NEW
    supervisor --config=FILE --model.name=none --out=NEW
    supervisor {_ANY_TASK} --model.name=none --out=FILE
    score FILE --gold=FILE --report=NEW
    score set.csv --normalize=FILE
    score set.csv --gold=FILE --estimator=votes,dawid-skene
""".strip().splitlines()
READS_A_WORD = """
    WORD
    run --dry-run SMALL --methods=WORD
    run --dry-run SMALL --seeds=WORD
    run --dry-run SMALL --task.name=WORD
    run --dry-run SMALL --reliability.settings=WORD
    run --dry-run SMALL --compare=WORD
    run --dry-run SMALL --config=WORD
    run --dry-run SMALL --student_training.lora.rank=WORD
    run --dry-run SMALL --student_training.learning_rate=WORD
    run --dry-run SMALL --task.templates=WORD
    run --dry-run SMALL --weak=WORD
    run --dry-run SMALL --weak.name=WORD
    run --dry-run SMALL --weak.settings=WORD
    run --dry-run SMALL --weak.source=WORD
    run --dry-run SMALL --plugins=WORD
    run --dry-run SMALL --plugin WORD
    run --dry-run SMALL --preset=WORD
    run --dry-run SMALL --out=WORD
    run --dry-run SMALL --store=WORD
    label ASKED --split=WORD --gold
    label ASKED --task.test=WORD --gold --out=NEW
    label ASKED --task.num_variations=WORD --model.name=none
    label ASKED --model.dtype=WORD --model.name=none
    evaluate ASKED --adapter=WORD --model.name=none
    evaluate --task.data=WORD --task.name=mmlu
    score WORD
    score set.csv --WORD
    score set.csv --unparsed=WORD
    score set.csv --estimator=WORD
    select WORD --method=naive --out=NEW
    select set.csv --method=WORD --out=NEW
    select set.csv --method=naive --out=WORD
    train WORD --out=NEW
    train set.csv --out=WORD --model.name=none
    report WORD
    report WORD -o WORD
    compare WORD set.csv
    power WORD --effect=WORD
    power --seed-sd=WORD --question-sd=0.1 --answer-sd=0.4
    export WORD --for=WORD --out=WORD
    export set.csv --for=alpaca --rows=WORD --weights=draw --out=NEW
    study WORD --dry-run
    store import WORD
    supervisor ASKED --seed=WORD --model.name=none --out=NEW
    tasks WORD
    doctor WORD
    sources WORD
    methods WORD
    models WORD
    estimators WORD
""".strip().splitlines()
SET = "question_id,variation,answer,prompt,completion\nq,0,a,p, a\nq,1,b,p, b\n"
QUESTIONS = "".join(json.dumps(row) + "\n" for row in questions(3))
WORDS = st.sampled_from(ABSURD) | st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


@contextlib.contextmanager
def folder_of_a_user(name: str, data: bytes) -> Iterator[Path]:
    """A working directory with files of a user's in it."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            Path(name).write_bytes(data)
            Path("set.csv").write_text(SET)
            Path("questions.jsonl").write_text(QUESTIONS)
            yield Path(folder)
        finally:
            os.chdir(before)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def holds(words: list[str], name: str = "given.txt", data: bytes = b"a", writes: tuple[str, ...] = ()) -> None:
    """Run a command, and make sure of how it ends."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with folder_of_a_user(name, data) as folder:
        before = contents(folder)
        status: object = 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main(words)
            except SystemExit as ended:
                status = ended.code or 0
        after = contents(folder)
    for stream in (out, err):
        stream.flush()
    said = err.buffer.getvalue().decode()  # type: ignore[attr-defined]
    what = f"w2s {words}, {name}: {data[:300]!r}\n{said}"
    assert status in (0, 2), what
    assert "Traceback" not in said, what
    if status == 2:
        *notes, last = said.splitlines() or [""]
        assert last.startswith("w2s: ") and last.isprintable(), what
        assert all(note.startswith("    ") for note in notes), what
    lost = {path for path, content in before.items() if after.get(path) != content}
    assert lost <= (set(writes) if status == 0 else set()), what


def filled(command: str, model: Path, name: str, word: str) -> list[str]:
    suffix = name.removesuffix(".gz").rpartition(".")[2]
    values = {"FILE": name, "WORD": word, "NEW": f"new.{suffix if suffix in ('csv', 'jsonl') else 'parquet'}"}
    words = []
    for part in command.split():
        if part in ("SMALL", "ASKED"):
            words += ASKED.split() + [f"--{who}.name={model}" for who in ("weak", "strong") if part == "SMALL"]
            continue
        for mark, value in values.items():
            part = part.replace(mark, value) if mark in part else part
        words.append(part)
    return words


@pytest.fixture(autouse=True)
def own_modules() -> Iterator[None]:
    """A plug-in of that name is another file in the next test."""
    modules = set(sys.modules)
    yield
    for name in set(sys.modules) - modules:
        if name.startswith("w2s_plugin_"):
            del sys.modules[name]


@FUZZ
@given(command=st.sampled_from(READS_A_FILE), file=files(), word=WORDS)
def test_any_file_is_taken_or_refused_in_one_line(
    tiny_llama: Path, command: str, file: tuple[str, bytes], word: str
) -> None:
    name, data = file
    words = filled(command, tiny_llama, name, word)
    holds(words, name, data, writes=(name,) if "--out=FILE" in command else ())


@FUZZ
@given(command=st.sampled_from(READS_A_WORD), word=WORDS)
def test_any_word_is_taken_or_refused_in_one_line(tiny_llama: Path, command: str, word: str) -> None:
    holds(filled(command, tiny_llama, "given.txt", word), writes=("given.txt",))
