"""Tiny corpora of random images, and what a teacher is trained with on them."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from dvasp.data import pretraining_data
from dvasp.train import pretrain
from shared.corpora.samples import Frames
from shared.runs.pretraining import Pretraining
from shared.tasks import TASKS

AUS = TASKS["emotionet-au12"].aus


def frames(folder: Path, count: int, rng: np.random.Generator) -> Frames:
    folder.mkdir(parents=True)
    for n in range(count):
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(folder / f"{n}.png")
    return Frames(str(folder), tuple(f"{n}.png" for n in range(count)), tuple(range(count)))


def table(rows: list[tuple]) -> pd.DataFrame:
    names = ("sample", "corpus", "subject", "emotion", "aus", "au_codes", "onset", "apex", "offset", "fps", "frames")
    return pd.DataFrame(rows, columns=names).astype({"onset": "Int64", "apex": "Int64", "offset": "Int64"})


def micro(task: str, folder: Path, people: int = 4) -> pd.DataFrame:
    """A clip a person of each of the task's AUs."""
    rng, (corpus,) = np.random.default_rng(0), TASKS[task].corpora
    rows = []
    for person in range(people):
        for au in TASKS[task].aus:
            sample = f"{corpus}/s{person}/{au}"
            held = frames(folder / sample, 3, rng)
            rows.append((sample, corpus, f"{corpus}/s{person}", "others", (au,), str(au), 0, 1, 2, 200.0, held))
    return TASKS[task].select(table(rows).assign(edition="2014"))


def wild(folder: Path, labelled: int = 20, others: int = 12) -> pd.DataFrame:
    """EmotioNet: images with every AU coded, the third missing in some, then images without labels."""
    rng, rows = np.random.default_rng(1), []
    for i in range(labelled + others):
        values = {au: int(rng.random() < 0.4) for j, au in enumerate(AUS) if i % 3 or j != 2}
        codes = " ".join(f"{au}={value}" for au, value in values.items()) if i < labelled else ""
        sample = f"EmotioNet/{i:02d}"
        rows.append((sample, "EmotioNet", sample, None, (), codes, 0, 0, 0, 30.0, frames(folder / sample, 1, rng)))
    return table(rows)


class Stopped(Exception):
    pass


def teach(config, images: pd.DataFrame, cache: Path, stage: Path, accelerator, *, stop: int | None = None):
    """A teacher's weights and the curve of its losses (steps, terms); stopped after `stop` steps where it is given."""
    torch.manual_seed(0)
    pretraining = Pretraining(
        "teacher",
        config,
        None,
        pretraining_data({"EmotioNet": images}, config, cache),
        {},
        0,
        accelerator,
        stage,
        checkpoint_seconds=0.0,
    )
    curve, log = [], pretraining.log

    def noting(**terms):
        if len(curve) == stop:
            raise Stopped
        log(**terms)
        curve.append(accelerator.reduce(torch.stack([term.detach() for term in terms.values()]), "mean"))

    pretraining.log = noting
    weights = pretrain(pretraining)
    return weights, torch.stack(curve), pretraining
