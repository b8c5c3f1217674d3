"""Settings of the paper's own method, and what smoke scale changes in them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torchvision.models import ResNet18_Weights

from shared.runs.config import Settings, setting
from shared.runs.published import Published, of_torchvision

SOURCE = "https://github.com/GuanghaoZhu663/SKD-TSTSAN"
RELEASED = Published(
    name="SKD-TSTSAN.pth",
    what="the released network",
    source=f"{SOURCE}/tree/HEAD/Pretrained_model",
    url=f"{SOURCE}/raw/HEAD/Pretrained_model/SKD-TSTSAN.pth",
    licence="MIT",
    git_blob="47ee53ad65a7656920456dbc30d550809c390ea5",
    setting="start=SKD-TSTSAN.pth",
    without="--set start=random does without it",
)
MAGNIFIER = Published(
    name="magnet.pth",
    what="the released magnifier",
    source=f"{SOURCE}/tree/HEAD/motion_magnification_learning_based_master",
    url=f"{SOURCE}/raw/HEAD/motion_magnification_learning_based_master/magnet.pth",
    licence="MIT",
    size=3_695_530,
    git_blob="90c69bbb8f8a1ed1508982398ab7306a90172578",
    setting="magnifier=magnet.pth",
    without="--set magnifier=random does without it",
)
TRUNK = of_torchvision(
    ResNet18_Weights.IMAGENET1K_V1, "ResNet-18", "trunk=resnet18-f37072fd.pth", "--set trunk=random does without it"
)
PUBLISHED = (RELEASED, MAGNIFIER, TRUNK)


def baseline(config: "Config") -> bool:
    """True for STSTNet, CapsuleNet and MMNet."""
    return config.method != "SKD-TSTSAN"


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    method: Literal["SKD-TSTSAN", "STSTNet", "CapsuleNet", "MMNet"] = setting("SKD-TSTSAN", "network", when=baseline)
    follow: Literal["release", "paper"] = setting("release", "network")  # where they differ; its weights: "release"
    resize: int = setting(128, "input", least=8)  # side of the faces that patches and flow come from; Sec. 4.2
    size: int = setting(48, "input", least=17)  # side of the network's inputs; Sec. 4.2
    width: int = setting(64, "network", least=8)  # channels of conv1; released code
    mag: bool = setting(True, "network")  # Sec. 3.1 (Table 5)
    eca: bool = setting(True, "network")  # Sec. 3.2 (Table 5)
    tsm: bool = setting(True, "network")  # Sec. 3.3 (Table 5)
    skd: bool = setting(True, "network")  # Sec. 3.4 (Table 5)
    modified: bool = setting(True, "network")  # Sec. 4.5.1; False: the layers of TSCNN (Table 3)
    alpha: float = setting(2.0, "network", least=0)  # amplification factor, Sec. 4.2; others in Fig. 9(b)
    dropout: float = setting(0.2, "network", least=0, below=1)  # released code
    start: str = setting("random", "network")  # initial weights: "random", or a file of the released network
    magnifier: str = setting("random", "network")  # "random", or a file of the released magnifier
    # the loss, in both stages
    lambda_1: float = setting(0.1, "pre-training", least=0, most=1)  # Sec. 4.2
    lambda_2: float = setting(1e-6, "pre-training", least=0)  # Sec. 4.2
    T: float = setting(3.0, "pre-training", above=0)  # Sec. 4.2
    gamma: float = setting(2.0, "pre-training", least=0)  # Sec. 4.2
    # the optimiser, in both stages
    lr: float = setting(1e-3, "pre-training", above=0)  # of Adam, Sec. 4.2; constant: released code
    betas: tuple[float, float] = setting((0.9, 0.99), "pre-training", least=0, below=1)  # Sec. 4.2
    weight_decay: float = setting(5e-4, "pre-training", least=0)  # Sec. 4.2
    # pre-training on CK+, which has two temporal domains
    pretrain: Literal["auto", "true", "false"] = setting("auto", "training")  # Fig. 9(a); auto: where start="random"
    pretrain_batch: int = setting(16, "pre-training", least=1)  # Sec. 4.2
    pretrain_iterations: int = setting(10_000, "pre-training", least=1)  # Sec. 4.2
    # training
    domains: int = setting(2, "training", least=1)  # temporal domains; others in Table 6
    batch: int = setting(16, "training", least=1)  # Sec. 4.2; 32 on CAS(ME)³
    iterations: int = setting(20_000, "training", least=1)  # Sec. 4.2
    full_rate: float = setting(1.0, "training", above=0, most=1)  # share of the epochs at `lr`, then a tenth of it

    # STSTNet, CapsuleNet and MMNet (Table 3): their released code; what else they set is in experiments.py
    image: int = setting(224, "input", least=144, when=baseline)  # side of CapsuleNet's and MMNet's frames
    trunk: str = setting(TRUNK.name, "training")  # CapsuleNet's: "random", or torchvision's file
    ststnet_epochs: int = setting(800, "training", least=1)  # 500 in its paper
    capsulenet_epochs: int = setting(30, "training", least=1)
    mmnet_epochs: int = setting(74, "training", least=1)

    def conflicts(self) -> Iterator[str]:
        if self.resize % 4:
            yield f"resize={self.resize}: expected a multiple of 4: a face is cut into 4×4 patches"
        if self.image % 16:
            yield f"image={self.image}: expected a multiple of 16: MMNet halves its frames four times"
        if not self.modified and (self.mag or self.eca or self.tsm or self.skd):
            yield "modified=False: expected mag, eca, tsm and skd to be False, which TSCNN does not have"
        if not self.tsm and self.domains != 2:
            yield f"domains={self.domains}: expected domains=2 without TSM, where the flows are one input"
        parts = {
            "Mag": self.mag,
            "TSM": self.tsm,
            "batch norm (modified)": self.modified,
            "the released g of 7×7 (follow=release)": self.follow == "release",
        }
        if self.start != "random" and (without := [name for name, there in parts.items() if not there]):
            yield (
                f"start={self.start}: a row without {', '.join(without)} cannot take the released network; choose rows "
                "that have all of it, or --set start=random"
            )
        if self.magnifier != "random" and (self.start != "random" or not self.mag):
            why = f"start={self.start} brings one" if self.mag else "a row without Mag has no place for one"
            yield f"magnifier={self.magnifier} is not used: {why}; --set magnifier=random"
        if self.magnifier != "random" and self.follow == "paper":
            yield f"magnifier={self.magnifier}: its g is 7×7, the paper's 3×3; --set follow=release or magnifier=random"

    @property
    def pretrained(self) -> bool:
        """Whether training on CK+ comes first; the released network has had it."""
        if baseline(self):
            return False
        return self.pretrain == "true" or (self.pretrain == "auto" and self.start == "random")


SMOKE = dict(
    resize=64,
    size=24,
    width=16,
    pretrain_iterations=100,
    iterations=150,
    full_rate=2 / 3,
    image=160,
    trunk="random",
    ststnet_epochs=200,
    capsulenet_epochs=5,
    mmnet_epochs=15,
)
