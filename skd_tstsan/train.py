"""Pre-training on CK+, then training on micro-expressions (Sec. 4.2)."""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from shared.runs.fold import FoldTraining, autocast, total
from shared.runs.gradcam import gradcam, scaled
from shared.runs.parallel import Processes
from shared.runs.pretraining import Pretraining
from shared.runs.published import Published
from shared.runs.weights import published_weights

from .baselines import train as baselines
from .baselines.data import Data
from .config import MAGNIFIER, RELEASED, Config
from .data import MACRO, FacesAndFlow, MacroExpressions
from .losses import class_weights, skd_loss
from .model import SKD_TSTSAN, TSCNN
from .release import LAST, Part, load_released

CLASSIFIERS = ("AC1", "AC2", "")  # outputs by name, the deepest last


@dataclass(frozen=True)
class Left:
    """The part of a record that the figures read, of each test sample, at the scored epoch."""

    features: dict[str, list[list[float]]]  # (n, 384) of each classifier (Figs. 8 and 11)
    heat: list[list[list[float]]]  # (n, h, w) activation maps (Fig. 7)


def network(config: Config, classes: int, domains: int = 2) -> partial[SKD_TSTSAN]:
    """SKD-TSTSAN or TSCNN with the settings of `config`, to be built."""
    if not config.modified:
        return partial(TSCNN, classes=classes, size=config.size, width=config.width)
    return partial(
        SKD_TSTSAN,
        classes=classes,
        size=config.size,
        width=config.width,
        mag=config.mag,
        eca=config.eca,
        tsm=config.tsm,
        skd=config.skd,
        domains=domains,
        alpha=config.alpha,
        dropout=config.dropout,
        follow=config.follow,
    )


def start(net: SKD_TSTSAN, config: Config, weights_dir: Path) -> None:
    """Load the initial weights, the released ones, from their files in the folder `weights_dir`."""
    parts: tuple[tuple[Part, str, Published], ...] = (
        ("network", config.start, RELEASED),
        ("magnifier", config.magnifier, MAGNIFIER),
    )
    for part, name, file in parts:
        if name != "random":
            with published_weights(weights_dir / name, file) as path:
                load_released(path, net, transfer=True, part=part)


def adam(net: nn.Module, config: Config) -> torch.optim.Adam:
    """Adam with the settings of Sec. 4.2."""
    return torch.optim.Adam(net.parameters(), config.lr, config.betas, weight_decay=config.weight_decay, fused=True)


def alpha_of(y: Tensor, classes: int) -> Tensor:
    """alpha_k of Eq. (7) for labels y (n,), over the classes that there are; a class without samples has 0."""
    n = torch.bincount(y, minlength=classes)
    alpha = torch.zeros(classes, device=y.device)
    alpha[n > 0] = class_weights(n[n > 0].tolist()).to(y.device)
    return alpha


def criterion(net: nn.Module, x: Tensor, y: Tensor, alpha: Tensor, config: Config) -> dict[str, Tensor]:
    """The weighted terms of Eq. (10)."""
    logits, features = net(x)
    return skd_loss(
        logits,
        features,
        y,
        alpha,
        gamma=config.gamma,
        lambda_1=config.lambda_1,
        lambda_2=config.lambda_2,
        T=config.T,
        follow=config.follow,
    )


def pretrain(pretraining: Pretraining[Config]) -> dict[str, Tensor]:
    """Training on CK+ (Sec. 4.2) in two temporal domains: all weights but those of the last linear layers."""
    config, data = pretraining.config, pretraining.data
    assert isinstance(data, MacroExpressions)
    made = network(config, len(MACRO.classes), domains=2)()
    start(made, config, pretraining.weights_dir)
    net = pretraining.synchronised(made).train()
    optimiser, alpha = adam(net, config), alpha_of(data.y, len(MACRO.classes)).to(pretraining.device)
    pretraining.keep(net=net, adam=optimiser)
    parallel, optimiser = pretraining.accelerator.prepare(net, optimiser)
    epochs = math.ceil(config.pretrain_iterations / max(len(data) // config.pretrain_batch, 1))
    for _, _, (x, y) in pretraining.batches(epochs=epochs, batch=config.pretrain_batch):
        with autocast(config, pretraining.device):
            terms = criterion(parallel, x, y, alpha, config)
        optimiser.zero_grad()
        pretraining.accelerator.backward(total(of_all(terms, alpha, y, pretraining.accelerator, config).values()))
        optimiser.step()
        pretraining.log(**terms)
    return {name: value for name, value in net.state_dict().items() if not name.startswith(LAST)}


def of_all(
    terms: dict[str, Tensor], alpha: Tensor, y: Tensor, accelerator: Processes, config: Config
) -> dict[str, Tensor]:
    """One process's terms, scaled so that their means over processes are the terms of the whole batch.

    `y` are the labels of this process's share. With follow="release" focal losses are means weighted by class and L2 is
    a sum; all other terms are means over the batch.
    """
    count, weight = (w / accelerator.reduce(w.clone(), "mean") for w in (alpha.new_full((), len(y)), alpha[y].sum()))
    factors: dict[str, Tensor | int] = dict.fromkeys(terms, count)
    if config.follow == "release":
        factors |= {"focal": weight, "focal auxiliary": weight, "l2": accelerator.num_processes}
    return {name: factors[name] * term for name, term in terms.items()}


def train(training: FoldTraining[Config, Any]) -> None:
    """Training of one fold, scored after every epoch; of a baseline as in its own code."""
    config = training.config
    if config.method != "SKD-TSTSAN":
        return baselines.train(training)
    x = training.data.tensor(training.device, follow=config.follow)
    train, test, y = training.indices("train"), training.indices("test"), training.targets
    net = training.build(
        network(config, len(training.task.classes), config.domains),
        frames="onset, apex, offset" if config.domains == 2 else "onset to offset, apex",
        colour="grey",
        resize=config.resize,
        size=config.size,
        channels=f"apex, onset, patches and flow, by skd_tstsan.data with follow={config.follow}",
        shapes={"x": [34 + 2 * config.domains, config.size, config.size]},
    )
    start(net, config, training.weights_dir)
    if training.pretrained:
        net.load_state_dict({**net.state_dict(), **training.pretrained})  # the last linear layers stay as they are
    optimiser = adam(net, config)
    alpha = alpha_of(y[train], len(training.task.classes))
    epochs = math.ceil(config.iterations / math.ceil(len(train) / config.batch))
    decay = torch.optim.lr_scheduler.MultiStepLR(optimiser, [round(config.full_rate * epochs)], gamma=0.1)
    for epoch in training.epochs(epochs):
        net.train()
        for rows in training.shuffled(train, least=1):
            with autocast(config, training.device):
                terms = criterion(net, x[rows], y[rows], alpha, config)
            optimiser.zero_grad()
            total(terms.values()).backward()
            optimiser.step()
            training.note(rows, **terms)
        decay.step()
        means = training.means(epoch)
        training.score(epoch, lambda rows: predict(net, x[rows])[0], loss=sum(means.values()), **means)
    _, features = predict(training.scored(net), x[test])
    rounded = {name: f.double().round(decimals=3).tolist() for name, f in features.items()}
    training.figures = Left(features=rounded, heat=heat_maps(net, x[test]).tolist())


@torch.no_grad()
def predict(net: SKD_TSTSAN, x: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Class probabilities (B, classes) and features (B, 384) of each classifier, the deepest as ""."""
    net.eval()
    parts = [net(part, auxiliary=True) for part in x.split(64)]
    logits = [torch.cat(each) for each in zip(*(part.logits for part in parts), strict=True)]
    features = [torch.cat(each) for each in zip(*(part.features for part in parts), strict=True)]
    names = CLASSIFIERS if net.skd else ("",)
    return {n: z.softmax(dim=1) for n, z in zip(names, logits, strict=True)}, dict(zip(names, features, strict=True))


def heat_maps(net: SKD_TSTSAN, x: Tensor) -> Tensor:
    """Grad-CAM (Fig. 7) of the S-stream's conv4 for the predicted class, each map up to 1: (B, 5, 5) at 48×48."""
    maps: list[Tensor] = []
    layer = net.eval().get_submodule("streams.S.conv4")
    hook = layer.register_forward_hook(lambda layer, inputs, output: maps.append(output))
    logits = net.forward(x).logits[-1]  # a compiled call would skip the hook
    hook.remove()
    return scaled(gradcam(maps[0], logits.amax(dim=1)))


def apply(net: nn.Module, data: FacesAndFlow | Data, config: Config) -> tuple[Tensor, Tensor]:
    """For a user's clips: class probabilities (N, classes) of the deepest classifier and heat maps (N, 1, h, w)."""
    if not isinstance(data, FacesAndFlow):
        return baselines.apply(net, data, config)
    assert isinstance(net, SKD_TSTSAN)
    x = data.tensor(torch.device("cpu"), follow=config.follow)
    scores, _ = predict(net, x)
    return scores[""], heat_maps(net, x)[:, None]
