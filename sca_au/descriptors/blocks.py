"""Spatial blocks: where they lie, and the histograms of codes in them."""

from collections.abc import Sequence

import numpy as np


def checked(volume: np.ndarray, **counts: int | Sequence[int]) -> np.ndarray:
    """The volume as an array. ValueError where it is not (T, H, W), or where a count is not a whole number above 0."""
    volume = np.asarray(volume)
    if volume.ndim != 3 or volume.dtype.kind not in "buif" or not np.isfinite(volume).all():
        raise ValueError(
            f"expected a grey volume (T, H, W) of finite real numbers, got an array of {volume.shape}, {volume.dtype}"
        )
    for name, given in counts.items():
        if not all(isinstance(n, (int, np.integer)) and n > 0 for n in np.ravel(np.array(given, dtype=object))):
            raise ValueError(f"{name} must be whole numbers of 1 or more, got {given}")
    return volume


def edges(length: int, parts: int) -> np.ndarray:
    """Borders of `parts` stretches of `length`, as even as may be: (parts + 1,); ValueError when one would be empty."""
    if length < parts:
        raise ValueError(f"{length} pixels or frames cannot be split into {parts} parts")
    return np.rint(np.linspace(0, length, parts + 1)).astype(int)


def interior(
    volume: np.ndarray, margins: Sequence[int] | np.ndarray, offset: Sequence[int] | np.ndarray = (0, 0, 0)
) -> np.ndarray:
    """View of a volume less its margins, moved by offset, all as (t, y, x); ValueError when nothing is left of it."""
    if any(n <= 2 * m for n, m in zip(volume.shape, margins, strict=True)):
        raise ValueError(f"a volume (T, H, W) of {volume.shape} is too small for margins of {tuple(margins)}")
    return volume[tuple(slice(m + o, n - m + o) for n, m, o in zip(volume.shape, margins, offset, strict=True))]


def histograms(codes: np.ndarray, bins: int, blocks: int) -> np.ndarray:
    """Normalised histogram of each spatial block, row by row: codes (T, H, W) below bins -> (blocks², bins)."""
    _, H, W = codes.shape
    ys, xs = edges(H, blocks), edges(W, blocks)
    counts = np.stack(
        [
            np.bincount(codes[:, y0:y1, x0:x1].ravel(), minlength=bins)
            for y0, y1 in zip(ys, ys[1:], strict=False)
            for x0, x1 in zip(xs, xs[1:], strict=False)
        ]
    )
    return counts / counts.sum(1, keepdims=True)
