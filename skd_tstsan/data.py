"""Inputs: apex and onset, whole and in patches, and the flow between key frames (Sec. 4.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from shared.corpora.samples import Problem, aligned
from shared.pixels.apex import with_apex
from shared.pixels.flow import tvl1
from shared.pixels.frames import derive, prepare
from shared.pixels.temporal import tim
from shared.tasks import TASKS

from .baselines import data as baselines

GRID = 4  # patches a side (Sec. 4.2)
CASME2_FIVE = "casme2-5-apex"  # the released code's 244 clips: two have no apex after their onset
MACRO = TASKS["ckplus-7"]


@dataclass(frozen=True)
class Inputs:
    """Grey `faces` (N, 2, face, face) uint8: onset, apex; `flow` (N, 2 D, size, size), in pixels of the face: u and v
    of each of the D temporal domains."""

    ids: tuple[str, ...]
    faces: np.ndarray
    flow: np.ndarray
    problems: list[Problem]
    digest: str

    def tensor(self, device: torch.device, *, follow: str) -> Tensor:
        """The network's x (N, 34 + 2 D, size, size). follow "release" stretches each flow's components to [0, 1] in
        256 steps, so that no motion is an arbitrary grey; "paper" keeps pixels with their sign."""
        faces, flow = (torch.tensor(array, device=device) for array in (self.faces, self.flow))
        images = pictures(faces, self.flow.shape[-1])
        return torch.cat([images, grey(flow) if follow == "release" else flow], dim=1)


def load(samples: pd.DataFrame, config, cache) -> Inputs | baselines.Data:
    """Faces and flow of micro-expressions, or what a baseline sees; read or computed once and kept in the cache."""
    if config.method != "SKD-TSTSAN":
        return baselines.load(samples, config, cache)
    return inputs(samples, config, cache, config.domains)


def inputs(samples: pd.DataFrame, config, cache, domains: int) -> Inputs:
    samples, problems = with_apex(samples, cache)
    numbers = key_frames(samples, domains)
    store = prepare(samples, numbers, size=config.resize, gray=True, smooth=False, cache=cache)
    settings = {"size": config.size, "domains": domains}
    flow = derive(store, "tvl1", settings, partial(flows, **settings))
    faces = store.array[store.start[:-1, None] + np.arange(2), ..., 0]
    return Inputs(store.ids, faces, flow, problems + store.problems, store.digest)


def key_frames(samples: pd.DataFrame, domains: int) -> list[list[int]]:
    """Frame numbers: onset, apex and offset; for other than two temporal domains onset, apex and the whole clip."""
    columns = (samples[name] for name in ("frames", "onset", "apex", "offset"))
    return [
        [onset, apex, *([offset] if domains == 2 else (n for n in frames.numbers if onset <= n <= offset))]
        for frames, onset, apex, offset in zip(*columns, strict=True)
    ]


def pictures(faces: Tensor, size: int) -> Tensor:
    """Faces (N, 2, H, W): onset, apex -> (N, 34, size, size): apex, onset, the patches of each, row by row.

    A face is stretched to [0, 1] as a whole and only then cut, so that its patches keep their relative brightness.
    """
    faces = stretched(faces.flip(1).float())
    patches = rearrange(faces, "n t (i h) (j w) -> n (t i j) h w", i=GRID, j=GRID)
    return torch.cat([resized(faces, size), resized(patches, size)], dim=1)


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


def grey(flow: Tensor) -> Tensor:
    """Each component (…, H, W) of a flow as an image of 256 levels, stretched to [0, 1] again when read (released code;
    its JPEG in between is left out)."""
    return stretched((stretched(flow) * 255).floor())


def pretraining_data(samples: Mapping[str, pd.DataFrame], config, cache) -> "MacroExpressions":
    """What the pre-training learns from (Sec. 4.2)."""
    return MacroExpressions(samples[MACRO.corpora[0]], config, cache)


class MacroExpressions(torch.utils.data.Dataset):
    """x and class of each labelled CK+ sequence: the last frame is apex, the first is onset and offset (Sec. 4.2)."""

    def __init__(self, clips: pd.DataFrame, config, cache):
        samples = MACRO.select(clips)
        data = inputs(samples.assign(offset=samples["onset"]), config, cache, domains=2)
        self.x = data.tensor(torch.device("cpu"), follow=config.follow) if data.ids else torch.empty(0)
        self.problems = data.problems
        self.y = torch.tensor(aligned(samples, data.ids)["target"].tolist())

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, place: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
        return self.x[place[-1]], self.y[place[-1]]
