"""Skin, lips, brows and lids."""

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
    lips = step(-0.05, 0.07, y - upper) * step(0.06, -0.06, y - lower) * step(1.03, 0.95, across)
    base = linear(t.skin)
    red = mix(base, linear([186, 84, 80]) * (base.mean() / 0.5) ** 0.6, t.lips)
    albedo = mix(_complexion(t, rng, view), red * (1 + 0.07 * noise(rng, x, y, (0.07, 0.6))), 0.88 * lips)

    grain = 0.004 * (noise(rng, x, y, (0.06, 0.06)) + noise(rng, x, y, (0.14, 0.14))) * (1 - lips)
    shade, gloss = illuminate(head(t, x, y), view, light, grain)
    oily = 0.035 + 0.05 * (bump(x, y, (0, 2.5), (1.2, 3.2)) + bump(x, y, (0, -4), (3, 1.5)))
    face = albedo * shade + (oily + 0.09 * lips * step(0, 0.3, y - line)) * gloss

    dark = 0.8 * np.exp(-(((y - line) / 0.05) ** 2)) * step(1.05, 0.97, across)
    nostril = sum(bump(x, y, (sign * 0.62, t.nose_y + 0.1), (0.32, 0.12)) for sign in SIDES.values())
    face = face * (1 - dark * col(0.7, 0.82, 0.82)) * (1 - 0.85 * np.clip(1.4 * nostril, 0, 1))
    return _brows(t, rng, view, _lids(t, rng, view, face))


def _complexion(t: SimpleNamespace, rng: np.random.Generator, view: View) -> np.ndarray:
    """Colour of the skin: blotches, pores, redness, rings under the eyes, freckles, moles, the shadow of a beard."""
    x, y = view.grid()
    blotch = sum(a * noise(rng, x, y, (s, s)) for a, s in ((0.03, 2.2), (0.025, 0.8), (0.02, 0.25), (0.03, 0.075)))
    red = sum(bump(x, y, (sign * (t.eye_x + 0.9), 3.4), (1.9, 1.5)) for sign in SIDES.values())
    red = red + 0.9 * bump(x, y, (0, t.nose_y - 0.4), (1.2, 0.7)) + 0.4 * bump(x, y, (0, t.chin_y - 1.2), (1.3, 0.8))
    red = t.redness * (red + 0.25 * noise(rng, x, y, (0.5, 0.5)))
    rings = sum(bump(x, y, (sign * (t.eye_x - 0.3), 0.35), (1.7, 0.95)) for sign in SIDES.values())
    skin = linear(t.skin) * (1 + blotch) * (1 + red * col(0.05, -0.11, -0.09)) * (1 - rings * col(0.12, 0.17, 0.14))

    at = rng.normal((0, 2.2), (3.6, 1.5), (t.freckles, 2))
    freckles = gaussian_filter(strokes(view, [[p, p + 0.05] for p in at], 0.1), 0.03 * view.scale)
    at = rng.uniform((-5.5, -5), (5.5, 10), (t.moles, 2))
    moles = gaussian_filter(strokes(view, [[p, p + 0.06] for p in at], 0.16), 0.035 * view.scale)
    skin = skin * (1 - 0.5 * freckles * col(0.5, 0.8, 1)) * (1 - 0.9 * moles * col(0.7, 0.9, 1))

    jaw = step(0.5, 1.6, np.hypot(x / 5.2, (y - t.mouth_y + 0.6) / 4.6) + 0.45) * step(4.6, 7.0, y + 0.06 * x * x)
    mouth = step(0.9, 1.25, np.hypot(x / (t.mouth_w + 0.1), (y - t.mouth_y - 0.1) / 1.15))
    moustache = bump(x, y, (0, t.mouth_y - 1.15), (2.3, 0.5))
    hairs = np.clip(np.maximum(jaw * mouth, moustache) * (0.8 + 0.2 * noise(rng, x, y, (0.055, 0.09))), 0, 1)
    return skin * (1 - t.beard * hairs * col(0.55, 0.5, 0.42))


def _brows(t: SimpleNamespace, rng: np.random.Generator, view: View, face: np.ndarray) -> np.ndarray:
    """Brows, hair by hair: upwards at the inner end, outwards and down at the tail."""

    def along(s: np.ndarray) -> np.ndarray:
        arch = 4.2 * t.brow_arch * s**1.3 * (1 - s)
        return np.stack([t.eye_x - 1.95 + 4.2 * s, t.brow_y + 0.28 - arch - 0.1 * s], -1)

    s = np.linspace(0, 1, t.brow_n)
    for sign in SIDES.values():
        thick = t.brow_t * np.clip(np.minimum(0.55 + 3 * s, 1.25 * (1 - s) ** 0.7 + 0.12), 0, 1)
        root = along(s) + np.stack([0 * s, rng.uniform(-0.75, 0.95, len(s)) * thick], -1)
        angle = np.deg2rad(np.interp(s, [0, 0.12, 0.35, 0.7, 1], [-86, -62, -32, -4, 24]) + rng.normal(0, 9, len(s)))
        length = rng.uniform(0.3, 0.55, len(s)) * np.interp(s, [0, 0.15, 1], [0.75, 1, 0.8])
        way = np.stack([np.cos(angle), np.sin(angle)], -1) * length[:, None]
        middle, tip = root + 0.55 * way, root + way + np.stack([0.05 * length, 0.12 * length], -1)
        flip = np.array([sign, 1.0])
        hairs = strokes(view, np.stack([root, middle, tip], 1) * flip, 0.034)
        band = strokes(view, [along(np.linspace(0.03, 0.93, 12)) * flip], t.brow_t * 1.5)
        cover = np.clip(0.5 * gaussian_filter(band, 0.16 * view.scale) + 0.85 * hairs, 0, 0.93)
        face = mix(face, 0.8 * mix(linear(t.hair), linear([150, 146, 142]), 0.6 * t.grey), cover)
    return face


def _lids(t: SimpleNamespace, rng: np.random.Generator, view: View, face: np.ndarray) -> np.ndarray:
    """Lash lines, lashes and the wet rims of the lids."""
    x, y = view.grid()
    for name, sign in SIDES.items():
        upper, lower, _ = eye_lines(t, x, name)
        out = (x * sign - t.eye_x) / t.eye_len
        span = step(1.1, 0.98, np.abs(out))
        lash_line = np.exp(-(((y - upper + 0.015) / (0.05 + 0.02 * np.clip(out, 0, 1))) ** 2))
        face = face * (1 - span * col(0.8, 0.86, 0.88) * lash_line)
        face = face * (1 - 0.3 * span * np.exp(-(((y - upper + t.crease) / 0.06) ** 2)))
        face = mix(face, face * col(1.02, 0.78, 0.74), 0.8 * span * np.exp(-(((y - lower - 0.05) / 0.07) ** 2)))
        face = face * (1 - 0.35 * span * step(-0.4, 0.8, out) * np.exp(-(((y - lower - 0.12) / 0.05) ** 2)))
        s = np.sort(rng.uniform(-0.8, 1, 46))
        place = sign * (t.eye_x + s * t.eye_len)
        up, low, _ = eye_lines(t, place, name)
        lean, long = sign * (0.02 + 0.16 * s), 0.14 + 0.06 * s
        above = np.stack([(place, up), (place + 0.6 * lean, up - 0.35 * long), (place + 1.2 * lean, up - long)])
        below = np.stack([(place, low + 0.06), (place + 0.6 * lean, low + 0.06 + 0.55 * long)])
        face = face * (1 - 0.6 * strokes(view, above.transpose(2, 0, 1), 0.022))
        face = face * (1 - 0.25 * strokes(view, below.transpose(2, 0, 1)[::2], 0.018))
    return face
