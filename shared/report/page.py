"""One self-contained HTML page: tables, training curves, confusion matrices and the paper's own figures."""

import base64
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib import pyplot as plt

from ..runs.experiment import Experiment
from ..runs.paper import Column, Row, Table
from ..runs.session import Session
from .cells import confusion_of
from .figures import Figure, draw_confusion, grid
from .results import Result
from .tables import HEADER, LEGEND, banner, texts

Runs = Mapping[Experiment, tuple[str, Column]]  # finished experiments, each with the first row and column that show it


def page(session: Session, results: Sequence[Result], cells: Iterable[tuple[Table, Row, Column]], seeds: int) -> str:
    """The page of the chosen cells as HTML."""
    runs: dict[Experiment, tuple[str, Column]] = {}
    for _, row, column in cells:
        experiment = session.experiments(row, column, seeds)[0]
        if not row.records and not experiment.missing() and len(experiment.records()) == len(experiment.folds):
            runs.setdefault(experiment, (row.name, column))
    sections = {
        "Training": pictures(training_curves(runs)),
        "Confusion matrices": pictures(confusion_matrices(runs)),
        "Figures": pictures(session.paper.figures(session, list(runs), results)),
    }
    banners = [banner(session)] if banner(session) else []
    if sections["Figures"] and not session.generated:
        banners.append("shows faces of licensed corpora: do not publish")
    return rendered(
        "page.html.j2",
        title=f"{session.paper.title}: printed and measured",
        banners=banners,
        results=results,
        sections={name: pictures for name, pictures in sections.items() if pictures},
    )


def index(pages: Mapping[Path, str]) -> str:
    """The page that leads to those of several papers (path -> link), with the rows of each that were run."""
    papers = []
    for path, link in pages.items():
        with open(path.with_name("tables.csv"), newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        run = [[line[name] for name in HEADER] for line in lines if line["measured"]]
        banners = dict.fromkeys(line["remark"] for line in lines if line["remark"])
        papers.append({"link": link, "banners": banners, "rows": run})
    return rendered("index.html.j2", title="Reproductions", papers=papers)


def rendered(template: str, **values: object) -> str:
    """A template with its values; HTML escapes them."""
    folder = FileSystemLoader(Path(__file__).with_name("templates"))
    html = template.endswith(".html.j2")
    jinja = Environment(loader=folder, autoescape=html, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    jinja.filters |= {"texts": texts, "anchor": lambda name: name.lower().replace(" ", "-")}
    return jinja.get_template(template).render({"header": HEADER, "legend": LEGEND} | values)


def pictures(figures: Iterable[Figure]) -> list[dict[str, str]]:
    """Titles, captions and data: URLs of figures, which are closed."""
    pictures = []
    for figure in figures:
        data = io.BytesIO()
        figure.plot.savefig(data, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
        plt.close(figure.plot)
        source = f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"
        pictures.append({"title": figure.title, "caption": figure.caption, "source": source})
    return pictures


def training_curves(runs: Runs) -> list[Figure]:
    """Losses and test scores over the epochs, a line an experiment, the mean over its folds; then pre-trainings."""
    if not runs:
        return []
    tasks = {experiment.task.name: experiment.metrics[0] for experiment in runs}  # task -> metric
    plot, axes = grid(2, len(tasks), width=4.2, height=2.5, sharex="col")
    for (upper, lower), (task, metric) in zip(axes.T, tasks.items(), strict=True):
        for experiment, (row, _) in runs.items():
            if experiment.task.name != task:
                continue
            histories = [record["history"] for record in experiment.records()]
            epochs = range(min(map(len, histories)))
            for axis, key in ((upper, "loss"), (lower, "test")):
                if all(key in history[0] for history in histories):
                    means = [np.mean([history[epoch][key] for history in histories]) for epoch in epochs]
                    axis.plot([epoch + 1 for epoch in epochs], means, label=row)
        upper.set(title=task, ylabel="training loss")
        lower.set(xlabel="epoch", ylabel=f"{metric} of the test fold")
        lower.legend(fontsize=7)
    caption = "Mean over the folds. The test curve is for information: the rules “last” and “val” never use it"
    figures = [Figure("Fine-tuning", caption, plot)]
    pretrainings = {e.pretraining.folder: e.pretraining for e in runs if e.pretraining}
    if pretrainings:
        plot, axes = grid(1, len(pretrainings), width=4.2, height=3)
        for axis, pretraining in zip(axes[0], pretrainings.values(), strict=True):
            history = pretraining.history()
            for key in [k for k in history[0] if k != "epoch"]:
                axis.plot([entry["epoch"] for entry in history], [entry[key] for entry in history], label=key)
            axis.set(title=pretraining.identity, xlabel="epoch", ylabel="loss")
            axis.legend(fontsize=7)
        figures.append(Figure("Pre-training", "Each term of the loss, averaged over an epoch", plot))
    return figures


def confusion_matrices(runs: Runs) -> list[Figure]:
    """Confusion matrices of the experiments on classes, pooled over folds."""
    figures = []
    for experiment, (row, column) in runs.items():
        if experiment.task.aus:
            continue
        plot, ((axis,),) = grid(1, 1, width=3.6, height=3.4)
        counts = confusion_of(experiment, replace(column, corpus=None))
        draw_confusion(axis, counts, experiment.task.classes, lambda count, share: str(count))
        axis.set(xlabel="predicted", ylabel="labelled")
        caption = f"Counts over all folds, rule “{experiment.session.rule}”"
        figures.append(Figure(f"{experiment.task.name}, {row}", caption, plot))
    return figures
