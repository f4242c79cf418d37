"""What a command decides about the data is said before its result, and what cannot be done with it is one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.commands import Say, refused
from w2s.cli import main
from w2s.tables import read_table

SIZES = ["--task.weak_train=0", "--task.transfer=0", "--task.test=all", "--task.num_variations=1", "--split=test"]
GOLD = ["label", "--task.name=file", *SIZES, "--gold", "--out=gold.jsonl"]
TWICE = '{"question": "Is a spoon cutlery?", "answer": "%s"}\n'


def test_how_a_file_is_read_is_said(here: Path, capsys: pytest.CaptureFixture[str], say: Say) -> None:
    (here / "a.csv").write_text("question_id;variation;answer;;\na;0;x;;\na;1;y;;\n")
    say("score", "a.csv", "--out", "scored.csv")
    (here / "q.csv").write_text("question,choices,answer\nQ?,wool|iron,iron\n")
    main(["score", "a.csv"])
    said = capsys.readouterr().err
    assert "    a.csv: read as cells with ';' between them\n" in said and "column 4 has no name" in said
    main([*GOLD, "--task.data=q.csv"])
    assert "    q.csv: every answer is read as the text of a choice\n" in capsys.readouterr().err


def test_questions_that_are_left_out_are_said_by_every_stage(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [TWICE % "yes", TWICE % "no", TWICE.replace("spoon", "fork") % "yes", TWICE.replace("spoon", "fork") % "Yes"]
    (here / "q.jsonl").write_text("".join(rows))
    main([*GOLD, "--task.data=q.jsonl"])
    said = capsys.readouterr().err
    assert "    left out: 2 contradictory answers\n" in said and "    left out: 1 duplicate\n" in said
    (here / "q.jsonl").write_text("".join(rows[:2]))
    assert "of 0 in all; left out: 2 contradictory answers" in refused([*GOLD, "--task.data=q.jsonl"], capsys)


@pytest.mark.parametrize("rule", ["drop_question", "drop_answer"])
def test_a_table_of_which_no_answer_is_left_is_refused(
    rule: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "a.csv").write_text("question_id,variation,answer\nq,0,\nq,1,\n")
    words = ["score", "a.csv", "--unparsed", rule, "--json", "--out", "o.csv"]
    assert refused(words, capsys) == f"a.csv: --unparsed {rule} leaves none of 2 answers"
    assert not (here / "o.csv").exists()


def test_the_summary_of_nothing_but_missing_answers_is_json(
    here: Path, capsys: pytest.CaptureFixture[str], say: Say
) -> None:
    (here / "a.csv").write_text("question_id,variation,answer\nq,0,\nq,1,\n")
    summary = json.loads(say("score", "a.csv", "--json"), parse_constant=pytest.fail)
    assert summary["unparsed_rate"] == 1.0


def test_a_training_set_with_a_question_of_no_name_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"prompt": "Q", "completion": " x", "question_id": id} for id in ("a", None, "b")]
    (here / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = refused(["train", "t.jsonl", "--training.eval_fraction", "0.4", "--out", "student"], capsys)
    assert said == "training set, row 2, column 'question_id': expected a value"


def test_an_adapter_of_pickled_weights_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "student").mkdir()
    (here / "student" / "adapter_config.json").write_text("{}")
    (here / "student" / "adapter_model.bin").write_bytes(b"\x80\x04N.")
    (here / "q.jsonl").write_text(TWICE % "yes")
    said = refused(["evaluate", "--task.name=file", "--task.data=q.jsonl", *SIZES, "--adapter=student"], capsys)
    assert said.startswith("adapter 'student' has no adapter_model.safetensors: weights in another form, as a pickled")


def test_a_path_may_begin_with_the_users_home(here: Path, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    (here / "q.jsonl").write_text(TWICE % "yes")
    say(*GOLD, "--task.data=~/q.jsonl")
    say("score", "~/gold.jsonl", "--out=~/scored.csv")
    assert read_table(here / "scored.csv")["answer"].to_pylist() == ["yes"]


def test_a_file_beside_the_output_is_left_alone(here: Path, say: Say) -> None:
    beside = [here / f"gold.jsonl{end}" for end in (".journal.jsonl", ".tmp", "~")]
    for path in beside:
        path.write_text("mine")
    (here / "q.jsonl").write_text(TWICE % "yes")
    say(*GOLD, "--task.data=q.jsonl")
    assert [path.read_text() for path in beside] == ["mine"] * 3
    written = {"gold.jsonl", "gold.jsonl.task.json"}
    assert {path.name for path in here.iterdir()} == {"q.jsonl", *written, *(path.name for path in beside)}


def test_an_interrupt_while_the_command_is_still_imported_is_one_line(here: Path) -> None:
    (here / "sitecustomize.py").write_text(
        "import sys\nclass Slow:\n    def find_spec(self, name, *_):\n        if name == 'w2s.cli.entry':\n"
        "            import time\n            print('now', flush=True)\n            time.sleep(60)\n"
        "sys.meta_path.insert(0, Slow())\n"
    )
    source = Path(sys.modules["w2s"].__file__ or "").parents[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "w2s", "tasks"],
        env={**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{source}"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "now\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said.count("\n")) == (130, 1) and said.startswith("w2s: interrupted")
