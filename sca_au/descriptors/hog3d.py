"""Histograms of oriented 3D gradients (HOG3D), binned on the faces of an icosahedron."""

import itertools

import numpy as np

from .blocks import checked, edges

PHI = (1 + 5**0.5) / 2


def face_normals() -> np.ndarray:
    """Unit normals (x, y, t) of the icosahedron's 20 faces, the corners of a dodecahedron: (20, 3)."""
    cube = list(itertools.product((-1, 1), repeat=3))
    rectangle = [(0, a / PHI, b * PHI) for a, b in itertools.product((-1, 1), repeat=2)]
    return np.array(cube + [np.roll(corner, i) for i in range(3) for corner in rectangle]) / 3**0.5


def unit(v: np.ndarray) -> np.ndarray:
    """Each vector of the last axis at length 1; zeros stay zeros."""
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), np.finfo(float).tiny)


def orient(g: np.ndarray) -> np.ndarray:
    """Spreads each gradient's length over the faces that it points to: g (..., 3) -> (..., 20)."""
    length = np.linalg.norm(g, axis=-1, keepdims=True)
    neighbour = 5**0.5 / 3  # cosine between the normals of faces that share an edge
    q = np.maximum(g @ face_normals().T - neighbour * length, 0)
    return length * unit(q)


def hog3d(
    volume: np.ndarray,
    *,
    blocks: int = 5,
    cells: tuple[int, int, int] = (3, 4, 4),
    subblocks: int = 3,
    cut: float = 0.25,
) -> np.ndarray:
    """HOG3D: volume (T, H, W) of any real type -> (blocks² · cells · 20,), 25 · 48 · 20 as it stands.

    Every spatial block, whole in time, is one descriptor of cells (t, y, x), each of subblocks³ mean gradients; its
    length is set to 1, entries are cut at `cut`, and the length is set again. ValueError where a subblock would be
    empty, for `cut` not above 0, and for another volume. Kläser, Marszałek and Schmid, BMVC 2008, whose values the
    defaults are.
    """
    volume = checked(volume, blocks=blocks, cells=cells, subblocks=subblocks).astype(np.float64)
    if not cut > 0:
        raise ValueError(f"cut must be above 0, got {cut}")
    nt, ny, nx = cells
    parts = nt * subblocks, blocks * ny * subblocks, blocks * nx * subblocks
    borders = [edges(n, p) for n, p in zip(volume.shape, parts, strict=True)]
    g = np.stack(np.gradient(volume)[::-1], -1)  # (T, H, W, 3), as (x, y, t)
    for axis, border in enumerate(borders):
        sizes = np.expand_dims(np.diff(border), tuple(i for i in range(4) if i != axis))
        g = np.add.reduceat(g, border[:-1], axis) / sizes
    q = orient(g).reshape(nt, subblocks, blocks, ny, subblocks, blocks, nx, subblocks, 20).sum((1, 4, 7))
    q = q.transpose(1, 3, 0, 2, 4, 5).reshape(blocks**2, -1)  # (nt, by, ny, bx, nx, 20) -> block by block
    return unit(np.minimum(unit(q), cut)).ravel()
