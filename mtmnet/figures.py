"""Figure 3 of the paper and its ablation as bars, drawn from the records."""

from collections.abc import Sequence

import numpy as np
import torch

from shared.pixels.images import load
from shared.report.figures import config_of, grid, label, pictures
from shared.report.results import Result
from shared.runs.experiment import Experiment
from shared.runs.paper import Figure
from shared.runs.session import Session

from .config import Config
from .data import ImagePairs
from .train import Left, macronet, psnr


def figures(session: Session, experiments: Sequence[Experiment], results: Sequence[Result]) -> list[Figure]:
    """The figures that the finished experiments allow."""
    compared = [r for r in results if len({c.row for c in r.cells if c.rule == "last" and c.measured is not None}) > 2]
    drawn = [ablation(result) for result in compared]
    for experiment in experiments:
        if experiment.task.name == "casme2-5-2019" and config_of(experiment, Config).pretrain == "eid":
            drawn += reconstructions(experiment)
            return [*drawn, macro_reconstructions(experiment)] if experiment.pretraining else drawn
    return drawn


def ablation(result: Result) -> Figure:
    """Tables 2 and 3 as bars with their intervals, one panel per column."""
    cells = [c for c in result.cells if c.measured is not None]
    columns, rows = dict.fromkeys(c.column for c in cells), list(dict.fromkeys(c.row for c in cells))
    N, R = len(columns), len(rows)
    plot, axes = grid(1, N, width=2.6 / N + 1.6, height=0.6 + 0.3 * R, sharey=True)
    for axis, column in zip(axes[0], columns, strict=True):
        for cell in (c for c in cells if c.column == column):
            interval = None
            if cell.measured is not None and cell.low is not None and cell.high is not None:
                interval = [[cell.measured - cell.low], [cell.high - cell.measured]]
            axis.barh(rows.index(cell.row), cell.measured, xerr=interval, color="C0" if interval else "0.7", capsize=2)
        axis.set_title(column, fontsize=8)
        axis.set_xlabel(label(result, column), fontsize=8)
        axis.set_yticks(range(len(rows)), rows, fontsize=8)
    axes[0, 0].invert_yaxis()
    return Figure(result.table.title, "Bars are 95 % intervals over subjects; grey: the constant baseline", plot)


def reconstructions(experiment: Experiment, count: int = 4) -> list[Figure]:
    """Figure 3: expression images and D_r's reconstructions, after the first stage, of people unseen and seen.

    The images are files beside the records; without these there is no figure.
    """
    left = [Left(**record["figures"]) for record in experiment.records()]
    rows = []
    for record_path in [experiment.record_path(fold) for fold in experiment.folds][:count]:
        files = [record_path.with_suffix(f".reconstruction-{part}.png") for part in ("test", "train")]
        if all(file.exists() for file in files):
            rows.append([image for file in files for image in np.split(np.asarray(load(str(file), "RGB")), 3, axis=1)])
    if not rows:
        return []
    titles = [f"{name}, {who}" for who in ("unseen", "seen") for name in ("$x_N$", "$x_E$", "reconstruction")]
    quality = "; ".join(
        f"{who}: {np.mean([fold.psnr[part] for fold in left]):.1f} dB to the expression image, "
        f"to which the neutral image has {np.mean([fold.neutral[part] for fold in left]):.1f} dB"
        for part, who in (("test", "people that the fold never saw"), ("train", "people it was trained on"))
    )
    plot, _ = pictures(rows, titles, width=1.6)
    by = config_of(experiment, Config).magnify
    magnified = f"; expressions magnified {by:g} times" if by != 1 else ""
    caption = f"MicroNet's; mean PSNR over all folds, {quality}{magnified}"
    return [Figure("Figure 3: reconstructions", caption, plot)]


@torch.no_grad()
def macro_reconstructions(experiment: Experiment) -> Figure:
    """MacroNet's reconstructions of its own training images, one row per class, with and without the expression."""
    config, pretraining = config_of(experiment, Config), experiment.pretraining
    assert pretraining is not None
    pairs = pretraining.data
    assert isinstance(pairs, ImagePairs)
    net = macronet(pretraining.load(), config).eval()
    first = {int(y): i for i, y in reversed(list(enumerate(pairs.y)))}
    x_N, x_E, _, _ = pairs.pixels(torch.tensor(sorted(first.values())))
    columns = [x_N, x_E, net(x_N, x_E).reconstruction, net(x_N, x_N).reconstruction]
    titles = ["$x_N$", "$x_E$", "$D_r([f_E^e, f_N^s])$", "$D_r([f_N^e, f_N^s])$"]
    rows = [[image.permute(1, 2, 0).numpy() for image in row] for row in zip(*columns, strict=True)]
    reconstructed, neutral = (psnr(x, x_E).mean() for x in (columns[2], x_N))
    caption = f"Of these images of {config.macro}: {reconstructed:.1f} dB, the neutral images {neutral:.1f} dB"
    plot, _ = pictures(rows, titles, width=1.6)
    return Figure("MacroNet's reconstructions", caption, plot)
