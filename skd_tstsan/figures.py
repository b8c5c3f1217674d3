"""Figures 5 and 7 to 11 of the paper, drawn from the records."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from shared.report.cells import confusion_of
from shared.report.figures import along_rows, config_of, draw_confusion, grid, image, overlay
from shared.report.results import Result
from shared.runs.experiment import Experiment
from shared.runs.fold import Record
from shared.runs.paper import Column, Figure
from shared.runs.session import Session

from .config import Config
from .data import CASME2_FIVE
from .train import CLASSIFIERS, Left

CPU = torch.device("cpu")
PEOPLE = ("CASME2/sub01", "CASME2/sub12", "CASME3/spNO.142", "CASME3/spNO.176")  # of Figs. 8 and 11
SHOWN = ("disgust", "happiness", "surprise")  # of CASME II, in three classes: Fig. 7


def figures(session: Session, experiments: Sequence[Experiment], results: Sequence[Result]) -> list[Figure]:
    """The figures that the finished experiments allow."""
    base = session.base
    assert isinstance(base, Config)
    if base.method != "SKD-TSTSAN":
        return []
    own = [e for e in experiments if replace(config_of(e, Config), batch=base.batch) == base]
    drawn = [confusions(own)] if own else []
    if pair := compared(experiments, "cde-3", base, replace(base, eca=False)):
        drawn.append(heat_maps(*pair))
    if pair := compared(experiments, CASME2_FIVE, base, replace(base, skd=False)):
        drawn.append(distillation(*pair))
    for result in results:
        if result.table.name.startswith("figure9"):
            drawn += along_rows(result, result.table.title, "UAR", only="UAR", linestyle="")
    of_task = [e for e in experiments if e.task.name == CASME2_FIVE]
    domains = [e for e in of_task if replace(config_of(e, Config), domains=base.domains) == base]
    if len(domains) > 1:
        drawn.append(temporal_domains(domains))
    if own and base.skd:  # else there is one classifier
        on_casme3 = [e for e in own if "CASME3" in e.task.corpora]
        drawn.append(classifiers((on_casme3 or own)[0]))
    return drawn


def compared(
    experiments: Sequence[Experiment], task: str, method: Config, without: Config
) -> tuple[Experiment, Experiment] | None:
    """The experiments of two configurations on a task, where both are there."""
    of = {e.config: e for e in experiments if e.task.name == task}
    return (of[method], of[without]) if method != without and method in of and without in of else None


def confusions(experiments: Sequence[Experiment]) -> Figure:
    """Figure 5: confusion matrices, of the composite task and of each of its corpora."""
    panels = []
    for experiment in experiments:
        corpora = experiment.task.corpora
        for corpus in (None, *corpora) if len(corpora) > 1 else (None,):
            title = f"{experiment.task.name}{f', {corpus}' if corpus else ''}"
            column = Column("", experiment.task.name, "uf1", corpus=corpus)
            matrix = confusion_of(experiment.records(), experiment.session.rule, column)
            panels.append((title, experiment.task.classes, matrix))
    columns = min(len(panels), 4)
    rows = -(-len(panels) // columns)
    plot, axes = grid(rows, columns, width=3)
    for axis in axes.flat[len(panels) :]:
        axis.axis("off")
    for axis, (title, classes, counts) in zip(axes.flat, panels, strict=False):
        draw_confusion(axis, counts, classes, lambda count, share: f"{share:.2f}")
        axis.set_title(f"{title}, n = {counts.sum()}", fontsize=8)
    caption = f"A row holds the shares of a labelled class; rule “{experiments[0].session.rule}”"
    return Figure("Figure 5: confusion matrices", caption, plot)


def heat_maps(with_eca: Experiment, without_eca: Experiment) -> Figure:
    """Figure 7: Grad-CAM of the S-stream's conv4, with and without ECA in the L-stream."""
    faces, samples = with_eca.data.faces, with_eca.samples
    own = samples[samples["corpus"] == "CASME2"]
    rows = [own.index[own["emotion"] == emotion][0] for emotion in SHOWN if emotion in set(own["emotion"])]
    maps = [e.tested(lambda record: Left(**record["figures"]).heat) for e in (with_eca, without_eca)]
    plot, axes = grid(3, len(rows), width=2.2)
    for column, row in zip(axes.T, rows, strict=True):
        sample, apex = samples.loc[row], faces[row, 1]
        for axis in column:
            image(axis, apex, cmap="gray")
        for axis, heat in zip(column[1:], maps, strict=True):
            overlay(axis, heat[sample["sample"]], len(apex), vmin=0, vmax=1)
        column[0].set_title(f"{sample['emotion']} (AU {sample['au_codes']})", fontsize=8)
    for axis, name in zip(axes[:, 0], ("apex", "with ECA", "without ECA"), strict=True):
        axis.set_ylabel(name, fontsize=8)
    return Figure("Figure 7: heat maps", "S-stream's conv4, for the class predicted at the scored epoch", plot)


def distillation(with_skd: Experiment, without_skd: Experiment) -> Figure:
    """Figure 8: the deepest classifier's features without and with SKD."""
    panels = {"without SKD": (without_skd, ""), "with SKD": (with_skd, "")}
    return embeddings("Figure 8: t-SNE, self-knowledge distillation", panels)


def classifiers(experiment: Experiment) -> Figure:
    """Figure 11: the features of each classifier."""
    panels = {name or "deepest": (experiment, name) for name in CLASSIFIERS}
    return embeddings(f"Figure 11: t-SNE, classifiers, {experiment.task.name}", panels)


def embeddings(title: str, panels: Mapping[str, tuple[Experiment, str]]) -> Figure:
    """t-SNE of a classifier's features of people whom its fold never saw: one row per person, one column per panel."""
    from sklearn.manifold import TSNE  # here, because it takes a second

    first = next(iter(panels.values()))[0]
    chosen, labels = people(first), first.samples.set_index("sample")
    plot, axes = grid(len(chosen), len(panels), width=2.7)
    for column, (name, (experiment, output)) in zip(axes.T, panels.items(), strict=True):
        features = experiment.tested(partial(features_of, output=output))
        for axis, person in zip(column, chosen, strict=True):
            ids = labels.index[labels["subject"] == person]
            vectors = np.array([features[i] for i in ids])
            tsne = TSNE(perplexity=min(30, (len(ids) - 1) / 3), init="random", random_state=0)
            places = tsne.fit_transform(vectors)
            for k, label in enumerate(experiment.task.classes):
                held = places[labels.loc[ids, "target"] == k]
                axis.scatter(*held.T, s=16, color=f"C{k}", label=label)
            axis.set(xticks=[], yticks=[])
            axis.set_title(f"{person}, {name}", fontsize=8)
    axes[0, -1].legend(fontsize=6)
    return Figure(title, "Clips of people that the fold's network never saw, scored epoch; axes have no meaning", plot)


def features_of(record: Record, output: str) -> list[list[float]]:
    """A fold's features of one classifier."""
    return Left(**record["figures"]).features[output]


def people(experiment: Experiment) -> list[str]:
    """The people of the paper's figures, or else the two with most clips."""
    counts = experiment.samples["subject"].value_counts()
    named = [person for person in PEOPLE if counts.get(person, 0) > 3]
    return named if len(named) > 1 else sorted(counts.index, key=lambda person: (-counts[person], person))[:2]


def temporal_domains(experiments: Sequence[Experiment]) -> Figure:
    """Figure 10: the T-stream's inputs, u above v, of one clip."""
    experiments = sorted(experiments, key=lambda e: config_of(e, Config).domains)
    clip = experiments[0].samples["sample"].iloc[0]
    most = config_of(experiments[-1], Config).domains
    plot, axes = grid(2 * len(experiments), most, width=1.1, height=1.15)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[], frame_on=False)
    for experiment, pair in zip(experiments, axes.reshape(len(experiments), 2, most), strict=True):
        data = experiment.data
        flow = data.tensor(CPU, follow=config_of(experiment, Config).follow)[data.ids.index(clip), 34:]
        for axis, component in zip(pair.T.flat, flow, strict=False):
            image(axis, component, cmap="gray")
        pair[0, 0].set_ylabel(f"{config_of(experiment, Config).domains}: u", fontsize=8)
        pair[1, 0].set_ylabel("v", fontsize=8)
    return Figure("Figure 10: temporal domains", f"The flows of {clip} as the network sees them", plot)
