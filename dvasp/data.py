"""The networks' inputs: the apex of a micro-expression, magnified against its onset, and faces in the wild."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from shared.errors import UserError
from shared.pixels.apex import with_apex
from shared.pixels.frames import Store, derive, prepare, unreadable
from shared.pixels.images import stream
from shared.tasks import TASKS

from .config import Config
from .magnify import magnify

ONSET, APEX, MAGNIFIED = range(3)

CACHED = 50_000  # images of EmotioNet without labels that are decoded once; more are read when they are needed


def load(samples: pd.DataFrame, config: Config, cache: Path) -> Store:
    """Onset, apex and magnified apex of each sample (Sec. IV-C): (3N, resize, resize, 3) uint8.

    The apex is the corpus's, or spotted in the frequency domain [18] where it has none; the paper has those "obtained
    by [18]".
    """
    samples, problems = with_apex(samples, cache)
    pairs = list(zip(samples["onset"], samples["apex"], strict=True))
    store = prepare(samples, pairs, size=config.resize, cache=cache)
    store = replace(store, problems=problems + store.problems)
    if not store.ids:
        return store
    settings = {"ratio": config.ratio, "lambda_c": config.lambda_c}

    def one(clip: np.ndarray) -> np.ndarray:
        onset, apex = (torch.tensor(clip).movedim(-1, 1) / 255).split(1)
        changed = magnify(onset, apex, ratio=config.ratio, lambda_c=config.lambda_c)[0]
        pixels = changed.movedim(0, -1).mul(255).round().byte().numpy()
        return np.concatenate([clip, pixels[None]])

    clips = derive(store, "magnified", settings, one)
    return replace(store, array=clips.reshape(-1, *clips.shape[2:]), start=3 * np.arange(len(store.ids) + 1))


def augmented(images: Tensor, draws: Tensor, size: int, *, flip: bool = True) -> Tensor:
    """Training: a crop of `size` from a random place (Sec. IV-C) and a random flip, by `draws` (B, 3) in [0, 1).

    Images (B, R, R, 3) uint8 -> (B, 3, size, size) in [0, 1].
    """
    B, R, _, _ = images.shape
    along = torch.arange(size, device=images.device)
    top, left = (draws[:, :2] * (R - size + 1)).long().unbind(1)
    columns = left[:, None] + along
    columns = torch.where(draws[:, 2:] < flip / 2, columns.flip(1), columns)
    each = torch.arange(B, device=images.device)[:, None, None]
    return images[each, (top[:, None] + along)[:, :, None], columns[:, None]].movedim(-1, 1) / 255


def central(images: Tensor, size: int) -> Tensor:
    """Test: the middle of images (B, R, R, 3) uint8 -> (B, 3, size, size) in [0, 1]."""
    start = (images.shape[1] - size) // 2
    return images[:, start : start + size, start : start + size].movedim(-1, 1) / 255


def used(samples: pd.DataFrame, config: Config) -> pd.DataFrame:
    """EmotioNet's labelled images and those of the others that co-training draws from; all samples of other corpora.

    The others are chosen once, the same for every seed.
    """
    wild = samples["corpus"] == "EmotioNet"
    if not wild.any():
        return samples
    others = wild & ~samples["sample"].isin(TASKS["emotionet-au12"].select(samples[wild])["sample"])
    wanted = config.unlabelled if config.unlabelled_each else 0
    chosen = samples[others].sample(min(wanted, int(others.sum())), random_state=0).index
    return samples[~others | samples.index.isin(chosen)].reset_index(drop=True)


def pretraining_data(samples: Mapping[str, pd.DataFrame], config: Config, cache: Path) -> "Faces":
    """The images that the teacher learns from; with one view, the labelled ones alone (Sec. III-B)."""
    each = config.unlabelled_each if config.views == 2 else 0
    return Faces(used(samples["EmotioNet"], config), each=each, resize=config.resize, cache=cache)


class Faces(torch.utils.data.Dataset[tuple[Tensor, Tensor, Tensor, Tensor]]):
    """The teacher's images: each with AU labels, once an epoch, beside `each` others without, drawn anew (Sec. III-B).

    An item holds images (1 + each, resize, resize, 3) uint8, labels (1 + each, C) with NaN where none is known, and
    draws in [0, 1) for the crops (1 + each, 3) and for a_c of both views (1 + each, 2, C), all from (seed, epoch,
    index). Of 20,722 labelled images 5,722, or as large a share, are `held_out`, which is not in the paper. Of the
    others, CACHED are decoded into the cache, the rest are checked. Those that cannot be read are left out, each with
    an entry in `problems`.
    """

    def __init__(self, images: pd.DataFrame, *, each: int, resize: int, cache: Path) -> None:
        task = TASKS["emotionet-au12"]
        labelled = task.select(images)
        (fold,) = task.folds(labelled)
        others = images[~images["sample"].isin(labelled["sample"])][: None if each else 0]
        if each and others.empty:
            raise UserError(
                "EmotioNet has no image without labels, which co-training needs: put some of the million that have no "
                "row in the sheet beside the others, or --set cr_on=all --set unlabelled_each=0"
            )
        wanted = pd.concat([labelled, others[:CACHED]], ignore_index=True)
        self.store = prepare(wanted, [[f.numbers[0]] for f in wanted["frames"]], size=resize, cache=cache)
        streamed, broken = others[CACHED:], unreadable(others[CACHED:], cache)
        streamed = streamed[~streamed["sample"].isin([p.sample for p in broken])]
        self.problems = self.store.problems + broken
        place = {sample: i for i, sample in enumerate(self.store.ids)}
        target = dict(zip(labelled["sample"], labelled["target"], strict=True))
        self.train, self.held_out = ([s for s in part if s in place] for part in (fold.train, fold.test))
        self.target = {s: [float("nan") if value < 0 else float(value) for value in target[s]] for s in target}
        self.place, self.each, self.resize = place, each, resize
        self.others = [place[s] for s in others["sample"][:CACHED] if s in place] + list(streamed["frames"])

    def __len__(self) -> int:
        return len(self.train)

    def __getitem__(self, place: tuple[int, int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        rng = np.random.default_rng(place)
        sample = self.train[place[-1]]
        others = [self._other(i) for i in rng.integers(len(self.others), size=self.each)]
        p = torch.full((1 + self.each, len(self.target[sample])), torch.nan)
        p[0] = torch.tensor(self.target[sample])
        draws = torch.from_numpy(rng.random((len(p), 3 + p.shape[1]), np.float32))
        second = torch.from_numpy(rng.random(p.shape, np.float32))
        images = np.stack([self.store.array[self.place[sample]], *others])
        return torch.from_numpy(images), p, draws[:, :3], torch.stack([draws[:, 3:], second], 1)

    def _other(self, i: int) -> np.ndarray:
        """An image without labels, from the cache or from its file."""
        other = self.others[i]
        if isinstance(other, int):
            return self.store.array[other]
        return stream(other.path(other.numbers[0]), self.resize, box=other.box)

    def tested(self) -> tuple[Tensor, Tensor]:
        """The held-out images (n, resize, resize, 3) uint8 and their labels (n, C), NaN where not scored."""
        rows = [self.place[s] for s in self.held_out]
        return torch.from_numpy(self.store.array[rows]), torch.tensor([self.target[s] for s in self.held_out])
