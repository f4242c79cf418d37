"""A local model that writes rewordings: each text has a seed of its own, and is on disk with those of its batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from w2s.engine.batching import default_budget
from w2s.engine.generate import generate_batches, generate_texts
from w2s.models.load import LanguageModel
from w2s.progress import Progress
from w2s.servers.answered import Answered
from w2s.servers.replies import Reply
from w2s.servers.requests import Request

__all__ = ["write_locally"]


def write_locally(
    load: Callable[[], AbstractContextManager[LanguageModel]], answered: Answered
) -> Callable[[Sequence[Request], Progress], None]:
    """What has requests answered by a model in memory; see `making.Write`.

    Args:
        load: The model; it is loaded when something is to be asked.
        answered: Where replies are kept.
    """

    def write(requests: Sequence[Request], progress: Progress) -> None:
        prompts = [str(request.body["prompt"]) for request in requests]
        done = 0
        with load() as lm:
            tokens = default_budget(lm.device.type)
            longest = int(requests[0].body["max_tokens"])
            for rows in generate_batches(lm, prompts, max_new_tokens=longest, tokens=tokens):
                texts = generate_texts(
                    lm,
                    [prompts[row] for row in rows],
                    max_new_tokens=longest,
                    tokens=tokens,
                    sampling_temperature=float(requests[0].body["temperature"]),
                    seeds=[int(requests[row].key[:12], 16) for row in rows],
                )
                replies = [Reply(text=text, finish="length" if cut_off else "stop") for text, cut_off in texts]
                answered.put({requests[row].key: reply for row, reply in zip(rows, replies, strict=True)})
                done += len(rows)
                progress(done, len(requests), "texts")

    return write
