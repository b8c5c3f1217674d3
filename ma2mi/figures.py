"""Figures 4, 5 and 6 of the paper, drawn from the records."""

from collections.abc import Sequence

import numpy as np
import torch

from shared.report.figures import along_rows, config_of, grid, image, overlay, pictures
from shared.report.results import Result
from shared.runs.experiment import Experiment
from shared.runs.paper import Figure
from shared.runs.session import Session

from .config import Config, reconstructs
from .data import whole
from .train import Left, Reconstruction, autoencoder, motion, take


def figures(session: Session, experiments: Sequence[Experiment], results: Sequence[Result]) -> list[Figure]:
    """The figures that the finished experiments allow."""
    drawn = []
    for result in results:
        if result.table.name == "figure4":
            caption = "The sampling interval δ of pre-training"
            drawn += along_rows(result, "Figure 4", caption, prefix="δ in ")
    for experiment in experiments:
        if experiment.task.name == "casme2-5-2019" and experiment.config == session.base:
            if reconstructs(config_of(experiment, Config)):
                drawn.append(reconstructions(experiment))
            drawn.append(heat_maps(experiment))
    return drawn


def chosen(experiment: Experiment, count: int = 4) -> list[int]:
    """Indices of samples to show: of different people and different classes."""
    shuffled = experiment.samples.sample(frac=1, random_state=0)
    return list(shuffled.drop_duplicates("subject").drop_duplicates("target").index[:count])


@torch.no_grad()
def reconstructions(experiment: Experiment) -> Figure:
    """Figure 5: I_t, I_{t+δ} and its reconstruction from I_t and C_Δ, on CASME II, which pre-training never saw."""
    config, rows, pretraining = config_of(experiment, Config), chosen(experiment), experiment.pretraining
    assert pretraining is not None
    weights = pretraining.load()
    model = Reconstruction(config, autoencoder(config, experiment.session.weights_dir))
    take(model.miacnet, weights, "miacnet.")
    take(model.dit, weights, "dit.")
    I_t, I_td = whole(torch.tensor(experiment.data.stacked()[rows]), config.size)
    columns = {"$I_t$ (onset)": I_t, "$I_{t+\\delta}$ (apex)": I_td}
    caption = "In pixels"
    if model.autoencoder is not None:
        columns["decoded $Z_{t+\\delta}$"] = model.autoencoder.decode(model.autoencoder.encode(I_td))
        caption = "The third column is the best that the autoencoder allows"
    columns["$\\hat{I}_{t+\\delta}$"] = model.eval().predict(I_t, I_td)
    shown = [((images + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1).numpy() for images in columns.values()]
    plot, _ = pictures(list(zip(*shown, strict=True)), list(columns), width=2)
    return Figure("Figure 5: reconstructions", f"{caption}; {motion(pretraining.history()[-1])}", plot)


def heat_maps(experiment: Experiment) -> Figure:
    """Figure 6: Grad-CAM of the action branch on people that the fold never saw."""
    pairs, rows = experiment.data.stacked(), chosen(experiment)
    heat = experiment.tested(lambda record: Left(**record["figures"]).heat)
    scores = experiment.scores()
    plot, axes = grid(len(rows), 3, width=2)
    for line, row in zip(axes, rows, strict=True):
        sample = experiment.samples.iloc[row]
        onset, apex = pairs[row]
        predicted = experiment.task.classes[int(np.argmax(scores[sample["sample"]]))]
        titles = f"{sample['emotion']} (AU {sample['au_codes']})", "", f"predicted {predicted}"
        for axis, pixels, title in zip(line, (onset, apex, apex), titles, strict=True):
            image(axis, pixels, title)
        overlay(line[2], heat[sample["sample"]], len(apex), vmin=0, vmax=1)
    caption = "Onset, apex, Grad-CAM of F^a for the predicted class, at the epoch of the rule "
    return Figure("Figure 6: heat maps", f"{caption}“{experiment.session.rule}”", plot)
