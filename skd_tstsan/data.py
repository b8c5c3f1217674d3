"""The network's inputs: apex and onset, whole and in patches, and the flow between key frames (Sec. 4.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from shared.corpora.samples import Problem, aligned
from shared.pixels.apex import with_apex
from shared.pixels.flow import tvl1
from shared.pixels.frames import derive, prepare
from shared.pixels.temporal import tim
from shared.tasks import TASKS

from .baselines import data as baselines
from .config import Config
from .losses import Follow, is_release
from .model import GRID

CASME2_FIVE = "casme2-5-apex"  # the released code's 244 clips: two have no apex after their onset
MACRO = TASKS["ckplus-7"]


@dataclass(frozen=True)
class FacesAndFlow:
    """Grey `faces` (N, 2, resize, resize) uint8, onset and apex; `flow` (N, 2 D, size, size) in pixels of the face, u
    and v of each of the D temporal domains."""

    ids: tuple[str, ...]
    faces: np.ndarray
    flow: np.ndarray
    problems: list[Problem]
    digest: str

    def tensor(self, device: torch.device, *, follow: Follow) -> Tensor:
        """The network's x (N, 34 + 2 D, size, size). follow "release" stretches each flow's components to [0, 1] in
        256 steps, so that no motion is an arbitrary grey; "paper" keeps signed pixels."""
        faces, flow = (torch.tensor(array, device=device) for array in (self.faces, self.flow))
        images = whole_and_patches(faces, self.flow.shape[-1])
        return torch.cat([images, grey(flow) if is_release(follow) else flow], dim=1)


def load(samples: pd.DataFrame, config: Config, cache: Path) -> FacesAndFlow | baselines.Data:
    """Faces and flow of micro-expressions, or the input of a baseline; read or computed once and kept in the cache."""
    if config.method != "SKD-TSTSAN":
        return baselines.load(samples, config, cache)
    return faces_and_flow(samples, config, cache, config.domains)


def faces_and_flow(samples: pd.DataFrame, config: Config, cache: Path, domains: int) -> FacesAndFlow:
    """The faces and flow of clips that each have onset, offset and, but for those whose apex is spotted, apex."""
    samples, problems = with_apex(samples, cache)
    numbers = key_frames(samples, domains)
    store = prepare(samples, numbers, size=config.resize, gray=True, smooth=False, cache=cache)
    settings: dict[str, Any] = {"size": config.size, "domains": domains}
    flow = derive(store, "tvl1", settings, partial(flows, size=config.size, domains=domains))
    faces = store.array[store.start[:-1, None] + np.arange(2), ..., 0]
    return FacesAndFlow(store.ids, faces, flow, problems + store.problems, store.digest)


def key_frames(samples: pd.DataFrame, domains: int) -> list[list[int]]:
    """Frame numbers: onset, apex and offset; for other than two temporal domains onset, apex and the whole clip."""
    columns = (samples[name] for name in ("frames", "onset", "apex", "offset"))
    return [
        [onset, apex, *([offset] if domains == 2 else (n for n in frames.numbers if onset <= n <= offset))]
        for frames, onset, apex, offset in zip(*columns, strict=True)
    ]


def whole_and_patches(faces: Tensor, size: int) -> Tensor:
    """Faces (N, 2, H, W): onset, apex -> (N, 34, size, size): apex, onset, the patches of each, row by row.

    A face is stretched to [0, 1] as a whole and only then cut, so that its patches keep their relative brightness.
    """
    faces = stretched(faces.flip(1).float())
    patches = rearrange(faces, "n t (i h) (j w) -> n (t i j) h w", i=GRID, j=GRID)
    return torch.cat([resized(faces, size), resized(patches, size)], dim=1)


def flows(clip: np.ndarray, size: int, domains: int) -> np.ndarray:
    """Clip (T, H, W, 1) uint8 of `key_frames` -> (2 domains, size, size) float32, in pixels of the clip."""
    if domains == 2:
        frames = torch.from_numpy(clip[..., 0].copy())
    else:
        whole = tim(clip[2:, ..., 0], domains + 1)
        frames = torch.from_numpy(whole.clip(0, 255).round().astype(np.uint8))
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


def pretraining_data(samples: Mapping[str, pd.DataFrame], config: Config, cache: Path) -> "MacroExpressions":
    """The clips that the pre-training learns from (Sec. 4.2)."""
    return MacroExpressions(samples[MACRO.corpora[0]], config, cache)


class MacroExpressions(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """The input and class of each labelled CK+ sequence: its last frame is the apex, its first onset and offset."""

    def __init__(self, clips: pd.DataFrame, config: Config, cache: Path) -> None:
        samples = MACRO.select(clips)
        data = faces_and_flow(samples.assign(offset=samples["onset"]), config, cache, domains=2)
        self.x = data.tensor(torch.device("cpu"), follow=config.follow) if data.ids else torch.empty(0)
        self.problems = data.problems
        self.y = torch.tensor(aligned(samples, data.ids)["target"].tolist())

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, place: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
        return self.x[place[-1]], self.y[place[-1]]
