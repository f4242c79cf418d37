"""How many requests are under way, and when the next may begin."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

__all__ = ["Pace"]

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # seconds, where the server does not say how long


class Pace:
    """Lets requests begin: fewer at once when the server is overloaded, more again when it is not.

    Each good reply raises the number that may be under way by a part of one, each overload halves it, once a pause.
    After an overload everybody waits: as long as the server says, or twice as long each time.

    Attributes:
        limit: Requests that may be under way now.
        under_way: Those that are.
        resumes: When a pause ends, by the clock.

    Args:
        concurrency: Requests under way at most.
        requests_per_minute: 0 = as many as come.
        tokens_per_minute: Of prompts and answers, as estimated; 0 = as many as come.
        clock: Gives seconds.
        sleep: Waits for some.
    """

    def __init__(
        self,
        *,
        concurrency: int,
        requests_per_minute: float = 0,
        tokens_per_minute: float = 0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.limit = float(concurrency)
        self.under_way = 0
        self.resumes = 0.0
        self._most = concurrency
        self._rates = (requests_per_minute, tokens_per_minute)
        self._next = clock()
        self._pause = _FIRST_PAUSE
        self._clock = clock
        self._sleep = sleep
        self._left = asyncio.Condition()

    async def enter(self, tokens: int) -> None:
        """Wait until a request of so many tokens may begin; it ends with `leave`."""
        async with self._left:
            await self._left.wait_for(lambda: self.under_way < int(self.limit))
            self.under_way += 1
        try:
            starts = max(self._next, self._clock())
            self._next = starts + self._spacing(tokens)
            while (wait := max(starts, self.resumes) - self._clock()) > 0:
                await self._sleep(wait)
        except BaseException:
            await self.leave()
            raise

    def _spacing(self, tokens: int) -> float:
        """Seconds from the beginning of a request to that of the next."""
        requests, rate = self._rates
        return max(60 / requests if requests else 0.0, 60 * tokens / rate if rate else 0.0)

    async def leave(self) -> None:
        """A request has ended."""
        async with self._left:
            self.under_way -= 1
            self._left.notify(2)  # the limit may have risen

    def went_well(self) -> None:
        """A reply came."""
        self.limit = min(self._most, self.limit + 1 / self.limit)
        self._pause = _FIRST_PAUSE

    def overloaded(self, retry_after: float | None) -> None:
        """The server had too much to do.

        Args:
            retry_after: Seconds that it asks to be left alone; None where it does not say.
        """
        now = self._clock()
        if now >= self.resumes:  # not again for those that were under way when the first was told
            self.limit = max(1.0, self.limit / 2)
            if retry_after is None:
                retry_after, self._pause = self._pause * random.uniform(0.5, 1.5), min(_LONGEST_PAUSE, 2 * self._pause)
        self.resumes = max(self.resumes, now + (retry_after or 0.0))
