"""Figure 3 of the paper and its ablation as bars, drawn from the records."""

import base64
import io

import numpy as np
import torch
from matplotlib import pyplot as plt
from PIL import Image

from shared.page import Figure


def figures(bench, experiments, results) -> list[Figure]:
    """What the finished experiments allow."""
    drawn = [ablation(result) for result in results if len({c.row for c in result.cells if c.rule == "last"}) > 2]
    told = [e for e in experiments if e.task.name == "casme2-5" and e.config.pretrain == "eid"]
    return drawn + [reconstructions(e) for e in told[:1]]


def ablation(result) -> Figure:
    """Tables 2 and 3 as bars with their intervals, a panel a column."""
    cells = [c for c in result.cells if c.measured is not None]
    columns, rows = dict.fromkeys(c.column for c in cells), list(dict.fromkeys(c.row for c in cells))
    plot, axes = plt.subplots(
        1, len(columns), figsize=(2.6 + 1.6 * len(columns), 0.6 + 0.3 * len(rows)), sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for axis, column in zip(axes[0], columns, strict=True):
        for cell in (c for c in cells if c.column == column):
            interval = None if cell.low is None else [[cell.measured - cell.low], [cell.high - cell.measured]]
            axis.barh(rows.index(cell.row), cell.measured, xerr=interval, color="C0" if interval else "0.7", capsize=2)
        axis.set_title(column, fontsize=8)
        axis.set_yticks(range(len(rows)), rows, fontsize=8)
    axes[0, 0].invert_yaxis()
    return Figure(result.table.title, "Bars are 95 % intervals over subjects; grey: the constant baseline", plot)


def reconstructions(experiment, count: int = 4) -> Figure:
    """Figure 3: expression images and D_r's reconstructions, after the first stage, of people unseen and seen."""
    clips = experiment.data(torch.device("cpu")).stacked()
    place = {sample: i for i, sample in enumerate(experiment.samples["sample"])}
    made = [record["figures"]["reconstructions"] for record in experiment.records()]
    plot, axes = plt.subplots(min(count, len(made)), 6, figsize=(9.5, 1.7 * min(count, len(made))), squeeze=False,
                              layout="constrained")  # fmt: skip
    for i, (line, record) in enumerate(zip(axes, made, strict=False)):
        for three, (part, who) in zip((line[:3], line[3:]), (("test", "unseen"), ("train", "seen")), strict=True):
            clip = clips[place[record[part]["sample"]]]
            image = Image.open(io.BytesIO(base64.b64decode(record[part]["png"])))
            shown = clip[0], clip[1 + (len(clip) - 1) // 2], image
            for axis, image, title in zip(three, shown, ("$x_N$", "$x_E$", "reconstruction"), strict=True):
                axis.imshow(image)
                axis.axis("off")
                axis.set_title(f"{title}, {who}" if i == 0 else "", fontsize=8)
    caption = "; ".join(
        f"{who}: {np.mean([r[part]['psnr'] for r in made]):.1f} dB to the expression image, "
        f"whose own neutral image has {np.mean([r[part]['neutral'] for r in made]):.1f} dB"
        for part, who in (("test", "people that the fold never saw"), ("train", "people it was trained on"))
    )
    return Figure("Figure 3: reconstructions", f"Mean PSNR over all folds, {caption}", plot)
