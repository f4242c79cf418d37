"""Job E: one's own task, method and score, from a notebook."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

import w2s
from support.commands import Say
from support.experiments import training
from w2s.errors import InputError

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
    assert result.guessing.chance == 0.25
    assert re.search(r"^\(chance\) +0\.250$", str(result.table()), re.MULTILINE)
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
