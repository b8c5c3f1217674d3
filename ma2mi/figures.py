"""Figures 4, 5 and 6 of the paper, drawn from the records."""

import numpy as np
import torch
from matplotlib import pyplot as plt
from safetensors.torch import load_file

from shared.page import Figure

from .data import whole
from .train import Reconstruction, autoencoder, take


def figures(bench, experiments, results) -> list[Figure]:
    """What of Figures 4-6 the finished experiments allow."""
    drawn = []
    for result in results:
        if result.table.name == "figure4":
            drawn += interval(result)
    for experiment in experiments:
        if experiment.task.name == "casme2-5" and experiment.config == bench.base:
            drawn += [reconstructions(experiment), heat_maps(experiment)]
    return drawn


def interval(result) -> list[Figure]:
    """Figure 4: the effect of the sampling interval δ."""
    cells = [c for c in result.cells if c.measured is not None and c.rule != "none"]
    columns, rows = dict.fromkeys(c.column for c in cells), list(dict.fromkeys(c.row for c in cells))
    if len(rows) < 2:
        return []
    plot, axes = plt.subplots(1, len(columns), figsize=(2.8 * len(columns), 2.8), squeeze=False, layout="constrained")
    for axis, column in zip(axes[0], columns, strict=True):
        chosen = [c for c in cells if c.column == column]
        middle = np.array([c.measured for c in chosen])
        spread = np.abs(np.array([[c.low, c.high] for c in chosen]).T - middle)
        axis.errorbar([c.row.removeprefix("δ in ") for c in chosen], middle, spread, marker="o", capsize=3)
        axis.set(title=column, xlabel="δ in")
    return [Figure("Figure 4", "The sampling interval δ of pre-training; bars are 95 % intervals over subjects", plot)]


def some(experiment, count: int = 4) -> list[int]:
    """Rows of samples to show: of different people and different classes."""
    samples = experiment.samples
    shuffled = samples.sample(frac=1, random_state=0)
    return list(shuffled.drop_duplicates("subject").drop_duplicates("target").index[:count])


@torch.no_grad()
def reconstructions(experiment) -> Figure:
    """Figure 5: I_t, I_{t+δ} and its reconstruction from I_t and C_Δ, on CASME II, which pre-training never saw."""
    config, rows = experiment.config, some(experiment)
    weights = load_file(experiment.pretraining.weights)
    model = Reconstruction(config, autoencoder(config, experiment.bench.weights))
    take(model.miacnet, weights, "miacnet.")
    take(model.dit, weights, "dit.")
    I_t, I_td = whole(torch.tensor(experiment.data(torch.device("cpu")).stacked()[rows]), config.size)
    shown = [I_t, I_td, model.eval().predict(I_t, I_td)]
    if model.autoencoder is not None:
        shown.insert(2, model.autoencoder.decode(model.autoencoder.encode(I_td)))
    titles = ["$I_t$ (onset)", "$I_{t+\\delta}$ (apex)", "decoded $Z_{t+\\delta}$", "$\\hat{I}_{t+\\delta}$"]
    titles = titles if len(shown) == 4 else [titles[0], titles[1], titles[3]]
    plot, axes = plt.subplots(len(rows), len(shown), figsize=(1.9 * len(shown), 2 * len(rows)), layout="constrained")
    for i, images in enumerate(zip(*shown, strict=True)):
        for axis, image, title in zip(axes[i], images, titles, strict=True):
            axis.imshow(((image + 1) / 2).clamp(0, 1).permute(1, 2, 0).numpy())
            axis.set_title(title if i == 0 else "", fontsize=9)
            axis.axis("off")
    caption = "The third column is the best that the autoencoder allows" if len(shown) == 4 else "In pixels"
    return Figure("Figure 5: reconstructions", caption, plot)


def heat_maps(experiment) -> Figure:
    """Figure 6: Grad-CAM of the action branch on people that the fold never saw."""
    pairs, rows = experiment.data(torch.device("cpu")).stacked(), some(experiment)
    heat, said = {}, {}
    for record in experiment.records():
        for sample, values, scores in zip(
            record["samples"], record["figures"]["heat"], record["predictions"]["last"]["scores"][""], strict=True
        ):
            heat[sample], said[sample] = np.array(values), experiment.task.classes[int(np.argmax(scores))]
    plot, axes = plt.subplots(len(rows), 3, figsize=(6, 2.1 * len(rows)), layout="constrained")
    for i, row in enumerate(rows):
        sample = experiment.samples.iloc[row]
        onset, apex = pairs[row]
        size = onset.shape[0]
        for axis, image in zip(axes[i], (onset, apex, apex), strict=True):
            axis.imshow(image)
            axis.axis("off")
        axes[i, 2].imshow(
            heat[sample["sample"]],
            cmap="jet",
            alpha=0.45,
            interpolation="bicubic",
            extent=(0, size, size, 0),
            vmin=0,
            vmax=1,
        )
        axes[i, 0].set_title(f"{sample['emotion']} (AU {sample['au_codes']})", fontsize=8)
        axes[i, 2].set_title(f"predicted {said[sample['sample']]}", fontsize=8)
    return Figure("Figure 6: heat maps", "Onset, apex, Grad-CAM of F^a for the predicted class, last epoch", plot)
