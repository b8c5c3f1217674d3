"""Building blocks of the papers' figures."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from ..runs.config import Settings
from ..runs.experiment import Experiment
from ..runs.paper import Figure
from .results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Plot

METRIC = {"accuracy": "accuracy", "uf1": "UF1", "uar": "UAR", "f1_macro": "macro F1", "f1_binary": "binary F1"}


C = TypeVar("C", bound=Settings)


def config_of(experiment: Experiment, kind: type[C]) -> C:
    """The experiment's settings, which are of the paper's Config."""
    assert isinstance(experiment.config, kind)
    return experiment.config


def grid(
    rows: int, columns: int, *, width: float, height: float | None = None, **how: Any
) -> "tuple[Plot, np.ndarray]":
    """A plot and its axes (rows, columns), each `width` × `height` inches (default: square)."""
    from matplotlib.figure import Figure as Plot  # here, because a process that trains draws nothing

    plot = Plot(figsize=(width * columns, (height or width) * rows), layout="constrained")
    return plot, plot.subplots(rows, columns, squeeze=False, **how)


def panels(count: int, across: int, **how: Any) -> "tuple[Plot, list[Axes]]":
    """A plot of `count` panels, at most `across` beside each other; `how` is as for `grid`."""
    columns = max(min(count, across), 1)
    plot, axes = grid(max(-(-count // columns), 1), columns, **how)
    for axis in axes.flat[count:]:
        axis.set_axis_off()
    return plot, list(axes.flat[:count])


def image(axis: "Axes", pixels: ArrayLike, title: str = "", **how: Any) -> None:
    """An image (H, W) or (H, W, 3) without ticks."""
    axis.imshow(pixels, **how)
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=8)


def pictures(
    rows: Sequence[Sequence[ArrayLike]] | np.ndarray, titles: Sequence[str], *, width: float
) -> "tuple[Plot, np.ndarray]":
    """Images in rows, a title above each column."""
    plot, axes = grid(len(rows), len(titles), width=width)
    for i, (line, images) in enumerate(zip(axes, rows, strict=True)):
        for axis, pixels, title in zip(line, images, titles, strict=True):
            image(axis, pixels, title if i == 0 else "")
    return plot, axes


def overlay(axis: "Axes", heat: ArrayLike, size: int, **how: Any) -> None:
    """An activation map (h, w) over the image of size × size pixels that `axis` shows; of a flat one, that it is."""
    extent = (-0.5, size - 0.5, size - 0.5, -0.5)
    if np.ptp(np.asarray(heat)) == 0:
        style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7, "color": "white"}
        box = {"color": "black", "alpha": 0.6, "boxstyle": "round,pad=0.2"}
        axis.text(size / 2, size / 2, "no activation", bbox=box, **style)
        return
    axis.imshow(heat, cmap="jet", alpha=0.45, interpolation="bicubic", extent=extent, **how)


def draw_confusion(
    axis: "Axes", counts: np.ndarray, classes: Sequence[str], label: Callable[[int, float], str]
) -> None:
    """A confusion matrix (C, C), coloured by the shares of each true class; each cell says `label(count, share)`."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axis.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    for (i, j), share in np.ndenumerate(shares):
        colour = "white" if share > 0.6 else "black"
        axis.text(j, i, label(counts[i, j], share), ha="center", va="center", fontsize=7, color=colour)
    axis.set_xticks(range(len(classes)), classes, rotation=45, ha="right", fontsize=7)
    axis.set_yticks(range(len(classes)), classes, fontsize=7)


def label(result: Result, column: str) -> str:
    """The name of a column's metric, for an axis."""
    (found,) = [c for c in result.table.columns if c.name == column]
    return METRIC[found.metric] + " (%)" * (found.scale == 100)


def along_rows(
    result: Result, title: str, caption: str, *, only: str = "", prefix: str = "", **line: Any
) -> list[Figure]:
    """The measured numbers of a table along its rows, with intervals: a panel for each column with `only` in its name.

    `prefix` is cut off the rows' names. No figure while fewer than two rows have a number."""
    cells = [c for c in result.cells if c.measured is not None and c.rule != "none" and only in c.column]
    columns = list(dict.fromkeys(c.column for c in cells))
    if len({c.row for c in cells}) < 2:
        return []
    plot, axes = grid(1, len(columns), width=3.0, height=2.8)
    for axis, column in zip(axes[0], columns, strict=True):
        shown = [c for c in cells if c.column == column]
        middle = np.array([c.measured for c in shown])
        spread = np.abs(np.array([[c.low, c.high] for c in shown]).T - middle)
        axis.errorbar([c.row.removeprefix(prefix) for c in shown], middle, spread, marker="o", capsize=3, **line)
        axis.set_title(column, fontsize=9)
        axis.set_ylabel(label(result, column), fontsize=8)
        axis.margins(x=0.2)
    return [Figure(title, f"{caption}; bars are 95 % intervals over subjects", plot)]
