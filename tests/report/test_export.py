"""The table for other programs."""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path

from made_up import write_run

from w2s.config import ModelSpec
from w2s.report.export import to_csv, to_latex
from w2s.report.tables import render, results_table


def test_csv_has_a_row_a_method_and_full_precision(tmp_path: Path) -> None:
    result = write_run(tmp_path)
    rows = list(csv.DictReader(io.StringIO(to_csv(result))))
    assert [row["method"] for row in rows] == [record.method for record in result.pooled]
    assert [float(row["accuracy"]) for row in rows] == [record.accuracy for record in result.pooled]
    assert rows[0]["pgr"] == "", "what is not defined is empty"
    assert rows[0]["seed"] == "0"


def test_csv_of_several_seeds_has_each_after_all(tmp_path: Path) -> None:
    result = write_run(tmp_path, seeds=(3, 4))
    seeds = [row["seed"] for row in csv.DictReader(io.StringIO(to_csv(result)))]
    methods = len(result.pooled)
    assert seeds == ["all"] * methods + ["3"] * methods + ["4"] * methods


def test_latex_escapes_what_means_something_to_it(tmp_path: Path) -> None:
    result = write_run(tmp_path, pgr=False)
    odd = dataclasses.replace(result.pooled[2], method="a_b & 50% $x$ {y} ~^\\#")
    text = to_latex(dataclasses.replace(result, pooled=[*result.pooled[:2], odd]))
    escaped = r"a\_b \& 50\% \$x\$ \{y\} \textasciitilde{}\textasciicircum{}\textbackslash{}\#"
    assert escaped in text
    assert "not defined" in text and "not clearly above 0" in text


def test_no_name_commands_a_terminal_or_a_spreadsheet(tmp_path: Path) -> None:
    result = write_run(tmp_path)
    odd = dataclasses.replace(result.pooled[2], method="=naive\x1b[31m")
    experiment = dataclasses.replace(result.experiment, strong=ModelSpec(name="model\x1b]0;x\x07"))
    result = dataclasses.replace(result, pooled=[*result.pooled[:2], odd], experiment=experiment)
    told = {"csv": to_csv(result), "latex": to_latex(result), "table": render(results_table(result))}
    for text in told.values():
        assert "naive␛[31m" in text and not set(text) & {"\x1b", "\x07"}
    assert "'=naive" in told["csv"] and "model␛]0;x␇" in told["table"] and "model␛]0;x␇" in told["latex"]


def test_latex_is_a_booktabs_table_with_as_many_cells_in_each_row(tmp_path: Path) -> None:
    text = to_latex(write_run(tmp_path))
    assert text.index(r"\toprule") < text.index(r"\midrule") < text.index(r"\bottomrule")
    rows = [line for line in text.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
    assert len(rows) == 7
    assert {row.count(" & ") for row in rows} == {6}  # by weight as well, where that differs
    assert "ceiling*" in text and "* trained on ground truth" in text
