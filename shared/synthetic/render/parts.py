"""Layers under and over the skin: eyeballs, the inside of the mouth, spectacles, the wall behind."""

from types import SimpleNamespace

import numpy as np

from .anatomy import SIDES, View
from .brush import col, linear, mix, noise, step, strokes


def eyeballs(t: SimpleNamespace, rng: np.random.Generator, view: View, light: SimpleNamespace) -> np.ndarray:
    """Eyes that look ahead, (3, H, W) linear."""
    x, y = view.grid()
    picture = np.zeros((3, *x.shape), np.float32)
    glow = light.key * 0.62 + light.fill
    for sign in SIDES.values():
        dx, dy = x - sign * t.eye_x, y - t.eye_y + 0.1
        r = np.hypot(dx, dy)
        out = dx * sign / t.eye_len
        white = linear([232, 226, 219]) * (1 - 0.5 * np.clip(r / 1.75, 0, 1) ** 2.2 + 0.12 * dx * light.to[0])
        veins = np.clip(noise(rng, x + 0.3 * dy, y, (0.3, 0.06)) - 1, 0, 1) * np.clip(np.abs(out) - 0.35, 0, 1)
        white = white * (1 - (0.35 * veins + 0.25 * np.clip(np.abs(out) - 0.55, 0, 1)) * col(0.1, 0.8, 0.8))
        corner = np.hypot(dx * sign + t.eye_len - 0.1, (dy - t.tilt - 0.1) * 1.1)
        white = mix(white, linear([206, 128, 116]), 0.85 * step(0.2, 0.13, corner))
        spokes = noise(rng, np.arctan2(dy, dx) * 3, r, (0.16, 0.5))
        iris = linear(t.iris) * (1 + 0.3 * spokes) * (0.8 + 0.32 * np.clip(dy / t.iris_r, -0.6, 1))
        iris = iris * (1 + 0.6 * np.exp(-(((r - 0.28) / 0.09) ** 2))) * (1 - 0.75 * step(0.72, 1.0, r / t.iris_r))
        ball = mix(white, iris, step(t.iris_r + 0.045, t.iris_r - 0.045, r))
        ball = mix(ball, 0.003, step(0.255, 0.195, r))
        shine = step(0.125, 0.06, np.hypot(dx - 0.2 * np.sign(light.to[0]) - 0.1 * light.to[0], (dy + 0.2) * 0.9))
        shine = np.maximum(shine, 0.3 * step(0.09, 0.03, np.hypot(dx + 0.2 * np.sign(light.to[0]), dy - 0.25)))
        picture = np.where(np.abs(dx) < 2.6, mix(ball * glow, 1.0, 0.92 * shine), picture)
    return picture


def mouth(t: SimpleNamespace, rng: np.random.Generator, view: View) -> np.ndarray:
    """The inside of the mouth: upper teeth, tongue, the dark; (3, H, W) linear."""
    x, y = view.grid()
    down = y - t.mouth_y
    picture = linear([58, 15, 17]) * np.ones_like(x) * (1 - 0.5 * np.clip(np.abs(x) / 2.2, 0, 1))
    tongue = step(1.1, 0.7, np.hypot(x / 1.7, (down - 1.5) / 0.9))
    flesh = (0.8 + 0.1 * noise(rng, x, y, (0.1, 0.1))) * (1 - 0.4 * np.exp(-((x / 0.12) ** 2)))
    picture = mix(picture, linear([150, 70, 72]) * flesh, 0.8 * tongue)
    gap = np.cumsum([0, 0.86, 0.66, 0.74, 0.62, 0.6])  # cm from the middle to the side of each tooth
    place = np.searchsorted(gap, np.abs(x).ravel()).reshape(x.shape).clip(1, 5)
    to_gap = np.minimum(np.abs(x) - gap[place - 1], gap[place] - np.abs(x))
    edge = 0.26 - 0.05 * (place == 2) - 0.1 * (np.abs(x) / 2.4) ** 2 - 0.05 * np.exp(-to_gap / 0.08)
    teeth = step(0.05, -0.05, down - edge) * step(2.9, 2.3, np.abs(x))
    ivory = linear([242, 230, 208])
    ivory = ivory * (1 - 0.45 * np.exp(-to_gap / 0.035)) * (1 - 0.75 * np.clip(np.abs(x) / 2.9, 0, 1) ** 2)
    gum = linear([176, 88, 86])
    ivory = mix(ivory, gum, step(-0.66, -0.74, down - 0.06 * np.cos(to_gap * 8)))
    return mix(picture, ivory * 0.95, teeth)


def glasses(t: SimpleNamespace, rng: np.random.Generator, view: View) -> tuple[np.ndarray, np.ndarray]:
    """Spectacles, (3, H, W) linear, and their cover (H, W)."""
    turn, corner = np.linspace(0, 2 * np.pi, 49), rng.uniform(0.55, 1)
    wide, high = rng.uniform(2.3, 2.6), rng.uniform(1.6, 2.1)
    rim = [np.sign(f(turn)) * np.abs(f(turn)) ** corner for f in (np.cos, np.sin)]
    ring = np.stack([wide * rim[0], 0.45 + high * rim[1]], -1)
    curves = [ring + (sign * (t.eye_x + 0.1), t.eye_y) for sign in SIDES.values()]
    inner = t.eye_x + 0.1 - wide
    bridge = [(-inner, 0.1), (0, -0.15), (inner, 0.1)]
    arms = [[(sign * (t.eye_x + wide), -0.3), (sign * (t.width + 0.4), -0.5)] for sign in SIDES.values()]
    thick = rng.uniform(0.1, 0.24)
    cover = strokes(view, [*curves, bridge, *arms], thick)
    x, y = view.grid()
    colour = linear(rng.choice([[24, 22, 24], [70, 44, 30], [120, 116, 112]]))
    return colour * np.clip(1 + 0.5 * noise(rng, x, y, (0.4, 0.4)), 0.2, None), 0.95 * cover


def wall(view: View, light: SimpleNamespace) -> np.ndarray:
    """A plain wall in the light, (3, h, w) linear."""
    x, y = view.grid()
    return col(*light.wall) * np.clip(1 - 0.02 * np.hypot(x - 6 * light.to[0], y + 4), 0, None)
