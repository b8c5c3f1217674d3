"""Figures 1 (a) and 5 of the paper, drawn from the records."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from shared.report.figures import config_of, grid, image, overlay, pictures
from shared.report.results import Result
from shared.runs.experiment import Experiment
from shared.runs.paper import Figure
from shared.runs.session import Session
from shared.tasks import Task

from .config import Config
from .data import APEX, MAGNIFIED, ONSET, central
from .train import Left


def figures(session: Session, experiments: Sequence[Experiment], results: Sequence[Result]) -> list[Figure]:
    """The figures that the finished experiments allow."""
    base = session.base
    assert isinstance(base, Config)
    compared = {
        "Baseline": replace(base, views=1, method="none"),
        "ASP-18": replace(base, views=1),
        "Lv+Lmv (ours)": replace(base, method="none"),  # not in the paper's figure
        "DVASP-18": base,
    }
    drawn: list[Figure] = []
    for task in dict.fromkeys(e.task for e in experiments):
        of = {e.config: e for e in experiments if e.task is task}
        finished = {name: of[config] for name, config in compared.items() if config in of}
        if finished:
            drawn += [magnified(next(iter(finished.values()))), activation_maps(task, finished)]
    return drawn


def chosen(experiment: Experiment) -> list[tuple[int, int]]:
    """(row, index of an AU) of the samples to show: for each AU, the sample that shows the fewest others."""
    targets = np.array(experiment.samples["target"].tolist())
    found: list[tuple[int, int]] = []
    for au in range(targets.shape[1]):
        showing = [row for row in np.flatnonzero(targets[:, au]) if row not in [r for r, _ in found]]
        if showing:
            found.append((int(min(showing, key=lambda row: targets[row].sum())), au))
    return found


def magnified(experiment: Experiment) -> Figure:
    """Figure 1 (a): the apex before and after its motion is magnified."""
    rows, images = [row for row, _ in chosen(experiment)][:4], experiment.data.stacked()
    plot, axes = pictures(list(images[rows][:, [ONSET, APEX, MAGNIFIED]]), ("onset", "apex", "magnified"), width=1.9)
    for line, codes in zip(axes, experiment.samples["au_codes"].iloc[rows], strict=True):
        line[0].set_ylabel(f"AU {codes}", fontsize=8)
    ratio = f"{config_of(experiment, Config).ratio:g}"
    return Figure(f"Figure 1 (a), {experiment.task.name}", f"The motion from the onset times {ratio}", plot)


def activation_maps(task: Task, finished: Mapping[str, Experiment]) -> Figure:
    """Figure 5: for each AU a sample that shows it and each network's maps, of people whom the fold never saw."""
    first = next(iter(finished.values()))
    shown, images = chosen(first), first.data.stacked()[:, MAGNIFIED]
    maps = {name: e.tested(lambda record: Left(**record["figures"]).maps) for name, e in finished.items()}
    scores = {name: e.scores() for name, e in finished.items()}
    columns = [(name, v) for name, e in finished.items() for v in range(config_of(e, Config).views)]
    plot, axes = grid(len(shown), 1 + len(columns), width=1.8)
    size = config_of(first, Config).size
    for line, (row, au) in zip(axes, shown, strict=True):
        sample = first.samples["sample"].iloc[row]
        face = central(torch.tensor(images[[row]]), size)[0].movedim(0, -1).numpy()
        for axis in line:
            image(axis, face)
        line[0].set_ylabel(f"AU {task.aus[au]}", fontsize=9)
        for axis, (name, v) in zip(line[1:], columns, strict=True):
            overlay(axis, maps[name][sample][str(au)][v], size, vmin=0, vmax=1)
            if scores[name][sample][au] <= 0.5:  # the paper's red rectangle
                axis.spines[:].set(color="red", linewidth=3)
            view = f", v{v + 1}" if config_of(finished[name], Config).views == 2 else ""
            axis.set_title(f"{name}{view}" if row == shown[0][0] else "", fontsize=9)
    what = f"Class activation maps of “present” in each view, {size // 32}×{size // 32}, on the magnified apex"
    caption = f"{what}; a red frame: the AU is missed"
    return Figure(f"Figure 5, {task.name}", caption, plot)
