"""Training of the baselines on one fold, each with the settings of its released code; no pre-training comes before."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from shared.pixels.frames import floats
from shared.runs.fold import FoldTraining, autocast
from shared.runs.gradcam import gradcam, scaled
from shared.runs.weights import published_weights, read_tensors

from ..config import TRUNK, Config
from .augment import cropped, jittered, turned
from .capsulenet import CapsuleNet, capsule_loss
from .data import NEAR, ApexFrames, Data, FlowImages, KeyFrames, resized
from .mmnet import MMNet
from .ststnet import SIDE, STSTNet

MADE_BY = "skd_tstsan.baselines.data"  # of the input
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, in which MMNet sees its frames
CAPSULENET_DEGREES, CAPSULENET_JITTER, CAPSULENET_DECAY = 8, 0.2, 0.9  # rotation, colours; of lr, per epoch
MMNET_DEGREES, MMNET_PADDING, MMNET_DECAY, MMNET_DECAYS = 3, 15, 0.987, 50  # padding of 224 pixels; epochs of decay


def capsulenet(config: Config, classes: int) -> partial[CapsuleNet]:
    """CapsuleNet with the settings of `config`, to be built."""
    return partial(CapsuleNet, classes=classes, size=config.image, width=config.width)


def mmnet(config: Config, classes: int) -> partial[MMNet]:
    """MMNet with the settings of `config`, to be built."""
    return partial(MMNet, classes=classes, size=config.image, width=2 * config.width)


def start(net: CapsuleNet, config: Config, weights_dir: Path) -> None:
    """Load the trunk's initial weights, ImageNet's, from their file in the folder `weights_dir`."""
    if config.trunk != "random":
        with published_weights(weights_dir / config.trunk, TRUNK) as path:
            net.load_imagenet(read_tensors(path))


def train(training: FoldTraining[Config, Any]) -> None:
    """One fold, scored after every epoch."""
    loops: dict[str, Callable[[FoldTraining[Config, Any]], None]] = {
        "STSTNet": train_ststnet,
        "CapsuleNet": train_capsulenet,
        "MMNet": train_mmnet,
    }
    loops[training.config.method](training)


def train_ststnet(training: FoldTraining[Config, FlowImages]) -> None:
    """Cross-entropy; always in the same order and without augmentation."""
    config, y, train = training.config, training.targets, training.indices("train")
    x = torch.tensor(training.data.images, device=training.device).float()
    net = training.build(
        partial(STSTNet, classes=len(training.task.classes)),
        frames="onset, apex",
        channels="u, v and strain of the flow between grey frames of `resize`, as images",
        resize=config.resize,
        range=[0, 255],
        shapes={"x": [3, SIDE, SIDE]},
        made_by=MADE_BY,
    )
    adam = optimiser(torch.optim.Adam, net, training)
    for epoch in training.epochs(config.ststnet_epochs):
        net.train()
        for rows in train.split(config.batch):
            with autocast(config, training.device):
                loss = F.cross_entropy(net(x[rows]), y[rows])
            step(training, adam, loss, rows)
        training.score(epoch, lambda rows: scores(net, x[rows]).softmax(1), **training.means(epoch))


def train_capsulenet(training: FoldTraining[Config, ApexFrames]) -> None:
    """The capsules' loss; classes balanced by frames near the apex. Test frames are rotated at random too."""
    config, y, train = training.config, training.targets, training.indices("train")
    frames = torch.tensor(training.data.frames, device=training.device)
    net = training.build(
        capsulenet(config, len(training.task.classes)),
        frames="apex",
        colour="RGB",
        resize=resized(config.image),  # height and width; then the middle
        size=config.image,
        range=[0, 1],
        shapes={"x": [3, config.image, config.image]},
        made_by=MADE_BY,
    )
    start(net, config, training.weights_dir)
    adam = optimiser(torch.optim.Adam, net, training)

    def predict(rows: Tensor) -> Tensor:
        x = turned(floats(frames[rows, 0]), CAPSULENET_DEGREES, training.generator("rotation at test"), flip=False)
        return scores(net, cropped(x, config.image))

    for epoch in training.epochs(config.capsulenet_epochs):
        adam.param_groups[0]["lr"] = config.lr * CAPSULENET_DECAY ** (epoch + 1)  # lowered before the epoch
        net.train()
        chosen = balanced(train, y[train], training.augmentation)
        for places in training.shuffled(chosen):
            rows, near = places // (1 + NEAR), places % (1 + NEAR)
            x = turned(floats(frames[rows, near]), CAPSULENET_DEGREES, training.augmentation, flip=True)
            x = cropped(jittered(x, CAPSULENET_JITTER, training.augmentation), config.image, training.augmentation)
            with autocast(config, training.device):
                loss = capsule_loss(net(x), y[rows])
            step(training, adam, loss, rows)
        training.score(epoch, predict, **training.means(epoch))


def train_mmnet(training: FoldTraining[Config, KeyFrames]) -> None:
    """Cross-entropy; frames close to onset and apex stand for them in training."""
    config, data, y, train = training.config, training.data, training.targets, training.indices("train")
    frames = torch.tensor(data.frames, device=training.device)
    shape = [3, config.image, config.image]
    net = training.build(
        mmnet(config, len(training.task.classes)),
        frames="onset, apex",
        colour="RGB in [0, 1], less ImageNet's mean and over its deviation",
        size=config.image,
        mean=MEAN,
        std=STD,
        shapes={"onset": shape, "apex": shape},
        made_by=MADE_BY,
    )
    adam = optimiser(torch.optim.AdamW, net, training)
    padding = round(MMNET_PADDING * config.image / 224)

    def predict(rows: Tensor) -> Tensor:
        onset, apex = normalised(frames[annotated(data, rows)]).unbind(1)
        return scores(net, onset, apex).softmax(1)

    for epoch in training.epochs(config.mmnet_epochs):
        adam.param_groups[0]["lr"] = config.lr * MMNET_DECAY ** min(epoch, MMNET_DECAYS)
        net.train()
        for rows in training.shuffled(train.cpu()):
            places = drawn(data, rows, training.augmentation)
            rows, places = (part.to(training.device, non_blocking=True) for part in (rows, places))
            pairs = normalised(frames[places])
            x = turned(pairs.flatten(1, 2), MMNET_DEGREES, training.augmentation, flip=True)
            x = cropped(F.pad(x, (padding,) * 4), config.image, training.augmentation)
            with autocast(config, training.device):
                loss = F.cross_entropy(net(*x.split(3, 1)), y[rows])
            step(training, adam, loss, rows)
        training.score(epoch, predict, **training.means(epoch))


def optimiser(kind: type[torch.optim.Adam], net: nn.Module, training: FoldTraining[Config, Any]) -> torch.optim.Adam:
    """Adam or AdamW with the settings of the fold's Config."""
    config, fused = training.config, training.device.type == "cuda"
    return kind(net.parameters(), config.lr, config.betas, weight_decay=config.weight_decay, fused=fused)


def step(training: FoldTraining[Config, Any], adam: torch.optim.Optimizer, loss: Tensor, rows: Tensor) -> None:
    """One step of the optimiser, whose loss is noted."""
    adam.zero_grad()
    loss.backward()
    adam.step()
    training.note(rows, loss=loss)


def balanced(rows: Tensor, y: Tensor, generator: Generator) -> Tensor:
    """Frames (M,) of an epoch, as clip · (1 + NEAR) + place: each clip's apex, and others so that every class comes to
    about five times the clips of the smallest one.

    The release means surprise, the smallest of three classes; a class that has five times as many gets no others.
    """
    counts = torch.bincount(y)
    extra = (5 * counts[counts > 0].min() / counts[y] - 1).cpu()
    number = (extra + torch.rand(len(rows), generator=generator)).floor()  # its fraction by chance
    places = 1 + torch.rand(len(rows), NEAR, generator=generator).argsort(1)
    others = ((1 + NEAR) * rows[:, None].cpu() + places)[torch.arange(NEAR) < number[:, None]]
    return torch.cat([(1 + NEAR) * rows, others.to(rows.device)])


def annotated(data: KeyFrames, rows: Tensor) -> Tensor:
    """Places (B, 2) in `data.frames` of the annotated onset and apex of samples `rows`."""
    rows = rows.cpu()
    return torch.stack([data.start[rows], data.start[rows + 1] - 1], 1)


def drawn(data: KeyFrames, rows: Tensor, generator: Generator) -> Tensor:
    """Places (B, 2) in `data.frames` of what stands for onset and apex, all choices equally likely."""
    (first, last), early = annotated(data, rows).unbind(1), data.onsets[rows.cpu()]
    u = torch.rand(2, len(rows), generator=generator)
    return torch.stack([first + (u[0] * early).long(), last - (u[1] * (last + 1 - first - early)).long()], 1)


def normalised(frames: Tensor) -> Tensor:
    """uint8 (…, H, W, 3) -> float (…, 3, H, W), normalised by ImageNet's mean and standard deviation."""
    x = floats(frames)
    mean, std = (torch.tensor(values).view(3, 1, 1).to(x.device, non_blocking=True) for values in (MEAN, STD))
    return (x - mean) / std


@torch.no_grad()
def scores(net: nn.Module, *x: Tensor) -> Tensor:
    """The outputs of the network in eval mode, 64 samples at a time."""
    net.eval()
    return torch.cat([net(*parts) for parts in zip(*(part.split(64) for part in x), strict=True)])


def apply(net: nn.Module, data: Data, config: Config) -> tuple[Tensor, Tensor]:
    """For a user's clips: class scores (N, classes), of CapsuleNet lengths, else probabilities, and heat maps
    (N, 1, h, w) for the class predicted. Frames are not rotated."""
    layer: nn.Module
    if isinstance(net, STSTNet) and isinstance(data, FlowImages):
        x, layer = [torch.tensor(data.images).float()], net.pool
    elif isinstance(net, CapsuleNet) and isinstance(data, ApexFrames):
        x, layer = [cropped(floats(torch.tensor(data.frames[:, 0])), config.image)], net.trunk
    elif isinstance(net, MMNet) and isinstance(data, KeyFrames):
        pairs = torch.tensor(data.frames)[annotated(data, torch.arange(len(data.ids)))]
        x, layer = list(normalised(pairs).unbind(1)), net.blocks[-1]
    else:
        raise TypeError(f"{type(net).__name__} does not take {type(data).__name__}")
    maps: list[Tensor] = []
    hook = layer.register_forward_hook(lambda layer, x, out: maps.append(out if isinstance(out, Tensor) else out[0]))
    z = net.eval().forward(*x)  # a compiled call would pass the hook by
    hook.remove()
    heat = scaled(gradcam(maps[0], z.amax(1)))[:, None]
    return (z if config.method == "CapsuleNet" else z.softmax(1)).detach(), heat
