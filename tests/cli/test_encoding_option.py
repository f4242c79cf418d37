"""Every command that reads a table reads it in the encoding that is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.commands import Say, refused
from support.experiments import in_splits, questions
from w2s.config import TaskSpec
from w2s.pipeline.lay import Lay
from w2s.tables import read_table
from w2s.tasks import task_from

SCORED = "question_id,variation,answer,prompt\na,0,Köln,Größte Stadt?\na,1,Köln,Stadt?\n"
WANTS = "it looks like Windows-1252: save it as UTF-8, or add --encoding windows-1252"


def put(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_bytes(text.encode("cp1252"))
    return folder / name


def test_score_select_and_train(tiny_llama: Path, here: Path, say: Say, capsys: pytest.CaptureFixture[str]) -> None:
    model = [
        "--model.name",
        tiny_llama,
        "--model.dtype",
        "float32",
        "--training.epochs",
        "1",
        "--store",
        here / "store",
    ]
    answers = put(here, "answers.csv", SCORED)
    assert WANTS in refused(["score", str(answers)], capsys)
    say("score", answers, "--encoding", "cp1252", "--out", "scored.csv")
    scored = put(here, "windows.csv", Path("scored.csv").read_text())
    assert WANTS in refused(["select", str(scored), "--method", "naive", "--out", "set.csv"], capsys)
    say("select", scored, "--encoding", "cp1252", "--method", "naive", "--out", "set.csv")
    assert read_table("set.csv")["prompt"].to_pylist() == ["Größte Stadt?"]
    rows = put(here, "rows.csv", Path("set.csv").read_text())
    assert WANTS in refused(["train", str(rows), "--out", "student"], capsys)
    assert "adapter: student" in say("train", rows, "--encoding", "cp1252", "--out", "student", *model)


@pytest.mark.parametrize("option", ["--encoding", "--task.encoding"])
def test_a_tasks_data(option: str, here: Path, say: Say, capsys: pytest.CaptureFixture[str]) -> None:
    data = put(here, "mine.csv", "question,answer\nGrößte Stadt?,Köln\n")
    sizes = ["--task.weak_train=0", "--task.transfer=0", "--task.test=all", "--task.num_variations=1"]
    words = ["label", "--task.name=file", f"--task.data={data}", *sizes, "--split=test", "--gold", "--out=gold.csv"]
    assert WANTS in refused(words, capsys)
    say(*words, option, "windows-1252")
    assert read_table("gold.csv")["answer"].to_pylist() == ["köln"]
    assert "not ascii, as --encoding says" in refused([*words, option, "ascii"], capsys)


def test_a_run_reads_its_data_so_and_its_steps_are_those_of_the_same_text(
    here: Path, small: list[str], say: Say, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{**row, "question": f"{row['question']} – “quote”"} for row in in_splits(questions())]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    utf8, windows = here / "utf8.jsonl", put(here, "windows.jsonl", text)
    utf8.write_text(text, encoding="utf-8")
    words = [word for word in small if not word.startswith("--task.data")]
    assert WANTS in refused([*words, f"--task.data={windows}", "--dry-run"], capsys)
    assert "steps" in say(*words, f"--task.data={windows}", "--task.encoding=cp1252", "--dry-run")
    keys = [
        Lay(task, task.splits()).questions("test").key
        for task in (
            task_from(TaskSpec(name="file", data=str(path), encoding=encoding, weak_train=8, transfer=16, test=12))
            for path, encoding in ((utf8, None), (utf8, "utf-8"), (windows, "cp1252"))
        )
    ]
    assert len(set(keys)) == 1


def test_a_task_without_a_file_has_no_encoding(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(["evaluate", "--encoding", "cp1252"], capsys)
    assert said == "encoding='cp1252': expected data as well, the file that is read so"
