"""Local binary patterns on three orthogonal planes (LBP-TOP) and with six intersection points (LBP-SIP)."""

from collections.abc import Iterable, Sequence
from math import cos, pi, sin

import numpy as np

from .blocks import checked, histograms, interior

Offset = Sequence[int] | np.ndarray  # (t, y, x)


def uniform_labels(neighbours: int) -> np.ndarray:
    """Label of every pattern: those of at most two changes round the circle count from 0, all others share the last."""
    patterns = np.arange(2**neighbours)
    turned = patterns >> 1 | (patterns & 1) << (neighbours - 1)
    changes = sum((patterns ^ turned) >> p & 1 for p in range(neighbours))
    uniform = changes <= 2
    return np.where(uniform, uniform.cumsum() - 1, uniform.sum()).astype(np.uint8)


def circle(neighbours: int, cosine: np.ndarray, sine: np.ndarray) -> list[Offset]:
    """Offsets of points round an ellipse spanned by two axes, each rounded to the nearest voxel."""
    angles = [2 * pi * p / neighbours for p in range(neighbours)]
    return [np.rint(cos(a) * cosine + sin(a) * sine).astype(int) for a in angles]


def binary_codes(volume: np.ndarray, margins: Offset, offsets: Iterable[Offset]) -> np.ndarray:
    """Bit p is set where the p-th neighbour is no darker than the centre: volume (T, H, W) -> uint8 (T', H', W')."""
    centre = interior(volume, margins)
    codes = np.zeros(centre.shape, np.uint8)
    for p, offset in enumerate(offsets):
        codes |= (interior(volume, margins, offset) >= centre).view(np.uint8) << p
    return codes


def lbp_top(volume: np.ndarray, *, radii: tuple[int, int, int] = (3, 3, 3), blocks: int = 5) -> np.ndarray:
    """LBP-TOP, 8 neighbours, uniform patterns: volume (T, H, W) of any real type -> (blocks² · 3 · 59,).

    radii: (x, y, t). Neighbours are rounded to voxels, not interpolated, so that any increasing change of grey leaves
    the feature as it is. Codes are those of the voxels whose neighbours in all three planes exist. ValueError for a
    volume that is too small or another. Zhao and Pietikäinen, PAMI 2007.
    """
    volume = checked(volume, radii=radii, blocks=blocks)
    x, y, t = np.diag(radii)[:, ::-1]  # the axes, as (t, y, x)
    labels = uniform_labels(8)
    planes = [
        histograms(labels[binary_codes(volume, radii[::-1], circle(8, *axes))], 59, blocks)
        for axes in ((x, -y), (x, t), (t, -y))
    ]
    return np.concatenate(planes, 1).ravel()


def lbp_sip(volume: np.ndarray, *, radii: tuple[int, int, int] = (3, 3, 3), blocks: int = 5) -> np.ndarray:
    """LBP-SIP: volume (T, H, W) of any real type -> (blocks² · 20,).

    radii: (x, y, t). The six points where the three planes' circles meet are kept once: four in the frame (16 bins)
    and two in time (4 bins). ValueError for a volume that is too small or another. Wang et al., ACCV 2014.
    """
    volume = checked(volume, radii=radii, blocks=blocks)
    x, y, t = np.diag(radii)[:, ::-1]
    parts = [
        histograms(binary_codes(volume, radii[::-1], points), 2 ** len(points), blocks)
        for points in ((x, -y, -x, y), (t, -t))
    ]
    return np.concatenate(parts, 1).ravel()
