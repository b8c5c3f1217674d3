"""Tables of paper | measured | difference as text, CSV and Markdown, and what --strict makes of them."""

import csv
import io
from collections.abc import Sequence

from ..runs.session import Session
from .cells import Cell
from .printed import POSITIVES
from .results import Result

HEADER = (
    "row",
    "column",
    "paper",
    "measured",
    "difference",
    "95 % interval",
    "joined",
    "rule",
    "other rule",
    "leak",
    "records",
)
LEGEND = (
    "paper: the printed number; blank where the paper has none or our copy is illegible; (cited): quoted from others; "
    "(table): printed in that table for the same experiment",
    "95 % interval: bootstrap over subjects",
    "joined: how folds become one number: pooled, the score of all predictions; mean of folds, the mean of each fold's "
    "score",
    "rule: the epoch that is scored: last; val, the best on the validation fold; best_on_test, the best on the test "
    "fold",
    "other rule: the same runs scored at best_on_test, or at last where the rule is best_on_test",
    "leak: best_on_test − last, the optimism of choosing the epoch on the test fold",
    "yardstick: a linear SVM on the optical flow from onset to apex, with default settings, under the same protocol",
    "constant baseline: the same answer for every sample",
)


def texts(cell: Cell) -> tuple[str, ...]:
    """The cell as strings in the order of HEADER."""
    d = cell.decimals
    return (
        cell.row,
        cell.column,
        cell.paper + (f" ({cell.source})" if cell.paper and cell.source != "run" else ""),
        decimal(cell.measured, d),
        decimal(cell.difference, d, "+"),
        _ends(cell.low, cell.high, d),
        cell.joined,
        cell.rule,
        "" if cell.other is None else f"{cell.other_rule} {decimal(cell.other, d)}",
        f"{decimal(cell.leak, d, '+')} {_ends(cell.leak_low, cell.leak_high, d)}".strip(),
        cell.note,
    )


def decimal(value: float | None, decimals: int, sign: str = "") -> str:
    """A number as printed, never "-0.00"; empty for None."""
    return "" if value is None else f"{round(value, decimals) + 0.0:{sign}.{decimals}f}"


def _ends(low: float | None, high: float | None, decimals: int) -> str:
    return "" if low is None else f"[{decimal(low, decimals)}, {decimal(high, decimals)}]"


def banner(session: Session) -> str:
    """The warning on everything printed from these records; empty where it may stand beside the paper."""
    why = ["shuffled labels, a control"] * session.shuffled
    why += ["synthetic faces"] if session.generated else ["smoke scale"] * (session.scale == "smoke")
    why += [f"changed settings, {', '.join(changes)}"] if (changes := session.changes()) else []
    return f"{'; '.join(why)}: not comparable with the paper" if why else ""


def as_text(session: Session, results: Sequence[Result]) -> str:
    """The tables for a terminal."""
    lines = []
    for result in results:
        lines += ["", f"{session.paper.title}, {result.table.title}"]
        lines += [f"*** {banner(session)} ***"] if banner(session) else []
        rows = [HEADER, *map(texts, result.cells)]
        widths = [min(max(len(row[i]) for row in rows), 60) for i in range(len(HEADER))]
        rows.insert(1, tuple("-" * width for width in widths))
        lines += ["  ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        lines += [f"  {remark}" for remark in result.remarks]
    return "\n".join([*lines, "", *LEGEND]).lstrip("\n")


def as_csv(session: Session, results: Sequence[Result]) -> str:
    """The tables as one CSV, a line a cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("table", *HEADER, "not in the paper", "remark"))
    writer.writerows((r.table.name, *texts(c), c.remark, banner(session)) for r in results for c in r.cells)
    return out.getvalue()


def as_markdown(session: Session, results: Sequence[Result]) -> str:
    """The tables in Markdown."""
    lines = []
    for result in results:
        lines += [f"## {result.table.title}", "", *([f"**{banner(session)}**", ""] if banner(session) else [])]
        lines += [f"| {' | '.join(HEADER)} |", "|" + "---|" * len(HEADER)]
        lines += ["| " + " | ".join(t.replace("|", "\\|") for t in texts(c)) + " |" for c in result.cells]
        lines += ["", *(f"- {remark}" for remark in result.remarks), ""]
    return "\n".join([*lines, *(f"- {line}" for line in LEGEND), ""])


def strict(session: Session, results: Sequence[Result]) -> tuple[str, int]:
    """The message of --strict and its exit code: 1 where a number that the authors measured is outside its interval."""
    if banner(session):
        return f"--strict compared nothing: {banner(session)}", 0
    cells = [(r.table.name, c) for r in results for c in r.cells if c.source == "run" and c.row != POSITIVES]
    printed = [(table, cell) for table, cell in cells if cell.paper]
    comparable = [(table, cell) for table, cell in printed if cell.comparable]
    compared = [(table, cell) for table, cell in comparable if cell.low is not None]
    outside = [f"  {table}/{cell.row}, {cell.column}: {line}" for table, cell in compared if (line := _outside(cell))]
    first = (
        f"--strict: {len(comparable)} cells that the authors ran, {len(comparable) - len(compared)} without a number "
        f"yet, {len(compared)} compared: {len(outside)} outside the interval"
    )
    if others := len(printed) - len(comparable):
        first += f"; {others} not compared, because their printed numbers are for other samples"
    return "\n".join([first, *outside]), int(bool(outside))


def _outside(cell: Cell) -> str:
    """How the printed number is outside the measured interval, whose ends are rounded as printed; else empty."""
    d = cell.decimals
    if cell.low is None or cell.high is None or round(cell.low, d) <= float(cell.paper) <= round(cell.high, d):
        return ""
    return f"paper {cell.paper}, measured {decimal(cell.measured, d)} {_ends(cell.low, cell.high, d)}"
