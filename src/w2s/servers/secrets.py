"""A server's key: where it comes from, and out of all that is kept or said."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from w2s.errors import InputError

if TYPE_CHECKING:
    import httpx2

__all__ = ["Secret", "secret_of"]

_SHORTEST = 6  # characters of a secret; "EMPTY" and "none", which some servers are told, may be words of an answer
_INSTEAD = "***"


def secret_of(key_env: str | None) -> str | None:
    """The key in an environment variable; None where none is named.

    Raises:
        InputError: The variable is not set.
    """
    if key_env is None:
        return None
    key = os.environ.get(key_env, "").strip()
    if not key and not re.fullmatch("[A-Z_][A-Z0-9_]*", key_env):
        raise InputError(
            "key_env names no environment variable that is set: expected a name such as MY_KEY (what it is, is not "
            "shown: it may be the key)"
        )
    if not key:
        raise InputError(f"key_env names {key_env}, which is not set: expected the server's key in it")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise InputError(f"what {key_env} holds is no key: expected one line of ASCII without spaces")
    return key


class Secret:
    """A key, which servers may repeat: as it is, or escaped as in JSON and in addresses.

    Args:
        key: None for none.
    """

    def __init__(self, key: str | None) -> None:
        self._pattern = re.compile("".join(map(_forms, key))) if key else None
        self._is_long = len(key or "") >= _SHORTEST

    def out_of(self, text: str) -> str:
        """A message without the key."""
        return self._pattern.sub(_INSTEAD, text) if self._pattern else text

    def out_of_reply(self, response: httpx2.Response) -> httpx2.Response:
        """What a server replied, without the key."""
        if not (self._is_long and self._pattern and self._pattern.search(response.text)):
            return response
        import httpx2

        headers = {name: told for name in ("retry-after",) if (told := response.headers.get(name)) is not None}
        return httpx2.Response(response.status_code, headers=headers, text=self.out_of(response.text))


def _forms(character: str) -> str:
    """What may stand for a character of the key; letters and digits are escaped nowhere."""
    if character.isalnum():
        return character
    code = f"{ord(character):02x}"
    return rf"(?:\\?{re.escape(character)}|(?i:\\u00{code}|%{code}))"
