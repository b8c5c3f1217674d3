"""Methods of all papers beside each other: what is measured from their records, and how each differs from one of them.

Methods stand down, columns across. Every number is the mean over seeds at the last epoch, with a 95 % interval over
subjects; its difference to the reference has an interval over the same draws of subjects."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError, unknown
from ..metrics import exchanged, holm, least_p
from ..runs.experiment import Experiment
from ..runs.paper import AnyPaper, Column, Method
from ..runs.recorded import recorded
from ..runs.session import Session
from ..runs.yardstick import YARDSTICK
from ..tasks import LEAVE_CORPUS_OUT, TASKS
from .cells import Cell, Predictions, measured, parts, pooled
from .figures import METRIC
from .printed import csv_lines
from .results import circumstances, remarks_on, scope, with_editions
from .tables import banner, decimal, difference, ends

KINDS = {
    "emotion": (
        *("cde-3", "casme2-3", "samm-3", "smic-3", "casme2-5", "samm-5", "mmew-4"),
        *("casme3-3", "casme3-4", "casme3-7", "corpora-3"),
    ),
    "aus": ("casme2-au8", "samm-au4", "casme-au4", "corpora-au8"),
}
LEVEL = 0.05
OTHERS = "not compared: other samples than the reference's"


@dataclass(frozen=True)
class Entry:
    """A method of a paper, and the session that has its records."""

    session: Session
    method: Method

    @property
    def name(self) -> str:
        return self.method.row.name


@dataclass(frozen=True)
class Compared:
    """One cell, whose gain is the difference to the reference, and its p."""

    cell: Cell
    p: float | None = None  # after Holm's correction

    @property
    def differs(self) -> bool:
        low, high = self.cell.gain_low, self.cell.gain_high
        if self.p is None or low is None or high is None:
            return False
        return self.p < LEVEL and not low <= 0 <= high

    def lines(self, *, leak: bool) -> list[str]:
        """The cell's number, its interval, the difference and the leak; why there is no number where there is none."""
        c = self.cell
        if c.measured is None:
            return [c.note.partition(";")[0]]
        found = [decimal(c.measured, 3), ends(c.low, c.high, 3)]
        if c.gain is not None:
            found.append(difference(c.gain, c.gain_low, c.gain_high, 3) + "*" * self.differs)
        if OTHERS in c.note:
            found.append(OTHERS)
        if leak and c.leak is not None:
            found.append(f"leak {decimal(c.leak, 3, '+')}")
        return found


@dataclass(frozen=True)
class Comparison:
    """The table: `cells` by method and column, published numbers by column, and what a reader must know."""

    title: str
    reference: str
    methods: tuple[str, ...]
    columns: tuple[Column, ...]
    cells: Mapping[tuple[str, str], Compared]
    published: tuple[Mapping[str, str], ...]
    remarks: tuple[str, ...]
    banner: str
    baselines: tuple[str, ...]  # the reference, and methods of no paper


def columns_of(kind: str) -> dict[str, tuple[Column, ...]]:
    """The columns of a comparison, one a metric, under TASK, TASK/CORPUS or TASK/AUn."""
    found = {}
    for name in KINDS[kind]:
        task = TASKS[name]
        means: dict[str, Any] = {"joined": "mean of folds"} if task.protocol == LEAVE_CORPUS_OUT else {}
        ways = {name: means}  # of scoring the task's predictions
        if len(task.corpora) > 1:
            ways |= {f"{name}/{corpus}": {"corpus": corpus} for corpus in task.corpora}
        ways |= {f"{name}/AU{au}": means | {"au": au} for au in task.aus}
        for key, how in ways.items():
            found[key] = tuple(Column(f"{key} {METRIC[m]}", name, m, **how) for m in task.metrics if m != "accuracy")
    return found


def chosen_columns(kind: str, names: Sequence[str]) -> tuple[Column, ...]:
    """The columns of the names; a task stands for itself and its corpora, none for all tasks; units must be named."""
    known = columns_of(kind)
    for name in names:
        if name not in known:
            raise unknown(f"column of compare {kind}", name, known)
    keys = [k for k, (c, *_) in known.items() if k in names or (c.au is None and (not names or c.task in names))]
    return tuple(column for key in keys for column in known[key])


def chosen_methods(
    papers: Iterable[AnyPaper], kind: str, names: Sequence[str], reference: str
) -> list[tuple[AnyPaper, Method]]:
    """The methods of these names (none: all) and the reference, each with its paper."""
    known = {m.row.name: (paper, m) for paper in papers for m in paper.comparison.get(kind, ())}
    for name in (*names, reference):
        if name in columns_of(kind):
            raise UserError(f"{name} is a column, not a method: columns stand before --methods, which takes all names")
        if name not in known:
            raise unknown(f"method of compare {kind}", name, known)
    return [found for name, found in known.items() if not names or name in names or name == reference]


def compared(
    kind: str,
    entries: Sequence[Entry],
    columns: Sequence[Column],
    *,
    reference: str,
    seeds: int,
    papers: Sequence[AnyPaper],
) -> Comparison:
    """The comparison from the records there are, beside the numbers that the packages of `papers` list."""
    cells: dict[tuple[str, str], Compared] = {}
    used: list[Experiment] = []  # the first seed of each cell that has a number
    said: dict[str, list[str]] = {}  # remark -> methods
    noted: dict[str, None] = {}  # remarks on columns
    for column in columns:
        found = {entry.name: _measured(entry, column, seeds) for entry in entries}
        scored = {name: outcome for name, outcome in found.items() if outcome.runs}
        runs = {name: outcome.runs for name, outcome in scored.items()}
        beside = _differences({name: outcome.cell for name, outcome in found.items()}, runs, column, reference)
        cells |= {(name, column.name): compared for name, compared in beside.items()}
        used += [outcome.experiments[0] for outcome in scored.values()]
        if any(outcome.more_seeds for outcome in scored.values()):
            noted[f"{column.task}: there are records of more seeds, which --seeds {seeds + 1} or more shows"] = None
        if runs and column.au is None and column.corpus is None:
            noted |= dict.fromkeys(_units_scored(column, next(iter(runs.values()))[0]))
        if runs and reference not in runs:
            noted[f"{column.task}: no differences: {reference}: {found[reference].cell.note}"] = None
        if rows := sum(compared.p is not None for compared in beside.values()):
            noted |= dict.fromkeys(_too_few(column, runs[reference], rows))
        for name, remark in _remarks(column, scored):
            said.setdefault(remark, []).append(name)
    for entry in entries:
        if entry.method.tuned:
            said.setdefault(f"settings chosen for {entry.method.tuned}", []).append(entry.name)
    session, names = entries[0].session, [entry.name for entry in entries]
    lines = [*_data(session, seeds, used), f"reference: {reference}; rule: last", *noted]
    lines += [remark + scope([(m, "") for m in methods], [(n, "") for n in names]) for remark, methods in said.items()]
    columns_here = {column.name for column in columns}
    published = [p for paper in papers for p in published_numbers(paper.folder) if p["column"] in columns_here]
    return Comparison(
        title={"emotion": "Emotions: methods compared", "aus": "Action units: methods compared"}[kind],
        reference=reference,
        methods=tuple(names),
        columns=tuple(columns),
        cells=cells,
        published=tuple(published),
        remarks=tuple(lines),
        banner=banner(session),
        baselines=tuple(e.name for e in entries if e.session.paper is YARDSTICK or e.name == reference),
    )


@dataclass(frozen=True)
class Outcome:
    """A method's cell in a column, without its difference; experiments and predictions, a seed each, if it has one."""

    cell: Cell
    experiments: Sequence[Experiment] = ()
    runs: Sequence[Predictions] = ()
    more_seeds: bool = False  # there are records of


def _measured(entry: Entry, column: Column, seeds: int) -> Outcome:
    row, own = entry.method.row, entry.method.on(column)
    cell = Cell(entry.name, column.name, joined=column.joined, rule="last")
    *experiments, next_one = entry.session.experiments(row, own, seeds + 1)
    if missing := experiments[0].missing():
        return Outcome(replace(cell, note=f"not run: {'; '.join(missing)}"))
    if column.corpus and isinstance(why := experiments[0].readings[column.corpus], str):
        return Outcome(replace(cell, note=f"not run: {why}"))
    records = [e.records() for e in experiments]
    done, wanted = sum(map(len, records)), sum(len(e.folds) for e in experiments)
    cell = replace(cell, note=f"{done} of {wanted} folds")
    if done == wanted:
        cell = measured(cell, row, own, dict(enumerate(records)))[0]
    if cell.measured is None:
        return Outcome(cell)
    runs = [pooled(each, "last", row.output, column) for each in records]
    return Outcome(cell, experiments, runs, any(next_one.folder.glob("*.json")))


def _data(session: Session, seeds: int, used: Sequence[Experiment]) -> list[str]:
    """The settings, the corpora of the tasks, and apart from these the corpora of pre-trainings."""
    own: dict[tuple[str, str], None] = {}
    beforehand: dict[tuple[str, str], None] = {}
    for experiment in used:
        for corpus, edition in experiment.editions.items():
            (own if corpus in experiment.task.corpora else beforehand)[corpus, edition] = None
    lines = circumstances(session, [seeds], own)
    return [*lines, f"data of pre-trainings: {with_editions(beforehand)}"] if beforehand else lines


def _remarks(column: Column, scored: Mapping[str, Outcome]) -> Iterator[tuple[str, str]]:
    """(method, remark) on the methods that have a number in a column."""
    learned: dict[str, float] = {}  # method -> the share of its training and validation samples
    for name, outcome in scored.items():
        for remark in remarks_on([recorded(experiment) for experiment in outcome.experiments]):
            yield name, remark
        records = outcome.experiments[0].records()
        train, val = (sum(len(record[part]) for record in records) for part in ("train", "val"))
        learned[name] = train / (train + val)
    for name, share in learned.items():
        if share < max(learned.values()):
            remark = f"learns from {share:.0%} of the samples that others learn from, and keeps the rest for validation"
            yield name, f"{column.task}: {remark}"


def _differences(
    cells: Mapping[str, Cell], runs: Mapping[str, Sequence[Predictions]], column: Column, reference: str
) -> dict[str, Compared]:
    """The cells of a column with their differences to the reference, from the predictions of each seed."""
    first = cells[reference]
    beside = {name: cell.over(first) for name, cell in cells.items()}
    paired = [name for name, cell in beside.items() if cell.gain is not None]
    if reference in runs:
        for name in runs.keys() - {reference, *paired}:
            beside[name] = replace(beside[name], note=f"{beside[name].note}; {OTHERS}")
    each = {name: parts(runs[name], column.joined) for name in runs}
    networks = {name: [run.folds for run in runs[name]] for name in paired}
    p = holm([exchanged(each[n], each[reference], runs[n][0].classes, column.metric, networks[n]) for n in paired])
    corrected = dict(zip(paired, p, strict=True))
    return {name: Compared(cell, corrected.get(name)) for name, cell in beside.items()}


def _units_scored(column: Column, run: Predictions) -> list[str]:
    """The units that each fold scores, where that depends on how many samples show them."""
    task = TASKS[column.task]
    if not task.positives:
        return []
    found = []
    for fold in dict.fromkeys(run.folds):
        known = (run.targets[np.asarray(run.folds) == fold] >= 0).any(axis=0)
        units = [unit for unit, scored in zip(task.outputs, known, strict=True) if scored]
        found.append(f"{fold}: {', '.join(units) or 'none'}")
    return [f"{task.name}: units scored, with {task.positives} or more samples in a corpus: {'; '.join(found)}"]


def _too_few(column: Column, runs: Sequence[Predictions], rows: int) -> list[str]:
    """That no difference of a column can have a star, where so few people or networks leave no p below the level."""
    scored = [np.asarray(run.targets).reshape(len(run.folds), -1).max(axis=1) >= 0 for run in runs]
    subjects = len(set(np.asarray(runs[0].subjects)[scored[0]]))
    networks = sum(len(set(np.asarray(run.folds)[known])) for run, known in zip(runs, scored, strict=True))
    if (least := least_p(min(subjects, networks), rows)) < LEVEL:
        return []
    where = f"{column.task}/{column.corpus}" if column.corpus else column.task
    count, unit = (subjects, "subject") if subjects <= networks else (networks, "network")
    units = f"{count} {unit}{'s' * (count > 1)} and Holm's correction over {rows} row{'s' * (rows > 1)}"
    return [f"{where}: no * can be: with {units}, p is {least:.2g} or more"]


def published_numbers(folder: Path) -> list[dict[str, str]]:
    """The lines of tables/published.csv of a package: method, column, value, source, protocol, selection."""
    path = folder / "tables" / "published.csv"
    return csv_lines(path) if path.exists() else []
