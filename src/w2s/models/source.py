"""What a model's name stands for: a bundled package, a hub id, a folder or a `.gguf` file. No torch here."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from w2s.config import ModelSpec
from w2s.errors import InputError, unknown_name
from w2s.files import file_sha256, tree_sha256
from w2s.hub import look_up, may_ask_hub
from w2s.models.bundled import BUNDLED

__all__ = ["Source", "cached_folder", "resolve"]

_UNKNOWN = "unknown"  # the commit of a hub id that a plan was made without


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a model's weights are.

    Attributes:
        identity: Names the content, wherever it lies: a hash, or a hub id with its commit.
        location: A folder or hub id that transformers can load; empty for GGUF, which is converted first.
        revision: The commit, for a hub id.
        gguf: The GGUF file, in parts that are joined in this order.
        sha256: Of the joined GGUF, where it is known beforehand.
    """

    identity: str
    location: str = ""
    revision: str | None = None
    gguf: tuple[Path, ...] = ()
    sha256: str | None = None


def resolve(spec: ModelSpec) -> Source:
    """Find a model.

    Within `w2s.hub.without_hub` a hub id that is not in the local cache is found as well, at an unknown commit.

    Raises:
        InputError: The name stands for nothing here, or for a folder without weights.
    """
    name = spec.name
    if name in BUNDLED:
        model = BUNDLED[name]
        return Source(identity=f"sha256:{model.sha256}", gguf=tuple(model.files()), sha256=model.sha256)
    path = Path(name or "no name").expanduser()  # that of no name would be the working directory
    if path.is_file():
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise InputError(f"model {name!r} is a file, but not a GGUF file: expected a folder or *.gguf")
        return Source(identity=f"sha256:{file_sha256(path)}", gguf=(path,))
    if path.is_dir():
        _check_folder(path)
        return Source(identity=f"sha256:{tree_sha256(path)}", location=str(path.resolve()))
    if name.endswith(".gguf") or name.startswith((".", "/", "~")):
        raise InputError(f"model {name!r}: no such file or folder")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise unknown_name("model", name, [*BUNDLED, "a hub id (owner/name)", "a folder", "a .gguf file"])
    commit = _hub_commit(name, spec.revision)
    return Source(identity=f"hub:{name}@{commit}", location=name, revision=commit)


def _check_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise InputError(f"model folder {folder} has no config.json: expected a model as save_pretrained writes it")
    if not any(folder.glob("*.safetensors")):
        raise InputError(f"model folder {folder} has no weights: expected *.safetensors (other formats are not read)")


def _hub_commit(name: str, revision: str | None) -> str:
    """The commit that a hub id stands for: asked of the hub, or of its local cache where there is no network."""
    if not may_ask_hub():
        cached = cached_folder(name, revision)
        return revision or _UNKNOWN if cached is None else cached.name
    if (found := look_up("model", name, revision)) is not None:
        if not any(file.endswith(".safetensors") for file in found.files):
            raise InputError(f"model {name!r} has no *.safetensors on the hub: other formats are not read")
        _keep_commit(name, revision)
        return found.commit
    if (cached := cached_folder(name, revision)) is not None:
        return cached.name
    raise InputError(
        f"model {name!r}: the hub cannot be reached and it is not in the local cache; use a local folder, a .gguf file"
        f" or a bundled model ({', '.join(BUNDLED)})"
    )


def _keep_commit(name: str, revision: str | None) -> None:
    """Have the hub's local cache note which commit a branch stands for: models are loaded by commit, which notes none.

    Without it a model that was used would not be found where there is no network.
    """
    from huggingface_hub import hf_hub_download

    with suppress(Exception):  # whatever is wrong is said when the model is loaded
        hf_hub_download(name, "config.json", revision=revision)


def cached_folder(name: str, revision: str | None = None) -> Path | None:
    """Where the hub's local cache has a model, in a folder named by its commit; None where it has it not.

    Args:
        name: A hub id.
        revision: A branch, tag or commit; by default the main branch, as it was when it was last looked up.

    Raises:
        InputError: The name cannot be a hub id.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(name, "config.json", revision=None if revision == _UNKNOWN else revision)
    except HFValidationError as error:
        raise InputError(f"model {name!r} is no hub id: {' '.join(str(error).split())}") from None
    return Path(cached).parent if isinstance(cached, str) else None
