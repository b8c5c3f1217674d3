"""Fig. 2 and 3: the teacher (two ResNet-34) and the student (two ResNet-18), and their single-view forms.

All take images (B, 3, H, W) in [0, 1] and normalise them themselves, by `statistics`: see STATISTICS.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, conv1x1

from .losses import AUS, Follow, Output, is_release
from .magnify import check_images

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
Statistics = Literal["imagenet", "emotionet", "none"]
# mean and standard deviation of R, G, B in [0, 1]; "none": images are taken as they are
STATISTICS: dict[str, tuple[tuple[float, ...], tuple[float, ...]] | None] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "emotionet": ((0.5355, 0.4249, 0.3801), (0.2832, 0.2578, 0.2548)),  # released code of co-training
    "none": None,
}


class Trunk(nn.Module):
    """A ResNet without its classifier.

    State-dict names are those of torchvision's ResNets less `fc`, so their weights load at width 64.
    """

    def __init__(self, depth: int, *, width: int = 64) -> None:
        super().__init__()
        self.depth, self.width = depth, width
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
        """Images (B, 3, H, W) -> f (B, 8 width), and the activations of conv1 (before BN) and of stages 1 to 4."""
        A = [self.conv1(x)]  # (B, width, H/2, W/2)
        x = F.max_pool2d(F.relu(self.bn1(A[0])), 3, stride=2, padding=1)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            A.append(x)  # (B, width, H/4, W/4) ... (B, 8 width, H/32, W/32)
        return x.mean((2, 3)), A


def stage(C_in: int, C: int, *, blocks: int, stride: int) -> nn.Sequential:
    """Basic blocks; the first changes stride and width (He et al. 2016)."""
    shortcut = nn.Sequential(conv1x1(C_in, C, stride), nn.BatchNorm2d(C)) if stride > 1 else None
    return nn.Sequential(BasicBlock(C_in, C, stride, shortcut), *(BasicBlock(C, C) for _ in range(blocks - 1)))


class Views(nn.Module):
    """Views side by side, each a trunk and its classifier FC_i."""

    def __init__(
        self, outputs: int, *, depth: int, views: int, width: int, statistics: Statistics, size: int | None = None
    ) -> None:
        super().__init__()
        self.size = size  # the side of the images that it learned from: others are refused
        known: dict[str, tuple[Any, Any]] = {
            "depth": (depth, BLOCKS),
            "views": (views, (1, 2)),
            "statistics": (statistics, STATISTICS),
        }
        for name, (value, choices) in known.items():
            if value not in choices:
                raise ValueError(f"{name}={value!r}: expected one of {', '.join(map(repr, choices))}")
        self.depth, self.width, self.statistics = depth, width, STATISTICS[statistics]
        self.mean: Tensor
        self.std: Tensor
        for name, values in zip(("mean", "std"), self.statistics or (), strict=False):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)
        self.trunks = nn.ModuleList(Trunk(depth, width=width) for _ in range(views))
        self.FC = nn.ModuleList(nn.Linear(8 * width, outputs) for _ in range(views))

    def each_view(self, x: Tensor) -> tuple[Tensor, Tensor, list[list[Tensor]]]:
        """Images (B, 3, H, W) in [0, 1] -> f_i (V, B, 8 width), logits (V, B, outputs), and each view's activations."""
        if x.ndim != 4 or x.shape[1] != 3 or not x.is_floating_point():
            raise ValueError(f"images {tuple(x.shape)} of {x.dtype}: expected (B, 3, H, W), floats in [0, 1]")
        if self.size and x.shape[2:] != (self.size, self.size):
            raise ValueError(f"images of {tuple(x.shape[2:])}: this network learned from {self.size} × {self.size}")
        if self.statistics:
            check_images(x)
            x = (x - self.mean) / self.std
        f, features = zip(*(trunk(x) for trunk in self.trunks), strict=True)
        z = torch.stack([FC(f_i) for FC, f_i in zip(self.FC, f, strict=True)])
        return torch.stack(f), z, list(features)

    def classifiers(self, *, bias: bool) -> Tensor:
        """W: the weights (V, outputs, 8 width), with the bias (released code) one column more."""
        heads = [FC for FC in self.FC if isinstance(FC, nn.Linear)]
        rows = [torch.cat((FC.weight, FC.bias[:, None]), 1) if bias else FC.weight for FC in heads]
        return torch.stack(rows)


class Teacher(Views):
    """Dual-view co-training network for C AUs, a sigmoid each (Sec. III-B); views=1: the single-view teacher.

    The mean of the views' logits is scored: not in the paper.
    """

    def __init__(
        self,
        C: int = len(AUS),
        *,
        depth: int = 34,
        views: int = 2,
        width: int = 64,
        follow: Follow = "paper",
        statistics: Statistics = "emotionet",
        size: int | None = None,
    ) -> None:
        super().__init__(C, depth=depth, views=views, width=width, statistics=statistics, size=size)
        self.bias_in_W = is_release(follow)

    def forward(self, x: Tensor) -> Output:
        """Images (B, 3, H, W) in [0, 1] -> logits (V, B, C), their mean (B, C), W (V, C, 8 width), features.

        W has one more column, the bias, with follow="release".
        """
        _, z, features = self.each_view(x)
        return Output(z, z.mean(0), self.classifiers(bias=self.bias_in_W), features)

    def predict(self, x: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [0, 1] -> the probability of each AU (B, C)."""
        return self(x).fused.sigmoid()


class Student(Views):
    """N AUs, each its own two-way softmax (Sec. III-C-1): DualView, or SingleView for the rows without "DV".

    Two views are fused through N classifiers FC_s of f_s = f_1 + f_2; follow="release": the mean of their logits.
    `input` holds the settings of its input: `prepare(onset, apex, **net.input)`. Images of another side than a given
    `size` are refused.
    """

    def __init__(
        self,
        N: int,
        *,
        depth: int = 18,
        views: int,
        width: int = 64,
        follow: Follow = "paper",
        statistics: Statistics = "imagenet",
        resize: int = 240,
        size: int | None = None,
        ratio: float = 30.0,
        lambda_c: float = 8.0,
    ) -> None:
        super().__init__(2 * N, depth=depth, views=views, width=width, statistics=statistics, size=size)
        self.N, self.follow = N, follow
        self.input = {"resize": resize, "size": size or 224, "ratio": ratio, "lambda_c": lambda_c}
        self.FC_s = nn.Linear(8 * width, 2 * N) if views == 2 and not is_release(follow) else None

    def forward(self, x: Tensor) -> Output:
        """Images (B, 3, H, W) in [0, 1] -> logits (V, B, N, 2), fused ones (B, N, 2), W (V, N, 16 width), features.

        W is (V, 2 N, 8 width + 1), rows with their bias, with follow="release".
        """
        f, z, features = self.each_view(x)  # z (V, B, 2N)
        fused = z.mean(0) if self.FC_s is None else self.FC_s(f.sum(0))  # (B, 2N)
        z, fused = (t.unflatten(-1, (self.N, 2)) for t in (z, fused))
        W = self.classifiers(bias=is_release(self.follow))  # (V, 2N, 512 or 513): the released code's rows
        if not is_release(self.follow):
            W = W.unflatten(1, (self.N, 2)).flatten(2)  # (V, N, 1024): "the parameters of the j-th AU's classifier"
        return Output(z, fused, W, features)

    def predict(self, x: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [0, 1] -> the probability of each AU (B, N)."""
        return self(x).fused.softmax(-1)[..., 1]


class DualView(Student):
    """Two-view student of N AUs (Fig. 2), ResNets of `depth` 18 or 34; options as of Student.

    Images (B, 3, H, W) in [0, 1] -> `fused` logits (B, N, 2) and more; for magnified ones see `dvasp.prepare`.
    """

    def __init__(self, N: int, *, depth: int = 18, width: int = 64, follow: Follow = "paper", **options: Any) -> None:
        super().__init__(N, depth=depth, views=2, width=width, follow=follow, **options)


class SingleView(Student):
    """One-view student of N AUs: the baselines Res18 and Res34, and the students of a single-view teacher."""

    def __init__(self, N: int, *, depth: int = 18, width: int = 64, follow: Follow = "paper", **options: Any) -> None:
        super().__init__(N, depth=depth, views=1, width=width, follow=follow, **options)


def freeze(teacher: Teacher) -> Teacher:
    """The teacher in eval mode, without gradients: neither weights nor batch statistics move (Sec. III-C)."""
    return teacher.eval().requires_grad_(False)


def read_teacher(state: Mapping[str, Any], *, views: int = 2, **options: Any) -> Teacher:
    """A Teacher of the first `views` ResNets in `state`, of their depth and width.

    state: the public checkpoint of co-training, its ResNets net1.* and net2.* under torchvision's names (a "state_dict"
    around it and the "module." of data-parallel training are dropped); or the state dict of a Teacher. From ResNets
    alone, FC is random: distillation and DVFT need no more. Raises ValueError saying what is missing.
    """
    state = state.get("state_dict", state) if isinstance(state, Mapping) else {}
    state = {name.removeprefix("module."): value for name, value in state.items() if isinstance(value, Tensor)}
    given = {re.sub(r"^net([12])\.", lambda m: f"trunks.{int(m[1]) - 1}.", name): w for name, w in state.items()}
    for v in range(views):
        if f"trunks.{v}.conv1.weight" not in given:
            raise ValueError(
                f"no net{v + 1}.conv1.weight and no trunks.{v}.conv1.weight, view {v + 1} of {views} of a teacher, in "
                f"{len(state)} tensors {', '.join(list(state)[:3])} …"
            )
    depth = 34 if "trunks.0.layer3.5.conv1.weight" in given else 18
    C = len(given["FC.0.weight"]) if "FC.0.weight" in given else len(AUS)
    teacher = Teacher(C, depth=depth, views=views, width=len(given["trunks.0.conv1.weight"]), **options)
    own = teacher.state_dict()
    spare = {name: w for name, w in own.items() if name.startswith("FC.") or name.endswith("num_batches_tracked")}
    given = {**spare, **{name: w for name, w in given.items() if name in own}}
    for name, w in own.items():
        if name not in given or given[name].shape != w.shape or not given[name].isfinite().all():
            found = f"{name} {tuple(given[name].shape)}" if name in given else f"no {name}"
            raise ValueError(f"{found}: expected {tuple(w.shape)} of a ResNet-{depth}, finite numbers")
    teacher.load_state_dict(given)
    return teacher


def load_imagenet(net: Views, state: Mapping[str, Tensor]) -> None:
    """Load torchvision's weights of ImageNet, those of a ResNet of the trunks' depth, into every trunk."""
    for trunk in net.trunks:
        trunk.load_state_dict({name: w for name, w in state.items() if not name.startswith("fc.")})
