"""Fig. 2 and 3: the teacher (two ResNet-34) and the student (two ResNet-18), and their single-view forms."""

import os

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import ResNet18_Weights, ResNet34_Weights
from torchvision.models.resnet import BasicBlock, conv1x1

from .losses import AUS, Output, is_release

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
WEIGHTS = {18: ResNet18_Weights.IMAGENET1K_V1, 34: ResNet34_Weights.IMAGENET1K_V1}


class Trunk(nn.Module):
    """A ResNet without its classifier: images (B, 3, H, W) -> f (B, 8 width) and conv1 (before BN), stages 1 to 4.

    State-dict names are those of torchvision's ResNets less `fc`, so their weights load at width 64.
    """

    def __init__(self, depth: int, *, width: int = 64):
        super().__init__()
        self.depth = depth
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        one, two, three, four = BLOCKS[depth]
        self.layer1 = stage(width, width, blocks=one, stride=1)
        self.layer2 = stage(width, 2 * width, blocks=two, stride=2)
        self.layer3 = stage(2 * width, 4 * width, blocks=three, stride=2)
        self.layer4 = stage(4 * width, 8 * width, blocks=four, stride=2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        A = [self.conv1(x)]  # (B, width, H/2, W/2)
        x = F.max_pool2d(F.relu(self.bn1(A[0])), 3, stride=2, padding=1)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            A.append(x)  # (B, width, H/4, W/4) ... (B, 8 width, H/32, W/32)
        return x.mean((2, 3)), A


def stage(inplanes: int, planes: int, *, blocks: int, stride: int) -> nn.Sequential:
    """Basic blocks; the first changes stride and width (He et al. 2016)."""
    shortcut = None
    if stride != 1:
        shortcut = nn.Sequential(conv1x1(inplanes, planes, stride), nn.BatchNorm2d(planes))
    first = BasicBlock(inplanes, planes, stride, shortcut)
    return nn.Sequential(first, *(BasicBlock(planes, planes) for _ in range(blocks - 1)))


class Views(nn.Module):
    """Views side by side, each a trunk and its classifier FC_i: f_i (V, B, 8 width), logits, feature lists."""

    def __init__(self, outputs: int, *, depth: int, views: int, width: int):
        super().__init__()
        self.trunks = nn.ModuleList(Trunk(depth, width=width) for _ in range(views))
        self.FC = nn.ModuleList(nn.Linear(8 * width, outputs) for _ in range(views))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, list[list[Tensor]]]:
        f, features = zip(*(trunk(x) for trunk in self.trunks), strict=True)
        z = torch.stack([FC(f_i) for FC, f_i in zip(self.FC, f, strict=True)])
        return torch.stack(f), z, list(features)

    def classifiers(self, *, bias: bool) -> Tensor:
        """(V, outputs, 8 width), or one more with the bias (released code)."""
        rows = [torch.cat((FC.weight, FC.bias[:, None]), 1) if bias else FC.weight for FC in self.FC]
        return torch.stack(rows)


class Teacher(Views):
    """Dual-view co-training network for C AUs, a sigmoid each (Sec. III-B); views=1: the single-view teacher.

    The mean of the views' logits is scored: not in the paper.
    """

    def __init__(
        self, C: int = len(AUS), *, depth: int = 34, views: int = 2, width: int = 64, follow: str = "paper"
    ):
        super().__init__(C, depth=depth, views=views, width=width)
        self.bias_in_W = is_release(follow)

    def forward(self, x: Tensor) -> Output:
        _, z, features = super().forward(x)  # z (V, B, C)
        return Output(z, z.mean(0), self.classifiers(bias=self.bias_in_W), features)


class Student(Views):
    """N AUs, each its own two-way softmax (Sec. III-C-1): DualView, or SingleView for the rows without "DV".

    Two views are fused through N classifiers FC_s of f_s = f_1 + f_2; follow="release": the mean of their logits.
    """

    def __init__(self, N: int, *, depth: int = 18, views: int, width: int = 64, follow: str = "paper"):
        super().__init__(2 * N, depth=depth, views=views, width=width)
        self.N, self.follow = N, follow
        self.FC_s = nn.Linear(8 * width, 2 * N) if views == 2 and not is_release(follow) else None

    def forward(self, x: Tensor) -> Output:
        f, z, features = super().forward(x)  # z (V, B, 2N)
        fused = z.mean(0) if self.FC_s is None else self.FC_s(f.sum(0))  # (B, 2N)
        z, fused = (t.unflatten(-1, (self.N, 2)) for t in (z, fused))
        W = self.classifiers(bias=is_release(self.follow))  # (V, 2N, 512 or 513): the released code's rows
        if not is_release(self.follow):
            W = W.unflatten(1, (self.N, 2)).flatten(2)  # (V, N, 1024): "the parameters of the j-th AU's classifier"
        return Output(z, fused, W, features)

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """Probability of each AU: images (B, 3, H, W) -> (B, N)."""
        return self(x).fused.softmax(-1)[..., 1]


class DualView(Student):
    """Two-view student of N AUs (Fig. 2), ResNets of `depth` 18 or 34."""

    def __init__(self, N: int, *, depth: int = 18, width: int = 64, follow: str = "paper"):
        super().__init__(N, depth=depth, views=2, width=width, follow=follow)


class SingleView(Student):
    """One-view student of N AUs: the baselines Res18 and Res34, and the students of a single-view teacher."""

    def __init__(self, N: int, *, depth: int = 18, width: int = 64, follow: str = "paper"):
        super().__init__(N, depth=depth, views=1, width=width, follow=follow)


def freeze(teacher: Teacher) -> Teacher:
    """The teacher in eval mode, without gradients: neither weights nor batch statistics move (Sec. III-C)."""
    return teacher.eval().requires_grad_(False)


def weights_file(depth: int) -> str:
    """The name of torchvision's file of ImageNet weights."""
    return os.path.basename(WEIGHTS[depth].url)


def load_imagenet(net: Views, folder: str | os.PathLike = ".") -> None:
    """Loads ImageNet weights into every trunk, from torchvision's file in `folder`, else from its own download.

    Raises FileNotFoundError naming the file where it is not there and cannot be fetched.
    """
    weights = WEIGHTS[net.trunks[0].depth]
    path = os.path.join(folder, weights_file(net.trunks[0].depth))
    if os.path.isfile(path):
        state = torch.load(path, map_location="cpu", weights_only=True)
    else:
        try:
            state = weights.get_state_dict(progress=False, check_hash=True, map_location="cpu", weights_only=True)
        except OSError as error:
            raise FileNotFoundError(f"{path} is missing and {weights.url} cannot be fetched ({error})") from error
    state = {key: value for key, value in state.items() if not key.startswith("fc.")}
    for trunk in net.trunks:
        trunk.load_state_dict(state)
