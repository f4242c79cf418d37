"""A student as others load it: an adapter with its tokenizer and card, or merged into its base model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from w2s.config import ModelSpec
from w2s.errors import InputError
from w2s.exporting.finding import FoundStudent
from w2s.files import remove
from w2s.folders.owned import OwnedFolder
from w2s.models.licence import licence_of
from w2s.models.prepared import PreparedModel, loaded
from w2s.pipeline.stages import done_step
from w2s.progress import no_progress
from w2s.report.card import base_lines, plain_card
from w2s.store import Store, default_root

if TYPE_CHECKING:
    from w2s.exporting.merging import Difference
    from w2s.models.load import LanguageModel

__all__ = ["ExportedStudent", "export_student"]


@dataclass(frozen=True, kw_only=True)
class ExportedStudent:
    """What was written.

    Attributes:
        folder: The folder.
        base: What the base model is called.
        merged: Whether it is a model of its own.
        difference: Between the logits of the adapter on its base and those of the merged model after reloading.
    """

    folder: Path
    base: str
    merged: bool
    difference: Difference | None = None


def export_student(
    student: FoundStudent, out: str | Path, *, base: ModelSpec, merge: bool = False, store: Store | None = None
) -> ExportedStudent:
    """Write a student into a folder that transformers and peft load.

    Args:
        student: From `finding.find_student`.
        out: A folder: new, empty, or that of an earlier export. It is filled whole or not at all.
        base: The model under the adapter, in the dtype that the merged model is to have.
        merge: Write the model with the adapter merged into it, not the adapter.
        store: Where converted models are; by default `store.default_root()`.

    Raises:
        InputError: The adapter is not of this model, the folder is somebody else's, or the merged model says
            something else than the adapter does.
    """
    from w2s.exporting.merging import merge_into

    owned = OwnedFolder(Path(out).expanduser())
    owned.check()
    prepared = PreparedModel(base)
    identity = str(prepared.settings["identity"])
    if student.identity not in (None, identity):
        raise InputError(
            f"base {base.name!r} is not the model that the student was trained on: its content is {identity}, expected "
            f"{student.identity}"
        )
    new = owned.root.with_name(f".{owned.root.name}.w2s-export")
    remove(new)
    new.mkdir(parents=True)
    try:
        with _wearing(prepared, student.adapter, store or Store(default_root())) as lm:
            called = lm.public_name or Path(base.name).name
            difference = None
            if merge:
                difference = merge_into(lm, new, prompts=student.prompts)
            else:
                _copy_adapter(student.adapter, new, called, lm.revision)
            lm.tokenizer.save_pretrained(new)
        lines = base_lines(base, identity, licence_of(base))
        card = student.card if student.card is not None else plain_card(called, lines, student.trained)
        if merge:
            card = card.replace("library_name: peft", "library_name: transformers", 1)
        (new / "README.md").write_text(card, encoding="utf-8")
        with owned.owned():
            for file in sorted(path for path in new.rglob("*") if path.is_file()):
                file.rename(owned.claim(owned.root / file.relative_to(new)))
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return ExportedStudent(folder=owned.root, base=called, merged=merge, difference=difference)


@contextmanager
def _wearing(prepared: PreparedModel, adapter: Path, store: Store) -> Iterator[LanguageModel]:
    """The base model in memory with the adapter on it."""
    if "model" not in prepared.inputs:
        with loaded(prepared.settings, prepared.execution, {}, adapter) as lm:
            yield lm
        return
    with (
        done_step(prepared.inputs["model"], None, store, no_progress) as folder,
        loaded(prepared.settings, prepared.execution, {"model": folder}, adapter) as lm,
    ):
        yield lm


def _copy_adapter(adapter: Path, to: Path, base: str, revision: str | None) -> None:
    """The two files of an adapter, its base by a name that is no path."""
    shutil.copyfile(adapter / "adapter_model.safetensors", to / "adapter_model.safetensors")
    config = json.loads((adapter / "adapter_config.json").read_bytes())
    config |= {"base_model_name_or_path": base, "revision": revision}
    (to / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")
