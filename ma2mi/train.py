"""Pre-training on macro-expressions, fine-tuning on micro-expressions (Sec. 3.2)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shared.errors import UserError
from shared.keys import code_key
from shared.pixels.frames import Store
from shared.runs.fold import FoldTraining, autocast, total
from shared.runs.gradcam import gradcam, scaled
from shared.runs.pretraining import Pretraining
from shared.runs.weights import published_weights, read_tensors

from .autoencoder import Autoencoder, PoolAutoencoder
from .config import AUTOENCODER, IMAGENET, Config, compares_positions
from .data import FramePairs, LabelledPairs, augmented, normalised, whole
from .dit import DiT
from .losses import draw_tau, position_loss, reconstruction_loss
from .model import MIACNet
from .predictor import FramePredictor

T = TypeVar("T", Tensor, MIACNet)


@dataclass(frozen=True)
class Left:
    """The part of a fold's record that the figures read."""

    heat: list[list[list[float]]]  # test clips, H/32, W/32: Grad-CAM of F^a, for Fig. 6


class Reconstruction(nn.Module):
    """MIACNet and the DiT under L_pre = L_rec + L_pos, Eq. (10), or under L_rec alone."""

    def __init__(self, config: Config, autoencoder: Autoencoder | PoolAutoencoder | None) -> None:
        super().__init__()
        self.config = config
        self.miacnet = channels_last(network(config)())
        self.dit = dit(config)()
        self.autoencoder = autoencoder  # None: I_{t+δ} is reconstructed in pixels (MA2MI† of Table 1)

    def forward(
        self, I_t: Tensor, I_td: Tensor, tau: Tensor | None, *Z: Tensor, compare: bool = False
    ) -> dict[str, Tensor]:
        """The terms by name: frames I_t, I_{t+δ} (B, 3, H, W) and transforms τ (B, 2, 3), which L_3 needs -> scalars.

        Without τ there is no L_pos. `Z`: Z_t and Z_{t+δ}, where they are known. `compare` adds the losses of
        `comparisons`, which are not to be minimised."""
        F_p, F_a = self.miacnet.encode(I_t, I_td)
        terms: dict[str, Tensor] = {}
        if tau is not None and F_p is not None and self.miacnet.E_p is not None:
            terms = position_loss(self.miacnet.E_p, I_t, tau, F_p=F_p, norm=self.config.norm)
            F_p = F_p.detach()  # "trained independently with different losses" (Sec. 5)
        Z_t, Z_td = map(torch.Tensor.float, Z) if Z else (self.latents(I_t), self.latents(I_td))
        C_delta = self.miacnet.join(F_p, F_a)
        prediction = self.dit(Z_t, C_delta)
        terms["L_rec"] = reconstruction_loss(prediction, Z_td)
        return terms | self.comparisons(prediction, Z_t, Z_td, C_delta) if compare else terms

    @torch.no_grad()
    def comparisons(self, prediction: Tensor, Z_t: Tensor, Z_td: Tensor, C_delta: Tensor) -> dict[str, Tensor]:
        """The losses that L_rec has to be below where motion is learned (not in the paper).

        `copying`: of Z_t in place of the prediction. `foreign`: under the C_Δ of the next clip of the batch, for an
        eighth of the batch; `own`: of the same clips under their own C_Δ.
        """
        n = max(len(Z_t) // 8, 1)
        foreign = self.dit(Z_t[:n], C_delta.roll(-1, dims=0)[:n])
        return {
            "copying": reconstruction_loss(Z_t, Z_td),
            "foreign": reconstruction_loss(foreign, Z_td[:n]),
            "own": reconstruction_loss(prediction[:n], Z_td[:n]),
        }

    @torch.no_grad()
    def latents(self, I: Tensor) -> Tensor:
        """Z, Eq. (7), the convolutional autoencoder's in half precision; pixels where these are reconstructed."""
        if self.autoencoder is None:
            return I
        Z = self.autoencoder.encode(I)
        return Z.half().to(I.dtype) if isinstance(self.autoencoder, Autoencoder) else Z

    @torch.no_grad()
    def predict(self, I_t: Tensor, I_td: Tensor) -> Tensor:
        """Î_{t+δ} from I_t and C_Δ (Fig. 5)."""
        Z = self.dit(self.latents(I_t), self.miacnet(I_t, I_td))
        return Z if self.autoencoder is None else self.autoencoder.decode(Z)


def network(config: Config, classes: int | None = None) -> partial[MIACNet]:
    """MIACNet with the settings of `config`, to be built."""
    return partial(
        MIACNet,
        classes=classes,
        width=config.width,
        dim=config.dim,
        join=config.join,
        position=config.position,
        size=config.size,
    )


def network_input(config: Config) -> dict[str, Any]:
    """What the networks take, for those who load one."""
    shapes = {"I_t": [3, config.size, config.size], "I_td": [3, config.size, config.size]}
    return {"frames": "onset, apex", "colour": "RGB", "size": config.size, "range": [-1, 1], "shapes": shapes}


def start(net: MIACNet, config: Config, weights_dir: Path) -> None:
    """Load both encoders' initial weights, ImageNet's, from their file in the folder `weights_dir`."""
    if config.start != "random":
        with published_weights(weights_dir / config.start, IMAGENET) as path:
            state = {name: value for name, value in read_tensors(path).items() if not name.startswith("fc.")}
            for encoder in (net.E_p, net.E_a):
                if encoder is not None:
                    encoder.load_state_dict(state)


def dit(config: Config) -> partial[DiT]:
    """The DiT, to be built, that predicts Z_{t+δ}, 8 times smaller than the image (Sec. 3.2), or the image's pixels."""
    if config.pretrain == "pixels":
        size, patch, channels = config.size, config.patch_pixels, 3
    else:
        size, patch, channels = config.size // 8, config.patch, 4
    return partial(
        DiT,
        size=size,
        patch=patch,
        channels=channels,
        dim=config.dit_dim,
        depth=config.dit_depth,
        heads=config.dit_heads,
        condition=config.dim,
    )


def autoencoder(config: Config, weights_dir: Path) -> Autoencoder | PoolAutoencoder | None:
    """The frozen autoencoder; its published weights are in the folder `weights_dir`."""
    if config.pretrain == "pixels":
        return None
    if config.autoencoder == "published":
        with published_weights(weights_dir / AUTOENCODER.name, AUTOENCODER) as path:
            return Autoencoder.load(path)
    if config.autoencoder == "pool":
        return PoolAutoencoder()
    return Autoencoder()


def optimiser(
    model: nn.Module, *, lr: float, final: float, epochs: int, weight_decay: float
) -> tuple[torch.optim.AdamW, torch.optim.lr_scheduler.ExponentialLR]:
    """AdamW and its exponential decay, stepped once an epoch, to `final` × lr in the last one; 1: none (Sec. 4.3)."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    adamw = torch.optim.AdamW(parameters, lr=lr, weight_decay=weight_decay, fused=True)
    return adamw, torch.optim.lr_scheduler.ExponentialLR(adamw, final ** (1 / max(epochs - 1, 1)))


def pretraining_optimiser(
    model: nn.Module, config: Config
) -> tuple[torch.optim.AdamW, torch.optim.lr_scheduler.ExponentialLR]:
    """`optimiser` with the settings of the pre-training."""
    decay, epochs = config.pretrain_weight_decay, config.pretrain_epochs
    return optimiser(model, lr=config.pretrain_lr, final=config.final, epochs=epochs, weight_decay=decay)


def pretrain(pretraining: Pretraining[Config]) -> dict[str, Tensor]:
    """The first stage of Sec. 3.2: weights of "miacnet.*" and, where frames are reconstructed, "dit.*"."""
    config = pretraining.config
    if config.pretrain == "recognition":
        return recognise(pretraining)
    predictor = partial(FramePredictor, miacnet=network(config).keywords, dit=dit(config).keywords)
    pretraining.leaves(predictor, **network_input(config) | {"frames": "I_t, I_td"})
    made = Reconstruction(config, autoencoder(config, pretraining.weights_dir))
    start(made.miacnet, config, pretraining.weights_dir)
    model = pretraining.synchronised(made)
    adamw, decay = pretraining_optimiser(model, config)
    pretraining.keep(model=model, adamw=adamw, decay=decay)
    cache_latents(pretraining, model)
    parallel, adamw = pretraining.accelerator.prepare(model, adamw)
    for _, last, (I_t, I_td, *Z) in pretraining.batches(epochs=config.pretrain_epochs, batch=config.pretrain_batch):
        with autocast(config, pretraining.device):
            I_t, I_td = channels_last(normalised(I_t)), channels_last(normalised(I_td))
            tau = drawn_tau(config, len(I_t), pretraining.augmentation)
            terms = parallel(I_t, I_td, tau, *Z, compare=True)
        adamw.zero_grad()
        pretraining.accelerator.backward(total(term for name, term in terms.items() if name.startswith("L_")))
        adamw.step()
        pretraining.log(**terms)
        if last:
            decay.step()
    return {k: v for k, v in model.state_dict().items() if not k.startswith("autoencoder.")}


def drawn_tau(config: Config, batch: int, generator: torch.Generator) -> Tensor | None:
    """τ of a batch (batch, 2, 3); None where there is no L_pos."""
    if not compares_positions(config):
        return None
    return draw_tau(batch, generator, degrees=config.tau_degrees, shift=config.tau_shift)


def cache_latents(pretraining: Pretraining[Config], model: Reconstruction) -> None:
    """Compute each frame's Z once, where that takes fewer passes of a convolutional autoencoder than training would."""
    config, pairs, net = pretraining.config, pretraining.data, model.autoencoder
    assert isinstance(pairs, FramePairs)
    pairs.latents = None
    if pretraining.timed:
        return
    if config.pretrain != "latents" or not config.cache_latents or not isinstance(net, Autoencoder):
        return
    if pairs.start[-1] > 2 * config.pretrain_epochs * len(pairs):
        return

    @torch.no_grad()
    def latents(frames: Tensor) -> Tensor:
        with autocast(config, pretraining.device):
            return model.latents(channels_last(normalised(frames.to(pretraining.device))))

    weights = hashlib.sha256(b"".join(v.cpu().numpy().tobytes() for v in net.state_dict().values())).hexdigest()
    pairs.encode(latents, [weights, config.precision, code_key(Autoencoder.__module__)], net.factor)


def motion(epoch: Mapping[str, float]) -> str:
    """A line on whether motion was learned: an epoch's L_rec beside the losses of `Reconstruction.comparisons`."""
    if "L_rec" not in epoch:
        return f"pre-training, epoch {epoch['epoch']}: cross-entropy {epoch['cross_entropy']:.4f}"
    copying, foreign = "copying the first frame", "the motion of another clip"
    found = f"{copying} {epoch['copying']:.4f}, {foreign} {epoch['foreign']:.4f} (its own {epoch['own']:.4f})"
    above = [copying] * (epoch["copying"] <= epoch["L_rec"]) + [foreign] * (epoch["foreign"] <= epoch["own"])
    verdict = f"; no better than {' and '.join(above)}: it has learned no motion" if above else ""
    return f"pre-training, epoch {epoch['epoch']}: L_rec {epoch['L_rec']:.4f}, {found}{verdict}"


def recognise(pretraining: Pretraining[Config]) -> dict[str, Tensor]:
    """MAER of Table 1: MIACNet learns the macro-expressions by cross-entropy."""
    config, clips = pretraining.config, pretraining.data
    assert isinstance(clips, LabelledPairs)
    seen = network_input(config) | {"frames": "the first, the most different from it"}
    pretraining.leaves(partial(FramePredictor, miacnet=network(config).keywords), **seen)
    made = network(config, len(clips.classes))()
    start(made, config, pretraining.weights_dir)
    model = pretraining.synchronised(channels_last(made))
    adamw, decay = pretraining_optimiser(model, config)
    pretraining.keep(model=model, adamw=adamw, decay=decay)
    parallel, adamw = pretraining.accelerator.prepare(model, adamw)
    for _, last, (first, peak, label) in pretraining.batches(
        epochs=config.pretrain_epochs, batch=config.pretrain_batch
    ):
        with autocast(config, pretraining.device):
            loss = F.cross_entropy(parallel(channels_last(normalised(first)), channels_last(normalised(peak))), label)
        adamw.zero_grad()
        pretraining.accelerator.backward(loss)
        adamw.step()
        pretraining.log(cross_entropy=loss)
        if last:
            decay.step()
    return {f"miacnet.{k}": v for k, v in model.state_dict().items() if not k.startswith("fc.")}


def train(training: FoldTraining[Config, Store]) -> None:
    """The second stage of Sec. 3.2, fine-tuning: one fold, scored after every epoch."""
    config = training.config
    frames = torch.tensor(training.data.stacked(), device=training.device)
    train, test, y = training.indices("train"), training.indices("test"), training.targets
    prepared = "whole frames of `resize`, made smaller by ma2mi.data.whole, which smooths them"
    made = training.build(
        network(config, len(training.task.classes)), resize=config.resize, prepared=prepared, **network_input(config)
    )
    net = channels_last(made)
    if training.pretrained:
        take(net, training.pretrained, "miacnet.")
    else:
        start(net, config, training.weights_dir)
    criterion = reconstruction_of(net, training) if config.reconstruct else None
    parts = nn.ModuleList([net, criterion.dit] if criterion else [net])
    frozen = [e for name, e in (("position", net.E_p), ("action", net.E_a)) if config.tune not in ("both", name) and e]
    for encoder in frozen:
        encoder.requires_grad_(False)
    adamw, decay = optimiser(
        parts, lr=config.lr, final=config.tune_final, epochs=config.epochs, weight_decay=config.weight_decay
    )
    for epoch in training.epochs(config.epochs):
        parts.train()
        for encoder in frozen:
            encoder.eval()
        for rows in training.shuffled(train):
            pairs = augmented(frames[rows], config.size, degrees=config.rotation, generator=training.augmentation)
            I_t, I_td = map(channels_last, pairs)
            with autocast(config, training.device):
                loss = F.cross_entropy(net(I_t, I_td), y[rows])
                if criterion:
                    loss = loss + criterion(I_t, I_td, None)["L_rec"]
            adamw.zero_grad()
            loss.backward()
            adamw.step()
            training.note(rows, loss=loss)
        decay.step()
        training.score(epoch, lambda rows: predict(net, *whole(frames[rows], config.size)), **training.means(epoch))
    heat = heat_maps(training.scored(net), *whole(frames[test], config.size))
    training.figures = Left(heat=heat.tolist())


def reconstruction_of(net: MIACNet, training: FoldTraining[Config, Store]) -> Reconstruction:
    """L_rec beside the cross-entropy (Table 2): of the fold's MIACNet, with the pre-trained DiT where there is one."""
    config = training.config
    criterion = Reconstruction(config, autoencoder(config, training.weights_dir)).to(training.device)
    criterion.miacnet = net
    if training.pretrained:
        take(criterion.dit, training.pretrained, "dit.")
    return criterion


def take(module: nn.Module, weights: Mapping[str, Tensor], prefix: str) -> None:
    """Load the weights under `prefix`; only the classifier may be new."""
    own = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    missing, unexpected = module.load_state_dict(own, strict=False)
    if unexpected or set(missing) - {"fc.weight", "fc.bias"}:
        raise UserError(f"the pre-trained weights do not fit: missing {missing}, unknown {unexpected}")


@torch.no_grad()
def predict(net: MIACNet, I_t: Tensor, I_td: Tensor) -> Tensor:
    """Class probabilities (B, classes) of frames I_t, I_{t+δ} (B, 3, H, W)."""
    net.eval()
    pairs = zip(I_t.split(64), I_td.split(64), strict=True)
    return torch.cat([net(channels_last(a), channels_last(b)).softmax(dim=1) for a, b in pairs])


def heat_maps(net: MIACNet, I_t: Tensor, I_td: Tensor) -> Tensor:
    """Grad-CAM (Fig. 6) of F^a for the predicted class, each map up to 1: (B, H/32, W/32)."""
    net.eval()
    F_p, F_a = net.encode(channels_last(I_t), channels_last(I_td))
    F_a = F_a.detach().requires_grad_()
    return scaled(gradcam(F_a, net.fc(net.join(F_p, F_a)).amax(dim=1)))


def apply(net: MIACNet, data: Store, config: Config) -> tuple[Tensor, Tensor]:
    """For a user's clips: class probabilities (N, classes) and heat maps (N, 1, H/32, W/32)."""
    I = whole(torch.tensor(data.stacked()), config.size)
    return predict(net, *I), heat_maps(net, *I)[:, None]


def channels_last(thing: T) -> T:
    """Images or weights in the layout in which convolutions are fastest."""
    return thing.to(memory_format=torch.channels_last)
