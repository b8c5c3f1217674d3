"""One self-contained HTML page: tables, training curves, confusion matrices and the paper's own figures."""

import base64
import csv
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from ..runs.paper import Column
from ..runs.session import Experiment, Session
from .cells import confusion_of
from .figures import Figure, confusion, grid
from .results import Result
from .tables import HEADER, LEGEND, banner, texts

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1280px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem }
h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid #ddd }
nav a { margin-right: 1rem }
.banner { background: #fff3cd; border: 1px solid #e6c200; padding: .6rem 1rem; border-radius: 4px; font-weight: 600 }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #eee; text-align: left; white-space: nowrap }
th { background: #f6f6f6 }
td.n { text-align: right }
td.note { white-space: normal; min-width: 9rem }
tr.baseline { color: #777; font-style: italic }
tr.cited { color: #999 }
figure { margin: 1rem 1.5rem 1rem 0; display: inline-block; vertical-align: top }
figcaption, .remark { font-size: 13px; color: #555 }
figcaption { contain: inline-size }
.remark { margin: .2rem 0 }
img { max-width: 100% }
"""


def page(session: Session, results: Sequence[Result], cells: Sequence[tuple], seeds: int) -> str:
    """The page of the chosen (table, row, column) cells as HTML."""
    runs: dict[Experiment, tuple[str, Column]] = {}
    for row, column in ((row, column) for _, row, column in cells if not row.records):
        experiment = session.experiments(row, column, seeds)[0]
        if not experiment.missing() and len(experiment.records()) == len(experiment.folds):
            runs.setdefault(experiment, (row.name, column))
    title = f"{session.paper.title}: paper and measured"
    sections = [("Tables", "".join(map(_table, results)))]
    if runs:
        sections.append(("Training", _images(_curves(runs))))
    if confusions := _confusions(runs):
        sections.append(("Confusion matrices", _images(confusions)))
    if figures := session.paper.figures(session, list(runs), results):
        sections.append(("Figures", _images(figures)))
    faces = "" if session.generated or not figures else "shows faces of licensed corpora: not to be published"
    lines = [line for line in (banner(session), faces) if line]
    note = "".join(f'<p class="banner">{html.escape(line)}</p>' for line in lines)
    links = " ".join(f'<a href="#{name.split()[0]}">{name}</a>' for name, _ in sections)
    body = "".join(
        f'<h2 id="{name.split()[0]}">{name}</h2>{note if name != "Tables" else ""}{content}'
        for name, content in sections
    )
    return _document(title, f"{note}<nav>{links}</nav>{body}")


def index(pages: Mapping[Path, str]) -> str:
    """The page that leads to those of several papers (path -> link), with the rows of each that were run."""
    body = []
    for path, link in pages.items():
        with open(path.with_name("tables.csv"), newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))[1:]
        run = [row[1 : 1 + len(HEADER)] for row in rows if row[4]]  # what was measured
        notes = "".join(f'<p class="banner">{html.escape(note)}</p>' for note in {row[-1] for row in rows} - {""})
        body.append(f'<h2><a href="{html.escape(link)}">{html.escape(link.removesuffix("/index.html"))}</a></h2>')
        body.append(f"{notes}{_rows(run)}")
    return _document("Reproductions", "".join(body))


def _document(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1>"
        f"<p>{'<br>'.join(map(html.escape, LEGEND))}</p>{body}</body></html>"
    )


def _table(result: Result) -> str:
    remarks = "".join(f'<p class="remark">{html.escape(r)}</p>' for r in result.remarks)
    return f"<h3>{html.escape(result.table.title)}</h3>{_rows([texts(c) for c in result.cells])}{remarks}"


def _rows(rows: Sequence[Sequence[str]]) -> str:
    """Cells, as their texts in the order of HEADER, as a table."""
    head = "".join(f"<th>{html.escape(h)}</th>" for h in HEADER)
    lines = []
    for row in rows:
        kind = "baseline" if row[0].startswith("constant baseline") else "cited" * row[2].endswith("(cited)")
        cells = "".join(f"<td{' class=n' * (2 <= i <= 4)}>{html.escape(t)}</td>" for i, t in enumerate(row))
        lines.append(f'<tr class="{kind}">{cells}</tr>')
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(lines)}</table></div>'


def _images(figures: Sequence[Figure]) -> str:
    out = []
    for figure in figures:
        data = io.BytesIO()
        figure.plot.savefig(data, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
        plt.close(figure.plot)
        source = base64.b64encode(data.getvalue()).decode()
        out.append(
            f'<figure><img alt="{html.escape(figure.title)}" src="data:image/png;base64,{source}">'
            f"<figcaption><b>{html.escape(figure.title)}.</b> {html.escape(figure.caption)}</figcaption></figure>"
        )
    return "".join(out)


def _curves(runs: dict[Experiment, tuple[str, Column]]) -> list[Figure]:
    """Losses and accuracies over the epochs, a line an experiment, the mean over its folds."""
    tasks = dict.fromkeys(e.task.name for e in runs)
    plot, axes = grid(2, len(tasks), width=4.2, height=2.5, sharex="col")
    for (upper, lower), task in zip(axes.T, tasks, strict=True):
        for experiment, (row, _) in ((e, run) for e, run in runs.items() if e.task.name == task):
            histories = [r["history"] for r in experiment.records()]
            epochs = range(1, min(map(len, histories)) + 1)
            for axis, key in ((upper, "loss"), (lower, "test")):
                if all(key in h[0] for h in histories):
                    means = [np.mean([h[e - 1][key] for h in histories]) for e in epochs]
                    axis.plot(epochs, means, label=row)
        upper.set(title=task, ylabel="training loss")
        metric = next(e.metrics[0] for e in runs if e.task.name == task)
        lower.set(xlabel="epoch", ylabel=f"{metric} of the test fold")
        lower.legend(fontsize=7)
    figures = [
        Figure("Fine-tuning", "Mean over the folds; the test curve is shown, never used by “last” and “val”", plot)
    ]
    stages = {e.pretraining.folder: e.pretraining for e in runs if e.pretraining}
    if stages:
        plot, axes = grid(1, len(stages), width=4.2, height=3)
        for axis, stage in zip(axes[0], stages.values(), strict=True):
            history = stage.history()
            for key in [k for k in history[0] if k != "epoch"]:
                axis.plot([h["epoch"] for h in history], [h[key] for h in history], label=key)
            axis.set(title=stage.identity, xlabel="epoch", ylabel="loss")
            axis.legend(fontsize=7)
        figures.append(Figure("Pre-training", "Each term of the loss, the mean over an epoch", plot))
    return figures


def _confusions(runs: dict[Experiment, tuple[str, Column]]) -> list[Figure]:
    """Confusion matrices of the tasks with classes, pooled over folds."""
    figures = []
    for experiment, (row, column) in runs.items():
        if experiment.task.aus:
            continue
        matrix = confusion_of(experiment, replace(column, corpus=None))
        plot, ((axis,),) = grid(1, 1, width=3.6, height=3.4)
        confusion(axis, matrix, experiment.task.classes, lambda count, share: str(count))
        axis.set(xlabel="predicted", ylabel="labelled")
        figures.append(
            Figure(f"{experiment.task.name}, {row}", f"Counts over all folds, rule “{experiment.session.rule}”", plot)
        )
    return figures
