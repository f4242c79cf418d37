"""Students as others load them."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from pathlib import Path

import pytest
import torch
import yaml
from peft import LoraModel, PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from support.commands import refused
from support.experiments import questions, small_experiment, without_pages, write_rows
from w2s.cli import main
from w2s.errors import InputError
from w2s.exporting.finding import base_of, find_student
from w2s.exporting.merging import compare
from w2s.models.load import load_model
from w2s.running import Result, run
from w2s.store import Store
from w2s.tables import read_table

EXAMPLE = Path(__file__).parents[2] / "examples" / "student.py"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path, tiny_gemma: Path) -> Result:
    folder = tmp_path_factory.mktemp("run")
    data = write_rows(folder / "questions.jsonl", questions())
    with without_pages():
        experiment = small_experiment(data, tiny_llama, tiny_gemma, methods=["zero-shot", "naive", "ceiling"])
        return run(experiment, out=folder / "run", store=Store(folder / "store"))


def texts_below(folder: Path) -> str:
    texts = [path.read_bytes().decode("utf-8", "replace") for path in folder.rglob("*") if path.is_file()]
    return "\n".join(texts)


def logits(model: torch.nn.Module, folder: Path, prompt: str) -> torch.Tensor:
    ids = AutoTokenizer.from_pretrained(folder)(prompt, return_tensors="pt")
    with torch.no_grad():
        found: torch.Tensor = model.eval()(**ids).logits
    return found


def test_every_trained_student_has_a_card(result: Result) -> None:
    cards = {path.parent.name: path.read_text() for path in result.folder.rglob("README.md")}
    assert cards.keys() >= {"naive", "ceiling"} and "zero-shot" not in cards
    card = cards["naive"]
    fields = yaml.safe_load(card.split("---")[1])
    assert fields["library_name"] == "peft"
    naive = next(record for record in result.records if record.method == "naive")
    assert f"| naive | {naive.accuracy:.3f} [{naive.accuracy_low:.3f}, {naive.accuracy_high:.3f}] |" in card
    for said in ("tiny-gemma` (a local folder", "`sha256:", "tiny-llama", "questions.jsonl", "LoRA rank 4", "licence"):
        assert said in card
    assert "trained on ground truth**" in cards["ceiling"] and "trained on ground truth**" not in card
    assert str(result.folder.parent) not in card and "/tiny-" not in card


def test_a_base_that_was_named_from_another_folder_is_found(result: Result, tiny_gemma: Path, tmp_path: Path) -> None:
    shutil.copytree(result.folder, tmp_path / "run", symlinks=True)
    file = tmp_path / "run" / "results.json"
    file.write_text(file.read_text().replace(json.dumps(str(tiny_gemma)), json.dumps(tiny_gemma.name)))
    assert Result.load(tmp_path / "run").experiment.strong.name == tiny_gemma.name
    student = find_student(tmp_path / "run", method="naive")
    assert base_of(student, None, "auto").name == str(tiny_gemma)


@pytest.mark.parametrize("how", ["folder", "adapter", "method"])
def test_an_exported_adapter_is_whole_and_names_no_path(
    how: str, result: Result, tiny_gemma: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = result.folder / "seed-0" / "naive"
    given = {"folder": [own], "adapter": [own / "adapter"], "method": [result.folder, "--method", "naive"]}[how]
    main(["export", *map(str, given), "--out", str(tmp_path / "out")])
    assert "adapter of tiny-gemma, tokenizer and card" in capsys.readouterr().out
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny-gemma"
    assert (tmp_path / "out" / "README.md").read_text() == (own / "README.md").read_text()
    assert str(tiny_gemma.parent) not in (everything := texts_below(tmp_path / "out"))
    assert str(result.folder.parent) not in everything and str(tmp_path) not in everything
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert tokenizer.chat_template and tokenizer("Answer: Norway")["input_ids"]


def test_a_merged_model_says_what_the_adapter_says(
    result: Result, tiny_gemma: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = result.folder / "seed-0" / "ceiling"
    main(["export", str(own), "--merge", "--out", str(tmp_path / "out")])
    assert "the same most probable token at 100.0% of" in capsys.readouterr().out
    base = AutoModelForCausalLM.from_pretrained(tiny_gemma)
    prompt = "Which is number 3?\nAnswer:"
    plain = logits(base, tiny_gemma, prompt)
    adapted = logits(PeftModel.from_pretrained(base, own / "adapter"), tiny_gemma, prompt)
    merged = logits(AutoModelForCausalLM.from_pretrained(tmp_path / "out"), tmp_path / "out", prompt)
    assert torch.allclose(merged, adapted, atol=1e-3) and not torch.allclose(plain, adapted, atol=0.1)
    assert str(tiny_gemma.parent) not in texts_below(tmp_path / "out")
    assert "library_name: transformers" in (tmp_path / "out" / "README.md").read_text()
    unchanged = load_model(tiny_gemma, result.experiment.strong)
    assert torch.equal(logits(unchanged.model, tiny_gemma, prompt), plain), "the merged weights were kept as the base's"


def test_an_export_takes_the_place_of_an_export_alone(result: Result, tmp_path: Path) -> None:
    own, out = result.folder / "seed-0" / "naive", tmp_path / "out"
    main(["export", str(own), "--merge", "--out", str(out)])
    main(["export", str(own), "--out", str(out)])
    assert not (out / "config.json").exists() and (out / "adapter_config.json").is_file()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("mine")
    with pytest.raises(SystemExit):
        main(["export", str(own), "--out", str(tmp_path / "mine")])
    assert (tmp_path / "mine" / "README.md").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "out"}


def test_a_merged_model_that_says_something_else_is_refused(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def forgetful(self: LoraModel, **_: object) -> torch.nn.Module:
        found: torch.nn.Module = self.unload()
        return found

    monkeypatch.setattr(LoraModel, "merge_and_unload", forgetful)
    words = ["export", str(result.folder / "seed-0" / "ceiling"), "--merge", "--out", str(tmp_path / "out")]
    assert "the merged model says something else" in refused(words, capsys)
    assert not list(tmp_path.iterdir())


def test_an_adapter_alone_needs_its_base_and_tells_what_is_wrong(
    result: Result, tiny_gemma: Path, tiny_llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (alone / name).write_bytes((result.folder / "seed-0" / "naive" / "adapter" / name).read_bytes())
    main(["export", str(alone), "--base", str(tiny_gemma), "--out", str(tmp_path / "out")])
    assert "not known here" in (tmp_path / "out" / "README.md").read_text()
    for words, message in (
        ([], "unknown model 'tiny-gemma'"),
        (["--method", "naive"], "is not a run's folder"),
        (["--for", "trl"], "--for is for a training set"),
        (["--dtype", "float32"], "--dtype is float32, and an adapter stays as it was trained: expected --merge"),
    ):
        assert message in refused(["export", str(alone), *words, "--out", str(tmp_path / "other")], capsys)
    other = ["export", str(result.folder / "seed-0" / "naive"), "--base", str(tiny_llama), "--out", str(tmp_path / "b")]
    assert "is not the model that the student was trained on" in refused(other, capsys)
    for method, message in (
        ("zero-shot", "unknown trained student"),
        ("naiv", "did you mean 'naive'"),
        (None, "--method"),
    ):
        with pytest.raises(InputError, match=message):
            find_student(result.folder, method=method)
    with pytest.raises(InputError, match="seed is 7"):
        find_student(result.folder, method="naive", seed=7)
    config = json.loads((alone / "adapter_config.json").read_text())
    (alone / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": None}))
    with pytest.raises(InputError, match="expected --base"):
        base_of(find_student(alone), None, "auto")


def test_the_card_of_an_adapter_that_train_wrote_says_what_it_learned(
    result: Result, tiny_gemma: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = result.folder / "seed-0" / "naive" / "training_set.parquet"
    words = ["--model.name", str(tiny_gemma), "--model.dtype", "float32", "--training.epochs", "1"]
    words += ["--training.compile", "off", "--store", str(tmp_path / "store")]
    main(["train", str(rows), *words, "--out", str(tmp_path / "mine")])
    base = ["--base", str(tiny_gemma)]
    main(["export", str(tmp_path / "mine"), *base, "--out", str(tmp_path / "out")])
    card = (tmp_path / "out" / "README.md").read_text()
    prompt = read_table(rows)["prompt"][0].as_py()
    examples = read_table(rows).num_rows
    assert f"* task: `{result.experiment.task.name}`" in card and f"* training set: {examples} examples of" in card
    assert "of no run" in card and str(tmp_path) not in card
    assert all(line not in card for line in prompt.splitlines() if line.startswith("Question"))  # a card is published
    for name, text in (("training.json", '{"rows": 16}'), ("training.json", "{"), ("trained-on.json", '{"origin"')):
        (tmp_path / "mine" / name).write_text(text)
        (tmp_path / "out" / "README.md").unlink()
        main(["export", str(tmp_path / "mine"), *base, "--out", str(tmp_path / "out")])
        assert "the model card does not say" in caplog.text and str(tmp_path / "mine" / name) in caplog.text
        assert "training set" not in (tmp_path / "out" / "README.md").read_text()
        caplog.clear()


def test_a_damaged_adapter_leaves_nothing(result: Result, tmp_path: Path, tiny_gemma: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    source = result.folder / "seed-0" / "naive" / "adapter"
    (alone / "adapter_config.json").write_bytes((source / "adapter_config.json").read_bytes())
    tensors = load_file(source / "adapter_model.safetensors")
    next(iter(tensors.values()))[0, 0] = float("nan")
    save_file(tensors, alone / "adapter_model.safetensors")
    with pytest.raises(SystemExit):
        main(["export", str(alone), "--base", str(tiny_gemma), "--merge", "--out", str(tmp_path / "out")])
    assert [path.name for path in tmp_path.iterdir()] == ["alone"]


def test_a_difference_is_that_of_the_logits() -> None:
    one = torch.tensor([[0.0, 2.0], [4.0, 6.0]])
    found = compare([one], [one + torch.tensor([[0.0, 0.0], [3.0, 0.0]])])
    assert found == (3.0, pytest.approx(1.5 / one.std().item()), 0.5, 2)


def test_the_example_answers_with_an_adapter_and_with_a_merged_model(
    result: Result,
    tiny_gemma: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = result.folder / "seed-0" / "naive"
    main(["export", str(own), "--out", str(tmp_path / "adapter")])
    main(["export", str(own), "--merge", "--out", str(tmp_path / "merged")])
    said = []
    for words in ([str(tmp_path / "adapter"), "--base", str(tiny_gemma)], [str(tmp_path / "merged")]):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["student.py", *words, "--prompt", "Which is number 3?\nAnswer:"])
        runpy.run_path(str(EXAMPLE), run_name="__main__")
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] and said[0].strip()
