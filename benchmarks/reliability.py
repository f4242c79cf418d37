"""Reliability of a million answers: w2s against a loop over pandas groups, in one run.

    python benchmarks/reliability.py [--answers 1000000] [--loop 20000]

The loop is timed on a share of the questions and scaled up, which flatters nobody: its time is proportional to
their number. Both give the same numbers, which is checked.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import pandas as pd
import pyarrow as pa

import w2s

TEMPERATURE = 0.2


def make_answers(rows: int, variations: int = 5, options: int = 4) -> pa.Table:
    """Random answers, five to a question, in random order."""
    rng = np.random.default_rng(0)
    questions = rows // variations
    order = rng.permutation(questions * variations)
    return pa.table(
        {
            "question_id": np.char.add("q", np.repeat(np.arange(questions), variations).astype(str))[order],
            "variation": np.tile(np.arange(variations, dtype=np.int32), questions)[order],
            "answer": rng.choice([f"option {option}" for option in range(options)], questions * variations),
        }
    )


def loop_over_groups(frame: pd.DataFrame) -> pd.DataFrame:
    """Vote share, entropy and reliability, one question after another."""
    parts = []
    for _, group in frame.groupby("question_id"):
        share = group["answer"].value_counts(normalize=True)
        softmax = np.exp(share / TEMPERATURE) / np.exp(share / TEMPERATURE).sum()
        parts.append(
            group.assign(
                vote_share=group["answer"].map(share),
                entropy=-(share * np.log(share)).sum(),
                reliability=group["answer"].map(softmax),
            )
        )
    return pd.concat(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=1_000_000)
    parser.add_argument("--loop", type=int, default=20_000, help="answers that the loop is timed on")
    arguments = parser.parse_args()

    table = make_answers(arguments.answers)
    w2s.score_answers(table.slice(0, 1000))  # imports
    began = time.perf_counter()
    scored = w2s.score_answers(table, temperature=TEMPERATURE)
    fast = time.perf_counter() - began

    some = make_answers(arguments.loop)
    frame = some.to_pandas()
    began = time.perf_counter()
    looped = loop_over_groups(frame)
    slow = (time.perf_counter() - began) * table.num_rows / some.num_rows

    expected = looped.sort_values(["question_id", "variation"])
    got = w2s.score_answers(some, temperature=TEMPERATURE).to_pandas().sort_values(["question_id", "variation"])
    for column in ("vote_share", "entropy", "reliability"):
        np.testing.assert_allclose(got[column], expected[column], atol=1e-9)

    print(f"{scored.num_rows:,} answers")
    print(f"w2s              {fast:10.2f} s")
    print(f"loop over groups {slow:10.2f} s (from {some.num_rows:,} answers)")
    print(f"ratio            {slow / fast:10.0f}")
    print(f"peak memory      {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:10.2f} GB")


if __name__ == "__main__":
    main()
