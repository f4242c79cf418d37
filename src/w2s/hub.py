"""What the hub says of a repository, and whether it may be asked: a plan is made without it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from w2s.errors import InputError

__all__ = ["Repository", "clients_offline", "look_up", "may_ask_hub", "model_folder", "without_hub"]

# What a model is loaded from; many repositories hold its weights a second time, in another form.
_OF_A_MODEL = ("*.json", "*.txt", "*.model", "*.tiktoken", "*.jinja", "*.py", "model*.safetensors")
_SECONDS = 10  # that the hub has to answer
_BAD_TOKEN = "Invalid credentials in Authorization header"  # its words; any other 401 may be a name that is nobody's

_may_ask: ContextVar[bool] = ContextVar("may_ask_hub", default=True)


def may_ask_hub() -> bool:
    """False within `without_hub`."""
    return _may_ask.get()


@contextmanager
def without_hub() -> Iterator[None]:
    """Nothing is asked of the hub within: models and data that its local cache has not stay unknown.

    The hub's libraries read the environment when they are first imported; one that was imported within the block asks
    nothing later either.
    """
    before = os.environ.get("HF_HUB_OFFLINE")
    token = _may_ask.set(False)
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        yield
    finally:
        _may_ask.reset(token)
        if before is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = before


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository that may be read.

    Attributes:
        commit: What its revision stands for now.
        files: The paths of its files there.
    """

    commit: str
    files: tuple[str, ...]


def look_up(kind: Literal["model", "dataset"], name: str, revision: str | None = None) -> Repository | None:
    """Ask the hub for a repository.

    Args:
        kind: What it holds.
        name: A hub id.
        revision: A branch, tag or commit; by default the main branch.

    Returns:
        None where the hub cannot be reached, or is in trouble itself.

    Raises:
        InputError: There is no such repository or revision, or whoever runs this may not read it.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, RevisionNotFoundError

    api = HfApi()
    called, path = (f"data set {name!r}", f"datasets/{name}") if kind == "dataset" else (f"model {name!r}", name)
    try:
        ask = api.model_info if kind == "model" else api.dataset_info
        info = ask(name, revision=revision, timeout=_SECONDS)
        if info.gated:  # its card is for everybody, its files are not
            api.auth_check(name, repo_type=kind)
    except HFValidationError as error:
        raise InputError(
            f"{called} is no hub id, and no local folder or file either: {' '.join(str(error).split())}"
        ) from None
    except GatedRepoError:
        raise InputError(
            f"{called} is gated: ask for access at {constants.ENDPOINT}/{path}, and set HF_TOKEN to your token"
        ) from None
    except RevisionNotFoundError:
        raise InputError(
            f"{called} has no revision {revision!r} on the hub: expected a branch, tag or commit"
        ) from None
    except HfHubHTTPError as error:
        status, reason = error.response.status_code, error.response.headers.get("X-Error-Message", "")
        if status == 401 and reason == _BAD_TOKEN:
            raise InputError(
                f"{called}: the hub does not know the token that HF_TOKEN or `hf auth login` set"
            ) from None
        if status in (401, 403, 404):
            raise InputError(
                f"{called}: the hub knows none of this name, or it is private: expected another name, or HF_TOKEN set "
                "to the token of somebody who may read it"
            ) from None
        return None
    except Exception:  # no network: what the hub's client raises then is its HTTP library's own affair
        return None
    assert info.sha is not None, f"the hub gave no commit for {name}"
    return Repository(commit=info.sha, files=tuple(file.rfilename for file in info.siblings or ()))


def model_folder(name: str, commit: str) -> Path:
    """A model's files in the local cache; what is not there yet is downloaded.

    Args:
        name: A hub id.
        commit: Which of its versions.

    Raises:
        Exception: Whatever the hub's client raises where files are missing and cannot be had.
    """
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(name, revision=commit, allow_patterns=list(_OF_A_MODEL)))


@contextmanager
def clients_offline() -> Iterator[None]:
    """The hub's clients use their local caches alone, at once: they try for minutes to reach a hub that is away."""
    import datasets
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = before
