"""The 3D residual network of Sec. 3.1 and the AU detector built on it."""

import os
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import FUSIONS, SCA, ChannelAttention, SpatialAttention


class PaddingShortcut(nn.Module):
    """Shortcut A, without parameters: every stride-th voxel, and zero channels up to `channels`."""

    def __init__(self, channels: int, stride: int):
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, x: Tensor) -> Tensor:
        s = self.stride
        return F.pad(x[:, :, ::s, ::s, ::s], (0, 0) * 3 + (0, self.channels - x.shape[1]))


class BasicBlock(nn.Module):
    """Two 3×3×3 convolutions beside shortcut A."""

    expansion = 1

    def __init__(self, inplanes: int, planes: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv3d(inplanes, planes, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm3d(planes)
        self.conv2 = nn.Conv3d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(planes)
        same = stride == 1 and inplanes == planes
        self.downsample = nn.Identity() if same else PaddingShortcut(planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn1(self.conv1(x)).relu()
        out = self.bn2(self.conv2(out))
        return (out + self.downsample(x)).relu()


class Bottleneck(nn.Module):
    """A 3×3×3 convolution between two of 1×1×1, beside shortcut B."""

    expansion = 4

    def __init__(self, inplanes: int, planes: int, stride: int):
        super().__init__()
        outplanes = planes * self.expansion
        self.conv1 = nn.Conv3d(inplanes, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(planes)
        self.conv2 = nn.Conv3d(planes, planes, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(planes)
        self.conv3 = nn.Conv3d(planes, outplanes, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(outplanes)
        self.downsample = nn.Identity()
        if stride != 1 or inplanes != outplanes:
            self.downsample = nn.Sequential(
                nn.Conv3d(inplanes, outplanes, 1, stride, bias=False), nn.BatchNorm3d(outplanes)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn1(self.conv1(x)).relu()
        out = self.bn2(self.conv2(out)).relu()
        out = self.bn3(self.conv3(out))
        return (out + self.downsample(x)).relu()


class Res3D(nn.Module):
    """3D ResNet of depth 18, 50 or 101: clips (B, 3, T, H, W) -> logits (B, classes). Sec. 3.1.

    Layers and parameter names are those of the 2018 Kinetics/UCF-101 model zoo. classes=None leaves the classifier
    out; `features` then is the whole network. width: channels of the first stage, 64 in the zoo.
    """

    layouts = {18: (BasicBlock, (2, 2, 2, 2)), 50: (Bottleneck, (3, 4, 6, 3)), 101: (Bottleneck, (3, 4, 23, 3))}

    def __init__(self, depth: int = 18, *, classes: int | None = 400, width: int = 64):
        super().__init__()
        block, blocks = self.layouts[depth]
        self.out_channels = 8 * width * block.expansion
        self.conv1 = nn.Conv3d(3, width, 7, stride=(1, 2, 2), padding=3, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.maxpool = nn.MaxPool3d(3, stride=2, padding=1)
        inplanes = width
        for stage, n in enumerate(blocks):
            planes, layer = width * 2**stage, []
            for i in range(n):
                layer.append(block(inplanes, planes, stride=2 if stage and not i else 1))
                inplanes = planes * block.expansion
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layer))
        self.fc = nn.Linear(self.out_channels, classes) if classes else None
        for m in self.modules():
            if isinstance(m, nn.Conv3d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out")

    def features(self, x: Tensor) -> Tensor:
        """F, the output of the last block: (B, 3, T, H, W) -> (B, out_channels, ⌈T/16⌉, ⌈H/32⌉, ⌈W/32⌉)."""
        x = self.maxpool(self.bn1(self.conv1(x)).relu())
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x).mean((2, 3, 4)))

    def load_zoo(self, checkpoint: str | os.PathLike | Mapping[str, Tensor]) -> None:
        """Takes the weights of a zoo checkpoint (file or state dict); RuntimeError names the weights that do not fit.

        Without a classifier of our own the checkpoint's is left out.
        """
        state = checkpoint
        if not isinstance(checkpoint, Mapping):
            state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        state = {name.removeprefix("module."): w for name, w in state.get("state_dict", state).items()}
        if self.fc is None:
            state = {name: w for name, w in state.items() if not name.startswith("fc.")}
        self.load_state_dict(state)


class SCANetwork(nn.Module):
    """AU detector: clips (B, 3, T, H, W) -> logits (B, M), one an AU. Fig. 2.

    attention: "SA", "CA", a key of FUSIONS (SCA), or None for the plain Res3D of the baseline rows.
    size: height and width of the clips in pixels. width: as in Res3D. reduced, k: as in ChannelAttention.
    """

    def __init__(
        self,
        M: int,
        *,
        depth: int = 18,
        attention: str | None = "learn",
        size: int = 112,
        width: int = 64,
        reduced: int = 128,
        k: int = 4,
        dropout: float = 0.5,
    ):
        super().__init__()
        self.backbone = Res3D(depth, classes=None, width=width)
        c = self.backbone.out_channels
        h = w = -(-size // 32)
        if attention is None:
            self.attention = nn.Identity()
        elif attention == "SA":
            self.attention = SpatialAttention((h, w), k=k)
        elif attention == "CA":
            self.attention = ChannelAttention(c, reduced=reduced, k=k)
        elif attention in FUSIONS:
            self.attention = SCA(c, (h, w), fusion=attention, reduced=reduced, k=k)
        else:
            raise ValueError(f"attention is None, SA, CA or one of {', '.join(FUSIONS)}, got {attention!r}")
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(getattr(self.attention, "out_channels", c), M)  # row i is the linear head of AU i

    def features(self, x: Tensor) -> Tensor:
        """The attended feature map, F'_sc of Eq. (3): (B, 3, T, H, W) -> (B, C, h, w)."""
        F_ = self.backbone.features(x).mean(2)  # F', time folded away; up to 16 frames leave a single step of it
        return self.attention(F_)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.features(x).mean((2, 3))))
