"""A run as one file: whoever takes it has the folder, and computes nothing again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from support.archives import listed, members_of, packed
from support.experiments import in_splits, questions, small_experiment, without_pages, write_rows
from support.households import age_notes
from w2s.config import Experiment
from w2s.errors import InputError
from w2s.folders.layout import Adapters
from w2s.results.records import RunRecords
from w2s.results.sharing import export_run, import_run
from w2s.runners.base import Event
from w2s.running import run
from w2s.step import Address
from w2s.store import Store


@pytest.fixture(scope="module", autouse=True)
def no_page() -> Iterator[None]:
    with without_pages():
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store, a run in it, and the run as one file."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def experiment(home: Path, tiny_llama: Path, tiny_gemma: Path) -> Experiment:
    data = write_rows(home / "questions.jsonl", in_splits(questions()))
    experiment = small_experiment(data, tiny_llama, tiny_gemma, methods=["naive", "ceiling"])
    run(experiment, out=home / "run", store=Store(home / "store"))
    export_run(home / "run", home / "run.tar.gz", store=Store(home / "store"))
    return experiment


def computed(experiment: Experiment, out: Path, store: Path, adapters: Adapters = "link") -> list[str]:
    events: list[Event] = []
    run(experiment, out=out, store=Store(store), on_event=events.append, adapters=adapters)
    return [event.step.label for event in events if event.kind == "finished"]


def files_of(folder: Path) -> dict[str, bytes]:
    """All files that can be read from a run's folder, adapters with them."""
    names = [Path(inner) / name for inner, _, names in os.walk(folder, followlinks=True) for name in names]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in names if path.name != ".w2s-run"}


@pytest.mark.parametrize("adapters", ["link", "copy"])
def test_a_colleague_has_the_folder_and_computes_nothing_again(
    experiment: Experiment, home: Path, tmp_path: Path, adapters: Adapters
) -> None:
    found = import_run(home / "run.tar.gz", store=Store(tmp_path / "store"), out=tmp_path / "run", adapters=adapters)
    assert len(found.new) == 17 and found.name == "run"
    assert files_of(tmp_path / "run") == files_of(home / "run")
    adapter = tmp_path / "run" / "seed-0" / "naive" / "adapter"
    assert adapter.is_symlink() == (adapters == "link")
    assert adapter.resolve().is_relative_to(tmp_path / ("store" if adapters == "link" else "run"))
    assert RunRecords.load(tmp_path / "run").records == RunRecords.load(home / "run").records
    assert computed(experiment, tmp_path / "run", tmp_path / "store") == []
    assert len(import_run(home / "run.tar.gz", store=Store(tmp_path / "store")).same) == 17


def test_what_was_imported_is_kept_for_as_long_as_its_folder_is_there(
    experiment: Experiment, home: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    import_run(home / "run.tar.gz", store=store, out=tmp_path / "run")
    age_notes(store)
    assert store.prune(unused=True, older_than=timedelta(0), dry_run=False).results == []
    assert computed(experiment, tmp_path / "again", tmp_path / "store") == []
    for folder in ("run", "again"):
        shutil.rmtree(tmp_path / folder)
    assert len(store.prune(unused=True, older_than=timedelta(0), dry_run=False).results) == 17
    assert store.contents().results == []


def test_a_run_names_every_step_that_its_results_were_made_from(experiment: Experiment, home: Path) -> None:
    named = RunRecords.load(home / "run").artifacts
    there = {one.address for one in Store(home / "store").contents().results}
    assert set(named) == there and len(named) == 17
    (note,) = Store(home / "store").contents().notes
    assert note.steps == there and note.folder == home / "run" and note.state == "finished"
    assert note.label == f"file: {experiment.weak.name} teaches {experiment.strong.name}"


def test_a_run_of_an_earlier_version_is_exported_with_what_the_manifests_tell(
    experiment: Experiment, home: Path, tmp_path: Path
) -> None:
    shutil.copytree(home / "run", tmp_path / "run", symlinks=True)
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    del results["behind"]
    (tmp_path / "run" / "results.json").write_text(json.dumps(results))
    assert export_run(tmp_path / "run", tmp_path / "a.tgz", store=Store(home / "store")).results == 17


def test_converted_models_stay_at_home_unless_they_are_asked_for(
    experiment: Experiment, home: Path, tmp_path: Path
) -> None:
    shutil.copytree(home / "run", tmp_path / "run", symlinks=True)
    store = Store(home / "store")
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    model = Address("model", "0" * 32)
    results["behind"].append({"label": "a model", "kind": model.kind, "key": model.key})
    (tmp_path / "run" / "results.json").write_text(json.dumps(results))
    folder = store.path(model)
    folder.mkdir(parents=True)
    manifest = json.loads((store.path(RunRecords.load(home / "run").artifacts[0]) / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "kind": "model", "key": model.key, "files": {}}))
    try:
        assert export_run(tmp_path / "run", tmp_path / "a.tar.gz", store=store).left_out == 1
        assert not any("/model/" in name for name in members_of(tmp_path / "a.tar.gz"))
        assert export_run(tmp_path / "run", tmp_path / "b.tar.gz", store=store, models=True).left_out == 0
        assert any("/model/" in name for name in members_of(tmp_path / "b.tar.gz"))
    finally:
        shutil.rmtree(folder.parent)


def test_what_cannot_be_exported_is_said(experiment: Experiment, home: Path, tmp_path: Path) -> None:
    store = Store(home / "store")
    with pytest.raises(InputError, match=r"expected a name that ends in \.tar\.gz or \.tgz"):
        export_run(home / "run", tmp_path / "run.zip", store=store)
    with pytest.raises(InputError, match="is not a finished run"):
        export_run(tmp_path, tmp_path / "run.tar.gz", store=store)
    with pytest.raises(InputError, match=r"16 of its results are not in .*, such as questions of weak_train"):
        export_run(home / "run", tmp_path / "run.tar.gz", store=Store(tmp_path / "other"))
    shutil.copytree(home / "run", tmp_path / "run", symlinks=True)
    link = tmp_path / "run" / "seed-0" / "naive" / "adapter"
    link.unlink()
    link.symlink_to(tmp_path)
    with pytest.raises(InputError, match="expected a link into"):
        export_run(tmp_path / "run", tmp_path / "run.tar.gz", store=store)
    (tmp_path / "run" / ".w2s-run").unlink()
    with pytest.raises(InputError, match="holds no list of its files"):
        export_run(tmp_path / "run", tmp_path / "run.tar.gz", store=store)
    assert not (tmp_path / "run.tar.gz").exists()


def test_what_cannot_be_imported_is_said_before_anything_is_taken(
    experiment: Experiment, home: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    with pytest.raises(InputError, match="no such file"):
        import_run(tmp_path / "none.tar.gz", store=store)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match=r"holds 'thesis\.tex'"):
        import_run(home / "run.tar.gz", store=store, out=tmp_path / "mine")
    assert not (tmp_path / "store").exists()


def test_an_archive_that_lacks_what_its_run_was_read_from_is_refused(
    experiment: Experiment, home: Path, tmp_path: Path
) -> None:
    files = members_of(home / "run.tar.gz")
    about = json.loads(files.pop("w2s-archive.json"))["about"]
    step = RunRecords.load(home / "run").info["steps"][0]
    less = {path: data for path, data in files.items() if f"{step['kind']}/{step['key']}/" not in path}
    bare = {path: data for path, data in files.items() if path != "run/results.json"}
    for held, said in ((less, f"lacks 1 of the results of its run, such as {step['kind']}"), (bare, "no finished run")):
        file = packed(tmp_path / "a.tar.gz", listed(about, held))
        with pytest.raises(InputError, match=said):
            import_run(file, store=Store(tmp_path / "store"), out=tmp_path / "run")
        assert Store(tmp_path / "store").contents().results == [] and not (tmp_path / "run").exists()


def test_adapters_that_are_copies_are_the_folders_own_and_go_with_the_next_run(
    experiment: Experiment, home: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert computed(experiment, out, home / "store", "copy") == []
    moved = shutil.move(out, tmp_path / "moved")
    adapter = Path(moved) / "seed-0" / "naive" / "adapter"
    link = home / "run" / "seed-0" / "naive" / "adapter"
    assert not any(path.is_symlink() for path in Path(moved).rglob("*"))
    assert files_of(adapter) == files_of(link) and "adapter_model.safetensors" in files_of(adapter)
    computed(replace(experiment, methods=["naive"]), Path(moved), home / "store")
    assert adapter.is_symlink() and not (Path(moved) / "seed-0" / "ceiling").exists()
    with pytest.raises(InputError, match="unknown way to keep adapters 'move': expected one of link, copy"):
        run(experiment, out=out, store=Store(home / "store"), adapters="move")  # type: ignore[arg-type]
