"""A task, a weak source, an estimator, a loss and a method of two rounds in a file of your own.

Run as:

    w2s run --plugin examples/my_pieces.py --task.name sums \\
        --weak.source one-shot --reliability.estimator inverse-entropy \\
        --student_training.loss focal --methods '[naive, second-chance, ceiling]'

Nothing has to be installed: the file is read, and what it registers is there by its name, also for `w2s tasks`,
`w2s methods` and `w2s estimators`. Its content is part of every key that one of its pieces decides: after an edit
the steps concerned are computed anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import w2s
from w2s.methods.base import Settings, Stages
from w2s.supervisors.source import SourceStages
from w2s.tasks.multiple_choice import MultipleChoice
from w2s.tasks.questions import Example, Question


@w2s.register
class Sums(MultipleChoice):
    """Which number two numbers add up to: questions that are made, not read."""

    name = "sums"
    summary = "which of four numbers two numbers add up to"
    source = "made by examples/my_pieces.py"
    licence = "none"
    templates = {  # noqa: RUF012
        "letter": "What is {question}?\n{options}\nAnswer:",
        "text": "What is {question}?\nOptions:\n{options}\nAnswer:",
    }

    def examples(self) -> Iterator[Example]:
        """One question for every pair of numbers below 40."""
        for a in range(2, 40):
            for b in range(a, 40):
                near = [a + b, a + b + 1, a + b - 1, a + b + 10]
                order = np.random.default_rng(100 * a + b).permutation(4)
                question = Question(
                    id=f"{a}+{b}", text=f"{a} plus {b}", choices=tuple(str(near[index]) for index in order)
                )
                yield Example(question=question, answer=str(a + b))


def inverse_entropy(answers: pa.Table) -> pa.Table:
    """Trust an answer by its vote share, divided by how many different answers its question has."""
    scored = w2s.score_answers(answers)
    confidence = scored["vote_share"].to_numpy() / np.exp(scored["entropy"].to_numpy())
    keep = answers.column_names
    return (
        scored.select(keep)
        .append_column("confidence", pa.array(confidence))
        .append_column("uncertainty", pa.array(1 - confidence))
    )


w2s.register(w2s.estimator_from("inverse-entropy", inverse_entropy, summary="vote share over exp(entropy)"))


def surest(scored: pa.Table, *, share: float = 0.5, seed: int = 0) -> w2s.TrainingSet:
    """Keep the rows whose confidence is among the highest."""
    candidates = w2s.candidates_from(scored)
    confidence = candidates.rows["confidence"].to_numpy()
    least = float(np.quantile(confidence, 1 - share)) if len(confidence) else 0.0
    return candidates.keep(confidence >= least, otherwise="unsure").parsed().training_set("the surest rows")


def everything(scored: pa.Table, *, seed: int = 0) -> w2s.TrainingSet:
    """Keep all rows."""
    candidates = w2s.candidates_from(scored)
    return candidates.keep(pc.is_valid(candidates.rows["answer"]), otherwise="unparsed").training_set("all rows")


def two_rounds(stages: Stages, settings: Settings) -> w2s.Student:
    """Learn from the surest answers first, then go on with all of them."""
    first_set = stages.select("surest", {"scored": stages.scored}, settings, part="round 1")
    first = stages.train(first_set, part="round 1")
    second_set = stages.select("everything", {"scored": stages.scored}, {}, part="round 2")
    second = stages.train(second_set, init=first, part="round 2")
    return w2s.Student((w2s.Round(first_set, first), w2s.Round(second_set, second)))


w2s.register(
    w2s.Method(
        name="second-chance",
        summary="the surest answers first, then all of them",
        steps=two_rounds,
        settings={"share": 0.5},
        selectors={"surest": surest, "everything": everything},
    )
)


def one_example(stages: SourceStages) -> w2s.Supervision:
    """The weak model as it is, shown a single question of `weak_train` with its answer."""
    return w2s.Supervision(
        answers=stages.answer(adapter=None, examples=1), predictions=stages.test(adapter=None, examples=1)
    )


w2s.register(
    w2s.Source(
        name="one-shot",
        summary="a weak model as it is, shown one example",
        steps=one_example,
        needs_weak_train=lambda spec: True,
        check=lambda spec: None,
    )
)


def focal(logits: Any, targets: Any, weights: Any, progress: float, *, gamma: float) -> Any:
    """Cross-entropy that counts less where the student is sure already (Lin et al. 2017, arXiv 1708.02002)."""
    from w2s.training.losses import token_cross_entropy

    loss = token_cross_entropy(logits, targets)
    return weights * (1 - (-loss).exp()) ** gamma * loss


w2s.register(
    w2s.Loss(
        name="focal",
        version=1,
        summary="cross-entropy that counts less where the student is sure already",
        form="tokens",
        function=focal,
        settings={"gamma": 1.0},
    )
)
