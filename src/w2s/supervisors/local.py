"""A local language model as supervisor: it chooses among the options, or writes an answer that is then parsed."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from w2s.config import AnsweringSpec
from w2s.supervisors.base import Answer, Batch, Prompt
from w2s.tasks.base import Question, Task
from w2s.tasks.questions import Variation

if TYPE_CHECKING:
    from w2s.engine.choose import ChoiceBatch
    from w2s.engine.generate import Written
    from w2s.engine.prefix import Prefix
    from w2s.models.load import LanguageModel

__all__ = ["LENGTH_NORMALIZED_VERSION", "SAMPLED_VERSION", "WRITTEN_VERSION", "LocalModel"]

logger = logging.getLogger(__name__)

WRITTEN_VERSION = 2
"""Raised when another answer is taken from what a model wrote. 2: half a word, at which it was cut off, is none."""

SAMPLED_VERSION = 2
"""Of answers that are drawn. 2: each by a seed of its own, whatever is asked beside it."""

LENGTH_NORMALIZED_VERSION = 2
"""Of length-normalized answers. 2: their log-probabilities are those that the options were compared by."""


class LocalModel:
    """A language model in memory that answers a task's questions.

    Args:
        lm: The model, with its adapter on it.
        task: Parses what the model writes.
        spec: How it answers.
        name: What the answers table calls it.
        seed: Of sampled answers.
    """

    def __init__(
        self,
        lm: LanguageModel,
        task: Task,
        spec: AnsweringSpec,
        *,
        name: str,
        seed: int = 0,
    ) -> None:
        from w2s.engine.batching import default_budget  # torch is here now, and not before: plans do without

        self._lm = lm
        self._task = task
        self._spec = spec
        self._mode = task.answering_mode(spec.mode)
        self._tokens = spec.tokens_per_batch or default_budget(lm.device.type)
        self._seed = seed
        self._cut_off: Counter[bool] = Counter()  # by whether they were parsed all the same
        self.name = name

    def plan(self, prompts: Sequence[Prompt]) -> list[Batch]:
        """Batches of like length, under the token budget."""
        from w2s.engine.choose import choose_batches
        from w2s.engine.generate import generate_batches, prefix_for_writing
        from w2s.models.compiled import is_worth_compiling

        texts = [prompt.text for prompt in prompts]
        before = {prompt.before for prompt in prompts}
        shared = before.pop() if len(before) == 1 else ""
        if self._mode == "choose":
            options = [prompt.variation.completions for prompt in prompts]
            chosen = choose_batches(self._lm, texts, options, tokens=self._tokens, before=shared)
            tokens = sum(len(options[0].prompt) for batch in chosen for options in batch.pairs)
            compiles = is_worth_compiling(self._lm, "scoring", tokens)  # nothing that reads a cache was measured
            return [
                Batch(batch.rows, partial(self._choose, prompts, batch, compiles and batch.prefix is None))
                for batch in chosen
            ]
        groups = generate_batches(self._lm, texts, max_new_tokens=self._spec.max_new_tokens, tokens=self._tokens)
        prefix = prefix_for_writing(self._lm, shared, texts)
        seeds = _seeds(self._seed, prompts)
        batches = []
        for rows in groups:
            own = [prompts[row] for row in rows], [seeds[row] for row in rows]
            batches.append(Batch(rows, partial(self._write, *own, prefix, last=rows is groups[-1])))
        return batches

    def _choose(self, prompts: Sequence[Prompt], batch: ChoiceBatch, compiles: bool) -> list[Answer]:
        from w2s.engine.choose import score_choices
        from w2s.models.compiled import compiled_layers

        with compiled_layers(self._lm) if compiles else nullcontext():
            scored = score_choices(self._lm, batch)
        answers = []
        for row, pairs, logprobs in zip(batch.rows, batch.pairs, scored, strict=True):
            question, variation, _ = prompts[row]
            if self._spec.length_normalized:
                logprobs = [score / len(pair.completion) for score, pair in zip(logprobs, pairs, strict=True)]
            best = max(range(len(logprobs)), key=logprobs.__getitem__)
            answers.append(
                Answer(
                    response=variation.completions[best],
                    answer=question.choices[best],
                    position=variation.positions[best],
                    choice_logprobs=logprobs,
                )
            )
        return answers

    def _write(
        self, prompts: Sequence[Prompt], seeds: Sequence[int], prefix: Prefix | None, *, last: bool
    ) -> list[Answer]:
        from w2s.engine.generate import generate_texts

        written = generate_texts(
            self._lm,
            [prompt.text for prompt in prompts],
            max_new_tokens=self._spec.max_new_tokens,
            tokens=self._spec.tokens_per_batch,
            sampling_temperature=self._spec.sampling_temperature,
            seeds=seeds,
            prefix=prefix,
        )
        answers = []
        for (question, variation, _), one in zip(prompts, written, strict=True):
            answer = self._parsed(one, question, variation)
            position = variation.positions[question.choices.index(answer)] if answer in question.choices else None
            answers.append(Answer(response=one.text, answer=answer, position=position))
        if last and self._cut_off:
            logger.warning(
                "%s: %d answers were cut off at max_new_tokens %d, and %d of them are unparsed for that",
                self.name,
                self._cut_off.total(),
                self._spec.max_new_tokens,
                self._cut_off[False],
            )
        return answers

    def _parsed(self, written: Written, question: Question, variation: Variation) -> str | None:
        """The answer in a text; of one that was cut off, none that might have become another: 12 of 1250."""
        answer = self._task.parse(written.text, question, variation)
        if not written.cut_off or answer is None:
            return answer
        longer = [choice for choice in question.choices if choice != answer and choice.startswith(answer)]
        if longer or not question.choices:
            without_last_word = re.sub(r"\S+\s*$", "", written.text)
            if self._task.parse(without_last_word, question, variation) != answer:
                answer = None
        self._cut_off[answer is not None] += 1
        return answer


def _seeds(seed: int, prompts: Sequence[Prompt]) -> list[int]:
    """A seed for each prompt (rows,): by the question, what is asked, and how often that was asked before."""
    asked: Counter[tuple[str, str]] = Counter()
    seeds = []
    for prompt in prompts:
        which = (prompt.question.id, prompt.text)
        said = json.dumps([seed, *which, asked[which]])
        seeds.append(int.from_bytes(hashlib.sha256(said.encode()).digest()[:7]))
        asked[which] += 1
    return seeds
