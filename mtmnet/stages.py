"""The two stages a step at a time: the game of an EIDNet (Sec. 3.1), then MicroNet's guidance (Sec. 3.2)."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Adam

from shared.pixels.frames import floats
from shared.runs.fold import autocast, total
from shared.runs.parallel import Processes

from .config import Config
from .data import ImagePairs, drawn, shifted
from .losses import adversarial_losses, eid_losses, expression_loss, identity_loss, mtm_losses
from .model import EIDNet, EIDOutput, MTMNet, oppose


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


def move(adam: Adam, loss: Tensor) -> None:
    """A step of an optimiser."""
    adam.zero_grad()
    loss.backward()
    adam.step()
