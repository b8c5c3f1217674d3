"""EIDNets on macro- and on micro-expressions, then the macro-to-micro guidance (Sec. 3)."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from shared.pixels.frames import Store, floats
from shared.runs.compiling import compiled
from shared.runs.fold import FoldTraining
from shared.runs.gradcam import gradcam
from shared.runs.parallel import Alone
from shared.runs.pretraining import Pretraining
from shared.runs.weights import published_weights, read_tensors

from .config import IMAGENET, Config
from .data import ImagePairs
from .model import EIDNet
from .stages import Disentangling, Guidance


@dataclass(frozen=True)
class Left:
    """The part of a record that the figures and the lines under tables read; images are files beside the record."""

    first_stage: list[dict[str, float]]  # mean terms of each epoch
    shown: dict[str, str]  # "test", "train" -> the sample whose reconstruction is drawn; none without L_EID
    psnr: dict[str, float]  # "test", "train" -> dB of the reconstructions to x_E, the mean over clips
    neutral: dict[str, float]  # the same of x_N
    gradients: list[dict[str, float]]  # norm of each term's gradient on E, one batch per epoch


def network(config: Config, classes: int, subjects: int, magnify: float = 1.0) -> partial[EIDNet]:
    """MicroNet or MacroNet with the settings of `config`, to be built."""
    return partial(EIDNet, classes=classes, subjects=subjects, width=config.width, magnify=magnify, size=config.size)


def network_input(config: Config) -> dict[str, Any]:
    """What the networks take, for those who load one."""
    shape = [3, config.size, config.size]
    return {"colour": "RGB", "size": config.size, "range": [0, 1], "shapes": {"x_N": shape, "x_E": shape}}


def start(net: EIDNet, config: Config, weights_dir: Path) -> None:
    """Load the encoder's initial weights, ImageNet's, from their file in the folder `weights_dir`."""
    if config.start != "random":
        with published_weights(weights_dir / config.start, IMAGENET) as path:
            net.E.load_imagenet(read_tensors(path))


def pretrain(pretraining: Pretraining[Config]) -> dict[str, Tensor]:
    """The weights of MacroNet, of a macro corpus in the classes of the micro task."""
    config, pairs = pretraining.config, pretraining.data
    assert isinstance(pairs, ImagePairs)
    make = network(config, len(pretraining.task.classes), pairs.subjects)
    pretraining.leaves(make, pretraining.task.classes, **network_input(config))
    made = make()
    start(made, config, pretraining.weights_dir)
    net = pretraining.synchronised(made).train()
    game = Disentangling(net, config, pretraining.accelerator)
    pretraining.keep(net=net, adam=game.adam, adam_s=game.adam_s)
    for _, _, (x_N, x_E, y, s) in pretraining.batches(epochs=config.macro_epochs, batch=config.batch):
        pretraining.log(**game.step(floats(x_N), floats(x_E), y, s))
    return net.state_dict()


def macronet(weights: dict[str, Tensor], config: Config) -> EIDNet:
    """The MacroNet whose weights `pretrain` returned."""
    net = EIDNet(len(weights["D_e.2.bias"]), len(weights["D_s.2.bias"]), width=config.width)
    net.load_state_dict(weights)
    return net


def train(training: FoldTraining[Config, Store]) -> None:
    """One fold: MicroNet by itself, then guided by MacroNet and scored after every epoch."""
    config, train = training.config, training.indices("train")
    frames = torch.tensor(training.data.stacked(), device=training.device)  # N, 1 + T, H, W, 3
    subjects = training.samples["subject"].iloc[train.tolist()].tolist()
    pairs = ImagePairs.of(frames[train], training.targets[train], subjects)
    MicroNet = training.build(
        network(config, len(training.task.classes), pairs.subjects, config.magnify),
        frames=f"onset as x_N, {config.frames} around the apex as x_E, whose probabilities are averaged",
        **network_input(config),
    )
    start(MicroNet, config, training.weights_dir)
    if config.compile:
        compiled(MicroNet.E)  # what every step calls
    first_stage: list[dict[str, float]] = []
    if config.pretrain != "none":
        game = Disentangling(MicroNet, config, Alone(training.device))

        def step(rows: Tensor) -> dict[str, Tensor]:
            return game.step(*pairs.pixels(rows))

        epochs = run(training, MicroNet, step, train, config.pretrain_epochs, "first")
        first_stage = [terms for _, terms in epochs]
    shown, decibels, neutral = reconstructions(training, MicroNet, frames) if config.pretrain == "eid" else ({}, {}, {})
    macro = None
    if training.pretrained and training.pretraining_data:  # images come from the cache, never with the weights
        expressions = training.pretraining_data()
        assert isinstance(expressions, ImagePairs)
        macro = macronet(training.pretrained, config), expressions.to(training.device)
    guidance = Guidance(MicroNet, pairs, config, macro, training.augmentation)
    guidance.due = not config.compile  # a compiled backward pass runs once
    for epoch, terms in run(training, guidance.guided or MicroNet, guidance.step, train, config.epochs, "second"):
        training.score(epoch, lambda rows: predict(MicroNet, frames[rows]), loss=sum(terms.values()), **terms)
        guidance.due = not config.compile
        if epoch + 1 == round(config.full_rate * config.epochs):
            guidance.lower_rates()
    gradients = [{name: norm.item() for name, norm in norms.items()} for norms in guidance.gradients]
    training.figures = Left(first_stage, shown, decibels, neutral, gradients)


def run(
    training: FoldTraining[Config, Store],
    net: nn.Module,
    step: Callable[[Tensor], dict[str, Tensor]],
    clips: Tensor,
    epochs: int,
    stage: str,
) -> Iterator[tuple[int, dict[str, float]]]:
    """Epochs of `step(indices of pairs (B,))`, T pairs of each of `clips` (n,): an epoch and the means of its terms."""
    T = training.data.stacked().shape[1] - 1
    clips = clips.cpu()
    for epoch in training.epochs(epochs):
        net.train()
        for pairs in training.shuffled(torch.arange(T * len(clips)), stage=stage):
            training.note(clips[pairs // T], **step(pairs))
        yield epoch, training.means(epoch)


@torch.no_grad()
def predict(net: EIDNet, frames: Tensor) -> Tensor:
    """Class probabilities (B, classes) of clips (B, 1 + T, H, W, 3) uint8, x_N first: the mean over the T others."""
    net.eval()
    x_E = frames[:, 1:]
    x_N = frames[:, :1].expand_as(x_E)
    parts = zip(x_E.flatten(0, 1).split(64), x_N.flatten(0, 1).split(64), strict=True)
    scores = torch.cat([net.classify(floats(E), floats(N)).softmax(dim=1) for E, N in parts])
    return scores.view(*x_E.shape[:2], -1).mean(dim=1)


def apply(net: EIDNet, data: Store, config: Config) -> tuple[Tensor, Tensor]:
    """For a user's clips: class probabilities (N, classes) and Grad-CAM of f^e at the middle frame (N, 1, h, w)."""
    frames = torch.tensor(data.stacked())
    scores = predict(net, frames)
    x_N, x_E = floats(frames[:, [0, middle(frames)]]).unbind(1)
    f_e, _ = net.E(net.shown(x_E, x_N))
    return scores, gradcam(f_e, net.D_e(f_e).amax(dim=1))[:, None]


def reconstructions(
    training: FoldTraining[Config, Store], net: EIDNet, frames: Tensor
) -> tuple[dict[str, str], dict[str, float], dict[str, float]]:
    """Reconstruct test and training clips of `frames` (N, 1 + T, H, W, 3); a sample of each becomes a file of the fold.

    Returns `shown`, `psnr` and `neutral` of `Left`.
    """
    shown: dict[str, str] = {}
    reconstructed: dict[str, float] = {}
    neutral: dict[str, float] = {}
    for part in ("test", "train"):
        names = getattr(training.fold, part)
        i = training.seed % len(names)
        shown[part] = names[i]
        reconstructed[part], neutral[part], png = reconstruct(net, frames[training.indices(part)], i)
        training.files[f"reconstruction-{part}.png"] = png
    return shown, reconstructed, neutral


@torch.no_grad()
def reconstruct(net: EIDNet, clips: Tensor, shown: int) -> tuple[float, float, bytes]:
    """D_r's images of the middle expression frame of clips (N, 1 + T, H, W, 3) uint8 (Figure 3).

    Returns the mean PSNR over clips of the reconstructions and of the neutral images, to the expression images in dB,
    and a PNG of the clip `shown`: x_N, x_E as E was shown it, and its reconstruction side by side.
    """
    net.eval()
    rows: list[Tensor] = []
    reconstructed: list[Tensor] = []
    neutral: list[Tensor] = []
    for part in clips[:, [0, middle(clips)]].split(64):
        x_N, x_E = floats(part).unbind(1)
        out = net(x_N, x_E)
        rows.append(torch.cat([x_N, out.x_E, out.reconstruction], dim=3))  # B, 3, H, 3 W
        reconstructed.append(psnr(out.reconstruction, out.x_E))
        neutral.append(psnr(x_N, out.x_E))
    pixels = (torch.cat(rows)[shown] * 255).round().byte().permute(1, 2, 0)
    png = io.BytesIO()
    Image.fromarray(pixels.cpu().numpy()).save(png, "png")
    means = [round(torch.cat(values).mean().item(), 3) for values in (reconstructed, neutral)]
    return means[0], means[1], png.getvalue()


def psnr(x: Tensor, reference: Tensor) -> Tensor:
    """dB (B,) of images x (B, 3, H, W) in [0, 1] to a reference, 100 at most."""
    return -10 * (x - reference).square().flatten(1).mean(dim=1).clamp_min(1e-10).log10()


def middle(frames: Tensor) -> int:
    """The index of the middle expression frame in clips (N, 1 + T, ...)."""
    return 1 + (frames.shape[1] - 1) // 2
