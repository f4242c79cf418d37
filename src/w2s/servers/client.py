"""Asks a server until all is answered: many requests at once, tried again where that can help, each reply kept."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from threading import Thread
from typing import TYPE_CHECKING, Any

from w2s.errors import InputError
from w2s.progress import Progress, no_progress
from w2s.servers.answered import Answered
from w2s.servers.dialect import Dialect
from w2s.servers.pace import Pace
from w2s.servers.replies import Reply, UnreadableReplyError, message_of, refused_by_filter, reply_from, usage_of
from w2s.servers.requests import PATHS, Request
from w2s.servers.secrets import Secret

if TYPE_CHECKING:
    import httpx2

__all__ = ["Bill", "Client", "Limits", "in_money"]

logger = logging.getLogger(__name__)

_FIRST_PATIENCE = 30.0  # seconds: an address where nobody listens is wrong, rather than a server that is resting
_MOST_BACKOFF = 30.0
_CONNECT = 10.0  # seconds
_TEMPORARY = {408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529}
_MOST_WASTED = 5  # replies to one request that were paid for and cannot be read, while others are answered


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How hard a server is asked, how long it is waited for, and what it may cost.

    Attributes:
        concurrency: Requests under way at most.
        requests_per_minute: 0 = no limit.
        tokens_per_minute: Of prompts and answers; 0 = no limit.
        timeout: Seconds for one reply.
        patience: Seconds without any reply before it is given up, besides the longest pause that the server asked for.
        max_requests: That one command asks, all of its servers together; 0 = no limit.
        max_cost: Of these, in the unit of the prices; 0 = no limit.
        price_in: Of a million tokens of prompts.
        price_out: Of a million tokens of answers.
    """

    concurrency: int = 16
    requests_per_minute: float = 0.0
    tokens_per_minute: float = 0.0
    timeout: float = 120.0
    patience: float = 600.0
    max_requests: int = 0
    max_cost: float = 0.0
    price_in: float = 0.0
    price_out: float = 0.0

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        """What so many tokens cost."""
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6


def in_money(cost: float) -> str:
    """A cost to two places, or to two digits where that would be nothing."""
    return f"{cost:.2f}" if cost >= 0.1 else f"{cost:.2g}"


@dataclass
class Bill:
    """What was asked, as the server counts it; by estimate, where it does not.

    Attributes:
        replies: That came.
        tokens_in: Of the prompts of these and of `wasted`.
        tokens_out: Of their answers.
        no_answers: Replies that are none: refused, or empty.
        wasted: What came and cannot be read, and was asked for again.
    """

    replies: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    no_answers: int = 0
    wasted: int = 0


class _TroubleError(Exception):
    """What may be gone the next time."""

    def __init__(
        self, said: str, *, retry_after: float | None = None, overloaded: bool = False, wasted: bool = False
    ) -> None:
        super().__init__(said)
        self.retry_after = retry_after
        self.overloaded = overloaded
        self.wasted = wasted


class Client:
    """Asks one server.

    Args:
        url: Of the API, such as `http://localhost:8000/v1`.
        key: Sent with every request, and written nowhere.
        limits: How hard it is asked.
        answered: Where each reply is kept.

    Attributes:
        bill: What was asked the last time, also where that ended by an error.
    """

    def __init__(self, url: str, key: str | None, limits: Limits, answered: Answered) -> None:
        self._url = url.rstrip("/")
        self._key, self._secret = key, Secret(key)
        self._limits = limits
        self._answered = answered
        self.bill = Bill()

    def ask(self, requests: Iterator[Request], *, total: int, progress: Progress = no_progress) -> Bill:
        """Have every request answered that is not yet.

        Args:
            requests: Those that are not answered; they are taken as they are needed.
            total: How many there are.
            progress: Is told the replies that came and the replies in all.

        Raises:
            InputError: The server refuses what would be refused again, is gone for longer than the patience, or has
                cost more than it may. What came before is kept.
        """
        self.bill, self._total, self._progress = Bill(), total, progress
        self._gave_up: list[str] = []
        self._last_reply: float | None = None
        self._began, self._asked_pause, self._reached = time.monotonic(), 0.0, False
        self._dialect = Dialect()
        self._told: set[str] = set()
        try:
            _run(self._ask(requests))
        except BaseExceptionGroup as group:
            raise _first(group) from None
        if self._gave_up:
            raise InputError(
                f"{self._url} did not answer {len(self._gave_up)} of {total} requests: {self._gave_up[-1]}; "
                "the others are kept: run it again to ask for the rest"
            )
        return self.bill

    async def _ask(self, requests: Iterator[Request]) -> None:
        import httpx2

        limits = self._limits
        self._pace = Pace(
            concurrency=limits.concurrency,
            requests_per_minute=limits.requests_per_minute,
            tokens_per_minute=limits.tokens_per_minute,
        )
        self._to_keep: dict[str, tuple[Reply, asyncio.Future[None]]] = {}
        self._came = asyncio.Event()
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        context = httpx2.create_ssl_context()

        def connection() -> httpx2.AsyncClient:
            # One a worker: a pool looks at all of its connections for each request.
            return httpx2.AsyncClient(
                headers=headers,
                verify=context,
                timeout=httpx2.Timeout(limits.timeout, connect=min(limits.timeout, _CONNECT)),
                limits=httpx2.Limits(max_connections=1, keepalive_expiry=30),
            )

        try:
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(self._keep())
                workers = [group.create_task(self._work(connection(), requests)) for _ in range(limits.concurrency)]
                await asyncio.wait(workers)
                keeping.cancel()
        finally:  # what came while the last ones were written, and could not be waited for
            self._answered.put({key: reply for key, (reply, _) in self._to_keep.items()})

    async def _work(self, connection: httpx2.AsyncClient, requests: Iterator[Request]) -> None:
        async with connection as http:
            for request in requests:  # which all workers share
                await self._answer(http, request)

    async def _answer(self, http: httpx2.AsyncClient, request: Request) -> None:
        """One request, tried until there is a reply or no hope."""
        first_trouble, tries, wasted = None, 0, 0
        while True:
            await self._pace.enter(request.tokens_in + request.tokens_out)
            try:
                reply = await self._send(http, request)
                if reply is None:
                    continue  # at once: it is asked in another way now
                await self._take(request, reply)
                return
            except _TroubleError as trouble:
                now = time.monotonic()
                first_trouble, tries, wasted = first_trouble or now, tries + 1, wasted + trouble.wasted
                if trouble.overloaded or trouble.retry_after is not None:
                    self._pace.overloaded(trouble.retry_after)
                    self._asked_pause = max(self._asked_pause, trouble.retry_after or 0.0)
                if tries == 1 and not self.bill.replies:
                    self._tell_once(
                        logging.INFO, f"{trouble}; it is tried again, for {self._limits.patience:.0f} s at most"
                    )
                self._check_patience(now, str(trouble))
                if trouble.wasted and not self._may_repeat():
                    self._gave_up.append(f"{trouble}; max_requests is {self._limits.max_requests}")
                    return
                # While others are answered:
                is_paid_in_vain = wasted >= _MOST_WASTED and (self._last_reply or 0.0) > first_trouble
                if is_paid_in_vain or (tries >= 5 and now - first_trouble > self._limits.patience):
                    self._gave_up.append(str(trouble))
                    return
            finally:
                await self._pace.leave()
            await asyncio.sleep(min(_MOST_BACKOFF, 0.1 * 2 ** min(tries, 10)) * random.uniform(0.5, 1.5))

    def _may_repeat(self) -> bool:
        """Whether all requests are within the limit, with those again whose replies cannot be read."""
        most = self._limits.max_requests
        return not most or self._total + self.bill.wasted <= most

    def _check_patience(self, now: float, trouble: str) -> None:
        """Give up where the server has answered nobody for too long, apart from the longest pause that it asked for."""
        patience = self._limits.patience
        if self._last_reply is None and not self._reached:
            patience = min(patience, _FIRST_PATIENCE)
        silence = now - (self._last_reply or self._began)
        if silence > patience + self._asked_pause:
            raise InputError(
                f"{self._url} has answered nothing for {silence:.0f} s: {trouble}; "
                f"{self.bill.replies} of {self._total} answers came and are kept: run it again to go on"
            )

    async def _send(self, http: httpx2.AsyncClient, request: Request) -> Reply | None:
        """The reply to a request; None where it should be asked again in the server's dialect."""
        import httpx2

        try:
            async with asyncio.timeout(self._limits.timeout):
                body = self._dialect.apply(request)
                response = self._secret.out_of_reply(await http.post(self._url + PATHS[request.api], json=body))
        except TimeoutError:
            self._reached = True  # a connection takes less
            raise _TroubleError(f"no reply in {self._limits.timeout:g} s") from None
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            self._reached |= not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
            raise _TroubleError(self._scrubbed(f"{type(error).__name__} {error}".strip())) from None
        except (httpx2.InvalidURL, UnicodeError) as error:
            raise InputError(f"url {self._url!r} is none: {self._scrubbed(str(error))}") from None
        self._reached = True
        if response.status_code == 200:
            return self._reply(request, response)
        return self._refusal(request, body, response)

    def _reply(self, request: Request, response: httpx2.Response) -> Reply:
        """The reply that came with the status of a success, which is paid for before it is judged."""
        data: Any = None
        try:
            data = response.json()
            said = message_of(data)
            reply = (
                None if said else reply_from(request.api, data, self._dialect.without, max_tokens=request.tokens_out)
            )
        except (UnreadableReplyError, ValueError) as error:
            self._waste(request, data)
            raise _TroubleError(f"its reply cannot be read: {self._scrubbed(str(error))}", wasted=True) from None
        if reply is None:  # some send an error with the status of a success; with an answer in it, it is paid for
            if is_paid := "choices" in data:
                self._waste(request, data)
            raise _TroubleError(f"it answers an error: {self._scrubbed(said)}", overloaded=True, wasted=is_paid)
        self._charge(request, data)
        if not usage_of(data).is_counted:
            self._tell_once(
                logging.WARNING,
                "it does not count the tokens of its replies: they are estimated, those of answers at most",
            )
        if not reply.has_known_finish:
            self._tell_once(
                logging.WARNING, f"its replies end by {self._scrubbed(repr(reply.finish))}: they are taken as whole"
            )
        return reply

    def _refusal(self, request: Request, body: dict[str, Any], response: httpx2.Response) -> Reply | None:
        """What a status other than 200 means."""
        status = response.status_code
        said = self._scrubbed(_message(response))
        told = f"it answers {status}: {said}"
        if status in _TEMPORARY and "insufficient_quota" not in response.text:
            wait = _retry_after(response)
            if wait is not None and wait > self._limits.patience:
                raise InputError(f"{self._url}: {told}; it asks to come back in {wait:.0f} s, beyond the patience")
            raise _TroubleError(told, retry_after=wait, overloaded=status in (429, 503, 529))
        if refused_by_filter(status, response.text):
            self.bill.tokens_in += request.tokens_in
            return Reply(text=said, finish="refusal")
        if status in (400, 403, 422, 501) and self._dialect.learn(body, _message(response, whole=False)):
            return None
        hint = ""
        if status in (401, 403):
            hint = "; expected its key in the environment variable that key_env names"
        if status == 404:
            hint = f"; is the address right, and does it serve {request.body['model']!r}?"
        raise InputError(f"{self._url}{PATHS[request.api]} answers {status}: {said}{hint}")

    async def _take(self, request: Request, reply: Reply) -> None:
        """Count a reply, and keep it."""
        bill = self.bill
        self._last_reply, self._asked_pause = time.monotonic(), 0.0
        self._pace.went_well()
        bill.replies += 1
        bill.no_answers += not reply.is_answer
        kept = asyncio.get_running_loop().create_future()
        self._to_keep[request.key] = (reply, kept)
        self._came.set()
        await kept
        self._progress(bill.replies, self._total, "answers")
        self._check_cost()

    def _charge(self, request: Request, data: Any) -> None:
        """Add what a reply used: as the server counts it, else as it was estimated."""
        usage = usage_of(data)
        self.bill.tokens_in += usage.tokens_in or request.tokens_in
        self.bill.tokens_out += usage.tokens_out or (0 if usage.is_counted else request.tokens_out)

    def _waste(self, request: Request, data: Any) -> None:
        """Count what was paid for and is no reply."""
        self._charge(request, data)
        self.bill.wasted += 1
        self._check_cost()

    def _check_cost(self) -> None:
        """End the run where it has cost more than it may."""
        bill, limits = self.bill, self._limits
        cost = limits.cost(bill.tokens_in, bill.tokens_out)
        if limits.max_cost and cost > limits.max_cost:
            wasted = f" and {bill.wasted} replies that cannot be read" if bill.wasted else ""
            raise InputError(
                f"{bill.replies} answers{wasted} cost {in_money(cost)}, max_cost is {limits.max_cost:g}: they are "
                "kept, no more are asked for"
            )

    def _tell_once(self, level: int, said: str) -> None:
        if said not in self._told:
            self._told.add(said)
            logger.log(level, "%s: %s", self._url, said)

    async def _keep(self) -> None:
        """Put replies on disk, those together that came while the last ones were written."""
        while True:
            await self._came.wait()
            self._came.clear()
            waiting = dict(self._to_keep)
            await asyncio.to_thread(self._answered.put, {key: reply for key, (reply, _) in waiting.items()})
            for key, (_, kept) in waiting.items():
                del self._to_keep[key]
                if not kept.cancelled():
                    kept.set_result(None)

    def _scrubbed(self, text: str) -> str:
        """A text of the server's in one line, without the key: some repeat it."""
        text = "".join(character if character.isprintable() else " " for character in self._secret.out_of(text))
        return " ".join(text.split())[:300]


def _message(response: httpx2.Response, *, whole: bool = True) -> str:
    """What a server says of an error: its message; else, if the whole may be told, all that came."""
    try:
        data = response.json()
    except ValueError:
        return response.text if whole else ""
    return message_of(data) or (str(data) if whole else "")


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds that a server asks to be left alone: a number, or a date."""
    told = response.headers.get("retry-after")
    if told is None:
        return None
    try:
        seconds = float(told)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(told).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _run(coroutine: Any) -> None:
    """Run to the end, also where a loop is running already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(coroutine)
        return
    # In a thread of its own, which ends with the process if who waits for it is interrupted.
    done: Future[None] = Future()

    def run() -> None:
        try:
            done.set_result(asyncio.run(coroutine))
        except BaseException as error:
            done.set_exception(error)

    Thread(target=run, daemon=True).start()
    done.result()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong first; the others are workers that ran into the same."""
    errors: Sequence[BaseException] = group.exceptions
    first = errors[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
