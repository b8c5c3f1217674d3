"""The toy's training: first to tell the apex from the onset, then the emotion."""

import time
from functools import partial

import numpy as np
import torch
from torch.nn import functional as F

from shared.pixels.frames import prepare

from .model import Net


class Onsets(torch.utils.data.Dataset):
    """Onset (0) or apex (1) of a clip, drawn from (seed, epoch, clip)."""

    def __init__(self, samples, cache):
        numbers = list(zip(samples["onset"], samples["apex"], strict=True))
        store = prepare(samples, numbers, size=8, gray=True, cache=cache)
        self.frames, self.problems = store.array.reshape(-1, 2, 8, 8, 1), store.problems

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, place):
        which = int(np.random.default_rng(place).integers(2))
        return torch.from_numpy(self.frames[place[-1], which].copy()), which


def images(frames):
    return frames.movedim(-1, -3).float().contiguous() / 127.5 - 1


def differences(frames):
    return images(frames[:, 1]) - images(frames[:, 0])


@torch.no_grad()
def apply(net, data, config):
    x = differences(torch.from_numpy(data.stacked().copy()))
    return net(x).softmax(1), x.abs()


@torch.no_grad()
def predict(net, x):
    return net.eval()(x).softmax(1)


def pretrain(training):
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


def train(training):
    config = training.config
    frames = torch.from_numpy(training.data.stacked().copy()).to(training.device)
    x = differences(frames)
    rows, target = training.indices("train"), training.targets
    net = training.build(partial(Net, classes=len(training.task.classes), norm=config.norm))
    if training.pretrained:
        net.load_state_dict(training.pretrained, strict=False)
    adam = torch.optim.Adam(net.parameters(), lr=config.lr)
    for epoch in range(config.epochs):
        net.train()
        loss = F.cross_entropy(net(x[rows]), target[rows])
        training.check(loss, epoch, rows)
        adam.zero_grad()
        loss.backward()
        adam.step()
        training.score(epoch, lambda rows: predict(net, x[rows]), loss=loss.item())
        time.sleep(config.pause)
