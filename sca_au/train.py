"""One fold: of a network (Sec. 4.2), or of SVMs on a hand-crafted descriptor (Sec. 4.3)."""

import math
import time
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from shared.errors import UserError
from shared.runs.fold import FoldTraining, autocast
from shared.runs.gradcam import on_face
from shared.runs.published import Published
from shared.runs.weights import published_weights, read_tensors

from .config import Config, zoo_file
from .data import Prepared, augmented, central, floats
from .losses import total_loss
from .model import SCANetwork
from .svm import svm_scores


@dataclass(frozen=True)
class Left:
    """The part of a record that the figures read, of a fold of a network."""

    maps: list[list[list[list[float]]]]  # test clips, AUs, h, w: class activation maps, for Fig. 6 and 7
    parameters: int  # of the network, for Sec. 4.4


@dataclass(frozen=True)
class LeftBySVMs:
    """The part of a record that the remarks read, of a fold of SVMs."""

    not_converged: int  # SVMs, over all AUs and Cs
    C: list[float | None]  # the C chosen for each AU; None where no SVM was needed


class Zoo(NamedTuple):
    """A file of the 2018 model zoo."""

    file: Published
    data: str  # that it was trained on
    classes: int  # of its classifier, which tells the data


def zoo(config: Config) -> Zoo | None:
    """The file of `config.start`; None for random weights."""
    if config.start == "random":
        return None
    if config.start == "kinetics" or (config.start == "zoo" and config.depth != 18):
        return Zoo(zoo_file(config.depth), "Kinetics", 400)
    return Zoo(zoo_file(config.depth, ucf101=True), "Kinetics and UCF-101", 101)


def network(config: Config, M: int) -> partial[SCANetwork]:
    """The detector of M action units with the settings of `config`, to be built."""
    return partial(
        SCANetwork,
        M=M,
        depth=config.depth,
        attention=None if config.attention == "none" else config.attention,
        size=config.size,
        width=config.width,
        reduced=config.reduced,
        k=config.k,
        relu=config.relu,
        dropout=config.dropout,
        subtract=config.subtract,
    )


def start(net: SCANetwork, config: Config, weights_dir: Path) -> None:
    """Load the backbone's initial weights, the zoo's, from their file in the folder `weights_dir`."""
    if (wanted := zoo(config)) is None:
        return
    with published_weights(weights_dir / wanted.file.name, wanted.file) as path:
        classes = net.backbone.load_zoo(read_tensors(path))
        if classes != wanted.classes:
            found = "no classifier" if classes is None else f"a classifier of {classes} classes"
            raise ValueError(f"it has {found}; that of {wanted.data} has {wanted.classes}")


def train(training: FoldTraining[Config, Prepared]) -> None:
    """One fold of any row."""
    if training.config.descriptor == "none":
        detect(training)
    else:
        classify(training)


def detect(training: FoldTraining[Config, Prepared]) -> None:
    """The network of Sec. 4.2, scored on the validation and the test fold after every epoch."""
    config = training.config
    clips = torch.tensor(training.data.x, device=training.device)
    train, test, y = training.indices("train"), training.indices("test"), training.targets
    net = training.build(
        network(config, len(training.task.aus)),
        frames=f"onset to offset, interpolated to {config.tim}, of which {config.frames} are taken evenly",
        colour="RGB",
        resize=config.resize,
        size=config.size,
        range=[0, 1],
        shapes={"clips": [3, config.frames, config.size, config.size]},
    )
    start(net, config, training.weights_dir)
    fused = training.device.type == "cuda"
    sgd = torch.optim.SGD(net.parameters(), config.lr, config.momentum, weight_decay=config.weight_decay, fused=fused)
    decay = torch.optim.lr_scheduler.StepLR(sgd, config.drop, gamma=0.1)

    def middle(rows: Tensor) -> Tensor:
        return central(clips[rows], config.size)

    seconds, steps = 0.0, 0
    for epoch in training.epochs(config.epochs):
        net.train()
        clock = time.perf_counter()
        for rows in training.shuffled(train, least=1):
            crops = augmented(clips[rows], config.size, flip=config.flip, generator=training.augmentation)
            with autocast(config, training.device):
                loss = total_loss(net(floats(crops)), y[rows])
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            training.note(rows, loss=loss)
            steps += 1
        means = training.means(epoch)
        seconds += time.perf_counter() - clock
        decay.step()
        training.score(epoch, lambda rows: predict(net, middle(rows))[0], **means)
    _, maps = predict(training.scored(net), middle(test))
    parameters = sum(p.numel() for p in net.parameters())
    training.figures = Left(maps=maps.double().round(decimals=3).tolist(), parameters=parameters)
    training.times["step"] = round(seconds / max(steps, 1), 4)


def classify(training: FoldTraining[Config, Prepared]) -> None:
    """The SVMs of Sec. 4.3, one for each AU, on the descriptor; C is the best on the validation fold."""
    if not training.fold.val:
        raise UserError(f"{training.config.descriptor}: SVMs need a validation fold and leave no network")
    x, y = np.asarray(training.data.x), training.targets.cpu().numpy()
    train, val = (training.indices(part).cpu().numpy() for part in ("train", "val"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        scores, C = svm_scores((x[train], y[train]), (x[val], y[val]), x)
    present = torch.from_numpy(scores).sigmoid().to(training.device)
    training.score(0, lambda rows: present[rows])
    training.figures = LeftBySVMs(
        not_converged=sum(issubclass(w.category, ConvergenceWarning) for w in caught),
        C=[None if math.isnan(c) else c for c in C.tolist()],
    )


@torch.no_grad()
def predict(net: SCANetwork, clips: Tensor) -> tuple[Tensor, Tensor]:
    """The probability of each AU (B, M) and its class activation map (B, M, h, w), Fig. 6.

    clips: (B, T, size, size, 3) uint8, as from `central`.
    """
    net.eval()
    F_sc = torch.cat([net.features(floats(part)) for part in clips.split(64)])
    maps = torch.einsum("mc,bchw->bmhw", net.head.weight, F_sc)
    return net.head(F_sc.mean((2, 3))).sigmoid(), maps


def apply(net: SCANetwork, data: Prepared, config: Config) -> tuple[Tensor, Tensor]:
    """For a user's clips: the probability of each AU (N, M) and its map on the face (N, M, resize, resize)."""
    scores, maps = predict(net, central(torch.tensor(data.x), config.size))
    return scores, on_face(maps, size=config.size, resize=config.resize)
