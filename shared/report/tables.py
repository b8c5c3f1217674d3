"""Paper | measured | difference: tables built from run records alone, as text, CSV and Markdown."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..metrics import bootstrap, confusion, constant_baseline, interval, score
from ..runs.paper import Column, Paper, Row, Table
from ..runs.session import Experiment, Session, predicted
from ..tasks import TASKS

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
COUNTS = "Number of samples"  # a printed row: how many samples of the column show its action unit
LEGEND = (
    "rule: which epoch is scored: last; val, the best on the validation fold; best_on_test, the best on the test fold",
    "leak: best_on_test − last, what choosing by the test fold gains",
    "95 % interval: bootstrap over subjects",
    "joined: how folds become one number: pooled, of all predictions; mean of folds, of each fold's own number",
    "paper: as printed, blank where it has no such number or our copy is illegible; cited: it quotes others; "
    "(table): printed in that table, of the same experiment",
    "constant baseline: the same answer for all samples",
)


@dataclass(frozen=True)
class Cell:
    """One cell of a table; numbers are in the printed unit."""

    row: str
    column: str
    paper: str = ""  # as printed; empty where the text has lost it
    source: str = "run"  # "cited" where the paper quotes others; else the table that prints it where this one does not
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    joined: str = ""
    rule: str = ""
    other: float | None = None  # under the other rule
    other_rule: str = ""
    leak: float | None = None  # best_on_test − last
    leak_low: float | None = None
    leak_high: float | None = None
    note: str = ""  # folds done, or why there is no number
    comparable: bool = True  # with the printed number: not where that is of other samples
    remark: str = ""  # what was done to the row's input or training that the paper does not do

    @property
    def decimals(self) -> int:
        if self.paper:
            return len(self.paper.partition(".")[2])
        return 2 if max(abs(self.measured or 0), abs(self.high or 0)) > 1.5 else 4

    @property
    def difference(self) -> float | None:
        known = self.measured is not None and self.paper and self.comparable
        return self.measured - float(self.paper) if known else None

    def texts(self) -> tuple[str, ...]:
        """The cell as strings in the order of HEADER."""
        d = self.decimals
        return (
            self.row,
            self.column,
            self.paper + (f" ({self.source})" if self.paper and self.source != "run" else ""),
            number(self.measured, d),
            number(self.difference, d, sign=True),
            bracketed(self.low, self.high, d),
            self.joined,
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


def borrowed(paper: Paper) -> dict[tuple, tuple[str, str]]:
    """What the tables print, by the experiment and how it is scored: (value, table), the first that prints it."""
    found: dict[tuple, tuple[str, str]] = {}
    for table in paper.tables:
        numbers = printed(paper.folder, table.name)
        for row, column in table.cells():
            value, source = numbers.get((row.name, column.name), ("", ""))
            if value and source == "run" and not row.records:
                found.setdefault(_same(paper, row, column), (value, table.name))
    return found


def _same(paper: Paper, row: Row, column: Column) -> tuple:
    """What two cells of a paper share that print one number."""
    config = paper.config(**{**row.changes, **column.changes})
    return config, row.output, replace(column, name="", changes=())


def result(session: Session, table: Table, rows: Sequence[Row], seeds: int) -> Result:
    """A table from the records there are."""
    numbers, elsewhere = printed(session.paper.folder, table.name), borrowed(session.paper)
    cells, baselines, corpora, remarks, measured = [], {}, {}, {}, {}
    counts = {column.name: _counts(session, table, column, numbers, rows) for column in table.columns}
    for row in rows:
        for column in table.columns:
            if row.tasks is not None and column.task not in row.tasks:
                continue
            paper, source = numbers.get((row.name, column.name), ("", "run"))
            if not paper and not row.records:
                paper, source = elsewhere.get(_same(session.paper, row, column), ("", "run"))
            cell = Cell(row.name, column.name, paper, source, joined=column.joined, rule=session.rule)
            if (count := counts[column.name]) and not count.comparable:
                cell = replace(cell, comparable=False)
            experiments = session.experiments(row, column, seeds)
            if row.records:
                cell = replace(cell, rule=experiments[0].session.rule)
                if why := _not_lent(experiments):
                    cells.append(replace(cell, note=f"not run: {why} of {row.records}"))
                    continue
            if missing := experiments[0].missing():
                cells.append(replace(cell, note=f"not run: {'; '.join(missing)}"))
                continue
            records = [e.records() for e in experiments]
            about = _remarks(experiments[0], sum(records, [])) if any(records) else []
            ours = "; ".join(line for line in about if line.startswith(("input: ", "training: ")))
            cell = replace(cell, remark=ours)
            for made in _measured(cell, row, column, experiments, records):
                note = made.note + f", of {row.records}" * bool(row.records)
                note += "; printed of other samples" * bool(made.paper and not made.comparable)
                cells.append(replace(made, note=note))
            if any(records):
                baselines.setdefault(column.name, _baselines(column, experiments[0]))
                corpora |= dict.fromkeys(experiments[0].editions.items())
                measured[row.name] = None
                for line in about:
                    remarks.setdefault(line, {})[row.name] = None
    own, asked = {row.name for row in table.rows}, {column.name for column in table.columns}
    others = [
        Cell(r, c, v, source, note="not implemented here" if source == "run" and r in table.absent else "")
        for (r, c), (v, source) in numbers.items()
        if r not in own and r != COUNTS and c in asked
    ]
    lines = sorted(remarks, key=lambda line: not line.startswith("weights: "))
    said = [line + _whose(list(remarks[line]), list(measured)) for line in lines]
    cells = [*filter(None, counts.values()), *others, *cells, *sum(baselines.values(), [])]
    return Result(table, tuple(cells), (*_circumstances(session, seeds, corpora), *said))


def _counts(session: Session, table: Table, column: Column, numbers: Mapping, rows: Sequence[Row]) -> Cell | None:
    """The printed number of samples that show the column's unit, ours beside it; of the mean, whether all agree."""
    of = {c.au: numbers[COUNTS, c.name][0] for c in table.columns if (COUNTS, c.name) in numbers}
    experiments = [session.experiments(row, column, 1)[0] for row in rows if not row.records]
    here = next((e for e in experiments if not e.missing()), None)
    if not of or not here:
        return None
    target = np.array(here.samples["target"].tolist())
    ours = {au: int((target[:, here.task.aus.index(au)] == 1).sum()) for au in of}
    if column.au is None:
        same = all(ours[au] == int(of[au]) for au in of)
        return Cell(COUNTS, column.name, note="" if same else "differs in some units", comparable=same)
    if column.au not in of:
        return None
    same = ours[column.au] == int(of[column.au])
    note = "" if same else "positives differ: the column's printed numbers are not comparable"
    return Cell(COUNTS, column.name, of[column.au], measured=ours[column.au], note=note, comparable=same)


def _circumstances(session: Session, seeds: int, corpora: Iterable[tuple[str, str]]) -> list[str]:
    """Under what a table's records were made, and each corpus with its edition; nothing where there are none."""
    if not corpora:
        return []
    settings = [f"seeds: {seeds}", f"scale: {session.scale}", *(f"set: {k}={v}" for k, v in session.overrides.items())]
    data = ", ".join(f"{corpus} ({edition})" if edition else corpus for corpus, edition in corpora)
    return ["; ".join(settings), f"data: {'generated faces, in the layouts of ' if session.generated else ''}{data}"]


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


def _measured(
    cell: Cell, row: Row, column: Column, experiments: list[Experiment], records: list[list[dict]]
) -> list[Cell]:
    """The cell with its number; beside one that joins folds by their mean, the pooled one, which no paper prints."""
    done, wanted = sum(map(len, records)), sum(len(e.folds) for e in experiments)
    note = f"{done} of {wanted} folds"
    if done < wanted:
        return [replace(cell, note=note)]
    other_rule = "last" if cell.rule == "best_on_test" else "best_on_test"
    runs = {
        rule: [pooled(r, rule, row.output, column) for r in records] for rule in {cell.rule, "last", "best_on_test"}
    }
    found = []
    for joined in dict.fromkeys((column.joined, "pooled")):
        k, means, draws = column.scale, {}, {}
        for rule, seeds in runs.items():
            parts = [(*s[:3], s[3] if joined == "mean of folds" else None) for s in seeds]
            classes = seeds[0][4]
            each = [k * score(t, p, classes, column.metric, f) for _, t, p, f in parts]
            means[rule] = float(np.mean(each))
            if rule == cell.rule and len(each) > 1:
                decimals = replace(cell, measured=means[rule]).decimals
                ends = (number(end, decimals) for end in (min(each), max(each)))
                note = f"{done} of {wanted} folds, seeds {' to '.join(ends)}"
            draws[rule] = k * bootstrap(parts, classes, column.metric)
        low, high = interval(draws[cell.rule])
        leak_low, leak_high = interval(draws["best_on_test"] - draws["last"])
        printed_so = {} if joined == column.joined else {"paper": "", "source": "run"}
        found.append(
            replace(
                cell,
                measured=means[cell.rule],
                low=low,
                high=high,
                joined=joined,
                note=note,
                other_rule=other_rule,
                other=means[other_rule],
                leak=means["best_on_test"] - means["last"],
                leak_low=leak_low,
                leak_high=leak_high,
                **printed_so,
            )
        )
    return found


def pooled(records: Sequence[Mapping], rule: str, output: str, column: Column, metric: str = "") -> tuple:
    """(subjects, targets, predictions, folds, number of classes) of all folds of one seed, as the column looks at them,
    at the epochs that `rule` chose by `metric`, by default the column's."""
    subjects, targets, predictions, folds = [], [], [], []
    for record in records:
        scores = predicted(record, rule, metric or column.metric, output)
        for corpus, subject, target, values in zip(
            record["corpora"], record["subjects"], record["targets"], scores, strict=True
        ):
            if column.corpus in (None, corpus):
                subjects.append(subject)
                targets.append(target)
                folds.append(record["fold"])
                predictions.append(
                    [int(v > 0.5) for v in values] if isinstance(target, list) else int(np.argmax(values))
                )
    targets, predictions = np.array(targets), np.array(predictions)
    classes = 2 if targets.ndim == 2 else len(scores[0])
    if column.au is not None:
        unit = TASKS[column.task].aus.index(column.au)
        targets, predictions = targets[:, [unit]], predictions[:, [unit]]
    return np.array(subjects), targets, predictions, folds, classes


def _baselines(column: Column, experiment: Experiment) -> list[Cell]:
    """The constant predictors, joined as the column's numbers are."""
    samples = experiment.samples
    if column.corpus:
        samples = samples[samples["corpus"] == column.corpus]
    target = np.array(samples["target"].tolist())
    if column.au is not None:
        target = target[:, [experiment.task.aus.index(column.au)]]
    classes = 2 if experiment.task.aus else len(experiment.task.classes)
    folds = {"pooled": None}
    if column.joined == "mean of folds":
        fold_of = {sample: fold.name for fold in experiment.folds for sample in fold.test}
        folds[column.joined] = [fold_of[sample] for sample in samples["sample"]]
    name = "all present" if column.metric == "f1_binary" else "all absent"
    label = f"constant baseline ({name if experiment.task.aus else 'largest class'})"
    return [
        Cell(
            label,
            column.name,
            joined=joined,
            rule="none",
            note="same labels",
            measured=column.scale * constant_baseline(target, classes, column.metric, folds[joined]),
        )
        for joined in dict.fromkeys((column.joined, "pooled"))
    ]


def _remarks(experiment: Experiment, records: Sequence[Mapping]) -> list[str]:
    """What a reader of the table has to know of the data and the runs behind it."""
    task, samples = experiment.task, experiment.samples
    lines = [f"{task.name}: {len(samples)} samples of {samples['subject'].nunique()} subjects"]
    if expected := sum(task.expected.values()):
        lines[0] += f" (the literature has {expected}{', ' + task.source if task.source else ''})"
    history = experiment.pretraining.history() if experiment.pretraining and experiment.pretraining.done() else None
    lines += task.remarks(samples) + experiment.paper.remarks(experiment.config, history=history, records=records)
    if experiment.session.rule != experiment.paper.rule:
        lines.append(f"rule: {experiment.session.rule}, where the paper scores {experiment.paper.rule}")
    if others := [r["code"] for r in records if r["code"] != experiment.session.code]:
        codes = ", ".join(dict.fromkeys(others))
        lines.append(f"{task.name}: {len(others)} of {len(records)} records were made by other code ({codes})")
    return lines


def banner(session: Session) -> str:
    """What everything printed from these records has to say of itself; empty where it may stand beside the paper."""
    shuffled = "shuffled labels, a control; " if session.shuffled else ""
    if session.generated:
        return f"{shuffled}generated faces: not comparable with the paper"
    if session.scale == "smoke":
        return f"{shuffled}smoke scale: not comparable with the paper"
    return shuffled and f"{shuffled}not comparable with the paper"


def strict(session: Session, results: Sequence[Result]) -> tuple[str, int]:
    """What --strict says, and its exit code: 1 where a number of the authors' own runs lies outside the interval."""
    if banner(session):
        return f"--strict: nothing is compared: {banner(session)}", 0
    run = [(r.table.name, c) for r in results for c in r.cells if c.paper and c.source == "run" and c.row != COUNTS]
    others = [c for _, c in run if not c.comparable]
    run = [(table, c) for table, c in run if c.comparable]
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
        + f"; {len(others)} printed of other samples, not compared"
        * bool(others)
    )
    return "\n".join([first, *outside]), int(bool(outside))


def text(session: Session, results: Sequence[Result]) -> str:
    """The tables for a terminal."""
    lines = []
    for r in results:
        lines += ["", f"{session.paper.title}, {r.table.title}"]
        lines += [f"*** {banner(session)} ***"] if banner(session) else []
        rows = [HEADER, *(c.texts() for c in r.cells)]
        widths = [min(max(len(row[i]) for row in rows), 60) for i in range(len(HEADER))]
        for i, row in enumerate(rows):
            lines.append("  ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip())
            if i == 0:
                lines.append("  ".join("-" * w for w in widths))
        lines += [f"  {remark}" for remark in r.remarks]
    return "\n".join([*lines, "", *LEGEND]).lstrip("\n")


def to_csv(session: Session, results: Sequence[Result]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("table", *HEADER, "not in the paper", "remark"))
    writer.writerows((r.table.name, *c.texts(), c.remark, banner(session)) for r in results for c in r.cells)
    return out.getvalue()


def markdown(session: Session, results: Sequence[Result]) -> str:
    lines = []
    for r in results:
        lines += [f"## {r.table.title}", ""] + ([f"**{banner(session)}**", ""] if banner(session) else [])
        lines += ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
        lines += ["| " + " | ".join(t.replace("|", "\\|") for t in c.texts()) + " |" for c in r.cells]
        lines += ["", *(f"- {remark}" for remark in r.remarks), ""]
    return "\n".join([*lines, *(f"- {line}" for line in LEGEND), ""])


def confusion_of(experiment: Experiment, column: Column) -> np.ndarray:
    """The pooled confusion matrix of an experiment's predictions at the scored epochs."""
    rule, metric = experiment.session.rule, experiment.metrics[0]
    _, target, prediction, _, classes = pooled(experiment.records(), rule, "", column, metric)
    return confusion(target, prediction, classes)
