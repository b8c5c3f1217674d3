"""Skin, lips, brows and lids."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from scipy.ndimage import gaussian_filter

from .anatomy import SIDES, View, eye_lines, lip_lines
from .brush import col, linear, mix, noise, step, strokes
from .relief import bump, head, illuminate


def bare_face(t: SimpleNamespace, rng: np.random.Generator, view: View, light: SimpleNamespace) -> np.ndarray:
    """The face without hair, (3, H, W) linear; also where there is no face."""
    x, y = view.grid()
    upper, line, lower = lip_lines(t, x)
    across = np.abs(x / t.mouth_w)
    lips = step(-.05, .07, y - upper) * step(.06, -.06, y - lower) * step(1.03, .95, across)
    base = linear(t.skin)
    red = mix(base, linear([186, 84, 80]) * (base.mean() / .5) ** .6, t.lips)
    albedo = mix(_complexion(t, rng, view), red * (1 + .07 * noise(rng, x, y, (.07, .6))), .88 * lips)

    grain = .004 * (noise(rng, x, y, (.06, .06)) + noise(rng, x, y, (.14, .14))) * (1 - lips)
    shade, gloss = illuminate(head(t, x, y), view, light, grain)
    oily = .035 + .05 * (bump(x, y, (0, 2.5), (1.2, 3.2)) + bump(x, y, (0, -4), (3, 1.5)))
    face = albedo * shade + (oily + .09 * lips * step(0, .3, y - line)) * gloss

    dark = .8 * np.exp(-(((y - line) / .05) ** 2)) * step(1.05, .97, across)
    nostril = sum(bump(x, y, (sign * .62, t.nose_y + .1), (.32, .12)) for sign in SIDES.values())
    face = face * (1 - dark * col(.7, .82, .82)) * (1 - .85 * np.clip(1.4 * nostril, 0, 1))
    return _brows(t, rng, view, _lids(t, rng, view, face))


def _complexion(t, rng, view):
    """Colour of the skin: blotches, pores, redness, rings under the eyes, freckles, moles, the shadow of a beard."""
    x, y = view.grid()
    blotch = sum(a * noise(rng, x, y, (s, s)) for a, s in ((.03, 2.2), (.025, .8), (.02, .25), (.03, .075)))
    red = sum(bump(x, y, (sign * (t.eye_x + .9), 3.4), (1.9, 1.5)) for sign in SIDES.values())
    red = red + .9 * bump(x, y, (0, t.nose_y - .4), (1.2, .7)) + .4 * bump(x, y, (0, t.chin_y - 1.2), (1.3, .8))
    red = t.redness * (red + .25 * noise(rng, x, y, (.5, .5)))
    rings = sum(bump(x, y, (sign * (t.eye_x - .3), .35), (1.7, .95)) for sign in SIDES.values())
    skin = linear(t.skin) * (1 + blotch) * (1 + red * col(.05, -.11, -.09)) * (1 - rings * col(.12, .17, .14))

    at = rng.normal((0, 2.2), (3.6, 1.5), (t.freckles, 2))
    freckles = gaussian_filter(strokes(view, [[p, p + .05] for p in at], .1), .03 * view.scale)
    at = rng.uniform((-5.5, -5), (5.5, 10), (t.moles, 2))
    moles = gaussian_filter(strokes(view, [[p, p + .06] for p in at], .16), .035 * view.scale)
    skin = skin * (1 - .5 * freckles * col(.5, .8, 1)) * (1 - .9 * moles * col(.7, .9, 1))

    jaw = step(.5, 1.6, np.hypot(x / 5.2, (y - t.mouth_y + .6) / 4.6) + .45) * step(4.6, 7., y + .06 * x * x)
    mouth = step(.9, 1.25, np.hypot(x / (t.mouth_w + .1), (y - t.mouth_y - .1) / 1.15))
    moustache = bump(x, y, (0, t.mouth_y - 1.15), (2.3, .5))
    hairs = np.clip(np.maximum(jaw * mouth, moustache) * (.8 + .2 * noise(rng, x, y, (.055, .09))), 0, 1)
    return skin * (1 - t.beard * hairs * col(.55, .5, .42))


def _brows(t, rng, view, face):
    """Brows, hair by hair: upwards at the inner end, outwards and down at the tail."""

    def along(s):
        arch = 4.2 * t.brow_arch * s**1.3 * (1 - s)
        return np.stack([t.eye_x - 1.95 + 4.2 * s, t.brow_y + .28 - arch - .1 * s], -1)

    s = np.linspace(0, 1, t.brow_n)
    for sign in SIDES.values():
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
        face = mix(face, .8 * mix(linear(t.hair), linear([150, 146, 142]), .6 * t.grey), cover)
    return face


def _lids(t, rng, view, face):
    """Lash lines, lashes and the wet rims of the lids."""
    x, y = view.grid()
    for name, sign in SIDES.items():
        upper, lower, _ = eye_lines(t, x, name)
        out = (x * sign - t.eye_x) / t.eye_len
        span = step(1.1, .98, np.abs(out))
        lash_line = np.exp(-(((y - upper + .015) / (.05 + .02 * np.clip(out, 0, 1))) ** 2))
        face = face * (1 - span * col(.8, .86, .88) * lash_line)
        face = face * (1 - .3 * span * np.exp(-(((y - upper + t.crease) / .06) ** 2)))
        face = mix(face, face * col(1.02, .78, .74), .8 * span * np.exp(-(((y - lower - .05) / .07) ** 2)))
        face = face * (1 - .35 * span * step(-.4, .8, out) * np.exp(-(((y - lower - .12) / .05) ** 2)))
        s = np.sort(rng.uniform(-.8, 1, 46))
        place = sign * (t.eye_x + s * t.eye_len)
        up, low, _ = eye_lines(t, place, name)
        lean, long = sign * (.02 + .16 * s), .14 + .06 * s
        above = np.stack([(place, up), (place + .6 * lean, up - .35 * long), (place + 1.2 * lean, up - long)])
        below = np.stack([(place, low + .06), (place + .6 * lean, low + .06 + .55 * long)])
        face = face * (1 - .6 * strokes(view, above.transpose(2, 0, 1), .022))
        face = face * (1 - .25 * strokes(view, below.transpose(2, 0, 1)[::2], .018))
    return face
