"""A server that writes rewordings, or whose texts came back in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from w2s.errors import InputError
from w2s.progress import Progress
from w2s.servers.answered import Answered
from w2s.servers.requests import Request
from w2s.servers.within_limits import have_answered

__all__ = ["write_by_server"]


def write_by_server(execution: Mapping[str, Any], answered: Answered) -> Callable[[Sequence[Request], Progress], None]:
    """What has requests answered by a server; see `making.Write`.

    Args:
        execution: Where it is and how hard it is asked, as for `have_answered`; without `url` nobody is asked.
        answered: Where replies are kept.
    """

    def write(requests: Sequence[Request], progress: Progress) -> None:
        if execution["url"] is None:
            raise InputError(
                f"{len(requests)} requests are not answered, and there is no url to ask: "
                "w2s paraphrase --requests-out writes them down"
            )

        def missing() -> Iterator[Request]:
            return (one for one in requests if answered.get(one.key) is None)

        have_answered(missing, execution, answered, progress)

    return write
