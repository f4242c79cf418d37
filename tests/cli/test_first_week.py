"""Three jobs of a new user, typed as one would: the paper's grid, pieces of one's own in Python, and mistakes."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

import w2s
from support.commands import Say, refused
from support.experiments import in_splits, questions, training, write_rows
from w2s.cli import main
from w2s.errors import InputError

ROOT = Path(__file__).parents[2]

# The paper's grid, dry


def test_the_papers_grid_is_planned_from_its_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "studies" / "paper.yaml").read_text()
    small = "\nbase:\n  task.weak_train: 40\n  task.transfer: 40\n  task.test: 40\n"
    assert "\nbase:\n" in text
    (here / "paper.yaml").write_text(text.replace("\nbase:\n", small).replace("seeds: [0, 1, 2]", "seeds: [0]"))
    with pytest.raises(SystemExit, match="0"):
        main(["study", "paper.yaml", "--dry-run"])
    said = capsys.readouterr().out
    assert all(task in said for task in ("hellaswag", "gsm8k", "mmlu", "ethics"))
    assert re.search(r"^kind +to do +in all +rows +tokens +about$", said, re.MULTILINE)
    assert "Llama-2-13b-chat-hf: 13.0B parameters" in said and "float" in said
    assert re.search(r"^time .*\n(.*\n)*memory .*\ndisk ", said, re.MULTILINE)
    assert "null" not in said and "None" not in said


# One's own task, method and score, from Python

PIECES = '''
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import w2s
from w2s.tasks.multiple_choice import MultipleChoice
from w2s.tasks.questions import Example, Question


@w2s.register
class Doubles(MultipleChoice):
    """Twice a number."""

    name = "doubles"
    summary = "twice a number"
    source = "made here"
    licence = "none"
    templates = {
        "letter": "Twice {question}?\\n{options}\\nAnswer:",
        "text": "Twice {question}?\\nOptions:\\n{options}\\nAnswer:",
    }

    def examples(self):
        for n in range(100, 160):
            choices = tuple(str(2 * n + d) for d in (0, 1, 2, 10))
            choices = choices[n % 4 :] + choices[: n % 4]
            yield Example(question=Question(id=str(n), text=str(n), choices=choices), answer=str(2 * n))


def sure(answers: pa.Table) -> pa.Table:
    scored = w2s.score_answers(answers)
    trust = pc.power(scored["vote_share"], 2)
    table = scored.select(answers.column_names).append_column("confidence", trust)
    return table.append_column("uncertainty", pc.subtract(1.0, trust))


w2s.register(w2s.estimator_from("squared", sure, summary="vote share, squared"))


def first(scored: pa.Table, *, rows: int = 8, seed: int = 0) -> w2s.TrainingSet:
    found = w2s.candidates_from(scored)
    return found.keep(np.arange(found.rows.num_rows) < rows, otherwise="later").parsed().training_set("the first rows")


w2s.register(w2s.select_then_train("first", first, summary="the first rows"))
'''


@pytest.fixture
def mine(here: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Pieces in a file that is imported, as after %%writefile in a notebook."""
    (here / "mine_of_a_week.py").write_text(PIECES)
    monkeypatch.syspath_prepend(str(here))
    sys.modules.pop("mine_of_a_week", None)
    import importlib

    return importlib.import_module("mine_of_a_week")


@pytest.mark.usefixtures("no_page")
def test_pieces_of_ones_own_run_from_python_and_again_from_the_saved_settings(
    mine: ModuleType, here: Path, tiny_llama: Path, tiny_gemma: Path, say: Say
) -> None:
    task = mine.Doubles(w2s.TaskSpec(weak_train=8, transfer=12, test=16, num_variations=2))
    experiment = w2s.Experiment(
        task=task,
        weak=w2s.WeakSpec(name=str(tiny_llama), dtype="float32"),
        strong=w2s.ModelSpec(name=str(tiny_gemma), dtype="float32"),
        methods=["naive", {"method": "first", "rows": 6}, "ceiling"],
        reliability=w2s.ReliabilitySpec(estimator="squared"),
        weak_training=training(),
        student_training=training(),
    )
    result = w2s.run(experiment, out="run", store=w2s.Store(here / "store"))
    assert "doubles" in repr(result) and len(repr(result).splitlines()) <= 26
    html = result._repr_html_()
    assert "<table" in html and "first" in html and "<script" not in html
    frame = result.to_pandas()
    assert list(frame["method"]) == ["weak supervisor", "naive", "first", "ceiling"] and set(frame["task"]) == {
        "doubles"
    }
    assert frame["accuracy"].between(0, 1).all() and frame["seed"].isna().all()
    assert result.guessing.chance == 0.25 and "chance 0.250" in str(result.table())
    shutil.move("run/experiment.yaml", "again.yaml")
    again = say("run", "--config", "again.yaml", "--store", "store", "--dry-run")
    assert "to do  " not in again and "mine_of_a_week.py" in Path("again.yaml").read_text()
    both = say("report", "run", "run", "--format", "json")
    assert {row["method"] for row in json.loads(both)["rows"]} >= {"naive", "first"}
    header, *rows = say("report", "run", "run", "--format", "csv").splitlines()
    assert header.replace('"', "").startswith("cell,task,supervisor,student,method") and len(rows) == 8


def test_a_task_that_no_other_process_could_make_is_refused(mine: ModuleType) -> None:
    class Unknown(mine.Doubles):  # type: ignore[misc, name-defined]
        name = "unknown"

    with pytest.raises(InputError, match=r"its class Unknown is not registered; write @w2s\.register above it"):
        w2s.Experiment(task=Unknown())
    task = mine.Doubles()
    task.rows = [1, 2]
    with pytest.raises(InputError, match="holds rows, which no other process would know"):
        w2s.Experiment(task=task)
    with pytest.raises(InputError, match=r"expected TaskSpec\(name='mmlu'\), or an instance"):
        w2s.Experiment(task="mmlu")  # type: ignore[arg-type]


def test_a_task_that_was_asked_for_its_questions_is_still_made_from_its_settings(mine: ModuleType) -> None:
    task = mine.Doubles(w2s.TaskSpec(weak_train=8, transfer=12, test=16))
    assert len(task.splits().questions) == 36
    experiment = w2s.Experiment(task=task)
    assert experiment.task == w2s.TaskSpec(name="doubles", weak_train=8, transfer=12, test=16)


# Mistakes: one line, status 2, and nothing left behind


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("run --task.name geografy", "unknown task 'geografy': … did you mean 'geography'?"),
        ("run --methods naive,filterin", "unknown method 'filterin': … did you mean 'filtering'?"),
        ("run --methods {method:filtering}", "expected a name, or {method: NAME, SETTING: VALUE}"),
        (
            "run --methods '{method: filtering, quantil: 0.3}'",
            "unknown setting of method filtering 'quantil': … 'quantile'?",
        ),
        ("run --filtering.quantile 0.3", "a method's settings stand with it in the list of methods"),
        ("run --compare filtering,naive --methods naive", "compare names 'filtering'"),
        ("run --weak.name path/to/nothing/here", "unknown model 'path/to/nothing/here'"),
        ("run --strong.name ./nothing", "model './nothing': no such file or folder"),
        ("run --student_training.lora.targets q_porj,v_proj", "matches the full name of no module"),
        ("run --weak_training.lora.targets [v_porj]", "has no module 'v_porj'; did you mean 'v_proj'?"),
        ("run --seeds 0,one", "seeds is 'one': expected a whole number"),
        ("run --seeds 0 1", "unexpected '1': several values are separated by commas"),
        ("run --config nothing.yaml", "no such file: nothing.yaml"),
        ("run --task.name file", "task file"),
        ("run --task.name file --task.data nothing.jsonl", "nothing.jsonl"),
        ("run --weak.examples 3", "source trained shows none, prompted does"),
        ("run --preset papr", "unknown preset 'papr': … did you mean 'paper'?"),
        ("runn", "unknown command 'runn': … did you mean 'run'?"),
        ("score nothing.csv", "nothing.csv"),
        ("report nothing", "nothing is not a finished run"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    typed: str, said: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import shlex

    monkeypatch.setenv("W2S_HOME", str(here / "store"))
    found = refused(shlex.split(typed), capsys)
    at = [found.find(part.strip()) for part in said.split("…")]
    assert -1 not in at and at == sorted(at), found
    assert not list(here.iterdir())


# What the table tells


@pytest.mark.usefixtures("no_page")
def test_a_table_says_who_gives_one_answer_to_all_and_who_is_below_chance(
    say: Say, here: Path, tiny_llama: Path, tiny_gemma: Path
) -> None:
    rows = [{**row, "choices": ["yes", "no"], "answer": "no"} for row in in_splits(questions())]
    for row in rows[:8]:
        row["answer"] = "yes"  # what the weak supervisor learns is never right
    write_rows(here / "q.jsonl", rows)
    sizes = "--task.weak_train 8 --task.transfer 16 --task.test 12 --task.num_variations 2"
    train = "training.epochs 4 training.learning_rate 0.03 training.batch_size 4 training.lora.rank 4"
    trains = [
        word if index % 2 else f"--{who}_{word}"
        for who in ("weak", "student")
        for index, word in enumerate(train.split())
    ]
    models = [
        "--weak.name",
        tiny_llama,
        "--weak.dtype",
        "float32",
        "--strong.name",
        tiny_gemma,
        "--strong.dtype",
        "float32",
    ]
    run = "run --task.name file --task.data q.jsonl --methods naive,ceiling --store store --out run"
    said = say(*run.split(), *sizes.split(), *trains, *models)
    assert "Without reading the questions: chance 0.500, always “no” 1.000" in said
    assert re.search(r"^Below chance: .*weak supervisor", said, re.MULTILINE), said
    assert re.search(r"^One answer to almost all: .*gives “yes” to \d+% of the test questions", said, re.MULTILINE), (
        said
    )
    assert "The weak supervisor: " in said  # the verdict of its diagnosis
    again = say("report", "run", "--format", "table")
    assert "Below chance: " in again and "The weak supervisor: " in again
    found = json.loads((here / "run" / "results.json").read_text())
    assert found["guessing"] == {"chance": 0.5, "constant": "no", "constant_accuracy": 1.0}
    assert found["pooled"][0]["same_answer"] == "yes" and found["pooled"][0]["same_answer_share"] >= 0.9
