"""Files of any kind that a user may give to a command: tables in all forms, settings, and what is neither."""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import yaml
from hypothesis import strategies as st

__all__ = ["ABSURD", "COLUMNS", "files"]

COLUMNS = (
    *("question_id", "variation", "answer", "prompt", "completion", "weight", "choices", "completions", "position"),
    *("choice_logprobs", "supervisor", "vote_share", "entropy", "reliability", "confidence", "uncertainty", "group"),
    *("question", "id", "split", "answerKey", "answers", "messages", "paraphrases", "response", "asked", "posterior"),
)
SETTINGS = ("task", "name", "data", "test", "weak", "strong", "model", "methods", "method", "seeds", "training", "lora",
            "rank", "student_training", "templates", "answering", "reliability", "plugins", "compare", "out", "store",
            "config", "preset", "learning_rate", "estimator", "label", "json")  # fmt: skip
ABSURD = (
    *(
        "",
        " ",
        "-1",
        "0",
        "1e999",
        "nan",
        "-inf",
        "9" * 400,
        "null",
        "true",
        "[]",
        "{}",
        "[[[",
        "{a: ",
        "é\u202e\0",
        "a/b",
    ),
    *("{a: 1}", "[1, {b: [2]}]", "~", ".", "--", "=", "*x", "!!python/none", "&a [*a]", "1_0", "0x10", "\ud800"),
    *("{temperature: .nan}", "{temperature: null}", "{temperature: [1]}", "{quantile: -1}", "{1: 2}", "@x", "%s {0}"),
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["", "a", "b", " a ", "007", "NaN", "null", "=1+1", "x\ny", 'q"', "a|b", "[1", "{'a': 1}", "\0", "\ufeff", "1e400"]
)
NUMBERS = st.integers(-(2**70), 2**70) | st.integers(0, 3) | st.floats()
CELLS = st.none() | st.booleans() | NUMBERS | TEXTS
JSON = st.recursive(CELLS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))
ARROW = st.sampled_from(
    [
        *(pa.string(), pa.large_string(), pa.string_view(), pa.int8(), pa.uint64(), pa.float16(), pa.float64()),
        *(pa.bool_(), pa.null(), pa.binary(), pa.date32(), pa.timestamp("ns", "UTC"), pa.decimal128(20, 3)),
        *(pa.list_(pa.string()), pa.large_list(pa.float32()), pa.struct({"text": pa.list_(pa.string())})),
        *(pa.dictionary(pa.int8(), pa.string()), pa.map_(pa.string(), pa.int32()), pa.duration("s"), pa.time64("ns")),
    ]
)
_ENCODINGS = st.sampled_from(["utf-8"] * 15 + ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "shift-jis"])


@st.composite
def _rows(draw: st.DrawFn, cells: st.SearchStrategy[Any]) -> list[dict[str, Any]]:
    """Rows of the columns that some command asks for, mostly; and mostly of what it would take."""
    form = draw(st.sampled_from(["answers"] * 3 + ["questions"] * 2 + ["training", "any"]))
    wanted = {
        "answers": ("question_id", "variation", "answer", "prompt", "completion"),
        "questions": ("question", "answer", "choices"),
        "training": ("prompt", "completion", "weight"),
        "any": (),
    }[form]
    more = draw(st.lists(st.sampled_from(COLUMNS) | TEXTS, max_size=4, unique=True))
    lacking = {draw(st.sampled_from(COLUMNS))}
    names = [name for name in dict.fromkeys([*wanted, *more]) if name not in lacking]
    wild = draw(st.sets(st.sampled_from(names), max_size=2)) if names and draw(st.booleans()) else set()
    usual = {"question_id": st.sampled_from("pq"), "variation": st.integers(0, 4), "weight": st.floats(0, 2),
             "choices": st.just(["a", "b", "c"])}  # fmt: skip
    plain = st.sampled_from("abc")
    row = st.fixed_dictionaries({name: cells if name in wild else usual.get(name, plain) for name in names})
    rows = draw(st.lists(row, max_size=6))
    if "variation" in names and "variation" not in wild:
        rows = [{**row, "variation": number} for number, row in enumerate(rows)]
    return rows


def _as_csv(rows: list[dict[str, Any]], delimiter: str, columns: list[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([json.dumps(cell) if isinstance(cell, list | dict) else cell for cell in row.values()])
    return text.getvalue()


@st.composite
def _texts(draw: st.DrawFn) -> tuple[str, bytes]:
    form = draw(st.sampled_from(["csv", "tsv", "jsonl", "json"]))
    rows = draw(_rows(JSON))
    match form:
        case "csv" | "tsv":
            columns = [*rows[0]] if rows else draw(st.lists(TEXTS, max_size=3))
            text = _as_csv(rows, "\t" if form == "tsv" else draw(st.sampled_from(",;\t")), columns)
        case "jsonl":
            text = "".join(json.dumps(row, ensure_ascii=draw(st.booleans())) + "\n" for row in rows)
        case _:
            text = json.dumps(draw(st.just(rows) | JSON), indent=draw(st.sampled_from([None, 1])))
    data = text.encode(draw(_ENCODINGS), "replace")
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.binary(max_size=4)) + data[draw(st.integers(at, len(data))) :]
    return form, data


@st.composite
def _parquet(draw: st.DrawFn) -> tuple[str, bytes]:
    rows = draw(_rows(CELLS))
    names = [*rows[0]] if rows else draw(st.lists(st.sampled_from(COLUMNS), max_size=3))
    arrays = []
    for name in names:
        cells = [row[name] for row in rows]
        kind = draw(st.none() | ARROW)
        try:
            arrays.append(pa.array(cells, kind) if kind is not None else pa.array(cells))
        except (pa.ArrowException, OverflowError, TypeError, ValueError):
            arrays.append(pa.nulls(len(cells), kind) if kind is not None else pa.array(list(map(str, cells))))
    if draw(st.integers(0, 9)) == 0 and arrays:  # a column twice
        names, arrays = [*names, names[0]], [*arrays, arrays[0]]
    file = io.BytesIO()
    try:
        pyarrow.parquet.write_table(pa.table(arrays, names=names), file)
    except (pa.ArrowException, ValueError):
        return "parquet", b"PAR1"
    data = file.getvalue()
    if draw(st.integers(0, 9)) == 0:
        data = data[: draw(st.integers(0, len(data)))]
    return "parquet", data


@st.composite
def _settings(draw: st.DrawFn) -> tuple[str, bytes]:
    names = st.sampled_from(SETTINGS) | TEXTS
    values = CELLS | st.sampled_from(ABSURD[:-8]) | st.dates() | st.sampled_from(["file", "naive", "mmlu", "gold"])
    inner = st.recursive(
        values, lambda one: st.lists(one, max_size=3) | st.dictionaries(names, one, max_size=4), max_leaves=8
    )
    content = draw(st.dictionaries(names, inner, max_size=4) | inner)
    text = yaml.safe_dump(_plain(content), allow_unicode=draw(st.booleans()))
    return "yaml", text.encode(draw(_ENCODINGS), "replace")


def _plain(value: Any) -> Any:
    """Without half a character, which YAML cannot say."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {_plain(name): _plain(one) for name, one in value.items()}
    return value


@st.composite
def _sound(draw: st.DrawFn) -> tuple[str, bytes]:
    """Answers as they should be, but for their texts, so that what comes after the reading is tried too."""
    count, odd = draw(st.integers(1, 6)), draw(st.booleans())
    rows: list[dict[str, Any]] = []
    for number in range(count):
        text = draw(TEXTS) if odd else draw(st.sampled_from("abc"))
        row = {"prompt": "p", "completion": f" {text}", "answer": text, "variation": number, "question_id": "q"}
        rows.append(row | {"question": f"Which, {number}?", "weight": draw(st.sampled_from([0, 0.5, 1]))})
    if draw(st.booleans()):
        return "given.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode()
    return "given.csv", _as_csv(rows, ",", [*rows[0]]).encode()


@st.composite
def files(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file's name and its content."""
    if draw(st.booleans()):
        return draw(_sound())
    form, data = draw(
        st.one_of(
            *[_texts()] * 3,
            *[_parquet()] * 2,
            _settings(),
            st.tuples(
                st.sampled_from(["csv", "jsonl", "json", "parquet", "yaml", "txt", "gguf"]), st.binary(max_size=60)
            ),
        )
    )
    name = f"given.{form}"
    match draw(st.integers(0, 19)):
        case 0:
            return name + ".gz", gzip.compress(data)
        case 1:
            return name + ".gz", data
        case 2:
            return f"given.{draw(st.sampled_from(['csv', 'tsv', 'jsonl', 'json', 'parquet', 'yaml', 'txt']))}", data
        case _:
            return name, data
