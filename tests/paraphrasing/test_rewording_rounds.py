"""Rewordings in rounds: what is missing is asked for again, and what is on disk never."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s.paraphrasing.checks import Original
from w2s.paraphrasing.making import Rewording, reword
from w2s.progress import Progress, no_progress
from w2s.servers.answered import Answered
from w2s.servers.replies import Reply
from w2s.servers.requests import Request, RequestTemplate

ASKING = RequestTemplate(service="s", model="m", api="completion", letters=False, temperature=0.7, max_new_tokens=50)
TEXTS = ["Which river is long?", "Who wrote it down?", "Where is the old gate?"]


def wanted(count: int, texts: Sequence[str] = TEXTS, seed: int = 0) -> list[Rewording]:
    return [
        Rewording(original=Original(text=text, longest=9), kind="question", asking=ASKING, count=count, seed=seed)
        for text in texts
    ]


class Writer:
    """Answers each request, one after the other, with what `says` gives for its number."""

    def __init__(self, answered: Answered, *says: str, dies_after: int = 10**9) -> None:
        self.answered, self.says, self.dies_after = answered, says, dies_after
        self.requests: list[Request] = []

    def __call__(self, requests: Sequence[Request], progress: Progress) -> None:
        for done, request in enumerate(requests, start=1):
            if len(self.requests) == self.dies_after:
                raise KeyboardInterrupt
            self.requests.append(request)
            text = self.says[int(request.key, 16) % len(self.says)]
            self.answered.put({request.key: Reply(text=text, finish="length" if text.endswith("…") else "stop")})
            progress(done, len(requests), "texts")


@pytest.fixture
def answered(tmp_path: Path) -> Answered:
    return Answered(tmp_path)


GOOD = ("Which of the rivers is it, then?", "Say who or where, if you know.", "Tell me this one thing, please.")
SAYS = (*GOOD, "", "an answer: Nile, or so they say", "that goes on and on …", "one\ntwo")


def test_all_there_is_comes_out_in_the_order_of_the_samples_and_is_counted(answered: Answered) -> None:
    writer, rewordings = Writer(answered, *SAYS), wanted(3)
    tally = reword(rewordings, 4, answered, writer)
    texts = tally.good + sum(tally.faults.values())
    assert texts == len(writer.requests) == len({request.key for request in writer.requests})
    assert {"cut off", "several lines", "empty", "an answer"} <= set(tally.faults)
    for one in rewordings:
        assert len(one.found) <= 3 and len(set(one.found)) == len(one.found) and set(one.found) <= set(GOOD)


def test_no_more_is_asked_than_is_missing_nor_more_often_than_was_said(answered: Answered) -> None:
    writer = Writer(answered, "")
    tally = reword(wanted(2), 3, answered, writer)
    assert len(writer.requests) == 3 * 2 * 3 and tally.faults == {"empty": 18} and tally.good == 0
    good = Writer(answered, *GOOD)
    reword(wanted(1, seed=1), 3, answered, good)
    assert len(good.requests) == 3


def test_more_texts_more_rewordings_and_a_second_time_ask_only_what_is_new(answered: Answered) -> None:
    first = Writer(answered, *SAYS)
    few = wanted(2, TEXTS[:2])
    reword(few, 3, answered, first)
    again = Writer(answered, *SAYS)
    reword(wanted(2, TEXTS[:2]), 3, answered, again)
    assert not again.requests
    more = wanted(2)
    reword(more, 3, answered, again)
    asked = {str(request.body["prompt"]).rsplit("Question: ", 1)[1].split("\n")[0] for request in again.requests}
    assert asked == {TEXTS[2]} and [one.found for one in more[:2]] == [one.found for one in few]
    three = wanted(3, TEXTS[:2])
    reword(three, 3, answered, again)
    for one, before in zip(three, few, strict=True):
        assert one.found[: len(before.found)] == before.found


@given(dies_after=st.integers(0, 12), count=st.integers(1, 3))
def test_whenever_it_is_killed_it_goes_on_and_gives_the_same(
    dies_after: int, count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = wanted(count)
    untouched = Answered(tmp_path_factory.mktemp("whole"))
    expected = reword(whole, 3, untouched, Writer(untouched, *SAYS))
    answered = Answered(tmp_path_factory.mktemp("killed"))
    killed = Writer(answered, *SAYS, dies_after=dies_after)
    try:
        reword(wanted(count), 3, answered, killed)
    except KeyboardInterrupt:
        assert len(killed.requests) == dies_after
    resumed, second = wanted(count), Writer(answered, *SAYS)
    assert reword(resumed, 3, answered, second) == expected
    assert [one.found for one in resumed] == [one.found for one in whole]
    assert not {one.key for one in killed.requests} & {one.key for one in second.requests}
    for one in (untouched, answered):
        one.close()


def test_another_seed_model_sampling_or_wording_of_the_text_is_another_request() -> None:
    from dataclasses import replace

    base = wanted(1)[0]
    others = [
        *wanted(1, seed=1),
        *wanted(1, [TEXTS[0] + "!"]),
        replace(base, asking=replace(ASKING, temperature=0.8)),
        replace(base, asking=replace(ASKING, service="t")),
        replace(base, kind="story"),
    ]
    assert len({one.requests()[0].key for one in (base, *others)}) == 1 + len(others)


def test_progress_counts_all_texts_that_are_asked_for_so_far(answered: Answered) -> None:
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int, unit: str, tokens: int = 0) -> None:
        assert unit == "texts"
        told.append((done, total))

    reword(wanted(2), 2, answered, Writer(answered, ""), progress)
    assert told == [(n, 6) for n in range(1, 7)] + [(n, 12) for n in range(7, 13)]
    no_progress(0, 0, "")
