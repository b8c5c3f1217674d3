"""People: the shape of a face in centimetres, x to the right of the picture, y down, the origin between the eyes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator

SIDES = {"L": 1.0, "R": -1.0}  # the subject's left is on the right of the picture
WINDOW, CENTRE = 16.8, 3.4  # a tight square crop: height in cm, and the y of its middle

_SKIN = np.array([[250, 222, 205], [240, 203, 178], [232, 190, 158], [214, 166, 130], [176, 124, 90], [118, 78, 56]])
_HAIR = np.array([[22, 19, 19], [38, 29, 25], [66, 45, 32], [104, 74, 48], [168, 132, 86], [122, 62, 36]])
_IRIS = np.array([[52, 33, 22], [74, 46, 26], [104, 74, 40], [92, 104, 70], [92, 124, 146], [110, 128, 138]])


@dataclass(frozen=True)
class Person:
    """One identity; everything about it follows from `seed`. Lengths in cm."""

    seed: int
    traits: SimpleNamespace = field(compare=False, repr=False)

    @staticmethod
    @lru_cache(maxsize=512)
    def draw(seed: int) -> Person:
        """The person with this seed."""
        return Person(seed, _traits(np.random.default_rng([seed, 0])))

    @property
    def landmarks(self) -> dict[str, tuple[float, float]]:
        """Neutral positions (x, y) in cm, `_L` and `_R` for the subject's left and right."""
        t = self.traits
        half = {
            "brow_inner": (t.eye_x - 1.75, t.brow_y + 0.25),
            "brow_mid": (t.eye_x + 0.1, t.brow_y - t.brow_arch * 0.8),
            "brow_outer": (t.eye_x + 2.1, t.brow_y + 0.25),
            "eye": (t.eye_x, t.eye_y),
            "eye_inner": (t.eye_x - t.eye_len, t.eye_y + t.tilt),
            "eye_outer": (t.eye_x + t.eye_len, t.eye_y - t.tilt),
            "lid_upper": (t.eye_x, t.eye_y - t.eye_up),
            "lid_lower": (t.eye_x, t.eye_y + t.eye_low),
            "cheek": (t.eye_x + 0.8, 3.1),
            "ala": (t.nose_w, t.nose_y - 0.05),
            "mouth_corner": (t.mouth_w, t.mouth_y + t.mouth_sag),
            "jaw": (t.width * t.jaw, t.mouth_y + 1.2),
        }
        points = {
            "nasion": (0.0, -0.3),
            "nose_tip": (0.0, t.nose_y - 0.35),
            "lip_upper": (0.0, t.mouth_y - t.lip_up),
            "mouth": (0.0, t.mouth_y),
            "lip_lower": (0.0, t.mouth_y + t.lip_low),
            "chin": (0.0, t.chin_y),
        }
        return points | {f"{k}_{side}": (x * sign, y) for side, sign in SIDES.items() for k, (x, y) in half.items()}

    def locate(self, size: int | tuple[int, int], margin: float = 0.0) -> dict[str, tuple[float, float]]:
        """The neutral landmarks in pixels of a picture of this size."""
        view = View.of(size, margin)
        return {k: view.pixel(x, y) for k, (x, y) in self.landmarks.items()}


def _traits(rng: np.random.Generator) -> SimpleNamespace:
    n, u = lambda mean, sd, k=2.2: float(mean + sd * np.clip(rng.standard_normal(), -k, k)), rng.uniform
    masculine = rng.random() < 0.5
    tone = rng.choice([1.2, 2.0, 2.4, 3.4, 4.6], p=[0.2, 0.3, 0.3, 0.13, 0.07]) + 0.35 * rng.standard_normal()
    tone = float(np.clip(tone, 0, 5))
    dark = tone > 1.8
    hair = n(0.5, 0.45) if dark else u(0.2, 5)
    age = float(np.clip(rng.gamma(3, 4) + 18, 18, 62))
    width, chin = n(6.6, 0.25), n(11.4 + 0.3 * masculine, 0.35)
    return SimpleNamespace(
        masculine=masculine,
        age=age,
        tone=tone,
        width=width,
        jaw=n(0.775 + 0.035 * masculine, 0.035),
        chin_w=n(0.41 + 0.05 * masculine, 0.045),
        chin_y=chin,
        forehead=n(0.9, 0.03),
        eye_x=n(3.15, 0.13),
        eye_y=n(0, 0.1),
        eye_len=n(1.53, 0.08),
        eye_up=n(0.6, 0.07),
        eye_low=n(0.36, 0.045),
        tilt=n(0.06, 0.07),
        crease=n(0.3, 0.08),
        socket=n(0.75, 0.18),
        iris_r=n(0.58, 0.02),
        brow_y=n(-1.95, 0.2),
        brow_arch=n(0.38 - 0.12 * masculine, 0.13),
        brow_t=n(0.3 + 0.1 * masculine, 0.06),
        brow_n=int(u(150, 260)),
        nose_w=n(1.62 + 0.08 * masculine, 0.15),
        nose_y=n(4.75, 0.22),
        nose_h=n(1.9, 0.25),
        bridge=n(0.62, 0.09),
        tip=n(0.82, 0.09),
        mouth_y=n(7.0, 0.2),
        mouth_w=n(2.5, 0.17),
        lip_up=n(0.52 - 0.08 * masculine, 0.1),
        lip_low=n(0.78 - 0.08 * masculine, 0.12),
        bow=n(0.13, 0.05),
        mouth_sag=n(0.03, 0.08),
        cheek=n(0.45, 0.15),
        chin_h=n(0.5, 0.15),
        skin=_mix(_SKIN, tone) * (1 + 0.018 * rng.standard_normal(3)),
        redness=u(0.3, 1.0),
        hair=_mix(_HAIR, np.clip(hair, 0, 5)),
        iris=_mix(_IRIS, np.clip(u(0, 1.6) if dark else u(0.5, 5), 0, 5)),
        lips=u(0.35, 0.9),
        grey=float(np.clip((age - 42) / 25, 0, 0.8)),
        freckles=int(u(60, 260)) if not dark and rng.random() < 0.4 else int(u(0, 18)),
        moles=int(rng.integers(0, 5)),
        beard=u(0.15, 0.7) if masculine and rng.random() < 0.65 else 0.0,
        hairline=n(-6.0 - 0.5 * masculine, 0.4),
        long_hair=not masculine and rng.random() < 0.75,
        part=u(-3, 3),
        volume=u(0.5, 1.5),
        glasses=rng.random() < 0.16,
        cloth=rng.uniform(20, 190, 3),
    )


def _mix(palette: np.ndarray, at: float) -> np.ndarray:
    return np.array([np.interp(at, np.arange(len(palette)), column) for column in palette.T])


def head_width(t: SimpleNamespace, y: np.ndarray) -> np.ndarray:
    """Half the width of the head at height y; 0 above the crown and below the chin."""
    chin, w = t.chin_y, t.width
    knots = [
        (-11.2, 0),
        (-10.6, 0.42 * w),
        (-9, 0.76 * w),
        (-6.2, t.forehead * w * 1.03),
        (-2.5, 1.02 * w),
        (1.5, w),
        (4.5, 0.955 * w),
        (t.mouth_y + 0.6, t.jaw * w),
        (chin - 2.1, (t.jaw * 0.57 + t.chin_w * 0.43) * w),
        (chin - 0.75, t.chin_w * w),
        (chin - 0.2, t.chin_w * 0.55 * w),
        (chin, 0),
    ]
    return np.clip(PchipInterpolator(*zip(*knots, strict=True))(np.clip(y, -11.2, chin)), 0, None)


def eye_lines(t: SimpleNamespace, x: Any, side: str) -> tuple:
    """Margins of the open upper and lower lid, and how far the lower can rise, at x; arrays or tensors."""
    s = (x * SIDES[side] - t.eye_x) / t.eye_len
    axis, room = t.eye_y - t.tilt * s.clip(-1.3, 1.3), (1 - s * s).clip(0)
    upper = axis - t.eye_up * room**0.62 * (1 - 0.12 * s)
    lower = axis + t.eye_low * room**0.75 * (1 + 0.18 * s)
    return upper, lower, axis + 0.6 * (lower - axis)


def lip_lines(t: SimpleNamespace, x: Any) -> tuple:
    """Upper border of the lips, the line between them, lower border, at x; arrays or tensors."""
    s = x / t.mouth_w
    room = (1 - s * s).clip(0)
    peak = 1 / (1 + (s / 0.16) ** 2)
    line = t.mouth_y + t.mouth_sag * (s * s).clip(0, 1.5) + 0.08 * peak - 0.04
    return line - t.lip_up * room**0.8 * (1 - t.bow / t.lip_up * peak), line, line + t.lip_low * room**0.7


@dataclass(frozen=True)
class View:
    """The part of the face plane in a picture of `height` x `width` pixels: its middle and half its height in cm."""

    height: int
    width: int
    y: float
    half_y: float

    @classmethod
    def of(cls, size: int | tuple[int, int], margin: float = 0.0) -> View:
        """A tight crop (margin 0), or one 1 + margin times as high and wide; `size` is a side or (height, width)."""
        height, width = (size, size) if isinstance(size, int) else size
        half = WINDOW / 2 * (1 + margin) * max(1, height / width) ** 0.5
        return cls(height, width, CENTRE - 1.5 * margin, half)

    @property
    def half_x(self) -> float:
        """Half the width in cm."""
        return self.half_y * self.width / self.height

    @property
    def scale(self) -> float:
        """Pixels per cm."""
        return self.height / (2 * self.half_y)

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """x and y of the pixel centres, float32 (height, width)."""
        x = ((np.arange(self.width) + 0.5) / self.width * 2 - 1) * self.half_x
        y = ((np.arange(self.height) + 0.5) / self.height * 2 - 1) * self.half_y + self.y
        X, Y = np.meshgrid(x, y)
        return X.astype(np.float32), Y.astype(np.float32)

    def pixel(self, x: float, y: float) -> tuple[float, float]:
        """Column and row of a place in cm."""
        return (x + self.half_x) * self.scale - 0.5, (y - self.y + self.half_y) * self.scale - 0.5

    def padded(self, share: float, zoom: float = 1.0) -> View:
        """The same middle, larger by `share` of the half extents, drawn `zoom` times as fine."""
        height, width = (round(n * (1 + share) * zoom) for n in (self.height, self.width))
        return View(height, width, self.y, self.half_y * (1 + share))
