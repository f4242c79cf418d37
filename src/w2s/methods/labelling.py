"""Labels that nobody gave as such, for the surest questions: the likeliest option of each, or all, by probability."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from w2s.errors import InputError, unknown_name
from w2s.methods.options import Label, likeliest_option, training_set_of
from w2s.methods.selection import TrainingSet, candidates_from, first_rows

__all__ = ["LABELS", "check_labelling", "labelled", "with_truth"]

LABELS = ("soft", "hard")
"""All options of a question in proportion to their probability, or the likeliest alone."""

_DECIMALS = 9  # probabilities that differ by less are ties
_NEGLIGIBLE = 0.01  # a probability that is not worth reading the prompt once more

Floats = npt.NDArray[np.float64]


def check_labelling(share: float, labels: str) -> None:
    """Make sure that these are settings of `labelled`.

    Raises:
        InputError: One is not.
    """
    if not 0 < share <= 1:
        raise InputError(f"share {share}: expected a number above 0, and 1 at most")
    if labels not in LABELS:
        raise unknown_name("labels", labels, LABELS)


def labelled(
    answers: pa.Table,
    choices: Mapping[str, Sequence[str]],
    probabilities: Floats,
    *,
    share: float = 1.0,
    labels: str = "soft",
    without: Collection[str] = (),
    rule: str,
    seed: int = 0,
) -> TrainingSet:
    """Label questions by the probabilities of their options, whatever was answered to them.

    The surest questions are kept, and as many of their prompts drawn as there were questions before: each question once
    before any comes twice, in another variation. So it costs as many examples as naive supervision. Soft labels are a
    group of rows, one an option, weighted by its probability, or by 0 where that is below .01.

    Args:
        answers: Anybody's answers to these questions: their prompts, and how a student writes each option.
        choices: The options of each question, by its id.
        probabilities: (questions, options) in the order of `choices`; a question's sum to 1.
        share: Which part of the questions is kept, those of the likeliest options; of questions that are as sure, any.
        labels: One of `LABELS`.
        without: Ids of questions that are left out beforehand.
        rule: How the probabilities came about, in plain words.
        seed: Of the draws, of prompts and among options that are equally likely.

    Raises:
        InputError: `share` or `labels` is not valid, or the answers are not a table of answers with prompts.
    """
    check_labelling(share, labels)
    given = candidates_from(answers, scored=False)
    candidates = given.keep(_first_prompts(given.columns("question_id", "variation")), otherwise="other_supervisors")
    gone = frozenset(without)
    left = [id for id in choices if id not in gone]
    asked = candidates.keep(pc.is_in(candidates.column("question_id"), _texts(left)), otherwise="left_out")
    of = dict(zip(choices, probabilities, strict=True))
    surest = _surest({id: float(of[id].max()) for id in left}, math.ceil(share * len(left) - 1e-9), seed)
    sure = asked.keep(pc.is_in(asked.column("question_id"), _texts(surest)), otherwise="unsure")
    drawn = sure.draw(len(left), seed=seed, spread=True)
    own = [_label(id, choices[id], of[id], labels, seed) for id in drawn.rows["question_id"].to_pylist()]
    how = "all options of each, by their probability" if labels == "soft" else "the likeliest option of each"
    whole = f"{rule}; {how}, for the surest {len(surest)} of {len(left)} questions"
    return training_set_of(drawn, own, whole)


def with_truth(made: TrainingSet, gold_answers: pa.Table, *, labels: str = "soft") -> TrainingSet:
    """Add ground truth of other questions to a training set, as labels that are certain.

    Args:
        made: What the student learns otherwise.
        gold_answers: Answers to other questions, made from ground truth.
        labels: As those of `made`: with "soft", the options are a group, of which the right one weighs 1.

    Raises:
        InputError: The answers are not a table of answers with prompts; one is none of its question's options, or is of
            a question that has a label already.
    """
    given = candidates_from(gold_answers, scored=False).parsed()
    labelled_already = set(made.table["question_id"].to_pylist())
    rows = given.rows.to_pylist()
    for row in rows:
        if row["answer"] not in (row["choices"] or ()):
            raise InputError(f"question {row['question_id']!r}: ground truth {row['answer']!r} is none of its options")
        if row["question_id"] in labelled_already:
            raise InputError(f"question {row['question_id']!r} has a label already: expected other questions")
    certain = [
        Label(row["choices"], [float(option == row["answer"]) for option in row["choices"]])
        if labels == "soft"
        else Label([row["answer"]], [1.0], soft=False)
        for row in rows
    ]
    added, selection = training_set_of(given, certain, "")
    groups = pc.add(added["group"], (pc.max(made.table["group"]).as_py() or 0) + 1)
    added = added.set_column(added.schema.get_field_index("group"), "group", groups)
    lost, also_lost = made.selection.dropped, selection.dropped
    whole = dataclasses.replace(
        made.selection,
        dropped={reason: lost.get(reason, 0) + also_lost.get(reason, 0) for reason in {**lost, **also_lost}},
        rule=f"{made.selection.rule}; and ground truth of {selection.questions} other questions",
        **{
            name: getattr(made.selection, name) + getattr(selection, name)
            for name in ("rows_in", "questions_in", "rows", "questions")
        },
    )
    return TrainingSet(pa.concat_tables([made.table, added]), whole)


def _first_prompts(rows: pa.Table) -> npt.NDArray[np.bool_]:
    """The first row of each variation: several supervisors were asked the same."""
    first = first_rows(rows)
    variation = rows["variation"].to_numpy()
    first[1:] |= variation[1:] != variation[:-1]
    return first


def _surest(confidence: Mapping[str, float], count: int, seed: int) -> list[str]:
    """The ids of the highest confidence; which of those that tie is drawn."""
    ids = sorted(confidence)
    ties = np.random.default_rng(seed).permutation(len(ids))
    rounded = np.round([confidence[id] for id in ids], _DECIMALS)
    order = np.lexsort((ties, -rounded))
    return [ids[index] for index in order[:count]]


def _label(id: str, options: Sequence[str], own: Floats, labels: str, seed: int) -> Label:
    """All options by their probability, the negligible ones of weight 0, or the likeliest alone."""
    own = own[: len(options)]
    if labels == "hard":
        return Label([options[likeliest_option(id, options, own, seed=seed)]], [1.0], soft=False)
    kept = np.where(own < min(_NEGLIGIBLE, own.max()), 0.0, own)
    return Label(options, (kept / kept.sum()).tolist())


def _texts(values: Sequence[str]) -> pa.Array:
    return pa.array(values, pa.string())
