"""A hub on this machine: what `huggingface_hub` and `datasets` ask of the real one to find and download a repository.

    with serve(model("somebody/tiny", folder)) as hub:
        subprocess.run([...], env={**os.environ, **hub.environment(tmp_path)})

The clients read `HF_ENDPOINT` when they are imported, so whoever is to use the server is a process of its own.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = ["TOKEN", "HubServer", "Repository", "dataset", "model", "serve"]

TOKEN = "hf_of-somebody-with-access"  # opens what is private or gated
Access = Literal["public", "private", "gated"]


@dataclass(frozen=True, kw_only=True)
class Repository:
    """What lies on the hub under one name.

    Attributes:
        kind: As the hub's addresses have it.
        name: The owner and the name.
        branches: The files of each branch, by path.
        access: Who may read it; the card of a gated one anybody may.
    """

    kind: Literal["models", "datasets"]
    name: str
    branches: Mapping[str, Mapping[str, bytes]]
    access: Access = "public"

    def commit(self, revision: str) -> str | None:
        """The commit that a branch, or a commit itself, stands for."""
        commits = {branch: hashlib.sha1(f"{self.name} {branch}".encode()).hexdigest() for branch in self.branches}
        return commits.get(revision, revision if revision in commits.values() else None)

    def files(self, commit: str) -> Mapping[str, bytes]:
        return next(files for branch, files in self.branches.items() if self.commit(branch) == commit)


def model(name: str, folder: Path, access: Access = "public") -> Repository:
    """A model, as `save_pretrained` wrote it."""
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    return Repository(kind="models", name=name, branches={"main": files}, access=access)


def dataset(
    name: str, files: Mapping[str, bytes], branch: str = "main", access: Access = "public", **more: Mapping[str, bytes]
) -> Repository:
    """A data set with these files on a branch, and on other ones."""
    return Repository(kind="datasets", name=name, branches={branch: files, **more}, access=access)


@dataclass
class HubServer:
    """A server; see `serve`.

    Attributes:
        address: What `HF_ENDPOINT` must be.
        repositories: What it has, by kind and name; may be changed.
        cut: Of a file, after how many bytes its next downloads end, one after the other.
        asked: Every request: its method, its address, and the first byte that it wants.
        is_away: Whether nobody answers.
    """

    address: str
    repositories: dict[tuple[str, str], Repository]
    cut: dict[str, list[int]] = field(default_factory=dict)
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    is_away: bool = False

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody listens for as long as the block lasts, and who was connected is cut off."""
        self.is_away = True
        self._stop()
        try:
            yield
        finally:
            self.is_away = False
            self._start()

    def _start(self) -> None:
        self._listening = ThreadingHTTPServer(("127.0.0.1", urlsplit(self.address).port or 0), _Handler)
        self._listening.hub = self  # type: ignore[attr-defined]
        self.address = f"http://127.0.0.1:{self._listening.server_port}"
        self._thread = threading.Thread(target=self._listening.serve_forever, args=[0.01], daemon=True)
        self._thread.start()

    def _stop(self) -> None:
        self._listening.shutdown()
        self._listening.server_close()
        self._thread.join()

    def environment(self, home: Path, **more: str) -> dict[str, str]:
        """The variables with which a process uses this server and nothing else, with a cache in `home`."""
        return {
            "HF_ENDPOINT": self.address,
            "HF_HOME": str(home),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",  # another protocol, and another server
            "NO_PROXY": "127.0.0.1",
            **more,
        }

    def downloads(self, file: str) -> list[int]:
        """The first byte of each download of a file."""
        return [first for method, path, first in self.asked if method == "GET" and path.endswith(f"/{file}")]


@contextmanager
def serve(*repositories: Repository) -> Iterator[HubServer]:
    """A hub with these repositories, for as long as the block lasts."""
    hub = HubServer(address="", repositories={(one.kind, one.name): one for one in repositories})
    hub._start()
    try:
        yield hub
    finally:
        hub.is_away = True
        hub._stop()


class _RefusalError(Exception):
    """An answer that is an error: its status, the hub's code for it, and its text."""

    def __init__(self, status: int, code: str | None, text: str) -> None:
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test says what it wants to know."""

    @property
    def hub(self) -> HubServer:
        hub: HubServer = self.server.hub  # type: ignore[attr-defined]
        return hub

    def _answer(self) -> None:
        if self.hub.is_away:
            self.close_connection = True
            return
        first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        url = urlsplit(self.path)
        path = unquote(url.path).strip("/")
        self.hub.asked.append((self.command, f"/{path}", first))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            if path.startswith("api/"):
                kind, owner, name, *rest = path.removeprefix("api/").split("/")
                self._of_api(self._repository(kind, f"{owner}/{name}"), rest, parse_qs(url.query), body)
            else:
                kind, path = (
                    ("datasets", path.removeprefix("datasets/")) if path.startswith("datasets/") else ("models", path)
                )
                owner, name, _, rest_of_path = path.split("/", 3)
                self._file(self._repository(kind, f"{owner}/{name}"), rest_of_path, first)
        except _RefusalError as refusal:
            headers = {"X-Error-Message": refusal.text} | ({"X-Error-Code": refusal.code} if refusal.code else {})
            self._send(json.dumps({"error": refusal.text}).encode(), status=refusal.status, headers=headers)

    def _repository(self, kind: str, name: str) -> Repository:
        if "Authorization" in self.headers and not self._signed_in:
            raise _RefusalError(401, None, "Invalid credentials in Authorization header")
        found = self.hub.repositories.get((kind, name))
        if found is not None and (found.access != "private" or self._signed_in):
            return found
        if self._signed_in:
            raise _RefusalError(404, "RepoNotFound", "Repository not found")
        raise _RefusalError(401, None, "Invalid username or password.")

    @property
    def _signed_in(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _of_api(self, repository: Repository, rest: list[str], query: Mapping[str, list[str]], body: bytes) -> None:
        match rest:
            case [] | ["revision", *_]:
                self._json(self._card(repository, _commit(repository, "/".join(rest[1:]) or "main")))
            case ["auth-check"]:
                self._check_gate(repository)
                self._json({})
            case ["tree", *below]:
                commit, folder = _split(repository, "/".join(below))
                recursive = query.get("recursive", ["false"])[0].lower() == "true"
                self._json(_listed(repository.files(commit), folder, recursive))
            case ["paths-info", *below]:
                commit = _commit(repository, "/".join(below))
                wanted = json.loads(body)["paths"] if body[:1] == b"{" else parse_qs(body.decode())["paths"]
                files = repository.files(commit)
                found = [
                    one
                    for path in wanted
                    for one in _listed(files, str(Path(path).parent), False)
                    if one["path"] == path
                ]
                self._json(found)
            case _:
                raise _RefusalError(404, None, f"Not found: {self.path}")

    def _card(self, repository: Repository, commit: str) -> dict[str, Any]:
        return {
            "_id": "0",
            "id": repository.name,
            "sha": commit,
            "private": repository.access == "private",
            "gated": "manual" if repository.access == "gated" else False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "siblings": [{"rfilename": path} for path in repository.files(commit)],
        }

    def _check_gate(self, repository: Repository) -> None:
        if repository.access == "gated" and not self._signed_in:
            text = f"Access to {repository.kind[:-1]} {repository.name} is restricted to who is signed in."
            raise _RefusalError(401, "GatedRepo", text)

    def _file(self, repository: Repository, below: str, first: int) -> None:
        commit, path = _split(repository, below)
        self._check_gate(repository)
        files = repository.files(commit)
        if path not in files:
            raise _RefusalError(404, "EntryNotFound", "Entry not found")
        data = files[path]
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        cuts = self.hub.cut.get(path, []) if self.command == "GET" else []
        cut = cuts.pop(0) if cuts else None
        self._send(data[first:], status=206 if first else 200, headers=headers, cut=cut)

    def _json(self, value: object) -> None:
        self._send(json.dumps(value).encode(), headers={"Content-Type": "application/json"})

    def _send(
        self, data: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None, cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[:cut])
        if cut is not None:
            self.close_connection = True


def _commit(repository: Repository, revision: str) -> str:
    commit = repository.commit(revision)
    if commit is None:
        raise _RefusalError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
    return commit


def _split(repository: Repository, below: str) -> tuple[str, str]:
    """The commit and the path in `revision/path`, where a branch may have slashes in its name."""
    for branch in [*repository.branches, *map(repository.commit, repository.branches)]:
        if branch is not None and (below == branch or below.startswith(f"{branch}/")):
            return _commit(repository, branch), below.removeprefix(branch).strip("/")
    raise _RefusalError(404, "RevisionNotFound", f"Invalid rev id: {below}")


def _listed(files: Mapping[str, bytes], folder: str, recursive: bool) -> list[dict[str, Any]]:
    """Files and folders in a folder, as the hub lists them."""
    before = "" if folder in ("", ".") else f"{folder}/"
    found: dict[str, dict[str, Any]] = {}
    for path, data in files.items():
        if not path.startswith(before):
            continue
        parts = path.removeprefix(before).split("/")
        for depth in range(1, len(parts) if recursive else min(2, len(parts))):
            name = before + "/".join(parts[:depth])
            found[name] = {"type": "directory", "oid": "0", "size": 0, "path": name}
        if recursive or len(parts) == 1:
            oid = hashlib.sha1(data).hexdigest()
            found[path] = {"type": "file", "oid": oid, "size": len(data), "path": path}
    if not found and before:
        raise _RefusalError(404, "EntryNotFound", f"{folder} does not exist")
    return list(found.values())
