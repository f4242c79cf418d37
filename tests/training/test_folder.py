"""The folder of a training: whose it is, and what is left alone in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.training import same, train, training_set
from w2s.errors import InputError
from w2s.models.load import LanguageModel
from w2s.training.folder import LOCK, MARKER, training_folder


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


@pytest.mark.parametrize("name", ["checkpoints/checkpoint-3/state.json", "log.jsonl", "notes.txt", ".hidden"])
def test_a_folder_that_is_not_ours_is_refused_and_left_as_it_is(lm: LanguageModel, tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(InputError) as caught:
        train(lm, tmp_path)
    first = name.split("/")[0]
    assert str(caught.value) == f"{tmp_path} holds {first!r}: expected an empty folder or one of w2s train"
    assert contents(tmp_path) == before


@pytest.mark.parametrize("kind", ["file", "dangling", "below a file"])
def test_what_is_no_folder_is_refused(lm: LanguageModel, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    if kind == "dangling":
        out.symlink_to(tmp_path / "nowhere")
    else:
        out.write_text("mine")
    with pytest.raises(InputError, match="is no folder: expected an empty one"):
        train(lm, out / "x" if kind == "below a file" else out)
    assert sorted(tmp_path.iterdir()) == [out] and (kind == "dangling" or out.read_text() == "mine")


def test_files_beside_a_trainings_own_are_left_alone(lm: LanguageModel, tmp_path: Path) -> None:
    train(lm, tmp_path, epochs=1)
    (tmp_path / "notes.txt").write_text("mine")
    train(lm, tmp_path, epochs=1, seed=3)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_finished_training_of_the_same_identity_is_done_again_without_a_word(
    lm: LanguageModel, tmp_path: Path
) -> None:
    one = train(lm, tmp_path, epochs=1)
    other = train(lm, tmp_path, epochs=1)
    assert same(one.adapter, other.adapter) and other.said == [] and one.log == other.log


@pytest.mark.parametrize("finished", [True, False])
def test_other_weights_under_the_same_name_are_another_training(
    lm: LanguageModel, tmp_path: Path, finished: bool
) -> None:
    class Killed(BaseException):
        pass

    def progress(done: int, total: int, unit: str, tokens: int = 0) -> None:
        if done == 5 and not finished:
            raise Killed

    try:
        train(lm, tmp_path, model_identity="one", progress=progress)
    except Killed:
        assert any((tmp_path / "checkpoints").iterdir())
    said = [f"{tmp_path} holds a training of other weights, settings or rows: beginning anew"]
    run = train(lm, tmp_path, model_identity="other")
    assert run.said == said and [entry["step"] for entry in run.log] == [1, 2, 3, 4, 5, 6]
    assert train(lm, tmp_path, model_identity="other").said == []


def test_a_training_that_begins_anew_leaves_no_result_of_the_one_before(lm: LanguageModel, tmp_path: Path) -> None:
    train(lm, tmp_path, epochs=1)
    with pytest.raises(KeyboardInterrupt):
        train(lm, tmp_path, seed=9, progress=interrupted)
    assert not (tmp_path / "adapter").exists() and not (tmp_path / "training.json").exists()


def interrupted(done: int, total: int, unit: str, tokens: int = 0) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("text", ["", "{", "[]", '{"identity": 3'])
def test_a_broken_marker_is_still_ours_and_begins_anew(lm: LanguageModel, tmp_path: Path, text: str) -> None:
    train(lm, tmp_path, epochs=1)
    (tmp_path / MARKER).write_text(text)
    assert "beginning anew" in train(lm, tmp_path, epochs=1).said[0]
    assert len(json.loads((tmp_path / MARKER).read_text())["identity"]) == 64


def test_a_kill_before_the_marker_leaves_a_folder_that_can_be_used(lm: LanguageModel, tmp_path: Path) -> None:
    (tmp_path / LOCK).touch()
    (tmp_path / ".123.w2s-tmp").write_text("{")
    assert train(lm, tmp_path, epochs=1).report.steps == 3
    assert {path.name for path in tmp_path.iterdir()} == {"adapter", "log.jsonl", "training.json", MARKER}


def test_a_second_training_into_the_same_folder_is_refused(lm: LanguageModel, tmp_path: Path) -> None:
    refusals: list[str] = []

    def again(done: int, total: int, unit: str, tokens: int = 0) -> None:
        if done == 2:
            with pytest.raises(InputError) as caught, training_folder(tmp_path, "another"):
                pass
            refusals.append(str(caught.value))

    run = train(lm, tmp_path, progress=again)
    assert refusals == [f"{tmp_path}: another training is writing into this folder, expected one of its own"]
    assert len(run.losses) == 6 and not (tmp_path / LOCK).exists()
    with training_folder(tmp_path, "another"):
        assert (tmp_path / LOCK).exists()


CHILD = """
import os, signal, sys
from pathlib import Path
from w2s.training.folder import training_folder
with training_folder(Path(sys.argv[1]), "one"):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path)], capture_output=True, env=dict(os.environ))
    assert done.returncode == -signal.SIGKILL and (tmp_path / LOCK).exists()
    with training_folder(tmp_path, "one"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [MARKER]


def test_a_log_of_broken_lines_is_rewritten(lm: LanguageModel, tmp_path: Path) -> None:
    train(lm, tmp_path, epochs=1)
    (tmp_path / "log.jsonl").write_bytes(b'\xff\xfe\n[1]\n"x"\n{"step": null}\n')
    assert len(train(lm, tmp_path, training_set(), epochs=1).log) == 3
