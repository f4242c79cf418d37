"""The command from end to end on tiny models: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.experiments import in_splits, questions, write_rows
from w2s.cli import main
from w2s.methods import METHODS
from w2s.models.bundled import BUNDLED
from w2s.running import Result
from w2s.tables import read_table
from w2s.tasks import TASKS

COMMANDS = ["run", "label", "score", "select", "train", "evaluate", "report", "tasks", "methods", "models", "doctor"]

Say = Callable[..., str]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command; what it printed on standard output."""

    def run(*words: object) -> str:
        capsys.readouterr()
        main([str(word) for word in words])
        return capsys.readouterr().out

    return run


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path, tiny_gemma: Path) -> Path:
    """A settings file of an experiment that takes seconds."""
    folder = tmp_path_factory.mktemp("config")
    training = {"epochs": 1, "batch_size": 8, "learning_rate": 0.02, "lora": {"rank": 4, "alpha": 8}}
    settings = {
        "task": {
            "name": "file",
            "data": write_rows(folder / "questions.jsonl", in_splits(questions())),
            **{"weak_train": 8, "transfer": 16, "test": 12, "num_variations": 3},
        },
        "weak": {"name": str(tiny_llama), "dtype": "float32"},
        "strong": {"name": str(tiny_gemma), "dtype": "float32"},
        "methods": ["naive", "ceiling"],
        "weak_training": training,
        "student_training": training,
    }
    path = folder / "experiment.yaml"
    path.write_text(json.dumps(settings))  # JSON is YAML
    return path


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Result, "save_report", lambda self, path: path)
    monkeypatch.setattr(Result, "save_figures", lambda self, folder, **_: [])


# Help


def test_the_main_help_lists_every_command(say: Say) -> None:
    for words in ([], ["--help"], ["-h"], ["help"]):
        text = say(*words)
        for command in COMMANDS:
            assert re.search(rf"^  {command} +\w+", text, re.MULTILINE), command


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_says_what_it_does_and_fits_the_terminal(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert text.startswith(f"usage: w2s {command} ") and max(map(len, text.splitlines())) <= 100
    summary = text.split("\n\n")[1]
    assert re.search(rf"^  {command} +{re.escape(summary)}$", main_help(capsys), re.MULTILINE)


def main_help(capsys: pytest.CaptureFixture[str]) -> str:
    main(["--help"])
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("run", ["--task.data", "--weak.name", "--strong.device", "--methods", "--seeds", "--preset", "--config"]),
        ("run", ["--student_training.lora.rank", "--evaluation.mode", "--reliability.unparsed", "--dry-run"]),
        ("label", ["--task.name", "--model.name", "--answering.mode", "--adapter", "--split", "--gold", "--out"]),
        ("train", ["--training.learning_rate", "--training.lora.dropout", "--model.dtype", "--seed"]),
        ("score", ["--temperature", "--unparsed", "--out", "--json"]),
    ],
)
def test_the_fields_of_the_settings_are_options_with_their_own_words(
    command: str, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for option in options:
        assert re.search(rf"{re.escape(option)}\b.{{0,40}}? \w\w+", text), option
    if command == "run":
        assert "An experiment" not in text and "By default the task's own" in text


def test_the_lists_name_all_there_is(say: Say) -> None:
    assert all(name in say("tasks") for name in TASKS)
    assert all(name in say("models") for name in BUNDLED)
    methods = say("methods")
    for name, method in METHODS.items():
        assert (f"\n{name} *" in methods) == method.uses_gold and method.summary[:30] in methods
    assert "quantile=0.5" in methods


def test_the_prompts_of_a_task_can_be_seen(say: Say) -> None:
    text = say("tasks", "geography")
    for name, template in TASKS["geography"].templates.items():
        assert name in text and template in text


def test_the_doctor_tells_the_device_and_what_is_installed(say: Say) -> None:
    text = say("doctor")
    for check in ("python", "torch", "device", "memory", "store", "hub", *BUNDLED):
        assert re.search(rf"^(model )?{check}\b", text, re.MULTILINE), check
    assert "switched off by HF_HUB_OFFLINE" in text


def test_the_version_is_told(say: Say) -> None:
    assert re.fullmatch(r"w2s \d+\.\d+\.\d+\n", say("--version"))


# score


def test_scores_of_a_hand_made_file_are_the_papers(say: Say, tmp_path: Path) -> None:
    votes = {"all": "aaaaa", "four": "aaaab", "three": "aaabb", "two": "aabbc", "one": "abcde"}
    lines = [f"{id},{number},{answer}" for id, given in votes.items() for number, answer in enumerate(given)]
    (tmp_path / "answers.csv").write_text("\n".join(["question_id,variation,answer", *lines]) + "\n")
    text = say("score", tmp_path / "answers.csv", "--out", tmp_path / "scored.csv")
    assert "5 questions, 5 answers each; 20.0% unanimous" in text and "25 scored answers" in text

    found: dict[str, dict[str, float]] = {id: {} for id in votes}
    entropy = {}
    for row in read_table(tmp_path / "scored.csv").to_pylist():
        found[row["question_id"]][row["answer"]] = round(row["reliability"], 3)
        entropy[row["question_id"]] = round(row["entropy"], 3)
        assert row["vote_share"] == votes[row["question_id"]].count(row["answer"]) / 5
    assert found == {
        "all": {"a": 1},
        "four": {"a": 0.953, "b": 0.047},
        "three": {"a": 0.731, "b": 0.269},
        "two": {"a": 0.422, "b": 0.422, "c": 0.155},
        "one": dict.fromkeys("abcde", 0.2),
    }
    assert entropy == {"all": 0, "four": 0.5, "three": 0.673, "two": 1.055, "one": 1.609}


def test_the_temperature_and_the_unparsed_rule_are_used(say: Say, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("question_id,variation,answer\nq,0,a\nq,1,a\nq,2,b\nq,3,\n")
    say("score", tmp_path / "a.csv", "--temperature", 1, "--unparsed", "drop_answer", "--out", tmp_path / "s.jsonl")
    rows = read_table(tmp_path / "s.jsonl").to_pylist()
    power = [math.exp(2 / 3), math.exp(1 / 3)]
    assert [row["reliability"] for row in rows] == pytest.approx([power[i] / sum(power) for i in (0, 0, 1)])
    summary = json.loads(say("score", tmp_path / "a.csv", "--json"))
    assert (summary["questions"], summary["rows"], summary["unparsed_rate"]) == (1, 4, 0.25)


# The chain of stages


def test_the_stages_one_after_another_in_every_form_of_table(
    say: Say, tmp_path: Path, config: Path, tiny_llama: Path, tiny_gemma: Path
) -> None:
    settings = json.loads(config.read_text())
    task = [word for name, value in settings["task"].items() for word in (f"--task.{name}", value)]
    weak = ["--model.name", tiny_llama, "--model.dtype", "float32"]
    strong = ["--model.name", tiny_gemma, "--model.dtype", "float32"]
    teach = [
        f"--training.{name}={value}" for name, value in (("epochs", 2), ("batch_size", 4), ("learning_rate", 5e-2))
    ]

    # The weak supervisor, from ground truth.
    out = say("label", "--gold", *task, "--split", "weak_train", "--out", tmp_path / "truth.jsonl")
    assert out == f"8 right answers: {tmp_path / 'truth.jsonl'}\n"
    say("train", tmp_path / "truth.jsonl", *weak, *teach, "--out", tmp_path / "weak")
    # Its answers, their scores, what is kept of them.
    adapter = ["--adapter", tmp_path / "weak"]
    out = say("label", *task, *weak, *adapter, "--out", tmp_path / "answers.csv")
    assert "16 questions, 3 answers each" in out and f"48 answers: {tmp_path / 'answers.csv'}" in out
    assert not list(tmp_path.glob("*journal*"))
    say("score", tmp_path / "answers.csv", "--out", tmp_path / "scored.csv")
    out = say("select", tmp_path / "scored.csv", "--method", "reweighting", "--out", tmp_path / "training.csv")
    assert "all answers, weighted by confidence: 48 of 48 answers, to 16 questions" in out
    # The student, before and after.
    out = say("train", tmp_path / "training.csv", *strong, *teach, "--out", tmp_path / "student")
    assert "48 rows, 24 steps in " in out and f"adapter: {tmp_path / 'student' / 'adapter'}" in out
    student = ["--adapter", tmp_path / "student", "--out", tmp_path / "predictions.parquet"]
    found = json.loads(say("evaluate", *task, *strong, *student, "--json"))
    rows = read_table(tmp_path / "predictions.parquet").to_pylist()
    assert found["questions"] == len(rows) == 12 and found["unparsed"] == 0
    assert found["estimate"] == pytest.approx(sum(row["correct"] for row in rows) / 12)
    assert found["low"] <= found["estimate"] <= found["high"]
    assert re.match(r"accuracy 0\.\d{3} \[0\.\d{3}, [01]\.\d{3}\] on 12 questions\n", say("evaluate", *task, *strong))


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_the_form_of_the_tables_changes_no_training_set(
    form: str, say: Say, tmp_path: Path, config: Path, tiny_llama: Path
) -> None:
    settings = json.loads(config.read_text())
    task = [word for name, value in settings["task"].items() for word in (f"--task.{name}", value)]
    for suffix in ("parquet", form):
        files = [tmp_path / f"{name}.{suffix}" for name in ("answers", "scored", "training")]
        say("label", *task, "--model.name", tiny_llama, "--out", files[0])
        say("score", files[0], "--out", files[1])
        say("select", files[1], "--method", "majority", "--out", files[2])
    columns = ["prompt", "completion", "weight", "question_id", "variation", "answer"]
    tables = [read_table(tmp_path / f"training.{suffix}").select(columns) for suffix in ("parquet", form)]
    assert tables[0].to_pylist() == tables[1].to_pylist() and tables[0].num_rows == 16


# run


def test_a_dry_run_lists_the_steps_and_computes_nothing(say: Say, config: Path, tmp_path: Path) -> None:
    store, out = tmp_path / "store", tmp_path / "run"
    text = say("run", "--config", config, "--store", store, "--out", out, "--dry-run")
    assert not store.exists() and not out.exists()
    assert "17 of 17 steps to do" in text
    for step in ("weak answers · seed 0", "naive: training · seed 0", "ground truth of transfer", "ceiling: test"):
        assert re.search(rf"^to do +[\w-]+ +{re.escape(step)}.* [0-9a-f]{{12}}$", text, re.MULTILINE), step


@pytest.mark.usefixtures("no_page")
def test_a_run_prints_its_table_and_the_saved_settings_repeat_it(say: Say, config: Path, tmp_path: Path) -> None:
    store = ["--store", tmp_path / "store"]
    first = say("run", "--config", config, *store, "--out", tmp_path / "run", "--seeds", "[3]")
    for part in ("naive", "ceiling *", "weak supervisor", "17 steps computed, 0 found done", "results.json"):
        assert part in first
    saved = tmp_path / "run" / "experiment.yaml"
    second = say("run", "--config", saved, *store, "--out", tmp_path / "again")
    assert "0 steps computed, 16 found done" in second
    before, after = Result.load(tmp_path / "run"), Result.load(tmp_path / "again")
    assert before.experiment == after.experiment and after.experiment.seeds == [3]
    assert before.records == after.records and before.labels == after.labels
    dry = say("run", "--config", saved, *store, "--dry-run")
    assert "0 of 17 steps to do" in dry and "to do  " not in dry

    # In JSON, and nothing but JSON; what is changed on the command line wins over the file.
    printed = json.loads(
        say("run", "--config", saved, *store, "--out", tmp_path / "json", "--json", "--compare", "[ceiling, naive]")
    )
    assert printed == json.loads((tmp_path / "json" / "results.json").read_text())
    assert printed["compare"] == printed["experiment"]["compare"] == ["ceiling", "naive"]
    origins = printed["origins"]
    assert origins["compare"] == "command line" and origins["seeds"] == f"file {saved}"
    assert origins["answering.max_new_tokens"] == "preset small"
    assert printed["commands"][0].startswith("w2s run --config ") and "--compare " in printed["commands"][0]


def test_a_run_leaves_a_page_that_stands_alone_and_can_be_told_in_other_forms(
    say: Say, config: Path, tmp_path: Path
) -> None:
    # With the real page and figures: the other runs here do without.
    run = tmp_path / "run"
    say("run", "--config", config, "--out", run, "--methods", "[naive]")
    page = (run / "report.html").read_text()
    assert page.lstrip().lower().startswith("<!doctype html") and "naive" in page
    assert list((run / "figures").glob("*.svg"))
    results = json.loads((run / "results.json").read_text())
    assert json.loads(say("report", run, "--format", "json")) == results
    accuracy = f"{results['pooled'][1]['accuracy']:.3f}"
    for form in ("table", "latex"):
        text = say("report", run, "--format", form)
        assert "naive" in text and accuracy in text, form
    assert say("report", run, "--format", "csv", "--out", tmp_path / "r.csv") == f"{tmp_path / 'r.csv'}\n"
    assert read_table(tmp_path / "r.csv").num_rows >= 2


def test_the_printed_settings_are_a_settings_file(
    config: Path, tmp_path: Path, say: Say, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "--config", str(config), "--print_config"])
    assert ended.value.code == 0
    printed = tmp_path / "printed.yaml"
    printed.write_text(capsys.readouterr().out)
    assert "learning_rate: 0.02" in printed.read_text()
    store = ["--store", tmp_path / "store", "--dry-run"]
    assert say("run", "--config", config, *store) == say("run", "--config", printed, *store)


def test_the_preset_of_the_task_in_the_settings_file_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text("task: {name: ethics}\n")
    with pytest.raises(SystemExit):
        main(["run", "--preset", "paper", "--config", str(tmp_path / "a.yaml"), "--print_config"])
    text = capsys.readouterr().out
    assert "max_length: 1600" in text and "name: ethics" in text and "test: all" in text


# How it ends


@pytest.mark.usefixtures("no_page")
def test_an_interrupt_is_one_line_and_status_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("w2s.running.run", interrupted)
    with pytest.raises(SystemExit) as ended:
        main(["run", "--config", str(config), "--out", str(tmp_path / "run")])
    assert ended.value.code == 130
    assert capsys.readouterr().err.splitlines() == [
        "w2s: interrupted; what is finished is kept, and the same command goes on from there"
    ]


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["methods"]])
def test_a_reader_who_goes_away_leaves_no_traceback(words: list[str]) -> None:
    command = [sys.executable, "-m", "w2s", *words]
    # Buffered, as for most users: what is printed then reaches the pipe at the very end.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 0


def test_the_module_runs_as_the_command_does() -> None:
    command = [sys.executable, "-m", "w2s", "rnu"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 2 and ended.stdout == ""
    assert ended.stderr.startswith("w2s: unknown command 'rnu'") and ended.stderr.count("\n") == 1


# A terminal that knows ASCII alone


def ended_in_ascii(*words: object, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """The command where nothing but ASCII can be printed, and Python does not help itself to UTF-8."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHONIO"))}
    env |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "w2s", *map(str, words)]
    return subprocess.run(command, capture_output=True, env=env, cwd=folder)


def test_what_an_ascii_terminal_cannot_show_is_shown_as_its_number(tmp_path: Path) -> None:
    ended = ended_in_ascii("tasks", "geography", folder=tmp_path)
    assert ended.returncode == 0 and ended.stderr == b""
    assert b"\\u2500\\u2500 template letter" in ended.stdout and ended.stdout.isascii()


def test_a_fault_is_one_line_of_ascii(tmp_path: Path) -> None:
    rows = "question_id,variation,answer\nq,0,Zürich\nq,0,Genève\n"
    (tmp_path / "a.csv").write_text(rows, encoding="utf-8")
    (tmp_path / "b.csv").write_text("question_id,variation,réponse\nq,0,a\n", encoding="utf-8")
    for name, said in (("a.csv", b"question_id 'q'"), ("b.csv", b"r\\xe9ponse")):
        ended = ended_in_ascii("score", name, folder=tmp_path)
        assert ended.returncode == 2 and ended.stdout == b""
        assert ended.stderr.isascii() and ended.stderr.count(b"\n") == 1 and said in ended.stderr


def test_files_are_utf8_whatever_the_terminal_knows(tmp_path: Path) -> None:
    cities = ["Zürich", "Zürich", "京都"]
    rows = "".join(f"q,{number},{city}\n" for number, city in enumerate(cities))
    (tmp_path / "a.csv").write_text(f"question_id,variation,answer\n{rows}", encoding="utf-8")
    for form in ("csv", "jsonl", "parquet"):
        ended = ended_in_ascii("score", "a.csv", f"--out=b.{form}", folder=tmp_path)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.isascii() and f"b.{form}".encode() in ended.stdout
        assert read_table(tmp_path / f"b.{form}")["answer"].to_pylist() == cities


def test_a_run_goes_through_on_an_ascii_terminal(tmp_path: Path, config: Path) -> None:
    settings = json.loads(config.read_text())
    rows = [json.loads(line) for line in Path(settings["task"]["data"]).read_text().splitlines()]
    data = write_rows(tmp_path / "questions.jsonl", [{**row, "question": f"{row['question']} è?"} for row in rows])
    words = ["run", "--config", config, f"--task.data={data}", "--methods=[naive]", f"--store={tmp_path / 'store'}"]
    ended = ended_in_ascii(*words, "--out", "run", folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.isascii() and ended.stderr.isascii() and b"naive" in ended.stdout
    assert "·" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    result = Result.load(tmp_path / "run")
    assert [record.method for record in result.records][-1] == "naive"
