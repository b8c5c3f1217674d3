"""A table from the records there are: its cells, and the remarks that a reader needs to judge them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import UserError
from ..runs.experiment import Experiment
from ..runs.fold import Record
from ..runs.paper import Column, Row, Table
from ..runs.session import Session
from ..runs.yardstick import NAME, unfit
from .cells import Cell, baselines, measured, yardstick
from .printed import POSITIVES, printed_elsewhere, printed_numbers, scored

Numbers = Mapping[tuple[str, str], tuple[str, str]]  # (row, column) -> (value as printed, source)


@dataclass(frozen=True)
class Result:
    """A table with its cells: printed rows that are not run here, its own rows, the yardstick, constant baselines."""

    table: Table
    cells: tuple[Cell, ...]
    remarks: tuple[str, ...]


def result(session: Session, table: Table, rows: Sequence[Row], seeds: int) -> Result:
    """The chosen rows of a table."""
    numbers = printed_numbers(session.paper.folder, table.name)
    counts = _positives(session, table, numbers, rows)
    elsewhere = printed_elsewhere(session.paper)
    cells: list[Cell] = []
    constant: dict[str, list[Cell]] = {}
    corpora: dict[tuple[str, str], None] = {}
    rows_of: dict[str, list[str]] = {}  # remark -> the rows that it is about
    for row, column in ((r, c) for r in rows for c in table.columns if r.tasks is None or c.task in r.tasks):
        paper, source = numbers.get((row.name, column.name), ("", "run"))
        if not paper and not row.records:
            paper, source = elsewhere.get(scored(session.paper, row, column), ("", "run"))
        experiments = session.experiments(row, column, seeds)
        first = experiments[0]
        rule = first.session.rule if row.records else session.rule
        comparable = column.name not in counts or counts[column.name].comparable
        cell = Cell(row.name, column.name, paper, source, joined=column.joined, rule=rule, comparable=comparable)
        if why := _not_run(row, experiments):
            cells.append(replace(cell, note=f"not run: {why}"))
            continue
        records = [e.records() for e in experiments]
        if any(records):
            if column.name not in constant:
                constant[column.name] = [
                    *yardstick(column, session.yardstick(column.task, seeds)),
                    *baselines(column, first),
                ]
            corpora |= dict.fromkeys(first.editions.items())
            remarks = remarks_on(first, sum(records, []))
            for remark in remarks:
                rows_of.setdefault(remark, []).append(row.name)
            ours = [remark for remark in remarks if remark.startswith(("input: ", "training: "))]
            cell = replace(cell, remark="; ".join(ours))
        cells += _noted(cell, row, column, experiments, records)
    remarks = circumstances(session, seeds, corpora)
    measured_rows = list(dict.fromkeys(name for names in rows_of.values() for name in names))
    for remark in sorted(rows_of, key=lambda remark: not remark.startswith("weights: ")):
        remarks.append(remark + scope(rows_of[remark], measured_rows))
    others = _other_rows(table, numbers)
    return Result(table, (*counts.values(), *others, *cells, *sum(constant.values(), [])), tuple(remarks))


def _noted(
    cell: Cell, row: Row, column: Column, experiments: Sequence[Experiment], records: Sequence[Sequence[Record]]
) -> list[Cell]:
    """The cell with its number once all folds are done, and a note how many are and whose records they are."""
    done, wanted = sum(map(len, records)), sum(len(e.folds) for e in experiments)
    cell = replace(cell, note=f"{done} of {wanted} folds")
    noted = []
    for each in measured(cell, row, column, records) if done == wanted else [cell]:
        note = each.note + f", of {row.records}" * bool(row.records)
        note += "; the printed number is for other samples" * bool(each.paper and not each.comparable)
        noted.append(replace(each, note=note))
    return noted


def _not_run(row: Row, experiments: Sequence[Experiment]) -> str:
    """Why a cell has no records: those of another paper cannot be read, or corpora are missing; empty otherwise."""
    if row.records:
        try:
            if not experiments[0].folder.exists() or not all([e.missing() or e.records() for e in experiments]):
                return f"no records of {row.records}"
        except UserError:
            return f"records of {row.records} were made under other settings"
    return "; ".join(experiments[0].missing())


def _positives(session: Session, table: Table, numbers: Numbers, rows: Sequence[Row]) -> dict[str, Cell]:
    """The printed number of samples that show a column's action unit, beside ours; of the mean, whether all agree."""
    printed = {c.au: numbers[POSITIVES, c.name][0] for c in table.columns if c.au and (POSITIVES, c.name) in numbers}
    found: dict[str, Cell] = {}
    for column in table.columns if printed else ():
        experiments = [session.experiments(row, column, 1)[0] for row in rows if not row.records]
        here = next((e for e in experiments if not e.missing()), None)
        if here is None or column.au not in (None, *printed):
            continue
        target = np.array(here.samples["target"].tolist())
        ours = {au: int((target[:, here.task.aus.index(au)] == 1).sum()) for au in printed}
        if column.au is None:
            cell = Cell(POSITIVES, column.name, comparable=all(ours[au] == int(printed[au]) for au in printed))
            note = "differs from print for some units"
        else:
            text, number = printed[column.au], ours[column.au]
            cell = Cell(POSITIVES, column.name, text, measured=number, comparable=number == int(text))
            note = "positives differ from print: the column's printed numbers are not comparable"
        found[column.name] = cell if cell.comparable else replace(cell, note=note)
    return found


def _other_rows(table: Table, numbers: Numbers) -> list[Cell]:
    """Printed cells that are not run here: cited from others, or not implemented."""
    own, asked = {(row.name, column.name) for row, column in table.cells()}, {column.name for column in table.columns}
    return [
        Cell(r, c, value, source, note="not implemented here" if source == "run" and r in table.absent else "")
        for (r, c), (value, source) in numbers.items()
        if (r, c) not in own and r != POSITIVES and c in asked
    ]


def circumstances(session: Session, seeds: int, corpora: Iterable[tuple[str, str]]) -> list[str]:
    """The settings of a table's records, and each corpus with its edition; nothing where there are no records."""
    if not corpora:
        return []
    settings = [f"seeds: {seeds}", f"scale: {session.scale}", *(f"set: {k}={v}" for k, v in session.overrides.items())]
    data = ", ".join(f"{corpus} ({edition})" if edition else corpus for corpus, edition in corpora)
    return ["; ".join(settings), f"data: {'synthetic faces in the layouts of ' if session.generated else ''}{data}"]


def remarks_on(experiment: Experiment, records: Sequence[Record]) -> list[str]:
    """Facts on the data and the runs behind a table that a reader needs."""
    task, samples = experiment.task, experiment.samples
    lines = [f"{task.name}: {len(samples)} samples of {samples['subject'].nunique()} subjects"]
    if expected := sum(task.expected.values()):
        lines[0] += f" (the literature has {expected}{', ' + task.source if task.source else ''})"
    history = experiment.pretraining.history() if experiment.pretraining else []
    if experiment.paper.yardstick and (why := unfit(task)):
        lines.append(f"{NAME}: not shown: {why}")
    lines += task.remarks(samples) + experiment.paper.remarks(experiment.config, history, records)
    if experiment.session.rule != experiment.paper.rule:
        lines.append(f"rule: {experiment.session.rule}, where the paper scores {experiment.paper.rule}")
    if others := [r["code"] for r in records if r["code"] != experiment.session.code]:
        codes = ", ".join(dict.fromkeys(others))
        lines.append(f"{task.name}: {len(others)} of {len(records)} records were made by other code ({codes})")
    return lines


def scope(rows: Sequence[str], measured_rows: Sequence[str]) -> str:
    """The rows that a remark is about; nothing where it is about all that have records."""
    rows = list(dict.fromkeys(rows))
    others = [row for row in measured_rows if row not in rows]
    if not others:
        return ""
    return f" [all rows but {'; '.join(others)}]" if len(others) < len(rows) else f" [rows: {'; '.join(rows)}]"
