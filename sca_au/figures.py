"""Figures 1, 5, 6 and 7 of the paper and the cost of Section 4.4, drawn from the records."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from shared.corpora.samples import Reading
from shared.report.figures import config_of, grid, image, overlay
from shared.report.results import Result
from shared.runs.experiment import Experiment
from shared.runs.paper import Figure
from shared.runs.session import Session

from .config import Config
from .data import central
from .train import Left


def figures(session: Session, experiments: Sequence[Experiment], results: Sequence[Result]) -> list[Figure]:
    """The figures that the finished experiments allow."""
    drawn = [accuracies(r) for r in results if r.table.name == "figure5" and any(c.measured for c in r.cells)]
    networks = [e for e in experiments if config_of(e, Config).descriptor == "none"]
    for task in dict.fromkeys(e.task for e in experiments):
        chosen = [e for e in networks if e.task == task]
        if task.name == "casme2-au8":
            macro = session.reading("CK+")
            samples = next(e.samples for e in experiments if e.task == task)
            drawn.append(correlations(samples, None if isinstance(macro, str) else macro, task.aus))
        if chosen:
            drawn += [activation_maps(chosen), failures(chosen)]
    if networks:
        drawn.append(cost(networks))
    return drawn


def correlations(samples: pd.DataFrame, macro: Reading | None, aus: tuple[int, ...]) -> Figure:
    """Figure 1: how action units go together, micro-expressions below the diagonal, macro-expressions above it."""
    matrix = correlation(samples, aus)
    beside = "macro-expressions are not drawn: no CK+ here"
    if macro is not None:
        upper = np.triu_indices(len(aus), 1)
        matrix[upper] = correlation(macro.samples, aus)[upper]
        broken = f", {len(macro.problems)} broken ones left out" if macro.problems else ""
        beside = f"above it in CK+ ({len(macro.samples)} clips{broken}; the paper adds GFT and BP4D)"
    else:
        matrix[np.triu_indices(len(aus), 1)] = np.nan
    plot, ((axis,),) = grid(1, 1, width=4.6, height=4.2)
    shown = axis.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r")
    for (i, j), r in np.ndenumerate(matrix):
        if np.isfinite(r):
            colour = "white" if abs(r) > 0.6 else "black"
            axis.text(j, i, f"{r:.2f}", ha="center", va="center", fontsize=7, color=colour)
    names = [f"AU{au}" for au in aus]
    axis.set_xticks(range(len(aus)), names, fontsize=8)
    axis.set_yticks(range(len(aus)), names, fontsize=8)
    plot.colorbar(shown, shrink=0.8)
    return Figure("Figure 1", f"Correlation of action units: below the diagonal in CASME II, {beside}", plot)


def correlation(samples: pd.DataFrame, aus: tuple[int, ...]) -> np.ndarray:
    """Correlation coefficients (A, A) of presence; nan for a unit that is always or never present."""
    present = np.array([[au in row for au in aus] for row in samples["aus"]], float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.corrcoef(present.T)


def accuracies(result: Result) -> Figure:
    """Figure 5: average accuracy of the networks, bars with 95 % intervals."""
    cells = [c for c in result.cells if c.measured is not None and c.rule != "none"]
    corpora, rows = list(dict.fromkeys(c.column for c in cells)), list(dict.fromkeys(c.row for c in cells))
    plot, ((axis,),) = grid(1, 1, width=7, height=3)
    width = 0.8 / len(rows)
    for k, row in enumerate(rows):
        own = {c.column: c for c in cells if c.row == row}
        place = np.array([i for i, corpus in enumerate(corpora) if corpus in own]) + (k - (len(rows) - 1) / 2) * width
        found = [own[corpus] for corpus in corpora if corpus in own]
        height = np.array([c.measured for c in found])
        spread = np.abs(np.array([[c.low, c.high] for c in found]).T - height)
        axis.bar(place, height, width, yerr=spread, label=row, error_kw={"linewidth": 0.8})
    axis.set_xticks(range(len(corpora)), [name.removesuffix(" accuracy") for name in corpora])
    axis.set(ylabel="accuracy", ylim=(0, 1))
    plot.legend(fontsize=7, loc="outside right upper")
    return Figure(
        "Figure 5", "Accuracy, the mean over action units, pooled; bars are 95 % intervals over subjects", plot
    )


def variant(experiment: Experiment) -> str:
    """The name of an experiment's method in Figure 6."""
    attention, depth = config_of(experiment, Config).attention, config_of(experiment, Config).depth
    names = {"none": "baseline", "SA": "SA", "CA": "CA", "scalar": "SCA_Learn", "rows": "SCA_Learn by rows"}
    name = names.get(attention) or f"SCA_{attention.capitalize()}"
    return name if depth == 18 else f"{depth}: {name}"


def activation_maps(experiments: Sequence[Experiment]) -> Figure:
    """Figure 6: class activation maps of each method, one row for each of four units, AU14 of Sec. 4.3 among them."""
    samples, aus = experiments[0].samples, experiments[0].task.aus
    target = np.array(samples["target"].tolist())
    rng = np.random.default_rng(0)
    drawn = [(unit, int(rng.choice(np.flatnonzero(t)))) for unit, t in enumerate(target.T) if t.any()]
    chosen = sorted(sorted(drawn, key=lambda place: aus[place[0]] != 14)[:4])
    title = f"Figure 6: activation maps, {experiments[0].task.name}"
    names = ", ".join(f"AU{aus[unit]}" for unit, _ in chosen)
    caption = f"One clip per action unit, drawn at random from those that show it ({names})"
    return maps_of(experiments, chosen, title, caption)


def failures(experiments: Sequence[Experiment]) -> Figure:
    """Figure 7: the clips about whose action unit the paper's method, else the last one, is most wrong."""
    target = np.array(experiments[0].samples["target"].tolist())
    method = next((e for e in experiments if variant(e) == "SCA_Learn"), experiments[-1])
    found = method.scores()
    scores = np.array([found[sample] for sample in experiments[0].samples["sample"]])
    worst = np.argsort(np.where(target > 0, scores, np.inf), axis=None)[:2]
    chosen = [(int(i % target.shape[1]), int(i // target.shape[1])) for i in worst]
    caption = f"Where {variant(method)} gives an action unit that is there the least probability"
    return maps_of(experiments, chosen, f"Figure 7: failures, {experiments[0].task.name}", caption)


def maps_of(experiments: Sequence[Experiment], chosen: list[tuple[int, int]], title: str, caption: str) -> Figure:
    """The middle frames of the chosen (unit, sample index), under the unit's activation map of each experiment."""
    first, size = experiments[0], config_of(experiments[0], Config).size
    samples, clips = first.samples, first.data.x
    maps = [e.tested(lambda record: Left(**record["figures"]).maps) for e in experiments]
    scores = [e.scores() for e in experiments]
    plot, axes = grid(len(chosen), 1 + len(experiments), width=1.7, height=1.9)
    for (unit, row), line in zip(chosen, axes, strict=True):
        clip = central(torch.tensor(clips[row : row + 1]), size)[0].numpy()
        sample = samples["sample"][row]
        image(line[0], clip[len(clip) // 2], f"AU{first.task.aus[unit]} of {samples['au_codes'][row]}")
        for axis, experiment, heat, score in zip(line[1:], experiments, maps, scores, strict=True):
            image(axis, clip[len(clip) // 2], f"{variant(experiment)}: {score[sample][unit]:.2f}")
            overlay(axis, heat[sample][unit], size)
    about = "with each method's probability; each map has its own colours, from its least to its greatest value"
    return Figure(title, f"{caption}, {about}", plot)


def cost(experiments: Sequence[Experiment]) -> Figure:
    """Section 4.4: each experiment's parameters, their size in float32 and the time of a training step."""
    lines = []
    for experiment in experiments:
        records = experiment.records()
        step = np.mean([record["times"]["step"] for record in records])
        n = Left(**records[0]["figures"]).parameters
        size = f"{4e-6 * n:,.1f}"
        lines.append((experiment.task.name, variant(experiment), f"{n:,}", size, f"{step:.3f}", records[0]["device"]))
    plot, ((axis,),) = grid(1, 1, width=7.5, height=0.5 + 0.28 * len(lines))
    axis.axis("off")
    table = axis.table(lines, colLabels=("task", "method", "parameters", "MB", "s a step", "device"), loc="center")
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    batch = config_of(experiments[0], Config).batch
    paper = "the paper: 64 clips, 0.783 s on a Tesla K80c, “260 M parameters” on average"
    caption = f"Batches of {batch} clips, means over the folds ({paper})"
    return Figure("Section 4.4: cost", caption, plot)
