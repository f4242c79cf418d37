"""Every reply on disk when it comes, by the key of its request: what was paid for once is not asked again."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
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

logger = logging.getLogger(__name__)

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
            self._database.text_factory = bytes  # a reply that is no text any more is damaged, not an error of SQL
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
        """The reply to a request, be it an answer or not; None where there is none.

        One that is not as it was written is said and removed: its request is asked again, and the others stay.
        """
        with self._explained(), self._lock:
            row = self._database.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            reply = _parsed(key, row[0])
            if reply is None:
                with self._database:
                    # This row alone: another process may have put a new one there.
                    same = "CAST(reply AS BLOB) = CAST(? AS BLOB)"
                    self._database.execute(f"DELETE FROM replies WHERE key = ? AND {same}", (key, row[0]))
                logger.warning("%s: a reply in it was damaged and is removed; request %s has none", self._path, key)
            return reply

    def __contains__(self, key: str) -> bool:
        """Whether a request has an answer."""
        reply = self.get(key)
        return reply is not None and reply.is_answer

    def put(self, replies: Mapping[str, Reply]) -> None:
        """Keep replies; on disk when this returns. The first answer to a request stays; a refusal is replaced."""
        for key in replies:
            self.get(key)  # a damaged one makes room
        rows = [(key, _as_row(key, reply), reply.is_answer) for key, reply in replies.items()]
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
            raise InputError(
                f"{self._path} is damaged ({error}): move it away; the answers in it will be asked again"
            ) from None


def _as_row(key: str, reply: Reply) -> str:
    """A reply as it is kept: a hash of it and its key, by which damage shows, and its JSON."""
    text = json.dumps(asdict(reply))
    return f"{_digest(f'{key}{chr(0)}{text}')} {text}"


def _parsed(key: str, row: bytes) -> Reply | None:
    """The inverse of `_as_row`; None where the row is damaged."""
    try:
        text = row.decode()
        if not text.startswith("{"):  # those of an earlier version have no hash
            digest, _, text = text.partition(" ")
            if digest not in (_digest(f"{key}\0{text}"), _digest(text)):  # the second one of an earlier version
                return None
        return Reply(**json.loads(text))
    except (AttributeError, TypeError, ValueError):
        return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
