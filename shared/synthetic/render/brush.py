"""Tools for painting: colours, masks, noise, hairs."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch.nn.functional import grid_sample

from .anatomy import View


def linear(colour: Sequence[float]) -> np.ndarray:
    """sRGB 0..255 to linear light, shaped (3, 1, 1)."""
    return (np.clip(np.asarray(colour, np.float32), 0, 255)[:, None, None] / 255) ** 2.2


def col(r: float, g: float, b: float) -> np.ndarray:
    """One value a channel, (3, 1, 1)."""
    return np.array([r, g, b], np.float32)[:, None, None]


def mix(below: np.ndarray, above: np.ndarray | float, cover: np.ndarray | float) -> np.ndarray:
    """`above` where cover is 1, `below` where it is 0."""
    return below + (above - below) * cover


def step(a: float, b: float, x: np.ndarray) -> np.ndarray:
    """0 below a, 1 above b, smooth between (a > b falls)."""
    s = np.clip((x - a) / (b - a), 0, 1)
    return s * s * (3 - 2 * s)


def noise(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    """Smooth noise of about unit variance, with features of `scale` (sx, sy) in the units of x and y."""
    lattice = torch.from_numpy(rng.standard_normal((1, 1, 257, 257)).astype(np.float32))
    at = np.stack([x / (128 * scale[0]), y / (128 * scale[1])], -1).astype(np.float32)
    at = np.abs((at + 1) % 4 - 2) - 1  # mirrored beyond the lattice
    return grid_sample(lattice, torch.from_numpy(at)[None], mode="bicubic", align_corners=True)[0, 0].numpy()


def strokes(view: View, curves: Iterable[Iterable], width: float) -> np.ndarray:
    """Cover (h, w) in 0..1 of thin hairs; each curve is a series of points in cm, as is `width`."""
    fine = 3
    picture = Image.new("L", (view.width * fine, view.height * fine))
    pen, thick = ImageDraw.Draw(picture), max(1, round(width * view.scale * fine))
    for curve in curves:
        pen.line([tuple(fine * (v + 0.5) for v in view.pixel(*p)) for p in curve], fill=255, width=thick)
    return np.asarray(picture.reduce(fine), np.float32) / 255
