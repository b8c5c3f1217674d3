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
from .relief import bump, head, illuminate

PAD = .16  # how far the layers reach beyond the picture, as a share of it
LUMA = np.array([.299, .587, .114], np.float32)


@dataclass(frozen=True)
class Layers:
    """What a face is put together from, float32; colours 0..1 as displayed, C = 3 or 1 (gray)."""

    view: View
    canvas: View  # a little larger than the view and finer: skin, eyes, mouth and glasses are drawn on it
    coarse: View  # as large as the canvas, as fine as the view
    light: SimpleNamespace
    skin: torch.Tensor  # (C + 1, H, W), the last channel is its cover of what is behind
    eyes: torch.Tensor  # (C, H, W)
    mouth: torch.Tensor  # (C, H, W)
    glasses: torch.Tensor | None  # (C + 1, H, W)
    behind: torch.Tensor  # (C, h, w)
    height: np.ndarray  # the landscape, on `coarse`
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
    soft = .42 * zoom

    def finish(picture, cover=None):
        picture = np.tensordot(LUMA, picture, 1)[None] if gray else picture
        picture = picture if cover is None else np.concatenate([picture, cover[None]])
        return torch.from_numpy(gaussian_filter(picture, (0, soft, soft)).astype(np.float32))

    return Layers(
        view, canvas, coarse, light,
        skin=finish(*_skin(person, canvas, light)), eyes=finish(_eyes(person, canvas, light)), mouth=finish(_mouth(person, canvas)),
        glasses=finish(*_glasses(person, canvas)) if t.glasses else None, behind=finish(_behind(view, light)),
        height=head(t, *coarse.grid()), depth=gaussian_filter(head(t, *view.grid()), .6 * view.scale).astype(np.float32),
    )  # fmt: skip


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


def _skin(person: Person, view: View, light: SimpleNamespace) -> tuple[np.ndarray, np.ndarray]:
    """Head, neck, clothes and hair, (3, H, W) as displayed, and their cover (H, W) of what is behind."""
    t, rng = person.traits, np.random.default_rng([person.seed, 1])
    x, y = view.grid()
    upper, line, lower = lip_lines(t, x)
    lips = step(-.05, .07, y - upper) * step(.06, -.06, y - lower) * step(1.03, .95, np.abs(x / t.mouth_w))
    albedo = _complexion(t, rng, view, x, y)
    red = mix(linear(t.skin), linear([186, 84, 80]) * (linear(t.skin).mean() / .5) ** .6, t.lips)[:, None, None]
    albedo = mix(albedo, red * (1 + .07 * noise(rng, x, y, (.07, .6))), .88 * lips)
    grain = (.004 * noise(rng, x, y, (.06, .06)) + .004 * noise(rng, x, y, (.14, .14))) * (1 - lips)
    shade, gloss = illuminate(head(t, x, y), view, light, grain)
    oily = .035 + .05 * (bump(x, y, (0, 2.5), (1.2, 3.2)) + bump(x, y, (0, -4), (3, 1.5))) + .09 * lips * step(0, .3, y - line)
    face = albedo * shade + oily * gloss
    dark = .8 * np.exp(-(((y - line) / .05) ** 2)) * step(1.05, .97, np.abs(x / t.mouth_w))
    nostril = sum(bump(x, y, (sign * .62, t.nose_y + .1), (.32, .12)) for sign in SIDES.values())
    face = face * (1 - dark * col(.7, .82, .82)) * (1 - .85 * np.clip(1.4 * nostril, 0, 1))
    face = _brows(t, rng, view, _lids(t, rng, view, face))
    face, cover = _hair_and_body(t, rng, view, face, light)
    return np.clip(face, 0, 1) ** (1 / 2.2), cover


def _complexion(t, rng, view, x, y):
    """Colour of the skin: blotches, pores, redness, rings under the eyes, freckles, moles, the shadow of a beard."""
    blotch = sum(a * noise(rng, x, y, (s, s)) for a, s in ((.03, 2.2), (.025, .8), (.02, .25), (.03, .075)))
    red = sum(bump(x, y, (sign * (t.eye_x + .9), 3.4), (1.9, 1.5)) for sign in SIDES.values())
    red = red + .9 * bump(x, y, (0, t.nose_y - .4), (1.2, .7)) + .4 * bump(x, y, (0, t.chin_y - 1.2), (1.3, .8))
    red = t.redness * (red + .25 * noise(rng, x, y, (.5, .5)))
    rings = sum(bump(x, y, (sign * (t.eye_x - .3), .35), (1.7, .95)) for sign in SIDES.values())
    skin = col(*linear(t.skin)) * (1 + blotch) * (1 + red * col(.05, -.11, -.09)) * (1 - rings * col(.12, .17, .14))

    at = rng.normal((0, 2.2), (3.6, 1.5), (t.freckles, 2))
    freckles = gaussian_filter(strokes(view, [[p, p + .05] for p in at], .1), .03 * view.scale)
    at = rng.uniform((-5.5, -5), (5.5, 10), (t.moles, 2))
    moles = gaussian_filter(strokes(view, [[p, p + .06] for p in at], .16), .035 * view.scale)
    skin = skin * (1 - .5 * freckles * col(.5, .8, 1)) * (1 - .9 * moles * col(.7, .9, 1))

    _, line, lower = lip_lines(t, x)
    edge = head_width(t, y)
    jaw = step(.5, 1.6, np.hypot(x / 5.2, (y - t.mouth_y + .6) / 4.6) + .45) * step(2.5, 5.5, y + .12 * x * x)
    mouth = step(.9, 1.25, np.hypot(x / (t.mouth_w + .1), (y - t.mouth_y - .1) / 1.15))
    moustache = bump(x, y, (0, t.mouth_y - 1.15), (2.3, .5))
    hairs = np.clip(np.maximum(jaw * mouth, moustache) * (.75 + .35 * noise(rng, x, y, (.055, .09))), 0, 1) * (edge > 0)
    return skin * (1 - t.beard * hairs * col(.55, .5, .42))


def _brows(t, rng, view, face):
    x, y = view.grid()
    for sign in SIDES.values():
        s = np.linspace(0, 1, t.brow_n)
        inner, outer = t.eye_x - 1.95, t.eye_x + 2.25
        along = lambda s: np.stack([inner + s * (outer - inner), t.brow_y + .28 - 1.05 * t.brow_arch * 4 * s**1.3 * (1 - s) - .1 * s], -1)  # noqa: B023
        thick = t.brow_t * np.clip(np.minimum(.55 + 3 * s, 1.25 * (1 - s) ** .7 + .12), 0, 1)
        root = along(s) + np.stack([0 * s, rng.uniform(-.75, .95, len(s)) * thick], -1)
        angle = np.deg2rad(np.interp(s, [0, .12, .35, .7, 1], [-86, -62, -32, -4, 24]) + rng.normal(0, 9, len(s)))
        length = rng.uniform(.3, .55, len(s)) * np.interp(s, [0, .15, 1], [.75, 1, .8])
        way = np.stack([np.cos(angle), np.sin(angle)], -1) * length[:, None]
        middle, tip = root + .55 * way, root + way + np.stack([.05 * length, .12 * length], -1)
        flip = np.array([sign, 1.])
        hairs = strokes(view, np.stack([root, middle, tip], 1) * flip, .034)
        band = strokes(view, [along(np.linspace(.03, .93, 12)) * flip], t.brow_t * 1.5)
        cover = np.clip(.5 * gaussian_filter(band, .16 * view.scale) + .85 * hairs, 0, .93)
        grey = mix(linear(t.hair), linear([150, 146, 142]), .6 * t.grey)
        face = mix(face, col(*grey) * .8, cover)
    return face


def _lids(t, rng, view, face):
    """Lash lines, lashes and the wet rims of the lids."""
    x, y = view.grid()
    for name, sign in SIDES.items():
        upper, lower, _ = eye_lines(t, x, name)
        out = (x * sign - t.eye_x) / t.eye_len
        span = step(1.1, .98, np.abs(out))
        face = face * (1 - span * col(.8, .86, .88) * np.exp(-(((y - upper + .015) / (.05 + .02 * np.clip(out, 0, 1))) ** 2)))
        face = face * (1 - .3 * span * np.exp(-(((y - upper + t.crease) / .06) ** 2)))
        face = mix(face, face * col(1.02, .78, .74), .8 * span * np.exp(-(((y - lower - .05) / .07) ** 2)))
        face = face * (1 - .35 * span * step(-.4, .8, out) * np.exp(-(((y - lower - .12) / .05) ** 2)))
        s = np.sort(rng.uniform(-.8, 1, 46))
        place = sign * (t.eye_x + s * t.eye_len)
        up, low, _ = (f.astype(float) for f in eye_lines(t, place, name))
        lean, long = sign * (.02 + .16 * s), .1 + .1 * (s + .8) / 1.8
        lashes = [[(a, b), (a + .6 * l, b - .35 * h), (a + 1.2 * l, b - h)] for a, b, l, h in zip(place, up, lean, long, strict=True)]
        below = [[(a, b + .06), (a + .6 * l, b + .06 + .55 * h)] for a, b, l, h in zip(place, low, lean, long, strict=True)]
        face = face * (1 - .6 * strokes(view, lashes, .022)) * (1 - .25 * strokes(view, below[::2], .018))
    return face


def _hair_and_body(t, rng, view, face, light):
    x, y = view.grid()
    out = np.abs(x)
    width = head_width(t, y)
    inside = step(.12, -.1, out - width) * (width > 0)
    soft = gaussian_filter(inside, .9 * view.scale)

    neck_w = .74 * t.width + np.clip(y - 14, 0, 9) ** 1.5 * .9
    body = step(.1, -.1, out - neck_w) * step(4, 6, y)
    below = np.roll(soft, round(1.4 * view.scale), 0) * (y > 4)
    face = face * (1 - (1 - inside) * .62 * np.clip(1.3 * below, 0, 1))
    collar = y - (15.9 - .07 * x * x)
    weave = 1 + .12 * noise(rng, x, y, (1.2, 3.)) + .05 * noise(rng, x, y, (.08, .08))
    cloth = col(*linear(t.cloth)) * weave * (.75 - .05 * np.clip(y - 15, 0, 6)) * (1 - .35 * np.exp(-np.clip(collar, 0, 9) / .3))
    face = mix(face, cloth, step(-.08, .08, collar) * (1 - inside))

    ex, ey = out - t.width - .1 + .06 * (y - 1.5), y - 1.7
    ear = step(1.04, .94, np.hypot(ex / .85, ey / 2.75))
    hollow = bump(ex, ey, (.15, .3), (.32, 1.1)) + .6 * bump(ex, ey, (.35, -1.2), (.2, .9))
    skin = col(*linear(t.skin)) * col(1., .86, .82) * (light.key * .62 + light.fill * .5)
    flank = skin * (1 - .75 * hollow) * (.72 + .3 * step(1., .55, np.hypot(ex / .85, ey / 2.75)))
    face = mix(face, flank, ear * (1 - inside))

    volume = .45 + .45 * t.volume
    cap = step(.15, -.15, np.hypot(x / (t.width + volume), (y + 2.2) / (9.3 + volume)) * 8 - 8)
    brow = t.hairline + 4.6 * (out / (.93 * t.width)) ** 5 + .25 * noise(rng, x, y, (.5, .5))
    burn = step(.5, -.5, y - .9 + .35 * noise(rng, x, y, (.05, 2))) * step(t.width * .93, t.width * 1.01, out)
    front = cap * np.maximum(step(.25, -.35, y - brow), burn)
    root = rng.uniform(-.9, .9, 260) * t.width
    edge = t.hairline + 4.6 * (np.abs(root) / (.93 * t.width)) ** 5
    loose = [[(a, b + rng.uniform(-.2, .25)), (a + .12 * np.sign(a), b - .5), (a + rng.normal(0, .15), b - 1.)] for a, b in zip(root, edge, strict=True)]
    front = np.maximum(front, .8 * strokes(view, loose, .03) * cap)
    behind = np.zeros_like(x)
    if t.long_hair:
        sheet = t.width + .9 + volume + .25 * np.sin(.5 * y + t.part)
        behind = step(.2, -.2, out - sheet) * step(-4, -1, y) * step(19, 16, y + noise(rng, x, y, (.3, 4)))
        curtain = step(-.15, .1, out - .97 * width - .012 * (y - 2) ** 2 - .1 * noise(rng, x, y, (.6, 1.5)))
        front = np.maximum(front, behind * curtain * step(8.5, 5.5, y - .7 * out + 3))
    fan = np.clip((y + 11) / 9, 0, 1) ** .6
    strand = (x - t.part * (1 - fan)) / (.22 + .78 * fan)
    fine = noise(rng, strand, y, (.05, 2.5)) + .8 * noise(rng, strand, y, (.22, 4)) + .5 * noise(rng, strand, y, (.8, 5))
    sheen = np.exp(-(((y + 8.3 - .05 * x * x) / 1.4) ** 2)) + .5 * np.exp(-(((out - t.width - .6) / .6) ** 2)) * (y > -3)
    tone = linear(t.hair) * (1 - t.grey) + linear([168, 165, 162]) * t.grey
    hair = (.95 + .3 * light.key + 1.1 * sheen * np.clip(.5 + .4 * fine, 0, 2)) * np.clip(1 + .34 * fine, .25, 2.2)
    hair = (col(*tone) * .85 + .006) * hair
    face = face * (1 - .35 * np.clip(gaussian_filter(front, .35 * view.scale) - front, 0, 1))
    face = mix(face, .55 * hair, behind * (1 - inside) * (1 - body))
    face = mix(face, hair, front)
    cover = np.maximum.reduce([inside, body, ear, front, behind])
    return face, cover


def _eyes(person: Person, view: View, light: SimpleNamespace) -> np.ndarray:
    """Eyeballs looking ahead, (3, H, W) as displayed."""
    t, rng = person.traits, np.random.default_rng([person.seed, 2])
    x, y = view.grid()
    picture = np.zeros((3, *x.shape), np.float32)
    glow = light.key * .62 + light.fill
    for sign in SIDES.values():
        dx, dy = x - sign * t.eye_x, y - t.eye_y + .1
        r = np.hypot(dx, dy)
        out = dx * sign / t.eye_len
        white = col(*linear([232, 226, 219])) * (1 - .5 * np.clip(r / 1.75, 0, 1) ** 2.2 + .12 * dx * light.to[0])
        veins = np.clip(noise(rng, x + .3 * dy, y, (.3, .06)) - 1, 0, 1) * np.clip(np.abs(out) - .35, 0, 1)
        white = white * (1 - (.35 * veins + .25 * np.clip(np.abs(out) - .55, 0, 1)) * col(.1, .8, .8))
        white = mix(white, col(*linear([206, 128, 116])), .85 * step(.2, .13, np.hypot(dx * sign + t.eye_len - .1, (dy - t.tilt - .1) * 1.1)))
        spokes = noise(rng, np.arctan2(dy, dx) * 3, r, (.16, .5))
        iris = col(*linear(t.iris)) * (1 + .3 * spokes) * (.8 + .9 * np.clip(dy / t.iris_r, -.6, 1) * .35)
        iris = iris * (1 + .6 * np.exp(-(((r - .28) / .09) ** 2))) * (1 - .75 * step(.72, 1., r / t.iris_r))
        ball = mix(white, iris, step(t.iris_r + .045, t.iris_r - .045, r))
        ball = mix(ball, .003, step(.255, .195, r))
        shine = step(.125, .06, np.hypot(dx - .2 * np.sign(light.to[0]) - .1 * light.to[0], (dy + .2) * .9))
        shine = np.maximum(shine, .3 * step(.09, .03, np.hypot(dx + .2 * np.sign(light.to[0]), dy - .25)))
        picture = np.where(np.abs(dx) < 2.6, mix(ball * glow, 1., .92 * shine), picture)
    return np.clip(picture, 0, 1) ** (1 / 2.2)


def _mouth(person: Person, view: View) -> np.ndarray:
    """Inside of the mouth: upper teeth, tongue, the dark; (3, H, W) as displayed."""
    t, rng = person.traits, np.random.default_rng([person.seed, 3])
    x, y = view.grid()
    down = y - t.mouth_y
    picture = col(*linear([58, 15, 17])) * np.ones_like(x) * (1 - .5 * np.clip(np.abs(x) / 2.2, 0, 1))
    tongue = step(1.1, .7, np.hypot(x / 1.7, (down - 1.5) / .9))
    picture = mix(picture, col(*linear([150, 70, 72])) * (.8 + .1 * noise(rng, x, y, (.1, .1))) * (1 - .4 * np.exp(-(x / .12) ** 2)), .8 * tongue)
    gap = np.cumsum([0, .86, .66, .74, .62, .6])
    place = np.searchsorted(gap, np.abs(x).ravel()).reshape(x.shape).clip(1, 5)
    to_gap = np.minimum(np.abs(x) - gap[place - 1] + .6 * (place == 1), gap[place] - np.abs(x))
    to_gap = np.where(place == 1, np.minimum(np.abs(x), gap[1] - np.abs(x)), to_gap)
    edge = .26 - .05 * (place == 2) - .1 * (np.abs(x) / 2.4) ** 2 - .05 * np.exp(-to_gap / .08)
    teeth = step(.05, -.05, down - edge) * step(2.9, 2.3, np.abs(x))
    ivory = col(*linear([226, 217, 200])) * (1 - .45 * np.exp(-to_gap / .035)) * (1 - .75 * np.clip(np.abs(x) / 2.9, 0, 1) ** 2)
    gum = col(*linear([176, 88, 86]))
    ivory = mix(ivory, gum, step(-.66, -.74, down - .06 * np.cos(to_gap * 8)))
    return np.clip(mix(picture, ivory * .95, teeth), 0, 1) ** (1 / 2.2)


def _glasses(person: Person, view: View) -> tuple[np.ndarray, np.ndarray]:
    """Spectacles, (3, H, W) as displayed, and their cover."""
    t, rng = person.traits, np.random.default_rng([person.seed, 4])
    turn, corner = np.linspace(0, 2 * np.pi, 49), rng.uniform(.55, 1)
    wide, high = rng.uniform(2.3, 2.6), rng.uniform(1.6, 2.1)
    ring = np.stack([np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** corner * wide, .45 + np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** corner * high], -1)
    curves = [ring + (sign * (t.eye_x + .1), t.eye_y) for sign in SIDES.values()]
    inner = t.eye_x + .1 - wide
    bridge = [(-inner, .1), (0, -.15), (inner, .1)]
    arms = [[(sign * (t.eye_x + wide), -.3), (sign * (t.width + .4), -.5)] for sign in SIDES.values()]
    thick = rng.uniform(.1, .24)
    cover = strokes(view, [*curves, bridge, *arms], thick)
    x, y = view.grid()
    colour = col(*linear(rng.choice([[24, 22, 24], [70, 44, 30], [120, 116, 112]]))) * (1 + .5 * noise(rng, x, y, (.4, .4)))
    return np.clip(colour, 0, 1) ** (1 / 2.2), .95 * cover


def _behind(view: View, light: SimpleNamespace) -> np.ndarray:
    x, y = view.grid()
    wall = light.wall[:, None, None] * (1 - .02 * np.hypot(x - 6 * light.to[0], y + 4))
    return np.clip(wall, 0, 1) ** (1 / 2.2)


def col(r, g, b) -> np.ndarray:
    return np.array([r, g, b], np.float32)[:, None, None]
