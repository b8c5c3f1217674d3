"""Action units after the Facial Action Coding System: what moves, what bulges or folds, and what lids, lips and jaw do.

Everything is given for the subject's left at full intensity, in cm from a landmark (x outwards, y down), and mirrored
for the right. A drive of 1 is full intensity; small intensities drive less than in proportion (`drive`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .anatomy import SIDES, Person
from .paint import Layers
from .relief import bump, fold, illuminate

AUS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26, 43)


@dataclass(frozen=True)
class Action:
    """One action unit: its name in FACS and what it does."""

    name: str
    moves: tuple = ()  # (landmark, offset, radius, displacement)
    folds: tuple = ()  # (depth, width, (landmark, offset) of each point)
    swells: tuple = ()  # (height, radius, landmark, offset)
    lid_upper: float = 0.0  # share of the eye's opening that the upper lid shuts (below 0: opens further)
    lid_lower: float = 0.0  # how far the lower lid rises, of as far as it can
    part: tuple = (0.0, 0.0)  # cm that the upper lip leaves the line of the mouth, and the lower lip
    jaw: float = 0.0  # cm that the jaw drops


Offset = tuple[float, float]
Spot = tuple[str, Offset]  # a landmark and an offset from it


def _rows(n: int, apart: float, *points: Spot) -> tuple[tuple, ...]:
    """The same fold of the forehead n times, one above the other."""
    return tuple((0.15, 0.13, *((k, (dx, dy - i * apart)) for k, (dx, dy) in points)) for i in range(n))


ACTIONS = {
    1: Action(
        "inner brow raiser",
        moves=(("brow_inner", (0.1, -1.0), (2.6, 2.5), (-0.03, -0.88)),),
        folds=_rows(3, 0.72, ("nasion", (0, -3.15)), ("brow_inner", (0.3, -1.1)), ("brow_mid", (0.2, -0.6))),
    ),
    2: Action(
        "outer brow raiser",
        moves=(
            ("brow_outer", (-0.5, -1.0), (2.6, 2.5), (0.03, -0.82)),
            ("brow_mid", (0, -0.3), (2.0, 2.2), (0, -0.24)),
        ),
        folds=_rows(3, 0.62, ("brow_mid", (-0.9, -0.75)), ("brow_mid", (0.6, -0.95)), ("brow_outer", (0.3, -1.0))),
    ),
    4: Action(
        "brow lowerer",
        moves=(("brow_inner", (0.1, 0), (2.4, 2.5), (-0.42, 0.52)), ("brow_mid", (0, 0), (2.4, 2.2), (-0.12, 0.26))),
        folds=(
            (0.16, 0.12, ("nasion", (0.62, -2.7)), ("nasion", (0.46, -1.7)), ("nasion", (0.5, -0.75))),
            (0.07, 0.1, ("nasion", (0, -0.15)), ("nasion", (0.4, -0.1)), ("nasion", (0.85, 0.1))),
        ),
        swells=((0.15, (0.6, 0.5), "brow_inner", (0.35, -0.15)), (0.08, (0.3, 0.7), "nasion", (0.08, -1.6))),
        lid_upper=0.08,
    ),
    5: Action("upper lid raiser", lid_upper=-0.36, moves=(("lid_upper", (0, -0.5), (2.0, 1.1), (0, -0.1)),)),
    6: Action(
        "cheek raiser",
        moves=(
            ("cheek", (0, -0.3), (3.0, 2.4), (-0.04, -0.54)),
            ("eye_outer", (0.7, 0.1), (1.7, 1.7), (-0.16, 0.04)),
            ("brow_outer", (0, 0.1), (1.8, 1.6), (-0.06, 0.16)),
        ),
        folds=(
            (0.14, 0.09, ("eye_outer", (0.3, -0.05)), ("eye_outer", (0.9, -0.3)), ("eye_outer", (1.5, -0.65))),
            (0.14, 0.09, ("eye_outer", (0.35, 0.15)), ("eye_outer", (1.0, 0.2)), ("eye_outer", (1.6, 0.2))),
            (0.14, 0.09, ("eye_outer", (0.25, 0.35)), ("eye_outer", (0.85, 0.65)), ("eye_outer", (1.4, 1.0))),
            (0.1, 0.14, ("eye_inner", (0.1, 0.75)), ("lid_lower", (-0.1, 0.72)), ("eye_outer", (0, 0.75))),
        ),
        swells=((0.28, (1.7, 0.8), "cheek", (0, -0.9)), (0.1, (1.2, 0.3), "lid_lower", (0, 0.3))),
        lid_lower=0.3,
        lid_upper=0.1,
    ),
    7: Action(
        "lid tightener",
        lid_lower=0.42,
        lid_upper=0.16,
        moves=(("lid_lower", (0, 0.35), (1.9, 1.1), (-0.03, -0.1)),),
        folds=((0.08, 0.1, ("eye_inner", (0.2, 0.5)), ("lid_lower", (0, 0.5)), ("eye_outer", (-0.1, 0.5))),),
        swells=((0.08, (1.1, 0.2), "lid_lower", (0, 0.18)),),
    ),
    9: Action(
        "nose wrinkler",
        moves=(
            ("ala", (-0.1, -0.5), (1.7, 2.1), (-0.05, -0.5)),
            ("brow_inner", (0, 0.1), (2.0, 1.9), (-0.14, 0.3)),
            ("lip_upper", (1.0, -0.2), (1.7, 1.7), (0, -0.26)),
        ),
        folds=(
            *(
                (0.12, 0.1, ("nasion", (0.25, 0.75 + d)), ("nasion", (0.65, 0.95 + d)), ("nasion", (1.15, 1.5 + d)))
                for d in (0, 0.5, 1)
            ),
            (0.12, 0.12, ("nasion", (0, -0.25)), ("nasion", (0.35, -0.25)), ("nasion", (0.8, 0))),
            (0.14, 0.2, ("ala", (0.05, -1.3)), ("ala", (0.6, -0.5)), ("ala", (1.0, 0.7))),
        ),
        swells=((0.14, (0.5, 0.7), "ala", (-0.5, -1.7)), (0.1, (0.6, 0.6), "ala", (0.7, -1.2))),
        lid_lower=0.2,
        lid_upper=0.1,
    ),
    10: Action(
        "upper lip raiser",
        moves=(("lip_upper", (1.0, -0.1), (2.0, 1.8), (0.02, -0.36)), ("ala", (0.1, 0), (1.3, 1.3), (0.08, -0.16))),
        folds=((0.16, 0.2, ("ala", (0.1, -0.9)), ("ala", (0.75, -0.1)), ("ala", (1.3, 1.2))),),
        swells=((0.18, (0.7, 0.9), "ala", (0.75, -1.1)), (-0.06, (0.5, 0.4), "lip_upper", (0.9, -0.5))),
        part=(0.24, 0),
    ),
    12: Action(
        "lip corner puller",
        moves=(
            ("mouth_corner", (0.3, -0.1), (2.3, 2.3), (0.6, -0.7)),
            ("cheek", (-0.2, 0.8), (2.7, 2.4), (0.06, -0.34)),
            ("lip_lower", (0.9, 0), (1.5, 1.2), (0.05, -0.1)),
        ),
        folds=(
            (0.26, 0.25, ("ala", (0.25, -0.5)), ("ala", (1.1, 0.9)), ("mouth_corner", (0.7, 0.15))),
            (0.07, 0.17, ("mouth_corner", (0.5, -0.5)), ("mouth_corner", (0.62, 0)), ("mouth_corner", (0.45, 0.5))),
        ),
        swells=((0.34, (1.7, 1.2), "cheek", (-0.1, 0)), (-0.12, (0.28, 0.3), "mouth_corner", (0.3, 0))),
        lid_lower=0.08,
    ),
    14: Action(
        "dimpler",
        moves=(
            ("mouth_corner", (0, 0), (1.9, 1.6), (0.36, 0.05)),
            ("lip_upper", (1.6, 0.2), (1.0, 0.7), (0, 0.08)),
            ("lip_lower", (1.6, -0.3), (1.0, 0.7), (0, -0.08)),
        ),
        folds=(
            (0.17, 0.13, ("mouth_corner", (0.35, -0.65)), ("mouth_corner", (0.62, 0)), ("mouth_corner", (0.4, 0.6))),
        ),
        swells=((-0.2, (0.26, 0.4), "mouth_corner", (0.34, -0.02)), (0.16, (0.4, 0.75), "mouth_corner", (0.95, 0))),
    ),
    15: Action(
        "lip corner depressor",
        moves=(
            ("mouth_corner", (0, 0.1), (2.1, 2.0), (0.06, 0.56)),
            ("lip_lower", (1.3, 0.2), (1.5, 1.3), (0.04, 0.14)),
        ),
        folds=(
            (0.16, 0.15, ("mouth_corner", (0.18, 0.1)), ("mouth_corner", (0.45, 0.6)), ("mouth_corner", (0.5, 1.3))),
        ),
        swells=((0.12, (0.5, 0.6), "mouth_corner", (-0.35, 0.95)), (-0.08, (0.3, 0.3), "mouth_corner", (0.2, 0.25))),
    ),
    17: Action(
        "chin raiser",
        moves=(
            ("chin", (0.7, -1.4), (2.1, 2.1), (0, -0.45)),
            ("lip_lower", (0.7, 0), (2.0, 1.3), (0, -0.2)),
            ("mouth_corner", (-0.2, 0.2), (1.6, 1.3), (0, 0.1)),
        ),
        folds=(
            (0.12, 0.18, ("lip_lower", (0, 0.5)), ("lip_lower", (0.8, 0.55)), ("lip_lower", (1.6, 0.85))),
            *(
                (0.11, 0.1, ("chin", (dx, dy)), ("chin", (dx + 0.18, dy + 0.1)), ("chin", (dx + 0.34, dy - 0.02)))
                for dx, dy in ((0.05, -1.7), (0.4, -1.4), (0.1, -1.1), (0.55, -1.85), (0.35, -0.85), (0.75, -1.15))
            ),
        ),
        swells=((0.2, (0.9, 0.7), "chin", (0.4, -1.4)), (0.06, (1.2, 0.25), "lip_lower", (0.5, -0.15))),
    ),
    20: Action(
        "lip stretcher",
        moves=(
            ("mouth_corner", (0, 0), (2.6, 1.9), (0.72, 0.1)),
            ("lip_upper", (0.7, 0.1), (1.6, 0.8), (0.08, 0.09)),
            ("lip_lower", (0.8, -0.1), (1.6, 0.9), (0.08, -0.14)),
        ),
        folds=((0.12, 0.25, ("mouth_corner", (0.75, -0.8)), ("mouth_corner", (1.0, 0)), ("mouth_corner", (0.8, 0.9))),),
        swells=((0.1, (0.4, 0.9), "mouth_corner", (1.3, 0.1)), (-0.08, (1.3, 0.5), "lip_lower", (0.5, -0.2))),
    ),
    23: Action(
        "lip tightener",
        moves=(
            ("lip_upper", (0.8, 0.05), (1.7, 0.85), (-0.06, 0.2)),
            ("lip_lower", (0.8, -0.05), (1.7, 0.95), (-0.06, -0.24)),
            ("mouth_corner", (0, 0), (1.5, 1.2), (-0.24, 0)),
        ),
        folds=tuple(
            (0.05, 0.07, ("lip_upper", (dx, -0.5)), ("lip_upper", (dx, -0.25)), ("lip_upper", (dx, 0.05)))
            for dx in (0.35, 0.8, 1.25)
        ),
        swells=((-0.1, (1.1, 0.25), "lip_lower", (0.6, -0.2)), (-0.07, (1.1, 0.2), "lip_upper", (0.6, 0.2))),
    ),
    24: Action(
        "lip pressor",
        moves=(
            ("lip_upper", (0.8, 0.1), (2.0, 0.8), (0.03, 0.25)),
            ("lip_lower", (0.8, -0.1), (2.0, 0.95), (0.03, -0.3)),
        ),
        folds=((0.1, 0.12, ("mouth", (0, 0)), ("mouth", (1.2, 0)), ("mouth_corner", (0.1, 0))),),
        swells=(
            (0.12, (1.2, 0.3), "lip_upper", (0.8, -0.35)),
            (0.12, (1.1, 0.28), "lip_lower", (0.8, 0.28)),
            (-0.12, (1.1, 0.3), "lip_lower", (0.6, -0.3)),
            (0.1, (0.35, 0.4), "mouth_corner", (0.45, 0)),
        ),
    ),
    25: Action("lips part", part=(0.2, 0.42), moves=(("lip_lower", (0.7, 0.2), (1.9, 1.4), (0, 0.06)),)),
    26: Action(
        "jaw drop",
        jaw=1.45,
        part=(0.1, 0.1),
        moves=(("mouth_corner", (0, 0.1), (2.2, 2.2), (-0.12, 0.22)),),
        swells=((-0.14, (1.2, 1.6), "mouth_corner", (1.7, 0.2)),),
    ),
    43: Action("eyes closed", lid_upper=1.0),
}


def drive(intensity: np.ndarray) -> np.ndarray:
    """The share of an action's full movement at this intensity, both in 0..1."""
    return intensity**1.3


def moves(person: Person, x: np.ndarray, y: np.ndarray, au: int, side: str) -> np.ndarray:
    """Displacement in cm at full drive, float32 (2, h, w); smooth and 0 beyond the radii."""
    sign, points, total = SIDES[side], person.landmarks, np.zeros((2, *x.shape), np.float32)
    for landmark, (ox, oy), (rx, ry), (dx, dy) in ACTIONS[au].moves:
        cx, cy = _at(points, landmark, side, ox, oy)
        weight = np.clip(1 - ((x - cx) / rx) ** 2 - ((y - cy) / ry) ** 2, 0, None) ** 3
        total[0] += sign * dx * weight
        total[1] += dy * weight
    return total


def relief(person: Person, x: np.ndarray, y: np.ndarray, au: int, side: str) -> np.ndarray:
    """Change of the landscape in cm at full drive, float32 (h, w)."""
    points, dz = person.landmarks, np.zeros_like(x)
    deeper = 0.7 + 0.5 * np.clip((person.traits.age - 18) / 30, 0, 1)  # older skin folds more
    for depth, width, *curve in ACTIONS[au].folds:
        dz += fold(x, y, [_at(points, k, side, *o) for k, o in curve], deeper * depth, width)
    for height, radius, landmark, offset in ACTIONS[au].swells:
        dz += bump(x, y, _at(points, landmark, side, *offset), radius, height)
    return dz


def _at(points: Mapping[str, Offset], landmark: str, side: str, dx: float, dy: float) -> Offset:
    x, y = points[landmark] if landmark in points else points[f"{landmark}_{side}"]
    return x + SIDES[side] * dx, y + dy


def shading(layers: Layers, au: int, side: str) -> np.ndarray:
    """Relative change of displayed brightness at full drive, float32 (h, w) on `layers.coarse`."""
    dz = relief(layers.person, *layers.coarse.grid(), au, side)
    if not dz.any():
        return dz
    after = illuminate(layers.height + dz, layers.coarse, layers.light)[0].mean(0)
    return (np.clip(after / np.maximum(layers.lit, 0.02), 0.3, 2.0) ** (1 / 2.2) - 1).astype(np.float32)
