"""Settings of the paper's own method, and what smoke scale changes in them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torchvision.models import ResNet18_Weights

from shared.runs.config import Settings, setting
from shared.runs.published import of_torchvision

IMAGENET = of_torchvision(
    ResNet18_Weights.IMAGENET1K_V1, "ResNet-18", "start=resnet18-f37072fd.pth", "--set start=random does without it"
)
PUBLISHED = (IMAGENET,)
STRIDE = 32  # of the encoder: the factor by which it divides a side


def eid(config: "Config") -> bool:
    """True where the first stage learns by L_EID."""
    return config.pretrain == "eid"


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    size: int = setting(224, "input", least=STRIDE)  # side of the images that the network sees; Sec. 4.1
    frames: int = setting(5, "training", least=1)  # centred at the apex (Sec. 4.1)
    magnify: float = setting(1.0, "training", above=0)  # of micro-expressions' x_E − x_N before E; not in the paper
    macro_frames: int = setting(3, "input", least=1)  # at the peak; not in the paper
    # the macro-expressions; others in Tables 2 and 3, "none" where nothing guides
    macro: Literal["CK+", "MMI", "Oulu-CASIA", "none"] = setting("CK+", "training")
    width: int = setting(64, "network", least=1)  # ResNet-18 (Sec. 4.1)
    # the encoder's initial weights: a file of torchvision's, or "random"; not in the paper
    start: str = setting(IMAGENET.name, "network")
    batch: int = setting(32, "pre-training", least=2)  # in all stages; not in the paper
    # first stage: EIDNets (Sec. 3.1); `pretrain` is MicroNet's: MacroNet classifies under "none", too
    pretrain: Literal["eid", "classification", "none"] = setting("eid", "pre-training")
    pretrain_epochs: int = setting(20, "training", least=1)  # MicroNet's; not in the paper: as in the second stage
    macro_epochs: int = setting(20, "pre-training", least=1)  # MacroNet's; not in the paper: as MicroNet's
    lambda_rec: float = setting(0.1, "pre-training", least=0, when=eid)  # λ_{1,1}, Sec. 4.1
    lambda_sim: float = setting(0.1, "pre-training", least=0, when=eid)  # λ_{1,2}, Sec. 4.1
    lambda_s: float = setting(0.1, "pre-training", least=0, when=eid)  # λ_{1,3}, Sec. 4.1
    # of Eq. (1), (2); not in the paper: "euclidean" is as printed
    norm: Literal["mean_square", "euclidean"] = setting("mean_square", "pre-training", when=eid)
    reversal: bool = setting(False, "pre-training", when=eid)  # one backward pass for Eq. (5); not in the paper: turns
    steps_D_s: int = setting(1, "pre-training", least=1, when=eid)  # of D_s before each of E; not in the paper
    pretrain_lr_E: float = setting(1e-4, "pre-training", above=0)  # Sec. 4.1; of Adam, which is not in the paper
    pretrain_lr_classifiers: float = setting(1e-4, "pre-training", above=0)  # D_e and D_s, Sec. 4.1
    pretrain_lr_D_r: float = setting(1e-5, "pre-training", above=0, when=eid)  # Sec. 4.1
    # second stage: MTMNet (Sec. 3.2)
    epochs: int = setting(20, "training", least=1)  # Sec. 4.1, whose "total 20 epochs" may also be of both stages
    full_rate: float = setting(1.0, "training", above=0, most=1)  # share of them at the rates below, then a tenth
    shift: int = setting(0, "training", least=0)  # pixels that its training images move at most; not in the paper
    lambda_tri: float = setting(1e-3, "training", least=0)  # λ_{2,1}, Sec. 4.1
    lambda_adv: float = setting(1e-3, "training", least=0)  # λ_{2,2}, Sec. 4.1
    lambda_lir: float = setting(1e-3, "training", least=0)  # λ_{2,3}, Sec. 4.1
    margin: float = setting(1.0, "training", least=0)  # m of Eq. (6); not in the paper
    normalise: bool = setting(False, "training")  # embeddings of Eq. (6) to length 1; not in the paper
    per: Literal["batch", "sample"] = setting("batch", "training")  # means that Eq. (11) compares; not in the paper
    guided_batch: bool = setting(False, "training")  # of a row whose λ are all 0; not in the paper: a control
    lr_E: float = setting(1e-5, "training", above=0)  # Sec. 4.1
    lr_D: float = setting(1e-5, "training", above=0)  # Sec. 4.1
    lr_D_e: float = setting(1e-5, "training", above=0)  # Sec. 4.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.lambda_tri or self.lambda_adv or self.lambda_lir or self.guided_batch):
            object.__setattr__(self, "macro", "none")  # one experiment in all columns

    def conflicts(self) -> Iterator[str]:
        if self.size % STRIDE:
            yield f"size={self.size}: expected a multiple of {STRIDE}, by which the encoder divides sides"
        if self.shift >= self.size:
            yield f"shift={self.shift}: expected less than size={self.size}"


SMOKE = dict(
    size=128,
    magnify=5.0,
    width=16,
    start="random",
    batch=8,
    norm="euclidean",
    pretrain_epochs=8,
    pretrain_lr_E=1e-3,
    pretrain_lr_classifiers=1e-3,
    pretrain_lr_D_r=2e-3,
    epochs=6,
    full_rate=2 / 3,
    shift=3,
    lr_E=1e-3,
    lr_D=1e-3,
    lr_D_e=1e-3,
)
