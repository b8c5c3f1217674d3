"""One self-contained HTML page: tables, training curves, confusion matrices and the paper's own figures."""

import base64
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..runs.experiment import Experiment
from ..runs.paper import Column, Figure
from ..runs.recorded import Archive, Recorded
from ..tasks import Task
from .cells import confusion_of, pooled
from .figures import METRIC, draw_confusion, grid, panels
from .layout import HOW, NO_COMPARISON, layout, rule_line
from .printed import csv_lines
from .results import Result
from .tables import LEGEND, Runs, banner


def page(archive: Archive, results: Sequence[Result], runs: Runs, live: Sequence[Experiment] = ()) -> str:
    """The page as HTML; with the paper's figures of the experiments that are `live`, whose data is there."""
    session = archive.session
    first = {experiment: row for experiment, row in runs.items() if experiment.seed == 0}
    sections = {
        "Training": encoded(chain(training_curves(first), pretraining_curves(first))),
        "Results per subject": encoded(subjects(first)),
        "Confusion matrices": encoded(confusion_matrices(first)),
        "Figures": encoded(session.paper.figures(session, live, results)),
    }
    banners = [banner(session)] if banner(session) else []
    private = ["shows faces of licensed corpora: do not publish"] if live and not session.generated else []
    return rendered(
        "page.html.j2",
        title=f"{session.paper.title}: printed and measured",
        banners=banners + private,
        tables=[(result, layout(result, not banners), rule_line(result)) for result in results],
        how=NO_COMPARISON if banners else HOW,
        left_out=archive.left_out,
        sections={name: drawn for name, drawn in sections.items() if drawn},
    )


INDEX = ("table", "row", "column", "printed", "value", "low", "high", "rule")  # of tables.csv, shown for several papers


def index(pages: Mapping[Path, str]) -> str:
    """The page that leads to those of several papers (path -> link), with the rows of each that were run."""
    papers = []
    for path, link in pages.items():
        lines = csv_lines(path.with_name("tables.csv"))
        run = [line for line in lines if line["value"]]
        banners = dict.fromkeys(line["remark"] for line in lines if line["remark"])
        papers.append({"link": link, "banners": banners, "rows": run})
    return rendered("index.html.j2", title="Reproductions", papers=papers, names=INDEX)


def rendered(template: str, **values: object) -> str:
    """A template with its values; HTML escapes them."""
    folder = FileSystemLoader(Path(__file__).with_name("templates"))
    html = template.endswith(".html.j2")
    jinja = Environment(loader=folder, autoescape=html, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    jinja.filters["anchor"] = lambda name: name.lower().replace(" ", "-")
    return jinja.get_template(template).render({"legend": LEGEND, **values})


def encoded(figures: Iterable[Figure]) -> list[dict[str, str]]:
    """Titles, captions and data: URLs of figures."""
    pictures = []
    for figure in figures:
        data = io.BytesIO()
        figure.plot.savefig(data, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
        source = f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"
        pictures.append({"title": figure.title, "caption": figure.caption, "source": source})
    return pictures


def by_task(runs: Runs) -> Iterator[tuple[Task, Runs]]:
    """The experiments on each task."""
    for task in dict.fromkeys(experiment.task for experiment in runs):
        yield task, {experiment: row for experiment, row in runs.items() if experiment.task is task}


def training_curves(runs: Runs) -> Iterator[Figure]:
    """Losses and test scores over the epochs, a line an experiment, the mean over its folds: a figure a task."""
    for task, own in by_task(runs):
        plot, ((left, right),) = grid(1, 2, width=4.6, height=3)
        for i, (experiment, row) in enumerate(own.items()):
            histories = [record["history"] for record in experiment.found]
            epochs = range(min(map(len, histories)))
            for axis, key in ((left, "loss"), (right, "test")):
                if all(key in history[0] for history in histories):
                    means = [np.mean([history[epoch][key] for history in histories]) for epoch in epochs]
                    style = {"color": f"C{i % 10}", "marker": "." * (len(epochs) == 1)}
                    axis.plot([epoch + 1 for epoch in epochs], means, label=row, **style)
        metric = METRIC[next(iter(own)).found[0]["metrics"][0]]
        left.set(xlabel="epoch", ylabel="training loss")
        right.set(xlabel="epoch", ylabel=f"{metric} of the test fold")
        right.legend(fontsize=7)
        caption = "Mean over the folds. The test curve is for information: the rules “last” and “val” never use it"
        yield Figure(task.name, caption, plot)


def pretraining_curves(runs: Runs) -> Iterator[Figure]:
    """Losses of the pre-trainings over the epochs, a panel each."""
    first: dict[str, tuple[str, Recorded]] = {}  # pre-training -> the first row that has it
    for experiment, row in runs.items():
        if experiment.history:
            first.setdefault(json.dumps(experiment.found[0]["pretraining"]), (row, experiment))
    if not first:
        return
    plot, axes = grid(1, len(first), width=4.2, height=3)
    for axis, (row, experiment) in zip(axes[0], first.values(), strict=True):
        epochs = [entry["epoch"] for entry in experiment.history]
        for key in [k for k in experiment.history[0] if k != "epoch"]:
            axis.plot(epochs, [entry[key] for entry in experiment.history], label=key)
        corpora = ", ".join(experiment.found[0]["pretraining"]["needs"]["corpora"])
        axis.set(xlabel="epoch", ylabel="loss")
        axis.set_title(f"{row}: on {corpora}", fontsize=9)
        axis.legend(fontsize=7)
    yield Figure("Pre-training", "Each term of the loss, averaged over an epoch", plot)


def subjects(runs: Runs) -> Iterator[Figure]:
    """The share of right predictions of each subject, a panel a task; those with most samples first."""
    for task, own in by_task(runs):
        shares, counts = {}, dict[str, int]()
        for experiment, row in own.items():
            rule, column = experiment.session.rule, Column("", task.name, task.metric)
            seed = pooled(experiment.found, rule, "", column, experiment.found[0]["metrics"][0])
            right = np.ma.masked_array(seed.targets == seed.predictions, seed.targets < 0)
            shares[row] = {s: right[seed.subjects == s].mean() for s in np.unique(seed.subjects)}
            for name, n in zip(*np.unique(seed.subjects, return_counts=True), strict=True):
                counts[name] = max(n, counts.get(name, 0))  # a row may have left out broken clips
        order = sorted(counts, key=lambda name: (-counts[name], name))
        plot, ((axis,),) = grid(1, 1, width=max(4.5, 0.22 * len(order)), height=3.2)
        for k, (row, of) in enumerate(shares.items()):
            shift = (k - (len(shares) - 1) / 2) * 0.6 / len(shares)
            axis.plot(np.arange(len(order)) + shift, [of.get(s, np.nan) for s in order], "o", markersize=3.5, label=row)
        one = len({s.partition("/")[0] for s in order}) == 1  # corpora have subjects of the same name
        labels = [f"{s.rpartition('/')[2] if one else s} ({counts[s]})" for s in order]
        axis.set_xticks(range(len(order)), labels, rotation=90, fontsize=7)
        axis.set(ylim=(-0.05, 1.05), ylabel="share of right predictions", title=task.name)
        axis.grid(axis="x", linewidth=0.3)
        axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
        what = "action units" if task.aus else "samples"
        caption = f"In parentheses the number of samples; a mean over {what}, seed 0, rule “{rule}”"
        yield Figure(task.name, caption, plot)


def confusion_matrices(runs: Runs) -> Iterator[Figure]:
    """Confusion matrices of the experiments on classes, pooled over folds: a figure a task."""
    for task, own in by_task({experiment: row for experiment, row in runs.items() if not experiment.task.aus}):
        plot, axes = panels(len(own), 4, width=3.2)
        for axis, (experiment, row) in zip(axes, own.items(), strict=True):
            rule = experiment.session.rule
            counts = confusion_of(experiment.found, rule, Column("", task.name, task.metric))
            draw_confusion(axis, counts, task.classes, lambda count, share: str(count))
            axis.set(xlabel="predicted", ylabel="labelled")
            axis.set_title(row, fontsize=9)
        yield Figure(task.name, f"Counts over all folds, seed 0, rule “{rule}”", plot)
