"""Rewordings of many texts: asked for in rounds, each text checked, and what is missing asked for again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from w2s.paraphrasing.checks import Original, normalized
from w2s.paraphrasing.prompt import prompt_for, wording_of
from w2s.progress import Progress, no_progress
from w2s.servers.answered import Answered
from w2s.servers.replies import Reply
from w2s.servers.requests import Request, RequestTemplate

__all__ = ["Rewording", "Tally", "Write", "reword", "rounds"]

Write = Callable[[Sequence[Request], Progress], None]
"""Has requests answered, each reply kept when it comes; is told progress as the requests done and those in all."""


@dataclass(kw_only=True)
class Tally:
    """What became of the texts that were asked for.

    Attributes:
        good: Rewordings.
        faults: How many texts were none, by the reason.
    """

    good: int = 0
    faults: Counter[str] = field(default_factory=Counter)


@dataclass(kw_only=True)
class Rewording:
    """The rewordings of one text, as they come.

    What comes out depends on the text's own replies alone, in the order of their samples: other texts, a kill between
    them, or a larger `count` before change nothing.

    Attributes:
        original: The text.
        kind: What it is: "question", or another noun.
        asking: How a model is asked.
        count: Rewordings that are wanted.
        seed: Of the samples.
        found: The good ones, in the order of their samples.
        tally: What became of all that was asked for.
    """

    original: Original
    kind: str
    asking: RequestTemplate
    count: int
    seed: int = 0
    found: list[str] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    _asked: int = 0
    _taken: set[str] = field(default_factory=set)

    def requests(self) -> list[Request]:
        """As many samples as are missing, those that come next."""
        samples = range(self._asked, self._asked + self.count - len(self.found))
        return [self.asking.request(prompt_for(self.original.text, self.kind, n), n, self.seed) for n in samples]

    def take(self, reply: Reply) -> None:
        """Check the reply to the next sample."""
        self._asked += 1
        wording = wording_of(reply.text, self.original.text)
        fault = self._fault(reply, wording)
        if fault is not None or wording is None:
            self.tally.faults[fault or "several lines"] += 1
            return
        self.found.append(wording)
        self._taken.add(normalized(wording))
        self.tally.good += 1

    def _fault(self, reply: Reply, wording: str | None) -> str | None:
        if reply.finish == "refusal":
            return "refused"
        if reply.finish == "length":
            return "cut off"
        return "several lines" if wording is None else self.original.fault(wording, self._taken)


def rounds(rewordings: Sequence[Rewording], attempts: int, answered: Answered) -> Iterator[list[Request]]:
    """The requests of each round that have no reply yet; they must have one before the next round is asked for.

    Args:
        rewordings: They take the replies.
        attempts: How many rounds there are.
        answered: Where replies are kept.
    """
    for _ in range(attempts):
        asked = [(one, request) for one in rewordings for request in one.requests()]
        if missing := [request for _, request in asked if answered.get(request.key) is None]:
            yield missing
        for one, request in asked:
            reply = answered.get(request.key)
            assert reply is not None, f"request {request.key} was asked and has no reply"
            one.take(reply)


def reword(
    rewordings: Sequence[Rewording], attempts: int, answered: Answered, write: Write, progress: Progress = no_progress
) -> Tally:
    """Have texts reworded: what is on disk is not asked for again.

    Args:
        rewordings: They take what is found.
        attempts: How many times what is missing is asked for.
        answered: Where replies are kept.
        write: Has them answered.
        progress: Is told the texts that came and those that are asked for so far.

    Returns:
        What became of all texts.
    """
    before = 0
    for requests in rounds(rewordings, attempts, answered):
        so_far = before

        def tell(done: int, total: int, unit: str, tokens: int = 0, so_far: int = so_far) -> None:
            progress(so_far + done, so_far + total, "texts", tokens)

        write(requests, tell)
        before += len(requests)
    return _summed(one.tally for one in rewordings)


def _summed(tallies: Iterable[Tally]) -> Tally:
    """All of them as one, the most frequent fault first."""
    whole = Tally()
    for tally in tallies:
        whole.good += tally.good
        whole.faults += tally.faults
    whole.faults = Counter(dict(whole.faults.most_common()))
    return whole
