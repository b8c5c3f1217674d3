"""Hair, ears, neck and clothes: all of a head around the face."""

from types import SimpleNamespace

import numpy as np
from scipy.ndimage import gaussian_filter

from .anatomy import View, head_width
from .brush import col, linear, mix, noise, step, strokes
from .relief import bump, neck_width


def surround(
    t: SimpleNamespace, rng: np.random.Generator, view: View, face: np.ndarray, light: SimpleNamespace
) -> tuple[np.ndarray, np.ndarray]:
    """The face with what surrounds it, (3, H, W) linear, and how far all of it covers what is behind, (H, W)."""
    x, y = view.grid()
    out = np.abs(x)
    width = head_width(t, y)
    inside = step(0.12, -0.1, out - width) * (width > 1e-3)
    body = step(0.1, -0.1, out - neck_width(t, y)) * step(4, 6, y)
    face = _dressed(t, rng, view, face, inside)

    flank, ear = _ears(t, out, y, light)
    face = mix(face, flank, ear * (1 - inside))

    front, behind = _growth(t, rng, view, width)
    hair = _strands(t, rng, view, light)
    face = face * (1 - 0.35 * np.clip(gaussian_filter(front, 0.35 * view.scale) - front, 0, 1))
    face = mix(face, 0.55 * hair, behind * (1 - inside) * (1 - body))
    face = mix(hair, face, np.maximum.reduce([inside, body, ear]))
    face = mix(face, hair, front)
    return face, np.maximum.reduce([inside, body, ear, front, behind])


def _dressed(
    t: SimpleNamespace, rng: np.random.Generator, view: View, face: np.ndarray, inside: np.ndarray
) -> np.ndarray:
    """The face, its shadow on the neck, and clothes, (3, H, W) linear; `inside` covers the face."""
    x, y = view.grid()
    soft = gaussian_filter(inside, 0.9 * view.scale)
    below = np.roll(soft, round(1.4 * view.scale), 0) * (y > 4)
    face = face * (1 - (1 - inside) * 0.62 * np.clip(1.3 * below, 0, 1))
    collar = y - (15.9 - 0.07 * x * x)
    weave = 1 + 0.12 * noise(rng, x, y, (1.2, 3.0)) + 0.05 * noise(rng, x, y, (0.08, 0.08))
    hem = 1 - 0.35 * np.exp(-np.clip(collar, 0, 9) / 0.3)
    cloth = linear(t.cloth) * weave * hem * (0.75 - 0.05 * np.clip(y - 15, 0, 6))
    return mix(face, cloth, step(-0.08, 0.08, collar) * (1 - inside))


def _ears(t: SimpleNamespace, out: np.ndarray, y: np.ndarray, light: SimpleNamespace) -> tuple[np.ndarray, np.ndarray]:
    """The ears, (3, H, W) linear, and their cover (H, W); `out` is the distance from the middle of the face."""
    ex, ey = out - t.width - 0.1 + 0.06 * (y - 1.5), y - 1.7
    ear = step(1.04, 0.94, np.hypot(ex / 0.85, ey / 2.75))
    hollow = bump(ex, ey, (0.15, 0.3), (0.32, 1.1)) + 0.6 * bump(ex, ey, (0.35, -1.2), (0.2, 0.9))
    skin = linear(t.skin) * col(1.0, 0.86, 0.82) * (light.key * 0.62 + light.fill * 0.5)
    return skin * (1 - 0.75 * hollow) * (0.72 + 0.3 * step(1.0, 0.55, np.hypot(ex / 0.85, ey / 2.75))), ear


def _growth(
    t: SimpleNamespace, rng: np.random.Generator, view: View, width: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cover (H, W) of the hair before the face and of that behind it; `width` is half the head's."""
    x, y = view.grid()
    out = np.abs(x)
    volume = 0.45 + 0.45 * t.volume
    round_ = (out / (t.width + volume)) ** 2.3 + np.abs((y + 2.2) / (8.8 + volume)) ** 2.3
    cap = step(0.15, -0.15, 4 * round_ - 4)
    temple = 0.93 * t.width
    line = (
        t.hairline
        + 4.6 * (out / temple) ** 5
        + 0.1 * noise(rng, x, y, (0.4, 0.4))
        + 0.14 * noise(rng, x, y, (0.07, 1.2))
    )
    burn = step(0.5, -0.5, y - 0.9 + 0.35 * noise(rng, x, y, (0.05, 2))) * step(t.width * 0.93, t.width * 1.01, out)
    front = cap * np.maximum(step(0.45, -0.45, y - line), burn)
    root = rng.uniform(-0.95, 0.95, 420) * t.width
    edge = t.hairline + 4.6 * (np.abs(root) / temple) ** 5
    start, bend = edge + rng.uniform(-0.2, 0.4, len(root)), root + 0.12 * np.sign(root)
    loose = np.stack([(root, start), (bend, edge - 0.5), (root + rng.normal(0, 0.15, len(root)), edge - 1)])
    front = np.maximum(front, 0.8 * strokes(view, loose.transpose(2, 0, 1), 0.03) * cap)
    behind = np.zeros_like(x)
    if t.long_hair:
        sheet = t.width + volume + 0.9 * step(-2.2, 5, y) + 0.15 * np.sin(0.5 * y + t.part) * step(-1, 3, y)
        behind = step(0.2, -0.2, out - sheet) * (y > -2.2) * step(19, 16, y + noise(rng, x, y, (0.3, 4)))
        curtain = step(-0.15, 0.1, out - 0.97 * width - 0.012 * (y - 2) ** 2 - 0.1 * noise(rng, x, y, (0.6, 1.5)))
        front = np.maximum(front, behind * curtain * step(8.5, 5.5, y - 0.7 * out + 3))
    return front, behind


def _strands(t: SimpleNamespace, rng: np.random.Generator, view: View, light: SimpleNamespace) -> np.ndarray:
    """Hair everywhere, strand by strand, (3, H, W) linear."""
    x, y = view.grid()
    fan = step(-13.5, -1, y)
    strand = (x - t.part * (1 - fan)) / (0.3 + 0.7 * fan)
    fine = fan * noise(rng, strand, y, (0.07, 2.5))
    fine = fine + 0.8 * noise(rng, strand, y, (0.25, 4)) + 0.6 * noise(rng, strand, y, (0.8, 5))
    sheen = np.exp(-(((y + 8.3 - 0.05 * x * x) / 1.4) ** 2))
    sheen = sheen + 0.5 * np.exp(-(((np.abs(x) - t.width - 0.6) / 0.6) ** 2)) * (y > -3)
    tone = linear(t.hair) * (1 - t.grey) + linear([168, 165, 162]) * t.grey
    gloss = 0.95 + 0.3 * light.key + 1.1 * sheen * np.clip(0.5 + 0.4 * fine, 0, 2)
    return (0.85 * tone + 0.006) * (gloss * np.clip(1 + 0.34 * fine, 0.25, 2.2))
