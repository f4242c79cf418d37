"""The stages fit together: an adapter is asked as it was trained, or it is said that it is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.commands import Say, refused
from support.experiments import in_splits, questions, write_rows
from w2s.cli import main
from w2s.pipeline.origin import origin_of, read_table

TEACH = ["--training.epochs=2", "--training.batch_size=4", "--training.learning_rate=5e-2", "--training.lora.rank=4"]


@pytest.fixture
def data(tmp_path: Path) -> str:
    return write_rows(tmp_path / "questions.jsonl", in_splits(questions()))


@pytest.fixture
def weak(say: Say, data: str, tmp_path: Path, tiny_llama: Path) -> str:
    """A weak supervisor, of the splits that the file names, answering by the words of the options."""
    task = ["--task.name=file", f"--task.data={data}", "--task.answer_format=text", "--task.num_variations=3"]
    model = [f"--model.name={tiny_llama}", "--model.dtype=float32"]
    text = say("supervisor", *task, *model, *TEACH, "--out", tmp_path / "weak")
    assert "8 rows, 4 steps in" in text and "on 12 questions" in text
    return str(tmp_path / "weak")


def test_an_adapter_brings_its_task_and_model_along(
    weak: str, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    main(["evaluate", "--adapter", weak, "--model.dtype=float32", "--json", "--out=p.parquet"])
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["questions"], found["rows"], found["out"]) == (12, 12, "p.parquet")
    assert "otherwise" not in err and "among those" not in err and "other weights" not in err
    # The same predictions as those that the supervisor was tested by.
    own, again = read_table(f"{weak}/predictions.parquet"), read_table("p.parquet")
    assert own.select(["question_id", "answer"]).equals(again.select(["question_id", "answer"]))
    text = say("compare", f"{weak}/predictions.parquet", "p.parquet")
    assert "+0.000" in text and "p = 1.000 (exact)" in text


def test_another_wording_is_said_and_so_are_questions_that_were_learned(
    weak: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", "--adapter", weak, "--model.dtype=float32", "--task.answer_format=letter"]
    main([*words, "--split=weak_train"])
    err = " ".join(capsys.readouterr().err.split())
    assert "asked otherwise than it was trained: answer_format is 'letter', it was 'text'" in err
    assert "8 of 8 questions of weak_train are among those that the adapter was trained on" in err


def test_an_adapter_on_other_weights_than_its_own_is_said(
    weak: str, tiny_qwen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["evaluate", "--adapter", weak, "--model.dtype=float32", f"--model.name={tiny_qwen}"])
    err = " ".join(capsys.readouterr().err.split())
    assert f"the adapter was trained on other weights than those of {tiny_qwen}" in err


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_a_table_says_its_task_from_stage_to_stage(weak: str, say: Say, tmp_path: Path, form: str) -> None:
    files = [tmp_path / f"{name}.{form}" for name in ("answers", "scored", "training")]
    found = json.loads(say("label", "--adapter", weak, "--model.dtype=float32", "--out", files[0], "--json"))
    assert (found["questions"], found["rows"], found["unparsed"]) == (16, 48, 0)
    say("score", files[0], "--out", files[1])
    say("select", files[1], "--method", "majority", "--out", files[2])
    origins = [origin_of(read_table(file)) for file in files]
    assert origins[0] is not None and origins[0] == origins[1] == origins[2]
    assert origins[0].asking["answer_format"] == "text" and origins[0].spec.num_variations == 3


def test_prompts_that_no_task_made_are_said(
    data: str, say: Say, tmp_path: Path, tiny_llama: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"prompt": f"Q: {row['question']} A:", "completion": row["answer"]} for row in questions()[:8]]
    write_rows(tmp_path / "mine.jsonl", rows)
    model = [f"--model.name={tiny_llama}", "--model.dtype=float32"]
    main(["train", str(tmp_path / "mine.jsonl"), *model, *TEACH, "--out", str(tmp_path / "student")])
    assert "8 of 8 completions do not begin with a space: one is put before them" in capsys.readouterr().err
    main(["evaluate", "--task.name=file", f"--task.data={data}", *model, "--adapter", str(tmp_path / "student")])
    err = " ".join(capsys.readouterr().err.split())
    assert "trained on prompts that no task of w2s made (such as 'Q: Which is number 0? A:')" in err


def test_a_file_with_a_test_split_alone_needs_no_sizes(
    say: Say, tmp_path: Path, tiny_llama: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{**row, "split": "test"} for row in questions()[:6]]
    rows.append({**rows[0], "id": "again"})
    data = write_rows(tmp_path / "test.jsonl", rows)
    for more in ([], ["--task.test=all"]):
        words = ["evaluate", "--task.name=file", f"--task.data={data}", f"--model.name={tiny_llama}", *more]
        main([*words, "--json"])
        out, err = capsys.readouterr()
        assert json.loads(out)["questions"] == 6 and "left out: 1 duplicate" in err


def test_a_supervisor_needs_right_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_rows(tmp_path / "q.jsonl", [{**row, "split": "transfer"} for row in questions()[:6]])
    words = ["supervisor", "--task.name=file", f"--task.data={data}", "--out=weak"]
    assert "weak_train has no questions" in refused(words, capsys)


def test_answers_are_no_ceiling(say: Say, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("question_id,variation,answer,prompt\nq,0,a,Q:\nq,1,b,Q:\n")
    say("score", "a.csv", "--out=s.csv")
    told = refused(["select", "s.csv", "--method=ceiling", "--out=t.jsonl"], capsys)
    assert told.startswith("ceiling learns from right answers, and these say not whose they are")
