"""`w2s store` and the commands below it: what they print, and how they end."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support.commands import Say, refused
from support.households import age, age_notes, chain, compute, name, there
from w2s.cli import main
from w2s.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Five results: a run names three, one more was left by a run whose folder is gone, and one nobody names."""
    store, steps = Store(tmp_path / "store"), chain(5)
    compute(store, steps[4:])
    name(store, steps[2:3], tmp_path / "run")
    name(store, steps[3:4], tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    return store


def test_the_store_is_told_by_kind_and_by_run(say: Say, store: Store, tmp_path: Path) -> None:
    text = say("store", "--store", store.root)
    sizes = {number: store.contents().by_address[step.address].bytes for number, step in enumerate(chain(5))}
    assert re.match(rf"{re.escape(str(store.root))}: [\d.]+ kB in 5 results, [\d.]+ kB of no run\n", text)
    assert re.search(r"^kind-0 +2 +[\d.]+ k?B +[\d.]+ k?B +0 h$", text, re.MULTILINE)
    for folder, state, count, alone in (("run", "finished", 3, "0 B"), ("gone", "gone", 4, f"{sizes[3]} B")):
        row = rf"^{re.escape(str(tmp_path / folder))} +{state} +0 h +{count} +[\d.]+ kB +{alone}$"
        assert re.search(row, text, re.MULTILINE), text
    told = json.loads(say("store", "--store", store.root, "--json"))
    assert told["results"] == 5 and told["bytes"] == sum(sizes.values())
    assert {kind: of["bytes_of_no_run"] for kind, of in told["kinds"].items()} == {
        "kind-0": sizes[3],
        "kind-1": sizes[4],
        "kind-2": 0,
    }
    states = {run["folder"]: (run["state"], run["results"]) for run in told["runs"]}
    assert states == {str(tmp_path / "run"): ("finished", 3), str(tmp_path / "gone"): ("gone", 4)}


def test_prune_lists_first_and_removes_with_yes(say: Say, store: Store) -> None:
    age(store, chain(5))
    age_notes(store)
    words = ["store", "prune", "--store", store.root, "--unused"]
    listed = say(*words)
    assert "step 3" in listed and "step 4" in listed and "step 2" not in listed
    assert re.search(r"^would go: 2 results and 0 broken off, [\d.]+ kB; --yes removes them$", listed, re.MULTILINE)
    assert there(store, chain(5)) == [0, 1, 2, 3, 4]
    assert "nothing would go" in say(*words, "--older-than", "20w")
    assert "removed: 2 results" in say(*words, "--yes")
    assert there(store, chain(5)) == [0, 1, 2]
    assert "removed: 0 results" in say(*words, "--yes")


def test_what_came_with_an_archive_is_shown_as_it_is_and_steers_nothing(say: Say, store: Store, tmp_path: Path) -> None:
    name(store, chain(1), tmp_path / "[bold]run[/x]")
    manifest = store.path(chain(5)[4]) / "manifest.json"
    manifest.write_text(manifest.read_text().replace("step 4", "[red]step[/x] \\u001b[31m"))
    age(store, chain(5))
    age_notes(store)
    assert str(tmp_path / "[bold]run[/x]") in say("store", "--store", store.root)
    assert "[red]step[/x] ␛[31m" in say("store", "prune", "--store", store.root, "--unused")
    (manifest.parent / "text").unlink()
    with pytest.raises(SystemExit):
        say("store", "verify", "--store", store.root)


@pytest.mark.parametrize("span", ["30", "d", "-1d", "1.5d", "30 days", "999999d"])
def test_a_span_that_is_none_is_said(store: Store, capsys: pytest.CaptureFixture[str], span: str) -> None:
    line = refused(["store", "prune", "--store", str(store.root), f"--older-than={span}"], capsys)
    assert line == f"--older-than is {span!r}: expected a number of hours, days or weeks, such as 12h, 30d or 4w"


def test_verify_ends_with_1_where_something_is_damaged(
    say: Say, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["store", "verify", "--store", str(store.root)]
    assert "5 results are whole, 0 damaged" in say(*words)
    (store.path(chain(5)[1]) / "text").write_text("x")
    for option, said in ([], "damaged"), (["--remove-damaged"], "removed"):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([*words, *option])
        assert ended.value.code == 1
        out = capsys.readouterr().out
        assert f"{said}: kind-1/{chain(5)[1].key} (step 1): text has 1 bytes, expected" in out
        assert "4 results are whole, 1 damaged" in out
    assert "4 results are whole, 0 damaged" in say(*words)


def test_a_command_below_store_that_is_none_is_said_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(["store", "prun"], capsys)
    assert line.startswith("unknown command 'store prun': expected one of store prune, store verify")
    assert line.endswith("did you mean 'store prune'?")


@pytest.mark.usefixtures("no_page")
def test_a_run_goes_from_one_store_to_another(say: Say, config: Path, tmp_path: Path) -> None:
    run = ["run", "--config", config, "--methods", "[naive]", "--adapters", "copy"]
    say(*run, "--store", tmp_path / "here", "--out", tmp_path / "run")
    assert not (tmp_path / "run" / "seed-0" / "naive" / "adapter").is_symlink()
    assert "adapters:" not in (tmp_path / "run" / "experiment.yaml").read_text()
    file = tmp_path / "run.tar.gz"
    text = say("store", "export", tmp_path / "run", "--out", file, "--store", tmp_path / "here")
    assert re.search(rf"^14 results, \d+ files of the run\n{re.escape(str(file))}: [\d.]+ [kM]B$", text, re.MULTILINE)
    text = say("store", "import", file, "--store", tmp_path / "there", "--out", tmp_path / "taken")
    assert f"14 results are new in {tmp_path / 'there'}, 0 were there\n" in text
    assert (tmp_path / "taken" / "results.json").read_bytes() == (tmp_path / "run" / "results.json").read_bytes()
    assert "0 steps computed" in say(*run, "--store", tmp_path / "there", "--out", tmp_path / "again")
    text = say("store", "--store", tmp_path / "there", "--runs", tmp_path / "run", tmp_path / "taken")
    assert all(f"{tmp_path / name} " in text for name in ("run", "taken", "again"))
    text = say("store", "prune", "--store", tmp_path / "there", "--unused", "--keep-runs", tmp_path / "run")
    assert "nothing would go" in text
