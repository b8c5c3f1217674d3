"""Clips of one length: a few of their frames for the network, a descriptor for the SVMs (Sec. 4.2, 4.3)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from shared.corpora.samples import Problem
from shared.pixels.frames import derive, prepare
from shared.pixels.temporal import tim

from . import descriptors
from .config import Config

LUMA = np.array((0.299, 0.587, 0.114), np.float32)
DESCRIPTORS: dict[str, Callable[..., np.ndarray]] = {
    "LBP-TOP": descriptors.lbp_top,
    "LPQ-TOP": descriptors.lpq_top,
    "LBP-SIP": descriptors.lbp_sip,
    "HOG3D": descriptors.hog3d,
}


@dataclass(frozen=True)
class Prepared:
    """The samples of a task, prepared for the network or for the SVMs."""

    ids: tuple[str, ...]
    x: np.ndarray  # clips (N, frames, R, R, 3) uint8, or descriptors (N, D)
    problems: list[Problem]
    digest: str


def load(samples: pd.DataFrame, config: Config, cache: Path) -> Prepared:
    """The frames from onset to offset, resized to a square of `resize`, as clips or descriptors."""
    spans = zip(samples["frames"], samples["onset"], samples["offset"], strict=True)
    numbers = [[n for n in frames.numbers if onset <= n <= offset] for frames, onset, offset in spans]
    store = prepare(samples, numbers, size=config.resize, cache=cache)
    name = config.descriptor
    if name == "none":
        one = partial(spread, tim=config.tim, frames=config.frames)
        x = derive(store, "clips", one.keywords, one)
    else:
        settings = description(config)
        describe = partial(DESCRIPTORS[name], **settings)
        x = derive(store, name, {"tim": config.tim, **settings}, partial(described, tim=config.tim, by=describe))
    return Prepared(store.ids, x, store.problems, store.digest)


def interpolated(clip: np.ndarray, n: int) -> np.ndarray:
    """TIM: uint8 clip (T, ...) -> (n, ...) uint8."""
    return tim(clip, n).round().clip(0, 255).astype(np.uint8)


def spread(clip: np.ndarray, *, tim: int, frames: int) -> np.ndarray:
    """`frames` of `tim` interpolated frames, evenly spaced from the first to the last: (frames, R, R, 3) uint8."""
    return interpolated(clip, tim)[np.linspace(0, tim - 1, frames).round().astype(int)]


def described(clip: np.ndarray, *, tim: int, by: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """A descriptor of the grey clip of `tim` interpolated frames: (D,) float32."""
    grey = (clip @ LUMA).round().astype(np.uint8)
    return by(interpolated(grey, tim)).astype(np.float32)


def description(config: Config) -> dict[str, Any]:
    """The settings of the descriptor (Sec. 4.3)."""
    own: dict[str, dict[str, Any]] = {
        "LBP-TOP": {"radii": config.radii},
        "LBP-SIP": {"radii": config.radii},
        "LPQ-TOP": {"window": config.window},
        "HOG3D": {},
    }
    return {"blocks": config.blocks, **own[config.descriptor]}


def floats(clips: Tensor) -> Tensor:
    """Clips as the network takes them: (B, T, H, W, 3) uint8 -> (B, 3, T, H, W) in [0, 1]."""
    return clips.permute(0, 4, 1, 2, 3).float().contiguous() / 255


def central(clips: Tensor, size: int) -> Tensor:
    """Test: the middle of clips (B, T, R, R, 3) -> (B, T, size, size, 3)."""
    start = (clips.shape[2] - size) // 2
    return clips[:, :, start : start + size, start : start + size]


def augmented(clips: Tensor, size: int, *, flip: bool, generator: torch.Generator) -> Tensor:
    """Training: a crop of `size` from a random place (Sec. 4.2) and a random flip, one for all frames of a clip.

    Clips (B, T, R, R, 3) -> (B, T, size, size, 3). Both are drawn from `generator`, on the CPU.
    """
    B, _, R, _, _ = clips.shape
    corners = torch.randint(R - size + 1, (B, 2), generator=generator).tolist()
    crops = torch.stack([c[:, y : y + size, x : x + size] for c, (y, x) in zip(clips, corners, strict=True)])
    turned = (torch.rand(B, generator=generator) < 0.5 * flip).to(clips.device, non_blocking=True)
    return torch.where(turned[:, None, None, None, None], crops.flip(3), crops)
