"""Settings of the paper's own method, and what smoke scale changes in them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from shared.runs.config import Settings, setting
from shared.runs.published import Published


def zoo_file(depth: int, ucf101: bool = False) -> Published:
    """The file of a 3D ResNet of the 2018 model zoo."""
    return Published(
        name=f"resnet-{depth}-kinetics{'-ucf101_split1' * ucf101}.pth",
        what=f"the 2018 model zoo's Res3D{depth} of Kinetics{' and UCF-101' * ucf101}",
        source="https://github.com/kenshohara/3D-ResNets-PyTorch/tree/CVPR2018",
        licence="MIT (of the code)",
        setting="start=zoo" if ucf101 or depth != 18 else "start=kinetics",
        without="--set start=kinetics takes those of Kinetics alone, start=random none",
    )


# Of the files of UCF-101, that of depth 18 alone has a known source.
PUBLISHED = (zoo_file(18, ucf101=True), zoo_file(18), zoo_file(50), zoo_file(101))


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    size: int = setting(112, "input", least=33)  # side of the images that the network sees; Sec. 4.2
    resize: int = setting(128, "input", least=1)  # side of the frames that training crops from; not in the paper
    tim: int = setting(50, "input", least=1)  # frames after temporal interpolation (Sec. 4.2)
    frames: int = setting(10, "input", least=1)  # sampled from those (Sec. 4.2)
    # network
    depth: Literal[18, 50, 101] = setting(18, "network")  # of Res3D (Sec. 4.3)
    # Sec. 3.4, Eq. (3)
    attention: Literal["none", "SA", "CA", "max", "avg", "concat", "scalar", "rows"] = setting("scalar", "network")
    reduced: int = setting(128, "network", least=1)  # c'; not in the paper: as in second-order pooling, its model
    k: int = setting(4, "network", least=1)  # filters per row (Sec. 3.2)
    # after the spatial row convolution; none in Sec. 3.3, one in the group's code
    relu: bool = setting(False, "network")
    width: int = setting(64, "network", least=1)  # channels of the first stage, as in the zoo
    dropout: float = setting(0.5, "network", least=0, below=1)  # Sec. 4.2
    # initial weights; "zoo": of Kinetics and UCF-101 (Sec. 4.2) at depth 18, of Kinetics at the others
    start: Literal["zoo", "kinetics", "kinetics-ucf101", "random"] = setting("zoo", "network")
    subtract: bool = setting(False, "network")  # the first frame from all others; not in the paper
    # training
    flip: bool = setting(True, "training")  # not in the paper
    epochs: int = setting(60, "training", least=1)  # Sec. 4.2
    batch: int = setting(64, "training", least=1)  # Sec. 4.4
    lr: float = setting(0.01, "training", above=0)  # Sec. 4.2
    drop: int = setting(30, "training", least=1)  # epochs after which lr is divided by 10 (Sec. 4.2)
    momentum: float = setting(0.9, "training", least=0, below=1)  # Sec. 4.2
    weight_decay: float = setting(1e-3, "training", least=0)  # Sec. 4.2
    # hand-crafted features and an SVM, in place of the network
    descriptor: Literal["none", "LBP-TOP", "LPQ-TOP", "LBP-SIP", "HOG3D"] = setting("none", "input")  # Sec. 4.3
    blocks: int = setting(5, "input", least=1)  # 5×5 (Sec. 4.3)
    radii: tuple[int, int, int] = setting((3, 3, 3), "input", least=1)  # x, y, t of LBP-TOP and LBP-SIP (Sec. 4.3)
    window: int = setting(5, "input", least=3)  # of LPQ-TOP; not in the paper

    def conflicts(self) -> Iterator[str]:
        if self.size > self.resize:
            yield f"size={self.size}: expected at most resize={self.resize}, from which it is cropped"
        if self.frames > self.tim:
            yield f"frames={self.frames}: expected at most tim={self.tim}, of which they are sampled"
        if self.window % 2 == 0:
            yield f"window={self.window}: expected an odd number"
        time, side = {
            "none": (1, 1),
            "LBP-TOP": (2 * self.radii[2] + 1, 2 * max(self.radii[:2]) + self.blocks),
            "LBP-SIP": (2 * self.radii[2] + 1, 2 * max(self.radii[:2]) + self.blocks),
            "LPQ-TOP": (self.window, self.window - 1 + self.blocks),
            "HOG3D": (9, 12 * self.blocks),
        }[self.descriptor]
        if self.tim < time:
            yield f"tim={self.tim}: expected at least {time} for {self.descriptor}"
        if self.resize < side:
            yield f"resize={self.resize}: expected at least {side} for {self.descriptor} with blocks={self.blocks}"


SMOKE = dict(size=56, resize=64, reduced=32, width=16, start="random", subtract=True, epochs=40, batch=8)
