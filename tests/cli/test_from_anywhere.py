"""What a run and a training leave behind holds in any folder, and on another machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from support.commands import Say
from support.experiments import in_splits, questions, write_rows
from support.tiny import load_tiny
from support.training import CITIES, train
from w2s.config import ModelSpec
from w2s.errors import InputError
from w2s.models.adapters import adapted
from w2s.models.bundled import BUNDLED
from w2s.models.load import LanguageModel, load_model
from w2s.running import Result

PLUGIN = """
from dataclasses import replace

import w2s
from w2s.methods import METHODS

w2s.register(replace(METHODS.find("naive"), name="my-naive"))
"""


@pytest.mark.usefixtures("no_page")
def test_the_settings_that_a_run_saves_give_the_same_keys_in_any_folder(
    say: Say, tiny_llama: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(here / "questions.jsonl", in_splits(questions()))
    (here / "piece.py").write_text(PLUGIN)
    (here / "tiny").symlink_to(tiny_llama)
    training = {"epochs": 1, "learning_rate": 0.02, "lora": {"rank": 4, "alpha": 8}}
    settings = {
        "task": {"name": "file", "data": "questions.jsonl", "weak_train": 8, "transfer": 16, "test": 12}
        | {"num_variations": 2},
        "weak": {"name": "./tiny", "dtype": "float32"},
        "strong": {"name": "tiny", "dtype": "float32"},
        "methods": ["my-naive"],
        "plugins": ["piece.py"],
        "weak_training": training,
        "student_training": training,
    }
    (here / "a.yaml").write_text(yaml.safe_dump(settings))
    say("run", "--config=a.yaml", "--store=store", "--out=run")
    dry = say("run", "--config=a.yaml", "--store=store", "--dry-run")
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    again = say("run", "--config=../run/experiment.yaml", f"--store={here / 'store'}", "--dry-run")
    steps_of = [text.split("\n\n")[0] for text in (dry, again)]
    assert steps_of[0] == steps_of[1] and "to do  " not in again
    assert Result.load(here / "run").experiment.task.data == "questions.jsonl"  # as it was given


@pytest.mark.parametrize("task", ["file", "mmlu"])
def test_data_may_lie_in_the_home_folder(task: str, say: Say, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here / "home"))
    rows = [{"question": "Which?", "choices": list("abcd"), "answer": 1, "subject": "law"}]
    write_rows(here / "home" / "q.jsonl", rows)
    sizes = ["--task.weak_train=0", "--task.transfer=1", "--task.test=0"]
    assert "1 right answers" in say("label", "--gold", f"--task.name={task}", "--task.data=~/q.jsonl", *sizes)


# Adapters


@pytest.fixture(scope="module")
def lm(tiny_llama: Path) -> LanguageModel:
    return load_tiny(tiny_llama)


def config_of(out: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((out / "adapter" / "adapter_config.json").read_text())
    return found


def test_an_adapter_names_a_model_that_others_have_as_they_find_it(lm: LanguageModel, tmp_path: Path) -> None:
    public = replace(lm, public_name="owner/name", revision="0123abc")
    train(public, tmp_path, epochs=1, batch_size=len(CITIES))
    assert config_of(tmp_path)["base_model_name_or_path"] == "owner/name"
    assert config_of(tmp_path)["revision"] == "0123abc"
    assert str(tmp_path) not in (tmp_path / "adapter" / "adapter_config.json").read_text()


def test_an_adapter_on_a_model_of_a_folder_names_the_folder(
    lm: LanguageModel, tiny_llama: Path, tmp_path: Path
) -> None:
    train(lm, tmp_path, epochs=1, batch_size=len(CITIES))
    assert config_of(tmp_path)["base_model_name_or_path"] == tiny_llama.name


def test_an_adapter_of_another_model_of_the_same_form_is_refused(lm: LanguageModel, tmp_path: Path) -> None:
    public = replace(lm, public_name="owner/name", revision="0123abc")
    train(public, tmp_path, epochs=1)
    folder = tmp_path / "adapter"
    for own in (public, replace(lm, public_name=None)):
        with adapted(own, folder) as tuned:
            assert tuned.model is not lm.model
    said = "was trained on 'owner/name', not on 'owner/another'"
    with pytest.raises(InputError, match=said), adapted(replace(lm, public_name="owner/another"), folder):
        pass


def test_a_bundled_model_and_one_of_the_hub_have_a_public_name_and_a_folder_has_none(tiny_llama: Path) -> None:
    spec = ModelSpec(name=str(tiny_llama), dtype="float32")
    assert load_model(tiny_llama, spec).public_name is None
    for name, revision in ((next(iter(BUNDLED)), None), ("owner/name", "0123abc")):
        found = load_model(tiny_llama, replace(spec, name=name), revision=revision)
        assert (found.public_name, found.revision) == (name, revision)
