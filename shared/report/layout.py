"""Tables as papers print them, rows down and columns across: for a terminal, the page and manuscripts."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

import pandas as pd

from ..runs.paper import Column
from ..runs.recorded import Archive
from ..tasks import TASKS
from .cells import Cell
from .printed import POSITIVES
from .results import Result
from .tables import banner, decimal, difference, ends, markdown, outside

HOW = (
    "Each cell: measured (mean over seeds), its 95 % interval (bootstrap over subjects) and, in parentheses, the "
    "printed number: = inside the interval, ≠ outside it."
)
NO_COMPARISON = f"{HOW.rpartition(':')[0]}, which is of other data or settings."


class Shown(NamedTuple):
    """A cell as text; `mark` is "inside", "outside" or, where nothing is to be compared, empty."""

    measured: str = ""
    interval: str = ""
    printed: str = ""
    over_first: str = ""
    mark: str = ""

    @property
    def bracketed(self) -> str:
        """The printed number in parentheses, with the sign of its mark."""
        sign = {"inside": "= ", "outside": "≠ "}.get(self.mark, "")
        return f"({sign}{self.printed})" if self.printed else ""


@dataclass(frozen=True)
class Layout:
    """A table as printed: `rows` are (name, kind, cells), kinds "positives", "cited", "baseline" and ""."""

    headings: list[tuple[str, int]]  # what stands above the columns, and over how many
    labels: list[str]
    rows: list[tuple[str, str, list[Shown]]]


def layout(result: Result, comparable: bool) -> Layout:
    """The table in the paper's order, own rows that it does not have after it, baselines last."""
    columns = result.table.columns
    found = {(c.row, c.column): c for c in reversed(result.cells)}  # of a mean of folds and the pooled number the first
    digits = {column.name: decimals_of([c for c in result.cells if c.column == column.name]) for column in columns}
    rows = []
    for name in dict.fromkeys([*result.printed_rows, *(c.row for c in result.cells)]):
        cells = [found[name, c.name] for c in columns if (name, c.name) in found]
        if cells:
            texts = [shown(found.get((name, c.name)), digits[c.name], comparable) for c in columns]
            rows.append((name, _kind(cells), texts))
    rows.sort(key=lambda row: row[1] == "baseline")
    split = [heading(column) for column in columns]
    headings = [(name, len(list(group))) for name, group in groupby(name for name, _ in split)]
    return Layout(headings if any(name for name, _ in headings) else [], [label for _, label in split], rows)


def heading(column: Column) -> tuple[str, str]:
    """What a paper prints above a group of columns, and the column's own label: "CASME II UF1" in two."""
    match = re.fullmatch(r"(.*?)\s*\b((?:Acc|accuracy|UF1|UAR|F1)\b.*)", column.name)
    return (match[1], match[2]) if match and TASKS[column.task].classes else ("", column.name)


def decimals_of(cells: Sequence[Cell]) -> int:
    """How many decimals the numbers of a column have: as many as are printed, else as many as fit the measured."""
    own = [c for c in cells if c.row != POSITIVES]
    numbers = [c for c in own if c.paper] or [c for c in own if c.measured is not None]
    return max((c.decimals for c in numbers), default=2)


def shown(cell: Cell | None, d: int, comparable: bool) -> Shown:
    """The texts of a cell, measured numbers with `d` decimals."""
    if cell is None:
        return Shown()
    mark = ""
    if comparable and cell.comparable and cell.paper and cell.low is not None:
        mark = "outside" if outside(cell) else "inside"
    source = {"run": "", "illegible": "illegible"}.get(cell.source, f", {cell.source}")
    printed = f"{cell.paper}{source}" if cell.paper or source == "illegible" else ""
    over = difference(cell.gain, cell.gain_low, cell.gain_high, d)
    value = decimal(cell.measured, 0 if cell.row == POSITIVES else d)
    return Shown(value, ends(cell.low, cell.high, d), printed, over, mark)


def _kind(cells: Sequence[Cell]) -> str:
    if cells[0].row == POSITIVES:
        return "positives"
    if all(cell.rule == "none" for cell in cells):
        return "baseline"
    return "cited" if all(cell.source == "cited" and cell.measured is None for cell in cells) else ""


def rule_line(result: Result) -> str:
    """The selection rule of a table, how its folds are joined, and what choosing the epoch on the test fold would add,
    where there is one to choose; empty without numbers."""
    own = [c for c in result.cells if c.measured is not None and c.rule not in ("", "none")]
    if not own:
        return ""
    cells = [c for c in own if c.leak is not None]
    scales = {column.name: column.scale for column in result.table.columns}
    spans = []
    for scale in dict.fromkeys(scales[c.column] for c in cells):
        of_scale = [c for c in cells if scales[c.column] == scale]
        low, high = min(of_scale, key=lambda c: c.leak or 0.0), max(of_scale, key=lambda c: c.leak or 0.0)
        unit = " per cent" if scale == 100 and len(set(scales.values())) > 1 else ""
        spans.append(f"{decimal(low.leak, low.decimals, '+')} to {decimal(high.leak, high.decimals, '+')}{unit}")
    joined = ", ".join(dict.fromkeys(column.joined for column in result.table.columns))
    rows: dict[str, dict[str, None]] = {}  # rule -> rows
    for c in own:
        rows.setdefault(c.rule, {})[c.row] = None
    most = max(rows, key=lambda rule: len(rows[rule]))
    rules = ", ".join(rule if rule == most else f"{rule} ({'; '.join(rows[rule])})" for rule in rows)
    said = [f"rule: {rules}", f"folds: {joined}"]
    if spans:
        said.append(f"leak: best_on_test − last, the optimism of test-set selection: {', '.join(spans)}")
    return "; ".join(said)


def as_text(archive: Archive, results: Sequence[Result]) -> str:
    """The tables for a terminal, in blocks of columns that fit its width."""
    warning, lines = banner(archive.session), []
    width = max(shutil.get_terminal_size((160, 24)).columns, 60)
    for result in results:
        lines += ["", f"{archive.session.paper.title}, {result.table.title}", *[f"*** {warning} ***"] * bool(warning)]
        table = layout(result, not warning)
        body, names = [], []
        for name, _, cells in table.rows:
            parts = [[c.measured for c in cells], [c.interval for c in cells], [c.bracketed for c in cells]]
            filled = [part for part in parts if any(part)] or parts[:1]
            body += filled
            names += [name if len(name) <= 48 else f"{name[:47]}…", *[""] * (len(filled) - 1)]
        lines += [_frame(table, body, names).to_string(line_width=width)]
        lines += [f"  {line}" for line in (rule_line(result), *result.remarks) if line]
    return "\n".join([*lines, "", *archive.left_out, NO_COMPARISON if warning else HOW]).lstrip("\n")


def _frame(table: Layout, body: Sequence[Sequence[str]], names: Sequence[str]) -> pd.DataFrame:
    above = [name for name, count in table.headings for _ in range(count)]
    columns = pd.MultiIndex.from_arrays([above, table.labels]) if above else pd.Index(table.labels)
    return pd.DataFrame(list(body), index=list(names), columns=columns, dtype=object)


def manuscript(archive: Archive, results: Sequence[Result], form: str, intervals: bool) -> str:
    """The measured numbers of each table as LaTeX, Markdown or CSV, with lines that say what they are, all
    its remarks, and which records are left out."""
    warning, parts = banner(archive.session), []
    for result in results:
        measured = {c.column for c in result.cells if c.measured is not None}
        columns = tuple(c for c in result.table.columns if c.name in measured or not measured)
        table = layout(replace(result, table=replace(result.table, columns=columns)), comparable=False)
        rows = [(name, cells) for name, _, cells in table.rows if any(c.measured for c in cells) and name != POSITIVES]
        body = [[f"{c.measured} {c.interval}".strip() if intervals else c.measured for c in cells] for _, cells in rows]
        said = [f"{archive.session.paper.title}, {result.table.title}", warning, rule_line(result)]
        said += [BRACKETS] * intervals
        frame = _frame(table, body, [name for name, _ in rows])
        remarks = [*([] if rows else ["no row has records"]), *filter(None, result.remarks), *archive.left_out]
        parts.append(written(frame, "; ".join(filter(None, said)), "\n".join(remarks).splitlines(), form))
    return "\n".join(parts)


BRACKETS = "in brackets: 95 % intervals, by a bootstrap over subjects"
SIGNS = {"−": "$-$", "δ": r"$\delta$", "λ": r"$\lambda$", "α": r"$\alpha$", "≠": r"$\neq$", "→": r"$\to$", "<": "$<$"}
LATEX = {sign: "\\" + sign for sign in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def written(frame: pd.DataFrame, said: str, remarks: Sequence[str], form: str) -> str:
    """The table in a form of `manuscript`, with what is said of it; remarks are comments where the form has them."""
    if form == "latex":
        caption = "".join(LATEX.get(sign, sign) for sign in said)
        columns = "l" + "c" * frame.shape[1]
        noted = "".join(f"% {line}\n" for line in (*remarks, r"needs \usepackage{booktabs}"))
        made = frame.to_latex(caption=caption, escape=True, multicolumn_format="c", column_format=columns)
        return noted + "".join(SIGNS.get(sign, sign) for sign in str(made))
    flat = frame.set_axis([" ".join(name).strip() if isinstance(name, tuple) else name for name in frame], axis=1)
    if form == "csv":
        return "".join(f"# {line}\n" for line in (said, *remarks)) + str(flat.to_csv(index_label="row"))
    lines = markdown(["", *flat.columns], ([name, *row] for name, *row in flat.itertuples()), align="---:")
    return "\n".join([said, "", *lines, "", *(f"- {line}" for line in remarks), ""])
