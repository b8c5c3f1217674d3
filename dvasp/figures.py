"""Figures 1 (a) and 5 of the paper, drawn from the records."""

from dataclasses import replace

import numpy as np
import torch

from shared.report.figures import Figure, grid, image, overlay, pictures

from .data import APEX, MAGNIFIED, ONSET, central


def figures(session, experiments, results) -> list[Figure]:
    """What of Figures 1 (a) and 5 the finished experiments allow."""
    compared = {
        "Baseline": replace(session.base, views=1, method="none"),
        "ASP-18": replace(session.base, views=1),
        "Lv+Lmv": replace(session.base, method="none"),
        "DVASP-18": session.base,
    }
    drawn = []
    for task in dict.fromkeys(e.task for e in experiments):
        of = {e.config: e for e in experiments if e.task is task}
        finished = {name: of[config] for name, config in compared.items() if config in of}
        if finished:
            drawn += [magnified(*finished.values()), activation_maps(task, finished)]
    return drawn


def some(experiment) -> list[tuple[int, int]]:
    """(row, index of an AU) to show: a sample for each AU, as few of the others in it as there are."""
    targets = np.array(experiment.samples["target"].tolist())
    found = []
    for au in range(targets.shape[1]):
        showing = [row for row in np.flatnonzero(targets[:, au]) if row not in [r for r, _ in found]]
        if showing:
            found.append((int(min(showing, key=lambda row: targets[row].sum())), au))
    return found


def frames(experiment) -> np.ndarray:
    """Onset, apex and magnified apex of all samples (N, 3, resize, resize, 3)."""
    return experiment.data.stacked()


def magnified(experiment, *others) -> Figure:
    """Figure 1 (a): the apex before and after its motion is magnified."""
    rows, images = [row for row, _ in some(experiment)][:4], frames(experiment)
    plot, axes = pictures(images[rows][:, [ONSET, APEX, MAGNIFIED]], ("onset", "apex", "magnified"), width=1.9)
    for line, codes in zip(axes, experiment.samples["au_codes"].iloc[rows], strict=True):
        line[0].set_ylabel(f"AU {codes}", fontsize=8)
    ratio = f"{experiment.config.ratio:g}"
    return Figure(f"Figure 1 (a), {experiment.task.name}", f"The motion from the onset times {ratio}", plot)


def activation_maps(task, finished) -> Figure:
    """Figure 5: of each AU a sample that shows it, and where each network sees it; people whom the fold never saw."""
    first = next(iter(finished.values()))
    shown, images = some(first), frames(first)[:, MAGNIFIED]
    maps = {name: e.tested(lambda record: record["figures"]["maps"]) for name, e in finished.items()}
    said = {name: e.scores() for name, e in finished.items()}
    columns = [(name, v) for name, e in finished.items() for v in range(e.config.views)]
    plot, axes = grid(len(shown), 1 + len(columns), width=1.8)
    size = first.config.size
    for line, (row, au) in zip(axes, shown, strict=True):
        sample = first.samples["sample"].iloc[row]
        face = central(torch.tensor(images[[row]]), size)[0].movedim(0, -1).numpy()
        for axis in line:
            image(axis, face)
        line[0].set_ylabel(f"AU {task.aus[au]}", fontsize=9)
        for axis, (name, v) in zip(line[1:], columns, strict=True):
            overlay(axis, maps[name][sample][str(au)][v], size, vmin=0, vmax=1)
            if said[name][sample][au] <= 0.5:  # the paper's red rectangle
                axis.spines[:].set(color="red", linewidth=3)
            view = f", v{v + 1}" if finished[name].config.views == 2 else ""
            axis.set_title(f"{name}{view}" if row == shown[0][0] else "", fontsize=9)
    what = f"Class activation maps of “present” in each view, {size // 32}×{size // 32}, on the magnified apex"
    caption = f"{what}; a red frame: the AU is missed"
    return Figure(f"Figure 5, {task.name}", caption, plot)
