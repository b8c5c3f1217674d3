"""The model card of a network that `fit` left, from its record and the records of the same row's folds."""

from dataclasses import fields
from pathlib import Path

from ..errors import UserError
from ..runs.config import differences
from ..runs.experiment import FittedRun
from ..runs.paper import Row, Table
from ..runs.weights import load_network
from .cells import Cell, measured
from .page import rendered
from .results import of_other_code
from .tables import HEADER, banner, texts


def card(fitted: FittedRun, table: Table, row: Row, weights: Path, repository: str | None) -> str:
    """The card as Markdown, with the metadata that the Hugging Face hub reads on top."""
    session, paper = fitted.session, fitted.paper
    (record,) = fitted.records()
    net, about = load_network(weights, paper.name)
    cells, why = crossvalidated(fitted, table, row)
    stage = fitted.pretraining
    counts = fitted.samples["corpus"].value_counts()
    editions = record["data"]["editions"]
    again = [f'bash reproduce.sh {paper.name} "{table.name}/{row.name}"', *["--data DIR"] * (not session.generated)]
    again += [f"--scale {session.scale}", *(f"--edition {k}={v}" for k, v in session.editions.items())]
    again += [f"--set {k}={v}" for k, v in session.overrides.items()]
    return rendered(
        "card.md.j2",
        paper=paper,
        table=table,
        row=row,
        task=fitted.task,
        about=about,
        record=record,
        banner=banner(session),
        parameters=sum(p.numel() for p in net.parameters()),
        corpora={c: (int(n), editions.get(c, "")) for c, n in counts.items()},
        pretraining=stage.corpora if stage else (),
        remarks=paper.remarks(fitted.config, stage.history() if stage else (), []) + fitted.task.remarks(editions),
        changed=differences(fitted.config, paper.config()),
        settings=len(fields(fitted.config)),
        scores=[dict(zip(HEADER, texts(cell), strict=True)) for cell in cells],
        why=why,
        again=" ".join(again) if fitted.task.name in {c.task for c in table.columns} else "",
        name=repository or "FOLDER",
    )


def crossvalidated(fitted: FittedRun, table: Table, row: Row) -> tuple[list[Cell], str]:
    """The row's scores at the last epoch from folds under the same settings, and which code made them, if other code
    did; or no scores, and why."""
    cells: list[Cell] = []
    remark = "This row was not run under these settings"
    columns = [c for c in table.columns if c.task == fitted.task.name]
    for column in columns:
        (experiment,) = fitted.session.experiments(row, column, 1)
        if experiment.config != fitted.config:
            continue
        try:
            records = experiment.records()
        except UserError:
            return [], "The records of its folds were made under other settings, on other data or by other code"
        if len(records) < len(experiment.folds):
            return [], f"{len(records)} of {len(experiment.folds)} folds of this row were run"
        cell = Cell(row.name, column.name, joined=column.joined, rule="last", note=f"{len(records)} folds, one seed")
        cells += measured(cell, row, column, {0: records})
        remark = of_other_code(records, fitted.session.code)
    return cells, remark
