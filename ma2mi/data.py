"""Onset and apex of a micro-expression, and pairs of near frames of a macro-expression clip, as tensors."""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from shared.corpora.samples import aligned
from shared.files import digest
from shared.keys import code_key, pixels_key
from shared.pixels.apex import with_apex
from shared.pixels.frames import Store, in_order, prepare, unreadable, written
from shared.pixels.images import Box, stream
from shared.pixels.temporal import most_different

from .config import Config

IN_MEMORY = 4 << 30  # bytes of decoded clips that are prepared; larger corpora are decoded as they are needed


def load(samples: pd.DataFrame, config: Config, cache: Path) -> Store:
    """Fine-tuning: I_t = onset and I_{t+δ} = apex (Sec. 3.2), (2N, resize, resize, 3) uint8."""
    samples, problems = with_apex(samples, cache)  # not in the paper: where the corpus names none
    pairs = list(zip(samples["onset"], samples["apex"], strict=True))
    store = prepare(samples, pairs, size=config.resize, cache=cache)
    return replace(store, problems=problems + store.problems)


def normalised(frames: Tensor) -> Tensor:
    """uint8 (..., H, W, 3) -> float (..., 3, H, W) in [-1, 1], the range of the autoencoder."""
    return frames.movedim(-1, -3).float() / 127.5 - 1


def whole(pairs: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Test: pairs (B, 2, R, R, 3) uint8 resized to `size`: I_t and I_{t+δ}, each (B, 3, size, size)."""
    B = len(pairs)
    I = F.interpolate(normalised(pairs).flatten(0, 1), (size, size), mode="bilinear", antialias=True)
    I_t, I_td = I.view(B, 2, 3, size, size).unbind(1)
    return I_t, I_td


def augmented(
    pairs: Tensor, size: int, *, degrees: float, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Training: a random crop of `size`, flip and rotation (Sec. 4.3), the same for both frames of a pair.

    Pairs (B, 2, R, R, 3) uint8 -> I_t and I_{t+δ}, each (B, 3, size, size). All is drawn from `generator`, on the CPU.
    """
    B, _, R, _, _ = pairs.shape
    angle = (torch.rand(B, generator=generator) * 2 - 1) * math.radians(degrees)
    flip = torch.randint(0, 2, (B,), generator=generator) * 2.0 - 1
    zoom = size / R
    shift = (torch.rand(B, 2, generator=generator) * 2 - 1) * (1 - zoom)
    rows = [
        flip * zoom * angle.cos(),
        -zoom * angle.sin(),
        shift[:, 0],
        flip * zoom * angle.sin(),
        zoom * angle.cos(),
        shift[:, 1],
    ]
    affine = torch.stack(rows, dim=1).view(B, 2, 3).to(pairs.device, non_blocking=True)
    grid = F.affine_grid(affine, [B, 6, size, size], align_corners=False)
    I = F.grid_sample(normalised(pairs).flatten(1, 2), grid, padding_mode="border", align_corners=False)
    I_t, I_td = I.view(B, 2, 3, size, size).unbind(1)
    return I_t, I_td


def pretraining_data(samples: Mapping[str, pd.DataFrame], config: Config, cache: Path) -> "FramePairs | LabelledPairs":
    """The clips of the first stage (Sec. 3.2); under pretrain="recognition" those of MAER (Table 1)."""
    clips = samples[config.source]
    if config.pretrain == "recognition":
        return LabelledPairs(clips, size=config.size, cache=cache)
    return FramePairs(clips, size=config.size, delta=config.delta, cache=cache)


class FramePairs(torch.utils.data.Dataset[tuple[Tensor, ...]]):
    """Pairs (I_t, I_{t+δ}) of macro-expression clips, uint8 (size, size, 3): one pair per clip and epoch (Sec. 3.2).

    t and δ are drawn from (seed, epoch, clip), δ from `delta` = (low, high), both included; clips shorter than δ
    give their first and last frame. A clip with an image that cannot be read is left out, with an entry in `problems`.
    After `encode`, Z_t and Z_{t+δ} come with the frames.
    """

    def __init__(self, clips: pd.DataFrame, *, size: int, delta: tuple[int, int], cache: Path) -> None:
        clips = clips[clips["frames"].map(len).gt(1)]
        self.size, self.delta, self.cache = size, delta, cache
        self.store: Store | None = None
        if clips["frames"].map(len).sum() * size * size * 3 < IN_MEMORY:
            self.store = prepare(clips, [f.numbers for f in clips["frames"]], size=size, cache=cache)
        self.problems = self.store.problems if self.store else unreadable(clips, cache)
        self.streamed = self.store is None
        self.clips = clips[~clips["sample"].isin([p.sample for p in self.problems])]
        self.frames = list(self.clips["frames"])
        self.start = np.cumsum([0, *map(len, self.frames)])  # of each clip, among all frames
        self.latents: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, place: tuple[int, int, int]) -> tuple[Tensor, ...]:
        rng, index = np.random.default_rng(place), place[-1]
        count = len(self.frames[index])
        delta = min(int(rng.integers(self.delta[0], self.delta[1] + 1)), count - 1)
        t = int(rng.integers(0, count - delta))
        pair = self._frame(index, t), self._frame(index, t + delta)
        if self.latents is None:
            return pair
        return *pair, *(torch.from_numpy(self.latents[self.start[index] + i].copy()) for i in (t, t + delta))

    def encode(self, latents: Callable[[Tensor], Tensor], key: Any, factor: int, batch: int = 32) -> None:
        """Z of every frame, from the cache or computed into it by `latents`, (B, size, size, 3) uint8 -> (B, 4, h, w).

        `key` is what Z depends on beside the frames; it is `factor` times smaller than they are. Without space on the
        disk nothing is kept.
        """
        total, side = int(self.start[-1]), self.size // factor
        boxes = [clip.box for clip in self.frames]
        path = self.cache / f"latents-{digest([key, self.size, boxes, pixels_key(self.clips), code_key(__name__)])}.f16"

        def parts() -> Iterator[memoryview]:
            clip = np.repeat(np.arange(len(self)), np.diff(self.start))
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                decoded = in_order(pool, self._frame, clip.tolist(), (np.arange(total) - self.start[clip]).tolist())
                for first in tqdm(range(0, total, batch), "encoding", unit="batch", disable=None, leave=False):
                    frames = torch.stack(list(islice(decoded, min(batch, total - first))))
                    yield latents(frames).half().contiguous().cpu().numpy().data

        self.latents = written(path, (total, 4, side, side), np.float16, parts)

    def _frame(self, index: int, t: int) -> Tensor:
        if self.store:
            return torch.from_numpy(self.store.clip(index)[t].copy())
        frames = self.frames[index]
        return torch.from_numpy(stream(frames.path(frames.numbers[t]), self.size, box=frames.box).copy())


class LabelledPairs(torch.utils.data.Dataset[tuple[Tensor, Tensor, int]]):
    """The first frame of a labelled clip, the frame most different from it, and the class: for MAER (Table 1).

    Macro-expression clips have no onset and no apex; this pair takes their place (not in the paper).
    """

    streamed = True

    def __init__(self, clips: pd.DataFrame, *, size: int, cache: Path) -> None:
        clips = clips[clips["emotion"].notna() & clips["frames"].map(len).gt(1)]
        self.classes = sorted(clips["emotion"].unique())
        thumbnails = prepare(clips, [f.numbers for f in clips["frames"]], size=32, gray=True, cache=cache)
        clips = aligned(clips, thumbnails.ids)
        self.problems = thumbnails.problems
        self.pairs: list[list[tuple[str, Box | None]]] = []
        for i, frames in enumerate(clips["frames"]):
            peak = most_different(thumbnails.clip(i)[..., 0])
            self.pairs.append([(frames.path(frames.numbers[t]), frames.box) for t in (0, peak)])
        self.label = [self.classes.index(e) for e in clips["emotion"]]
        self.size = size

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, place: tuple[int, int, int]) -> tuple[Tensor, Tensor, int]:
        index = place[-1]
        first, peak = (torch.from_numpy(stream(path, self.size, box=box).copy()) for path, box in self.pairs[index])
        return first, peak, self.label[index]
