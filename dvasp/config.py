"""Settings of the paper's own method, and what smoke scale changes in them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torchvision.models import ResNet18_Weights, ResNet34_Weights

from shared.runs.config import Settings, setting
from shared.runs.published import Published, of_torchvision

WITHOUT = "--set start=random does without it"
IMAGENET = {  # depth -> initial weights (Sec. IV-C)
    18: of_torchvision(ResNet18_Weights.IMAGENET1K_V1, "ResNet-18", "start=imagenet", WITHOUT),
    34: of_torchvision(ResNet34_Weights.IMAGENET1K_V1, "ResNet-34", "start=imagenet", WITHOUT),
}
TEACHER = Published(
    name="EmotioNet_model.pth.tar",
    what="the teacher that the authors of co-training trained on EmotioNet",
    source="https://github.com/nxsEdson/MLCR",
    licence="none stated",
    setting="teacher=EmotioNet_model.pth.tar",
    without="without --set teacher one is trained on EmotioNet",
)
PUBLISHED = (*IMAGENET.values(), TEACHER)


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    follow: Literal["paper", "release"] = setting("paper", "network")  # where they differ
    start: Literal["imagenet", "random"] = setting("imagenet", "network")  # initial weights; Sec. IV-C
    resize: int = setting(240, "input", least=32)  # side of the prepared frames; Sec. IV-C
    size: int = setting(224, "input", least=32)  # side of the crops that the networks see; Sec. IV-C
    flip: bool = setting(True, "input")  # half of the images; not in the paper: released code
    width: int = setting(64, "network", least=1)  # ResNets (Fig. 2)
    views: Literal[1, 2] = setting(2, "network")  # of teacher and student; 1 in the rows without "DV"
    # the student's input
    ratio: float = setting(30.0, "training", least=0)  # of the magnification; 1: off; not in the paper: not 1 + 30
    lambda_c: float = setting(8.0, "training", above=0)  # pixels; not in the paper: finer structure is magnified less
    # the student
    depth: Literal[18, 34] = setting(18, "training")  # Fig. 2
    method: Literal["none", "fine-tune", "Fit", "AT", "SP", "ASP"] = setting("ASP", "training")
    lambda_mv: float = setting(100.0, "training", least=0)  # Sec. IV-C
    alpha: float = setting(100.0, "training", least=0)  # of L_asp (Sec. IV-C); follow="release": of every method
    alpha_fit: float = setting(100.0, "training", least=0)  # not in the paper: the usual value
    alpha_at: float = setting(1000.0, "training", least=0)  # not in the paper: the usual value
    alpha_sp: float = setting(3000.0, "training", least=0)  # not in the paper: the usual value
    epochs: int = setting(80, "training", least=1)  # released code
    drop: int = setting(40, "training", least=1)  # epochs at `lr` (Sec. IV-C), then a tenth of it (released code)
    batch: int = setting(56, "training", least=2)  # released code; L_asp compares the images of a batch
    lr: float = setting(0.01, "training", above=0)  # Sec. IV-C
    momentum: float = setting(0.9, "training", least=0, below=1)  # released code
    teacher: str = setting("", "training")  # a file in the folder of --weights, or its path; "": trained on EmotioNet
    # the teacher
    teacher_depth: Literal[18, 34] = setting(34, "pre-training")  # Fig. 2
    teacher_lambda_mv: float = setting(400.0, "pre-training", least=0)  # Sec. IV-C
    lambda_cr: float = setting(100.0, "pre-training", least=0)  # Sec. IV-C
    cr_on: Literal["unlabelled", "all"] = setting("unlabelled", "pre-training")  # Eq. (2); follow="release": all
    selective: Literal["release", "original"] = setting("release", "pre-training")  # a_c of Eq. (1), only cited there
    unlabelled: int = setting(50_000, "pre-training", least=0)  # images; released code, the paper has about a million
    unlabelled_each: int = setting(3, "pre-training", least=0)  # beside each labelled image; not in the paper
    teacher_epochs: int = setting(30, "pre-training", least=1)  # released code
    teacher_batch: int = setting(16, "pre-training", least=2)  # labelled; not in the paper: 16 splits over 8 processes
    teacher_lr: float = setting(1e-3, "pre-training", above=0)  # Sec. IV-C

    def conflicts(self) -> Iterator[str]:
        if self.size > self.resize:
            yield f"size={self.size}: expected at most resize={self.resize}, from which it is cropped"
        if self.method == "fine-tune" and not self.teacher and self.depth != self.teacher_depth:
            yield f"depth={self.depth}: expected teacher_depth={self.teacher_depth} with method=fine-tune"
        if self.views == 2 and self.follow == "paper" and self.cr_on == "unlabelled" and not self.unlabelled_each:
            yield "unlabelled_each=0: expected at least 1, or cr_on=all; else L'_cr has no images"

    @property
    def weight(self) -> float:
        """α of Eq. (16), or of the method in the place of ASP."""
        if self.follow == "release":
            return self.alpha
        return {"Fit": self.alpha_fit, "AT": self.alpha_at, "SP": self.alpha_sp}.get(self.method, self.alpha)


# L_asp and L_sp are divided by the batch: their weights here are 8/56 of the usual ones. L_at is divided by the
# positions, of which there are (64/224)² as many. From random weights the views have to learn before they agree, hence
# the small lambda_cr.
SMOKE = dict(
    start="random",
    resize=72,
    size=64,
    width=16,
    epochs=40,
    drop=30,
    batch=8,
    alpha=14.0,
    alpha_at=80.0,
    alpha_sp=430.0,
    lambda_cr=2.0,
    unlabelled_each=1,
    teacher_epochs=24,
    teacher_batch=8,
)
