"""Every reply on disk when it comes, by the key of its request: what was paid for once is not asked again."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from w2s.errors import InputError
from w2s.servers.replies import Reply

__all__ = ["Answered", "Spent"]

_FILE = "answered.sqlite"
_WAIT = 60.0  # seconds, for another process that is writing


class Spent(NamedTuple):
    """Replies, and what they cost."""

    requests: int
    cost: float


class Answered:
    """The replies of all servers, in one file that several processes may use.

    Args:
        folder: It is made if it is not there.

    Raises:
        InputError: The file is damaged.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / _FILE
        self._lock = Lock()
        with self._explained():
            self._database = sqlite3.connect(self._path, timeout=_WAIT, check_same_thread=False)
            # Not a write-ahead log: that needs memory that processes share, which a network's file system has not.
            self._database.execute("PRAGMA journal_mode=TRUNCATE").fetchone()
            with self._database:
                self._database.execute(
                    "CREATE TABLE IF NOT EXISTS replies "
                    "(key TEXT PRIMARY KEY, reply TEXT NOT NULL, is_answer INTEGER NOT NULL) WITHOUT ROWID"
                )
                self._database.execute(
                    "CREATE TABLE IF NOT EXISTS accounts "
                    "(name TEXT PRIMARY KEY, requests INTEGER NOT NULL, cost REAL NOT NULL) WITHOUT ROWID"
                )

    def get(self, key: str) -> Reply | None:
        """The reply to a request, be it an answer or not; None where there is none."""
        with self._explained(), self._lock:
            row = self._database.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        return None if row is None else self._read(row[0])

    def __contains__(self, key: str) -> bool:
        """Whether a request has an answer."""
        with self._explained(), self._lock:
            query = "SELECT 1 FROM replies WHERE key = ? AND is_answer"
            return self._database.execute(query, (key,)).fetchone() is not None

    def put(self, replies: Mapping[str, Reply]) -> None:
        """Keep replies; on disk when this returns. The first answer to a request stays; a refusal is replaced."""
        rows = [(key, _written(reply), reply.is_answer) for key, reply in replies.items()]
        statement = (
            "INSERT INTO replies VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE "
            "SET reply = excluded.reply, is_answer = excluded.is_answer WHERE NOT replies.is_answer"
        )
        with self._explained(), self._lock, self._database:
            self._database.executemany(statement, rows)

    def charge(self, account: str, requests: int, cost: float) -> Spent:
        """Charge an account, which several processes may do at once; less than nothing is given back.

        Returns:
            What the account has spent with this.
        """
        statement = (
            "INSERT INTO accounts VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE "
            "SET requests = requests + excluded.requests, cost = cost + excluded.cost"
        )
        with self._explained(), self._lock, self._database:  # nobody else writes until it is read
            self._database.execute(statement, (account, requests, cost))
            query = "SELECT requests, cost FROM accounts WHERE name = ?"
            return Spent(*self._database.execute(query, (account,)).fetchone())

    def close(self) -> None:
        """Let the file go."""
        self._database.close()

    def _read(self, row: str) -> Reply:
        digest, _, text = row.partition(" ")
        if row.startswith("{"):  # of an earlier version, without a hash
            digest, text = _digest(row), row
        try:
            if digest == _digest(text):
                return Reply(**json.loads(text))
        except (ValueError, TypeError):
            pass
        raise self._damaged("a reply in it is not as it was written")

    def _damaged(self, why: object) -> InputError:
        return InputError(f"{self._path} is damaged ({why}): move it away; the answers in it will be asked again")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            for number, said in ((errno.ENOSPC, "full"), (errno.EROFS, "readonly"), (errno.EACCES, "unable to open")):
                if said in str(error):
                    raise OSError(number, os.strerror(number), str(self._path)) from None
            raise InputError(f"{self._path} cannot be used: {error}") from None
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from None


def _written(reply: Reply) -> str:
    """A reply as a row: a hash of its text, by which damage shows, and the text."""
    text = json.dumps(asdict(reply), ensure_ascii=False)
    return f"{_digest(text)} {text}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]
