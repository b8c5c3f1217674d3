"""Figures 4, 5 and 6 of the paper, drawn from the records."""

import numpy as np
import torch

from shared.report.figures import Figure, along_rows, grid, image, overlay, pictures

from .data import whole
from .train import Reconstruction, autoencoder, motion, take


def figures(session, experiments, results) -> list[Figure]:
    """What of Figures 4-6 the finished experiments allow."""
    drawn = []
    for result in results:
        if result.table.name == "figure4":
            caption = "The sampling interval δ of pre-training"
            drawn += along_rows(result, "Figure 4", caption, prefix="δ in ")
    for experiment in experiments:
        if experiment.task.name == "casme2-5-2019" and experiment.config == session.base:
            drawn += [reconstructions(experiment), heat_maps(experiment)]
    return drawn


def some(experiment, count: int = 4) -> list[int]:
    """Rows of samples to show: of different people and different classes."""
    samples = experiment.samples
    shuffled = samples.sample(frac=1, random_state=0)
    return list(shuffled.drop_duplicates("subject").drop_duplicates("target").index[:count])


@torch.no_grad()
def reconstructions(experiment) -> Figure:
    """Figure 5: I_t, I_{t+δ} and its reconstruction from I_t and C_Δ, on CASME II, which pre-training never saw."""
    config, rows = experiment.config, some(experiment)
    weights = experiment.pretraining.load()
    model = Reconstruction(config, autoencoder(config, experiment.session.weights_dir))
    take(model.miacnet, weights, "miacnet.")
    take(model.dit, weights, "dit.")
    I_t, I_td = whole(torch.tensor(experiment.data.stacked()[rows]), config.size)
    shown = [I_t, I_td, model.eval().predict(I_t, I_td)]
    if model.autoencoder is not None:
        shown.insert(2, model.autoencoder.decode(model.autoencoder.encode(I_td)))
    titles = ["$I_t$ (onset)", "$I_{t+\\delta}$ (apex)", "decoded $Z_{t+\\delta}$", "$\\hat{I}_{t+\\delta}$"]
    titles = titles if len(shown) == 4 else [titles[0], titles[1], titles[3]]
    shown = [((images + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1).numpy() for images in shown]
    plot, _ = pictures(list(zip(*shown, strict=True)), titles, width=2)
    caption = "The third column is the best that the autoencoder allows" if len(shown) == 4 else "In pixels"
    caption += f"; {motion(experiment.pretraining.history()[-1])}"
    return Figure("Figure 5: reconstructions", caption, plot)


def heat_maps(experiment) -> Figure:
    """Figure 6: Grad-CAM of the action branch on people that the fold never saw."""
    pairs, rows = experiment.data.stacked(), some(experiment)
    heat = experiment.tested(lambda record: record["figures"]["heat"])
    scores = experiment.scores()
    plot, axes = grid(len(rows), 3, width=2)
    for line, row in zip(axes, rows, strict=True):
        sample = experiment.samples.iloc[row]
        onset, apex = pairs[row]
        said = experiment.task.classes[int(np.argmax(scores[sample["sample"]]))]
        titles = f"{sample['emotion']} (AU {sample['au_codes']})", "", f"predicted {said}"
        for axis, pixels, title in zip(line, (onset, apex, apex), titles, strict=True):
            image(axis, pixels, title)
        overlay(line[2], heat[sample["sample"]], len(apex), vmin=0, vmax=1)
    return Figure("Figure 6: heat maps", "Onset, apex, Grad-CAM of F^a for the predicted class, last epoch", plot)
