"""The warp from each pixel of a frame to the resting face; it gives the pictures and the true motion."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import grid_sample

from .actions import ACTIONS, AUS, drive, moves, shading
from .anatomy import SIDES, View, eye_lines, lip_lines
from .paint import Layers

Heights = tuple[torch.Tensor, ...]  # y of knots from top to bottom, in cm, each (T, h, w)
Driven = tuple[torch.Tensor, torch.Tensor]  # a field (C, h, w) and how strongly it acts in each frame (T,)


class Slit(NamedTuple):
    """An opening between lids or lips: its part of the picture, and `knots(x, now)`: heights at rest and now."""

    rows: slice
    columns: slice
    knots: Callable[[torch.Tensor, slice], tuple[Heights, Heights]]


class Warp:
    """A person's layers, moved frame by frame. `now` is a slice of the T frames.

    A pixel p shows the resting place q = p - (head + muscles); beside a slit, q is then shifted up or down so that the
    straight pieces between the slit's knots stretch and shrink. Heights and places in cm.

    `intensities`: (T, len(AUS)); `gain`: action unit -> side -> how strongly that side shows it; `pose`, `blink` and
    `gaze`: (T, 6), (T,) and (T, 2), see `courses`. All float32.
    """

    def __init__(
        self,
        layers: Layers,
        intensities: np.ndarray,
        gain: Mapping[int, Mapping[str, float]],
        pose: np.ndarray,
        blink: np.ndarray,
        gaze: np.ndarray,
    ) -> None:
        self.layers, self.view, self.t = layers, layers.view, layers.person.traits
        x, y = self.view.grid()
        self.grid = torch.from_numpy(np.stack([x, y]))
        one, zero = np.ones_like(x), np.zeros_like(x)
        depth = layers.depth
        ways = ((one, zero), (zero, one), (-y, x), (x, y), (depth, zero), (zero, depth))
        self.head = [(torch.from_numpy(np.stack(way)), torch.from_numpy(pose[:, i])) for i, way in enumerate(ways)]
        self.gaze = torch.from_numpy(gaze)
        self.muscles: list[Driven] = []
        self.shades: list[Driven] = []
        self.lids = {side: torch.zeros(2, len(pose)) for side in SIDES}  # how far upper and lower lid are shut, raised
        self.part, self.jaw = torch.zeros(2, len(pose)), torch.zeros(len(pose))
        for au, by_side in gain.items():
            self._add(au, by_side, torch.from_numpy(drive(intensities[:, AUS.index(au)])))
        for upper, lower in self.lids.values():
            upper.clamp_(max=1)
            upper += (1 - upper) * torch.from_numpy(blink)
            lower.clamp_(max=0.8)
        self.eyes = [self._eye(side) for side in SIDES]
        opens = bool((self.part > 0).any() or (self.jaw > 0).any())
        self.slits = self.eyes + [Slit(*self._box(-30, 30, self.t.mouth_y - 2.6, 40), self._lip_knots)] * opens

    def _add(self, au: int, gain: Mapping[str, float], course: torch.Tensor) -> None:
        """One action unit, driven by `course` (T,), `gain` by side."""
        made, action = self.layers, ACTIONS[au]
        field, light = torch.zeros_like(self.grid), torch.zeros(made.coarse.height, made.coarse.width)
        x, y = self.grid.numpy()
        for side, g in gain.items():
            field += g * made.cached(("moves", au, side), partial(moves, made.person, x, y, au, side))
            light += g * made.cached(("shading", au, side), partial(shading, made, au, side))
            self.lids[side] += g * course * torch.tensor([[action.lid_upper], [action.lid_lower]])
        if field.any():
            self.muscles.append((field, course))
        if light.any():
            self.shades.append((light[None], course))
        both = sum(gain.values()) / 2
        self.part += both * course * torch.tensor(action.part)[:, None]
        self.jaw += both * course * action.jaw

    def _box(self, x0: float, x1: float, y0: float, y1: float) -> tuple[slice, slice]:
        """Rows and columns of the picture that show this part of the face."""
        (c0, r0), (c1, r1) = self.view.pixel(x0, y0), self.view.pixel(x1, y1)
        rows = slice(max(0, int(r0)), max(0, min(self.view.height, int(r1) + 2)))
        return rows, slice(max(0, int(c0)), max(0, min(self.view.width, int(c1) + 2)))

    def _eye(self, side: str) -> Slit:
        x, y, reach = SIDES[side] * self.t.eye_x, self.t.eye_y, self.t.eye_len + 0.6
        return Slit(*self._box(x - reach, x + reach, y - 1.9, y + 2.1), partial(self._lid_knots, side))

    def _lid_knots(self, side: str, x: torch.Tensor, now: slice) -> tuple[Heights, Heights]:
        """The fold of the lid, both margins, a spot on the cheek."""
        upper, lower, shut = eye_lines(self.t, x, side)
        close, lift = (v[now, None, None] for v in self.lids[side])
        rest, lower_now = (upper - 0.55, upper, lower, lower + 0.9), lower + (shut - lower) * lift
        return rest, (rest[0], upper + (lower_now - upper) * close, lower_now, rest[3])

    def _lip_knots(self, x: torch.Tensor, now: slice) -> tuple[Heights, Heights]:
        """A spot under the nose, the edges of both lips, chin, neck."""
        t = self.t
        _, line, _ = lip_lines(t, x)
        slit = (1 - (x / t.mouth_w) ** 2).clip(0) ** 0.85
        jaw, (up, down) = self.jaw[now, None, None], (v[now, None, None] for v in self.part)
        chin = torch.full_like(x, t.chin_y)
        rest = (line - 1.8, line, line, chin, chin + 5)
        lower, bone = line + (down + jaw) * slit, chin + jaw / (1 + (x / 4.4) ** 4)
        return rest, (rest[0], line - up * slit, lower, bone, rest[4])

    def _moved(self, fields: Sequence[Driven], now: slice) -> torch.Tensor:
        """Sum of the fields, each times its course: (T, C, h, w)."""
        field, course = fields[0]
        total = field * course[now, None, None, None]
        for field, course in fields[1:]:
            total.addcmul_(field, course[now, None, None, None])
        return total

    def _sources(self, now: slice) -> tuple[torch.Tensor, list[Heights]]:
        """Resting place (T, 2, h, w) of skin at each pixel; for each slit (y, above, below) before its shift."""
        q = self.grid - self._moved(self.head + self.muscles, now)
        openings: list[Heights] = []
        for slit in self.slits:
            part = q[:, :, slit.rows, slit.columns]
            y = part[:, 1].clone()
            rest, moved = slit.knots(part[:, 0], now)
            part[:, 1] += shift(y, moved, rest)
            openings.append((y, moved[1], moved[2]))
        return q, openings

    def picture(self, now: slice) -> torch.Tensor:
        """Frames without noise, float32 (T, C, h, w), 0..1."""
        made, scale = self.layers, self.view.scale
        q, openings = self._sources(now)
        skin = sample(made.skin, made.canvas, q)
        colour, cover = skin[:, :-1], skin[:, -1:]
        if self.shades:
            colour = colour * sample(1 + self._moved(self.shades, now), made.coarse, q)
        head = self.grid - self._moved(self.head, now)
        gaze = self.gaze[now, :, None, None]
        for slit, (y, above, below) in zip(self.slits, openings, strict=True):
            seen = head[:, :, slit.rows, slit.columns]
            if slit in self.eyes:  # in the shadow of the upper lid
                inner = sample(made.eyes, made.canvas, seen - gaze)
                inner *= (0.35 + 0.65 * ((y - above) / 0.34).clamp(0, 1) ** 0.6)[:, None]
            else:
                inner = sample(made.mouth, made.canvas, seen) * (0.4 + 0.6 * ((y - above) / 0.4).clamp(0, 1))[:, None]
            hole = ((y - above) * scale).clamp(0, 1) * ((below - y) * scale).clamp(0, 1)
            part = colour[:, :, slit.rows, slit.columns]
            part += (inner - part) * hole[:, None]
        colour = made.behind + (colour - made.behind) * cover
        if self.t.glasses:
            glasses = sample(made.glasses, made.canvas, head)
            colour += (glasses[:, :-1] - colour) * glasses[:, -1:]
        return colour

    def motion(self, start: int, end: int) -> torch.Tensor:
        """Displacement in pixels (2, h, w) from frame `start` to frame `end` of what each pixel shows at `start`."""
        one, two = slice(start, start + 1), slice(end, end + 1)
        q, openings = self._sources(one)
        for slit in self.slits:
            part = q[:, :, slit.rows, slit.columns]
            part[:, 1] += shift(part[:, 1].clone(), *slit.knots(part[:, 0], two))
        field, place = self._moved(self.head + self.muscles, two), q
        for _ in range(16):  # the place p whose source p - field(p) is q
            place = q + sample(field, self.view, place)
        moved = place - self.grid
        turn = (self.gaze[end] - self.gaze[start])[:, None, None]
        turn = turn + self._moved(self.head, two) - self._moved(self.head, one)
        for slit, (y, above, below) in zip(self.eyes, openings, strict=False):
            part, ball = (f[:, :, slit.rows, slit.columns] for f in (moved, turn))
            part.copy_(torch.where(((y > above) & (y < below))[:, None], ball, part))
        return moved[0] * self.view.scale


def sample(layer: torch.Tensor, view: View, places: torch.Tensor) -> torch.Tensor:
    """A layer drawn on this view at places (T, 2, h, w) in cm: (T, C, h, w)."""
    at = (places - torch.tensor([0.0, view.y])[:, None, None]) / torch.tensor([view.half_x, view.half_y])[:, None, None]
    layer = layer.expand(len(places), *layer.shape[-3:])
    return grid_sample(layer, at.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)


def shift(y: torch.Tensor, before: Heights, after: Heights) -> torch.Tensor:
    """Displacement of y under the map that takes the heights `before` to `after` and is straight between them."""
    moved = [b - a for a, b in zip(before, after, strict=True)]
    total = torch.zeros_like(y)
    for a, b, m, n in zip(before, before[1:], moved, moved[1:], strict=False):
        total += ((y - a) / (b - a).clamp_min(1e-4)).clamp(0, 1) * (n - m)
    return total
