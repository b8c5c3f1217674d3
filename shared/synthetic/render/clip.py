"""A clip: action units over time, and everything else that moves while a face is filmed; its pictures and its truth."""

from collections.abc import Mapping

import numpy as np
import torch
from scipy.special import ndtri

from .actions import AUS
from .anatomy import SIDES, Person, View
from .courses import blinks, flicker, gaze, rise_and_fall, sway_of_head
from .paint import layers
from .warp import Warp

CHUNK = 2**18  # pixels drawn at once: as many as stay in the processor's cache
GRAIN = ndtri((np.arange(256) + 0.5) / 256).astype(np.float32)  # a normal draw for a random byte


class Clip:
    """One expression of a person in T = `frames` pictures: `aus` maps action units to their peak intensity in 0..1.

    `onset`, `apex` and `offset` count frames from 0. `sides` names units that only one side of the subject shows, "L"
    or "R". `sway` scales the movement of the head, `noise` that of sensor and lamps. `scene` seeds light and wall;
    without one they are the person's own laboratory. Raises ValueError for frames out of order and for unknown units.

    `intensities`: float32 (T, len(AUS)).
    """

    def __init__(
        self,
        person: Person,
        aus: Mapping[int, float],
        *,
        frames: int,
        onset: int,
        apex: int,
        offset: int,
        fps: float,
        seed: int,
        sides: Mapping[int, str] = {},
        sway: float = 1.0,
        blink: bool = True,
        noise: float = 1.0,
        scene: int | None = None,
    ) -> None:
        if not 0 <= onset <= apex <= offset < frames:
            raise ValueError(f"expected 0 <= onset <= apex <= offset < frames: {onset}, {apex}, {offset}, {frames}")
        if unknown := sorted(set(aus) - set(AUS)):
            raise ValueError(f"action units {unknown} are not among {AUS}")
        self.person, self.aus, self.sides, self.scene = person, dict(aus), dict(sides), scene
        self.frames, self.onset, self.apex, self.offset, self.fps = frames, onset, apex, offset, fps
        self.seed, self.noise = seed, noise
        self.intensities = np.zeros((frames, len(AUS)), np.float32)
        self.gain: dict[int, dict[str, float]] = {}  # action unit -> side -> how strongly that side shows it
        for au, peak in sorted(aus.items()):
            rng = np.random.default_rng([seed, 1, au])
            self.intensities[:, AUS.index(au)] = peak * rise_and_fall(rng, np.arange(frames), onset, apex, offset, fps)
            lean = float(np.clip(0.09 * rng.standard_normal(), -0.2, 0.2)) * (au != 43)  # both eyes shut
            self.gain[au] = {s: 1 + k * lean if sides.get(au, s) == s else 0.0 for s, k in SIDES.items()}
        seconds = np.arange(frames) / fps
        self.pose = sway * sway_of_head(np.random.default_rng([seed, 2]), seconds)
        self.blink = blinks(np.random.default_rng([seed, 3]), seconds) * blink
        self.gaze = gaze(np.random.default_rng([seed, 4]), seconds) * min(1, sway)
        self.lamp = 1 + noise * flicker(np.random.default_rng([seed, 5]), seconds)

    def render(self, size: int | tuple[int, int], *, margin: float = 0.0, gray: bool = False) -> np.ndarray:
        """The pictures, uint8 (T, H, W, 3), or (T, H, W) when gray. `size`: a side or (height, width) in pixels."""
        warp = self._warp(View.of(size, margin), gray)
        rng = np.random.default_rng([self.seed, 6])
        pictures = np.empty((self.frames, warp.view.height, warp.view.width, 1 if gray else 3), np.uint8)
        step = max(1, CHUNK // pictures[0, ..., 0].size)
        for start in range(0, self.frames, step):
            now = slice(start, min(start + step, self.frames))
            picture = warp.picture(now) * torch.from_numpy(self.lamp[now, None, None, None])
            if self.noise:
                grain = GRAIN[np.frombuffer(rng.bytes(picture.numel()), np.uint8)].reshape(picture.shape)
                picture += torch.from_numpy(grain) * (0.0035 + 0.0075 * picture.clamp(0).sqrt()) * self.noise
            pictures[now] = picture.mul_(255).add_(0.5).clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
        return pictures[..., 0] if gray else pictures

    def motion(self, t: int, size: int | tuple[int, int], margin: float = 0.0) -> np.ndarray:
        """True displacement in pixels from the onset frame to frame t, float32 (2, H, W): u to the right, v down."""
        return self._warp(View.of(size, margin), gray=True).motion(self.onset, t).numpy()

    def _warp(self, view: View, gray: bool) -> Warp:
        drawn = layers(self.person, view, self.scene, gray)
        return Warp(drawn, self.intensities, self.gain, self.pose, self.blink, self.gaze)
