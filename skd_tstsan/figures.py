"""Figures 5 and 7 to 11 of the paper, drawn from the records."""

from dataclasses import replace

import numpy as np
import torch
from matplotlib import pyplot as plt
from sklearn.manifold import TSNE

from shared.experiment import Column
from shared.page import Figure
from shared.report import confusion_of

from .train import CLASSIFIERS

CPU = torch.device("cpu")
PEOPLE = ("CASME2/sub01", "CASME2/sub12", "CASME3/spNO.142", "CASME3/spNO.176")  # of Figs. 8 and 11
SHOWN = ("disgust", "happiness", "surprise")  # of Fig. 7


def figures(bench, experiments, results) -> list[Figure]:
    """What the finished experiments allow."""
    own = [e for e in experiments if replace(e.config, batch=bench.base.batch) == bench.base]

    def other(task: str, **changes):
        """The method and the same with `changes` on a task: both, or none."""
        pair = [e for config in (bench.base, replace(bench.base, **changes)) for e in experiments
                if e.task.name == task and e.config == config]  # fmt: skip
        return [pair] if len(pair) == 2 else []

    drawn = [confusions(own, bench.paper.rule)] if own else []
    drawn += [heat_maps(*pair) for pair in other("casme2-5", eca=False)]
    drawn += [distillation(*pair) for pair in other("casme2-5", skd=False)]
    drawn += [variation(result) for result in results if result.table.name.startswith("figure9")]
    two = bench.base.domains
    domains = [e for e in experiments if e.task.name == "casme2-5" and replace(e.config, domains=two) == bench.base]
    drawn += [temporal_domains(domains)] if len(domains) > 1 else []
    return drawn + [classifiers(e) for e in sorted(own, key=lambda e: "CASME3" not in e.task.corpora)[:1]]


def confusions(experiments, rule: str) -> Figure:
    """Figure 5: confusion matrices, of the composite task and of each of its corpora."""
    panels = []
    for experiment in experiments:
        corpora = experiment.task.corpora
        for corpus in (None, *corpora) if len(corpora) > 1 else (None,):
            title = f"{experiment.task.name}{f', {corpus}' if corpus else ''}"
            matrix = confusion_of(experiment.records(), rule, Column("", experiment.task.name, "uf1", corpus=corpus))
            panels.append((title, experiment.task.classes, matrix))
    columns = min(len(panels), 4)
    rows = -(-len(panels) // columns)
    plot, axes = plt.subplots(rows, columns, figsize=(3 * columns, 3 * rows), squeeze=False, layout="constrained")
    for axis in axes.flat[len(panels) :]:
        axis.axis("off")
    for axis, (title, classes, matrix) in zip(axes.flat, panels, strict=False):
        share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        axis.imshow(share, vmin=0, vmax=1, cmap="Blues")
        for i, j in np.ndindex(*matrix.shape):
            color = "white" if share[i, j] > 0.6 else "black"
            axis.text(j, i, f"{share[i, j]:.2f}", ha="center", va="center", fontsize=7, color=color)
        axis.set_xticks(range(len(classes)), classes, rotation=45, ha="right", fontsize=7)
        axis.set_yticks(range(len(classes)), classes, fontsize=7)
        axis.set_title(f"{title}, n = {matrix.sum()}", fontsize=8)
    return Figure("Figure 5: confusion matrices", f"A row holds the shares of a labelled class; rule “{rule}”", plot)


def heat_maps(with_eca, without_eca) -> Figure:
    """Figure 7: Grad-CAM of the S-stream's conv4, with and without ECA in the L-stream."""
    images, samples = with_eca.data(CPU).images, with_eca.samples
    rows = [samples.index[samples["emotion"] == emotion][0] for emotion in SHOWN if emotion in set(samples["emotion"])]
    maps = [recorded(e, lambda figures: figures["heat"]) for e in (with_eca, without_eca)]
    plot, axes = plt.subplots(3, len(rows), figsize=(2.2 * len(rows), 6.6), squeeze=False, layout="constrained")
    for column, row in zip(axes.T, rows, strict=True):
        sample, apex = samples.loc[row], images[row, 0]
        for axis in column:
            axis.imshow(apex, cmap="gray")
            axis.set(xticks=[], yticks=[])
        for axis, heat in zip(column[1:], maps, strict=True):
            extent = (-0.5, apex.shape[1] - 0.5, apex.shape[0] - 0.5, -0.5)
            heat = np.array(heat[sample["sample"]])
            axis.imshow(heat, cmap="jet", alpha=0.45, interpolation="bicubic", extent=extent, vmin=0, vmax=1)
        column[0].set_title(f"{sample['emotion']} (AU {sample['au_codes']})", fontsize=8)
    for axis, name in zip(axes[:, 0], ("apex", "with ECA", "without ECA"), strict=True):
        axis.set_ylabel(name, fontsize=8)
    return Figure("Figure 7: heat maps", "S-stream's conv4, for the class predicted by the last epoch", plot)


def distillation(with_skd, without_skd) -> Figure:
    """Figure 8: the deepest classifier's features without and with SKD."""
    panels = {"without SKD": (without_skd, ""), "with SKD": (with_skd, "")}
    return embeddings("Figure 8: t-SNE, self-knowledge distillation", panels)


def classifiers(experiment) -> Figure:
    """Figure 11: the features of each classifier."""
    panels = {name or "deepest": (experiment, name) for name in CLASSIFIERS}
    return embeddings(f"Figure 11: t-SNE, classifiers, {experiment.task.name}", panels)


def embeddings(title: str, panels) -> Figure:
    """t-SNE of the features that a classifier gives the clips of two people that its fold never saw, a row a person."""
    experiment = next(iter(panels.values()))[0]
    chosen, labels = people(experiment), experiment.samples.set_index("sample")
    shape = len(chosen), len(panels)
    plot, axes = plt.subplots(*shape, figsize=(2.7 * shape[1], 2.7 * shape[0]), squeeze=False, layout="constrained")
    for column, (name, (experiment, output)) in zip(axes.T, panels.items(), strict=True):
        features = recorded(experiment, lambda figures, output=output: figures["features"][output])
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
    return Figure(title, "Clips of people that the fold's network never saw, last epoch; places mean nothing", plot)


def people(experiment) -> list[str]:
    """Those of the paper's figures, or else the two with most clips."""
    counts = experiment.samples["subject"].value_counts()
    named = [person for person in PEOPLE if counts.get(person, 0) > 3]
    return named if len(named) > 1 else sorted(counts.index, key=lambda person: (-counts[person], person))[:2]


def recorded(experiment, part) -> dict[str, list]:
    """What the folds' records hold of each sample under `part` of their figures."""
    return {s: v for r in experiment.records() for s, v in zip(r["samples"], part(r["figures"]), strict=True)}


def variation(result) -> Figure:
    """Figure 9: UAR by row, a panel a corpus."""
    cells = [c for c in result.cells if c.measured is not None and c.rule != "none" and "UAR" in c.column]
    columns = list(dict.fromkeys(c.column for c in cells))
    plot, axes = plt.subplots(
        1, max(len(columns), 1), figsize=(3.2 * max(len(columns), 1), 2.8), squeeze=False, layout="constrained"
    )
    for axis, column in zip(axes[0], columns, strict=False):
        held = [c for c in cells if c.column == column]
        middle = np.array([c.measured for c in held])
        spread = np.abs(np.array([[c.low, c.high] for c in held]).T - middle)
        axis.errorbar([c.row for c in held], middle, spread, marker="o", linestyle="", capsize=3)
        axis.set_title(column, fontsize=9)
        axis.margins(x=0.2)
    return Figure(result.table.title, "Bars are 95 % intervals over subjects", plot)


def temporal_domains(experiments) -> Figure:
    """Figure 10: the T-stream's inputs, u above v, of one clip."""
    experiments = sorted(experiments, key=lambda e: e.config.domains)
    clip = experiments[0].samples["sample"].iloc[0]
    most = experiments[-1].config.domains
    plot, axes = plt.subplots(
        2 * len(experiments), most, figsize=(1.1 * most, 2.3 * len(experiments)), layout="constrained"
    )
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[], frame_on=False)
    for experiment, pair in zip(experiments, axes.reshape(len(experiments), 2, most), strict=True):
        data = experiment.data(CPU)
        flow = data.tensor(CPU, follow=experiment.config.follow)[data.ids.index(clip), data.images.shape[1] :]
        for axis, image in zip(pair.T.flat, flow, strict=False):
            axis.imshow(image, cmap="gray")
        pair[0, 0].set_ylabel(f"{experiment.config.domains}: u", fontsize=8)
        pair[1, 0].set_ylabel("v", fontsize=8)
    return Figure("Figure 10: temporal domains", f"The flows of {clip} as the network sees them", plot)
