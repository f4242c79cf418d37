"""What a model's name stands for: a bundled package, a hub id, a folder or a `.gguf` file. No torch here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from w2s.config import ModelSpec
from w2s.errors import InputError, unknown_name
from w2s.files import file_sha256, tree_sha256
from w2s.models.bundled import BUNDLED

__all__ = ["Source", "resolve"]


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
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        commit = HfApi().model_info(name, revision=revision, timeout=10).sha
        assert commit is not None, f"the hub gave no commit for {name}"
        return commit
    except HFValidationError as error:
        raise InputError(
            f"model {name!r} is no hub id, and no local folder or file either: {' '.join(str(error).split())}"
        ) from None
    except HfHubHTTPError as error:
        if error.response is not None and error.response.status_code in (401, 403, 404):
            raise InputError(
                f"model {name!r}: the hub knows no such model at {revision or 'main'}, or it is gated or private"
                " (bundled models: " + ", ".join(BUNDLED) + ")"
            ) from None
    except Exception:  # no network: what the hub's client raises then is its HTTP library's own affair
        pass
    cached = try_to_load_from_cache(name, "config.json", revision=revision)
    if isinstance(cached, str):
        return Path(cached).parent.name
    raise InputError(
        f"model {name!r}: the hub cannot be reached and it is not in the local cache; use a local folder, a .gguf file"
        f" or a bundled model ({', '.join(BUNDLED)})"
    )
