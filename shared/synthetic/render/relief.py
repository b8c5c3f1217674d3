"""The face as a landscape: heights in cm towards the viewer, and how a light falls on them."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
from scipy.ndimage import gaussian_filter

from .anatomy import SIDES, View, eye_lines, head_width, lip_lines

Point = tuple[float, float]


def bump(x: np.ndarray, y: np.ndarray, at: Point, radius: Point, height: float = 1.0) -> np.ndarray:
    """A rounded hill of this height; `radius` (rx, ry) is where it has fallen to 1/e."""
    return height * np.exp(-(((x - at[0]) / radius[0]) ** 2) - ((y - at[1]) / radius[1]) ** 2)


def to_curve(x: np.ndarray, y: np.ndarray, through: Sequence[Point], steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the smooth curve through the points, and the place 0..1 of the nearest spot on it."""
    points = np.asarray(through, np.float32)
    if len(points) == 3:  # a parabola through the middle point
        s = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
        control = 2 * points[1] - (points[0] + points[2]) / 2
        points = (1 - s) ** 2 * points[0] + 2 * s * (1 - s) * control + s**2 * points[2]
    best, place = np.full(x.shape, 1e6, np.float32), np.zeros(x.shape, np.float32)
    for i, (a, b) in enumerate(zip(points, points[1:], strict=False)):
        d = b - a
        s = np.clip(((x - a[0]) * d[0] + (y - a[1]) * d[1]) / max(d @ d, 1e-9), 0, 1)
        away = (x - a[0] - s * d[0]) ** 2 + (y - a[1] - s * d[1]) ** 2
        nearer = away < best
        best, place = np.where(nearer, away, best), np.where(nearer, (i + s) / (len(points) - 1), place)
    return np.sqrt(best), place


def fold(x: np.ndarray, y: np.ndarray, points: Sequence[Point], depth: float, width: float) -> np.ndarray:
    """A crease along a curve: a groove that fades towards its ends, with a soft swelling beside it."""
    x0, x1 = (f([p[0] for p in points]) for f in (min, max))
    y0, y1 = (f([p[1] for p in points]) for f in (min, max))
    reach, z = 5 * width, np.zeros_like(x)
    rows = np.flatnonzero((y[:, 0] > y0 - reach) & (y[:, 0] < y1 + reach))
    columns = np.flatnonzero((x[0] > x0 - reach) & (x[0] < x1 + reach))
    if len(rows) and len(columns):
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        d, s = to_curve(x[box], y[box], points, steps=10)
        fade = np.clip(4 * s * (1 - s), 0, 1) ** 0.7
        z[box] = depth * fade * (0.45 * np.exp(-((d / (2.2 * width)) ** 2)) - np.exp(-((d / width) ** 2)))
    return z


def head(t: SimpleNamespace, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Heights of the resting face (the neck where there is no face)."""
    w = np.maximum(head_width(t, y), 0.05)
    side = np.clip(1 - np.abs(x / w) ** 2.3, 0, 1) ** 0.5 * (head_width(t, y) > 1e-3)
    vertical = np.clip(1 - np.abs((y + 0.5) / np.where(y < -0.5, 11.2, t.chin_y + 1.5)) ** 2.6, 0, 1) ** 0.5
    neck_w = neck_width(t, y)
    neck = 4.2 * np.sqrt(np.clip(1 - (x / neck_w) ** 2, 0, 1)) - 2.5 - 0.12 * np.clip(y - 12, 0, 9)
    z = np.maximum(7.2 * side * vertical, neck)
    z = _middle(t, x, y, z)
    for name in SIDES:
        z = _half(t, x, y, z, name)
    return z


def _middle(t: SimpleNamespace, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The heights `z` with nose, mouth and chin."""
    tip = t.nose_y - 0.45
    down = np.clip((y + 0.6) / (tip + 0.6), 0, 1.6)
    rise = t.nose_h * np.where(down < 1, 0.16 + 0.84 * down**1.35, np.clip(1 - ((down - 1) / 0.2) ** 2, 0, 1))
    rise = rise * np.clip((y + 2.6) / 2, 0, 1)
    ridge_w = t.bridge + 0.5 * down**1.5
    z = z + rise * np.exp(-(np.abs(x / ridge_w) ** 1.9)) * 0.75
    z = z + bump(x, y, (0, tip), (t.tip * 0.85, 0.68), 0.5)
    z = z - bump(x, y, (0, -0.25), (1.1, 0.7), 0.16)
    z = z + bump(x, y, (0, t.brow_y + 0.3), (1.2, 0.6), 0.1 + 0.15 * t.masculine)
    upper, line, lower = lip_lines(t, x)
    inside = np.clip(1 - np.abs(x / t.mouth_w) ** 2.2, 0, 1)
    z = z + bump(x, y, (0, t.mouth_y), (2.7, 1.9), 0.5)
    for top, bottom, high in ((upper - 0.06, line + 0.04, 0.17), (line - 0.02, lower + 0.05, 0.27)):
        across = (y - (top + bottom) / 2) / np.maximum((bottom - top) / 2, 0.03)
        z = z + high * inside**0.6 * np.clip(1 - across**2, 0, 1) ** 0.75
    z = z - 0.13 * np.exp(-(((y - line) / 0.1) ** 2)) * np.clip(inside, 0, 1) ** 0.4
    z = z - bump(x, y, (0, t.mouth_y - 1.25), (0.3, 0.6), 0.1)
    z = z + sum(bump(x, y, (s * 0.55, t.mouth_y - 1.2), (0.28, 0.6), 0.05) for s in (1, -1))
    z = z - bump(x, y, (0, t.mouth_y + t.lip_low + 0.55), (1.7, 0.36), 0.3)
    return z + bump(x, y, (0, t.chin_y - 1.25), (1.5, 1.0), t.chin_h)


def _half(t: SimpleNamespace, x: np.ndarray, y: np.ndarray, z: np.ndarray, name: str) -> np.ndarray:
    """The heights `z` with brow, eye, cheek, nostril and corner of the mouth of the side of this name."""
    sign = SIDES[name]
    e = (sign * t.eye_x, t.eye_y)
    z = z + bump(x, y, (sign * (t.eye_x + 0.35), t.brow_y - 0.05), (2.2, 0.6), 0.2 + 0.12 * t.masculine)
    z = z - bump(x, y, (e[0] - sign * 0.35, e[1] - 0.35), (1.9, 1.05), t.socket * 0.75)
    z = z - bump(x, y, (sign * (t.eye_x - 1.75), -0.1), (0.55, 0.9), 0.3)
    z = z + bump(x, y, (e[0], e[1] + 0.02), (1.35, 0.85), 0.55)
    u, l, _ = eye_lines(t, x, name)
    span = np.clip(1 - np.abs((x - e[0]) / (t.eye_len * 1.08)) ** 3, 0, 1)
    z = z - 0.15 * span * np.exp(-(((y - (u - t.crease)) / 0.085) ** 2))
    z = z + 0.05 * span * np.exp(-(((y - (u - 0.42 * t.crease)) / (0.5 * t.crease)) ** 2))
    z = z - 0.035 * span * np.exp(-(((y - (l + 0.42)) / 0.12) ** 2)) * (0.5 + t.age / 45)
    z = z + 0.05 * span * np.exp(-(((y - (l + 0.12)) / 0.13) ** 2))
    z = z + bump(x, y, (sign * (t.eye_x + 1.1), 2.9), (2.1, 1.5), t.cheek)
    z = z - bump(x, y, (sign * (t.eye_x + 1.7), 5.9), (1.5, 2.0), t.cheek * 0.45)
    z = z + bump(x, y, (sign * t.nose_w * 0.78, t.nose_y - 0.32), (0.5, 0.5), 0.95)
    z = z - bump(x, y, (sign * (t.nose_w + 0.12), t.nose_y - 0.45), (0.22, 0.55), 0.3)
    z = z - bump(x, y, (sign * 0.62, t.nose_y + 0.08), (0.36, 0.17), 0.5)
    z = z - bump(x, y, (sign * (t.mouth_w + 0.15), t.mouth_y + t.mouth_sag + 0.02), (0.28, 0.26), 0.16)
    return z + age_lines(t, x, y, sign)


def neck_width(t: SimpleNamespace, y: np.ndarray) -> np.ndarray:
    """Half the width of neck and shoulders at height y."""
    return (0.66 + 0.06 * t.masculine) * t.width + 0.02 * np.clip(y - 11, 0, 9) ** 2 + np.clip(y - 13.8, 0, 9) ** 1.6


def nasolabial(t: SimpleNamespace, sign: float) -> list[Point]:
    """The line from the wing of the nose past the corner of the mouth."""
    top, end = (t.nose_w + 0.2, t.nose_y - 0.55), (t.mouth_w + 0.65, t.mouth_y + 0.1)
    return [(sign * x, y) for x, y in (top, (t.nose_w + 1.0, t.nose_y + 0.95), end)]


def age_lines(t: SimpleNamespace, x: np.ndarray, y: np.ndarray, sign: float) -> np.ndarray:
    """Lines that stay in the resting face with age."""
    old = np.clip((t.age - 18) / 40, 0, 1)
    z = fold(x, y, nasolabial(t, sign), 0.05 + 0.13 * old, 0.24)
    below = [(sign * (t.eye_x + dx), y) for dx, y in ((-1.3, 0.75), (-0.4, 1.3), (0.9, 1.45))]
    z = z + fold(x, y, below, 0.03 + 0.07 * old, 0.17)
    if t.age > 32:
        for k in range(3):
            end = (sign * (t.eye_x + t.eye_len + 1.3), -0.35 + 0.5 * k)
            start = (sign * (t.eye_x + t.eye_len + 0.3), t.eye_y - 0.1 + 0.15 * k)
            z = z + fold(x, y, [start, end], 0.05 * old, 0.08)
        for h in (-3.5, -4.3, -5.1):
            z = z + fold(x, y, [(0, h), (sign * 1.8, h - 0.1), (sign * 3.6, h + 0.2)], 0.05 * old, 0.12)
    return z


def illuminate(
    z: np.ndarray, view: View, light: SimpleNamespace, grain: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Light on each spot, (3, h, w) linear, and the gloss of it (h, w). `grain` is relief too fine for shadows."""
    px = view.scale
    z = gaussian_filter(z, 0.05 * px)
    hollow = 0.8 * np.clip(gaussian_filter(z, 0.55 * px, truncate=3) - z, -0.3, 1)
    hollow = hollow + 0.22 * np.clip(gaussian_filter(z, 1.5 * px, truncate=2.5) - z, -0.5, 2)
    open_ = np.exp(-1.6 * np.clip(hollow + 0.05, 0, None))
    nx, ny, nz = normals(z + grain, px)
    across = nx * light.to[0] + ny * light.to[1] + nz * light.to[2]
    shade = []
    for c, wrap in enumerate((0.45, 0.33, 0.28)):  # red scatters furthest under the skin
        diffuse = np.clip((across + wrap) / (1 + wrap), 0, None) ** 1.15
        sky = 0.8 - 0.22 * ny + 0.06 * nz
        lamp = light.key * light.tint[c] * diffuse * open_**0.35
        shade.append(lamp + light.fill * sky * open_ ** (0.9, 1.1, 1.2)[c])
    half = np.asarray(light.to) + (0, 0, 1)
    half = half / np.linalg.norm(half)
    gloss = np.clip(nx * half[0] + ny * half[1] + nz * half[2], 0, 1) ** 18 * open_ * light.key
    return np.stack(shade), gloss


def normals(z: np.ndarray, px: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit normals (towards the viewer) of a landscape drawn with px pixels a cm."""
    zy, zx = np.gradient(z, 1 / px)
    nz = 1 / np.sqrt(1 + zx * zx + zy * zy)
    return -zx * nz, -zy * nz, nz
