"""A row's network for use: trained on all subjects of a task, left with a model card, published if asked for."""

import argparse
from collections.abc import Sequence

from .errors import UserError, unknown
from .files import write_text
from .hub import CARD, check_push, publish
from .report.card import card
from .reproduce import complete, open_session, refuse_overridden
from .runs.experiment import FittedRun
from .runs.paper import Column, Paper, Row, Table
from .runs.weights import weights_path


def fit(paper: Paper, args: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Train the network, write its card, publish both with --push. Returns the exit code.

    `arguments` are those that processes launched here are given."""
    if args.push:
        check_push(args.push, args.yes)
    table, row, column = chosen(paper, args.rows, args.task)
    session = open_session(paper, args)
    refuse_overridden(session, [(table, row, column)])
    (experiment,) = session.experiments(row, column, 1)
    if experiment.config.people:
        raise UserError(f"--set people={experiment.config.people}: fit trains on all subjects; leave the setting out")
    fitted = FittedRun(session, experiment.task, experiment.config, 0)
    code = complete(session, [fitted], args, paper.name, ["-m", "shared", *arguments])
    if code is not None:
        return code
    (record,) = fitted.records()
    if record["kept weights"] is None:
        raise UserError(f"{table.name}/{row.name} trains no network: there is nothing to give to others")
    weights = weights_path(fitted.record_path(fitted.folds[0]))
    card_path = weights.with_name(CARD)
    write_text(card_path, card(fitted, table, row, weights, args.push))
    print(f"{weights}: the network\n{card_path}: its card, to read before you use or share it")
    if args.push:
        private = [session.out, session.data, session.weights_dir]
        publish(weights, args.push, private, args.yes)
    return 0


def chosen(paper: Paper, names: Sequence[str], task: str | None) -> tuple[Table, Row, Column]:
    """The row that is named, by default the last of the headline, and its column of `task`, by default its first.

    A column that the row's table lacks is taken from another table, if possible from one that has the row, too. Raises
    UserError for anything but one row.
    """
    tables = paper.choose(list(names) or [paper.headline[-1]])
    table, rows = tables[-1]
    if names and (len(tables) > 1 or len(rows) > 1):
        known = ", ".join(f"{t.name}/{r.name}" for t, some in tables for r in some)
        raise UserError(f"{' '.join(names)}: expected one row, one of {known}")
    row = rows[-1]
    if row.output:
        raise UserError(f"{table.name}/{row.name} scores a part of its network ({row.output}): fit a row of the whole")
    if row.records:
        raise UserError(f"{table.name}/{row.name} is a row of another paper: fit {row.records.replace('/', ' ', 1)}")
    own = [(table, c) for r, c in table.cells() if r is row]
    others = [(t, c) for t in paper.tables for r, c in t.cells() if not r.records]
    here = {t.name for t in paper.tables if row.name in {r.name for r in t.rows}}
    others.sort(key=lambda found: found[0].name not in here)
    found = [(t, c) for t, c in own + others if task in (None, c.task)]
    if not found:
        raise unknown(f"task of {paper.name}", task or "", dict.fromkeys(c.task for _, c in own + others))
    other, column = found[0]
    home = other if other.name in here else table
    return home, row, column
