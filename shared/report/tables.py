"""The files beside the page: tables in the long form, a line a cell, and what lies behind them; and --strict."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from ..runs.fold import Record, Rule
from ..runs.paper import Column
from ..runs.recorded import Archive, Recorded
from ..runs.session import Session
from .cells import Cell, confusion_of
from .printed import POSITIVES
from .results import Result

Runs = Mapping[Recorded, str]  # finished experiments, each with the first row that shows it
HEADER = (
    "row",
    "column",
    "paper",
    "measured",
    "difference",
    "95 % interval",
    "over first row",
    "joined",
    "rule",
    "other rule",
    "leak",
    "records",
)
LEGEND = (
    "paper: the printed number; blank where the paper prints none; illegible: our copy of the paper cannot be read "
    "there; (cited): quoted from others; (table): printed in that table for the same experiment",
    "95 % interval: bootstrap over subjects",
    "over first row: the difference to the table's first row on the same samples and seeds, with the interval of this "
    "difference under the same draws of subjects",
    "joined: how folds become one number: pooled, the score of all predictions; mean of folds, the mean of each fold's "
    "score",
    "rule: the epoch that is scored: last; val, the best on the validation fold; best_on_test, the best on the test "
    "fold by the column's own metric",
    "other rule: the same runs scored at best_on_test, or at last where the rule is best_on_test",
    "leak: best_on_test − last, the optimism of test-set selection: how much better a number looks whose epoch was "
    "chosen on the samples that it is then scored on",
    "yardstick: a linear SVM (C = 0.05, balanced classes) on the optical flow from onset to apex, under the same "
    "protocol",
    "constant baseline: the same answer for every sample",
)


def texts(cell: Cell) -> tuple[str, ...]:
    """The cell as strings in the order of HEADER."""
    d = cell.decimals
    return (
        cell.row,
        cell.column,
        printed(cell),
        decimal(cell.measured, d),
        decimal(cell.difference, d, "+"),
        ends(cell.low, cell.high, d),
        difference(cell.gain, cell.gain_low, cell.gain_high, d),
        cell.joined,
        cell.rule,
        "" if cell.other is None else f"{cell.other_rule} {decimal(cell.other, d)}",
        difference(cell.leak, cell.leak_low, cell.leak_high, d),
        cell.note,
    )


def decimal(value: float | None, decimals: int, sign: str = "") -> str:
    """A number as printed, never "-0.00"; empty for None."""
    return "" if value is None else f"{round(value, decimals) + 0.0:{sign}.{decimals}f}"


def printed(cell: Cell) -> str:
    """The printed number and where it is from; why there is none, where the paper has one."""
    if cell.source == "run":
        return cell.paper
    return f"{cell.paper} ({cell.source})" if cell.paper else "illegible"


def ends(low: float | None, high: float | None, decimals: int) -> str:
    return "" if low is None else f"[{decimal(low, decimals)}, {decimal(high, decimals)}]"


def difference(value: float | None, low: float | None, high: float | None, decimals: int) -> str:
    """A difference with its sign and its interval; empty for None."""
    return f"{decimal(value, decimals, '+')} {ends(low, high, decimals)}".strip()


def banner(session: Session) -> str:
    """The warning on everything printed from these records; empty where it may stand beside the paper."""
    why = ["shuffled labels, a control"] * session.shuffled
    why += ["synthetic faces"] if session.generated else ["smoke scale"] * (session.scale == "smoke")
    why += [f"changed settings, {', '.join(changes)}"] if (changes := session.changes()) else []
    return f"{'; '.join(why)}: not comparable with the paper" if why else ""


def as_csv(archive: Archive, results: Sequence[Result]) -> str:
    """The tables as one CSV, a line a cell, with numbers in the printed unit."""
    remark = banner(archive.session)
    lines = [
        {
            "table": result.table.name,
            "row": c.row,
            "column": c.column,
            "printed": c.paper,
            "value": c.measured,
            "low": c.low,
            "high": c.high,
            "difference": c.difference,
            "joined": c.joined,
            "rule": c.rule,
            "other rule": c.other_rule,
            "other value": c.other,
            "leak": c.leak,
            "leak low": c.leak_low,
            "leak high": c.leak_high,
            "over first row": c.gain,
            "over first row low": c.gain_low,
            "over first row high": c.gain_high,
            "seeds": len(c.seeds) or None,
            "sd over seeds": np.std(list(c.seeds.values()), ddof=1) if len(c.seeds) > 1 else None,
            "source": c.source if c.paper or c.source == "illegible" else "",
            "records": c.note,
            "not in the paper": c.remark,
            "remark": remark,
            "remarks": " | ".join((*result.remarks, *archive.left_out)),
        }
        for result in results
        for c in result.cells
    ]
    table = pd.DataFrame(lines).astype({"seeds": "Int64"})
    return table.to_csv(index=False, float_format="%.6g")


def seeds_csv(results: Sequence[Result]) -> str:
    """The number of each seed, a line each."""
    names = ["table", "row", "column", "joined", "rule", "seed", "value"]
    lines = [
        (r.table.name, c.row, c.column, c.joined, c.rule, seed, value)
        for r in results
        for c in r.cells
        for seed, value in c.seeds.items()
    ]
    return pd.DataFrame(lines, columns=names).to_csv(index=False, float_format="%.6g")


def predictions_csv(runs: Runs) -> dict[str, str]:
    """Task -> a line a sample, output and experiment: fold, subject, truth, prediction and scores at the kept epoch.

    "chosen by" is the metric that chose it, empty where it is the last: under best_on_test a column of another metric
    scores another epoch."""
    lines: dict[str, list[dict[str, object]]] = {}
    for experiment, row in runs.items():
        task, rule = experiment.task, experiment.session.rule
        for record in experiment.found:
            predictions = record["predictions"]
            epochs, by = predictions["epochs"][rule][record["metrics"][0]], _chosen_by(rule, record)
            for output, epoch in epochs.items():
                samples = zip(record["samples"], record["corpora"], record["subjects"], record["targets"], strict=True)
                scores = predictions["scores"][epoch][output]
                for (sample, corpus, subject, target), values in zip(samples, scores, strict=True):
                    answer = [int(v > 0.5) for v in values] if task.aus else int(np.argmax(values))
                    line = {"row": row, "seed": experiment.seed, "fold": record["fold"], "corpus": corpus}
                    line |= {"subject": subject, "sample": sample, "output": output, "rule": rule, "chosen by": by}
                    line["epoch"] = epoch
                    line |= _named("truth", target, task.outputs) | _named("prediction", answer, task.outputs)
                    line |= {f"score {name}": value for name, value in zip(task.outputs, values, strict=True)}
                    lines.setdefault(task.name, []).append(line)
    return {task: pd.DataFrame(each).to_csv(index=False) for task, each in lines.items()}


def _chosen_by(rule: Rule, record: Record) -> str:
    """The metric that chose the epoch whose weights are kept; none chooses the last."""
    return "" if rule == "last" else str(record["metrics"][0])


def _named(what: str, answer: int | list[int], outputs: list[str]) -> dict[str, object]:
    """A class by its name; units as 1, 0 and -1 (not scored), a column each."""
    if isinstance(answer, int):
        return {what: outputs[answer]}
    return {f"{what} {name}": value for name, value in zip(outputs, answer, strict=True)}


def confusions_csv(runs: Runs) -> str:
    """Confusion matrices at the kept epoch, pooled over folds: a line a pair of truth and prediction."""
    lines = []
    for experiment, row in runs.items():
        task, rule = experiment.task, experiment.session.rule
        by = _chosen_by(rule, experiment.found[0])
        counts = confusion_of(experiment.found, rule, Column("", task.name, task.metric))
        units = task.outputs if task.aus else [""]
        names = ("absent", "present") if task.aus else task.classes
        for (unit, i, j), count in np.ndenumerate(counts.reshape(len(units), len(names), len(names))):
            lines.append((task.name, row, experiment.seed, rule, by, units[unit], names[i], names[j], int(count)))
    columns = ["task", "row", "seed", "rule", "chosen by", "unit", "truth", "prediction", "count"]
    return pd.DataFrame(lines, columns=columns).to_csv(index=False)


def as_markdown(archive: Archive, results: Sequence[Result]) -> str:
    """The tables in Markdown."""
    warning, lines = banner(archive.session), list[str]()
    for result in results:
        lines += section(result.table.title, warning, HEADER, map(texts, result.cells), result.remarks)
    return "\n".join([*lines, *(f"- {line}" for line in (*archive.left_out, *LEGEND)), ""])


def section(
    title: str, warning: str, head: Sequence[str], rows: Iterable[Sequence[str]], remarks: Iterable[str]
) -> list[str]:
    """The lines of a Markdown table under its title and, where there is one, a warning; remarks stand below it."""
    warned = [f"**{warning}**", ""] if warning else []
    return [f"## {title}", "", *warned, *markdown(head, rows), "", *(f"- {remark}" for remark in remarks), ""]


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]], align: str = "---") -> list[str]:
    """The lines of a Markdown table; `align` is the mark below each head but the first."""
    lines = [head, ["---", *[align] * (len(head) - 1)], *rows]
    return ["| " + " | ".join(text.replace("|", "\\|") for text in line) + " |" for line in lines]


def strict(session: Session, results: Sequence[Result]) -> tuple[str, int]:
    """The message of --strict and its exit code: 1 where a number that the authors measured is outside its interval."""
    if banner(session):
        return f"--strict compared nothing: {banner(session)}", 0
    cells = [(r.table.name, c) for r in results for c in r.cells if c.source == "run" and c.row != POSITIVES]
    printed = [(table, cell) for table, cell in cells if cell.paper]
    comparable = [(table, cell) for table, cell in printed if cell.comparable]
    compared = [(table, cell) for table, cell in comparable if cell.low is not None]
    listed = [f"  {table}/{cell.row}, {cell.column}: {line}" for table, cell in compared if (line := outside(cell))]
    first = (
        f"--strict: {len(comparable)} cells that the authors ran, {len(comparable) - len(compared)} without a number "
        f"yet, {len(compared)} compared: {len(listed)} outside the interval"
    )
    if others := len(printed) - len(comparable):
        first += f"; {others} not compared, because their printed numbers are for other samples"
    return "\n".join([first, *listed]), int(bool(listed))


def outside(cell: Cell) -> str:
    """How the printed number is outside the measured interval, whose ends are rounded as printed; else empty."""
    d = cell.decimals
    if cell.low is None or cell.high is None or round(cell.low, d) <= float(cell.paper) <= round(cell.high, d):
        return ""
    return f"paper {cell.paper}, measured {decimal(cell.measured, d)} {ends(cell.low, cell.high, d)}"
