"""EIDNets on macro- and on micro-expressions, then the macro-to-micro guidance (Sec. 3)."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.optim import Adam

from shared.pixels.frames import Store, floats
from shared.runs.compiling import compiled
from shared.runs.fold import FoldTraining, autocast, total
from shared.runs.gradcam import gradcam
from shared.runs.parallel import Alone, Processes
from shared.runs.pretraining import Pretraining
from shared.runs.weights import published_weights, read_tensors

from .config import IMAGENET, Config
from .data import ImagePairs, drawn, shifted
from .losses import adversarial_losses, eid_losses, expression_loss, identity_loss, mtm_losses
from .model import EIDNet, EIDOutput, MTMNet, oppose


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


class FirstStage(nn.Module):
    """The forward pass of the first stage: all that L_EID needs or, in rows without L_EID, the expression's logits."""

    def __init__(self, net: EIDNet, eid: bool) -> None:
        super().__init__()
        self.net, self.eid = net, eid

    def forward(self, x_N: Tensor, x_E: Tensor) -> EIDOutput | Tensor:
        """x_N, x_E (B, 3, H, W) -> EIDOutput, or logits (B, classes)."""
        return self.net(x_N, x_E) if self.eid else self.net.classify(x_E, x_N)


class Disentangling:
    """The game of Eq. (5) on one EIDNet, a step at a time: D_s moves, then E, D_e and D_r, which meet the new D_s.

    Without L_EID E and D_e learn by L_c alone. `accelerator` splits each batch over the processes.
    """

    def __init__(self, net: EIDNet, config: Config, accelerator: Processes) -> None:
        self.net, self.config, self.accelerator = net, config, accelerator
        self.eid = config.pretrain == "eid"
        idle = [net.D_s] if self.eid else [net.D_s, net.D_r, net.E.branch_s]
        for part in idle:  # a data-parallel module waits for the gradients of all parameters that are not frozen
            part.requires_grad_(False)
        self.parallel = accelerator.prepare(FirstStage(net, self.eid))
        net.D_s.requires_grad_(True)
        groups = [
            {"params": net.E.parameters(), "lr": config.pretrain_lr_E},
            {"params": net.D_e.parameters(), "lr": config.pretrain_lr_classifiers},
        ]
        if self.eid:
            groups.append({"params": net.D_r.parameters(), "lr": config.pretrain_lr_D_r})
        fused = accelerator.device.type == "cuda"
        self.adam = Adam(groups, fused=fused)
        self.adam_s = Adam(net.D_s.parameters(), lr=config.pretrain_lr_classifiers, fused=fused)
        self.cast = autocast(config, accelerator.device)

    def step(self, x_N: Tensor, x_E: Tensor, y: Tensor, s: Tensor) -> dict[str, Tensor]:
        """One batch: x_N, x_E (B, 3, H, W), classes y and subjects s (B,) -> the weighted terms of the loss and
        "identity", L_s without its weight, which D_s lowers."""
        config, D_s = self.config, self.net.D_s
        with self.cast:
            out = self.parallel(x_N, x_E)
        if not self.eid:
            terms = {"L_c": expression_loss(out, y)}
            self.move(total(terms.values()))
            return terms
        if not config.reversal:
            for _ in range(config.steps_D_s):
                with self.cast:
                    L_s = identity_loss(D_s(out.f_E_e.detach()), s)
                self.adam_s.zero_grad()
                L_s.backward()
                self.move_D_s()
        with self.cast:
            logits = oppose(D_s, out.f_E_e, reversal=config.reversal)
            terms = eid_losses(
                out,
                logits,
                y,
                s,
                lambda_rec=config.lambda_rec,
                lambda_sim=config.lambda_sim,
                lambda_s=config.lambda_s,
                norm=config.norm,
            )
        self.adam_s.zero_grad()
        self.move(total(terms.values()))
        if config.reversal:
            self.move_D_s()
        return {**terms, "identity": identity_loss(logits.detach(), s)}

    def move(self, loss: Tensor) -> None:
        """A step of E, D_e and D_r."""
        self.adam.zero_grad()
        self.accelerator.backward(loss)
        self.adam.step()

    def move_D_s(self) -> None:
        """A step of D_s, which is not in the data-parallel module: its gradients are averaged here."""
        for p in self.net.D_s.parameters():
            p.grad = self.accelerator.reduce(p.grad, "mean")
        self.adam_s.step()


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


class Guidance:
    """The second stage, Eq. (12), a step at a time: D moves, then MicroNet's E and D_e.

    `macro`: MacroNet and the macro-expressions that it has learned; without it L_cls is alone. Shifts, positives and
    negatives are drawn from `generator`, the same in every row. While `due` is set, the next guided step adds the norm
    of each term's gradient on E to `gradients`.
    """

    def __init__(
        self,
        MicroNet: EIDNet,
        pairs: ImagePairs,
        config: Config,
        macro: tuple[EIDNet, ImagePairs] | None,
        generator: torch.Generator | None = None,
    ) -> None:
        self.net = MicroNet
        self.pairs, self.config, self.generator = pairs, config, generator
        self.due = False
        self.gradients: list[dict[str, Tensor]] = []
        groups = [
            {"params": MicroNet.E.parameters(), "lr": config.lr_E},
            {"params": MicroNet.D_e.parameters(), "lr": config.lr_D_e},
        ]
        fused = pairs.y.is_cuda
        self.adam = Adam(groups, fused=fused)
        self.labels = pairs.y.cpu()  # companions are chosen on the CPU: no step waits for a GPU
        self.macro = macro[1] if macro else None
        self.macro_labels = macro[1].y.cpu() if macro else None
        self.guided = MTMNet(MicroNet, macro[0]).to(pairs.y.device) if macro else None
        if self.guided:
            self.adam_D = Adam(self.guided.D.parameters(), lr=config.lr_D, fused=fused)
        self.cast = autocast(config, pairs.y.device)

    def step(self, rows: Tensor) -> dict[str, Tensor]:
        """One batch, the pairs `rows` (B,), on the CPU, as anchors -> the weighted terms of the loss."""
        shift = self.config.shift
        by = torch.randint(-shift, shift + 1, (3, 2), generator=self.generator).tolist()
        draws = torch.rand(2, len(rows), generator=self.generator)
        if self.guided is None or self.macro is None:
            x_N, x_E, y = self.moved(self.pairs, rows, by[0])
            with self.cast:
                terms = {"L_cls": expression_loss(self.net.classify(x_E, x_N), y)}
        else:
            terms = self.guide(self.guided, self.macro, rows, by, draws)
        move(self.adam, total(terms.values()))
        return terms

    def guide(
        self, net: MTMNet, macro: ImagePairs, rows: Tensor, by: list[list[int]], draws: Tensor
    ) -> dict[str, Tensor]:
        """A step of D on the anchors `rows` (B,) and their company, then the weighted terms of L_MTM, Eq. (12).

        `by` are the shifts of anchors, positives and negatives, `draws` (2, B) as of `company`.
        """
        config = self.config
        pos, neg, guided = self.company(self.labels[rows], draws)
        N_anc, x_anc, y = self.moved(self.pairs, rows, by[0])
        x_pos = shifted(floats(macro.x_E[pos.to(macro.y.device, non_blocking=True)]), by[1])
        N_neg, x_neg, _ = self.moved(self.pairs, neg, by[2])
        with self.cast:
            out = net(x_anc, x_pos, x_neg, guided, x_N=(N_anc, N_neg))
        if guided.any():
            with self.cast:
                L_D, _ = adversarial_losses(*net.D(out.f_pos, out.f_anc.detach()))
            move(self.adam_D, L_D)
        with self.cast:
            terms = mtm_losses(
                out,
                *oppose(net.D, out.f_pos, out.f_anc),
                y=y,
                margin=config.margin,
                per=config.per,
                normalise=config.normalise,
                lambda_tri=config.lambda_tri,
                lambda_adv=config.lambda_adv,
                lambda_lir=config.lambda_lir,
            )
        if self.due and guided.any():
            E, self.due = self.net.E, False
            self.gradients.append(gradient_norms(terms, [*E.backbone.parameters(), *E.branch_e.parameters()]))
        return terms

    def moved(self, pairs: ImagePairs, rows: Tensor, by: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Of the pairs `rows` (B,): x_N and x_E (B, 3, H, W) in [0, 1], moved by (down, right) pixels, and y (B,)."""
        x_N, x_E, y, _ = pairs.pixels(rows)
        return shifted(x_N, by), shifted(x_E, by), y

    def lower_rates(self) -> None:
        """Divide the learning rates by 10."""
        for adam in (self.adam, self.adam_D) if self.guided else (self.adam,):
            for group in adam.param_groups:
                group["lr"] /= 10

    def company(self, y: Tensor, draws: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Indices (G,), (G,) of a positive and a negative for each anchor of labels y (B,) that has both; a mask (B,)
        of these anchors. They are chosen by draws (2, B) in [0, 1). All are on the CPU.
        """
        assert self.macro_labels is not None
        same, other = self.macro_labels == y[:, None], self.labels != y[:, None]
        guided = same.any(dim=1) & other.any(dim=1)
        return drawn(same, draws[0])[guided], drawn(other, draws[1])[guided], guided


def gradient_norms(terms: Mapping[str, Tensor], parameters: Sequence[nn.Parameter]) -> dict[str, Tensor]:
    """The norm (), where the parameters are, of each term's gradient on all of them together."""
    gradients = {name: torch.autograd.grad(term, parameters, retain_graph=True) for name, term in terms.items()}
    return {name: torch.nn.utils.get_total_norm(parts) for name, parts in gradients.items()}


def macronet(weights: dict[str, Tensor], config: Config) -> EIDNet:
    """The MacroNet whose weights `pretrain` returned."""
    net = EIDNet(len(weights["D_e.2.bias"]), len(weights["D_s.2.bias"]), width=config.width)
    net.load_state_dict(weights)
    return net


def move(adam: Adam, loss: Tensor) -> None:
    """A step of an optimiser."""
    adam.zero_grad()
    loss.backward()
    adam.step()


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
