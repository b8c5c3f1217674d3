"""Numbers printed in the literature: those of the papers' tables, and counts of samples to stand beside those found.

A paper's numbers are in its tables/*.csv. counts.csv lists, for a corpus (or its part or edition) or a task, how many
samples and subjects there are, samples of an emotion, of an action unit (`AU n`) and in a split; of a task also samples
of a corpus, or of a class in a corpus. Where the release is known to give another number, `difference` says why. A
task's number of samples is with the task."""

import csv
from pathlib import Path
from typing import Any

from ..runs.paper import Column, Paper, Row

Counts = dict[str, int]
POSITIVES = "Number of samples"  # a row of a table: how many samples of the column show its action unit


def printed_numbers(folder: Path, table: str) -> dict[tuple[str, str], tuple[str, str]]:
    """The paper's numbers of a table: (row, column) -> (value as printed, "run", "cited" or "illegible")."""
    path = folder / "tables" / f"{table}.csv"
    return {(r["row"], r["column"]): (r["value"], r["source"]) for r in csv_lines(path)} if path.exists() else {}


def printed_elsewhere(paper: Paper) -> dict[tuple[Any, ...], tuple[str, str]]:
    """`scored` -> (value, table) of every number that a table prints of the authors' own runs, the first of each."""
    found: dict[tuple[Any, ...], tuple[str, str]] = {}
    for table in paper.tables:
        numbers = printed_numbers(paper.folder, table.name)
        for row, column in table.cells():
            value, source = numbers.get((row.name, column.name), ("", ""))
            if value and source == "run" and not row.records:
                found.setdefault(scored(paper, row, column), (value, table.name))
    return found


def scored(paper: Paper, row: Row, column: Column) -> tuple[Any, ...]:
    """The experiment of a cell and how it is scored: cells of several tables that agree in it print one number."""
    config = paper.config(**{**row.changes, **column.changes})
    how = column.metric, column.scale, column.au, column.corpus, column.joined
    return config, row.output, column.task, *how


def csv_lines(path: Path) -> list[dict[str, str]]:
    """The lines of a CSV file, by its header."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# corpus or task -> [(source, counts)], and (corpus or task, what, number) -> why the release gives another number.
PRINTED: dict[str, list[tuple[str, Counts]]] = {}
DIFFERENCES: dict[tuple[str, str, int], str] = {}
for _line in csv_lines(Path(__file__).with_name("counts.csv")):
    _sources = PRINTED.setdefault(_line["of"], [])
    if not _sources or _sources[-1][0] != _line["source"]:
        _sources.append((_line["source"], {}))
    _sources[-1][1][_line["what"]] = int(_line["number"])
    if _line["difference"]:
        DIFFERENCES[_line["of"], _line["what"], int(_line["number"])] = _line["difference"]
