"""Whose a run's folder is: what no run wrote is neither overwritten nor taken away."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support.experiments import in_splits, questions, small_experiment, write_rows
from support.killed import killed_while_writing
from w2s.config import Experiment
from w2s.errors import InputError
from w2s.folders.layout import RunFolder, StudyFolder
from w2s.folders.owned import OwnedFolder
from w2s.pipeline.specs import method_specs
from w2s.running import Result, run
from w2s.store import Store


def files_in(root: Path) -> dict[str, str]:
    """Every file below a folder, but for the notes that w2s makes for itself."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.name.startswith(".w2s-run"))
    return {path.relative_to(root).as_posix(): path.read_text() for path in files}


def write(folder: RunFolder, *names: str, text: str = "a run's") -> None:
    """What a run does, without the run."""
    with folder.owned():
        for name in names:
            folder.claim(folder.root / name).write_text(text)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run")


def test_a_folder_of_somebody_else_is_refused_and_left_as_it_was(folder: RunFolder) -> None:
    folder.root.mkdir()
    (folder.root / "results.json").write_text("mine")
    with pytest.raises(InputError, match=r"holds 'results.json', which this version of w2s did not write"):
        write(folder, "results.json")
    with pytest.raises(InputError, match=r"holds 'results\.json'"):
        folder.check()
    assert [path.name for path in folder.root.iterdir()] == ["results.json"]
    assert (folder.root / "results.json").read_text() == "mine"


def test_a_file_in_the_place_of_the_folder_is_refused(folder: RunFolder) -> None:
    folder.root.write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        write(folder, "results.json")
    assert folder.root.read_text() == "mine"


@pytest.mark.parametrize("told", [True, False])
def test_a_folder_of_another_kind_is_refused_and_left_as_it_was(tmp_path: Path, told: bool) -> None:
    kinds = {"results.json": RunFolder, "study.json": StudyFolder, "adapter_config.json": OwnedFolder}
    for file, kind in kinds.items():
        write(kind(tmp_path / file), file)
        if not told:
            marker = tmp_path / file / ".w2s-run"
            marker.write_text("\n".join(["The files that w2s wrote here.", *marker.read_text().split("\n")[1:]]))
        for other in kinds.values():
            if other is kind:
                other(tmp_path / file).check()
                continue
            message = f"holds a {kind.kind}: expected an empty folder, that of a {other.kind}, or a name for a new one"
            with pytest.raises(InputError, match=message):
                write(other(tmp_path / file), "anything")
        assert files_in(tmp_path / file) == {file: "a run's"}


def test_what_is_read_is_not_taken_away(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "seed-0/scored.parquet")
    (folder.root / "mine.csv").write_text("mine")
    monkeypatch.chdir(folder.root.parent)
    for read in ("run/seed-0/scored.parquet", str(folder.root / "seed-0" / "scored.parquet"), "run/seed-0"):
        with pytest.raises(InputError, match=r"is read, and a new run in .* takes it away first"):
            folder.refuse_inputs({"weak": {"settings": {"answers": [read]}}})
    folder.refuse_inputs({"task": {"name": "run", "data": str(folder.root.parent)}})
    folder.refuse_inputs({"task": {"data": "run/mine.csv", "name": "run/none"}, "number": 3, "nothing": None})


def test_an_empty_folder_is_taken(folder: RunFolder) -> None:
    folder.root.mkdir()
    write(folder, "results.json")
    assert files_in(folder.root) == {"results.json": "a run's"}


def test_what_an_earlier_run_wrote_is_gone_and_what_others_put_there_is_not(folder: RunFolder) -> None:
    write(folder, "results.json", "seed-0/naive/log.jsonl", "seed-0/majority/log.jsonl")
    (folder.root / "notes.txt").write_text("mine")
    (folder.root / "seed-0" / "majority" / "plot.png").write_text("mine")
    write(folder, "results.json", "seed-3/naive/log.jsonl", text="a second run's")
    assert files_in(folder.root) == {
        "notes.txt": "mine",
        "results.json": "a second run's",
        "seed-0/majority/plot.png": "mine",
        "seed-3/naive/log.jsonl": "a second run's",
    }
    assert not (folder.root / "seed-0" / "naive").exists(), "its folders go with it, where nothing else is in them"


def test_a_file_of_somebody_else_is_not_overwritten(folder: RunFolder) -> None:
    write(folder, "results.json")
    (folder.root / "report.html").write_text("mine")
    with pytest.raises(InputError, match=r"report.html was there before, and no run wrote it"):
        write(folder, "results.json", "report.html")
    assert (folder.root / "report.html").read_text() == "mine"


@pytest.mark.parametrize("there", [True, False])
def test_a_link_in_the_place_of_the_page_is_not_written_through(folder: RunFolder, tmp_path: Path, there: bool) -> None:
    precious = tmp_path / "precious"
    if there:
        precious.write_text("mine")
    write(folder, "results.json")
    folder.page.symlink_to(precious)
    with pytest.raises(InputError, match="no run wrote it"):
        write(folder, "results.json", "report.html")
    assert folder.page.is_symlink() and precious.exists() == there
    assert not there or precious.read_text() == "mine"


def test_a_page_that_became_a_link_is_removed_and_not_what_it_points_to(folder: RunFolder, tmp_path: Path) -> None:
    write(folder, "report.html")
    precious = tmp_path / "precious"
    precious.write_text("mine")
    folder.page.unlink()
    folder.page.symlink_to(precious)
    write(folder, "report.html")
    assert precious.read_text() == "mine"
    assert folder.page.read_text() == "a run's" and not folder.page.is_symlink()


def test_a_link_in_the_place_of_a_folder_is_not_written_through(folder: RunFolder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write(folder, "results.json")
    folder.figures.symlink_to(elsewhere)
    with pytest.raises(InputError, match="figures was there before, and no run wrote it"):
        write(folder, "figures/deep/accuracy.svg")
    assert folder.figures.is_symlink() and not list(elsewhere.iterdir())


def test_a_folder_that_became_a_link_loses_nothing_of_what_it_points_to(folder: RunFolder, tmp_path: Path) -> None:
    write(folder, "seed-0/naive/log.jsonl")
    elsewhere = tmp_path / "elsewhere"
    (folder.root / "seed-0").rename(elsewhere)
    (elsewhere / "naive" / "log.jsonl").write_text("mine")
    (folder.root / "seed-0").symlink_to(elsewhere)
    write(folder, "results.json")
    with pytest.raises(InputError, match="seed-0 was there before"):
        write(folder, "seed-0/naive/log.jsonl")
    assert files_in(elsewhere) == {"naive/log.jsonl": "mine"}


def test_a_file_in_the_place_of_a_folder_of_the_run_is_refused(folder: RunFolder) -> None:
    write(folder, "results.json")
    (folder.root / "seed-0").write_text("mine")
    with pytest.raises(InputError, match="seed-0 was there before, and no run wrote it"):
        write(folder, "seed-0/naive/log.jsonl")
    assert (folder.root / "seed-0").read_text() == "mine"


def test_a_run_s_folder_may_itself_be_a_link(folder: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "large disk").mkdir()
    folder.root.symlink_to(tmp_path / "large disk")
    write(folder, "seed-0/naive/log.jsonl")
    write(folder, "seed-1/naive/log.jsonl")
    assert files_in(tmp_path / "large disk") == {"seed-1/naive/log.jsonl": "a run's"}


def test_a_marker_that_is_no_text_names_no_file(folder: RunFolder) -> None:
    write(folder, "results.json")
    (folder.root / ".w2s-run").write_bytes(b"w2s\n\xff\n")
    write(folder, "report.html")
    assert set(files_in(folder.root)) == {"results.json", "report.html"}, "what it does not name is not taken away"


def test_a_second_writer_is_refused_until_the_first_is_done(folder: RunFolder) -> None:
    with folder.owned():
        folder.claim(folder.results).write_text("the first's")
        with pytest.raises(InputError, match="another run is writing its results there"):
            write(folder, "results.json")
        assert folder.results.read_text() == "the first's"
    write(folder, "results.json", text="the second's")
    assert folder.results.read_text() == "the second's"


def test_a_run_that_was_killed_before_or_while_it_wrote_a_file_leaves_nothing(folder: RunFolder) -> None:
    killed_while_writing(folder.root / ".w2s-run")  # the first that it writes
    assert any(path.name.endswith(".w2s-tmp") for path in folder.root.iterdir())
    folder.check()
    write(folder, "results.json", "figures/one.svg")
    killed_while_writing(folder.root / "results.json")
    killed_while_writing(folder.root / "figures" / "one.svg")
    write(folder, "results.json")
    assert files_in(folder.root) == {"results.json": "a run's"}
    assert not (folder.root / "figures").exists()


def test_a_run_that_died_leaves_a_folder_that_the_next_one_clears(folder: RunFolder) -> None:
    with pytest.raises(RuntimeError, match="out of room"), folder.owned():
        folder.claim(folder.root / "seed-0" / "scored.parquet").write_text("half")
        raise RuntimeError("out of room")
    write(folder, "results.json")
    assert files_in(folder.root) == {"results.json": "a run's"}


@pytest.mark.parametrize("name", ["../precious", "/{}/precious", "seed-0/../../precious"])
def test_a_marker_that_names_files_elsewhere_removes_none(folder: RunFolder, tmp_path: Path, name: str) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    write(folder, "results.json")
    with (folder.root / ".w2s-run").open("a") as file:
        file.write(name.format(tmp_path) + "\n")
    write(folder, "results.json")
    assert precious.read_text() == "mine"


@pytest.mark.parametrize("change", [str, str.title])
def test_no_method_has_the_folder_of_the_weak_supervisor(folder: RunFolder, change: Callable[[str], str]) -> None:
    taken = folder.weak(0).root.name
    assert folder.method(0, taken) == folder.weak(0)
    with pytest.raises(InputError, match="which the weak supervisor's files have already"):
        method_specs([{"method": "naive", "label": change(taken)}])


# A whole run


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """They are slow to draw, and written like the page."""
    monkeypatch.setattr(Result, "save_figures", lambda self, folder, **more: [])
    yield


@pytest.fixture
def experiment(tmp_path: Path, tiny_llama: Path, tiny_gemma: Path) -> Experiment:
    data = write_rows(tmp_path / "questions.jsonl", in_splits(questions()))
    return small_experiment(data, tiny_llama, tiny_gemma, methods=["naive", "majority", "ceiling"])


def test_a_run_of_fewer_methods_leaves_nothing_of_the_one_before(
    experiment: Experiment, tmp_path: Path, no_figures: None
) -> None:
    out, store = tmp_path / "run", Store(tmp_path / "store")
    run(experiment, out=out, store=store)
    assert (out / "seed-0" / "majority" / "adapter").is_symlink()
    adapters = sorted((tmp_path / "store").rglob("adapter_model.safetensors"))
    (out / "notes.txt").write_text("mine")
    fewer = replace(experiment, methods=["naive"])
    run(fewer, out=out, store=store)
    assert (out / "notes.txt").read_text() == "mine"
    (out / "notes.txt").unlink()
    run(fewer, out=tmp_path / "fresh", store=store)
    names = [
        sorted(path.relative_to(root).as_posix() for path in root.rglob("*")) for root in (out, tmp_path / "fresh")
    ]
    assert names[0] == names[1] and "report.html" in names[0]
    assert json.loads((out / "results.json").read_text())["experiment"]["methods"] == ["naive"]
    assert sorted((tmp_path / "store").rglob("adapter_model.safetensors")) == adapters, "links go, what they name stays"


def test_a_run_refuses_a_foreign_folder_before_it_computes_anything(experiment: Experiment, tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match=r"holds 'thesis\.tex'"):
        run(experiment, out=out, store=Store(tmp_path / "store"))
    assert files_in(out) == {"thesis.tex": "mine"}
    assert not list((tmp_path / "store").rglob("*.parquet"))
