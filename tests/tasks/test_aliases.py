"""A question may have several right answers: any of them counts, and a student learns the first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.support import write_jsonl, write_text
from w2s.config import TaskSpec
from w2s.errors import InputError
from w2s.gold import Gold, aliases_of, are_right, with_aliases
from w2s.methods.ceiling import ceiling
from w2s.methods.controls import oracle
from w2s.pipeline import stages
from w2s.pipeline.lay import Lay
from w2s.reliability import agreement_signal, score_answers
from w2s.results.diagnosis import diagnose
from w2s.supervisors.asking import judge
from w2s.tables import ANSWERS, GOLD, read_table, write_table
from w2s.tasks import load_task, task_from
from w2s.tasks.questions import Example, Question
from w2s.tasks.splits import split

PARIS = {"value": "Paris", "aliases": ["PARIS", "City of Light", "Lutetia."], "type": "WikipediaEntity"}
FORMS: list[dict[str, Any]] = [
    {"answer": PARIS},
    {"answer": ["Paris", "City of Light", "lutetia", ""]},
    {"answers": {"text": ["Paris", "Paris", "City of Light", "Lutetia"], "answer_start": [0, 0, 9, 4]}},
    {"answers": ["Paris", "City of Light", "Lutetia"]},
    {"answer": "Paris", "aliases": ["City of Light", "Paris", "Lutetia"]},
]
SIZES: dict[str, Any] = {"weak_train": 0, "transfer": 0, "test": "all"}


@pytest.mark.parametrize("row", FORMS)
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_all_forms_give_the_first_answer_and_the_others(row: dict[str, Any], form: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{form}"
    rows = [{"question": "Capital of France?", **row}]
    pa.parquet.write_table(pa.Table.from_pylist(rows), path) if form == "parquet" else write_jsonl(path, rows)
    (example,) = load_task("file", data=str(path)).examples()
    assert (example.answer, example.aliases) == ("paris", ("city of light", "lutetia"))


def test_in_a_csv_file_the_aliases_are_a_json_list(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.csv", 'question,answer,aliases\nP?,Paris,"[""Lutetia""]"\nL?,Lima,\n')
    assert [example.aliases for example in load_task("file", data=path).examples()] == [("lutetia",), ()]
    path = write_text(tmp_path / "b.csv", "question,answer,aliases\nP?,Paris,\"['Lutetia']\"\n")
    with pytest.raises(InputError, match=r"row 1, column 'aliases': a Python list, expected JSON"):
        list(load_task("file", data=path).examples())


def test_numbers_are_aliases_by_their_value(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{"question": "Half?", "answer": ["0.5", "1/2", "50%", ".50"]}])
    (example,) = load_task("file", data=path, answers="numbers").examples()
    assert (example.answer, example.aliases) == ("0.5", ("50%",))


def test_no_template_may_show_them(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{"question": "Q?", "answer": "Paris", "aliases": ["Lutetia"]}])
    with pytest.raises(InputError, match="unknown field of template 'wording_0' 'aliases'"):
        load_task("file", data=path, templates={"wording_0": "{question} {aliases}"})


def test_ground_truth_teaches_the_first_and_keeps_the_others(tmp_path: Path) -> None:
    rows = [{"question": "France?", "answer": PARIS}, {"question": "Peru?", "answer": "Lima"}]
    spec = TaskSpec(name="file", data=write_jsonl(tmp_path / "a.jsonl", rows), **SIZES)
    table = stages.ground_truth(spec, split="test")
    for form in ("parquet", "csv", "jsonl"):
        write_table(table, tmp_path / f"gold.{form}")
        back = read_table(tmp_path / f"gold.{form}")
        assert sorted(back["answer"].to_pylist()) == ["lima", "paris"]
        assert list(aliases_of(back).values()) == [("city of light", "lutetia")]
    learned = ceiling(table).table
    assert sorted(learned["completion"].to_pylist()) == [" lima", " paris"] and "aliases" not in learned.column_names


def test_the_steps_of_a_task_without_aliases_are_what_they_were(tmp_path: Path) -> None:
    def gold_step(answer: Any) -> tuple[str, list[str]]:
        data = write_jsonl(tmp_path / "a.jsonl", [{"question": "France?", "answer": answer}])
        task = task_from(TaskSpec(name="file", data=data, **SIZES))
        splits = task.splits()
        return Lay(task, splits).gold("test").key, splits.gold.column_names

    key, columns = gold_step("Paris")
    assert columns == GOLD.names
    assert gold_step(["Paris", "paris."]) == (key, columns)
    assert gold_step(["Paris", "Lutetia"])[0] != key


ANSWERED = [("a", "paris"), ("a", "lutetia"), ("a", "rome"), ("b", "lutetia"), ("b", None), ("c", "lutetia")]
TRUTH = Gold({"a": "paris", "b": "lima"}, {"a": ("lutetia", "city of light")})


def answers(given: list[tuple[str, str | None]] = ANSWERED) -> pa.Table:
    rows = [
        {"question_id": id, "variation": number, "answer": answer, "prompt": f"{id}?", "supervisor": "s"}
        for number, (id, answer) in enumerate(given)
    ]
    return pa.Table.from_pylist(rows, schema=ANSWERS)


def test_any_right_answer_counts_in_every_comparison() -> None:
    ids, given = zip(*ANSWERED, strict=True)
    assert are_right(ids, given, TRUTH) == [True, True, False, False, False, False]
    assert are_right(ids, given, dict(TRUTH)) == [True, False, False, False, False, False]
    scored = score_answers(answers())
    assert agreement_signal(scored, TRUTH).accuracy == pytest.approx(2 / 5)
    assert diagnose(scored, TRUTH).accuracy == pytest.approx(2 / 5)
    gold = [{"question_id": id, "variation": 0, "answer": TRUTH.get(id, "x")} for id in "abc"]
    table = with_aliases(pa.Table.from_pylist(gold, schema=ANSWERS), TRUTH.aliases)
    for seed in range(8):
        found = oracle(scored, table, seed=seed)
        assert (
            found.table["answer"].to_pylist()[0] in ("paris", "lutetia") and found.selection.dropped["incorrect"] >= 3
        )


def test_the_vote_is_taken_before_it_is_compared() -> None:
    """Two names of the right answer are two answers to whoever does not know the truth."""
    table = judge(answers([("a", "paris"), ("a", "lutetia"), ("a", "rome"), ("a", "rome")]), TRUTH)
    assert table.select(["answer", "correct"]).to_pylist() == [{"answer": "rome", "correct": False}]
    table = judge(answers([("a", "lutetia"), ("a", "lutetia"), ("a", "paris")]), TRUTH)
    assert table.select(["answer", "correct"]).to_pylist() == [{"answer": "lutetia", "correct": True}]


def test_copies_with_a_right_answer_in_common_do_not_contradict() -> None:
    def copy(id: str, answer: str, *aliases: str) -> Example:
        return Example(question=Question(id=id, text="France?"), answer=answer, aliases=aliases)

    spec = TaskSpec(name="file", **SIZES)
    found = split([copy("1", "paris", "lutetia"), copy("2", "lutetia")], spec)
    assert found.dropped == {"duplicate": 1} and found.gold["answer"].to_pylist() == ["paris"]
    found = split([copy("1", "paris", "lutetia"), copy("2", "rome"), replace(copy("3", "x"), question=OTHER)], spec)
    assert found.dropped == {"contradictory answers": 2}


OTHER = Question(id="3", text="Peru?")


@given(
    gold=st.dictionaries(st.sampled_from("abc"), st.lists(st.sampled_from("xyz"), min_size=1, max_size=3, unique=True)),
    given=st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.sampled_from("xyz")), max_size=6),
)
def test_which_of_the_right_answers_is_the_first_changes_no_comparison(
    gold: dict[str, list[str]], given: list[tuple[str, str | None]]
) -> None:
    def made(turn: int) -> Gold:
        turned = {id: names[turn % len(names) :] + names[: turn % len(names)] for id, names in gold.items()}
        return Gold({id: names[0] for id, names in turned.items()}, {id: names[1:] for id, names in turned.items()})

    ids, said = [id for id, _ in given], [answer for _, answer in given]
    expected = [answer in gold.get(id, []) for id, answer in given]
    assert all(are_right(ids, said, made(turn)) == expected for turn in range(3))
