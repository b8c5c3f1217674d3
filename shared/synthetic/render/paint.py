"""The layers of which the pictures of a person are composed, drawn when first needed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import SimpleNamespace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from . import parts
from .anatomy import Person, View
from .hair import surround
from .relief import head, illuminate
from .skin import bare_face

PAD = 0.16  # how far the layers reach beyond the picture, as a share of it
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Layers:
    """A person in one view and light. Tensors are float32, colours 0..1 as displayed, C = 3 or 1 (gray)."""

    person: Person
    view: View
    light: SimpleNamespace
    gray: bool
    made: dict[tuple[str, int, str], torch.Tensor] = field(default_factory=dict)

    def cached(self, key: tuple[str, int, str], make: Callable[[], np.ndarray]) -> torch.Tensor:
        """The array that `make` returns, made once: `key` names it, its action unit and its side."""
        if key not in self.made:
            self.made[key] = torch.from_numpy(make())
        return self.made[key]

    @cached_property
    def coarse(self) -> View:
        """As fine as the view and a little larger: it includes what can move into the picture."""
        return self.view.padded(PAD)

    @cached_property
    def canvas(self) -> View:
        """As large as `coarse`, and finer in small pictures: skin, eyes, mouth and glasses are drawn on it."""
        return self.view.padded(PAD, float(np.clip(360 / self.view.height, 1, 2)))

    @cached_property
    def skin(self) -> torch.Tensor:
        """(C + 1, H, W): all of the head but eyeballs and mouth; the last channel covers what is behind."""
        rng = self._rng(1)
        face = bare_face(self.person.traits, rng, self.canvas, self.light)
        return self._finish(*surround(self.person.traits, rng, self.canvas, face, self.light))

    @cached_property
    def eyes(self) -> torch.Tensor:
        """(C, H, W)"""
        return self._finish(parts.eyeballs(self.person.traits, self._rng(2), self.canvas, self.light))

    @cached_property
    def mouth(self) -> torch.Tensor:
        """(C, H, W)"""
        return self._finish(parts.mouth(self.person.traits, self._rng(3), self.canvas))

    @cached_property
    def glasses(self) -> torch.Tensor:
        """(C + 1, H, W), the last channel their cover."""
        return self._finish(*parts.glasses(self.person.traits, self._rng(4), self.canvas))

    @cached_property
    def behind(self) -> torch.Tensor:
        """(C, h, w), on the view itself."""
        return self._finish(parts.wall(self.view, self.light))

    @cached_property
    def height(self) -> np.ndarray:
        """The landscape of the face in cm, on `coarse`."""
        return head(self.person.traits, *self.coarse.grid())

    @cached_property
    def lit(self) -> np.ndarray:
        """Light on the resting face, on `coarse`."""
        return illuminate(self.height, self.coarse, self.light)[0].mean(0)

    @cached_property
    def depth(self) -> np.ndarray:
        """The same, smoothed, on the view: parallax acts on it."""
        return gaussian_filter(head(self.person.traits, *self.view.grid()), 0.6 * self.view.scale).astype(np.float32)

    def _rng(self, part: int) -> np.random.Generator:
        return np.random.default_rng([self.person.seed, part])

    def _finish(self, picture: np.ndarray, cover: np.ndarray | None = None) -> torch.Tensor:
        """The picture (3, H, W) and its cover (H, W) as displayed, no finer than the pixels of the view can show."""
        picture = np.clip(picture, 0, 1) ** (1 / 2.2)
        picture = np.tensordot(LUMA, picture, 1)[None] if self.gray else picture
        picture = picture if cover is None else np.concatenate([picture, cover[None]])
        soft = 0.42 * self.canvas.scale / self.view.scale
        return torch.from_numpy(gaussian_filter(picture, (0, soft, soft)).astype(np.float32))


@lru_cache(maxsize=4)
def layers(person: Person, view: View, scene: int | None, gray: bool) -> Layers:
    """The layers of a person; a clip asks for the same ones as the clip before it."""
    light = lighting(person.seed, wild=False) if scene is None else lighting(scene, wild=True)
    return Layers(person, view, light, gray)


def lighting(seed: int, wild: bool) -> SimpleNamespace:
    """The lamps and the grey wall of a laboratory, or any light and any wall (`wild`)."""
    rng = np.random.default_rng([seed, 7])
    to = np.array([rng.normal(0, 0.55 if wild else 0.28), -rng.uniform(*((0.1, 0.8) if wild else (0.3, 0.6))), 1])
    warm = rng.normal(0, 0.08 if wild else 0.025)
    return SimpleNamespace(
        to=to / np.linalg.norm(to),
        key=rng.uniform(0.55, 1.0) if wild else rng.uniform(0.82, 0.95),
        fill=rng.uniform(0.15, 0.4) if wild else rng.uniform(0.22, 0.3),
        tint=(1 + warm, 1.0, 1 - warm),
        wall=rng.uniform(0.05, 0.6) * (1 + wild * rng.normal(0, 0.22, 3).clip(-0.5, 0.5)),
    )
