"""A whole run on tiny models: every number of the results, counted again by hand from the tables."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest

from support.experiments import (
    SIZES,
    STAYS,
    in_splits,
    questions,
    small_experiment,
    training,
    without_pages,
    write_rows,
)
from w2s.config import AnsweringSpec, Experiment, TaskSpec
from w2s.errors import InputError
from w2s.methods import METHODS
from w2s.metrics import difference_interval, holm
from w2s.results.diagnosis import WeakLabelSummary
from w2s.results.records import WEAK, Record, RunRecords
from w2s.running import Result, run
from w2s.store import Store
from w2s.tables import read_table

LEARNS = training(5e-2, epochs=2, batch_size=4)
SEEDS = (0, 3)
# Of the methods that differ in how they train alone, soft-labels stands for the others.
ALIKE = {"auxiliary-confidence", "product-of-experts", "confidence-window", "reverse-kl", "reverse-cross-entropy"}
METHOD_NAMES = [name for name in METHODS if name not in {*ALIKE, "small-loss", "posterior"}]  # each has its own tests


@pytest.fixture(scope="module", autouse=True)
def no_page() -> Iterator[None]:
    """The page and the figures have tests of their own, and take longer than all of this."""
    with without_pages():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


@pytest.fixture(scope="module")
def whole(folder: Path, tiny_llama: Path, tiny_gemma: Path) -> Result:
    """All methods, two seeds: a weak supervisor that knows nothing, and students that can learn."""
    data = write_rows(folder / "questions.jsonl", in_splits(questions()))
    experiment = small_experiment(
        data,
        tiny_llama,
        tiny_gemma,
        methods=METHOD_NAMES,
        seeds=list(SEEDS),
        weak_training=training(STAYS),
        student_training=LEARNS,
    )
    return run(experiment, out=folder / "run", store=Store(folder / "store"), info={"commands": ["made by hand"]})


@pytest.fixture(scope="module")
def three(whole: Result, folder: Path) -> Result:
    """A few methods, one seed more; the store knows the others."""
    experiment = replace(whole.experiment, seeds=[*SEEDS, 5], methods=["zero-shot", "naive", "filtering", "ceiling"])
    return run(experiment, out=folder / "three", store=Store(folder / "store"))


def small_run(experiment: Experiment, folder: Path) -> Result:
    return run(experiment, out=folder / "run", store=Store(folder / "store"))


def plain(result: RunRecords) -> dict[str, Any]:
    """As JSON has it, which knows no tuples."""
    values: dict[str, Any] = json.loads(json.dumps(result.to_dict()))
    return values


def by_name(records: list[Record]) -> dict[str, Record]:
    return {record.method: record for record in records}


def rows_of(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_table(path).to_pylist()
    return rows


def gold_of(folder: Path) -> dict[str, str]:
    return {row["question_id"]: row["answer"] for row in rows_of(folder / "gold.parquet")}


# The file


def test_every_field_of_the_results_is_documented() -> None:
    for cls in (Record, WeakLabelSummary, RunRecords):
        documented = "".join(base.__doc__ or "" for base in cls.__mro__[:-1])
        for field in fields(cls):
            assert f"\n        {field.name}: " in documented, f"{cls.__name__}.{field.name}"


def test_the_results_are_written_whole_and_read_back_the_same(whole: Result) -> None:
    written = json.loads((whole.folder / "results.json").read_text())
    assert written == plain(whole)
    assert [set(record) for record in written["records"]] == [{field.name for field in fields(Record)}] * len(SEEDS) * (
        1 + len(METHOD_NAMES)
    )
    assert written["commands"] == ["made by hand"] and written["created"].endswith("+00:00")
    assert written["task"]["num_variations"] == 3 and written["environment"]["torch"]
    again = Result.load(whole.folder)
    assert again == whole and plain(again) == written


def test_there_is_a_record_for_each_method_and_seed_and_a_pooled_one_for_each_method(whole: Result) -> None:
    names = [WEAK, *METHOD_NAMES]
    assert [(record.seed, record.method) for record in whole.records] == [(s, name) for s in SEEDS for name in names]
    assert [(record.seed, record.method) for record in whole.pooled] == [(None, name) for name in names]
    assert {record.method for record in whole.pooled if record.uses_gold} == {"ceiling", "oracle"}


def test_a_folder_without_results_and_one_of_another_version_are_named(whole: Result, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a finished run"):
        Result.load(tmp_path)
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        Result.load(tmp_path)
    (tmp_path / "results.json").write_text(json.dumps({**whole.to_dict(), "format": 99}))
    with pytest.raises(InputError, match="another version"):
        Result.load(tmp_path)


def test_the_questions_and_the_truth_of_all_splits_are_there(whole: Result) -> None:
    given = {row["id"]: row for row in in_splits(questions())}
    asked = rows_of(whole.folder / "questions.parquet")
    assert Counter(row["split"] for row in asked) == SIZES
    assert {row["question_id"]: row["split"] for row in asked} == {id: row["split"] for id, row in given.items()}
    assert gold_of(whole.folder) == {id: row["answer"] for id, row in given.items()}


def test_the_adapters_are_found_from_the_run(whole: Result) -> None:
    for name in METHOD_NAMES:
        adapter = whole.folder / "seed-0" / name / "adapter" / "adapter_model.safetensors"
        assert adapter.is_file() == (not name.startswith("zero-shot"))


# The numbers


@pytest.mark.parametrize("name", [WEAK, *METHOD_NAMES])
def test_accuracy_is_what_a_count_by_hand_gives(whole: Result, name: str) -> None:
    gold = gold_of(whole.folder)
    counts = []
    for seed in SEEDS:
        rows = rows_of(whole.folder / f"seed-{seed}" / name.replace(" ", "-") / "predictions.parquet")
        assert len(rows) == SIZES["test"]
        right = sum(row["answer"] == gold[row["question_id"]] for row in rows)
        assert right == sum(row["correct"] for row in rows)
        record = next(one for one in whole.records if (one.method, one.seed) == (name, seed))
        assert record.accuracy == pytest.approx(right / len(rows))
        assert record.accuracy_low <= record.accuracy <= record.accuracy_high
        counts.append(right / len(rows))
    assert by_name(whole.pooled)[name].accuracy == pytest.approx(sum(counts) / len(SEEDS))


@pytest.mark.parametrize("name", [name for name in METHOD_NAMES if not name.startswith("zero-shot")])
def test_label_accuracy_and_rows_are_what_a_count_by_hand_gives(whole: Result, name: str) -> None:
    gold = gold_of(whole.folder)
    pooled = []
    for seed in SEEDS:
        rows = rows_of(whole.folder / f"seed-{seed}" / name / "training_set.parquet")
        right = [row["answer"] == gold[row["question_id"]] for row in rows]
        weights = [row["weight"] for row in rows]
        # A group of rows is one label, which says its likeliest option.
        said = {}
        for place, row in enumerate(rows):
            own = (row["group"], None) if row["group"] is not None else (None, place)
            if own not in said or row["weight"] > rows[said[own]]["weight"]:
                said[own] = place
        share = sum(right[place] for place in said.values()) / len(said)
        record = next(one for one in whole.records if (one.method, one.seed) == (name, seed))
        assert record.rows == len(rows) and record.questions == len({row["question_id"] for row in rows})
        assert record.label_accuracy == pytest.approx(share)
        weighted = sum(weight for weight, one in zip(weights, right, strict=True) if one) / sum(weights)
        assert record.label_accuracy_weighted == pytest.approx(weighted)
        pooled.append((len(rows), share))
    record = by_name(whole.pooled)[name]
    assert record.rows == pytest.approx(sum(rows for rows, _ in pooled) / len(SEEDS))
    assert record.label_accuracy == pytest.approx(sum(share for _, share in pooled) / len(SEEDS))
    assert 0 < pooled[0][1] <= 1


def test_the_untrained_model_and_the_weak_supervisor_have_what_they_should(whole: Result) -> None:
    records = by_name(whole.pooled)
    assert (records["zero-shot"].rows, records["zero-shot"].label_accuracy) == (0, None)
    assert records["zero-shot"].seconds is None and records["naive"].seconds > 0  # type: ignore[operator]
    assert (records[WEAK].rows, records[WEAK].label_accuracy) == (SIZES["weak_train"], 1)
    assert records[WEAK].pgr is None and records[WEAK].pgr_note is None


@pytest.mark.parametrize("seed", [*SEEDS, None])
def test_pgr_and_gain_follow_from_the_accuracies(whole: Result, seed: int | None) -> None:
    records = by_name(whole.pooled if seed is None else [one for one in whole.records if one.seed == seed])
    weak, ceiling, naive = (records[name].accuracy for name in (WEAK, "ceiling", "naive"))
    assert ceiling - weak > 0.5, "the tiny student no longer learns: the test says nothing"
    for name in METHOD_NAMES:
        record = records[name]
        assert record.pgr == pytest.approx((record.accuracy - weak) / (ceiling - weak)), name
        assert record.pgr_note is None, name
        if seed is not None:
            assert record.pgr_low <= record.pgr <= record.pgr_high, name  # type: ignore[operator]
        if name != "naive":
            assert record.gain == pytest.approx(record.accuracy - naive)
            assert record.gain_p is None, "one run says nothing of another seed, and two say too little"
            if seed is not None:
                assert record.gain_low <= record.gain <= record.gain_high  # type: ignore[operator]
    assert records["ceiling"].pgr == 1
    assert records["naive"].gain is None


def test_the_labels_are_what_a_count_by_hand_gives(whole: Result) -> None:
    gold = gold_of(whole.folder)
    for labels in whole.labels:
        rows = rows_of(whole.folder / f"seed-{labels.seed}" / "scored.parquet")
        right = sum(row["answer"] == gold[row["question_id"]] for row in rows)
        assert (labels.rows, labels.questions, labels.unparsed_rate) == (3 * SIZES["transfer"], SIZES["transfer"], 0)
        assert labels.accuracy == pytest.approx(right / len(rows))
        answers: dict[str, set[str]] = {}
        for row in rows:
            answers.setdefault(row["question_id"], set()).add(row["answer"])
        unanimous = sum(len(given) == 1 for given in answers.values())
        assert labels.unanimity_rate == pytest.approx(unanimous / len(answers))
        assert sum(level["questions"] for level in labels.by_entropy) == SIZES["transfer"]
        assert sum(level["rows"] * level["accuracy"] for level in labels.by_entropy) == pytest.approx(right)


def test_the_table_names_every_method_and_marks_those_that_saw_the_truth(whole: Result) -> None:
    text = str(whole.table())
    for name in METHOD_NAMES:
        assert (f"{name} *" in text) == METHODS[name].uses_gold and name in text
    assert "ground truth" in text and "2 seeds" in " ".join(text.split())  # a title may be wrapped


def test_two_seeds_have_means_and_no_interval(whole: Result) -> None:
    for record in whole.pooled:
        assert record.pgr_low is record.pgr_high is record.gain_low is record.gain_high is record.gain_p is None
        assert (record.gain is None) == (record.method in (WEAK, "naive"))
        assert 0 < record.accuracy < 1 or record.accuracy_low is not None, "the bounds of none and of all are known"
        assert record.accuracy in (0, 1) or record.accuracy_low is record.accuracy_high is None
    assert any(0 < record.accuracy < 1 for record in whole.pooled)


def test_three_seeds_have_intervals_and_p_values(three: Result) -> None:
    for record in three.pooled:
        assert record.accuracy_low <= record.accuracy <= record.accuracy_high  # type: ignore[operator]
        if record.method not in (WEAK, "naive"):
            assert record.gain_low <= record.gain <= record.gain_high  # type: ignore[operator]
            assert 0 <= record.gain_p <= 1  # type: ignore[operator]
    assert by_name(three.pooled)["naive"].gain_p is None
    assert {record.gain_p for record in three.records} == {None}, "one run says nothing of another seed"


def test_all_but_the_named_comparison_are_adjusted_for_being_several(three: Result, folder: Path) -> None:
    def compared(*compare: str) -> dict[str, float | None]:
        experiment = replace(three.experiment, compare=list(compare))
        result = run(experiment, out=folder / "compared", store=Store(folder / "store"))
        assert result.compare == (compare or None)
        assert [record.method for record in result.pooled if record.reference] == [
            [*compare, "naive"][1 if compare else 0]
        ]
        return {record.method: record.gain_p for record in result.pooled}

    def correct(name: str) -> list[list[bool]]:
        paths = [three.files.method(seed, name).predictions for seed in (0, 3, 5)]
        return [[row["correct"] for row in rows_of(path)] for path in paths]

    alone = {
        name: difference_interval(correct(name), correct("naive")).p_value
        for name in ("zero-shot", "filtering", "ceiling")
    }
    assert compared() == pytest.approx({**adjusted(alone), WEAK: None, "naive": None})
    rest = adjusted({name: alone[name] for name in ("filtering", "ceiling")})
    expected = {**rest, "zero-shot": alone["zero-shot"], WEAK: None, "naive": None}
    assert compared("zero-shot", "naive") == pytest.approx(expected)
    assert compared("naive", "filtering")["filtering"] is None, "nothing is compared with itself"


def adjusted(p_values: dict[str, float]) -> dict[str, float]:
    return dict(zip(p_values, holm(list(p_values.values())), strict=True))


# Other tasks and modes


def test_written_answers_run_through_and_an_overtaken_ceiling_leaves_pgr_undefined(
    tmp_path: Path, tiny_llama: Path, tiny_gemma: Path
) -> None:
    # The weak supervisor learns to write a letter; students that do not move write nothing that can be read.
    writes = AnsweringSpec(mode="generate", max_new_tokens=2)
    experiment = small_experiment(
        write_rows(tmp_path / "questions.jsonl", in_splits(questions())),
        tiny_llama,
        tiny_gemma,
        methods=["naive", "reweighting", "ceiling"],
        weak_training=training(5e-2, epochs=8, batch_size=4),
        student_training=training(STAYS),
        answering=writes,
        evaluation=writes,
    )
    result = small_run(experiment, tmp_path)
    records = by_name(result.records)
    scored = rows_of(result.folder / "seed-0" / "scored.parquet")
    assert records[WEAK].accuracy > 0.5, "the tiny weak supervisor no longer learns: the test says nothing"
    assert {row["choice_logprobs"] is None for row in scored} == {True}
    unparsed = sum(row["answer"] is None for row in scored)
    assert result.labels[0].unparsed_rate == pytest.approx(unparsed / len(scored))
    assert records["reweighting"].rows == len(scored) - unparsed
    for name in ("naive", "reweighting", "ceiling"):
        assert records[name].pgr is None and "not clearly above 0" in str(records[name].pgr_note)
    assert result.pooled == result.records
    assert "not defined" in str(result.table())


def test_free_answers_run_through_and_can_only_be_written(tmp_path: Path, tiny_llama: Path, tiny_gemma: Path) -> None:
    rows = [{key: row[key] for key in ("id", "question", "answer", "split")} for row in in_splits(questions())]
    experiment = small_experiment(
        write_rows(tmp_path / "questions.jsonl", rows),
        tiny_llama,
        tiny_gemma,
        methods=["naive", "majority"],
        answering=AnsweringSpec(max_new_tokens=3),
        evaluation=AnsweringSpec(max_new_tokens=3),
    )
    with pytest.raises(InputError, match="mode 'choose': task file can be answered by generate only"):
        small_run(replace(experiment, answering=AnsweringSpec(mode="choose")), tmp_path)
    result = small_run(experiment, tmp_path)
    scored = rows_of(result.folder / "seed-0" / "scored.parquet")
    assert len({row["prompt"].split("number")[0] for row in scored}) > 1, "the wording varies"
    assert result.labels[0].rows == 3 * SIZES["transfer"]
    notes = {record.method: record.pgr_note for record in result.records}
    assert notes == {WEAK: None, "naive": "no ceiling among the methods", "majority": "no ceiling among the methods"}


@pytest.fixture
def unlabelled(tmp_path: Path, tiny_llama: Path, tiny_gemma: Path) -> Experiment:
    rows = [{**row, "answer": ""} if row["split"] == "transfer" else row for row in in_splits(questions())]
    data = write_rows(tmp_path / "questions.jsonl", rows)
    return small_experiment(data, tiny_llama, tiny_gemma, methods=["naive", "filtering"])


def test_questions_without_answers_can_be_learned_from_and_what_is_not_known_is_said(
    unlabelled: Experiment, tmp_path: Path
) -> None:
    result = small_run(unlabelled, tmp_path)
    records = by_name(result.records)
    for name in ("naive", "filtering"):
        assert records[name].rows > 0 and records[name].accuracy is not None
        assert records[name].label_accuracy is None and records[name].label_accuracy_weighted is None
        assert records[name].pgr is None and records[name].pgr_note == "no ceiling among the methods"
    labels = result.labels[0]
    assert (labels.accuracy, labels.auroc, labels.by_entropy) == (None, {}, [])
    assert labels.rows == 3 * SIZES["transfer"] and labels.unanimity_rate >= 0
    assert "no ceiling" in str(result.table())
    assert Result.load(result.folder) == result


def test_a_ceiling_of_questions_without_answers_is_refused(unlabelled: Experiment, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="method ceiling needs ground truth of transfer, and no question there has an answer"
    ):
        small_run(replace(unlabelled, methods=["ceiling"]), tmp_path)


def test_where_some_questions_have_answers_the_label_accuracy_is_that_of_these(
    tmp_path: Path, tiny_llama: Path, tiny_gemma: Path
) -> None:
    rows = in_splits(questions())
    known = {row["id"] for row in rows if row["split"] == "transfer" and int(row["id"][1:]) % 2}
    rows = [{**row, "answer": ""} if row["split"] == "transfer" and row["id"] not in known else row for row in rows]
    data = write_rows(tmp_path / "questions.jsonl", rows)
    result = small_run(small_experiment(data, tiny_llama, tiny_gemma), tmp_path)
    records, gold = by_name(result.records), gold_of(result.folder)
    assert records["ceiling"].rows == len(known) and records["naive"].rows == SIZES["transfer"]
    kept = [row for row in rows_of(result.folder / "seed-0/naive/training_set.parquet") if row["question_id"] in known]
    right = sum(row["answer"] == gold[row["question_id"]] for row in kept)
    assert records["naive"].label_accuracy == pytest.approx(right / len(kept)) and len(kept) == len(known)


def test_the_settings_of_a_result_are_those_of_its_experiment(whole: Result) -> None:
    assert Result.load(whole.folder).experiment == whole.experiment
    assert asdict(whole.experiment)["task"] == asdict(
        TaskSpec(name="file", data=whole.experiment.task.data, num_variations=3, **SIZES)
    )
