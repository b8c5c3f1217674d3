"""The 3D residual network of Sec. 3.1 and the AU detector built on it."""

import os
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import FUSIONS, SCA, ChannelAttention, Fusion, SpatialAttention, positive

MEAN = (114.7748, 107.7354, 99.4750)  # of red, green and blue in 0-255: the zoo's networks expect it subtracted


class PaddingShortcut(nn.Module):
    """Shortcut A, without parameters: every stride-th voxel, and zero channels up to `channels`."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, channels, ⌈T/stride⌉, ⌈H/stride⌉, ⌈W/stride⌉)."""
        s = self.stride
        return F.pad(x[:, :, ::s, ::s, ::s], (0, 0) * 3 + (0, self.channels - x.shape[1]))


class BasicBlock(nn.Module):
    """Two 3×3×3 convolutions beside shortcut A."""

    expansion = 1

    def __init__(self, inplanes: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(inplanes, planes, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm3d(planes)
        self.conv2 = nn.Conv3d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(planes)
        same = stride == 1 and inplanes == planes
        self.downsample = nn.Identity() if same else PaddingShortcut(planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inplanes, T, H, W) -> (B, planes, ⌈T/stride⌉, ⌈H/stride⌉, ⌈W/stride⌉)."""
        out = self.bn1(self.conv1(x)).relu()
        out = self.bn2(self.conv2(out))
        return (out + self.downsample(x)).relu()


class Bottleneck(nn.Module):
    """A 3×3×3 convolution between two of 1×1×1, beside shortcut B."""

    expansion = 4

    def __init__(self, inplanes: int, planes: int, stride: int) -> None:
        super().__init__()
        outplanes = planes * self.expansion
        self.conv1 = nn.Conv3d(inplanes, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(planes)
        self.conv2 = nn.Conv3d(planes, planes, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(planes)
        self.conv3 = nn.Conv3d(planes, outplanes, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(outplanes)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inplanes != outplanes:
            self.downsample = nn.Sequential(
                nn.Conv3d(inplanes, outplanes, 1, stride, bias=False), nn.BatchNorm3d(outplanes)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, inplanes, T, H, W) -> (B, 4 planes, ⌈T/stride⌉, ⌈H/stride⌉, ⌈W/stride⌉)."""
        out = self.bn1(self.conv1(x)).relu()
        out = self.bn2(self.conv2(out)).relu()
        out = self.bn3(self.conv3(out))
        return (out + self.downsample(x)).relu()


def stages(block: type[BasicBlock] | type[Bottleneck], blocks: tuple[int, ...], width: int) -> list[nn.Sequential]:
    """The stages of the network, of so many blocks each: all but the first halve time, height and width."""
    made, inplanes = [], width
    for stage, n in enumerate(blocks):
        planes, layer = width * 2**stage, []
        for i in range(n):
            layer.append(block(inplanes, planes, stride=2 if stage and not i else 1))
            inplanes = planes * block.expansion
        made.append(nn.Sequential(*layer))
    return made


class Res3D(nn.Module):
    """3D ResNet of depth 18, 50 or 101: clips (B, 3, T, H, W) -> logits (B, classes). Sec. 3.1.

    Layers and parameter names are those of the 2018 Kinetics/UCF-101 model zoo. classes=None leaves the classifier
    out; `features` then is the whole network. width: channels of the first stage, 64 in the zoo. Raises ValueError for
    another depth, and for anything but clips of three channels.
    """

    layouts: ClassVar[dict[int, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, ...]]]] = {
        18: (BasicBlock, (2, 2, 2, 2)),
        50: (Bottleneck, (3, 4, 6, 3)),
        101: (Bottleneck, (3, 4, 23, 3)),
    }

    def __init__(self, depth: Literal[18, 50, 101] = 18, *, classes: int | None = 400, width: int = 64) -> None:
        super().__init__()
        if depth not in self.layouts:
            raise ValueError(f"depth is one of {', '.join(map(str, self.layouts))}, got {depth!r}")
        positive(width=width, classes=1 if classes is None else classes)
        block, blocks = self.layouts[depth]
        self.out_channels = 8 * width * block.expansion
        self.conv1 = nn.Conv3d(3, width, 7, stride=(1, 2, 2), padding=3, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.maxpool = nn.MaxPool3d(3, stride=2, padding=1)
        self.layer1, self.layer2, self.layer3, self.layer4 = stages(block, blocks, width)
        self.fc = None if classes is None else nn.Linear(self.out_channels, classes)
        for m in self.modules():
            if isinstance(m, nn.Conv3d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out")

    def features(self, x: Tensor) -> Tensor:
        """F, the output of the last block: (B, 3, T, H, W) -> (B, out_channels, ⌈T/16⌉, ⌈H/32⌉, ⌈W/32⌉)."""
        if x.ndim != 5 or x.shape[1] != 3 or not x.is_floating_point():
            raise ValueError(f"Res3D takes clips (B, 3, T, H, W) of floats, got {tuple(x.shape)} of {x.dtype}")
        x = self.maxpool(self.bn1(self.conv1(x)).relu())
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))

    def forward(self, x: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W) -> logits (B, classes). Raises ValueError for a network made without a classifier."""
        if self.fc is None:
            raise ValueError("this network was made without a classifier (classes=None): call features instead")
        return self.fc(self.features(x).mean((2, 3, 4)))

    def load_zoo(self, checkpoint: "str | os.PathLike[str] | Mapping[str, Tensor]") -> int | None:
        """Load a checkpoint of the zoo (file or state dict); returns the number of classes of its classifier, if any.

        400 classes are those of Kinetics, 101 those of UCF-101. Without a classifier of our own the checkpoint's is
        left out. RuntimeError names the weights that do not fit, ValueError those that are not numbers.
        """
        state: Any = checkpoint
        if isinstance(checkpoint, (str, os.PathLike)):
            state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        if not isinstance(state, Mapping) or not isinstance(state := state.get("state_dict", state), Mapping):
            raise ValueError("it holds no weights by name")
        state = {name.removeprefix("module."): w for name, w in state.items()}
        if bad := [name for name, w in state.items() if not isinstance(w, Tensor) or not w.isfinite().all()]:
            raise ValueError(f"not all of its values are finite numbers: {', '.join(bad[:3])}")
        classes = len(state["fc.bias"]) if "fc.bias" in state else None
        if self.fc is None:
            state = {name: w for name, w in state.items() if not name.startswith("fc.")}
        self.load_state_dict(state)
        return classes


class SCANetwork(nn.Module):
    """AU detector: RGB clips (B, 3, T, H, W) with values in [0, 1] -> logits (B, M), one per AU. Fig. 2.

    attention: "SA", "CA", a key of FUSIONS (for SCA), or None for the plain Res3D of the baseline rows.
    size: height and width of the clips in pixels, for which spatial attention is made. width: as in Res3D. reduced, k,
    relu: as in ChannelAttention and SpatialAttention. subtract: each clip's first frame is subtracted from it in place
    of the zoo's mean (not in the paper). Raises ValueError for values outside these ranges.
    """

    def __init__(
        self,
        M: int,
        *,
        depth: Literal[18, 50, 101] = 18,
        attention: Literal["SA", "CA"] | Fusion | None = "scalar",
        size: int = 112,
        width: int = 64,
        reduced: int = 128,
        k: int = 4,
        relu: bool = False,
        dropout: float = 0.5,
        subtract: bool = False,
    ) -> None:
        super().__init__()
        positive(M=M, size=size)
        if attention not in (None, "SA", "CA", *FUSIONS):
            raise ValueError(f"attention is None, SA, CA or one of {', '.join(FUSIONS)}, got {attention!r}")
        if attention not in (None, "SA") and size <= 32:
            raise ValueError(f"clips of {size}×{size} leave a map of one position, which has no covariance: 33 or more")
        self.backbone = Res3D(depth, classes=None, width=width)
        self.subtract, self.size = subtract, size
        self.mean: Tensor
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1, 1) / 255, persistent=False)
        c = self.backbone.out_channels
        h = w = -(-size // 32)
        self.attention: nn.Module
        if attention is None:
            self.attention = nn.Identity()
        elif attention == "SA":
            self.attention = SpatialAttention((h, w), k=k, relu=relu)
        elif attention == "CA":
            self.attention = ChannelAttention(c, reduced=reduced, k=k)
        else:
            self.attention = SCA(c, (h, w), fusion=attention, reduced=reduced, k=k, relu=relu)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(getattr(self.attention, "out_channels", c), M)  # row i is the linear head of AU i

    def centred(self, clips: Tensor) -> Tensor:
        """Clips in 0-255 less the zoo's mean, or less their first frame, as the backbone sees them: same shape.

        ValueError for values outside [0, 1]; they are checked on the CPU alone, and not in a compiled graph.
        """
        if clips.ndim != 5 or clips.shape[1] != 3 or not clips.is_floating_point():
            raise ValueError(f"expected clips (B, 3, T, H, W) of floats, got {tuple(clips.shape)} of {clips.dtype}")
        if clips.shape[3:] != (self.size, self.size):
            raise ValueError(f"clips of {tuple(clips.shape[3:])}: this network is made for {self.size} × {self.size}")
        looked_at = clips.is_cpu and not torch.compiler.is_compiling()
        if looked_at and not ((clips >= 0) & (clips <= 1)).all():
            low, high = clips.aminmax()
            raise ValueError(f"expected clips with values in [0, 1], got {low:.4g} to {high:.4g}")
        first = clips[:, :, :1] if self.subtract else self.mean
        return 255 * (clips - first)

    def features(self, clips: Tensor) -> Tensor:
        """The attended feature map, F'_sc of Eq. (3): (B, 3, T, H, W) -> (B, C, h, w)."""
        F_ = self.backbone.features(self.centred(clips)).mean(2)  # F'; up to 16 frames leave a single step of time
        return self.attention(F_)

    def forward(self, clips: Tensor) -> Tensor:
        """RGB clips (B, 3, T, size, size) in [0, 1] -> logits (B, M)."""
        return self.head(self.dropout(self.features(clips).mean((2, 3))))

    def predict(self, clips: Tensor) -> Tensor:
        """RGB clips (B, 3, T, size, size) in [0, 1] -> the probability of each AU (B, M)."""
        return self(clips).sigmoid()
