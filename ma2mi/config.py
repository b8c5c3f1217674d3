"""Settings of the paper's own method, and what smoke scale changes in them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torchvision.models import ResNet18_Weights

from shared.runs.config import Settings, setting
from shared.runs.published import Published, of_torchvision


def vae(kind: str, *, size: int | None = None, sha256: str = "") -> Published:
    """A latent-diffusion autoencoder; all kinds have the same name and layers."""
    repository, name = f"https://huggingface.co/stabilityai/sd-vae-ft-{kind}", "diffusion_pytorch_model.safetensors"
    return Published(
        name=name,
        what=f"the published autoencoder, sd-vae-ft-{kind}",
        source=repository,
        url=f"{repository}/resolve/main/{name}",
        licence="MIT",
        size=size,
        sha256=sha256,
        setting="autoencoder=published",
        without="--set autoencoder=random or =pool runs without it",
    )


AUTOENCODER = vae("mse", size=334_643_276, sha256="a1d993488569e928462932c8c38a0760b874d166399b14414135bd9c42df5815")
IMAGENET = of_torchvision(
    ResNet18_Weights.IMAGENET1K_V1, "ResNet-18", "start=resnet18-f37072fd.pth", "--set start=random does without it"
)
PUBLISHED = (AUTOENCODER, vae("ema"), IMAGENET)  # one of the autoencoders is needed


def reconstructs(config: "Config") -> bool:
    """True where pre-training reconstructs frames."""
    return config.pretrain in ("pixels", "latents")


def in_latents(config: "Config") -> bool:
    """True where it reconstructs their latents."""
    return config.pretrain == "latents"


def in_pixels(config: "Config") -> bool:
    """True where it reconstructs their pixels (MA2MI† of Table 1)."""
    return config.pretrain == "pixels"


def positioned(config: "Config") -> bool:
    """True where pre-training reconstructs frames and the position branch is there."""
    return reconstructs(config) and config.position


def compares_positions(config: "Config") -> bool:
    """True where L_pos is part of the pre-training."""
    return positioned(config) and config.position_loss


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    size: int = setting(256, "input", least=32)  # side of the images that the network sees; Sec. 4.3
    resize: int = setting(288, "training", least=32)  # side of the frames that training crops from; not in the paper
    rotation: float = setting(10.0, "training", least=0, most=180)  # degrees; not in the paper: "random rotation"
    width: int = setting(64, "network", least=1)  # ResNet-18 (Sec. 3.1)
    # initial weights of both encoders: "random", or torchvision's file; not in the paper
    start: str = setting("random", "network")
    dim: int = setting(768, "network", least=1)  # length of C_Δ; not in the paper: the width of DiT-B
    join: Literal["concat", "add"] = setting("concat", "network")  # of F^p and F^a; only drawn in Fig. 2
    position: bool = setting(True, "network")  # the position branch (Table 4)
    # pre-training: "w/o", "MAER", "MA2MI†" and "MA2MI" of Table 1
    pretrain: Literal["none", "recognition", "pixels", "latents"] = setting("latents", "pre-training")
    source: Literal["AFEW", "FERV39k", "DFEW"] = setting("DFEW", "pre-training")  # Sec. 4.3; others in Table 3
    delta: tuple[int, int] = setting((3, 8), "pre-training", least=1, when=reconstructs)  # Sec. 4.3; Fig. 4
    position_loss: bool = setting(True, "pre-training", when=positioned)  # L_pos (Table 4)
    # τ of L_3 rotates by up to so many degrees and shifts by up to this share of the side; not in the paper
    tau_degrees: float = setting(15.0, "pre-training", least=0, most=180, when=compares_positions)
    tau_shift: float = setting(0.1, "pre-training", least=0, most=1, when=compares_positions)
    # of L_3; not in the paper: mean over positions
    norm: Literal["position", "map"] = setting("position", "pre-training", when=compares_positions)
    # Sec. 3.2: as DiT's
    autoencoder: Literal["published", "random", "pool"] = setting("published", "pre-training", when=in_latents)
    cache_latents: bool = setting(True, "machine", when=in_latents)  # compute each frame's Z once; not in the paper
    patch: int = setting(2, "pre-training", least=1, when=in_latents)  # of DiT on latents; not in the paper
    patch_pixels: int = setting(16, "pre-training", least=1, when=in_pixels)  # of DiT on pixels; not in the paper
    dit_dim: int = setting(768, "pre-training", least=4, when=reconstructs)  # DiT-B (Sec. 4.3)
    dit_depth: int = setting(12, "pre-training", least=1, when=reconstructs)  # DiT-B
    dit_heads: int = setting(12, "pre-training", least=1, when=reconstructs)  # DiT-B
    pretrain_epochs: int = setting(80, "pre-training", least=1)  # Sec. 4.3
    pretrain_batch: int = setting(32, "pre-training", least=2)  # Sec. 4.3
    pretrain_lr: float = setting(4e-4, "pre-training", above=0)  # Sec. 4.3
    # last epoch's share of the learning rate; not in the paper: "an exponential rate"
    final: float = setting(0.01, "pre-training", above=0, most=1)
    pretrain_weight_decay: float = setting(0.0, "pre-training", least=0)  # not in the paper
    # fine-tuning
    tune: Literal["position", "action", "both"] = setting("both", "training")  # encoders (Table 2)
    reconstruct: bool = setting(False, "training")  # keep L_rec while fine-tuning (Table 2)
    epochs: int = setting(80, "training", least=1)  # Sec. 4.3
    batch: int = setting(16, "training", least=2)  # Sec. 4.3
    lr: float = setting(4e-4, "training", above=0)  # Sec. 4.3
    weight_decay: float = setting(0.1, "training", least=0)  # Sec. 4.3
    tune_final: float = setting(1.0, "training", above=0, most=1)  # as `final`; Sec. 4.3 has no decay here

    def conflicts(self) -> Iterator[str]:
        if self.size > self.resize:
            yield f"size={self.size}: expected at most resize={self.resize}, from which training crops"
        if self.delta[0] > self.delta[1]:
            yield f"delta={self.delta[0]},{self.delta[1]}: expected the lower bound first"
        if self.tune == "position" and not self.position:
            yield "tune=position: expected position=true, whose encoder it tunes"
        if self.reconstruct and self.pretrain == "recognition":
            yield "reconstruct=True: expected pretrain=latents, pixels or none; recognition leaves no DiT"
        if not (self.reconstruct or reconstructs(self)):
            return
        side, name, patch = self.size // 8, "patch", self.patch
        if self.pretrain == "pixels":
            side, name, patch = self.size, "patch_pixels", self.patch_pixels
        elif self.size % 8:
            yield f"size={self.size}: expected a multiple of 8, by which the autoencoder divides it"
        if side % patch:
            yield f"{name}={patch}: expected a divisor of {side}, the side that the DiT sees of size={self.size}"
        if self.dit_dim % self.dit_heads or self.dit_dim % 4:
            yield f"dit_dim={self.dit_dim}: expected a multiple of dit_heads={self.dit_heads} and of 4"
        if compares_positions(self) and self.size <= 32:
            yield f"size={self.size}: expected more than 32: L_pos compares positions of a map 32 times smaller"


SMOKE = dict(
    size=64,
    resize=72,
    width=16,
    dim=192,
    autoencoder="pool",
    dit_dim=192,
    dit_depth=1,
    dit_heads=3,
    pretrain_epochs=60,
    pretrain_batch=8,
    pretrain_lr=3e-3,  # at 4e-3 positions of F^p fall to 0 under some seeds, and L_2 with them
    epochs=26,
    batch=8,
    lr=3e-3,
    tune_final=0.01,
)
