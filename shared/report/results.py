"""A table from the records there are: its cells, and the remarks that a reader needs to judge them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..runs.paper import Column, Row, Table
from ..runs.recorded import Archive, Recorded
from ..runs.session import Session
from ..runs.yardstick import NAME, unfit
from .cells import Cell, baselines, measured, pooled, yardstick
from .printed import POSITIVES, printed_elsewhere, printed_numbers, scored

Numbers = Mapping[tuple[str, str], tuple[str, str]]  # (row, column) -> (value as printed, source)


@dataclass(frozen=True)
class Result:
    """A table with its cells: printed rows that are not run here, its own rows, the yardstick, constant baselines."""

    table: Table
    cells: tuple[Cell, ...]
    remarks: tuple[str, ...]
    printed_rows: tuple[str, ...] = ()  # in the paper's order


def all_results(
    archive: Archive, chosen: Iterable[Table] = (), missing: Callable[[Row, Column], Sequence[str]] = lambda *_: ()
) -> list[Result]:
    """The chosen tables, and all others of which there are records; each with the columns chosen or measured."""
    asked = {table.name: {column.name for column in table.columns} for table in chosen}
    results = []
    for table in archive.session.paper.tables:
        ran = {c.name for r, c in table.cells() if not r.records and archive.experiments(r, c)}
        names = asked.get(table.name, set()) | ran
        if names:
            part = replace(table, columns=tuple(column for column in table.columns if column.name in names))
            results.append(result(archive, part, missing))
    return results


def finished(archive: Archive) -> dict[Recorded, str]:
    """The experiments of the paper's own rows that are done, each with the first row that shows it.

    Of a row with several of one task the settings of the column, or else the table, tell which it is."""
    found: dict[Recorded, tuple[str, str]] = {}
    own = [(t, r, c) for t in archive.session.paper.tables for r, c in t.cells() if not r.records]
    for table, row, column in own:
        for experiment in archive.experiments(row, column):
            if experiment.done:
                which = ", ".join(f"{key}={value}" for key, value in column.changes.items()) or table.name
                found.setdefault(experiment, (row.name, which))
    alike = Counter((name, e.task, e.seed) for e, (name, _) in found.items())
    return {e: f"{name} ({which})" if alike[name, e.task, e.seed] > 1 else name for e, (name, which) in found.items()}


def result(archive: Archive, table: Table, missing: Callable[[Row, Column], Sequence[str]] = lambda *_: ()) -> Result:
    """A table; `missing` says why a cell cannot be run here."""
    session, paper = archive.session, archive.session.paper
    numbers, elsewhere = printed_numbers(paper.folder, table.name), printed_elsewhere(paper)
    places = [_place(archive, row, column, missing(row, column)) for row, column in table.cells()]
    counts = _positives(archive, table)
    cells: list[Cell] = []
    for place in places:
        comparable = place.column.name not in counts or counts[place.column.name].comparable
        cells += _cells(archive, place, numbers, elsewhere, comparable)
    first = {(c.column, c.joined): c for c in cells if c.row == table.rows[0].name}
    cells = [cell.over(first.get((cell.column, cell.joined))) for cell in cells]
    shown = counts.values() if any(row == POSITIVES for row, _ in numbers) else ()
    every = (*shown, *_other_rows(table, numbers), *cells, *_references(archive, places))
    rows = tuple(dict.fromkeys(row for row, _ in numbers))
    return Result(table, every, tuple(_remarks(session, places)), rows)


@dataclass(frozen=True)
class Place:
    """A cell's row and column, its experiments, those of them that are done, and the remarks on it."""

    row: Row
    column: Column
    experiments: Sequence[Recorded]
    done: Sequence[Recorded]
    remarks: Sequence[str]

    @property
    def names(self) -> tuple[str, str]:
        return self.row.name, self.column.name


def _place(archive: Archive, row: Row, column: Column, missing: Sequence[str]) -> Place:
    """What there is for a cell; `missing` says why it cannot be run here."""
    experiments = archive.experiments(row, column)
    done = [experiment for experiment in experiments if experiment.done]
    if experiments:
        return Place(row, column, experiments, done, remarks_on(done or experiments))
    no_records = [f"no records of {row.records}", *archive.owner(row).left_out] if row.records else ["no records"]
    return Place(row, column, [], [], [f"not run: {reason}" for reason in missing or no_records])


def _cells(
    archive: Archive, place: Place, numbers: Numbers, elsewhere: Mapping[Any, tuple[str, str]], comparable: bool
) -> list[Cell]:
    """The printed number, which may stand in another table, beside that of the seeds that are done; and a note on
    folds and on whose records they are."""
    row, column, experiments, done = place.row, place.column, place.experiments, place.done
    printed, source = numbers.get(place.names, ("", "run"))
    if not printed and not row.records:
        printed, source = elsewhere.get(scored(archive.session.paper, row, column), ("", source))
    remark = "; ".join(line for line in place.remarks if line.startswith(("input: ", "training: ")))
    rule = archive.owner(row).session.rule
    cell = Cell(row.name, column.name, printed, source, joined=column.joined, rule=rule, remark=remark)
    cell = replace(cell, comparable=comparable)
    if not experiments:
        return [replace(cell, note="not run")]
    note = f"{sum(len(e.found) for e in experiments)} of {sum(e.folds for e in experiments)} folds"
    if 0 < len(done) < len(experiments):
        note += f", scored: seed {', '.join(str(e.seed) for e in done)}"
    cell, noted = replace(cell, note=note), []
    for each in measured(cell, row, column, {e.seed: e.found for e in done}) if done else [cell]:
        lender = f", of {row.records}" if row.records else ""
        others = "; the printed number is for other samples" if each.paper and not each.comparable else ""
        noted.append(replace(each, note=each.note + lender + others))
    return noted


def _references(archive: Archive, places: Iterable[Place]) -> list[Cell]:
    """The yardstick and the constant baselines of each column, on the samples of the first cell that is done."""
    first: dict[str, Place] = {}
    for place in places:
        if place.done:
            first.setdefault(place.column.name, place)
    cells: list[Cell] = []
    for place in first.values():
        own = [e for e in archive.yardstick(place.done[0].task) if e.done]
        cells += [*yardstick(place.column, own, place.done[0]), *baselines(place.column, place.done[0])]
    return cells


def _remarks(session: Session, places: Sequence[Place]) -> list[str]:
    """What stands below a table: the settings of its records, and each remark with the cells that it is about."""
    seeds = {len(place.done) for place in places if place.done}
    editions = [experiment.found[0]["data"]["editions"] for place in places for experiment in place.experiments]
    corpora = dict.fromkeys(item for each in editions for item in each.items())
    about: dict[str, list[tuple[str, str]]] = {}  # remark -> the cells that it is about
    for place in places:
        for remark in place.remarks:
            about.setdefault(remark, []).append(place.names)
    every, ran = [place.names for place in places], [place.names for place in places if place.experiments]
    started = [remark for remark in about if remark.startswith("weights: ")]
    not_run = [remark for remark in about if remark.startswith("not run")]
    others = [remark for remark in about if remark not in (*started, *not_run)]
    lines = circumstances(session, sorted(seeds), corpora)
    if session.rule == "val" and any("validation" not in place.done[0].task.protocol for place in places if place.done):
        lines.append(f"{NAME}: it learns from all samples in training, of which the rows leave a fifth to validation")
    lines += [remark + scope(about[remark], ran) for remark in (*started, *others)]
    return lines + [remark + scope(about[remark], every) for remark in not_run]


def _positives(archive: Archive, table: Table) -> dict[str, Cell]:
    """The printed number of samples that show a column's action unit, beside ours; of the mean, whether all agree.

    Where one table of a task prints it, it is that of the others, too."""
    every: dict[str, dict[int, str]] = {}  # task -> unit -> number
    for other in (table, *archive.session.paper.tables):
        numbers = printed_numbers(archive.session.paper.folder, other.name)
        for c in other.columns:
            if c.au and (POSITIVES, c.name) in numbers:
                every.setdefault(c.task, {}).setdefault(c.au, numbers[POSITIVES, c.name][0])
    found: dict[str, Cell] = {}
    for column in table.columns:
        printed = every.get(column.task, {})
        own = (e for row in table.rows if not row.records for e in archive.experiments(row, column) if e.done)
        here = next(own, None)
        if here is None or not printed or column.au not in (None, *printed):
            continue
        target = pooled(here.found, "last", "", replace(column, au=None)).targets
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
    """Printed cells that are not run here, because the paper cites them from others."""
    own, asked = {(row.name, column.name) for row, column in table.cells()}, {column.name for column in table.columns}
    return [
        Cell(r, c, value, source)
        for (r, c), (value, source) in numbers.items()
        if (r, c) not in own and r != POSITIVES and c in asked
    ]


def circumstances(session: Session, seeds: Sequence[int], corpora: Iterable[tuple[str, str]]) -> list[str]:
    """The settings of a table's records, and each corpus with its edition; nothing where there are no records."""
    if not corpora:
        return []
    number = "0"
    if seeds:
        number = str(seeds[0]) if seeds[0] == seeds[-1] else f"{seeds[0]} to {seeds[-1]}"
    settings = [f"seeds: {number}", f"scale: {session.scale}", *(f"set: {k}={v}" for k, v in session.overrides.items())]
    where = "synthetic faces in the layouts of " if session.generated else ""
    return ["; ".join(settings), f"data: {where}{with_editions(corpora)}"]


def with_editions(corpora: Iterable[tuple[str, str]]) -> str:
    """Corpora with their editions, as a list."""
    return ", ".join(f"{corpus} ({edition})" if edition else corpus for corpus, edition in corpora)


def remarks_on(experiments: Sequence[Recorded]) -> list[str]:
    """Facts on the data and the runs behind a cell that a reader needs."""
    first = experiments[0]
    task, data, paper = first.task, first.found[0]["data"], first.session.paper
    records = [record for e in experiments for record in e.found]
    folds = f"{len(records)} of {sum(e.folds for e in experiments)} folds"
    lines = [f"{task.name}: {data['samples']} samples of {data['subjects']} subjects, {folds}"]
    if expected := sum(task.expected.values()):
        lines[0] += f" (the literature has {expected}{', ' + task.source if task.source else ''})"
    if broken := first.found[0].get("left out"):
        more = f" and {len(broken) - 5} more" * (len(broken) > 5)
        lines.append(f"{task.name}: left out as broken: {', '.join(broken[:5])}{more}")
    if paper.yardstick and (why := unfit(task)):
        lines.append(f"{NAME}: not shown: {why}")
    lines += task.remarks(data["editions"])
    of_all = paper.remarks(first.config, (), records)
    which = f" (seed {first.seed} of {len(experiments)})" * (len(experiments) > 1)
    lines += [f"{line}{which * (line not in of_all)}" for line in paper.remarks(first.config, first.history, records)]
    if first.session.rule != paper.rule:
        lines.append(f"rule: {first.session.rule}, where the paper scores {paper.rule}")
    if others := of_other_code(records, first.session.code):
        lines.append(f"{task.name}: {others}")
    return lines


def of_other_code(records: Sequence[Mapping[str, Any]], code: str) -> str:
    """How many of the records were made by other code than this; "" where none was."""
    others = [r["code"] for r in records if r["code"] != code]
    codes = ", ".join(dict.fromkeys(others))
    return f"{len(others)} of {len(records)} records were made by other code ({codes})" if others else ""


def scope(places: Sequence[tuple[str, str]], everywhere: Sequence[tuple[str, str]]) -> str:
    """The rows, or else the columns, that a remark is about, or the rows with the columns of those that it is about in
    part; nothing where it is about all cells."""
    others = [place for place in everywhere if place not in places]
    if not others:
        return ""
    for axis, name in enumerate(("rows", "columns")):
        mine, left = (list(dict.fromkeys(place[axis] for place in part)) for part in (places, others))
        if set(mine).isdisjoint(left):
            return f" [all {name} but {'; '.join(left)}]" if len(left) < len(mine) else f" [{name}: {'; '.join(mine)}]"
    rows = {row: [c for r, c in dict.fromkeys(places) if r == row] for row, _ in places}
    whole = rows.keys() - {row for row, _ in others}
    named = (row if row in whole else f"{row} ({', '.join(columns)})" for row, columns in rows.items())
    return f" [rows: {'; '.join(named)}]"
