"""Inputs of the baselines: images of flow and strain, frames at the apex, frames at onset and apex."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from shared.corpora.samples import Problem
from shared.pixels.apex import with_apex
from shared.pixels.flow import strain, tvl1
from shared.pixels.frames import derive, prepare

from ..config import Config
from .ststnet import SIDE

NEAR = 4  # frames near the apex that CapsuleNet may see beside it (released code)
SHIFT = 0.15  # of a quarter of the clip from onset to apex (released code)


@dataclass(frozen=True)
class FlowImages:
    """STSTNet: `images` (N, 3, 28, 28) uint8 of u, v and strain from onset to apex."""

    ids: tuple[str, ...]
    images: np.ndarray
    problems: list[Problem]
    digest: str


@dataclass(frozen=True)
class ApexFrames:
    """CapsuleNet: `frames` (N, 1 + NEAR, H, W, 3) uint8, the apex and neighbours of it, each larger than the input."""

    ids: tuple[str, ...]
    frames: np.ndarray
    problems: list[Problem]
    digest: str


@dataclass(frozen=True)
class KeyFrames:
    """MMNet: `frames` (F, H, W, 3) uint8, those of sample i at start[i]:start[i + 1].

    The first `onsets[i]` may stand for the onset, which comes first; the others for the apex, which comes last.
    """

    ids: tuple[str, ...]
    frames: np.ndarray
    start: Tensor
    onsets: Tensor
    problems: list[Problem]
    digest: str


Data: TypeAlias = FlowImages | ApexFrames | KeyFrames


def load(samples: pd.DataFrame, config: Config, cache: Path) -> Data:
    """The input of the method of `config`, read once and kept in the cache."""
    samples, problems = with_apex(samples, cache)
    if config.method == "STSTNet":
        pairs = list(zip(samples["onset"], samples["apex"], strict=True))
        store = prepare(samples, pairs, size=config.resize, gray=True, cache=cache)
        images = derive(store, "strain", {}, flow_images)
        return FlowImages(store.ids, images, problems + store.problems, store.digest)
    if config.method == "CapsuleNet":
        store = prepare(samples, about_apex(samples), size=resized(config.image), cache=cache)
        frames = store.array.reshape(len(store.ids), 1 + NEAR, *store.array.shape[1:])
        return ApexFrames(store.ids, frames, problems + store.problems, store.digest)
    choices = early_and_late(samples, SHIFT)
    store = prepare(samples, [early + late for early, late in choices], size=config.image, cache=cache)
    count = {sample: len(early) for sample, (early, _) in zip(samples["sample"], choices, strict=True)}
    onsets = torch.tensor([count[sample] for sample in store.ids])
    start = torch.as_tensor(store.start)
    return KeyFrames(store.ids, store.array, start, onsets, problems + store.problems, store.digest)


def flow_images(clip: np.ndarray) -> np.ndarray:
    """Onset and apex (2, H, W, 1) uint8 -> u, v and strain, each stretched to 0..255, then made small: (3, 28, 28).

    They are smoothed where they are made smaller: not in the released facts that this was written from.
    """
    onset, apex = torch.from_numpy(clip[..., 0].copy()).unsqueeze(1)
    flow = tvl1(onset, apex)
    maps = torch.cat([flow, strain(flow).unsqueeze(1)], 1)
    low, high = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
    maps = 255 * (maps - low) / (high - low).clamp_min(1e-12)
    small = F.interpolate(maps, (SIDE, SIDE), mode="bilinear", antialias=True)
    return small[0].round().byte().numpy()


def resized(image: int) -> tuple[int, int]:
    """(height, width) of the frames that squares of side `image` are cut from: 234 × 240 for 224 (released code)."""
    return round(image * 234 / 224), round(image * 240 / 224)


def about_apex(samples: pd.DataFrame) -> list[list[int]]:
    """Frame numbers: the apex, then the NEAR nearest others; those of a short clip more than once."""
    found = []
    for frames, apex in zip(samples["frames"], samples["apex"], strict=True):
        others = [n for _, n in sorted((abs(n - apex), n) for n in frames.numbers if n != apex)] or [apex]
        found.append([apex, *(others[i % len(others)] for i in range(NEAR))])
    return found


def early_and_late(samples: pd.DataFrame, shift: float) -> list[tuple[list[int], list[int]]]:
    """Frame numbers that stand for the onset, itself first, and for the apex, itself last.

    They lie up to ⌊shift · (apex − onset) / 4⌋ frames from it, towards the other (released code).
    """
    found = []
    for frames, onset, apex in zip(samples["frames"], samples["onset"], samples["apex"], strict=True):
        reach = int(shift * max(apex - onset, 0) / 4)
        early = [onset, *(n for n in frames.numbers if onset < n <= onset + reach)]
        found.append((early, [*(n for n in frames.numbers if apex - reach <= n < apex), apex]))
    return found
