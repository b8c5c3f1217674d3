"""Fig. 2 and 3: the teacher (two ResNet-34) and the student (two ResNet-18), and their single-view forms."""

import os

import torch
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights, ResNet34_Weights, resnet18, resnet34

from .losses import AUS, Output, is_release

RESNETS = {18: (resnet18, ResNet18_Weights.IMAGENET1K_V1), 34: (resnet34, ResNet34_Weights.IMAGENET1K_V1)}


class Trunk(nn.Module):
    """A ResNet without its classifier: images (B, 3, H, W) -> f (B, 512) and conv1 (before BN), stages 1 to 4."""

    def __init__(self, depth: int):
        super().__init__()
        self.depth = depth
        self.resnet = RESNETS[depth][0](weights=None)
        self.resnet.fc = nn.Identity()

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        net = self.resnet
        A = [net.conv1(x)]  # (B, 64, H/2, W/2)
        x = net.maxpool(net.relu(net.bn1(A[0])))
        for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = stage(x)
            A.append(x)  # (B, 64, H/4, W/4) ... (B, 512, H/32, W/32)
        return x.mean((2, 3)), A


class Views(nn.Module):
    """Views side by side, each a trunk with its classifier FC_i: features f_i (V, B, 512), logits, feature lists."""

    def __init__(self, outputs: int, *, depth: int, views: int):
        super().__init__()
        self.trunks = nn.ModuleList(Trunk(depth) for _ in range(views))
        self.FC = nn.ModuleList(nn.Linear(512, outputs) for _ in range(views))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, list[list[Tensor]]]:
        f, features = zip(*(trunk(x) for trunk in self.trunks), strict=True)
        z = torch.stack([FC(f_i) for FC, f_i in zip(self.FC, f, strict=True)])
        return torch.stack(f), z, list(features)

    def classifiers(self, *, bias: bool) -> Tensor:
        """(V, outputs, 512), or 513 with the bias (released code)."""
        rows = [torch.cat((FC.weight, FC.bias[:, None]), 1) if bias else FC.weight for FC in self.FC]
        return torch.stack(rows)


class Teacher(Views):
    """Dual-view co-training network for C AUs, a sigmoid each (Sec. III-B); views=1: the single-view teacher.

    The mean of the views' logits is scored: not in the paper.
    """

    def __init__(self, C: int = len(AUS), *, depth: int = 34, views: int = 2, follow: str = "paper"):
        super().__init__(C, depth=depth, views=views)
        self.bias_in_W = is_release(follow)

    def forward(self, x: Tensor) -> Output:
        _, z, features = super().forward(x)  # z (V, B, C)
        return Output(z, z.mean(0), self.classifiers(bias=self.bias_in_W), features)


class Student(Views):
    """N AUs, each its own two-way softmax (Sec. III-C-1): DualView, or SingleView for the rows without "DV".

    Two views are fused through N classifiers FC_s of f_s = f_1 + f_2; follow="release": the mean of their logits.
    """

    def __init__(self, N: int, *, depth: int = 18, views: int, follow: str = "paper"):
        super().__init__(2 * N, depth=depth, views=views)
        self.N, self.follow = N, follow
        self.FC_s = nn.Linear(512, 2 * N) if views == 2 and not is_release(follow) else None

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

    def __init__(self, N: int, *, depth: int = 18, follow: str = "paper"):
        super().__init__(N, depth=depth, views=2, follow=follow)


class SingleView(Student):
    """One-view student of N AUs: the baselines Res18 and Res34, and the students of a single-view teacher."""

    def __init__(self, N: int, *, depth: int = 18, follow: str = "paper"):
        super().__init__(N, depth=depth, views=1, follow=follow)


def freeze(teacher: Teacher) -> Teacher:
    """The teacher in eval mode, without gradients: neither weights nor batch statistics move (Sec. III-C)."""
    return teacher.eval().requires_grad_(False)


def load_imagenet(net: Views, folder: str | None = None) -> None:
    """Loads ImageNet weights into every trunk, from torchvision's file in `folder`, or its own download where None.

    Raises FileNotFoundError naming the file where it is not there or cannot be fetched.
    """
    weights = RESNETS[net.trunks[0].depth][1]
    name = os.path.basename(weights.url)
    if folder is None:
        try:
            state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
        except OSError as error:
            raise FileNotFoundError(f"{name} cannot be fetched ({error}): name a folder that holds it") from error
    else:
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            raise FileNotFoundError(f"{path} is missing: torchvision's file {name} belongs there")
        state = torch.load(path, map_location="cpu", weights_only=True)
    state = {key: value for key, value in state.items() if not key.startswith("fc.")}
    for trunk in net.trunks:
        trunk.resnet.load_state_dict(state)
