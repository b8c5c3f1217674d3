"""Frames at the peak of micro- and of macro-expressions, each with its neutral face."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from shared.corpora.samples import Problem, aligned
from shared.pixels.apex import with_apex
from shared.pixels.frames import Store, floats, prepare
from shared.pixels.temporal import most_different
from shared.tasks import TASKS

from .config import Config

LABELS = dict.fromkeys(("cde-3", "casme2-3", "samm-3", "smic-3", "casme3-3", "corpora-3"), "macro-3") | {
    "casme2-5-2019": "macro-casme2-5",
    "casme2-5-halves": "macro-casme2-5",
    **{task: f"macro-{task}" for task in ("casme2-5", "samm-5", "samm-7", "mmew-4", "casme3-4", "casme3-7")},
}  # task → macro-expressions in its classes


def load(samples: pd.DataFrame, config: Config, cache: Path) -> Store:
    """Micro-expressions: the onset as x_N, then `frames` around the apex as x_E (Sec. 4.1); stacked (N, 1 + frames, …).

    SMIC names no apex: it is spotted in the frequency domain (not in the paper).
    """
    samples, problems = with_apex(samples, cache)
    store = prepare(samples, numbers(samples, config.frames), size=config.size, cache=cache)
    return replace(store, problems=store.problems + problems)


@dataclass(eq=False)
class ImagePairs(torch.utils.data.Dataset[tuple[Tensor, ...]]):
    """Neutral and expression images (n, H, W, 3) uint8, the class y (n,) and the subject s (n,) of each pair."""

    x_N: Tensor
    x_E: Tensor
    y: Tensor
    s: Tensor
    problems: list[Problem] = field(default_factory=list)  # of clips that are left out

    @classmethod
    def of(cls, frames: Tensor, y: Tensor, subjects: list[str], problems: Sequence[Problem] = ()) -> "ImagePairs":
        """A pair for each of the T expression images of clips (N, 1 + T, H, W, 3)."""
        T = frames.shape[1] - 1
        s = torch.from_numpy(pd.factorize(np.array(subjects))[0]).to(frames.device)
        x_N, y, s = (v.repeat_interleave(T, dim=0) for v in (frames[:, 0], y, s))
        return cls(x_N, frames[:, 1:].flatten(0, 1), y, s, list(problems))

    def to(self, device: torch.device) -> "ImagePairs":
        """The pairs on a device."""
        x_N, x_E, y, s = (part.to(device) for part in (self.x_N, self.x_E, self.y, self.s))
        return ImagePairs(x_N, x_E, y, s, self.problems)

    @property
    def subjects(self) -> int:
        """The number of people."""
        return int(self.s.max()) + 1

    def pixels(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """x_N, x_E (B, 3, H, W) in [0, 1], y (B,) and s (B,) of the pairs `rows`."""
        rows = rows.to(self.y.device, non_blocking=True)
        return floats(self.x_N[rows]), floats(self.x_E[rows]), self.y[rows], self.s[rows]

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, place: tuple[int, int, int]) -> tuple[Tensor, ...]:
        return tuple(part[place[-1]] for part in (self.x_N, self.x_E, self.y, self.s))


def pretraining_data(samples: Mapping[str, pd.DataFrame], config: Config, cache: Path) -> ImagePairs:
    """Macro-expressions for MacroNet, in the classes of the micro task: the first frame and `macro_frames` at the peak.

    CK+ and Oulu-CASIA end at the peak. MMI returns to neutral: its peak is the frame that differs most from the first.
    """
    (clips,), labels = samples.values(), vars(config)["labels"]  # the task, beside the settings in the key
    clips, problems = with_apex(TASKS[labels].select(clips), cache, most_different)
    store = prepare(clips, numbers(clips, config.macro_frames), size=config.size, cache=cache)
    clips = aligned(clips, store.ids)
    frames = torch.tensor(store.array.reshape(-1, 1 + config.macro_frames, *store.array.shape[1:]))
    target = torch.tensor(clips["target"].tolist(), dtype=torch.long)
    return ImagePairs.of(frames, target, list(clips["subject"]), problems + store.problems)


def numbers(samples: pd.DataFrame, count: int) -> list[list[int]]:
    """Frame numbers: the onset, then `count` around the apex, of those after the onset."""
    columns = (samples[name] for name in ("frames", "onset", "apex"))
    return [
        [onset, *around([n for n in frames.numbers if n > onset or n == apex], apex, count)]
        for frames, onset, apex in zip(*columns, strict=True)
    ]


def around(frames: Sequence[int], apex: int, count: int) -> list[int]:
    """`count` of the frame numbers, centred on the apex, moved into the clip where they would leave it."""
    first = min(frames.index(apex) - count // 2, len(frames) - count)
    return [frames[min(max(first, 0) + i, len(frames) - 1)] for i in range(count)]


def shifted(x: Tensor, by: Sequence[int]) -> Tensor:
    """Images (B, C, H, W), all moved alike by (down, right) pixels; their edges are repeated."""
    most = max(map(abs, by))
    if not most:
        return x
    top, left = (most - pixels for pixels in by)
    H, W = x.shape[-2:]
    return F.pad(x, (most,) * 4, mode="replicate")[..., top : top + H, left : left + W]


def drawn(mask: Tensor, draws: Tensor) -> Tensor:
    """The column (B,) of one true entry in each row of a mask (B, N), uniformly by a draw (B,) in [0, 1)."""
    order = mask.cumsum(dim=1)  # of the true ones, from 1
    count = order[:, -1]
    chosen = torch.minimum((draws.to(count.device) * count).long(), count - 1)  # from 0; a product may be rounded up
    return (order > chosen[:, None]).int().argmax(dim=1)
