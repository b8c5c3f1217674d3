"""Paper | measured | difference: tables built from run records alone, as text, CSV and Markdown."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .bench import Bench, Experiment
from .errors import UserError
from .experiment import Column, Row, Table
from .metrics import bootstrap, confusion, constant_baseline, interval, score
from .tasks import TASKS

HEADER = ("row", "column", "paper", "measured", "difference", "95 % interval", "rule", "other rule", "leak", "records")
LEGEND = (
    "rule: which epoch is scored: last; val, the best on the validation fold; best_on_test, the best on the test fold",
    "leak: best_on_test − last, what choosing by the test fold gains",
    "95 % interval: bootstrap over subjects",
    "paper: as printed, empty where it has no such number or its text has lost it; cited: it quotes others",
    "constant baseline: the same answer for all samples",
)


@dataclass(frozen=True)
class Cell:
    """One cell of a table; numbers are in the printed unit."""

    row: str
    column: str
    paper: str = ""  # as printed; empty where the text has lost it
    source: str = "run"  # "cited" where the paper quotes others
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    rule: str = ""
    other: float | None = None  # under the other rule
    other_rule: str = ""
    leak: float | None = None  # best_on_test − last
    leak_low: float | None = None
    leak_high: float | None = None
    note: str = ""  # folds done, or why there is no number

    @property
    def decimals(self) -> int:
        if self.paper:
            return len(self.paper.partition(".")[2])
        return 2 if max(abs(self.measured or 0), abs(self.high or 0)) > 1.5 else 4

    @property
    def difference(self) -> float | None:
        return None if self.measured is None or not self.paper else self.measured - float(self.paper)

    def texts(self) -> tuple[str, ...]:
        """The cell as strings in the order of HEADER."""
        d = self.decimals
        return (
            self.row,
            self.column,
            self.paper + (" (cited)" if self.source == "cited" else ""),
            number(self.measured, d),
            number(self.difference, d, sign=True),
            bracketed(self.low, self.high, d),
            self.rule,
            "" if self.other is None else f"{self.other_rule} {number(self.other, d)}",
            f"{number(self.leak, d, sign=True)} {bracketed(self.leak_low, self.leak_high, d)}".strip(),
            self.note,
        )


@dataclass(frozen=True)
class Result:
    """A table with its cells; those of the constant baseline come last."""

    table: Table
    cells: tuple[Cell, ...]
    remarks: tuple[str, ...]


def number(value: float | None, decimals: int, sign: bool = False) -> str:
    if value is None:
        return ""
    return f"{round(value, decimals) + 0.0:{'+' if sign else ''}.{decimals}f}"  # never "-0.00"


def bracketed(low: float | None, high: float | None, decimals: int) -> str:
    return "" if low is None else f"[{number(low, decimals)}, {number(high, decimals)}]"


def printed(folder: Path, table: str) -> dict[tuple[str, str], tuple[str, str]]:
    """The paper's numbers of a table: (row, column) -> (value as printed, "run" or "cited")."""
    path = folder / "tables" / f"{table}.csv"
    if not path.exists():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        return {(r["row"], r["column"]): (r["value"], r["source"]) for r in csv.DictReader(file)}


def result(bench: Bench, table: Table, rows: Sequence[Row], seeds: int) -> Result:
    """A table from the records there are."""
    numbers = printed(bench.paper.folder, table.name)
    cells, baselines, corpora, remarks, measured = [], {}, {}, {}, {}
    for row in rows:
        for column in table.columns:
            if row.tasks is not None and column.task not in row.tasks:
                continue
            paper, source = numbers.get((row.name, column.name), ("", "run"))
            cell = Cell(row.name, column.name, paper, source, rule=bench.paper.rule)
            experiments = bench.experiments(row, column, seeds)
            if row.records:
                cell = replace(cell, rule=experiments[0].paper.rule)
                if why := _not_lent(experiments):
                    cells.append(replace(cell, note=f"not run: {why} of {row.records}"))
                    continue
            if missing := experiments[0].missing():
                cells.append(replace(cell, note=f"not run: {'; '.join(missing)}"))
                continue
            records = [e.records() for e in experiments]
            cell = _measured(cell, row, column, experiments, records)
            cells.append(replace(cell, note=f"{cell.note}, of {row.records}") if row.records else cell)
            if any(records):
                baselines.setdefault(column.name, _baseline(column, experiments[0]))
                corpora |= dict.fromkeys(experiments[0].editions.items())
                measured[row.name] = None
                for line in _remarks(experiments[0], sum(records, [])):
                    remarks.setdefault(line, {})[row.name] = None
    own, asked = {row.name for row in table.rows}, {column.name for column in table.columns}
    others = [
        Cell(r, c, v, source, note="not implemented here" if source == "run" and r in table.absent else "")
        for (r, c), (v, source) in numbers.items()
        if r not in own and c in asked
    ]
    lines = sorted(remarks, key=lambda line: not line.startswith("weights: "))
    said = [line + _whose(list(remarks[line]), list(measured)) for line in lines]
    return Result(table, (*others, *cells, *baselines.values()), (*_circumstances(bench, seeds, corpora), *said))


def _circumstances(bench: Bench, seeds: int, corpora: Iterable[tuple[str, str]]) -> list[str]:
    """Under what a table's records were made, and each corpus with its edition; nothing where there are none."""
    if not corpora:
        return []
    settings = [f"seeds: {seeds}", f"scale: {bench.scale}", *(f"set: {k}={v}" for k, v in bench.overrides.items())]
    data = ", ".join(f"{corpus} ({edition})" if edition else corpus for corpus, edition in corpora)
    return ["; ".join(settings), f"data: {'generated faces, in the layouts of ' if bench.generated else ''}{data}"]


def _whose(rows: list[str], measured: list[str]) -> str:
    """The rows that a remark is about; nothing where it is about all that have records."""
    others = [row for row in measured if row not in rows]
    if not others:
        return ""
    return f" [all rows but {'; '.join(others)}]" if len(others) < len(rows) else f" [rows: {'; '.join(rows)}]"


def _not_lent(experiments: list[Experiment]) -> str:
    """Why records of another paper cannot be read; empty where they can."""
    if not experiments[0].folder.exists():
        return "no records"
    try:
        return "" if all([e.missing() or e.records() for e in experiments]) else "no records"
    except UserError:
        return "records under other settings"


def _measured(cell: Cell, row: Row, column: Column, experiments: list[Experiment], records: list[list[dict]]) -> Cell:
    done, wanted = sum(map(len, records)), sum(len(e.folds) for e in experiments)
    note = f"{done} of {wanted} folds"
    if done < wanted:
        return replace(cell, note=note)
    other_rule = "last" if cell.rule == "best_on_test" else "best_on_test"
    k, means, draws = column.scale, {}, {}
    for rule in {cell.rule, "last", "best_on_test"}:
        seeds = [pooled(r, rule, row.output, column) for r in records]
        means[rule] = k * float(np.mean([score(*s[1:], column.metric) for s in seeds]))
        draws[rule] = k * bootstrap([s[:3] for s in seeds], seeds[0][3], column.metric)
    low, high = interval(draws[cell.rule])
    leak_low, leak_high = interval(draws["best_on_test"] - draws["last"])
    return replace(
        cell, measured=means[cell.rule], low=low, high=high, note=note, other_rule=other_rule, other=means[other_rule],
        leak=means["best_on_test"] - means["last"], leak_low=leak_low, leak_high=leak_high,
    )  # fmt: skip


def pooled(records: Sequence[Mapping], rule: str, output: str, column: Column) -> tuple:
    """(subjects, targets, predictions, number of classes) of all folds of one seed, as the column looks at them."""
    subjects, targets, predictions = [], [], []
    for record in records:
        scores = record["predictions"][rule]["scores"][output]
        for corpus, subject, target, values in zip(
            record["corpora"], record["subjects"], record["targets"], scores, strict=True
        ):
            if column.corpus in (None, corpus):
                subjects.append(subject)
                targets.append(target)
                predictions.append(
                    [int(v > 0.5) for v in values] if isinstance(target, list) else int(np.argmax(values))
                )
    targets, predictions = np.array(targets), np.array(predictions)
    classes = 2 if targets.ndim == 2 else len(scores[0])
    if column.au is not None:
        unit = TASKS[column.task].aus.index(column.au)
        targets, predictions = targets[:, [unit]], predictions[:, [unit]]
    return np.array(subjects), targets, predictions, classes


def _baseline(column: Column, experiment: Experiment) -> Cell:
    samples = experiment.samples
    if column.corpus:
        samples = samples[samples["corpus"] == column.corpus]
    target = np.array(samples["target"].tolist())
    if column.au is not None:
        target = target[:, [experiment.task.aus.index(column.au)]]
    classes = 2 if experiment.task.aus else len(experiment.task.classes)
    value = column.scale * constant_baseline(target, classes, column.metric)
    name = "all present" if column.metric == "f1_binary" else "all absent"
    label = f"constant baseline ({name if experiment.task.aus else 'largest class'})"
    return Cell(label, column.name, measured=value, rule="none", note="same labels")


def _remarks(experiment: Experiment, records: Sequence[Mapping]) -> list[str]:
    """What a reader of the table has to know of the data and the runs behind it."""
    task, samples = experiment.task, experiment.samples
    lines = [f"{task.name}: {len(samples)} samples of {samples['subject'].nunique()} subjects"]
    if expected := sum(task.expected.values()):
        lines[0] += f" (the literature has {expected}{', ' + task.source if task.source else ''})"
    lines += task.remarks(samples) + experiment.paper.remarks(experiment.config)
    if len({r["code"] for r in records}) > 1:
        lines.append(f"{task.name}: its records come from more than one state of the code")
    return lines


def banner(bench: Bench) -> str:
    """What everything printed from these records has to say of itself; empty where it may stand beside the paper."""
    shuffled = "shuffled labels, a control; " if bench.shuffled else ""
    if bench.generated:
        return f"{shuffled}generated faces: not comparable with the paper"
    if bench.scale == "smoke":
        return f"{shuffled}smoke scale: not comparable with the paper"
    return shuffled and f"{shuffled}not comparable with the paper"


def strict(bench: Bench, results: Sequence[Result]) -> tuple[str, int]:
    """What --strict says, and its exit code: 1 where a number of the authors' own runs lies outside the interval."""
    if banner(bench):
        return f"--strict: nothing is compared: {banner(bench)}", 0
    run = [(r.table.name, c) for r in results for c in r.cells if c.paper and c.source == "run"]
    there = [(table, c) for table, c in run if c.low is not None]
    outside = [
        f"  {table}/{c.row}, {c.column}: paper {c.paper}, measured {number(c.measured, c.decimals)} "
        f"{bracketed(c.low, c.high, c.decimals)}"
        for table, c in there
        if not round(c.low, c.decimals) <= float(c.paper) <= round(c.high, c.decimals)  # as they are printed
    ]
    first = (
        f"--strict: {len(run)} cells that the authors ran, {len(run) - len(there)} without a number yet, "
        f"{len(there)} compared: {len(outside)} outside the interval"
    )
    return "\n".join([first, *outside]), int(bool(outside))


def text(bench: Bench, results: Sequence[Result]) -> str:
    """The tables for a terminal."""
    lines = []
    for r in results:
        lines += ["", f"{bench.paper.title}, {r.table.title}"]
        lines += [f"*** {banner(bench)} ***"] if banner(bench) else []
        rows = [HEADER, *(c.texts() for c in r.cells)]
        widths = [min(max(len(row[i]) for row in rows), 60) for i in range(len(HEADER))]
        for i, row in enumerate(rows):
            lines.append("  ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip())
            if i == 0:
                lines.append("  ".join("-" * w for w in widths))
        lines += [f"  {remark}" for remark in r.remarks]
    return "\n".join([*lines, "", *LEGEND]).lstrip("\n")


def to_csv(bench: Bench, results: Sequence[Result]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("table", *HEADER, "remark"))
    writer.writerows((r.table.name, *c.texts(), banner(bench)) for r in results for c in r.cells)
    return out.getvalue()


def markdown(bench: Bench, results: Sequence[Result]) -> str:
    lines = []
    for r in results:
        lines += [f"## {r.table.title}", ""] + ([f"**{banner(bench)}**", ""] if banner(bench) else [])
        lines += ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
        lines += ["| " + " | ".join(t.replace("|", "\\|") for t in c.texts()) + " |" for c in r.cells]
        lines += ["", *(f"- {remark}" for remark in r.remarks), ""]
    return "\n".join([*lines, *(f"- {line}" for line in LEGEND), ""])


def confusion_of(records: Sequence[Mapping], rule: str, column: Column) -> np.ndarray:
    """The pooled confusion matrix of one seed's records."""
    _, target, prediction, classes = pooled(records, rule, "", column)
    return confusion(target, prediction, classes)
