"""Agreement in meaning: free answers that say the same in other words vote together."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from w2s.errors import InputError
from w2s.reliability.base import add_scores, estimator_from
from w2s.reliability.encoder import embed
from w2s.reliability.votes import agreement, count_votes
from w2s.tasks.parsing import as_number

__all__ = ["ESTIMATORS", "meanings", "normal_form", "semantic_entropy"]

_ARTICLE = re.compile(r"^(?:an?|the)\s+(?=\S)")
_SILENT = re.compile(r"(?<=[^\W\d_])'(?=[^\W\d_])|\.(?!\d)")
_QUOTED = re.compile(r"(?<![\w'])'([^']+)'(?![\w'])")
_APOSTROPHE = re.compile("[’‘`]")
_MINUS = re.compile(r"(?<!\w)[–−](?=\.?\d)")
# The minus of "-5" and "-.5" stays, and so do "c++", "5!", "!=", "!x" and what stands between two digits ("10-5").
_SPACED = re.compile(r"(?!(?<=\d)[,:–—-]\d)(?:(?<!\d)(?<!\d!)!(?![=\w])|[,;:?…\"“”«»()\[\]{}–—_]|(?<=\w)-|-(?!\.?\w))")
_SIGNED = re.compile(r"\b[^\W\d_]{1,2}[-−–]\W*$")  # the grade "A-", the ion "Cl-"
_CURRENCY = re.compile(r"[A-Z]{0,2}[$£¥¢฿\u20a0-\u20cf]|\b(?:USD|EUR|GBP|INR|CAD|AUD)(?=\W|\d)")


def semantic_entropy(answers: pa.Table, *, encoder: str = "", similarity: float = 0.9) -> pa.Table:
    """Count votes for meanings instead of texts.

    The answers to each question are put into clusters C that mean the same. With `p(C)` the share of the question's
    answers in a cluster, the uncertainty is the semantic entropy `−Σ_C p(C) ln p(C)`, in nats, and the confidence of
    an answer is `p` of its cluster: the entropy of Kuhn, Gal and Farquhar 2023 (arXiv 2302.09664) in the discrete
    form of Farquhar et al. 2024 (Nature 630), which needs no likelihoods of the texts. These are the vote share and the
    entropy of the votes as well, so that a majority is one of meanings. Those papers tell meanings apart by entailment
    in both directions; here are two cheaper ways:

    * by `normal_form`, the default: case, punctuation, a first article, spacing and the spelling of a number do not
      count, but its currency does;
    * with `encoder`, by vectors as well: of the normal forms of a question those belong together that
      complete-linkage clustering joins, so that any two of a cluster have a cosine of at least `similarity`. The
      vectors are means over the tokens of the encoder's last hidden states.

    An answer that is one of its row's `choices` means itself, whatever it looks like; so does one that could not be
    parsed.

    Args:
        answers: Checked answers.
        encoder: A folder or hub id of an encoder that transformers can load; empty for none.
        similarity: The least cosine of two answers that mean the same. What is right depends on the encoder: opposites
            ("rises", "falls") are near each other in most.

    Raises:
        InputError: The similarity is not between 0 and 1, or there is no such encoder.
    """
    if not 0 < similarity <= 1:
        raise InputError(f"similarity {similarity}: expected a number above 0 and at most 1")
    meaning = pa.array(meanings(answers, encoder, similarity), pa.string())
    place = answers.column_names.index("answer")
    share, entropy = agreement(count_votes(answers.set_column(place, "answer", meaning)))
    return add_scores(answers, vote_share=share, entropy=entropy, confidence=share, uncertainty=entropy)


def meanings(answers: pa.Table, encoder: str = "", similarity: float = 0.9) -> list[str | None]:
    """(rows,) a text that stands for the meaning of each answer; equal where two answers to a question mean the same.

    Args:
        answers: Checked answers.
        encoder: As for `semantic_entropy`.
        similarity: As for `semantic_entropy`.
    """
    ids, given = answers["question_id"].to_pylist(), answers["answer"].to_pylist()
    listed = answers["choices"].to_pylist() if "choices" in answers.column_names else [None] * len(ids)
    # One of the options is marked, so that no free answer can be taken for it.
    found = [
        None if answer is None else f"={answer}" if answer in (choices or ()) else f"~{normal_form(answer)}"
        for answer, choices in zip(given, listed, strict=True)
    ]
    if not encoder:
        return found
    free: dict[str, set[str]] = {}
    for id, meaning in zip(ids, found, strict=True):
        if meaning is not None and meaning.startswith("~"):
            free.setdefault(id, set()).add(meaning[1:])
    texts = sorted(set().union(*free.values()))
    vector = dict(zip(texts, embed(texts, encoder), strict=True)) if texts else {}
    stands: dict[tuple[str, str], str] = {}
    for id, forms in free.items():
        ordered = sorted(forms)
        labels = _clusters(np.array([vector[form] for form in ordered]), similarity)
        stands |= {(id, f"~{form}"): f"~{ordered[label]}" for form, label in zip(ordered, labels, strict=True)}
    return [
        meaning if meaning is None else stands.get((id, meaning), meaning)
        for id, meaning in zip(ids, found, strict=True)
    ]


def normal_form(text: str) -> str:
    """A text without what tells no meaning: case, the encoding of accents, punctuation, a first article, spacing.

    A text that is a number is that number in one spelling, after its currency. Symbols stay ("c++", "5%", "5!", "A-",
    "10²", "x != 5", "f'", "5'"), and a text that is nothing but punctuation is left as it is. The factorial "n!" cannot
    be told from an exclamation.
    """
    plain = " ".join(text.split()).rstrip(".")
    if (number := as_number(plain)) is not None:  # before compatible characters are one: "3½" is not 31/2
        return "".join(_CURRENCY.findall(plain)).casefold() + number
    folded = " ".join(_folded(text).casefold().split())
    if (number := as_number(folded.rstrip("."))) is not None:
        return number
    plain = _SILENT.sub("", _MINUS.sub("-", _APOSTROPHE.sub("'", folded)))
    bare = " ".join(_SPACED.sub(" ", _QUOTED.sub(r"\1", plain)).split())
    return (_ARTICLE.sub("", bare) or folded) + ("-" if bare and _SIGNED.search(folded) else "")


def _folded(text: str) -> str:
    """A text in NFKC, but for digits that it would join to others: "10²", "3½ cups"; "H₂O" is H2O."""
    if text.isascii():
        return text
    pieces = [
        char
        if char.isnumeric() and not char.isdecimal() and _stays(char, before)
        else unicodedata.normalize("NFKC", char)
        for before, char in zip(f" {text}", text, strict=False)
    ]
    return unicodedata.normalize("NFC", "".join(pieces))


def _stays(char: str, before: str) -> bool:
    return before.isnumeric() or unicodedata.decomposition(char).startswith(("<super>", "<fraction>"))


def _clusters(vectors: npt.NDArray[np.float64], similarity: float) -> Sequence[int]:
    """(texts,) the index of the first text of each one's cluster."""
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(vectors) < 2:
        return range(len(vectors))
    cosine = np.clip(vectors @ vectors.T, -1, 1)
    distances = (1 - cosine)[np.triu_indices(len(vectors), 1)]
    number = fcluster(linkage(distances, method="complete"), 1 - similarity + 1e-9, criterion="distance")
    first = {cluster: index for index, cluster in reversed(list(enumerate(number.tolist())))}
    return [first[cluster] for cluster in number.tolist()]


ESTIMATORS = (
    estimator_from(
        "semantic-entropy",
        semantic_entropy,
        summary="how far free answers agree in meaning, whatever their words",
        models=("encoder",),
        version=3,
    ),
)
