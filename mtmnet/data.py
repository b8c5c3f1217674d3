"""Inputs: frames at the peak of micro- and of macro-expressions, each with its neutral face."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from shared.apex import with_apex
from shared.frames import Store, derive, prepare
from shared.tasks import TASKS, Task

LABELS = {"casme2-5": "macro-casme2-5", "smic-3": "macro-3", "samm-7": "macro-samm-7", "cde-3": "macro-3"}


def load(samples: pd.DataFrame, config, cache) -> Store:
    """Micro-expressions: the onset as x_N, then `frames` about the apex as x_E (Sec. 4.1); (N, 1 + frames, …) stacked.

    SMIC names no apex: it is spotted in the frequency domain (not in the paper).
    """
    samples, problems = with_apex(samples, cache)
    store = prepare(samples, numbers(samples, config.frames), size=config.image, cache=cache)
    if config.magnify != 1:
        clips = derive(store, "magnified", {"by": config.magnify}, lambda clip: magnified(clip, config.magnify))
        store = replace(store, array=clips.reshape(-1, *store.array.shape[1:]))
    return replace(store, problems=store.problems + problems)


def magnified(clip: np.ndarray, by: float) -> np.ndarray:
    """x_N + by (x_E − x_N) of a clip (1 + T, H, W, 3) uint8, cut at black and white; x_N, its first, stays."""
    clip = clip.astype(np.float32)
    return np.rint(clip[:1] + by * (clip - clip[:1])).clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Pairs(torch.utils.data.Dataset):
    """Neutral and expression images (n, H, W, 3) uint8, the class y (n,) and the subject s (n,) of each pair."""

    x_N: Tensor
    x_E: Tensor
    y: Tensor
    s: Tensor

    @classmethod
    def of(cls, frames: Tensor, y: Tensor, subjects: list[str]) -> "Pairs":
        """From clips (N, 1 + T, H, W, 3), a pair for each of the T expression images."""
        T = frames.shape[1] - 1
        s = torch.from_numpy(pd.factorize(np.array(subjects))[0]).to(frames.device)
        x_N, y, s = (v.repeat_interleave(T, dim=0) for v in (frames[:, 0], y, s))
        return cls(x_N, frames[:, 1:].flatten(0, 1), y, s)

    @property
    def subjects(self) -> int:
        return int(self.s.max()) + 1

    def pixels(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """x_N, x_E (B, 3, H, W) in [0, 1], y and s of the pairs `rows`."""
        return images(self.x_N[rows]), images(self.x_E[rows]), self.y[rows], self.s[rows]

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, place: tuple[int, int]) -> tuple[Tensor, ...]:
        return tuple(part[place[1]] for part in (self.x_N, self.x_E, self.y, self.s))


def macro_pairs(clips: pd.DataFrame, task: Task, config, cache) -> Pairs:
    """Macro-expressions in the classes of the micro task: the first frame, and `macro_frames` at the peak.

    CK+ and Oulu-CASIA end at the peak. MMI returns to neutral: its peak is the frame that differs most from the first.
    """
    clips, _ = with_apex(TASKS[LABELS[task.name]].select(clips), cache, most_different)
    store = prepare(clips, numbers(clips, config.macro_frames), size=config.image, cache=cache)
    clips = clips.set_index("sample").loc[list(store.ids)]
    return Pairs.of(torch.tensor(store.stacked()), torch.tensor(clips["target"].tolist()), list(clips["subject"]))


def numbers(samples: pd.DataFrame, count: int) -> list[list[int]]:
    """Frame numbers: the onset, then `count` about the apex, of those after the onset."""
    columns = (samples[name] for name in ("frames", "onset", "apex"))
    return [
        [onset, *about([n for n in frames.numbers if n > onset or n == apex], apex, count)]
        for frames, onset, apex in zip(*columns, strict=True)
    ]


def about(frames: Sequence[int], apex: int, count: int) -> list[int]:
    """`count` of the frame numbers, centred on the apex, moved into the clip where they would leave it."""
    first = min(frames.index(apex) - count // 2, len(frames) - count)
    return [frames[min(max(first, 0) + i, len(frames) - 1)] for i in range(count)]


def most_different(frames: np.ndarray, fps: float) -> int:
    """Index of the frame that differs most from the first, of (T, H, W)."""
    frames = frames.astype(np.float32)
    return int(np.abs(frames - frames[0]).mean(axis=(1, 2)).argmax())


def shifted(x: Tensor, most: int) -> Tensor:
    """Images (B, C, H, W), all moved alike by up to `most` pixels, drawn anew each time; their edges are repeated."""
    if not most:
        return x
    left, top = torch.randint(2 * most + 1, (2,)).tolist()
    H, W = x.shape[-2:]
    return F.pad(x, (most,) * 4, mode="replicate")[..., top : top + H, left : left + W]


def images(frames: Tensor) -> Tensor:
    """uint8 (..., H, W, 3) -> float (..., 3, H, W) in [0, 1]."""
    return frames.movedim(-1, -3).float() / 255
