"""The toy's training: first to tell the apex from the onset, then the emotion."""

import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from shared.pixels.frames import Store, prepare
from shared.runs.fold import FoldTraining
from shared.runs.pretraining import Pretraining

from .config import Config
from .model import Net


class Onsets(torch.utils.data.Dataset):
    """Onset (0) or apex (1) of a clip, drawn from (seed, epoch, clip)."""

    def __init__(self, samples: pd.DataFrame, cache: Path):
        numbers = list(zip(samples["onset"], samples["apex"], strict=True))
        store = prepare(samples, numbers, size=8, gray=True, cache=cache)
        self.frames, self.problems = store.array.reshape(-1, 2, 8, 8, 1), store.problems

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, place: tuple[int, int, int]) -> tuple[Tensor, int]:
        which = int(np.random.default_rng(place).integers(2))
        return torch.from_numpy(self.frames[place[-1], which].copy()), which


def images(frames: Tensor) -> Tensor:
    """Frames (..., H, W, C) uint8 -> (..., C, H, W) in [-1, 1]."""
    return frames.movedim(-1, -3).float().contiguous() / 127.5 - 1


def differences(frames: Tensor) -> Tensor:
    """Pairs (B, 2, H, W, C) of onset and apex -> what has changed (B, C, H, W)."""
    return images(frames[:, 1]) - images(frames[:, 0])


@torch.no_grad()
def apply(net: Net, data: Store, config: Config) -> tuple[Tensor, Tensor]:
    """Scores (N, classes) and activation maps (N, 1, H, W)."""
    x = differences(torch.from_numpy(data.stacked().copy()))
    return net(x).softmax(1), x.abs()


@torch.no_grad()
def predict(net: Net, x: Tensor) -> Tensor:
    return net.eval()(x).softmax(1)


def pretrain(training: Pretraining[Config]) -> dict[str, Tensor]:
    """Learn to tell the apex from the onset; returns the weights below the classifier."""
    config = training.config
    net = training.synchronised(Net(2, config.norm))
    sgd = torch.optim.SGD(net.parameters(), lr=config.lr, momentum=0.9)
    training.checkpoint_seconds = config.checkpoint
    training.keep(net=net, sgd=sgd)
    parallel, sgd = training.accelerator.prepare(net, sgd)
    for _, _, (x, y) in training.batches(epochs=config.pretrain_epochs, batch=config.pretrain_batch):
        loss = F.cross_entropy(parallel(images(x)), y)
        sgd.zero_grad()
        training.accelerator.backward(loss)
        sgd.step()
        training.log(loss=loss)
        time.sleep(config.pause)
    return {k: v for k, v in net.state_dict().items() if not k.startswith("fc.")}


def train(training: FoldTraining[Config, Store]) -> None:
    """Learn the emotion of a fold's training clips; score its test clips after every epoch."""
    config = training.config
    frames = torch.from_numpy(training.data.stacked().copy()).to(training.device)
    x = differences(frames)
    rows, target = training.indices("train"), training.targets
    net = training.build(partial(Net, classes=len(training.task.classes), norm=config.norm))
    if training.pretrained:
        net.load_state_dict(training.pretrained, strict=False)
    adam = torch.optim.Adam(net.parameters(), lr=config.lr)
    for epoch in training.epochs(config.epochs):
        net.train()
        loss = F.cross_entropy(net(x[rows]), target[rows])
        adam.zero_grad()
        loss.backward()
        adam.step()
        training.note(rows, loss=loss)
        training.score(epoch, lambda rows: predict(net, x[rows]), **training.means(epoch))
        time.sleep(config.pause)
