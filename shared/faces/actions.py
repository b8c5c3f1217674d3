"""Action units after the Facial Action Coding System: what moves, what bulges or folds, and what lids, lips and jaw do.

Everything is given for the subject's left at full intensity, in cm from a landmark (x outwards, y down), and mirrored
for the right. A drive of 1 is full intensity; small intensities drive less than in proportion (`drive`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .anatomy import SIDES, Person
from .paint import Layers
from .relief import bump, fold, illuminate

AUS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26, 43)


@dataclass(frozen=True)
class Action:
    name: str
    moves: tuple = ()  # (landmark, offset, radius, displacement)
    folds: tuple = ()  # (depth, width, (landmark, offset) of each point)
    swells: tuple = ()  # (height, radius, landmark, offset)
    lid_upper: float = 0.  # share of the eye's opening that the upper lid shuts (below 0: opens further)
    lid_lower: float = 0.  # how far the lower lid rises, of as far as it can
    part: tuple = (0., 0.)  # cm that the upper lip leaves the line of the mouth, and the lower lip
    jaw: float = 0.  # cm that the jaw drops


def _rows(n, apart, *points):
    """The same fold of the forehead n times, one above the other."""
    return tuple((.15, .13, *((k, (dx, dy - i * apart)) for k, (dx, dy) in points)) for i in range(n))


ACTIONS = {
    1: Action("inner brow raiser",
              moves=(("brow_inner", (.1, -1.0), (2.6, 2.5), (-.03, -.88)),),
              folds=_rows(3, .72, ("nasion", (0, -3.15)), ("brow_inner", (.3, -1.1)), ("brow_mid", (.2, -.6)))),
    2: Action("outer brow raiser",
              moves=(("brow_outer", (-.5, -1.0), (2.6, 2.5), (.03, -.82)),
                     ("brow_mid", (0, -.3), (2.0, 2.2), (0, -.24))),
              folds=_rows(3, .62, ("brow_mid", (-.9, -.75)), ("brow_mid", (.6, -.95)), ("brow_outer", (.3, -1.0)))),
    4: Action("brow lowerer",
              moves=(("brow_inner", (.1, 0), (2.4, 2.5), (-.42, .52)), ("brow_mid", (0, 0), (2.4, 2.2), (-.12, .26))),
              folds=((.16, .12, ("nasion", (.62, -2.7)), ("nasion", (.46, -1.7)), ("nasion", (.5, -.75))),
                     (.07, .1, ("nasion", (0, -.15)), ("nasion", (.4, -.1)), ("nasion", (.85, .1)))),
              swells=((.15, (.6, .5), "brow_inner", (.35, -.15)), (.08, (.3, .7), "nasion", (.08, -1.6))),
              lid_upper=.08),
    5: Action("upper lid raiser", lid_upper=-.36, moves=(("lid_upper", (0, -.5), (2.0, 1.1), (0, -.1)),)),
    6: Action("cheek raiser",
              moves=(("cheek", (0, -.3), (3.0, 2.4), (-.04, -.54)), ("eye_outer", (.7, .1), (1.7, 1.7), (-.16, .04)),
                     ("brow_outer", (0, .1), (1.8, 1.6), (-.06, .16))),
              folds=((.14, .09, ("eye_outer", (.3, -.05)), ("eye_outer", (.9, -.3)), ("eye_outer", (1.5, -.65))),
                     (.14, .09, ("eye_outer", (.35, .15)), ("eye_outer", (1., .2)), ("eye_outer", (1.6, .2))),
                     (.14, .09, ("eye_outer", (.25, .35)), ("eye_outer", (.85, .65)), ("eye_outer", (1.4, 1.))),
                     (.1, .14, ("eye_inner", (.1, .75)), ("lid_lower", (-.1, .72)), ("eye_outer", (0, .75)))),
              swells=((.28, (1.7, .8), "cheek", (0, -.9)), (.1, (1.2, .3), "lid_lower", (0, .3))),
              lid_lower=.3, lid_upper=.1),
    7: Action("lid tightener", lid_lower=.42, lid_upper=.16,
              moves=(("lid_lower", (0, .35), (1.9, 1.1), (-.03, -.1)),),
              folds=((.08, .1, ("eye_inner", (.2, .5)), ("lid_lower", (0, .5)), ("eye_outer", (-.1, .5))),),
              swells=((.08, (1.1, .2), "lid_lower", (0, .18)),)),
    9: Action("nose wrinkler",
              moves=(("ala", (-.1, -.5), (1.7, 2.1), (-.05, -.5)), ("brow_inner", (0, .1), (2.0, 1.9), (-.14, .3)),
                     ("lip_upper", (1.0, -.2), (1.7, 1.7), (0, -.26))),
              folds=(*((.12, .1, ("nasion", (.25, .75 + d)), ("nasion", (.65, .95 + d)), ("nasion", (1.15, 1.5 + d)))
                       for d in (0, .5, 1)),
                     (.12, .12, ("nasion", (0, -.25)), ("nasion", (.35, -.25)), ("nasion", (.8, 0))),
                     (.14, .2, ("ala", (.05, -1.3)), ("ala", (.6, -.5)), ("ala", (1.0, .7)))),
              swells=((.14, (.5, .7), "ala", (-.5, -1.7)), (.1, (.6, .6), "ala", (.7, -1.2))),
              lid_lower=.2, lid_upper=.1),
    10: Action("upper lip raiser",
               moves=(("lip_upper", (1.0, -.1), (2.0, 1.8), (.02, -.36)),
                      ("ala", (.1, 0), (1.3, 1.3), (.08, -.16))),
               folds=((.16, .2, ("ala", (.1, -.9)), ("ala", (.75, -.1)), ("ala", (1.3, 1.2))),),
               swells=((.18, (.7, .9), "ala", (.75, -1.1)), (-.06, (.5, .4), "lip_upper", (.9, -.5))), part=(.24, 0)),
    12: Action("lip corner puller",
               moves=(("mouth_corner", (.3, -.1), (2.3, 2.3), (.6, -.7)), ("cheek", (-.2, .8), (2.7, 2.4), (.06, -.34)),
                      ("lip_lower", (.9, 0), (1.5, 1.2), (.05, -.1))),
               folds=((.26, .25, ("ala", (.25, -.5)), ("ala", (1.1, .9)), ("mouth_corner", (.7, .15))),
                      (.07, .17, ("mouth_corner", (.5, -.5)), ("mouth_corner", (.62, 0)), ("mouth_corner", (.45, .5)))),
               swells=((.34, (1.7, 1.2), "cheek", (-.1, 0)), (-.12, (.28, .3), "mouth_corner", (.3, 0))),
               lid_lower=.08),
    14: Action("dimpler",
               moves=(("mouth_corner", (0, 0), (1.9, 1.6), (.36, .05)), ("lip_upper", (1.6, .2), (1.0, .7), (0, .08)),
                      ("lip_lower", (1.6, -.3), (1.0, .7), (0, -.08))),
               folds=((.17, .13, ("mouth_corner", (.35, -.65)), ("mouth_corner", (.62, 0)),
                       ("mouth_corner", (.4, .6))),),
               swells=((-.2, (.26, .4), "mouth_corner", (.34, -.02)), (.16, (.4, .75), "mouth_corner", (.95, 0)))),
    15: Action("lip corner depressor",
               moves=(("mouth_corner", (0, .1), (2.1, 2.0), (.06, .56)),
                      ("lip_lower", (1.3, .2), (1.5, 1.3), (.04, .14))),
               folds=((.16, .15, ("mouth_corner", (.18, .1)), ("mouth_corner", (.45, .6)),
                       ("mouth_corner", (.5, 1.3))),),
               swells=((.12, (.5, .6), "mouth_corner", (-.35, .95)), (-.08, (.3, .3), "mouth_corner", (.2, .25)))),
    17: Action("chin raiser",
               moves=(("chin", (.7, -1.4), (2.1, 2.1), (0, -.45)), ("lip_lower", (.7, 0), (2.0, 1.3), (0, -.2)),
                      ("mouth_corner", (-.2, .2), (1.6, 1.3), (0, .1))),
               folds=((.12, .18, ("lip_lower", (0, .5)), ("lip_lower", (.8, .55)), ("lip_lower", (1.6, .85))),
                      *((.11, .1, ("chin", (dx, dy)), ("chin", (dx + .18, dy + .1)), ("chin", (dx + .34, dy - .02)))
                        for dx, dy in ((.05, -1.7), (.4, -1.4), (.1, -1.1), (.55, -1.85), (.35, -.85), (.75, -1.15)))),
               swells=((.2, (.9, .7), "chin", (.4, -1.4)), (.06, (1.2, .25), "lip_lower", (.5, -.15)))),
    20: Action("lip stretcher",
               moves=(("mouth_corner", (0, 0), (2.6, 1.9), (.72, .1)), ("lip_upper", (.7, .1), (1.6, .8), (.08, .09)),
                      ("lip_lower", (.8, -.1), (1.6, .9), (.08, -.14))),
               folds=((.12, .25, ("mouth_corner", (.75, -.8)), ("mouth_corner", (1.0, 0)),
                       ("mouth_corner", (.8, .9))),),
               swells=((.1, (.4, .9), "mouth_corner", (1.3, .1)), (-.08, (1.3, .5), "lip_lower", (.5, -.2)))),
    23: Action("lip tightener",
               moves=(("lip_upper", (.8, .05), (1.7, .85), (-.06, .2)),
                      ("lip_lower", (.8, -.05), (1.7, .95), (-.06, -.24)),
                      ("mouth_corner", (0, 0), (1.5, 1.2), (-.24, 0))),
               folds=tuple((.05, .07, ("lip_upper", (dx, -.5)), ("lip_upper", (dx, -.25)), ("lip_upper", (dx, .05)))
                           for dx in (.35, .8, 1.25)),
               swells=((-.1, (1.1, .25), "lip_lower", (.6, -.2)), (-.07, (1.1, .2), "lip_upper", (.6, .2)))),
    24: Action("lip pressor",
               moves=(("lip_upper", (.8, .1), (2.0, .8), (.03, .25)), ("lip_lower", (.8, -.1), (2.0, .95), (.03, -.3))),
               folds=((.1, .12, ("mouth", (0, 0)), ("mouth", (1.2, 0)), ("mouth_corner", (.1, 0))),),
               swells=((.12, (1.2, .3), "lip_upper", (.8, -.35)), (.12, (1.1, .28), "lip_lower", (.8, .28)),
                       (-.12, (1.1, .3), "lip_lower", (.6, -.3)), (.1, (.35, .4), "mouth_corner", (.45, 0)))),
    25: Action("lips part", part=(.2, .42), moves=(("lip_lower", (.7, .2), (1.9, 1.4), (0, .06)),)),
    26: Action("jaw drop", jaw=1.45, part=(.1, .1), moves=(("mouth_corner", (0, .1), (2.2, 2.2), (-.12, .22)),),
               swells=((-.14, (1.2, 1.6), "mouth_corner", (1.7, .2)),)),
    43: Action("eyes closed", lid_upper=1.),
}  # fmt: skip


def drive(intensity: np.ndarray) -> np.ndarray:
    """How far an action of this intensity (0..1) goes."""
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
    deeper = .7 + .5 * np.clip((person.traits.age - 18) / 30, 0, 1)  # older skin folds more
    for depth, width, *curve in ACTIONS[au].folds:
        dz += fold(x, y, [_at(points, k, side, *o) for k, o in curve], deeper * depth, width)
    for height, radius, landmark, offset in ACTIONS[au].swells:
        dz += bump(x, y, _at(points, landmark, side, *offset), radius, height)
    return dz


def _at(points, landmark, side, dx, dy):
    x, y = points[landmark] if landmark in points else points[f"{landmark}_{side}"]
    return x + SIDES[side] * dx, y + dy


def shading(layers: Layers, au: int, side: str) -> np.ndarray:
    """Relative change of displayed brightness at full drive, float32 (h, w) on `layers.coarse`."""
    dz = relief(layers.person, *layers.coarse.grid(), au, side)
    if not dz.any():
        return dz
    after = illuminate(layers.height + dz, layers.coarse, layers.light)[0].mean(0)
    return (np.clip(after / np.maximum(layers.lit, .02), .3, 2.) ** (1 / 2.2) - 1).astype(np.float32)
