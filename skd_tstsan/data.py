"""Inputs: apex and onset, whole and in patches, and the flow between key frames (Sec. 4.2)."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from shared.apex import with_apex
from shared.corpora.table import Problem
from shared.frames import derive, prepare
from shared.tasks import TASKS
from shared.temporal import tim

from .tvl1 import tvl1

GRID = 4  # patches a side (Sec. 4.2)
MACRO = TASKS["ckplus-7"]


@dataclass(frozen=True)
class Inputs:
    """Grey `images` (N, 34, size, size) uint8: apex, onset, 16 patches of each; `flow` (N, 2 D, size, size), in pixels
    of the face: u and v of each of the D temporal domains."""

    ids: tuple[str, ...]
    images: np.ndarray
    flow: np.ndarray
    problems: list[Problem]
    digest: str

    def tensor(self, device: torch.device, *, follow: str) -> Tensor:
        """The network's x (N, 34 + 2 D, size, size). "release" stretches each component of each flow to [0, 1] in 256
        steps, so that no motion is an arbitrary grey; "paper" keeps pixels with their sign."""
        images = stretched(torch.tensor(self.images, device=device).float())
        flow = torch.tensor(self.flow, device=device)
        return torch.cat([images, (stretched(flow) * 255).floor() / 255 if follow == "release" else flow], dim=1)


def load(samples: pd.DataFrame, config, cache) -> Inputs:
    """Images and flow of micro-expressions, each computed once and kept in the cache."""
    samples, problems = with_apex(samples, cache)
    store = prepare(samples, key_frames(samples, config.domains), size=config.face, gray=True, cache=cache)
    settings = {"size": config.size, "domains": config.domains}
    images = derive(store, "images", settings, partial(pictures, size=config.size))
    flow = derive(store, "tvl1", settings, partial(flows, **settings))
    return Inputs(store.ids, images, flow, problems + store.problems, store.digest)


def key_frames(samples: pd.DataFrame, domains: int) -> list[list[int]]:
    """Frame numbers: onset, apex and offset; for other than two temporal domains onset, apex and the whole clip."""
    columns = (samples[name] for name in ("frames", "onset", "apex", "offset"))
    return [
        [onset, apex, *([offset] if domains == 2 else (n for n in frames.numbers if onset <= n <= offset))]
        for frames, onset, apex, offset in zip(*columns, strict=True)
    ]


def pictures(clip: np.ndarray, size: int) -> np.ndarray:
    """Clip (onset, apex, …; H, W, 1) uint8 -> (34, size, size) uint8: apex, onset, the patches of each, row by row."""
    onset_apex = torch.from_numpy(clip[:2, ..., 0].astype(np.float32))
    rows = onset_apex.unflatten(1, (GRID, -1)).unflatten(3, (GRID, -1))
    patches = rows.permute(0, 1, 3, 2, 4).flatten(1, 2)  # (2, 16, H / 4, W / 4)
    whole = resized(onset_apex.flip(0)[None], size)[0]
    return torch.cat([whole, *resized(patches, size).flip(0)]).round().byte().numpy()


def flows(clip: np.ndarray, size: int, domains: int) -> np.ndarray:
    """Clip (T, H, W, 1) uint8 of `key_frames` -> (2 domains, size, size) float32, in pixels of the clip."""
    frames = clip[..., 0] if domains == 2 else tim(clip[2:, ..., 0], domains + 1).clip(0, 255).round().astype(np.uint8)
    frames = torch.from_numpy(frames.copy())
    return resized(tvl1(frames[:-1], frames[1:]), size).flatten(0, 1).numpy()


def resized(images: Tensor, size: int) -> Tensor:
    """(B, C, H, W) -> (B, C, size, size), bilinear without smoothing, as OpenCV does (released code)."""
    return F.interpolate(images, (size, size), mode="bilinear")


def stretched(images: Tensor) -> Tensor:
    """Each image of (…, H, W) from its minimum and maximum to [0, 1]; a constant one to 0."""
    low, high = images.aminmax(dim=-1, keepdim=True)
    low, high = low.amin(dim=-2, keepdim=True), high.amax(dim=-2, keepdim=True)
    return (images - low) / (high - low).clamp_min(1e-12)


class MacroExpressions(torch.utils.data.Dataset):
    """x and class of each labelled CK+ sequence: the last frame is apex, the first is onset and offset (Sec. 4.2)."""

    def __init__(self, clips: pd.DataFrame, config, cache):
        samples = MACRO.select(clips)
        inputs = load(samples.assign(offset=samples["onset"]), config, cache)
        self.x = inputs.tensor(torch.device("cpu"), follow=config.follow)
        self.y = torch.tensor(samples.set_index("sample").loc[list(inputs.ids), "target"].tolist())

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, place: tuple[int, int]) -> tuple[Tensor, Tensor]:
        return self.x[place[1]], self.y[place[1]]
