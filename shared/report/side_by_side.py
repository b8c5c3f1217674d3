"""The comparison as it is shown: on a terminal, as CSV and Markdown, for a manuscript, and as a page with its plot."""

import shutil
import textwrap
from collections.abc import Mapping
from itertools import zip_longest

import pandas as pd

from ..runs.paper import Figure
from .comparison import LEVEL, Compared, Comparison
from .figures import METRIC, panels
from .layout import BRACKETS, written
from .page import encoded, rendered
from .tables import section

ACROSS = 3  # panels of the forest plot beside each other
LEGEND = (
    "each number: the mean over seeds at the last epoch; in brackets a 95 % interval, by a bootstrap over subjects",
    "then the difference to the reference row, with a 95 % interval under the same draws of subjects",
    f"*: the difference is not 0: its interval leaves out 0, and p < {LEVEL} by exchanges of the two rows' "
    "predictions, subject by subject and network by network, after Holm's correction over the rows of the column",
    "folds are pooled; leaving one corpus out, a task and its units have the mean over the corpora",
    "with one seed a number is that of the networks trained here, and other seeds give others",
    "published: numbers of others, from the source named, in units of 1; their samples, folds and epochs may differ",
)


def published_text(line: Mapping[str, str]) -> str:
    """A published number in one line."""
    return f"{line['method']}: {line['value']} ({line['source']}; {line['protocol']}; epoch: {line['selection']})"


def as_text(made: Comparison, *, leak: bool) -> str:
    """The comparison for a terminal, in blocks of columns that fit its width."""
    lines = [made.title, *([f"*** {made.banner} ***"] if made.banner else [])]
    names = ["method", *made.methods]
    stacks = {
        c.name: [[c.name], *(_stacked(made.cells[name, c.name], leak) for name in made.methods)] for c in made.columns
    }
    widths = {name: max(len(line) for stack in each for line in stack) for name, each in stacks.items()}
    first, width = max(map(len, names)), max(shutil.get_terminal_size((160, 24)).columns, 60)
    blocks: list[list[str]] = [[]]
    for name in stacks:
        if blocks[-1] and first + sum(widths[c] + 2 for c in (*blocks[-1], name)) > width:
            blocks.append([])
        blocks[-1].append(name)
    for block in blocks:
        wide = (first, *(widths[c] for c in block))
        lines.append("")
        for i, name in enumerate(names):
            for texts in zip_longest([name], *(stacks[c][i] for c in block), fillvalue=""):
                lines.append("  ".join(text.ljust(w) for text, w in zip(texts, wide, strict=True)).rstrip())
        published = [p for name in block for p in made.published if p["column"] == name]
        lines += [f"  published, {p['column']}: {published_text(p)}" for p in published]
    return "\n".join([*lines, "", *(f"  {remark}" for remark in made.remarks), "", *LEGEND])


def _stacked(found: Compared, leak: bool) -> list[str]:
    """A cell as lines: the number with its interval, below it the difference; why there is no number, wrapped."""
    first, *rest = found.lines(leak=leak)
    if found.cell.measured is None:
        return textwrap.wrap(first, 30)
    return [f"{first} {rest[0]}", *(line for each in rest[1:] for line in textwrap.wrap(each, 30))]


def manuscript(made: Comparison, form: str, intervals: bool) -> str:
    """The measured numbers as LaTeX, Markdown or CSV, with lines that say what they are, and all remarks."""
    texts: dict[tuple[str, str], str] = {}
    for place, found in made.cells.items():
        if found.cell.measured is not None:
            number, span, *_ = found.lines(leak=False)
            texts[place] = number + "*" * found.differs + f" {span}" * intervals
    methods = [name for name in made.methods if any(method == name for method, _ in texts)]
    columns = [column for column in made.columns if any(name == column.name for _, name in texts)]
    body = [[texts.get((name, column.name), "") for column in columns] for name in methods]
    metrics = [METRIC[column.metric] for column in columns]
    tasks = [column.name.removesuffix(f" {metric}") for column, metric in zip(columns, metrics, strict=True)]
    frame = pd.DataFrame(body, methods, pd.MultiIndex.from_arrays([tasks, metrics]))
    said = [made.title, made.banner, "means over seeds at the last epoch"]
    said.append(f"*: differs from {made.reference}, p < {LEVEL} after Holm's correction over the other rows here")
    said += [BRACKETS] * intervals
    remarks = [
        *["no method has records"] * (not texts),
        *made.remarks,
        *(f"published, {p['column']}: {published_text(p)}" for p in made.published),
    ]
    return written(frame, "; ".join(filter(None, said)), remarks, form)


def as_csv(made: Comparison) -> str:
    """The comparison as CSV, a line a cell, then a line a published number."""
    lines = []
    for (name, column), found in made.cells.items():
        c = found.cell
        line: dict[str, object] = {"method": name, "column": column}
        line |= {"mean": c.measured, "low": c.low, "high": c.high}
        line |= {"reference": "" if c.gain is None else made.reference, "difference": c.gain}
        line |= {"low of difference": c.gain_low, "high of difference": c.gain_high, "p (Holm)": found.p}
        line |= {"differs": "yes" if found.differs else "", "leak": c.leak, "low of leak": c.leak_low}
        line |= {"high of leak": c.leak_high, "seeds": len(c.seeds) or None, "records": c.note}
        lines.append(line | {"published value": "", "published": "", "remark": made.banner})
    for p in made.published:
        published = {"published value": p["value"], "published": published_text(p)}
        lines.append({"method": p["method"], "column": p["column"], **published})
    return pd.DataFrame(lines).astype({"seeds": "Int64"}).to_csv(index=False, float_format="%.4f")


def as_markdown(made: Comparison, *, leak: bool) -> str:
    """The comparison in Markdown, with intervals."""
    head = ["method", *(column.name for column in made.columns)]
    rows = [
        [name, *(" ".join(made.cells[name, c.name].lines(leak=leak)) for c in made.columns)] for name in made.methods
    ]
    published = [f"published, {p['column']}: {published_text(p)}" for p in made.published]
    return "\n".join(section(made.title, made.banner, head, rows, [*published, *made.remarks, *LEGEND]))


def as_page(made: Comparison, *, leak: bool) -> str:
    """The comparison as HTML, with its forest plot."""
    return rendered(
        "comparison.html.j2",
        title=made.title,
        legend=LEGEND,
        made=made,
        rows={n: [made.cells[n, c.name].lines(leak=leak) for c in made.columns] for n in made.methods},
        published=[(line, published_text(line)) for line in made.published],
        pictures=encoded([forest(made)]),
    )


def forest(made: Comparison) -> Figure:
    """All methods with their intervals, a panel a column; filled where a method differs from the reference."""
    names = made.methods[::-1]
    columns = [c for c in made.columns if any(made.cells[name, c.name].cell.measured is not None for name in names)]
    plot, axes = panels(len(columns), ACROSS, width=3.2, height=0.8 + 0.24 * len(names), sharey=True)
    for axis, column in zip(axes, columns, strict=True):
        for y, name in enumerate(names):
            found = made.cells[name, column.name]
            c = found.cell
            if c.measured is None or c.low is None or c.high is None:
                continue
            reach = [[abs(c.measured - c.low)], [abs(c.high - c.measured)]]
            fill = "C0" if found.differs else "white"
            axis.errorbar(c.measured, y, xerr=reach, fmt="o", color="C0", markerfacecolor=fill, capsize=2, markersize=4)
            if name == made.reference:
                axis.axvline(c.measured, color="0.6", linewidth=0.8, linestyle="--")
        axis.set_yticks(range(len(names)), names, fontsize=7)
        axis.set(xlim=(0, 1), xticks=(0, 0.5, 1), ylim=(-0.7, len(names) - 0.3))
        axis.tick_params(axis="x", labelsize=7)
        axis.set_title(column.name, fontsize=8)
    caption = f"95 % intervals over subjects; dashed: {made.reference}; filled: differs from it, as marked by * above"
    return Figure("Forest plot", caption, plot)
