"""A run from end to end on tiny models: what it prints, and what it writes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from support.commands import Say
from w2s.cli import main
from w2s.presets import preset
from w2s.running import Result
from w2s.tables import read_table


def test_a_dry_run_lists_the_steps_and_computes_nothing(say: Say, config: Path, tmp_path: Path) -> None:
    store, out = tmp_path / "store", tmp_path / "run"
    text = say("run", "--config", config, "--store", store, "--out", out, "--dry-run")
    assert not store.exists() and not out.exists()
    assert "17 of 17 steps to do" in text
    for step in ("weak answers · seed 0", "naive: training · seed 0", "ground truth of transfer", "ceiling: test"):
        assert re.search(rf"^to do +[\w-]+ +{re.escape(step)}.* [0-9a-f]{{12}}$", text, re.MULTILINE), step


def test_estimators_to_compare_are_steps_of_their_own(say: Say, config: Path, tmp_path: Path) -> None:
    store = ["--store", tmp_path / "store", "--dry-run"]
    text = say("run", "--config", config, *store, "--reliability.compare", "[margin, debiased]")
    assert "19 of 19 steps to do" in text
    assert "reliability by margin · seed 0" in text and "reliability by debiased · seed 0" in text


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


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("task.name: mmlu", ["--preset=paper", "--config=FILE"]),
        ("name: mmlu", ["--preset=paper", "--task=FILE"]),
        ("", ["--preset=paper", "--task={name: mmlu}"]),
        ("", ["--preset=paper", "--task.name=hellaswag", "--task.name=mmlu"]),
        ("preset: paper", ["--config=FILE", "--task.name=mmlu"]),
        ("preset: small\ntask: {name: ethics}", ["--config=FILE", "--preset=paper", "--task.name=mmlu"]),
        ("", ["--preset=small", "--preset", "paper", "--task.name", "mmlu"]),
    ],
)
def test_the_preset_is_that_of_the_task_that_is_run_however_both_are_named(
    file: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text(file)
    with pytest.raises(SystemExit):
        main(["run", *(word.replace("FILE", str(tmp_path / "a.yaml")) for word in words), "--print_config"])
    printed = yaml.safe_load(capsys.readouterr().out)
    told = preset("paper", "mmlu")
    assert (printed["task"]["name"], printed["task"]["weak_train"]) == ("mmlu", 1474)
    assert printed["strong"]["name"] == told.strong.name and printed["evaluation"]["max_new_tokens"] == 100


def test_a_run_whose_weak_answers_all_are_unparsed_has_its_page(config: Path, say: Say, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--methods=[zero-shot]", "--answering.mode=generate", "--answering.max_new_tokens=1", f"--out={out}"]
    say("run", "--config", config, *words)
    answers = read_table(out / "seed-0" / "scored.parquet")["answer"]
    assert answers.null_count == len(answers) > 0 and (out / "report.html").is_file()


def test_where_a_setting_came_from_is_the_preset_that_a_file_names(config: Path, say: Say, tmp_path: Path) -> None:
    settings = json.loads(config.read_text()) | {"preset": "paper"}
    settings["student_training"] = {"epochs": 1, "batch_size": 4, "lora": {"targets": None}}
    (tmp_path / "a.yaml").write_text(json.dumps(settings))
    say("run", "--config", tmp_path / "a.yaml", "--methods", "[zero-shot]", "--out", tmp_path / "out")
    origins = json.loads((tmp_path / "out" / "results.json").read_text())["origins"]
    assert origins["student_training.warmup_ratio"] == "preset paper"
    assert origins["student_training.epochs"] == f"file {tmp_path / 'a.yaml'}"


@pytest.mark.usefixtures("no_page")
def test_a_run_of_several_supervisors_compares_them_and_its_settings_hold_in_any_folder(
    say: Say, config: Path, tmp_path: Path, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = json.loads(config.read_text())
    people = [f"{row['id']},ann,{row['answer']}" for row in read_table(settings["task"]["data"]).to_pylist()]
    (tmp_path / "people.csv").write_text("\n".join(["question_id,annotator,answer", *people]) + "\n")
    members = [
        {"name": "small", "weak": {"source": "prompted", "name": str(tiny_llama), "dtype": "float32"}},
        {"name": "people", "weak": {"source": "table", "settings": {"answers": "people.csv"}}},
    ]
    pooled = {**settings, "weak": {"source": "pooled", "settings": {"members": members}}}
    (tmp_path / "pooled.yaml").write_text(json.dumps(pooled))
    text = say("run", "--config", "pooled.yaml", "--out", "run", "--seeds", "[0, 1]")
    lines = text.splitlines()
    table = next(number for number, line in enumerate(lines) if line.startswith("2 supervisors; 16 questions"))
    assert lines[table + 1].split()[:3] == ["supervisor", "answers", "unparsed"]
    assert {line.split()[0] for line in lines[table + 2 : table + 4]} == {"people", "small"}
    assert lines[table + 4].startswith("verdict (seed 0; the others: results.json): people and small agree on")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert "to do  " not in say("run", "--config", "../run/experiment.yaml", "--dry-run")
