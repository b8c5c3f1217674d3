"""What lies under or over the skin: eyeballs, the inside of the mouth, spectacles, the wall behind."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from .anatomy import SIDES, View
from .brush import col, linear, mix, noise, step, strokes


def eyeballs(t: SimpleNamespace, rng: np.random.Generator, view: View, light: SimpleNamespace) -> np.ndarray:
    """Eyes that look ahead, (3, H, W) linear."""
    x, y = view.grid()
    picture = np.zeros((3, *x.shape), np.float32)
    glow = light.key * .62 + light.fill
    for sign in SIDES.values():
        dx, dy = x - sign * t.eye_x, y - t.eye_y + .1
        r = np.hypot(dx, dy)
        out = dx * sign / t.eye_len
        white = linear([232, 226, 219]) * (1 - .5 * np.clip(r / 1.75, 0, 1) ** 2.2 + .12 * dx * light.to[0])
        veins = np.clip(noise(rng, x + .3 * dy, y, (.3, .06)) - 1, 0, 1) * np.clip(np.abs(out) - .35, 0, 1)
        white = white * (1 - (.35 * veins + .25 * np.clip(np.abs(out) - .55, 0, 1)) * col(.1, .8, .8))
        corner = np.hypot(dx * sign + t.eye_len - .1, (dy - t.tilt - .1) * 1.1)
        white = mix(white, linear([206, 128, 116]), .85 * step(.2, .13, corner))
        spokes = noise(rng, np.arctan2(dy, dx) * 3, r, (.16, .5))
        iris = linear(t.iris) * (1 + .3 * spokes) * (.8 + .32 * np.clip(dy / t.iris_r, -.6, 1))
        iris = iris * (1 + .6 * np.exp(-(((r - .28) / .09) ** 2))) * (1 - .75 * step(.72, 1., r / t.iris_r))
        ball = mix(white, iris, step(t.iris_r + .045, t.iris_r - .045, r))
        ball = mix(ball, .003, step(.255, .195, r))
        shine = step(.125, .06, np.hypot(dx - .2 * np.sign(light.to[0]) - .1 * light.to[0], (dy + .2) * .9))
        shine = np.maximum(shine, .3 * step(.09, .03, np.hypot(dx + .2 * np.sign(light.to[0]), dy - .25)))
        picture = np.where(np.abs(dx) < 2.6, mix(ball * glow, 1., .92 * shine), picture)
    return picture


def mouth(t: SimpleNamespace, rng: np.random.Generator, view: View) -> np.ndarray:
    """The inside of the mouth: upper teeth, tongue, the dark; (3, H, W) linear."""
    x, y = view.grid()
    down = y - t.mouth_y
    picture = linear([58, 15, 17]) * np.ones_like(x) * (1 - .5 * np.clip(np.abs(x) / 2.2, 0, 1))
    tongue = step(1.1, .7, np.hypot(x / 1.7, (down - 1.5) / .9))
    flesh = (.8 + .1 * noise(rng, x, y, (.1, .1))) * (1 - .4 * np.exp(-((x / .12) ** 2)))
    picture = mix(picture, linear([150, 70, 72]) * flesh, .8 * tongue)
    gap = np.cumsum([0, .86, .66, .74, .62, .6])  # cm from the middle to the side of each tooth
    place = np.searchsorted(gap, np.abs(x).ravel()).reshape(x.shape).clip(1, 5)
    to_gap = np.minimum(np.abs(x) - gap[place - 1], gap[place] - np.abs(x))
    edge = .26 - .05 * (place == 2) - .1 * (np.abs(x) / 2.4) ** 2 - .05 * np.exp(-to_gap / .08)
    teeth = step(.05, -.05, down - edge) * step(2.9, 2.3, np.abs(x))
    ivory = linear([242, 230, 208])
    ivory = ivory * (1 - .45 * np.exp(-to_gap / .035)) * (1 - .75 * np.clip(np.abs(x) / 2.9, 0, 1) ** 2)
    gum = linear([176, 88, 86])
    ivory = mix(ivory, gum, step(-.66, -.74, down - .06 * np.cos(to_gap * 8)))
    return mix(picture, ivory * .95, teeth)


def glasses(t: SimpleNamespace, rng: np.random.Generator, view: View) -> tuple[np.ndarray, np.ndarray]:
    """Spectacles, (3, H, W) linear, and their cover (H, W)."""
    turn, corner = np.linspace(0, 2 * np.pi, 49), rng.uniform(.55, 1)
    wide, high = rng.uniform(2.3, 2.6), rng.uniform(1.6, 2.1)
    rim = [np.sign(f(turn)) * np.abs(f(turn)) ** corner for f in (np.cos, np.sin)]
    ring = np.stack([wide * rim[0], .45 + high * rim[1]], -1)
    curves = [ring + (sign * (t.eye_x + .1), t.eye_y) for sign in SIDES.values()]
    inner = t.eye_x + .1 - wide
    bridge = [(-inner, .1), (0, -.15), (inner, .1)]
    arms = [[(sign * (t.eye_x + wide), -.3), (sign * (t.width + .4), -.5)] for sign in SIDES.values()]
    thick = rng.uniform(.1, .24)
    cover = strokes(view, [*curves, bridge, *arms], thick)
    x, y = view.grid()
    colour = linear(rng.choice([[24, 22, 24], [70, 44, 30], [120, 116, 112]]))
    return colour * np.clip(1 + .5 * noise(rng, x, y, (.4, .4)), .2, None), .95 * cover


def wall(view: View, light: SimpleNamespace) -> np.ndarray:
    """A plain wall in the light, (3, h, w) linear."""
    x, y = view.grid()
    return col(*light.wall) * np.clip(1 - .02 * np.hypot(x - 6 * light.to[0], y + 4), 0, None)
