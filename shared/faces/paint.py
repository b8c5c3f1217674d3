"""The layers a face is put together from: skin with brows and hair, eyeballs, the inside of the mouth, what is behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from .anatomy import SIDES, Person, View, eye_lines, head_width, lip_lines
from .relief import bump, head, illuminate, to_curve

PAD = .16  # how far the layers reach beyond the picture, as a share of it
LUMA = np.array([.299, .587, .114], np.float32)


@dataclass(frozen=True)
class Layers:
    """Float32 tensors; colours 0..1 as displayed, C = 3 or 1 (gray). The first three are drawn on `canvas`, the others on `view`."""

    view: View
    canvas: View
    skin: torch.Tensor  # (C + 1, H, W), the last channel is the cover of the head over what is behind it
    eyes: torch.Tensor  # (C, H, W)
    mouth: torch.Tensor  # (C, H, W)
    glasses: torch.Tensor | None  # (C + 1, H, W)
    behind: torch.Tensor  # (C, h, w)
    light: SimpleNamespace
    coarse: View
    height: np.ndarray  # the landscape on `coarse`
    depth: np.ndarray  # the same, smoothed, on `view`
    made: dict = field(default_factory=dict)

    def cached(self, key, make):
        """What `make` returns, made once."""
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]


def lighting(seed: int, wild: bool) -> SimpleNamespace:
    """Laboratory lamps, or any light (`wild`)."""
    rng = np.random.default_rng([seed, 7])
    side, up = (rng.normal(0, .55), rng.uniform(.1, .8)) if wild else (rng.normal(0, .28), rng.uniform(.3, .6))
    to = np.array([side, -up, 1.])
    warm = rng.normal(0, .08 if wild else .025)
    key = rng.uniform(.55, 1.) if wild else rng.uniform(.72, .85)
    return SimpleNamespace(to=to / np.linalg.norm(to), key=key, fill=rng.uniform(.15, .4) if wild else rng.uniform(.3, .38),
                           tint=(1 + warm, 1., 1 - warm), wall=rng.uniform(.08, .6, 3) if wild else np.full(3, rng.uniform(.3, .6)))  # fmt: skip


@lru_cache(maxsize=6)
def layers(person: Person, view: View, scene: int | None, gray: bool) -> Layers:
    """Draws a person for pictures of this view."""
    t, light = person.traits, lighting(person.seed if scene is None else scene, scene is not None)
    zoom = float(np.clip(360 / view.height, 1, 2))
    canvas, coarse = view.padded(PAD, zoom), view.padded(PAD)
    skin, cover = _skin(person, canvas, light)
    soft = .42 * zoom
    finish = lambda picture: torch.from_numpy(np.ascontiguousarray(_gray(picture) if gray else picture, np.float32))
    blurred = lambda picture: gaussian_filter(picture, (0, soft, soft))
    x, y = coarse.grid()
    return Layers(
        view, canvas, finish_cover(finish(blurred(skin)), gaussian_filter(cover, soft)),
        finish(blurred(_eyes(person, canvas, light))), finish(blurred(_mouth(person, canvas))),
        None, finish(_behind(view, light)), light, coarse, head(t, x, y), gaussian_filter(head(t, *view.grid()), .6 * view.scale).astype(np.float32),
    )  # fmt: skip


def finish_cover(colour: torch.Tensor, cover: np.ndarray) -> torch.Tensor:
    return torch.cat([colour, torch.from_numpy(cover.astype(np.float32))[None]])


def _gray(picture: np.ndarray) -> np.ndarray:
    return np.tensordot(LUMA, picture, 1)[None]


def linear(colour) -> np.ndarray:
    """sRGB 0..255 to linear light, shaped (3, 1, 1)."""
    return (np.clip(np.asarray(colour, np.float32), 0, 255) / 255) ** 2.2


def mix(below, above, cover):
    return below + (above - below) * cover


def step(a, b, x):
    """0 below a, 1 above b, smooth between (a > b falls)."""
    s = np.clip((x - a) / (b - a), 0, 1)
    return s * s * (3 - 2 * s)


def noise(rng, x, y, scale):
    """Smooth noise, unit variance or so, with features of `scale` (sx, sy) in the units of x and y."""
    lattice = torch.from_numpy(rng.standard_normal((1, 1, 257, 257)).astype(np.float32))
    at = np.stack([x / (128 * scale[0]), y / (128 * scale[1])], -1).astype(np.float32)
    at = np.abs((at + 1) % 4 - 2) - 1  # mirrored beyond the lattice
    return torch.nn.functional.grid_sample(lattice, torch.from_numpy(at)[None], mode="bicubic", align_corners=True)[0, 0].numpy()


def strokes(view: View, curves, width: float) -> np.ndarray:
    """Cover (h, w) of thin hairs; each curve is a list of points in cm."""
    fine = 3
    picture = Image.new("L", (view.width * fine, view.height * fine))
    pen, thick = ImageDraw.Draw(picture), max(1, round(width * view.scale * fine))
    for curve in curves:
        pen.line([tuple(fine * (v + .5) for v in view.pixel(*p)) for p in curve], fill=255, width=thick)
    return np.asarray(picture.reduce(fine), np.float32) / 255


def _skin(person: Person, view: View, light) -> tuple[np.ndarray, np.ndarray]:
    t, rng = person.traits, np.random.default_rng([person.seed, 1])
    x, y = view.grid()
    col = lambda c: linear(c)[:, None, None]
    z = head(t, x, y)
    albedo = _complexion(t, rng, x, y)

    upper, line, lower = lip_lines(t, x)
    lips = step(-.05, .07, y - upper) * step(.06, -.06, y - lower) * step(1.02, .96, np.abs(x / t.mouth_w))
    furrows = noise(rng, x, y, (.07, .5))
    red = mix(linear(t.skin), linear([190, 84, 82]) * (linear(t.skin).mean() / .55) ** .6, t.lips)[:, None, None]
    albedo = mix(albedo, red * (1 + .06 * furrows), lips * .85)
    grain = .010 * noise(rng, x, y, (.05, .05)) + .006 * noise(rng, x, y, (.12, .12))
    shade, gloss = illuminate(z, view, light, grain * (1 - lips))
    oily = .05 + .05 * (bump(x, y, (0, 2.5), (1.2, 3.2)) + bump(x, y, (0, -4), (3, 1.5)) + 1.2 * lips * step(0, .3, y - line))
    face = albedo * shade + .55 * oily * gloss

    dark = np.exp(-((y - line) / .055) ** 2) * step(1.06, .97, np.abs(x / t.mouth_w)) * .8
    nostril = sum(bump(x, y, (s * .64, t.nose_y + .1), (.33, .13)) for s in (1, -1))
    face = face * (1 - .75 * np.stack([dark * .85, dark, dark])) * (1 - .85 * np.clip(nostril * 1.3, 0, 1))
    face = _brows(t, rng, view, face, x, y, light)
    face = _lids(t, rng, view, face, x, y)
    face, cover = _hair(t, rng, view, face, x, y, light)
    return np.clip(face, 0, 1) ** (1 / 2.2), cover


def _complexion(t, rng, x, y) -> np.ndarray:
    base = linear(t.skin)[:, None, None] * np.ones_like(x)
    patch = sum(a * noise(rng, x, y, (s, s)) for a, s in ((.03, 2.2), (.025, .8), (.02, .25), (.028, .07)))
    red = sum(bump(x, y, (s * (t.eye_x + .9), 3.4), (1.9, 1.5)) for s in (1, -1)) + .9 * bump(x, y, (0, t.nose_y - .4), (1.2, .7))
    red = red + .4 * bump(x, y, (0, t.chin_y - 1.2), (1.3, .8)) + .25 * noise(rng, x, y, (.5, .5))
    base = base * (1 + patch) * (1 + t.redness * red * np.array([.05, -.1, -.08])[:, None, None])
    around = sum(bump(x, y, (s * (t.eye_x - .3), .35), (1.7, .95)) for s in (1, -1))
    base = base * (1 - around * np.array([.12, .17, .15])[:, None, None])
    spots = np.zeros_like(x)
    for _ in range(t.freckles):
        spots = spots  # placed below
    return base


def _brows(t, rng, view, face, x, y, light):
    return face


def _lids(t, rng, view, face, x, y):
    for name, sign in SIDES.items():
        u, l, _ = eye_lines(t, x, name)
        span = step(1.12, 1., np.abs((x - sign * t.eye_x) / t.eye_len))
        lash = span * np.exp(-((y - u + .03) / .07) ** 2)
        face = face * (1 - .85 * lash)
    return face


def _hair(t, rng, view, face, x, y, light):
    cover = step(.1, -.1, np.abs(x) - head_width(t, y))
    return face, cover


def _eyes(person: Person, view: View, light) -> np.ndarray:
    t, rng = person.traits, np.random.default_rng([person.seed, 2])
    x, y = view.grid()
    picture = np.ones((3, *x.shape), np.float32) * linear([228, 222, 216])[:, None, None]
    for sign in SIDES.values():
        dx, dy = x - sign * t.eye_x, y - t.eye_y + .06
        r = np.hypot(dx, dy)
        picture = np.where(np.abs(dx) < 2.5, picture * (1 - .25 * np.clip(r / 1.5, 0, 1) ** 2), picture)
        iris = linear(t.iris)[:, None, None] * np.ones_like(x)
        picture = mix(picture, iris, step(t.iris_r + .05, t.iris_r - .05, r))
        picture = mix(picture, .004, step(.27, .2, r))
    return np.clip(picture, 0, 1) ** (1 / 2.2)


def _mouth(person: Person, view: View) -> np.ndarray:
    t = person.traits
    x, y = view.grid()
    picture = linear([60, 16, 18])[:, None, None] * np.ones_like(x)
    teeth = step(2.1, 1.6, np.abs(x)) * step(.3, .2, y - t.mouth_y)
    return np.clip(mix(picture, linear([225, 215, 200])[:, None, None], teeth), 0, 1) ** (1 / 2.2)


def _behind(view: View, light) -> np.ndarray:
    x, y = view.grid()
    return np.clip(light.wall[:, None, None] * (1 - .02 * np.hypot(x, y)), 0, 1) ** (1 / 2.2)
