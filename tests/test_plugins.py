"""Pieces from a user's own file: from the command line, through a kill; and what is refused of them."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import w2s
from support.commands import Say
from support.experiments import SIZES, in_splits, questions, write_rows
from support.registries import no_plugin_loaded
from w2s import plugins
from w2s.cli import main
from w2s.errors import InputError
from w2s.files import sha256_of
from w2s.methods import METHODS
from w2s.plugins import load_plugins, loaded_plugins, place_of, register
from w2s.reliability import score_answers
from w2s.reliability.base import add_scores, estimator_from
from w2s.runners.working import _that_travels
from w2s.running import Result

NAIVE = METHODS["naive"]
EXAMPLE = Path(__file__).parents[1] / "examples" / "my_pieces.py"

METHOD = """
import w2s
from w2s.methods import METHODS

w2s.register(w2s.Method(name={name!r}, summary="as naive", steps=METHODS["naive"].steps,
                        settings={{}}, selectors=METHODS["naive"].selectors))
"""


@pytest.fixture(autouse=True)
def registries_as_before() -> Iterator[None]:
    """What a test registers is gone after it."""
    with no_plugin_loaded():
        yield


@pytest.fixture
def w2s_says(capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command; what it printed on standard output."""

    def run(*words: object) -> str:
        capsys.readouterr()
        with no_plugin_loaded():
            main([str(word) for word in words])
        return capsys.readouterr().out

    return run


# On the command line


def test_the_lists_show_the_pieces_of_a_plugin(capsys: pytest.CaptureFixture[str]) -> None:
    pieces = {"tasks": "sums", "methods": "second-chance", "estimators": "inverse-entropy", "sources": "one-shot"}
    for what, name in pieces.items():
        main([what])
        assert name not in capsys.readouterr().out
    for what, name in pieces.items():
        main([what, "--plugin", str(EXAMPLE)])
        assert re.search(rf"^{name}\b", capsys.readouterr().out, re.MULTILINE)
    main(["tasks", "sums", f"--plugin={EXAMPLE}"])
    assert "What is {question}?" in capsys.readouterr().out


@pytest.fixture(scope="module")
def words(tiny_llama: Path, tiny_gemma: Path) -> list[object]:
    """A run of each piece of the example, on tiny models."""
    sizes = {"weak_train": 8, "transfer": 16, "test": 12, "num_variations": 3}
    training = {"epochs": 2, "batch_size": 4, "learning_rate": 0.02, "lora.rank": 4, "lora.alpha": 8}
    return [
        *("run", "--plugin", EXAMPLE, "--task.name=sums", "--weak.source=one-shot"),
        *("--reliability.estimator=inverse-entropy", "--student_training.loss=focal"),
        *("--methods=[naive, second-chance, ceiling]", "--strong.dtype=float32", "--weak.dtype=float32"),
        *(f"--weak.name={tiny_llama}", f"--strong.name={tiny_gemma}"),
        *(f"--task.{name}={value}" for name, value in sizes.items()),
        *(f"--student_training.{name}={value}" for name, value in training.items()),
    ]


def finished(store: Path, kind: str = "*") -> int:
    return len(list(store.glob(f"{kind}/*/manifest.json")))


def test_a_run_with_a_plugin_that_is_killed_goes_on_to_the_results_of_one_that_was_not(
    words: list[object], tmp_path: Path, w2s_says: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, out = tmp_path / "store", tmp_path / "run"
    killed = [*words, "--store", store, "--out", out]
    command = [sys.executable, "-m", "w2s", *map(str, killed)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not finished(store, "training") and process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = finished(store)
    assert kept >= 3 and not (out / "results.json").exists()

    text = w2s_says(*killed)
    counts = re.search(r"(\d+) steps computed, (\d+) found done", text)
    assert counts is not None, text
    assert int(counts[1]) == finished(store) - kept and int(counts[2]) >= 1
    assert "second-chance" in text
    assert "\n0 of " in w2s_says(*words, "--store", store, "--dry-run")

    # One page is enough, and takes longer than the run.
    monkeypatch.setattr(Result, "save_report", lambda self, path: path)
    monkeypatch.setattr(Result, "save_figures", lambda self, folder, **more: [])
    w2s_says(*words, "--store", tmp_path / "other", "--out", tmp_path / "whole")
    again, whole = (json.loads((tmp_path / name / "results.json").read_text()) for name in ("run", "whole"))
    assert {record["method"] for record in whole["records"]} >= {"naive", "second-chance", "ceiling"}
    for results in (again, whole):
        for record in results["records"]:
            record.pop("seconds")
    assert again["records"] == whole["records"]


def keys(text: str) -> dict[str, str]:
    """The key of each step that a dry run lists."""
    rows = re.findall(r"^(?:done|to do|not needed) +[\w-]+ +(.*?) +([0-9a-f]{12})$", text, re.MULTILINE)
    return dict(rows)


def test_an_edit_changes_the_keys_of_what_the_plugin_decides_and_no_others(
    tmp_path: Path, tiny_llama: Path, w2s_says: Say
) -> None:
    data = write_rows(tmp_path / "questions.jsonl", in_splits(questions()))
    mine, moved = tmp_path / "mine.py", tmp_path / "elsewhere" / "mine.py"
    mine.write_text(METHOD.format(name="mine"))
    run = ["run", "--task.name=file", f"--task.data={data}", "--methods=[naive, mine, ceiling]", "--dry-run"]
    run += ["--task.weak_train=8", "--task.transfer=16", "--task.test=12", f"--store={tmp_path / 'store'}"]
    run += [f"--weak.name={tiny_llama}", f"--strong.name={tiny_llama}"]
    before = keys(w2s_says(*run, "--plugin", mine))
    moved.parent.mkdir()
    shutil.copy(mine, moved)
    assert keys(w2s_says(*run, "--plugin", moved)) == before, "where the file is decides nothing"
    mine.write_text(mine.read_text() + "# edited\n")
    after = keys(w2s_says(*run, "--plugin", mine))
    changed = {label for label in before if before[label] != after[label]}
    assert before.keys() == after.keys() and changed
    assert changed == {label for label in before if label.startswith("mine")}


# What is refused


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "mine.py: no such file"),
        ("1 / 0\n", "mine.py fails: ZeroDivisionError: division by zero"),
        ("def\n", "mine.py fails: SyntaxError: invalid syntax"),
        ("import w2s\nw2s.register(3)\n", "3 cannot be registered: expected a Task class, a Source, "),
        (METHOD.format(name="naive"), "method 'naive' is there already: expected another name"),
    ],
)
def test_a_plugin_that_fails_is_one_line(
    content: str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / "mine.py").write_text(content)
    with pytest.raises(SystemExit) as ended:
        main(["methods", "--plugin", str(tmp_path / "mine.py")])
    out, err = capsys.readouterr()
    assert ended.value.code == 2 and out == ""
    assert err.startswith("w2s: ") and err.count("\n") == 1 and said in err


FAILING = """
import w2s
from w2s.reliability.base import estimator_from

def broken(answers):
    return answers["nothing"]

w2s.register(estimator_from("broken", broken, summary="fails"))
"""


def test_an_error_in_a_plugin_s_code_names_its_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(FAILING)
    (tmp_path / "a.csv").write_text("question_id,variation,answer\nq,0,a\nq,1,b\n")
    words = ["score", str(tmp_path / "a.csv"), "--plugin", str(file), "--estimator=broken"]
    with pytest.raises(SystemExit):
        main(words)
    said = capsys.readouterr().err
    assert said.startswith("w2s: KeyError: ")
    assert said.endswith(f"(in plug-in {file.resolve()}, line 6; --debug shows where)\n")


def test_an_error_that_came_from_another_process_names_the_plugin_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(FAILING)
    load_plugins([file])
    with pytest.raises(KeyError) as caught:
        score_answers(pa.table({"question_id": ["q"], "variation": [0], "answer": ["a"]}), estimator="broken")
    travelled = pickle.loads(pickle.dumps(_that_travels(caught.value)))
    assert travelled.__traceback__ is None
    assert place_of(travelled) == f"{file.resolve()}, line 6"
    assert place_of(RuntimeError("ours")) is None


def test_the_option_needs_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["methods", "--plugin"])
    assert ended.value.code == 2 and capsys.readouterr().err == "w2s: --plugin: expected a Python file\n"


def test_a_settings_file_can_name_plugins(tmp_path: Path, tiny_llama: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text(METHOD.format(name="mine"))
    data = write_rows(tmp_path / "questions.jsonl", in_splits(questions()))
    settings = {
        "plugins": [str(tmp_path / "mine.py")],
        "methods": ["mine"],
        "task": {"name": "file", "data": data, **SIZES},
        "weak": {"name": str(tiny_llama)},
        "strong": {"name": str(tiny_llama)},
    }
    (tmp_path / "a.yaml").write_text(json.dumps(settings))
    main(["run", "--config", str(tmp_path / "a.yaml"), "--store", str(tmp_path / "store"), "--dry-run"])
    assert "mine: training · seed 0" in keys(capsys.readouterr().out)
    assert list(loaded_plugins()) == settings["plugins"]


@pytest.mark.parametrize("value", ["mine.py", 3, [3], {"a": "b"}])
def test_plugins_of_a_settings_file_that_are_no_list_are_refused(
    value: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text(json.dumps({"plugins": value}))
    with pytest.raises(SystemExit) as ended:
        main(["run", "--config", str(tmp_path / "a.yaml"), "--dry-run"])
    said = f"plugins is {value!r}: expected a list of Python files, such as [a.py]"
    assert ended.value.code == 2 and capsys.readouterr().err == f"w2s: {said}\n"


# In a program


@pytest.mark.parametrize(
    "wrong",
    [lambda answers: answers[::-1], lambda answers: answers.slice(1), lambda answers: None],
    ids=["another order", "fewer rows", "nothing"],
)
def test_an_estimator_that_does_not_give_its_answers_back_is_refused(wrong: Callable[[pa.Table], Any]) -> None:
    def mine(answers: pa.Table) -> pa.Table:
        half = pa.array([0.5] * answers.num_rows)
        return wrong(add_scores(answers, confidence=half, uncertainty=half))

    variations = pa.array([0, 0, 1], pa.int32())
    answers = pa.table({"question_id": ["1", "2", "2"], "variation": variations, "answer": ["a", "b", "a"]})
    register(estimator_from("mine", mine, summary="half"))
    with pytest.raises(InputError, match="estimator 'mine' did not give back the answers that it was given"):
        score_answers(answers, estimator="mine")


def test_a_name_that_is_taken_is_refused_and_what_had_it_stays() -> None:
    other = w2s.Method(name="naive", summary="another", steps=NAIVE.steps, settings={}, selectors=NAIVE.selectors)
    with pytest.raises(InputError, match="method 'naive' is there already: expected another name"):
        register(other)
    assert METHODS["naive"] is NAIVE and METHODS.version("naive") == NAIVE.version
    assert list(loaded_plugins()) == []


def test_what_a_file_registers_is_there_with_the_files_hash_as_its_version() -> None:
    mine = w2s.Method(name="mine", summary="mine", steps=NAIVE.steps, settings={}, selectors=NAIVE.selectors)
    assert register(mine) is mine and METHODS["mine"] is mine
    assert register(mine) is mine  # once more is no fault
    assert re.fullmatch(r"[0-9a-f]{64}", str(METHODS.version("mine")))
    assert list(loaded_plugins()) == [str(Path(__file__).resolve())]


def test_what_no_other_process_could_find_is_refused() -> None:
    code = "import w2s\nfrom w2s.methods import METHODS\nw2s.register(METHODS['naive'])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 1 and "put it into a file" in ended.stderr


def test_a_plugin_is_run_once_and_refused_when_it_changed_since(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(METHOD.format(name="mine"))
    load_plugins([mine])
    first = METHODS["mine"]
    load_plugins([mine, str(mine)])
    assert METHODS["mine"] is first
    mine.write_text(METHOD.format(name="other"))
    with pytest.raises(InputError, match=r"mine\.py changed since it was loaded: start again"):
        load_plugins([mine])
    assert "other" not in METHODS


def test_a_plugin_that_changed_since_a_step_was_planned_is_refused_in_a_fresh_process(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(METHOD.format(name="mine"))
    load_plugins([file])
    planned = loaded_plugins()
    with no_plugin_loaded():
        file.write_text(METHOD.format(name="mine") + "\n")
        with pytest.raises(InputError, match=r"mine\.py changed since this was planned: start again"):
            load_plugins(planned)
        file.write_text(METHOD.format(name="mine"))
        assert load_plugins(planned) == [file.resolve()]


def test_two_plugins_with_one_name_are_refused(tmp_path: Path) -> None:
    for name, summary in (("a.py", "as naive"), ("b.py", "another")):
        (tmp_path / name).write_text(METHOD.format(name="mine").replace("as naive", summary))
    load_plugins([tmp_path / "a.py"])
    with pytest.raises(InputError, match="method 'mine' is there already"):
        load_plugins([tmp_path / "b.py"])
    assert list(loaded_plugins()) == [str(tmp_path / "a.py")]


def test_a_plugin_that_failed_can_be_put_right(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(METHOD.format(name="mine") + "1 / 0\n")
    with pytest.raises(InputError, match="ZeroDivisionError"):
        load_plugins([mine])
    assert list(loaded_plugins()) == []
    mine.write_text(METHOD.format(name="mine").replace("as naive", "put right"))
    load_plugins([mine])
    assert METHODS["mine"].summary == "put right" and list(loaded_plugins()) == [str(mine)]


def test_a_file_that_is_no_plugin_is_not_one_of_those_loaded(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    for _ in range(2):
        with pytest.raises(InputError, match=r"table\.csv: expected a Python file"):
            load_plugins([tmp_path / "table.csv"])
    assert list(loaded_plugins()) == []


def test_an_installed_package_brings_its_pieces_by_an_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_package.py").write_text(METHOD.format(name="theirs"))
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint(name="theirs", value="their_package", group="w2s.plugins")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point] if group == "w2s.plugins" else [])
    plugins.load_installed()
    assert "theirs" in METHODS and METHODS.version("theirs") == sha256_of(tmp_path / "their_package.py")
    assert list(loaded_plugins()) == [str(tmp_path / "their_package.py")], "so that another process finds it"
    plugins.load_installed()
    gone = EntryPoint(name="gone", value="no_such_package", group="w2s.plugins")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [gone])
    with pytest.raises(InputError, match="plug-in gone: its module no_such_package is not there"):
        plugins.load_installed()
