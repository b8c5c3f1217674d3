"""MIACNet, Sec. 3.1: two independent ResNet-18, one for the place of a movement, one for its form."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, conv1x1


class Encoder(nn.Module):
    """ResNet-18 without its pooling head: (B, 3, H, W) -> (B, 8 width, H/32, W/32).

    State-dict names are those of `torchvision.models.resnet18` less `fc`, so its weights load at width 64.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = stage(width, width, stride=1)
        self.layer2 = stage(width, 2 * width, stride=2)
        self.layer3 = stage(2 * width, 4 * width, stride=2)
        self.layer4 = stage(4 * width, 8 * width, stride=2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, I: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> maps (B, 8 width, H/32, W/32), sides rounded up."""
        x = F.relu(self.bn1(self.conv1(I)))
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


def stage(C_in: int, C: int, *, stride: int) -> nn.Sequential:
    """Two basic blocks; the first changes stride and width (He et al. 2016)."""
    shortcut = nn.Sequential(conv1x1(C_in, C, stride), nn.BatchNorm2d(C)) if stride > 1 else None
    return nn.Sequential(BasicBlock(C_in, C, stride, shortcut), BasicBlock(C, C))


class MIACNet(nn.Module):
    """Two-branch micro-action network (Fig. 2): logits of `classes`, or C_Δ (B, dim) where `classes` is None.

    Onset and apex are images (B, 3, H, W) in [-1, 1].

    How F^p and F^a join is only drawn in the paper: by default channels are concatenated, `join="add"` sums them;
    then 1×1 convolution, GELU and global average. `position=False` leaves the position branch out (Table 4, row 1).
    `size`: the side of the images that it learned from; others are refused.
    """

    def __init__(
        self,
        classes: int | None = None,
        *,
        width: int = 64,
        dim: int = 768,
        join: Literal["concat", "add"] = "concat",
        position: bool = True,
        size: int | None = None,
    ) -> None:
        super().__init__()
        self.size = size
        if join not in ("concat", "add"):
            raise ValueError(f"join must be 'concat' or 'add', not {join!r}")
        if classes is not None and classes < 2:
            raise ValueError(f"classes must be at least 2, not {classes}; None leaves the classifier out")
        self.concat = position and join == "concat"
        self.E_p = Encoder(width) if position else None
        self.E_a = Encoder(width)
        self.proj = nn.Conv2d(8 * width * (1 + self.concat), dim, 1)
        self.fc = nn.Identity() if classes is None else zero_linear(dim, classes)

    def encode(self, I_t: Tensor, I_td: Tensor) -> tuple[Tensor | None, Tensor]:
        """F^p of I_t (None without the branch) and F^a_Δ of I_{t+δ} − I_t, Eq. (1), each (B, 8 width, H/32, W/32).

        Raises ValueError unless both are (B, 3, H, W) of floating point in [-1, 1]. Values are checked on the CPU
        alone, since a check would wait for a GPU, and not in a compiled graph."""
        if I_t.shape != I_td.shape or I_t.ndim != 4 or I_t.shape[1] != 3:
            raise ValueError(f"I_t and I_td must both be (B, 3, H, W), not {tuple(I_t.shape)} and {tuple(I_td.shape)}")
        if not (I_t.is_floating_point() and I_td.is_floating_point()):
            raise ValueError(f"images must be floating point in [-1, 1], not {I_t.dtype} and {I_td.dtype}")
        if self.size and I_t.shape[2:] != (self.size, self.size):
            raise ValueError(f"images of {tuple(I_t.shape[2:])}: this network learned from {self.size} × {self.size}")
        if I_t.numel() and I_t.is_cpu and not torch.compiler.is_compiling():
            for low, high in (I.detach().aminmax() for I in (I_t, I_td)):
                if not (low >= -1.001 and high <= 1.001):
                    raise ValueError(f"images between {low:g} and {high:g}: expected [-1, 1], bytes as I / 127.5 - 1")
        F_p = None if self.E_p is None else self.E_p(I_t)
        return F_p, self.E_a(I_td - I_t)

    def join(self, F_p: Tensor | None, F_a: Tensor) -> Tensor:
        """C_Δ (B, dim). Pass `F_p.detach()` to train the branches "independently with different losses" (Sec. 5)."""
        if F_p is not None:
            F_a = torch.cat([F_p, F_a], dim=1) if self.concat else F_p + F_a
        return F.gelu(self.proj(F_a)).mean(dim=(2, 3))

    def forward(self, I_t: Tensor, I_td: Tensor) -> Tensor:
        """Frames I_t, I_{t+δ} (B, 3, H, W) in [-1, 1] -> logits (B, classes), or C_Δ (B, dim) without classes."""
        return self.fc(self.join(*self.encode(I_t, I_td)))

    def predict(self, I_t: Tensor, I_td: Tensor) -> Tensor:
        """Onset and apex (B, 3, H, W) in [-1, 1] -> class probabilities (B, classes)."""
        return self(I_t, I_td).softmax(1)


def zero_linear(dim: int, classes: int) -> nn.Linear:
    """The zero-initialised FC layer of fine-tuning (Sec. 4.3)."""
    fc = nn.Linear(dim, classes)
    nn.init.zeros_(fc.weight)
    nn.init.zeros_(fc.bias)
    return fc
