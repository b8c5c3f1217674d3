"""The apex of clips whose corpus names none."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from ..corpora.samples import Problem
from ..keys import code_key
from .frames import derive, prepare
from .temporal import spot_apex

SIZE = 128  # side, in pixels, of the grey frames in which an apex is looked for


def with_apex(
    samples: pd.DataFrame, cache: Path, find: Callable[[np.ndarray, float], int] = spot_apex
) -> tuple[pd.DataFrame, list[Problem]]:
    """The samples with an apex each: where the corpus names none, that of `find(grey frames (T, H, W), fps)`.

    `find` is given the frames from onset to offset. Clips that cannot be read are left out, each with a problem.
    """
    known, problems = [samples[samples["apex"].notna()]], []
    for fps, clips in samples[samples["apex"].isna()].groupby("fps", dropna=False):
        columns = (clips[name] for name in ("frames", "onset", "offset"))
        within = [
            [n for n in frames.numbers if n >= onset and (pd.isna(offset) or n <= offset)]
            for frames, onset, offset in zip(*columns, strict=True)
        ]
        store = prepare(clips, within, size=SIZE, gray=True, cache=cache)
        settings = {"fps": fps, "find": code_key(find.__module__)}
        places = derive(store, find.__name__, settings, partial(_found, find=find, fps=fps))
        taken = dict(zip(clips["sample"], within, strict=True))
        clips = clips[clips["sample"].isin(store.ids)]
        known.append(clips.assign(apex=[taken[i][p] for i, p in zip(store.ids, places, strict=True)]))
        problems += store.problems
    return pd.concat(known).sort_index(), problems


def _found(clip: np.ndarray, *, find: Callable[[np.ndarray, float], int], fps: float) -> np.ndarray:
    """The place of the apex in a grey clip (T, H, W, 1): () int64."""
    return np.array(find(clip[..., 0], fps), np.int64)
