"""What figures of several papers are made of."""

from collections.abc import Callable, Sequence

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Plot

from ..runs.paper import Figure


def grid(rows: int, columns: int, *, width: float, height: float | None = None, **how) -> tuple[Plot, np.ndarray]:
    """A plot and its axes (rows, columns), each `width` × `height` inches (square where it is not given)."""
    size = width * columns, (height or width) * rows
    return plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **how)


def image(axis: Axes, pixels, title: str = "", **how) -> None:
    """An image without ticks."""
    axis.imshow(pixels, **how)
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=8)


def pictures(rows: Sequence[Sequence], titles: Sequence[str], *, width: float) -> tuple[Plot, np.ndarray]:
    """Images in rows, a title above each column."""
    plot, axes = grid(len(rows), len(titles), width=width)
    for i, (line, pixels) in enumerate(zip(axes, rows, strict=True)):
        for axis, each, title in zip(line, pixels, titles, strict=True):
            image(axis, each, title if i == 0 else "")
    return plot, axes


def overlay(axis: Axes, heat, size: int, **how) -> None:
    """An activation map over what `axis` shows, of size × size pixels."""
    extent = (-0.5, size - 0.5, size - 0.5, -0.5)
    axis.imshow(heat, cmap="jet", alpha=0.45, interpolation="bicubic", extent=extent, **how)


def draw_confusion(axis: Axes, counts: np.ndarray, classes: Sequence[str], said: Callable[[int, float], str]) -> None:
    """A confusion matrix (C, C): colours are the shares of a labelled class, in each cell `said(count, share)`."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axis.imshow(share, vmin=0, vmax=1, cmap="Blues")
    for i, j in np.ndindex(*counts.shape):
        colour = "white" if share[i, j] > 0.6 else "black"
        axis.text(j, i, said(counts[i, j], share[i, j]), ha="center", va="center", fontsize=7, color=colour)
    axis.set_xticks(range(len(classes)), classes, rotation=45, ha="right", fontsize=7)
    axis.set_yticks(range(len(classes)), classes, fontsize=7)


def along_rows(result, title: str, caption: str, *, only: str = "", prefix: str = "", **line) -> list[Figure]:
    """A table's rows against what was measured, with intervals: a panel a column, of those with `only` in their name.

    `prefix` is left out of the rows' names. Nothing while fewer than two rows have a number.
    """
    cells = [c for c in result.cells if c.measured is not None and c.rule != "none" and only in c.column]
    columns = list(dict.fromkeys(c.column for c in cells))
    if len({c.row for c in cells}) < 2:
        return []
    plot, axes = grid(1, len(columns), width=3.0, height=2.8)
    for axis, column in zip(axes[0], columns, strict=True):
        held = [c for c in cells if c.column == column]
        middle = np.array([c.measured for c in held])
        spread = np.abs(np.array([[c.low, c.high] for c in held]).T - middle)
        axis.errorbar([c.row.removeprefix(prefix) for c in held], middle, spread, marker="o", capsize=3, **line)
        axis.set_title(column, fontsize=9)
        axis.margins(x=0.2)
    return [Figure(title, f"{caption}; bars are 95 % intervals over subjects", plot)]
