"""EIDNets on macro- and on micro-expressions, then the macro-to-micro guidance (Sec. 3)."""

import io
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from PIL import Image
from torch import Tensor, nn
from torch.optim import Adam

from shared.runs.fold import FoldTraining, autocast
from shared.runs.gradcam import gradcam
from shared.runs.parallel import Alone
from shared.runs.pretraining import Pretraining
from shared.runs.weights import published_weights

from .data import Pairs, drawn, images, shifted
from .losses import adversarial_losses, eid_losses, expression_loss, identity_loss, mtm_losses
from .model import EIDNet, MTMNet, oppose


def network(config, classes: int, subjects: int, magnify: float = 1.0) -> partial:
    """What makes MicroNet or MacroNet."""
    return partial(EIDNet, classes=classes, subjects=subjects, width=config.width, magnify=magnify)


def start(net: EIDNet, config, weights) -> None:
    """ImageNet's weights for the encoder, from their file in the folder `weights`."""
    if config.imagenet != "none":
        path = weights / config.imagenet
        what = "torchvision's ResNet18_Weights.IMAGENET1K_V1"
        with published_weights(path, what, "--set imagenet=none starts from random weights"):
            net.E.load_imagenet(torch.load(path, map_location="cpu", weights_only=True))


class FirstStage(nn.Module):
    """What the first stage computes of pairs: all that L_EID needs, or in rows without it the expression's logits."""

    def __init__(self, net: EIDNet, eid: bool):
        super().__init__()
        self.net, self.eid = net, eid

    def forward(self, x_N: Tensor, x_E: Tensor):
        return self.net(x_N, x_E) if self.eid else self.net.classify(x_E, x_N)


class Disentangling:
    """The game of Eq. (5) on one EIDNet, a step at a time: D_s moves, then E, D_e and D_r, which meet the new D_s.

    Without L_EID E and D_e learn by L_c alone. `accelerator` shares each batch among processes.
    """

    def __init__(self, net: EIDNet, config, accelerator):
        self.net, self.config, self.accelerator = net, config, accelerator
        self.eid = config.pretrain == "eid"
        idle = [net.D_s] if self.eid else [net.D_s, net.D_r, net.E.branch_s]
        for part in idle:  # a data-parallel module waits for gradients of all that is not frozen
            part.requires_grad_(False)
        self.parallel = accelerator.prepare(FirstStage(net, self.eid))
        net.D_s.requires_grad_(True)
        groups = [
            {"params": net.E.parameters(), "lr": config.pretrain_lr_E},
            {"params": net.D_e.parameters(), "lr": config.pretrain_lr_classifiers},
        ]
        if self.eid:
            groups.append({"params": net.D_r.parameters(), "lr": config.pretrain_lr_D_r})
        self.adam = Adam(groups)
        self.adam_s = Adam(net.D_s.parameters(), lr=config.pretrain_lr_classifiers)
        self.cast = autocast(config, accelerator.device)

    def step(self, x_N: Tensor, x_E: Tensor, y: Tensor, s: Tensor) -> dict[str, Tensor]:
        """One batch; the terms of the loss, weighted, and the bare "identity", which D_s lowers."""
        config, D_s = self.config, self.net.D_s
        with self.cast:
            out = self.parallel(x_N, x_E)
        if not self.eid:
            terms = {"L_c": expression_loss(out, y)}
            self.move(sum(terms.values()))
            return terms
        if not config.reversal:
            for _ in range(config.steps_D_s):
                with self.cast:
                    L_s = identity_loss(D_s(out.f_E_e.detach()), s)
                self.adam_s.zero_grad()
                L_s.backward()
                self.move_D_s()
        with self.cast:
            opinion = oppose(D_s, out.f_E_e, reversal=config.reversal)
            terms = eid_losses(
                out,
                opinion,
                y,
                s,
                lambda_rec=config.lambda_rec,
                lambda_sim=config.lambda_sim,
                lambda_s=config.lambda_s,
                norm=config.norm,
            )
        self.adam_s.zero_grad()
        self.move(sum(terms.values()))
        if config.reversal:
            self.move_D_s()
        return {**terms, "identity": identity_loss(opinion.detach(), s)}

    def move(self, loss: Tensor) -> None:
        self.adam.zero_grad()
        self.accelerator.backward(loss)
        self.adam.step()

    def move_D_s(self) -> None:
        """D_s lies outside the data-parallel module: its gradients are averaged here."""
        for p in self.net.D_s.parameters():
            p.grad = self.accelerator.reduce(p.grad, "mean")
        self.adam_s.step()


def pretrain(pretraining: Pretraining) -> dict[str, Tensor]:
    """The weights of MacroNet, of a macro corpus in the classes of the micro task."""
    config = pretraining.config
    start(
        net := network(config, len(pretraining.task.classes), pretraining.data.subjects)(),
        config,
        pretraining.weights_dir,
    )
    net = pretraining.synchronised(net).train()
    game = Disentangling(net, config, pretraining.accelerator)
    pretraining.keep(net=net, adam=game.adam, adam_s=game.adam_s)
    for _, _, (x_N, x_E, y, s) in pretraining.batches(epochs=config.macro_epochs, batch=config.batch):
        pretraining.log(**game.step(images(x_N), images(x_E), y, s))
    return net.state_dict()


class Guidance:
    """The second stage, Eq. (12), a step at a time: D moves, then MicroNet's E and D_e.

    `macro`: MacroNet and the macro-expressions that it learnt; without it L_cls alone. Shifts and company are drawn
    from `generator`, in every row alike. Where `due`, the next guided step notes the norm of each term's gradient on E
    in `gradients`.
    """

    def __init__(
        self,
        MicroNet: EIDNet,
        pairs: Pairs,
        config,
        macro: tuple[EIDNet, Pairs] | None,
        generator: torch.Generator | None = None,
    ):
        self.net = self.MicroNet = MicroNet
        self.pairs, self.config, self.generator = pairs, config, generator
        self.due, self.gradients = False, []
        self.adam = Adam(
            [
                {"params": MicroNet.E.parameters(), "lr": config.lr_E},
                {"params": MicroNet.D_e.parameters(), "lr": config.lr_D_e},
            ]
        )
        self.macro = macro and macro[1]
        if macro:
            self.net = MTMNet(MicroNet, macro[0]).to(pairs.y.device)
            self.adam_D = Adam(self.net.D.parameters(), lr=config.lr_D)
        self.cast = autocast(config, pairs.y.device)

    def step(self, rows: Tensor) -> dict[str, Tensor]:
        """One batch of pairs as anchors; the terms of the loss, weighted."""
        config, pairs, y = self.config, self.pairs, self.pairs.y[rows]
        by = torch.randint(-config.shift, config.shift + 1, (3, 2), generator=self.generator).tolist()
        draws = torch.rand(2, len(y), generator=self.generator)
        x_anc, N_anc = (shifted(images(x[rows]), by[0]) for x in (pairs.x_E, pairs.x_N))
        if self.macro is None:
            with self.cast:
                terms = {"L_cls": expression_loss(self.net.classify(x_anc, N_anc), y)}
        else:
            pos, neg, guided = self.company(y, draws)
            x_pos = shifted(images(self.macro.x_E[pos]), by[1])
            x_neg, N_neg = (shifted(images(x[neg]), by[2]) for x in (pairs.x_E, pairs.x_N))
            with self.cast:
                out = self.net(x_anc, x_pos, x_neg, guided, x_N=(N_anc, N_neg))
            if guided.any():
                with self.cast:
                    L_D, _ = adversarial_losses(*self.net.D(out.f_pos, out.f_anc.detach()))
                move(self.adam_D, L_D)
            with self.cast:
                terms = mtm_losses(
                    out,
                    *oppose(self.net.D, out.f_pos, out.f_anc),
                    y,
                    margin=config.margin,
                    per=config.per,
                    normalise=config.normalise,
                    lambda_tri=config.lambda_tri,
                    lambda_adv=config.lambda_adv,
                    lambda_lir=config.lambda_lir,
                )
            if self.due and guided.any():
                E, self.due = self.MicroNet.E, False
                self.gradients.append(gradient_norms(terms, [*E.backbone.parameters(), *E.branch_e.parameters()]))
        move(self.adam, sum(terms.values()))
        return terms

    def company(self, y: Tensor, draws: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Places (G,) of a positive and a negative of each anchor of labels y (B,) that has both; and which have (B,).

        They are chosen by draws (2, B) in [0, 1).
        """
        same, other = self.macro.y == y[:, None], self.pairs.y != y[:, None]
        guided = same.any(dim=1) & other.any(dim=1)
        return drawn(same, draws[0])[guided], drawn(other, draws[1])[guided], guided


def gradient_norms(terms: dict[str, Tensor], parameters: Sequence[nn.Parameter]) -> dict[str, float]:
    """The norm of each term's gradient on all the parameters together."""
    gradients = {name: torch.autograd.grad(term, parameters, retain_graph=True) for name, term in terms.items()}
    return {name: torch.nn.utils.get_total_norm(parts).item() for name, parts in gradients.items()}


def macronet(weights: dict[str, Tensor], config) -> EIDNet:
    """The MacroNet whose weights `pretrain` returned."""
    net = EIDNet(len(weights["D_e.2.bias"]), len(weights["D_s.2.bias"]), width=config.width)
    net.load_state_dict(weights)
    return net


def move(adam: Adam, loss: Tensor) -> None:
    adam.zero_grad()
    loss.backward()
    adam.step()


def train(training: FoldTraining) -> None:
    """One fold: MicroNet by itself, then guided by MacroNet and scored after every epoch."""
    config, rows, test = training.config, training.indices("train"), training.indices("test")
    frames = torch.tensor(training.data.stacked(), device=training.device)  # N, 1 + T, H, W, 3
    pairs = Pairs.of(frames[rows], training.targets[rows], training.samples["subject"].iloc[rows.tolist()].tolist())
    MicroNet = training.build(network(config, len(training.task.classes), pairs.subjects, config.magnify))
    start(MicroNet, config, training.weights_dir)
    if config.compile:
        MicroNet.E.compile()  # what every step calls
    if config.pretrain != "none":
        game = Disentangling(MicroNet, config, Alone(training.device))
        step = lambda batch: game.step(*pairs.pixels(batch))  # noqa: E731
        epochs = run(training, MicroNet, step, rows, config.pretrain_epochs, "first")
        training.figures["first stage"] = [terms for _, terms in epochs]
    if config.pretrain == "eid":
        training.figures["reconstructions"] = {}
        for part, some in (("test", test), ("train", rows)):
            said, png = reconstruct(MicroNet, frames[some], getattr(training.fold, part), training.seed)
            training.figures["reconstructions"][part], training.files[f"reconstruction-{part}.png"] = said, png
    macro = None
    if training.pretrained:  # the images come from the cache, never with the weights
        macro = macronet(training.pretrained, config), training.pretraining_data().to(training.device)
    guidance = Guidance(MicroNet, pairs, config, macro, training.augmentation)
    guidance.due = not config.compile  # a compiled backward pass runs once
    for epoch, terms in run(training, guidance.net, guidance.step, rows, config.epochs, "second"):
        training.score(epoch, lambda some: predict(MicroNet, frames[some]), loss=sum(terms.values()), **terms)
        guidance.due = not config.compile
    training.figures["gradients"] = guidance.gradients


def run(
    training: FoldTraining, net: nn.Module, step, rows: Tensor, epochs: int, stage: str
) -> Iterator[tuple[int, dict[str, float]]]:
    """Epochs of `step(places of pairs (B,))` over the clips `rows`: each epoch and the means of its terms."""
    T = training.data.stacked().shape[1] - 1
    for epoch in range(epochs):
        net.train()
        sums, count = {}, 0
        for batch in training.shuffled(torch.arange(T * len(rows), device=training.device), stage=stage):
            terms = step(batch)
            training.check(sum(terms.values()), epoch, rows[batch // T])
            for name, term in terms.items():
                sums[name] = sums.get(name, 0) + term.detach() * len(batch)
            count += len(batch)
        yield epoch, {name: float(total) / count for name, total in sums.items()}


@torch.no_grad()
def predict(net: EIDNet, frames: Tensor) -> Tensor:
    """Class probabilities (B, classes) of clips (B, 1 + T, H, W, 3) uint8, x_N first: the mean over the T others."""
    net.eval()
    x_E = frames[:, 1:]
    x_N = frames[:, :1].expand_as(x_E)
    parts = zip(x_E.flatten(0, 1).split(64), x_N.flatten(0, 1).split(64), strict=True)
    scores = torch.cat([net.classify(images(E), images(N)).softmax(dim=1) for E, N in parts])
    return scores.view(*x_E.shape[:2], -1).mean(dim=1)


def apply(net: EIDNet, data, config) -> tuple[Tensor, Tensor]:
    """For a user's clips: class probabilities (N, classes) and Grad-CAM of f^e at the middle frame (N, 1, h, w)."""
    frames = torch.tensor(data.stacked())
    scores = predict(net, frames)
    x_N, x_E = images(frames[:, [0, middle(frames)]]).unbind(1)
    f_e, _ = net.E(net.shown(x_E, x_N))
    return scores, gradcam(f_e, net.D_e(f_e).amax(dim=1))[:, None]


@torch.no_grad()
def reconstruct(net: EIDNet, clips: Tensor, names: tuple[str, ...], seed: int) -> tuple[dict[str, object], bytes]:
    """D_r's images of the middle expression frame of clips (N, 1 + T, H, W, 3) uint8 (Figure 3), in numbers and as PNG.

    The PNG holds x_N, x_E as E was shown it, and its reconstruction side by side, of one clip. "psnr" is the mean over
    clips against x_E in dB; "neutral", the same of x_N.
    """
    net.eval()
    chosen = seed % len(names)
    rows, psnr, neutral = [], [], []
    for part in clips[:, [0, middle(clips)]].split(64):
        x_N, x_E = images(part).unbind(1)
        out = net(x_N, x_E)
        rows.append(torch.cat([x_N, out.x_E, out.reconstruction], dim=3))  # B, 3, H, 3 W
        for values, image in ((psnr, out.reconstruction), (neutral, x_N)):
            values.append(-10 * (image - out.x_E).square().flatten(1).mean(dim=1).clamp_min(1e-10).log10())
    image = (torch.cat(rows)[chosen] * 255).round().byte().permute(1, 2, 0)
    Image.fromarray(image.cpu().numpy()).save(png := io.BytesIO(), "png")
    means = {name: round(torch.cat(v).mean().item(), 3) for name, v in (("psnr", psnr), ("neutral", neutral))}
    return {"sample": names[chosen], **means}, png.getvalue()


def middle(frames: Tensor) -> int:
    """The place of the middle expression frame in clips (N, 1 + T, ...)."""
    return 1 + (frames.shape[1] - 1) // 2
